"""Retention: which of the oldest rows may leave the journal, and how they do: archived, anchored, then deleted.

What recovery needs stays, whatever its age: the newest snapshots with everything behind them, and a kill latch that was
not lifted. Tables other than the journal keep their rows.
"""

import sqlite3
from pathlib import Path
from typing import Final

import msgspec

from store.archives import archives_folder, write_archive
from store.chain import Anchor, hash_before, newest_anchor
from store.recovery import newest_snapshot_row
from store.writer import JournalWriter

SNAPSHOTS_SPARED: Final = 3


class Prunable(msgspec.Struct, frozen=True):
    """Rows that may go, `first_row` to `last_row`; none if `last_row` is the smaller.

    `limit` is what keeps the row after them, as a sentence about it.
    """

    first_row: int
    last_row: int
    limit: str

    @property
    def rows(self) -> int:
        return max(0, self.last_row - self.first_row + 1)


class Pruned(msgspec.Struct, frozen=True):
    """What was done; `freed` bytes are given back to the disk, and if that failed, `problem` says why."""

    rows: int
    archive: Path
    sha256: str
    first_kept_row: int
    freed: int
    problem: str = ""


def prunable(connection: sqlite3.Connection, before_ns: int) -> Prunable:
    """The oldest rows, all from before `before_ns`, that recovery can do without."""
    (first,) = connection.execute("SELECT coalesce(min(id), 1) FROM journal").fetchone()
    snapshot = _oldest_spared_snapshot(connection)
    if snapshot is None:
        return Prunable(first, first - 1, "recovery needs every row: there is no snapshot")
    limits = [(snapshot, "recovery needs it: the newest snapshots begin there")]
    since, latch = _first_since(connection, before_ns), _standing_latch(connection)
    if since is not None:
        limits.append((since, "it is not older than that"))
    if latch is not None:
        limits.append((latch, "the kill latch it set was not lifted"))
    kept, why = min(limits)
    return Prunable(first, kept - 1, why)


def prune(connection: sqlite3.Connection, writer: JournalWriter, database: Path, rows: Prunable) -> Pruned:
    """Archive `rows`, then let them go in one transaction. For a desk that does not run.

    Raises:
        BadArchive: the archive could not be written; nothing was deleted.
        sqlite3.Error: nothing was deleted.
    """
    anchor = newest_anchor(connection)
    archive = write_archive(
        connection,
        archives_folder(database),
        rows.first_row,
        rows.last_row,
        hash_before(connection, anchor),
        _next_input(connection, rows.last_row, anchor),
    )
    earlier = anchor.archives if anchor is not None else ()
    writer.write_anchor(Anchor(rows.last_row, archive.head, archive.next_input, (*earlier, archive)))
    size = database.stat().st_size
    problem = _give_back(connection)
    return Pruned(
        rows=rows.rows,
        archive=archives_folder(database) / archive.name,
        sha256=archive.sha256,
        first_kept_row=rows.last_row + 1,
        freed=size - database.stat().st_size,
        problem=problem,
    )


def _give_back(connection: sqlite3.Connection) -> str:
    """Rewrite the database without its holes; why it could not be. What is left is used by rows to come."""
    connection.execute("PRAGMA temp_store = FILE")  # it may be large: everything else that is temporary is in memory
    try:
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    except sqlite3.Error as error:
        return f"the database keeps its size: {error}"
    finally:
        connection.execute("PRAGMA temp_store = MEMORY")
    return ""


def _first_since(connection: sqlite3.Connection, at_ns: int) -> int | None:
    found = connection.execute("SELECT min(id) FROM journal WHERE at_ns >= ?", (at_ns,)).fetchone()[0]
    return int(found) if found is not None else None


def _oldest_spared_snapshot(connection: sqlite3.Connection) -> int | None:
    """The oldest of the newest snapshots, never behind the newest good one."""
    rows = [
        row for (row,) in connection.execute("SELECT row FROM snapshots ORDER BY row DESC LIMIT ?", (SNAPSHOTS_SPARED,))
    ]
    good = newest_snapshot_row(connection)
    return min(*rows, good) if rows and good else None


def _standing_latch(connection: sqlite3.Connection) -> int | None:
    (row,) = connection.execute(
        "SELECT min(id) FROM journal WHERE kind IN ('latch', 'kill_changed') AND id > "
        "(SELECT coalesce(max(id), 0) FROM journal WHERE kind = 'rearm') "
        "AND (kind = 'latch' OR json_extract(body, '$.latched'))"
    ).fetchone()
    return int(row) if row is not None else None


def _next_input(connection: sqlite3.Connection, last_row: int, anchor: Anchor | None) -> int:
    found = connection.execute(
        "SELECT seq + inputs FROM journal WHERE kind = 'block' AND id <= ? ORDER BY id DESC LIMIT 1", (last_row,)
    ).fetchone()
    if found is not None:
        return int(found[0])
    return anchor.next_input if anchor is not None else 1
