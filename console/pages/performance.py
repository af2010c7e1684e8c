"""How the desk does: equity and drawdown as curves, its trades in figures, and paper against what was expected of it.

Every figure is that of the reports (`engine/review`, docs/measures.md). What was read is kept while the page is open
and only what came since is read again, so that the page of a desk that trades seldom costs next to nothing.
"""

from typing import Final, NamedTuple

from console.figures import Figures, Ledger
from console.pages.base import Hint, Page
from console.pages.scrolled import Scroll
from console.panels.performance import arranged
from console.text import SECOND, Line, Seen, Span, Tone, heading, said
from engine.core.times import DAY
from store.queries import Queries
from store.searches import NEWEST

AGAIN_NS: Final = 5 * SECOND


class Scope(NamedTuple):
    """A span of time to look at, up to now: `days` of UTC, today being one; 0: all there is; None: this run."""

    name: str
    days: int | None


SCOPES: Final = (Scope("this run", None), Scope("today", 1), Scope("7 days", 7), Scope("everything", 0))


class Asked(NamedTuple):
    """What decides which rows are read: a run, or what happened since."""

    run_id: str
    since_ns: int


class PerformancePage(Page):
    name = "Performance"
    says = "Equity, drawdown and trades of this run, today, 7 days or everything, and paper against expectation."

    def __init__(self) -> None:
        self.problem = ""
        self._scope = 0
        self._seen: Seen | None = None
        self._asked: Asked | None = None  # what the figures that are shown were asked by
        self._ledger: Ledger | None = None
        self._figures: Figures | None = None
        self._read_ns = 0
        self._stamp = self._newest_stamp = -1
        self._drawn: list[Line] = []
        self._drawn_for: tuple[int, int] | None = None
        self._scroll = Scroll()

    # --- showing ---

    def body(self, seen: Seen, width: int, height: int) -> list[Line]:
        self._seen, self._newest_stamp = seen, seen.view.journal_rows
        lines = [heading("Performance", self._scopes(), width)]
        if self.problem:
            lines.append((Span("x ", Tone.BAD), Span(said(self.problem, width - 2), Tone.BAD)))
        if self._figures is None or self._asked != self._question(seen):
            return lines if self.problem else [*lines, (Span("reading the trades ...", Tone.DIM),)]
        room = max(height - len(lines), 1)
        if self._drawn_for != (width, room):
            self._drawn, self._drawn_for = arranged(self._figures, width, room), (width, room)
        return [*lines, *self._scroll.window(self._drawn, room)]

    def _scopes(self) -> Line:
        return tuple(
            Span(f"[{scope.name}]", Tone.STRONG) if at == self._scope else Span(f" {scope.name} ", Tone.DIM)
            for at, scope in enumerate(SCOPES)
        )

    # --- keys ---

    def hints(self) -> tuple[Hint, ...]:
        span = Hint("Tab", "Span", "This run, today, 7 days, everything; Shift+Tab goes back.")
        return (span, *self._scroll.hints())

    def press(self, key: str, character: str | None) -> bool:
        if key not in ("tab", "shift+tab"):
            return self._scroll.press(key)
        self._scope = (self._scope + (1 if key == "tab" else -1)) % len(SCOPES)
        self._scroll.to_top()
        self.problem = ""
        return True

    # --- reading ---

    def _question(self, seen: Seen) -> Asked:
        days = SCOPES[self._scope].days
        if days is None:
            return Asked(seen.view.run_id, 0)
        return Asked("", (seen.now_ns // DAY - days + 1) * DAY if days else 0)

    def wants(self, seen: Seen, now_ns: int) -> bool:
        if self._asked != self._question(seen) and not self.problem:
            return True
        moved = self._stamp != seen.view.journal_rows or bool(self.problem)
        return moved and now_ns - self._read_ns >= AGAIN_NS

    async def read(self, queries: Queries, now_ns: int) -> None:
        if self._seen is None:
            return
        asked, stamp = self._question(self._seen), self._newest_stamp
        is_played = self._seen.view.replay is not None
        ledger = self._ledger if asked == self._asked and (stamp >= self._stamp or not is_played) else None
        if ledger is None:
            ledger = Ledger(await queries.rows_of(asked.run_id, asked.since_ns))
        is_new = await ledger.read(queries, stamp if is_played else NEWEST)
        if is_new:
            self._figures, self._drawn_for = ledger.figures(), None
        self._ledger, self._asked = ledger, asked
        self._stamp, self._read_ns, self.problem = stamp, now_ns, ""

    def failed(self, text: str, now_ns: int) -> None:
        self.problem, self._read_ns = text, now_ns

    def leave(self) -> None:
        self._ledger = self._figures = self._asked = self._drawn_for = None
        self._drawn = []
        self._scroll.to_top()
