"""What the desk holds and what it brought: fills move position, cash and holding; back at flat, they are a trade.

A holding lives exactly as long as its position: it is made by the first fill and ends with the one that makes it flat.
A fill that turns a position over ends one holding and begins another; its fee goes with what it closed.
"""

from typing import Final

from engine.core import money
from engine.core.blotter import Blotter
from engine.core.bookkeeping import Bookkeeping
from engine.core.breakers import Breakers
from engine.core.desk import Desk
from engine.core.events import Fill
from engine.core.facts import FillBooked, LossExceeded, TradeClosed
from engine.core.orders import Order, Plan, slippage
from engine.core.positions import Position
from engine.core.state import Holding
from engine.core.words import AlertKind, ExitReason, Side

IN_STREAK: Final = frozenset({ExitReason.SL, ExitReason.TP, ExitReason.TIME, ExitReason.STRATEGY})
"""Exits that count for the run of losses; forced ones count in the P&L only."""


class Holdings:
    """The open positions of one desk and their results."""

    def __init__(self, desk: Desk, breakers: Breakers, blotter: Blotter, bookkeeping: Bookkeeping) -> None:
        self._desk = desk
        self._breakers = breakers
        self._blotter = blotter
        self._bookkeeping = bookkeeping

    def book(self, order: Order, fill: Fill) -> None:
        """Move the position, the cash and the holding by a fill of `order`; to be called before the order moves."""
        state = self._desk.state
        state.comparison.touched[fill.symbol] = state.at_ns
        position = state.positions.setdefault(fill.symbol, Position(fill.symbol))
        before = position.qty
        realized = position.book(fill.qty, fill.price, fill.at_ns)
        state.cash += realized - fill.fee
        state.tally.realized += realized
        state.tally.fees += fill.fee
        state.tally.fills += 1
        turned = before * position.qty < 0
        holding = state.holdings.get(fill.symbol) or self._open(order, fill)
        closing = -before if turned else fill.qty
        _count(holding, order, closing, fill.price)
        holding.realized += realized
        holding.fees += fill.fee
        self._desk.remark(fill.symbol)
        self._desk.emit(_booked(order, fill, realized, position.qty))
        self._bookkeeping.fill(fill, realized)
        if turned:  # one round trip is over and another has begun
            self._close(fill.symbol)
            _count(self._open(order, fill), order, fill.qty - closing, fill.price)

    def _open(self, order: Order, fill: Fill) -> Holding:
        """The holding a first fill makes: on the levels its entry planned, or none if nobody planned the fill."""
        state = self._desk.state
        plan = order.plan or Plan(phase=state.symbols[fill.symbol].phase.value, regime=state.regime.regime.value)
        holding = state.holdings[fill.symbol] = Holding(
            signal_id=order.signal_id,
            strategy_id=order.strategy_id,
            symbol=fill.symbol,
            side=Side.LONG if fill.qty > 0 else Side.SHORT,
            stop=plan.stop,
            target=plan.target,
            opened_ns=fill.at_ns,
            close_at_ns=fill.at_ns + plan.hold_ns if plan.hold_ns else 0,
            phase=plan.phase,
            regime=plan.regime,
        )
        return holding

    def close_if_flat(self, symbol: str) -> None:
        """Once the position is flat the round trip is a trade, and what still works for it is cancelled."""
        if not self._desk.state.positions[symbol].qty:
            del self._desk.state.positions[symbol]
            self._close(symbol)

    def _close(self, symbol: str) -> None:
        state = self._desk.state
        holding = state.holdings.pop(symbol)
        self._blotter.cancel_symbol(symbol, "the position is closed")
        pnl = holding.realized - holding.fees - holding.funding
        reason = holding.exit_reason or ExitReason.STRATEGY
        state.tally.trades += 1
        state.tally.wins += pnl > 0
        trade_id = self._desk.new_id()
        self._desk.emit(_trade(holding, trade_id, state.at_ns, pnl, reason))
        self._tell_excess(holding, trade_id, -pnl, reason)
        if reason in IN_STREAK:
            self._breakers.traded(pnl)
        self._desk.mark_equity()

    def _tell_excess(self, holding: Holding, trade_id: str, loss: int, reason: ExitReason) -> None:
        """An incident, and no error: the desk got out as soon as it could, and lost more than a trade may."""
        limit = self._desk.config.limits.loss_per_trade_max
        if loss <= limit:
            return
        self._desk.emit(
            LossExceeded(
                at_ns=self._desk.at_ns,
                trade_id=trade_id,
                signal_id=holding.signal_id,
                strategy_id=holding.strategy_id,
                symbol=holding.symbol,
                exit_reason=reason,
                loss=loss,
                limit=limit,
            )
        )
        text = f"{holding.symbol} lost {money.text(loss, 2)} by {reason}, above {money.text(limit, 2)} a trade"
        self._desk.alert(AlertKind.LOSS_ABOVE_LIMIT, text)


def _count(holding: Holding, order: Order, qty: int, price: int) -> None:
    """Count `qty` units on the holding: entered if they are of its side, else left."""
    value = money.mul(price, qty)
    if qty * holding.side.sign > 0:
        holding.entered_qty += qty
        holding.entered_value += value
    else:
        holding.exited_value += value
        holding.exit_reason = order.exit_reason or holding.exit_reason


def _booked(order: Order, fill: Fill, realized: int, position_qty: int) -> FillBooked:
    return FillBooked(
        at_ns=fill.at_ns,
        fill_id=fill.fill_id,
        order_id=order.order_id,
        signal_id=order.signal_id,
        strategy_id=order.strategy_id,
        symbol=fill.symbol,
        purpose=order.purpose,
        qty=fill.qty,
        price=fill.price,
        fee=fill.fee,
        role=fill.role.value,
        realized=realized,
        expected=order.expected,
        position_qty=position_qty,
        order_to_fill_ns=fill.at_ns - order.placed_ns,
        fee_source=fill.fee_source,
        slippage_source=fill.slippage_source,
        late=order.ended,
        slippage=slippage(order.expected, fill.qty, fill.price),
    )


def _trade(holding: Holding, trade_id: str, at_ns: int, pnl: int, reason: ExitReason) -> TradeClosed:
    qty = abs(holding.entered_qty)
    return TradeClosed(
        at_ns=at_ns,
        trade_id=trade_id,
        signal_id=holding.signal_id,
        strategy_id=holding.strategy_id,
        symbol=holding.symbol,
        side=holding.side,
        qty=qty,
        entry_price=money.div(abs(holding.entered_value), qty) if qty else 0,
        exit_price=money.div(abs(holding.exited_value), qty) if qty else 0,
        entry_at_ns=holding.opened_ns,
        pnl=pnl,
        fees=holding.fees,
        funding=holding.funding,
        exit_reason=reason,
        phase=holding.phase,
        regime=holding.regime,
    )
