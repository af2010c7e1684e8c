"""Where entries, orders, holdings and exits meet: what a broker's answer leads to, and what is due.

A signal ends when its entry order has ended. Its position has a stop and a target from its first fill on: whatever
changes a position or one of its orders leads to `Exits.protect`.
"""

from engine.core import money
from engine.core.account import Account
from engine.core.adoption import Adoption
from engine.core.believing import incredible, senseless
from engine.core.blotter import Blotter
from engine.core.bookkeeping import Bookkeeping
from engine.core.breakers import Breakers
from engine.core.candidates import Candidates
from engine.core.config import SECOND
from engine.core.desk import Desk
from engine.core.entries import Entries
from engine.core.events import BrokerEvent, Fill, Liquidation, OrderRefused
from engine.core.exits import Exits
from engine.core.facts import AccountLiquidated, FeedNoted, StrategyDecided
from engine.core.holdings import Holdings
from engine.core.orders import Order
from engine.core.paper import PaperBroker
from engine.core.reconciliation import Reconciliation
from engine.core.safety import Safety
from engine.core.state import Holding
from engine.core.strategy import ExitWish
from engine.core.words import HELD_BACK, AlertKind, BlockReason, Decision, ExitReason, Purpose


class Trading:
    """One desk's way from a proposal to a closed trade. `paper` is None when orders leave to a venue's broker.

    Attributes:
        blotter: The working orders.
        account: The margin that is free for them.
        entries: Proposals, signals and their verdicts.
        bookkeeping: The ledger, and its comparison with the desk's books.
        holdings: Positions, their results, and the trades they become.
        exits: Targets, stops and the other ways out.
        reconciliation: The books against the broker's own.
        adoption: The broker's side taken over, where an operator says so.
    """

    def __init__(self, desk: Desk, safety: Safety, breakers: Breakers, paper: PaperBroker | None) -> None:
        self._desk = desk
        self._safety = safety
        self._breakers = breakers
        self._paper = paper
        self.blotter = Blotter(desk, safety, paper)
        self.account = Account(desk, paper)
        candidates = Candidates(desk, safety, breakers, self.account)
        self.entries = Entries(desk, breakers, candidates, self.account, self.blotter)
        self.bookkeeping = Bookkeeping(desk, safety)
        self.holdings = Holdings(desk, breakers, self.blotter, self.bookkeeping)
        self.exits = Exits(desk, self.blotter)
        self.reconciliation = Reconciliation(desk, safety, paper)
        self.adoption = Adoption(desk, self.blotter, self.reconciliation, self.answer, self._book)
        self.blotter.ended = self._ended
        self.blotter.settled = lambda: self.reconciliation.ask("unknown")
        safety.cancel_entries = self.blotter.cancel_entries

    def answer(self, event: BrokerEvent) -> None:
        """Take one answer of the broker."""
        if isinstance(event, Fill):
            self._fill(event)
        elif isinstance(event, Liquidation):
            self._liquidation(event)
        elif (order := self.blotter.answer(event)) is not None:
            self.exits.protect(order.symbol)
            if isinstance(event, OrderRefused) and event.code not in HELD_BACK:
                self._breakers.refused()

    def close_at_last(self) -> None:
        """Let the paper broker fill closing orders from the last known price, and say how old that is."""
        if self._paper is None:
            return
        answers = self._paper.close_at_last(self._desk.at_ns)
        for symbol in dict.fromkeys(answer.symbol for answer in answers if isinstance(answer, Fill)):
            age_ns = self._desk.at_ns - self._desk.state.symbols[symbol].last_ns
            text = f"closed at the last known price, {age_ns // SECOND} s old"
            self._desk.emit(FeedNoted(self._desk.at_ns, symbol, "LAST_PRICE", text, age_ns))
        for answer in answers:
            self.answer(answer)

    def _fill(self, fill: Fill) -> None:
        """Book it, unless it cannot be: then it is held apart."""
        order = self.blotter.claim(fill)
        if order is None:
            return
        flaw = senseless(fill, order) or incredible(fill, order, self._prices(order))
        if flaw:
            self.reconciliation.hold(fill, flaw)
        else:
            self._book(order, fill)

    def _prices(self, order: Order) -> tuple[int, ...]:
        """What a venue's fill of `order` can be judged by: the newest price, and the one the order was sent at."""
        known = self._desk.state.symbols.get(order.symbol)
        return () if self._paper is not None else (known.last if known else 0, order.expected)

    def _book(self, order: Order, fill: Fill) -> None:
        """Book a fill, move its order on (which may end the signal), close the trade or protect what is open."""
        self.holdings.book(order, fill)
        self.exits.filled(order, fill)
        self.blotter.fill(order, fill)
        self.holdings.close_if_flat(fill.symbol)
        self.exits.protect(fill.symbol)
        self._breakers.watch_equity()
        self._desk.watch_heat()
        self._breakers.filled(order, fill)

    def _liquidation(self, event: Liquidation) -> None:
        """The broker closes a position itself: its order is ours to book, and nothing is entered any more."""
        order = self.exits.adopt(event)
        equity, margin = money.text(event.equity, 2), money.text(event.margin, 2)
        text = f"{event.symbol}: equity {equity} fell below the maintenance margin {margin}"
        self._desk.emit(
            AccountLiquidated(event.at_ns, event.symbol, order.order_id, event.qty, event.equity, event.margin, text)
        )
        self._desk.alert(AlertKind.LIQUIDATION, text)
        self._safety.block(BlockReason.LIQUIDATION, text)

    def _ended(self, order: Order, code: str, text: str) -> None:
        if order.purpose is Purpose.ENTRY:
            self.entries.settle(order, code, text)
        self.exits.ended(order)

    def leave(self, holding: Holding, wish: ExitWish) -> None:
        """Close a holding because its strategy wishes it; the wish is recorded once."""
        if holding.leaving is None:
            self._decided(holding, Decision.EXIT, wish.text)
        self.exits.exit(holding.symbol, ExitReason.STRATEGY)

    def hold(self, symbol: str) -> None:
        """Record, once a closed bar, that a strategy keeps what it has, and how that stands."""
        holding = self._desk.state.holdings.get(symbol)
        if holding is None or holding.leaving is not None:
            return
        stop, target = (money.text(level) if level else "none" for level in (holding.stop, holding.target))
        unrealized = money.text(self._desk.unrealized_of(symbol), 2)
        self._decided(holding, Decision.HOLD, f"stop {stop}, target {target}, unrealized {unrealized}")

    def _decided(self, holding: Holding, decision: Decision, text: str) -> None:
        self._desk.emit(StrategyDecided(self._desk.at_ns, holding.strategy_id, holding.symbol, decision, text))

    def due(self) -> None:
        """Cancel what outlived its deadline, close the holdings that outlived their time, compare the books."""
        self.blotter.due()
        self.exits.due()
        self.reconciliation.due()

    def next_due_ns(self) -> int:
        """The earliest deadline of an order, a holding or a comparison; 0 if there is none."""
        times = self.blotter.next_due_ns(), self.exits.next_due_ns(), self.reconciliation.next_due_ns
        return min((at_ns for at_ns in times if at_ns), default=0)
