"""Facts of the journal between two rows, by kind, in pages: a reader left open keeps the WAL from shrinking."""

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from engine.core.calendar import Calendar, shared
from engine.core.desk import calendars_of
from engine.core.facts import AnyFact, Fact
from engine.core.state import Snapshot
from store.database import reading
from store.errors import StoreError
from store.projections import fact_decoder
from store.recovery import UnknownRun, run_inputs

_PAGE: Final = 500
_FOREVER: Final = 2**62
_RUNS: Final = (
    "SELECT run, run_id, first_row, (SELECT min(first_row) FROM runs AS next WHERE next.run > runs.run) FROM runs"
)
_HELD: Final = (
    "SELECT symbol FROM (SELECT symbol, position_qty, max(row) FROM fills WHERE row < ? GROUP BY symbol) "
    "WHERE position_qty <> '0' ORDER BY symbol"
)


class SpanRead(msgspec.Struct, frozen=True):
    """Facts of some runs with the number of their run, in the journal's order, and what they rest on.

    Attributes:
        run_ids: The runs they are of, oldest first.
        held: Symbols in the market when the first of them began.
        calendar: Of the first of them; UTC days where its beginning is archived.
    """

    run_ids: tuple[str, ...]
    facts: tuple[tuple[int, AnyFact], ...]
    held: frozenset[str]
    calendar: Calendar


def read_span(
    path: Path, kinds: Sequence[type[Fact]], run_ids: Sequence[str] = (), since_ns: int = 0, until_ns: int = _FOREVER
) -> SpanRead:
    """What these runs (none named: all) put on record from `since_ns` on and before `until_ns`.

    Raises:
        UnknownRun: there is no such run.
    """
    with reading(path) as connection:
        runs = {
            run_id: (first, following) for _, run_id, first, following in connection.execute(_RUNS + " ORDER BY run")
        }
        for run_id in run_ids:
            if run_id not in runs:
                raise UnknownRun(run_id)
        wanted = [run_id for run_id in runs if run_id in run_ids] if run_ids else list(runs)
        found = []
        for run_id in wanted:
            first, following = runs[run_id]
            for number, fact in facts_between(connection, first, (following or _FOREVER) - 1, kinds):
                if since_ns <= fact.at_ns < until_ns:
                    found.append((number, fact))
        begin = runs[wanted[0]][0] if wanted else 0
        held = frozenset(symbol for (symbol,) in connection.execute(_HELD, (begin,)))
    return SpanRead(tuple(wanted), tuple(found), held, _calendar(path, wanted))


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
    sql = (
        f"SELECT id, run, body FROM journal WHERE id > ? AND id <= ? AND kind IN ({marks}) "  # noqa: S608
        f"ORDER BY id LIMIT {_PAGE}"
    )
    after = first_row - 1
    while page := connection.execute(sql, (after, last_row, *tags)).fetchall():
        for _, run, body in page:
            yield run, fact_decoder.decode(body)
        after = page[-1][0]
