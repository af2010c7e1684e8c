"""How alike two symbols move: the correlation of the returns of their closed bars, over a rolling window.

Pearson's coefficient over the newest returns both have, one a span. Integers only: a coefficient is rounded away from
zero to 1e-8, so that comparing it with a limit is exact, as if cov^2 were compared with limit^2 var var.

A span without a bar counts as one in which the price stood still, up to `HOLE_MAX` of them; a longer hole begins the
series anew. Time is counted while the market is open, so that a night is no hole; only symbols of one calendar are
compared. What a bar changes is worked out when it closes: a signal looks it up.
"""

from collections.abc import Iterable, Sequence
from itertools import combinations
from math import isqrt
from operator import mul
from typing import Final

import msgspec

from engine.core import money
from engine.core.calendar import Calendar
from engine.core.events import Bar

HOLE_MAX: Final = 5
"""Spans a symbol may be without a bar, or ahead of another it is compared with."""


class Returns(msgspec.Struct):
    """The returns of one symbol as scaled fractions of the close before, one a span, newest last."""

    at_ns: int = 0  # when the newest bar began, in trading time; 0: none yet
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


class _Pair(msgspec.Struct):
    """Two symbols as of the span that began at `at_ns`: the sums of either and of their products, if all are known."""

    at_ns: int = 0
    is_known: bool = False
    products: int = 0
    x: tuple[int, int] = (0, 0)
    y: tuple[int, int] = (0, 0)
    rho: int | None = None  # worked out when it is first asked for

    def take(self, at_ns: int, products: int, x: tuple[int, int], y: tuple[int, int]) -> None:
        self.at_ns, self.is_known, self.products, self.x, self.y, self.rho = at_ns, True, products, x, y, None

    def correlation(self, count: int) -> int | None:
        """The coefficient of `count` returns; None where it is not known, or one of the two never moved."""
        if self.rho is None and self.is_known:
            self.rho = _rho(count, self.products, self.x, self.y)
        return self.rho


class Correlations:
    """The correlations of a run's symbols. It remembers `series`, by symbol; all else here follows from that.

    `groups` and `calendars` are by symbol, `window` is how many returns are compared, `span_ns` how long a bar is.
    """

    def __init__(
        self,
        series: dict[str, Returns],
        groups: dict[str, str],
        calendars: dict[str, Calendar],
        window: int,
        span_ns: int,
    ) -> None:
        self._series = series
        self._groups = groups
        self._calendars = calendars
        self._window = window
        self._span_ns = span_ns
        self._sums: dict[str, tuple[int, int]] = {}  # of the newest `window` returns, and of their squares
        self._pairs: dict[str, dict[str, _Pair]] = {symbol: {} for symbol in groups}
        for one, other in combinations(groups, 2):
            if calendars[one] is calendars[other]:  # the spans of others are not the same
                self._pairs[one][other] = self._pairs[other][one] = pair = _Pair()
                if one in series and other in series:
                    self._compare(pair, one, other)
        for symbol in groups:
            if symbol in series:
                self._sums[symbol] = _sums(series[symbol].values[-window:])

    # --- bars in ---

    def add(self, bar: Bar) -> None:
        """Take a closed bar, newer than the symbol's one before; one from outside the market's hours says nothing."""
        symbol, window, calendar = bar.symbol, self._window, self._calendars[bar.symbol]
        if not calendar.is_open(bar.start_ns):
            return
        own, at_ns = self._series.setdefault(symbol, Returns()), calendar.traded_ns(bar.start_ns)
        skipped = (at_ns - own.at_ns) // self._span_ns - 1
        if own.close <= 0 or skipped > HOLE_MAX:
            own.values.clear()
        else:
            own.values += [0] * skipped
            own.values.append(money.div(bar.close - own.close, own.close))
            del own.values[: -window - HOLE_MAX - 1]
        own.at_ns, own.close = at_ns, bar.close
        rolls = not skipped and len(own.values) > window
        new, left = (own.values[-1], own.values[-1 - window]) if rolls else (0, 0)
        total, squares = self._sums.get(symbol, (0, 0))
        sums = (total + new - left, squares + new * new - left * left) if rolls else _sums(own.values[-window:])
        self._sums[symbol] = sums
        for name, pair in self._pairs[symbol].items():
            other = self._series.get(name)
            if other is None:
                continue  # no bar of it yet
            if rolls and other.at_ns == at_ns and pair.is_known:  # as of the span before: this symbol's was the older
                products = pair.products + new * other.values[-1] - left * other.values[-1 - window]
                pair.take(at_ns, products, sums, self._sums[name])
            elif not own.values or at_ns - other.at_ns > HOLE_MAX * self._span_ns:
                pair.is_known, pair.rho = False, None
            elif pair.at_ns < min(at_ns, other.at_ns):
                self._compare(pair, symbol, name)

    def _compare(self, pair: _Pair, one: str, other: str) -> None:
        """Bring a pair up to the newest span both have a return for, from their series."""
        (x, x_ns), (y, y_ns) = ((s.values, s.at_ns) for s in (self._series[one], self._series[other]))
        window, at_ns, span = self._window, min(x_ns, y_ns), self._span_ns
        x, y = x[: len(x) - (x_ns - at_ns) // span][-window:], y[: len(y) - (y_ns - at_ns) // span][-window:]
        if abs(x_ns - y_ns) > HOLE_MAX * span or min(len(x), len(y)) < window:
            pair.is_known, pair.rho = False, None
        else:
            pair.take(at_ns, sum(map(mul, x, y)), _sums(x), _sums(y))

    # --- signals ---

    def alike(self, symbol: str, sign: int, beside: Iterable[tuple[str, int]]) -> Alike:
        """How an entry in `symbol` (`sign` 1 for LONG, -1 for SHORT) moves with each (symbol, sign) beside it."""
        pairs, group = self._pairs.get(symbol, {}), self._groups.get(symbol)
        highest, twin, known, stranger = 0, "", self._window, ""
        for other, direction in beside:
            pair = pairs.get(other)
            rho = pair.correlation(self._window) if pair is not None else None
            if rho is not None:
                rho *= sign * direction
                if rho > highest or not twin:
                    highest, twin = rho, other
            elif other != symbol and group == self._groups.get(other):
                count = self._counted(symbol, other)
                if count < known:
                    known, stranger = count, other
        return Alike(highest, twin, known, stranger)

    def _counted(self, one: str, other: str) -> int:
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
