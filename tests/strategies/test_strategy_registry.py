"""Strategies by name, and parameters that say what is wrong with them."""

import sys
from types import ModuleType

import msgspec
import pytest

from engine.core.config import CoreConfig, StrategySpec
from engine.strategies import (
    REGISTERED,
    InvalidParams,
    StrategyError,
    UnknownStrategy,
    describe,
    load,
    make,
    make_all,
    params_hash,
    params_of,
    spec,
)
from engine.strategies.base import BaseStrategy, Parameters
from engine.strategies.reversion import Reversion


class PatientParams(Parameters):
    patience: int = 3


class Patient(BaseStrategy[msgspec.Struct]):
    """Waits."""

    Params = PatientParams

    def __init__(self, spec: StrategySpec, params: PatientParams) -> None:
        super().__init__(spec, params)
        self.state = msgspec.Struct()
        self.patience = params.patience


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> str:
    module = ModuleType("elsewhere")
    module.__dict__.update(Patient=Patient, Number=7)
    monkeypatch.setitem(sys.modules, "elsewhere", module)
    return "elsewhere"


@pytest.mark.parametrize("kind", REGISTERED)
def test_every_registered_strategy_can_be_made_with_its_defaults(kind: str) -> None:
    made = make(spec("mine", kind, {}, ["AAA", "BBB"]))
    assert (made.strategy_id, made.symbols) == ("mine", ("AAA", "BBB"))
    assert made.history > 0 and made.span_ns > 0
    raw = msgspec.msgpack.encode(made.state)
    assert msgspec.msgpack.decode(raw, type=type(made.state)) == made.state


def test_a_class_elsewhere_is_loaded_by_module_and_name(elsewhere: str) -> None:
    made: object = make(spec("p", f"{elsewhere}:Patient", {"patience": 9}, ["AAA"]))
    assert isinstance(made, Patient) and made.patience == 9


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("reverson", "no such name"),
        ("no.such.module:Thing", "cannot import no.such.module"),
        ("elsewhere:Missing", "elsewhere has no Missing"),
        ("elsewhere:Number", "not a class derived from"),
        (":Thing", "no such name"),
        ("elsewhere:", "no such name"),
    ],
)
def test_an_unknown_strategy_is_refused_naming_the_known_ones(elsewhere: str, kind: str, says: str) -> None:
    with pytest.raises(UnknownStrategy) as caught:
        load(kind)
    assert says in str(caught.value)
    assert "known are reversion, trend, or module:Class" in str(caught.value)
    assert isinstance(caught.value, StrategyError)


def test_all_wrong_parameters_are_named_at_once_with_the_nearest_known_key() -> None:
    with pytest.raises(InvalidParams) as caught:
        spec("r", "reversion", {"gain_pb": 30, "stop_bp": "wide", "hold_minutes": 0}, ["AAA"])
    assert sorted(problem.partition(":")[0] for problem in caught.value.problems) == [
        "gain_pb",
        "hold_minutes",
        "stop_bp",
    ]
    assert "did you mean gain_bp?" in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "params", "says"),
    [
        ("reversion", {"stop_bp": 100, "target_bp": 99}, "target_bp 99 is below stop_bp 100"),
        ("trend", {"fast_bars": 24}, "fast_bars 24 is not below slow_bars 24"),
        ("trend", {"span_seconds": True}, "span_seconds"),
    ],
)
def test_parameters_that_contradict_each_other_are_refused(kind: str, params: dict[str, int], says: str) -> None:
    with pytest.raises(InvalidParams, match=says):
        params_of(kind, params)


def test_a_strategy_without_symbols_is_refused() -> None:
    with pytest.raises(InvalidParams, match="symbols"):
        spec("r", "reversion", {}, [])


def test_reward_equal_to_risk_is_allowed() -> None:
    assert params_of("reversion", {"stop_bp": 100, "target_bp": 100}).model_dump()["target_bp"] == 100


def test_the_hash_follows_what_decides_and_nothing_else() -> None:
    first = spec("a", "reversion", {}, ["AAA"])
    assert params_hash(first) == params_hash(spec("b", "reversion", {"stop_bp": 160}, ["AAA"]))
    shuffled = msgspec.structs.replace(first, params=dict(reversed(first.params.items())))
    assert params_hash(shuffled) == params_hash(first)
    others = [
        spec("a", "reversion", {"stop_bp": 161}, ["AAA"]),
        spec("a", "reversion", {}, ["AAB"]),
        spec("a", "trend", {}, ["AAA"]),
    ]
    assert len({params_hash(other) for other in [first, *others]}) == 4


def test_descriptions_call_the_shipped_strategies_examples() -> None:
    for info in describe():
        assert info.summary.startswith("Example:")
        assert info.params == params_of(info.kind, {}).model_dump()


def test_a_run_makes_its_strategies_in_the_configured_order() -> None:
    specs = (spec("t", "trend", {}, ["AAA"]), spec("r", "reversion", {}, ["BBB"]))
    made = make_all(CoreConfig("paper", 1, True, 0, (), specs))
    assert [each.strategy_id for each in made] == ["t", "r"]
    assert type(made[1]).__name__ == Reversion.__name__
