"""The paper broker's own books: cash and positions, kept apart from the desk's so that the two can be compared.

Every fill moves cash by its full notional, so cash is exact whatever the order of fills; a position carries its cost.
`cash + sum of cost` is the wallet (what is left when all is closed at cost), `cash + sum of value` the equity.
"""

from collections.abc import Callable, Mapping

import msgspec

from engine.core import money
from engine.core.config import Instrument


class PaperPosition(msgspec.Struct):
    """`qty` signed; `cost` is its notional at the prices paid, signed alike. Average price: cost over qty."""

    qty: int = 0
    cost: int = 0


class PaperLedger(msgspec.Struct):
    """Cash, fees and funding paid so far, and the open positions by symbol (a flat symbol has no entry)."""

    cash: int
    fees: int = 0
    funding: int = 0
    positions: dict[str, PaperPosition] = {}

    def copy(self) -> "PaperLedger":
        """The same books, to go their own way."""
        held = {symbol: PaperPosition(position.qty, position.cost) for symbol, position in self.positions.items()}
        return PaperLedger(self.cash, self.fees, self.funding, held)

    def qty(self, symbol: str) -> int:
        """The signed position in `symbol`, 0 when flat."""
        position = self.positions.get(symbol)
        return position.qty if position is not None else 0

    def book(self, instrument: Instrument, qty: int, price: int, fee: int) -> None:
        """Book a fill of signed `qty` at `price`: close what it offsets at average cost, then open the rest."""
        paid = notional(instrument, qty, price)
        self.cash -= paid + fee
        self.fees += fee
        position = self.positions.setdefault(instrument.symbol, PaperPosition())
        if position.qty * qty >= 0:
            position.cost += paid
        elif abs(qty) < abs(position.qty):
            position.cost += _share(position.cost, qty, position.qty)
        else:
            position.cost = notional(instrument, position.qty + qty, price)
        position.qty += qty
        if position.qty == 0:
            del self.positions[instrument.symbol]

    def settle(self, instrument: Instrument, rate: int, mark: int) -> int:
        """Pay funding at `rate` on the position in `instrument`; the amount paid (negative: received)."""
        amount = money.mul(notional(instrument, self.qty(instrument.symbol), mark), rate)
        self.cash -= amount
        self.funding += amount
        return amount

    def wallet(self) -> int:
        """Cash once every position is closed at its cost: starting cash and realised results, less fees and funding."""
        return self.cash + sum(position.cost for position in self.positions.values())

    def equity(self, instruments: Mapping[str, Instrument], mark: Callable[[str], int]) -> int:
        """Cash and the value of all positions at `mark`; a position without a mark (0) stands at its cost."""
        total = self.cash
        for symbol, position in self.positions.items():
            price = mark(symbol)
            total += notional(instruments[symbol], position.qty, price) if price else position.cost
        return total


def notional(instrument: Instrument, qty: int, price: int) -> int:
    """Value of `qty` units at `price` in quote currency, with the sign of `qty`, rounded half away from zero."""
    value = money.mul(qty, price)
    return value if instrument.multiplier == money.SCALE else money.mul(value, instrument.multiplier)


def _share(cost: int, qty: int, of_qty: int) -> int:
    """The part of `cost` that `qty` out of `of_qty` carries, rounded half away from zero; the rest stays open."""
    numerator, denominator = cost * qty, of_qty
    if denominator < 0:
        numerator, denominator = -numerator, -denominator
    half = (2 * abs(numerator) + denominator) // (2 * denominator)
    return half if numerator >= 0 else -half
