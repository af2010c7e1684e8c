"""The emergency record: where batches go once the journal cannot be written, so that the desk can still get out.

One file beside the database, open since the start of the session, a batch a line, whole and on the disk before anything
that rests on it leaves. It begins with the first batch whose commit did not end well, which may be durable all the
same: batches carry the numbers of their inputs, so the next start reads back exactly what the journal lacks, and no
input twice. A ballast file gives its room back first, because the usual cause is a full disk.
"""

import contextlib
import os
from collections.abc import Iterator
from concurrent.futures import Future
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec

from engine.session.errors import SessionError
from engine.session.files import MODE, Appender
from engine.session.ports import Batch, Committed

BALLAST_BYTES: Final = 32 * 1024 * 1024
_ZEROS: Final = bytes(1024 * 1024)
_DIGEST_LETTERS: Final = 64


class BatchKept(msgspec.Struct, frozen=True, tag="batch"):
    """A batch the journal did not take, or of which that is not known."""

    batch: Batch


class ReportKept(msgspec.Struct, frozen=True, tag="report"):
    """The final report of a run, as JSON text."""

    run_id: str
    report: str


Kept = BatchKept | ReportKept


class BadRecord(SessionError):
    """A line of the emergency record is not what was written."""


class Emergency:
    """Takes batches in place of the journal, from `begin` on. Writes on the caller's thread: it is a few lines.

    Attributes:
        is_on: Whether it stands in for the journal.
        batches: How many it has taken.
    """

    def __init__(self, path: Path, ballast: Path) -> None:
        self.is_on = False
        self.batches = 0
        self._path = path
        self._ballast = ballast
        self._file = Appender(path)
        self._rows = 0
        self._head = ""
        _sync_folder(path)

    def begin(self, rows: int, head: str) -> None:
        """Stand in for the journal, whose last known row and head these are; the ballast's room is free from here."""
        free_ballast(self._ballast)
        self._rows, self._head = rows, head
        self.is_on = True

    def commit(self, batch: Batch) -> Future[Committed]:
        """Take a batch; the future is settled. It fails with the OSError that kept the batch out."""
        done: Future[Committed] = Future()
        try:
            self._write(BatchKept(batch))
        except OSError as error:
            done.set_exception(error)
            return done
        self.batches += 1
        done.set_result(Committed(self._rows, self._head, 0))
        return done

    def report(self, run_id: str, report: str) -> None:
        """Take the final report of a run. Raises OSError."""
        self._write(ReportKept(run_id, report))

    def close(self) -> None:
        """Let go of the file and of the ballast; a record that was never needed disappears."""
        free_ballast(self._ballast)
        self._file.close()
        if not self._file.size:
            with contextlib.suppress(OSError):  # an empty record is as good as none
                self._path.unlink()

    def _write(self, kept: Kept) -> None:
        body = msgspec.json.encode(kept)
        self._file.write(sha256(body).hexdigest().encode() + b" " + body + b"\n")
        self._file.sync()


_DECODER: Final[msgspec.json.Decoder[Kept]] = msgspec.json.Decoder(BatchKept | ReportKept)


def read_kept(path: Path) -> Iterator[Kept]:
    """What an emergency record holds, in order; nothing where there is none. A torn last line was never durable.

    Raises:
        BadRecord: at the first line before the last one that is damaged; what comes before it holds.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return
    for number, line in enumerate(raw.split(b"\n")[:-1], start=1):
        yield _kept(path, number, line)


def _kept(path: Path, number: int, line: bytes) -> Kept:
    digest, body = line[:_DIGEST_LETTERS], line[_DIGEST_LETTERS + 1 :]
    if sha256(body).hexdigest().encode() != digest:
        raise BadRecord(f"{path}:{number}: is not what was written")
    try:
        return _DECODER.decode(body)
    except msgspec.DecodeError as problem:
        raise BadRecord(f"{path}:{number}: cannot be read: {problem}") from problem


# --- the ballast ---


def hold_ballast(path: Path) -> bool:
    """Keep room on the disk for an emergency; False where there is none left to keep."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, MODE)
        try:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(handle, 0, BALLAST_BYTES)
            else:
                for offset in range(os.fstat(handle).st_size, BALLAST_BYTES, len(_ZEROS)):
                    os.pwrite(handle, _ZEROS, offset)
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError:
        free_ballast(path)
        return False
    return True


def free_ballast(path: Path) -> None:
    """Give the ballast's room back, if it can be: where the folder cannot be written, the record may still be."""
    with contextlib.suppress(OSError):
        path.unlink()


def _sync_folder(path: Path) -> None:
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
