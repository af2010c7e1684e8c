"""The whole desk for days on the virtual clock, as a user runs it at full speed (`python -m benchmarks.long 72 720`).

Each run is a real process on the generated market: the session with its tasks, the journal, every file. At the end
stand its report, how memory, descriptors and threads went while the desk's own hours passed, what it left on the disk,
and whether the record verifies and replays. The market lives in the desk's process here and keeps a day of bars, so
memory is looked at once that day has passed.
"""

import contextlib
import json
import re
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import psutil

from benchmarks.figures import Figure
from benchmarks.rig import ROOT
from engine.session.files import BUFFER_BYTES_MAX, PART_BYTES
from engine.session.home import Home, RunFolder
from engine.session.logs import KEPT, SIZE_MAX

HOURS: Final = (72, 720)
SEED: Final = "7"
WARM_UP_HOURS: Final = 30
MEGABYTE: Final = 1_000_000
DAY_HOURS: Final = 24
DAY_SECONDS: Final = 86_400
ELAPSED: Final = re.compile(r" RUNNING (\d+):(\d\d):(\d\d)/")
PACKED_PART: Final = "*.[0-9][0-9][0-9][0-9].*.gz"


class Sample(NamedTuple):
    """The desk's process when `hour` of its own time had passed."""

    hour: float
    rss: int
    descriptors: int
    threads: int


class Left(NamedTuple):
    """What a run left behind.

    Attributes:
        days: The trading days it rolled into, in the order it did (days since 1970).
        database: Bytes of `desk.db`, its WAL included.
        market: Bytes of the journal's blocks of inputs.
        stream, told: Bytes of the event stream and of the session log, packed parts included.
        parts: Packed parts of both.
        longest: Bytes of the longest file of lines, packed ones apart.
        logs: Bytes of the system log with those it was rotated into; `log_files` is how many they are.
    """

    exit_code: int
    report: dict[str, Any]
    samples: list[Sample]
    seconds: float
    days: list[int]
    database: int
    market: int
    stream: int
    told: int
    parts: int
    longest: int
    logs: int
    log_files: int

    @property
    def calendar(self) -> list[int]:
        """The days (UTC) the run was on: it has to have rolled into each once, in this order."""
        first, last = (datetime.fromisoformat(self.report[name]) for name in ("started_at", "ended_at"))
        return list(range(int(first.timestamp()) // DAY_SECONDS, int(last.timestamp()) // DAY_SECONDS + 1))

    def an_hour(self, value: Callable[[Sample], int]) -> float:
        """Least-squares growth an hour of the desk's time, after the warm-up; 0 with too few samples."""
        late = [sample for sample in self.samples if sample.hour >= WARM_UP_HOURS]
        if len(late) < 3:
            return 0.0
        return statistics.linear_regression([s.hour for s in late], [value(s) for s in late]).slope


def live_through(folder: Path, hours: int, *words: str) -> Left:
    """Run a desk in `folder` for `hours` of its own time; `words` go to `nightdesk run`."""
    asked = ["run", "--headless", "--speed", "max", "--seed", SEED, "--duration", f"{hours}h", *words]
    began = time.monotonic()
    samples: list[Sample] = []
    with subprocess.Popen(
        [sys.executable, "-m", "console", "--home", str(folder), *asked],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    ) as desk:
        process = psutil.Process(desk.pid)
        assert desk.stdout is not None
        try:
            for line in desk.stdout:  # one a beat
                if (found := ELAPSED.search(line)) is not None:
                    hour = int(found[1]) + int(found[2]) / 60 + int(found[3]) / 3600
                    used = process.memory_info().rss, process.num_fds(), process.num_threads()
                    samples.append(Sample(hour, *used))
            code = desk.wait()
        finally:
            desk.kill()
    return _left(Home.at(folder, "paper"), code, samples, time.monotonic() - began)


def _left(home: Home, code: int, samples: list[Sample], seconds: float) -> Left:
    run = home.run(home.latest.readlink().name)
    days, market = _rows(home.database)
    lines = [run.events, run.session_log]
    logs = list(home.logs.glob("system.jsonl*"))
    return Left(
        exit_code=code,
        report=json.loads(run.final_report.read_text()),
        samples=samples,
        seconds=seconds,
        days=days,
        database=sum(path.stat().st_size for path in home.dir.glob("desk.db*") if path.suffix != ".bak"),
        market=market,
        stream=_size(run, "events"),
        told=_size(run, "session"),
        parts=len(list(run.path.glob(PACKED_PART))),
        longest=max(path.stat().st_size for path in lines),
        logs=sum(path.stat().st_size for path in logs),
        log_files=len(logs),
    )


def _size(run: RunFolder, stem: str) -> int:
    return sum(path.stat().st_size for path in run.path.glob(f"{stem}.*"))


def _rows(database: Path) -> tuple[list[int], int]:
    with contextlib.closing(sqlite3.connect(database)) as connection:
        days = [day for (day,) in connection.execute("SELECT day FROM days ORDER BY row")]
        (market,) = connection.execute("SELECT sum(length(body)) FROM journal WHERE kind = 'block'").fetchone()
    return days, market


def asked(folder: Path, *words: str) -> tuple[int, str]:
    """A command on the desk that was; its exit code and what it said."""
    command = [sys.executable, "-m", "console", "--home", str(folder), *words]
    done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def figures(hours: int, folder: Path, *words: str) -> list[Figure]:
    """One run's figures, its record verified and replayed."""
    left = live_through(folder, hours, *words)
    report, events = left.report, left.report["iterations"]
    verified, _ = asked(folder, "audit", "verify")
    begun = time.monotonic()
    replayed, _ = asked(folder, "replay", "latest", "--verify")
    replay_seconds = time.monotonic() - begun
    name, days = f"{hours} h", hours / DAY_HOURS
    told: Sequence[tuple[str, float, str] | tuple[str, float, str, float]] = (
        ("market events", events, ""),
        ("lived through in", left.seconds, "s"),
        ("exit code", left.exit_code, "", 0),
        ("errors", report["error_count"], "", 0),
        ("lost lines", report["lost_lines"], "", 0),
        ("ticks dropped", report["dropped_ticks"], "", 0),
        ("problems", len(report["problems"]), "", 0),
        ("days rolled otherwise than by the calendar", left.days != left.calendar, "", 0),
        ("audit verify, exit code", verified, "", 0),
        ("replay verify, exit code", replayed, "", 0),
        ("replay verify took", replay_seconds, "s"),
        ("trades", report["trades"], ""),
        ("RSS at the end", left.samples[-1].rss / MEGABYTE, "MB", 500),
        (f"RSS slope after {WARM_UP_HOURS} h", left.an_hour(lambda s: s.rss) / MEGABYTE, "MB/h", 0.5),
        ("descriptors slope", left.an_hour(lambda s: s.descriptors), "an hour", 0.01),
        ("threads slope", left.an_hour(lambda s: s.threads), "an hour", 0.01),
        ("database", left.database / MEGABYTE, "MB"),
        ("of its blocks a market event", left.market / events, "bytes", 25),
        ("the rest of the database a day", (left.database - left.market) / days / MEGABYTE, "MB"),
        ("event stream", left.stream / MEGABYTE, "MB"),
        ("session log", left.told / MEGABYTE, "MB"),
        ("packed parts", left.parts, ""),
        ("longest file of lines", left.longest / MEGABYTE, "MB", (PART_BYTES + BUFFER_BYTES_MAX) / MEGABYTE),
        ("system log", left.logs / MEGABYTE, "MB", (KEPT + 1) * SIZE_MAX / MEGABYTE),
        ("its files", left.log_files, "", KEPT + 1),
    )
    return [Figure(f"{name}: {what}", value, unit, "at most", *budget) for what, value, unit, *budget in told]


def main(words: Sequence[str]) -> int:
    missed = 0
    for hours in [int(word) for word in words] or HOURS:
        with tempfile.TemporaryDirectory() as folder:
            for figure in figures(hours, Path(folder)):
                print(figure.line(), flush=True)
                missed += not figure.ok
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
