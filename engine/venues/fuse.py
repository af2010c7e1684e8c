"""A fuse before calls to a service that keeps failing: after a few failures in a row it asks no more for a while.

Closed, calls pass and failures are counted; a success forgets them. Open, calls are refused at once. When its rest is
over one call may try (half open): if it succeeds the fuse closes, if it fails it opens again. Pattern: M. Nygard,
"Release It!", 2nd ed., 2018, "Circuit Breaker". The name keeps it apart from the desk's circuit breakers.

Libraries were looked at: aiobreaker (no release since 2021, naive local time), pybreaker, purgatory and circuitbreaker
are kept, but read the clock themselves, and wrap functions where only some outcomes of a call may count.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Final

from engine.venues.errors import RateLimited

FAILURES_MAX: Final = 3
REST_S: Final = 60.0


class FuseState(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class FuseOpen(RateLimited):
    """Not asked, because it has failed too often or asked for a rest; `retry_after_s` is what is left of that."""


class Fuse:
    """One service's fuse.

    Args:
        now_s: A clock that never runs backwards, in seconds.
        failures_max: Failures in a row that open it.
        rest_s: How long it stays open.
    """

    def __init__(self, now_s: Callable[[], float], *, failures_max: int = FAILURES_MAX, rest_s: float = REST_S) -> None:
        self._now_s = now_s
        self._failures_max = failures_max
        self._rest_s = rest_s
        self._failures = 0
        self._until_s: float | None = None  # None: closed
        self._trying = False

    @property
    def state(self) -> FuseState:
        if self._until_s is None:
            return FuseState.CLOSED
        return FuseState.HALF_OPEN if self._now_s() >= self._until_s else FuseState.OPEN

    def admit(self, what: str) -> None:
        """Let a call pass, or raise FuseOpen. One that was let pass must be told how it ended."""
        if self._until_s is None:
            return
        left_s = self._until_s - self._now_s()
        if left_s > 0 or self._trying:
            why = (
                f"{self._failures} calls in a row have failed" if self._failures else "the venue wants to be left alone"
            )
            raise FuseOpen(f"{what}: not asked, {why}", retry_after_s=max(left_s, 0.0))
        self._trying = True

    def succeeded(self) -> None:
        """The service answered, whatever it said."""
        self._failures, self._until_s, self._trying = 0, None, False

    def failed(self) -> None:
        """The service did not answer, or not in a way that can be read."""
        self._failures += 1
        self._trying = False
        if self._until_s is not None or self._failures >= self._failures_max:
            self._until_s = self._now_s() + self._rest_s

    def rest(self, seconds: float) -> None:
        """The service wishes to be left alone that long: a fuse that is open longer stays so."""
        self._until_s = max(self._until_s or 0.0, self._now_s() + seconds)

    def abandoned(self) -> None:
        """The call was given up before its end was known: it says nothing about the service."""
        self._trying = False
