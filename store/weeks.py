"""The weeks that are over, summed up from the journal alone."""

import sqlite3
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, Final

from engine.core.facts import AnyFact
from engine.review.week import KINDS, Week, WeekRows, ended
from store.database import reading
from store.projections import fact_decoder

_PAGE: Final = 500
_TAGS: Final = tuple(str(kind.__struct_config__.tag) for kind in KINDS)
_MARKS: Final = ", ".join("?" * len(_TAGS))
_FACTS: Final = (
    f"SELECT id, body FROM journal WHERE id > ? AND id <= ? AND kind IN ({_MARKS}) ORDER BY id LIMIT {_PAGE}"  # noqa: S608
)


def read_weeks(path: Path, env: str, known: Collection[str] = ()) -> list[dict[str, Any]]:
    """The summaries of all weeks that are over but the `known`, oldest first.

    A week whose first rows are archived can be summed up no more, and is left out.
    """
    with reading(path) as connection:
        (oldest,) = connection.execute("SELECT coalesce(min(id), 0) FROM journal").fetchone()
        rolls = connection.execute("SELECT row, day FROM days ORDER BY row").fetchall()
        wanted = [week for week in ended(rolls) if week.name not in known and week.first_row >= oldest]
        return [_summed_up(connection, week, env) for week in wanted]


def _summed_up(connection: sqlite3.Connection, rows: WeekRows, env: str) -> dict[str, Any]:
    week = Week(rows)
    for fact in _facts(connection, rows):
        week.take(fact)
    return week.told(env)


def _facts(connection: sqlite3.Connection, rows: WeekRows) -> Iterator[AnyFact]:
    """From the roll that began the week to the one that ended it, in pages: a reader left open keeps the WAL from
    shrinking."""
    after = rows.first_row - 1
    while page := connection.execute(_FACTS, (after, rows.last_row, *_TAGS)).fetchall():
        for _, body in page:
            yield fact_decoder.decode(body)
        after = page[-1][0]
