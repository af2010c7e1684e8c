"""What the core decided or booked: the output that is kept. Facts are journaled in the same transaction as their cause.

A fact is frozen and complete: the tables, the event stream and the report are computed from facts alone. Money,
quantities, prices and ratios are scaled integers; times are UTC nanoseconds. Those in `DECISIONS` make up the run's
decision hash.
"""

import msgspec

from engine.core.words import (
    AlertKind,
    BlockReason,
    BreakerName,
    Decision,
    ExitReason,
    OrderKind,
    OrderState,
    Purpose,
    ReasonCode,
    Regime,
    Side,
    TerminalState,
    TimeInForce,
)


class Fact(msgspec.Struct, frozen=True):
    """Base of all facts; the tag is the journal's `kind`."""

    at_ns: int


class SignalRaised(Fact, frozen=True, tag="signal_raised"):
    signal_id: str
    strategy_id: str
    symbol: str
    side: Side
    entry: int  # limit price; 0: at market
    stop: int
    target: int
    phase: str  # market phase by price
    regime: str  # regime by VIX
    text: str  # the strategy's own reason, for people


class Check(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What one rule of the safety layers measured: `value` beside its `limit`, in the rule's unit."""

    layer: int
    rule: str
    value: int
    limit: int
    ok: bool


class SignalJudged(Fact, frozen=True, tag="signal_judged"):
    """A signal's way through the safety layers: one check per rule, in order, the last one the refusal if any."""

    signal_id: str
    checks: tuple[Check, ...]


class SignalEnded(Fact, frozen=True, tag="signal_ended"):
    """The verdict: state, code and a sentence; `value` beside its `limit`, in the unit the code implies."""

    signal_id: str
    strategy_id: str
    symbol: str
    side: Side
    state: TerminalState
    reason_code: ReasonCode
    text: str
    value: int = 0
    limit: int = 0
    filled_qty: int = 0


class StrategyDecided(Fact, frozen=True, tag="strategy_decided"):
    """What a strategy decided about a symbol: an entry, an exit, or, once a closed bar, to hold what it has."""

    strategy_id: str
    symbol: str
    decision: Decision
    text: str


class OrderChanged(Fact, frozen=True, tag="order_changed"):
    """One transition of one order; the first (NEW to SUBMITTED) is the intent. `qty` is signed, `filled_qty` too."""

    order_id: str  # client order id
    signal_id: str
    strategy_id: str
    symbol: str
    purpose: Purpose
    kind: OrderKind
    tif: TimeInForce
    qty: int
    price: int  # 0 for a market order
    reduce_only: bool
    previous: OrderState
    state: OrderState
    filled_qty: int = 0
    average_price: int = 0
    reason_code: str = ""
    text: str = ""
    venue_order_id: str = ""
    stop_price: int = 0  # of a stop order


class AmendRequested(Fact, frozen=True, tag="amend_requested"):
    """The intent to change a working order into these terms; what became of it is the order's next transition."""

    order_id: str
    signal_id: str
    symbol: str
    qty: int  # whole quantity, signed
    price: int
    stop_price: int
    text: str


class OrderStuck(Fact, frozen=True, tag="order_stuck"):
    """An order has waited for its broker's answer longer than the limit, since `since_ns`."""

    order_id: str
    symbol: str
    purpose: Purpose
    state: OrderState
    since_ns: int


class FillBooked(Fact, frozen=True, tag="fill_booked"):
    """A fill on the books. `qty` signed; `realized` before fees; `expected` is the price at the decision."""

    fill_id: str
    order_id: str
    signal_id: str
    strategy_id: str
    symbol: str
    purpose: Purpose
    qty: int
    price: int
    fee: int
    role: str
    realized: int
    expected: int
    position_qty: int  # after
    order_to_fill_ns: int
    fee_source: str
    slippage_source: str
    late: bool = False  # after the order had ended
    slippage: int | None = None  # of the expected price, as a fraction; above zero: worse. None: none was expected


class ShadowFilled(Fact, frozen=True, tag="shadow_filled"):
    """A fill in a shadow book: what the order would have got under another execution profile. No decision.

    `qty` signed; `order_id` is the desk's order, or one of the shadow's own where it closes what the desk never held.
    """

    profile: str  # pessimistic or optimistic
    fill_id: str
    order_id: str
    symbol: str
    qty: int
    price: int
    fee: int
    role: str
    slippage_source: str
    position_qty: int  # of the shadow, after


class TradeClosed(Fact, frozen=True, tag="trade_closed"):
    """A round trip, flat to flat. `pnl` is after fees and funding; prices are averages."""

    trade_id: str
    signal_id: str
    strategy_id: str
    symbol: str
    side: Side
    qty: int
    entry_price: int
    exit_price: int
    entry_at_ns: int
    pnl: int
    fees: int
    funding: int
    exit_reason: ExitReason
    phase: str
    regime: str


class AccountLiquidated(Fact, frozen=True, tag="account_liquidated"):
    """The broker closes a position: `equity` fell below the maintenance `margin`. `qty` is its order's, signed."""

    symbol: str
    order_id: str
    qty: int
    equity: int
    margin: int
    text: str


class FundingPaid(Fact, frozen=True, tag="funding_paid"):
    """Funding settled on a position; `amount` is what was paid (negative: received)."""

    symbol: str
    qty: int
    mark: int
    rate: int
    amount: int


class BlockChanged(Fact, frozen=True, tag="block_changed"):
    """A reason to stop entries appeared or was lifted. `lifts` says what lifts it."""

    reason: BlockReason
    active: bool
    text: str
    lifts: str
    actor: str = ""


class BreakerChanged(Fact, frozen=True, tag="breaker_changed"):
    """A breaker tripped or was released. `text` reads like "5.2% >= 5%"."""

    name: BreakerName
    tripped: bool
    value: int
    limit: int
    text: str
    action: str


class KillChanged(Fact, frozen=True, tag="kill_changed"):
    latched: bool
    source: str
    actor: str
    text: str


class OperatorActed(Fact, frozen=True, tag="operator_acted"):
    """Who did what, by which way, with which effect; also refusals."""

    act: str
    source: str
    actor: str
    text: str
    accepted: bool
    before: str
    after: str


class PhaseChanged(Fact, frozen=True, tag="phase_changed"):
    previous: str
    phase: str
    text: str


class EquityMarked(Fact, frozen=True, tag="equity_marked"):
    """The account once a minute and after each trade. `drawdown` is a fraction of the peak."""

    equity: int
    cash: int
    unrealized: int
    realized: int  # of the run
    fees: int  # of the run
    funding: int  # of the run
    exposure: int
    heat: int
    drawdown: int
    regime: str = ""
    volatility: int = 0  # level of the index behind the regime; 0: none
    phases: str = ""  # market phases, as "PHASE:SYMBOL,SYMBOL PHASE:SYMBOL"
    equity_pessimistic: int | None = None  # of the shadow books; None where there are none
    equity_optimistic: int | None = None


class RegimeChanged(Fact, frozen=True, tag="regime_changed"):
    """The volatility index crossed a threshold, fell silent, or is heard again. Constrains entries, closes nothing.

    `raw` is what the level alone would mean. Where `regime` equals `previous`, the crossing stayed within the
    hysteresis and only `raw` changed. Levels are 0 where none is known.
    """

    previous: Regime
    regime: Regime
    raw: Regime
    previous_level: int
    level: int
    of_ns: int  # the moment the level stands for
    source: str
    simulated: bool
    heat_limit_before: int
    heat_limit: int
    exposure: int  # gross, at this moment
    text: str


class Reconciled(Fact, frozen=True, tag="reconciled"):
    """The desk's books were compared with the broker's own. `differences` counts those found this time."""

    trigger: str  # start, reconnect, unknown, day, request or poll
    source: str
    clean: bool
    differences: int
    positions: int  # how many the broker has
    orders: int
    cash: int | None


class DiscrepancyChanged(Fact, frozen=True, tag="discrepancy_changed"):
    """Something that both books have and have differently was found, or is gone. `ours` and `theirs` are texts.

    `first_seen_ns` is when it was seen for the first time; `resolution` is empty while it stands.
    """

    discrepancy_id: str
    kind: str
    subject: str  # a symbol, an order's id, or "cash"
    ours: str
    theirs: str
    first_seen_ns: int
    resolution: str
    actor: str
    text: str


class StrategySwitched(Fact, frozen=True, tag="strategy_switched"):
    """A regime let a strategy enter, or took that from it. A run begins with all enabled; its positions stay."""

    strategy_id: str
    enabled: bool
    regime: Regime


class ExposureSpiked(Fact, frozen=True, tag="exposure_spiked"):
    """Gross exposure rose beyond the bound soon after a transition. `rise` over `limit`, both as fractions.

    The rise is measured against the exposure `before`, or against equity where nothing was held.
    """

    regime: Regime
    changed_ns: int  # of the transition
    before: int
    exposure: int
    rise: int
    limit: int


class MarketPhaseChanged(Fact, frozen=True, tag="market_phase_changed"):
    """The phase of one symbol by its prices. A run begins with all UNKNOWN."""

    symbol: str
    previous: str
    phase: str


class HeatNoted(Fact, frozen=True, tag="heat_noted"):
    """Heat went above its limit without an entry, or came back: prices move, and so does the limit with the regime."""

    above: bool
    heat: int
    limit: int


class LossExceeded(Fact, frozen=True, tag="loss_exceeded"):
    """An incident: a trade lost more than one may, costs included. A price that jumps knows no stop."""

    trade_id: str
    signal_id: str
    strategy_id: str
    symbol: str
    exit_reason: ExitReason
    loss: int
    limit: int


class DayRolled(Fact, frozen=True, tag="day_rolled"):
    """A trading day began. `day` is days since 1970; the figures are those the ended day closed with.

    `ended_due_ns` is when the ended day was over by the calendar (0: no day came before); `missed` are the trading days
    between both, of which the desk saw nothing.
    """

    day: int
    opening_equity: int
    ended_pnl: int
    ended_day: int = -1  # -1: no day came before
    orders: int = 0  # sent on the ended day
    rejects: int = 0  # of them, refused by the broker
    ended_due_ns: int = 0
    missed: tuple[int, ...] = ()


class FeedNoted(Fact, frozen=True, tag="feed_noted"):
    """Something about the data: stale, live again, a gap, a refused row. `kind` is the event-stream name."""

    symbol: str
    kind: str
    text: str
    value: int = 0
    previous_ns: int = 0
    current_ns: int = 0


class ErrorCounted(Fact, frozen=True, tag="error_counted"):
    where: str
    text: str
    fingerprint: str


AnyFact = (
    SignalRaised
    | SignalJudged
    | SignalEnded
    | StrategyDecided
    | OrderChanged
    | AmendRequested
    | OrderStuck
    | FillBooked
    | ShadowFilled
    | TradeClosed
    | AccountLiquidated
    | FundingPaid
    | BlockChanged
    | BreakerChanged
    | KillChanged
    | OperatorActed
    | PhaseChanged
    | EquityMarked
    | RegimeChanged
    | StrategySwitched
    | ExposureSpiked
    | MarketPhaseChanged
    | HeatNoted
    | Reconciled
    | DiscrepancyChanged
    | LossExceeded
    | DayRolled
    | FeedNoted
    | ErrorCounted
)

DECISIONS = (
    SignalRaised,
    SignalEnded,
    OrderChanged,
    AmendRequested,
    FillBooked,
    TradeClosed,
    AccountLiquidated,
    BlockChanged,
    BreakerChanged,
    KillChanged,
    RegimeChanged,
    StrategySwitched,
    DiscrepancyChanged,
)

# --- effects that leave the core ---


class Effect(msgspec.Struct, frozen=True):
    """Something the shell must do. Performed only after the facts it rests on are durable."""


class Submit(Effect, frozen=True):
    """Send an order to the venue's broker. `qty` is signed."""

    order_id: str
    symbol: str
    qty: int
    kind: OrderKind
    tif: TimeInForce
    price: int  # the limit; 0 for MARKET and STOP
    reduce_only: bool
    stop_price: int = 0  # above zero for STOP and STOP_LIMIT alone


class Cancel(Effect, frozen=True):
    order_id: str
    symbol: str


class Amend(Effect, frozen=True):
    """Change a working order into one of this whole (signed) quantity, filled part included, and these prices."""

    order_id: str
    symbol: str
    qty: int
    price: int
    stop_price: int = 0


class Query(Effect, frozen=True):
    """Ask the venue what it knows of an order whose outcome is unknown."""

    order_id: str
    symbol: str


class ReadAccount(Effect, frozen=True):
    """Read the broker's own books; `AccountRead` answers."""

    trigger: str


class WakeAt(Effect, frozen=True):
    """Send a `Wake` once this time has come. A newer one replaces an older one."""

    at_ns: int


class Alert(Effect, frozen=True):
    """Tell an operator. `text` says what happened; its kind has the severity and every other word."""

    at_ns: int
    kind: AlertKind
    text: str


class StopSession(Effect, frozen=True):
    """End the session in order. `reason` is recorded; `exit_code` 0 for an operator's wish, 1 for a safety stop."""

    reason: str
    exit_code: int


AnyEffect = Submit | Cancel | Amend | Query | ReadAccount | WakeAt | Alert | StopSession
