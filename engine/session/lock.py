"""One desk per environment: an flock on `desk.lock`, held for as long as the desk lives.

The kernel decides who holds it and frees it when the holder dies, however it dies. The text inside (JSON: pid, start,
run id, socket) only informs. POSIX `lockf` would be dropped as soon as any code opened and closed the file, and a pid
file that is checked and then written lets two desks start; neither is used.
"""

import contextlib
import fcntl
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from engine.session.clock import block
from engine.session.errors import SessionError

_ATTEMPTS: Final = 20  # a reader of `holder` holds the lock for microseconds; a start must not fail for that
_ATTEMPT_SECONDS: Final = 0.01
_TEXT_BYTES_MAX: Final = 4096


class Holder(msgspec.Struct, frozen=True):
    """Who holds the lock, as it says of itself. `pid` 0: the text could not be read."""

    pid: int = 0
    started_ns: int = 0
    run_id: str = ""
    socket: str = ""


class AlreadyRunning(SessionError):
    """Another desk holds the lock of this environment; nothing was touched."""

    def __init__(self, path: Path, holder: Holder) -> None:
        who = f"pid {holder.pid}" if holder.pid else "a process that has not said which"
        run = f", run {holder.run_id}" if holder.run_id else ""
        cure = "nightdesk status tells how it is, attach shows it, stop ends it; another --home is another desk"
        super().__init__(f"already_running: a desk holds {path} ({who}{run}); {cure}")
        self.path = path
        self.holder = holder


@dataclass(slots=True)
class DeskLock:
    """The held lock. Release it last; a process that dies releases it by dying.

    Attributes:
        previous: What a desk that died without releasing left in the file, or None. Taking over is worth a log line.
    """

    path: Path
    previous: Holder | None
    _handle: int

    @classmethod
    def acquire(cls, path: Path, holder: Holder) -> "DeskLock":
        """Take the lock on `path`, whose folder exists, and write `holder` into it.

        Raises:
            AlreadyRunning: another process holds it.
            OSError: it cannot be opened or written; it is not held.
        """
        handle = _lock_the_file_at(path)
        lock = cls(path, _read(handle), handle)
        try:
            lock.inform(holder)
        except BaseException:
            os.close(handle)
            raise
        return lock

    def inform(self, holder: Holder) -> None:
        """Replace the text by what is known now (the run id, the socket)."""
        _write(self._handle, msgspec.json.encode(holder) + b"\n")

    def is_at_its_path(self) -> bool:
        """False once the file was removed or replaced: then a second desk could start, and this one must stop."""
        return _is_same_file(self._handle, self.path)

    def release(self) -> None:
        """Remove the file and let go of it, in that order.

        A start that opened the file before it was removed finds, once it has the lock, that the path no longer leads
        to it, and tries again; so removing is safe, and an orderly end leaves nothing behind.
        """
        if self._handle < 0:
            return
        with contextlib.suppress(OSError):  # a file that cannot be removed is one that the next start takes over
            if self.is_at_its_path():
                self.path.unlink()
        os.close(self._handle)
        self._handle = -1


def holder(path: Path) -> Holder | None:
    """Who holds the lock on `path` right now; None when no living process does."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _read(handle) or Holder()
        return None
    finally:
        os.close(handle)


def _lock_the_file_at(path: Path) -> int:
    for attempt in range(_ATTEMPTS):
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            found = _read(handle)
            os.close(handle)
            if attempt == _ATTEMPTS - 1:
                raise AlreadyRunning(path, found or Holder()) from None
            block(_ATTEMPT_SECONDS)
            continue
        if _is_same_file(handle, path):
            return handle
        os.close(handle)  # the former holder removed it between our open and our lock
    raise AlreadyRunning(path, Holder())


def _is_same_file(handle: int, path: Path) -> bool:
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    here = os.fstat(handle)
    return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)


def _write(handle: int, text: bytes) -> None:
    os.pwrite(handle, text, 0)
    os.ftruncate(handle, len(text))
    os.fsync(handle)


def _read(handle: int) -> Holder | None:
    raw = os.pread(handle, _TEXT_BYTES_MAX, 0)
    try:
        return msgspec.json.decode(raw, type=Holder)
    except msgspec.MsgspecError:
        return None  # empty, or read in the middle of a write: the lock counts, not the text
