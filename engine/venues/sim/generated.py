"""The generated market: ten correlated symbols, the same for everyone who knows the seed, the anchor and the time.

Nothing is remembered between two moments: `events` from any time tells what a market started long before would tell
then, and `history` gives the bars that its trades made. `NoSuchTempo` is raised for an interval that does not divide
a minute.
"""

from collections.abc import Iterator, Sequence
from hashlib import sha256
from operator import attrgetter
from typing import Final

from engine.core.config import HOUR, MINUTE, SECOND, Instrument
from engine.core.events import Bar, FeedEvent, FundingRate
from engine.venues.sim.listed import LISTED
from engine.venues.sim.market_moves import MarketMoves, Tempo
from engine.venues.sim.noise import noise, words
from engine.venues.sim.order_flow import Leg, OrderFlow
from engine.venues.sim.source import backfilled, longer_bars

DEFAULT_SEED: Final = 7
QUOTE_INTERVAL_NS: Final = SECOND // 2
DEPTH: Final = 15
DEPTH_MAX: Final = 50
FUNDING_SPAN: Final = 8 * HOUR
FUNDING_RATE_MAX: Final = 30_000  # 0.03 % every eight hours
BARS_KEPT: Final = 1_600  # of one symbol: a day and some
RECIPE: Final = 1  # raise when the same seed is to give another market

_AT = attrgetter("at_ns")


class GeneratedMarket:
    """A `MarketSource` made from a seed. Not safe for use by several threads at once.

    Args:
        seed: Chooses the market.
        anchor_ns: When every symbol has its listed start price (to the minute); `start_ns`. Earlier times exist too.
        quote_interval_ns: Between two quotes of a symbol; divides a minute.
        depth: Levels the book shows on each side, 1 to 50.
        symbols: Which to list, in this order; empty: all ten. A symbol's prices do not depend on the others listed.
    """

    name = "generated"
    end_ns = 0
    synthetic_book: frozenset[str] = frozenset()

    def __init__(
        self,
        seed: int = DEFAULT_SEED,
        anchor_ns: int = 0,
        *,
        quote_interval_ns: int = QUOTE_INTERVAL_NS,
        depth: int = DEPTH,
        symbols: Sequence[str] = (),
    ) -> None:
        if not 1 <= depth <= DEPTH_MAX:
            raise ValueError(f"the book shows 1 to {DEPTH_MAX} levels, not {depth}")
        self.seed = seed
        self.start_ns = anchor_ns
        self._tempo = Tempo.of(quote_interval_ns)
        self._market = MarketMoves(seed, self._tempo)
        self._flows: dict[str, OrderFlow] = {}
        self._bars: dict[str, dict[int, Bar]] = {}
        self._list(symbols, depth)
        recipe = f"{RECIPE} {seed} {anchor_ns} {quote_interval_ns} {depth} {' '.join(self._flows)}"
        self.fingerprint = sha256(recipe.encode()).hexdigest()

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        return tuple(flow.listing.instrument for flow in self._flows.values())

    def history(self, symbol: str, span_ns: int, end_ns: int, count: int) -> list[Bar]:
        """The newest `count` closed bars that end at or before `end_ns`, oldest first; see `MarketSource`."""
        flow = self._flows[symbol]
        minutes = max(1, span_ns // MINUTE)
        last = end_ns // span_ns * minutes
        bars = [self._bar(flow, minute) for minute in range(last - count * minutes, last)]
        return [backfilled(bar) for bar in bars] if span_ns == MINUTE else longer_bars(bars, symbol, span_ns, end_ns)

    def events(self, from_ns: int, step_ns: int = SECOND) -> Iterator[list[FeedEvent]]:
        """Everything at or after `from_ns`, without end; see `MarketSource`."""
        chunk_steps = max(1, min(self._tempo.steps, step_ns // self._tempo.interval_ns))
        minute, within_ns = divmod(from_ns, MINUTE)
        leg_ns = self._tempo.steps * self._tempo.interval_ns
        index, within_ns = divmod(within_ns, leg_ns)
        first = within_ns // self._tempo.interval_ns // chunk_steps * chunk_steps
        while True:
            for chunk in self._leg_events(minute, index, first, chunk_steps):
                due = chunk if chunk and chunk[0].at_ns >= from_ns else [e for e in chunk if e.at_ns >= from_ns]
                if due:
                    yield due
            first = 0
            index += 1
            if index == self._tempo.legs:
                minute, index = minute + 1, 0

    def funding(self, symbol: str, at_ns: int) -> FundingRate:
        """The rate settled at the next full eight hours (UTC): -0.01 % to 0.03 %, mostly positive."""
        due_ns = (at_ns // FUNDING_SPAN + 1) * FUNDING_SPAN
        draw = words(noise(2, self.seed, "funding", symbol, due_ns // FUNDING_SPAN))[0]
        rate = FUNDING_RATE_MAX * (4 * draw - 65_536) // (3 * 65_536)
        return FundingRate(symbol, at_ns, rate, due_ns)

    def _list(self, symbols: Sequence[str], depth: int) -> None:
        known = {listing.instrument.symbol: (place, listing) for place, listing in enumerate(LISTED)}
        unknown = [symbol for symbol in symbols if symbol not in known]
        if unknown:
            raise ValueError(f"the generated market does not list {', '.join(unknown)}; it has {', '.join(known)}")
        for symbol in symbols or known:
            place, listing = known[symbol]
            offset_ns = self._tempo.interval_ns * place // len(LISTED)
            flow = OrderFlow(self.seed, listing, self._market, self._tempo, depth, offset_ns)
            flow.anchor(self.start_ns // MINUTE)
            self._flows[symbol] = flow
            self._bars[symbol] = {}

    def _bar(self, flow: OrderFlow, minute: int) -> Bar:
        kept = self._bars[flow.symbol]
        bar = kept.get(minute)
        if bar is None:
            if len(kept) >= BARS_KEPT:
                del kept[next(iter(kept))]
            bar = kept[minute] = flow.bar(minute)
        return bar

    def _tell(self, leg: Leg, first: int, last: int, chunk: list[FeedEvent]) -> None:
        """What a symbol shows in the steps [first, last)."""
        leg.tell(first, last, chunk)

    def _leg_events(self, minute: int, index: int, first: int, chunk_steps: int) -> Iterator[list[FeedEvent]]:
        """One leg of every symbol in chunks, from step `first` on; funding opens a minute and bars close it."""
        tempo = self._tempo
        legs = [flow.leg(minute, index) for flow in self._flows.values()]
        for step in range(first, tempo.steps, chunk_steps):
            chunk: list[FeedEvent] = []
            if index == 0 and step == 0:
                chunk.extend(self.funding(symbol, minute * MINUTE) for symbol in self._flows)
            for leg in legs:
                self._tell(leg, step, min(step + chunk_steps, tempo.steps), chunk)
            chunk.sort(key=_AT)
            if index == tempo.legs - 1 and step + chunk_steps >= tempo.steps:
                chunk.extend(self._bar(flow, minute) for flow in self._flows.values())
            yield chunk
