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
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from engine.core import draw, money
from engine.core.config import SECOND, Instrument, PaperModel
from engine.core.events import (
    Bar,
    Book,
    BrokerEvent,
    CancelRefused,
    Fill,
    OrderAccepted,
    OrderCanceled,
    OrderRefused,
    Quote,
    Role,
    Trade,
)
from engine.core.facts import Cancel, Submit
from engine.core.liquidity import UNKNOWN_QUEUE, Level, MarketMemory
from engine.core.paper_ledger import PaperLedger, notional
from engine.core.words import OrderKind, ReasonCode, TimeInForce

LEVERAGE_MAX: Final = 20
"""Positions and open entry orders together may be this many times the account's equity."""

BAR_GRACE_NS: Final = SECOND
"""An order that arrives this soon after a bar's start was decided on the bar before, so this bar may fill it."""


class WorkingOrder(msgspec.Struct):
    """An order the broker has accepted. `filled` is signed like the order's quantity.

    Attributes:
        number: Which submit of this ledger it was; keys its draws and its venue order id.
        met: Whether it has been held against the market once; before, it is treated as just arriving.
        ahead: Quantity queued before it at its price, or `UNKNOWN_QUEUE`.
    """

    order: Submit
    number: int
    arrived_ns: int
    filled: int = 0
    fills: int = 0
    met: bool = False
    ahead: int = UNKNOWN_QUEUE

    @property
    def sign(self) -> int:
        return 1 if self.order.qty > 0 else -1

    @property
    def rest(self) -> int:
        """Units still to fill, not negative."""
        return abs(self.order.qty - self.filled)


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
    working: dict[str, dict[str, WorkingOrder]] = {}
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
                answers += self._on_ladder(symbol, event.at_ns, event.venue_ns)
        elif isinstance(event, Trade):
            market.trades[symbol] = event
            if symbol in self._working:
                answers += self._on_trade(event)
        elif isinstance(event, Book):
            market.books[symbol] = event
            if symbol in market.consumed:
                market.renew(event)
            if symbol in self._working:
                answers += self._on_ladder(symbol, event.at_ns, event.venue_ns)
        elif not event.backfilled:
            market.bars[symbol] = event
            if symbol in self._working:
                answers += self._on_bar(event)
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
        return self._end(working, at_ns, "requested")

    def _arrive(self, order: Submit, number: int, at_ns: int) -> list[BrokerEvent]:
        refusal = self._refusal(order)
        if refusal is not None:
            return [OrderRefused(order.order_id, at_ns, refusal[0].value, refusal[1])]
        working = WorkingOrder(order, number, at_ns)
        self._working.setdefault(order.symbol, {})[order.order_id] = working
        answers: list[BrokerEvent] = [OrderAccepted(order.order_id, at_ns, f"paper-{number}")]
        if order.reduce_only and not self._reducible(working):
            return answers + self._end(working, at_ns, "reduce_only")
        return answers + self._on_ladder(order.symbol, at_ns, at_ns, only=working)

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
        exposure, limit = self._exposure_after(order, price), self.equity() * LEVERAGE_MAX
        if exposure > limit:
            return ReasonCode.MARGIN, f"exposure {money.text(exposure)} would pass {money.text(limit)}"
        return None

    def _exposure_after(self, order: Submit, price: int) -> int:
        """Gross value of all positions and entry orders if `order` fills too; what it would close counts once."""
        total = 0
        for symbol, instrument in self._instruments.items():
            held = self.state.ledger.qty(symbol)
            working = self._working.get(symbol, {})
            if not held and not working and symbol != order.symbol:
                continue
            mark = self._market.mark(symbol)
            total += abs(notional(instrument, held, mark))
            for other in working.values():
                if not other.order.reduce_only:
                    total += notional(instrument, other.rest, other.order.price or mark)
        held = self.state.ledger.qty(order.symbol)
        added = max(0, abs(held + order.qty) - abs(held))
        return total + notional(self._instruments[order.symbol], added, price)

    # --- against quotes and books ---

    def _on_ladder(self, symbol: str, at_ns: int, venue_ns: int, only: WorkingOrder | None = None) -> list[BrokerEvent]:
        """Hold working orders of `symbol` (or `only` one) against what is displayed at `at_ns`."""
        answers: list[BrokerEvent] = []
        orders = [only] if only is not None else _by_priority(self._working[symbol])
        for working in orders:
            if not self._works(working):
                continue  # ended by a fill of another order before it
            ladder = self._market.ladder(symbol, working.sign, at_ns)
            if ladder is None:
                return answers
            answers += self._meet(working, ladder, at_ns, venue_ns)
        return answers

    def _meet(self, working: WorkingOrder, ladder: list[Level], at_ns: int, venue_ns: int) -> list[BrokerEvent]:
        order, first = working.order, not working.met
        working.met = True
        reachable = [level for level in ladder if _reaches(order, working.sign, level[0])]
        if reachable and first and order.tif is TimeInForce.POST_ONLY:
            return self._end(working, at_ns, "post_only")
        taking = first or order.kind is OrderKind.MARKET
        answers: list[BrokerEvent] = []
        for price, shown in reachable:
            qty = min(shown, self._room(working))
            if qty == 0:
                break
            self._market.consume(order.symbol, working.sign, price, qty)
            role, at_price = (Role.TAKER, price) if taking else (Role.MAKER, order.price)
            answers += self._fill(working, qty, at_price, role, at_ns, venue_ns, "book")
        return answers + self._after_meeting(working, at_ns)

    def _after_meeting(self, working: WorkingOrder, at_ns: int) -> list[BrokerEvent]:
        """What is left of an order once it met the market: cancelled if it may not rest, else in its queue."""
        if not self._works(working):
            return []
        order = working.order
        if order.tif is TimeInForce.IOC:
            return self._end(working, at_ns, "ioc")
        if order.kind is OrderKind.LIMIT and working.ahead == UNKNOWN_QUEUE:
            working.ahead = self._market.displayed(order.symbol, working.sign, order.price, at_ns)
        return []

    # --- against trades and bars ---

    def _on_trade(self, trade: Trade) -> list[BrokerEvent]:
        """Let `trade` move queues and fill resting orders; together they get no more than traded."""
        answers: list[BrokerEvent] = []
        left = trade.qty
        share = money.mul(trade.qty, self._model.participation_max)
        for working in _by_priority(self._working[trade.symbol]):
            if not self._works(working):
                continue
            if working.met and working.order.kind is OrderKind.LIMIT:
                qty = min(_reached_by(working, trade, left), self._room(working))
                if qty > 0:
                    left -= qty
                    answers += self._fill(
                        working, qty, working.order.price, Role.MAKER, trade.at_ns, trade.venue_ns, "book"
                    )
            elif self._market.ladder(trade.symbol, working.sign, trade.at_ns) is None:
                got, said = self._meet_print(working, trade.price, share, trade.at_ns, trade.venue_ns)
                share -= got
                answers += said
        return answers

    def _on_bar(self, bar: Bar) -> list[BrokerEvent]:
        """Fill from a closed bar what was there when it opened; nothing while quotes, books or trades tell more."""
        if self._market.ticked_within(bar.symbol, bar):
            return []
        answers: list[BrokerEvent] = []
        share = money.mul(bar.volume, self._model.participation_max)
        for working in _by_priority(self._working[bar.symbol]):
            if not self._works(working) or working.arrived_ns > bar.start_ns + BAR_GRACE_NS:
                continue
            if working.order.kind is OrderKind.MARKET or not working.met:
                got, said = self._meet_print(working, bar.open, share, bar.at_ns, bar.at_ns)
                share -= got
                answers += said
            if self._works(working) and working.order.kind is OrderKind.LIMIT and _through(working, bar):
                qty = min(self._lots(working, share), self._room(working))
                if qty > 0:
                    share -= qty
                    answers += self._fill(working, qty, working.order.price, Role.MAKER, bar.at_ns, bar.at_ns, "static")
        return answers

    def _meet_print(
        self, working: WorkingOrder, price: int, share: int, at_ns: int, venue_ns: int
    ) -> tuple[int, list[BrokerEvent]]:
        """Hold an arriving or waiting taker against one printed price; the quantity filled, and the answers."""
        order = working.order
        working.met = True
        passed = order.kind is OrderKind.MARKET or working.sign * price < working.sign * order.price
        if passed and order.tif is TimeInForce.POST_ONLY:
            return 0, self._end(working, at_ns, "post_only")
        qty = min(self._lots(working, share), self._room(working)) if passed else 0
        answers: list[BrokerEvent] = []
        if qty > 0:
            at_price = order.price or self._slipped(working, price)
            answers += self._fill(working, qty, at_price, Role.TAKER, at_ns, venue_ns, "static")
        return qty, answers + self._after_meeting(working, at_ns)

    def _slipped(self, working: WorkingOrder, price: int) -> int:
        """`price` moved against the order by the slippage drawn for it, to the next tick further against it."""
        model, tick = self._model, self._instruments[working.order.symbol].tick
        slip = draw.between(model.slippage_min, model.slippage_max, self._seed, "slippage", working.number)
        moved = price + working.sign * money.mul(price, slip)
        return money.ceil_to(moved, tick) if working.sign > 0 else max(tick, money.floor_to(moved, tick))

    def _lots(self, working: WorkingOrder, qty: int) -> int:
        return money.floor_to(qty, self._instruments[working.order.symbol].lot)

    # --- what happens to an order ---

    def _works(self, working: WorkingOrder) -> bool:
        return working.order.order_id in self._working.get(working.order.symbol, {})

    def _reducible(self, working: WorkingOrder) -> int:
        """Units of the own position an order of this side can close."""
        return max(0, -working.sign * self.state.ledger.qty(working.order.symbol))

    def _room(self, working: WorkingOrder) -> int:
        """Units the order may still fill now."""
        if not self._works(working):
            return 0
        return min(working.rest, self._reducible(working)) if working.order.reduce_only else working.rest

    def _fill(
        self, working: WorkingOrder, qty: int, price: int, role: Role, at_ns: int, venue_ns: int, source: str
    ) -> list[BrokerEvent]:
        """Book `qty` units (above zero) at `price`; the fill, and the end of reduce-only orders left with nothing."""
        order, instrument = working.order, self._instruments[working.order.symbol]
        signed = working.sign * qty
        rate = instrument.maker_fee if role is Role.MAKER else instrument.taker_fee
        fee = money.mul(abs(notional(instrument, signed, price)), rate)
        working.filled += signed
        working.fills += 1
        self.state.ledger.book(instrument, signed, price, fee)
        fill = Fill(
            f"{order.order_id}:{working.fills}",
            order.order_id,
            order.symbol,
            at_ns,
            venue_ns,
            signed,
            price,
            fee,
            role,
            "config",
            source,
        )
        if working.rest == 0:
            self._drop(working)
        return [fill, *self._sweep(order.symbol, at_ns)]

    def _sweep(self, symbol: str, at_ns: int) -> list[BrokerEvent]:
        """Cancel reduce-only orders of `symbol` that have no position left to reduce."""
        idle = [
            working
            for working in self._working.get(symbol, {}).values()
            if working.order.reduce_only and not self._reducible(working)
        ]
        return [answer for working in idle for answer in self._end(working, at_ns, "reduce_only")]

    def _end(self, working: WorkingOrder, at_ns: int, reason: str) -> list[BrokerEvent]:
        self._drop(working)
        return [OrderCanceled(working.order.order_id, at_ns, reason)]

    def _drop(self, working: WorkingOrder) -> None:
        orders = self._working[working.order.symbol]
        del orders[working.order.order_id]
        if not orders:
            del self._working[working.order.symbol]


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


def _by_priority(orders: Mapping[str, WorkingOrder]) -> Sequence[WorkingOrder]:
    """Market orders first, then by price, best first, then by arrival."""
    if len(orders) == 1:
        return list(orders.values())
    priority: Callable[[WorkingOrder], tuple[bool, int]] = lambda working: (  # noqa: E731
        working.order.price != 0,
        -working.sign * working.order.price,
    )
    return sorted(orders.values(), key=priority)


def _reaches(order: Submit, sign: int, level_price: int) -> bool:
    """Whether an order may trade at `level_price` on the opposite side."""
    return order.kind is OrderKind.MARKET or sign * level_price <= sign * order.price


def _reached_by(working: WorkingOrder, trade: Trade, left: int) -> int:
    """Units of `trade` (of which `left` are not yet ours) that reach a resting order, after its queue had its turn."""
    sign, distance = working.sign, working.sign * (trade.price - working.order.price)
    if distance < 0:
        return left  # the price went through: the whole queue was served
    if distance > 0 or trade.side == sign or working.ahead == UNKNOWN_QUEUE:
        return 0
    served = min(working.ahead, left)
    working.ahead -= served
    return left - served


def _through(working: WorkingOrder, bar: Bar) -> bool:
    """Whether `bar` traded strictly through the order's price."""
    return bar.low < working.order.price if working.sign > 0 else bar.high > working.order.price
