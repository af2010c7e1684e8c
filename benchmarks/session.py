"""The whole desk as a stranger runs it: start, memory, CPU, and how fast it is stopped (`-m benchmarks.session`).

Real processes on the built-in venue, each in a home of its own. `python -m benchmarks.session 3600` looks at memory for
an hour in place of a minute.
"""

import contextlib
import fcntl
import json
import os
import pty
import select
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import psutil

from benchmarks.figures import Figure
from engine.session import remote
from engine.session.errors import SessionError
from engine.session.home import Home

STARTS: Final = 5
SECONDS: Final = 60
TRADING_SECONDS: Final = 4.0
READY_SECONDS: Final = 20.0
END_SECONDS: Final = 30.0
ROOT: Final = Path(__file__).parent.parent
COMMAND: Final = (sys.executable, "-m", "console")
SYNC_QUERY: Final = b"\x1b[?2026$p"
SYNC_ANSWER: Final = b"\x1b[?2026;2$y"


class Desk:
    """One `nightdesk run` in its own process and home. With `size` it has a terminal, whose output is read and lost;
    without, it has `variables` beside the environment's own."""

    def __init__(
        self, home: Path, size: tuple[int, int] | None = None, variables: Mapping[str, str] | None = None
    ) -> None:
        self.home = home
        self.began_ns = time.time_ns()
        self._master = -1
        if size is None:
            self.process = subprocess.Popen(
                [*COMMAND, "run", "--headless", "--home", str(home)],
                cwd=ROOT,
                env={**os.environ, **(variables or {})},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            return
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
        environ = os.environ | {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
        environ.pop("NO_COLOR", None)
        self.process = subprocess.Popen(
            [*COMMAND, "run", "--home", str(home)],
            cwd=ROOT,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environ,
            start_new_session=True,
        )
        os.close(slave)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        while self.process.poll() is None:
            if not select.select([self._master], [], [], 0.1)[0]:
                continue
            try:
                if SYNC_QUERY in os.read(self._master, 65_536):
                    os.write(self._master, SYNC_ANSWER)
            except OSError:  # the other end is closed
                return

    def ask(self, *words: str) -> dict[str, Any]:
        """What another process of the command line says, in JSON; empty if it fails."""
        done = subprocess.run(
            [*COMMAND, *words, "--json", "--home", str(self.home)], cwd=ROOT, capture_output=True, text=True
        )
        answer: dict[str, Any] = json.loads(done.stdout) if done.returncode == 0 else {}
        return answer

    def status(self) -> dict[str, Any]:
        """What it says on its control socket; empty while nobody answers. Cheaper than a process that asks."""
        with contextlib.suppress(SessionError):
            return remote.status(Home.at(self.home, "paper"))
        return {}

    def until_running(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while self.status().get("state") != "RUNNING":
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise RuntimeError("the desk did not start; try: nightdesk run --headless")
            time.sleep(0.1)

    def end(self, *words: str) -> dict[str, Any]:
        """Have it end by a command and wait for that; its final report."""
        if words:
            self.ask(*words)
        self.process.wait(END_SECONDS)
        report: dict[str, Any] = json.loads((self.home / "paper/runs/latest/final_report.json").read_text())
        return report

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self._master >= 0:
            os.close(self._master)


@contextlib.contextmanager
def desk(size: tuple[int, int] | None = None) -> Iterator[Desk]:
    with tempfile.TemporaryDirectory() as folder:
        opened = Desk(Path(folder), size)
        try:
            yield opened
        finally:
            opened.close()


class Stopped(NamedTuple):
    """One start and kill: process to RUNNING, the kill command's own wall time, what its receipt says it took."""

    start_s: float
    kill_wall_ms: float
    kill_receipt_ms: float


def start_and_kill() -> Stopped:
    with desk() as opened:
        opened.until_running()
        time.sleep(TRADING_SECONDS)
        begun_ns = time.monotonic_ns()
        receipt = opened.ask("kill", "--reason", "bench")
        wall_ms = (time.monotonic_ns() - begun_ns) / 1e6
        report = opened.end()
    started_ns = datetime.fromisoformat(report["started_at"]).timestamp() * 1e9
    if report["reason"] != "kill_switch" or not receipt.get("accepted"):
        raise RuntimeError(f"the kill did not end the desk: {receipt}, {report['reason']}")
    return Stopped((started_ns - opened.began_ns) / 1e9, wall_ms, receipt["took_us"] / 1000)


def starting() -> list[Figure]:
    """Five starts, each killed from another process while it trades."""
    runs = [start_and_kill() for _ in range(STARTS)]
    starts, walls, receipts = ([run[at] for run in runs] for at in range(3))
    return [
        Figure("start to RUNNING, median", statistics.median(starts), "s", "at most", 3),
        Figure("start to RUNNING, max", max(starts), "s", "at most", 3),
        Figure("kill receipt, max", max(receipts), "ms", "at most", 50),
        Figure("nightdesk kill, whole command, median", statistics.median(walls), "ms"),
    ]


class Used(NamedTuple):
    """What a process took: resident memory at the end, share of one core over the time."""

    rss_mb: float
    cpu_percent: float


class Meter:
    """CPU and memory of one process from here on."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._began_s = time.monotonic()
        self._before = self._process.cpu_times()

    def read(self) -> Used:
        now = self._process.cpu_times()
        spent = now.user + now.system - self._before.user - self._before.system
        share = spent / (time.monotonic() - self._began_s) * 100
        return Used(self._process.memory_info().rss / 1e6, share)


def living(seconds: int = SECONDS) -> list[Figure]:
    """A headless desk and one with a console, side by side on the default market for a while."""
    with desk() as bare, desk((48, 160)) as shown:
        bare.until_running()
        shown.until_running()
        meters = [Meter(opened.process.pid) for opened in (bare, shown)]
        venue = Meter(psutil.Process(bare.process.pid).children()[0].pid)
        time.sleep(seconds)
        headless, console = (meter.read() for meter in meters)
        played = venue.read()
        beats = [opened.status()["heartbeat"] for opened in (bare, shown)]
        for opened in (bare, shown):
            opened.end("stop")
    figures = [
        Figure(f"headless RSS after {seconds} s", headless.rss_mb, "MB", "at most", 90),
        Figure(f"RSS with console after {seconds} s", console.rss_mb, "MB", "at most", 120),
        Figure("headless cpu", headless.cpu_percent, "% of a core"),
        Figure("cpu with console", console.cpu_percent, "% of a core"),
        Figure("venue RSS", played.rss_mb, "MB"),
        Figure("venue cpu", played.cpu_percent, "% of a core"),
    ]
    for name, beat in zip(("headless", "with console"), beats, strict=True):
        late_max_ms = (beat["max_gap_seconds"] - 1) * 1000
        figures.append(Figure(f"heartbeat late p99, {name}", beat["late_p99_us"] / 1000, "ms", "at most", 10))
        figures.append(Figure(f"longest gap between beats over 1 s, {name}", late_max_ms, "ms", "at most", 50))
    return figures


def run() -> list[Figure]:
    """About two minutes."""
    return [*starting(), *living()]


def main(words: Sequence[str]) -> int:
    figures = living(int(words[0])) if words else run()
    for figure in figures:
        print(figure.line())
    return 0 if all(figure.ok for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
