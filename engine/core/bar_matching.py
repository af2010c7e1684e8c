"""Working orders against closed bars, where nothing finer is known.

A bar says where price began and how far it went, not in which order. So the path is taken to be the worst one for the
account, and only what was there when the bar opened may meet it:

1. The open: market orders, orders that arrive, and stops the open has jumped over fill at the open.
2. Against us: stops within the bar's range fill at their stop. They come before every limit, so that a bar that holds
   both a stop and a target is a loss.
3. For us: limits fill at their limit, only where the price went through them.

All together get no more than the model's share of the bar's volume; takers slip against themselves.
"""

from collections.abc import Callable
from typing import Final

from engine.core import money
from engine.core.config import SECOND
from engine.core.events import Bar, BrokerEvent, Role
from engine.core.execution import Execution
from engine.core.working import WorkingOrder, by_priority

BAR_GRACE_NS: Final = SECOND
"""An order that arrives this soon after a bar's start was decided on the bar before, so this bar may fill it."""

Meeting = Callable[[WorkingOrder, Bar, int], tuple[int, list[BrokerEvent]]]


class BarMatching:
    """Meets bars for one account."""

    def __init__(self, execution: Execution) -> None:
        self._execution = execution

    def on_bar(self, bar: Bar) -> list[BrokerEvent]:
        """Fill from a closed bar what was there when it opened; nothing while quotes, books or trades tell more."""
        execution = self._execution
        if execution.market.ticked_within(bar):
            return []
        answers: list[BrokerEvent] = []
        opened_ns = bar.at_ns - bar.span_ns  # on our clock: a recorded bar's own start may be years ago
        share = money.mul(bar.volume, execution.model.participation_max)
        there = [
            working
            for working in by_priority(execution.working[bar.symbol])
            if working.arrived_ns <= opened_ns + BAR_GRACE_NS
        ]
        stops, others = [each for each in there if each.waits], [each for each in there if not each.waits]
        path: tuple[tuple[Meeting, list[WorkingOrder]], ...] = (
            (self._open, there),
            (self._against, stops),
            (self._through, others),
        )
        for meet, orders in path:
            for working in orders:
                if execution.works(working):
                    got, said = meet(working, bar, share)
                    share -= got
                    answers += said
        return answers

    def _open(self, working: WorkingOrder, bar: Bar, share: int) -> tuple[int, list[BrokerEvent]]:
        """What takes at the open."""
        if working.waits and working.fires_at(bar.open):
            working.fire()
        if working.waits or working.rests:
            return 0, []
        return self._execution.meet_print(working, bar.open, share, bar.at_ns, bar.at_ns)

    def _against(self, working: WorkingOrder, bar: Bar, share: int) -> tuple[int, list[BrokerEvent]]:
        """A stop the bar reached after its open fires at its stop.

        What the bar did after that is not known, so the limit order that a stop-limit becomes waits for the next bar.
        """
        if not working.waits or not working.fires_at(bar.high if working.sign > 0 else bar.low):
            return 0, []
        working.fire()
        return self._execution.meet_print(working, working.order.stop_price, share, bar.at_ns, bar.at_ns)

    def _through(self, working: WorkingOrder, bar: Bar, share: int) -> tuple[int, list[BrokerEvent]]:
        """A limit order the price went through."""
        if not working.rests or not self._went_through(working, bar):
            return 0, []
        qty = self._execution.takes(working, share)
        if qty == 0:
            return 0, []
        price = working.order.price
        return qty, self._execution.fill(working, qty, price, Role.MAKER, bar.at_ns, bar.at_ns, "static")

    def _went_through(self, working: WorkingOrder, bar: Bar) -> bool:
        price, extreme = working.order.price, bar.low if working.sign > 0 else bar.high
        if extreme == price:
            return self._execution.model.touch_fills
        return working.sign * extreme < working.sign * price
