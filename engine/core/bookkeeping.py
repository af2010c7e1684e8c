"""Posts everything that moves money to the ledger, and holds the desk's books against it after every posting.

Desk and ledger must agree to the last digit: on the profit of a fill, on what is held, and on equity, which is cash and
unrealised profit here, and cash and the value of what is held there. A difference is an error, an alert and a block; it
is told once and never corrected, because nobody knows yet which of the two is wrong.
"""

from engine.core import money
from engine.core.desk import Desk
from engine.core.events import Fill
from engine.core.ledger import CASH, Ledger, asset
from engine.core.safety import Safety
from engine.core.words import AlertKind, BlockReason


class Bookkeeping:
    """The double entry of one desk. Call after the desk's own books have moved."""

    def __init__(self, desk: Desk, safety: Safety) -> None:
        self._desk = desk
        self._safety = safety

    @property
    def _ledger(self) -> Ledger:
        return self._desk.state.ledger

    def deposit(self, amount: int) -> None:
        """Post capital paid in."""
        self._ledger.deposit(amount)
        self._compare()

    def open(self) -> None:
        """Open the ledger on a desk that is older than it; nothing if it is open."""
        if self._ledger.accounts:
            return
        state = self._desk.state
        held = {symbol: [(lot.qty, lot.cost) for lot in position.lots] for symbol, position in state.positions.items()}
        paid = sum(position.cost for position in state.positions.values())
        self._ledger.take_over(state.cash - paid, held)
        self._compare()

    def fill(self, fill: Fill, realized: int) -> None:
        """Post a fill on which the desk's positions made `realized`."""
        profit = self._ledger.fill(fill.symbol, fill.qty, fill.price, fill.fee)
        if profit != realized:
            self._tell(f"fill {fill.fill_id} made {money.text(realized)} here and {money.text(profit)} in the ledger")
        self._compare()

    def funding(self, amount: int) -> None:
        """Post funding paid."""
        self._ledger.pay_funding(amount)
        self._compare()

    def equity(self) -> int:
        """Equity by the ledger: cash, and what is held at its mark (without one: at cost, as last valued)."""
        total = self._ledger.balance(CASH)
        for symbol in self._ledger.parcels:
            qty = self._ledger.qty(symbol)
            mark = self._desk.mark(symbol, qty)
            carried = self._ledger.balance(asset(symbol)) + self._desk.unrealized_of(symbol)
            total += money.mul(mark, qty) if mark else carried
        return total

    def difference(self) -> str:
        """In which figure the desk and the ledger differ, in words; empty if they agree."""
        if (total := self._ledger.total()) != 0:
            return f"the accounts sum to {money.text(total)}"
        state = self._desk.state
        for symbol in {**state.positions, **self._ledger.parcels}:
            position = state.positions.get(symbol)
            here, there = position.qty if position is not None else 0, self._ledger.qty(symbol)
            if here != there:
                return f"{symbol}: {money.text(here)} held here and {money.text(there)} in the ledger"
            self._desk.remark(symbol)
        here, there = self._desk.equity, self.equity()
        return f"equity is {money.text(here)} here and {money.text(there)} in the ledger" if here != there else ""

    def _compare(self) -> None:
        if difference := self.difference():
            self._tell(difference)

    def _tell(self, difference: str) -> None:
        """Say it once, and let nothing new be entered until the books are explained."""
        state = self._desk.state
        if state.ledger_difference == difference:
            return
        state.ledger_difference = difference
        self._desk.fail("ledger", difference, "ledger")
        self._desk.alert(AlertKind.LEDGER, f"the books do not agree: {difference}")
        self._safety.block(BlockReason.RECONCILIATION, f"the books do not agree: {difference}")
