"""How signals end: how many did and by which reason, whether the sum holds, and the newest with their ids.

The reasons are the rules' own codes, the same in the tables, the logs and `docs/safety-controls.md`.
"""

from functools import partial

from console.table import Column, table
from console.text import Line, Seen, Span, Tone, clock, heading, said, width_of
from engine.core.view import SignalView, refusals
from engine.core.words import TerminalState

WIDE = 95  # from here on the desk's own sentences have room
COUNT_LINES_MAX = 2
WORD_MAX = 30  # cells of a reason's code


def title(seen: Seen, width: int) -> Line:
    """The count of all, and the conservation check: raised = ended + in flight."""
    view = seen.view
    missing = view.signals_total - sum(view.signals.values()) - view.signals_in_flight
    check = Span("ok adds up", Tone.GOOD) if not missing else Span(f"x {missing} UNEXPLAINED", Tone.ALARM)
    counts = f"{view.signals_total:,} raised, {view.signals_in_flight} in flight  "
    return heading("Signals", (Span(counts, Tone.DIM), check), width)


def rows(seen: Seen, width: int) -> list[Line]:
    """How many were executed and what refused the others, then the newest signals."""
    lines = _counts(seen, width)
    if not seen.view.recent_signals:
        return [*lines, (Span("no signal yet", Tone.DIM),)]
    return [*lines, *table(_columns(seen.view.run_id, width), seen.view.recent_signals, width)]


def _counts(seen: Seen, width: int) -> list[Line]:
    """Executed and refused, then the refusals by reason, the most frequent first; those without room are `other`."""
    view = seen.view
    executed = view.signals.get(TerminalState.EXECUTED, 0)
    refused, causes = sum(view.signals.values()) - executed, refusals(view.signal_reasons)
    lines: list[Line] = []
    for shown in range(len(causes), -1, -1):
        other = refused - sum(count for _, count in causes[:shown])
        cells = [_cell("executed", executed, Tone.GOOD), _cell("refused", refused)]
        cells += [_cell(said(code, WORD_MAX), count) for code, count in causes[:shown]]
        cells += [_cell("other", other)] if shown and other else []
        lines = _flow(cells, width)
        if len(lines) <= COUNT_LINES_MAX:
            break
    return lines


def _cell(word: str, number: int, tone: Tone = Tone.PLAIN) -> Line:
    return (Span(f"{word} ", Tone.DIM), Span(f"{number:,}", tone if number else Tone.DIM), Span("  "))


def _flow(cells: list[Line], width: int) -> list[Line]:
    """The cells one after the other, in lines of `width`."""
    lines: list[Line] = [()]
    for cell in cells:
        if lines[-1] and width_of(lines[-1]) + width_of(cell[:-1]) > width:
            lines.append(())
        lines[-1] += cell
    return lines


def _columns(run_id: str, width: int) -> list[Column[SignalView]]:
    last = (
        Column[SignalView]("Why", 26, lambda s: Span(s.text), 6, grows=True)
        if width >= WIDE
        else Column[SignalView]("Strategy", 12, lambda s: Span(s.strategy_id, Tone.DIM), 6)
    )
    return [
        Column("Time", 8, lambda s: Span(clock(s.at_ns), Tone.DIM), 4),
        Column("Symbol", 8, lambda s: Span(s.symbol, Tone.STRONG), 0),
        Column("Side", 5, lambda s: Span(s.side.value), 3),
        Column("Id", 9, partial(_id, run_id), 2),
        Column("Reason", 23, _reason, 1),
        last,
    ]


def _id(run_id: str, signal: SignalView) -> Span:
    """What `nightdesk explain` takes: within its own run a signal needs no more than the end of its id."""
    return Span(signal.signal_id.removeprefix(f"{run_id}-"), Tone.DIM)


def _sign(signal: SignalView) -> Span:
    if signal.state is None:
        return Span("~", Tone.DIM)
    return Span("ok", Tone.GOOD) if signal.state is TerminalState.EXECUTED else Span("x", Tone.WARN)


def _reason(signal: SignalView) -> Span:
    sign = _sign(signal)
    return Span(f"{sign.text} {signal.reason_code.value if signal.reason_code else 'in flight'}", sign.tone)
