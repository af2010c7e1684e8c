"""The performance page's panels: the two curves, the trades in figures and in groups, paper against expectation.

The curves and the groups stand on the left, the figures on the right; the curves take the rows that are left over.
What has no value says why instead.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from console.chart import Point, bounds, hanging, rising
from console.figures import DEALS_MAX, TRADES_MAX, Figures
from console.table import Column, table
from console.text import (
    BLANK,
    Line,
    Span,
    Tone,
    amount,
    bar,
    both_ends,
    cut_line,
    heading,
    moment,
    percent,
    said,
    signed,
    timer,
    toned,
    width_of,
    wrap,
)
from engine.core import money
from engine.review.dealing import Slippage
from engine.review.metrics import Summary, undefined

RIGHT_WIDTH: Final = 37
RIGHT_WIDTH_MAX: Final = 60
CURVE_ROWS_MIN: Final = 5  # of both curves together
CURVE_ROWS_MAX: Final = 30
SCALE_WIDTH: Final = 11
SCALE_MIN: Final = money.SCALE // 1_000  # a curve's least height, as a share: what is next to nothing shall look so
NAME_WIDTH: Final = 15
NO_SHADOWS: Final = "no shadow books: nothing to compare with"


def arranged(figures: Figures, width: int, height: int) -> list[Line]:
    """All panels, `width` cells wide; more lines than `height` where they need them."""
    right_width = min(RIGHT_WIDTH + max(width - 80, 0) // 4, RIGHT_WIDTH_MAX)
    gap = 2 if width < 100 else 3
    left_width = width - right_width - gap
    right = _below_each_other([_trades(figures, right_width), _expectation(figures, right_width)])
    groups = [_exits(figures, left_width), *_groups(figures, left_width)]
    used = len(_below_each_other([_curves(figures, left_width, CURVE_ROWS_MIN), *groups]))
    rows = min(CURVE_ROWS_MIN + max(max(height, len(right)) - used, 0), CURVE_ROWS_MAX)
    left = _below_each_other([_curves(figures, left_width, rows), *groups])
    size = max(len(left), len(right))
    return [
        (*cut_line(one, left_width), Span(" " * gap), *cut_line(other, right_width))
        for one, other in zip(_padded(left, size), _padded(right, size), strict=True)
    ]


def _below_each_other(panels: Sequence[Sequence[Line]]) -> list[Line]:
    """The panels with a blank line between two; one without lines is left out."""
    lines: list[Line] = []
    for panel in panels:
        if panel:
            lines.extend([BLANK, *panel] if lines else panel)
    return lines


def _padded(lines: list[Line], size: int) -> list[Line]:
    return [*lines, *[BLANK] * (size - len(lines))]


# --- curves ---


def _curves(figures: Figures, width: int, rows: int) -> list[Line]:
    """Equity and drawdown with `rows` rows between them."""
    if not figures.equity:
        return [heading("Equity", (), width), (Span("not marked yet", Tone.DIM),)]
    fall_rows = rows * 2 // 5
    lines = _equity(figures.equity, width, rows - fall_rows)
    return [*lines, BLANK, *_drawdown(figures.drawdown, width, fall_rows), _times(figures.equity, width)]


def _equity(points: Sequence[Point], width: int, rows: int) -> list[Line]:
    begun, now = points[0][1], points[-1][1]
    told: Line = (Span(f"{amount(now)}  "), Span(signed(now - begun), toned(now - begun)))
    low, high = bounds([value for _, value in points], money.mul(abs(begun), SCALE_MIN))
    drawn = rising(points, width - SCALE_WIDTH, rows, low, high)
    return [heading("Equity", told, width), *_scaled(drawn, amount(high), amount(low), Tone.BAR)]


def _drawdown(points: Sequence[Point], width: int, rows: int) -> list[Line]:
    deepest = max(fall for _, fall in points)
    told = (Span(f"now {percent(points[-1][1])}, at most {percent(deepest)}", Tone.DIM),)
    most = max(deepest, SCALE_MIN)
    drawn = hanging(points, width - SCALE_WIDTH, rows, most)
    return [heading("Drawdown", told, width), *_scaled(drawn, "0.00 %", percent(most), Tone.BAD)]


def _scaled(drawn: Sequence[str], first: str, last: str, tone: Tone) -> list[Line]:
    """The rows of a chart, the first and the last with what they stand for."""
    named = {len(drawn) - 1: last, 0: first}
    room = SCALE_WIDTH - 1
    return [
        (Span(f"{said(named.get(at, ''), room):>{room}} ", Tone.DIM), Span(row, tone)) for at, row in enumerate(drawn)
    ]


def _times(points: Sequence[Point], width: int) -> Line:
    first, last = (Span(moment(at_ns)[:-3], Tone.DIM) for at_ns in (points[0][0], points[-1][0]))
    return (Span(" " * SCALE_WIDTH), *both_ends((first,), (last,), width - SCALE_WIDTH))


# --- trades ---


def _trades(figures: Figures, width: int) -> list[Line]:
    of = figures.trades
    if not of.trades:
        return [heading("Trades", (), width), (Span("no trades yet", Tone.DIM),)]
    why = undefined(of)
    held = timer(of.average_duration_ns) if of.average_duration_ns is not None else "-"
    lines = [
        heading("Trades", (Span(f"{of.trades:,}", Tone.STRONG),), width),
        _entry("Won, lost", (Span(f"{of.wins:,}, {of.losses:,}"),)),
        _entry("Win rate", _win_rate(figures)),
        _entry("Net profit", _money(of.net_profit)),
        _entry("Average", _money(of.expectancy)),
        _entry("Average win", _money(of.average_win, why.get("average_win", ""))),
        _entry("Average loss", _money(_negative(of.average_loss), why.get("average_loss", ""))),
        _entry("Profit factor", _factor(of, why)),
        _entry("Best", _money(of.best)),
        _entry("Worst", _money(of.worst)),
        _entry("Held on average", (Span(f" {held}"),)),
        _entry("Fees", (Span(amount(of.fees)),)),
    ]
    if figures.is_cut:
        text = f"only the newest {TRADES_MAX:,} trades and {DEALS_MAX:,} fills are counted; nightdesk report has all"
        lines.extend((Span(one, Tone.WARN),) for one in wrap(text, width))
    return lines


def _entry(name: str, told: Line) -> Line:
    return (Span(f"{name:<{NAME_WIDTH}}", Tone.DIM), *told)


def _money(value: int | None, why: str = "") -> Line:
    return (Span(why or "-", Tone.DIM),) if value is None else (Span(signed(value), toned(value)),)


def _negative(value: int | None) -> int | None:
    return None if value is None else -value


def _win_rate(figures: Figures) -> Line:
    """The rate, and where the true one is at 95 %."""
    rate, interval = figures.trades.win_rate, figures.win_rate
    if rate is None or interval is None:
        return (Span("-", Tone.DIM),)
    within = f" ({money.text(interval.low * 100, 1)}-{money.text(interval.high * 100, 1)})"
    return (Span(percent(rate, 1)), Span(within, Tone.DIM))


def _factor(of: Summary, why: Mapping[str, str]) -> Line:
    if of.profit_factor is None:
        return (Span(why.get("profit_factor", "-").partition(":")[0], Tone.DIM),)
    return (Span(money.text(of.profit_factor, 2), toned(of.profit_factor - money.SCALE)),)


# --- groups ---


def _exits(figures: Figures, width: int) -> list[Line]:
    """Why trades were closed, as bars."""
    if not figures.by_exit:
        return []
    room = max(width - NAME_WIDTH - 18, 4)
    lines = [heading("Closed by", (), width)]
    for name, of in figures.by_exit.items():
        share = money.div(of.trades, figures.trades.trades)
        drawn = bar(share, room)
        told = (Span(f" {of.trades:>5,} "), Span(f"{signed(of.net_profit):>10}", toned(of.net_profit)))
        lines.append((Span(f"{said(name.lower(), NAME_WIDTH):<{NAME_WIDTH}} ", Tone.PLAIN), *drawn, *told))
    return lines


def _groups(figures: Figures, width: int) -> list[list[Line]]:
    """Trades by the market's phase at their entry, and by strategy."""
    named = (("Phase", figures.by_phase), ("Strategy", figures.by_strategy))
    return [table(_columns(name), list(of.items()), width) for name, of in named if of]


def _columns(name: str) -> list[Column[tuple[str, Summary]]]:
    return [
        Column(name, 10, lambda one: Span(one[0] or "-", Tone.STRONG), 0, grows=True),
        Column("Trades", 6, lambda one: Span(f"{one[1].trades:,}"), 2, right=True),
        Column("Won", 6, lambda one: Span(percent(one[1].win_rate or 0, 0)), 3, right=True),
        Column("Net", 10, lambda one: Span(signed(one[1].net_profit), toned(one[1].net_profit)), 1, right=True),
        Column("Average", 9, lambda one: _money(one[1].expectancy)[0], 4, right=True),
        Column("Factor", 6, lambda one: _short_factor(one[1]), 5, right=True),
        Column("Fees", 8, lambda one: Span(amount(one[1].fees), Tone.DIM), 6, right=True),
    ]


def _short_factor(of: Summary) -> Span:
    return Span("-" if of.profit_factor is None else money.text(of.profit_factor, 2), Tone.DIM)


# --- paper against expectation ---


def _expectation(figures: Figures, width: int) -> list[Line]:
    """What the same orders would have brought filled worse and better, and what fills cost beside what was expected."""
    lines = [heading("Paper against expectation", (), width), _entry("Result", _money(figures.net, "not marked yet"))]
    if figures.between is None:
        lines.extend((Span(one, Tone.DIM),) for one in wrap(NO_SHADOWS, width))
    else:
        lowest, highest = figures.between
        lines.append(_entry("Pessimistic", _money(figures.net_pessimistic)))
        lines.append(_entry("Optimistic", _money(figures.net_optimistic)))
        lines.append(_entry("Between", (Span(f"{signed(lowest)} and {signed(highest)}"),)))
    lines.extend(_slippage("Slippage", figures.slipped, width))
    for profile, of in figures.profiles.items():
        lines.extend(_slippage(f"vs {profile}"[:NAME_WIDTH], of.slippage, width))
        if of.slippage is not None:
            alone = f", {of.unfilled:,} unfilled there" if of.unfilled else ""
            told = f"{of.worse:,} of {of.slippage.fills:,} worse{alone}"
            lines.extend(_entry("", (Span(text, Tone.DIM),)) for text in wrap(told, width - NAME_WIDTH))
    return lines


def _slippage(name: str, of: Slippage | None, width: int) -> list[Line]:
    """In basis points of the price compared with; above zero is worse."""
    if of is None:
        return [_entry(name, (Span("nothing to compare", Tone.DIM),))]
    rest = Span(f"p95 {_points(of.p95)}, worst {_points(of.worst)}", Tone.DIM)
    first = (Span(_points(of.mean), toned(-of.mean)), Span(" bp mean", Tone.DIM))
    if NAME_WIDTH + width_of((*first, Span(", "), rest)) <= width:
        return [_entry(name, (*first, Span(", ", Tone.DIM), rest))]
    return [_entry(name, first), _entry("", (rest,))]


def _points(fraction: int) -> str:
    text = money.text(fraction * 10_000, 1)
    return text if text.startswith("-") else f"+{text}"
