"""`regime.toml` and what a strategy may say of regimes: what the core is told, and what is refused by name."""

import json
from pathlib import Path
from typing import Any

import pytest

from engine.core.config import HOUR, PhaseModel, RegimeModel
from engine.core.money import parse
from engine.core.words import Regime, Volatile
from engine.session.config import to_core
from tests.session.test_config import edit, read, refusal, tree

__all__ = ["tree"]  # the fixture


def test_the_core_is_told_every_value_of_the_file(tree: Path) -> None:
    path = tree / "paper" / "regime.toml"
    for key, value in {
        **{"phase_window": "20", "phase_trend_min": '"0.5"', "phase_volatile_percent": '"1"', "volatile": '"forbid"'},
        **{"normal_from": '"12"', "elevated_from": '"18"', "crisis_from": '"25"', "hysteresis": '"0"'},
        **{"heat_low_percent": '"90"', "heat_normal_percent": '"80"', "heat_elevated_percent": '"50"'},
        **{"heat_crisis_percent": '"0"', "max_age": '"30h"', "spike_rise_percent": '"10"', "spike_window": '"30m"'},
    }.items():
        edit(path, key, value)
    core = to_core(read(tree=tree), (), (), "file:vix.csv")
    assert core.phases == PhaseModel(20, parse("0.5"), parse("0.01"), Volatile.FORBID)
    assert core.regimes == RegimeModel(
        *("file:vix.csv", parse("12"), parse("18"), parse("25"), 0, 30 * HOUR),
        *(parse("0.9"), parse("0.8"), parse("0.5"), 0, parse("0.1"), HOUR // 2),
    )
    assert core.regimes.heat_share(Regime.UNKNOWN) == 0


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("normal_from", '"20"', 'normal_from = "20": must be below elevated_from'),
        ("crisis_from", '"20"', 'elevated_from = "20": must be below crisis_from'),
        ("hysteresis", '"15"', "must be below normal_from"),
        ("hysteresis", '"-1"', "hysteresis"),
        ("heat_crisis_percent", '"100.01"', "heat_crisis_percent"),
        ("heat_crisis_percent", "0.4", "must be exact"),
        ("phase_window", "1", "must lie between 2 and 1000"),
        ("phase_window", "1001", "must lie between 2 and 1000"),
        ("phase_trend_min", '"1.1"', "phase_trend_min"),
        ("volatile", '"sometimes"', "volatile"),
        ("volatility", '""', "volatility"),
        ("volatility", '"/nowhere/vix.csv"', "/nowhere/vix.csv: cannot be read: No such file"),
        ("max_age", '"0s"', "max_age"),
        ("volatilty", '"none"', "did you mean volatility?"),
    ],
)
def test_what_cannot_be_used_is_refused_by_its_key(tree: Path, key: str, value: str, words: str) -> None:
    edit(tree / "paper" / "regime.toml", key, value)
    text = refusal(tree=tree)
    assert "regime.toml" in text and words in text


def test_a_damaged_index_is_refused_before_the_start_with_file_line_and_column(tree: Path, tmp_path: Path) -> None:
    index = tmp_path / "vix.csv"
    index.write_text("date,close\n2026-01-02,17\n2026-01-02,18\n")
    text = refusal(variables={"NIGHTDESK_REGIME_VOLATILITY": str(index)}, tree=tree)
    assert "environment NIGHTDESK_REGIME_VOLATILITY: volatility" in text
    assert f"{index}:3: date = '2026-01-02': must be later than the row before" in text


def strategies(tree: Path, **changes: Any) -> None:
    path = tree / "paper" / "strategies" / "default.json"
    raw = json.loads(path.read_text())
    raw["strategies"][0] |= changes
    path.write_text(json.dumps(raw))


def test_a_strategy_may_name_its_regimes_and_its_weight(tree: Path) -> None:
    strategies(tree, regimes=["LOW", "NORMAL"], weight="0.5")
    first, second = read(tree=tree).strategies
    assert (first.regimes, first.weight) == ((Regime.LOW, Regime.NORMAL), parse("0.5"))
    assert (second.regimes, second.weight) == ((), parse("1"))
    assert read(tree=tree).content_hash != read().content_hash


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"regimes": ["PANIC"]}, "strategies.0.regimes.0"),
        ({"weight": "0"}, "strategies.0.weight"),
        ({"weight": "1.01"}, "strategies.0.weight"),
        ({"weight": 0.5}, "strategies.0.weight"),
    ],
)
def test_a_regime_or_weight_that_cannot_be_is_named_by_its_place(
    tree: Path, changes: dict[str, Any], place: str
) -> None:
    strategies(tree, **changes)
    assert place in refusal(tree=tree)
