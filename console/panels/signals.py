"""Every signal ends in one of six states: how many did, whether the sum holds, and why the newest ended so."""

from console.table import Column, table
from console.text import Line, Seen, Span, Tone, clock, fit, heading
from engine.core.view import SignalView
from engine.core.words import TerminalState

SHORT = {
    TerminalState.EXECUTED: "executed",
    TerminalState.REJECTED_BY_CORRELATION: "correlation",
    TerminalState.REJECTED_BY_HEAT: "heat",
    TerminalState.REJECTED_BY_CIRCUIT_BREAKER: "breaker",
    TerminalState.REJECTED_BY_SIZING: "sizing",
    TerminalState.REJECTED_BY_BROKER: "broker",
}
WIDE = 66  # from here on the strategy's and the desk's own sentences have room


def title(seen: Seen, width: int) -> Line:
    """The count of all, and the conservation check: raised = ended + in flight."""
    view = seen.view
    missing = view.signals_total - sum(view.signals.values()) - view.signals_in_flight
    check = Span("ok adds up", Tone.GOOD) if not missing else Span(f"x {missing} UNEXPLAINED", Tone.ALARM)
    counts = f"{view.signals_total:,} raised, {view.signals_in_flight} in flight  "
    return heading("Signals", (Span(counts, Tone.DIM), check), width)


def rows(seen: Seen, width: int) -> list[Line]:
    """The six terminal states with their counts, then the newest signals."""
    lines = _counts(seen, width)
    if not seen.view.recent_signals:
        return [*lines, (Span("no signal yet", Tone.DIM),)]
    return [*lines, *table(_columns(width), seen.view.recent_signals, width)]


def _counts(seen: Seen, width: int) -> list[Line]:
    in_row = 6 if width >= 96 else 3
    size = width // in_row - 1
    cells: list[Line] = []
    for state, word in SHORT.items():
        number = seen.view.signals.get(state.value, 0)
        tone = Tone.DIM if not number else Tone.GOOD if state is TerminalState.EXECUTED else Tone.PLAIN
        figure = f"{number:,}"
        cells.append((Span(fit(word, size - len(figure)), Tone.DIM), Span(figure, tone), Span(" ")))
    return [tuple(span for cell in cells[at : at + in_row] for span in cell) for at in range(0, len(cells), in_row)]


def _columns(width: int) -> list[Column[SignalView]]:
    wide = width >= WIDE
    return [
        Column("Time", 8, lambda s: Span(clock(s.at_ns), Tone.DIM), 2),
        Column("Symbol", 8, lambda s: Span(s.symbol, Tone.STRONG), 0),
        Column("Side", 5, lambda s: Span(s.side.value), 3),
        Column("", 2, _sign, 1),
        Column("Ended as", 11, _ended, 1),
        Column("Strategy", 12, lambda s: Span(s.strategy_id, Tone.DIM), 5),
        Column("Why", 28 if wide else 10, _sentence if wide else _code, 4, grows=True),
    ]


def _sign(signal: SignalView) -> Span:
    if signal.state is None:
        return Span("~", Tone.DIM)
    return Span("ok", Tone.GOOD) if signal.state is TerminalState.EXECUTED else Span("x", Tone.WARN)


def _ended(signal: SignalView) -> Span:
    word = SHORT[signal.state] if signal.state is not None else "in flight"
    return Span(word, _sign(signal).tone)


def _code(signal: SignalView) -> Span:
    return Span(signal.reason_code.value.replace("_", " ") if signal.reason_code else "", Tone.PLAIN)


def _sentence(signal: SignalView) -> Span:
    return Span(signal.text or _code(signal).text)
