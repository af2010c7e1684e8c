"""How a run dealt: orders and what the broker refused of them by day, and what fills cost beyond the price decided on.

Fed with facts in the order of time. Slippage is a fraction of the price at the decision, above zero when the fill was
worse than it.
"""

from array import array
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from engine.core import money
from engine.core.facts import AnyFact, DayRolled, FillBooked
from engine.review.metrics import average

DAYS_KEPT: Final = 400
PERCENT: Final = 95
_DAY_SECONDS: Final = 86_400


class OrderDay(msgspec.Struct, frozen=True):
    """One UTC day (days since 1970) of the desk: orders sent, and those the broker refused."""

    day: int
    orders: int
    rejects: int


class Slippage(msgspec.Struct, frozen=True):
    """Over `fills` fills with a decision price; `p95` by nearest rank, `worst` the largest."""

    fills: int
    mean: int
    p95: int
    worst: int


class DealingFigures(msgspec.Struct, frozen=True):
    """`days` oldest first, of the whole desk; `stuck` counts the run's orders that waited too long for an answer."""

    days: tuple[OrderDay, ...] = ()
    stuck: int = 0
    slippage: Slippage | None = None


class Dealings:
    """Collects what `DealingFigures` are made of."""

    def __init__(self) -> None:
        self._slips = array("q")
        self._days: list[OrderDay] = []

    def take(self, fact: AnyFact) -> None:
        """One fact, in the order of time."""
        if isinstance(fact, FillBooked):
            if fact.slippage is not None:
                self._slips.append(fact.slippage)
        elif isinstance(fact, DayRolled) and fact.ended_day >= 0:
            self._days.append(OrderDay(fact.ended_day, fact.orders, fact.rejects))
            del self._days[:-DAYS_KEPT]

    def figures(self, today: OrderDay, stuck: int) -> DealingFigures:
        """All of it, with the day that is not over yet."""
        return DealingFigures((*self._days, today), stuck, slippage(self._slips))


def slippage(slips: Sequence[int]) -> Slippage | None:
    """The figures of signed slippages; None without any."""
    ranked = sorted(slips)
    mean = average(ranked)
    if mean is None:
        return None
    return Slippage(len(ranked), mean, ranked[-(-len(ranked) * PERCENT // 100) - 1], ranked[-1])


def reject_rate(orders: int, rejects: int) -> str | None:
    """The broker's rejects over the orders sent, as decimal text; None without orders."""
    return money.text(money.div(rejects, orders)) if orders else None


def told(f: DealingFigures) -> dict[str, Any]:
    """The report's words for it: plain JSON values."""
    slipped = f.slippage
    return {
        "orders_by_day": [
            {
                "day": f"{datetime.fromtimestamp(day.day * _DAY_SECONDS, UTC):%Y-%m-%d}",
                "sent": day.orders,
                "rejected": day.rejects,
                "reject_rate": reject_rate(day.orders, day.rejects),
            }
            for day in f.days
        ],
        "stuck_orders": f.stuck,
        "slippage": None
        if slipped is None
        else {"fills": slipped.fills} | {name: money.text(getattr(slipped, name)) for name in ("mean", "p95", "worst")},
    }
