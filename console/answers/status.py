"""Answers about a desk: `status`, its parts, `remote status`."""

from console.answers.base import Answer
from engine.session.failed_start import FailedStart


class Block(Answer, frozen=True):
    """Why nothing is entered, and what lifts it. `release_seconds`: lifted by itself after that."""

    reason: str
    text: str
    lifts: str
    since_ns: int
    release_ns: int | None
    release_seconds: int | None


class StoppedBlock(Answer, frozen=True):
    reason: str
    text: str
    lifts: str


class Discrepancy(Answer, frozen=True):
    """What the desk's books and the broker's own differ in."""

    id: str
    kind: str
    subject: str
    ours: str
    theirs: str
    first_seen_at: str


class Reconciliation(Answer, frozen=True):
    compared_at: str | None
    agreed_at: str | None
    clean: bool
    discrepancies: list[Discrepancy]


class Band(Answer, frozen=True):
    """The run's result under each execution profile."""

    pessimistic: str | None
    optimistic: str | None
    lowest: str | None
    highest: str | None


class Heat(Answer, frozen=True):
    value: str
    limit: str


class Regime(Answer, frozen=True):
    regime: str
    level: str | None
    age_seconds: float | None
    of_ns: int | None
    source: str | None
    simulated: bool
    since_ns: int | None
    heat_share: str
    strategies_off: list[str]


class Position(Answer, frozen=True):
    symbol: str
    side: str
    qty: str
    entry: str
    mark: str
    unrealized: str
    stop: str
    target: str
    heat: str
    opened_ns: int
    strategy_id: str


class Order(Answer, frozen=True):
    order_id: str
    symbol: str
    purpose: str
    state: str
    qty: str
    filled_qty: str
    price: str | None
    stop_price: str | None
    stuck: bool


class OrdersToday(Answer, frozen=True):
    sent: int
    rejected: int
    reject_rate: str | None


class Breaker(Answer, frozen=True):
    """`value` and `limit` are whole numbers where `unit` is count."""

    name: str
    value: int | str
    limit: int | str
    unit: str
    used: str
    tripped: bool
    action: str
    lifts: str
    text: str
    since_ns: int | None
    release_ns: int | None


class PaperPeriod(Answer, frozen=True):
    start: str
    days: int | None


class CriterionStanding(Answer, frozen=True):
    """One criterion so far. `about` is reliability or economics, `state` PASS, FAIL or OPEN."""

    id: str
    text: str
    about: str
    state: str
    measured: str
    threshold: str


class ProtocolStanding(Answer, frozen=True):
    """The validation protocol under way. `rehearsal`: why its result can never unlock live trading."""

    name: str
    protocol_id: str
    started_at: str | None
    elapsed_seconds: float
    of_seconds: float
    day: int
    days: int
    outages: int
    rehearsal: list[str]
    criteria: list[CriterionStanding]


class RefusedData(Answer, frozen=True):
    cause: str
    count: int
    first: str


class ErrorKind(Answer, frozen=True):
    """Errors of one fingerprint; `example` is the first of them."""

    fingerprint: str
    where: str
    example: str
    count: int
    first: str
    last: str


class Heartbeat(Answer, frozen=True):
    count: int
    age_seconds: float | None
    max_gap_seconds: float
    late_p99_us: int
    loop_lag_p99_us: int
    commit_p99_us: int
    decision_p99_us: int
    queue_depth: int
    dropped_ticks: int
    gap_count: int
    stale_events: int
    error_count: int
    rss_mb: float
    rss_mb_per_hour: float | None
    descriptors: int
    descriptors_per_hour: float | None
    descriptors_max: int
    threads: int
    disk_free_mb: int


class Work(Answer, frozen=True):
    """When a task last did its work, and how long it may be without."""

    name: str
    age_seconds: float
    limit_seconds: float | None


class Feed(Answer, frozen=True):
    symbol: str
    health: str
    age_seconds: float | None
    last_price: str | None
    market_closed: bool


class JournalEnd(Answer, frozen=True):
    rows: int
    head: str


class Status(Answer, frozen=True):
    """A desk that runs."""

    state: str
    env: str
    run_id: str
    pid: int
    phase_text: str
    elapsed_seconds: float
    duration_seconds: float | None
    venue: str
    broker: str
    source: str
    clock: str
    seed: int
    program: str | None
    kill_latched: bool
    blocks: list[Block]
    why: str
    reconciliation: Reconciliation
    equity: str
    starting_equity: str
    net_pnl: str
    net_pnl_band: Band
    cash: str
    unrealized: str
    realized: str
    fees: str
    funding: str
    day_pnl: str
    drawdown: str
    exposure: str
    heat: Heat
    regime: Regime
    market_phases: dict[str, str]
    positions: list[Position]
    orders: list[Order]
    orders_today: OrdersToday
    stuck_orders: list[str]
    breakers: list[Breaker]
    signals: dict[str, int]
    signal_reasons: dict[str, int]
    trades: int
    paper_period: PaperPeriod | None
    protocol: ProtocolStanding | None
    market_events: int
    data_refused: list[RefusedData]
    errors: list[ErrorKind]
    healthy: bool
    unhealthy: list[str]
    warnings: list[str]
    failed_start: None
    heartbeat: Heartbeat
    works: list[Work]
    feed_age_seconds: float | None
    feeds: list[Feed]
    gate_level: str
    journal: JournalEnd


class Stopped(Answer, frozen=True):
    """A desk that does not run: what only a running one knows is null or empty."""

    state: str
    env: str
    run_id: None
    pid: None
    elapsed_seconds: float
    kill_latched: bool
    blocks: list[StoppedBlock]
    why: str
    equity: None
    heat: None
    regime: None
    market_phases: dict[str, str]
    positions: list[Position]
    breakers: list[Breaker]
    data_refused: list[RefusedData]
    errors: list[ErrorKind]
    signals: dict[str, int]
    signal_reasons: dict[str, int]
    healthy: bool
    unhealthy: list[str]
    warnings: list[str]
    failed_start: FailedStart | None
    protocol: ProtocolStanding | None
    heartbeat: None
    works: list[Work]
    feed_age_seconds: None
    gate_level: str
