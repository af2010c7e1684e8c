"""Working orders against quotes and books: takers walk what is displayed, resting orders wait until it reaches them."""

from engine.core.config import QueueRule
from engine.core.events import Book, BrokerEvent, Quote, Role
from engine.core.execution import Execution
from engine.core.liquidity import Level
from engine.core.queueing import seen
from engine.core.words import OrderKind, TimeInForce
from engine.core.working import WorkingOrder, by_priority


class TouchMatching:
    """Meets quotes and books for one account."""

    def __init__(self, execution: Execution) -> None:
        self._execution = execution
        self._watches_queues = execution.model.queue is not QueueRule.BEHIND

    def on_touch(self, event: Quote | Book) -> list[BrokerEvent]:
        """Hold the working orders of a symbol against what `event` shows anew."""
        execution = self._execution
        bottom, bid, ask, top = execution.market.reach(event)
        answers: list[BrokerEvent] = []
        for working in by_priority(execution.working[event.symbol]):
            price, sells = working.order.price, working.order.qty < 0
            if working.waits and not working.fires_at(bid if sells else ask):
                continue
            if working.met and price and (price > top if sells else price < bottom):
                continue  # out of sight: nothing to trade with, nothing to learn
            if working.met and working.ahead >= 0 and (price > bid if sells else price < ask):
                if self._watches_queues:
                    seen(working, execution.market.displayed(event.symbol, working.sign, price, event.at_ns))
                continue  # resting in its queue, and the other side is not there
            if execution.works(working):  # a fill of another order may have ended it
                answers += self.arrive(working, event.at_ns, event.venue_ns)
        return answers

    def arrive(self, working: WorkingOrder, at_ns: int, venue_ns: int) -> list[BrokerEvent]:
        """Hold one order against what is displayed at `at_ns`; without fresh quotes or books it waits for some.

        A stop order goes by the touch of the side it would trade with, whatever own orders took there.
        """
        execution, symbol = self._execution, working.order.symbol
        if working.waits:
            touch = execution.market.touch(symbol, working.sign, at_ns)
            if not touch or not working.fires_at(touch):
                return []
            working.fire()
        ladder = execution.ladder(symbol, working.sign, at_ns)
        return [] if ladder is None else self._meet(working, ladder, at_ns, venue_ns)

    def _meet(self, working: WorkingOrder, ladder: list[Level], at_ns: int, venue_ns: int) -> list[BrokerEvent]:
        execution, order, first = self._execution, working.order, not working.met
        working.met = True
        reachable = [level for level in ladder if working.reaches(level[0])]
        if reachable and first and order.tif is TimeInForce.POST_ONLY:
            return execution.end(working, at_ns, "post_only")
        taking = first or working.kind is OrderKind.MARKET
        answers: list[BrokerEvent] = []
        for price, left in reachable:
            qty = execution.takes(working, left)
            if qty == 0:
                continue
            execution.account.taken.take(order.symbol, working.sign, price, qty)
            role, at_price = (Role.TAKER, price) if taking else (Role.MAKER, order.price)
            answers += execution.fill(working, qty, at_price, role, at_ns, venue_ns, "book")
        return answers + execution.after_meeting(working, at_ns)
