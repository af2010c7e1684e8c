"""How a holding ends: a bracket that rests at the broker, and what the desk watches itself.

The bracket is a stop order at the stop and a limit order at the target, both reduce-only and each for the whole
position. `protect` compares what rests with what the position needs, and asks for the difference: it is called whenever
either may have changed, so a lost race settles with the next answer. Reduce-only keeps both from ever taking more than
the position. The desk watches the loss limit and the time, and the stop as well: as a backstop where it rests, alone
where the broker holds no stop orders.

Exits pass no entry limit: getting out is always possible. What is left of a position after its exit order ended is
tried again until it is flat.
"""

from typing import Final

from engine.core import money
from engine.core.blotter import Blotter
from engine.core.config import SECOND
from engine.core.desk import Desk
from engine.core.events import Fill, Liquidation, SessionPhase
from engine.core.orders import Order, Terms, on_tick
from engine.core.state import Holding
from engine.core.times import stretch
from engine.core.words import AlertKind, ExitReason, OrderKind, OrderState, Purpose, Side, TimeInForce

EXIT_RETRY_NS: Final = SECOND
STOP_GRACE_NS: Final = 3 * SECOND
"""A stop that rests and was passed has this long to fill before the desk closes the position itself."""

PROTECTS: Final = (SessionPhase.RUNNING, SessionPhase.SHUTTING_DOWN)
"""Phases in which a bracket is kept at the broker; while the session ends, only where the position is to stay."""

REFUSALS_MAX: Final = 3
"""After so many refused stops or targets in a row the desk watches the levels alone."""


class Exits:
    """The ways out of one desk's holdings."""

    def __init__(self, desk: Desk, blotter: Blotter) -> None:
        self._desk = desk
        self._blotter = blotter

    # --- what leads out ---

    def watch(self, symbol: str, low: int, high: int) -> None:
        """Check one holding against prices just seen (a touch twice, or a bar's extremes): the stop comes first."""
        state = self._desk.state
        holding = state.holdings.get(symbol)
        if holding is None or holding.exit_order_id:
            return
        if holding.leaving is not None:
            self.exit(symbol, holding.leaving)
            return
        long = holding.side is Side.LONG
        if holding.stop and (low <= holding.stop if long else high >= holding.stop):
            self._stop_passed(holding)
        elif self._loss(holding) >= self._desk.config.limits.loss_per_trade_max:
            self.exit(symbol, ExitReason.LOSS_LIMIT)
        elif holding.close_at_ns and state.at_ns >= holding.close_at_ns:
            self.exit(symbol, ExitReason.TIME)
        elif not holding.target_order_id and _reached(holding, low, high):
            self._target_reached(holding)
        elif not holding.stop_order_id and holding.refusals < REFUSALS_MAX and self._desk.config.resting_stops:
            self.protect(symbol)  # what could not be sent into a closed market

    def _loss(self, holding: Holding) -> int:
        """What the trade would have lost if it were closed now, with all it has cost and the fee to get out."""
        desk, symbol = self._desk, holding.symbol
        fee = abs(desk.stakes.value(symbol)) * desk.instruments[symbol].taker_fee // money.SCALE
        return holding.fees + holding.funding + fee - holding.realized - desk.unrealized_of(symbol)

    def _stop_passed(self, holding: Holding) -> None:
        """The price is at the stop: out, unless a stop order rests there and its grace is not over."""
        at_ns = self._desk.at_ns
        if holding.stop_order_id:
            if not holding.stop_passed_ns:
                holding.stop_passed_ns = at_ns
                text = f"the price passed the stop of {holding.symbol}, and the broker has not said that it filled"
                self._desk.alert(AlertKind.STOP_PASSED, text)
            if at_ns < holding.stop_passed_ns + STOP_GRACE_NS:
                return
            text = f"the stop of {holding.symbol} was passed and did not fill; closing at market"
            self._desk.alert(AlertKind.STOP_NOT_FILLED, text)
        self.exit(holding.symbol, ExitReason.SL)

    def _target_reached(self, holding: Holding) -> None:
        """The target traded while no order rests there: place one, or leave at market where the broker takes none."""
        if holding.refusals >= REFUSALS_MAX:
            self.exit(holding.symbol, ExitReason.TP)
        elif self._may_rest(holding):
            self._rest_target(holding)

    def due(self) -> None:
        """Close what has outlived its time or its stop's grace; try again what is still to leave."""
        at_ns = self._desk.at_ns
        for holding in list(self._desk.state.holdings.values()):
            if holding.leaving is not None:
                self.exit(holding.symbol, holding.leaving)
            elif holding.close_at_ns and at_ns >= holding.close_at_ns:
                self.exit(holding.symbol, ExitReason.TIME)
            elif holding.stop_passed_ns and at_ns >= holding.stop_passed_ns + STOP_GRACE_NS:
                self._stop_passed(holding)

    def next_due_ns(self) -> int:
        """When the next holding has to leave, or to try again; 0 if none has a time."""
        times = []
        for holding in self._desk.state.holdings.values():
            if holding.leaving is None:
                times.append(holding.close_at_ns)
                times.append(holding.stop_passed_ns and holding.stop_passed_ns + STOP_GRACE_NS)
            elif not holding.exit_order_id:
                open_now, calendar = self._desk.is_open(holding.symbol), self._desk.calendars[holding.symbol]
                retry_ns = holding.exit_tried_ns + EXIT_RETRY_NS
                times.append(retry_ns if open_now else calendar.next_open_ns(self._desk.at_ns))
        return min((at for at in times if at), default=0)

    # --- out at market ---

    def exit(self, symbol: str, reason: ExitReason) -> None:
        """Close the position in `symbol` at market, reduce-only; cancels what else works there first.

        The holding is leaving from now on: what is left after an exit order ended is tried again, at most once in
        `EXIT_RETRY_NS`, until the position is flat.
        """
        state = self._desk.state
        holding, position = state.holdings.get(symbol), state.positions.get(symbol)
        if holding is None or position is None or not position.qty:
            return
        holding.leaving = holding.leaving or reason
        if holding.exit_order_id:
            return
        if not self._desk.is_open(symbol):
            self._wait(holding)
            return
        if holding.exit_tried_ns and state.at_ns - holding.exit_tried_ns < EXIT_RETRY_NS:
            return
        self._blotter.cancel_symbol(symbol, f"the position is being closed ({reason.value})")
        purpose = Purpose.STOP if reason is ExitReason.SL else Purpose.CLOSE
        holding.exit_tried_ns, holding.waits = state.at_ns, False
        holding.exit_order_id = self._send(holding, purpose, OrderKind.MARKET, Terms(-position.qty, 0, 0), reason)

    def _wait(self, holding: Holding) -> None:
        """Nothing can be closed in a closed market: say, once, when it will be."""
        if holding.waits:
            return
        holding.waits = True
        left_ns = self._desk.calendars[holding.symbol].next_open_ns(self._desk.at_ns) - self._desk.at_ns
        when = f"in {stretch(left_ns)}" if left_ns > 0 else "at a time that is not known"
        text = f"{holding.symbol}: its exit ({holding.leaving}) waits for the market to open, {when}"
        self._desk.alert(AlertKind.EXIT_WAITS, text)

    def exit_all(self, reason: ExitReason) -> None:
        """Close every position."""
        for symbol in list(self._desk.state.holdings):
            self.exit(symbol, reason)

    # --- the bracket ---

    def protect(self, symbol: str) -> None:
        """Bring the resting stop and target to what the position needs; nothing once it is to leave."""
        state = self._desk.state
        holding, position = state.holdings.get(symbol), state.positions.get(symbol)
        if holding is None or position is None or not position.qty or holding.leaving is not None or not holding.rests:
            return
        if state.phase is SessionPhase.SHUTTING_DOWN and not state.keeps:
            return  # it is closed next
        if state.phase not in PROTECTS or not self._desk.is_open(symbol):
            return  # nothing is sent before history is seeded, nor into a closed market
        if self._desk.config.resting_stops:
            self._rest_stop(holding)
        if self._may_rest(holding):
            self._rest_target(holding)

    def protect_all(self) -> None:
        """A run is running: what was held before gets its bracket again."""
        for holding in list(self._desk.state.holdings.values()):
            holding.rests, holding.refusals = True, 0
            self.protect(holding.symbol)

    def withdraw(self) -> None:
        """Stops and targets were taken back on request: the desk watches them alone until the next run."""
        for holding in self._desk.state.holdings.values():
            holding.rests = False

    def _may_rest(self, holding: Holding) -> bool:
        """Whether a target can rest: where it cannot be amended, only once its quantity is final."""
        return self._desk.config.resting_stops or all(o.symbol != holding.symbol for o in self._desk.entries())

    def _rest_stop(self, holding: Holding) -> None:
        if holding.stop:
            terms = self._terms(holding, holding.stop_order_id, 0, holding.stop)
            holding.stop_order_id = self._rest(holding, holding.stop_order_id, Purpose.STOP, terms)

    def _rest_target(self, holding: Holding) -> None:
        if holding.target:
            terms = self._terms(holding, holding.target_order_id, holding.target, 0)
            holding.target_order_id = self._rest(holding, holding.target_order_id, Purpose.TARGET, terms)

    def _terms(self, holding: Holding, order_id: str, price: int, stop_price: int) -> Terms:
        """What a leg of the bracket must be: for the whole position beside what it has filled, prices on the grid."""
        state, tick = self._desk.state, self._desk.instruments[holding.symbol].tick
        rest = -state.positions[holding.symbol].qty
        order = state.orders.get(order_id)
        filled = order.filled_qty if order is not None else 0
        return Terms(filled + rest, on_tick(price, tick, rest), on_tick(stop_price, tick, rest))

    def _rest(self, holding: Holding, order_id: str, purpose: Purpose, terms: Terms) -> str:
        """Send a leg of the bracket, or amend the one that works; its id."""
        order = self._desk.state.orders.get(order_id)
        if order is None:
            if holding.refusals >= REFUSALS_MAX:
                return ""
            stops = purpose is Purpose.STOP
            kind, reason = (OrderKind.STOP, ExitReason.SL) if stops else (OrderKind.LIMIT, ExitReason.TP)
            return self._send(holding, purpose, kind, terms, reason)
        if self._desk.config.resting_stops:
            self._blotter.amend(order, terms, "the position has changed")
        return order_id

    # --- orders ---

    def adopt(self, event: Liquidation) -> Order:
        """Take the broker's own closing order for one of ours, so that its fills find where they belong."""
        holding = self._desk.state.holdings.get(event.symbol)
        order = Order(
            order_id=event.client_order_id,
            signal_id=holding.signal_id if holding else "",
            strategy_id=holding.strategy_id if holding else "",
            symbol=event.symbol,
            purpose=Purpose.CLOSE,
            kind=OrderKind.MARKET,
            tif=TimeInForce.GTC,
            qty=event.qty,
            price=0,
            reduce_only=True,
            expected=self._desk.mark(event.symbol, -event.qty),
            placed_ns=event.at_ns,
            exit_reason=ExitReason.LIQUIDATION,
        )
        if holding is not None:
            holding.leaving, holding.exit_order_id = ExitReason.LIQUIDATION, order.order_id
            holding.exit_tried_ns = event.at_ns
        self._blotter.adopt(order)
        return order

    def ended(self, order: Order) -> None:
        """An order has ended: no holding waits for it any more. A position still open is watched and tried again."""
        holding = self._desk.state.holdings.get(order.symbol)
        if holding is None:
            return
        if holding.exit_order_id == order.order_id:
            holding.exit_order_id = ""
        elif holding.stop_order_id == order.order_id:
            holding.stop_order_id = ""
            self._count_refusal(holding, order)
        elif holding.target_order_id == order.order_id:
            holding.target_order_id = ""
            self._count_refusal(holding, order)

    def filled(self, order: Order, fill: Fill) -> None:
        """A fill was booked on `order`: once a way out has begun to fill, nothing more is entered."""
        holding = self._desk.state.holdings.get(order.symbol)
        if holding is None or order.purpose is Purpose.ENTRY:
            return
        if holding.side.sign * fill.qty > 0:
            self._abandon(holding)
            return
        holding.refusals = 0
        if holding.stop_order_id == order.order_id:
            holding.stop_passed_ns = self._desk.at_ns  # its grace begins anew while it fills
        for entry in self._desk.entries():
            if entry.symbol == order.symbol:
                self._blotter.cancel(entry, "the position is being closed")

    def _abandon(self, holding: Holding) -> None:
        """An order that was to close opened a position: nobody wants it, so it is closed."""
        text = f"{holding.symbol}: an order that was to close a position opened one; closing it"
        self._desk.alert(AlertKind.UNPLANNED_POSITION, text)
        holding.leaving = holding.leaving or ExitReason.FORCE_CLOSE

    def _count_refusal(self, holding: Holding, order: Order) -> None:
        """A stop or target that the broker refused or ended by itself: it is not asked for ever."""
        if order.state is OrderState.FILLED or order.cancel_reason:
            return
        holding.refusals += 1
        if holding.refusals == REFUSALS_MAX:
            text = f"{holding.symbol}: the broker refuses its stop or target; the desk watches them itself"
            self._desk.alert(AlertKind.NO_RESTING_STOP, text)

    def _send(self, holding: Holding, purpose: Purpose, kind: OrderKind, terms: Terms, reason: ExitReason) -> str:
        """Send a reduce-only order; its id."""
        order = Order(
            order_id=self._desk.new_id(),
            signal_id=holding.signal_id,
            strategy_id=holding.strategy_id,
            symbol=holding.symbol,
            purpose=purpose,
            kind=kind,
            tif=TimeInForce.GTC,
            qty=terms.qty,
            price=terms.price,
            stop_price=terms.stop_price,
            reduce_only=True,
            expected=terms.price or terms.stop_price or self._desk.mark(holding.symbol, -terms.qty),
            placed_ns=self._desk.at_ns,
            exit_reason=reason,
        )
        self._blotter.send(order)
        return order.order_id


def _reached(holding: Holding, low: int, high: int) -> bool:
    """Whether prices between `low` and `high` touched the holding's target."""
    if not holding.target:
        return False
    return high >= holding.target if holding.side is Side.LONG else low <= holding.target
