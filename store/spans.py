"""Facts of the journal between two rows, by kind, in steps: a reader left open keeps the WAL from shrinking."""

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from engine.core.calendar import Calendar, shared
from engine.core.desk import calendars_of
from engine.core.events import SessionPhase
from engine.core.facts import AnyFact, Fact
from engine.core.state import Snapshot
from store.database import reading
from store.errors import StoreError
from store.projections import fact_decoder
from store.recovery import UnknownRun, run_inputs

_WINDOW: Final = 10_000  # rows that are looked through at once
_FOREVER: Final = 2**62
_RUNS: Final = (
    "SELECT run, run_id, first_row, (SELECT min(first_row) FROM runs AS next WHERE next.run > runs.run) FROM runs "
    "ORDER BY run"
)
_PHASE: Final = "SELECT phase FROM phase_changes WHERE row < ? AND run = ? ORDER BY row DESC LIMIT 1"
_HELD: Final = (
    "SELECT symbol FROM (SELECT symbol, position_qty, max(row) FROM fills WHERE row < ? GROUP BY symbol) "
    "WHERE position_qty <> '0' ORDER BY symbol"
)


class SpanRead(msgspec.Struct, frozen=True):
    """Facts of some runs, and what they rest on.

    Attributes:
        run_ids: The runs they are of, oldest first.
        facts: (number of its run, fact), in the journal's order; read as they are asked for, once.
        held: Symbols in the market when the first of them began.
        calendar: Of the first of them; UTC days where its beginning is archived.
        ran: Whether the desk was RUNNING at the first row, which was written at `begin_ns` (0: a run begins there).
    """

    run_ids: tuple[str, ...]
    facts: Iterator[tuple[int, AnyFact]]
    held: frozenset[str]
    calendar: Calendar
    ran: bool = False
    begin_ns: int = 0


def read_span(
    path: Path, kinds: Sequence[type[Fact]], run_ids: Sequence[str] = (), since_ns: int = 0, until_ns: int = _FOREVER
) -> SpanRead:
    """What these runs (none named: all) put on record from `since_ns` on and before `until_ns`.

    Raises:
        UnknownRun: there is no such run.
    """
    with reading(path) as connection:
        runs = {run_id: (first, following or _FOREVER) for _, run_id, first, following in connection.execute(_RUNS)}
        for run_id in run_ids:
            if run_id not in runs:
                raise UnknownRun(run_id)
        wanted = [run_id for run_id in runs if run_id in run_ids] if run_ids else list(runs)
        begin = runs[wanted[0]][0] if wanted else 0
        held = frozenset(symbol for (symbol,) in connection.execute(_HELD, (begin,)))
    facts = _facts(path, [runs[run_id] for run_id in wanted], kinds)
    within = (one for one in facts if since_ns <= one[1].at_ns < until_ns)
    return SpanRead(tuple(wanted), within, held, _calendar(path, wanted))


def read_rows(path: Path, kinds: Sequence[type[Fact]], first_row: int, last_row: int) -> SpanRead:
    """What stands in the journal between two rows, both included, whatever runs wrote it."""
    with reading(path) as connection:
        runs = [
            run_id
            for _, run_id, first, following in connection.execute(_RUNS)
            if first <= last_row and (following is None or following > first_row)
        ]
        held = frozenset(symbol for (symbol,) in connection.execute(_HELD, (first_row,)))
        run, begin_ns = connection.execute("SELECT run, at_ns FROM journal WHERE id = ?", (first_row,)).fetchone()
        phase = connection.execute(_PHASE, (first_row, run)).fetchone()
    facts = _facts(path, [(first_row, last_row + 1)], kinds)
    ran = phase == (SessionPhase.RUNNING,)
    return SpanRead(tuple(runs), facts, held, _calendar(path, runs), ran, begin_ns)


def _facts(path: Path, rows: Sequence[tuple[int, int]], kinds: Sequence[type[Fact]]) -> Iterator[tuple[int, AnyFact]]:
    with reading(path) as connection:
        for first, following in rows:
            yield from facts_between(connection, first, following - 1, kinds)


def _calendar(path: Path, run_ids: Sequence[str]) -> Calendar:
    """What rolled the trading day of the first run whose first state is still there."""
    for run_id in run_ids:
        try:
            start, _ = run_inputs(path, run_id)
        except StoreError:  # archived or damaged: the next run may still tell
            continue
        config = msgspec.msgpack.decode(start.state, type=Snapshot).state.config if start is not None else None
        if config is not None:
            return shared(calendars_of(config).values())
    return Calendar()


def facts_between(
    connection: sqlite3.Connection, first_row: int, last_row: int, kinds: Sequence[type[Fact]]
) -> Iterator[tuple[int, AnyFact]]:
    """(number of its run, fact) of every fact of these kinds, both rows included, in the journal's order."""
    tags = tuple(str(kind.__struct_config__.tag) for kind in kinds)
    marks = ", ".join("?" * len(tags))
    sql = f"SELECT run, body FROM journal WHERE id >= ? AND id < ? AND kind IN ({marks}) ORDER BY id"  # noqa: S608
    (newest,) = connection.execute("SELECT coalesce(max(id), 0) FROM journal").fetchone()
    decode = fact_decoder.decode
    for row in range(first_row, min(last_row, newest) + 1, _WINDOW):
        for run, body in connection.execute(sql, (row, min(row + _WINDOW, last_row + 1), *tags)).fetchall():
            yield run, decode(body)
