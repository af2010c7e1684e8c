"""The regime: thresholds and hysteresis, values that are too old, and what a transition does and leaves alone."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.config import DAY, HOUR, SECOND, RegimeModel, StrategySpec
from engine.core.engine import Engine
from engine.core.events import AnyEvent, PhaseEntered, RunStarted, SessionPhase, VolatilityRead, Wake
from engine.core.facts import (
    Alert,
    EquityMarked,
    ExposureSpiked,
    Fact,
    FeedNoted,
    MarketPhaseChanged,
    RegimeChanged,
    SignalEnded,
    SignalRaised,
    StrategySwitched,
    TradeClosed,
    WakeAt,
)
from engine.core.regimes import RANK, by_level, settled
from engine.core.words import AlertKind, ReasonCode, Regime, TerminalState
from tests.rig import INDEX, SYMBOL, Rig, d

MODEL = RegimeModel(source=INDEX)
LEVELS = st.integers(1, d(100))


def crossings(rig: Rig) -> list[tuple[str, str, str]]:
    return [(fact.previous, fact.regime, fact.raw) for fact in rig.of(RegimeChanged)]


# --- levels ---


@pytest.mark.parametrize(
    ("level", "regime"),
    [
        *(("14.99", "LOW"), ("15", "NORMAL"), ("19.99999999", "NORMAL"), ("20", "ELEVATED")),
        *(("29.99", "ELEVATED"), ("30", "CRISIS"), ("82.69", "CRISIS"), ("0.01", "LOW")),
    ],
)
def test_a_level_means_a_regime(level: str, regime: str) -> None:
    assert by_level(d(level), MODEL) == regime


@pytest.mark.parametrize(
    ("level", "held", "regime"),
    [
        *(("19.5", "ELEVATED", "ELEVATED"), ("19.49", "ELEVATED", "NORMAL"), ("20", "NORMAL", "ELEVATED")),
        *(("14.5", "CRISIS", "NORMAL"), ("14.49", "CRISIS", "LOW"), ("29.5", "CRISIS", "CRISIS")),
        *(("19.8", "NORMAL", "NORMAL"), ("19.8", "UNKNOWN", "NORMAL"), ("29.8", "LOW", "ELEVATED")),
    ],
)
def test_a_calmer_regime_needs_a_level_clearly_below_the_threshold(level: str, held: str, regime: str) -> None:
    assert settled(d(level), Regime(held), MODEL) == regime


@given(LEVELS, st.sampled_from(list(Regime)))
def test_the_regime_in_force_is_never_calmer_than_the_level(level: int, held: Regime) -> None:
    assert RANK[settled(level, held, MODEL)] >= RANK[by_level(level, MODEL)]


@given(st.lists(LEVELS, min_size=1, max_size=30))
def test_without_hysteresis_only_the_level_counts(levels: list[int]) -> None:
    model = RegimeModel(hysteresis=0)
    held = Regime.UNKNOWN
    for level in levels:
        held = settled(level, held, model)
        assert held is by_level(level, model)


# --- transitions ---


def test_every_crossing_is_recorded_and_those_within_the_hysteresis_change_nothing() -> None:
    rig = Rig(volatility="19")
    for level in ("21", "19.8", "22", "22.5"):
        rig.volatility(level)
    assert crossings(rig) == [
        ("UNKNOWN", "NORMAL", "NORMAL"),
        ("NORMAL", "ELEVATED", "ELEVATED"),
        ("ELEVATED", "ELEVATED", "NORMAL"),
        ("ELEVATED", "ELEVATED", "ELEVATED"),
    ]
    up, down = rig.of(RegimeChanged)[1:3]
    assert (up.previous_level, up.level, up.source, up.simulated) == (d(19), d(21), INDEX, False)
    assert (up.heat_limit_before, up.heat_limit, up.exposure) == (d("0.01"), d("0.007"), 0)
    assert (down.heat_limit_before, down.heat_limit) == (d("0.007"), d("0.007"))
    assert "19.80, which alone is NORMAL: ELEVATED holds" in down.text


@pytest.mark.parametrize(("level", "limit"), [("14", "0.01"), ("17", "0.01"), ("25", "0.007"), ("31", "0.004")])
def test_each_regime_leaves_its_share_of_the_heat_limit(level: str, limit: str) -> None:
    assert Rig(volatility=level).engine.desk.heat_limit() == d(limit)


def test_without_a_value_the_strictest_share_is_in_force_and_it_is_said() -> None:
    rig = Rig(volatility=None)
    assert rig.engine.state.regime.regime is Regime.UNKNOWN
    assert rig.engine.desk.heat_limit() == d("0.004")
    (alert,) = rig.of(Alert)
    assert (alert.kind, alert.text) == (
        AlertKind.REGIME_UNKNOWN,
        "test has given no value: 40 % of the heat limit is in force",
    )


def test_a_run_that_reads_no_index_says_so() -> None:
    rig = Rig(volatility=None, regimes=RegimeModel())
    assert rig.of(Alert)[0].text.startswith("this run reads no volatility index")


def test_a_value_lasts_as_long_as_configured_and_then_time_alone_ends_it() -> None:
    rig = Rig(volatility="17")
    last = rig.now_ns + 5 * DAY
    rig.send(Wake(last))
    assert rig.engine.state.regime.regime is Regime.NORMAL
    assert last + 1 in [wake.at_ns for wake in rig.of(WakeAt)], "the desk asked to be woken for it"
    rig.send(Wake(last + 1))
    (changed,) = rig.of(RegimeChanged)[1:]
    assert (changed.previous, changed.regime, changed.level, changed.heat_limit) == (
        *("NORMAL", "UNKNOWN"),
        *(d(17), d("0.004")),
    )
    assert rig.of(Alert)[-1].text == (
        "the newest value of test is 120 h old, at most 120 h count: 40 % of the heat limit is in force"
    )


def test_a_value_that_comes_too_old_is_shown_and_counts_as_none() -> None:
    rig = Rig(volatility=None)
    rig.volatility("17", age_seconds=5 * 86_400 + 1)
    assert (rig.engine.state.regime.regime, rig.engine.state.regime.level) == (Regime.UNKNOWN, d(17))
    assert rig.of(RegimeChanged) == []
    rig.volatility("17", age_seconds=5 * 86_400)
    assert rig.engine.state.regime.regime is Regime.NORMAL


def test_an_older_value_never_replaces_a_newer_one() -> None:
    rig = Rig(volatility="17")
    rig.volatility("35", age_seconds=3600)
    assert rig.engine.state.regime.regime is Regime.NORMAL


def test_a_value_of_a_time_to_come_is_refused() -> None:
    rig = Rig(volatility="17")
    rig.send(VolatilityRead(rig.now_ns, d(35), rig.now_ns + 1, INDEX, False))
    assert rig.engine.state.regime.regime is Regime.NORMAL
    assert [note.kind for note in rig.of(FeedNoted)] == ["DATA_REJECTED"]


# --- entries ---


def test_a_transition_closes_nothing_and_keeps_entries_to_the_lower_limit() -> None:
    rig = Rig(("BTCUSDT", "ETHUSDT"))
    rig.enter()
    heat = rig.engine.desk.heat()
    assert 0 < heat < d("0.004")
    rig.volatility("31")
    assert list(rig.engine.state.holdings) == [SYMBOL]
    assert rig.of(TradeClosed) == []
    rig.propose(symbol="ETHUSDT", stop="97", target="110")
    assert rig.of(SignalEnded)[-1].reason_code is not ReasonCode.HEAT, "what fits is still entered"


def test_the_heat_rule_measures_against_the_limit_in_force() -> None:
    calm, crisis = (Rig(regimes=RegimeModel(source=INDEX, heat_crisis=d("0.1")), volatility=v) for v in ("17", "31"))
    for rig in (calm, crisis):
        rig.propose()
    assert calm.of(SignalEnded) == []
    (ended,) = crisis.of(SignalEnded)
    assert (ended.state, ended.reason_code, ended.limit) == (
        *(TerminalState.REJECTED_BY_HEAT, ReasonCode.HEAT),
        d("0.001"),
    )


def spec(*regimes: Regime, weight: str = "1") -> StrategySpec:
    return StrategySpec("scripted", "scripted", {}, (SYMBOL,), regimes, d(weight))


def test_a_strategy_enters_only_in_its_regimes_and_the_change_is_recorded() -> None:
    rig = Rig(strategies=(spec(Regime.LOW, Regime.NORMAL),))
    rig.volatility("31")
    rig.propose()
    (ended,) = rig.of(SignalEnded)
    assert (ended.state, ended.reason_code) == (
        TerminalState.REJECTED_BY_CIRCUIT_BREAKER,
        ReasonCode.STRATEGY_DISABLED,
    )
    rig.volatility("17")
    rig.propose()
    assert len(rig.of(SignalEnded)) == 1
    assert [(f.strategy_id, f.enabled, f.regime) for f in rig.of(StrategySwitched)] == [
        ("scripted", False, "UNKNOWN"),
        ("scripted", True, "NORMAL"),
        ("scripted", False, "CRISIS"),
        ("scripted", True, "NORMAL"),
    ]


def test_a_strategy_without_regimes_enters_in_all_even_in_unknown() -> None:
    rig = Rig(volatility=None, strategies=(spec(),))
    rig.propose()
    assert rig.of(SignalEnded) == [] and rig.of(StrategySwitched) == []


def test_a_weight_is_the_share_of_a_full_sized_entry() -> None:
    whole, half = Rig(), Rig(strategies=(spec(weight="0.5"),))
    for rig in (whole, half):
        rig.enter()
    qty, half_qty = (rig.engine.state.positions[SYMBOL].qty for rig in (whole, half))
    assert half_qty == qty // 2 // d("0.001") * d("0.001") > 0


# --- tags ---


def test_signal_trade_and_mark_carry_the_regime_and_the_phase_they_came_in() -> None:
    rig = Rig(volatility="25")
    rig.enter()
    rig.volatility("17")
    rig.quote("98.9", "99")
    rig.quote("98.9", "99")
    assert [(s.phase, s.regime) for s in rig.of(SignalRaised)] == [("SIDEWAYS", "ELEVATED")]
    assert [(t.phase, t.regime) for t in rig.of(TradeClosed)] == [("SIDEWAYS", "ELEVATED")]
    mark = rig.of(EquityMarked)[-1]
    assert (mark.regime, mark.volatility, mark.phases) == ("NORMAL", d(17), f"SIDEWAYS:{SYMBOL}")
    assert [(s.phase, s.regime) for s in rig.engine.state.recent_signals] == [("SIDEWAYS", "ELEVATED")]


def test_the_market_phase_is_recorded_once_the_desk_runs_and_at_every_change() -> None:
    rig = Rig(("BTCUSDT", "ETHUSDT"))
    assert [(f.symbol, f.previous, f.phase) for f in rig.of(MarketPhaseChanged)] == [
        ("BTCUSDT", "UNKNOWN", "SIDEWAYS"),
        ("ETHUSDT", "UNKNOWN", "SIDEWAYS"),
    ]


# --- exposure after a transition ---


def test_exposure_that_rises_soon_after_a_transition_is_told_once() -> None:
    rig = Rig(("BTCUSDT", "ETHUSDT"))
    rig.enter()
    rig.volatility("25")
    rig.enter(symbol="ETHUSDT")
    (spiked,) = rig.of(ExposureSpiked)
    assert (spiked.regime, spiked.limit) == ("ELEVATED", d("0.2"))
    assert spiked.rise > d("0.2") and spiked.exposure > spiked.before > 0
    assert [alert.kind for alert in rig.of(Alert)] == [AlertKind.EXPOSURE_SPIKE]


def test_exposure_that_rises_after_the_window_is_no_spike() -> None:
    rig = Rig(("BTCUSDT", "ETHUSDT"))
    rig.enter()
    rig.volatility("25")
    rig.quote("100", "100.1", seconds=3599)
    rig.quote("100", "100.1", symbol="ETHUSDT", seconds=2)
    rig.enter(symbol="ETHUSDT")
    assert rig.of(ExposureSpiked) == []


@pytest.mark.parametrize(("rise", "spikes"), [("0.09", 1), ("0.1", 0)])
def test_from_flat_the_rise_is_measured_against_equity(rise: str, spikes: int) -> None:
    rig = Rig(regimes=RegimeModel(source=INDEX, spike_rise=d(rise)))
    rig.volatility("25")
    rig.enter()
    assert d("0.09") < rig.engine.desk.exposure() * d(1) // rig.engine.desk.equity < d("0.1")
    assert len(rig.of(ExposureSpiked)) == spikes


# --- memory ---


def restarted(rig: Rig, **config: Any) -> Engine:
    engine = Engine(lambda _: (rig.strategy,), rig.engine.snapshot())
    made = Rig(running=False, volatility=None, **config).config
    engine.handle(RunStarted(rig.now_ns + HOUR, "run2", made))
    return engine


def test_the_regime_is_in_the_snapshot_and_survives_a_restart() -> None:
    rig = Rig(volatility="25")
    rig.volatility("19.8")
    again = Engine(lambda _: (rig.strategy,), rig.engine.snapshot())
    assert again.state.regime == rig.engine.state.regime
    assert again.snapshot() == rig.engine.snapshot()
    assert restarted(rig).state.regime.regime is Regime.ELEVATED


def test_a_core_made_from_a_snapshot_decides_as_the_one_it_was_taken_from() -> None:
    rig = Rig(strategies=(spec(Regime.NORMAL),), regimes=RegimeModel(source=INDEX, spike_rise=d("0.05")))
    rig.volatility("25")  # the strategy is switched off and exposure is watched
    twin = Engine(lambda _: (Rig(running=False).strategy,), rig.engine.snapshot())
    events: list[AnyEvent] = []
    for seconds, level in ((10, "19.8"), (20, "19.4"), (4000, "31")):
        at_ns = rig.now_ns + seconds * SECOND
        events.append(VolatilityRead(at_ns, d(level), at_ns, INDEX, False))
    events += [Wake(rig.now_ns + 2 * HOUR), Wake(rig.now_ns + 6 * DAY)]
    for event in events:
        mine, theirs = ([out for out in core.handle(event) if isinstance(out, Fact)] for core in (rig.engine, twin))
        assert mine == theirs
    assert twin.state_hash() == rig.engine.state_hash()
    assert rig.engine.state.regime.regime is Regime.UNKNOWN


def test_a_run_that_reads_another_index_knows_nothing_of_the_old_one() -> None:
    rig = Rig(volatility="25")
    engine = restarted(rig, regimes=RegimeModel(source="file:other.csv"))
    assert (engine.state.regime.regime, engine.state.regime.level) == (Regime.UNKNOWN, 0)


def test_a_restart_after_a_long_time_is_told_once_it_runs_and_not_twice() -> None:
    rig = Rig(volatility="25")
    engine = Engine(lambda _: (rig.strategy,), rig.engine.snapshot())
    late = rig.now_ns + 9 * DAY
    engine.handle(RunStarted(late, "run2", rig.config))
    out = engine.handle(Wake(late + SECOND))
    out += engine.handle(PhaseEntered(late + 2 * SECOND, SessionPhase.SEEDING_HISTORY, SessionPhase.RUNNING))
    assert [fact.regime for fact in out if isinstance(fact, RegimeChanged)] == ["UNKNOWN"]
    assert [item.kind for item in out if isinstance(item, Alert)] == [AlertKind.REGIME_UNKNOWN]
