"""The live gate of one environment put together: the record, what is current, the conditions beside the evidence."""

import datetime
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from engine.core.times import DAY
from engine.review.evidence import Fingerprints
from engine.review.live_gate import Standing, weigh
from engine.session.clock import WallClock
from engine.session.config import Config
from engine.session.home import Home
from engine.session.live_gate import LiveGate
from engine.session.settings import BUILT_IN
from engine.session.validation import fingerprints, source_of
from store.desk import Store
from store.gate import read_gate

_CONFIRMED: Final = re.compile(r"(?m)^confirmed (\d{4}-\d{2}-\d{2}) by (\S.*)$")


def current(config: Config, program: str, data: Sequence[Path] = ()) -> Fingerprints:
    """What evidence has to be bound to for it to count now."""
    return fingerprints(config, program, source_of(config, data))


def standing_of(home: Home, config: Config, now: Fingerprints) -> Standing:
    """What the evidence of an environment is worth at this moment."""
    clock_ns = WallClock().now_ns()
    conditions = _conditions(home, config, clock_ns)
    return weigh(read_gate(home.database), now, conditions, clock_ns, config.validation.expiry)


def live_gate(home: Home, config: Config, now: Fingerprints, store: Store) -> LiveGate:
    """The gate of a desk whose orders go to a venue live; every decision goes on record."""

    def record(standing: Standing) -> None:
        told = {**standing.told(), "current": msgspec.to_builtins(now)}
        store.record_gate("gate", standing.level.value, json.dumps(told))

    return LiveGate(lambda: standing_of(home, config, now), record)


def _conditions(home: Home, config: Config, now_ns: int) -> dict[str, bool]:
    """What must be so beside the evidence, each by the sentence said where it is not; any one of them holds all."""
    desk = config.desk
    if config.env != "live":
        return {"the environment is paper: no order of it is live": False}
    checks: dict[str, Callable[[], bool]] = {
        "dry_run is true (desk.toml)": lambda: not desk.dry_run,
        "live_trading_enabled is false (desk.toml)": lambda: desk.live_trading_enabled,
        f"{home.live_confirmation.name} is not there": home.live_confirmation.is_file,
        f"{home.live_confirmation.name} has no line 'confirmed YYYY-MM-DD by NAME' of the last "
        f"{config.validation.expiry // DAY} days": lambda: _is_confirmed(home, now_ns, config.validation.expiry),
        "the venue's credentials are missing": lambda: desk.venue == BUILT_IN or config.keys is not None,
    }
    return {text: check() for text, check in checks.items()}


def _is_confirmed(home: Home, now_ns: int, expiry_ns: int) -> bool:
    """Whether a person has confirmed by name, and not too long ago; what cannot be read confirms nothing."""
    try:
        found = _CONFIRMED.findall(home.live_confirmation.read_text())
        days = [datetime.date.fromisoformat(day) for day, _ in found]
    except (OSError, ValueError):
        return False
    today = now_ns // DAY
    ages = [today - (day - datetime.date(1970, 1, 1)).days for day in days]
    return any(0 <= age <= expiry_ns // DAY for age in ages)
