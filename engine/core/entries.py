"""From a proposal to a verdict: signals, the candidates they become, and the entry orders of those that may go.

Every signal gets exactly one verdict: at once if a safety layer of `engine.core.risk` refuses it, else when its entry
order has ended. Until then it is in `state.live_signals`.
"""

from typing import Final

from engine.core.account import Account
from engine.core.blotter import Blotter
from engine.core.breakers import Breakers
from engine.core.candidate import Candidate
from engine.core.candidates import Candidates
from engine.core.clean import clean
from engine.core.desk import Desk
from engine.core.facts import (
    Check,
    SignalEnded,
    SignalJudged,
    SignalRaised,
    StrategyDecided,
)
from engine.core.orders import Order, Plan
from engine.core.pace import Sent
from engine.core.risk import checks, judge
from engine.core.rule import Refusal
from engine.core.state import LiveSignal
from engine.core.strategy import Proposal
from engine.core.view import SignalView
from engine.core.words import (
    TERMINAL_STATE,
    AlertKind,
    Decision,
    OrderKind,
    OrderState,
    Purpose,
    ReasonCode,
    TimeInForce,
)

RECENT_SIGNALS_KEPT: Final = 100
BUG_CHARS_MAX: Final = 200
REASON_CODES: Final = frozenset(code.value for code in ReasonCode)


class Entries:
    """The signals of one desk and what becomes of them."""

    def __init__(
        self, desk: Desk, breakers: Breakers, candidates: Candidates, account: Account, blotter: Blotter
    ) -> None:
        self._desk = desk
        self._breakers = breakers
        self._candidates = candidates
        self._account = account
        self._blotter = blotter

    def is_busy(self, symbol: str) -> bool:
        """True while the symbol has a position, a working order or a signal in flight."""
        return self._desk.occupants(symbol) > 0

    def in_flight(self) -> int:
        """Signals of this run without a verdict yet."""
        return sum(self._raised_in_this_run(signal) for signal in self._desk.state.live_signals.values())

    # --- a signal begins ---

    def propose(self, strategy_id: str, proposal: Proposal) -> None:
        """Turn a proposal into a signal, and the signal into an entry order or a refusal."""
        desk, state = self._desk, self._desk.state
        known = state.symbols.get(proposal.symbol)
        phase = known.phase.value if known else "UNKNOWN"
        signal = LiveSignal(desk.new_id(), strategy_id, proposal, phase, state.regime.regime.value)
        candidate, seen, no = self._judged(strategy_id, proposal)
        state.live_signals[signal.signal_id] = signal
        state.tally.signals += 1
        desk.emit(StrategyDecided(state.at_ns, strategy_id, proposal.symbol, Decision.ENTRY, _why(proposal, candidate)))
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
        desk.emit(SignalJudged(state.at_ns, signal.signal_id, seen))
        if no is None:
            assert candidate is not None  # what was not refused was judged
            self._enter(signal, candidate)
            return
        self._end_signal(signal, no)
        if no.code is ReasonCode.INTERNAL_ERROR:
            self._tell_failure(no.text)

    def _judged(
        self, strategy_id: str, proposal: Proposal
    ) -> tuple[Candidate | None, tuple[Check, ...], Refusal | None]:
        """The candidate (None: the safety layers themselves failed), what was measured of it, and the refusal if any.

        Judging changes nothing but what is forgotten anyway, so a bug in it need not stop the desk: what cannot be
        judged is refused, counted as an error and told. A bug anywhere else stops it.
        """
        try:
            candidate = self._candidates.make(strategy_id, proposal)
            seen, no = judge(candidate)
            return candidate, checks(seen), no
        except Exception as bug:
            text = clean(f"the safety layers failed: {type(bug).__name__}: {bug}", BUG_CHARS_MAX)
            return None, (), Refusal(ReasonCode.INTERNAL_ERROR, text)

    def _tell_failure(self, text: str) -> None:
        self._desk.fail("safety layers", text, "safety-layers")
        self._desk.alert(AlertKind.UNJUDGED_ENTRY, text)

    def _enter(self, signal: LiveSignal, candidate: Candidate) -> None:
        desk, proposal = self._desk, signal.proposal
        limit = proposal.entry != 0
        order = Order(
            order_id=desk.new_id(),
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
            placed_ns=desk.at_ns,
            deadline_ns=desk.at_ns + desk.config.entry_timeout_ns,
            plan=Plan(signal.phase, signal.regime, proposal.stop, proposal.target, proposal.hold_ns),
        )
        signal.order_id = order.order_id
        sent = Sent(desk.at_ns, order.strategy_id, order.symbol, proposal.side, candidate.price)
        desk.state.pace.entered(sent, candidate.limits.duplicate_window_ns)
        self._account.claim(candidate.margin)
        self._blotter.send(order)

    def probe(self, strategy_id: str, proposal: Proposal) -> Candidate:
        """The candidate this proposal would be now. Nothing is raised, counted or sent."""
        return self._candidates.make(strategy_id, proposal)

    # --- a signal ends ---

    def settle(self, order: Order, code: str, text: str) -> None:
        """An entry order has ended: so has its signal."""
        signal = self._desk.state.live_signals.get(order.signal_id)
        if signal is not None:
            self._end_signal(signal, _verdict(order, code, text), order.filled_qty)

    def end_stranded(self) -> None:
        """Close every signal without a working entry: after a crash, or at a session's end."""
        state = self._desk.state
        for signal in list(state.live_signals.values()):
            if signal.order_id not in state.orders:
                self._end_signal(signal, Refusal(ReasonCode.LOST_IN_CRASH, "the session ended before its order did"))

    def _end_signal(self, signal: LiveSignal, verdict: Refusal, filled_qty: int = 0) -> None:
        state, proposal = self._desk.state, signal.proposal
        terminal = TERMINAL_STATE[verdict.code]
        del state.live_signals[signal.signal_id]
        if self._raised_in_this_run(signal):
            state.tally.ended[terminal.value] += 1
            reasons = state.tally.reasons
            reasons[verdict.code.value] = reasons.get(verdict.code.value, 0) + 1
        state.recent_signals.append(
            SignalView(
                signal_id=signal.signal_id,
                at_ns=state.at_ns,
                strategy_id=signal.strategy_id,
                symbol=proposal.symbol,
                side=proposal.side,
                state=terminal,
                reason_code=verdict.code,
                text=verdict.text,
                phase=signal.phase,
                regime=signal.regime,
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


def _why(proposal: Proposal, candidate: Candidate | None) -> str:
    """The strategy's own reason, and why the entry is smaller than a full one."""
    smaller = candidate.conditions.text if candidate is not None and candidate.conditions.code is None else ""
    return "; ".join(text for text in (f"{proposal.side}: {proposal.text}", smaller) if text)


def _verdict(order: Order, code: str, text: str) -> Refusal:
    """What an ended entry order means for its signal; `code` and `text` are the broker's."""
    if order.filled_qty:
        filled, wanted = abs(order.filled_qty), abs(order.qty)
        if order.filled_qty == order.qty:
            return Refusal(ReasonCode.FILLED, "filled", filled, wanted)
        return Refusal(
            ReasonCode.PARTLY_FILLED,
            f"partly filled, the rest cancelled: {order.cancel_reason or code or 'expired'}",
            filled,
            wanted,
        )
    if order.state is OrderState.REJECTED:
        reason = ReasonCode(code) if code in REASON_CODES else ReasonCode.VENUE_REFUSED
        return Refusal(reason, text or f"refused by the broker: {code}")
    why = "it would have taken liquidity" if code == "post_only" else order.cancel_reason or code or "expired"
    return Refusal(ReasonCode.CANCELLED_UNFILLED, why)
