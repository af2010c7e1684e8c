"""The end of a run waits for a venue to confirm what was cancelled, and names what it has not confirmed."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from engine.session import ending
from engine.session.clock import VirtualClock
from engine.session.ending import Ending


class Working:
    """A shell with two orders, one of them an entry; the venue confirms their end after `confirms_ns`."""

    def __init__(self, clock: VirtualClock, confirms_ns: int) -> None:
        self.errors: list[str] = []
        self._clock, self._confirms_ns = clock, confirms_ns
        wakes = SimpleNamespace(state=SimpleNamespace(killed=False))
        self.runner = SimpleNamespace(engine=wakes, wake_ns=1, wake=self._wake)

    def _wake(self, now_ns: int) -> None:
        self.runner.wake_ns = now_ns + 100_000_000

    def working(self, *, keeps: bool) -> list[str]:
        if self._clock.now_ns() >= self._confirms_ns:
            return []
        return ["o1"] if keeps else ["o1", "o2"]

    def step(self) -> None: ...

    def error(self, where: str, text: str) -> None:
        self.errors.append(f"{where}: {text}")


async def waited(confirms_s: float, *, broker: object = "a venue's", keeps: bool = False) -> tuple[float, list[str]]:
    """How long (s) the step took, and what it told."""
    clock = VirtualClock(0)
    shell = Working(clock, int(confirms_s * 1e9))
    plan: Any = SimpleNamespace(broker=broker, clock=clock)
    end = Ending(plan, cast(Any, shell), {}, lambda: keeps, lambda *_: None, list)
    await end._await_fills()
    return clock.now_ns() / 1e9, shell.errors


@pytest.mark.parametrize("seconds", [0.0, 3.0, ending.CONFIRM_SECONDS - 0.2])
async def test_a_venue_that_confirms_in_time_is_waited_for(seconds: float) -> None:
    took, told = await waited(seconds)
    assert (round(took) == round(seconds), told) == (True, [])


async def test_what_a_venue_does_not_confirm_is_named() -> None:
    """FO-04."""
    took, told = await waited(60)
    assert took <= ending.CONFIRM_SECONDS < ending.STEP_SECONDS
    assert told == ["shutdown: 2 orders are not known to be cancelled and may still work: o1, o2"]


async def test_orders_that_are_to_stay_are_not_waited_for() -> None:
    _, told = await waited(60, keeps=True)
    assert told == ["shutdown: 1 orders are not known to be cancelled and may still work: o1"]


async def test_the_paper_broker_is_part_of_the_desk_and_leaves_nothing_in_doubt() -> None:
    took, told = await waited(60, broker=None)
    assert (took <= ending.PENDING_FILLS_SECONDS, told) == (True, [])
