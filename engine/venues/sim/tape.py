"""What the venue knows of one symbol: newest book, last price, the open minute, longer candles, 24 h figures.

Only the minute is built from events; longer candles are closed minutes put together, plus the open one. Trades make
candles; where a market has none, the middle of the quotes does, with no volume. A closed minute that comes from the
source itself replaces the built one, so that what is streamed is what history will say.
"""

from collections import deque
from collections.abc import Callable, Sequence

from engine.core import money
from engine.core.config import DAY, HOUR, MINUTE
from engine.core.events import Bar, Book, FundingRate, MarketEvent, Quote, Trade

PRINTS_MAX = 1_000  # trades waiting for a push; older ones are only in the candles

Level = tuple[int, int]
History = Callable[[str, int, int, int], Sequence[Bar]]


class Candle:
    """A bar with its turnover, still growing. Prices, volume and turnover in scaled integers."""

    __slots__ = ("close", "high", "low", "open", "span_ns", "start_ns", "turnover", "volume")

    def __init__(self, start_ns: int, span_ns: int, price: int) -> None:
        self.start_ns = start_ns
        self.span_ns = span_ns
        self.open = self.high = self.low = self.close = price
        self.volume = 0
        self.turnover = 0

    @classmethod
    def of(cls, bar: Bar) -> "Candle":
        candle = cls(bar.start_ns, bar.span_ns, bar.open)
        candle.high, candle.low, candle.close, candle.volume = bar.high, bar.low, bar.close, bar.volume
        candle.turnover = money.mul(bar.volume, (bar.high + bar.low + bar.close) // 3)
        return candle

    def add(self, price: int, qty: int) -> None:
        if price > self.high:
            self.high = price
        elif price < self.low:
            self.low = price
        self.close = price
        if qty:
            self.volume += qty
            self.turnover += price * qty // money.SCALE

    def merge(self, later: "Candle") -> None:
        """Append a later candle."""
        self.high = max(self.high, later.high)
        self.low = min(self.low, later.low)
        self.close = later.close
        self.volume += later.volume
        self.turnover += later.turnover

    def widened(self, span_ns: int) -> "Candle":
        """A copy as the beginning of the candle of `span_ns` it lies in."""
        copy = Candle(self.start_ns - self.start_ns % span_ns, span_ns, self.open)
        copy.high, copy.low, copy.close = self.high, self.low, self.close
        copy.volume, copy.turnover = self.volume, self.turnover
        return copy

    def bar(self) -> Bar:
        """As it stands."""
        return Bar("", 0, self.start_ns, self.span_ns, self.open, self.high, self.low, self.close, self.volume)


class Tape:
    """One symbol. Feed it market events in order of time; read what is newest."""

    def __init__(self, symbol: str, funding_span_ns: int, history: History) -> None:
        self.symbol = symbol
        self.funding_span_ns = funding_span_ns
        self.quote: Quote | None = None
        self.book: Book | None = None
        self.last = 0  # price of the newest trade or the middle of the newest quote; 0: none yet
        self.updated_ns = 0
        self.funding: FundingRate | None = None
        self.settled_rate = 0
        self.settled_ns = 0
        self.prints: deque[Trade] = deque(maxlen=PRINTS_MAX)
        self.closed: list[Candle] = []  # closed since the last push, of every span in use
        self.minute: Candle | None = None
        self._trades_seen = False
        self._history = history
        self._longer: dict[int, Candle | None] = {}
        self._stats: deque[Candle] = deque()  # by the hour
        self._reach_ns = 0  # how far back they go; 0: not asked yet

    def remember(self, now_ns: int) -> bool:
        """Add one more hour of the past to the 24 h figures; False once they are whole.

        History can be slow to come by, so it is taken in small bites between other work.
        """
        reach_ns = self._reach_ns = self._reach_ns or now_ns - now_ns % MINUTE
        if reach_ns <= now_ns - DAY:
            return False
        start_ns = (reach_ns - 1) // HOUR * HOUR
        span_ns = HOUR if reach_ns % HOUR == 0 else MINUTE
        bars = self._history(self.symbol, span_ns, reach_ns, (reach_ns - start_ns) // span_ns)
        self._reach_ns = start_ns
        whole = _joined([bar for bar in bars if bar.start_ns >= start_ns], HOUR)
        if whole is not None and self._stats and self._stats[0].start_ns == whole.start_ns:
            whole.merge(self._stats.popleft())
        if whole is not None:
            self._stats.appendleft(whole)
        return True

    def apply(self, event: MarketEvent) -> None:
        """Take one event."""
        match event:
            case Quote():
                self.quote = event
                self._middle(event.bid, event.ask, event.at_ns)
            case Book():
                self.book = event
                self._middle(event.bids[0][0], event.asks[0][0], event.at_ns)
            case Trade():
                self._trades_seen = True
                self.prints.append(event)
                self._price(event.price, event.qty, event.at_ns)
            case Bar():
                self._bar(event)
            case FundingRate():
                self._fund(event)

    def window(self, levels: int) -> tuple[Sequence[Level], Sequence[Level]]:
        """The newest bids and asks, best first, at most `levels` a side; both empty before the first quote or book.

        A quote newer than the book replaces the book's levels up to the quote's touch.
        """
        quote, book = self.quote, self.book
        if quote is None:
            return (book.bids[:levels], book.asks[:levels]) if book else ((), ())
        if book is not None and book.at_ns >= quote.at_ns:
            return book.bids[:levels], book.asks[:levels]
        best_bid, best_ask = (quote.bid, quote.bid_qty), (quote.ask, quote.ask_qty)
        if book is None or levels == 1:
            return (best_bid,), (best_ask,)
        bids = (best_bid, *(level for level in book.bids if level[0] < quote.bid))
        asks = (best_ask, *(level for level in book.asks if level[0] > quote.ask))
        return bids[:levels], asks[:levels]

    def watch(self, span_ns: int, now_ns: int) -> None:
        """Keep the candle of `span_ns`, starting with what history knows of the open one."""
        if span_ns == MINUTE or span_ns in self._longer:
            return
        start_ns = now_ns - now_ns % span_ns
        self._longer[span_ns] = self._from_history(start_ns, span_ns, now_ns)

    def candle(self, span_ns: int) -> Candle | None:
        """The open candle of a watched span, with the open minute in it; None before the first price."""
        if span_ns == MINUTE or self.minute is None:
            return self.minute if span_ns == MINUTE else self._longer.get(span_ns)
        begun = self._longer.get(span_ns)
        whole = self.minute.widened(span_ns)
        if begun is None or begun.start_ns != whole.start_ns:
            return whole
        joined = begun.widened(span_ns)
        joined.merge(self.minute)
        return joined

    def open_candle(self, span_ns: int, now_ns: int) -> Candle | None:
        """The open candle of any span, watched or not."""
        if span_ns != MINUTE and span_ns not in self._longer:
            self.watch(span_ns, now_ns)
        return self.candle(span_ns)

    def day(self, now_ns: int) -> Candle | None:
        """The last 24 hours, to the hour, as one candle; None before the first price."""
        while self._stats and self._stats[0].start_ns + HOUR <= now_ns - DAY:
            self._stats.popleft()
        whole: Candle | None = None
        for candle in (*self._stats, *((self.minute,) if self.minute else ())):
            if whole is None:
                whole = candle.widened(DAY)
            else:
                whole.merge(candle)
        return whole

    def _middle(self, bid: int, ask: int, at_ns: int) -> None:
        self.updated_ns = at_ns
        if not self._trades_seen:
            self._price((bid + ask) // 2, 0, at_ns)

    def _price(self, price: int, qty: int, at_ns: int) -> None:
        self.updated_ns = at_ns
        self.last = price
        minute = self.minute
        if minute is not None and at_ns - minute.start_ns < MINUTE:
            minute.add(price, qty)
            return
        if minute is not None:
            self._close(minute)
        self.minute = Candle(at_ns - at_ns % MINUTE, MINUTE, price)
        self.minute.add(price, qty)

    def _bar(self, bar: Bar) -> None:
        self.updated_ns = bar.at_ns
        if bar.span_ns != MINUTE:
            return
        if self.minute is not None and self.minute.start_ns > bar.start_ns:
            return  # the built minute has been sent already
        if self.minute is not None and self.minute.start_ns < bar.start_ns:
            self._close(self.minute)
        self.last = bar.close
        self.minute = None
        self._close(Candle.of(bar))

    def _fund(self, event: FundingRate) -> None:
        if self.funding is not None and self.funding.due_ns < event.due_ns:
            self.settled_rate, self.settled_ns = self.funding.rate, self.funding.due_ns
        self.funding = event

    def _close(self, minute: Candle) -> None:
        self.closed.append(minute)
        if self._stats and minute.start_ns < self._stats[-1].start_ns + HOUR:
            self._stats[-1].merge(minute)
        else:
            self._stats.append(minute.widened(HOUR))
        for span_ns, candle in self._longer.items():
            start_ns = minute.start_ns - minute.start_ns % span_ns
            if candle is not None and candle.start_ns == start_ns:
                candle.merge(minute)
            else:
                candle = self._longer[span_ns] = minute.widened(span_ns)
            if minute.start_ns + MINUTE == start_ns + span_ns:
                self.closed.append(candle)

    def _from_history(self, start_ns: int, span_ns: int, now_ns: int) -> Candle | None:
        """The closed part of the candle that began at `start_ns`: whole hours first, then minutes."""
        bars: list[Bar] = []
        at_ns = start_ns
        for part in (HOUR, MINUTE):
            count = (now_ns - at_ns) // part
            if count > 0:
                end_ns = at_ns + count * part
                bars += [bar for bar in self._history(self.symbol, part, end_ns, count) if bar.start_ns >= at_ns]
                at_ns = end_ns
        return _joined(bars, span_ns)


def _joined(bars: Sequence[Bar], span_ns: int) -> Candle | None:
    """Bars of one span, oldest first, as one candle; None for none."""
    whole: Candle | None = None
    for bar in bars:
        if whole is None:
            whole = Candle.of(bar).widened(span_ns)
        else:
            whole.merge(Candle.of(bar))
    return whole
