"""The desk's working orders: sent, amended, taken back, and moved by what the broker answers. Every step is a fact.

An order is in `state.orders` while it works and among the newest `state.ended_orders` afterwards, for late fills. While
the outcome of any order is unknown, nothing new is entered. One that waits for an answer too long is told, once.
"""

from collections.abc import Callable
from typing import Any, Final

from engine.core import money
from engine.core.config import SECOND
from engine.core.desk import Desk
from engine.core.events import (
    AmendRefused,
    CancelRefused,
    Fill,
    OrderAccepted,
    OrderAmended,
    OrderCanceled,
    OrderExpired,
    OrderMissing,
    OrderRefused,
    OutcomeUnknown,
)
from engine.core.facts import (
    Amend,
    AmendRequested,
    Cancel,
    OrderStuck,
    Query,
    Submit,
)
from engine.core.orders import AMENDABLE, Order, Terms, Trigger
from engine.core.paper import PaperBroker
from engine.core.safety import Safety
from engine.core.words import HELD_BACK, AlertKind, BlockReason, OrderKind, OrderState, Purpose

ENDED_ORDERS_KEPT: Final = 500
FILL_IDS_KEPT: Final = 5_000
CANCEL_RETRY_NS: Final = 5 * SECOND
"""An order the desk wants back and that works still is asked for again after so long, until it has ended."""

OrderAnswer = (
    OrderAccepted
    | OrderRefused
    | OrderCanceled
    | OrderExpired
    | CancelRefused
    | OrderAmended
    | AmendRefused
    | OutcomeUnknown
    | OrderMissing
)
"""What a broker may say of an order, fills apart."""

TRIGGERS: Final = {
    OrderAccepted: Trigger.ACCEPT,
    OrderRefused: Trigger.REFUSED,
    OrderCanceled: Trigger.CANCELED,
    OrderExpired: Trigger.EXPIRED,
    CancelRefused: Trigger.CANCEL_REFUSED,
    OrderAmended: Trigger.AMENDED,
    AmendRefused: Trigger.AMEND_REFUSED,
    OutcomeUnknown: Trigger.UNKNOWN,
    OrderMissing: Trigger.MISSING,
}


class Blotter:
    """The orders of one desk. `paper` is None when they leave to a venue's broker.

    Attributes:
        ended: Told of every order that has just ended, with the broker's code and text ("" after a fill).
        settled: Told when the last order of unknown outcome is known.
    """

    def __init__(self, desk: Desk, safety: Safety, paper: PaperBroker | None) -> None:
        self._desk = desk
        self._safety = safety
        self._paper = paper
        self.ended: Callable[[Order, str, str], None]
        self.settled: Callable[[], None]

    # --- to the broker ---

    def send(self, order: Order) -> None:
        """The intent, then the order: to the paper broker at once, to a venue once the intent is durable."""
        state = self._desk.state
        state.orders[order.order_id] = order
        state.tally.orders += 1
        state.day_orders += 1
        leaves = order.purpose is Purpose.ENTRY or order.kind is OrderKind.MARKET
        state.pace.message(state.at_ns, is_order=leaves)
        self._move(order, Trigger.SUBMIT)
        submit = Submit(
            order_id=order.order_id,
            symbol=order.symbol,
            qty=order.qty,
            kind=order.kind,
            tif=order.tif,
            price=order.price,
            reduce_only=order.reduce_only,
            stop_price=order.stop_price,
        )
        if self._paper is not None:
            self._paper.submit(submit, state.at_ns)
        else:
            self._desk.emit(submit)

    def adopt(self, order: Order) -> None:
        """An order the broker made itself works now."""
        self._desk.state.orders[order.order_id] = order
        self._desk.state.tally.orders += 1
        self._move(order, Trigger.SUBMIT)
        self._move(order, Trigger.ACCEPT)

    def cancel(self, order: Order, why: str) -> None:
        """Ask the broker to take the order back; nothing if it has ended or is being cancelled already."""
        if order.ended or order.state is OrderState.PENDING_CANCEL:
            return
        order.cancel_reason = why
        self._desk.state.pace.message(self._desk.at_ns)
        self._move(order, Trigger.CANCEL_SENT)
        cancel = Cancel(order.order_id, order.symbol)
        if self._paper is not None:
            self._paper.cancel(cancel, self._desk.at_ns)
        else:
            self._desk.emit(cancel)

    def amend(self, order: Order, terms: Terms, why: str) -> None:
        """Ask the broker for other terms, unless that is on its way, refused already, or the order is ending."""
        if order.asked is not None or order.cancel_reason or order.state not in AMENDABLE:
            return
        if terms in (order.terms, order.refused):
            return
        state = self._desk.state
        order.move(Trigger.AMEND_SENT)
        order.asked, order.since_ns = terms, state.at_ns
        order.grown_qty = max(order.grown_qty, abs(terms.qty), abs(order.qty))
        state.pace.message(state.at_ns)
        self._desk.emit(
            AmendRequested(
                at_ns=state.at_ns,
                order_id=order.order_id,
                signal_id=order.signal_id,
                symbol=order.symbol,
                qty=terms.qty,
                price=terms.price,
                stop_price=terms.stop_price,
                text=why,
            )
        )
        amend = Amend(order.order_id, order.symbol, terms.qty, terms.price, terms.stop_price)
        if self._paper is not None:
            self._paper.amend(amend, state.at_ns)
        else:
            self._desk.emit(amend)

    def cancel_all_open_orders(self, why: str) -> None:
        """Cancel every working order, protective ones included."""
        for order in list(self._desk.state.orders.values()):
            self.cancel(order, why)

    def cancel_entries(self, why: str, symbol: str = "") -> None:
        """Cancel every working order that adds risk, in one symbol or in all; what protects a position stays."""
        for order in self._desk.entries():
            if symbol in ("", order.symbol):
                self.cancel(order, why)

    def cancel_symbol(self, symbol: str, why: str) -> None:
        """Cancel every working order in `symbol`."""
        for order in list(self._desk.state.orders.values()):
            if order.symbol == symbol:
                self.cancel(order, why)

    def due(self) -> None:
        """Cancel what has outlived its deadline, and again what was to end; tell what has waited too long, once."""
        at_ns = self._desk.at_ns
        for order in list(self._desk.state.orders.values()):
            if order.deadline_ns and at_ns >= order.deadline_ns:
                order.deadline_ns = 0
                self.cancel(order, "its time was up")
            elif 0 < _cancel_again_ns(order) <= at_ns:
                self.cancel(order, order.cancel_reason)
            if 0 < self._stuck_ns(order) <= at_ns:
                self._tell_stuck(order)

    def next_due_ns(self) -> int:
        """The earliest time at which a working order is due for something; 0 if there is none."""
        orders = self._desk.state.orders.values()
        times = (time for o in orders for time in (o.deadline_ns, _cancel_again_ns(o), self._stuck_ns(o)) if time)
        return min(times, default=0)

    def _stuck_ns(self, order: Order) -> int:
        """When a wait for an answer becomes too long; 0: the order waits for none, or it was told already."""
        return order.since_ns + self._desk.config.stuck_order_ns if order.awaits and not order.stuck else 0

    def _tell_stuck(self, order: Order) -> None:
        """Say that no answer came, ask the venue what it knows, and give an unanswered amend up."""
        state = self._desk.state
        order.stuck = True
        state.tally.stuck += 1
        waited = f"{order.symbol} {order.order_id} has waited in {order.state} for an answer"
        self._desk.emit(
            OrderStuck(state.at_ns, order.order_id, order.symbol, order.purpose, order.state, order.since_ns)
        )
        self._desk.alert(AlertKind.STUCK_ORDER, waited)
        if self._paper is None:
            self._desk.emit(Query(order.order_id, order.symbol))
        if order.asked is not None:
            order.asked = None
            if order.is_whole:
                self._step(order, Trigger.FULL_FILL)

    # --- from the broker ---

    def answer(self, event: OrderAnswer) -> Order | None:
        """Take what the broker says of an order; `claim` and `fill` take its fills. The order, if it was working."""
        state = self._desk.state
        order = state.orders.get(event.client_order_id)
        if order is None:
            self._arrived_after_all(event)
            return None  # an answer about an order that has ended changes nothing: a repeat or a race lost
        code = getattr(event, "code", "") or getattr(event, "reason", "")
        text = getattr(event, "text", "")
        trigger = TRIGGERS[type(event)]
        if isinstance(event, OrderAccepted):
            order.venue_order_id = event.venue_order_id or order.venue_order_id
        elif isinstance(event, OrderAmended):
            order.take(Terms(event.qty, event.price, event.stop_price))
            order.asked = None
        elif isinstance(event, AmendRefused):
            order.refused, order.asked = order.asked or order.refused, None
        elif isinstance(event, CancelRefused) and self._paper is None:
            self._desk.emit(Query(order.order_id, order.symbol))  # filled, gone or still working: only evidence tells
        if trigger in (Trigger.AMENDED, Trigger.AMEND_REFUSED) and order.is_whole:
            trigger = Trigger.FULL_FILL
        self._step(order, trigger, code, text)
        if order.state is OrderState.REJECTED and code not in ("", *HELD_BACK):
            state.tally.rejects += 1  # an order that never reached the broker, or was held back, is none it refused
            state.day_rejects += 1
        return order

    def _arrived_after_all(self, event: OrderAnswer) -> None:
        """An order that was given up as never arrived is at the venue: take it back. Its fills are booked as late."""
        ended = self._desk.state.ended_orders.get(event.client_order_id)
        if not isinstance(event, OrderAccepted) or ended is None or ended.state is not OrderState.REJECTED:
            return
        if self._paper is None:
            text = f"{ended.symbol} {ended.order_id} was given up and has arrived after all; it is being cancelled"
            self._desk.alert(AlertKind.LATE_ORDER, text)
            self._desk.emit(Cancel(ended.order_id, ended.symbol))

    def claim(self, fill: Fill) -> Order | None:
        """The order `fill` belongs to; None if the fill is known already, or is no order's, which stops new entries."""
        state = self._desk.state
        if fill.fill_id in state.fills_seen or fill.fill_id in state.held_fills:
            return None  # known by its id, booked once
        state.fills_seen[fill.fill_id] = None
        _trim(state.fills_seen, FILL_IDS_KEPT)
        order = self.find(fill.client_order_id)
        if order is None:
            text = f"fill {fill.fill_id} belongs to no order of this desk"
            self._desk.fail("fills", text, "unknown-fill")
            self._safety.block(BlockReason.RECONCILIATION, text)
            self._desk.alert(AlertKind.UNKNOWN_FILL, text)
        return order

    def find(self, order_id: str) -> Order | None:
        """An order that works, or that ended not long ago."""
        state = self._desk.state
        return state.orders.get(order_id) or state.ended_orders.get(order_id)

    def fill(self, order: Order, fill: Fill) -> None:
        """Count a claimed fill on its order; one that had ended stays as it was, and an alert says so."""
        late = order.ended
        order.filled_qty += fill.qty
        order.filled_value += money.mul(fill.price, fill.qty)
        if late:
            self._desk.alert(AlertKind.LATE_FILL, f"{fill.fill_id} after {order.state}")
            return
        if order.asked is not None and abs(order.qty) < abs(order.filled_qty) <= abs(order.asked.qty):
            order.take(order.asked)  # who fills more has taken the amend that is on its way
        self._step(order, Trigger.FULL_FILL if order.is_whole else Trigger.PART_FILL)

    def doubt_all(self) -> None:
        """After a restart only the venue knows what became of the working orders: ask it for each."""
        for order in list(self._desk.state.orders.values()):
            order.asked = None
            self.answer(OutcomeUnknown(order.order_id, self._desk.at_ns, "the desk was restarted"))

    # --- the record ---

    def _step(self, order: Order, trigger: Trigger, code: str = "", text: str = "") -> None:
        """Move an order on, and say so if that was its end."""
        self._move(order, trigger, code, text)
        if order.ended:
            self.ended(order, code, text)

    def _move(self, order: Order, trigger: Trigger, code: str = "", text: str = "") -> None:
        """Apply a transition, record it, file the order where it now belongs, and stop entries while in doubt."""
        state = self._desk.state
        previous = order.move(trigger)
        state.comparison.touched[order.symbol] = state.at_ns
        if order.state is not previous:
            order.since_ns, order.stuck = state.at_ns, False
        self._desk.stakes.follow(order)
        self._desk.emit(order.changed(previous, state.at_ns, code, text))
        if order.ended:
            state.ended_orders[order.order_id] = state.orders.pop(order.order_id)
            _trim(state.ended_orders, ENDED_ORDERS_KEPT)
        if order.state is OrderState.UNKNOWN and (trigger is Trigger.UNKNOWN or previous is not OrderState.UNKNOWN):
            self._safety.block(BlockReason.UNKNOWN_ORDER, f"outcome of order {order.order_id} unknown")
            self._desk.emit(Query(order.order_id, order.symbol))
        elif previous is OrderState.UNKNOWN and not self._in_doubt():
            self._safety.unblock(BlockReason.UNKNOWN_ORDER, "every order's outcome is known")
            self.settled()

    def _in_doubt(self) -> bool:
        return any(order.state is OrderState.UNKNOWN for order in self._desk.state.orders.values())


def _cancel_again_ns(order: Order) -> int:
    """When to ask again for an order the desk wants back and that works still; 0: never."""
    return order.since_ns + CANCEL_RETRY_NS if order.cancel_reason and order.state in AMENDABLE else 0


def _trim(entries: dict[str, Any], kept: int) -> None:
    """Forget the oldest entries beyond `kept`."""
    while len(entries) > kept:
        del entries[next(iter(entries))]
