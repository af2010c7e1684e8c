"""A desk that was killed with three days behind it: how soon it may trade again, and how much room they took.

Ten symbols with a tick a second each for 72 hours, in batches as a desk at its market's pace commits them, a snapshot
every ten seconds. The desk that writes is killed with its store open; what comes after it is a process of its own, and
its time counts from the moment it is started. `python -m benchmarks.recovery` runs it alone.
"""

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
import psutil

from benchmarks.figures import Figure
from benchmarks.replay import HOURS, START_NS, SYMBOLS, hours_of_ticks, seed_bars, standard_config
from benchmarks.rig import ROOT
from engine.core import money
from engine.core.config import HOUR, MINUTE, SECOND
from engine.core.engine import Engine, StrategyMaker
from engine.core.events import Bar, PhaseEntered, Quote, RunStarted, SessionPhase
from engine.core.facts import DECISIONS
from engine.core.strategy import ExitWish, Market, Proposal
from engine.core.words import Side
from engine.session.clock import VirtualClock
from engine.session.runner import Runner
from engine.session.shell import FLUSH_SECONDS, MARKET_SECONDS
from engine.strategies import make_all
from store.audit import Proof, proof
from store.desk import open_store

DECISIONS_MIN: Final = 100_000
CHECKPOINT_NS: Final = 10 * SECOND
STATES_NS: Final = START_NS + (HOURS - 1) * HOUR
STAND_IN: Final = b"a state"
TICKS: Final = HOURS * 3600 * len(SYMBOLS)
MEGABYTE: Final = 1_000_000


class _Nothing(msgspec.Struct):
    """A strategy without memory still has a state to put into a snapshot."""


class Eager:
    """Wants every symbol every minute, and twice in every fourth; the shipped limits refuse it nearly always."""

    strategy_id = "eager"
    symbols = SYMBOLS
    span_ns = MINUTE
    history = 0
    wants_quotes = False

    def __init__(self) -> None:
        self.state: msgspec.Struct = _Nothing()

    def on_bar(self, bar: Bar, market: Market) -> Sequence[Proposal | ExitWish]:
        away = money.ceil_to(bar.close // 40, market.tick(bar.symbol))
        stop, target = bar.close - away, bar.close + away * 2
        wish = Proposal(bar.symbol, Side.LONG, 0, stop, target, "eager", hold_ns=20 * SECOND)
        return (wish,) * (1 if bar.start_ns // MINUTE % 4 else 2)

    def on_quote(self, quote: Quote, market: Market) -> Sequence[Proposal | ExitWish]:
        return ()


MAKERS: Final[dict[str, StrategyMaker]] = {"trend": make_all, "eager": lambda _: (Eager(),)}


class Sparse(Engine):
    """Makes states of itself in the last hour alone: the earlier ones are replaced anyway, and take as long to make."""

    def snapshot(self) -> bytes:
        return STAND_IN if START_NS < self.state.at_ns < STATES_NS else super().snapshot()


def write(folder: Path, strategies: str) -> None:
    """Three days at the market's pace, in batches as a live desk closes them; then the process is killed."""
    clock = VirtualClock(START_NS)
    store = open_store(folder / "desk.db", "paper", clock)
    runner = Runner(Sparse(MAKERS[strategies]), store.journal, "bench", 1, clock.now_ns)
    runner.take(RunStarted(START_NS, "bench", standard_config()))
    runner.close(snapshot=True)
    for bar in seed_bars():
        runner.take(bar)
    runner.take(PhaseEntered(START_NS, SessionPhase.SEEDING_HISTORY, SessionPhase.RUNNING))
    decisions, batch_ns, checkpoint_ns = 0, START_NS, START_NS
    for events in hours_of_ticks(HOURS):
        for first in range(0, len(events), len(SYMBOLS)):
            runner.drive(events[first : first + len(SYMBOLS)])
            at_ns = events[first].at_ns
            waits_ns = (FLUSH_SECONDS if runner.has_facts else MARKET_SECONDS) * SECOND
            is_checkpoint = at_ns - checkpoint_ns >= CHECKPOINT_NS
            if not (is_checkpoint or runner.has_effects or at_ns - batch_ns >= waits_ns):
                continue
            clock.set(at_ns)
            closed = runner.close(is_checkpoint)
            assert closed is not None
            decisions += sum(isinstance(fact, DECISIONS) for _, fact in closed.batch.facts)
            batch_ns, checkpoint_ns = at_ns, at_ns if is_checkpoint else checkpoint_ns
    store.journal.perform(lambda: None).result()
    print(msgspec.json.encode({"decisions": decisions}).decode(), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)


def recover(folder: Path) -> None:
    """Open what was left behind, rebuild the core and begin a run; told is how old this process was at each step."""
    clock = VirtualClock(START_NS + HOURS * HOUR)
    store = open_store(folder / "desk.db", "paper", clock)
    opened = time.time()
    engine = Engine(MAKERS["eager"], store.recovered.snapshot)
    for event in store.recovered.tail:
        engine.handle(event)
    rebuilt = time.time()
    runner = Runner(engine, store.journal, "next", store.recovered.next_seq, clock.now_ns)
    runner.take(RunStarted(clock.now_ns(), "next", standard_config()))
    closed = runner.close(snapshot=True)
    assert closed is not None
    closed.committed.result()
    ready, began = time.time(), psutil.Process().create_time()
    inputs = store.recovered.next_seq - 1
    told = {"opened": opened - began, "rebuilt": rebuilt - began, "ready": ready - began, "inputs": inputs}
    print(msgspec.json.encode(told).decode(), flush=True)
    store.close()


def run() -> list[Figure]:
    """Three days written twice: with the shipped strategy, for their size; with an eager one, for what comes after."""
    with tempfile.TemporaryDirectory() as folder:
        _in_fresh_process("write", folder, "trend")
        size = _size(Path(folder))
        market = size - _size_without_market(Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        told = _in_fresh_process("write", folder, "eager")
        assert told["decisions"] >= DECISIONS_MIN, told
        copy = Path(folder) / "copy"
        shutil.copytree(folder, copy)
        with_state = _in_fresh_process("recover", folder)
        _spoil_states(copy)
        without = _in_fresh_process("recover", str(copy))
        assert with_state["inputs"] == without["inputs"] > TICKS, (with_state, without)
        found, seconds = _verified(Path(folder))
    return [
        Figure("72 h at the market's pace, journal and all", size / MEGABYTE, "MB", "at most", 110),
        Figure("of that a market event", market / TICKS, "bytes", "at most", 25),
        Figure("decisions behind the crash", told["decisions"], "decisions"),
        Figure("killed to ready, with a snapshot", with_state["ready"], "s", "at most", 2),
        Figure("of that until the journal is open", with_state["opened"], "s"),
        Figure("killed to ready, every snapshot spoiled", without["ready"], "s", "at most", 10),
        Figure("of that until the journal is open", without["opened"], "s"),
        Figure("audit verify of it", found.chain.inputs / seconds, "events/s", "at least", 400_000),
    ]


def _in_fresh_process(*words: str) -> dict[str, float]:
    """What `python -m benchmarks.recovery words` says in its last line; it may end as it likes."""
    command = [sys.executable, "-m", "benchmarks.recovery", *words]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    return msgspec.json.decode(done.stdout.splitlines()[-1], type=dict[str, float])


def _size(folder: Path) -> int:
    """Of the database, once its WAL is in the file."""
    with contextlib.closing(sqlite3.connect(folder / "desk.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return (folder / "desk.db").stat().st_size


def _size_without_market(folder: Path) -> int:
    """The same, had nothing of the market been kept."""
    with contextlib.closing(sqlite3.connect(folder / "desk.db", isolation_level=None)) as connection:
        connection.execute("DROP TRIGGER journal_is_never_deleted")
        connection.execute("DELETE FROM journal WHERE kind = 'block'")
        connection.execute("VACUUM")
    return _size(folder)


def _spoil_states(folder: Path) -> None:
    with contextlib.closing(sqlite3.connect(folder / "desk.db", isolation_level=None)) as connection:
        connection.execute("UPDATE snapshots SET state = x'00'")


def _verified(folder: Path) -> tuple[Proof, float]:
    begun = time.perf_counter()
    found = proof(folder / "desk.db")
    assert found.is_good, found
    return found, time.perf_counter() - begun


def main(words: Sequence[str]) -> int:
    if words[:1] == ["write"]:
        write(Path(words[1]), words[2])
    elif words[:1] == ["recover"]:
        recover(Path(words[1]))
    else:
        figures = run()
        for figure in figures:
            print(figure.line())
        return 0 if all(figure.ok for figure in figures) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
