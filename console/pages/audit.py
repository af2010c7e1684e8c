"""The journal: every fact in it, and whether its chain is whole."""

from collections.abc import Sequence
from typing import Final

import msgspec

from console.pages.listing import Detail, Listing
from console.table import Column
from console.text import Line, Seen, Span, Tone, clock, date, fit, heading, moment, said, wrap
from engine.core import money
from engine.core.facts import Fact
from engine.core.times import DAY, stretch
from store.queries import Queries
from store.records import EventRecord

NAME_MAX: Final = 30


class AuditPage(Listing[EventRecord]):
    name = "Audit"
    says = "The journal's facts, newest first; nightdesk audit verify checks its chain."
    noun = "facts"

    def __init__(self) -> None:
        super().__init__()
        self._seen: Seen | None = None

    def body(self, seen: Seen, width: int, height: int) -> list[Line]:
        self._seen = seen
        return super().body(seen, width, height)

    def _told(self) -> Line:
        if self._seen is None:
            return super()._told()
        view = self._seen.view
        head = f"chain {view.journal_rows:,} rows, head {said(view.journal_head, 12)}  " if view.journal_head else ""
        return (Span(head, Tone.DIM), *super()._told())

    def row_of(self, one: EventRecord) -> int:
        return one.id

    async def fetch(self, queries: Queries, limit: int, before: int) -> list[EventRecord]:
        return await queries.events(find=self.wanted, limit=limit, before=before)

    async def describe(self, queries: Queries, row: EventRecord) -> Detail | None:
        return lambda width: fact_lines(row, width)

    def columns(self, width: int) -> Sequence[Column[EventRecord]]:
        return _COLUMNS


def fields(event: EventRecord) -> dict[str, object]:
    """A fact by its fields; a row that is no fact in JSON, by its text."""
    try:
        found = msgspec.json.decode(event.body)
    except (msgspec.MsgspecError, UnicodeEncodeError):
        return {"text": event.body}
    return found if isinstance(found, dict) else {"value": found}


def told(event: EventRecord) -> dict[str, str]:
    """A row's fields as text: amounts as decimals, times as times; what is no fact as it was written."""
    is_fact = event.kind in _FACTS
    return {name: _amount(name, value) if is_fact else _text(value) for name, value in fields(event).items()}


def _amount(name: str, value: object) -> str:
    if not isinstance(value, int) or isinstance(value, bool) or name in _COUNTS:
        return _text(value)
    if name.endswith("_ns"):
        return f"{date(value)} {clock(value)}" if value > _A_YEAR else stretch(value)
    return money.text(value)


_FACTS: Final = frozenset(kind.__struct_config__.tag for kind in Fact.__subclasses__())
_COUNTS: Final = ("differences", "positions", "orders", "day", "ended_day", "rejects", "missed")
_A_YEAR: Final = 365 * DAY  # a number of nanoseconds above it is a moment, below it a span


def fact_lines(event: EventRecord, width: int) -> list[Line]:
    """A fact opened: where it stands, and every field of it."""
    place = f"row {event.id}, after input {event.seq}"
    lines: list[Line] = [heading(said(event.kind, width), (Span(place, Tone.DIM),), width)]
    shown = {
        "time": f"{date(event.at_ns)} {clock(event.at_ns)}.{event.at_ns // 1_000_000 % 1000:03d}",
        "run": event.run_id or "-",
        "symbol": event.symbol or "-",
        "ref": event.ref or "-",
        **told(event),
    }
    room = min(max(len(name) for name in shown), NAME_MAX)
    for name, value in shown.items():
        for at, part in enumerate(wrap(value, max(width - room - 2, 10)) or [""]):
            lines.append((Span(f"{fit(name if at == 0 else '', room)}  ", Tone.DIM), Span(part)))
    return lines


_APART = ("type", "at_ns", "symbol")  # they have columns of their own


def _text(value: object) -> str:
    """A value on one line that can be broken."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode().replace(",", ", ")


def _what(event: EventRecord) -> Span:
    texts = (f"{name}={value}" for name, value in told(event).items() if name not in _APART)
    return Span("  ".join(one for one in texts if event.ref not in one or not event.ref), Tone.DIM)


_COLUMNS = (
    Column[EventRecord]("Row", 8, lambda e: Span(str(e.id), Tone.DIM), 5, right=True),
    Column[EventRecord]("Time", 14, lambda e: Span(moment(e.at_ns), Tone.DIM), 1),
    Column[EventRecord]("Kind", 20, lambda e: Span(e.kind, Tone.STRONG), 0),
    Column[EventRecord]("Symbol", 9, lambda e: Span(e.symbol), 2),
    Column[EventRecord]("Ref", 24, lambda e: Span(e.ref, Tone.DIM), 4),
    Column[EventRecord]("What", 20, _what, 3, grows=True),
)
