"""The clocks: the one module that reads time. Everything else is told the time or asks one of these.

`now_ns` is the desk's time (UTC nanoseconds): the wall's, or the venue's when that runs scaled or in the past.
`mono_ns` never steps and is real time in all of them: durations, heartbeats and timeouts are measured with it.
"""

import asyncio
import ctypes
import time
from typing import Final

_UNSYNCHRONIZED: Final = 5  # what adjtimex(2) answers where nothing keeps the clock right
_TIMEX_BYTES: Final = 512  # more than any system's `struct timex`; all zero, it asks and sets nothing
_PASSING: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class WallClock:
    """Real time: the machine's clock as it stood when this one was made, and what has passed since.

    So a machine whose clock is set while the desk runs changes nothing of the desk's; `stepped_ns` tells of it. Time
    during which the machine was suspended has passed, too.
    """

    kind: Final = "wall"
    speed: Final = 1

    def __init__(self) -> None:
        self._origin_ns = time.time_ns() - _passed_ns()

    def now_ns(self) -> int:
        return self._origin_ns + _passed_ns()

    def stepped_ns(self) -> int:
        """How far the machine's clock has been moved since; positive: forwards. Slow drift is in it as well."""
        return time.time_ns() - self.now_ns()

    def mono_ns(self) -> int:
        return time.monotonic_ns()

    async def sleep(self, ns: int) -> None:
        """Sleep `ns` nanoseconds of this clock's time; not at all when `ns` is not above zero."""
        await asyncio.sleep(max(ns, 0) / 1_000_000_000)


class ScaledClock:
    """A venue's time: it stood at `origin_ns` when this clock was made and runs `speed` times as fast as the wall."""

    kind: Final = "scaled"

    def __init__(self, origin_ns: int, speed: int) -> None:
        self.speed = speed
        self._origin_ns = origin_ns
        self._started_ns = time.monotonic_ns()

    def now_ns(self) -> int:
        return self._origin_ns + (time.monotonic_ns() - self._started_ns) * self.speed

    def mono_ns(self) -> int:
        return time.monotonic_ns()

    async def sleep(self, ns: int) -> None:
        await asyncio.sleep(max(ns, 0) / self.speed / 1_000_000_000)


class VirtualClock:
    """Time that stands still until it is set: the data's own time at full speed."""

    kind: Final = "virtual"
    speed: Final = 0

    def __init__(self, start_ns: int) -> None:
        self._now_ns = start_ns

    def now_ns(self) -> int:
        return self._now_ns

    def mono_ns(self) -> int:
        return time.monotonic_ns()

    def set(self, now_ns: int) -> None:
        """Move to `now_ns`; never back."""
        self._now_ns = max(self._now_ns, now_ns)

    async def sleep(self, ns: int) -> None:
        """Real tasks do not wait for virtual time; they only give way."""
        await asyncio.sleep(0)


def _passed_ns() -> int:
    """Nanoseconds since some moment, suspended time included where the system counts it."""
    return time.clock_gettime_ns(_PASSING)


def block(seconds: float) -> None:
    """Sleep in a thread that has no event loop."""
    time.sleep(seconds)


def is_kept_right() -> bool | None:
    """Whether the system says that a source of time keeps its clock right; None where it cannot be asked."""
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    except (OSError, AttributeError):  # not Linux
        return None
    return None if state < 0 else state != _UNSYNCHRONIZED


def unkept_text() -> str:
    """That nothing keeps the machine's clock right, in a sentence; empty where something does, or nobody can say."""
    return (
        "nothing keeps this machine's clock right (timedatectl set-ntp true): it will drift, and with it every stamp"
        if is_kept_right() is False
        else ""
    )
