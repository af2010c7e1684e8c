"""What went wrong or was stopped, each a line with its time: the incident log of a day, a run, a protocol.

Four classes, as an auditor asks for them: differences of the books, refusals of the broker, pauses of the system, and
anomalies, which are all the rest.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

from engine.core.facts import (
    AccountLiquidated,
    AnyFact,
    BlockChanged,
    BreakerChanged,
    DiscrepancyChanged,
    ErrorCounted,
    ExposureSpiked,
    FeedNoted,
    HeatNoted,
    KillChanged,
    LossExceeded,
    OrderChanged,
    OrderStuck,
    Reconciled,
)
from engine.core.money import text as decimal
from engine.core.words import HELD_BACK, BlockReason, OrderState
from engine.review.moments import instant

KEPT_MAX: Final = 2_000
"""Of more incidents the first are kept, and it is said how many there were."""

_USUAL: Final = (BlockReason.STARTING, BlockReason.SHUTTING_DOWN, BlockReason.MARKET_CLOSED)
_HELD_BACK: Final = frozenset({"", *(code.value for code in HELD_BACK)})
_GOOD_NEWS: Final = frozenset({"FEED_LIVE", "TRADING_RESUMED", "LAST_PRICE"})


class IncidentClass(StrEnum):
    RECONCILIATION = "reconciliation"
    REJECTION = "rejection"
    PAUSE = "pause"
    ANOMALY = "anomaly"


TITLES: Final = {
    IncidentClass.RECONCILIATION: "Reconciliation issues",
    IncidentClass.REJECTION: "Broker rejections",
    IncidentClass.PAUSE: "System pauses",
    IncidentClass.ANOMALY: "Anomalies",
}

KINDS: Final = (
    *(Reconciled, DiscrepancyChanged, OrderChanged, BlockChanged, KillChanged, BreakerChanged, LossExceeded),
    *(AccountLiquidated, ErrorCounted, OrderStuck, FeedNoted, ExposureSpiked, HeatNoted),
)
"""The facts incidents are told of."""

RISK: Final = (BreakerChanged, KillChanged, LossExceeded, AccountLiquidated, ExposureSpiked, HeatNoted)
"""Those of them in which a limit was reached or the desk was stopped; the rest is how it was run."""


class Incidents:
    """Collects the incidents among facts, in their order."""

    def __init__(self) -> None:
        self.all: list[dict[str, str]] = []
        self.count = 0

    def take(self, fact: AnyFact) -> None:
        """One fact; most are no incident."""
        found = _incident(fact)
        if found is not None:
            self.add(fact.at_ns, *found)

    def add(self, at_ns: int, kind: IncidentClass, text: str) -> None:
        self.count += 1
        if len(self.all) < KEPT_MAX:
            self.all.append({"at": instant(at_ns) or "", "class": kind.value, "text": text})


def is_refused(order: OrderChanged) -> bool:
    """Whether this is the broker's refusal; what the gate held back was never asked of it."""
    return order.state is OrderState.REJECTED and order.reason_code not in _HELD_BACK


def _incident(fact: AnyFact) -> tuple[IncidentClass, str] | None:
    match fact:
        case Reconciled(clean=False):
            text = f"reconciled with the broker ({fact.trigger}): {fact.differences} differences"
            return IncidentClass.RECONCILIATION, text
        case DiscrepancyChanged():
            what = f"{fact.kind} of {fact.subject}: ours {fact.ours}, theirs {fact.theirs}"
            ended = f"resolved ({fact.resolution}): " if fact.resolution else ""
            return IncidentClass.RECONCILIATION, ended + what
        case OrderChanged() if is_refused(fact):
            text = f"{fact.symbol} {fact.purpose.value} order {fact.order_id}: {fact.reason_code} {fact.text}".rstrip()
            return IncidentClass.REJECTION, text
        case BlockChanged() if fact.active and fact.reason not in _USUAL:
            return IncidentClass.PAUSE, f"{fact.reason.value}: {fact.text}"
        case KillChanged():
            return IncidentClass.PAUSE, f"{'kill' if fact.latched else 'rearmed'} by {fact.source}: {fact.text}"
        case _:
            text = _anomaly(fact)
            return (IncidentClass.ANOMALY, text) if text else None


def _anomaly(fact: AnyFact) -> str:
    """What is out of the ordinary about a fact, in words; empty: nothing."""
    match fact:
        case BreakerChanged(tripped=True):
            return f"breaker {fact.name.value}: {fact.text}"
        case LossExceeded():
            return f"trade {fact.trade_id} lost {decimal(fact.loss)}, limit {decimal(fact.limit)}"
        case AccountLiquidated():
            return f"liquidated {fact.symbol}: {fact.text}"
        case ErrorCounted():
            return f"error in {fact.where}: {fact.text}"
        case OrderStuck():
            return f"order {fact.order_id} ({fact.symbol}) waits as {fact.state.value}"
        case FeedNoted() if fact.kind not in _GOOD_NEWS:
            return f"{fact.kind} {fact.symbol}: {fact.text}"
        case ExposureSpiked():
            return f"exposure rose by {decimal(fact.rise)} after the transition to {fact.regime.value}"
        case HeatNoted(above=True):
            return f"heat {decimal(fact.heat)} above its limit {decimal(fact.limit)}"
        case _:
            return ""


def markdown(days: Iterable[Mapping[str, Any]], env: str) -> str:
    """The incident log of days (their artifacts, oldest first), one section a class; an empty one says "none"."""
    told = [(day["day"], one) for day in days for one in day["incidents"]]
    parts = [f"# Incident log of the {env} desk\n"]
    for kind, title in TITLES.items():
        parts.append(f"\n## {title}\n\n" + _lines([one for _, one in told if one["class"] == kind]))
    return "".join(parts)


def _lines(incidents: Sequence[Mapping[str, str]]) -> str:
    if not incidents:
        return "none\n"
    return "".join(f"- {one['at'][:19].replace('T', ' ')} UTC: {_plain(one['text'])}\n" for one in incidents)


def _plain(text: str) -> str:
    """Text of a line of its own, without markup."""
    return " ".join(text.split()).replace("<", "&lt;").replace("|", "\\|").replace("`", "'")
