"""The weeks that are over, summed up from the journal alone."""

import sqlite3
from collections.abc import Collection
from pathlib import Path
from typing import Any

from engine.review.week import KINDS, Week, WeekRows, ended
from store.database import reading
from store.spans import facts_between


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
    for _, fact in facts_between(connection, rows.first_row, rows.last_row, KINDS):
        week.take(fact)
    return week.told(env)
