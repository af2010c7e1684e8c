"""Every key and every sign, from the tables that drive them."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from console.actions import actions, footer
from console.board import Board, Palette
from console.exact import ExactScreen
from console.seat import Seat
from console.text import BLANK, Line, Span, Tone, cut_line, heading, noted, wrap

SIGNS = (
    ("ok", Tone.GOOD, "all is well"),
    ("!", Tone.WARN, "look at it: near a limit, or something is missing"),
    ("x", Tone.BAD, "not right: tripped, refused, lost, stale"),
    ("~", Tone.WARN, "under way"),
)
KEY_WIDTH = 10


def help_page(width: int, height: int, seat: Seat = Seat.OWNER, notice: Span | None = None) -> list[Line]:
    """The help as exactly `height` lines of `width` cells, below what became of the operator's last wish."""
    lines: list[Line] = [*noted(notice, width), heading("Keys", (), width)]
    for action in (one for one in actions(seat) if one.help):
        lines.extend(_entry(Span(f" {action.key} ", Tone.KEY), action.help, width))
    lines.extend([BLANK, heading("Signs", (), width)])
    for mark, tone, meaning in SIGNS:
        lines.extend(_entry(Span(f" {mark} ", tone), meaning, width))
    lines.extend([BLANK, (Span(" Esc ", Tone.KEY), Span(_back(seat), Tone.DIM))])
    lines = [*lines[: height - 1], *[BLANK] * (height - 1 - len(lines)), footer(width, seat)]
    return [cut_line(line, width) for line in lines]


def _back(seat: Seat) -> str:
    return " back to the desk; p and K work here too" if seat.acts else " back to the desk"


def _entry(key: Span, text: str, width: int) -> list[Line]:
    blanks = " " * (KEY_WIDTH - len(key.text))
    texts = wrap(text, max(width - KEY_WIDTH - 1, 1))
    return [(key, Span(blanks + line)) if at == 0 else (Span(" " * KEY_WIDTH + line),) for at, line in enumerate(texts)]


class HelpScreen(ExactScreen[None], inherit_bindings=False):
    """Goes back on Esc; the app's own keys keep working."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape,enter", "dismiss", "Back")]

    def __init__(self, palette: Palette, seat: Seat = Seat.OWNER) -> None:
        super().__init__()
        self._seat = seat
        self.board = Board(palette)

    def compose(self) -> ComposeResult:
        yield self.board

    def show(self, notice: Span | None) -> None:
        width, height = self.app.size
        if width and height:
            self.board.show(help_page(width, height, self._seat, notice))
