"""Puts a desk together: the one place that knows the configuration, the venue, the store, the session and the console.

Headless, the engine's loop is the main thread. With a console the engine runs on a thread of its own, so that no screen
can stall it, and the console has the main thread.
"""

import asyncio
import contextlib
import json
import logging
import os
import pwd
import signal
import sys
import threading
from collections.abc import Callable, Coroutine, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

import msgspec

from console import say
from console.commands.acts import rearm_books
from console.commands.status import is_latched
from console.exits import Exit, Quit
from console.gatekeeping import current, live_gate, standing_of
from console.options import RunOptions
from engine.core.calendar import Calendar, shared
from engine.core.config import DAY, MINUTE, SECOND, CoreConfig, Instrument, StrategySpec
from engine.core.events import DataRejected
from engine.session.clock import ScaledClock, VirtualClock, WallClock, unkept_text
from engine.session.config import Config, to_core
from engine.session.emergency import BALLAST_BYTES, hold_ballast
from engine.session.errors import SessionError
from engine.session.failed_start import forget_failed_start, keep_failed_start
from engine.session.home import kill_requested, write_kill_file
from engine.session.hours import Hours
from engine.session.lines import closing_lines
from engine.session.lock import DeskLock, Holder
from engine.session.logs import SystemLog
from engine.session.plan import DeskStore, Plan, Policy, Source
from engine.session.ports import Broker, Clock, Feed
from engine.session.program import Program, unpinned
from engine.session.resources import MEGABYTE
from engine.session.scrub import Scrubber
from engine.session.secret import Secret
from engine.session.session import Session, handle_signals
from engine.session.settings import BUILT_IN, parse_listening
from engine.session.supervisor import Supervisor
from engine.session.trouble import Troubled
from engine.session.volatility import VolatilityIndex, index_of
from engine.strategies import make, make_all, spec
from engine.venues.bitunix.broker import BitunixBroker, BrokerSettings
from engine.venues.bitunix.feed import BitunixFeed, FeedSettings
from engine.venues.bitunix.signing import Credentials
from engine.venues.calendars import calendars
from engine.venues.sim.generated import GeneratedMarket
from engine.venues.sim.options import SIM_KEY, SIM_SECRET, VenueOptions
from engine.venues.sim.process import VenueFailed, VenueProcess, start_venue
from engine.venues.sim.ticks import Ticks
from store.desk import Store, open_store

VIRTUAL_ANCHOR_NS: Final = 1_767_225_600_000_000_000
"""Where the generated market begins at full speed (2026-01-01T00:00:00Z): the same input for every such run."""

WARMUP_MARGIN_BARS: Final = 5
STAND_IN: Final = "the built-in venue stands in for a real one: no order of this run is real"
CALENDAR_NS: Final = 90 * DAY  # thirty trading days lie within it
JOIN_SECONDS: Final = 0.5
SWITCH_SECONDS: Final = 0.0005
"""The longest one thread holds the interpreter while another waits for it. With Python's own 5 ms a commit of a few
rows, which lets go of it at every statement, can wait for the loop a dozen times, and so can the order behind it."""


class Refused(SessionError):
    """The desk cannot be put together as asked; the message names cause and cure."""


class Market(msgspec.Struct):
    """The outside, opened: a feed and its venue, or a source in process."""

    clock: Clock
    source_name: str
    symbols: tuple[str, ...]
    hours: Hours
    feed: Feed | None = None
    broker: Broker | None = None
    source: Source | None = None
    venue: VenueProcess | None = None


def run_desk(config: Config, options: RunOptions) -> int:
    """Run the desk as configured; its exit code.

    Raises:
        SessionError, StoreError, StrategyError, VenueFailed, BadData: the start failed, in one clear sentence.
    """
    if config.desk.venue != BUILT_IN:
        raise Quit(Exit.USAGE, f"venue {config.desk.venue}: only the built-in venue ({BUILT_IN}) works in this version")
    options.home.create()
    started_ns = WallClock().now_ns()
    lock = DeskLock.acquire(options.home.lock, Holder(pid=os.getpid(), started_ns=started_ns))
    try:
        forget_failed_start(options.home)
        return _run(config, options, lock)
    except Exception as failure:
        _keep_failure(config, options, str(failure) or repr(failure))
        raise
    finally:
        lock.release()


def _run(config: Config, options: RunOptions, lock: DeskLock) -> int:
    """Run the desk under its lock."""
    if not hold_ballast(options.home.ballast):
        say.aside(f"nightdesk: there is no room in {options.home.dir} for the ballast of {BALLAST_BYTES >> 20} MiB")
    store = open_store(options.home.database, options.env, WallClock())
    try:
        if options.headless:
            return _on_loop(lambda: _headless(config, options, lock, store))
        return _with_console(config, options, lock, store)
    finally:
        store.close()


def _keep_failure(config: Config, options: RunOptions, text: str) -> None:
    """A desk that came to nothing leaves its reason in the log and for `status`: there may be no run to look into."""
    scrubber = Scrubber(secrets_of(config))
    told = scrubber.text(text)
    with SystemLog(options.home.system_log, config.env, scrubber):
        logging.getLogger("session").error("could not start: %s", told)
    keep_failed_start(options.home, WallClock().now_ns(), told)


def _on_loop(main: Callable[[], Coroutine[Any, Any, int]]) -> int:
    """Run `main` on a fresh event loop, uvloop where it is there, with threads that give way quickly."""
    sys.setswitchinterval(SWITCH_SECONDS)
    factory: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
    with contextlib.suppress(ImportError):  # no wheel for this platform: the standard loop is only less steady
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(main())


# --- without a console ---


async def _headless(config: Config, options: RunOptions, lock: DeskLock, store: DeskStore) -> int:
    heard: list[str] = []
    plan = await _unless_ended(_plan(config, options, lock, store, None if options.json else say.line), heard)
    if plan is None:
        say.aside(f"nightdesk: {heard[0]} came before the run had begun")
        return Exit.DONE
    for warning in plan.warnings:
        say.aside(f"nightdesk: {warning}")
    session = Session(plan)
    handle_signals(session, asyncio.get_running_loop())
    if heard:
        session.stop(heard[0])
    code = await session.run()
    _tell_end(options, session)
    return code


async def _unless_ended(planning: Coroutine[Any, Any, Plan], heard: list[str]) -> Plan | None:
    """The plan, or None if a signal came first and is in `heard`; a venue half started ends with this process."""
    loop, task = asyncio.get_running_loop(), asyncio.ensure_future(planning)

    def end(reason: str) -> None:
        heard.append(reason)
        task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, end, number.name)
    try:
        return await task
    except asyncio.CancelledError:
        return None


def _tell_end(options: RunOptions, session: Session) -> None:
    if session.failure:
        say.aside(f"nightdesk: could not start: {session.failure}")
    report = session.plan.folder.final_report
    if not report.exists():
        return
    if options.json:
        if options.watch is None and not options.is_part:
            say.as_json(json.loads(report.read_text()))
        return
    view = session.view()
    if view is not None:
        view = msgspec.structs.replace(view, kill_latched=view.kill_latched and is_latched(options.home))
        for line in closing_lines(view):
            say.line(line)
    say.line(f"report: {report}")


# --- with a console ---


class EngineThread:
    """The session on its own thread and loop. `ready` once there is a desk to look at, or a reason why not."""

    def __init__(self, config: Config, options: RunOptions, lock: DeskLock, store: DeskStore) -> None:
        self.session: Session | None = None
        self.failure: BaseException | None = None
        self.code = 1
        self._made = (config, options, lock, store)
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="engine")

    def start(self) -> Session:
        """Start and wait for the desk. Raises what kept it from starting."""
        self._thread.start()
        self._ready.wait()
        if self.session is None:
            assert self.failure is not None
            raise self.failure
        return self.session

    def _run(self) -> None:
        try:
            self.code = _on_loop(self._main)
        except BaseException as error:  # the top of the thread: handed to the main thread, which raises it
            self.failure = error
        finally:
            self._ready.set()

    async def _main(self) -> int:
        session = Session(await _plan(*self._made, None))
        self.session = session
        self._ready.set()
        code = await session.run()
        _, _, lock, store = self._made
        store.close()
        lock.release()  # the desk is over, even if its console is still looked at: rearm and a new start are free
        return code

    def join(self) -> int:
        """Wait for the end; the session's exit code. Signals are still heard meanwhile."""
        while self._thread.is_alive():
            self._thread.join(JOIN_SECONDS)
        if self.failure is not None:
            raise self.failure
        return self.code


def _with_console(config: Config, options: RunOptions, lock: DeskLock, store: DeskStore) -> int:
    from console.app import Bridge, Left, run_console
    from console.palette import theme_of

    theme_of(os.environ)  # before anything is started
    say.line("Nightdesk: starting the venue ...")
    engine = EngineThread(config, options, lock, store)
    session = engine.start()

    def hung_up() -> None:
        if config.desk.on_hangup == "stop":
            session.stop("SIGHUP")

    bridge = Bridge(
        actor=_operator(),
        kill_fallback=lambda: str(write_kill_file(options.home, "the console had no answer from the engine")),
        on_hangup=hung_up,
        on_terminate=lambda: session.stop("SIGTERM"),
        books=options.home.database,
        files=options.home,
        rearm_stopped=lambda reason: rearm_books(options.home, os.environ, reason),
    )
    departure = run_console(session, bridge)
    if departure.fault:
        say.aside(departure.fault)
    if departure.left is Left.CLOSED and not session.ended():
        say.line("The desk goes on without its console. Ctrl-C ends it in order.")
    handle_signals(session, None)
    code = engine.join()
    if departure.left is not Left.HUNG_UP:
        _tell_end(options, session)
    return code


def _operator() -> str:
    """The name this user has on the machine, as the control socket would give it."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container without a name for its user
        return f"uid {os.getuid()}"


# --- the plan ---


async def _plan(
    config: Config, options: RunOptions, lock: DeskLock, store: DeskStore, on_line: Callable[[str], None] | None
) -> Plan:
    """Open the market and make the run's folder."""
    supervisor = Supervisor.of_this_process()  # before the venue, which is a child, begins
    libraries = unpinned()
    market = await _open_market(config, options)
    folder = options.home.new_run(WallClock().now_ns())
    lock.inform(Holder(os.getpid(), WallClock().now_ns(), folder.run_id, str(options.home.socket)))
    strategies = _strategies(config, market.symbols)
    program = Program(others=_files(strategies))
    now = current(config, program.fingerprint, options.data)
    live = None
    if config.env == "live" and market.broker is not None:
        live = live_gate(options.home, config, now, cast(Store, store))
    volatility = _volatility(config, options)

    def kill_switch() -> str | None:
        return kill_requested(options.home, os.environ) or ("environment" if config.kill_variable else None)

    def make_config(instruments: Sequence[Instrument]) -> CoreConfig:
        wanted = [i for i in instruments if i.symbol in market.symbols]
        calendars = market.hours.learn(wanted, market.clock.now_ns())
        core = to_core(config, wanted, strategies, volatility.source if volatility else "", calendars)
        cap = live.standing.cap if live is not None else None
        if not cap:
            return core
        sizing = msgspec.structs.replace(core.sizing, notional_max=min(core.sizing.notional_max or cap, cap))
        return msgspec.structs.replace(core, sizing=sizing)

    return Plan(
        home=options.home,
        folder=folder,
        lock=lock,
        store=store,
        clock=market.clock,
        policy=Policy(
            duration_ns=options.duration_ns or 0,
            stale_action=config.desk.stale_action,
            keep_positions=options.keep_positions,
            min_history=config.desk.min_history,
            bar_ns=config.desk.bar,
            outage_window_ns=config.venue.reconnect_window,
            memory_max_bytes=config.desk.memory_max_mb * MEGABYTE,
            disk_min_bytes=config.desk.disk_min_mb * MEGABYTE,
        ),
        env=config.env,
        seed=options.seed,
        venue=config.desk.venue,
        broker_name=options.broker,
        source_name=market.source_name,
        config_snapshot=json.dumps(config.snapshot(), indent=2, ensure_ascii=False),
        config_hash=config.content_hash,
        version=version("nightdesk"),
        kill_requested=kill_switch,
        make_config=make_config,
        make_strategies=make_all,
        feed=market.feed,
        broker=market.broker,
        source=market.source,
        volatility=volatility,
        market_ended=market.venue.market_ended if market.venue else None,
        close_venue=market.venue.stop if market.venue else None,
        supervisor=supervisor,
        protocol=options.watch,
        on_line=on_line,
        alerts=config.alerts,
        outside=config.outside,
        paper_start_day=market.hours.paper_start_day,
        api=config.api,
        metrics=parse_listening(config.control.metrics),
        program=program,
        live=live,
        gate_level=standing_of(options.home, config, now).level.value,
        unpinned=libraries,
        secrets=secrets_of(config),
        secrets_due=tuple(rotation.text for rotation in config.rotations if rotation.is_due),
        warnings=(
            *((STAND_IN,) if live is not None and config.desk.venue == BUILT_IN else ()),
            *libraries,
            *_time_source(market.clock),
            *market.hours.warnings(market.clock.now_ns()),
            *(rotation.text for rotation in config.rotations if rotation.is_due),
        ),
    )


def secrets_of(config: Config) -> tuple[Secret, ...]:
    """Everything that must appear in no output."""
    venue = (config.keys.key, config.keys.secret) if config.keys else ()
    return (*venue, *((config.control_key,) if config.control_key else ()), *config.outside.secrets)


def _strategies(config: Config, symbols: Sequence[str]) -> tuple[StrategySpec, ...]:
    """The configured strategies with their parameters checked; those without symbols of their own get all."""
    return tuple(
        spec(
            entry.id,
            entry.kind,
            entry.params,
            [s for s in entry.symbols or symbols if s in symbols],
            entry.regimes,
            entry.weight,
        )
        for entry in config.strategies
    )


def strategy_files(config: Config) -> tuple[Path, ...]:
    """Where the configured strategies come from that are named as module:Class."""
    return _files(_strategies(config, config.desk.symbols))


def _files(strategies: Sequence[StrategySpec]) -> tuple[Path, ...]:
    """Where strategies come from that are named as module:Class."""
    modules = {sys.modules[spec.kind.partition(":")[0]] for spec in strategies if ":" in spec.kind}
    return tuple(Path(module.__file__) for module in modules if module.__file__)


def _time_source(clock: Clock) -> tuple[str, ...]:
    """What is to be said of the machine's clock, where the desk goes by it."""
    text = unkept_text() if clock.kind == "wall" else ""
    return (text,) if text else ()


def _volatility(config: Config, options: RunOptions) -> VolatilityIndex | None:
    """The volatility index the run reads; by itself, the generated one goes with the generated market alone."""
    generated = config.desk.venue == BUILT_IN and not options.data
    return index_of(config.regime.volatility, options.seed, generated_market=generated)


class Addresses(NamedTuple):
    """Where a venue listens."""

    rest: str
    sockets: str


async def _open_market(config: Config, options: RunOptions) -> Market:
    if options.speed == "max":
        return _open_source(config, options)
    early: list[DataRejected] = []
    refuse: Callable[[DataRejected], None] = early.append  # until there is a feed to tell the desk of it
    venue, clock = None, cast(Clock, WallClock())
    at = _elsewhere(config, options)
    if at is None:
        venue = await _start_venue(
            VenueOptions(
                data=tuple(str(path) for path in options.data),
                seed=options.seed,
                speed=options.speed,
                anchor="" if options.data or options.speed != 1 else str(options.home.market_anchor),
                symbols=options.symbols,
                warmup_bars=warmup_bars(config) if options.data else 0,
                parent=os.getpid(),
            ),
            lambda event: refuse(event),
        )
        at = Addresses(venue.rest_url, venue.ws_url)
        if options.data or options.speed != 1:
            clock = ScaledClock(venue.clock.now_ns(), options.speed)
    symbols = options.symbols or await _listed(at.rest, config.venue.request_timeout / SECOND)
    timeout_s, ping_s, window_s = (
        ns / SECOND for ns in (config.venue.request_timeout, config.venue.ping_interval, config.venue.reconnect_window)
    )
    patience = FeedSettings(timeout_s=timeout_s, ping_s=ping_s, window_s=window_s, replay=bool(options.data))
    hours = Hours(config.desk.paper_start_date)
    feed = BitunixFeed(at.rest, at.sockets, symbols, clock, patience, hours.rest)
    refuse = feed.reject
    for event in early:
        refuse(event)
    broker = None
    if options.broker == "venue":
        keys = Credentials(SIM_KEY, SIM_SECRET)
        settings = BrokerSettings(timeout_s=timeout_s, ping_s=ping_s, window_s=window_s)
        broker = BitunixBroker(at.rest, at.sockets, keys, clock, settings=settings, on_rejected=refuse)
    source = venue.source if venue else f"venue at {at.rest}"
    return Market(clock, source, symbols, hours, feed=feed, broker=broker, venue=venue)


def _elsewhere(config: Config, options: RunOptions) -> Addresses | None:
    """The venue the configuration names, run by somebody else; None: the desk starts its own."""
    rest, sockets = config.venue.rest_url.rstrip("/"), config.venue.public_url.rstrip("/").removesuffix("/public")
    if not rest and not sockets:
        return None
    if not rest or not sockets:
        raise Quit(Exit.USAGE, f"venues/{config.desk.venue}.toml: rest_url and public_url belong together")
    if options.data or options.speed != 1:
        raise Quit(
            Exit.USAGE, f"--data and --speed are the venue's own, and it runs at {rest}: nightdesk venue takes them"
        )
    return Addresses(rest, sockets)


async def _start_venue(options: VenueOptions, on_rejected: Callable[[DataRejected], None]) -> VenueProcess:
    try:
        return await start_venue(options, on_rejected=on_rejected)
    except VenueFailed as failure:
        if failure.is_usage:
            raise Quit(Exit.USAGE, f"the built-in venue cannot serve this: {failure}") from failure
        raise Refused(f"the built-in venue could not start: {failure}") from failure


async def _listed(rest_url: str, timeout_s: float) -> tuple[str, ...]:
    """Every symbol the venue trades, by asking it."""
    import aiohttp

    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(timeout_s)) as http,
        http.get(f"{rest_url}/api/v1/futures/market/trading_pairs") as answer,
    ):
        return tuple(row["symbol"] for row in (await answer.json())["data"])


def warmup_bars(config: Config) -> int:
    """How many bars of recorded data come before the run, so that every indicator can be seeded; 0 if none can be."""
    if not config.desk.min_history or config.desk.bar < MINUTE:
        return 0
    made = [make(spec(e.id, e.kind, e.params, e.symbols or ("ANY",))) for e in config.strategies]
    look_back = [strategy.history * strategy.span_ns // MINUTE for strategy in made]
    returns = config.risk.correlation_window
    return max(config.desk.min_history, config.regime.phase_window, returns + 1, *look_back) + WARMUP_MARGIN_BARS


def _open_source(config: Config, options: RunOptions) -> Market:
    """The market in process, for full speed."""
    source: Any
    if options.data:
        from engine.venues.sim.recorded import BadData, RecordedMarket

        try:
            source = RecordedMarket(options.data, symbols=options.symbols, warmup_bars=warmup_bars(config))
        except BadData as bad:
            raise Quit(Exit.USAGE, f"--data: {bad}") from bad
    else:
        made = Ticks if options.ticks else GeneratedMarket
        source = made(options.seed, VIRTUAL_ANCHOR_NS, symbols=options.symbols)
    symbols = tuple(i.symbol for i in source.instruments)
    unknown = [s for s in options.symbols if s not in symbols]
    if unknown:
        raise Quit(Exit.USAGE, f"--symbols: {', '.join(unknown)} not in the data; there are {', '.join(symbols)}")
    hours = Hours(config.desk.paper_start_date)
    name, begin_ns = source.name, options.begin_ns or source.start_ns
    if options.faults:
        source = Troubled(source, options.faults, options.faults_from_ns or begin_ns)
    return Market(VirtualClock(begin_ns), name, symbols, hours, source=source)


def played_days(config: Config, options: RunOptions) -> tuple[int, Calendar]:
    """Where a market that is played at full speed begins, and the calendar its trading days go by."""
    market = _open_source(config, options)
    assert market.source is not None
    begin_ns = market.clock.now_ns()
    names = [instrument.calendar for instrument in market.source.instruments]
    timed = calendars(names, begin_ns, begin_ns + CALENDAR_NS)
    return begin_ns, shared(timed) if len(timed) == len(set(names)) else Calendar()
