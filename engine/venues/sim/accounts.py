"""The accounts of the simulated venue: orders by id, fills, positions and balance, matched by the paper broker.

One account per API key, position mode ONE_WAY, margin in USDT. What an order asks is checked here as the venue checks
it, with the venue's codes; what becomes of it is the paper broker's answer, applied to the order and pushed.
"""

from collections import deque
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import msgspec

from engine.core import money
from engine.core.config import Instrument, PaperModel
from engine.core.events import (
    BrokerEvent,
    CancelRefused,
    Fill,
    FundingRate,
    Liquidation,
    MarketEvent,
    OrderAccepted,
    OrderCanceled,
    OrderRefused,
    Role,
)
from engine.core.facts import Cancel, Submit
from engine.core.paper import PaperBroker
from engine.core.paper_ledger import PaperLedger, notional
from engine.core.paper_state import opening_state
from engine.core.words import OrderKind, TimeInForce
from engine.venues.sim import wire
from engine.venues.sim.wire import Refusal

LEVERAGE_DEFAULT: Final = 20
LEVERAGE_MAX: Final = 125
PRICE_PROTECT: Final = money.parse("0.05")
"""An order price may be this far from the last price, as a fraction."""

CLIENT_ID_MAX: Final = 64
ORDERS_KEPT: Final = 20_000
TRADES_KEPT: Final = 50_000
"""A venue that runs for weeks forgets its oldest ended orders and fills, as real ones do."""


class Status(StrEnum):
    INIT = "INIT"
    NEW = "NEW"
    PART_FILLED = "PART_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    PART_FILLED_CANCELED = "PART_FILLED_CANCELED"
    SYSTEM_CANCELED = "SYSTEM_CANCELED"


WORKING: Final = (Status.INIT, Status.NEW, Status.PART_FILLED)


class VenueOrder(msgspec.Struct):
    """One order. `qty` and `filled` signed, `price` 0 for a market order, `paid` the notional filled, not negative."""

    order_id: str
    client_id: str
    symbol: str
    qty: int
    price: int
    kind: OrderKind
    effect: TimeInForce
    reduce_only: bool
    leverage: int
    created_ns: int
    changed_ns: int
    status: Status = Status.INIT
    filled: int = 0
    paid: int = 0
    fee: int = 0
    realized: int = 0
    reason: str = ""  # for the ledger's reader; the wire has no field for it

    @property
    def works(self) -> bool:
        return self.status in WORKING


class VenueTrade(msgspec.Struct, frozen=True):
    """One fill. `qty` signed; `realized` before the fee."""

    trade_id: str
    order: VenueOrder
    qty: int
    price: int
    fee: int
    realized: int
    role: Role
    at_ns: int


class PositionNote(msgspec.Struct):
    """What the ledger does not say of an open position: which it is and what it has cost and earned so far."""

    position_id: str
    opened_ns: int
    changed_ns: int
    fees: int = 0
    realized: int = 0
    funding: int = 0


class Ask(msgspec.Struct, frozen=True):
    """An order as asked for, in core units. `qty` signed, `price` 0 for a market order."""

    symbol: str
    qty: int
    price: int
    kind: OrderKind
    effect: TimeInForce
    reduce_only: bool
    client_id: str


class Account:
    """One account. `pushes` collects what its private sockets are to be told, oldest first, until someone takes it."""

    def __init__(
        self, instruments: Mapping[str, Instrument], model: PaperModel, seed: int, cash: int, first_id: int
    ) -> None:
        self.instruments = instruments
        self.orders: dict[str, VenueOrder] = {}
        self.working: dict[str, VenueOrder] = {}
        self.trades: deque[VenueTrade] = deque(maxlen=TRADES_KEPT)
        self.leverage: dict[str, int] = {}
        self.notes: dict[str, PositionNote] = {}
        self.books = PaperLedger(cash)
        """Written from the fills alone, so that it can be compared with the broker's."""
        self.pushes: list[tuple[str, VenueOrder | str]] = []
        self._broker = PaperBroker(instruments, model, seed, opening_state(cash))
        self._by_client: dict[str, VenueOrder] = {}
        self._funding: dict[tuple[str, int], FundingRate] = {}
        self._next_id = first_id

    @property
    def broker_ledger(self) -> PaperLedger:
        """The matching engine's own books."""
        return self._broker.state.ledger

    @property
    def busy(self) -> bool:
        """Whether passing time alone can change this account."""
        return self._broker.next_due_ns > 0 or bool(self._funding)

    # --- what a client asks ---

    def place(self, ask: Ask, at_ns: int) -> VenueOrder:
        """Take an order. Raises `Refusal`; otherwise it is on the books as INIT and on its way to matching."""
        self._check(ask)
        order = VenueOrder(
            self._id(),
            ask.client_id,
            ask.symbol,
            ask.qty,
            ask.price,
            ask.kind,
            ask.effect,
            ask.reduce_only,
            self.leverage.get(ask.symbol, LEVERAGE_DEFAULT),
            at_ns,
            at_ns,
        )
        self.orders[order.order_id] = self.working[order.order_id] = order
        if ask.client_id:
            self._by_client[ask.client_id] = order
        self._forget()
        self._broker.submit(
            Submit(order.order_id, ask.symbol, ask.qty, ask.kind, ask.effect, ask.price, ask.reduce_only), at_ns
        )
        return order

    def cancel(self, order: VenueOrder, at_ns: int) -> None:
        """Ask for an order's end. Raises `Refusal` when it no longer works."""
        if not order.works:
            raise Refusal(20007)
        self._broker.cancel(Cancel(order.order_id, order.symbol), at_ns)

    def find(self, order_id: str = "", client_id: str = "") -> VenueOrder:
        """By the venue's id or, without one, the client's. Raises `Refusal` 20007."""
        order = self.orders.get(order_id) if order_id else self._by_client.get(client_id)
        if order is None:
            raise Refusal(20007)
        return order

    def set_leverage(self, symbol: str, leverage: int) -> None:
        """Raises `Refusal` for an unknown symbol or a leverage out of range."""
        if symbol not in self.instruments:
            raise Refusal(20001)
        if not 1 <= leverage <= LEVERAGE_MAX:
            raise Refusal(20005)
        self.leverage[symbol] = leverage

    # --- figures ---

    def unrealized(self, symbol: str) -> int:
        """Of the open position at the newest price; 0 when flat."""
        position = self.books.positions.get(symbol)
        mark = self._mark(symbol)
        if position is None or mark == 0:
            return 0
        return notional(self.instruments[symbol], position.qty, mark) - position.cost

    def margin(self, symbol: str) -> int:
        """What the open position binds."""
        position = self.books.positions.get(symbol)
        return abs(position.cost) // self.leverage.get(symbol, LEVERAGE_DEFAULT) if position else 0

    def frozen(self) -> int:
        """What working entry orders bind."""
        return sum(
            abs(notional(self.instruments[order.symbol], order.qty - order.filled, self._price(order)))
            // order.leverage
            for order in self.working.values()
            if not order.reduce_only
        )

    def available(self) -> int:
        """What new orders may still bind."""
        margins = sum(self.margin(symbol) for symbol in self.books.positions)
        losses = sum(min(0, self.unrealized(symbol)) for symbol in self.books.positions)
        return self.books.wallet() + losses - margins - self.frozen()

    # --- what the market does ---

    def on_market(self, event: MarketEvent) -> None:
        """Match against one market event."""
        if isinstance(event, FundingRate):
            self._settle_due(event.at_ns)
            self._funding[event.symbol, event.due_ns] = event
        else:
            self._apply(self._broker.on_market(event))

    def advance(self, at_ns: int) -> None:
        """Let time pass."""
        if 0 < self._broker.next_due_ns <= at_ns:
            self._apply(self._broker.advance(at_ns))
        self._settle_due(at_ns)

    def _settle_due(self, at_ns: int) -> None:
        for (symbol, due_ns), funding in list(self._funding.items()):
            if due_ns > at_ns:
                continue
            del self._funding[symbol, due_ns]
            mark, note = self._mark(symbol), self.notes.get(symbol)
            if note is None or mark == 0:
                continue
            note.funding += self._broker.on_funding(symbol, funding.rate, mark)
            self.books.settle(self.instruments[symbol], funding.rate, mark)
            self.pushes += [("position", symbol), ("balance", "")]

    def _apply(self, answers: list[BrokerEvent]) -> None:
        for answer in answers:
            if isinstance(answer, Liquidation):
                self._liquidated(answer)
            order = self.orders[answer.client_order_id]
            order.changed_ns = answer.at_ns
            match answer:
                case OrderAccepted():
                    order.status = Status.NEW
                case Fill():
                    self._fill(order, answer)
                    continue
                case OrderCanceled():
                    order.status = Status.PART_FILLED_CANCELED if order.filled else Status.CANCELED
                    order.reason = answer.reason
                case OrderRefused():
                    order.status = Status.SYSTEM_CANCELED
                    order.reason = answer.text
                case CancelRefused() | Liquidation():
                    continue
                case _:
                    raise AssertionError(f"the paper broker answered {answer!r}")
            if not order.works:
                del self.working[order.order_id]
            self.pushes.append(("order", msgspec.structs.replace(order)))

    def _liquidated(self, event: Liquidation) -> None:
        """An order of the venue's own, under its own id, that closes a position."""
        order_id, leverage = event.client_order_id, self.leverage.get(event.symbol, LEVERAGE_DEFAULT)
        order = VenueOrder(
            *(order_id, "", event.symbol, event.qty, 0, OrderKind.MARKET, TimeInForce.GTC, True, leverage),
            created_ns=event.at_ns,
            changed_ns=event.at_ns,
            status=Status.NEW,
            reason="liquidation",
        )
        self.orders[order_id] = self.working[order_id] = order
        self.pushes.append(("order", msgspec.structs.replace(order)))

    def _fill(self, order: VenueOrder, fill: Fill) -> None:
        instrument = self.instruments[order.symbol]
        before, held = self.books.wallet(), self.books.qty(order.symbol)
        self.books.book(instrument, fill.qty, fill.price, fill.fee)
        realized = self.books.wallet() - before + fill.fee
        order.filled += fill.qty
        order.paid += abs(notional(instrument, fill.qty, fill.price))
        order.fee += fill.fee
        order.realized += realized
        order.status = Status.PART_FILLED
        if order.filled == order.qty:
            order.status = Status.FILLED
            del self.working[order.order_id]
        self.trades.append(
            VenueTrade(self._id(), order, fill.qty, fill.price, fill.fee, realized, fill.role, fill.at_ns)
        )
        self._note(order.symbol, held, fill, realized)
        self.pushes += [("order", msgspec.structs.replace(order)), ("position", order.symbol), ("balance", "")]

    def _note(self, symbol: str, held: int, fill: Fill, realized: int) -> None:
        """Carry the position's running figures; a position that crosses zero is a new one."""
        now = self.books.qty(symbol)
        if now == 0:
            self.notes.pop(symbol, None)
            return
        note = self.notes.get(symbol)
        if note is None or (held < 0) != (now < 0):
            note = self.notes[symbol] = PositionNote(self._id(), fill.at_ns, fill.at_ns)
        note.changed_ns = fill.at_ns
        note.fees += fill.fee
        note.realized += realized

    # --- checks ---

    def _check(self, ask: Ask) -> None:
        instrument = self.instruments.get(ask.symbol)
        if instrument is None:
            raise Refusal(20001)
        if ask.client_id in self._by_client:
            raise Refusal(30042)
        if len(ask.client_id) > CLIENT_ID_MAX:
            raise Refusal(10002)
        qty = abs(ask.qty)
        if qty % instrument.lot or ask.price % instrument.tick:
            raise Refusal(10002)
        if qty < instrument.min_qty:
            raise Refusal(30017)
        if qty > instrument.max_qty:
            raise Refusal(30013)
        self._check_price(ask)
        if ask.reduce_only:
            self._check_reduces(ask)
        else:
            self._check_margin(ask, instrument)

    def _check_price(self, ask: Ask) -> None:
        mark = self._mark(ask.symbol)
        if ask.kind is OrderKind.MARKET or mark == 0:
            return
        if ask.qty > 0 and ask.price > mark + money.mul(mark, PRICE_PROTECT):
            raise Refusal(30014)
        if ask.qty < 0 and ask.price < mark - money.mul(mark, PRICE_PROTECT):
            raise Refusal(30015)

    def _check_reduces(self, ask: Ask) -> None:
        held = self.books.qty(ask.symbol)
        if held == 0:
            raise Refusal(30018)
        if (held > 0) == (ask.qty > 0):
            raise Refusal(30019)

    def _check_margin(self, ask: Ask, instrument: Instrument) -> None:
        held = self.books.qty(ask.symbol)
        added = max(0, abs(held + ask.qty) - abs(held))
        value = notional(instrument, added, ask.price or self._mark(ask.symbol))
        needed = value // self.leverage.get(ask.symbol, LEVERAGE_DEFAULT) + money.mul(value, instrument.taker_fee)
        if needed > self.available():
            raise Refusal(20003)

    def _forget(self) -> None:
        """Let go of the oldest ended order once there are too many."""
        if len(self.orders) <= ORDERS_KEPT:
            return
        oldest = next((order for order in self.orders.values() if not order.works), None)
        if oldest is not None:
            del self.orders[oldest.order_id]
            self._by_client.pop(oldest.client_id, None)

    def _mark(self, symbol: str) -> int:
        return self._broker.mark(symbol)

    def _price(self, order: VenueOrder) -> int:
        return order.price or self._mark(order.symbol)

    def _id(self) -> str:
        self._next_id += 1
        return str(self._next_id)


def first_id(wall_ns: int) -> int:
    """Where ids begin: later starts of the venue begin higher, so that no id ever means two things."""
    return wall_ns // wire.MS * 1_000
