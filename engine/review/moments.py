"""Moments as text, one way everywhere: UTC, ISO 8601, microseconds."""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final

_SECOND_NS: Final = 1_000_000_000


def instant(ns: int) -> str | None:
    """UTC nanoseconds as ISO 8601 with microseconds and Z; None for 0 (never)."""
    if not ns:
        return None
    seconds, rest = divmod(ns, _SECOND_NS)
    return f"{_second(seconds)}.{rest // 1000:06d}Z"


@lru_cache(maxsize=64)
def _second(seconds: int) -> str:
    """Events come many to a second, and calendar arithmetic costs more than all the rest of writing one."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"


def date_text(day: int) -> str:
    """Days since 1970 as a date, 2026-01-31."""
    return (date(1970, 1, 1) + timedelta(day)).isoformat()
