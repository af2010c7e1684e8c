"""What the desk has at stake: notional and risk of its positions, and of its working entries as if they filled.

Risk is what is lost from here to the stop, and a gap allowance: a share of the notional, because a stop is not always
filled at its price. A holding without a stop risks what the loss limit lets it lose.
"""

import msgspec

from engine.core import money
from engine.core.config import Limits
from engine.core.orders import Order
from engine.core.state import EngineState, Holding
from engine.core.words import Purpose


class Entering(msgspec.Struct, frozen=True, gc=False):
    """What one working entry adds if the rest of it fills; `qty` and `value` are signed, `risk` is to its stop."""

    symbol: str
    qty: int
    value: int
    risk: int


class Standing(msgspec.Struct, frozen=True):
    """All that is held and being entered.

    Attributes:
        gross: Notional of positions and working entries, without regard to direction.
        net: Notional of positions, shorts negative.
        entering_long: Notional of working entries that buy; `entering_short` of those that sell, positive too.
        risk: To all stops, gap allowance included.
        sides: Each symbol with a position or a working entry: 1 for LONG, -1 for SHORT.
    """

    gross: int
    net: int
    entering_long: int
    entering_short: int
    risk: int
    sides: dict[str, int]


class Stakes:
    """The stakes of one desk. Working entries are followed order by order, positions are valued when asked."""

    def __init__(self, state: EngineState, limits: Limits) -> None:
        self._state = state
        self._limits = limits
        self._entering: dict[str, Entering] = {}
        for order in state.orders.values():
            self.follow(order)

    def follow(self, order: Order) -> None:
        """An order is new, or something about it has changed."""
        if order.purpose is not Purpose.ENTRY:
            return
        if order.ended or not order.open_qty:
            self._entering.pop(order.order_id, None)
            return
        price = order.price or order.expected
        stop = order.plan.stop if order.plan is not None else 0
        risk = abs(money.mul(price - stop, order.open_qty)) if stop else self._limits.loss_per_trade_max
        value = money.mul(price, order.open_qty)
        self._entering[order.order_id] = Entering(order.symbol, order.open_qty, value, risk)

    def value(self, symbol: str) -> int:
        """The notional of a position at its newest mark, signed; 0 if flat."""
        position = self._state.positions.get(symbol)
        return position.cost + self._state.unrealized.get(symbol, 0) if position is not None else 0

    def risk(self, holding: Holding) -> int:
        """What a holding risks, gap allowance included."""
        value = self.value(holding.symbol)
        to_stop = self._to_stop(holding, self._state.positions[holding.symbol].qty, value)
        return to_stop + money.mul(self._limits.gap_allowance, abs(value))

    def _to_stop(self, holding: Holding | None, qty: int, value: int) -> int:
        if holding is None or not holding.stop:
            return self._limits.loss_per_trade_max
        return max(0, value - holding.stop * qty // money.SCALE)

    def in_symbol(self, symbol: str) -> tuple[int, int]:
        """(quantity, notional) of the position and the working entries in `symbol`, signed."""
        position = self._state.positions.get(symbol)
        qty, value = (position.qty, self.value(symbol)) if position is not None else (0, 0)
        for entering in self._entering.values():
            if entering.symbol == symbol:
                qty, value = qty + entering.qty, value + entering.value
        return qty, value

    def standing(self) -> Standing:
        """All of it, as of now."""
        gross = net = entering_long = entering_short = risk = 0
        sides: dict[str, int] = {}
        unrealized, holdings = self._state.unrealized, self._state.holdings
        for symbol, position in self._state.positions.items():
            if not position.qty:
                continue
            value = position.cost + unrealized.get(symbol, 0)
            net += value
            gross += abs(value)
            sides[symbol] = 1 if position.qty > 0 else -1
            risk += self._to_stop(holdings.get(symbol), position.qty, value)
        for entering in self._entering.values():
            value = entering.value
            if value > 0:
                gross += value
                entering_long += value
            else:
                gross -= value
                entering_short -= value
            risk += entering.risk
            sides.setdefault(entering.symbol, 1 if value > 0 else -1)
        risk += money.mul(self._limits.gap_allowance, gross)
        return Standing(gross, net, entering_long, entering_short, risk, sides)
