"""A widget that shows lines and repaints only the cells that differ from those it showed before.

Textual sends a whole dirty region to the terminal, changed or not, so the regions must be exact: over a slow line every
cell counts. Each line is drawn once and kept until it changes.
"""

from collections.abc import Sequence
from typing import Final

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from console.text import Line, Tone, cut_line

APART: Final = 5  # unchanged cells between two runs that cost less to resend than another cursor movement
Palette = dict[Tone, Style]


class Board(Widget, can_focus=False):
    """Shows what it is given; decides nothing. The palette says how each tone looks."""

    DEFAULT_CSS = "Board { width: 1fr; height: 1fr; }"

    def __init__(self, palette: Palette, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._palette = palette
        self._lines: list[Line] = []
        self._strips: dict[int, Strip] = {}
        self.cells_drawn = 0

    @property
    def lines(self) -> Sequence[Line]:
        """What is shown now."""
        return self._lines

    def show(self, lines: Sequence[Line]) -> None:
        """Show `lines` from the top left; what equals the last ones is not touched."""
        before, self._lines = self._lines, list(lines)
        regions: list[Region] = []
        for y, line in enumerate(self._lines):
            if y >= len(before):
                self._strips.pop(y, None)
                regions.append(Region(0, y, self.size.width, 1))
            elif line != before[y]:
                self._strips.pop(y, None)
                regions.extend(Region(x, y, width, 1) for x, width in changed_runs(before[y], line))
        for y in range(len(self._lines), len(before)):
            self._strips.pop(y, None)
            regions.append(Region(0, y, self.size.width, 1))
        if regions:
            self.cells_drawn += sum(region.area for region in regions)
            self.refresh(*regions)

    def repaint(self) -> None:
        """Send every cell again: the terminal may have lost some."""
        self._strips.clear()
        self.refresh()

    def render_line(self, y: int) -> Strip:
        strip = self._strips.get(y)
        if strip is None or strip.cell_length != self.size.width:
            line = cut_line(self._lines[y] if y < len(self._lines) else (), self.size.width)
            segments = [Segment(span.text, self._palette[span.tone]) for span in line if span.text]
            strip = self._strips[y] = Strip(segments, self.size.width)
        return strip


def changed_runs(before: Line, after: Line) -> list[tuple[int, int]]:
    """Where `after` differs from `before`: (first cell, number of cells), left to right, near ones joined.

    A run never begins or ends within a character of two cells.
    """
    old, new = _cells(before), _cells(after)
    blank = (" ", Tone.PLAIN)
    size = max(len(old), len(new))
    old.extend([blank] * (size - len(old)))
    new.extend([blank] * (size - len(new)))
    runs: list[tuple[int, int]] = []
    for x in range(size):
        if old[x] == new[x]:
            continue
        first, last = x, x + 1
        while first > 0 and not (new[first][0] and old[first][0]):
            first -= 1  # the second cell of a wide character, in either line
        while last < size and not (new[last][0] and old[last][0]):
            last += 1
        if runs and first - sum(runs[-1]) <= APART:
            start = runs[-1][0]
            runs[-1] = (start, max(last, sum(runs[-1])) - start)
        else:
            runs.append((first, last - first))
    return runs


def _cells(line: Line) -> list[tuple[str, Tone]]:
    """One entry for each cell; the second cell of a wide character is empty."""
    cells: list[tuple[str, Tone]] = []
    for text, tone in line:
        if text.isascii():
            cells.extend((char, tone) for char in text)
            continue
        for char in text:
            cells.append((char, tone))
            cells.extend([("", tone)] * (cell_len(char) - 1))
    return cells


def plain(lines: Sequence[Line]) -> str:
    """The lines as text without tones, for logs and tests."""
    return "\n".join("".join(span.text for span in line).rstrip() for line in lines)
