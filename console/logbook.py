"""A log read backwards, newest line first, in portions: files of tens of megabytes, rotated while they are read.

Every line has a number that grows with time and stays its own while this reader lives, across rotations: the place of
its first byte in all files laid end to end. What was found for one question is kept, so that asking again costs no more
than what was written since. All of it blocks on the disk: call it in a thread.
"""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

PIECE: Final = 65_536  # bytes read at a time
LINE_MAX: Final = 262_144  # a longer line is shown in parts
FOUND_MAX: Final = 20_000
ROTATED_MAX: Final = 9  # parts beside the newest file
_BEAT: Final = b'"message": "EVENT: AsyncHeartbeat"'
_RANKS: Final = {"DEBUG": 0, "INFO": 1, "WARNING": 2, "ERROR": 3, "CRITICAL": 4}
_CALM: Final = (b'"level": "INFO"', b'"level": "DEBUG"')  # in the structured log's own form; no message holds them
_PLAIN: Final = re.compile(r"[a-z0-9_.:-]+")  # words that stand in a line as they do in its record
_ORIGIN: Final = 1 << 50  # a place with room below for older files that are seen later
_HEAD: Final = 44  # first bytes of a file: the time in them tells it from a later one with the same inode
_TEXT: Final = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ) ([A-Z]+) ([^:]{1,100}): (.*)", re.DOTALL)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class LogLine(NamedTuple):
    """One record. What is no record in the log's own form is a message alone; `at_ns` None: it does not say when.

    `meta` is what else it carries.
    """

    row: int
    at_ns: int | None
    level: str
    component: str
    message: str
    meta: dict[str, Any]


class Question(NamedTuple):
    """Lines that have every one of the words somewhere and none of the barred ones, of a level and above; the desk's
    beats or not. Words are in lower case.
    """

    words: tuple[str, ...] = ()
    barred: tuple[str, ...] = ()
    level: str = ""
    beats: bool = True

    def may_fit(self, line: bytes) -> bool:
        """False for a line that cannot fit, whatever it says when it is decoded: most are refused here, cheaply."""
        if not self.beats and _BEAT in line:
            return False
        if self.level and any(calm in line for calm in _CALM):
            return False
        lowered = line.lower() if self.words else b""
        plain = (word for word in self.words if _PLAIN.fullmatch(word))
        return all(word.encode() in lowered for word in plain)

    def fits(self, line: LogLine) -> bool:
        if _RANKS.get(line.level, 1) < _RANKS.get(self.level, 0):
            return False
        if not (self.words or self.barred):
            return True
        told = _told(line)
        return all(word in told for word in self.words) and not any(word in told for word in self.barred)


class _Part(NamedTuple):
    """A file of the log, and the places between which its lines stand."""

    handle: int
    begin: int
    end: int


class Logbook:
    """The lines of one log: `path`, and its older parts beside it (`.1` is the newest of them).

    Args:
        decode: A line's number and bytes as a `LogLine`.
    """

    def __init__(self, path: Path, decode: Callable[[int, bytes], LogLine]) -> None:
        self._path = path
        self._decode = decode
        self._begins: dict[int, tuple[bytes, int]] = {}  # by inode: a file's first bytes, and where it begins
        self._question = Question()
        self._found: list[LogLine] = []
        self._low = self._high = 0  # between these places every line was looked at

    def lines(self, question: Question, limit: int, before: int) -> list[LogLine]:
        """The newest `limit` lines before a place that fit, newest first; fewer only where there are no more.

        Raises:
            OSError: a file is there and cannot be read. Without any there are no lines.
        """
        with ExitStack() as opened:
            parts = self._parts(opened)
            if not parts:
                return []
            end = parts[0].end
            if question != self._question or not parts[-1].begin <= self._high <= end:
                self._question, self._found, self._low, self._high = question, [], end, end
            self._found[:0] = [line for line in self._between(parts, self._high, end) if line is not None]
            self._high = end
            self._look_back(parts, limit, before)
        del self._found[FOUND_MAX:]
        self._low = self._found[-1].row if len(self._found) == FOUND_MAX else self._low
        return [line for line in self._found if line.row < before][:limit]

    def _look_back(self, parts: Sequence[_Part], limit: int, before: int) -> None:
        missing = limit - sum(line.row < before for line in self._found)
        if missing <= 0:
            return
        for row, text in _back(parts, 0, self._low):
            self._low = row
            line = self._decoded(row, text)
            if line is not None:
                self._found.append(line)
                missing -= row < before
            if missing <= 0:
                return

    def _between(self, parts: Sequence[_Part], first: int, last: int) -> Iterator[LogLine | None]:
        return (self._decoded(row, text) for row, text in _back(parts, first, last))

    def _decoded(self, row: int, text: bytes) -> LogLine | None:
        """A line that fits."""
        if not self._question.may_fit(text):
            return None
        line = self._decode(row, text)
        return line if self._question.fits(line) else None

    def _parts(self, opened: ExitStack) -> list[_Part]:
        """The files that are there now, newest first, each where it began when it was first seen."""
        files: list[tuple[int, int, int, bytes]] = []
        for name in (self._path, *(self._path.with_name(f"{self._path.name}.{n}") for n in range(1, ROTATED_MAX + 1))):
            with suppress(FileNotFoundError):  # a rotation is under way, or there are no more
                handle = opened.enter_context(name.open("rb", buffering=0)).fileno()
                info = os.fstat(handle)
                if info.st_size and info.st_ino not in (inode for _, _, inode, _ in files):
                    files.append((handle, info.st_size, info.st_ino, os.pread(handle, _HEAD, 0)))
        begins = self._begins_of([(size, inode, head) for _, size, inode, head in files])
        self._begins = {inode: (head, at) for (_, _, inode, head), at in zip(files, begins, strict=True)}
        parts = [_Part(handle, at, at + size) for (handle, size, _, _), at in zip(files, begins, strict=True)]
        return [part._replace(end=_whole_end(part)) if at == 0 else part for at, part in enumerate(parts)]

    def _begins_of(self, files: Sequence[tuple[int, int, bytes]]) -> list[int]:
        """Where each file (size, inode, first bytes) begins: as known, else before or behind its neighbour."""
        known = [self._known(inode, head) for _, inode, head in files]
        anchor = next((at for at, begin in enumerate(known) if begin is not None), None)
        if anchor is None:
            begins, at = [], max(self._high + 1, _ORIGIN) + sum(size for size, _, _ in files)
            for size, _, _ in files:
                at -= size
                begins.append(at)
            return begins
        begins = [begin if begin is not None else 0 for begin in known]
        for at in range(anchor - 1, -1, -1):
            begins[at] = begins[at + 1] + files[at + 1][0]
        for at in range(anchor + 1, len(files)):
            begins[at] = begins[at - 1] - files[at][0]
        return begins

    def _known(self, inode: int, head: bytes) -> int | None:
        first, begin = self._begins.get(inode, (b"", 0))
        return begin if first and head.startswith(first) else None


def _whole_end(part: _Part) -> int:
    """Behind the last line that is written whole: the one that is being written is left for the next time."""
    size = min(part.end - part.begin, LINE_MAX)
    last = os.pread(part.handle, size, part.end - part.begin - size).rfind(b"\n")
    return part.end - size + last + 1 if last >= 0 or size < LINE_MAX else part.end


def _back(parts: Sequence[_Part], first: int, last: int) -> Iterator[tuple[int, bytes]]:
    """The lines between two places with their own, newest first."""
    for part in parts:
        begin, end = max(part.begin, first), min(part.end, last)
        for at, line in _lines_back(part.handle, begin - part.begin, end - part.begin):
            yield part.begin + at, line


def _lines_back(handle: int, first: int, last: int) -> Iterator[tuple[int, bytes]]:
    """The lines of a file between two offsets, last first, each with its own; empty ones left out."""
    tail, at = b"", last
    while at > first:
        size = min(PIECE, at - first)
        at -= size
        piece = os.pread(handle, size, at) + tail
        tail, *lines = piece.split(b"\n")
        end = at + len(piece)
        for line in reversed(lines):
            if line:
                yield end - len(line), line
            end -= len(line) + 1
        if len(tail) > LINE_MAX:
            yield at, tail
            tail = b""
    if tail:
        yield first, tail


# --- the two forms ---


def structured(row: int, line: bytes) -> LogLine:
    """A line of `system.jsonl`."""
    with suppress(msgspec.MsgspecError, ValueError, TypeError, KeyError):
        told = msgspec.json.decode(line, type=dict[str, Any])
        at_ns = _ns(datetime.fromisoformat(told["timestamp"]))
        level, component, message = (str(told[name]) for name in ("level", "component", "message"))
        meta = told.get("meta")
        return LogLine(row, at_ns, level, component, message, meta if isinstance(meta, dict) else {})
    return LogLine(row, None, "", "", line.decode(errors="replace"), {})


def worded(row: int, line: bytes) -> LogLine:
    """A line of a run's `session.log`."""
    text = line.decode(errors="replace")
    found = _TEXT.fullmatch(text)
    if found is not None:
        with suppress(ValueError):
            return LogLine(row, _ns(datetime.fromisoformat(found[1])), found[2], found[3], found[4], {})
    return LogLine(row, None, "", "", text, {})


def _ns(at: datetime) -> int:
    since = at - _EPOCH
    return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 1_000


def _told(line: LogLine) -> str:
    """All of it in which words are looked for."""
    at = "" if line.at_ns is None else f"{datetime.fromtimestamp(line.at_ns // 1_000_000_000, UTC):%Y-%m-%d %H:%M:%S}"
    meta = " ".join(f"{name}={value}" for name, value in line.meta.items())
    return f"{at} {line.level} {line.component} {line.message} {meta}".lower()
