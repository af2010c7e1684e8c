"""Gauges: how long things take and how much memory is used, measured for weeks in a few kilobytes.

A gauge counts samples in buckets a thirty-second of an octave wide, so that a percentile is at most 3.2 % above the
true one and never below it. It looks at the whole run and, apart from that, at the newest minute or so.
"""

from typing import Final

import psutil

from engine.review.report import Percentiles

_PER_OCTAVE: Final = 32
_OCTAVE_BITS: Final = 5
_VALUE_BITS: Final = 40
_BUCKETS: Final = (_VALUE_BITS - _OCTAVE_BITS + 1) * _PER_OCTAVE
VALUE_MAX: Final = (1 << _VALUE_BITS) - 1
"""Anything above counts as this much: twelve days in microseconds."""


class Gauge:
    """A histogram of integers from 0 to `VALUE_MAX`; negative samples count as 0. One writer.

    Attributes:
        max: The largest sample of the run, exactly; 0 before the first.
    """

    def __init__(self) -> None:
        self.max = 0
        self._older: dict[int, int] = {}  # samples by bucket, of all but the two newest windows
        self._last: dict[int, int] = {}
        self._now: dict[int, int] = {}

    def add(self, value: int) -> None:
        """Count one sample."""
        if value > self.max:
            self.max = value
        if value < _PER_OCTAVE:
            index = value if value > 0 else 0
        else:
            octave = value.bit_length() - _OCTAVE_BITS - 1
            index = min((octave << _OCTAVE_BITS) + (value >> octave), _BUCKETS - 1)
        self._now[index] = self._now.get(index, 0) + 1

    def turn(self) -> None:
        """Begin a new window: `recent` looks at this one and the one before it."""
        self._older = _together(self._older, self._last)
        self._last, self._now = self._now, {}

    @property
    def count(self) -> int:
        return sum(self._all().values())

    def percentile(self, percent: int) -> int:
        """The `percent`-th percentile of the run by nearest rank, rounded up to its bucket's end; 0 without samples."""
        return self._percentile(self._all(), percent)

    def recent(self, percent: int) -> int:
        """The same over the newest one to two windows."""
        return self._percentile(_together(self._last, self._now), percent)

    def percentiles(self) -> Percentiles:
        """The run's p50, p95, p99 and maximum, in the unit of the samples."""
        buckets = self._all()
        p50, p95, p99 = (self._percentile(buckets, percent) for percent in (50, 95, 99))
        return Percentiles(p50, p95, p99, self.max)

    def _all(self) -> dict[int, int]:
        return _together(self._older, self._last, self._now)

    def _percentile(self, buckets: dict[int, int], percent: int) -> int:
        wanted = max(1, -(-sum(buckets.values()) * percent // 100))
        seen = 0
        for index in sorted(buckets):
            seen += buckets[index]
            if seen >= wanted:
                return min(self.max, _end_of(index))
        return 0


class Memory:
    """This process's resident memory, as the system counts it.

    Attributes:
        peak: The largest reading so far, in bytes.
    """

    def __init__(self) -> None:
        self.peak = 0
        self._process = psutil.Process()

    def read(self) -> int:
        """Resident bytes now; about 15 µs, so not for every event."""
        now: int = self._process.memory_info().rss
        self.peak = max(self.peak, now)
        return now


def _together(*windows: dict[int, int]) -> dict[int, int]:
    """The samples of all windows by bucket."""
    total = dict(windows[0])
    for window in windows[1:]:
        for index, count in window.items():
            total[index] = total.get(index, 0) + count
    return total


def _end_of(index: int) -> int:
    """The largest value that bucket `index` counts."""
    if index < _PER_OCTAVE:
        return index
    octave = (index >> _OCTAVE_BITS) - 1
    return ((index - (octave << _OCTAVE_BITS) + 1) << octave) - 1
