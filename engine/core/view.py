"""What an observer sees of a desk: one immutable value, taken after its batch is durable.

Carried to the console in process or over the control socket; an observer never holds a reference into live state.
Money, quantities, prices and ratios are scaled integers (`engine.core.money`), times UTC nanoseconds.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from engine.core.events import FeedHealth, SessionPhase
from engine.core.words import TERMINAL_STATE, BreakerAction, ReasonCode, Regime, Side, TerminalState

_EXECUTED: Final = {code.value for code, state in TERMINAL_STATE.items() if state is TerminalState.EXECUTED}


class View(msgspec.Struct, frozen=True):
    """Base of all views."""


class PositionView(View, frozen=True):
    symbol: str
    side: Side
    qty: int  # signed
    entry: int
    mark: int
    unrealized: int
    stop: int
    target: int
    heat: int  # fraction of equity lost if the stop is hit
    opened_ns: int
    strategy_id: str


class OrderView(View, frozen=True):
    order_id: str
    symbol: str
    purpose: str
    state: str
    qty: int  # signed
    filled_qty: int  # signed
    price: int  # 0: market
    placed_ns: int
    stop_price: int = 0  # of a stop order
    stuck: bool = False  # it has waited for its broker's answer too long


class SignalView(View, frozen=True):
    """A recent signal; `state` is None while it is in flight."""

    signal_id: str
    at_ns: int
    strategy_id: str
    symbol: str
    side: Side
    state: TerminalState | None
    reason_code: ReasonCode | None
    text: str
    phase: str = ""  # of the market, when it was raised
    regime: str = ""


class BreakerView(View, frozen=True):
    """A breaker's value beside its limit, both scaled; `unit` is money, fraction, count or seconds.

    `used` is value over limit as a fraction (1 = trips), `lifts` what releases it. Of a tripped one `text` is what it
    saw ("5.2% >= 5%"), `since_ns` when, and `release_ns` when its time is over (0: only an operator releases it).
    """

    name: str
    label: str
    value: int
    limit: int
    unit: str
    used: int
    tripped: bool
    action: str
    lifts: str
    text: str = ""
    since_ns: int = 0
    release_ns: int = 0


class BlockView(View, frozen=True):
    """Why entries do not happen: one for each block, and for each tripped breaker. `release_ns` 0: no time is known."""

    reason: str
    text: str
    lifts: str
    since_ns: int
    release_ns: int = 0


class RegimeView(View, frozen=True):
    """The regime in force and the value behind it; `level` and `of_ns` are 0 where there is none.

    `heat_share` is the fraction of the configured heat limit in force, `off` names the strategies that may not enter.
    """

    regime: Regime = Regime.UNKNOWN
    level: int = 0
    of_ns: int = 0
    source: str = ""
    simulated: bool = False
    since_ns: int = 0
    heat_share: int = 100_000_000
    off: tuple[str, ...] = ()


class FeedView(View, frozen=True):
    symbol: str
    health: FeedHealth
    last_ns: int  # 0: nothing yet
    bid: int  # 0: none in this run
    ask: int
    last: int = 0  # newest price of any kind, from an earlier run while the feed is silent; 0: none
    closed: bool = False  # its market is: no data is owed


class RefusedView(View, frozen=True):
    """Frames and rows the edge refused for one cause; `first` is the first one's stream, or file:line:column."""

    cause: str
    count: int
    first: str


class ErrorView(View, frozen=True):
    """Errors of one fingerprint in this run; `text` is the first one's."""

    fingerprint: str
    where: str
    text: str
    count: int
    first_ns: int
    last_ns: int


class PaperPeriodView(View, frozen=True):
    """The paper period: its first day (since 1970), and the trading days so far; None where they cannot be told."""

    start_day: int
    days: int | None


class NoteView(View, frozen=True):
    """One line of the desk's event list. `level` is info, warning or error."""

    seq: int
    at_ns: int
    level: str
    kind: str
    text: str


class WorkView(View, frozen=True):
    """How long ago a part of the desk last did its work, or how long something has waited for it, beside the limit."""

    name: str
    age_ns: int
    limit_ns: int


class HeartbeatView(View, frozen=True):
    """How well the desk is beating. Lateness and lag in microseconds, over the last minute.

    `unhealthy` says in sentences what is wrong with the desk itself; empty: data flows, orders are answered, the
    journal commits and the loop is on time. `warnings` are what a person should know of that is no illness.
    `leak_bytes_hour` and `descriptors_hour` are how fast memory and open descriptors grow; None before that is known.
    """

    count: int = 0
    last_ns: int = 0
    max_gap_ns: int = 0
    late_p99_us: int = 0
    loop_lag_p50_us: int = 0
    loop_lag_p99_us: int = 0
    loop_lag_max_us: int = 0
    commit_p99_us: int = 0
    decision_p99_us: int = 0
    queue_depth: int = 0
    dropped_ticks: int = 0
    gap_count: int = 0
    stale_events: int = 0
    error_count: int = 0
    rss_bytes: int = 0
    leak_bytes_hour: int | None = None
    descriptors: int = 0
    descriptors_hour: int | None = None
    descriptors_max: int = 0
    threads: int = 0
    disk_free_bytes: int = 0
    works: tuple[WorkView, ...] = ()
    unhealthy: tuple[str, ...] = ()
    unhealthy_beats: int = 0
    warnings: tuple[str, ...] = ()


class DiscrepancyView(View, frozen=True):
    """What the two books have differently, as texts; `discrepancy_id` is what an operator adopts it by."""

    discrepancy_id: str
    kind: str
    subject: str
    ours: str
    theirs: str
    first_seen_ns: int


class ReconciliationView(View, frozen=True):
    """The books against the broker's own. Times are 0 where it has not happened yet."""

    compared_ns: int = 0
    agreed_ns: int = 0
    clean: bool = False
    discrepancies: tuple[DiscrepancyView, ...] = ()


class ProbeView(View, frozen=True):
    """What would become of an entry now: `rule` is the first that refuses it, empty if none does."""

    symbol: str
    side: Side
    rule: str


class ProbedView(View, frozen=True):
    """One of the probes with all that the rules measure of it: name, value, limit (scaled), and whether it passes."""

    symbol: str
    side: Side
    at_ns: int
    checks: tuple[tuple[str, int, int, bool], ...]


class CriterionView(View, frozen=True):
    """One criterion of a running protocol: what was measured so far beside its threshold, as texts.

    `about` is reliability or economics; `state` PASS, FAIL, or OPEN where it cannot be told yet.
    """

    id: str
    text: str
    about: str
    state: str
    measured: str
    threshold: str


class ProtocolView(View, frozen=True):
    """The validation protocol the desk runs under. `started_ns` 0: it has not begun to trade.

    Attributes:
        elapsed_ns: Since it began, pauses between runs included; `of_ns` is how long it lasts.
        day, days: Day k of n; 1 of 1 for a protocol shorter than a day.
        outages: Pauses between its runs.
        rehearsal: Why its result can never unlock live trading; empty: nothing speaks against it.
    """

    name: str
    protocol_id: str
    started_ns: int
    elapsed_ns: int
    of_ns: int
    day: int
    days: int
    outages: int
    rehearsal: tuple[str, ...]
    criteria: tuple[CriterionView, ...]


class ReplayView(View, frozen=True):
    """Where the replay of a recorded run stands.

    Attributes:
        number, count: It stands after input `number` of `count`.
        goal: The input it is on its way to; 0: to none.
        playing: It goes on by itself, `speed` times as fast as the desk did; 0: as fast as it can.
        differs: The first input the core now decides otherwise on than is recorded; 0: none on the way here.
        text: What stands here, or why the last wish could not be met.
    """

    number: int
    count: int
    first_ns: int
    last_ns: int
    goal: int = 0
    playing: bool = False
    speed: int = 1
    differs: int = 0
    text: str = ""


class DeskView(View, frozen=True):
    """The whole desk at `at_ns`."""

    env: str
    run_id: str
    phase: SessionPhase
    at_ns: int
    started_ns: int  # when RUNNING began; 0 before
    duration_ns: int  # 0: until stopped
    elapsed_ns: int  # of the duration, on the session's clock
    venue: str
    broker: str
    source: str
    clock: str  # wall | scaled | virtual
    seed: int
    pid: int
    phase_text: str  # progress of what the phase is doing, or why it ended
    starting_equity: int
    equity: int
    cash: int
    unrealized: int
    realized: int
    fees: int
    funding: int
    day_pnl: int
    drawdown: int
    exposure: int
    heat: int
    heat_limit: int
    positions: tuple[PositionView, ...]
    orders: tuple[OrderView, ...]
    signals: dict[str, int]  # the six terminal states, all present
    signals_total: int
    signals_in_flight: int
    recent_signals: tuple[SignalView, ...]  # newest first
    breakers: tuple[BreakerView, ...]
    blocks: tuple[BlockView, ...]
    kill_latched: bool
    feeds: tuple[FeedView, ...]
    notes: tuple[NoteView, ...]  # newest first
    equity_curve: tuple[int, ...]  # oldest first, at most 120 points
    heartbeat: HeartbeatView
    trades: int
    wins: int
    market_events: int
    journal_rows: int
    journal_head: str
    market_phases: dict[str, str] = {}  # by symbol
    regime: RegimeView = RegimeView()
    positions_max: int = 0  # 0: not said
    stuck_orders: int = 0  # in this run
    orders_total: int = 0  # sent in this run
    rejects_total: int = 0
    fills_total: int = 0
    reconciliation: ReconciliationView = ReconciliationView()
    day_orders: int = 0  # sent since the day began
    day_rejects: int = 0  # of them, refused by the broker
    net_pnl_pessimistic: int | None = None  # of the run, under that execution profile; None: no shadow books
    net_pnl_optimistic: int | None = None
    paper_period: PaperPeriodView | None = None  # None: no first day was set
    kill_closes: bool = True  # what a kill does with open positions: close them or keep them
    signal_reasons: dict[str, int] = {}  # how many ended by each reason code
    data_refused: tuple[RefusedView, ...] = ()  # of the run, by cause, the most frequent first
    program: str = ""  # fingerprint of the files it was started from; empty: not known
    errors: tuple[ErrorView, ...] = ()  # of the run, by fingerprint, the most frequent first
    account: str = ""  # the desk's own name for itself: the first letters of its id
    probes: tuple[ProbeView, ...] = ()  # of every symbol, both sides
    probed: ProbedView | None = None  # one of them after the other
    protocol: ProtocolView | None = None  # None: the desk runs under none
    replay: ReplayView | None = None  # of a recorded run; None: this is the desk itself
    gate_level: str = "DENIED"  # what the live gate allows live orders; paper is never held by it


def halts(breakers: Sequence[BreakerView]) -> list[BreakerView]:
    """The breakers that are tripped, without those that only block while their cause lasts."""
    return [one for one in breakers if one.tripped and one.action != BreakerAction.BLOCK]


def refusals(reasons: Mapping[str, int]) -> list[tuple[str, int]]:
    """Of the ends of signals by reason code, the refusals: code and how many, the most frequent first."""
    refused = [(code, count) for code, count in reasons.items() if code not in _EXECUTED]
    return sorted(refused, key=lambda one: (-one[1], one[0]))


class CommandReceipt(View, frozen=True):
    """What became of a command, once durable. `took_us`: from receipt by the desk to the gate or block in force."""

    accepted: bool
    text: str
    took_us: int = 0
    unconfirmed: tuple[str, ...] = ()  # orders a kill could not confirm as cancelled
