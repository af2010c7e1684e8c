"""A venue that pushes more than a real one: the generated market, with many quotes in place of each.

`python -m benchmarks.flood OPTIONS` is the built-in venue but for its market, which is cheap to make, so that the venue
keeps up with twenty thousand messages a second and what is measured is the desk.
"""

import sys
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from engine.core.config import SECOND, Instrument
from engine.core.events import Bar, Book, FeedEvent, FundingRate, Quote
from engine.venues.sim.clock import VenueClock, wall_ns
from engine.venues.sim.generated import GeneratedMarket
from engine.venues.sim.options import VenueOptions
from engine.venues.sim.standalone import Opened, serve_process

MS: Final = SECOND // 1000
STEP_NS: Final = SECOND // 2


class Flood:
    """A `MarketSource`: the generated market without its books, each of its quotes repeated every `interval_ns`."""

    name = "generated"
    end_ns = 0
    synthetic_book: frozenset[str] = frozenset()

    def __init__(self, seed: int, anchor_ns: int, interval_ns: int) -> None:
        self._market = GeneratedMarket(seed, anchor_ns, quote_interval_ns=STEP_NS)
        self._interval_ns = interval_ns
        self.start_ns = anchor_ns
        self.fingerprint = f"{self._market.fingerprint} {interval_ns}"

    @property
    def instruments(self) -> Sequence[Instrument]:
        return self._market.instruments

    def history(self, symbol: str, span_ns: int, end_ns: int, count: int) -> list[Bar]:
        return self._market.history(symbol, span_ns, end_ns, count)

    def funding(self, symbol: str, at_ns: int) -> FundingRate | None:
        return self._market.funding(symbol, at_ns)

    def events(self, from_ns: int, step_ns: int = SECOND) -> Iterator[list[FeedEvent]]:
        newest: dict[str, Quote] = {}
        due_ns = from_ns
        for chunk in self._market.events(from_ns, STEP_NS):
            told: list[FeedEvent] = []
            for event in chunk:
                while due_ns <= event.at_ns:
                    told += [
                        Quote(q.symbol, due_ns, due_ns, q.bid, q.ask, q.bid_qty, q.ask_qty) for q in newest.values()
                    ]
                    due_ns += self._interval_ns
                if isinstance(event, Quote):
                    newest[event.symbol] = event
                elif not isinstance(event, Book):
                    told.append(event)
            yield told


def open_flood(options: VenueOptions) -> Opened:
    now_ns, seed = wall_ns(), options.seed or 1
    return Opened(Flood(seed, now_ns, round(options.quote_interval_ms * MS)), VenueClock(now_ns, options.speed), seed)


if __name__ == "__main__":
    sys.exit(serve_process(msgspec.json.decode(sys.argv[1], type=VenueOptions), open_flood))
