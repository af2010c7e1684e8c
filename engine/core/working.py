"""An order the paper broker has accepted: what it is now, how much is left of it, and where it stands in its queue."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from engine.core.facts import Submit
from engine.core.liquidity import UNKNOWN_QUEUE
from engine.core.words import OrderKind

FIRED: Final = {OrderKind.STOP: OrderKind.MARKET, OrderKind.STOP_LIMIT: OrderKind.LIMIT}
"""What a stop order becomes once its stop is reached."""


class WorkingOrder(msgspec.Struct):
    """An accepted order. `filled` is signed like the order's quantity.

    Attributes:
        number: Which order of its account it is; keys its draws and its venue order id.
        met: Whether it has been held against the market once; before, it is treated as just arriving.
        ahead: Quantity queued before it at its price, or `UNKNOWN_QUEUE`.
        fired: Whether the stop of a stop order was reached: it is a market or a limit order from then on.
        whole: It closes the whole position, whatever that is (a shadow's exit); its own quantity does not count.
        shown: Size displayed at its price when last looked at, where its queue rule asks for that.
        traded: Quantity traded at its price since then.
    """

    order: Submit
    number: int
    arrived_ns: int
    filled: int = 0
    fills: int = 0
    met: bool = False
    ahead: int = UNKNOWN_QUEUE
    fired: bool = False
    whole: bool = False
    shown: int = 0
    traded: int = 0

    @property
    def kind(self) -> OrderKind:
        """What the order is now."""
        return FIRED[self.order.kind] if self.fired else self.order.kind

    @property
    def waits(self) -> bool:
        """Whether it is a stop order whose stop was not reached yet: it meets nothing."""
        return self.order.stop_price > 0 and not self.fired

    @property
    def sign(self) -> int:
        return 1 if self.order.qty > 0 else -1

    @property
    def rest(self) -> int:
        """Units still to fill, not negative."""
        return abs(self.order.qty - self.filled)

    @property
    def rests(self) -> bool:
        """Whether it waits at its limit for others to come."""
        return self.met and not self.waits and self.kind is OrderKind.LIMIT

    def fires_at(self, price: int) -> bool:
        """Whether `price`, on the side it would trade with, has reached its stop."""
        return self.sign * price >= self.sign * self.order.stop_price

    def fire(self) -> None:
        """From now on it is a market or limit order that has just arrived."""
        self.fired = True
        self.met = False

    def reaches(self, level_price: int) -> bool:
        """Whether it may trade at `level_price` on the opposite side."""
        return self.kind is OrderKind.MARKET or self.sign * level_price <= self.sign * self.order.price


WorkingOrders = dict[str, dict[str, WorkingOrder]]
"""By symbol, then by order id in order of arrival; no entry for a symbol without one."""


def by_priority(orders: Mapping[str, WorkingOrder]) -> Sequence[WorkingOrder]:
    """Orders without a limit first, then by price, best first, then by arrival."""
    if len(orders) == 1:
        return list(orders.values())
    return sorted(orders.values(), key=lambda each: (each.order.price != 0, -each.sign * each.order.price))
