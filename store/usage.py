"""What past entries took of the limits they were held to."""

import json
import sqlite3
from collections.abc import Sequence

import msgspec

from engine.core import money

ENTRIES_MAX = 1_000


class Usage(msgspec.Struct, frozen=True):
    """Of the newest entries that were filled, `ENTRIES_MAX` at most.

    Attributes:
        entries: How many there were.
        since_ns: When the oldest of them was raised; 0: there was none.
        most: By rule, the most any of them measured, scaled.
    """

    entries: int
    since_ns: int
    most: dict[str, int]


def usage(connection: sqlite3.Connection, rules: Sequence[str]) -> Usage:
    """What the newest entries measured under `rules`."""
    entries = connection.execute(
        "SELECT s.signal_id, s.raised_ns FROM signals AS s JOIN outcomes AS o USING (signal_id) "
        "WHERE o.state = 'EXECUTED' ORDER BY s.row DESC LIMIT ?",
        (ENTRIES_MAX,),
    ).fetchall()
    found = connection.execute(
        # Of the row with the largest value SQLite gives the text as well, and that is exact.
        "SELECT e.rule, e.value, max(CAST(e.value AS REAL)) FROM json_each(?) AS entry "
        "JOIN evaluations AS e ON e.signal_id = entry.value WHERE e.rule IN (SELECT value FROM json_each(?)) "
        "GROUP BY e.rule",
        (json.dumps([signal_id for signal_id, _ in entries]), json.dumps(list(rules))),
    )
    most = {rule: money.parse(value) for rule, value, _ in found}
    return Usage(len(entries), min((raised_ns for _, raised_ns in entries), default=0), most)
