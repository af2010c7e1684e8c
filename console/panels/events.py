"""What happened lately, newest first."""

from console.table import Column, table
from console.text import Line, Seen, Span, Tone, clock, heading
from engine.core.view import NoteView

_TONES = {"warning": Tone.WARN, "error": Tone.BAD}
_SIGNS = {"warning": "!", "error": "x"}


def title(seen: Seen, width: int) -> Line:
    notes = seen.view.notes
    loud = sum(note.level != "info" for note in notes)
    right = Span(f"{loud} of the last {len(notes)} want attention", Tone.WARN) if loud else Span("ok quiet", Tone.GOOD)
    return heading("Events", (right,), width)


def rows(seen: Seen, width: int) -> list[Line]:
    notes = seen.view.notes
    return table(_COLUMNS, notes, width)[1:] if notes else [(Span("nothing yet", Tone.DIM),)]


def _tone(note: NoteView) -> Tone:
    return _TONES.get(note.level, Tone.PLAIN)


_COLUMNS: list[Column[NoteView]] = [
    Column("", 1, lambda n: Span(_SIGNS.get(n.level, " "), _tone(n)), 0),
    Column("", 8, lambda n: Span(clock(n.at_ns), Tone.DIM), 1),
    Column("", 12, lambda n: Span(n.kind.replace("_", " "), _tone(n)), 2),
    Column("", 10, lambda n: Span(n.text, _tone(n)), 3, grows=True),
]
