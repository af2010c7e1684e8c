"""A symbol whose rules change, that is delisted or has unknown fees: nothing enters it, what is held may leave."""

import msgspec

from engine.core import money
from engine.core.config import ASSUMED, SECOND
from engine.core.engine import Engine
from engine.core.events import InstrumentChanged, PhaseEntered, RunStarted, SessionPhase
from engine.core.facts import Alert, FeedNoted, FillBooked, OrderChanged, SignalEnded, TradeClosed
from engine.core.words import AlertKind, ExitReason, OrderState, ReasonCode, TerminalState
from tests.rig import SYMBOL, Rig, Scripted, d, instrument

OTHER = "ETHUSDT"
COARSER = "tick is 0.5, was 0.1"


def change(rig: Rig, text: str, symbol: str = SYMBOL) -> None:
    rig.send(InstrumentChanged(symbol, rig.now_ns, text))


def test_a_changed_instrument_is_told_once_and_not_entered_until_it_is_as_before() -> None:
    """FA-10."""
    rig = Rig()
    for _ in range(2):
        change(rig, COARSER)
    assert [(note.kind, note.text) for note in rig.of(FeedNoted)] == [("INSTRUMENT_CHANGED", COARSER)]
    assert [(alert.kind, alert.text) for alert in rig.of(Alert)] == [
        (AlertKind.INSTRUMENT_CHANGED, f"{SYMBOL}: {COARSER}")
    ]
    rig.propose()
    (ended,) = rig.of(SignalEnded)
    assert (ended.state, ended.reason_code) == (
        TerminalState.REJECTED_BY_CIRCUIT_BREAKER,
        ReasonCode.INSTRUMENT_CHANGED,
    )
    assert COARSER in ended.text
    change(rig, "")
    assert rig.of(FeedNoted)[-1].text == "its rules are those the run began with again"
    rig.enter()
    assert rig.of(SignalEnded)[-1].state is TerminalState.EXECUTED


def test_what_works_to_enter_it_is_taken_back_and_other_symbols_go_on() -> None:
    """FA-10."""
    rig = Rig((SYMBOL, OTHER))
    for symbol in (SYMBOL, OTHER):
        rig.propose(entry="99.5", symbol=symbol)
    change(rig, "BTCUSDT is not traded: OFFLINE")
    states = {order.symbol: order.state for order in rig.engine.state.orders.values()}
    assert states == {SYMBOL: OrderState.PENDING_CANCEL, OTHER: OrderState.SUBMITTED}
    change(rig, "x", "UNKNOWN")  # not one of the run's
    assert len(rig.of(FeedNoted)) == 1


def test_what_is_held_keeps_its_bracket_and_leaves_at_its_stop() -> None:
    """FA-10."""
    rig = Rig()
    rig.enter()
    rig.quote("100", "100.1")
    before = len(rig.of(OrderChanged))
    change(rig, COARSER)
    assert len(rig.of(OrderChanged)) == before, "stop and target rest"
    for _ in range(3):
        rig.quote("98.5", "98.6")
    assert [trade.exit_reason for trade in rig.of(TradeClosed)] == [ExitReason.SL]


def test_a_change_outlives_a_restart_of_the_core_and_ends_with_the_run() -> None:
    rig = Rig()
    change(rig, COARSER)
    rig.engine = Engine(lambda _: (Scripted(),), rig.engine.snapshot())
    assert rig.engine.state.symbols[SYMBOL].changed == COARSER
    rig.send(RunStarted(rig.now_ns + SECOND, "run2", rig.config))
    assert rig.engine.state.symbols[SYMBOL].changed == ""


# --- fees ---


def test_nothing_is_entered_at_fees_nobody_named_and_what_is_held_is_closed_by_them() -> None:
    """FA-13."""
    rig = Rig()
    rig.enter()
    assumed = msgspec.structs.replace(rig.config, instruments=(instrument(fee_source=ASSUMED, taker_fee=d("0.001")),))
    rig.now_ns += SECOND
    rig.send(RunStarted(rig.now_ns, "run2", assumed))
    rig.seed()
    rig.volatility("17")
    rig.send(PhaseEntered(rig.now_ns, SessionPhase.SEEDING_HISTORY, SessionPhase.RUNNING))
    for _ in range(3):
        rig.quote("98.5", "98.6")
    assert [trade.exit_reason for trade in rig.of(TradeClosed)] == [ExitReason.SL]
    out = rig.of(FillBooked)[-1]
    assert out.fee_source == ASSUMED and out.fee == money.mul(money.mul(out.price, abs(out.qty)), d("0.001"))
    rig.propose(stop="97.5", target="103", bid="98.5", ask="98.6")
    ended = rig.of(SignalEnded)[-1]
    assert (ended.state, ended.reason_code) == (TerminalState.REJECTED_BY_SIZING, ReasonCode.FEES_UNKNOWN)
