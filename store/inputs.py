"""The inputs of the journal, read lazily: a few blocks at a time, each read short.

So a replay of weeks needs little memory and never holds back the writer.
"""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Final

from engine.core.events import AnyEvent
from store import blocks
from store.database import reading

FOREVER: Final = 2**63 - 1
BLOCKS_PAGE: Final = 64  # of up to 50 kB each


class Inputs:
    """(seq, event) of the inputs behind `after_seq`, in order. May be iterated again; each time reads the file anew."""

    def __init__(self, path: Path, after_seq: int, before_row: int = FOREVER) -> None:
        self._path = path
        self._after_seq = after_seq
        self._before_row = before_row

    def __iter__(self) -> Iterator[tuple[int, AnyEvent]]:
        for first, events in self.runs():
            yield from enumerate(events, start=first)

    def events(self) -> "Events":
        """The same without the numbers."""
        return Events(self)

    def runs(self) -> Iterator[tuple[int, list[AnyEvent]]]:
        """The number of a first input and the events from there on, a block at a time."""
        after = self._after_seq
        with reading(self._path) as connection:
            # Left to itself, SQLite looks blocks up by their kind and reads all of them each time.
            (begin,) = connection.execute(
                "SELECT coalesce(max(seq), 0) FROM journal INDEXED BY journal_blocks WHERE kind = 'block' AND seq <= ?",
                (after + 1,),
            ).fetchone()
            while page := connection.execute(
                "SELECT seq, body FROM journal INDEXED BY journal_blocks WHERE kind = 'block' AND seq >= ? AND id < ? "
                "ORDER BY seq LIMIT ?",
                (begin, self._before_row, BLOCKS_PAGE),
            ).fetchall():
                for first, body in page:
                    skipped = max(0, after + 1 - first)
                    yield first + skipped, blocks.decode(body)[skipped:]
                begin = page[-1][0] + 1


class Events:
    """The events of `Inputs`."""

    def __init__(self, inputs: Inputs) -> None:
        self._inputs = inputs

    def __iter__(self) -> Iterator[AnyEvent]:
        return chain.from_iterable(events for _, events in self._inputs.runs())
