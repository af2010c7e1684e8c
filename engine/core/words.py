"""The closed sets of words: one meaning each, the same in code, tables, configuration and on the screen."""

from enum import StrEnum

from engine.core import money


class Side(StrEnum):
    LONG = "LONG"
    SHORT = "SHORT"

    @property
    def sign(self) -> int:
        return 1 if self is Side.LONG else -1


class TerminalState(StrEnum):
    """How a signal ends: exactly one of these, once."""

    EXECUTED = "EXECUTED"
    REJECTED_BY_CORRELATION = "REJECTED_BY_CORRELATION"
    REJECTED_BY_HEAT = "REJECTED_BY_HEAT"
    REJECTED_BY_CIRCUIT_BREAKER = "REJECTED_BY_CIRCUIT_BREAKER"
    REJECTED_BY_SIZING = "REJECTED_BY_SIZING"
    REJECTED_BY_BROKER = "REJECTED_BY_BROKER"


class ReasonCode(StrEnum):
    """Why a signal ended so, or why an order was refused. `TERMINAL_STATE` maps each to its terminal state."""

    FILLED = "filled"
    PARTLY_FILLED = "partly_filled"
    CORRELATION = "correlation"
    CORRELATION_UNKNOWN = "correlation_unknown"
    HEAT = "heat"
    EXPOSURE = "exposure"
    CONCENTRATION = "concentration"
    MAX_POSITIONS = "max_positions"
    SYMBOL_POSITIONS = "symbol_positions"
    SYMBOL_QTY = "symbol_qty"
    DAY_RISK = "day_risk"
    KILLED = "kill"
    PAUSED = "paused"
    RECONCILIATION = "reconciliation"
    STALE_DATA = "stale_data"
    HALTED = "trading_halted"
    INSTRUMENT_CHANGED = "instrument_changed"
    BREAKER = "breaker"
    COOLDOWN = "cooldown"
    DAILY_LOSS = "daily_loss"
    ERROR_LIMIT = "error_limit"
    PHASE_FORBIDS = "phase_forbids"
    PHASE_UNKNOWN = "phase_unknown"
    STRATEGY_DISABLED = "strategy_disabled"
    MARKET_CLOSED = "market_closed"
    GATE_DENIED = "gate_denied"
    JOURNAL = "journal"
    UNKNOWN_ORDER = "unknown_order"
    SESSION_ENDED = "session_ended"
    NO_PRICE = "no_price"
    ZERO_SIZE = "zero_size"
    BELOW_MIN_QTY = "below_min_qty"
    BELOW_MIN_NOTIONAL = "below_min_notional"
    ABOVE_MAX_QTY = "above_max_qty"
    ABOVE_MAX_NOTIONAL = "above_max_notional"
    FEES_UNKNOWN = "fees_unknown"
    LOSS_PER_TRADE = "loss_per_trade"
    REWARD_RISK = "reward_risk"
    INVALID_LEVELS = "invalid_levels"
    RATE_LIMIT = "rate_limit_exceeded"
    MESSAGE_RATE = "message_rate_exceeded"
    NOTIONAL = "notional_exceeded"
    LEVERAGE = "leverage"
    MARGIN = "insufficient_margin"
    SYMBOL_NOT_ALLOWED = "symbol_not_allowed"
    PRICE_COLLAR = "price_collar"
    DUPLICATE = "duplicate"
    VENUE_REFUSED = "venue_refused"
    CANCELLED_UNFILLED = "cancelled_unfilled"
    LOST_IN_CRASH = "lost_in_crash"
    INTERNAL_ERROR = "internal_error"


def _state_of() -> dict[ReasonCode, TerminalState]:
    table = {
        TerminalState.EXECUTED: "FILLED PARTLY_FILLED",
        TerminalState.REJECTED_BY_CORRELATION: "CORRELATION CORRELATION_UNKNOWN",
        TerminalState.REJECTED_BY_HEAT: "HEAT EXPOSURE CONCENTRATION MAX_POSITIONS SYMBOL_POSITIONS SYMBOL_QTY "
        "DAY_RISK",
        TerminalState.REJECTED_BY_CIRCUIT_BREAKER: "KILLED PAUSED RECONCILIATION STALE_DATA HALTED INSTRUMENT_CHANGED "
        "BREAKER COOLDOWN DAILY_LOSS ERROR_LIMIT PHASE_FORBIDS PHASE_UNKNOWN STRATEGY_DISABLED GATE_DENIED JOURNAL "
        "UNKNOWN_ORDER SESSION_ENDED MARKET_CLOSED NO_PRICE",
        TerminalState.REJECTED_BY_SIZING: "ZERO_SIZE BELOW_MIN_QTY BELOW_MIN_NOTIONAL ABOVE_MAX_QTY "
        "ABOVE_MAX_NOTIONAL FEES_UNKNOWN LOSS_PER_TRADE REWARD_RISK INVALID_LEVELS",
        TerminalState.REJECTED_BY_BROKER: "RATE_LIMIT MESSAGE_RATE NOTIONAL LEVERAGE MARGIN SYMBOL_NOT_ALLOWED "
        "PRICE_COLLAR DUPLICATE VENUE_REFUSED CANCELLED_UNFILLED LOST_IN_CRASH INTERNAL_ERROR",
    }
    return {ReasonCode[name]: state for state, names in table.items() for name in names.split()}


TERMINAL_STATE = _state_of()
HELD_BACK = (ReasonCode.KILLED, ReasonCode.PAUSED, ReasonCode.JOURNAL, ReasonCode.GATE_DENIED)
"""Of an order the gate did not let leave: no broker has refused it."""


class Unit(StrEnum):
    """What a measured value and its limit are in; all of them scaled."""

    MONEY = "money"  # account currency
    PRICE = "price"
    QUANTITY = "quantity"
    FRACTION = "fraction"
    RATIO = "ratio"
    COUNT = "count"
    SECONDS = "seconds"

    def text(self, value: int) -> str:
        """`value` for people, with its sign of unit."""
        match self:
            case Unit.MONEY | Unit.RATIO:
                return money.text(value, 2)
            case Unit.FRACTION:
                return f"{money.text(value * 100, 2)}%"
            case Unit.SECONDS:
                return f"{money.text(value, 1)} s"
            case _:
                return money.text(value)


class OrderKind(StrEnum):
    """A stop order waits until the touch of its exit side reaches its stop price, and then is MARKET or LIMIT."""

    LIMIT = "LIMIT"
    MARKET = "MARKET"
    STOP = "STOP"
    STOP_LIMIT = "STOP_LIMIT"


class TimeInForce(StrEnum):
    GTC = "GTC"
    IOC = "IOC"
    POST_ONLY = "POST_ONLY"


class OrderState(StrEnum):
    NEW = "NEW"
    SUBMITTED = "SUBMITTED"
    ACCEPTED = "ACCEPTED"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    PENDING_CANCEL = "PENDING_CANCEL"
    CANCELED = "CANCELED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    UNKNOWN = "UNKNOWN"


class Purpose(StrEnum):
    """What an order is for. Only ENTRY adds risk; all others are reduce-only and no entry limit blocks them."""

    ENTRY = "ENTRY"
    TARGET = "TARGET"
    STOP = "STOP"
    CLOSE = "CLOSE"


class ExitReason(StrEnum):
    SL = "SL"
    TP = "TP"
    TIME = "TIME"
    STRATEGY = "STRATEGY"
    FORCE_CLOSE = "FORCE_CLOSE"
    KILL = "KILL"
    SHUTDOWN = "SHUTDOWN"
    LOSS_LIMIT = "LOSS_LIMIT"
    LIQUIDATION = "LIQUIDATION"


class OutageGap(StrEnum):
    """What becomes of paper orders that worked while the desk was away."""

    DECIDE = "decide"  # the bars of that time fill them, at their worst
    MARK = "mark"  # nothing is decided, and entries wait for an operator


class BlockReason(StrEnum):
    """Anything that keeps entries from happening. They coexist; entries resume when none is left."""

    KILL = "kill"
    OPERATOR = "operator"
    STARTING = "starting"
    SHUTTING_DOWN = "shutting_down"
    STALE_DATA = "stale_data"
    BREAKER = "breaker"
    LIQUIDATION = "liquidation"
    RECONCILIATION = "reconciliation"
    JOURNAL = "journal"
    UNKNOWN_ORDER = "unknown_order"
    PHASE_UNKNOWN = "phase_unknown"
    MARKET_CLOSED = "market_closed"
    RESTORED = "restored"
    OUTAGE = "outage"
    CRASH_LOOP = "crash_loop"
    DISK = "disk"
    LIVE_GATE = "live_gate"


class BreakerName(StrEnum):
    """The circuit breakers; `engine.core.breakers.BREAKERS` says what each one is."""

    CONSECUTIVE_LOSSES = "consecutive_losses"
    DAILY_LOSS = "daily_loss"
    DAILY_DRAWDOWN = "daily_drawdown"
    TOTAL_DRAWDOWN = "total_drawdown"
    ERRORS = "errors"
    ERROR_RATE = "error_rate"
    FEED_HEALTH = "feed_health"
    VENUE_REFUSALS = "venue_refusals"
    SLIPPAGE = "slippage"
    PHASE_UNKNOWN = "phase_unknown"
    HEAT = "heat"


class BreakerAction(StrEnum):
    """What a breaker does at its limit, from the mildest to the strictest. Each one includes those before it."""

    WATCH = "watch"  # nothing: it is only shown
    BLOCK = "block"  # no entries while the limit is reached, and no longer
    COOLDOWN = "cooldown"  # no entries until the cooldown is over
    HALT_DAY = "halt_day"  # no entries until the next trading day
    SHUTDOWN = "shutdown"  # the session ends, positions are closed


class Regime(StrEnum):
    """How nervous the market is by a volatility index, calmest first; UNKNOWN: no value, or one that is too old."""

    LOW = "LOW"
    NORMAL = "NORMAL"
    ELEVATED = "ELEVATED"
    CRISIS = "CRISIS"
    UNKNOWN = "UNKNOWN"


class Volatile(StrEnum):
    """What a VOLATILE market does to an entry: halves it, forbids it, or nothing."""

    HALF = "half"
    FORBID = "forbid"
    ALLOW = "allow"


class Decision(StrEnum):
    """What a strategy decided about a symbol."""

    ENTRY = "entry"
    EXIT = "exit"
    HOLD = "hold"


class Severity(StrEnum):
    INFO = "INFO"
    WARNING = "WARNING"
    CRITICAL = "CRITICAL"


class AlertKind(StrEnum):
    """What an alert can be about; `engine.session.alerting.kinds` has each one's severity and words."""

    KILL = "kill"
    REARMED = "rearmed"
    PAUSED = "paused"
    RESUMED = "resumed"
    BREAKER = "breaker"
    BREAKER_RELEASED = "breaker_released"
    ERROR_LIMIT = "error_limit"
    RECONCILIATION = "reconciliation"
    RECONCILED = "reconciled"
    LEDGER = "ledger"
    STALE_DATA = "stale_data"
    FRESH_DATA = "fresh_data"
    INSTRUMENT_CHANGED = "instrument_changed"
    LIQUIDATION = "liquidation"
    SHADOW_LIQUIDATION = "shadow_liquidation"
    HEAT = "heat"
    LOSS_ABOVE_LIMIT = "loss_above_limit"
    UNJUDGED_ENTRY = "unjudged_entry"
    EXPOSURE_SPIKE = "exposure_spike"
    REGIME_UNKNOWN = "regime_unknown"
    STUCK_ORDER = "stuck_order"
    LATE_ORDER = "late_order"
    LATE_FILL = "late_fill"
    UNKNOWN_FILL = "unknown_fill"
    IMPOSSIBLE_FILL = "impossible_fill"
    UNPLANNED_POSITION = "unplanned_position"
    NO_RESTING_STOP = "no_resting_stop"
    STOP_PASSED = "stop_passed"
    STOP_NOT_FILLED = "stop_not_filled"
    EXIT_WAITS = "exit_waits"
    RESTORED = "restored"
    OUTAGE = "outage"
    RUN_STARTED = "run_started"
    RUN_ENDED = "run_ended"
    RUN_FAILED = "run_failed"
    GATE_CHANGED = "gate_changed"
    GATE_BYPASSED = "gate_bypassed"
    CRASHED = "crashed"
    CRASH_LOOP = "crash_loop"
    WATCHDOG_FATAL = "watchdog_fatal"
    SLOW_LOOP = "slow_loop"
    PROCESS_PAUSED = "process_paused"
    MEMORY = "memory"
    DISK = "disk"
    DISK_FREE = "disk_free"
    UNHEALTHY = "unhealthy"
    JOURNAL = "journal"
    CORE_FAILED = "core_failed"
    TASK_FAILED = "task_failed"
    FILES_LOST = "files_lost"
    CHANGED = "changed"
    CLOCK = "clock"
    DEAD_LETTER = "dead_letter"
    UNDELIVERED = "undelivered"
    UNANSWERED = "unanswered"
    ALERTS_DROPPED = "alerts_dropped"
    WEEK_ENDED = "week_ended"
    SIGNED_HEAD = "signed_head"
    SECRET_DUE = "secret_due"
    TEST = "test"
