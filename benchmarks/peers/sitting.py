"""One sitting: every program in a fresh process, round after round, so that what disturbs the machine disturbs all."""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import psutil

ROOT: Final = Path(__file__).parents[2]
RUN_SECONDS_MAX: Final = 1_800


class Program(NamedTuple):
    """A program to measure. `package` is what its Python must have (empty: it is Nightdesk, and runs in this one).

    Attributes:
        hours: How many of the hours it replays; 0: all.
        judged: Whether its trades must be those the prices give.
    """

    name: str
    module: str
    package: str = ""
    variant: str = ""
    hours: int = 0
    judged: bool = True


class Run(NamedTuple):
    """One measured run: what the program told, the load average before it, and the cores others used meanwhile."""

    program: str
    round: int
    told: dict[str, Any]
    load: float
    others: float

    @property
    def rate(self) -> float:
        """Ticks a second."""
        return float(self.told["ticks"] / self.told["seconds"])

    @property
    def cpu_us(self) -> float:
        """Microseconds of processor time a tick, all threads together."""
        return float(self.told["cpu_seconds"] * 1e6 / self.told["ticks"])


class Failed(Exception):
    """A program ended with an error; the text is the end of what it said."""


def rest(load_max: float, patience_s: float) -> float:
    """Wait until the load average of the last minute is at most `load_max`; the seconds of patience used."""
    begun = time.monotonic()
    while os.getloadavg()[0] > load_max and time.monotonic() - begun < patience_s:
        time.sleep(5)
    return time.monotonic() - begun


def measure(python: Path, program: Program, ticks: Path, hours: int, number: int) -> Run:
    """Run `program` once on the first `hours` hours of `ticks`.

    Raises:
        Failed: it did not end well.
    """
    load, busy, own, begun = os.getloadavg()[0], _busy_s(), _children_s(), time.monotonic()
    command = [str(python), "-m", program.module, str(ticks), str(hours), program.variant]
    told = _last_line(command)
    took = time.monotonic() - begun
    others = (_busy_s() - busy - (_children_s() - own)) / took
    return Run(program.name, number, json.loads(told), load, max(0.0, others))


def written(ticks: Path, spans: Sequence[int]) -> dict[int, list[int]]:
    """Write the ticks' file; the round trips the job must give, by span in hours, then by symbol."""
    told = _last_line([sys.executable, "-m", "benchmarks.peers.ticks", str(ticks), *map(str, spans)])
    return {int(hours): trades for hours, trades in json.loads(told).items()}


def version(python: Path, package: str) -> str:
    """The version of `package` that `python` has; empty if it has none, or cannot be run."""
    question = f"from importlib.metadata import version; print(version({package!r}))"
    try:
        return _last_line([str(python), "-c", question])
    except (Failed, OSError):
        return ""


def _last_line(command: list[str]) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=RUN_SECONDS_MAX, check=False)
    lines = done.stdout.splitlines()
    if done.returncode or not lines:
        raise Failed(f"{' '.join(command)} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-2000:]}")
    return lines[-1]


def _busy_s() -> float:
    """Processor seconds this machine has worked, or was kept from working by its host, since it started."""
    times = psutil.cpu_times()._asdict()
    return float(sum(spent for kind, spent in times.items() if kind not in ("idle", "iowait", "guest", "guest_nice")))


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
