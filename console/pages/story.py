"""A signal opened: why it ended so, every rule that judged it, and every order, fill and trade that followed."""

from collections.abc import Sequence

from console.pages.listing import Detail
from console.story import Check, check
from console.table import Column, table
from console.text import BLANK, Line, Span, Tone, clock, date, heading, said, signed, toned, wrap
from engine.core import money
from engine.core.words import TerminalState
from store.queries import Queries
from store.records import TraceRecord

REFUSED = "refused"


async def story(queries: Queries, signal_id: str) -> Detail | None:
    """The story of a signal, for any width; None for what no signal is behind."""
    steps = await queries.trace(signal_id) if signal_id else []
    return (lambda width: story_lines(steps, width)) if steps else None


def story_lines(steps: Sequence[TraceRecord], width: int) -> list[Line]:
    """Every step, the verdict first."""
    raised = next((step for step in steps if step.what == "signal"), steps[0])
    outcome = next((step for step in steps if step.what == "outcome"), None)
    title = f"Signal {said(raised.id, width)}"
    lines: list[Line] = [heading(title, (Span(said(f"{raised.symbol} {raised.state}", width), Tone.STRONG),), width)]
    lines.extend(_told("raised", f"{date(raised.at_ns)} {clock(raised.at_ns)}  {raised.text}", width, Tone.PLAIN))
    if outcome is None:
        lines.append((Span("ended     ", Tone.DIM), Span("~ in flight", Tone.WARN)))
    else:
        good = outcome.state == TerminalState.EXECUTED
        lines.extend(_told("ended", outcome.state, width, Tone.GOOD if good else Tone.WARN))
        lines.extend(_told("why", outcome.text, width, Tone.STRONG))
    happened = [step for step in steps if step.what not in ("check", "signal", "outcome")]
    if happened:
        lines.extend([BLANK, heading("What followed", (), width), *table(_STEPS, happened, width)])
    judged = [check(step) for step in steps if step.what == "check"]
    if judged:
        refused = sum(one.verdict == REFUSED for one in judged)
        told = f"{refused} of {len(judged)} rules refused it" if refused else f"all {len(judged)} rules let it pass"
        lines.extend([BLANK, heading("What every rule said", (Span(told, Tone.DIM),), width)])
        lines.extend(table(_CHECKS, sorted(judged, key=lambda one: one.verdict != REFUSED), width))
    return lines


def _told(name: str, text: str, width: int, tone: Tone) -> list[Line]:
    texts = wrap(text, width - 10) or ["-"]
    return [(Span(f"{name if at == 0 else '':<10}", Tone.DIM), Span(one, tone)) for at, one in enumerate(texts)]


def _verdict(one: Check) -> Span:
    return Span(f"x {one.verdict}", Tone.BAD) if one.verdict == REFUSED else Span(f"ok {one.verdict}", Tone.GOOD)


_CHECKS = (
    Column[Check]("Layer", 5, lambda c: Span(c.layer, Tone.DIM), 5),
    Column[Check]("Rule", 17, lambda c: Span(c.rule, Tone.STRONG), 0),
    Column[Check]("Measured", 12, lambda c: Span(c.measured), 1, right=True),
    Column[Check]("Limit", 14, lambda c: Span(c.limit), 2, right=True),
    Column[Check]("Verdict", 10, _verdict, 3),
    Column[Check]("What must hold", 16, lambda c: Span(c.says, Tone.DIM), 4, grows=True),
)


def _brought(step: TraceRecord) -> Span:
    if not step.amount:
        return Span("")
    value = money.parse(step.amount)
    return Span(signed(value), toned(value))


_STEPS = (
    Column[TraceRecord]("Time", 8, lambda s: Span(clock(s.at_ns), Tone.DIM), 2),
    Column[TraceRecord]("What", 8, lambda s: Span(s.what, Tone.STRONG), 0),
    Column[TraceRecord]("State", 16, lambda s: Span(s.state), 1),
    Column[TraceRecord]("Qty", 10, lambda s: Span(s.qty), 3, right=True),
    Column[TraceRecord]("Price", 11, lambda s: Span(s.price), 4, right=True),
    Column[TraceRecord]("Fee", 8, lambda s: Span(said(s.fee, 8), Tone.DIM), 7, right=True),
    Column[TraceRecord]("Result", 9, _brought, 5, right=True),
    Column[TraceRecord]("Id", 24, lambda s: Span(s.id, Tone.DIM), 8),
    Column[TraceRecord]("Why", 12, lambda s: Span(s.text), 6, grows=True),
)
