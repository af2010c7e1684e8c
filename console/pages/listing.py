"""A page that is a list: rows from the desk's memory, newest first; a cursor, a filter, and one row opened.

Rows come in portions, as far as somebody looks; the newest are read again while the list stands at its head, and once
more when the desk has done something. A filter is asked of the database, so that it finds what was never scrolled to.
"""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Final, Generic, TypeVar

from console.pages.base import Hint, Page
from console.pages.field import Field
from console.table import Column, table
from console.text import BLANK, SECOND, Line, Seen, Span, Tone, cut_line, date_utc, heading, said
from engine.core.times import DAY
from store.searches import NEWEST

PORTION: Final = 200
AHEAD: Final = 100  # rows kept loaded below the cursor
ROWS_MAX: Final = 20_000
AGAIN_NS: Final = SECOND
Detail = Callable[[int], list[Line]]  # by width

R = TypeVar("R", bound=Any)


class Listing(Page, Generic[R]):
    """Shows what `fetch` gives. A row is known by its `row`, the journal's number of it."""

    noun = "rows"

    def __init__(self) -> None:
        self.rows: list[R] = []
        self.find = ""
        self.problem = ""
        self._cursor = self._top = 0
        self._height = 1
        self._field: Field | None = None
        self._asked: tuple[object, ...] | None = None  # what the rows that are shown were asked by
        self._stamp = self._newest_stamp = -1
        self._before = NEWEST  # only rows older than this: of a recorded run, those from up to where it stands
        self._read_ns = 0
        self._now_ns = 0  # of the desk
        self._then_ns: int | None = None  # where a recorded run stands
        self._is_whole = False
        self._opened: R | None = None
        self._detail: Detail | None = None
        self._detail_top = 0

    # --- what a list says of itself ---

    @abstractmethod
    async def fetch(self, source: Any, limit: int, before: int) -> list[R]:
        """A portion that fits `self.find`, newest first."""

    @abstractmethod
    def columns(self, width: int) -> Sequence[Column[R]]:
        """How a row is shown."""

    async def describe(self, source: Any, row: R) -> Detail | None:
        """Everything there is to say about a row; None if that is no more than its line."""
        return None

    def question(self) -> tuple[object, ...]:
        """All that decides which rows are shown."""
        return (self.find,)

    def as_of(self, row: R, then_ns: int) -> R:
        """A row as it stood at a moment of a recorded run, without what came later."""
        return row

    def title(self) -> str:
        return self.name

    def row_of(self, one: R) -> int:
        return int(one.row)

    def is_by_row(self) -> bool:
        """Whether the newest row comes first; in any other order there is one portion and no more."""
        return True

    @property
    def wanted(self) -> str:
        """The filter as the books know it: days by their date."""
        days = {"today": self._now_ns, "yesterday": self._now_ns - DAY}
        return " ".join(date_utc(days[word]) if word in days else word for word in self.find.lower().split())

    # --- showing ---

    def body(self, seen: Seen, width: int, height: int) -> list[Line]:
        self._newest_stamp = seen.view.journal_rows
        self._now_ns = seen.view.at_ns
        self._then_ns = seen.view.at_ns if seen.view.replay is not None else None
        self._before = NEWEST if seen.view.replay is None else seen.view.journal_rows + 1
        if self._opened is not None:
            return self._detail_body(width, height)
        lines = [heading(self.title(), self._told(), width)]
        if self.find or self._field is not None:
            lines.append(self._filter_line(width))
        if self.problem:
            lines.append((Span("x ", Tone.BAD), Span(said(self.problem, width - 2), Tone.BAD)))
        if not self.rows:
            lines.append((Span(self._nothing(), Tone.DIM),))
            return lines
        self._height = max(height - len(lines) - 1, 1)
        self._scroll()
        shown = self.rows[self._top : self._top + self._height]
        drawn = table(self.columns(width - 2), shown, width - 2)
        lines.append((Span("  "), *drawn[0]))
        for at, line in enumerate(drawn[1:], self._top):
            lines.append(_chosen(line, width) if at == self._cursor else (Span("  "), *line))
        return lines

    def _told(self) -> Line:
        more = "" if self._is_whole else "+"
        place = f"{min(self._cursor + 1, len(self.rows)):,} of {len(self.rows):,}{more}" if self.rows else "none"
        return (Span(place, Tone.DIM),)

    def _nothing(self) -> str:
        if self._asked is None:
            return f"reading the {self.noun} ..."
        return f"no {self.noun} with {said(self.find, 60)!r}" if self.find else f"no {self.noun} yet"

    def _filter_line(self, width: int) -> Line:
        if self._field is None:
            kept = said(self.find, width - 30)
            return (Span("filter ", Tone.DIM), Span(kept, Tone.STRONG), Span("  Esc clears", Tone.DIM))
        typed, told = said(self._field.text, width - 36), "  Enter keeps, Esc clears"
        return (Span(" filter ", Tone.KEY), Span(f" {typed}"), Span("▏", Tone.STRONG), Span(told, Tone.DIM))

    def _detail_body(self, width: int, height: int) -> list[Line]:
        if self._detail is None:
            return [heading(self.title(), (), width), (Span("reading ...", Tone.DIM),)]
        lines = self._detail(width)
        self._height = height
        self._detail_top = max(min(self._detail_top, len(lines) - height), 0)
        left = len(lines) - self._detail_top - height
        if left > 0:
            lines = lines[self._detail_top : self._detail_top + height - 1]
            return [*lines, (Span(f"↓ {left + 1} more lines", Tone.DIM),)]
        return lines[self._detail_top :]

    def _scroll(self) -> None:
        self._cursor = max(min(self._cursor, len(self.rows) - 1), 0)
        self._top = min(max(self._top, self._cursor - self._height + 1), self._cursor)

    # --- keys ---

    def hints(self) -> tuple[Hint, ...]:
        if self._field is not None:
            return (Hint("Enter", "Keep", "Keeps the filter."), Hint("Esc", "Clear", "Clears the filter."))
        if self._opened is not None:
            return (Hint("Esc", "Back", "Back to the list."), Hint("↑↓", "Scroll", "Scrolls."))
        back = (Hint("Esc", "Clear", "Clears the filter."),) if self.find else ()
        return (
            *back,
            Hint("Enter", "Open", "Opens the chosen row."),
            Hint("/", "Filter", "Keeps rows that have every word (a symbol, a reason, an id, a day) and no !word."),
            Hint("↑↓", "Move", "Moves; also PgUp, PgDn, Home and End."),
        )

    @property
    def is_typing(self) -> bool:
        return self._field is not None

    def press(self, key: str, character: str | None) -> bool:
        if self._field is not None:
            return self._type(self._field, key, character)
        if self._opened is not None:
            return self._turn(key)
        match key:
            case "slash":
                self._field = Field(self.find)
            case "escape" if self.find:
                self.look_for("")
            case "enter" if self.rows:
                self._opened, self._detail, self._detail_top = self.rows[self._cursor], None, 0
            case _:
                return self._move(key)
        return True

    def look_for(self, words: str) -> None:
        """Filter by `words`."""
        self.find = words
        self._cursor = self._top = 0

    def _type(self, field: Field, key: str, character: str | None) -> bool:
        match key:
            case "enter":
                self._field = None
            case "escape":
                self._field = None
                self.look_for("")
            case _ if not field.press(key, character):
                return self._move(key)
            case _:
                self.look_for(field.text)
        return True

    def _steps(self, key: str) -> int | None:
        page = max(self._height - 1, 1)
        return {"up": -1, "down": 1, "pageup": -page, "pagedown": page, "home": -ROWS_MAX, "end": ROWS_MAX}.get(key)

    def _move(self, key: str) -> bool:
        steps = self._steps(key)
        if steps is None:
            return False
        self._cursor = max(min(self._cursor + steps, len(self.rows) - 1), 0)
        return True

    def _turn(self, key: str) -> bool:
        steps = self._steps(key)
        if key in ("escape", "left"):
            self._opened = self._detail = None
        elif steps is not None:
            self._detail_top = max(self._detail_top + steps, 0)
        else:
            return False
        return True

    # --- reading ---

    def wants(self, seen: Seen, now_ns: int) -> bool:
        if self._opened is not None:
            return self._detail is None
        if self._asked != self.question() or self._needs_more():
            return True
        moved = self._stamp != seen.view.journal_rows or bool(self.problem)
        return moved and now_ns - self._read_ns >= AGAIN_NS

    def _needs_more(self) -> bool:
        return self.is_by_row() and not (self._is_whole or self.problem) and len(self.rows) - self._cursor < AHEAD

    async def read(self, source: Any, now_ns: int) -> None:
        if self._opened is not None:
            opened = self._opened
            self._detail = await self.describe(source, opened) or _line_alone(self.columns, opened)
            return
        asked, stamp = self.question(), self._newest_stamp
        if asked == self._asked and self._needs_more() and self.rows and stamp == self._stamp:
            older = await self._portion(source, self.row_of(self.rows[-1]))
            if asked == self.question():
                self.rows.extend(older)
                self._is_whole = len(older) < PORTION or len(self.rows) >= ROWS_MAX
            return
        newest = await self._portion(source, self._before)
        if asked == self.question():
            self._take(newest, asked)
            self._stamp, self._read_ns, self.problem = stamp, now_ns, ""

    async def _portion(self, source: Any, before: int) -> list[R]:
        rows, then_ns = await self.fetch(source, PORTION, before), self._then_ns
        return rows if then_ns is None else [self.as_of(row, then_ns) for row in rows]

    def _take(self, newest: list[R], asked: tuple[object, ...]) -> None:
        """The newest portion, with what was loaded below it where the two meet; the cursor stays on its row."""
        chosen = self.row_of(self.rows[self._cursor]) if self.rows and self._cursor else None
        older: list[R] = []
        meets = self.is_by_row() and asked == self._asked and len(newest) == PORTION and self.rows
        if meets and self.row_of(self.rows[0]) >= (last := self.row_of(newest[-1])):
            older = [row for row in self.rows if self.row_of(row) < last]
        self._is_whole = len(newest) < PORTION or (bool(older) and self._is_whole)
        self.rows, self._asked = newest + older, asked
        if chosen is not None:
            places = (at for at, row in enumerate(self.rows) if self.row_of(row) <= chosen)
            before, self._cursor = self._cursor, next(places, 0)
            self._top += self._cursor - before

    def failed(self, text: str, now_ns: int) -> None:
        self.problem, self._read_ns, self._asked = text, now_ns, self.question()
        if self._opened is not None and self._detail is None:
            self._opened = None

    def leave(self) -> None:
        self.rows, self._asked, self._is_whole = [], None, False
        self._opened = self._detail = self._field = None
        self._cursor = self._top = 0


def _chosen(line: Line, width: int) -> Line:
    """The row of the cursor: marked by a sign and, where it can be, by its look."""
    text = "".join(span.text for span in cut_line(line, width - 2))
    return (Span("> ", Tone.STRONG), Span(text, Tone.CHOSEN))


def _line_alone(columns: Callable[[int], Sequence[Column[R]]], row: R) -> Detail:
    """A row by itself: every column with its whole text."""

    def lines(width: int) -> list[Line]:
        cells = [(column.title, column.cell(row)) for column in columns(10_000) if column.title]
        room = max((len(name) for name, _ in cells), default=0)
        told = [(Span(f"{name:<{room}}  ", Tone.DIM), Span(said(cell.text, width), cell.tone)) for name, cell in cells]
        return [BLANK, *told]

    return lines
