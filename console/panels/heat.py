"""The risk that is open, against its limit, and where it sits."""

from console.text import Line, Seen, Span, Tone, bar, both_ends, fit, heading, percent, width_of
from engine.core import money

STEP = money.SCALE // 1000  # heats nearer than this stand in one order, so that lines do not dance
NEAR = 80 * money.SCALE // 100  # from here on the limit is near

SAID = {Tone.GOOD: "ok", Tone.WARN: "! near", Tone.BAD: "x full"}


def title(seen: Seen, width: int) -> Line:
    used, tone = _used(seen)
    return heading("Heat", (Span(f"{SAID[tone]} {percent(used, 0)}", tone),), width)


def rows(seen: Seen, width: int) -> list[Line]:
    """The bar, the figures, then each position's share, largest first."""
    view = seen.view
    used, tone = _used(seen)
    figures = f"{percent(view.heat)} of {percent(view.heat_limit)}" + (" limit" if width >= 40 else "")
    room = max(view.heat_limit - view.heat, 0)
    lines: list[Line] = [
        bar(used, width, Tone.BAR if tone is Tone.GOOD else tone),
        both_ends((Span(figures),), (Span(f"{percent(room)} free", Tone.DIM),), width),
    ]
    for position in sorted(view.positions, key=lambda position: (-(position.heat // STEP), position.symbol)):
        share = money.div(position.heat, view.heat_limit) if view.heat_limit else 0
        name, figure = Span(fit(position.symbol, 9)), Span(fit(percent(position.heat), 8, right=True))
        cells = width - width_of((name, figure)) - 2
        lines.append((name, Span(" "), *bar(share, max(cells, 0)), Span(" "), figure))
    return lines


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
