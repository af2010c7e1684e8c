"""What the process takes of the machine: memory and how fast it grows, descriptors, threads, room on the disk."""

import asyncio
import re
import resource
import shutil
import statistics
import threading
from collections import Counter, deque
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import psutil

from engine.core.config import HOUR, MINUTE
from engine.session.gauges import Memory
from engine.session.ports import Clock

SAMPLE_EVERY_NS: Final = MINUTE
WARM_UP_NS: Final = HOUR  # what a start fills once looks like a leak
SAMPLES_MIN: Final = 30
SAMPLES_KEPT: Final = 24 * 60
NEAR_PERCENT: Final = 80
CROWD_MAX: Final = 500  # threads, or tasks; a desk has some dozens
LEAK_HOURS: Final = 48  # a limit this near, at the pace of now, is told
ROOM_AGAIN_PERCENT: Final = 125  # of the least room: how much there must be before entries go on
_DIGITS: Final = re.compile(r"[0-9]+(-[0-9]+)*")
MEGABYTE: Final = 1_000_000


class Slope:
    """How fast a reading grows, by the least squares of a sample a minute after an hour of warming up."""

    def __init__(self) -> None:
        self._first_ns = 0
        self._samples: deque[tuple[int, int]] = deque(maxlen=SAMPLES_KEPT)
        self._an_hour: int | None = None  # as of the newest sample: it is asked for far more often than that changes

    def add(self, mono_ns: int, value: int) -> None:
        """Take a reading; most are skipped."""
        self._first_ns = self._first_ns or mono_ns
        newest_ns = self._samples[-1][0] if self._samples else self._first_ns + WARM_UP_NS - SAMPLE_EVERY_NS
        if mono_ns - newest_ns >= SAMPLE_EVERY_NS:
            self._samples.append((mono_ns, value))
            self._an_hour = self._fitted()

    def an_hour(self) -> int | None:
        """Growth an hour, negative when the reading falls; None while there are too few samples."""
        return self._an_hour

    def _fitted(self) -> int | None:
        if len(self._samples) < SAMPLES_MIN:
            return None
        begin_ns = self._samples[0][0]
        hours = [(at_ns - begin_ns) / HOUR for at_ns, _ in self._samples]
        return round(statistics.linear_regression(hours, [value for _, value in self._samples]).slope)


class Crowd:
    """Threads or tasks, by their names: whether they become ever more. `what` is their word."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._slope = Slope()
        self._names: Sequence[str] = ()

    def look(self, mono_ns: int, names: Sequence[str]) -> None:
        """Those that are there now."""
        self._names = names
        self._slope.add(mono_ns, len(names))

    def wrong(self) -> list[str]:
        """That there will be too many within two days, and what most of them are called."""
        growth = self._slope.an_hour()
        if growth is None or growth <= 0 or len(self._names) + growth * LEAK_HOURS <= CROWD_MAX:
            return []
        ((name, count),) = Counter(_DIGITS.sub("*", name) for name in self._names).most_common(1)
        return [f"{len(self._names)} {self._what}, {growth} more an hour; {count} of them are called {name}"]


class Resources:
    """The newest reading of everything. `folder` lies on the disk the desk writes to.

    Attributes:
        memory_slope, descriptors_slope: In bytes, and in open descriptors.
        descriptors, descriptors_max: Open ones, and how many the system allows.
        disk_free: Bytes the desk may still write; 0 before the first look.
    """

    def __init__(self, folder: Path, clock: Clock, memory: Memory, memory_max: int, disk_min: int) -> None:
        self.memory = memory
        self.memory_slope = Slope()
        self.descriptors_slope = Slope()
        self.descriptors = 0
        self.descriptors_max = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self.threads = 0
        self._crowds = (Crowd("threads"), Crowd("tasks"))
        self.disk_free = 0
        self._folder = folder
        self._clock = clock
        self._memory_max = memory_max
        self._disk_min = disk_min
        self._process = psutil.Process()
        self._rss = 0
        self._is_short = False

    def look(self) -> None:
        """Read everything; some 100 µs. Raises OSError if the folder is gone."""
        self._rss = self.memory.read()
        self.descriptors = self._process.num_fds()
        now_ns = self._clock.mono_ns()
        self.memory_slope.add(now_ns, self._rss)
        self.descriptors_slope.add(now_ns, self.descriptors)
        names = _thread_names()
        self.threads = len(names)
        for crowd, there in zip(self._crowds, (names, _task_names()), strict=True):
            crowd.look(now_ns, there)
        self.disk_free = shutil.disk_usage(self._folder).free
        needed = self._disk_min * ROOM_AGAIN_PERCENT // 100 if self._is_short else self._disk_min
        self._is_short = self.disk_free < needed

    @property
    def memory_is_full(self) -> bool:
        return self._rss > self._memory_max

    @property
    def disk_is_short(self) -> bool:
        """Whether there is too little room to begin anything new. Once it was, there must be a quarter more."""
        return self._is_short

    @property
    def disk_text(self) -> str:
        return f"{self.disk_free // MEGABYTE} MB are left on the disk, {self._disk_min // MEGABYTE} MB are wanted"

    def wrong(self) -> list[str]:
        """What is about to run out, a sentence each."""
        told = []
        if self._rss * 100 > self._memory_max * NEAR_PERCENT:
            told.append(f"memory is at {self._rss // MEGABYTE} MB of {self._memory_max // MEGABYTE} MB")
        growth = self.memory_slope.an_hour()
        if growth is not None and 0 < self._memory_max - self._rss < growth * LEAK_HOURS:
            hours = (self._memory_max - self._rss) // growth
            told.append(f"memory grows by {growth / MEGABYTE:.1f} MB an hour and is full in {hours} hours")
        if self.descriptors * 100 > self.descriptors_max * NEAR_PERCENT:
            told.append(f"{self.descriptors} of {self.descriptors_max} descriptors are open")
        for crowd in self._crowds:
            told += crowd.wrong()
        if self._is_short:
            told.append(self.disk_text)
        return told


def _thread_names() -> list[str]:
    return [thread.name for thread in threading.enumerate()]


def _task_names() -> list[str]:
    """Of the running loop; none where there is none."""
    try:
        return [task.get_name() for task in asyncio.all_tasks()]
    except RuntimeError:
        return []
