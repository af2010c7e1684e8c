"""Work: when each part of a running desk last did something useful, and how long that may take.

A beat alone proves only that the loop turns. A task that hangs goes on looking alive, so each one says when it has done
what it is there for; one that has not for longer than its limit is stalled, and the desk is not healthy.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

from engine.core.config import SECOND
from engine.core.view import WorkView
from engine.session.ports import Clock


class Duty(NamedTuple):
    """A task's work: at most `limit_ns` of real time may lie between one time it is done and the next."""

    task: str
    limit_ns: int


DUTIES: Final = (
    Duty("heartbeat_task", 30 * SECOND),  # beats every second
    Duty("watchdog_task", 30 * SECOND),  # measures the loop every 0.1 s
    Duty("timer_task", 30 * SECOND),  # wakes the core when it asked for it
    Duty("kill_switch_task", 30 * SECOND),  # looks for the kill file every 0.25 s
    Duty("stale_data_task", 30 * SECOND),  # looks every second whether the data is too old
    Duty("funding_task", 300 * SECOND),  # looks after funding rates every minute
    Duty("checkpoint_task", 900 * SECOND),  # asks for a snapshot every ten seconds, and for a backup every hour
)
"""The tasks that turn by themselves. The others wait for the outside: `MARKET_DATA`, `EXECUTION` and `JOURNAL`."""

MARKET_DATA: Final = "market_data_task"
MARKET_DATA_LIMIT_NS: Final = 15 * SECOND  # the silence after which data is stale, while any market is open
EXECUTION: Final = "execution_task"
EXECUTION_LIMIT_NS: Final = 60 * SECOND  # above what every call to a venue may take with its retries
JOURNAL: Final = "journal"
JOURNAL_LIMIT_NS: Final = 5 * SECOND


class WorkLog:
    """When each duty was done last, by the monotonic clock. Used from the engine's loop only."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._done_ns: dict[str, int] = {}
        self._calls: dict[int, int] = {}  # since when calls to the outside wait for their answer, by a number
        self._calls_made = 0
        self._late_before: frozenset[str] = frozenset()

    def begin(self) -> None:
        """The tasks start now: from here on each one owes its work."""
        now_ns = self._clock.mono_ns()
        self._done_ns = dict.fromkeys((MARKET_DATA, *(duty.task for duty in DUTIES)), now_ns)

    def did(self, task: str) -> None:
        """`task` has just done what it is there for."""
        self._done_ns[task] = self._clock.mono_ns()

    @contextmanager
    def call(self) -> Iterator[None]:
        """A call to the outside, as long as it waits for its answer."""
        self._calls_made += 1
        number = self._calls_made
        self._calls[number] = self._clock.mono_ns()
        try:
            yield
        finally:
            del self._calls[number]

    def waits_ns(self) -> int:
        """How long the oldest call has waited; 0 without one."""
        return self._clock.mono_ns() - min(self._calls.values()) if self._calls else 0

    def age_ns(self, task: str) -> int:
        """How long ago `task` did its work; 0 before `begin`."""
        return self._clock.mono_ns() - self._done_ns[task] if task in self._done_ns else 0

    def works(self) -> tuple[WorkView, ...]:
        """Every duty with its age."""
        return tuple(WorkView(duty.task, self.age_ns(duty.task), duty.limit_ns) for duty in DUTIES)

    def stalled(self) -> list[WorkView]:
        """The duties that were overdue at the last look and still are.

        One look is not enough: after a pause of the whole process everything is overdue until it had its turn.
        """
        late = [work for work in self.works() if work.age_ns > work.limit_ns]
        stalled = [work for work in late if work.name in self._late_before]
        self._late_before = frozenset(work.name for work in late)
        return stalled
