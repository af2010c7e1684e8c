"""Lengths of time: their units in nanoseconds, and how people read them."""

from typing import Final

SECOND: Final = 1_000_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 3600 * SECOND
DAY: Final = 24 * HOUR


def stretch(ns: int) -> str:
    """A length of time as an operator reads it: 7s, 4m05s, 2h14m, 3d04h."""
    seconds = max(ns, 0) // SECOND
    if seconds < 60:
        return f"{seconds}s"
    if seconds < 3600:
        return f"{seconds // 60}m{seconds % 60:02d}s"
    if seconds < 86_400:
        return f"{seconds // 3600}h{seconds // 60 % 60:02d}m"
    return f"{seconds // 86_400}d{seconds // 3600 % 24:02d}h"


def until_step(now_ns: int, period_ns: int) -> int:
    """How long until the multiple of `period_ns` that is nearest to a period from now: half of it to one and a half.

    What looks again and again keeps in step by it and wakes together, which costs the processor less than one by one.
    """
    half_ns = period_ns // 2
    return period_ns + half_ns - (now_ns + half_ns) % period_ns
