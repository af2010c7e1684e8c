"""How fast the desk decides, at a thousand messages a second (`-m benchmarks.decision`).

All of it with the real store on disk: tick to decision through the shell, an order's intent through a whole session
with a broker that only notes when it was asked.
"""

import asyncio
import logging
import statistics
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Final

import msgspec

from benchmarks.figures import Figure, percentile
from benchmarks.rig import (
    HISTORY,
    LOOSE,
    SEED,
    SYMBOLS,
    PacedFeed,
    Place,
    core_config,
    in_fresh_process,
    on_loop,
    place,
)
from engine.core import money
from engine.core.config import MINUTE, SECOND
from engine.core.engine import Engine
from engine.core.events import (
    AccountRead,
    AnyEvent,
    BalanceRead,
    Bar,
    Book,
    BookOrder,
    BookPosition,
    BrokerEvent,
    Fill,
    OrderAccepted,
    OrderCanceled,
    PhaseEntered,
    Quote,
    Role,
    RunStarted,
    SessionPhase,
    Trade,
)
from engine.core.facts import AnyEffect, AnyFact, Cancel, Query, Submit
from engine.core.strategy import ExitWish, Market, Proposal
from engine.core.words import OrderKind, Side
from engine.session.emergency import Emergency
from engine.session.ports import Clock
from engine.session.runner import Runner
from engine.session.session import Session
from engine.session.shell import Shell
from engine.session.viewing import RunFacts
from engine.strategies import make_all
from store.desk import Store

RATE: Final = 1_000
SECONDS: Final = 8
RUNS: Final = 3
ASK_AGAIN_NS: Final = SECOND // 4


# --- tick to decision, through the shell ---


class TimedRunner(Runner):
    """Notes, for every tick, how long after its stamp it was decided on, waiting in the inbox included."""

    def __init__(self, engine: Engine, store: Store, run_id: str, clock: Clock) -> None:
        super().__init__(engine, store.journal, run_id, store.recovered.next_seq, clock.now_ns)
        self._clock = clock
        self.decided_us: list[float] = []

    def take(self, event: AnyEvent) -> Sequence[AnyFact | AnyEffect]:
        out = super().take(event)
        if isinstance(event, Quote | Book | Trade):
            self.decided_us.append((self._clock.now_ns() - event.at_ns) / 1000)
        return out


async def shell_at(feed: PacedFeed, opened: Place) -> tuple[Shell, TimedRunner]:
    """A shell on the desk's store, its run begun, seeded and RUNNING."""
    clock, run_id = feed.clock, opened.folder.run_id
    instruments = await feed.instruments()
    runner = TimedRunner(Engine(make_all), opened.store, run_id, clock)
    facts = RunFacts("paper", run_id, "sim", "paper", "generated", clock.kind, SEED, 1, 0)
    unused = Emergency(opened.folder.path / "emergency.jsonl", opened.folder.path / "ballast")
    shell = Shell(runner, facts, clock, lambda _: None, lambda _: Future(), lambda *_: None, unused, 0, "")
    shell.take_now(RunStarted(clock.now_ns(), run_id, core_config(instruments)))
    for instrument in instruments:
        for bar in await feed.history(instrument.symbol, MINUTE, HISTORY):
            runner.take(bar)
    shell.take_now(PhaseEntered(clock.now_ns(), SessionPhase.SEEDING_HISTORY, SessionPhase.RUNNING))
    await shell.durable()
    shell.publish()
    return shell, runner


async def play(feed: PacedFeed, shell: Shell) -> None:
    async for group in feed.events():
        shell.inbox.put(group)
        shell.runner.wake(feed.clock.now_ns())


async def _decide() -> dict[str, float]:
    with place() as opened:
        feed = PacedFeed(RATE, SECONDS)
        shell, runner = await shell_at(feed, opened)
        tasks = [asyncio.create_task(shell.pump()), asyncio.create_task(play(feed, shell))]
        await feed.ended.wait()
        await end(shell, tasks)
        decided = runner.decided_us
        told = {"p50": percentile(decided, 50), "p99": percentile(decided, 99), "max": max(decided)}
        core = shell.decision_us
        rate = len(decided) / SECONDS
        return told | {"core p50": core.percentile(50), "core p99": core.percentile(99), "rate": rate}


async def end(shell: Shell, tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled() and (problem := task.exception()) is not None:
            raise problem
    shell.close_batch()
    await shell.durable()


# --- an order's intent, through a whole session ---


class Restless:
    """Wants to be LONG in everything, at market, all the time, and out again within a second."""

    strategy_id = "restless"
    symbols = SYMBOLS
    span_ns = MINUTE
    history = 60
    wants_quotes = True

    def __init__(self) -> None:
        self.state: msgspec.Struct = _Nothing()
        self.caused_ns: dict[str, int] = {}

    def on_bar(self, bar: Bar, market: Market) -> Sequence[Proposal | ExitWish]:
        return ()

    def on_quote(self, quote: Quote, market: Market) -> Sequence[Proposal | ExitWish]:
        if market.is_busy(quote.symbol) or quote.at_ns - self.caused_ns.get(quote.symbol, 0) < ASK_AGAIN_NS:
            return ()
        self.caused_ns[quote.symbol] = quote.at_ns
        away = money.ceil_to(quote.ask // 40, market.tick(quote.symbol))
        stop, target = quote.ask - away, quote.ask + away * 2
        hold_ns = (2 + SYMBOLS.index(quote.symbol)) * SECOND // 20  # each its own, so that they seldom come together
        return (Proposal(quote.symbol, Side.LONG, 0, stop, target, "always", hold_ns=hold_ns),)


class _Nothing(msgspec.Struct):
    """A strategy without memory still has a state to put into a snapshot."""


class NotingBroker:
    """Fills market orders at once, keeps limit orders, and notes how old an entry's cause is when the entry comes."""

    def __init__(self, feed: PacedFeed, strategy: Restless) -> None:
        self._clock = feed.clock
        self._strategy = strategy
        self._prices = feed.prices
        self._fills = 0
        self._working: dict[str, BookOrder] = {}
        self._held: dict[str, int] = {}
        self._entered: dict[str, int] = {}
        self.late_ms: list[float] = []

    async def connect(self) -> None:
        """Nothing to connect to."""

    async def submit(self, order: Submit, passes: Callable[[Submit], bool]) -> Sequence[BrokerEvent]:
        now_ns = self._clock.now_ns()
        if not order.reduce_only:
            self.late_ms.append((now_ns - self._strategy.caused_ns[order.symbol]) / 1e6)
        accepted = OrderAccepted(order.order_id, now_ns)
        if order.kind is not OrderKind.MARKET:
            self._working[order.order_id] = BookOrder(order.order_id, order.order_id, order.symbol, order.qty, 0)
            return (accepted,)
        held = self._held.get(order.symbol, 0)
        self._held[order.symbol] = held + order.qty
        if not held:
            self._entered[order.symbol] = self._prices[order.symbol]
        self._fills += 1
        price = self._prices[order.symbol]
        number = str(self._fills)
        fill = Fill(number, order.order_id, order.symbol, now_ns, now_ns, order.qty, price, 0, Role.TAKER)
        return accepted, fill

    async def cancel(self, order: Cancel) -> Sequence[BrokerEvent]:
        self._working.pop(order.order_id, None)
        return (OrderCanceled(order.order_id, self._clock.now_ns()),)

    async def query(self, order: Query) -> Sequence[BrokerEvent]:
        raise NotImplementedError("every submit has a definite answer, so nothing is asked")

    async def balance(self) -> BalanceRead:
        return BalanceRead(self._clock.now_ns(), 10_000 * money.SCALE, 10_000 * money.SCALE, "bench")

    async def books(self, trigger: str) -> AccountRead:
        now_ns = self._clock.now_ns()
        positions = tuple(BookPosition(s, qty, self._entered[s]) for s, qty in self._held.items() if qty)
        return AccountRead(now_ns, now_ns, "bench", trigger, positions, tuple(self._working.values()))

    async def events(self) -> AsyncIterator[Sequence[BrokerEvent]]:
        await asyncio.Event().wait()
        yield ()

    async def close(self) -> None:
        """Nothing to close."""


async def _intend() -> dict[str, float]:
    """Entries through a whole session, as fast as it lets them: limits that bound how often it trades are lifted."""
    with place() as opened:
        feed, strategy = PacedFeed(RATE, SECONDS), Restless()
        broker = NotingBroker(feed, strategy)
        plan = opened.plan(feed.clock, feed, broker, limits=LOOSE, make_strategies=lambda _: (strategy,))
        session = Session(plan)
        running = asyncio.create_task(session.run())
        await asyncio.wait([running, asyncio.create_task(feed.ended.wait())], return_when=asyncio.FIRST_COMPLETED)
        session.stop("bench is over")
        await running
    late = broker.late_ms
    assert session._shell is not None
    commit = session._shell.commit_us.percentile(99) / 1000
    told = {"entries": len(late), "p50": percentile(late, 50), "p99": percentile(late, 99), "max": max(late)}
    return told | {"commit p99": commit}


# --- figures ---


def decide() -> list[Figure]:
    """Ticks through the shell, with inbox, core, journal and disk, as they come; medians of three runs."""
    runs = [in_fresh_process("benchmarks.decision", "decide") for _ in range(RUNS)]
    return [
        Figure("tick to decision p50, paced", _median(runs, "p50"), "us", "at most", 30),
        Figure("tick to decision p99, paced", _median(runs, "p99"), "us", "at most", 150),
        Figure("the same in the worst run", max(run["p99"] for run in runs), "us"),
        Figure("core alone p50, paced", _median(runs, "core p50"), "us"),
        Figure("core alone p99, paced", _median(runs, "core p99"), "us"),
        Figure("pace", _median(runs, "rate"), "messages/s"),
    ]


def intend() -> list[Figure]:
    """Orders to a venue's own broker; medians of three runs."""
    runs = [in_fresh_process("benchmarks.decision", "intend") for _ in range(RUNS)]
    return [
        Figure("tick to order leaving p50", _median(runs, "p50"), "ms"),
        Figure("tick to order leaving p99", _median(runs, "p99"), "ms", "at most", 10),
        Figure("the same in the worst run", max(run["p99"] for run in runs), "ms"),
        Figure("journal commit p99 meanwhile", _median(runs, "commit p99"), "ms", "at most", 10),
        Figure("entries in a run", _median(runs, "entries"), "orders"),
    ]


def _median(runs: Sequence[Mapping[str, float]], name: str) -> float:
    return statistics.median(run[name] for run in runs)


def run() -> list[Figure]:
    return [*decide(), *intend()]


def main(words: Sequence[str]) -> int:
    logging.basicConfig(level=logging.CRITICAL)
    parts = {"decide": _decide, "intend": _intend}
    if words:
        print(msgspec.json.encode(on_loop(parts[words[0]]())).decode())
        return 0
    figures = run()
    for figure in figures:
        print(figure.line())
    return 0 if all(figure.ok for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
