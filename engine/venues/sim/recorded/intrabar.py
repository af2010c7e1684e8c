"""What may have happened inside a recorded bar: a path through its four prices, told as quotes and trades.

The path runs open, nearer extreme, other extreme, close, at the start, a third, two thirds and the end of the bar. It
favours neither side of a position and draws nothing by chance. Sizes shown are the past bar's, so that no quote gives
away what the bar will have traded.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from engine.core.bars import BarBuilder
from engine.core.config import MINUTE, SECOND
from engine.core.events import Bar, FeedEvent, Quote, Trade
from engine.core.money import ceil_to, floor_to, mul
from engine.venues.sim.recorded.rows import Row

QUOTE_GAP_NS: Final = 5 * SECOND  # a quote at least this often within a bar: a quiet minute is no dead feed
LAST_MOMENT_NS: Final = 1_000_000  # the close happens this long before the bar's end
SPREAD: Final = 20_000  # of a made-up quote, as a scaled fraction of the price: 0.02 %
QUOTES_A_BAR: Final = 12  # a made-up size is this part of the past bar's volume

Point = tuple[int, int, int]  # time, and two prices: bid and ask, or twice the price


class BarPlayer:
    """Plays the bars of one symbol: the bars themselves by the minute and, where nothing better is recorded, their
    quotes and trades.

    Args:
        span_ns: Of the recorded bars; divides a minute.
        quotes: Make up quotes along the path.
        trades: Let the volume trade at the path's four prices.
    """

    def __init__(self, symbol: str, span_ns: int, tick: int, lot: int, *, quotes: bool, trades: bool) -> None:
        self._symbol, self._span_ns, self._tick, self._lot = symbol, span_ns, tick, lot
        self._quotes, self._trades = quotes, trades
        self._minutes = BarBuilder(symbol, MINUTE)
        self._volume = 0

    def play(self, row: Row, told: bool = True) -> list[FeedEvent]:
        """The events of one bar, in order of time. Not `told`: only its closed minute."""
        start_ns, opened, high, low, close, volume = row
        bar = Bar(self._symbol, start_ns + self._span_ns, start_ns, self._span_ns, opened, high, low, close, volume)
        events: list[FeedEvent] = []
        closed = self._minutes.add_bar(bar) if self._span_ns != MINUTE else bar
        if closed is not None and closed.start_ns + MINUTE <= start_ns:
            events.append(_stamped(closed))
            closed = None
        if told:
            self._tell(row, events)
        if closed is not None:
            events.append(_stamped(closed))
        self._volume = volume
        return events

    def _tell(self, row: Row, events: list[FeedEvent]) -> None:
        symbol, turns = self._symbol, path(row[0], self._span_ns, row[1:5], row[1:5])
        volume = row[5] if self._trades else 0
        flat = row[2] == row[3]
        shares = _shares(volume, 1 if flat else len(turns), self._lot)
        size = max(self._lot, floor_to((self._volume or row[5]) // QUOTES_A_BAR, self._lot))
        shown, long = (0, 0), self._span_ns > QUOTE_GAP_NS
        for at_ns, price, _, turn in along(turns):
            if self._quotes:
                bid, ask = around(price, self._tick)
                if (bid, ask) != shown or long:
                    shown = (bid, ask)
                    events.append(Quote(symbol, at_ns, at_ns, bid, ask, size, size))
            if turn and (qty := next(shares, 0)):
                events.append(Trade(symbol, at_ns, at_ns, price, qty))


class QuoteBarPlayer:
    """Plays bars of bid and ask: four moments of each, and in between for bars longer than the gap of quotes."""

    def __init__(self, symbol: str, span_ns: int, tick: int) -> None:
        self._symbol, self._span_ns, self._tick = symbol, span_ns, tick
        self._sizes: tuple[int, int] | None = None

    def play(self, row: Row) -> list[FeedEvent]:
        """The quotes of one bar, in order of time. Its sizes are those at its close; until then the past bar's."""
        start_ns, bids, asks = row[0], row[1:5], row[6:10]
        closing = (row[5], row[10])
        bid_qty, ask_qty = self._sizes or closing
        self._sizes = closing
        turns = path(start_ns, self._span_ns, bids, asks)
        events: list[FeedEvent] = []
        shown, long = (0, 0), self._span_ns > QUOTE_GAP_NS
        for at_ns, bid, ask, turn in along(turns):
            last = at_ns == turns[-1][0]
            if last:
                bid_qty, ask_qty = closing
            if not turn:
                bid, ask = floor_to(bid, self._tick), ceil_to(ask, self._tick)
            if bid <= ask and ((bid, ask) != shown or last or long):
                shown = (bid, ask)
                events.append(Quote(self._symbol, at_ns, at_ns, bid, ask, bid_qty, ask_qty))
        return events


def path(start_ns: int, span_ns: int, lower: Sequence[int], upper: Sequence[int]) -> list[Point]:
    """The turning points of a bar, from (open, high, low, close) of a lower and an upper price, such as bid and ask."""
    middle = [below + above for below, above in zip(lower, upper, strict=True)]
    high_first = middle[1] - middle[0] < middle[0] - middle[2]
    order = (0, 1, 2, 3) if high_first else (0, 2, 1, 3)
    end_ns = start_ns + span_ns - min(LAST_MOMENT_NS, span_ns // 4)
    times = (start_ns, start_ns + span_ns // 3, start_ns + 2 * span_ns // 3, end_ns)
    return [(at_ns, lower[edge], upper[edge]) for at_ns, edge in zip(times, order, strict=True)]


def along(turns: Sequence[Point]) -> Iterator[tuple[int, int, int, bool]]:
    """The turning points, marked True, and every `QUOTE_GAP_NS` between two of them a point on the straight line."""
    last_ns, lower, upper = turns[0]
    yield last_ns, lower, upper, True
    for at_ns, to_lower, to_upper in turns[1:]:
        whole_ns = at_ns - last_ns
        for past_ns in range(QUOTE_GAP_NS, whole_ns, QUOTE_GAP_NS):
            yield (
                last_ns + past_ns,
                lower + (to_lower - lower) * past_ns // whole_ns,
                upper + (to_upper - upper) * past_ns // whole_ns,
                False,
            )
        yield at_ns, to_lower, to_upper, True
        last_ns, lower, upper = at_ns, to_lower, to_upper


def around(price: int, tick: int) -> tuple[int, int]:
    """A made-up bid and ask around a price, on ticks, at least one tick away from it, both above zero."""
    away = max(tick, mul(price, SPREAD) // 2)
    bid, ask = floor_to(price - away, tick), ceil_to(price + away, tick)
    return max(bid, min(tick, price) // 2, 1), ask


def _shares(volume: int, count: int, lot: int) -> Iterator[int]:
    """`volume` in `count` parts, in whole lots as far as that goes, the rest in the last; nothing for no volume."""
    if volume <= 0:
        return
    part = volume // count
    part = part // lot * lot or part
    for _ in range(count - 1):
        yield part
    yield volume - part * (count - 1)


def _stamped(bar: Bar) -> Bar:
    """A minute's bar stamped at the minute's end, whenever its last part came."""
    end_ns = bar.start_ns + MINUTE
    return Bar(
        bar.symbol, end_ns, bar.start_ns, MINUTE, bar.open, bar.high, bar.low, bar.close, bar.volume, bar.backfilled
    )
