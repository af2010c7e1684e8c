"""The simulated world: one venue, one desk after another in the same home, and the wires between them."""

import asyncio
import contextlib
import gc
import os
import random
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextvars import Context
from pathlib import Path
from typing import Any, Final
from unittest import mock

import msgspec

from engine.core import money
from engine.core.config import MINUTE, SECOND, CoreConfig, Instrument, Limits, PaperModel, Sizing
from engine.core.events import Act
from engine.core.view import CommandReceipt
from engine.session.home import Home, kill_requested
from engine.session.lock import DeskLock, Holder
from engine.session.plan import Plan, Policy
from engine.session.ports import CommandRequest
from engine.session.session import Session
from engine.venues.bitunix.broker import BitunixBroker, BrokerSettings
from engine.venues.bitunix.feed import BitunixFeed, FeedSettings
from engine.venues.bitunix.signing import Credentials
from engine.venues.sim.clock import VenueClock
from engine.venues.sim.generated import GeneratedMarket
from engine.venues.sim.options import SIM_KEY, SIM_SECRET
from engine.venues.sim.server import Venue, VenueSettings
from store.desk import Store, open_store
from tests.simulator.loop import Process, VirtualLoop
from tests.simulator.network import Line
from tests.simulator.trader import Trader

ORIGIN_NS: Final = 1_767_272_400 * SECOND  # 2026-01-01T13:00:00Z
LIMITS: Final = Limits(
    correlation_max=money.SCALE,
    orders_per_minute_max=100,
    messages_per_minute_max=1_000,
    consecutive_losses_max=100,
    duplicate_window_ns=SECOND,
    errors_max=1_000,
    errors_per_hour_max=1_000,
    venue_refusals_max=1_000,
    feed_outages_per_hour_max=1_000,
    daily_loss_max=10_000 * money.SCALE,
    daily_loss_fraction_max=money.SCALE,
    daily_drawdown_max=money.SCALE,
    total_drawdown_max=money.SCALE,
    heat_max=60_000,
)
"""Wide where a tight limit would end the trading that is to be disturbed; heat for about two positions."""

THIN: Final = PaperModel(displayed_max=100_000, participation_max=5_000_000)
"""So little is to be had at a price that orders fill in pieces."""


LIVES_BURIED: Final = 32
LIVES_CHECKED: Final = 64  # in long seeds, whose thousands of starts would read the whole file again and again
UNCHECKED: Final = mock.patch("store.database.quick_check")


class SimClock:
    """The clock of one life: the machine's as it stood when that began, and the loop's time since. As `WallClock`."""

    kind: Final = "wall"
    speed: Final = 1

    def __init__(self, loop: VirtualLoop, skew_ns: int = 0) -> None:
        self._loop = loop
        self._origin_ns = ORIGIN_NS + skew_ns

    def now_ns(self) -> int:
        return self._origin_ns + self.mono_ns()

    def mono_ns(self) -> int:
        return round(self._loop.now * 1e9)

    async def sleep(self, ns: int) -> None:
        await asyncio.sleep(max(ns, 0) / 1e9)


class SimVenueClock(VenueClock):
    """The venue's clock: the loop's time."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__(ORIGIN_NS, 1, 1)
        self._loop = loop

    def now_ns(self) -> int:
        return ORIGIN_NS + round(self._loop.now * 1e9)

    def pair(self) -> tuple[int, int]:
        return self.now_ns(), round(self._loop.now * 1e9)


class Incarnation:
    """One life of the desk: from a start to an end in order, or to its death."""

    def __init__(self, process: Process, session: Session, store: Store, lock: DeskLock) -> None:
        self.process = process
        self.session = session
        self.store = store
        self.lock = lock
        self.task: asyncio.Task[int] | None = None

    @property
    def is_over(self) -> bool:
        return self.process.is_dead or (self.task is not None and self.task.done())

    def forget(self) -> None:
        """Give back what the dead remember most of: they never run again, and are kept for as long as the world."""
        if self.session._shell is not None:
            vars(self.session._shell.runner.engine).clear()
        self.store._connection.execute("PRAGMA shrink_memory")

    @property
    def has_begun(self) -> bool:
        """Whether its core has been told of the run; before that its state is the one before's."""
        return self.session._shell is not None and self.session._shell.has_begun

    @property
    def state(self) -> Any:
        shell = self.session._shell
        return shell.runner.engine.state if shell is not None else None


class World:
    """Everything a seed makes. `watch` sees each new session before it runs."""

    def __init__(
        self, seed: int, folder: Path, loop: VirtualLoop, *, wire: bool, symbols: tuple[str, ...], pace_s: int = 1
    ) -> None:
        self.seed = seed
        self.pace_s = pace_s  # between two quotes of a symbol
        self.loop = loop
        self.line = loop.line = Line(loop, random.Random(f"line {seed}"))
        self.skew_ns = 0  # of the machine's clock
        self.home = Home.at(folder, "paper")
        self.home.create()
        self.wire = wire
        self.symbols = symbols
        self.lives = 0  # of the desk so far
        self.desk: Incarnation
        self.venue_process = Process("venue")
        self.watch: Callable[[Session], None] = lambda session: None
        self.paused = self.killed = False  # as the operator has been told
        self.record_lines: int | None = None  # how many lines an emergency record takes; None: all
        self._asked = 0

    @property
    def account(self) -> Any:
        return self.venue.accounts[SIM_KEY]

    # --- the venue ---

    async def open_venue(self) -> None:
        market = GeneratedMarket(
            self.seed, ORIGIN_NS, quote_interval_ns=self.pace_s * SECOND, depth=5, symbols=self.symbols
        )
        settings = VenueSettings(seed=self.seed, tick_s=0.25 if self.pace_s == 1 else 0.5, each_quote=True, model=THIN)
        self.venue = Venue(market, SimVenueClock(self.loop), settings)
        await self.loop.spawn(self.venue_process, self.venue.start(), "venue: start")
        self.loop.spawn(self.venue_process, self.venue.run(), "venue: run")

    # --- the desk ---

    def start_desk(self) -> Incarnation:
        """A new process in the desk's home."""
        self.lives += 1
        if self.lives % LIVES_BURIED == 0:
            gc.collect()
            gc.freeze()  # the remains of the killed stay: they are not to be looked through again and again
        process = Process(f"desk {self.lives}")
        self.clock = SimClock(self.loop, self.skew_ns)
        lock = DeskLock.acquire(self.home.lock, Holder(1))
        with contextlib.nullcontext() if self.pace_s == 1 or self.lives % LIVES_CHECKED == 0 else UNCHECKED:
            store = open_store(self.home.database, "paper", self.clock, threaded=False)
        session = Session(self._plan(store, lock))
        life = Incarnation(process, session, store, lock)
        process.on_death.append(lambda: self._died(life))
        self.desk = life
        life.task = self.loop.spawn(process, self._live(life), process.name)
        return life

    async def _live(self, life: Incarnation) -> int:
        self.watch(life.session)
        try:
            return await life.session.run()
        finally:
            life.process.on_death.clear()
            life.store.close()
            life.lock.release()

    def kill_desk(self) -> None:
        """`kill -9`."""
        self.loop.kill(self.desk.process)

    def _died(self, life: Incarnation) -> None:
        """What the operating system does for the dead."""
        self.line.died(life.process)
        os.close(life.lock._handle)
        life.lock._handle = -1
        self.loop.call_soon(life.forget, context=Context())  # once the step that is on has ended

    def command(self, act: Act, reason: str = "", subject: str = "") -> None:
        """An operator's command, and what the operator may count on from then on.

        A kill counts at once, a pause when its receipt says that it is durable; what was lifted counts no more at once.
        """
        if self.desk.is_over:
            return
        if act is Act.KILL:
            self.killed = True
        elif act is Act.REARM:
            self.killed = False
        elif act is Act.RESUME:
            self.paused = False
        asked = self._asked = self._asked + 1
        future = self.desk.session.command(CommandRequest(act, "tui", "operator", reason, subject))

        def told(done: Future[CommandReceipt]) -> None:
            newest = asked == self._asked
            if act in (Act.PAUSE, Act.FLATTEN) and newest and done.result().accepted:
                self.paused = True

        future.add_done_callback(told)

    def _plan(self, store: Store, lock: DeskLock) -> Plan:
        rest, ws = f"http://127.0.0.1:{self.venue.http_port}", f"ws://127.0.0.1:{self.venue.ws_port}"
        channels = ("depth_book1", "market_kline_1min")
        feed = BitunixFeed(rest, ws, self.symbols, self.clock, FeedSettings(channels=channels))
        keys = Credentials(SIM_KEY, SIM_SECRET)
        broker = BitunixBroker(rest, ws, keys, self.clock, settings=BrokerSettings()) if self.wire else None
        return Plan(
            home=self.home,
            folder=self.home.new_run(self.clock.now_ns()),
            lock=lock,
            store=store,
            clock=self.clock,
            policy=Policy(memory_max_bytes=1 << 60, disk_min_bytes=0),  # of the real machine
            env="paper",
            seed=self.seed,
            venue="sim",
            broker_name="venue" if self.wire else "paper",
            source_name="generated",
            config_snapshot="{}",
            config_hash="",
            version="0",
            kill_requested=lambda: kill_requested(self.home, {}),
            make_config=self._config,
            make_strategies=lambda core: (self.trader(core.instruments),),
            feed=feed,
            broker=broker,
        )

    def trader(self, instruments: Iterable[Instrument]) -> Trader:
        return Trader(tuple(i.symbol for i in instruments), self.seed, odds=2 if self.pace_s == 1 else 1)

    def _config(self, instruments: Any) -> CoreConfig:
        return CoreConfig(
            "paper",
            self.seed,
            not self.wire,
            10_000 * money.SCALE,
            tuple(msgspec.structs.replace(each, fee_source="config") for each in instruments),
            (),
            limits=LIMITS,
            sizing=Sizing(2 * money.SCALE, 400 * money.SCALE),
            entry_timeout_ns=8 * SECOND,
            resting_stops=not self.wire,
            cooldown_ns=MINUTE,
            auto_reset=True,
            shadows=False,
            model=THIN,
        )
