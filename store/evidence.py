"""The evidence of a validation protocol, gathered from the desk's tables: what happened since its terms were fixed."""

import asyncio
import json
import sqlite3
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import msgspec

from engine.core import money
from engine.core.events import Act
from engine.core.operator import BY_THE_SHELL
from engine.core.words import BreakerAction
from engine.review.evidence import DaySeen, Evidence, Files, Happening, MarkSeen, RunSeen, Terms, TradeSeen
from engine.review.report import check
from store.audit import proof
from store.database import reading
from store.queries import open_queries

FOREVER: Final = 2**62
_SEEN_MAX: Final = 1_000  # of one kind; a protocol with more of them has failed by any count

_HAPPENINGS: Final = {  # each gives (row, at_ns, text)
    "unended": (
        "SELECT row, raised_ns, signal_id FROM signals AS s "
        "WHERE row BETWEEN :first AND :last "
        "AND NOT EXISTS (SELECT 1 FROM outcomes AS o WHERE o.signal_id = s.signal_id)"
    ),
    "unexplained": (
        "SELECT row, ended_ns, signal_id FROM outcomes "
        "WHERE row BETWEEN :first AND :last AND state <> 'EXECUTED' AND (trim(text) = '' OR reason_code = '')"
    ),
    "untraced": (
        "SELECT row, exit_ns, trade_id FROM trades AS t WHERE row BETWEEN :first AND :last AND NOT EXISTS "
        "(SELECT 1 FROM fills AS f JOIN orders AS o ON o.order_id = f.order_id "
        "JOIN signals AS s ON s.signal_id = f.signal_id WHERE f.signal_id = t.signal_id)"
    ),
    "unintended": (
        "SELECT row, filled_ns, fill_id || ' of ' || symbol FROM fills AS f WHERE row BETWEEN :first AND :last AND ("
        "NOT EXISTS (SELECT 1 FROM orders AS o WHERE o.order_id = f.order_id) OR "
        "NOT EXISTS (SELECT 1 FROM signals AS s WHERE s.signal_id = f.signal_id))"
    ),
    "above_heat": (
        "SELECT row, at_ns, heat || ' above ' || limit_value FROM heat_notes "
        "WHERE row BETWEEN :first AND :last AND above = 1"
    ),
    "spikes": "SELECT row, at_ns, rise || ' in ' || regime FROM exposure_spikes WHERE row BETWEEN :first AND :last",
    "errors": "SELECT row, at_ns, place || ': ' || text FROM errors WHERE row BETWEEN :first AND :last",
    "breakers": (
        "SELECT row, at_ns, name || ' ' || text FROM breaker_changes WHERE row BETWEEN :first AND :last AND tripped = 1"
    ),
    "stale": (
        "SELECT row, at_ns, symbol FROM feed_notes WHERE row BETWEEN :first AND :last AND kind = 'ORDER_BOOK_STALE'"
    ),
    "gaps": "SELECT row, at_ns, symbol FROM feed_notes WHERE row BETWEEN :first AND :last AND kind = 'GAP_DETECTED'",
    "notes": "SELECT row, at_ns, kind FROM feed_notes WHERE row BETWEEN :first AND :last",
    "kills": (
        "SELECT row, at_ns, source || ': ' || text FROM kill_changes WHERE row BETWEEN :first AND :last AND latched = 1"
    ),
    "acts": (
        "SELECT row, at_ns, act || ' by ' || actor FROM operator_acts "
        "WHERE row BETWEEN :first AND :last AND source <> :shell AND act <> :acknowledge"
    ),
    "mismatches": (
        "SELECT row, first_seen_ns, kind || ' ' || subject FROM discrepancies "
        "WHERE resolved_ns IS NULL AND row <= :last"
    ),
    "regimes": (
        "SELECT row, at_ns, previous || ' -> ' || regime FROM regime_changes "
        "WHERE row BETWEEN :first AND :last AND previous <> regime"
    ),
}
_TRADES: Final = "SELECT row, exit_ns, pnl FROM trades WHERE row BETWEEN :first AND :last ORDER BY row"
_MARKS: Final = (
    "SELECT at_ns, equity, equity_pessimistic FROM equity_marks WHERE row BETWEEN :first AND :last ORDER BY row"
)
_RUNS: Final = (
    "SELECT run, run_id, first_row, config_hash, report FROM runs WHERE first_row BETWEEN :first AND :last ORDER BY run"
)


def gather(path: Path, terms: Terms, first: int, last: int = FOREVER, files: Files | None = None) -> Evidence:
    """The evidence of the protocol whose terms stand in journal row `first`, up to row `last` (not included).

    With `files` it is the whole: the journal is verified too, and every report compared with its rows.

    Raises:
        Damaged, Unwritable: the database cannot be read.
    """
    with reading(path) as connection:
        seen = _Reader(connection, first, last).evidence(terms)
    if files is None:
        return seen
    found = proof(path)
    faults = (*((str(found.chain.bad),) if not found.chain.is_good else ()), *found.faults)
    runs = asyncio.run(_compared(path, seen.runs))
    return msgspec.structs.replace(seen, files=files, faults=faults, runs=runs)


async def _compared(path: Path, runs: Sequence[RunSeen]) -> list[RunSeen]:
    """The runs with what their reports say otherwise than their rows."""
    compared = []
    async with open_queries(path) as queries:
        for run in runs:
            wrong = check(run.report, await queries.run_summary(run.run_id)) if run.report is not None else ()
            compared.append(msgspec.structs.replace(run, differences=tuple(wrong)))
    return compared


class _Reader:
    """Reads one stretch of the journal's tables."""

    def __init__(self, connection: sqlite3.Connection, first: int, last: int) -> None:
        self._db = connection
        self._first = first
        self._bounds: dict[str, Any] = {
            "first": first + 1,
            "last": last - 1,
            "shell": BY_THE_SHELL,
            "acknowledge": Act.ACKNOWLEDGE.value,
        }
        newest = connection.execute("SELECT coalesce(max(id), 0) FROM journal").fetchone()[0]
        self._last = min(last, newest + 1)

    def evidence(self, terms: Terms) -> Evidence:
        happened: dict[str, Any] = {name: self._happenings(sql) for name, sql in _HAPPENINGS.items()}
        (signals,) = self._one("SELECT count(*) FROM signals WHERE row BETWEEN :first AND :last")
        (ever,) = self._one(
            "SELECT count(*) FROM discrepancy_changes WHERE resolution = '' AND row BETWEEN :first AND :last"
        )
        return Evidence(
            terms=terms,
            first_row=self._first,
            last_row=self._last - 1,
            runs=self._runs(),
            trades=[TradeSeen(at_ns, money.parse(pnl), row) for row, at_ns, pnl in self._all(_TRADES)],
            marks=[
                MarkSeen(at_ns, money.parse(equity), money.parse(low) if low else None)
                for at_ns, equity, low in self._all(_MARKS)
            ],
            days=self._days(),
            signals=signals,
            disobeyed=self._disobeyed(),
            mismatches_ever=ever,
            seals=dict(self._all("SELECT name, sha256 FROM artifacts WHERE row <= :last")),
            **happened,
        )

    def _runs(self) -> list[RunSeen]:
        rows = self._all(_RUNS)
        ends = [*(row[2] for row in rows[1:]), self._last][: len(rows)]
        return [
            RunSeen(
                run_id, first_row, config_hash, self._running_ns(run), self._last_ns(first_row, end), _report(report)
            )
            for (run, run_id, first_row, config_hash, report), end in zip(rows, ends, strict=True)
        ]

    def _running_ns(self, run: int) -> int:
        found = self._db.execute(
            "SELECT min(at_ns) FROM phase_changes WHERE run = ? AND phase = 'RUNNING'", (run,)
        ).fetchone()[0]
        return int(found or 0)

    def _last_ns(self, first_row: int, end: int) -> int:
        """When the newest inputs of a run were recorded, by the desk's own clock."""
        found = self._db.execute(
            "SELECT at_ns FROM journal WHERE kind = 'block' AND id > ? AND id < ? ORDER BY id DESC LIMIT 1",
            (first_row, end),
        ).fetchone()
        return int(found[0]) if found else 0

    def _days(self) -> list[DaySeen]:
        """The trading days since the start, each from the roll that began it to the next."""
        rolls = self._all("SELECT row, day FROM days WHERE row <= :last ORDER BY row")
        bounds = [*rolls, (self._last, -1)]
        seen: dict[int, list[int]] = {}
        for (row, day), (end, _) in pairwise(bounds):
            begin = max(row, self._first)
            if end <= begin:
                continue
            counts = [
                self._db.execute(f"SELECT count(*) FROM {table} WHERE row > ? AND row < ?", (begin, end)).fetchone()[0]  # noqa: S608
                for table in ("equity_marks", "signals", "fills")
            ]
            seen[day] = [a + b for a, b in zip(seen.get(day, [0, 0, 0]), counts, strict=True)]
        return [DaySeen(day, *counts) for day, counts in seen.items() if counts[0]]

    def _disobeyed(self) -> list[Happening]:
        """Entries that were sent while a breaker forbade them."""
        changes = self._all("SELECT row, name, tripped, action FROM breaker_changes WHERE row <= :last ORDER BY row")
        found: list[Happening] = []
        tripped: dict[str, int] = {}
        for row, name, is_tripped, action in changes:
            if is_tripped and action != BreakerAction.WATCH:
                tripped.setdefault(name, row)
            elif not is_tripped and name in tripped:
                found += self._entries(tripped.pop(name), row, name)
        for name, row in tripped.items():
            found += self._entries(row, self._last, name)
        return found

    def _entries(self, after: int, before: int, breaker: str) -> list[Happening]:
        rows = self._db.execute(
            "SELECT row, placed_ns, order_id FROM orders WHERE purpose = 'ENTRY' AND row > ? AND row < ? ORDER BY row",
            (max(after, self._first), before),
        )
        return [Happening(row, at_ns, f"{order_id} under {breaker}") for row, at_ns, order_id in rows]

    def _happenings(self, sql: str) -> list[Happening]:
        return [Happening(*row) for row in self._all(f"{sql} ORDER BY 1 LIMIT {_SEEN_MAX}")]

    def _one(self, sql: str) -> Any:
        return self._db.execute(sql, self._bounds).fetchone()

    def _all(self, sql: str) -> list[Any]:
        return self._db.execute(sql, self._bounds).fetchall()


def _report(text: str | None) -> dict[str, Any] | None:
    return json.loads(text) if text else None
