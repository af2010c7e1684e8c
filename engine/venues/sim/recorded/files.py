"""Recorded files as they lie on the disk: which ones, their lines, and a first look at each."""

import gzip
import io
import zlib
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import file_digest
from itertools import islice
from pathlib import Path
from typing import IO, Final

import msgspec

SUFFIXES: Final = (".csv", ".csv.gz", ".txt", ".txt.gz")  # what a folder is searched for
HEAD_LINES: Final = 2_000
TAIL_LINES: Final = 50
BUFFER_BYTES: Final = 1 << 20
BLOCK_LINES: Final = 1_024


class BadData(Exception):
    """Recorded data that cannot be played. `line` and `column` count from 1; 0: the whole file, or the whole line.

    An empty `path`: no file is to blame, but what was asked of them together.
    """

    def __init__(self, path: Path, line: int, column: int, reason: str) -> None:
        place = ":".join([str(path), *(str(number) for number in (line, column) if number)])
        super().__init__(f"{place}: {reason}" if path != Path() else reason)
        self.path = path
        self.line = line
        self.column = column
        self.reason = reason


class Survey(msgspec.Struct, frozen=True):
    """A file read once from end to end, so that damage shows before a run and not in the middle of it.

    Attributes:
        sha256: Of the file as stored, in hex.
        lines: How many it has.
        head: Its first lines, without their ends.
        tail: Its last lines, for the time it ends at.
    """

    path: Path
    sha256: str
    lines: int
    head: tuple[bytes, ...]
    tail: tuple[bytes, ...]


def find(paths: Iterable[Path]) -> list[Path]:
    """The files meant by `paths`: folders stand for the csv and txt files in and below them.

    Raises `BadData` for a path that does not exist and for a folder without such files.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            inside = sorted(file for file in path.rglob("*") if file.name.endswith(SUFFIXES) and file.is_file())
            if not inside:
                raise BadData(path, 0, 0, f"the folder holds no file ending in {', '.join(SUFFIXES)}")
            found |= dict.fromkeys(inside)
        elif path.exists():
            found[path] = None
        else:
            raise BadData(path, 0, 0, "no such file or folder")
    return list(found)


def survey(path: Path) -> Survey:
    """Read a file through. Raises `BadData` when it cannot be read to its end or is empty."""
    try:
        with path.open("rb") as stored:
            sha256 = file_digest(stored, "sha256").hexdigest()
    except OSError as error:
        raise BadData(path, 0, 0, f"cannot be read: {error.strerror}") from error
    with _opened(path) as file:
        head = [line.rstrip(b"\r\n") for line in islice(file, HEAD_LINES)]
        rest = deque(head, TAIL_LINES)
        lines = len(head)
        for lines, line in enumerate(file, len(head) + 1):  # noqa: B007
            rest.append(line)
    if not any(head):
        raise BadData(path, 0, 0, "the file is empty")
    return Survey(path, sha256, lines, tuple(head), tuple(line.rstrip(b"\r\n") for line in rest))


def blocks(path: Path) -> Iterator[list[bytes]]:
    """The file's lines, some at a time, with their ends. Raises `BadData` when it cannot be read further."""
    with _opened(path) as file:
        while block := list(islice(file, BLOCK_LINES)):
            yield block


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """The file for reading by lines, unpacked if its first bytes say that it is packed."""
    try:
        with path.open("rb") as stored:
            packed = stored.read(2) == b"\x1f\x8b"
            stored.seek(0)
            if not packed:
                yield io.BufferedReader(stored, BUFFER_BYTES)
                return
            with gzip.GzipFile(fileobj=stored) as unpacked:
                yield io.BufferedReader(unpacked, BUFFER_BYTES)
    except EOFError as error:
        raise BadData(path, 0, 0, "the compressed data ends too early: the file is truncated") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise BadData(path, 0, 0, f"the compressed data is damaged: {error}") from error
    except OSError as error:
        raise BadData(path, 0, 0, f"cannot be read: {error.strerror or error}") from error
