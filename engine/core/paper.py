"""The paper broker: answers orders from market data alone, with its own books, pessimistic where it cannot know.

Rules (docs/execution-model.md explains them):
- An order or cancel takes effect a drawn latency after it was sent, and never meets data stamped before that.
- A taker walks what is displayed and remembers what it took; what is not displayed is never filled.
- A resting order waits behind the size displayed at its price. Trades at the price move the queue; a trade through it,
  or an opposite side that crosses it, reaches the order. No fill is larger than the quantity that traded or showed.
- Without fresh quotes or books, trades and bars fill at their (opening) price with drawn, always adverse slippage, for
  at most a share of their volume; a resting order only where the price went through it, and then at its limit.

The broker never reads a clock: it acts when an event or `advance` tells it the time.
"""

from bisect import insort
from collections.abc import Mapping
from typing import Final

import msgspec

from engine.core import draw, money
from engine.core.config import SECOND, Instrument, PaperModel
from engine.core.events import (
    Bar,
    Book,
    BrokerEvent,
    CancelRefused,
    OrderAccepted,
    OrderRefused,
    Quote,
    Trade,
)
from engine.core.execution import Execution, WorkingOrder, WorkingOrders
from engine.core.facts import Cancel, Submit
from engine.core.liquidity import MarketMemory
from engine.core.paper_ledger import PaperLedger, notional
from engine.core.words import OrderKind, ReasonCode, TimeInForce

LEVERAGE_MAX: Final = 20
"""Positions and open entry orders together may be this many times the account's equity."""

BAR_GRACE_NS: Final = SECOND
"""An order that arrives this soon after a bar's start was decided on the bar before, so this bar may fill it."""


class Arrival(msgspec.Struct):
    """A message on its way to the broker: a submit or a cancel, in force at `due_ns`."""

    due_ns: int
    number: int
    submit: Submit | None = None
    cancel: Cancel | None = None


class PaperState(msgspec.Struct):
    """Everything a paper broker remembers; a snapshot of it, decoded, goes on exactly where it was.

    `working` holds by symbol the working orders by id in order of arrival (no entry for a symbol without one),
    `pending` the messages on their way, earliest first, `submitted` counts the submits ever made.
    """

    ledger: PaperLedger
    market: MarketMemory = msgspec.field(default_factory=MarketMemory)
    working: WorkingOrders = {}
    pending: list[Arrival] = []
    submitted: int = 0


def opening_state(cash: int) -> PaperState:
    """A new account with `cash` and nothing else."""
    return PaperState(PaperLedger(cash))


class PaperBroker:
    """A broker in memory: `submit` and `cancel` take messages, `on_market` and `advance` give its answers, in order.

    `next_due_ns` is when the next message arrives (0: none is on its way); call `advance` no later than the first
    event at or after it. Times must not decrease from call to call.
    """

    def __init__(self, instruments: Mapping[str, Instrument], model: PaperModel, seed: int, state: PaperState) -> None:
        self.state = state
        self.next_due_ns = state.pending[0].due_ns if state.pending else 0
        self._instruments = instruments
        self._model = model
        self._seed = seed
        self._market = state.market
        self._working = state.working
        self._execution = Execution(instruments, model, seed, state.market, state.ledger, state.working)

    def submit(self, order: Submit, at_ns: int) -> None:
        """Send `order` at `at_ns`; it arrives after the latency drawn for it."""
        self.state.submitted += 1
        number = self.state.submitted
        self._send(Arrival(at_ns + self._latency("submit", number), number, submit=order))

    def cancel(self, order: Cancel, at_ns: int) -> None:
        """Send a cancel at `at_ns`; it never overtakes the submit of the same order."""
        number, not_before_ns = self._find(order)
        due_ns = max(at_ns + self._latency("cancel", number), not_before_ns)
        self._send(Arrival(due_ns, number, cancel=order))

    def on_market(self, event: Quote | Trade | Book | Bar) -> list[BrokerEvent]:
        """Answers to whatever is due by `event.at_ns`, then the fills `event` causes. Backfilled bars fill nothing."""
        answers = self.advance(event.at_ns) if 0 < self.next_due_ns <= event.at_ns else []
        market, symbol = self._market, event.symbol
        if isinstance(event, Quote):
            market.quotes[symbol] = event
            if symbol in market.consumed:
                market.renew(event)
            if symbol in self._working:
                answers += self._execution.on_touch(event)
        elif isinstance(event, Trade):
            market.trades[symbol] = event
            if symbol in self._working:
                answers += self._execution.on_trade(event)
        elif isinstance(event, Book):
            market.books[symbol] = event
            if symbol in market.consumed:
                market.renew(event)
            if symbol in self._working:
                answers += self._execution.on_touch(event)
        elif not event.backfilled:
            market.bars[symbol] = event
            if symbol in self._working:
                answers += self._execution.on_bar(event)
        return answers

    def advance(self, at_ns: int) -> list[BrokerEvent]:
        """Answers to whatever arrives by `at_ns`, each stamped with the time it arrived."""
        answers: list[BrokerEvent] = []
        pending = self.state.pending
        while pending and pending[0].due_ns <= at_ns:
            arrival = pending.pop(0)
            if arrival.submit is not None:
                answers += self._arrive(arrival.submit, arrival.number, arrival.due_ns)
            if arrival.cancel is not None:
                answers += self._withdraw(arrival.cancel, arrival.due_ns)
        self.next_due_ns = pending[0].due_ns if pending else 0
        return answers

    def on_funding(self, symbol: str, rate: int, mark: int) -> int:
        """Settle funding at `rate` (fraction of notional at `mark`) on the own position; the amount paid."""
        return self.state.ledger.settle(self._instruments[symbol], rate, mark)

    def equity(self) -> int:
        """Cash and positions at the newest known prices."""
        return self.state.ledger.equity(self._instruments, self._market.mark)

    # --- messages on their way ---

    def _latency(self, what: str, number: int) -> int:
        return draw.between(self._model.latency_ns_min, self._model.latency_ns_max, self._seed, what, number)

    def _send(self, arrival: Arrival) -> None:
        insort(self.state.pending, arrival, key=lambda sent: sent.due_ns)  # equal times keep the order of sending
        self.next_due_ns = self.state.pending[0].due_ns

    def _find(self, cancel: Cancel) -> tuple[int, int]:
        """Number of the order `cancel` names, and when its submit arrives if that is still on its way.

        (0, 0) if no order is known by that id.
        """
        if (working := self._working.get(cancel.symbol, {}).get(cancel.order_id)) is not None:
            return working.number, 0
        for arrival in self.state.pending:
            if arrival.submit is not None and arrival.submit.order_id == cancel.order_id:
                return arrival.number, arrival.due_ns
        return 0, 0

    def _withdraw(self, cancel: Cancel, at_ns: int) -> list[BrokerEvent]:
        working = self._working.get(cancel.symbol, {}).get(cancel.order_id)
        if working is None:
            return [CancelRefused(cancel.order_id, at_ns, ReasonCode.UNKNOWN_ORDER.value, "no such working order")]
        return self._execution.end(working, at_ns, "requested")

    def _arrive(self, order: Submit, number: int, at_ns: int) -> list[BrokerEvent]:
        refusal = self._refusal(order)
        if refusal is not None:
            return [OrderRefused(order.order_id, at_ns, refusal[0].value, refusal[1])]
        working = WorkingOrder(order, number, at_ns)
        self._working.setdefault(order.symbol, {})[order.order_id] = working
        answers: list[BrokerEvent] = [OrderAccepted(order.order_id, at_ns, f"paper-{number}")]
        if order.reduce_only and not self._execution.reducible(working):
            return answers + self._execution.end(working, at_ns, "reduce_only")
        return answers + self._execution.arrive(working, at_ns, at_ns)

    # --- checks on arrival ---

    def _refusal(self, order: Submit) -> tuple[ReasonCode, str] | None:
        """Why `order` is refused, or None if it may work. First reason wins."""
        instrument = self._instruments.get(order.symbol)
        if instrument is None:
            return ReasonCode.SYMBOL_NOT_ALLOWED, f"{order.symbol} is not traded here"
        if order.order_id in self._working.get(order.symbol, {}):
            return ReasonCode.DUPLICATE, f"{order.order_id} is already working"
        return _form_refusal(order, instrument) or self._value_refusal(order, instrument)

    def _value_refusal(self, order: Submit, instrument: Instrument) -> tuple[ReasonCode, str] | None:
        if order.reduce_only:
            return None
        price = order.price or self._market.mark(order.symbol)
        if price == 0:
            return ReasonCode.NO_PRICE, f"no price is known for {order.symbol}"
        value = abs(notional(instrument, order.qty, price))
        if value < instrument.min_notional:
            return (
                ReasonCode.BELOW_MIN_NOTIONAL,
                f"notional {money.text(value)} is below {money.text(instrument.min_notional)}",
            )
        held = self.state.ledger.qty(order.symbol)
        added = abs(held + order.qty) - abs(held)
        if added <= 0:
            return None  # getting out stays possible
        exposure = self._exposure() + notional(instrument, added, price)
        limit = self.equity() * LEVERAGE_MAX
        if exposure > limit:
            return ReasonCode.MARGIN, f"exposure {money.text(exposure)} would pass {money.text(limit)}"
        return None

    def _exposure(self) -> int:
        """Gross value of all positions, and of all working orders that are not reduce-only as if they filled."""
        total = 0
        for symbol, position in self.state.ledger.positions.items():
            total += abs(notional(self._instruments[symbol], position.qty, self._market.mark(symbol)))
        for symbol, orders in self._working.items():
            for working in orders.values():
                if not working.order.reduce_only:
                    price = working.order.price or self._market.mark(symbol)
                    total += notional(self._instruments[symbol], working.rest, price)
        return total


def _form_refusal(order: Submit, instrument: Instrument) -> tuple[ReasonCode, str] | None:
    """What is wrong with the order itself: its quantity, its price, its kind."""
    qty = abs(order.qty)
    if qty == 0:
        return ReasonCode.ZERO_SIZE, "quantity is zero"
    if qty % instrument.lot:
        return ReasonCode.VENUE_REFUSED, f"quantity {money.text(qty)} is no multiple of {money.text(instrument.lot)}"
    if qty > instrument.max_qty:
        return ReasonCode.ABOVE_MAX_QTY, f"quantity {money.text(qty)} is above {money.text(instrument.max_qty)}"
    if qty < instrument.min_qty and not order.reduce_only:
        return ReasonCode.BELOW_MIN_QTY, f"quantity {money.text(qty)} is below {money.text(instrument.min_qty)}"
    if order.kind is OrderKind.MARKET:
        if order.price != 0 or order.tif is TimeInForce.POST_ONLY:
            return ReasonCode.VENUE_REFUSED, "a market order has no price and cannot be post-only"
        return None
    if order.price <= 0 or order.price % instrument.tick:
        return (
            ReasonCode.VENUE_REFUSED,
            f"price {money.text(order.price)} is no positive multiple of {money.text(instrument.tick)}",
        )
    return None
