"""Every key and every sign, from the tables that drive them."""

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from console.actions import actions, footer
from console.board import Board, Palette
from console.exact import ExactScreen
from console.pages.base import Page
from console.seat import Seat
from console.text import BLANK, Line, Span, Tone, cut_line, heading, noted, wrap

SIGNS = (
    ("ok", Tone.GOOD, "all is well"),
    ("!", Tone.WARN, "look at it: near a limit, or something is missing"),
    ("x", Tone.BAD, "not right: tripped, refused, lost, stale"),
    ("~", Tone.WARN, "under way"),
)
KEY_WIDTH = 10


def help_page(
    width: int,
    height: int,
    seat: Seat = Seat.OWNER,
    notice: Span | None = None,
    page: Page | None = None,
    pages: Sequence[Page] = (),
) -> list[Line]:
    """The help as exactly `height` lines of `width` cells, below what became of the operator's last wish.

    First come the keys of `page`, the one it was asked from, then those of the desk, then what `pages` there are.
    """
    lines: list[Line] = [*noted(notice, width)]
    if page is not None and page.hints():
        lines.append(heading(f"Keys of {page.name}", (), width))
        for hint in page.hints():
            lines.extend(_entry(Span(f" {hint.key} ", Tone.KEY), hint.help, width))
    lines.append(heading("Keys", (), width))
    for action in (one for one in actions(seat) if one.help):
        lines.extend(_entry(Span(f" {action.key} ", Tone.KEY), action.help, width))
    if pages:
        lines.append(heading("Pages", (), width))
        for number, one in enumerate(pages, 1):
            lines.extend(_entry(Span(f" {number} ", Tone.KEY), f"{one.name}: {one.says}", width))
    lines.append(heading("Signs", (), width))
    for mark, tone, meaning in SIGNS:
        lines.extend(_entry(Span(f" {mark} ", tone), meaning, width))
    lines.append((Span(" Esc ", Tone.KEY), Span(_back(seat), Tone.DIM)))
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

    def __init__(
        self, palette: Palette, seat: Seat = Seat.OWNER, page: Page | None = None, pages: Sequence[Page] = ()
    ) -> None:
        super().__init__()
        self._seat = seat
        self._page = page
        self._pages = pages
        self.board = Board(palette)

    def compose(self) -> ComposeResult:
        yield self.board

    def show(self, notice: Span | None) -> None:
        width, height = self.app.size
        if width and height:
            self.board.show(help_page(width, height, self._seat, notice, self._page, self._pages))
