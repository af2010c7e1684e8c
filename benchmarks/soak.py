"""A desk for an hour against a venue that is dropped, muted and restarted on a schedule (`-m benchmarks.soak 3600`).

Real processes. It trades until a breaker has had enough; at the end stand its report and how memory, descriptors and
threads went, as seen from outside.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import psutil

from benchmarks.figures import Figure
from engine.session.home import Home

ROOT: Final = Path(__file__).parent.parent
STRATEGY: Final = "tests.e2e.eager:Eager"  # in and out every few seconds
TIMES: Final = 12
SAMPLE_SECONDS: Final = 10
SETTLE_SHARE: Final = 0.4  # of the run, before its slopes are looked at
END_SECONDS: Final = 60
HTTP_PORT: Final = 18_800


class Sample(NamedTuple):
    """The desk's process from outside."""

    second: float
    rss: int
    descriptors: int
    threads: int


class Venue:
    """The built-in venue as somebody else's process: it can be killed, stopped and started again."""

    def __init__(self) -> None:
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "console", "venue", "--port", str(HTTP_PORT), "--seed", "7"]
        self.process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        self.process.stdout.readline()

    def mute(self, seconds: float) -> None:
        process = psutil.Process(self.process.pid)
        process.suspend()
        time.sleep(seconds)
        process.resume()

    def restart(self, away_seconds: float) -> None:
        self.end()
        time.sleep(away_seconds)
        self.start()

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


def soak(seconds: int) -> tuple[dict[str, Any], list[Sample], list[str]]:
    """Run for `seconds`; the report, the samples, and what was done to the venue when."""
    venue = Venue()
    with tempfile.TemporaryDirectory() as folder:
        address = f"127.0.0.1:{HTTP_PORT}", f"127.0.0.1:{HTTP_PORT + 1}"
        given = {
            "NIGHTDESK_SIM_REST_URL": f"http://{address[0]}",
            "NIGHTDESK_SIM_PUBLIC_URL": f"ws://{address[1]}/public/",
            "NIGHTDESK_SIM_PRIVATE_URL": f"ws://{address[1]}/private/",
        }
        words = ["run", "--headless", "--duration", f"{seconds}s", "--strategy", STRATEGY]
        desk = subprocess.Popen(
            [sys.executable, "-m", "console", "--home", folder, *words],
            cwd=ROOT,
            env={**os.environ, **given},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        try:
            samples, done = _watch(desk, venue, seconds)
            desk.wait(END_SECONDS)
        finally:
            if desk.poll() is None:
                desk.kill()
                desk.wait()
            venue.end()
        home = Home.at(Path(folder), "paper")
        report = json.loads(home.run(home.latest.readlink().name).final_report.read_text())
    return report, samples, done


def _watch(desk: "subprocess.Popen[bytes]", venue: Venue, seconds: int) -> tuple[list[Sample], list[str]]:
    ways: tuple[tuple[str, Callable[[], None]], ...] = (
        ("dropped for 20 s", lambda: venue.restart(20)),
        ("mute for 40 s", lambda: venue.mute(40)),
        ("restarted", lambda: venue.restart(0)),
        ("mute for 5 s", lambda: venue.mute(5)),
    )
    every = seconds / TIMES
    process, began, samples, done = psutil.Process(desk.pid), time.monotonic(), [], list[str]()
    while desk.poll() is None and (second := time.monotonic() - began) < seconds + END_SECONDS:
        samples.append(Sample(second, process.memory_info().rss, process.num_fds(), process.num_threads()))
        if second > every * (len(done) + 1) and second < seconds - every:
            name, way = ways[len(done) % len(ways)]
            done.append(f"{second:,.0f} s: {name}")
            way()
        time.sleep(SAMPLE_SECONDS)
    return samples, done


def an_hour(samples: list[Sample], value: Callable[[Sample], int]) -> float:
    """Least-squares growth an hour of what comes after the first `SETTLE_SHARE` of the run."""
    late = [sample for sample in samples if sample.second >= samples[-1].second * SETTLE_SHARE]
    return statistics.linear_regression([s.second / 3600 for s in late], [value(s) for s in late]).slope


def report_of(seconds: int) -> list[Figure]:
    """The soak's figures; what was done to the venue goes to standard error."""
    report, samples, done = soak(seconds)
    for line in done:
        print(line, file=sys.stderr)
    beat, lag = report["heartbeat"], report["loop_lag_ms"]
    print(f"ended: {report['reason']}, exit code {report['exit_code']}, {report['errors']}", file=sys.stderr)
    return [
        Figure("soak", seconds, "s"),
        Figure("venue dropped, muted, restarted", len(done), "times"),
        Figure("exit code", report["exit_code"], "", "at most", 0),
        Figure("trades", report["trades"], "trades"),
        Figure("gaps", report["gap_count"], "gaps"),
        Figure("beats unhealthy", beat["unhealthy"], "beats"),
        Figure("heartbeat gap", beat["max_gap_seconds"], "s", "at most", 5),
        Figure("heartbeat late p99", beat["late_ms"]["p99"], "ms", "at most", 20),
        Figure("loop lag p99", lag["p99"], "ms"),
        Figure("RSS at the end", samples[-1].rss / 1e6, "MB", "at most", 500),
        Figure("RSS slope", an_hour(samples, lambda s: s.rss) / 1e6, "MB/h"),
        Figure("descriptors slope", an_hour(samples, lambda s: s.descriptors), "an hour"),
        Figure("threads slope", an_hour(samples, lambda s: s.threads), "an hour"),
        Figure("descriptors at the end", samples[-1].descriptors, ""),
        Figure("threads at the end", samples[-1].threads, ""),
    ]


def main() -> None:
    for figure in report_of(int(sys.argv[1]) if len(sys.argv) > 1 else 3600):
        print(figure.line(), flush=True)


if __name__ == "__main__":
    main()
