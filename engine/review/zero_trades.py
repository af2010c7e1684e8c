"""A day without trades: why there were none, and that nothing else happened to the books either.

Without trades means without fills: an entry that was filled and is still open has moved position and cash. What moves
all the same is told apart: the unrealized result of what is held, and funding.
"""

from enum import StrEnum
from typing import Any, Final

from engine.core import money
from engine.review.day import Day
from engine.review.incidents import IncidentClass


class ZeroTradeReason(StrEnum):
    """Why a scheduled day had no trade, the strongest first."""

    PAUSED = "System paused"  # no moment of it in which the desk ran and was free to enter
    REJECTED = "Signals rejected by risk"
    NO_SIGNAL = "No signals generated"


CONFIRMED: Final = ("pnl_unchanged", "no_fees", "positions_unchanged")


def reason(day: Day) -> ZeroTradeReason | None:
    """Why the day had no trade; None if it had one, or is not over and may have one yet."""
    if day.fills or day.trades or not day.rows.is_over:
        return None
    if day.rows.missed or not day.freedom.free_ns:
        return ZeroTradeReason.PAUSED
    return ZeroTradeReason.REJECTED if day.ended else ZeroTradeReason.NO_SIGNAL


def told(day: Day) -> dict[str, Any] | None:
    """The part of the artifact; None on a day with trades.

    Cash tells whether anything was booked: it moves by realized results, fees and funding alone.
    """
    why = reason(day)
    if why is None:
        return None
    first, last = day.carried.mark or (day.marks[0] if day.marks else None), day.marks[-1] if day.marks else None
    moved = last.cash - first.cash + day.funding if first is not None and last is not None else 0
    unrealized = last.unrealized - first.unrealized if first is not None and last is not None else 0
    return {
        "reason": why.value,
        "pnl_unchanged": not moved and not day.realized,
        "no_fees": not moved and not day.fees,
        "positions_unchanged": dict(day.carried.positions) == day.positions,
        "unexplained": money.text(moved),
        "unrealized_change": money.text(unrealized),
        "funding": money.text(day.funding),
    }


def note(day: Day, zero: dict[str, Any]) -> None:
    """A day without trades on which something was booked is an incident."""
    broken = [name.replace("_", " ") for name in CONFIRMED if not zero[name]]
    if broken:
        text = f"no trade, but not confirmed: {', '.join(broken)}; {zero['unexplained']} moved without a fill"
        day.incidents.add(day.end_ns, IncidentClass.ANOMALY, text)
