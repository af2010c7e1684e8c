"""One line to type a moment of a recorded run into."""

from textual import events
from textual.app import ComposeResult

from console.board import Board, Palette
from console.exact import ExactModalScreen
from console.pages.field import Field
from console.screens.question import boxed
from console.text import BLANK, ZONE, Line, Seen, Span, Tone, clock, date, wrap
from console.travel.moves import RULE

WIDTH = 64
TYPED_MAX = 40


def goto_lines(typed: str, seen: Seen | None, width: int) -> list[Line]:
    """The box: what was typed so far, what may be, and between which times the run lies."""
    body: list[Line] = [BLANK, (Span("> ", Tone.DIM), Span(typed, Tone.STRONG), Span("▏", Tone.STRONG)), BLANK]
    replay = seen.view.replay if seen is not None else None
    if replay is not None:
        first, last = (f"{date(at_ns)} {clock(at_ns)}" for at_ns in (replay.first_ns, replay.last_ns))
        body.append((Span(f"the run: {first} to {last} {ZONE.name}", Tone.DIM),))
    body.extend((Span(text, Tone.DIM),) for text in wrap(RULE, width - 4))
    body.append((Span(" Enter  Go ", Tone.CHOSEN), Span("  Esc  nothing happens", Tone.DIM)))
    return boxed("Go to", Tone.TITLE, body, width)


class GotoScreen(ExactModalScreen[str | None], inherit_bindings=False):
    """Ends with what was typed, or None."""

    def __init__(self, palette: Palette) -> None:
        super().__init__()
        self._field = Field(most=TYPED_MAX)
        self._seen: Seen | None = None
        self.board = Board(palette)

    def compose(self) -> ComposeResult:
        yield self.board

    def show(self, seen: Seen | None) -> None:
        self._seen = seen
        width = min(WIDTH, self.app.size.width)
        lines = goto_lines(self._field.text, seen, width)
        self.board.styles.width, self.board.styles.height = width, min(len(lines), self.app.size.height)
        self.board.show(lines[-self.app.size.height :])

    def on_key(self, event: events.Key) -> None:
        """Every key ends here."""
        event.stop()
        event.prevent_default()
        if event.key in ("escape", "ctrl+c"):
            self.dismiss(None)
        elif event.key == "enter":
            self.dismiss(self._field.text)
        else:
            self._field.press(event.key, event.character)
        if self.is_current:
            self.show(self._seen)
