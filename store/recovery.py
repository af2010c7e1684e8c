"""What the journal remembers: where a desk left off, and everything one run was told and decided."""

import sqlite3
import zlib
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import msgspec

from engine.core.facts import AnyFact
from engine.session.ports import Recovered
from store.ahead import Ahead, is_worth_it
from store.chain import BadRow, Verification, newest_anchor, next_input, stamp, verify
from store.database import reading
from store.errors import Damaged, StoreError
from store.inputs import FOREVER, Inputs
from store.projections import fact_decoder
from store.rows import FACT_KINDS


class UnknownRun(StoreError):
    """The journal holds no run of that id."""

    def __init__(self, run_id: str) -> None:
        super().__init__(f"the journal holds no run {run_id!r}")


class Archived(StoreError):
    """Rows that were asked for are in archives; the message names them."""


class RunStart(msgspec.Struct, frozen=True):
    """A state of the core a run can be driven from: as it was after input `seq` (0: before any input).

    `row` is the journal row of the snapshot, `at_ns` when it was taken.
    """

    state: bytes
    seq: int
    row: int
    at_ns: int


def recover(connection: sqlite3.Connection, path: Path) -> Recovered:
    """Where the desk left off: its newest good snapshot and the inputs after it. The rows these rest on are checked.

    Raises:
        Damaged: a row behind the snapshot is not what was written, or its blocks cannot be read, or there is no good
            snapshot and the oldest rows are archived.
    """
    row, seq, state = _newest_snapshot(connection)
    anchor = newest_anchor(connection)
    if state is None and anchor is not None:
        raise Damaged(
            f"{path}: no state of the core is what was written, and the rows up to {anchor.last_row} that could "
            "rebuild it are archived"
        )
    checked = verify(connection, after=row)
    if checked.bad is not None:
        raise Damaged(_sentence(path, checked.bad))
    upcoming = next_input(connection)
    return Recovered(
        snapshot=state,
        tail=Ahead(path, seq) if is_worth_it(upcoming - 1 - seq) else Inputs(path, seq).events(),
        next_seq=upcoming,
        rows=_rows(connection),
        head=checked.head,
        kill_latched=is_latched(connection),
        desk_id=stamp(connection)[0],
    )


def _rows(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT coalesce(max(id), 0) FROM journal").fetchone()[0])


def newest_snapshot_row(connection: sqlite3.Connection) -> int:
    """The journal row of the newest snapshot that is what was written; 0 without one."""
    return _newest_snapshot(connection)[0]


def is_latched(connection: sqlite3.Connection) -> bool:
    """True if the desk was killed and not re-armed since. Only the latch's own row lifts it, never the core's fact."""
    (latched,) = connection.execute(
        "WITH rearmed (id) AS (SELECT coalesce(max(id), 0) FROM journal WHERE kind = 'rearm') "
        "SELECT EXISTS (SELECT 1 FROM journal WHERE kind = 'latch' AND id > (SELECT id FROM rearmed)) OR EXISTS "
        "(SELECT 1 FROM journal WHERE kind = 'kill_changed' AND id > (SELECT id FROM rearmed) "
        "AND json_extract(body, '$.latched'))"
    ).fetchone()
    return bool(latched)


def run_inputs(path: Path, run_id: str, since_ns: int | None = None) -> tuple[RunStart | None, Inputs]:
    """The state a run began with (None: it was never kept) and its inputs after that, as (seq, event).

    With `since_ns`, the newest state from before that time in place of the first.

    Raises:
        UnknownRun: there is no such run.
        Archived: the rows it would need are archived.
        Damaged: its snapshot is not what was written.
    """
    with reading(path) as connection:
        run, first_row, last_row = run_rows(connection, run_id)
        start = _start_of(connection, run, since_ns)
        if start is not None:
            return start, Inputs(path, start.seq, last_row)
        if not holds_row(connection, first_row):
            raise Archived(archived_text(connection, run_id))
        if connection.execute("SELECT 1 FROM snapshots WHERE run = ? AND is_start = 1", (run,)).fetchone():
            raise Damaged(f"{path}: the snapshot that run {run_id} began with is not what was written")
        (before,) = connection.execute("SELECT seq FROM journal WHERE id = ?", (first_row,)).fetchone()
        return None, Inputs(path, before, last_row)


def _start_of(connection: sqlite3.Connection, run: int, since_ns: int | None) -> RunStart | None:
    """The newest good snapshot of a run from before `since_ns`, or the one it began with."""
    found = connection.execute(
        "SELECT s.row, s.seq, j.at_ns, s.state, s.sha256 FROM snapshots AS s JOIN journal AS j ON j.id = s.row "
        "WHERE s.run = ? AND (s.is_start = 1 OR j.at_ns <= ?) ORDER BY s.row DESC",
        (run, -1 if since_ns is None else since_ns),
    )
    for row, seq, at_ns, packed, digest in found:
        state = unpacked(connection, row, packed, digest)
        if state is not None:
            return RunStart(state, seq, row, at_ns)
    return None


def run_facts(path: Path, run_id: str, after_row: int = 0) -> Iterator[tuple[int, AnyFact]]:
    """(seq of its cause, fact) of everything a run decided or booked behind `after_row`, in order.

    Raises:
        UnknownRun: there is no such run.
        Archived: some of these rows are archived.
    """
    with reading(path) as connection:
        _, first_row, last_row = run_rows(connection, run_id)
        after = max(first_row, after_row)
        if not holds_row(connection, after):
            raise Archived(archived_text(connection, run_id))
        while True:
            page = connection.execute(
                "SELECT id, seq, kind, body FROM journal WHERE id > ? AND id < ? AND kind <> 'block' "
                "ORDER BY id LIMIT 500",
                (after, last_row),
            ).fetchall()
            if not page:
                return
            for _, seq, kind, body in page:
                if kind in FACT_KINDS:
                    yield seq, fact_decoder.decode(body)
            after = page[-1][0]


class NearRow(msgspec.Struct, frozen=True):
    """A journal row without its body."""

    id: int
    seq: int
    kind: str
    at_ns: int
    symbol: str
    ref: str


def rows_around(path: Path, seq: int, count: int) -> list[NearRow]:
    """The rows of what input `seq` led to, or where they would stand, with `count` before and behind; no blocks."""
    with reading(path) as connection:
        block = connection.execute(
            "SELECT id FROM journal INDEXED BY journal_blocks WHERE kind = 'block' AND seq <= ? "
            "ORDER BY seq DESC LIMIT 1",
            (seq,),
        ).fetchone()
        following = connection.execute(
            "SELECT id FROM journal INDEXED BY journal_blocks WHERE kind = 'block' AND seq > ? ORDER BY seq LIMIT 1",
            (seq,),
        ).fetchone()
        begin, end = block[0] if block else 0, following[0] if following else FOREVER
        first, last = connection.execute(
            "SELECT coalesce(min(iif(seq >= :seq, id, NULL)), max(id) + 1, :begin + 1), max(iif(seq = :seq, id, 0)) "
            "FROM journal WHERE id > :begin AND id < :end",
            {"seq": seq, "begin": begin, "end": end},
        ).fetchone()
        found = connection.execute(
            "SELECT id, seq, kind, at_ns, symbol, ref FROM journal WHERE id BETWEEN ? AND ? AND kind <> 'block' "
            "ORDER BY id",
            (first - count, max(first - 1, last or 0) + count),
        )
        return [NearRow(*row) for row in found]


def run_rows(connection: sqlite3.Connection, run_id: str) -> tuple[int, int, int]:
    """The run's number, its first row (which may be archived), and the row before which it ends."""
    found = (
        connection.execute(
            "SELECT run, id FROM journal WHERE kind = 'run' AND ref = ? ORDER BY id LIMIT 1", (run_id,)
        ).fetchone()
        or connection.execute("SELECT run, first_row FROM runs WHERE run_id = ?", (run_id,)).fetchone()
    )
    if found is None:
        raise UnknownRun(run_id)
    run, first_row = found
    (end,) = connection.execute("SELECT min(id) FROM journal WHERE kind = 'run' AND id > ?", (first_row,)).fetchone()
    return run, first_row, end or FOREVER


def holds_row(connection: sqlite3.Connection, row: int) -> bool:
    return connection.execute("SELECT 1 FROM journal WHERE id = ?", (row,)).fetchone() is not None


def archived_text(connection: sqlite3.Connection, run_id: str) -> str:
    anchor = newest_anchor(connection)
    names = ", ".join(archive.name for archive in anchor.archives) if anchor is not None else "nothing known"
    return f"the rows run {run_id} began with are archived: {names}"


def _newest_snapshot(connection: sqlite3.Connection) -> tuple[int, int, bytes | None]:
    """Journal row, last input and state of the newest snapshot that is what was written; zeros and None without one."""
    rows = connection.execute("SELECT row, seq, state, sha256 FROM snapshots ORDER BY row DESC")
    for row, seq, packed, digest in rows:
        state = unpacked(connection, row, packed, digest)
        if state is not None:
            return row, seq, state
    return 0, 0, None


def unpacked(connection: sqlite3.Connection, row: int, packed: bytes, digest: bytes) -> bytes | None:
    """The state, if it has the hash that stands beside it and in the chain."""
    chained = connection.execute(
        "SELECT json_extract(body, '$.sha256') FROM journal WHERE id = ? AND kind = 'snapshot'", (row,)
    ).fetchone()
    try:
        state = zlib.decompress(packed)
    except zlib.error:
        return None
    is_good = chained is not None and sha256(state).digest() == digest and digest.hex() == chained[0]
    return state if is_good else None


def verify_file(path: Path) -> Verification:
    """Check the whole chain of a database from the file alone."""
    with reading(path) as connection:
        return verify(connection)


def _sentence(path: Path, bad: BadRow) -> str:
    return f"{path}: journal row {bad.id} ({bad.kind or 'unreadable'}): {bad.reason}"
