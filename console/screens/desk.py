"""The desk: one board, all panels."""

from textual.app import ComposeResult

from console.board import Board, Palette
from console.exact import ExactScreen
from console.page import desk_page
from console.seat import Seat
from console.text import Seen, Span


class DeskScreen(ExactScreen[None], inherit_bindings=False):
    """Everything about one desk on one page."""

    def __init__(self, palette: Palette, seat: Seat = Seat.OWNER) -> None:
        super().__init__()
        self._seat = seat
        self.board = Board(palette)

    def compose(self) -> ComposeResult:
        yield self.board

    def show(self, seen: Seen | None, notice: Span | None) -> None:
        """Show what is known now."""
        width, height = self.app.size
        if width and height:
            self.board.show(desk_page(seen, width, height, notice, self._seat))
