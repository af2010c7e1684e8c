"""Positions as first-in-first-out lots, long and short. Only fills move them; every unit of cost is accounted for."""

import msgspec

from engine.core import money


class Lot(msgspec.Struct):
    """Units bought (or sold, `qty` negative) together, and what they cost (same sign as `qty`)."""

    qty: int
    cost: int
    at_ns: int


class Position(msgspec.Struct):
    """One symbol's position. `qty` and `cost` are the sums over `lots`: signed alike, zero when flat."""

    symbol: str
    qty: int = 0
    cost: int = 0
    lots: list[Lot] = []

    @property
    def average_price(self) -> int:
        """Quote currency per unit; 0 when flat."""
        return money.div(self.cost, self.qty) if self.qty else 0

    def unrealized(self, mark: int) -> int:
        """Profit (positive) or loss if the position were closed at `mark`, before fees."""
        return money.mul(mark, self.qty) - self.cost

    def book(self, qty: int, price: int, at_ns: int) -> int:
        """Apply a fill of signed `qty`: close the oldest lots it offsets, open the rest. The realized profit.

        The fill's value is rounded once; what closes and what opens share it, so no unit is created or lost.
        """
        closing = -_offset(self.qty, qty)
        value = money.mul(price, qty)
        closing_value = money.mul(price, closing) if closing != qty else value
        released = self._release(-closing)
        opening = qty - closing
        if opening:
            self.lots.append(Lot(opening, value - closing_value, at_ns))
        self.qty += qty
        self.cost += -released + value - closing_value
        return -closing_value - released

    def _release(self, units: int) -> int:
        """Take `units` (signed like the position) from the oldest lots; the cost they carried."""
        released = 0
        while units:
            lot = self.lots[0]
            if abs(lot.qty) <= abs(units):
                units -= lot.qty
                released += lot.cost
                del self.lots[0]
            else:
                part = _share(lot.cost, units, lot.qty)
                lot.qty -= units
                lot.cost -= part
                released += part
                units = 0
        return released


def _offset(held: int, traded: int) -> int:
    """How many of `held` units (signed like it) a trade of `traded` units closes."""
    if held > 0 > traded:
        return min(held, -traded)
    if held < 0 < traded:
        return max(held, -traded)
    return 0


def _share(cost: int, units: int, qty: int) -> int:
    """The part of `cost` that `units` of `qty` carry (units and qty signed alike), rounded half away from zero."""
    magnitude = (2 * abs(cost) * abs(units) + abs(qty)) // (2 * abs(qty))
    return magnitude if cost >= 0 else -magnitude
