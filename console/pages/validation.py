"""How far the validation protocol is and which criteria hold, or how to start one; and the verdicts on record."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from console.pages.base import Hint, Page
from console.pages.scrolled import Scroll
from console.table import Column, table
from console.text import (
    BLANK,
    SECOND,
    Line,
    Seen,
    Span,
    Tone,
    bar,
    count_of,
    heading,
    moment,
    said,
    timer,
    wrap,
)
from engine.core import money
from engine.core.times import stretch
from engine.core.view import CriterionView, ProtocolView
from engine.review.live_gate import Level
from engine.review.protocol import Protocol, State, Verdict
from engine.review.protocols import PROTOCOLS
from store.queries import Queries
from store.records import VerdictRecord
from store.verdicts import SignedStatement

AGAIN_NS: Final = 60 * SECOND
NAME_WIDTH: Final = 10


class Ended(NamedTuple):
    """A verdict on record; `verdict` None: its signature does not hold, or it cannot be read."""

    at_ns: int
    protocol_id: str
    verdict: Verdict | None


class ValidationPage(Page):
    name = "Validation"
    says = "How far the validation protocol is, which criteria hold so far, and the verdicts on record."

    def __init__(self) -> None:
        self.problem = ""
        self._ended: Sequence[Ended] | None = None
        self._read_ns = 0
        self._scroll = Scroll()

    def body(self, seen: Seen, width: int, height: int) -> list[Line]:
        protocol = seen.view.protocol
        lines = _none(width) if protocol is None else _under_way(protocol, width)
        lines.extend([BLANK, *_gate(seen.view.gate_level, width), BLANK, *self._verdicts(width)])
        return self._scroll.window(lines, height)

    def hints(self) -> tuple[Hint, ...]:
        return self._scroll.hints()

    def press(self, key: str, character: str | None) -> bool:
        return self._scroll.press(key)

    def wants(self, seen: Seen, now_ns: int) -> bool:
        return (self._ended is None and not self.problem) or now_ns - self._read_ns >= AGAIN_NS

    async def read(self, queries: Queries, now_ns: int) -> None:
        self._ended = [ended(record) for record in await queries.verdicts()]
        self._read_ns, self.problem = now_ns, ""

    def failed(self, text: str, now_ns: int) -> None:
        self.problem, self._read_ns = text, now_ns

    def leave(self) -> None:
        self._ended, self.problem = None, ""
        self._scroll.to_top()

    def _verdicts(self, width: int) -> list[Line]:
        lines = [heading("Verdicts on record", (), width)]
        if self.problem:
            return [*lines, (Span("x ", Tone.BAD), Span(said(self.problem, width - 2), Tone.BAD))]
        if self._ended is None:
            return [*lines, (Span("reading the verdicts ...", Tone.DIM),)]
        if not self._ended:
            return [*lines, (Span("none yet", Tone.DIM),)]
        return [*lines, *table(_ENDED, self._ended, width)]


def ended(record: VerdictRecord) -> Ended:
    """A verdict as its desk signed it."""
    verdict = None
    try:
        signed = msgspec.json.decode(record.body, type=SignedStatement)
        if signed.is_genuine:
            verdict = signed.said.verdict
    except msgspec.MsgspecError:
        pass  # shown as one that does not hold
    return Ended(record.at_ns, record.protocol_id, verdict)


# --- a protocol under way ---


def _under_way(protocol: ProtocolView, width: int) -> list[Line]:
    lines = [heading("Validation", (Span(said(protocol.protocol_id, width), Tone.STRONG),), width)]
    for why in protocol.rehearsal:
        text = f"REHEARSAL: {why}: it can never unlock live trading"
        lines.extend((Span(f"! {one}" if at == 0 else f"  {one}", Tone.WARN),) for at, one in _numbered(text, width))
    lines.extend(_progress(protocol, width))
    for about in dict.fromkeys(one.about for one in protocol.criteria):
        criteria = [one for one in protocol.criteria if one.about == about]
        lines.extend([BLANK, heading(said(about.capitalize(), width), _count(criteria), width)])
        ranked = sorted(criteria, key=_rank)
        lines.extend(table(_CRITERIA, ranked, width))
    return lines


def _numbered(text: str, width: int) -> list[tuple[int, str]]:
    return list(enumerate(wrap(text, max(width - 2, 1))))


def _progress(protocol: ProtocolView, width: int) -> list[Line]:
    if not protocol.started_ns:
        return [_entry("progress", Span("~ it has not begun to trade", Tone.WARN))]
    share = money.div(min(protocol.elapsed_ns, protocol.of_ns), protocol.of_ns) if protocol.of_ns else 0
    done = f" {share * 100 // money.SCALE} %"
    day = f"day {protocol.day} of {protocol.days}, " if protocol.days > 1 else ""
    outages = Span(count_of(protocol.outages, "outage"), Tone.WARN if protocol.outages else Tone.DIM)
    return [
        _entry("time", Span(f"{day}{timer(protocol.elapsed_ns)} of {stretch(protocol.of_ns)}  "), outages),
        _entry("progress", *bar(share, max(min(width - NAME_WIDTH - 8, 60), 1)), Span(done)),
    ]


def _entry(name: str, *told: Span) -> Line:
    return (Span(f"{name:<{NAME_WIDTH}}", Tone.DIM), *told)


def _count(criteria: Sequence[CriterionView]) -> Line:
    failing = sum(one.state == State.FAIL for one in criteria)
    hold = sum(one.state == State.PASS for one in criteria)
    told = Span(f"{hold} of {len(criteria)} hold so far", Tone.PLAIN if failing else Tone.DIM)
    fail = "fails" if failing == 1 else "fail"
    return (Span(f"x {failing} {fail}, ", Tone.BAD), told) if failing else (told,)


_STATES: Final[dict[str, Span]] = {
    State.FAIL: Span("x FAIL", Tone.BAD),
    State.OPEN: Span("~ open", Tone.DIM),
    State.PASS: Span("ok PASS", Tone.GOOD),
}


def _state(one: CriterionView) -> Span:
    return _STATES.get(one.state, Span(f"! {one.state}", Tone.WARN))


def _rank(one: CriterionView) -> int:
    """What does not hold stands first."""
    return [*_STATES].index(one.state) if one.state in _STATES else -1


_CRITERIA = (
    Column[CriterionView]("State", 9, _state, 0),
    Column[CriterionView]("What must be so", 28, lambda one: Span(one.text), 1, grows=True),
    Column[CriterionView]("Measured", 18, lambda one: Span(one.measured or "-", Tone.STRONG), 2),
    Column[CriterionView]("Threshold", 18, lambda one: Span(one.threshold, Tone.DIM), 3),
    Column[CriterionView]("Id", 22, lambda one: Span(one.id, Tone.DIM), 4),
)


def _gate(level: str, width: int) -> list[Line]:
    """What live orders may do by all of it."""
    tone = Tone.GOOD if level in _MEANS and level not in (Level.DENIED, Level.PAPER_ONLY) else Tone.WARN
    means = _MEANS.get(level, "this console does not know the level")
    told = wrap(f"{means}. nightdesk gate says why.", width)
    return [heading("Live gate", (Span(said(level, width), tone),), width), *((Span(text),) for text in told)]


_MEANS: Final[dict[str, str]] = {
    Level.DENIED: "No live order may leave: no validation that counts is on record",
    Level.PAPER_ONLY: "No live order may leave: what passed was a rehearsal",
    Level.LIMITED: "Live orders may leave, up to the cap of the stage",
    Level.FULL: "Live orders may leave, within the desk's own limits",
}


# --- none, and those that have ended ---


def _none(width: int) -> list[Line]:
    lines: list[Line] = [
        heading("Validation", (Span("no protocol under way", Tone.DIM),), width),
        *((Span(text),) for text in wrap(_HOW, width)),
        BLANK,
        *table(_PROTOCOLS, list(PROTOCOLS.values()), width),
    ]
    return lines


_HOW: Final = (
    "A protocol fixes its criteria first, runs the desk by itself, and judges the record once at its end. End this "
    "session, then start one; the same command goes on with it after any stop."
)
_PROTOCOLS = (
    Column[Protocol]("Command", 29, lambda one: Span(f"nightdesk validate {one.name}", Tone.STRONG), 0),
    Column[Protocol]("Lasts", 10, lambda one: Span(_length(one)), 1),
    Column[Protocol]("Criteria", 10, lambda one: Span(str(len(one.criteria)), Tone.DIM), 2, grows=True),
)


def _length(protocol: Protocol) -> str:
    if protocol.days is None:
        return stretch(protocol.length_ns)
    first, last = protocol.days
    return f"{first}-{last} days"


def _end(one: Ended) -> Span:
    if one.verdict is None:
        return Span("x forged", Tone.ALARM)
    return Span("ok PASS", Tone.GOOD) if one.verdict.passed else Span("x FAIL", Tone.BAD)


def _why(one: Ended) -> Span:
    if one.verdict is None:
        return Span("its signature does not hold, or it cannot be read", Tone.BAD)
    failed = f"failed by {', '.join(one.verdict.failed)}" if one.verdict.failed else one.verdict.exit
    return Span(f"rehearsal; {failed}" if one.verdict.rehearsal else failed, Tone.DIM)


_ENDED = (
    Column[Ended]("Judged", 14, lambda one: Span(moment(one.at_ns), Tone.DIM), 2),
    Column[Ended]("Protocol", 25, lambda one: Span(one.protocol_id, Tone.STRONG), 0),
    Column[Ended]("Verdict", 8, _end, 1),
    Column[Ended]("Reliability", 11, lambda one: Span(one.verdict.reliability if one.verdict else "-"), 4),
    Column[Ended]("Economics", 10, lambda one: Span(one.verdict.economics if one.verdict else "-"), 5),
    Column[Ended]("Because", 20, _why, 3, grows=True),
)
