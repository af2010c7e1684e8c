"""Every breaker with its distance to the trip: never hidden, whatever the size of the screen."""

from console.panels.heat import sign_of
from console.text import Line, Seen, Span, Tone, amount, bar, both_ends, clock, fit, heading, percent, sign, wrap
from engine.core import money
from engine.core.breaker_table import NS_IN_SCALED_SECOND
from engine.core.times import stretch
from engine.core.view import BreakerView
from engine.core.words import BreakerAction

LABEL = 15
LEFT = 12
FIGURES = 17
LEFT_WORD = " left"
DOES = {
    BreakerAction.BLOCK: "no entries while it lasts",
    BreakerAction.COOLDOWN: "no entries for its cooldown",
    BreakerAction.HALT_DAY: "halts the day",
    BreakerAction.SHUTDOWN: "ends the session",
}
ORDER = (Tone.ALARM, Tone.BAD, Tone.WARN, Tone.GOOD)


def title(seen: Seen, width: int) -> Line:
    tones = [_tone(breaker) for breaker in seen.view.breakers]
    near = sum(tone in (Tone.WARN, Tone.BAD) for tone in tones)
    if tripped := tones.count(Tone.ALARM):
        right = Span(f"x {tripped} TRIPPED", Tone.ALARM)
    elif near:
        right = Span(f"! {near} near", Tone.WARN)
    else:
        right = Span("ok none tripped", Tone.GOOD)
    return heading("Circuit breakers" if width >= 40 else "Breakers", (right,), width)


def rows(seen: Seen, width: int) -> list[Line]:
    """A line for each breaker, tripped ones first, then those near their limits; below a tripped one, what it means."""
    lines: list[Line] = []
    for breaker in sorted(seen.view.breakers, key=lambda breaker: ORDER.index(_tone(breaker))):
        lines.append(_line(breaker, width))
        if breaker.tripped and width >= 40:
            lines.extend((Span("   "), Span(text, _tone(breaker))) for text in wrap(_meaning(seen, breaker), width - 3))
    return lines or [(Span("no breaker configured", Tone.WARN),)]


def _meaning(seen: Seen, breaker: BreakerView) -> str:
    """What it saw and when, what it does, what lifts it and how long that takes."""
    saw = f"{breaker.text} at {clock(breaker.since_ns)}Z; " if breaker.since_ns else ""
    left_ns = breaker.release_ns - seen.now_ns
    left = f", in {stretch(left_ns)}" if left_ns > 0 else ""
    action = breaker.action
    does = DOES[BreakerAction(action)] if action in DOES else action
    return f"{saw}{does}; lifted by {breaker.lifts}{left}"


def _line(breaker: BreakerView, width: int) -> Line:
    tone = _tone(breaker)
    left = Span(distance(breaker), tone)
    if width < 3 + LABEL + 1 + 6 + 1 + FIGURES + 1 + LEFT:
        if len(breaker.label) > width - 4 - len(left.text):
            left = Span(left.text.removesuffix(LEFT_WORD), tone)
        return both_ends((sign(tone), Span(" "), Span(fit(breaker.label, width - 4 - len(left.text)))), (left,), width)
    left = Span(fit(left.text, LEFT, right=True), tone)
    name = (sign(tone), Span(" "), Span(fit(breaker.label, LABEL)), Span(" "))
    figures = fit(f"{_figure(breaker, breaker.value)} of {_figure(breaker, breaker.limit)}", FIGURES, right=True)
    cells = width - 3 - LABEL - 1 - 1 - FIGURES - 1 - LEFT
    drawn = bar(breaker.used, cells, Tone.BAR if tone is Tone.GOOD else tone)
    return (*name, *drawn, Span(" "), Span(figures, Tone.DIM), Span(" "), left)


def distance(breaker: BreakerView) -> str:
    """How much is left before it trips."""
    if breaker.tripped:
        return "BLOCKS" if breaker.action == BreakerAction.BLOCK else "TRIPPED"
    return f"{_figure(breaker, max(breaker.limit - breaker.value, 0))}{LEFT_WORD}"


def _figure(breaker: BreakerView, value: int) -> str:
    match breaker.unit:
        case "fraction":
            return percent(value)
        case "money":
            return amount(value)
        case "seconds":
            return stretch(value * NS_IN_SCALED_SECOND)
        case _:
            return money.text(value)


def _tone(breaker: BreakerView) -> Tone:
    if breaker.tripped:
        return Tone.WARN if breaker.action == BreakerAction.BLOCK else Tone.ALARM
    return sign_of(min(breaker.used, money.SCALE))
