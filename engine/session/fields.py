"""The kinds of value a configuration file may hold, and how each is written back.

Everything arrives as TOML values or, from the environment and the command line, as text; both pass the same checks.
Amounts are decimal strings or whole numbers: a TOML float has already lost what was written, so it is refused.
"""

import datetime
from math import isfinite
from typing import Annotated, Final

from pydantic import BeforeValidator, Field, PlainSerializer

from engine.core import money
from engine.core.breaker_table import BREAKERS
from engine.core.clean import clean
from engine.core.config import DAY, HOUR, MINUTE, SECOND
from engine.core.words import BreakerAction, BreakerName

MILLISECOND: Final = SECOND // 1000
DURATION_MAX_NS: Final = 3660 * DAY
PERCENT: Final = 100
UNLIMITED: Final = "unlimited"
ACTION_KEYS: Final = tuple(spec.name.value for spec in BREAKERS if spec.least is not BreakerAction.BLOCK)
ACTION_WORDS: Final = tuple(
    action.value for action in BreakerAction if action not in (BreakerAction.WATCH, BreakerAction.BLOCK)
)
_UNITS: Final = {"ms": MILLISECOND, "s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}


def parse_duration(raw: object) -> int:
    """`90s`, `10m`, `72h`, `14d`, `250ms` in nanoseconds; above zero.

    Raises:
        ValueError: anything else, a bare number included, because its unit would be a guess.
    """
    text = raw.strip() if isinstance(raw, str) else ""
    digits = text.rstrip("dhms")
    unit = _UNITS.get(text[len(digits) :])
    if unit is None or not (digits.isascii() and digits.isdigit() and len(digits) <= 12):
        raise ValueError("must be a whole number with its unit, like 90s, 10m, 72h or 14d")
    ns = int(digits) * unit
    if not 0 < ns <= DURATION_MAX_NS:
        raise ValueError(f"must be above zero and at most {DURATION_MAX_NS // DAY}d")
    return ns


def _bar(raw: object) -> int:
    ns = parse_duration(raw)
    if ns < SECOND or MINUTE % ns:
        raise ValueError("must be 60s, or whole seconds that divide a minute: 1s, 2s, 3s, 5s, 10s, 15s, 30s ...")
    return ns


def duration_text(ns: int) -> str:
    """`ns` in the largest unit that says it exactly (72 h is `3d`)."""
    for unit, size in reversed(_UNITS.items()):
        if ns % size == 0:
            return f"{ns // size}{unit}"
    return f"{ns / SECOND:.3f}s"


def _duration_or_unlimited(raw: object) -> int | None:
    return None if raw in (None, UNLIMITED) else parse_duration(raw)


def _amount(raw: object) -> int:
    if isinstance(raw, float) and isfinite(raw):
        raise ValueError(f'must be exact: write it in quotes, like "{raw:g}"')
    if isinstance(raw, bool) or not isinstance(raw, str | int | float):
        raise ValueError('must be a decimal in quotes or a whole number, like "12.50" or 12')
    try:
        return money.parse(str(raw).strip())
    except money.NotExact:
        raise ValueError(
            f"must be a plain decimal with at most {money.DIGITS} places (no NaN, infinity, exponent or separator)"
        ) from None


def _fraction(raw: object) -> int:
    scaled, rest = divmod(_amount(raw), PERCENT)
    if rest:
        raise ValueError("must be a percentage with at most 6 places")
    return scaled


def _percent_text(fraction: int) -> str:
    return money.text(fraction * PERCENT)


def _count(raw: object) -> int:
    if isinstance(raw, str) and raw.strip().isascii() and raw.strip().isdigit():
        return int(raw)
    if isinstance(raw, bool) or not isinstance(raw, int):
        raise ValueError("must be a whole number")
    return raw


def _flag(raw: object) -> bool:
    word = {"true": True, "false": False}.get(raw.strip().lower()) if isinstance(raw, str) else raw
    if not isinstance(word, bool):
        raise ValueError("must be true or false")
    return word


def _names(raw: object) -> tuple[str, ...]:
    parts = raw.split(",") if isinstance(raw, str) else raw
    if not isinstance(parts, list | tuple) or not all(isinstance(part, str) for part in parts):
        raise ValueError("must be a list of names")
    names = tuple(part.strip() for part in parts)
    if not all(names):
        raise ValueError("holds an empty name")
    if len(set(names)) < len(names):
        raise ValueError("names something twice")
    return names


def _date(raw: object) -> datetime.date | None:
    if raw in (None, ""):
        return None
    try:
        return raw if type(raw) is datetime.date else datetime.date.fromisoformat(str(raw))
    except ValueError:
        raise ValueError("must be a date like 2026-01-31") from None


def _breaker_actions(raw: object) -> dict[BreakerName, BreakerAction]:
    pairs = raw
    if isinstance(raw, str):
        pairs = dict(part.split("=", 1) for part in raw.split(",") if "=" in part) or None
    if not isinstance(pairs, dict):
        raise ValueError('must be a table of breakers and actions, like { daily_loss = "shutdown" }')
    found: dict[BreakerName, BreakerAction] = {}
    for name, action in ((str(key).strip(), str(value).strip()) for key, value in pairs.items()):
        if name not in ACTION_KEYS:
            raise ValueError(f"{clean(name, 40)} is not one of {', '.join(ACTION_KEYS)}")
        if action not in ACTION_WORDS:
            raise ValueError(f"the action of {name} must be one of {', '.join(ACTION_WORDS)}")
        found[BreakerName(name)] = BreakerAction(action)
    return found


Money = Annotated[int, BeforeValidator(_amount), PlainSerializer(money.text), Field(gt=0)]
"""An amount, a price or a ratio above zero, scaled by 1e-8."""

Ratio = Annotated[int, BeforeValidator(_amount), PlainSerializer(money.text), Field(gt=0, le=money.SCALE)]
"""Above zero and at most one."""

MoneyOrNone = Annotated[int, BeforeValidator(_amount), PlainSerializer(money.text), Field(ge=0)]
"""The same, but it may be zero, where zero really means none."""

Percent = Annotated[int, BeforeValidator(_fraction), PlainSerializer(_percent_text), Field(gt=0)]
"""Written in percent (`"5"` is 5 %), kept as a scaled fraction above zero."""

Share = Annotated[int, BeforeValidator(_fraction), PlainSerializer(_percent_text), Field(ge=0, le=money.SCALE)]
"""Written in percent, 0 to 100: a part of something, or none of it, and never more than all."""

FeePercent = Annotated[int, BeforeValidator(_fraction), PlainSerializer(_percent_text)]
"""Like `Percent`, but zero and below are possible: a maker fee may be a rebate."""

Duration = Annotated[int, BeforeValidator(parse_duration), PlainSerializer(duration_text)]
"""Nanoseconds, written with a unit."""

DurationOrUnlimited = Annotated[
    int | None,
    BeforeValidator(_duration_or_unlimited),
    PlainSerializer(lambda ns: UNLIMITED if ns is None else duration_text(ns)),
]

Bar = Annotated[int, BeforeValidator(_bar), PlainSerializer(duration_text)]
"""The span of a bar in nanoseconds: a minute, or a part of one."""

Count = Annotated[int, BeforeValidator(_count), Field(gt=0)]
"""A whole number above zero: zero never means "no limit"."""

CountOrNone = Annotated[int, BeforeValidator(_count), Field(ge=0)]
"""A whole number that may be zero, where zero really means none."""

Seed = Annotated[int, BeforeValidator(_count), Field(ge=0, lt=2**63)]

BreakerActions = Annotated[dict[BreakerName, BreakerAction], BeforeValidator(_breaker_actions)]
"""Actions of single breakers: a table, or as text `daily_loss=shutdown,slippage=halt_day`."""

Flag = Annotated[bool, BeforeValidator(_flag)]

Names = Annotated[tuple[str, ...], BeforeValidator(_names)]

OptionalDate = Annotated[datetime.date | None, BeforeValidator(_date)]
