"""Every breaker with its distance to the trip: never hidden, whatever the size of the screen."""

from console.panels.heat import sign_of
from console.text import Line, Seen, Span, Tone, amount, bar, both_ends, fit, heading, percent, sign
from engine.core import money
from engine.core.view import BreakerView

LABEL = 15
LEFT = 12
FIGURES = 17
DOES = {"halt_day": "halts the day", "shutdown": "ends the session", "cooldown": "pauses for its cooldown"}


def title(seen: Seen, width: int) -> Line:
    tripped = sum(breaker.tripped for breaker in seen.view.breakers)
    near = sum(not breaker.tripped and _tone(breaker) is not Tone.GOOD for breaker in seen.view.breakers)
    if tripped:
        right = Span(f"x {tripped} TRIPPED", Tone.ALARM)
    elif near:
        right = Span(f"! {near} near", Tone.WARN)
    else:
        right = Span("ok none tripped", Tone.GOOD)
    return heading("Circuit breakers" if width >= 40 else "Breakers", (right,), width)


def rows(seen: Seen, width: int) -> list[Line]:
    """A line for each breaker; below a tripped one, what it does and what lifts it."""
    lines: list[Line] = []
    for breaker in seen.view.breakers:
        lines.append(_line(breaker, width))
        if breaker.tripped and width >= 40:
            action = DOES.get(breaker.action, breaker.action)
            lines.append((Span("   "), Span(fit(f"{action}; lifted by {breaker.lifts}", width - 3), Tone.BAD)))
    return lines or [(Span("no breaker configured", Tone.WARN),)]


def _line(breaker: BreakerView, width: int) -> Line:
    tone = _tone(breaker)
    left = Span("TRIPPED" if breaker.tripped else distance(breaker), tone)
    if width < 3 + LABEL + 1 + 6 + 1 + FIGURES + 1 + LEFT:
        return both_ends((sign(tone), Span(" "), Span(fit(breaker.label, width - 4 - len(left.text)))), (left,), width)
    left = Span(fit(left.text, LEFT, right=True), tone)
    name = (sign(tone), Span(" "), Span(fit(breaker.label, LABEL)), Span(" "))
    figures = fit(f"{_figure(breaker, breaker.value)} of {_figure(breaker, breaker.limit)}", FIGURES, right=True)
    cells = width - 3 - LABEL - 1 - 1 - FIGURES - 1 - LEFT
    drawn = bar(breaker.used, cells, Tone.BAR if tone is Tone.GOOD else tone)
    return (*name, *drawn, Span(" "), Span(figures, Tone.DIM), Span(" "), left)


def distance(breaker: BreakerView) -> str:
    """How much is left before it trips."""
    return f"{_figure(breaker, max(breaker.limit - breaker.value, 0))} left"


def _figure(breaker: BreakerView, value: int) -> str:
    if breaker.unit == "fraction":
        return percent(value)
    return amount(value) if breaker.unit == "money" else str(value)


def _tone(breaker: BreakerView) -> Tone:
    return Tone.ALARM if breaker.tripped else sign_of(min(breaker.used, money.SCALE))
