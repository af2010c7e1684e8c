"""Curves drawn with block characters: what a value was over time, and how far it fell below its peak.

Both take points (time, value), oldest first, and draw each column by the newest point at or before its end, so that a
gap in the points is a level stretch. One colour a chart: its shape says enough, and colour costs a slow line most.
"""

from collections.abc import Sequence
from typing import Final

from console.panels.equity import spark

Point = tuple[int, int]
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


def rising(points: Sequence[Point], width: int, height: int) -> list[str]:
    """The values above their lowest, in eighths of a row."""
    return spark(columns(points, width), width, height)


def hanging(points: Sequence[Point], width: int, height: int) -> list[str]:
    """The values (none below 0) as depths below the upper edge, the greatest reaching the lower one; in half rows."""
    depths = _deepest(points, width)
    most = max(depths, default=0)
    steps = height * 2
    levels = [-(-depth * steps // most) if most else 0 for depth in depths]
    rows = ("".join(_FROM_ABOVE[min(max(level - 2 * row, 0), 2)] for level in levels) for row in range(height))
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
