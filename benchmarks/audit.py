"""Checking a journal whole: chain, signatures and heads, of a desk at a live pace and of one at full speed."""

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from benchmarks.figures import Figure
from benchmarks.replay import START_NS, drive, hours_of_ticks, standard_config
from engine.core import money
from engine.core.events import AnyEvent
from engine.core.facts import EquityMarked
from engine.session.clock import VirtualClock
from engine.session.ports import Batch
from store.audit import proof
from store.desk import open_store

HOURS: Final = 10
FULL_SPEED_HOURS: Final = 24
TIMES: Final = 3  # checked; the middle one counts
BATCH_EVENTS: Final = 3  # ten symbols with a tick a second each, and a batch every quarter of a second
GROUP: Final = 500  # batches handed over before one is waited for


def run() -> list[Figure]:
    """Market events verified a second, blocks opened by nobody."""
    return [
        *_measured("at a live pace", _paced),
        *_measured("at full speed", _full_speed),
    ]


def _measured(name: str, write: Callable[[Path], None]) -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder))
        took = []
        for _ in range(TIMES):
            begun = time.perf_counter()
            found = proof(Path(folder) / "desk.db")
            took.append(time.perf_counter() - begun)
        seconds = sorted(took)[TIMES // 2]
    assert found.is_good and found.signed and not found.unsigned_rows, found
    return [
        Figure(f"audit verify {name}", found.chain.inputs / seconds, "events/s", "at least", 400_000),
        Figure(f"audit verify {name}, rows", found.chain.rows / seconds, "rows/s"),
    ]


def _paced(folder: Path) -> None:
    """Small batches as a desk at real pace commits them, a mark of the account with every tenth."""
    store = open_store(folder / "desk.db", "paper", VirtualClock(START_NS))
    seq = 1
    for number, inputs in enumerate(_batches()):
        at_ns = inputs[-1].at_ns
        mark = EquityMarked(at_ns, 10_000 * money.SCALE, 10_000 * money.SCALE, 0, number, 0, 0, 0, 0, 0)
        facts = [(seq, mark)] if number % 10 == 0 else []
        done = store.journal.commit(Batch("bench", seq, inputs, facts, at_ns))
        seq += len(inputs)
        if number % GROUP == 0:
            done.result()
    store.close()


def _batches() -> Iterator[Sequence[AnyEvent]]:
    for events in hours_of_ticks(HOURS):
        for first in range(0, len(events), BATCH_EVENTS):
            yield events[first : first + BATCH_EVENTS]


def _full_speed(folder: Path) -> None:
    """Full batches, with everything the desk decides on the way."""
    drive(folder, standard_config(), hours_of_ticks(FULL_SPEED_HOURS), lambda events: events)
