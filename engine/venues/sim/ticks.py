"""The generated market at its leanest: a quote a second of every symbol, its closed bars and its funding.

For rehearsals of days and weeks at full speed: most of what a desk does in that time is to look at the next price. The
prices are those of the generated market with a step of a second; its books and single trades are left out.
"""

from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Final

from engine.core.config import SECOND
from engine.core.events import FeedEvent
from engine.venues.sim.generated import DEFAULT_SEED, GeneratedMarket
from engine.venues.sim.order_flow import Leg

CHUNK_NS: Final = 60 * SECOND


class Ticks(GeneratedMarket):
    """A `MarketSource` made from a seed, as `GeneratedMarket` is; see there."""

    name = "generated ticks"

    def __init__(self, seed: int = DEFAULT_SEED, anchor_ns: int = 0, *, symbols: Sequence[str] = ()) -> None:
        super().__init__(seed, anchor_ns, quote_interval_ns=SECOND, symbols=symbols)
        self.fingerprint = sha256(f"ticks {self.fingerprint}".encode()).hexdigest()

    def events(self, from_ns: int, step_ns: int = CHUNK_NS) -> Iterator[list[FeedEvent]]:
        """Everything at or after `from_ns` but books and trades, without end."""
        return super().events(from_ns, step_ns)

    def _tell(self, leg: Leg, first: int, last: int, chunk: list[FeedEvent]) -> None:
        leg.quotes(first, last, chunk)
