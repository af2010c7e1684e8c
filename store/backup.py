"""The second copy, `desk.db.bak`: made while the desk trades, and put in place when the first is damaged.

A backup is taken with SQLite's backup API through a reading connection: it sees one moment of the database, the writer
goes on meanwhile, and nothing but the writer ever writes or checkpoints the file. The new copy is checked and durable
before it takes the name of the old one, so at every moment one whole copy exists.
"""

from pathlib import Path

import msgspec

from store.chain import next_input, verify
from store.database import copy_database, holds_desk, quick_check, reading, stamped_env, sync_file
from store.errors import Damaged, StoreError, WrongEnv


class BackupMade(msgspec.Struct, frozen=True):
    """A finished backup: where, how large, and up to which journal row and input."""

    path: Path
    size_bytes: int
    rows: int
    inputs: int


class Restored(msgspec.Struct, frozen=True):
    """A backup took the place of a damaged database.

    `damaged` is where the damaged files were kept (None: there was none), `lost_inputs` how many inputs the backup
    lacks (None: the damaged file could not say).
    """

    reason: str
    damaged: Path | None
    lost_inputs: int | None

    @property
    def text(self) -> str:
        """What happened, as a sentence for the operator."""
        lost = "an unknown number of" if self.lost_inputs is None else str(self.lost_inputs)
        kept = f"; the damaged file is kept as {self.damaged.name}" if self.damaged else ""
        return f"The database was restored from its backup, {lost} events are missing{kept}. Cause: {self.reason}"


def backup_path(path: Path) -> Path:
    return path.with_name(path.name + ".bak")


def back_up(path: Path) -> BackupMade:
    """Make `desk.db.bak` anew. Takes about a second per 200 MB; blocks the caller, not the writer.

    Raises:
        Damaged: the copy failed its check, the older backup stays.
        Unwritable, DiskFull: it could not be written.
    """
    target = backup_path(path)
    with reading(path) as connection:
        copy_database(connection, target)
    rows, inputs = _extent(target)
    return BackupMade(target, target.stat().st_size, rows, inputs)


def can_restore(path: Path) -> bool:
    return holds_desk(backup_path(path))


def restore(path: Path, env: str, now_ns: int, reason: str) -> Restored:
    """Keep what is left of `path` aside and put the backup in its place; ends whole also if it is interrupted.

    Raises:
        Damaged: the backup is not good either; nothing was moved.
        WrongEnv: the backup is of the other env; nothing was moved.
    """
    source = backup_path(path)
    try:
        with reading(source) as connection:
            quick_check(connection, source)
            checked = verify(connection)
    except StoreError as error:
        raise Damaged(f"Failed to load state: {reason}; its backup: {error}") from error
    if checked.bad is not None:
        raise Damaged(f"Failed to load state: {reason}; its backup: row {checked.bad.id}: {checked.bad.reason}")
    if stamped_env(source) != env:
        raise WrongEnv(source, stamped_env(source), env)
    inputs_before = _inputs_of(path)
    damaged = _set_aside(path, now_ns)
    with reading(source) as connection:
        copy_database(connection, path)
    lost = None if inputs_before is None else max(inputs_before - _extent(path)[1], 0)
    return Restored(reason, damaged, lost)


def _set_aside(path: Path, now_ns: int) -> Path | None:
    """Move the damaged files away, the main one first: without it, an interrupted restore begins again.

    A WAL left beside the restored file would be played into it, so it goes along.
    """
    aside = path.with_name(f"{path.name}.damaged-{now_ns}")
    moved = path.exists()
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    if moved:
        sync_file(aside)
    return aside if moved else None


def _inputs_of(path: Path) -> int | None:
    """How many inputs a damaged database says it holds; None if it cannot say."""
    if not holds_desk(path):
        return None
    try:
        return _extent(path)[1]
    except StoreError:
        return None  # that it cannot be read is what brought us here


def _extent(path: Path) -> tuple[int, int]:
    """Journal rows and inputs."""
    with reading(path) as connection:
        rows = connection.execute("SELECT coalesce(max(id), 0) FROM journal").fetchone()[0]
        return rows, next_input(connection) - 1
