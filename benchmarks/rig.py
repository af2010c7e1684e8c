"""A desk in hand for measuring: the real session or shell on a real store, and a market in process at real pace."""

import asyncio
import contextlib
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
import uvloop

from console.assemble import SWITCH_SECONDS
from engine.core import money
from engine.core.config import MINUTE, SECOND, CoreConfig, Instrument, Limits, Sizing
from engine.core.engine import StrategyMaker
from engine.core.events import Bar, FeedEvent, Quote
from engine.session.clock import ScaledClock, WallClock
from engine.session.home import Home
from engine.session.lock import DeskLock, Holder
from engine.session.plan import Plan, Policy
from engine.session.ports import Broker, Clock, Feed
from engine.strategies import make_all, spec
from engine.venues.errors import VenueError
from engine.venues.sim.generated import GeneratedMarket
from store.desk import Store, open_store

ROOT: Final = Path(__file__).parent.parent
SEED: Final = 7
SYMBOLS: Final = tuple(instrument.symbol for instrument in GeneratedMarket(SEED).instruments)
TO_MINUTE_NS: Final = 4 * SECOND
HISTORY: Final = 300  # bars of each symbol
LOOSE: Final = Limits(
    orders_per_minute_max=100_000,
    messages_per_minute_max=10**6,
    duplicate_window_ns=1,
    correlation_max=money.SCALE,
    consecutive_losses_max=100_000,
    daily_loss_max=10**15,
)
"""Without what bounds how often it trades, and in what."""
LEAD_NS: Final = 1 * SECOND  # for a desk to start before the first event

T = TypeVar("T")


class PacedFeed:
    """The generated market at real pace, in process; a `Feed`. About `rate` messages a second, stamped as they leave.

    Everything is made beforehand, so that while it plays only the desk works. `clock` is the market's own time at real
    pace; four seconds after it was made a minute ends and every symbol has a bar.
    """

    def __init__(self, rate: int, seconds: float) -> None:
        interval_ns = 2 * len(SYMBOLS) * SECOND // rate  # a quote and a book for each symbol
        minute_ns = (WallClock().now_ns() // MINUTE + 1) * MINUTE
        origin_ns = minute_ns - TO_MINUTE_NS
        market = GeneratedMarket(SEED, minute_ns - MINUTE, quote_interval_ns=interval_ns)
        self._instruments = market.instruments
        self._history = {s: market.history(s, MINUTE, minute_ns - MINUTE, HISTORY) for s in SYMBOLS}
        self._planned: list[FeedEvent] = []
        for chunk in market.events(origin_ns + LEAD_NS):
            if chunk[0].at_ns > origin_ns + LEAD_NS + seconds * SECOND:
                break
            self._planned += chunk
        self.ended = asyncio.Event()
        self.prices: dict[str, int] = {}
        """The newest ask of each symbol."""
        self.clock: Clock = ScaledClock(origin_ns, 1)

    async def connect(self) -> None:
        """Nothing to connect to."""

    async def sync_time(self) -> int | None:
        return 0

    async def instruments(self) -> Sequence[Instrument]:
        return self._instruments

    async def listing(self) -> dict[str, Instrument | VenueError]:
        return {instrument.symbol: instrument for instrument in self._instruments}

    async def history(self, symbol: str, span_ns: int, count: int) -> list[Bar]:
        return self._history[symbol][-count:]

    async def events(self) -> AsyncIterator[Sequence[FeedEvent]]:
        at, clock, planned = 0, self.clock, self._planned
        while at < len(planned):
            await asyncio.sleep(max(0, planned[at].at_ns - clock.now_ns()) / 1e9)
            group: list[FeedEvent] = []
            while at < len(planned) and planned[at].at_ns <= (now_ns := clock.now_ns()):
                event = msgspec.structs.replace(planned[at], at_ns=now_ns)
                if isinstance(event, Quote):
                    self.prices[event.symbol] = event.ask
                group.append(event)
                at += 1
            if group:
                yield group
        self.ended.set()
        await asyncio.Event().wait()

    async def close(self) -> None:
        """Nothing to close."""


def core_config(instruments: Sequence[Instrument], *, paper: bool = True, limits: Limits | None = None) -> CoreConfig:
    """The shipped limits and the two example strategies, unless told otherwise. Fees nobody named are the config's."""
    instruments = [msgspec.structs.replace(each, fee_source="config") for each in instruments]
    strategies = tuple(spec(name, name, {}, [i.symbol for i in instruments]) for name in ("trend", "reversion"))
    sizing = Sizing(2 * money.SCALE, 400 * money.SCALE)
    equity = 10_000 * money.SCALE
    return CoreConfig(
        *("paper", SEED, paper, equity, tuple(instruments), strategies, limits or Limits()),
        sizing=sizing,
        resting_stops=paper,
    )


class Place:
    """A desk's home in a temporary folder, locked, with its store open."""

    def __init__(self, root: Path) -> None:
        self.home = Home.at(root, "paper")
        self.home.create()
        self.lock = DeskLock.acquire(self.home.lock, Holder(1))
        self.store: Store = open_store(self.home.database, "paper", WallClock())
        self.folder = self.home.new_run(WallClock().now_ns())

    def plan(
        self,
        clock: Clock,
        feed: Feed,
        broker: Broker | None = None,
        *,
        limits: Limits | None = None,
        make_strategies: StrategyMaker = make_all,
        close_venue: Callable[[], Awaitable[None]] | None = None,
    ) -> Plan:
        """A run on `feed` until it is stopped; orders go to `broker` where there is one."""
        return Plan(
            home=self.home,
            folder=self.folder,
            lock=self.lock,
            store=self.store,
            clock=clock,
            policy=Policy(),
            env="paper",
            seed=SEED,
            venue="sim",
            broker_name="venue" if broker else "paper",
            source_name="generated",
            config_snapshot="{}",
            config_hash="",
            version="bench",
            kill_requested=lambda: None,
            make_config=lambda instruments: core_config(instruments, paper=broker is None, limits=limits),
            make_strategies=make_strategies,
            feed=feed,
            broker=broker,
            close_venue=close_venue,
        )


@contextlib.contextmanager
def place() -> Iterator[Place]:
    with tempfile.TemporaryDirectory() as folder:
        opened = Place(Path(folder))
        try:
            yield opened
        finally:
            opened.store.close()
            opened.lock.release()


def on_loop(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` as the desk's own loop runs."""
    sys.setswitchinterval(SWITCH_SECONDS)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


def in_fresh_process(module: str, *words: str) -> dict[str, float]:
    """What `python -m module words` prints in its last line, as JSON: measured without what ran here before."""
    done = subprocess.run([sys.executable, "-m", module, *words], cwd=ROOT, stdout=subprocess.PIPE, check=True)
    return msgspec.json.decode(done.stdout.splitlines()[-1], type=dict[str, float])
