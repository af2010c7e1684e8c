"""A small market with no surprises: quotes once a second and the bars they make, a pure function of the second."""

from collections.abc import Iterator, Sequence

from engine.core import money
from engine.core.config import MINUTE, SECOND, Instrument
from engine.core.draw import between
from engine.core.events import Bar, FeedEvent, Quote
from tests.rig import START_NS, instrument


class ToyMarket:
    """Implements `engine.session.plan.Source` for `seconds` of quotes in each of `symbols`."""

    name = "toy"

    def __init__(self, symbols: Sequence[str] = ("BTCUSDT",), seconds: int = 600, start_ns: int = START_NS) -> None:
        self.start_ns = start_ns
        self.instruments: Sequence[Instrument] = tuple(instrument(symbol) for symbol in symbols)
        self._seconds = seconds

    def price(self, symbol: str, second: int) -> int:
        """The bid: 100 and a swing of a few percent over some minutes, with a little noise."""
        swing = abs(second % 240 - 120) - 60
        noise = between(-5, 5, 1, "toy", symbol, second)
        return 100 * money.SCALE + (swing + noise) * money.SCALE // 20 // 10 * 10

    def history(self, symbol: str, span_ns: int, end_ns: int, count: int) -> list[Bar]:
        last = end_ns // MINUTE
        return [self._bar(symbol, minute, end_ns) for minute in range(last - count, last)]

    def _bar(self, symbol: str, minute: int, at_ns: int) -> Bar:
        prices = [self.price(symbol, (minute * MINUTE - START_NS) // SECOND + s) for s in range(60)]
        start = minute * MINUTE
        return Bar(symbol, at_ns, start, MINUTE, prices[0], max(prices), min(prices), prices[-1], money.SCALE, True)

    def events(self, from_ns: int) -> Iterator[Sequence[FeedEvent]]:
        first = (from_ns - START_NS) // SECOND + 1
        for second in range(first, first + self._seconds):
            at = START_NS + second * SECOND
            chunk: list[FeedEvent] = []
            for traded in self.instruments:
                bid = self.price(traded.symbol, second)
                size = 50 * money.SCALE
                chunk.append(Quote(traded.symbol, at, at, bid, bid + money.SCALE // 10, size, size))
                if second % 60 == 0:
                    closed = self._bar(traded.symbol, at // MINUTE - 1, at)
                    chunk.append(Bar(*(getattr(closed, f) for f in Bar.__struct_fields__[:-1])))
            yield chunk
