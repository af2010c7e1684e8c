"""The desk: one board, which shows one page at a time below the head that every page has."""

from textual import events
from textual.app import ComposeResult

from console.board import Board, Palette
from console.exact import ExactScreen
from console.page import desk_page
from console.pages import all_pages
from console.pages.base import Page
from console.seat import Seat
from console.text import Seen, Span

KILL_KEYS = ("K", "shift+k", "ctrl+c")  # no page may take them for text


class DeskScreen(ExactScreen[None], inherit_bindings=False):
    """Everything about one desk, page by page."""

    def __init__(self, palette: Palette, seat: Seat = Seat.OWNER) -> None:
        super().__init__()
        self._seat = seat
        self.pages = all_pages()
        self.page: Page = self.pages[0]
        self.board = Board(palette)

    def compose(self) -> ComposeResult:
        yield self.board

    def turn_to(self, number: int) -> None:
        """Show the page with this number, from 1; a number without a page does nothing."""
        if 0 < number <= len(self.pages) and self.page is not self.pages[number - 1]:
            self.page.leave()
            self.page = self.pages[number - 1]

    def show(self, seen: Seen | None, notice: Span | None) -> None:
        """Show what is known now."""
        if seen is not None:
            for page in self.pages:
                page.see(seen)
        width, height = self.app.size
        if width and height:
            self.board.show(desk_page(seen, width, height, notice, self._seat, page=self.page))

    def on_key(self, event: events.Key) -> None:
        """The page has the first word, except over a kill."""
        if event.key in KILL_KEYS:
            return
        taken = self.page.press(event.key, event.character)
        if not taken and event.key == "escape":
            taken = True
            self.turn_to(1)
        if taken:
            event.stop()
            event.prevent_default()
            self.app.draw_soon()  # type: ignore[attr-defined]
