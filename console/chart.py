"""Curves drawn with block characters: what a value was over time, and how far it fell below its peak.

Both take points (time, value), oldest first, and draw each column by the newest point at or before its end, so that a
gap in the points is a level stretch. One colour a chart: its shape says enough, and colour costs a slow line most.
"""

from collections.abc import Sequence
from typing import Final

Point = tuple[int, int]
_EIGHTHS: Final = " ▁▂▃▄▅▆▇█"
_FROM_ABOVE: Final = " ▀█"


def columns(points: Sequence[Point], width: int) -> list[int]:
    """A value for each of `width` columns, evenly apart in time; none without points."""
    if not points or width < 1:
        return []
    first_ns, last_ns = points[0][0], points[-1][0]
    values: list[int] = []
    at = 0
    for column in range(1, width + 1):
        end_ns = first_ns + (last_ns - first_ns) * column // width
        while at + 1 < len(points) and points[at + 1][0] <= end_ns:
            at += 1
        values.append(points[at][1])
    return values


def bounds(values: Sequence[int], least: int) -> tuple[int, int]:
    """The lowest and the highest of the values, pulled apart around their middle to `least` where they are nearer."""
    low, high = min(values), max(values)
    missing = max(least - (high - low), 0)
    return low - missing // 2, high + missing - missing // 2


def rising(points: Sequence[Point], width: int, height: int, low: int, high: int) -> list[str]:
    """The values between `low`, an eighth of a row high, and `high`."""
    steps = height * 8
    levels = [1 + (value - low) * (steps - 1) // max(high - low, 1) for value in columns(points, width)]
    return _rows(levels, _EIGHTHS, width, height)[::-1]


def hanging(points: Sequence[Point], width: int, height: int, most: int) -> list[str]:
    """The values (none below 0) as depths below the upper edge, `most` reaching the lower one; in half rows."""
    levels = [-(-depth * height * 2 // max(most, 1)) for depth in _deepest(points, width)]
    return _rows(levels, _FROM_ABOVE, width, height)


def _rows(levels: Sequence[int], cells: str, width: int, height: int) -> list[str]:
    """Columns of so many steps, the row they begin in first; `cells` are a cell with none of its steps to all."""
    steps = len(cells) - 1
    rows = ("".join(cells[min(max(level - steps * row, 0), steps)] for level in levels) for row in range(height))
    return [row.ljust(width) for row in rows]


def _deepest(points: Sequence[Point], width: int) -> list[int]:
    """As `columns`, but of several points in one column the greatest: no fall is drawn away."""
    depths = columns(points, width)
    if not depths:
        return depths
    first_ns, span_ns = points[0][0], points[-1][0] - points[0][0]
    for at_ns, depth in points:
        column = min((at_ns - first_ns) * width // span_ns, width - 1) if span_ns else width - 1
        depths[column] = max(depths[column], depth)
    return depths
