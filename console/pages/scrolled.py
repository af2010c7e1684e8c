"""A page that is longer than the screen: it is scrolled, and says how much of it is below."""

from collections.abc import Sequence

from console.pages.base import Hint
from console.text import Line, Span, Tone


class Scroll:
    """Where a long page stands."""

    def __init__(self) -> None:
        self.to_top()
        self._height = 1

    def to_top(self) -> None:
        self._top = self._below = 0

    def window(self, lines: Sequence[Line], height: int) -> list[Line]:
        """The part that is shown in `height` lines."""
        self._height = max(height, 1)
        self._below = max(len(lines) - self._height, 0)
        self._top = min(self._top, self._below)
        shown = list(lines[self._top : self._top + self._height])
        if self._top < self._below:
            shown[-1] = (Span(f"↓ {self._below - self._top + 1} more lines", Tone.DIM),)
        return shown

    def hints(self) -> tuple[Hint, ...]:
        return (Hint("↑↓", "Scroll", "Scrolls; also PgUp, PgDn, Home and End."),) if self._below else ()

    def press(self, key: str) -> bool:
        """Take a key that moves; False for any other."""
        page = max(self._height - 1, 1)
        steps = {"up": -1, "down": 1, "pageup": -page, "pagedown": page, "home": -self._top, "end": self._below}
        if key not in steps:
            return False
        self._top = min(max(self._top + steps[key], 0), self._below)
        return True
