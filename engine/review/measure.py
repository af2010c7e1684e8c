"""A figure, or the reason why there is none.

A statistic that cannot be had is None with a reason, never 0 and never infinite. Figures leave here as scaled integers
(1e-8); the statistics among them (ratios, probabilities, intervals) are computed with floats on the way, in this
package and nowhere nearer to the books. Sums, roots and quotients are those of IEEE 754 and the same everywhere.
"""

import math
from collections.abc import Mapping

import msgspec

from engine.core import money


class Measure(msgspec.Struct, frozen=True):
    """`value` scaled, or None and `why` in words; exactly one of the two says something."""

    value: int | None
    why: str = ""

    @property
    def text(self) -> str | None:
        """The value as decimal text."""
        return None if self.value is None else money.text(self.value)


class Interval(msgspec.Struct, frozen=True):
    """An interval of confidence `level`, all scaled."""

    low: int
    high: int
    level: int


def missing(why: str) -> Measure:
    """No figure, for this reason."""
    return Measure(None, why)


def of_float(value: float) -> Measure:
    """A statistic, rounded to 1e-8; what is beyond all bounds is said to be so."""
    if not math.isfinite(value):
        return missing("beyond any bound a number here can have")
    return Measure(scaled(value))


def scaled(value: float) -> int:
    """The nearest integer in units of 1e-8."""
    return round(value * money.SCALE)


def quotient(part: int, whole: int, why: str) -> Measure:
    """`part` over `whole`, exactly rounded; `why` where the whole is not above zero."""
    return Measure(money.div(part, whole)) if whole > 0 else missing(why)


def told(measures: Mapping[str, Measure]) -> dict[str, object]:
    """Plain JSON values: every figure as decimal text or null, and under `undefined` why those are that are null."""
    undefined = {name: one.why for name, one in measures.items() if one.value is None}
    return {**{name: one.text for name, one in measures.items()}, "undefined": undefined}
