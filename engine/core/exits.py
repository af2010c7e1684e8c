"""How a holding ends: a resting order at its target, and its stop, loss limit and time watched here.

Exits are reduce-only and pass no entry limit: getting out is always possible. What is left of a position after its exit
order ended is tried again until it is flat.
"""

from typing import Final

from engine.core.blotter import Blotter
from engine.core.config import SECOND
from engine.core.desk import Desk
from engine.core.orders import Order, on_tick
from engine.core.state import Holding
from engine.core.words import ExitReason, OrderKind, Purpose, Side, TimeInForce

EXIT_RETRY_NS: Final = SECOND


class Exits:
    """The ways out of one desk's holdings."""

    def __init__(self, desk: Desk, blotter: Blotter) -> None:
        self._desk = desk
        self._blotter = blotter

    # --- what leads out ---

    def watch(self, symbol: str, low: int, high: int) -> None:
        """Check one holding against prices just seen (a touch twice, or a bar's extremes): the stop comes first."""
        state = self._desk.state
        holding = state.holdings.get(symbol)
        if holding is None or holding.exit_order_id:
            return
        if holding.leaving is not None:
            self.exit(symbol, holding.leaving)
            return
        long = holding.side is Side.LONG
        if holding.stop and (low <= holding.stop if long else high >= holding.stop):
            self.exit(symbol, ExitReason.SL)
        elif -self._desk.unrealized_of(symbol) >= self._desk.config.limits.loss_per_trade_max:
            self.exit(symbol, ExitReason.LOSS_LIMIT)
        elif holding.close_at_ns and state.at_ns >= holding.close_at_ns:
            self.exit(symbol, ExitReason.TIME)
        elif not holding.target_order_id and _reached(holding, low, high):
            self._target_reached(symbol)

    def _target_reached(self, symbol: str) -> None:
        """The target traded while its order does not rest: place it again, unless the entry still works."""
        if not any(order.symbol == symbol for order in self._desk.entries()):
            self.rest_target(symbol)

    def due(self) -> None:
        """Close what has outlived its time; try again what is still to leave."""
        state = self._desk.state
        for holding in list(state.holdings.values()):
            if holding.leaving is not None:
                self.exit(holding.symbol, holding.leaving)
            elif holding.close_at_ns and state.at_ns >= holding.close_at_ns:
                self.exit(holding.symbol, ExitReason.TIME)

    def next_due_ns(self) -> int:
        """When the next holding has to leave, or to try again; 0 if none has a time."""
        times = []
        for holding in self._desk.state.holdings.values():
            if holding.leaving is None:
                times.append(holding.close_at_ns)
            elif not holding.exit_order_id:
                times.append(holding.exit_tried_ns + EXIT_RETRY_NS)
        return min((at for at in times if at), default=0)

    # --- the orders that do it ---

    def exit(self, symbol: str, reason: ExitReason) -> None:
        """Close the position in `symbol` at market, reduce-only; cancels what else works there first.

        The holding is leaving from now on: what is left after an exit order ended is tried again, at most once in
        `EXIT_RETRY_NS`, until the position is flat.
        """
        state = self._desk.state
        holding, position = state.holdings.get(symbol), state.positions.get(symbol)
        if holding is None or position is None or not position.qty:
            return
        holding.leaving = holding.leaving or reason
        if holding.exit_order_id:
            return
        if holding.exit_tried_ns and state.at_ns - holding.exit_tried_ns < EXIT_RETRY_NS:
            return
        self._blotter.cancel_symbol(symbol, f"the position is being closed ({reason.value})")
        purpose = Purpose.STOP if reason is ExitReason.SL else Purpose.CLOSE
        order = self._order(holding, purpose, -position.qty, reason, 0)
        holding.exit_order_id = order.order_id
        holding.exit_tried_ns = state.at_ns
        self._blotter.send(order)

    def exit_all(self, reason: ExitReason) -> None:
        """Close every position."""
        for symbol in list(self._desk.state.holdings):
            self.exit(symbol, reason)

    def rest_target(self, symbol: str) -> None:
        """Put a reduce-only limit order for the whole position at the holding's target."""
        state = self._desk.state
        holding, position = state.holdings.get(symbol), state.positions.get(symbol)
        if holding is None or position is None or not position.qty or not holding.target:
            return
        if holding.exit_order_id or holding.target_order_id:
            return
        price = on_tick(holding.target, self._desk.instruments[symbol].tick, -position.qty)
        order = self._order(holding, Purpose.TARGET, -position.qty, ExitReason.TP, price)
        holding.target_order_id = order.order_id
        self._blotter.send(order)

    def forget(self, order: Order) -> None:
        """An order has ended: no holding waits for it any more. A position still open is watched and tried again."""
        holding = self._desk.state.holdings.get(order.symbol)
        if holding is None:
            return
        if holding.exit_order_id == order.order_id:
            holding.exit_order_id = ""
        elif holding.target_order_id == order.order_id:
            holding.target_order_id = ""

    def _order(self, holding: Holding, purpose: Purpose, qty: int, reason: ExitReason, price: int) -> Order:
        """A reduce-only order of signed `qty`: limit at `price`, or market if that is 0."""
        return Order(
            order_id=self._desk.new_id(),
            signal_id=holding.signal_id,
            strategy_id=holding.strategy_id,
            symbol=holding.symbol,
            purpose=purpose,
            kind=OrderKind.LIMIT if price else OrderKind.MARKET,
            tif=TimeInForce.GTC,
            qty=qty,
            price=price,
            reduce_only=True,
            expected=price or self._desk.mark(holding.symbol, -qty),
            placed_ns=self._desk.at_ns,
            exit_reason=reason,
        )


def _reached(holding: Holding, low: int, high: int) -> bool:
    """Whether prices between `low` and `high` touched the holding's target."""
    if not holding.target:
        return False
    return high >= holding.target if holding.side is Side.LONG else low <= holding.target
