"""The replay: ten symbols, 72 hours, one tick a second, through bars, strategy, risk, paper broker and full journal."""

import resource
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeVar

from benchmarks.figures import Figure, percentile
from engine.core import money
from engine.core.bars import BarBuilder
from engine.core.config import HOUR, MINUTE, SECOND, CoreConfig, Instrument
from engine.core.draw import below
from engine.core.engine import Engine
from engine.core.events import AnyEvent, Bar, PhaseEntered, Quote, RunStarted, SessionPhase
from engine.session.clock import VirtualClock
from engine.session.runner import Runner
from engine.strategies import make_all, spec
from store.desk import open_store

START_NS = 1_767_225_600 * SECOND
SYMBOLS = tuple(f"SYM{n}USDT" for n in range(10))
HOURS = 72
SPREAD = 2_000_000


def _ticks(hour: int, prices: list[int], builders: list[BarBuilder]) -> list[AnyEvent]:
    """One hour of quotes, a second apart, and the bars they close. A small walk from a keyed hash."""
    events: list[AnyEvent] = []
    begin = START_NS + hour * HOUR
    for second in range(3600):
        at = begin + second * SECOND
        bits = below(1 << 62, 1, "walk", hour, second)
        for n, symbol in enumerate(SYMBOLS):
            step = (bits >> (6 * n)) & 63
            prices[n] += (step - 31 - (step > 31)) * 500_000
            bid = prices[n]
            closed = builders[n].add(bid + SPREAD // 2, 0, at)
            if closed is not None:
                events.append(closed)
            shown = 100_000 * (1 + (bits >> 3 * n & 4095)), 100_000 * (1 + (bits >> 2 * n & 4095))
            events.append(Quote(symbol, at + 1000 * (bits >> n & 65_535), at, bid, bid + SPREAD, *shown))
    return events


def hours_of_ticks(hours: int) -> Iterator[list[AnyEvent]]:
    """The quotes and bars of the replay's first `hours` hours, one list an hour."""
    prices, builders = [100 * money.SCALE] * len(SYMBOLS), [BarBuilder(s, MINUTE) for s in SYMBOLS]
    for hour in range(hours):
        yield _ticks(hour, prices, builders)


def standard_config() -> CoreConfig:
    """Ten symbols, the shipped limits, the shipped trend strategy."""
    instruments = tuple(Instrument(s, tick=1_000_000, lot=100_000, min_qty=100_000, max_qty=10**14) for s in SYMBOLS)
    strategies = (spec("trend", "trend", {}, SYMBOLS),)
    return CoreConfig("paper", 1, True, 10_000 * money.SCALE, instruments, strategies, shadows=True, resting_stops=True)


def seed_bars() -> Iterator[Bar]:
    for symbol in SYMBOLS:
        for k in range(300, 0, -1):
            price = 100 * money.SCALE + (k % 7) * 1_000_000
            at = START_NS - k * MINUTE
            yield Bar(symbol, START_NS, at, MINUTE, price, price + 2_000_000, price - 2_000_000, price, 0, True)


class Driven(NamedTuple):
    """A finished replay: `seconds` of the core, the journal and the disk; `size` of the journal in bytes."""

    engine: Engine
    seconds: float
    size: int


Item = TypeVar("Item")


def drive(
    folder: Path, config: CoreConfig, hours: Iterable[list[Item]], prepare: Callable[[list[Item]], list[AnyEvent]]
) -> Driven:
    """Replay `hours` into a new `desk.db` in `folder`. Getting an hour is not counted; `prepare` and the rest is."""
    clock = VirtualClock(START_NS)
    store = open_store(folder / "desk.db", "paper", clock)
    engine = Engine(make_all)
    runner = Runner(engine, store.journal, "bench", store.recovered.next_seq, clock.now_ns)
    runner.take(RunStarted(START_NS, "bench", config))
    for bar in seed_bars():
        runner.take(bar)
    runner.take(PhaseEntered(START_NS, SessionPhase.SEEDING_HISTORY, SessionPhase.RUNNING))
    spent, promise = 0.0, None
    for hour in hours:
        begun = time.perf_counter()
        events = prepare(hour)
        for first in range(0, len(events), 4096):
            runner.drive(events[first : first + 4096])
            closed = runner.close()
            promise = closed.committed if closed else promise
        spent += time.perf_counter() - begun
    begun = time.perf_counter()
    if promise is not None:
        promise.result()
    spent += time.perf_counter() - begun
    store.close()
    return Driven(engine, spent, (folder / "desk.db").stat().st_size)


def run() -> list[Figure]:
    """Drive the whole replay once; its rate counts the core, the journal and the disk, not the making of ticks."""
    with tempfile.TemporaryDirectory() as folder:
        driven = drive(Path(folder), standard_config(), hours_of_ticks(HOURS), lambda events: events)
    ticks = HOURS * 3600 * len(SYMBOLS)
    tally = driven.engine.state.tally
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return [
        Figure("replay", ticks / driven.seconds, "ticks/s", "at least", 200_000),
        Figure("replay peak RSS", rss, "MB", "at most", 250),
        Figure("replay journal", driven.size / ticks, "bytes/tick", "at most", 25),
        Figure("replay trades", tally.trades, "trades"),
        Figure("replay signals", tally.signals, "signals"),
    ]


def decide() -> list[Figure]:
    """Tick to decision in process, event by event, as at a thousand messages a second."""
    engine = Engine(make_all)
    engine.handle(RunStarted(START_NS, "bench", standard_config()))
    for bar in seed_bars():
        engine.handle(bar)
    engine.handle(PhaseEntered(START_NS, SessionPhase.SEEDING_HISTORY, SessionPhase.RUNNING))
    events = next(hours_of_ticks(1))
    samples = []
    for event in events:
        begun = time.perf_counter_ns()
        engine.handle(event)
        samples.append((time.perf_counter_ns() - begun) / 1000)
    return [
        Figure("tick to decision p50", percentile(samples, 50), "us", "at most", 30),
        Figure("tick to decision p99", percentile(samples, 99), "us", "at most", 150),
    ]
