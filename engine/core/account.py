"""The account as its broker has it: the margin that is free for an entry, by the broker's own figure.

The paper broker is asked for it. A venue's broker was heard some time ago, so what was entered since is set aside.
"""

from engine.core import money
from engine.core.config import Instrument
from engine.core.desk import Desk
from engine.core.events import BalanceRead
from engine.core.paper import PaperBroker
from engine.core.state import Balance
from engine.core.words import OrderState

UNHEARD = -1
"""The age of a figure nobody has given yet."""


class Account:
    """One desk's account. `paper` is None when orders leave to a venue's broker."""

    def __init__(self, desk: Desk, paper: PaperBroker | None) -> None:
        self._desk = desk
        self._paper = paper

    def free_margin(self) -> tuple[int, int]:
        """What is free, and the age of that figure in ns, or `UNHEARD`."""
        if self._paper is not None:
            return self._paper.free_margin(), 0
        state = self._desk.state
        if state.balance is None:
            return 0, UNHEARD
        return state.balance.free_margin - state.balance.claimed, state.at_ns - state.balance.at_ns

    def margin(self, notional: int, instrument: Instrument | None) -> int:
        """What an order of this notional binds: over the desk's leverage, or the instrument's if that is smaller."""
        leverage = self._desk.config.limits.leverage_max
        return money.div(notional, min(leverage, instrument.leverage_max) if instrument is not None else leverage)

    def claim(self, margin: int) -> None:
        """An entry leaves: until the broker is heard again its margin is not free."""
        if self._desk.state.balance is not None:
            self._desk.state.balance.claimed += margin

    def heard(self, read: BalanceRead) -> None:
        """The broker told the account; entries it has not acknowledged may not be in its figure."""
        unheard = [order for order in self._desk.entries() if order.state is OrderState.SUBMITTED]
        claimed = sum(
            self.margin(abs(money.mul(order.price or order.expected, order.qty)), self._desk.instruments[order.symbol])
            for order in unheard
        )
        self._desk.state.balance = Balance(read.at_ns, read.equity, read.free_margin, read.source, claimed)
