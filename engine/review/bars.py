"""Results as bars from a line of zero: each trade in its time, each exit reason. Above it is a gain, below a loss."""

from collections.abc import Sequence
from typing import Final

from engine.core import money
from engine.core.facts import TradeClosed
from engine.review.chart import grouped
from engine.review.moments import instant

WIDTH: Final = 960
HEIGHT: Final = 150
BARS_MAX: Final = 300
_LEFT: Final = 92
_RIGHT: Final = 14
_EDGE: Final = 12
_BAR: Final = 240  # width of a row's bar
_BAR_HEIGHT: Final = 14


def trade_chart(trades: Sequence[TradeClosed]) -> str:
    """An `<svg>` of the trades' results, oldest first; of more than `BARS_MAX` neighbours are summed."""
    if not trades:
        return '<p class="quiet">No trade was closed.</p>'
    each = -(-len(trades) // BARS_MAX)
    groups = [trades[n : n + each] for n in range(0, len(trades), each)]
    sums = [sum(trade.pnl for trade in group) for group in groups]
    high, low = max(0, *sums), min(0, *sums)
    scale = _Scale(high, low if high > low else high - 1)
    label = f"Results of {len(trades)} trades, the best bar {grouped(max(sums))}, the worst {grouped(min(sums))}"
    zero, width = scale.y(0), WIDTH - _LEFT - _RIGHT
    pitch = width / len(groups)
    parts = [
        _bar(_LEFT + pitch * n, max(pitch * 0.78, 0.8), scale, result, _title(group, result))
        for n, (group, result) in enumerate(zip(groups, sums, strict=True))
    ]
    ends = [
        f'<text x="{_LEFT - 10}" y="{scale.y(value):.1f}" dy="4" text-anchor="end">{grouped(value)}</text>'
        for value in dict.fromkeys((high, low) if high > low else (0,))
    ]
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}" class="chart"><title>{label}</title>'
        f'{"".join(parts)}<path class="start" d="M{_LEFT} {zero:.1f}H{WIDTH - _RIGHT}"/>{"".join(ends)}</svg>'
    )


def signed_bar(value: int, largest: int) -> str:
    """One bar of a table's row, from the middle to the right for a gain, to the left for a loss."""
    half = _BAR // 2
    length = max(1, abs(value) * half // largest) if value and largest else 0
    kind = "gain" if value > 0 else "loss"
    x = half if value > 0 else half - length
    return (
        f'<svg viewBox="0 0 {_BAR} {_BAR_HEIGHT}" class="bars" aria-hidden="true">'
        f'<path class="start" d="M{half} 0V{_BAR_HEIGHT}"/>'
        f'<rect class="{kind}" x="{x}" y="2" width="{length}" height="{_BAR_HEIGHT - 4}"/></svg>'
    )


class _Scale:
    def __init__(self, high: int, low: int) -> None:
        self._high, self._span = high, high - low

    def y(self, value: int) -> float:
        return _EDGE + (self._high - value) * (HEIGHT - 2 * _EDGE) / self._span


def _bar(x: float, width: float, scale: _Scale, result: int, title: str) -> str:
    top, bottom = sorted((scale.y(result), scale.y(0)))
    kind = "gain" if result > 0 else "loss"
    height = max(bottom - top, 0.6)
    return (
        f'<rect class="{kind}" x="{x:.1f}" y="{top:.1f}" width="{width:.2f}" height="{height:.1f}">'
        f"<title>{title}</title></rect>"
    )


def _title(group: Sequence[TradeClosed], result: int) -> str:
    """Only times and numbers: names of trades come from outside."""
    until = (instant(group[-1].at_ns) or "")[:19].replace("T", " ")
    what = "trade" if len(group) == 1 else f"{len(group)} trades"
    return f"{what} until {until} UTC: {money.text(result, 2)}"
