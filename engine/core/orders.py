"""One order's life: its states, the events that move it, and the table of what is possible.

An unlisted pair is a bug and raises. Answers may be lost, repeated or reordered on their way, and that is no bug:

- A repeated answer finds its state reached already and changes nothing; a repeated fill is known by its id.
- A fill may overtake the acknowledgement: it is booked, and the acknowledgement is harmless. An amend's answer that
  overtakes it acknowledges the order.
- After the end every answer is dropped (the blotter asks no table then), except a fill: it is booked, marked late and
  told, and the state stays as it was.
- While an amend to a larger quantity is on its way, filling the smaller one is no end yet: its answer decides.
- An older amend's answer that arrives again sets the older terms; whoever wanted others sees that and asks again.
- An order of unknown outcome leaves UNKNOWN by evidence alone. What has fills is CANCELED at worst, never REJECTED.
"""

from enum import StrEnum
from typing import Final

import msgspec

from engine.core import money
from engine.core.facts import OrderChanged
from engine.core.words import ExitReason, OrderKind, OrderState, Purpose, TimeInForce

S = OrderState


class Trigger(StrEnum):
    SUBMIT = "submit"
    ACCEPT = "accept"
    PART_FILL = "part_fill"
    FULL_FILL = "full_fill"
    CANCEL_SENT = "cancel_sent"
    CANCELED = "canceled"
    CANCEL_REFUSED = "cancel_refused"
    AMEND_SENT = "amend_sent"
    AMENDED = "amended"
    AMEND_REFUSED = "amend_refused"
    REFUSED = "refused"
    EXPIRED = "expired"
    UNKNOWN = "unknown"
    MISSING = "missing"


T = Trigger

TRANSITIONS: Final[dict[tuple[OrderState, Trigger], OrderState]] = {
    (S.NEW, T.SUBMIT): S.SUBMITTED,
    (S.SUBMITTED, T.ACCEPT): S.ACCEPTED,
    (S.SUBMITTED, T.PART_FILL): S.PARTIALLY_FILLED,  # a fill may overtake the acknowledgement
    (S.SUBMITTED, T.FULL_FILL): S.FILLED,
    (S.SUBMITTED, T.REFUSED): S.REJECTED,
    (S.SUBMITTED, T.CANCEL_SENT): S.PENDING_CANCEL,
    (S.SUBMITTED, T.CANCELED): S.CANCELED,
    (S.SUBMITTED, T.CANCEL_REFUSED): S.SUBMITTED,
    (S.SUBMITTED, T.AMEND_SENT): S.SUBMITTED,
    (S.SUBMITTED, T.AMENDED): S.ACCEPTED,  # who amends it has it
    (S.SUBMITTED, T.AMEND_REFUSED): S.SUBMITTED,
    (S.SUBMITTED, T.EXPIRED): S.EXPIRED,
    (S.SUBMITTED, T.UNKNOWN): S.UNKNOWN,
    (S.SUBMITTED, T.MISSING): S.REJECTED,
    (S.ACCEPTED, T.ACCEPT): S.ACCEPTED,
    (S.ACCEPTED, T.PART_FILL): S.PARTIALLY_FILLED,
    (S.ACCEPTED, T.FULL_FILL): S.FILLED,
    (S.ACCEPTED, T.CANCEL_SENT): S.PENDING_CANCEL,
    (S.ACCEPTED, T.CANCELED): S.CANCELED,
    (S.ACCEPTED, T.CANCEL_REFUSED): S.ACCEPTED,
    (S.ACCEPTED, T.AMEND_SENT): S.ACCEPTED,
    (S.ACCEPTED, T.AMENDED): S.ACCEPTED,
    (S.ACCEPTED, T.AMEND_REFUSED): S.ACCEPTED,
    (S.ACCEPTED, T.REFUSED): S.REJECTED,  # some venues accept first and refuse afterwards
    (S.ACCEPTED, T.EXPIRED): S.EXPIRED,
    (S.ACCEPTED, T.UNKNOWN): S.UNKNOWN,
    (S.ACCEPTED, T.MISSING): S.UNKNOWN,  # it was there and is not found: no evidence of how it ended
    (S.PARTIALLY_FILLED, T.ACCEPT): S.PARTIALLY_FILLED,
    (S.PARTIALLY_FILLED, T.PART_FILL): S.PARTIALLY_FILLED,
    (S.PARTIALLY_FILLED, T.FULL_FILL): S.FILLED,
    (S.PARTIALLY_FILLED, T.CANCEL_SENT): S.PENDING_CANCEL,
    (S.PARTIALLY_FILLED, T.CANCELED): S.CANCELED,
    (S.PARTIALLY_FILLED, T.CANCEL_REFUSED): S.PARTIALLY_FILLED,
    (S.PARTIALLY_FILLED, T.AMEND_SENT): S.PARTIALLY_FILLED,
    (S.PARTIALLY_FILLED, T.AMENDED): S.PARTIALLY_FILLED,
    (S.PARTIALLY_FILLED, T.AMEND_REFUSED): S.PARTIALLY_FILLED,
    (S.PARTIALLY_FILLED, T.REFUSED): S.CANCELED,
    (S.PARTIALLY_FILLED, T.EXPIRED): S.EXPIRED,
    (S.PARTIALLY_FILLED, T.UNKNOWN): S.UNKNOWN,
    (S.PARTIALLY_FILLED, T.MISSING): S.UNKNOWN,
    (S.PENDING_CANCEL, T.ACCEPT): S.PENDING_CANCEL,
    (S.PENDING_CANCEL, T.PART_FILL): S.PENDING_CANCEL,
    (S.PENDING_CANCEL, T.FULL_FILL): S.FILLED,
    (S.PENDING_CANCEL, T.CANCEL_SENT): S.PENDING_CANCEL,
    (S.PENDING_CANCEL, T.CANCELED): S.CANCELED,
    (S.PENDING_CANCEL, T.CANCEL_REFUSED): S.ACCEPTED,
    (S.PENDING_CANCEL, T.AMENDED): S.PENDING_CANCEL,
    (S.PENDING_CANCEL, T.AMEND_REFUSED): S.PENDING_CANCEL,
    (S.PENDING_CANCEL, T.REFUSED): S.REJECTED,
    (S.PENDING_CANCEL, T.EXPIRED): S.EXPIRED,
    (S.PENDING_CANCEL, T.UNKNOWN): S.UNKNOWN,
    (S.PENDING_CANCEL, T.MISSING): S.REJECTED,
    (S.UNKNOWN, T.ACCEPT): S.ACCEPTED,
    (S.UNKNOWN, T.PART_FILL): S.PARTIALLY_FILLED,
    (S.UNKNOWN, T.FULL_FILL): S.FILLED,
    (S.UNKNOWN, T.CANCEL_SENT): S.UNKNOWN,
    (S.UNKNOWN, T.CANCELED): S.CANCELED,
    (S.UNKNOWN, T.CANCEL_REFUSED): S.UNKNOWN,
    (S.UNKNOWN, T.AMENDED): S.ACCEPTED,
    (S.UNKNOWN, T.AMEND_REFUSED): S.UNKNOWN,
    (S.UNKNOWN, T.REFUSED): S.REJECTED,
    (S.UNKNOWN, T.EXPIRED): S.EXPIRED,
    (S.UNKNOWN, T.UNKNOWN): S.UNKNOWN,
    (S.UNKNOWN, T.MISSING): S.REJECTED,
}

ENDED: Final = frozenset({S.FILLED, S.CANCELED, S.REJECTED, S.EXPIRED})
AMENDABLE: Final = frozenset(state for state, trigger in TRANSITIONS if trigger is T.AMEND_SENT)
AWAITING: Final = frozenset({S.SUBMITTED, S.PENDING_CANCEL, S.UNKNOWN})
"""States that only an answer of the broker ends: nothing should stay in them for long."""


WITH_FILLS: Final = {S.ACCEPTED: S.PARTIALLY_FILLED, S.REJECTED: S.CANCELED}
"""Where the table's answer is another for an order that has fills: what was filled stays filled."""


class IllegalTransition(Exception):
    """An order was moved in a way the table does not know: a bug, so the engine stops."""

    def __init__(self, order_id: str, state: OrderState, trigger: Trigger) -> None:
        super().__init__(f"order {order_id} in {state} cannot take {trigger}")
        self.order_id = order_id


class Terms(msgspec.Struct, frozen=True):
    """What can be amended: the whole quantity (signed, filled part included) and the prices."""

    qty: int
    price: int
    stop_price: int


class Plan(msgspec.Struct, frozen=True):
    """What is to become of an entry's fills: where the holding gets out (0: no such level) and what it was based on."""

    phase: str
    regime: str
    stop: int = 0
    target: int = 0
    hold_ns: int = 0


class Order(msgspec.Struct):
    """One order of the desk. `qty`, `filled_qty` and `filled_value` are signed alike: positive buys."""

    order_id: str
    signal_id: str
    strategy_id: str
    symbol: str
    purpose: Purpose
    kind: OrderKind
    tif: TimeInForce
    qty: int
    price: int
    reduce_only: bool
    expected: int  # the price seen when deciding, for slippage
    placed_ns: int
    deadline_ns: int = 0  # 0: none; then the rest is cancelled
    exit_reason: ExitReason | None = None
    state: OrderState = OrderState.NEW
    filled_qty: int = 0
    filled_value: int = 0
    venue_order_id: str = ""
    cancel_reason: str = ""  # why the desk wanted it back, in words; empty while it does not
    stop_price: int = 0
    plan: Plan | None = None  # of an entry
    asked: Terms | None = None  # by the amend on its way
    refused: Terms | None = None  # by the newest amend that was refused
    since_ns: int = 0  # when it came into its state, or the amend on its way was sent
    stuck: bool = False  # it has waited for an answer longer than the limit
    grown_qty: int = 0  # the largest quantity an amend has asked for, without sign; 0: none was asked for

    @property
    def ended(self) -> bool:
        return self.state in ENDED

    @property
    def awaits(self) -> bool:
        """Whether only an answer of the broker takes it further."""
        return self.state in AWAITING or self.asked is not None

    @property
    def open_qty(self) -> int:
        return self.qty - self.filled_qty

    @property
    def is_whole(self) -> bool:
        """Whether it is filled, also as far as an amend on its way may have made it larger."""
        wanted = max(abs(self.qty), abs(self.asked.qty) if self.asked else 0)
        return abs(self.filled_qty) >= wanted

    @property
    def largest_qty(self) -> int:
        """The most the broker was ever asked to fill, without sign."""
        return max(abs(self.qty), self.grown_qty)

    @property
    def terms(self) -> Terms:
        return Terms(self.qty, self.price, self.stop_price)

    @property
    def average_price(self) -> int:
        return money.div(self.filled_value, self.filled_qty) if self.filled_qty else 0

    def take(self, terms: Terms) -> None:
        """Stand at `terms` from now on."""
        self.qty, self.price, self.stop_price = terms.qty, terms.price, terms.stop_price

    def move(self, trigger: Trigger) -> OrderState:
        """Apply `trigger`; the state before. Raises IllegalTransition for a pair the table does not list."""
        before = self.state
        after = TRANSITIONS.get((before, trigger))
        if after is None:
            raise IllegalTransition(self.order_id, before, trigger)
        if self.filled_qty:
            after = WITH_FILLS.get(after, after)
        self.state = after
        return before

    def changed(self, previous: OrderState, at_ns: int, code: str, text: str) -> OrderChanged:
        """The record of a transition from `previous`, with the broker's code and text."""
        return OrderChanged(
            at_ns=at_ns,
            order_id=self.order_id,
            signal_id=self.signal_id,
            strategy_id=self.strategy_id,
            symbol=self.symbol,
            purpose=self.purpose,
            kind=self.kind,
            tif=self.tif,
            qty=self.qty,
            price=self.price,
            reduce_only=self.reduce_only,
            previous=previous,
            state=self.state,
            filled_qty=self.filled_qty,
            average_price=self.average_price,
            reason_code=code,
            text=text,
            venue_order_id=self.venue_order_id,
            stop_price=self.stop_price,
        )


def slippage(expected: int, qty: int, price: int) -> int | None:
    """What `price` cost beyond `expected`, as a fraction of it; above zero: worse. None: nothing was expected."""
    if not expected:
        return None
    return money.div(price - expected if qty > 0 else expected - price, expected)


def on_tick(price: int, tick: int, qty: int) -> int:
    """A limit price on the tick grid, never worse than asked: down for a buy (`qty` above zero), up for a sell."""
    return money.floor_to(price, tick) if qty > 0 else money.ceil_to(price, tick)
