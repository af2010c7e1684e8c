"""The ticks' file as numpy columns, for the peers."""

from typing import Any

import numpy as np

from benchmarks.peers.job import COLUMNS, SYMBOLS, TICKS_AN_HOUR, Task


def read(task: Task) -> list[Any]:
    """One structured array a symbol, its fields named as in `COLUMNS`."""
    row = np.dtype([(name, np.int64) for name in COLUMNS])
    ticks = np.fromfile(task.path, row, task.hours * TICKS_AN_HOUR).reshape(-1, SYMBOLS)
    return [np.ascontiguousarray(ticks[:, n]) for n in range(SYMBOLS)]
