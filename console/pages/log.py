"""What the desk logged, newest first: the log of the whole desk, or what was told of this run."""

import asyncio
from collections.abc import Sequence
from typing import ClassVar, Final

import msgspec

from console.logbook import Logbook, LogLine, Question, structured, worded
from console.pages.base import Hint, Source
from console.pages.listing import AGAIN_NS, Detail, Listing
from console.table import Column
from console.text import Line, Seen, Span, Tone, clock, date, fit, heading, moment, said, wrap
from engine.session.home import Home
from store.searches import NEWEST
from store.statements import is_barred

DESK, RUN = "Desk", "This run"
LOGS: Final = (DESK, RUN)
CHOICES: Final = (
    ("all but heartbeats", "", False),
    ("all", "", True),
    ("warnings and errors", "WARNING", False),
    ("errors", "ERROR", False),
)
"""What `l` chooses: in words, the least level, and whether the beats of every second are shown."""


NAME_MAX: Final = 20


class LogPage(Listing[LogLine]):
    name = "Log"
    says = "What was logged: of the desk (Tab: of this run), by level (l) and words (/)."
    noun = "lines"
    source: ClassVar[Source] = Source.FILES

    def __init__(self) -> None:
        super().__init__()
        self._log = 0
        self._level = 0
        self._run_id = ""
        self._book: tuple[tuple[str, str], Logbook] | None = None

    def title(self) -> str:
        return "  ".join(f"[{name}]" if at == self._log else name for at, name in enumerate(LOGS))

    def question(self) -> tuple[object, ...]:
        return (*super().question(), LOGS[self._log], self._run_id, self._level)

    def body(self, seen: Seen, width: int, height: int) -> list[Line]:
        self._run_id = seen.view.run_id
        lines = super().body(seen, width, height)
        self._before = NEWEST  # a log is shown whole, wherever a recorded run stands
        return lines

    def _told(self) -> Line:
        level = Span(f"{CHOICES[self._level][0]}  ", Tone.STRONG if self._level else Tone.DIM)
        return (level, *super()._told())

    # --- keys ---

    def hints(self) -> tuple[Hint, ...]:
        hints = super().hints()
        if self.is_typing or self._opened is not None:
            return hints
        return (
            *hints[:2],
            Hint("l", "Level", "All but heartbeats, all, warnings and errors, errors."),
            Hint("Tab", "Other log", "The desk's, this run's."),
            *hints[2:],
        )

    def press(self, key: str, character: str | None) -> bool:
        if self.is_typing or self._opened is not None:
            return super().press(key, character)
        match key:
            case "tab" | "shift+tab":
                self._log = (self._log + 1) % len(LOGS)
                self.rows = []
            case "l" | "L":
                self._level = (self._level + 1) % len(CHOICES)
            case _:
                return super().press(key, character)
        self.look_for(self.find)
        return True

    # --- reading ---

    def wants(self, seen: Seen, now_ns: int) -> bool:
        is_old = self._opened is None and now_ns - self._read_ns >= AGAIN_NS  # it is written also by a desk that hangs
        return is_old or super().wants(seen, now_ns)

    async def fetch(self, source: Home, limit: int, before: int) -> list[LogLine]:
        found, (_, level, beats) = self.find.lower().split(), CHOICES[self._level]
        words = tuple(word for word in found if not is_barred(word))
        barred = tuple(word[1:] for word in found if is_barred(word))
        question = Question(words, barred, level, beats or any("heartbeat" in word for word in words))
        return await asyncio.to_thread(self._logbook(source).lines, question, limit, before)

    def _logbook(self, home: Home) -> Logbook:
        """The chosen log's reader, kept while it is the chosen one."""
        chosen = (LOGS[self._log], self._run_id)
        if self._book is None or self._book[0] != chosen:
            run = home.run(self._run_id)
            of_desk = chosen[0] == DESK
            log = Logbook(home.system_log, structured) if of_desk else Logbook(run.session_log, worded)
            self._book = (chosen, log)
        return self._book[1]

    async def describe(self, source: Home, row: LogLine) -> Detail | None:
        return lambda width: record_lines(row, width)

    def columns(self, width: int) -> Sequence[Column[LogLine]]:
        return _COLUMNS

    def leave(self) -> None:
        super().leave()
        self._book = None


_TONES: Final = {"WARNING": Tone.WARN, "ERROR": Tone.BAD, "CRITICAL": Tone.ALARM}
_SIGNS: Final = {"WARNING": "! warning", "ERROR": "x error", "CRITICAL": "x critical"}


def _level(line: LogLine) -> Span:
    return Span(_SIGNS.get(line.level, said(line.level.lower(), 10)), _TONES.get(line.level, Tone.DIM))


_COLUMNS = (
    Column[LogLine]("Time", 14, lambda one: Span("" if one.at_ns is None else moment(one.at_ns), Tone.DIM), 2),
    Column[LogLine]("Level", 10, _level, 1),
    Column[LogLine]("Of", 14, lambda one: Span(one.component, Tone.STRONG), 3),
    Column[LogLine]("Message", 24, lambda one: Span(one.message), 0, grows=True),
)


def record_lines(line: LogLine, width: int) -> list[Line]:
    """Everything a record carries, an exception line by line."""
    at = "-" if line.at_ns is None else f"{date(line.at_ns)} {clock(line.at_ns)}.{line.at_ns // 1_000 % 1_000_000:06d}"
    lines: list[Line] = [heading(said(line.component, width) or "line", (_level(line),), width)]
    told: dict[str, object] = {"time": at, "message": line.message, **line.meta}
    room = min(max(len(name) for name in told), NAME_MAX)
    for name, value in told.items():
        texts = [part for text in _texts(value) for part in wrap(text, max(width - room - 2, 10)) or [""]]
        for at_line, text in enumerate(texts):
            lines.append((Span(f"{fit(name if at_line == 0 else '', room)}  ", Tone.DIM), Span(text)))
    return lines


def _texts(value: object) -> Sequence[str]:
    """A value as lines that can be broken."""
    if isinstance(value, list):
        return [text for one in value for text in _texts(one)]
    if isinstance(value, str):
        return value.split("\n")
    return [msgspec.json.encode(value).decode().replace(",", ", ")]
