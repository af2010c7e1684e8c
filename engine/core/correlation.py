"""How alike two symbols move: the correlation of the returns of their closed bars, over a rolling window.

Pearson's coefficient over the newest returns both have, one a span. Integers only: a coefficient is rounded away from
zero to 1e-8, so that comparing it with a limit is exact, as if cov^2 were compared with limit^2 var var.

A span without a bar counts as one in which the price stood still, up to `HOLE_MAX` of them; a longer hole begins the
series anew. What a bar changes is worked out when it closes: a signal only looks it up.
"""

from collections.abc import Iterable, Sequence
from math import isqrt
from operator import mul
from typing import Final

import msgspec

from engine.core import money
from engine.core.events import Bar

HOLE_MAX: Final = 5
"""Spans a symbol may be without a bar, or ahead of another it is compared with."""


class Returns(msgspec.Struct):
    """The returns of one symbol as scaled fractions of the close before, one a span, newest last."""

    start_ns: int = 0  # of the newest bar; 0: none yet
    close: int = 0
    values: list[int] = []


class Alike(msgspec.Struct, frozen=True):
    """What is known of an entry beside all that is held or being entered.

    Attributes:
        rho: The highest correlation in the direction of both (a LONG beside a SHORT turns the sign); 0 beside nothing.
        twin: The symbol it is with.
        known: The fewest returns that can be compared with a symbol of the same group, at most the window.
        stranger: The symbol of the same group whose correlation is unknown; empty where all are known.
    """

    rho: int = 0
    twin: str = ""
    known: int = 0
    stranger: str = ""


class _Pair:
    """Two symbols as of the span that starts at `at_ns`: the sum of their products, and `rho` if it is known."""

    __slots__ = ("at_ns", "products", "rho")

    def __init__(self) -> None:
        self.at_ns = 0
        self.products = 0
        self.rho: int | None = None


class Correlations:
    """The correlations of a run's symbols. It remembers `series`, by symbol; all else here follows from that.

    `groups` names the group of each symbol, `window` how many returns are compared, `span_ns` the length of a bar.
    """

    def __init__(self, series: dict[str, Returns], groups: dict[str, str], window: int, span_ns: int) -> None:
        self._series = series
        self._groups = groups
        self._window = window
        self._span_ns = span_ns
        self._sums: dict[str, tuple[int, int]] = {}  # of the newest `window` returns, and of their squares
        self._pairs: dict[str, dict[str, _Pair]] = {symbol: {} for symbol in groups}
        symbols = [symbol for symbol in groups if symbol in series]
        for number, symbol in enumerate(symbols):
            self._sums[symbol] = _sums(series[symbol].values[-window:])
            for other in symbols[:number]:
                self._compare(symbol, other)

    # --- bars in ---

    def add(self, bar: Bar) -> None:
        """Take a closed bar, newer than the symbol's one before."""
        own = self._series.setdefault(bar.symbol, Returns())
        skipped = (bar.start_ns - own.start_ns) // self._span_ns - 1
        if own.close <= 0 or skipped > HOLE_MAX:
            own.values.clear()
        else:
            own.values += [0] * skipped
            own.values.append(money.div(bar.close - own.close, own.close))
            del own.values[: -self._window - HOLE_MAX - 1]
        own.start_ns, own.close = bar.start_ns, bar.close
        self._sums[bar.symbol] = _sums(own.values[-self._window :])
        for symbol, other in self._series.items():
            if symbol == bar.symbol:
                continue
            pair = self._pair(bar.symbol, symbol)
            if not own.values or own.start_ns - other.start_ns > HOLE_MAX * self._span_ns:
                pair.rho = None
            elif pair.at_ns < min(own.start_ns, other.start_ns):
                self._compare(bar.symbol, symbol)

    def _pair(self, one: str, other: str) -> _Pair:
        pair = self._pairs[one].get(other)
        if pair is None:
            pair = self._pairs[one][other] = self._pairs[other][one] = _Pair()
        return pair

    def _compare(self, one: str, other: str) -> None:
        """Bring a pair up to the newest span both have a return for."""
        (x, x_ns), (y, y_ns) = ((s.values, s.start_ns) for s in (self._series[one], self._series[other]))
        pair, window, at_ns, span = self._pair(one, other), self._window, min(x_ns, y_ns), self._span_ns
        x_end, y_end = len(x) - (x_ns - at_ns) // span, len(y) - (y_ns - at_ns) // span
        if abs(x_ns - y_ns) > HOLE_MAX * span or min(x_end, y_end) < window:
            pair.rho = None
            return
        if pair.rho is not None and pair.at_ns + span == at_ns and min(x_end, y_end) > window:
            left = x[x_end - 1 - window] * y[y_end - 1 - window]
            pair.products += x[x_end - 1] * y[y_end - 1] - left
        else:
            pair.products = sum(map(mul, x[x_end - window : x_end], y[y_end - window : y_end]))
        pair.at_ns = at_ns
        x_sums = self._sums[one] if x_end == len(x) else _sums(x[x_end - window : x_end])
        y_sums = self._sums[other] if y_end == len(y) else _sums(y[y_end - window : y_end])
        pair.rho = _rho(window, pair.products, x_sums, y_sums)

    # --- signals ---

    def alike(self, symbol: str, sign: int, beside: Iterable[tuple[str, int]]) -> Alike:
        """How an entry in `symbol` (`sign` 1 for LONG, -1 for SHORT) moves with each (symbol, sign) beside it."""
        pairs, group = self._pairs.get(symbol, {}), self._groups.get(symbol)
        highest, twin, known, stranger = 0, "", self._window, ""
        for other, direction in beside:
            pair = pairs.get(other)
            rho = pair.rho if pair is not None else None
            if rho is not None:
                rho *= sign * direction
                if rho > highest or not twin:
                    highest, twin = rho, other
            elif other != symbol and group == self._groups.get(other):
                count = self._comparable(symbol, other)
                if count < known or not stranger:
                    known, stranger = count, other
        return Alike(highest, twin, known, stranger)

    def _comparable(self, one: str, other: str) -> int:
        """How many returns of the two can be compared; none where one of them stood still all the time."""
        if not all(self._sums.get(symbol, (0, 0))[1] for symbol in (one, other)):
            return 0
        return min(len(self._series[one].values), len(self._series[other].values), self._window - 1)


def _sums(values: Sequence[int]) -> tuple[int, int]:
    """Their sum and the sum of their squares."""
    return sum(values), sum(map(mul, values, values))


def _rho(count: int, products: int, x: Sequence[int], y: Sequence[int]) -> int | None:
    """Pearson's coefficient of `count` pairs from the sum of products and (sum, sum of squares) of each.

    Scaled and rounded away from zero; None where one of the two never moved.
    """
    covariance = count * products - x[0] * y[0]
    variances = (count * x[1] - x[0] * x[0]) * (count * y[1] - y[0] * y[0])
    if variances <= 0:
        return None
    square = -(-((covariance * money.SCALE) ** 2) // variances)
    magnitude = isqrt(square - 1) + 1 if square else 0
    return magnitude if covariance >= 0 else -magnitude
