"""The configuration from the command line: config check, config show."""

from pathlib import Path
from typing import Any

from console import say
from console.commands.where import DOTENV, Where
from console.exits import Exit
from engine.session.config import Config, load
from engine.session.layers import Override


def read(
    where: Where, tree: Path | None, overrides: dict[str, Override] | None = None, *, data: bool = False
) -> Config:
    """The configuration of the environment in question; raises `ConfigRefused`."""
    return load(where.home.env, tree=tree, overrides=overrides or {}, dotenv=DOTENV, any_symbol=data)


def check(where: Where, tree: Path | None) -> Exit:
    """Say whether the configuration can be used; every problem is named otherwise."""
    config = read(where, tree)
    answer = {"good": True, "env": config.env, "tree": str(config.tree), "config_hash": config.content_hash}
    say.receipt(answer, f"good: {config.tree}, hash {config.content_hash}", json_wanted=where.json)
    return Exit.DONE


def show(where: Where, tree: Path | None) -> Exit:
    """Print every value in force and where it came from."""
    config = read(where, tree)
    if where.json:
        say.as_json(config.snapshot())
        return Exit.DONE
    rows = [
        (f"{section}.{key}", _text(value), config.origins[f"{section}.{key}"])
        for section, values in config.values().items()
        if isinstance(values, dict)
        for key, value in values.items()
    ]
    rows += [(f"strategies.{entry.id}", entry.kind, _params(entry.params)) for entry in config.strategies]
    say.table(("key", "value", "from"), rows)
    say.line(f"hash {config.content_hash}")
    return Exit.DONE


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value)) or "-"
    return str(value).lower() if isinstance(value, bool) else "-" if value in (None, "") else str(value)


def _params(params: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in params.items()) or "the strategy's own parameters"
