"""One run as it was recorded, for looking at it: where it begins and ends, and what was known at any of its inputs.

Everything is read when it is asked for, a little at a time, so a desk may run on the same file meanwhile; what it adds
after a recording was opened is not part of it.
"""

import sqlite3
from bisect import bisect_right
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Final

from engine.core.events import AnyEvent, SessionPhase
from engine.core.facts import AnyFact, PhaseChanged
from engine.review.marks import MARK_KINDS, Mark, mark_of
from store import blocks
from store.database import reading
from store.errors import Damaged
from store.inputs import Inputs
from store.projections import fact_decoder
from store.recovery import Archived, RunStart, archived_text, run_inputs, run_rows, unpacked
from store.rows import FACT_KINDS

PAGE: Final = 500


class Recording:
    """A run with at least one input. For one thread.

    Attributes:
        run_id: As it is named.
        first, last: Numbers of its first and last input.
        first_ns, last_ns: When these came.
        running: The input that opened the phase RUNNING, and `running_ns` when; 0: it never did.
    """

    def __init__(self, path: Path, run_id: str) -> None:
        """Raises `UnknownRun`, `Archived` (with the rows it began with), `Damaged`."""
        self._path = path
        self.run_id = run_id
        self._start, _ = run_inputs(path, run_id)
        with reading(path) as connection:
            self._run, self._first_row, self._end_row = run_rows(connection, run_id)
            self.first, self.last = self._bounds(connection)
        self._block = lru_cache(maxsize=4)(self._read_block)
        self.first_ns, self.last_ns = self._time_of(self.first), self._time_of(self.last)
        self.running, self.running_ns = self._running()

    def _bounds(self, connection: sqlite3.Connection) -> tuple[int, int]:
        """The first and the last input there are; the first is that of the run."""
        rows = "FROM journal WHERE kind = 'block' AND id > ? AND id < ? ORDER BY id"
        within = (self._first_row, self._end_row)
        found = connection.execute(f"SELECT seq {rows} LIMIT 1", within).fetchone()
        if found is None:
            raise Damaged(f"{self._path}: run {self.run_id} has no inputs")
        first = found[0]
        (last,) = connection.execute(f"SELECT seq + inputs - 1 {rows} DESC LIMIT 1", within).fetchone()
        if self._start is not None and first > self._start.seq:
            raise Archived(archived_text(connection, self.run_id))
        return first, last

    def _running(self) -> tuple[int, int]:
        for seq, fact in self._facts("kind = 'phase_changed'", self._first_row):
            if isinstance(fact, PhaseChanged) and fact.phase == SessionPhase.RUNNING:
                return seq, fact.at_ns
        return 0, 0

    def start(self, seq: int) -> RunStart | None:
        """The newest kept state of the run from after an input up to `seq`; None: there is none, drive from `first`."""
        with reading(self._path) as connection:
            found = connection.execute(
                "SELECT s.row, s.seq, j.at_ns, s.state, s.sha256 FROM snapshots AS s JOIN journal AS j ON j.id = s.row "
                "WHERE s.run = ? AND s.seq BETWEEN ? AND ? ORDER BY s.row DESC",
                (self._run, self.first, seq),
            )
            for row, at_seq, at_ns, packed, digest in found:
                state = unpacked(connection, row, packed, digest)
                if state is not None:
                    return RunStart(state, at_seq, row, at_ns)
        return None

    def inputs(self, after: int) -> Iterator[tuple[int, AnyEvent]]:
        """(seq, event) of the inputs behind `after` (at least `first` - 1), in order, to the last."""
        for seq, event in Inputs(self._path, after, self._end_row):
            if seq > self.last:
                return
            yield seq, event

    def facts(self, after: int) -> Iterator[tuple[int, AnyFact]]:
        """(seq of its cause, fact) of everything recorded for the inputs behind `after`, in order, to the last."""
        for seq, fact in self._facts("kind <> 'block'", max(self._row_of_block(after), self._first_row)):
            if seq > self.last:
                return
            if seq > after:
                yield seq, fact

    def facts_back(self, seq: int) -> Iterator[tuple[int, AnyFact]]:
        """What was recorded for the inputs up to `seq`, newest first."""
        for _, cause, body in self._rows_back(seq):
            yield cause, fact_decoder.decode(body)

    def _rows_back(self, seq: int) -> Iterator[tuple[int, int, str]]:
        """(row, seq, body) of the facts up to `seq`, newest first."""
        with reading(self._path) as connection:
            (before,) = connection.execute(
                "SELECT coalesce(min(id), ?) FROM journal INDEXED BY journal_blocks WHERE kind = 'block' AND seq > ?",
                (self._end_row, seq),
            ).fetchone()
            while page := connection.execute(
                "SELECT id, seq, kind, body FROM journal WHERE id < ? AND id > ? AND kind <> 'block' "
                "ORDER BY id DESC LIMIT ?",
                (before, self._first_row, PAGE),
            ).fetchall():
                yield from (
                    (row, cause, body) for row, cause, kind, body in page if kind in FACT_KINDS and cause <= seq
                )
                before = page[-1][0]

    def marks(self) -> dict[Mark, list[int]]:
        """By kind, the inputs after which something worth finding was recorded, ascending, each once."""
        found: dict[Mark, list[int]] = {mark: [] for mark in Mark}
        kinds = ", ".join(f"'{kind}'" for kind in sorted(MARK_KINDS))
        for seq, fact in self._facts(f"kind IN ({kinds})", self._first_row):
            mark = mark_of(fact)
            if mark is not None and seq <= self.last and seq not in found[mark][-1:]:
                found[mark].append(seq)
        return found

    def seq_at(self, at_ns: int) -> int:
        """The last input from up to `at_ns`; the first one if all came later."""
        seqs = range(self.first, self.last + 1)
        return max(self.first, self.first + bisect_right(seqs, at_ns, key=self._time_of) - 1)

    def row_at(self, seq: int) -> int:
        """The last row of what was recorded for the inputs up to `seq`."""
        return next((row for row, _, _ in self._rows_back(seq)), self._first_row)

    def _time_of(self, seq: int) -> int:
        with reading(self._path) as connection:
            (first,) = connection.execute(
                "SELECT max(seq) FROM journal INDEXED BY journal_blocks WHERE kind = 'block' AND seq <= ?", (seq,)
            ).fetchone()
        event: AnyEvent = self._block(first)[seq - first]
        return event.at_ns

    def _read_block(self, first: int) -> list[AnyEvent]:
        with reading(self._path) as connection:
            (body,) = connection.execute(
                "SELECT body FROM journal INDEXED BY journal_blocks WHERE kind = 'block' AND seq = ?", (first,)
            ).fetchone()
        return blocks.decode(body)

    def _row_of_block(self, seq: int) -> int:
        with reading(self._path) as connection:
            found = connection.execute(
                "SELECT id FROM journal INDEXED BY journal_blocks WHERE kind = 'block' AND seq <= ? "
                "ORDER BY seq DESC LIMIT 1",
                (seq,),
            ).fetchone()
        return int(found[0]) if found else 0

    def _facts(self, where: str, after_row: int) -> Iterator[tuple[int, AnyFact]]:
        with reading(self._path) as connection:
            while page := connection.execute(
                f"SELECT id, seq, kind, body FROM journal WHERE {where} AND id > ? AND id < ? ORDER BY id LIMIT ?",  # noqa: S608
                (after_row, self._end_row, PAGE),
            ).fetchall():
                yield from ((seq, fact_decoder.decode(body)) for _, seq, kind, body in page if kind in FACT_KINDS)
                after_row = page[-1][0]
