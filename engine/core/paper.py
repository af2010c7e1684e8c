"""The paper broker: answers orders from market data alone, with its own books, pessimistic where it cannot know.

Rules (docs/execution-model.md explains them):
- An order or cancel takes effect a drawn latency after it was sent, and never meets data stamped before that.
- A taker walks what is displayed and remembers what it took; what is not displayed is never filled.
- A resting order waits behind the size displayed at its price. Trades at the price move the queue; a trade through it,
  or an opposite side that crosses it, reaches the order. No fill is larger than the quantity that traded or showed.
- A stop order waits until the touch of the side it would trade with reaches its stop, then is a market or limit order
  that has just arrived. Where no quotes come, trades and bar extremes fire it.
- An amend that changes a price or adds quantity makes the order arrive anew; one that only takes some off keeps its
  place.
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
    AmendRefused,
    Bar,
    Book,
    BrokerEvent,
    CancelRefused,
    OrderAccepted,
    OrderAmended,
    OrderRefused,
    Quote,
    Trade,
)
from engine.core.execution import Execution, WorkingOrder, WorkingOrders
from engine.core.facts import Amend, Cancel, Submit
from engine.core.liquidity import UNKNOWN_QUEUE, MarketMemory
from engine.core.paper_ledger import PaperLedger, notional
from engine.core.words import OrderKind, ReasonCode, TimeInForce

KNOWN_KEPT: Final = 1_000
"""So many order ids are remembered: one sent again within them never works twice."""

LEVERAGE_MAX: Final = 20
"""Positions and open entry orders together may be this many times the account's equity."""

BAR_GRACE_NS: Final = SECOND
"""An order that arrives this soon after a bar's start was decided on the bar before, so this bar may fill it."""


class Arrival(msgspec.Struct):
    """A message on its way to the broker: a submit, a cancel or an amend, in force at `due_ns`."""

    due_ns: int
    number: int
    submit: Submit | None = None
    cancel: Cancel | None = None
    amend: Amend | None = None


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
    known: dict[str, int] = {}  # the newest ids that arrived, to the number accepted under each; 0: refused


def opening_state(cash: int) -> PaperState:
    """A new account with `cash` and nothing else."""
    return PaperState(PaperLedger(cash))


class PaperBroker:
    """A broker in memory: `submit`, `cancel`, `amend` take messages; `on_market` and `advance` answer, in order.

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

    def amend(self, order: Amend, at_ns: int) -> None:
        """Send an amend at `at_ns`; it overtakes neither the submit nor an earlier amend of the same order."""
        number, not_before_ns = self._find(order)
        due_ns = max(at_ns + self._latency("amend", number), not_before_ns)
        self._send(Arrival(due_ns, number, amend=order))

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
            if arrival.amend is not None:
                answers += self._alter(arrival.amend, arrival.due_ns)
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

    def _find(self, asked: Cancel | Amend) -> tuple[int, int]:
        """Number of the order `asked` names, and when its submit arrives if that is still on its way.

        (0, 0) if no order is known by that id.
        """
        if (working := self._working.get(asked.symbol, {}).get(asked.order_id)) is not None:
            return working.number, 0
        for arrival in self.state.pending:
            if arrival.submit is not None and arrival.submit.order_id == asked.order_id:
                return arrival.number, arrival.due_ns
        return 0, 0

    def _withdraw(self, cancel: Cancel, at_ns: int) -> list[BrokerEvent]:
        working = self._working.get(cancel.symbol, {}).get(cancel.order_id)
        if working is None:
            return [CancelRefused(cancel.order_id, at_ns, ReasonCode.UNKNOWN_ORDER.value, "no such working order")]
        return self._execution.end(working, at_ns, "requested")

    def _alter(self, amend: Amend, at_ns: int) -> list[BrokerEvent]:
        """Change a working order; whichever of a fill, a cancel and an amend arrives first is in force for the rest."""
        working = self._working.get(amend.symbol, {}).get(amend.order_id)
        if working is None:
            return [AmendRefused(amend.order_id, at_ns, ReasonCode.UNKNOWN_ORDER.value, "no such working order")]
        refusal = self._amend_refusal(working, amend)
        if refusal is not None:
            return [AmendRefused(amend.order_id, at_ns, refusal[0].value, refusal[1])]
        before, working.order = working.order, _amended(working.order, amend)
        answers: list[BrokerEvent] = [OrderAmended(amend.order_id, at_ns, amend.qty, amend.price, amend.stop_price)]
        if abs(amend.qty) <= abs(before.qty) and (amend.price, amend.stop_price) == (before.price, before.stop_price):
            return answers
        orders = self._working[amend.symbol]
        orders[amend.order_id] = orders.pop(amend.order_id)  # behind the own orders that came before the amend
        working.arrived_ns, working.met, working.ahead = at_ns, False, UNKNOWN_QUEUE
        return answers + self._execution.arrive(working, at_ns, at_ns)

    def _arrive(self, order: Submit, number: int, at_ns: int) -> list[BrokerEvent]:
        known = self.state.known
        if order.order_id in known:
            return [_repeated(order.order_id, known[order.order_id], at_ns)]
        refusal = self._refusal(order)
        known[order.order_id] = 0 if refusal is not None else number
        if len(known) > KNOWN_KEPT:
            del known[next(iter(known))]
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
        return _form_refusal(order, instrument) or self._value_refusal(order, instrument)

    def _amend_refusal(self, working: WorkingOrder, amend: Amend) -> tuple[ReasonCode, str] | None:
        """Why a working order cannot become what `amend` asks, or None if it can."""
        if amend.qty * working.sign <= abs(working.filled):
            text = f"{money.text(abs(working.filled))} are filled already; cancel the rest instead"
            return ReasonCode.VENUE_REFUSED, text
        if working.fired and amend.stop_price != working.order.stop_price:
            return ReasonCode.VENUE_REFUSED, "its stop was reached already"
        wanted, instrument = _amended(working.order, amend), self._instruments[amend.symbol]
        rest = msgspec.structs.replace(wanted, qty=wanted.qty - working.filled)
        return _form_refusal(wanted, instrument) or self._value_refusal(rest, instrument)

    def _value_refusal(self, order: Submit, instrument: Instrument) -> tuple[ReasonCode, str] | None:
        if order.reduce_only:
            return None
        price = order.price or order.stop_price or self._market.mark(order.symbol)
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
        exposure = self._exposure(order.order_id) + notional(instrument, added, price)
        limit = self.equity() * LEVERAGE_MAX
        if exposure > limit:
            return ReasonCode.MARGIN, f"exposure {money.text(exposure)} would pass {money.text(limit)}"
        return None

    def _exposure(self, but_for: str) -> int:
        """Gross value of all positions, and of the working orders that are not reduce-only as if they filled."""
        total = 0
        for symbol, position in self.state.ledger.positions.items():
            total += abs(notional(self._instruments[symbol], position.qty, self._market.mark(symbol)))
        for symbol, orders in self._working.items():
            for order_id, working in orders.items():
                if not working.order.reduce_only and order_id != but_for:
                    price = working.order.price or working.order.stop_price or self._market.mark(symbol)
                    total += notional(self._instruments[symbol], working.rest, price)
        return total


def _repeated(order_id: str, number: int, at_ns: int) -> BrokerEvent:
    """The answer to an order sent again under its id: the one it got, and nothing happens."""
    if number:
        return OrderAccepted(order_id, at_ns, f"paper-{number}")
    return OrderRefused(order_id, at_ns, ReasonCode.DUPLICATE.value, "it was refused before")


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
    return _price_refusal(order, instrument)


def _price_refusal(order: Submit, instrument: Instrument) -> tuple[ReasonCode, str] | None:
    """What is wrong with the prices of an order of its kind."""
    resting = order.kind in (OrderKind.LIMIT, OrderKind.STOP_LIMIT)
    stops = order.kind in (OrderKind.STOP, OrderKind.STOP_LIMIT)
    if not resting and (order.price != 0 or order.tif is TimeInForce.POST_ONLY):
        return ReasonCode.VENUE_REFUSED, "a market order has no price and cannot be post-only"
    if not stops and order.stop_price != 0:
        return ReasonCode.VENUE_REFUSED, "only a stop order has a stop price"
    for price in (order.price,) * resting + (order.stop_price,) * stops:
        if price <= 0 or price % instrument.tick:
            text = f"price {money.text(price)} is no positive multiple of {money.text(instrument.tick)}"
            return ReasonCode.VENUE_REFUSED, text
    return None


def _amended(order: Submit, amend: Amend) -> Submit:
    return msgspec.structs.replace(order, qty=amend.qty, price=amend.price, stop_price=amend.stop_price)
