"""From a proposal to a closed trade: signals and their verdicts, orders, fills, holdings and their exits.

Entries pass the safety layers of `engine.core.risk`. Exits are reduce-only and pass no entry limit. A signal ends when
its entry order has ended; from then on a resting order waits at the target and the stop is watched here.
"""

from typing import Any, Final

from engine.core import money
from engine.core.config import MINUTE, SECOND
from engine.core.desk import Desk
from engine.core.events import (
    BrokerEvent,
    CancelRefused,
    Fill,
    OrderAccepted,
    OrderCanceled,
    OrderExpired,
    OrderMissing,
    OrderRefused,
    OutcomeUnknown,
)
from engine.core.facts import (
    Alert,
    Cancel,
    ErrorCounted,
    FillBooked,
    OrderChanged,
    Query,
    SignalEnded,
    SignalRaised,
    Submit,
    TradeClosed,
)
from engine.core.orders import Order, Trigger
from engine.core.paper import PaperBroker
from engine.core.phases import MarketPhase
from engine.core.positions import Position
from engine.core.risk import Candidate, Refusal, refusal, size
from engine.core.safety import Safety
from engine.core.state import Holding, LiveSignal
from engine.core.strategy import Proposal
from engine.core.view import SignalView
from engine.core.words import (
    TERMINAL_STATE,
    BlockReason,
    ExitReason,
    OrderKind,
    OrderState,
    Purpose,
    ReasonCode,
    Severity,
    Side,
    TimeInForce,
)

ENDED_ORDERS_KEPT: Final = 500
FILL_IDS_KEPT: Final = 5_000
RECENT_SIGNALS_KEPT: Final = 100
EXIT_RETRY_NS: Final = SECOND
REGIME_UNKNOWN: Final = "UNKNOWN"

ANSWER_TRIGGERS: Final = {
    OrderAccepted: Trigger.ACCEPT,
    OrderRefused: Trigger.REFUSED,
    OrderCanceled: Trigger.CANCELED,
    OrderExpired: Trigger.EXPIRED,
    CancelRefused: Trigger.CANCEL_REFUSED,
    OutcomeUnknown: Trigger.UNKNOWN,
    OrderMissing: Trigger.MISSING,
}
IN_STREAK: Final = frozenset({ExitReason.SL, ExitReason.TP, ExitReason.TIME, ExitReason.STRATEGY})
"""Exits that count for the run of losses; forced ones count in the P&L only."""


class Trading:
    """Signals, orders, fills and holdings of one desk. `paper` is None when orders leave to a venue's broker."""

    def __init__(self, desk: Desk, safety: Safety, paper: PaperBroker | None) -> None:
        self._desk = desk
        self._safety = safety
        self._paper = paper
        safety.cancel_entries = lambda: self.cancel_all(Purpose.ENTRY)

    # --- proposals ---

    def is_busy(self, symbol: str) -> bool:
        """True while the symbol has a position, a working order or a signal in flight."""
        state = self._desk.state
        position = state.positions.get(symbol)
        return (
            (position is not None and position.qty != 0)
            or any(order.symbol == symbol for order in state.orders.values())
            or any(signal.proposal.symbol == symbol for signal in state.live_signals.values())
        )

    def propose(self, strategy_id: str, proposal: Proposal) -> None:
        """Turn a proposal into a signal, and the signal into an entry order or a refusal."""
        desk, state = self._desk, self._desk.state
        known = state.symbols.get(proposal.symbol)
        phase = known.phase.value if known else "UNKNOWN"
        signal = LiveSignal(desk.new_id(), strategy_id, proposal, phase, REGIME_UNKNOWN)
        candidate = self._candidate(proposal)
        state.live_signals[signal.signal_id] = signal
        state.tally.signals += 1
        desk.emit(
            SignalRaised(
                at_ns=state.at_ns,
                signal_id=signal.signal_id,
                strategy_id=strategy_id,
                symbol=proposal.symbol,
                side=proposal.side,
                entry=proposal.entry,
                stop=proposal.stop,
                target=proposal.target,
                phase=phase,
                regime=signal.regime,
                text=proposal.text,
            )
        )
        no = refusal(candidate)
        if no is not None:
            self._end_signal(signal, no)
            return
        self._enter(signal, candidate)

    def _candidate(self, proposal: Proposal) -> Candidate:
        desk, state, config = self._desk, self._desk.state, self._desk.config
        known = state.symbols.get(proposal.symbol)
        instrument = desk.instruments.get(proposal.symbol)
        touch = desk.mark(proposal.symbol, -proposal.side.sign)
        price = proposal.entry or touch
        if proposal.entry and instrument is not None:
            price = on_tick(proposal.entry, instrument.tick, proposal.side.sign)
        code, breaker_text = self._safety.tripped()
        blocks, block_text = self._safety.standing()
        horizon = state.at_ns - MINUTE
        state.entries_ns = [at for at in state.entries_ns if at > horizon]
        return Candidate(
            proposal=proposal,
            instrument=instrument,
            config=config,
            at_ns=state.at_ns,
            qty=size(proposal, instrument, config, price) if instrument else 0,
            price=price,
            last=known.last if known else 0,
            last_age_ns=state.at_ns - known.last_ns if known else 0,
            phase=known.phase if known else MarketPhase.UNKNOWN,
            killed=state.killed,
            blocks=blocks,
            block_text=block_text,
            breaker=code,
            breaker_text=breaker_text,
            open_positions=self._occupied(),
            symbol_busy=self.is_busy(proposal.symbol),
            exposure=desk.exposure(),
            risk=desk.risk(),
            equity=desk.equity,
            free_margin=desk.free_margin(),
            entries_last_minute=len(state.entries_ns),
        )

    def _occupied(self) -> int:
        """Symbols with a position or a working entry."""
        state = self._desk.state
        held = {p.symbol: None for p in state.positions.values() if p.qty}
        return len(held | {order.symbol: None for order in self._desk.entries()})

    def _enter(self, signal: LiveSignal, candidate: Candidate) -> None:
        proposal, config = signal.proposal, self._desk.config
        limit = proposal.entry != 0
        order = Order(
            order_id=self._desk.new_id(),
            signal_id=signal.signal_id,
            strategy_id=signal.strategy_id,
            symbol=proposal.symbol,
            purpose=Purpose.ENTRY,
            kind=OrderKind.LIMIT if limit else OrderKind.MARKET,
            tif=TimeInForce.POST_ONLY if limit else TimeInForce.GTC,
            qty=proposal.side.sign * candidate.qty,
            price=candidate.price if limit else 0,
            reduce_only=False,
            expected=candidate.price,
            placed_ns=self._desk.at_ns,
            deadline_ns=self._desk.at_ns + config.entry_timeout_ns,
        )
        signal.order_id = order.order_id
        self._desk.state.entries_ns.append(self._desk.at_ns)
        self._send(order)

    # --- orders ---

    def _send(self, order: Order) -> None:
        """The intent, then the order: to the paper broker at once, to a venue once the intent is durable."""
        state = self._desk.state
        state.orders[order.order_id] = order
        state.tally.orders += 1
        self._move(order, Trigger.SUBMIT)
        submit = Submit(order.order_id, order.symbol, order.qty, order.kind, order.tif, order.price, order.reduce_only)
        if self._paper is not None:
            self._paper.submit(submit, state.at_ns)
        else:
            self._desk.emit(submit)

    def cancel(self, order: Order) -> None:
        """Ask the broker to take the order back; nothing if it has ended or is being cancelled already."""
        if order.ended or order.state is OrderState.PENDING_CANCEL:
            return
        self._move(order, Trigger.CANCEL_SENT)
        cancel = Cancel(order.order_id, order.symbol)
        if self._paper is not None:
            self._paper.cancel(cancel, self._desk.at_ns)
        else:
            self._desk.emit(cancel)

    def cancel_all(self, purpose: Purpose | None = None) -> None:
        """Cancel every working order, or those of one purpose."""
        for order in list(self._desk.state.orders.values()):
            if purpose is None or order.purpose is purpose:
                self.cancel(order)

    def doubt_all(self) -> None:
        """After a restart only the venue knows what became of the working orders: ask it for each."""
        for order in list(self._desk.state.orders.values()):
            self.answer(OutcomeUnknown(order.order_id, self._desk.at_ns, "the desk was restarted"))

    def _move(self, order: Order, trigger: Trigger, code: str = "", text: str = "") -> None:
        """Apply a transition, record it, and file the order where it now belongs."""
        state = self._desk.state
        previous = order.move(trigger)
        self._desk.emit(
            OrderChanged(
                at_ns=state.at_ns,
                order_id=order.order_id,
                signal_id=order.signal_id,
                strategy_id=order.strategy_id,
                symbol=order.symbol,
                purpose=order.purpose,
                kind=order.kind,
                tif=order.tif,
                qty=order.qty,
                price=order.price,
                reduce_only=order.reduce_only,
                previous=previous,
                state=order.state,
                filled_qty=order.filled_qty,
                average_price=order.average_price,
                reason_code=code,
                text=text,
                venue_order_id=order.venue_order_id,
            )
        )
        if order.ended and state.orders.pop(order.order_id, None) is not None:
            state.ended_orders[order.order_id] = order
            _trim(state.ended_orders, ENDED_ORDERS_KEPT)
        if trigger is Trigger.UNKNOWN and order.state is OrderState.UNKNOWN:
            self._safety.block(BlockReason.UNKNOWN_ORDER, f"outcome of order {order.order_id} unknown")
            self._desk.emit(Query(order.order_id, order.symbol))
        elif previous is OrderState.UNKNOWN and not self._unknown_orders():
            self._safety.unblock(BlockReason.UNKNOWN_ORDER, "every order's outcome is known")

    def _unknown_orders(self) -> bool:
        return any(order.state is OrderState.UNKNOWN for order in self._desk.state.orders.values())

    def answer(self, event: BrokerEvent) -> None:
        """Take one answer of the broker."""
        state = self._desk.state
        if isinstance(event, Fill):
            self._fill(event)
            return
        order = state.orders.get(event.client_order_id)
        if order is None:
            return  # an answer about an order that has ended changes nothing: a repeat or a race lost
        code = getattr(event, "code", "") or getattr(event, "reason", "")
        text = getattr(event, "text", "")
        if isinstance(event, OrderAccepted):
            order.venue_order_id = event.venue_order_id or order.venue_order_id
        if isinstance(event, OrderRefused):
            state.tally.rejects += 1
        self._move(order, ANSWER_TRIGGERS[type(event)], code, text)
        if order.ended:
            self._after_end(order, code, text)

    def _after_end(self, order: Order, code: str, text: str) -> None:
        if order.purpose is Purpose.ENTRY:
            self._settle_entry(order, code, text)
        holding = self._desk.state.holdings.get(order.symbol)
        if holding is None:
            return
        if holding.exit_order_id == order.order_id:
            holding.exit_order_id = ""  # if the position is still open, watching it tries again
        elif holding.target_order_id == order.order_id:
            holding.target_order_id = ""

    def _settle_entry(self, order: Order, code: str, text: str) -> None:
        """An entry order has ended: so has its signal; what was filled gets its target order."""
        signal = self._desk.state.live_signals.get(order.signal_id)
        if signal is None:
            return
        if order.filled_qty:
            whole = order.filled_qty == order.qty
            reason = ReasonCode.FILLED if whole else ReasonCode.PARTLY_FILLED
            words = "filled" if whole else "partly filled, the rest cancelled"
            self._end_signal(signal, Refusal(reason, words, abs(order.filled_qty), abs(order.qty)), order.filled_qty)
            self._rest_target(order.symbol)
        elif order.state is OrderState.REJECTED:
            reason = ReasonCode(code) if code in TERMINAL_CODES else ReasonCode.VENUE_REFUSED
            self._end_signal(signal, Refusal(reason, text or f"refused by the broker: {code}"))
        else:
            self._end_signal(signal, Refusal(ReasonCode.CANCELLED_UNFILLED, _unfilled(code)))

    def _end_signal(self, signal: LiveSignal, verdict: Refusal, filled_qty: int = 0) -> None:
        state = self._desk.state
        terminal = TERMINAL_STATE[verdict.code]
        del state.live_signals[signal.signal_id]
        if self._raised_in_this_run(signal):
            state.tally.ended[terminal.value] += 1
        proposal = signal.proposal
        state.recent_signals.append(
            SignalView(
                signal.signal_id,
                state.at_ns,
                signal.strategy_id,
                proposal.symbol,
                proposal.side,
                terminal,
                verdict.code,
                verdict.text,
            )
        )
        del state.recent_signals[:-RECENT_SIGNALS_KEPT]
        self._desk.emit(
            SignalEnded(
                at_ns=state.at_ns,
                signal_id=signal.signal_id,
                strategy_id=signal.strategy_id,
                symbol=proposal.symbol,
                side=proposal.side,
                state=terminal,
                reason_code=verdict.code,
                text=verdict.text,
                value=verdict.value,
                limit=verdict.limit,
                filled_qty=filled_qty,
            )
        )

    def _raised_in_this_run(self, signal: LiveSignal) -> bool:
        """A signal that outlived the run that raised it belongs to that run's figures."""
        return signal.signal_id.startswith(f"{self._desk.state.run_id}-")

    def in_flight(self) -> int:
        """Signals of this run without a verdict yet."""
        return sum(self._raised_in_this_run(signal) for signal in self._desk.state.live_signals.values())

    def end_stranded_signals(self) -> None:
        """Close every signal without a working entry: after a crash, or at a session's end."""
        state = self._desk.state
        for signal in list(state.live_signals.values()):
            if signal.order_id not in state.orders:
                self._end_signal(signal, Refusal(ReasonCode.LOST_IN_CRASH, "the session ended before its order did"))

    # --- fills ---

    def _fill(self, fill: Fill) -> None:
        state = self._desk.state
        if fill.fill_id in state.fills_seen:
            return  # known by its id, booked once
        state.fills_seen[fill.fill_id] = None
        _trim(state.fills_seen, FILL_IDS_KEPT)
        order = state.orders.get(fill.client_order_id) or state.ended_orders.get(fill.client_order_id)
        if order is None:
            text = f"fill {fill.fill_id} belongs to no order of this desk"
            state.tally.errors += 1
            self._desk.emit(ErrorCounted(state.at_ns, "fills", text, "unknown-fill"))
            self._safety.block(BlockReason.RECONCILIATION, text)
            self._desk.emit(Alert(Severity.CRITICAL, "unknown fill", text))
            return
        late = order.ended
        order.filled_qty += fill.qty
        order.filled_value += money.mul(fill.price, fill.qty)
        realized = self._book(order, fill)
        self._desk.emit(self._booked(order, fill, realized, late))
        if late:
            self._desk.emit(Alert(Severity.WARNING, "late fill", f"{fill.fill_id} after {order.state}"))
        else:
            whole = abs(order.filled_qty) >= abs(order.qty)
            self._move(order, Trigger.FULL_FILL if whole else Trigger.PART_FILL)
            if order.ended:
                self._after_end(order, "", "")
        position = state.positions[fill.symbol]
        if not position.qty:
            self._close_trade(fill.symbol)
        self._safety.watch_equity()

    def _book(self, order: Order, fill: Fill) -> int:
        """Move the position, the cash and the holding; the realized profit before fees."""
        state = self._desk.state
        position = state.positions.setdefault(fill.symbol, Position(fill.symbol))
        realized = position.book(fill.qty, fill.price, fill.at_ns)
        state.cash += realized - fill.fee
        state.tally.realized += realized
        state.tally.fees += fill.fee
        state.tally.fills += 1
        holding = state.holdings.get(fill.symbol)
        if holding is None:
            holding = state.holdings[fill.symbol] = self._new_holding(order, fill)
        value = money.mul(fill.price, fill.qty)
        if order.purpose is Purpose.ENTRY:
            holding.entered_qty += fill.qty
            holding.entered_value += value
        else:
            holding.exited_value += value
            holding.exit_reason = order.exit_reason or holding.exit_reason
        holding.realized += realized
        holding.fees += fill.fee
        self._desk.remark(fill.symbol)
        return realized

    def _new_holding(self, order: Order, fill: Fill) -> Holding:
        signal = self._desk.state.live_signals.get(order.signal_id)
        side = Side.LONG if fill.qty > 0 else Side.SHORT
        if signal is None:  # a late fill of an order that had ended: hold it with nothing but the loss limit
            return Holding(
                order.signal_id, order.strategy_id, order.symbol, side, 0, 0, fill.at_ns, 0, "UNKNOWN", "UNKNOWN"
            )
        proposal = signal.proposal
        return Holding(
            signal_id=signal.signal_id,
            strategy_id=signal.strategy_id,
            symbol=proposal.symbol,
            side=proposal.side,
            stop=proposal.stop,
            target=proposal.target,
            opened_ns=fill.at_ns,
            close_at_ns=fill.at_ns + proposal.hold_ns if proposal.hold_ns else 0,
            phase=signal.phase,
            regime=signal.regime,
        )

    def _booked(self, order: Order, fill: Fill, realized: int, late: bool) -> FillBooked:
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
            position_qty=self._desk.state.positions[fill.symbol].qty,
            order_to_fill_ns=fill.at_ns - order.placed_ns,
            fee_source=fill.fee_source,
            slippage_source=fill.slippage_source,
            late=late,
        )

    def _close_trade(self, symbol: str) -> None:
        """The position is flat: the round trip is a trade, and what still works for it is cancelled."""
        state = self._desk.state
        holding = state.holdings.pop(symbol)
        del state.positions[symbol]
        for order in list(state.orders.values()):
            if order.symbol == symbol:
                self.cancel(order)
        pnl = holding.realized - holding.fees - holding.funding
        qty = abs(holding.entered_qty)
        reason = holding.exit_reason or ExitReason.STRATEGY
        state.tally.trades += 1
        state.tally.wins += pnl > 0
        self._desk.emit(
            TradeClosed(
                at_ns=state.at_ns,
                trade_id=self._desk.new_id(),
                signal_id=holding.signal_id,
                strategy_id=holding.strategy_id,
                symbol=symbol,
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
        )
        if reason in IN_STREAK:
            if pnl > 0:
                state.losses_in_row = 0
            elif pnl < 0:
                state.losses_in_row += 1
                self._safety.check()
        self._desk.mark_equity()

    # --- exits ---

    def _rest_target(self, symbol: str) -> None:
        """Put a reduce-only limit order for the whole position at the holding's target."""
        state = self._desk.state
        holding, position = state.holdings.get(symbol), state.positions.get(symbol)
        if holding is None or position is None or not position.qty or not holding.target:
            return
        if holding.exit_order_id or holding.target_order_id:
            return
        price = on_tick(holding.target, self._desk.instruments[symbol].tick, -position.qty)
        order = self._exit_order(holding, Purpose.TARGET, -position.qty, ExitReason.TP, price)
        holding.target_order_id = order.order_id
        self._send(order)

    def _exit_order(self, holding: Holding, purpose: Purpose, qty: int, reason: ExitReason, price: int) -> Order:
        return Order(
            order_id=self._desk.new_id(),
            signal_id=holding.signal_id,
            strategy_id=holding.strategy_id,
            symbol=holding.symbol,
            purpose=purpose,
            kind=OrderKind.LIMIT if price else OrderKind.MARKET,
            tif=TimeInForce.GTC,
            qty=qty,
            price=price,
            reduce_only=True,
            expected=price or self._desk.mark(holding.symbol, -qty),
            placed_ns=self._desk.at_ns,
            exit_reason=reason,
        )

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
        if holding.exit_tried_ns and state.at_ns - holding.exit_tried_ns < EXIT_RETRY_NS:
            return
        for order in list(state.orders.values()):
            if order.symbol == symbol:
                self.cancel(order)
        purpose = Purpose.STOP if reason is ExitReason.SL else Purpose.CLOSE
        order = self._exit_order(holding, purpose, -position.qty, reason, 0)
        holding.exit_order_id = order.order_id
        holding.exit_tried_ns = state.at_ns
        self._send(order)

    def exit_all(self, reason: ExitReason) -> None:
        """Close every position."""
        for symbol in list(self._desk.state.holdings):
            self.exit(symbol, reason)

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
            self.exit(symbol, ExitReason.SL)
        elif -self._desk.unrealized_of(symbol) >= self._desk.config.limits.loss_per_trade_max:
            self.exit(symbol, ExitReason.LOSS_LIMIT)
        elif holding.close_at_ns and state.at_ns >= holding.close_at_ns:
            self.exit(symbol, ExitReason.TIME)
        elif not holding.target_order_id and _reached(holding, low, high):
            self._target_reached(holding)

    def _target_reached(self, holding: Holding) -> None:
        """The target traded while its order does not rest: place it again, unless the entry still works."""
        if not any(o.symbol == holding.symbol for o in self._desk.entries()):
            self._rest_target(holding.symbol)

    def due(self) -> None:
        """Cancel what has outlived its deadline, close what has outlived its time."""
        state = self._desk.state
        for order in list(state.orders.values()):
            if order.deadline_ns and state.at_ns >= order.deadline_ns:
                order.deadline_ns = 0
                self.cancel(order)
        for holding in list(state.holdings.values()):
            if holding.leaving is not None:
                self.exit(holding.symbol, holding.leaving)
            elif holding.close_at_ns and state.at_ns >= holding.close_at_ns:
                self.exit(holding.symbol, ExitReason.TIME)

    def next_due_ns(self) -> int:
        """The earliest deadline of an order or a holding; 0 if there is none."""
        state = self._desk.state
        times = [order.deadline_ns for order in state.orders.values() if order.deadline_ns]
        for holding in state.holdings.values():
            if holding.leaving is None:
                times.append(holding.close_at_ns)
            elif not holding.exit_order_id:
                times.append(holding.exit_tried_ns + EXIT_RETRY_NS)
        return min((at for at in times if at), default=0)


def on_tick(price: int, tick: int, qty: int) -> int:
    """A limit price on the tick grid, never worse than asked: down for a buy (`qty` above zero), up for a sell."""
    return money.floor_to(price, tick) if qty > 0 else money.ceil_to(price, tick)


def _reached(holding: Holding, low: int, high: int) -> bool:
    """Whether prices between `low` and `high` touched the holding's target."""
    if not holding.target:
        return False
    return high >= holding.target if holding.side is Side.LONG else low <= holding.target


TERMINAL_CODES: Final = frozenset(code.value for code in ReasonCode)


def _unfilled(code: str) -> str:
    """Why an entry ended without a fill, for people."""
    return {
        "post_only": "cancelled unfilled: it would have taken liquidity",
        "requested": "cancelled unfilled: its time was up",
    }.get(code, f"cancelled unfilled: {code or 'expired'}")


def _trim(entries: dict[str, Any], kept: int) -> None:
    """Forget the oldest entries beyond `kept`."""
    while len(entries) > kept:
        del entries[next(iter(entries))]
