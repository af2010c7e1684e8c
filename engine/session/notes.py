"""One line for people about a fact: what the event list of the console and the session log show."""

from engine.core import money
from engine.core.clean import clean
from engine.core.facts import (
    AccountLiquidated,
    AnyFact,
    BlockChanged,
    BreakerChanged,
    DiscrepancyChanged,
    ErrorCounted,
    ExposureSpiked,
    FeedNoted,
    FillBooked,
    HeatNoted,
    KillChanged,
    LossExceeded,
    MarketPhaseChanged,
    OperatorActed,
    OrderChanged,
    OrderStuck,
    PhaseChanged,
    Reconciled,
    RegimeChanged,
    SignalEnded,
    StrategyDecided,
    StrategySwitched,
    TradeClosed,
)
from engine.core.view import NoteView
from engine.core.words import Decision, OrderState, Regime, TerminalState


def note(seq: int, fact: AnyFact) -> NoteView | None:
    """The line for `fact`; None for facts too small to be told one by one."""
    told = _tell(fact)
    if told is None:
        return None
    level, kind, text = told
    return NoteView(seq, fact.at_ns, level, kind, clean(text))


def _tell(fact: AnyFact) -> tuple[str, str, str] | None:
    match fact:
        case SignalEnded(state=TerminalState.EXECUTED):
            return "info", "signal", f"{fact.symbol} {fact.side} executed: {fact.text}"
        case SignalEnded():
            return "info", "signal", f"{fact.symbol} {fact.side} {fact.reason_code.value}: {fact.text}"
        case StrategyDecided(decision=Decision.EXIT):
            return "info", "decision", f"{fact.strategy_id} leaves {fact.symbol}: {fact.text}"
        case FillBooked():
            word = "bought" if fact.qty > 0 else "sold"
            qty, price = money.text(abs(fact.qty)), money.text(fact.price)
            level = "warning" if fact.late else "info"
            return (
                level,
                "fill",
                f"{fact.symbol} {word} {qty} at {price} ({fact.purpose.value.lower()}, {fact.role.lower()})",
            )
        case OrderChanged(state=OrderState.REJECTED | OrderState.UNKNOWN):
            return "warning", "order", f"{fact.symbol} {fact.order_id} {fact.state}: {fact.text or fact.reason_code}"
        case OrderStuck():
            return "warning", "order", f"{fact.symbol} {fact.order_id} stuck in {fact.state}: no answer came"
        case AccountLiquidated():
            return "error", "liquidation", fact.text
        case TradeClosed():
            return "info", "trade", f"{fact.symbol} {fact.side} closed by {fact.exit_reason}: {money.text(fact.pnl, 2)}"
        case _:
            return _tell_safety(fact)


def _tell_safety(fact: AnyFact) -> tuple[str, str, str] | None:
    match fact:
        case BlockChanged():
            word = "blocked" if fact.active else "lifted"
            return "warning" if fact.active else "info", "block", f"{fact.reason} {word}: {fact.text}"
        case BreakerChanged(tripped=True):
            return "error", "breaker", f"CIRCUIT BREAKER TRIPPED {fact.name}: {fact.text}"
        case BreakerChanged():
            return "info", "breaker", f"{fact.name} released: {fact.text}"
        case KillChanged():
            return (
                "error",
                "kill",
                f"{'KILLED' if fact.latched else 'rearmed'} by {fact.source} ({fact.actor}): {fact.text}",
            )
        case OperatorActed():
            word = "" if fact.accepted else " refused"
            return "warning", "operator", f"{fact.act}{word} by {fact.actor} ({fact.source}): {fact.text}"
        case HeatNoted():
            word = "above its limit" if fact.above else "below its limit again"
            level = "warning" if fact.above else "info"
            return level, "heat", f"{word}: {_percent(fact.heat)} of {_percent(fact.limit)}"
        case Reconciled():
            if fact.clean:
                return "info", "reconciliation", f"both books agree ({fact.trigger})"
            return "warning", "reconciliation", f"{fact.differences} differences ({fact.trigger})"
        case DiscrepancyChanged():
            if fact.resolution:
                return "warning", "reconciliation", f"{fact.discrepancy_id} resolved, {fact.resolution}: {fact.text}"
            return "error", "reconciliation", f"{fact.discrepancy_id}: {fact.text}"
        case LossExceeded():
            loss, limit = money.text(fact.loss, 2), money.text(fact.limit, 2)
            return "warning", "loss", f"{fact.symbol} lost {loss} by {fact.exit_reason}, above {limit} a trade"
        case PhaseChanged():
            return "info", "session", f"{fact.previous} -> {fact.phase} {fact.text}"
        case RegimeChanged() | StrategySwitched() | ExposureSpiked() | MarketPhaseChanged():
            return _tell_regime(fact)
        case FeedNoted():
            level = "info" if fact.kind in ("FEED_LIVE", "TRADING_RESUMED") else "warning"
            return level, "feed", f"{fact.kind} {fact.symbol} {fact.text}"
        case ErrorCounted():
            return "error", "error", f"{fact.where}: {fact.text}"
        case _:
            return None


def _tell_regime(
    fact: RegimeChanged | StrategySwitched | ExposureSpiked | MarketPhaseChanged,
) -> tuple[str, str, str]:
    match fact:
        case RegimeChanged() if fact.regime is fact.previous:
            return "info", "regime", f"{fact.regime} holds: {fact.text}"
        case RegimeChanged():
            limits = f"heat limit {_percent(fact.heat_limit_before)} -> {_percent(fact.heat_limit)}"
            level = "warning" if fact.regime is Regime.UNKNOWN else "info"
            return level, "regime", f"{fact.previous} -> {fact.regime}: {fact.text}; {limits}"
        case StrategySwitched():
            word = "may enter" if fact.enabled else "does not enter"
            return "info", "strategy", f"{fact.strategy_id} {word} in {fact.regime}"
        case ExposureSpiked():
            rise, limit = _percent(fact.rise), _percent(fact.limit)
            return "warning", "regime", f"gross exposure rose by {rise} > {limit} since {fact.regime}"
        case MarketPhaseChanged():
            return "info", "phase", f"{fact.symbol} {fact.previous} -> {fact.phase}"


def _percent(fraction: int) -> str:
    return f"{money.text(fraction * 100)}%"
