"""What the journal remembers: where a desk left off, and everything one run was told and decided.

Inputs are read lazily, a few blocks at a time, each read short, so that a replay of weeks needs little memory and never
holds back the writer.
"""

import sqlite3
import zlib
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import msgspec

from engine.core.events import AnyEvent
from engine.core.facts import AnyFact
from engine.session.ports import Recovered
from store import blocks
from store.chain import BadRow, Verification, newest_anchor, next_input, verify
from store.database import reading
from store.errors import Damaged, StoreError
from store.projections import fact_decoder
from store.rows import FACT_KINDS

_FOREVER = 2**63 - 1


class UnknownRun(StoreError):
    """The journal holds no run of that id."""

    def __init__(self, run_id: str) -> None:
        super().__init__(f"the journal holds no run {run_id!r}")


class Archived(StoreError):
    """Rows that were asked for are in archives; the message names them."""


class RunStart(msgspec.Struct, frozen=True):
    """The core's state a run began with: as it was after input `seq` (0: before any input)."""

    state: bytes
    seq: int


class Inputs:
    """(seq, event) of the inputs behind `after_seq`, in order. May be iterated again; each time reads the file anew."""

    def __init__(self, path: Path, after_seq: int, before_row: int = _FOREVER) -> None:
        self._path = path
        self._after_seq = after_seq
        self._before_row = before_row

    def __iter__(self) -> Iterator[tuple[int, AnyEvent]]:
        with reading(self._path) as connection:
            yield from self._read(connection)

    def events(self) -> "Events":
        """The same without the numbers."""
        return Events(self)

    def _read(self, connection: sqlite3.Connection) -> Iterator[tuple[int, AnyEvent]]:
        after = self._after_seq
        while True:
            block = connection.execute(
                "SELECT seq, inputs, body FROM journal WHERE kind = 'block' AND seq <= ? AND id < ? "
                "ORDER BY seq DESC LIMIT 1",
                (after + 1, self._before_row),
            ).fetchone()
            if block is None or block[0] + block[1] <= after + 1:
                return
            first, count, body = block
            for seq, event in enumerate(blocks.decode(body), start=first):
                if seq > after:
                    yield seq, event
            after = first + count - 1


class Events:
    """The events of `Inputs`."""

    def __init__(self, inputs: Inputs) -> None:
        self._inputs = inputs

    def __iter__(self) -> Iterator[AnyEvent]:
        return (event for _, event in self._inputs)


def recover(connection: sqlite3.Connection, path: Path) -> Recovered:
    """Where the desk left off: its newest good snapshot and the inputs after it. The rows these rest on are checked.

    Raises:
        Damaged: a row behind the snapshot is not what was written, or its blocks cannot be read.
    """
    row, seq, state = _newest_snapshot(connection)
    checked = verify(connection, after=row)
    if checked.bad is not None:
        raise Damaged(_sentence(path, checked.bad))
    return Recovered(
        snapshot=state,
        tail=Inputs(path, seq).events(),
        next_seq=next_input(connection),
        rows=_rows(connection),
        head=checked.head,
        kill_latched=is_latched(connection),
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


def run_inputs(path: Path, run_id: str) -> tuple[RunStart | None, Inputs]:
    """The state a run began with (None: it was never kept) and its inputs after that, as (seq, event).

    Raises:
        UnknownRun: there is no such run.
        Damaged: its snapshot is not what was written.
    """
    with reading(path) as connection:
        run, first_row, last_row = _run_rows(connection, run_id)
        found = connection.execute(
            "SELECT row, seq, state, sha256 FROM snapshots WHERE run = ? AND is_start = 1", (run,)
        ).fetchone()
        if found is None:
            (before,) = connection.execute("SELECT seq FROM journal WHERE id = ?", (first_row,)).fetchone()
            return None, Inputs(path, before, last_row)
        row, seq, packed, digest = found
        state = _unpacked(connection, row, packed, digest)
        if state is None:
            raise Damaged(f"{path}: the snapshot that run {run_id} began with is not what was written")
        return RunStart(state, seq), Inputs(path, seq, last_row)


def run_facts(path: Path, run_id: str) -> Iterator[tuple[int, AnyFact]]:
    """(seq of its cause, fact) of everything a run decided or booked, in order. Raises UnknownRun."""
    with reading(path) as connection:
        _, after, last_row = _run_rows(connection, run_id)
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


def _run_rows(connection: sqlite3.Connection, run_id: str) -> tuple[int, int, int]:
    """The run's number, its first row, and the row before which it ends."""
    found = connection.execute(
        "SELECT run, id FROM journal WHERE kind = 'run' AND ref = ? ORDER BY id LIMIT 1", (run_id,)
    ).fetchone()
    if found is None:
        anchor = newest_anchor(connection)
        known = connection.execute("SELECT 1 FROM runs WHERE run_id = ?", (run_id,)).fetchone()
        if anchor is None or known is None:
            raise UnknownRun(run_id)
        names = ", ".join(archive.name for archive in anchor.archives)
        raise Archived(f"the rows run {run_id} began with are archived: {names}")
    run, first_row = found
    (end,) = connection.execute("SELECT min(id) FROM journal WHERE kind = 'run' AND id > ?", (first_row,)).fetchone()
    return run, first_row, end or _FOREVER


def _newest_snapshot(connection: sqlite3.Connection) -> tuple[int, int, bytes | None]:
    """Journal row, last input and state of the newest snapshot that is what was written; zeros and None without one."""
    rows = connection.execute("SELECT row, seq, state, sha256 FROM snapshots ORDER BY row DESC")
    for row, seq, packed, digest in rows:
        state = _unpacked(connection, row, packed, digest)
        if state is not None:
            return row, seq, state
    return 0, 0, None


def _unpacked(connection: sqlite3.Connection, row: int, packed: bytes, digest: bytes) -> bytes | None:
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
