"""What the machine has left: the slope of a leak, the edges of every limit, room on the disk lost and found."""

import asyncio
from collections import namedtuple
from pathlib import Path

import pytest

from engine.core.config import HOUR, MINUTE
from engine.session.gauges import Memory
from engine.session.resources import MEGABYTE, SAMPLES_MIN, WARM_UP_NS, Resources, Slope, _task_names
from tests.session.standing import StandingClock

Usage = namedtuple("Usage", "total used free")


def slope_of(values: list[int]) -> int | None:
    slope = Slope()
    slope.add(1, 999 * MEGABYTE)  # the start, which says nothing
    for minute, value in enumerate(values):
        slope.add(1 + WARM_UP_NS + minute * MINUTE, value)
    return slope.an_hour()


def test_a_leak_has_its_slope_and_a_warm_up_none() -> None:
    """FP-15."""
    steady = [80 * MEGABYTE + (7 - k % 15) * 10_000 for k in range(4 * 60)]
    leaking = [rss + k * 5_000 * 60 for k, rss in enumerate(steady)]  # 5 kB a second
    assert abs(slope_of(steady) or 0) < 20_000
    assert slope_of(leaking) == pytest.approx(18 * MEGABYTE, rel=0.01)


def test_too_few_samples_say_nothing() -> None:
    assert slope_of([1] * (SAMPLES_MIN - 1)) is None
    assert slope_of([1] * SAMPLES_MIN) == 0


class Machine:
    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, memory_max: int, disk_min: int) -> None:
        self.clock = StandingClock()
        self.free, self.rss, self.open = 10**12, 100 * MEGABYTE, 20
        memory = Memory()
        monkeypatch.setattr(memory, "read", lambda: self.rss)
        monkeypatch.setattr("shutil.disk_usage", lambda path: Usage(10**12, 0, self.free))
        self.resources = Resources(folder, self.clock, memory, memory_max, disk_min)
        monkeypatch.setattr(self.resources._process, "num_fds", lambda: self.open)
        self.resources.descriptors_max = 100


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch, 1_000 * MEGABYTE, 200 * MEGABYTE)


def test_what_is_really_there_is_read(tmp_path: Path) -> None:
    resources = Resources(tmp_path, StandingClock(), Memory(), 10**12, 1)
    resources.look()
    assert resources.descriptors > 2 and resources.threads >= 1 and resources.disk_free > 0
    assert resources.memory.peak > MEGABYTE and not resources.memory_is_full
    assert resources.wrong() == []


def test_room_on_the_disk_is_missed_below_the_least_and_found_at_a_quarter_more(machine: Machine) -> None:
    resources = machine.resources
    for free_mb, short in ((200, False), (199, True), (249, True), (250, False), (249, False)):
        machine.free = free_mb * MEGABYTE
        resources.look()
        assert resources.disk_is_short is short, free_mb
        assert bool(resources.wrong()) is short
    machine.free = 150 * MEGABYTE
    resources.look()
    assert resources.wrong() == ["150 MB are left on the disk, 200 MB are wanted"]


def test_memory_and_descriptors_are_told_above_four_fifths(machine: Machine) -> None:
    resources = machine.resources
    machine.rss, machine.open = 800 * MEGABYTE, 80
    resources.look()
    assert resources.wrong() == []
    machine.rss, machine.open = 801 * MEGABYTE, 81
    resources.look()
    assert resources.wrong() == ["memory is at 801 MB of 1000 MB", "81 of 100 descriptors are open"]
    assert not resources.memory_is_full
    machine.rss = 1_001 * MEGABYTE
    resources.look()
    assert resources.memory_is_full


def test_a_leak_is_told_two_days_before_it_ends_the_session(machine: Machine) -> None:
    """FP-15."""
    resources, begin_ns = machine.resources, machine.clock.mono
    for minute in range(60 + 2 * 60):
        machine.clock.mono = begin_ns + minute * MINUTE
        machine.rss = 100 * MEGABYTE + 20 * MEGABYTE * minute * MINUTE // HOUR
        resources.look()
    assert resources.memory_slope.an_hour() == pytest.approx(20 * MEGABYTE, rel=0.001)
    assert resources.wrong() == ["memory grows by 20.0 MB an hour and is full in 42 hours"]


@pytest.mark.parametrize("what", ["thread", "task"])
def test_threads_and_tasks_that_accumulate_are_told_with_their_name(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """FP-17."""
    resources, begin_ns = machine.resources, machine.clock.mono
    there = [f"MainThread-{n}" for n in range(5)]
    monkeypatch.setattr(f"engine.session.resources._{what}_names", lambda: there)
    for minute in range(60 + 2 * 60):
        machine.clock.mono = begin_ns + minute * MINUTE
        if minute % 6 == 0:
            there.append(f"order-20260101-{minute}-1")  # ten an hour
        resources.look()
    assert resources.wrong() == [f"35 {what}s, 10 more an hour; 30 of them are called order-*"]
    monkeypatch.setattr("engine.session.resources.CROWD_MAX", 35 + 10 * 48)
    assert resources.wrong() == []


async def test_the_tasks_of_the_loop_are_counted_by_name(machine: Machine) -> None:
    task = asyncio.create_task(asyncio.sleep(60), name="a-task-of-this-test")
    assert "a-task-of-this-test" in _task_names()
    task.cancel()
