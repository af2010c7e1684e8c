"""Funding of perpetual positions: paid or received once for every settlement a position was held through.

A positive rate is paid by longs to shorts, on the value of the position at the settlement. The rate is the newest one
told; a settlement that came while the desk was not running is settled, with it, at the next start. A shadow of the
paper broker settles on its own position, also while the desk is flat.
"""

from engine.core import money
from engine.core.bookkeeping import Bookkeeping
from engine.core.desk import Desk
from engine.core.events import FundingRate
from engine.core.facts import FundingPaid
from engine.core.paper import PaperBroker
from engine.core.state import Funding


class Settlements:
    """The funding of one desk's positions. `paper` keeps its own books, and settles the same."""

    def __init__(self, desk: Desk, bookkeeping: Bookkeeping, paper: PaperBroker | None) -> None:
        self._desk = desk
        self._bookkeeping = bookkeeping
        self._paper = paper

    def told(self, rate: FundingRate) -> None:
        """Take the rate of the next settlement; one that a position is due to pay stays due until it is settled."""
        known = self._desk.state.symbols.get(rate.symbol)
        if known is not None:
            at_ns, due_ns = self._desk.state.at_ns, rate.due_ns
            if known.funding is not None and rate.symbol in self._desk.state.positions:
                due_ns = min(due_ns, known.funding.due_ns)
            known.funding = Funding(rate.rate, due_ns if due_ns > at_ns else rate.due_ns)

    def settle(self) -> None:
        """Settle every position for every settlement that has come since it was opened, each once."""
        state = self._desk.state
        for symbol, instrument in self._desk.instruments.items():
            known, interval_ns = state.symbols[symbol], instrument.funding_interval_ns
            while known.funding is not None and known.funding.due_ns <= state.at_ns and interval_ns:
                due_ns, holding = known.funding.due_ns, state.holdings.get(symbol)
                if holding is None and self._paper is not None:  # a shadow may hold what the desk does not
                    self._paper.on_funding(symbol, known.funding.rate, self._desk.mark(symbol, 1))
                elif holding is not None and holding.opened_ns <= due_ns:
                    self._pay(symbol, known.funding.rate)
                known.funding = Funding(known.funding.rate, due_ns + interval_ns)

    def next_due_ns(self) -> int:
        """The next settlement of any symbol that has them; 0 if there is none."""
        symbols = self._desk.state.symbols
        dues = (
            funding.due_ns
            for symbol, instrument in self._desk.instruments.items()
            if instrument.funding_interval_ns and (funding := symbols[symbol].funding) is not None
        )
        return min(dues, default=0)

    def _pay(self, symbol: str, rate: int) -> None:
        desk, state = self._desk, self._desk.state
        qty = state.positions[symbol].qty
        mark = desk.mark(symbol, qty)
        amount = money.mul(money.mul(mark, qty), rate)
        state.cash -= amount
        state.tally.funding += amount
        state.holdings[symbol].funding += amount
        if self._paper is not None:
            self._paper.on_funding(symbol, rate, mark)
        desk.emit(FundingPaid(state.at_ns, symbol, qty, mark, rate, amount))
        self._bookkeeping.funding(amount)
