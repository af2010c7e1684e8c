"""Falls of equity below its peak: how deep, since when, how long until it was made good."""

from collections.abc import Iterable, Sequence

import msgspec

from engine.core import money
from engine.core.facts import EquityMarked


class Drawdown(msgspec.Struct, frozen=True):
    """The deepest fall of an account, and the longest time below a peak.

    Attributes:
        depth: Fraction of the peak, scaled.
        peak_ns: When it fell from its peak, and `trough_ns` when it was deepest (UTC).
        recovered_ns: When it was back at the peak; None: not yet.
        longest_ns: The longest time from a peak until it was reached again, or until the end.
    """

    depth: int
    peak_ns: int
    trough_ns: int
    recovered_ns: int | None
    longest_ns: int


def max_drawdown(equity: Iterable[int]) -> int | None:
    """Largest fall below a running peak, as a fraction of that peak (5_000_000 is 5 %); None without values.

    Args:
        equity: Account value, oldest first. Before the first value above zero there is no peak to fall from.

    Source: Magdon-Ismail and Atiya, "Maximum Drawdown", Risk 17(10), 2004.
    """
    deepest: int | None = None
    peak = 0
    for value in equity:
        peak = max(peak, value)
        fall = money.div(peak - value, peak) if peak > 0 else 0
        deepest = fall if deepest is None else max(deepest, fall)
    return deepest


def drawdown(points: Sequence[tuple[int, int]]) -> Drawdown | None:
    """The falls of (time, equity), oldest first; None without any. Depth as in `max_drawdown`, the first of equals."""
    if not points:
        return None
    depth = longest_ns = 0
    peak_ns, peak = points[0]
    from_ns = trough_ns = peak_ns
    recovered_ns: int | None = peak_ns
    is_below = False
    for at_ns, equity in points:
        if is_below:
            longest_ns = max(longest_ns, at_ns - peak_ns)
        is_below = equity < peak
        if not is_below:
            recovered_ns = at_ns if recovered_ns is None else recovered_ns
            peak_ns, peak = at_ns, equity
            continue
        fall = money.div(peak - equity, peak) if peak > 0 else 0
        if fall > depth:
            depth, from_ns, trough_ns, recovered_ns = fall, peak_ns, at_ns, None
    return Drawdown(depth, from_ns, trough_ns, recovered_ns, longest_ns)


def points_of(marks: Iterable[EquityMarked]) -> list[tuple[int, int]]:
    """(Time, equity) of each mark."""
    return [(mark.at_ns, mark.equity) for mark in marks]
