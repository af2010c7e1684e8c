"""Archives: the oldest rows of a journal in a file of their own, written and checked before they leave the database.

`archive/journal-<first>-<last>.jsonl.gz` beside the database is gzip of JSON lines: an opening (format, desk, env, the
hash the first row rests on), then a journal row a line with its hash, the body of a block in base64; then the states of
the core that went with them. The anchor in the journal has the file's SHA-256 and the hashes at both ends.
"""

import gzip
import hashlib
import os
import sqlite3
import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from store.chain import Anchor, Archive, Verification, genesis, stamp, walk
from store.database import sync_file
from store.errors import StoreError

FORMAT: Final = "journal archive 1"
PAGE: Final = 1_000


class BadArchive(StoreError):
    """An archive is not what was written, or not one of this journal."""


class Opening(msgspec.Struct, frozen=True):
    """The first line of an archive."""

    nightdesk: str
    desk_id: str
    env: str
    first_row: int
    last_row: int
    before: str


class ArchivedRow(msgspec.Struct, frozen=True):
    """A line of an archive that is a journal row; `hash` is hex."""

    id: int
    seq: int
    inputs: int
    run: int
    kind: str
    at_ns: int
    symbol: str
    ref: str
    body: str
    hash: str

    def values(self) -> tuple[Any, ...]:
        """The row as the table has it."""
        body = b64decode(self.body) if self.kind == "block" else self.body
        numbers = (self.id, self.seq, self.inputs, self.run)
        return (*numbers, self.kind, self.at_ns, self.symbol, self.ref, body, bytes.fromhex(self.hash))


class ArchivedSnapshot(msgspec.Struct, frozen=True):
    """A line of an archive that is a state of the core after input `seq`: base64 of zlib, as the table has it."""

    snapshot: int
    run: int
    seq: int
    is_start: int
    sha256: str
    state: str


def archives_folder(database: Path) -> Path:
    return database.with_name("archive")


def write_archive(
    connection: sqlite3.Connection, folder: Path, first_row: int, last_row: int, before: bytes, next_input: int
) -> Archive:
    """Write rows `first_row` to `last_row`, durably and checked against what the file then holds.

    Raises:
        BadArchive: it could not be written, or what was read back is not what was written; nothing is left of it.
    """
    target = folder / f"journal-{first_row}-{last_row}.jsonl.gz"
    unfinished = target.with_name(f".{target.name}.unfinished")
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        _write(connection, unfinished, first_row, last_row, before)
        head = connection.execute("SELECT hash FROM journal WHERE id = ?", (last_row,)).fetchone()[0]
        digest = _digest(unfinished)
        made = Archive(target.name, first_row, last_row, before.hex(), head.hex(), next_input, digest)
        check_archive(unfinished, made, stamp(connection)[0])
        sync_file(unfinished)
        unfinished.replace(target)
        sync_file(target)
    except OSError as error:
        raise BadArchive(f"{target}: {error.strerror or error}") from error
    finally:
        unfinished.unlink(missing_ok=True)
    return made


def check_archive(
    path: Path, archive: Archive, desk_id: str, see: Callable[[int, bytes], object] = lambda row, hash_: None
) -> Verification:
    """Check a file against what the journal's anchor says of it; `see` is shown every row's number and hash.

    Raises:
        BadArchive: it is another file, or a row of it is not what was written.
    """
    try:
        if _digest(path) != archive.sha256:
            raise BadArchive(f"{path}: its SHA-256 is not the one the journal has of {archive.name}")
        found = walk(_seen(_rows(path, desk_id), see), bytes.fromhex(archive.before), archive.first_row, None)
    except (OSError, EOFError, zlib.error, ValueError, msgspec.MsgspecError) as error:
        raise BadArchive(f"{path}: {error}") from error
    if found.bad is not None:
        raise BadArchive(f"{path}: row {found.bad.id} ({found.bad.kind}): {found.bad.reason}")
    if (found.rows, found.head) != (archive.rows, archive.head):
        raise BadArchive(f"{path}: it ends with another row than {archive.last_row}")
    return found


def opening_of(path: Path) -> Opening:
    """The first line of an archive. Raises BadArchive."""
    try:
        with gzip.open(path, "rb") as file:
            return msgspec.json.decode(file.readline(), type=Opening)
    except (OSError, EOFError, zlib.error, msgspec.MsgspecError) as error:
        raise BadArchive(f"{path}: it is no archive: {error}") from error


def broken_link(anchor: Anchor, desk_id: str, env: str) -> str:
    """Why the archives of an anchor are no unbroken line from the journal's first row to it; empty if they are."""
    before, row = genesis(desk_id, env).hex(), 1
    for archive in anchor.archives:
        if (archive.before, archive.first_row) != (before, row):
            return f"archive {archive.name} does not follow on what comes before it"
        before, row = archive.head, archive.last_row + 1
    if (before, row) != (anchor.head, anchor.last_row + 1):
        return "the archives do not reach the first row of the journal"
    return ""


def _write(connection: sqlite3.Connection, path: Path, first_row: int, last_row: int, before: bytes) -> None:
    desk_id, env = stamp(connection)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file, gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:
        packed.write(msgspec.json.encode(Opening(FORMAT, desk_id, env, first_row, last_row, before.hex())) + b"\n")
        for row in _journal(connection, first_row, last_row):
            packed.write(msgspec.json.encode(row) + b"\n")
        for snapshot in _snapshots(connection, last_row):
            packed.write(msgspec.json.encode(snapshot) + b"\n")


def _journal(connection: sqlite3.Connection, first_row: int, last_row: int) -> Iterator[ArchivedRow]:
    sql = "SELECT * FROM journal WHERE id >= ? AND id <= ? ORDER BY id LIMIT ?"
    while page := connection.execute(sql, (first_row, last_row, PAGE)).fetchall():
        for id_, seq, inputs, run, kind, at_ns, symbol, ref, body, hash_ in page:
            text = body if isinstance(body, str) else b64encode(body).decode()
            yield ArchivedRow(id_, seq, inputs, run, kind, at_ns, symbol, ref, text, hash_.hex())
        first_row = page[-1][0] + 1


def _snapshots(connection: sqlite3.Connection, last_row: int) -> Iterator[ArchivedSnapshot]:
    sql = "SELECT row, run, seq, is_start, sha256, state FROM snapshots WHERE row <= ? ORDER BY row"
    for row, run, seq, is_start, digest, state in connection.execute(sql, (last_row,)):
        yield ArchivedSnapshot(row, run, seq, is_start, digest.hex(), b64encode(state).decode())


def _rows(path: Path, desk_id: str) -> Iterator[tuple[Any, ...]]:
    """The journal rows of a file, as the table has them."""
    with gzip.open(path, "rb") as file:
        opening = msgspec.json.decode(file.readline(), type=Opening)
        if (opening.nightdesk, opening.desk_id) != (FORMAT, desk_id):
            raise ValueError("it is the archive of another journal")
        for line in file:
            if line.startswith(b'{"snapshot":'):
                return
            yield msgspec.json.decode(line, type=ArchivedRow).values()


def _seen(rows: Iterator[tuple[Any, ...]], see: Callable[[int, bytes], object]) -> Iterator[tuple[Any, ...]]:
    for values in rows:
        see(values[0], values[9])
        yield values


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
