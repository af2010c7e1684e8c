"""How an operator takes the broker's side of a discrepancy into the desk's books: by name, with a reason, on record."""

from collections.abc import Callable
from typing import Final

from engine.core import money
from engine.core.believing import senseless
from engine.core.blotter import Blotter
from engine.core.desk import Desk
from engine.core.events import BrokerEvent, Fill, OrderCanceled, Role
from engine.core.orders import Order
from engine.core.reconciliation import REQUEST, Reconciliation
from engine.core.state import Suspect
from engine.core.words import ExitReason, OrderKind, Purpose, TimeInForce

ADOPTED: Final = "adopted"


class Adoption:
    """Adopts for one desk.

    Args:
        answer: Takes what is adopted as an answer of the broker.
        book: Books a fill of an order, unasked.
    """

    def __init__(
        self,
        desk: Desk,
        blotter: Blotter,
        reconciliation: Reconciliation,
        answer: Callable[[BrokerEvent], None],
        book: Callable[[Order, Fill], None],
    ) -> None:
        self._desk = desk
        self._blotter = blotter
        self._reconciliation = reconciliation
        self._answer = answer
        self._book = book
        self._ways: dict[str, Callable[[str, Suspect], str]] = {
            "position": self._position,
            "cash": self._cash,
            "fill": self._fill,
            "missing_order": self._missing_order,
        }

    def adopt(self, discrepancy_id: str, reason: str, actor: str) -> tuple[bool, str]:
        """Take the broker's side of a discrepancy, or say why that cannot be."""
        suspects = self._desk.state.comparison.suspects
        found = next((key for key, suspect in suspects.items() if suspect.id == discrepancy_id), None)
        if found is None:
            standing = ", ".join(suspect.id for suspect in suspects.values() if suspect.id) or "none"
            return False, f"no discrepancy {discrepancy_id!r} stands; there are: {standing}"
        kind, _, subject = found.partition(" ")
        suspect, way = suspects[found], self._ways.get(kind)
        refusal = way(subject, suspect) if way else "the desk never sent it"
        if refusal:
            return False, f"{found} cannot be adopted: {refusal}; settle it at the broker, then reconcile again"
        self._reconciliation.resolve(found, f"{ADOPTED}: {reason}", actor)
        self._reconciliation.ask(REQUEST)
        return True, f"{found} adopted: {suspect.theirs} instead of {suspect.ours}"

    # Each way does it, or gives the reason why it cannot.

    def _cash(self, _: str, suspect: Suspect) -> str:
        comparison = self._desk.state.comparison
        comparison.cash_base = (comparison.cash_base or 0) + money.parse(suspect.theirs) - money.parse(suspect.ours)
        return ""

    def _fill(self, fill_id: str, _: Suspect) -> str:
        """Book a fill that was held apart, as the broker told it."""
        fill = self._desk.state.held_fills[fill_id]
        order = self._blotter.find(fill.client_order_id)
        if order is None:
            return "its order ended too long ago"
        flaw = senseless(fill, order)
        if not flaw:
            self._book(order, fill)
        return flaw

    def _missing_order(self, order_id: str, _: Suspect) -> str:
        """The order does not work at the broker: it has ended, with what was filled."""
        self._answer(OrderCanceled(order_id, self._desk.at_ns, ADOPTED))
        return ""

    def _position(self, symbol: str, suspect: Suspect) -> str:
        """Book what is missing as a fill of an order of its own, at the newest price, without a fee."""
        delta = money.parse(suspect.theirs) - money.parse(suspect.ours)
        price = self._desk.mark(symbol, -delta)
        if not price:
            return f"no price of {symbol} is known"
        order = self._order(symbol, delta, price, f"{suspect.id}-a")
        self._blotter.adopt(order)
        at_ns, fill_id = self._desk.at_ns, f"{order.order_id}-fill"
        self._answer(Fill(fill_id, order.order_id, symbol, at_ns, at_ns, delta, price, 0, Role.TAKER, ADOPTED, ADOPTED))
        return ""

    def _order(self, symbol: str, qty: int, price: int, order_id: str) -> Order:
        holding = self._desk.state.holdings.get(symbol)
        if holding is not None:
            holding.exit_reason = holding.leaving = ExitReason.FORCE_CLOSE
        return Order(
            order_id=order_id,
            signal_id=holding.signal_id if holding else "",
            strategy_id=holding.strategy_id if holding else "",
            symbol=symbol,
            purpose=Purpose.CLOSE,
            kind=OrderKind.MARKET,
            tif=TimeInForce.GTC,
            qty=qty,
            price=0,
            reduce_only=True,
            expected=price,
            placed_ns=self._desk.at_ns,
            exit_reason=ExitReason.FORCE_CLOSE,
        )
