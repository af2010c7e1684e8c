"""Funding of perpetual positions: paid or received once for every settlement a position was held through.

A positive rate is paid by longs to shorts, on the value of the position at the settlement. The rate is the newest one
told; a settlement that came while the desk was not running is settled, with it, at the next start.
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
        """Take the rate of the next settlement; one that is due stays due until it is settled."""
        known = self._desk.state.symbols.get(rate.symbol)
        if known is not None:
            at_ns = self._desk.state.at_ns
            due_ns = rate.due_ns if known.funding is None else min(rate.due_ns, known.funding.due_ns)
            known.funding = Funding(rate.rate, due_ns if due_ns > at_ns else rate.due_ns)

    def settle(self) -> None:
        """Settle every position for every settlement that has come since it was opened, each once."""
        state = self._desk.state
        for symbol in list(state.positions):
            known, interval_ns = state.symbols[symbol], self._desk.instruments[symbol].funding_interval_ns
            while known.funding is not None and known.funding.due_ns <= state.at_ns and interval_ns:
                due_ns = known.funding.due_ns
                if state.holdings[symbol].opened_ns <= due_ns:
                    self._pay(symbol, known.funding.rate)
                known.funding = Funding(known.funding.rate, due_ns + interval_ns)

    def next_due_ns(self) -> int:
        """The next settlement of a position; 0 if there is none."""
        symbols = self._desk.state.symbols
        dues = (funding.due_ns for held in self._desk.state.positions if (funding := symbols[held].funding) is not None)
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
