"""The simulated venue's own clock: another world's time, so it is read here and not from the desk's clock.

Venue time stood at `origin_ns` when the clock was made and runs `speed` times as fast as the wall. Transport timers
(pushes, idle limits, rate limits) stay on the event loop's real time.
"""

import time


class VenueClock:
    """Venue time, UTC nanoseconds. `skew_ns` shifts only what the venue says of it, never the market."""

    def __init__(self, origin_ns: int, speed: int = 1, started_ns: int = 0) -> None:
        """`started_ns` is the monotonic time at which venue time was `origin_ns`; 0 means now.

        The monotonic clock is the same for all processes of a machine, so two of them can share a venue's time.
        """
        self.origin_ns = origin_ns
        self.speed = speed
        self.skew_ns = 0
        self.started_ns = started_ns or time.monotonic_ns()

    def now_ns(self) -> int:
        """Where the market is."""
        return self.origin_ns + (time.monotonic_ns() - self.started_ns) * self.speed

    def pair(self) -> tuple[int, int]:
        """Venue time, and the monotonic time it belongs to."""
        mono_ns = time.monotonic_ns()
        return self.origin_ns + (mono_ns - self.started_ns) * self.speed, mono_ns

    def shown_ns(self) -> int:
        """What the venue says the time is: in frames, in the Date header, when it checks a timestamp."""
        return self.now_ns() + self.skew_ns


def wall_ns() -> int:
    """The machine's UTC time; only for where a market begins and for ids that must differ between two starts."""
    return time.time_ns()  # noqa: TID251 - the venue is a process of its own and has no shell to be told the time by
