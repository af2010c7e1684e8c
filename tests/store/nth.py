"""Let the n-th operation fail: an SQL statement of the store, or a call that touches a file.

`Nth` counts operations. The n-th fails once, or it and every later one do, or it is carried out and fails all the same
(a commit that is durable and yet raises). With n = 0 nothing fails and the operations are counted.
"""

import errno
import io
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final
from unittest import mock

ONCE: Final = "once"
FROM_THEN_ON: Final = "from then on"
CARRIED_OUT: Final = "carried out"
HOWS: Final = (ONCE, FROM_THEN_ON, CARRIED_OUT)
_FILE_CALLS: Final = (
    "open",
    "fsync",
    "replace",
    "rename",
    "unlink",
    "mkdir",
    "write",
    "pwrite",
    "ftruncate",
    "symlink",
)


class Nth:
    """Counts operations and decides which fail; `failed` names those that did."""

    def __init__(self, n: int, how: str = ONCE) -> None:
        self.count = 0
        self.failed: list[str] = []
        self._n = n
        self._how = how

    def perform(
        self,
        name: str,
        operation: Callable[[], Any],
        error: Callable[[], Exception],
        let_go: Callable[[Any], object] = lambda outcome: None,
    ) -> Any:
        """Carry out `operation`, unless its turn to fail has come; `let_go` of what it gave if nobody gets it."""
        self.count += 1
        fails = self.count == self._n or (self._how == FROM_THEN_ON and 0 < self._n < self.count)
        if not fails:
            return operation()
        self.failed.append(name)
        if self._how == CARRIED_OUT:
            let_go(operation())
        raise error()


@contextmanager
def statements(nth: Nth) -> Iterator[None]:
    """Every statement and backup of every connection made meanwhile is an operation; a failing disk is the cause."""

    def error() -> sqlite3.OperationalError:
        failure = sqlite3.OperationalError("disk I/O error")
        failure.sqlite_errorcode = sqlite3.SQLITE_IOERR_WRITE
        failure.sqlite_errorname = "SQLITE_IOERR_WRITE"
        return failure

    class Failing(sqlite3.Connection):
        def execute(self, sql: str, *more: Any) -> sqlite3.Cursor:
            cursor: sqlite3.Cursor = nth.perform(sql, lambda: sqlite3.Connection.execute(self, sql, *more), error)
            return cursor

        def executemany(self, sql: str, *more: Any) -> sqlite3.Cursor:
            cursor: sqlite3.Cursor = nth.perform(sql, lambda: sqlite3.Connection.executemany(self, sql, *more), error)
            return cursor

        def executescript(self, script: str) -> sqlite3.Cursor:
            def run() -> sqlite3.Cursor:
                return sqlite3.Connection.executescript(self, script)

            cursor: sqlite3.Cursor = nth.perform(script[:60], run, error)
            return cursor

        def backup(self, *args: Any, **named: Any) -> None:
            nth.perform("backup", lambda: sqlite3.Connection.backup(self, *args, **named), error)

    connect = sqlite3.connect

    def failing(*args: Any, **named: Any) -> sqlite3.Connection:
        return connect(*args, factory=Failing, **named)

    with mock.patch.object(sqlite3, "connect", failing):
        yield


@contextmanager
def file_calls(nth: Nth, below: os.PathLike[str]) -> Iterator[None]:
    """Calls that open, write, sync, name or remove files under `below` are operations; a full disk is the cause.

    A call on a descriptor counts if the descriptor was opened meanwhile by a call that did. What SQLite does with its
    own files is not among them.
    """
    folder, handles = os.fspath(below), set[int]()

    def concerns(first: Any) -> bool:
        if isinstance(first, int):
            return first in handles
        return str(os.fspath(first)).startswith(folder)

    def watched(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def perform(*args: Any, **named: Any) -> Any:
            def operation() -> Any:
                done = call(*args, **named)
                if name == "open" and isinstance(done, int):
                    handles.add(done)
                return done

            if not concerns(args[0]):
                return call(*args, **named)
            return nth.perform(f"{name} {args[0]}", operation, full(args[0]), lambda opened: lets_go(name, opened))

        return perform

    def full(first: Any) -> Callable[[], OSError]:
        return lambda: OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), None if isinstance(first, int) else str(first))

    close = os.close

    def lets_go(name: str, opened: Any) -> None:
        if name == "open":
            forget(opened)
        elif name == "io.open":
            opened.close()

    def forget(handle: int) -> None:
        handles.discard(handle)
        close(handle)

    patches = [mock.patch.object(os, name, watched(name, getattr(os, name))) for name in _FILE_CALLS]
    patches += [mock.patch.object(io, "open", watched("io.open", io.open)), mock.patch.object(os, "close", forget)]
    for patch in patches:
        patch.start()
    try:
        yield
    finally:
        for patch in reversed(patches):
            patch.stop()
