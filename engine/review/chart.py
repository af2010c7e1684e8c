"""The equity of a run as one SVG picture: the curve, where it began, and below it the fall from the peak.

Only numbers go into the picture; it needs no script, no font and no network, and takes its colours from the page.
"""

from collections.abc import Sequence
from typing import Final

from engine.core import money
from engine.core.facts import EquityMarked
from engine.review.moments import instant

WIDTH: Final = 960
HEIGHT: Final = 330
POINTS_MAX: Final = 900
_LEFT: Final = 92
_RIGHT: Final = 14
_TOP: Final = 14
_CURVE: Final = 218  # height of the curve
_GAP: Final = 22
_STRIP: Final = 44  # height of the drawdown below it
_STEPS: Final = 4
_SECOND_NS: Final = 1_000_000_000

Point = tuple[int, int]
"""A time and an equity."""


def equity_chart(marks: Sequence[EquityMarked], starting_equity: int) -> str:
    """An `<svg>` element of the account over time; a sentence instead where there are fewer than two marks."""
    points = thin([(mark.at_ns, mark.equity) for mark in marks])
    if len(points) < 2 or points[0][0] == points[-1][0]:
        return '<p class="quiet">Too few equity marks for a curve.</p>'
    values = [value for _, value in points] + [starting_equity]
    scale = _Scale(points[0][0], points[-1][0], *_nice(min(values), max(values)))
    last = money.text(points[-1][1], 2)
    label = f"Equity from {money.text(points[0][1], 2)} to {last}, {len(marks)} marks"
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}" class="chart">'
        f"<title>{label}</title>"
        f"{_grid(scale)}{_times(scale)}{_curve(points, scale, starting_equity)}{_falls(points, scale)}</svg>"
    )


def thin(points: Sequence[Point]) -> list[Point]:
    """At most `POINTS_MAX` of the points: of each stretch the lowest and the highest, so that no dip is lost."""
    if len(points) <= POINTS_MAX:
        return list(points)
    stretches = POINTS_MAX // 2 - 1
    kept = [points[0]]
    for n in range(stretches):
        stretch = points[1 + n * (len(points) - 2) // stretches : 1 + (n + 1) * (len(points) - 2) // stretches]
        kept += sorted({min(stretch, key=_equity), max(stretch, key=_equity)})
    return [*kept, points[-1]]


class _Scale:
    """Where a time and an equity lie in the picture, in hundredths of a unit (exact enough, and no floats)."""

    def __init__(self, first_ns: int, last_ns: int, low: int, high: int, step: int) -> None:
        self.first_ns, self.last_ns = first_ns, last_ns
        self.low, self.high, self.step = low, high, step

    def x(self, at_ns: int) -> str:
        width = (WIDTH - _LEFT - _RIGHT) * 100
        return _units(_LEFT * 100 + (at_ns - self.first_ns) * width // (self.last_ns - self.first_ns))

    def y(self, value: int) -> str:
        return _units(_TOP * 100 + (self.high - value) * _CURVE * 100 // (self.high - self.low))


def _grid(scale: _Scale) -> str:
    lines = []
    places = 2 if scale.step >= money.SCALE // 100 else 8
    for value in range(scale.low, scale.high + 1, scale.step):
        y = scale.y(value)
        lines.append(f'<path class="grid" d="M{_LEFT} {y}H{WIDTH - _RIGHT}"/>')
        lines.append(f'<text x="{_LEFT - 10}" y="{y}" dy="4" text-anchor="end">{grouped(value, places)}</text>')
    return "".join(lines)


def _times(scale: _Scale) -> str:
    span = scale.last_ns - scale.first_ns
    texts = []
    for n in range(_STEPS + 1):
        at_ns = scale.first_ns + span * n // _STEPS
        anchor = "start" if n == 0 else "end" if n == _STEPS else "middle"
        shown = _time(at_ns, span)
        texts.append(f'<text x="{scale.x(at_ns)}" y="{HEIGHT - 6}" text-anchor="{anchor}">{shown}</text>')
    return "".join(texts)


def _curve(points: Sequence[Point], scale: _Scale, starting_equity: int) -> str:
    line = "L".join(f"{scale.x(at_ns)} {scale.y(value)}" for at_ns, value in points)
    floor = _TOP + _CURVE
    start, (last_ns, last) = scale.y(starting_equity), points[-1]
    return (
        f'<path class="area" d="M{scale.x(points[0][0])} {floor}L{line}V{floor}Z"/>'
        f'<path class="start" d="M{_LEFT} {start}H{WIDTH - _RIGHT}"/>'
        f'<path class="line" d="M{line}"/>'
        f'<circle class="dot" cx="{scale.x(last_ns)}" cy="{scale.y(last)}" r="3.5"/>'
    )


def _falls(points: Sequence[Point], scale: _Scale) -> str:
    """The fall from the running peak as a strip hanging from its upper edge, its deepest value named."""
    peak, falls = 0, []
    for at_ns, value in points:
        peak = max(peak, value)
        falls.append((at_ns, money.div(peak - value, peak) if peak > 0 else 0))
    deepest = max(fall for _, fall in falls)
    top = _TOP + _CURVE + _GAP
    label = f'<text x="{_LEFT - 10}" y="{top + 4}" text-anchor="end">drawdown</text>'
    named = f'<text x="{_LEFT - 10}" y="{top + _STRIP}" text-anchor="end">{_percent(deepest)}</text>'
    edge = f'<path class="grid" d="M{_LEFT} {top}H{WIDTH - _RIGHT}"/>'
    if not deepest:
        return label + named + edge
    line = "L".join(f"{scale.x(at)} {_units(top * 100 + fall * _STRIP * 100 // deepest)}" for at, fall in falls)
    return f'{label}{named}{edge}<path class="fall" d="M{scale.x(points[0][0])} {top}L{line}V{top}Z"/>'


def grouped(value: int, places: int = 2) -> str:
    """Money with thousands in groups: 10,012.34."""
    digits = money.text(value, places)
    whole, dot, fraction = digits.removeprefix("-").partition(".")
    return f"{'−' if digits.startswith('-') else ''}{int(whole):,}{dot}{fraction}"


def _nice(low: int, high: int) -> tuple[int, int, int]:
    """Ends and step of an axis that covers [low, high] in about four steps of 1, 2 or 5 times a power of ten."""
    raw = max((high - low) // _STEPS, 1)
    power: int = 10 ** (len(str(raw)) - 1)
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw)
    bottom, top = low // step * step, -(-high // step) * step
    return bottom, max(top, bottom + step), step


def _equity(point: Point) -> int:
    return point[1]


def _units(hundredths: int) -> str:
    return f"{hundredths // 100}.{hundredths % 100:02d}"


def _percent(fraction: int) -> str:
    return f"{money.text(fraction * 100, 2)} %"


def _time(at_ns: int, span_ns: int) -> str:
    stamp = instant(at_ns) or ""
    if span_ns > 2 * 86_400 * _SECOND_NS:
        return stamp[5:16].replace("T", " ")
    return stamp[11:19] if span_ns < 3_600 * _SECOND_NS else stamp[11:16]
