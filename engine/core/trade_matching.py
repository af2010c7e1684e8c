"""Working orders against public trades: they move queues and fill resting orders.

Where no fresh quote or book tells what could be traded, takers fill at the traded price, moved against them.
"""

from engine.core import money
from engine.core.events import BrokerEvent, Role, Trade
from engine.core.execution import Execution
from engine.core.liquidity import UNKNOWN_QUEUE
from engine.core.queueing import served
from engine.core.working import WorkingOrder, by_priority


class TradeMatching:
    """Meets trades for one account."""

    def __init__(self, execution: Execution) -> None:
        self._execution = execution

    def on_trade(self, trade: Trade) -> list[BrokerEvent]:
        """Let `trade` reach the working orders of its symbol; together they get no more than traded."""
        execution = self._execution
        answers: list[BrokerEvent] = []
        left, share = trade.qty, money.mul(trade.qty, execution.model.participation_max)
        for working in by_priority(execution.working[trade.symbol]):
            if not execution.works(working):
                continue
            if working.rests:
                qty = execution.takes(working, self._reached(working, trade, left))
                if qty > 0:
                    left -= qty
                    price = working.order.price
                    answers += execution.fill(working, qty, price, Role.MAKER, trade.at_ns, trade.venue_ns, "book")
            elif execution.ladder(trade.symbol, working.sign, trade.at_ns) is None:
                got, said = self._print(working, trade, share)
                share -= got
                answers += said
        return answers

    def _reached(self, working: WorkingOrder, trade: Trade, left: int) -> int:
        """Units of `trade` (of which `left` are not yet ours) that reach a resting order, after its queue's turn."""
        sign, distance = working.sign, working.sign * (trade.price - working.order.price)
        if distance < 0:
            return left  # the price went through: the whole queue was served
        if distance > 0 or trade.side == sign:
            return 0
        if working.ahead == UNKNOWN_QUEUE:
            return left if self._execution.model.touch_fills else 0
        return served(working, trade.qty, left)

    def _print(self, working: WorkingOrder, trade: Trade, share: int) -> tuple[int, list[BrokerEvent]]:
        """Hold a taker against the traded price; the quantity filled, and the answers."""
        if working.waits:
            if not working.fires_at(trade.price):
                return 0, []
            working.fire()
        return self._execution.meet_print(working, trade.price, share, trade.at_ns, trade.venue_ns)
