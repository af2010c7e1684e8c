"""The moments of a run worth going back to: what each fact is to somebody who looks for one."""

from enum import StrEnum
from typing import Final

from engine.core.facts import (
    AccountLiquidated,
    AnyFact,
    BlockChanged,
    BreakerChanged,
    DiscrepancyChanged,
    ErrorCounted,
    FeedNoted,
    KillChanged,
    OrderStuck,
    SignalEnded,
    TradeClosed,
)
from engine.core.words import BlockReason, TerminalState


class Mark(StrEnum):
    TRADE = "trade"  # a round trip was closed
    REJECTION = "rejection"  # a signal ended without being executed
    BREAKER = "breaker"  # one tripped, or was released
    INCIDENT = "incident"  # something failed, was lost or in doubt, or entries were stopped for another cause


_EXPECTED: Final = frozenset(
    {BlockReason.STARTING, BlockReason.SHUTTING_DOWN, BlockReason.MARKET_CLOSED, BlockReason.BREAKER}
)
"""Blocks that belong to any run, or are told by their breaker."""
_FEED_IS_WELL: Final = frozenset({"FEED_LIVE", "TRADING_RESUMED"})
_KINDS: Final = (
    AccountLiquidated,
    BlockChanged,
    BreakerChanged,
    DiscrepancyChanged,
    ErrorCounted,
    FeedNoted,
    KillChanged,
    OrderStuck,
    SignalEnded,
    TradeClosed,
)
MARK_KINDS: Final = frozenset(str(kind.__struct_config__.tag) for kind in _KINDS)
"""The kinds of journal rows that may be a mark."""


def mark_of(fact: AnyFact) -> Mark | None:
    """What `fact` is to somebody who looks for it; None for the rest."""
    match fact:
        case TradeClosed():
            return Mark.TRADE
        case SignalEnded():
            return None if fact.state is TerminalState.EXECUTED else Mark.REJECTION
        case BreakerChanged():
            return Mark.BREAKER
        case KillChanged() | ErrorCounted() | AccountLiquidated() | OrderStuck():
            return Mark.INCIDENT
        case DiscrepancyChanged():
            return None if fact.resolution else Mark.INCIDENT
        case FeedNoted():
            return None if fact.kind in _FEED_IS_WELL else Mark.INCIDENT
        case BlockChanged():
            return Mark.INCIDENT if fact.active and fact.reason not in _EXPECTED else None
        case _:
            return None
