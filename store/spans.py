"""Facts of the journal between two rows, by kind, in pages: a reader left open keeps the WAL from shrinking."""

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Final

from engine.core.facts import AnyFact, Fact
from store.projections import fact_decoder

_PAGE: Final = 500


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
