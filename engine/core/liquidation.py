"""The end of an account that no longer carries its positions: the broker takes off its orders and closes it itself."""

from typing import Final

from engine.core import money
from engine.core.events import Bar, Book, BrokerEvent, Liquidation, Quote, Trade
from engine.core.execution import Execution
from engine.core.facts import Submit
from engine.core.margin import maintenance
from engine.core.touch_matching import TouchMatching
from engine.core.words import OrderKind, TimeInForce
from engine.core.working import WorkingOrder

OWN: Final = "liquidation-"
"""How the broker's own orders are called."""


class Liquidator:
    """Watches one account's margin."""

    def __init__(self, execution: Execution, touch: TouchMatching) -> None:
        self._execution = execution
        self._touch = touch

    def guard(self, event: Quote | Trade | Book | Bar) -> list[BrokerEvent]:
        """Liquidate the account if the price of `event` leaves it less than its positions need.

        A bar is judged by its worst price for the position, unless ticks came during it.
        """
        execution, symbol = self._execution, event.symbol
        market, ledger, instruments = execution.market, execution.account.ledger, execution.instruments
        worst = 0
        if isinstance(event, Bar):
            if market.ticked_within(event):
                return []
            worst = event.low if ledger.qty(symbol) > 0 else event.high

        def mark(of: str) -> int:
            return worst if worst and of == symbol else market.mark(of)

        equity, needed = ledger.equity(instruments, mark), maintenance(instruments, ledger, mark)
        return self._liquidate(event, equity, needed) if equity < needed else []

    def _liquidate(self, event: Quote | Trade | Book | Bar, equity: int, needed: int) -> list[BrokerEvent]:
        """Take off every order and close every position at market, at once and without latency."""
        execution = self._execution
        answers: list[BrokerEvent] = []
        for working in [each for orders in execution.working.values() for each in orders.values()]:
            if not working.order.order_id.startswith(OWN):
                answers += execution.end(working, event.at_ns, "liquidation")
        account = execution.account
        for symbol, position in list(account.ledger.positions.items()):
            if symbol in execution.working:
                continue  # being liquidated already
            account.submitted += 1
            order_id = f"{OWN}{account.submitted}"
            order = Submit(order_id, symbol, -position.qty, OrderKind.MARKET, TimeInForce.GTC, 0, reduce_only=True)
            answers.append(Liquidation(order_id, event.at_ns, symbol, order.qty, equity, needed))
            working = WorkingOrder(order, account.submitted, event.at_ns)
            execution.working[symbol] = {order_id: working}
            answers += self._meet_now(working, event)
        return answers

    def _meet_now(self, working: WorkingOrder, event: Quote | Trade | Book | Bar) -> list[BrokerEvent]:
        """Hold an order of the broker's own against what is displayed, else against the print that called for it."""
        if isinstance(event, Bar):
            at_ns = venue_ns = event.at_ns
            price, qty = event.low if working.sign < 0 else event.high, event.volume
        else:
            at_ns, venue_ns = event.at_ns, event.venue_ns
            price, qty = (event.price, event.qty) if isinstance(event, Trade) else (0, 0)
        answers = self._touch.arrive(working, at_ns, venue_ns)
        if working.met or not price or event.symbol != working.order.symbol:
            return answers
        share = money.mul(qty, self._execution.model.participation_max)
        return answers + self._execution.meet_print(working, price, share, at_ns, venue_ns)[1]
