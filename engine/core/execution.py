"""What happens to working orders when they meet the market: fills are booked, orders end, prices slip.

How each kind of market data meets them is in `touch_matching` (quotes and books), `trade_matching` and `bar_matching`;
all three come here for every fill. A fill is booked in the ledger at once, so that a reduce-only order never fills more
than the position it reduces.
"""

from collections.abc import Mapping

from engine.core import draw, money
from engine.core.config import Instrument, PaperModel
from engine.core.events import BrokerEvent, Fill, OrderCanceled, Role
from engine.core.liquidity import UNKNOWN_QUEUE, Level, MarketMemory
from engine.core.paper_ledger import notional
from engine.core.paper_state import PaperAccount
from engine.core.queueing import join
from engine.core.words import OrderKind, TimeInForce
from engine.core.working import WorkingOrder


class Execution:
    """Fills and ends the working orders of one account.

    Attributes:
        profile: Names the stream of chance; empty for the account the desk's books follow.
        keeps_idle: Resting reduce-only orders without a position to reduce wait for one instead of being cancelled.
    """

    def __init__(
        self,
        instruments: Mapping[str, Instrument],
        model: PaperModel,
        seed: int,
        market: MarketMemory,
        account: PaperAccount,
        profile: str = "",
    ) -> None:
        self.instruments = instruments
        self.model = model
        self.seed = seed
        self.market = market
        self.account = account
        self.working = account.working
        self.profile = profile
        self.keeps_idle = profile != ""

    # --- what there is ---

    def keys(self, number: int) -> tuple[str | int, ...]:
        """The keys of everything drawn for the order of this number: one stream per seed, profile and order."""
        return (self.profile, number) if self.profile else (number,)

    def ladder(self, symbol: str, sign: int, at_ns: int) -> list[Level] | None:
        """What a taker (`sign` 1 buys) may take at `at_ns`, best price first; None: no fresh quote or book.

        Of each level no more than the model's share, and nothing own orders have taken already.
        """
        shown = self.market.shown(symbol, sign, at_ns)
        return None if shown is None else self.account.taken.left(symbol, sign, shown, self.model.displayed_max)

    def works(self, working: WorkingOrder) -> bool:
        """Whether it has not ended."""
        return working.order.order_id in self.working.get(working.order.symbol, {})

    def reducible(self, working: WorkingOrder) -> int:
        """Units of the own position an order of this side can close."""
        return max(0, -working.sign * self.account.ledger.qty(working.order.symbol))

    def takes(self, working: WorkingOrder, available: int) -> int:
        """Units the order fills now out of `available`: whole lots, no more than its rest, 0 once it ended."""
        if not self.works(working):
            return 0
        room = working.rest
        if working.order.reduce_only:
            reducible = self.reducible(working)
            room = reducible if working.whole else min(room, reducible)
        return min(room, money.floor_to(available, self.instruments[working.order.symbol].lot))

    def slipped(self, working: WorkingOrder, price: int) -> int:
        """`price` moved against the order by the slippage drawn for it, to the next tick further against it."""
        model, tick = self.model, self.instruments[working.order.symbol].tick
        slip = draw.between(model.slippage_min, model.slippage_max, self.seed, "slippage", *self.keys(working.number))
        moved = price + working.sign * money.mul(price, slip)
        return money.ceil_to(moved, tick) if working.sign > 0 else max(tick, money.floor_to(moved, tick))

    # --- meetings ---

    def meet_print(
        self, working: WorkingOrder, price: int, available: int, at_ns: int, venue_ns: int
    ) -> tuple[int, list[BrokerEvent]]:
        """Hold an arriving or waiting taker against one printed price, of which it may have `available`.

        The quantity filled, and the answers. A market order slips from the price, a limit order pays its limit.
        """
        order = working.order
        working.met = True
        passed = working.kind is OrderKind.MARKET or working.sign * price < working.sign * order.price
        if passed and order.tif is TimeInForce.POST_ONLY:
            return 0, self.end(working, at_ns, "post_only")
        qty = self.takes(working, available) if passed else 0
        answers: list[BrokerEvent] = []
        if qty > 0:
            at_price = order.price or self.slipped(working, price)
            answers += self.fill(working, qty, at_price, Role.TAKER, at_ns, venue_ns, "static")
        return qty, answers + self.after_meeting(working, at_ns)

    def after_meeting(self, working: WorkingOrder, at_ns: int) -> list[BrokerEvent]:
        """What is left of an order once it met the market: cancelled if it may not rest, else in its queue."""
        if not self.works(working):
            return []
        order = working.order
        if self.is_idle(working):
            return self.end(working, at_ns, "reduce_only")
        if order.tif is TimeInForce.IOC:
            return self.end(working, at_ns, "ioc")
        if working.kind is OrderKind.LIMIT and working.ahead == UNKNOWN_QUEUE:
            join(working, self.market.displayed(order.symbol, working.sign, order.price, at_ns))
        return []

    # --- fills and ends ---

    def fill(
        self, working: WorkingOrder, qty: int, price: int, role: Role, at_ns: int, venue_ns: int, source: str
    ) -> list[BrokerEvent]:
        """Book `qty` units (above zero) at `price`; the fill, and the end of reduce-only orders left with nothing."""
        order, instrument = working.order, self.instruments[working.order.symbol]
        signed = working.sign * qty
        rate = instrument.maker_fee if role is Role.MAKER else instrument.taker_fee
        fee = money.mul(abs(notional(instrument, signed, price)), rate)
        working.filled += signed
        working.fills += 1
        self.account.ledger.book(instrument, signed, price, fee)
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
            fee_source=instrument.fee_source,
            slippage_source=source,
        )
        if not working.whole and working.rest == 0:
            self._drop(working)
        return [fill, *self.sweep(order.symbol, at_ns)]

    def sweep(self, symbol: str, at_ns: int) -> list[BrokerEvent]:
        """Cancel reduce-only orders of `symbol` that have no position left to reduce."""
        idle = [working for working in self.working.get(symbol, {}).values() if self.is_idle(working)]
        return [answer for working in idle for answer in self.end(working, at_ns, "reduce_only")]

    def is_idle(self, working: WorkingOrder) -> bool:
        """Whether a reduce-only order has nothing to reduce, and may not wait for it."""
        waits = self.keeps_idle and (working.waits or working.kind is OrderKind.LIMIT)
        return working.order.reduce_only and not waits and not self.reducible(working)

    def end(self, working: WorkingOrder, at_ns: int, reason: str) -> list[BrokerEvent]:
        """Take the order off; `reason` as in `OrderCanceled`."""
        self._drop(working)
        return [OrderCanceled(working.order.order_id, at_ns, reason)]

    def _drop(self, working: WorkingOrder) -> None:
        orders = self.working[working.order.symbol]
        del orders[working.order.order_id]
        if not orders:
            del self.working[working.order.symbol]
