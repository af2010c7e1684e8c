"""The risk that is open, against its limit, and where it sits."""

from console.text import Line, Seen, Span, Tone, bar, both_ends, fit, heading, percent, width_of
from engine.core import money
from engine.core.view import DeskView

STEP = money.SCALE // 1000  # heats nearer than this stand in one order, so that lines do not dance
NEAR = 80 * money.SCALE // 100  # from here on the limit is near

SAID = {Tone.GOOD: "ok", Tone.WARN: "! near", Tone.BAD: "x full"}


def title(seen: Seen, width: int) -> Line:
    used, tone = _used(seen)
    return heading("Heat", (Span(f"{SAID[tone]} {percent(used, 0)}", tone),), width)


def rows(seen: Seen, width: int) -> list[Line]:
    """The bar, the figures and what the regime leaves of the limit, then each position's share, largest first."""
    view = seen.view
    used, tone = _used(seen)
    lines: list[Line] = [
        bar(used, width, Tone.BAR if tone is Tone.GOOD else tone),
        _figures(view, width),
    ]
    for position in sorted(view.positions, key=lambda position: (-(position.heat // STEP), position.symbol)):
        share = money.div(position.heat, view.heat_limit) if view.heat_limit else 0
        name, figure = Span(fit(position.symbol, 9)), Span(fit(percent(position.heat), 8, right=True))
        cells = width - width_of((name, figure)) - 2
        lines.append((name, Span(" "), *bar(share, max(cells, 0)), Span(" "), figure))
    return lines


def _figures(view: DeskView, width: int) -> Line:
    """Heat, its limit and what is free; where the regime took some of the limit, that comes before what is free."""
    whole = view.regime.heat_share == money.SCALE
    heat = Span(f"{percent(view.heat)} of {percent(view.heat_limit)}" + (" limit" if whole and width >= 40 else ""))
    free = Span(f"{percent(max(view.heat_limit - view.heat, 0))} free", Tone.DIM)
    share = Span(f"{view.regime.regime} x{money.text(view.regime.heat_share)}", Tone.WARN)
    if whole:
        right: Line = (free,)
    elif width_of((heat, share, free)) + 4 <= width:
        right = (share, Span("  "), free)
    else:
        right = (share,)
    return both_ends((heat,), right, width)


def _used(seen: Seen) -> tuple[int, Tone]:
    """Heat over its limit, and what that means. Without a limit everything is too much."""
    view = seen.view
    if not view.heat_limit:
        return (0, Tone.GOOD) if not view.heat else (money.SCALE, Tone.BAD)
    used = money.div(view.heat, view.heat_limit)
    return used, sign_of(used)


def sign_of(used: int) -> Tone:
    """What a used share of a limit means: fine, near, full."""
    return Tone.BAD if used >= money.SCALE else Tone.WARN if used >= NEAR else Tone.GOOD
