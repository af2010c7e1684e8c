"""Nightdesk's part: core, risk, paper broker, full journal on disk.

Variant `once` fills every order under one execution profile, as the others do, not under three as shipped; `shipped`
takes the shipped limits.
"""

import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec

from benchmarks.peers.job import EQUITY, QTY, Outcome, Task, tell
from benchmarks.peers.ticks import read
from benchmarks.replay import SYMBOLS as NAMES
from benchmarks.replay import drive, standard_config
from engine.core import money
from engine.core.bars import BarBuilder
from engine.core.config import MINUTE, CoreConfig, Limits
from engine.core.events import AnyEvent, Quote
from engine.core.limits import FLOORS, HARD
from engine.strategies import spec

WIDENED = 1000
REFUSES_NOTHING = Limits(
    **{field: getattr(HARD, field) * (field in FLOORS or WIDENED) for field in Limits.__struct_fields__}
)
"""A thousand times as wide as the strictest hard limits, except where more is stricter: out of the job's reach."""


def config(variant: str) -> CoreConfig:
    """The replay's configuration with the strategy of the comparison; `QTY` follows from the largest quantity."""
    limits = Limits() if variant == "shipped" else REFUSES_NOTHING
    base = standard_config()
    instruments = tuple(msgspec.structs.replace(each, max_qty=money.parse(QTY)) for each in base.instruments)
    strategies = (spec("crossing", "benchmarks.peers.crossing:Crossing", {}, NAMES),)
    return msgspec.structs.replace(
        base,
        starting_equity=EQUITY * money.SCALE,
        instruments=instruments,
        strategies=strategies,
        limits=limits,
        shadows=variant != "once",
    )


def run(task: Task) -> Outcome:
    """Replay; building the bars counts, as it does for the others, turning the file's rows into quotes does not."""
    begun, worked, reading = time.perf_counter(), time.process_time(), 0.0
    builders = {name: BarBuilder(name, MINUTE) for name in NAMES}

    def hours() -> Iterator[list[Quote]]:
        nonlocal reading
        source, before = read(task.path, task.hours), time.thread_time()
        for quotes in source:
            reading += time.thread_time() - before
            yield quotes
            before = time.thread_time()

    def with_bars(quotes: list[Quote]) -> list[AnyEvent]:
        events: list[AnyEvent] = []
        for quote in quotes:
            closed = builders[quote.symbol].add((quote.bid + quote.ask) >> 1, 0, quote.venue_ns)
            if closed is not None:
                events.append(closed)
            events.append(quote)
        return events

    with tempfile.TemporaryDirectory() as folder:
        driven = drive(Path(folder), config(task.variant), hours(), with_bars)
        worked = time.process_time() - worked - reading
        with closing(sqlite3.connect(Path(folder) / "desk.db")) as database:
            by_symbol = dict(database.execute("SELECT symbol, count(*) FROM trades GROUP BY symbol"))
    return Outcome(
        driven.seconds,
        worked,
        time.perf_counter() - begun - driven.seconds,
        [by_symbol.get(name, 0) for name in NAMES],
        {"signals": driven.engine.state.tally.signals, "journal_bytes": driven.size},
    )


if __name__ == "__main__":
    tell(run)
