"""Strategies by name: the two examples that ship, or anyone's as `module:Class`.

`spec` checks parameters and gives the value a run is configured with, `make` turns that value into a running strategy,
`describe` says what there is. A strategy class offers a `Params` model and is called with (spec, params); deriving
from `BaseStrategy` gives both.
"""

import difflib
import importlib
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, Final

import msgspec
import pydantic

from engine.core.config import CoreConfig, StrategySpec
from engine.core.money import SCALE
from engine.core.strategy import Strategy
from engine.core.words import Regime
from engine.strategies.base import BaseStrategy, Parameters

Param = int | str | bool

REGISTERED: Final = {
    "reversion": "engine.strategies.reversion:Reversion",
    "trend": "engine.strategies.trend:Trend",
}


class StrategyError(Exception):
    """A strategy cannot be used as asked."""


class UnknownStrategy(StrategyError):
    """No strategy goes by this name, or the class named is none."""

    def __init__(self, kind: str, why: str) -> None:
        super().__init__(f"strategy {kind!r}: {why}; known are {', '.join(REGISTERED)}, or module:Class")
        self.kind = kind


class InvalidParams(StrategyError):
    """Parameters a strategy does not accept; `problems` holds one sentence a key."""

    def __init__(self, kind: str, problems: Sequence[str]) -> None:
        super().__init__(f"strategy {kind!r}: " + "; ".join(problems))
        self.kind = kind
        self.problems = tuple(problems)


class StrategyInfo(msgspec.Struct, frozen=True):
    """What there is to know of a strategy before using it; `params` are its parameters with their defaults."""

    kind: str
    summary: str
    params: dict[str, Param]


def load(kind: str) -> type[BaseStrategy[Any]]:
    """The strategy class registered as `kind`, or named as `module:Class`.

    Raises:
        UnknownStrategy: it is neither, cannot be imported, or is no strategy.
    """
    module_name, colon, class_name = REGISTERED.get(kind, kind).partition(":")
    if not (module_name and colon and class_name):
        raise UnknownStrategy(kind, "no such name")
    try:
        loaded = getattr(importlib.import_module(module_name), class_name)
    except ImportError as error:
        raise UnknownStrategy(kind, f"cannot import {module_name} ({error})") from error
    except AttributeError as error:
        raise UnknownStrategy(kind, f"{module_name} has no {class_name}") from error
    if not (isinstance(loaded, type) and issubclass(loaded, BaseStrategy)):
        raise UnknownStrategy(kind, "not a class derived from engine.strategies.base.BaseStrategy")
    return loaded


def describe() -> list[StrategyInfo]:
    """The registered strategies, each with its summary and its parameters' defaults."""
    return [
        StrategyInfo(kind, (load(kind).__doc__ or "").partition("\n")[0], params_of(kind, {}).model_dump())
        for kind in REGISTERED
    ]


def params_of(kind: str, params: Mapping[str, Param]) -> Parameters:
    """`params`, checked and completed with defaults.

    Raises:
        UnknownStrategy: see `load`.
        InvalidParams: unknown keys, wrong types, values out of range; all of them at once.
    """
    model = load(kind).Params
    try:
        return model.model_validate(dict(params))
    except pydantic.ValidationError as error:
        raise InvalidParams(kind, [_problem(model, found) for found in error.errors()]) from error


def spec(
    strategy_id: str,
    kind: str,
    params: Mapping[str, Param],
    symbols: Sequence[str],
    regimes: Sequence[Regime] = (),
    weight: int = SCALE,
) -> StrategySpec:
    """What a run is told of one strategy, parameters complete; raises as `params_of`, and for no symbols."""
    if not symbols:
        raise InvalidParams(kind, ["symbols: at least one is needed"])
    return StrategySpec(strategy_id, kind, params_of(kind, params).model_dump(), tuple(symbols), tuple(regimes), weight)


def make(spec: StrategySpec) -> Strategy:
    """A new strategy as `spec` says, its state empty; raises as `params_of`."""
    return load(spec.kind)(spec, params_of(spec.kind, spec.params))


def make_all(config: CoreConfig) -> list[Strategy]:
    """The strategies of a run, in the order of its configuration."""
    return [make(each) for each in config.strategies]


def params_hash(spec: StrategySpec) -> str:
    """A hash of what decides: kind, parameters, symbols, regimes and weight, in whatever order the keys came (hex)."""
    body = msgspec.json.encode((spec.kind, sorted(spec.params.items()), spec.symbols, spec.regimes, spec.weight))
    return sha256(body).hexdigest()


def _problem(model: type[Parameters], found: Any) -> str:
    """One of pydantic's errors as a sentence naming the key, and for an unknown key the nearest known one."""
    key = ".".join(map(str, found["loc"])) or "parameters"
    if found["type"] == "extra_forbidden":
        near = difflib.get_close_matches(key, model.model_fields, n=1)
        return f"{key}: unknown" + (f", did you mean {near[0]}?" if near else "")
    return f"{key}: {found['msg'].removeprefix('Value error, ')}"
