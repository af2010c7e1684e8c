"""What somebody who looks at a recorded run may ask for: moves by key, and moments as they are typed."""

import re
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from console.text import ZONE, date
from engine.core.times import HOUR, MINUTE
from engine.core.view import ReplayView
from engine.review.marks import Mark
from engine.session.fields import parse_duration

SPEEDS: Final = (1, 10, 60, 600, 0)  # times as fast as the desk; 0: as fast as it can
RULE: Final = "write 12:03, 12:03:07, 2026-11-21T08:00Z, +10m, -1h, 50%, #12345, start or end"
_EPOCH: Final = datetime.fromtimestamp(0, tz=UTC)


class Move(StrEnum):
    PLAY = "play"  # or pause
    STEP = "step"
    BACK = "back"
    FASTER = "faster"
    SLOWER = "slower"
    MINUTE_ON = "minute_on"
    MINUTE_BACK = "minute_back"
    HOUR_ON = "hour_on"
    HOUR_BACK = "hour_back"
    NEXT_TRADE = "next_trade"
    LAST_TRADE = "last_trade"
    NEXT_REJECTION = "next_rejection"
    LAST_REJECTION = "last_rejection"
    NEXT_BREAKER = "next_breaker"
    LAST_BREAKER = "last_breaker"
    NEXT_INCIDENT = "next_incident"
    LAST_INCIDENT = "last_incident"


SHIFTS: Final = {
    Move.MINUTE_ON: MINUTE,
    Move.MINUTE_BACK: -MINUTE,
    Move.HOUR_ON: HOUR,
    Move.HOUR_BACK: -HOUR,
}
JUMPS: Final = {Move(f"{way}_{mark}"): (mark, way == "next") for mark in Mark for way in ("next", "last")}


class Target(NamedTuple):
    """Where to: an input by its number within the run, or a time (ns, UTC); the other is 0."""

    number: int = 0
    at_ns: int = 0


def parse_target(text: str, at_ns: int, replay: ReplayView) -> Target:
    """The moment that was typed, seen from `at_ns`. A time of day is of the day that is shown, and in the time that
    is shown where it names no other.

    Raises:
        ValueError: it is none, with how to write one.
    """
    text = text.strip()
    if text in ("start", "end"):
        return Target(number=1 if text == "start" else replay.count)
    if found := re.fullmatch(r"#([0-9]{1,15})", text):
        return Target(number=min(max(int(found[1]), 1), replay.count))
    if found := re.fullmatch(r"([0-9]{1,3}) ?%", text):
        return Target(number=max(replay.count * min(int(found[1]), 100) // 100, 1))
    try:
        if text[:1] in ("+", "-"):
            ns = parse_duration(text[1:])
            return Target(at_ns=at_ns + (ns if text[0] == "+" else -ns))
        return Target(at_ns=_moment(text, at_ns))
    except ValueError:
        raise ValueError(f"{text[:40]!r} is no moment: {RULE}") from None


def _moment(text: str, at_ns: int) -> int:
    try:
        of_day = time.fromisoformat(text) if ":" in text else None
    except ValueError:
        of_day = None
    if of_day is not None:
        moment = datetime.combine(datetime.fromisoformat(date(at_ns)), of_day)
    else:
        moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.astimezone() if ZONE.is_local else moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000
