"""How working orders meet the market: the matching rules of the paper broker, and nothing of its messages.

`Execution` reads what the market showed (`MarketMemory`), fills working orders against it and books every fill in the
ledger at once, so that a reduce-only order never fills more than the position it reduces.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from engine.core import draw, money
from engine.core.config import SECOND, Instrument, PaperModel
from engine.core.events import Bar, Book, BrokerEvent, Fill, OrderCanceled, Quote, Role, Trade
from engine.core.facts import Submit
from engine.core.liquidity import UNKNOWN_QUEUE, Level, MarketMemory
from engine.core.paper_ledger import PaperLedger, notional
from engine.core.words import OrderKind, TimeInForce

BAR_GRACE_NS: Final = SECOND
"""An order that arrives this soon after a bar's start was decided on the bar before, so this bar may fill it."""


class WorkingOrder(msgspec.Struct):
    """An order the broker has accepted. `filled` is signed like the order's quantity.

    Attributes:
        number: Which submit of this ledger it was; keys its draws and its venue order id.
        met: Whether it has been held against the market once; before, it is treated as just arriving.
        ahead: Quantity queued before it at its price, or `UNKNOWN_QUEUE`.
        fired: Whether the stop of a stop order was reached: it is a market or a limit order from then on.
    """

    order: Submit
    number: int
    arrived_ns: int
    filled: int = 0
    fills: int = 0
    met: bool = False
    ahead: int = UNKNOWN_QUEUE
    fired: bool = False

    @property
    def kind(self) -> OrderKind:
        """What the order is now."""
        return FIRED[self.order.kind] if self.fired else self.order.kind

    @property
    def waits(self) -> bool:
        """Whether it is a stop order whose stop was not reached yet: it meets nothing."""
        return self.order.stop_price > 0 and not self.fired

    @property
    def sign(self) -> int:
        return 1 if self.order.qty > 0 else -1

    @property
    def rest(self) -> int:
        """Units still to fill, not negative."""
        return abs(self.order.qty - self.filled)

    def fires_at(self, price: int) -> bool:
        """Whether `price`, on the side it would trade with, has reached its stop."""
        return self.sign * price >= self.sign * self.order.stop_price

    def fire(self) -> None:
        """From now on it is a market or limit order that has just arrived."""
        self.fired = True
        self.met = False


FIRED: Final = {OrderKind.STOP: OrderKind.MARKET, OrderKind.STOP_LIMIT: OrderKind.LIMIT}

WorkingOrders = dict[str, dict[str, WorkingOrder]]
"""By symbol, then by order id in order of arrival; no entry for a symbol without one."""


class Execution:
    """Fills and ends working orders; `working`, `market` and `ledger` are shared with the broker that owns them."""

    def __init__(
        self,
        instruments: Mapping[str, Instrument],
        model: PaperModel,
        seed: int,
        market: MarketMemory,
        ledger: PaperLedger,
        working: WorkingOrders,
    ) -> None:
        self._instruments = instruments
        self._model = model
        self._seed = seed
        self._market = market
        self._ledger = ledger
        self._working = working

    # --- against quotes and books ---

    def on_touch(self, event: Quote | Book) -> list[BrokerEvent]:
        """Hold the working orders of a symbol against what `event` shows anew."""
        bottom, bid, ask, top = self._market.reach(event)
        answers: list[BrokerEvent] = []
        for working in _by_priority(self._working[event.symbol]):
            price = working.order.price
            if working.waits and not working.fires_at(bid if working.order.qty < 0 else ask):
                continue
            if working.met and price and (price > top if working.order.qty < 0 else price < bottom):
                continue  # out of sight: nothing to trade with, nothing to learn
            if working.met and working.ahead >= 0 and (price > bid if working.order.qty < 0 else price < ask):
                continue  # resting in its queue, and the other side is not there
            if self._works(working):  # a fill of another order may have ended it
                answers += self.arrive(working, event.at_ns, event.venue_ns)
        return answers

    def arrive(self, working: WorkingOrder, at_ns: int, venue_ns: int) -> list[BrokerEvent]:
        """Hold one order against what is displayed at `at_ns`; without fresh quotes or books it waits for some.

        A stop order goes by the touch of the side it would trade with, whatever own orders took there.
        """
        if working.waits:
            touch = self._market.touch(working.order.symbol, working.sign, at_ns)
            if not touch or not working.fires_at(touch):
                return []
            working.fire()
        ladder = self._market.ladder(working.order.symbol, working.sign, at_ns)
        return [] if ladder is None else self._meet(working, ladder, at_ns, venue_ns)

    def _meet(self, working: WorkingOrder, ladder: list[Level], at_ns: int, venue_ns: int) -> list[BrokerEvent]:
        order, first = working.order, not working.met
        working.met = True
        reachable = [level for level in ladder if _reaches(working, level[0])]
        if reachable and first and order.tif is TimeInForce.POST_ONLY:
            return self.end(working, at_ns, "post_only")
        taking = first or working.kind is OrderKind.MARKET
        answers: list[BrokerEvent] = []
        for price, shown in reachable:
            qty = self._takes(working, shown)
            if qty == 0:
                continue
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
            return self.end(working, at_ns, "ioc")
        if working.kind is OrderKind.LIMIT and working.ahead == UNKNOWN_QUEUE:
            working.ahead = self._market.displayed(order.symbol, working.sign, order.price, at_ns)
        return []

    # --- against trades and bars ---

    def on_trade(self, trade: Trade) -> list[BrokerEvent]:
        """Let `trade` move queues and fill resting orders; together they get no more than traded."""
        answers: list[BrokerEvent] = []
        left = trade.qty
        share = money.mul(trade.qty, self._model.participation_max)
        for working in _by_priority(self._working[trade.symbol]):
            if not self._works(working):
                continue
            if working.met and not working.waits and working.kind is OrderKind.LIMIT:
                qty = self._takes(working, _reached_by(working, trade, left))
                if qty > 0:
                    left -= qty
                    answers += self._fill(
                        working, qty, working.order.price, Role.MAKER, trade.at_ns, trade.venue_ns, "book"
                    )
            elif self._market.ladder(trade.symbol, working.sign, trade.at_ns) is None:
                if working.waits:
                    if not working.fires_at(trade.price):
                        continue
                    working.fire()
                got, said = self._meet_print(working, trade.price, share, trade.at_ns, trade.venue_ns)
                share -= got
                answers += said
        return answers

    def on_bar(self, bar: Bar) -> list[BrokerEvent]:
        """Fill from a closed bar what was there when it opened; nothing while quotes, books or trades tell more."""
        if self._market.ticked_within(bar.symbol, bar):
            return []
        answers: list[BrokerEvent] = []
        opened_ns = bar.at_ns - bar.span_ns  # on our clock: a recorded bar's own start may be years ago
        share = money.mul(bar.volume, self._model.participation_max)
        for working in _by_priority(self._working[bar.symbol]):
            if not self._works(working) or working.arrived_ns > opened_ns + BAR_GRACE_NS:
                continue
            if working.waits:
                got, said = self._meet_stop(working, bar, share)
                share -= got
                answers += said
                continue
            if working.kind is OrderKind.MARKET or not working.met:
                got, said = self._meet_print(working, bar.open, share, bar.at_ns, bar.at_ns)
                share -= got
                answers += said
            if self._works(working) and working.kind is OrderKind.LIMIT and _through(working, bar):
                qty = self._takes(working, share)
                if qty > 0:
                    share -= qty
                    answers += self._fill(working, qty, working.order.price, Role.MAKER, bar.at_ns, bar.at_ns, "static")
        return answers

    def _meet_stop(self, working: WorkingOrder, bar: Bar, share: int) -> tuple[int, list[BrokerEvent]]:
        """Hold a waiting stop order against a bar's extremes: it fires at its stop, or at an open beyond it (a gap).

        What the bar did after that is not known, so a limit order it becomes does not rest in the same bar's range.
        """
        if not working.fires_at(bar.high if working.sign > 0 else bar.low):
            return 0, []
        price = bar.open if working.fires_at(bar.open) else working.order.stop_price
        working.fire()
        return self._meet_print(working, price, share, bar.at_ns, bar.at_ns)

    def _meet_print(
        self, working: WorkingOrder, price: int, share: int, at_ns: int, venue_ns: int
    ) -> tuple[int, list[BrokerEvent]]:
        """Hold an arriving or waiting taker against one printed price; the quantity filled, and the answers."""
        order = working.order
        working.met = True
        passed = working.kind is OrderKind.MARKET or working.sign * price < working.sign * order.price
        if passed and order.tif is TimeInForce.POST_ONLY:
            return 0, self.end(working, at_ns, "post_only")
        qty = self._takes(working, share) if passed else 0
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

    # --- what happens to an order ---

    def _works(self, working: WorkingOrder) -> bool:
        return working.order.order_id in self._working.get(working.order.symbol, {})

    def reducible(self, working: WorkingOrder) -> int:
        """Units of the own position an order of this side can close."""
        return max(0, -working.sign * self._ledger.qty(working.order.symbol))

    def _takes(self, working: WorkingOrder, available: int) -> int:
        """Units the order fills now out of `available`: whole lots, no more than its rest, 0 once it ended."""
        if not self._works(working):
            return 0
        room = min(working.rest, self.reducible(working)) if working.order.reduce_only else working.rest
        return min(room, money.floor_to(available, self._instruments[working.order.symbol].lot))

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
        self._ledger.book(instrument, signed, price, fee)
        fill = Fill(
            fill_id=f"{order.order_id}:{working.fills}",
            client_order_id=order.order_id,
            symbol=order.symbol,
            at_ns=at_ns,
            venue_ns=venue_ns,
            qty=signed,
            price=price,
            fee=fee,
            role=role,
            slippage_source=source,
        )
        if working.rest == 0:
            self._drop(working)
        return [fill, *self._sweep(order.symbol, at_ns)]

    def _sweep(self, symbol: str, at_ns: int) -> list[BrokerEvent]:
        """Cancel reduce-only orders of `symbol` that have no position left to reduce."""
        idle = [
            working
            for working in self._working.get(symbol, {}).values()
            if working.order.reduce_only and not self.reducible(working)
        ]
        return [answer for working in idle for answer in self.end(working, at_ns, "reduce_only")]

    def end(self, working: WorkingOrder, at_ns: int, reason: str) -> list[BrokerEvent]:
        """Take the order off; `reason` as in `OrderCanceled`."""
        self._drop(working)
        return [OrderCanceled(working.order.order_id, at_ns, reason)]

    def _drop(self, working: WorkingOrder) -> None:
        orders = self._working[working.order.symbol]
        del orders[working.order.order_id]
        if not orders:
            del self._working[working.order.symbol]


def _by_priority(orders: Mapping[str, WorkingOrder]) -> Sequence[WorkingOrder]:
    """Market and stop orders first, then limit orders by price, best first; equals by arrival."""
    if len(orders) == 1:
        return list(orders.values())
    return sorted(orders.values(), key=_priority)


def _priority(working: WorkingOrder) -> tuple[bool, int]:
    resting = working.kind is OrderKind.LIMIT
    return resting, -working.sign * working.order.price if resting else 0


def _reaches(working: WorkingOrder, level_price: int) -> bool:
    """Whether an order may trade at `level_price` on the opposite side."""
    return working.kind is OrderKind.MARKET or working.sign * level_price <= working.sign * working.order.price


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
