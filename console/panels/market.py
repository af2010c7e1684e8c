"""The conditions the desk trades in: the regime by the volatility index, and the phases of its symbols."""

from collections import Counter

from console.text import Line, Seen, Span, Tone, both_ends, heading, said, sign
from engine.core import money
from engine.core.times import stretch
from engine.core.view import RegimeView
from engine.core.words import Regime

TONES = {
    Regime.LOW: Tone.GOOD,
    Regime.NORMAL: Tone.GOOD,
    Regime.ELEVATED: Tone.WARN,
    Regime.CRISIS: Tone.BAD,
    Regime.UNKNOWN: Tone.WARN,
}


def title(seen: Seen, width: int) -> Line:
    regime = seen.view.regime
    level = f" {money.text(regime.level, 2)}" if regime.level else ""
    mark = sign(TONES[regime.regime]).text.strip()
    return heading("Market", (Span(f"{mark} {regime.regime}{level}", TONES[regime.regime]),), width)


def rows(seen: Seen, width: int) -> list[Line]:
    """Where the level comes from and what it does to heat, the phases by count, and who may not enter."""
    view = seen.view
    counts = Counter(view.market_phases.values()).most_common()
    phases = "  ".join(f"{said(phase, 12)} {count}" for phase, count in counts) or "no market phase yet"
    share = money.text(view.regime.heat_share * 100, 0)
    lines: list[Line] = [
        both_ends((Span(_origin(seen, view.regime), Tone.DIM),), (Span(f"{share} % of heat"),), width),
        (Span(phases),),
    ]
    if view.regime.off:
        lines.append((Span(f"not entering: {said(', '.join(view.regime.off), width)}", Tone.WARN),))
    return lines


def _origin(seen: Seen, regime: RegimeView) -> str:
    """The index and the age of its value."""
    if not regime.source:
        return "no volatility index"
    age = f" {stretch(seen.now_ns - regime.of_ns)} old" if regime.of_ns else ", no value"
    return f"{said(regime.source, 30)}{age}"
