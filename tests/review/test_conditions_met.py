"""What a run met: time in each regime and phase, transitions, and the part of the report they make."""

from typing import Any

import msgspec

from engine.core.config import SECOND, StrategySpec
from engine.core.facts import (
    EquityMarked,
    ExposureSpiked,
    MarketPhaseChanged,
    PhaseChanged,
    RegimeChanged,
    StrategySwitched,
)
from engine.core.money import parse
from engine.core.words import Regime
from engine.review.conditions import TRANSITIONS_KEPT, ConditionsMet, Lasting, strategies_told, told
from tests.rig import Rig

T0 = 1_795_244_902 * SECOND


def mark(at_ns: int, regime: str, phases: str) -> EquityMarked:
    return EquityMarked(at_ns, 0, 0, 0, 0, 0, 0, 0, 0, 0, regime, 0, phases)


def change(seconds: int, previous: Regime, regime: Regime) -> RegimeChanged:
    return RegimeChanged(
        *(T0 + seconds * SECOND, previous, regime, regime, parse("19"), parse("21"), T0),
        *("file:vix.csv", False, parse("0.01"), parse("0.007"), parse("400"), "why"),
    )


def met() -> ConditionsMet:
    """A hundred seconds of a run: NORMAL for 40 and ELEVATED for 60; two symbols, 90 of 200 seconds SIDEWAYS."""
    seen = ConditionsMet()
    for fact in (
        mark(T0 - 50 * SECOND, "NORMAL", "UNKNOWN:BTCUSDT,ETHUSDT"),
        PhaseChanged(T0, "SEEDING_HISTORY", "RUNNING", ""),
        MarketPhaseChanged(T0, "BTCUSDT", "UNKNOWN", "SIDEWAYS"),
        change(40, Regime.NORMAL, Regime.ELEVATED),
        change(41, Regime.ELEVATED, Regime.ELEVATED),
        StrategySwitched(T0 + 40 * SECOND, "trend", False, Regime.ELEVATED),
        MarketPhaseChanged(T0 + 90 * SECOND, "BTCUSDT", "SIDEWAYS", "TREND_UP"),
        ExposureSpiked(T0 + 95 * SECOND, Regime.ELEVATED, T0 + 40 * SECOND, 0, 1, parse("0.3"), parse("0.2")),
        mark(T0 + 99 * SECOND, "ELEVATED", "TREND_UP:BTCUSDT UNKNOWN:ETHUSDT"),
    ):
        seen.take(fact)
    return seen


def test_time_counts_from_running_and_every_symbol_counts_by_itself() -> None:
    figures = met().figures(T0 + 100 * SECOND)
    assert figures.regime_ns == {"NORMAL": 40 * SECOND, "ELEVATED": 60 * SECOND}
    assert figures.phase_ns == {"SIDEWAYS": 90 * SECOND, "TREND_UP": 10 * SECOND, "UNKNOWN": 100 * SECOND}
    assert (figures.transitions_count, figures.crossings, len(figures.spikes)) == (1, 1, 1)


def test_the_report_names_every_regime_and_phase_with_its_share() -> None:
    part = told(met().figures(T0 + 100 * SECOND))
    assert part["regimes"] == {
        "LOW": {"seconds": 0.0, "share": "0"},
        "NORMAL": {"seconds": 40.0, "share": "0.4"},
        "ELEVATED": {"seconds": 60.0, "share": "0.6"},
        "CRISIS": {"seconds": 0.0, "share": "0"},
        "UNKNOWN": {"seconds": 0.0, "share": "0"},
    }
    assert {phase: held["share"] for phase, held in part["market_phases"].items()} == {
        "TREND_UP": "0.05",
        "TREND_DOWN": "0",
        "SIDEWAYS": "0.45",
        "VOLATILE": "0",
        "UNKNOWN": "0.5",
    }
    (transition,) = part["transitions"]
    assert (transition["previous"], transition["regime"], transition["level"]) == ("NORMAL", "ELEVATED", "21")
    assert (transition["source"], transition["simulated"]) == ("file:vix.csv", False)
    assert (transition["heat_limit_before"], transition["heat_limit"], transition["exposure"]) == (
        *("0.01", "0.007"),
        "400",
    )
    assert part["exposure_spikes"][0]["rise"] == "0.3"


def test_where_no_time_passed_the_shares_are_null() -> None:
    part = told(ConditionsMet().figures(T0))
    assert all(held == {"seconds": 0.0, "share": None} for held in part["regimes"].values())


def test_a_state_that_comes_back_adds_up() -> None:
    lasting = Lasting()
    for at, state in ((0, "A"), (3, "B"), (5, "A"), (5, "B")):
        lasting.change("", state, at)
    assert lasting.until(9) == {"A": 3, "B": 6}


def test_only_the_newest_transitions_are_kept_and_all_are_counted() -> None:
    seen = ConditionsMet()
    for n in range(TRANSITIONS_KEPT + 5):
        seen.take(change(n, Regime.NORMAL, Regime.ELEVATED))
    figures = seen.figures(T0)
    assert (len(figures.transitions), figures.transitions_count) == (TRANSITIONS_KEPT, TRANSITIONS_KEPT + 5)
    assert figures.transitions[-1].at_ns == T0 + (TRANSITIONS_KEPT + 4) * SECOND


def test_strategies_are_told_as_configured() -> None:
    specs = (
        StrategySpec("a", "trend", {}, (), (Regime.LOW,), parse("0.5")),
        StrategySpec("b", "reversion", {}, ()),
    )
    first, second = strategies_told(specs, {"a": 2})
    assert first == {"strategy_id": "a", "kind": "trend", "weight": "0.5", "regimes": ["LOW"], "switches": 2}
    assert (second["regimes"], second["weight"], second["switches"]) == ([r.value for r in Regime], "1", 0)


def test_the_facts_of_a_core_give_the_same_time_whichever_way_it_is_summed() -> None:
    rig = Rig(("BTCUSDT", "ETHUSDT"))
    for level in ("21", "19.8", "17", "31"):
        rig.volatility(level, seconds=100)
    rig.quote("100", "100.1", seconds=50)
    seen = ConditionsMet()
    facts: list[Any] = [item for item in rig.facts if isinstance(item, msgspec.Struct)]
    for fact in facts:
        seen.take(fact)
    figures = seen.figures(rig.now_ns)
    assert figures.regime_ns == {"NORMAL": 200 * SECOND, "ELEVATED": 200 * SECOND, "CRISIS": 50 * SECOND}
    assert figures.phase_ns == {"SIDEWAYS": 900 * SECOND}
