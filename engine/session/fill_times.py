"""How long an order at market waits for its first fill, from the decision on: the desk's order-to-fill time.

Orders that rest wait for the market, not for the desk or its broker, so they are left out.
"""

from engine.core.facts import AnyFact, FillBooked, OrderChanged
from engine.core.orders import ENDED
from engine.core.words import OrderKind, OrderState
from engine.review.report import Percentiles
from engine.session.gauges import Gauge


class FillTimes:
    """Feed it every fact of a run, in order."""

    def __init__(self) -> None:
        self._waiting: dict[str, None] = {}
        self._gauge = Gauge()

    def take(self, fact: AnyFact) -> None:
        """Follow one fact."""
        if isinstance(fact, FillBooked):
            if fact.order_id in self._waiting:
                del self._waiting[fact.order_id]
                self._gauge.add(fact.order_to_fill_ns // 1000)
        elif isinstance(fact, OrderChanged):
            if fact.previous is OrderState.NEW and fact.kind is OrderKind.MARKET:
                self._waiting[fact.order_id] = None
            elif fact.state in ENDED:
                self._waiting.pop(fact.order_id, None)

    def percentiles(self) -> Percentiles:
        """In microseconds; all 0 without a fill."""
        return self._gauge.percentiles()
