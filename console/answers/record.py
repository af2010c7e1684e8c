"""Answers from the record: `run`, `replay`, `audit`."""

from typing import Any

from console.answers.base import Answer
from console.answers.status import Band, ErrorKind, PaperPeriod, RefusedData
from engine.session.ports import SignedHead
from store.chain import BadRow


class Report(Answer, frozen=True):
    """`final_report.json`, which `run` answers with."""

    schema: int
    run_id: str
    env: str
    venue: str
    broker: str
    source: str
    clock: str
    seed: int
    version: str
    config_hash: str
    paper_period: PaperPeriod | None
    started_at: str
    ended_at: str
    duration_seconds: float
    iterations: int
    status: str
    reason: str
    exit_code: int
    error_count: int
    autonomous: bool
    errors: list[ErrorKind]
    halts: list[dict[str, str]]
    starting_equity: str
    ending_equity: str
    net_pnl: str
    net_pnl_band: Band
    realized_pnl: str
    fees_total: str
    funding_total: str
    unrealized_start: str
    unrealized_end: str
    identity: dict[str, str | bool]
    ledger: dict[str, Any]
    positions_open: list[dict[str, Any]]
    trades: int
    orders_submitted: int
    fills_count: int
    rejects_count: int
    reject_rate: str
    orders_by_day: list[dict[str, Any]]
    stuck_orders: int
    slippage: dict[str, Any]
    signals: dict[str, int]
    signals_in_flight: int
    signal_reasons: dict[str, int]
    conditions: dict[str, Any]
    strategies: list[dict[str, Any]]
    decision_hash: str
    journal_head: str
    journal_rows: int
    journal_signed: SignedHead | None
    program: dict[str, Any]
    heartbeat: dict[str, Any]
    loop_lag_ms: dict[str, float | None]
    tick_to_decision_us: dict[str, int | None]
    commit_ms: dict[str, float | None]
    order_to_fill_ms: dict[str, float | None]
    rss_mb_peak: float
    rss_mb_last: float
    rss_mb_per_hour: float | None
    descriptors: int
    descriptors_per_hour: float | None
    threads: int
    dropped_ticks: int
    gap_count: int
    stale_events: int
    data_rejects: int
    data_refused: list[RefusedData]
    lost_lines: int
    outage_gap: dict[str, Any] | None
    problems: list[str]


class Row(Answer, frozen=True):
    """A journal row, one a line. `body` is the fact, its money in units of 1e-8."""

    id: int
    seq: int
    run_id: str | None
    kind: str
    at_ns: int
    symbol: str
    ref: str
    body: Any


class Start(Answer, frozen=True):
    """The state a replay begins with, kept after input `seq` in journal row `row`."""

    row: int
    seq: int
    at_ns: int


class Replayed(Answer, frozen=True, rename={"since": "from"}):
    run_id: str
    events: int
    facts: int
    decision_hash: str
    state_hash: str
    equity: str
    since: Start | None


class Verified(Answer, frozen=True, rename={"since": "from"}):
    """`replay --verify`. `difference`: the first input after which the desk decides otherwise."""

    run_id: str
    events: int
    facts: int
    decision_hash: str
    state_hash: str
    equity: str
    since: Start | None
    same: bool
    difference: dict[str, Any] | None


class Proven(Answer, frozen=True):
    """`audit verify`: what was checked, and what is not as it was written."""

    good: bool
    rows: int
    inputs: int
    head: str
    bad: BadRow | None
    faults: list[str]
    notes: list[str]
    signed_heads: int
    filed_heads: int
    held_heads: int
    unsigned_rows: int
    archived_rows: int
    archives_checked: int
    newest_signed: SignedHead | None
    keys: list[str]


class Prunable(Answer, frozen=True):
    """What `audit prune` would move: none if `rows` is 0; `limit` says what keeps the next row."""

    pruned: bool
    rows: int
    first_row: int
    last_row: int
    limit: str


class Pruned(Answer, frozen=True):
    pruned: bool
    rows: int
    archive: str
    sha256: str
    first_kept_row: int
    freed: int
    problem: str
