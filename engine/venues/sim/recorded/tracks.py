"""Tracks: the recorded rows of one symbol as a stream of events, and the buffer from which a market takes its chunks.

A track is a lazy stream of short lists of events; time never decreases within a list or from one to the next.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from operator import attrgetter
from pathlib import Path

import msgspec

from engine.core.bars import BarBuilder
from engine.core.config import MINUTE
from engine.core.events import Bar, DataRejected, FeedEvent, FundingRate, Quote, Trade
from engine.venues.sim.recorded.intrabar import BarPlayer, QuoteBarPlayer, around
from engine.venues.sim.recorded.layouts import Kind, Layout
from engine.venues.sim.recorded.rows import Row, read, read_funding

QUIET_NS_MAX = 30 * MINUTE  # a market is quiet for so long at most; beyond that the recording was interrupted
FUNDING_LEAD_NS = MINUTE  # a settled rate is told this long before: nobody may trade on it hours ahead

Track = Iterator[list[FeedEvent]]
File = tuple[Path, Layout]
_AT = attrgetter("at_ns")


class Recording(msgspec.Struct, frozen=True):
    """All files of one symbol, by kind, each list in order of time; `tick` and `lot` as found in them."""

    symbol: str
    tick: int
    lot: int
    files: dict[Kind, list[File]]

    @property
    def quotes_made_up(self) -> bool:
        return Kind.QUOTES not in self.files and Kind.QUOTE_BARS not in self.files

    def tracks(self, from_ns: int) -> list[Track]:
        """All tracks; events that end before `from_ns` may be left out where that saves time."""
        tracks = []
        if Kind.BARS in self.files:
            tracks.append(self._bars(from_ns, trades=Kind.TRADES not in self.files))
        if Kind.QUOTE_BARS in self.files:
            tracks.append(self._quote_bars())
        if Kind.QUOTES in self.files:
            tracks.append(self._quotes())
        if Kind.TRADES in self.files:
            tracks.append(self._trades())
        return tracks

    def bars(self) -> Iterator[Bar]:
        """The closed minutes alone, from the first."""
        if Kind.BARS in self.files:
            tracks = [self._bars(1 << 63, trades=False)]
        else:
            tracks = self.tracks(0)[-1:]  # trades make the bars, or else the only quotes there are
        for track in tracks:
            for events in track:
                yield from (event for event in events if type(event) is Bar)

    def _bars(self, from_ns: int, trades: bool) -> Track:
        files = self.files[Kind.BARS]
        players: dict[int, BarPlayer] = {}
        for span_ns in {layout.span_ns: None for _, layout in files}:
            players[span_ns] = BarPlayer(
                self.symbol, span_ns, self.tick, self.lot, quotes=self.quotes_made_up and trades, trades=trades
            )
        return _chain(
            files, lambda row, layout: players[layout.span_ns].play(row, told=row[0] + layout.span_ns > from_ns)
        )

    def _quote_bars(self) -> Track:
        files = self.files[Kind.QUOTE_BARS]
        players = {
            span_ns: QuoteBarPlayer(self.symbol, span_ns, self.tick)
            for span_ns in {layout.span_ns: None for _, layout in files}
        }
        minutes = self._middle_bars()

        def play(row: Row, layout: Layout) -> list[FeedEvent]:
            return minutes(players[layout.span_ns].play(row))

        return _chain(files, play)

    def _quotes(self) -> Track:
        symbol, minutes = self.symbol, self._middle_bars()

        def play(row: Row, _: Layout) -> list[FeedEvent]:
            at_ns, bid, bid_qty, ask, ask_qty = row
            return minutes([Quote(symbol, at_ns, at_ns, bid, ask, bid_qty, ask_qty)])

        return _chain(self.files[Kind.QUOTES], play)

    def _trades(self) -> Track:
        """The trades; the bars they make, unless bars are recorded; quotes around them, unless quotes are."""
        symbol, builder = self.symbol, BarBuilder(self.symbol, MINUTE)
        builds, quotes, shown = Kind.BARS not in self.files, self.quotes_made_up, (0, 0)

        def play(row: Row, _: Layout) -> list[FeedEvent]:
            nonlocal shown
            at_ns, price, qty, side, _id = row
            events: list[FeedEvent] = []
            if builds:
                closed = builder.add(price, qty, at_ns, builder.start_ns + MINUTE)
                if closed is not None:
                    events.append(closed)
                    events += _quiet_minutes(closed, at_ns)
            events.append(Trade(symbol, at_ns, at_ns, price, qty, side))
            if quotes and (top := _after_trade(price, side, self.tick)) != shown:
                shown = top
                events.append(Quote(symbol, at_ns, at_ns, *top, qty, qty))
            return events

        return _chain(self.files[Kind.TRADES], play)

    def _middle_bars(self) -> Callable[[list[FeedEvent]], list[FeedEvent]]:
        """Adds the minutes made of the quotes' middle, without volume, where neither bars nor trades are recorded."""
        if Kind.BARS in self.files or Kind.TRADES in self.files:
            return lambda events: events
        builder = BarBuilder(self.symbol, MINUTE)

        def add(quotes: list[FeedEvent]) -> list[FeedEvent]:
            events: list[FeedEvent] = []
            for quote in quotes:
                assert type(quote) is Quote
                closed = builder.add((quote.bid + quote.ask) // 2, 0, quote.at_ns, builder.start_ns + MINUTE)
                if closed is not None:
                    events.append(closed)
                events.append(quote)
            return events

        return add


def _quiet_minutes(closed: Bar, at_ns: int) -> list[FeedEvent]:
    """Flat bars for the minutes without a trade after `closed`, as venues give them; a longer silence stays a hole."""
    first, last = closed.start_ns + MINUTE, at_ns - at_ns % MINUTE
    if last - first > QUIET_NS_MAX:
        return []
    price = closed.close
    return [
        Bar(closed.symbol, start + MINUTE, start, MINUTE, price, price, price, price, 0)
        for start in range(first, last, MINUTE)
    ]


class Buffered:
    """A track from which everything up to a time can be taken."""

    def __init__(self, track: Track) -> None:
        self._track = track
        self._ready: list[FeedEvent] = next(track, [])

    def next_ns(self) -> int | None:
        """The time of the next event; None at the end."""
        while not self._ready:
            following = next(self._track, None)
            if following is None:
                return None
            self._ready = following
        return self._ready[0].at_ns

    def take(self, until_ns: int, taken: list[FeedEvent]) -> None:
        """Append everything before `until_ns`."""
        ready = self._ready
        while not ready or ready[-1].at_ns < until_ns:
            taken.extend(ready)
            following = next(self._track, None)
            if following is None:
                self._ready = []
                return
            ready = following
        cut = bisect_left(ready, until_ns, key=_AT)
        taken.extend(ready[:cut])
        self._ready = ready[cut:] if cut else ready

    def skip(self, until_ns: int) -> list[DataRejected]:
        """Drop everything before `until_ns`, but give back what was refused there."""
        refused: list[DataRejected] = []
        dropped: list[FeedEvent] = []
        while (at_ns := self.next_ns()) is not None and at_ns < until_ns:
            self.take(min(until_ns, at_ns + MINUTE), dropped)
            refused.extend(event for event in dropped if type(event) is DataRejected)
            dropped.clear()
        return refused


def funding_rates(
    files: Iterable[File], symbols: Iterable[str]
) -> tuple[dict[str, list[FundingRate]], list[DataRejected]]:
    """By symbol, in order of settlement: what is told of funding, `FUNDING_LEAD_NS` before each settlement."""
    rates: dict[str, dict[int, FundingRate]] = {symbol: {} for symbol in symbols}
    refused: list[DataRejected] = []
    for path, layout in files:
        for item in read_funding(path, layout):
            if isinstance(item, DataRejected):
                refused.append(item)
                continue
            symbol, (due_ns, rate) = item
            if symbol in rates:
                rates[symbol][due_ns] = FundingRate(symbol, due_ns - FUNDING_LEAD_NS, rate, due_ns)
    return {symbol: [told[due_ns] for due_ns in sorted(told)] for symbol, told in rates.items()}, refused


def _chain(files: Iterable[File], play: Callable[[Row, Layout], list[FeedEvent]]) -> Track:
    """The rows of several files, one after the other, played; what is refused lies in the stream where it was met."""
    last_ns, told_ns = 0, 0
    for path, layout in files:
        for row in read(path, layout, last_ns):
            if isinstance(row, DataRejected):
                yield [msgspec.structs.replace(row, at_ns=max(row.at_ns, told_ns))]
                continue
            last_ns = row[0]
            if events := play(row, layout):
                told_ns = events[-1].at_ns
                yield events


def _after_trade(price: int, side: int, tick: int) -> tuple[int, int]:
    """A made-up bid and ask after a trade: its price was one of the two, as the aggressor tells."""
    bid, ask = around(price, tick)
    if side > 0:
        return bid, price
    if side < 0:
        return price, ask
    return bid, ask
