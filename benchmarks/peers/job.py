"""The job every program does, and how it tells what came of it. Standard library only: peers have their own Python.

Per symbol: mids into one-minute bars, a long position while SMA(`FAST`) of the closes is above SMA(`SLOW`), in and out
at the market on the bar after which that changed, `QTY` units each time, `FEE` of the notional on every fill.
"""

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

SYMBOLS: Final = 10
TICKS_AN_HOUR: Final = 3600 * SYMBOLS
FAST: Final = 10
SLOW: Final = 30
QTY: Final = "0.001"  # the smallest size any quote shows, so that every order is filled at once
FEE: Final = "0.001"
TICK: Final = "0.005"  # the grid the prices are on
LATENCY_NS: Final = 100_000_000
EQUITY: Final = 10_000

COLUMNS: Final = ("at_ns", "venue_ns", "bid", "ask", "bid_qty", "ask_qty")
"""A row of the ticks' file: native int64 each, prices and sizes in 1e-8; the ten symbols of a second in their order."""


class Task(NamedTuple):
    """`path` is the ticks' file, `hours` how many of its hours to replay, `variant` what else is asked."""

    path: Path
    hours: int
    variant: str


class Outcome(NamedTuple):
    """What one run gave. `trades` are round trips by symbol, those still open at the end not among them.

    `seconds` is the replay alone, `cpu_seconds` the processor time of all its threads meanwhile; `load_seconds` is what
    came beside it: reading the file, making the program's own ticks of it, compiling.
    """

    seconds: float
    cpu_seconds: float
    load_seconds: float
    trades: list[int]
    detail: dict[str, Any]


def timed(replay: Callable[[], Any], begun: float) -> tuple[float, float, float]:
    """Run `replay`: its seconds, its processor seconds, and those passed since `begun` (`perf_counter`) before it."""
    started, worked = time.perf_counter(), time.process_time()
    replay()
    return time.perf_counter() - started, time.process_time() - worked, started - begun


def tell(run: Callable[[Task], Outcome]) -> None:
    """Do the task named on the command line (`PATH HOURS VARIANT`) and print its outcome as the last line of output."""
    path, hours, variant = sys.argv[1:4]
    outcome = run(Task(Path(path), int(hours), variant))
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    ticks = int(hours) * TICKS_AN_HOUR
    print(json.dumps(outcome._asdict() | {"ticks": ticks, "peak_mb": peak_mb}), flush=True)
