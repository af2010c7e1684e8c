"""Bars: from ticks to minutes, from minutes to longer spans. Time comes from the data alone."""

import msgspec

from engine.core.events import Bar


class BarBuilder(msgspec.Struct):
    """Collects prices of one symbol into bars of `span_ns`, aligned to multiples of the span since 1970.

    A bar closes when a later one begins: `add` then returns it. Spans without a price make no bar. State is plain, so
    a snapshot can hold it.
    """

    symbol: str
    span_ns: int
    start_ns: int = -1  # -1: no open bar
    open: int = 0
    high: int = 0
    low: int = 0
    close: int = 0
    volume: int = 0

    def add(self, price: int, qty: int, at_ns: int, closed_ns: int = 0) -> Bar | None:
        """Take one price at `at_ns`; the bar it closed, if any, stamped `closed_ns` (or `at_ns`)."""
        start = at_ns - at_ns % self.span_ns
        if start == self.start_ns:
            if price > self.high:
                self.high = price
            elif price < self.low:
                self.low = price
            self.close = price
            self.volume += qty
            return None
        closed = self.flush(closed_ns or at_ns)
        self.start_ns = start
        self.open = self.high = self.low = self.close = price
        self.volume = qty
        return closed

    def add_bar(self, bar: Bar) -> Bar | None:
        """Take a closed bar of a shorter span that divides ours; the longer bar once it is complete.

        The last part closes the bar at once; a hole at the end closes it when the next span begins.
        """
        start = bar.start_ns - bar.start_ns % self.span_ns
        closed = None
        if start != self.start_ns:
            closed = self.flush(bar.at_ns, bar.backfilled)
            self.start_ns, self.open, self.high, self.low, self.volume = start, bar.open, bar.high, bar.low, 0
        self.high = max(self.high, bar.high)
        self.low = min(self.low, bar.low)
        self.close = bar.close
        self.volume += bar.volume
        if bar.start_ns + bar.span_ns == start + self.span_ns:
            return self.flush(bar.at_ns, bar.backfilled)
        return closed

    def flush(self, at_ns: int, backfilled: bool = False) -> Bar | None:
        """Close the open bar as of `at_ns`; None if there is none."""
        if self.start_ns < 0:
            return None
        bar = Bar(
            self.symbol,
            at_ns,
            self.start_ns,
            self.span_ns,
            self.open,
            self.high,
            self.low,
            self.close,
            self.volume,
            backfilled,
        )
        self.start_ns = -1
        return bar
