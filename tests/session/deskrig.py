"""A whole desk in a temporary home: real store, real session, a toy market on virtual time."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from engine.core.config import MINUTE, SECOND, CoreConfig, Limits, RegimeModel, Sizing
from engine.core.events import Bar, Quote
from engine.core.strategy import ExitWish, Market, Proposal
from engine.core.words import Side
from engine.session.clock import VirtualClock, WallClock
from engine.session.home import Home, kill_requested
from engine.session.lock import DeskLock, Holder
from engine.session.plan import Plan, Policy, Source
from engine.session.session import Session
from engine.session.supervisor import Supervisor
from engine.session.volatility import VolatilityIndex
from store.desk import Store, open_store
from tests.rig import START_NS, Told, d
from tests.session.toymarket import ToyMarket


class Eager:
    """Proposes a LONG at market at every fifth quote while the toy market is low: much to trade, some of it refused."""

    strategy_id = "eager"
    span_ns = 60 * SECOND
    history = 60
    wants_quotes = True

    def __init__(self, symbols: tuple[str, ...]) -> None:
        self.symbols = symbols
        self.state: msgspec.Struct = Told()

    def on_bar(self, bar: Bar, market: Market) -> tuple[Proposal | ExitWish, ...]:
        return ()

    def on_quote(self, quote: Quote, market: Market) -> tuple[Proposal | ExitWish, ...]:
        assert isinstance(self.state, Told)
        self.state.seen += 1
        if self.state.seen % 5 or quote.bid > d(98):
            return ()
        price = quote.ask
        return (Proposal(quote.symbol, Side.LONG, 0, price - price // 40, price + price // 30, "it is low"),)


class DeskRig:
    """A home folder in which one run after another can be made."""

    def __init__(self, root: Path, symbols: tuple[str, ...] = ("BTCUSDT", "ETHUSDT")) -> None:
        self.home = Home.at(root, "paper")
        self.home.create()
        self.symbols = symbols
        self.volatility: VolatilityIndex | None = None
        self.paper_start_day: int | None = None
        self.secrets_due: tuple[str, ...] = ()
        self.supervisor = Supervisor()
        self.begins_ns = START_NS  # of the next run's market: books go forward in time

    def config(self, **changes: Any) -> CoreConfig:
        market = ToyMarket(self.symbols)
        alike = Limits(correlation_max=d(1))  # the toy market's symbols move together
        config = CoreConfig("paper", 1, True, d(10_000), tuple(market.instruments), (), limits=alike)
        config = msgspec.structs.replace(config, sizing=Sizing(d(2), d(400)), regimes=RegimeModel(source=self.source))
        return msgspec.structs.replace(config, resting_stops=True, **changes)

    @property
    def source(self) -> str:
        """The volatility index the next run reads; empty: none."""
        return self.volatility.source if self.volatility else ""

    def run(
        self,
        seconds: int = 600,
        *,
        source: Source | None = None,
        meddle: Callable[[Session], Any] | None = None,
        policy: Policy | None = None,
        **config: Any,
    ) -> tuple[int, dict[str, Any]]:
        """One run of `seconds` of market; its exit code and final report. `meddle` runs beside it as a coroutine."""
        lock = DeskLock.acquire(self.home.lock, Holder(1))
        market = source or ToyMarket(self.symbols, seconds + 60, self.begins_ns)
        clock = VirtualClock(market.start_ns)
        try:
            store = open_store(self.home.database, "paper", clock)
            try:
                session = Session(self._plan(store, lock, clock, market, seconds, policy, config))
                self.session = session
                code = asyncio.run(_run(session, meddle))
            finally:
                store.close()
        finally:
            lock.release()
        self.begins_ns = clock.now_ns() // MINUTE * MINUTE + MINUTE
        report = json.loads(session.plan.folder.final_report.read_text())
        return code, report

    def _plan(
        self,
        store: Store,
        lock: DeskLock,
        clock: VirtualClock,
        market: Source,
        seconds: int,
        policy: Policy | None,
        config: dict[str, Any],
    ) -> Plan:
        return Plan(
            home=self.home,
            folder=self.home.new_run(WallClock().now_ns()),
            lock=lock,
            store=store,
            clock=clock,
            policy=policy or Policy(duration_ns=seconds * SECOND),
            env="paper",
            seed=1,
            venue="sim",
            broker_name="paper",
            source_name="toy",
            config_snapshot="{}",
            config_hash="",
            version="0",
            kill_requested=lambda: kill_requested(self.home, {}),
            make_config=lambda instruments: self.config(**config),
            make_strategies=lambda core: (Eager(tuple(i.symbol for i in core.instruments)),),
            source=market,
            volatility=self.volatility,
            paper_start_day=self.paper_start_day,
            secrets_due=self.secrets_due,
            supervisor=self.supervisor,
        )


async def _run(session: Session, meddle: Callable[[Session], Any] | None) -> int:
    if meddle is None:
        return await session.run()
    task = asyncio.create_task(meddle(session))
    try:
        return await session.run()
    finally:
        if not task.done():
            task.cancel()
        else:
            task.result()
