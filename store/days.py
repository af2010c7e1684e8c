"""The trading days of a desk, told from the journal and its tables alone, and the seals of those that were told."""

import json
import sqlite3
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from engine.core import money
from engine.core.events import SessionPhase
from engine.core.facts import AnyFact, DayRolled, EquityMarked
from engine.review.daily import artifact
from engine.review.day import CLOSINGS_KEPT, KINDS, Carried, Day, DayRows, Held, due_ns, rows_of
from store.database import reading
from store.projections import fact_decoder
from store.spans import facts_between

_PHASE: Final = "SELECT phase FROM phase_changes WHERE row < ? AND run = ? ORDER BY row DESC LIMIT 1"
_BLOCKS: Final = "SELECT reason, active, max(row) FROM block_changes WHERE row < ? GROUP BY reason"
_BREAKERS: Final = "SELECT name, tripped, max(row) FROM breaker_changes WHERE row < ? GROUP BY name"
_KILL: Final = "SELECT latched FROM kill_changes WHERE row < ? ORDER BY row DESC LIMIT 1"
_MARK: Final = "SELECT body FROM journal WHERE id = (SELECT max(row) FROM equity_marks WHERE row < ?)"
_FIRST: Final = "SELECT opening_equity FROM days ORDER BY row LIMIT 1"
_CLOSINGS: Final = f"SELECT opening_equity FROM days WHERE row <= ? ORDER BY row DESC LIMIT {CLOSINGS_KEPT}"  # noqa: S608
_IN_FLIGHT: Final = (
    "SELECT signal_id FROM signals AS s WHERE row < ?1 AND NOT EXISTS "
    "(SELECT 1 FROM outcomes AS o WHERE o.signal_id = s.signal_id AND o.row < ?1) ORDER BY row"
)
_FILLS: Final = (
    "SELECT symbol, qty, price, realized, position_qty FROM fills AS f WHERE row < ?1 AND row > coalesce("
    "(SELECT max(row) FROM fills AS flat WHERE flat.symbol = f.symbol AND flat.position_qty = '0' AND flat.row < ?1), "
    "0) ORDER BY row"
)
_SEALS: Final = "SELECT name, sha256, given, at_ns FROM artifacts ORDER BY row"


class Seal(NamedTuple):
    """What the journal says of an artifact: the hash of its bytes (hex), what it was made with, and when (UTC ns)."""

    sha256: str
    given: Mapping[str, str]
    at_ns: int


def read_seals(path: Path) -> dict[str, Seal]:
    """The seals by the day's name, oldest first."""
    with reading(path) as connection:
        rows = connection.execute(_SEALS).fetchall()
    return {name: Seal(sha256, json.loads(given), at_ns) for name, sha256, given, at_ns in rows}


def read_days(
    path: Path, env: str, given: Mapping[str, str], known: Collection[str] = (), *, only: str = ""
) -> Iterator[dict[str, Any]]:
    """The artifacts of all days but the `known` (or of `only` this one), oldest first; the day that is on comes last.

    A day whose first rows are archived can be told no more, and is left out.
    """
    rolls, told_of = _days(path)
    wanted = [rows for rows in told_of if (rows.name == only if only else rows.name not in known)]
    by_row = dict(rolls)
    for rows in wanted:
        with reading(path) as connection:
            yield _told(connection, rows, by_row, env, given)


def day_names(path: Path) -> list[str]:
    """The days that can be told, oldest first; the one that is on comes last."""
    return [rows.name for rows in _days(path)[1]]


def _days(path: Path) -> tuple[list[tuple[int, DayRolled]], list[DayRows]]:
    """All rolls with their rows, and the days between them whose first rows are still in the journal."""
    ends = "SELECT coalesce(min(id), 0), coalesce(max(id), 0) FROM journal"
    with reading(path) as connection:
        oldest, newest = connection.execute(ends).fetchone()
        rolls = list(_rolls(connection))
    return rolls, [rows for rows in rows_of(rolls, newest) if rows.first_row >= oldest]


def _rolls(connection: sqlite3.Connection) -> Iterator[tuple[int, DayRolled]]:
    for row, body in connection.execute("SELECT id, body FROM journal WHERE kind = 'day_rolled' ORDER BY id"):
        roll = fact_decoder.decode(body)
        assert isinstance(roll, DayRolled)
        yield row, roll


def _told(
    connection: sqlite3.Connection, rows: DayRows, rolls: Mapping[int, DayRolled], env: str, given: Mapping[str, str]
) -> dict[str, Any]:
    day = Day(rows, _carried(connection, rows.first_row), due_ns(rows, rolls.get(rows.last_row)))
    for run, fact in _facts(connection, rows):
        day.take(run, fact)
    return artifact(day, env, given)


def _facts(connection: sqlite3.Connection, rows: DayRows) -> Iterator[tuple[int, AnyFact]]:
    return facts_between(connection, rows.first_row, rows.last_row, KINDS)


def _carried(connection: sqlite3.Connection, row: int) -> Carried:
    """How things stood before a journal row."""

    def one(sql: str, *values: object) -> Any:
        found = connection.execute(sql, values or (row,)).fetchone()
        return found[0] if found else None

    (run,) = connection.execute("SELECT run FROM journal WHERE id = ?", (row,)).fetchone()
    mark = fact_decoder.decode(body) if (body := one(_MARK)) else None
    return Carried(
        ran=one(_PHASE, row, run) == SessionPhase.RUNNING,
        killed=bool(one(_KILL)),
        blocks=tuple(reason for reason, active, _ in connection.execute(_BLOCKS, (row,)) if active),
        tripped=tuple(name for name, tripped, _ in connection.execute(_BREAKERS, (row,)) if tripped),
        positions=_positions(connection, row),
        mark=mark if isinstance(mark, EquityMarked) else None,
        first=money.parse(connection.execute(_FIRST).fetchone()[0]),
        closings=tuple(money.parse(equity) for (equity,) in connection.execute(_CLOSINGS, (row,)))[::-1],
        in_flight=tuple(signal_id for (signal_id,) in connection.execute(_IN_FLIGHT, (row,))),
    )


def _positions(connection: sqlite3.Connection, row: int) -> dict[str, Held]:
    """What was open before a row, from the fills since each symbol was flat; cost as in `store.projections`."""
    held: dict[str, Held] = {}
    for symbol, qty, price, realized, after in connection.execute(_FILLS, (row,)):
        cost = held[symbol].cost if symbol in held else 0
        cost += money.mul(money.parse(qty), money.parse(price)) + money.parse(realized)
        held[symbol] = Held(money.parse(after), cost)
    return held
