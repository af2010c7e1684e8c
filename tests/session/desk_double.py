"""A desk that is not there: a view to show, commands remembered, and its control socket served for a test."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import msgspec

from engine.core.events import FeedHealth, SessionPhase
from engine.core.view import (
    BlockView,
    BreakerView,
    CommandReceipt,
    DeskView,
    FeedView,
    HeartbeatView,
    PositionView,
)
from engine.core.words import Side, TerminalState
from engine.session.control import ControlServer
from engine.session.home import Home
from engine.session.lock import DeskLock, Holder
from engine.session.ports import CommandRequest
from tests.steady import PATIENCE

E8 = 100_000_000
NOW_NS = 1_795_244_902_000_000_000


def a_view(**changes: Any) -> DeskView:
    """A running desk with one position, one tripped breaker and one block."""
    view = DeskView(
        env="paper",
        run_id="20261121-070822",
        phase=SessionPhase.RUNNING,
        at_ns=NOW_NS,
        started_ns=NOW_NS - 90 * 10**9,
        duration_ns=600 * 10**9,
        elapsed_ns=90 * 10**9,
        venue="sim",
        broker="paper",
        source="generated",
        clock="wall",
        seed=7,
        pid=os.getpid(),
        phase_text="",
        starting_equity=10_000 * E8,
        equity=9_990 * E8 + 12_345_678,
        cash=9_990 * E8,
        unrealized=12_345_678,
        realized=-10 * E8,
        fees=E8,
        funding=0,
        day_pnl=-10 * E8,
        drawdown=100_000,
        exposure=400 * E8,
        heat=20_000,
        heat_limit=1_000_000,
        positions=(
            PositionView(
                "BTCUSDT", Side.SHORT, -4_000, 60_000 * E8, 60_001 * E8, 1, 61_000 * E8, 0, 9, NOW_NS, "trend"
            ),
        ),
        orders=(),
        signals={state.value: 0 for state in TerminalState} | {"EXECUTED": 3},
        signals_total=4,
        signals_in_flight=1,
        recent_signals=(),
        breakers=(
            BreakerView("consecutive_losses", "losses", 5 * E8, 5 * E8, "count", E8, True, "halt_day", "midnight UTC"),
        ),
        blocks=(BlockView("operator", "paused by ada", "resume", NOW_NS - 5),),
        kill_latched=False,
        feeds=(FeedView("BTCUSDT", FeedHealth.LIVE, NOW_NS - 400_000_000, 1, 2),),
        notes=(),
        equity_curve=(),
        heartbeat=HeartbeatView(count=90, last_ns=NOW_NS - 10**9, rss_bytes=70_000_000),
        trades=3,
        wins=1,
        market_events=1234,
        journal_rows=55,
        journal_head="ab" * 32,
    )
    return msgspec.structs.replace(view, **changes)


def killed(**changes: Any) -> DeskView:
    return a_view(kill_latched=True, blocks=(BlockView("kill", "killed", "rearm", NOW_NS - 7),), **changes)


class FakeDesk:
    """A desk that remembers what it was asked. `answers` False: it takes commands and gives no receipt."""

    def __init__(self, view: DeskView | None = None, *, answers: bool = True) -> None:
        self.now = view
        self.answers = answers
        self.asked: list[CommandRequest] = []
        self.stops: list[tuple[str, bool]] = []
        self.over = False

    def view(self) -> DeskView | None:
        return self.now

    def command(self, request: CommandRequest) -> Future[CommandReceipt]:
        self.asked.append(request)
        future: Future[CommandReceipt] = Future()
        if self.answers:
            future.set_result(CommandReceipt(True, f"{request.act} done", 12, ("o-1",)))
        return future

    def stop(self, reason: str, *, keep_positions: bool = False) -> None:
        self.stops.append((reason, keep_positions))

    def ended(self) -> bool:
        return self.over


@asynccontextmanager
async def serving(tmp_path: Path, desk: FakeDesk, **kwargs: Any) -> AsyncIterator[tuple[Home, ControlServer]]:
    home = Home.at(tmp_path, "paper")
    home.create()
    lock = DeskLock.acquire(home.lock, Holder(os.getpid(), NOW_NS, "run", str(home.socket)))
    server = ControlServer(home, desk, kwargs.pop("variables", {}))
    await server.start()
    try:
        yield home, server
    finally:
        await server.close()
        lock.release()


@contextmanager
def serving_in_a_thread(tmp_path: Path, desk: FakeDesk) -> Iterator[Home]:
    """The same for code that blocks: the socket is served on a loop of its own until the block ends.

    A `stop` ends the service and frees the lock, as a session would.
    """
    ready, over = threading.Event(), threading.Event()
    found: list[Home] = []

    async def serve() -> None:
        async with serving(tmp_path, desk) as (home, _):
            found.append(home)
            ready.set()
            while not (over.is_set() or desk.stops):  # noqa: ASYNC110 - set from another thread
                await asyncio.sleep(0.005)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert ready.wait(PATIENCE)
        yield found[0]
    finally:
        over.set()
        thread.join(PATIENCE)
