"""Market phases, the truth table of the conditions, and what strategies are recorded to have decided."""

from collections.abc import Sequence
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.conditions import HALF, should_trade
from engine.core.config import MINUTE, PhaseModel, StrategySpec
from engine.core.events import Bar, PhaseEntered, RunStarted, SessionPhase
from engine.core.facts import BlockChanged, MarketPhaseChanged, SignalEnded, StrategyDecided
from engine.core.money import SCALE
from engine.core.phases import MarketPhase, PhaseWindow
from engine.core.strategy import ExitWish
from engine.core.words import BlockReason, Decision, ReasonCode, Regime, TerminalState, Volatile
from tests.rig import START_NS, SYMBOL, Rig, d

MODEL = PhaseModel()


def bar(minute: int, close: str | int, spread: str = "0") -> Bar:
    """A closed bar around `close`, `spread` from low to high."""
    price, half = d(close), d(spread) // 2
    start = START_NS + minute * MINUTE
    return Bar(SYMBOL, start + MINUTE, start, MINUTE, price, price + half, price - half, price, d(1))


def phase_of(closes: Sequence[str | int], spread: str = "0", model: PhaseModel = MODEL) -> MarketPhase:
    window = PhaseWindow()
    for minute, close in enumerate(closes):
        window.add(bar(minute, close, spread), model)
    return window.phase


# --- phases ---

SERIES = {
    MarketPhase.TREND_UP: ([100 + minute for minute in range(50)], "0.1"),
    MarketPhase.TREND_DOWN: ([200 - minute for minute in range(50)], "0.1"),
    MarketPhase.SIDEWAYS: ([100 + minute % 2 for minute in range(50)], "0.1"),
    MarketPhase.VOLATILE: ([100] * 50, "0.4"),
}


@pytest.mark.parametrize("phase", SERIES)
def test_each_phase_is_known_by_its_series(phase: MarketPhase) -> None:
    assert phase_of(*SERIES[phase]) is phase


def test_a_range_just_below_the_bound_is_not_volatile() -> None:
    assert phase_of([100] * 50, "0.39999") is MarketPhase.SIDEWAYS


@pytest.mark.parametrize(("strength", "phase"), [("0.4", MarketPhase.TREND_UP), ("0.40000001", MarketPhase.SIDEWAYS)])
def test_a_trend_is_a_net_move_of_enough_of_the_path(strength: str, phase: MarketPhase) -> None:
    """Fourteen steps up and six down: a net move of 8 on a path of 20."""
    closes = [*range(100, 115), *range(113, 107, -1)]
    assert phase_of(closes, model=PhaseModel(window=21, trend_min=d(strength))) is phase


@pytest.mark.parametrize("window", [2, 50, 51])
def test_with_one_bar_less_than_the_window_the_phase_is_unknown(window: int) -> None:
    model = PhaseModel(window=window)
    assert phase_of([100] * (window - 1), model=model) is MarketPhase.UNKNOWN
    assert phase_of([100] * window, model=model) is MarketPhase.SIDEWAYS


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=120), st.integers(2, 60))
def test_the_phase_depends_on_the_last_bars_alone(closes: list[int], size: int) -> None:
    model = PhaseModel(window=size)
    assert phase_of(closes, model=model) is phase_of(closes, model=model)
    if len(closes) >= size:
        assert phase_of(closes, model=model) is phase_of(closes[-size:], model=model)


# --- the truth table ---

ONLY_LOW = StrategySpec("s", "", {}, (), (Regime.LOW,))
ANY = StrategySpec("s", "", {}, ())


def expected(phase: MarketPhase, regime: Regime, strategy: StrategySpec, volatile: Volatile) -> object:
    if phase is MarketPhase.UNKNOWN:
        return ReasonCode.PHASE_UNKNOWN
    if phase is MarketPhase.VOLATILE and volatile is Volatile.FORBID:
        return ReasonCode.PHASE_FORBIDS
    if strategy is ONLY_LOW and regime is not Regime.LOW:
        return ReasonCode.STRATEGY_DISABLED
    return HALF if phase is MarketPhase.VOLATILE and volatile is Volatile.HALF else SCALE


@pytest.mark.parametrize(
    ("phase", "regime", "strategy", "volatile"), list(product(MarketPhase, Regime, (ANY, ONLY_LOW), Volatile))
)
def test_the_conditions_answer_every_case(
    phase: MarketPhase, regime: Regime, strategy: StrategySpec, volatile: Volatile
) -> None:
    answer = should_trade(phase, regime, strategy, volatile)
    assert (answer.share or answer.code) == expected(phase, regime, strategy, volatile)
    assert (answer.share == 0) == (answer.code is not None)
    assert bool(answer.text) == (answer.share < SCALE)


# --- in a desk ---


def stirred(volatile: Volatile) -> Rig:
    """A running desk whose market has become VOLATILE."""
    rig = Rig(phases=PhaseModel(window=2, volatile=volatile))
    for minute in range(2):
        rig.now_ns += MINUTE
        rig.send(Bar(SYMBOL, rig.now_ns, rig.now_ns - MINUTE, MINUTE, d(100), d(102), d(98), d(100), d(10)))
        assert minute == 0 or rig.engine.state.symbols[SYMBOL].phase is MarketPhase.VOLATILE
    return rig


def test_a_volatile_market_halves_entries_by_default() -> None:
    full, half = stirred(Volatile.ALLOW), stirred(PhaseModel().volatile)
    for rig in (full, half):
        rig.enter()
    qty, half_qty = (rig.engine.state.positions[SYMBOL].qty for rig in (full, half))
    assert half_qty == qty // 2 // d("0.001") * d("0.001") > 0
    assert "half size" in half.of(StrategyDecided)[0].text and "half size" not in full.of(StrategyDecided)[0].text


def test_a_volatile_market_can_be_forbidden() -> None:
    rig = stirred(Volatile.FORBID)
    rig.propose()
    (ended,) = rig.of(SignalEnded)
    assert (ended.state, ended.reason_code) == (TerminalState.REJECTED_BY_CIRCUIT_BREAKER, ReasonCode.PHASE_FORBIDS)


def test_a_desk_that_knows_no_phase_blocks_entries_until_it_knows_one() -> None:
    rig = Rig(phases=PhaseModel(window=62))
    assert rig.engine.state.blocks[BlockReason.PHASE_UNKNOWN].lifts == "enough bars"
    rig.propose()
    assert rig.of(SignalEnded)[0].reason_code is ReasonCode.PHASE_UNKNOWN
    for _ in range(2):
        rig.now_ns += MINUTE
        rig.send(Bar(SYMBOL, rig.now_ns, rig.now_ns - MINUTE, MINUTE, *(d(100),) * 4, d(10)))
    assert rig.engine.state.blocks == {}
    assert [(b.reason, b.active) for b in rig.of(BlockChanged)][-2:] == [
        (BlockReason.PHASE_UNKNOWN, True),
        (BlockReason.PHASE_UNKNOWN, False),
    ]
    rig.propose()
    assert len(rig.of(SignalEnded)) == 1, "the next entry is on its way"


def test_a_new_run_begins_with_every_phase_unknown() -> None:
    rig = Rig()
    again = Rig(running=False).config
    rig.send(RunStarted(rig.now_ns + MINUTE, "run2", again))
    rig.send(PhaseEntered(rig.now_ns + MINUTE, SessionPhase.SEEDING_HISTORY, SessionPhase.RUNNING))
    assert rig.engine.state.symbols[SYMBOL].phase is MarketPhase.UNKNOWN
    assert BlockReason.PHASE_UNKNOWN in rig.engine.state.blocks
    assert len(rig.of(MarketPhaseChanged)) == 1, "only the first run knew one"


# --- decisions ---


def decided(rig: Rig) -> list[tuple[str, str]]:
    return [(fact.decision, fact.text) for fact in rig.of(StrategyDecided)]


def test_entry_hold_and_exit_are_recorded_with_their_reason() -> None:
    rig = Rig()
    rig.enter()
    for minute in range(2):
        rig.now_ns += MINUTE
        start = START_NS + minute * MINUTE
        rig.send(Bar(SYMBOL, rig.now_ns, start, MINUTE, *(d(100),) * 4, d(10)))
    rig.strategy.wishes = [ExitWish(SYMBOL, "the mean is reached")]
    rig.quote("100", "100.1")
    rig.strategy.wishes = [ExitWish(SYMBOL, "the mean is reached")]
    rig.quote("100", "100.1")
    told = decided(rig)
    assert [decision for decision, _ in told] == [Decision.ENTRY, Decision.HOLD, Decision.HOLD, Decision.EXIT]
    assert told[0][1] == "LONG: because"
    assert told[1][1].startswith("stop 99, target 103, unrealized -")
    assert told[3][1] == "the mean is reached"


def test_a_flat_desk_and_a_backfilled_bar_record_no_hold() -> None:
    rig = Rig()
    rig.send(Bar(SYMBOL, rig.now_ns, START_NS, MINUTE, *(d(100),) * 4, d(10)))
    assert decided(rig) == []
    rig.enter()
    rig.send(Bar(SYMBOL, rig.now_ns, START_NS + MINUTE, MINUTE, *(d(100),) * 4, d(10), True))
    assert [decision for decision, _ in decided(rig)] == [Decision.ENTRY]
