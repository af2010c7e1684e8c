"""The two ways a run writes a file: whole and replaced in one step, or growing by whole lines.

Everything is readable by its owner only (0600). A reader never sees half a file or half a line, also after a full disk
or a killed process.
"""

import contextlib
import gzip
import os
import shutil
import threading
from pathlib import Path
from typing import Final

MODE: Final = 0o600
FLUSH_SECONDS: Final = 0.5
BUFFER_BYTES_MAX: Final = 16_000_000
PART_BYTES: Final = 64_000_000
PACK_LEVEL: Final = 3
_PACK_BYTES: Final = 256 * 1024
_WAKE_BYTES: Final = 1_000_000  # this much waiting is written at once, not at the next flush
_JOIN_SECONDS: Final = 5.0
_TAIL_BYTES: Final = 65_536


def replace_file(path: Path, data: bytes) -> None:
    """Make `path` hold exactly `data`, durably: readers find the old content or the new, never a mixture.

    Raises:
        OSError: it could not be written; the old content stands and nothing is left beside it.
    """
    fresh = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, MODE)
    try:
        try:
            _write_all(handle, data)
            os.fsync(handle)
        finally:
            os.close(handle)
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


class Appender:
    """A file that grows by whole lines. A torn last line of an earlier process is removed at opening.

    Attributes:
        size: Bytes in the file.
    """

    def __init__(self, path: Path) -> None:
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, MODE)
        self.size = self._mend()

    def write(self, lines: bytes) -> None:
        """Add `lines` (each with its newline), all of them or none.

        Raises:
            OSError: nothing was added, as far as the system allows.
        """
        try:
            _write_all(self._handle, lines)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._handle, self.size)  # shrinking needs no space
            raise
        self.size += len(lines)

    def sync(self) -> None:
        """Wait until all of it is on the disk."""
        os.fsync(self._handle)

    def close(self) -> None:
        os.close(self._handle)

    def _mend(self) -> int:
        size = os.fstat(self._handle).st_size
        tail = os.pread(self._handle, _TAIL_BYTES, max(0, size - _TAIL_BYTES))
        torn = len(tail) - (tail.rfind(b"\n") + 1)
        if torn and torn < _TAIL_BYTES:
            os.ftruncate(self._handle, size - torn)
            size -= torn
        return size


class LineFile:
    """Lines on their way to a file, written by a thread of its own every half second; nobody waits for the disk.

    While the disk refuses, lines wait and are tried again. Beyond `bytes_max` a line is dropped and counted or, in a
    `patient` file, the caller waits and writes itself: for a run at full speed, which can wait and must lose nothing.
    A file of more than `part_bytes` is put aside, whole lines only, as `name.0001.jsonl.gz` and so on, in order.

    Attributes:
        lost: Lines dropped so far.
        error: What the system said to the newest failed attempt; None once writing works again.
    """

    def __init__(
        self, path: Path, *, patient: bool = False, bytes_max: int = BUFFER_BYTES_MAX, part_bytes: int = PART_BYTES
    ) -> None:
        self.lost = 0
        self.error: OSError | None = None
        self._path = path
        self._part_bytes = part_bytes
        self._parts = 0
        self._to_pack: list[Path] = []  # parts put aside and not packed yet
        self._file = Appender(path)
        self._patient = patient
        self._bytes_max = bytes_max
        self._lines: list[bytes] = []
        self._bytes = 0
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._due = threading.Event()
        self._ending = threading.Event()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=f"write-{path.name}", daemon=True)
        self._thread.start()

    def put(self, line: bytes) -> None:
        """Queue one line, its newline included; never raises and never writes, unless the file is patient and full."""
        if self._bytes + len(line) > self._bytes_max and self._patient:
            self.flush()
        with self._lock:
            if self._closed or self._bytes + len(line) > self._bytes_max:
                self.lost += 1
                return
            self._lines.append(line)
            self._bytes += len(line)
        if self._bytes > _WAKE_BYTES:
            self._due.set()

    def flush(self) -> bool:
        """Write what waits, here and now; False if the system refused (the lines keep waiting)."""
        with self._writing:
            with self._lock:
                lines, self._lines = self._lines, []
            if not lines:
                return True
            data = b"".join(lines)
            try:
                self._file.write(data)
            except OSError as error:
                self.error = error
                with self._lock:
                    self._lines = lines + self._lines
                return False
            self.error = None
            with self._lock:
                self._bytes -= len(data)
            if self._file.size > self._part_bytes:
                self._put_aside()
            return True

    def close(self) -> None:
        """Write what waits, durably, and end. What the system still refuses is counted as lost."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self._ending.set()
        self._due.set()
        self._thread.join(_JOIN_SECONDS)
        if self._thread.is_alive():  # the disk hangs: what the thread holds is in the system's hands
            self.lost += len(self._lines)
            return
        if self.flush():
            with contextlib.suppress(OSError):
                self._file.sync()
        self.lost += len(self._lines)
        self._lines = []
        self._file.close()
        for part in self._to_pack:
            pack(part)

    def _put_aside(self) -> None:
        """Go on in a new file. Where that cannot be made the old one grows on: better a long file than no lines."""
        part = self._path.with_name(f"{self._path.stem}.{self._parts + 1:04}{self._path.suffix}")
        try:
            self._path.rename(part)
            fresh = Appender(self._path)
        except OSError as error:
            self.error = error
            with contextlib.suppress(OSError):
                part.rename(self._path)
            return
        self._file.close()
        self._file = fresh
        self._parts += 1
        self._to_pack.append(part)
        self._due.set()

    def _run(self) -> None:
        while not self._ending.is_set():
            self._due.wait(FLUSH_SECONDS)
            self._due.clear()
            while self._to_pack:
                pack(self._to_pack.pop(0))
            if not self.flush():
                self._ending.wait(FLUSH_SECONDS)  # a full buffer must not make this loop spin


def pack(path: Path) -> bool:
    """Put `path` into `path`.gz and remove it; False, with the file as it was, where that does not succeed."""
    packed, fresh = path.with_name(f"{path.name}.gz"), path.with_name(f".{path.name}.gz")
    try:
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, MODE)
        with os.fdopen(handle, "wb") as target, gzip.GzipFile("", "wb", PACK_LEVEL, target, 0) as pressing:
            with path.open("rb") as source:
                shutil.copyfileobj(source, pressing, _PACK_BYTES)
            pressing.close()
            target.flush()
            os.fsync(handle)
        fresh.rename(packed)
        path.unlink()
    except OSError:
        with contextlib.suppress(OSError):
            fresh.unlink()
        return False
    return True


def _write_all(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]
