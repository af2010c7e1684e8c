"""The command menu: every page, key and look by its name. Type to narrow it, Enter does it."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from textual import events
from textual.app import ComposeResult

from console.board import Board, Palette
from console.exact import ExactModalScreen
from console.pages.field import Field
from console.screens.question import boxed
from console.text import BLANK, Line, Span, Tone, fit, said, wrap

WIDTH: Final = 72
ROWS: Final = 14


class Entry(NamedTuple):
    """One thing the console can do: `action` is its name for the app, `key` does it without the menu."""

    action: str
    label: str
    key: str = ""
    help: str = ""


def matching(entries: Sequence[Entry], typed: str) -> list[Entry]:
    """The entries that have every word typed, those whose label begins so first."""
    words = typed.casefold().split()
    found = [entry for entry in entries if all(word in f"{entry.label} {entry.help}".casefold() for word in words)]
    return sorted(found, key=lambda entry: not entry.label.casefold().startswith(typed.casefold().strip()))


def menu_lines(entries: Sequence[Entry], typed: str, cursor: int, width: int, rows: int = ROWS) -> list[Line]:
    """The menu as a box of `width` cells and always the same height."""
    found = matching(entries, typed)
    top = max(min(cursor - rows + 1, len(found) - rows), 0)
    inner = width - 4
    body: list[Line] = [(Span(": ", Tone.TITLE), Span(said(typed, inner - 4)), Span("▏", Tone.STRONG)), BLANK]
    for at, entry in enumerate(found[top : top + rows], top):
        text = f"{fit(entry.key, 4)} {fit(entry.label, 18)} {fit(entry.help, inner - 26)}"
        body.append(
            (Span("> " if at == cursor else "  ", Tone.STRONG), Span(text, Tone.CHOSEN if at == cursor else Tone.PLAIN))
        )
    if not found:
        body.append((Span("  nothing is called so", Tone.DIM),))
    body.extend([BLANK] * (rows + 2 - len(body)))
    told = wrap(found[cursor].help, inner)[:2] if found and cursor < len(found) else []
    body.extend((Span(text, Tone.DIM),) for text in told)
    body.extend([BLANK] * (2 - len(told)))
    body.append((Span("↑↓ choose, Enter does it, Esc leaves", Tone.DIM),))
    return boxed("What to do", Tone.TITLE, body, width)


class MenuScreen(ExactModalScreen[str | None], inherit_bindings=False):
    """Ends with the action chosen, or None."""

    def __init__(self, entries: Sequence[Entry], palette: Palette) -> None:
        super().__init__()
        self._entries = entries
        self._field = Field()
        self._cursor = 0
        self.board = Board(palette)

    def compose(self) -> ComposeResult:
        yield self.board

    def show(self) -> None:
        width, height = self.app.size
        width, rows = min(WIDTH, width), max(min(ROWS, height - 8), 1)
        lines = menu_lines(self._entries, self._field.text, self._cursor, width, rows)
        self.board.styles.width, self.board.styles.height = width, min(len(lines), height)
        self.board.show(lines)

    def on_key(self, event: events.Key) -> None:
        """Every key ends here: what is typed at the menu must not reach the desk, except a kill."""
        event.stop()
        event.prevent_default()
        found = matching(self._entries, self._field.text)
        match event.key:
            case "escape" | "ctrl+c":
                self.dismiss(None)
                return
            case "K" | "shift+k" if any(entry.action == "kill" for entry in self._entries):
                self.dismiss("kill")
                return
            case "enter":
                if found:
                    self.dismiss(found[self._cursor].action)
                return
            case "up" | "down" if found:
                self._cursor = (self._cursor + (1 if event.key == "down" else -1)) % len(found)
            case _:
                if self._field.press(event.key, event.character):
                    self._cursor = 0
        self.show()
