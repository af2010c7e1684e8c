"""One line for people about a fact: what the event list of the console and the session log show."""

from engine.core import money
from engine.core.clean import clean
from engine.core.facts import (
    AnyFact,
    BlockChanged,
    BreakerChanged,
    ErrorCounted,
    FeedNoted,
    FillBooked,
    KillChanged,
    OperatorActed,
    OrderChanged,
    PhaseChanged,
    SignalEnded,
    TradeClosed,
)
from engine.core.view import NoteView
from engine.core.words import OrderState, TerminalState


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
        case PhaseChanged():
            return "info", "session", f"{fact.previous} -> {fact.phase} {fact.text}"
        case FeedNoted():
            level = "info" if fact.kind == "FEED_LIVE" else "warning"
            return level, "feed", f"{fact.kind} {fact.symbol} {fact.text}"
        case ErrorCounted():
            return "error", "error", f"{fact.where}: {fact.text}"
        case _:
            return None
