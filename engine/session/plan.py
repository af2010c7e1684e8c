"""What a session is to do: everything the command line decided, made and opened before the session starts."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from concurrent.futures import Future
from typing import Any, Protocol

import msgspec

from engine.core.config import MINUTE, CoreConfig, Instrument
from engine.core.engine import StrategyMaker
from engine.core.events import Bar, FeedEvent
from engine.core.view import ProtocolView
from engine.session.alerting.channels import Outside
from engine.session.alerting.settings import AlertsFile
from engine.session.api.settings import ApiSettings
from engine.session.days import DayBook
from engine.session.dead_letters import Letter
from engine.session.home import Home, RunFolder
from engine.session.live_gate import GATE_LEVEL, LiveGate
from engine.session.lock import DeskLock
from engine.session.ports import Broker, Clock, Feed, Journal, Recovered, SignedHead
from engine.session.program import Program
from engine.session.secret import Secret
from engine.session.supervisor import Supervisor
from engine.session.volatility import VolatilityIndex


class Source(Protocol):
    """A market in process, its own time: the generator or recorded files at full speed."""

    @property
    def start_ns(self) -> int: ...

    @property
    def instruments(self) -> Sequence[Instrument]: ...

    def history(self, symbol: str, span_ns: int, end_ns: int, count: int) -> list[Bar]: ...

    def events(self, from_ns: int) -> Iterable[Sequence[FeedEvent]]: ...


class DeskStore(DayBook, Protocol):
    """The desk's database, opened: the journal and what else the session asks of it."""

    @property
    def journal(self) -> Journal: ...

    @property
    def recovered(self) -> Recovered: ...

    @property
    def restored_text(self) -> str:
        """What a backup had to stand in for, in words; empty when the database was sound."""

    def is_in_place(self) -> bool:
        """False once the open file is no longer the one at its path."""

    def sign_head(self, cause: str) -> Future[SignedHead]: ...

    def record_report(self, run_id: str, report: str) -> Future[None]: ...

    def backup(self) -> object: ...

    def weeks(self, known: Collection[str]) -> Sequence[dict[str, Any]]: ...

    def letters(self) -> Sequence[Letter]: ...

    def record_letter(self, letter: Letter) -> Future[None]: ...

    def close(self) -> None: ...


class ProtocolWatch(Protocol):
    """The validation protocol a run belongs to."""

    def look(self) -> ProtocolView:
        """How it stands by what is durable; blocks, from any thread."""


class Policy(msgspec.Struct, frozen=True):
    """How this run behaves where there is a choice. Times in nanoseconds of the session's clock."""

    duration_ns: int = 0  # 0: until stopped
    stale_action: str = "pause"  # pause | shutdown
    keep_positions: bool = False
    min_history: int = 100
    bar_ns: int = MINUTE  # below a minute there is no history to seed: the desk builds its bars itself
    outage_window_ns: int = 600_000_000_000
    memory_max_bytes: int = 1_500_000_000
    disk_min_bytes: int = 0  # with less room entries stop, while there is still enough for exits; 0: not watched
    slow_loop_ns: int = 5_000_000_000
    frozen_ns: int = 30_000_000_000
    checkpoint_ns: int = 10_000_000_000
    backup_ns: int = 3_600_000_000_000


class Plan(msgspec.Struct, frozen=True):
    """A session, ready to run. Exactly one of `feed` and `source` is given."""

    home: Home
    folder: RunFolder
    lock: DeskLock
    store: DeskStore
    clock: Clock
    policy: Policy
    env: str
    seed: int
    venue: str
    broker_name: str
    source_name: str
    config_snapshot: str
    config_hash: str
    version: str
    kill_requested: Callable[[], str | None]
    make_config: Callable[[Sequence[Instrument]], CoreConfig]
    make_strategies: StrategyMaker
    feed: Feed | None = None
    source: Source | None = None
    broker: Broker | None = None
    volatility: VolatilityIndex | None = None
    market_ended: asyncio.Event | None = None  # set when recorded data has been played out
    close_venue: Callable[[], Awaitable[None]] | None = None
    secrets: Sequence[Secret] = ()
    api: ApiSettings | None = None  # where signed commands are taken from
    metrics: tuple[str, int] | None = None  # host and port at which metrics are served
    alerts: AlertsFile | None = None  # None: as the defaults say
    outside: Outside = Outside()  # whom alerts go to, beside alerts.jsonl
    paper_start_day: int | None = None  # first day of the paper period, since 1970; None: none was set
    secrets_due: tuple[str, ...] = ()  # what is to be said of secrets that are to be changed
    program: Program | None = None  # what the desk was started from; None: nobody watches it
    unpinned: tuple[str, ...] = ()  # libraries of other versions than the program was tried with, a sentence each
    warnings: tuple[str, ...] = ()  # what an operator should know of at the start
    protocol: ProtocolWatch | None = None  # None: the run belongs to none
    live: LiveGate | None = None  # None: no order of this run is live
    gate_level: str = GATE_LEVEL  # what the evidence was worth at the start
    supervisor: Supervisor = msgspec.field(default_factory=Supervisor)  # who started the desk
    on_line: Callable[[str], None] | None = None  # one status line a second, where nobody sees the console
