"""What the console costs and how fast it answers, over a real pty with a desk that moves (`-m benchmarks.console`).

The desk has ten symbols with ten updates a second each, on its own thread; CPU is that of the whole process, desk
included. Times are of one monotonic clock, shared by both sides of the pty.
"""

import contextlib
import fcntl
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
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import psutil

from benchmarks.figures import Figure, percentile

SETTLE_SECONDS: Final = 3.0
MEASURE_SECONDS: Final = 20.0
STALL_SECONDS: Final = 15.0
IDLE_SECONDS: Final = 5.0
KEY_GAP_SECONDS: Final = 0.37
SYNC_QUERY: Final = b"\x1b[?2026$p"
SYNC_ANSWER: Final = b"\x1b[?2026;2$y"
ROOT: Final = Path(__file__).parent.parent


class Told(msgspec.Struct):
    """What the child kept: when its probe woke and how late, and when each command reached the desk."""

    woke_ns: list[int]
    late_ns: list[int]
    handled_ns: list[int]
    left: str


class Terminal:
    """A pty with the console in it. Reads all output as it comes, unless told not to."""

    def __init__(self, width: int, height: int, told: Path, *, still: bool = False, home: Path | None = None) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        environ = os.environ | {"TERM": "xterm-256color", "COLORTERM": "truecolor", "PYTHONPATH": str(ROOT)}
        environ.pop("NO_COLOR", None)
        self.started_ns = time.monotonic_ns()
        kind = "still" if still else "moving"
        command = [sys.executable, "-m", "benchmarks.console", "child", str(told), kind, str(home or "")]
        self.process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=subprocess.PIPE, env=environ, cwd=ROOT, start_new_session=True
        )
        os.close(slave)
        self.chunks: list[tuple[int, bytes]] = []
        self._reading = threading.Event()
        self._reading.set()
        self._ended = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while not self._ended:
            self._reading.wait()
            if not select.select([self._master], [], [], 0.1)[0]:
                continue
            try:
                data = os.read(self._master, 65_536)
            except OSError:
                return
            self.chunks.append((time.monotonic_ns(), data))
            if SYNC_QUERY in data:
                os.write(self._master, SYNC_ANSWER)

    def stall(self, stalled: bool) -> None:
        """Stop or take up reading."""
        if stalled:
            self._reading.clear()
        else:
            self._reading.set()

    def press(self, key: str) -> int:
        """Type a key; when."""
        now_ns = time.monotonic_ns()
        os.write(self._master, key.encode())
        return now_ns

    def seen(self, text: bytes, after_ns: int, seconds: float) -> int | None:
        """When `text` came out after `after_ns`; None if not within `seconds`."""
        deadline = time.monotonic() + seconds
        at, tail = 0, b""
        while time.monotonic() < deadline:
            while at < len(self.chunks):
                when, data = self.chunks[at]
                at += 1
                if when < after_ns:
                    continue
                tail = (tail + data)[-131_072:]
                if text in tail:
                    return when
            time.sleep(0.0005)
        return None

    def bytes_between(self, first_ns: int, last_ns: int) -> int:
        return sum(len(data) for when, data in self.chunks if first_ns <= when < last_ns)

    def close(self) -> None:
        self._ended = True
        self._reading.set()
        if self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(5)
        if self.process.poll() is None:
            self.process.kill()
        self._reader.join(1)
        os.close(self._master)
        assert self.process.stderr is not None
        self.process.stderr.close()


@contextlib.contextmanager
def terminal(
    width: int, height: int, *, still: bool = False, home: Path | None = None
) -> Iterator[tuple[Terminal, Path]]:
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder, "told")
        opened = Terminal(width, height, told, still=still, home=home)
        try:
            yield opened, told
        finally:
            opened.close()


def leave(opened: Terminal, told: Path) -> Told:
    """End the console as an operator does, and read what its side kept."""
    opened.press("q")
    time.sleep(1.0)
    opened.press("y")
    opened.process.wait(10)
    return msgspec.msgpack.decode(told.read_bytes(), type=Told)


def at_most(name: str, value: float, unit: str, budget: float) -> Figure:
    return Figure(name, value, unit, "at most", budget)


class Load(NamedTuple):
    cpu_percent: float
    kilobytes: float


def measure(opened: Terminal, seconds: float) -> Load:
    """CPU and output of a while."""
    process = psutil.Process(opened.process.pid)
    first_ns, before = time.monotonic_ns(), process.cpu_times()
    time.sleep(seconds)
    last_ns, after = time.monotonic_ns(), process.cpu_times()
    took = (last_ns - first_ns) / 1e9
    used = after.user + after.system - before.user - before.system
    return Load(used / took * 100, opened.bytes_between(first_ns, last_ns) / took / 1000)


def press_keys(opened: Terminal, count: int) -> tuple[list[int], list[float]]:
    """Press p and r in turn; when each was sent, and how long until its receipt was on the screen, in ms."""
    sent: list[int] = []
    painted: list[float] = []
    for number in range(1, count + 1):
        at_ns = opened.press("p" if number % 2 else "r")
        sent.append(at_ns)
        seen_ns = opened.seen(receipt(number).encode(), at_ns, 3.0)
        painted.append((seen_ns - at_ns) / 1e6 if seen_ns else float("inf"))
        time.sleep(KEY_GAP_SECONDS + number % 7 * 0.03)
    return sent, painted


def receipt(number: int) -> str:
    """The desk's answer to its `number`th command: one letter, to be found however the screen sends its changes."""
    return chr(ord("A") + number % 26) * 24


def start_times(count: int) -> list[float]:
    """Seconds from the start of the process to the first content, for `count` warm starts."""
    times = []
    for attempt in range(count + 1):
        with terminal(160, 48) as (opened, _):
            seen_ns = opened.seen(b"Heartbeat", 0, 10)
            if attempt:
                times.append((seen_ns - opened.started_ns) / 1e9 if seen_ns else float("inf"))
    return times


def large() -> list[Figure]:
    """160x48 in full colour: cost, keys, and the engine's thread meanwhile."""
    with terminal(160, 48) as (opened, told):
        opened.seen(b"Heartbeat", 0, 10)
        time.sleep(SETTLE_SECONDS)
        load = measure(opened, MEASURE_SECONDS)
        calm_ns = time.monotonic_ns()
        sent, painted = press_keys(opened, 60)
        stalled_ns = time.monotonic_ns()
        opened.stall(True)
        time.sleep(STALL_SECONDS)
        opened.stall(False)
        flowing_ns = time.monotonic_ns()
        time.sleep(1)
        kept = leave(opened, told)
    began_ns = calm_ns - int(MEASURE_SECONDS * 1e9)
    handled = [(at - pressed) / 1e6 for pressed, at in zip(sent, kept.handled_ns, strict=False)]
    beats = [
        (at, late / 1e6) for at, late in zip(kept.woke_ns, kept.late_ns, strict=True) if began_ns <= at < flowing_ns
    ]
    flowing = [late for at, late in beats if at < stalled_ns]
    stalled = [late for at, late in beats if at >= stalled_ns]
    return [
        at_most("console cpu at 160x48", load.cpu_percent, "%", 10),
        at_most("console output at 160x48", load.kilobytes, "kB/s", 50),
        at_most("key to handler p99", percentile(handled, 99), "ms", 20),
        at_most("key to paint p50", percentile(painted, 50), "ms", 60),
        at_most("key to paint p99", percentile(painted, 99), "ms", 60),
        at_most("engine late p99, console open", percentile(flowing, 99), "ms", 10),
        at_most("engine late max, console open", max(flowing), "ms", 50),
        at_most("engine late p99, pty not read", percentile(stalled, 99), "ms", 10),
        at_most("engine late max, pty not read", max(stalled), "ms", 50),
    ]


def small() -> list[Figure]:
    with terminal(80, 24) as (opened, _):
        opened.seen(b"Heartbeat", 0, 10)
        time.sleep(SETTLE_SECONDS)
        load = measure(opened, MEASURE_SECONDS)
    return [
        at_most("console cpu at 80x24", load.cpu_percent, "%", 10),
        at_most("console output at 80x24", load.kilobytes, "kB/s", 35),
    ]


def idle() -> list[Figure]:
    """A desk that is over shows nothing new, so nothing may be written."""
    with terminal(160, 48, still=True) as (opened, _):
        opened.seen(b"Heartbeat", 0, 10)
        time.sleep(SETTLE_SECONDS)
        first_ns = time.monotonic_ns()
        time.sleep(IDLE_SECONDS)
        written = opened.bytes_between(first_ns, time.monotonic_ns())
    return [at_most("console output, nothing changes", written, "bytes", 0)]


def leaving() -> list[Figure]:
    """SIGTERM while the terminal is not read: the process must end all the same."""
    with terminal(160, 48) as (opened, _):
        opened.seen(b"Heartbeat", 0, 10)
        opened.stall(True)
        time.sleep(5)
        first_ns = time.monotonic_ns()
        opened.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            opened.process.wait(10)
        took = (time.monotonic_ns() - first_ns) / 1e9
    return [at_most("SIGTERM to exit, pty not read", took, "s", 2)]


def run() -> list[Figure]:
    """Every figure of the console beside its budget; takes about two minutes."""
    first = at_most("first content, warm", statistics.median(start_times(5)), "s", 0.6)
    return [first, *large(), *small(), *idle(), *leaving()]


def child(told: Path, root: str, *, still: bool) -> None:
    """The other side of the pty: a moving desk and the console on it."""
    from benchmarks.moving_desk import MovingDesk
    from console.app import Bridge, run_console
    from engine.session.home import Home

    home = Home.at(Path(root), "paper") if root else None
    desk = MovingDesk(3_600_000_000_000, still=still)
    desk.start()
    departure = run_console(desk, Bridge("bench", books=home.database if home else None, files=home))
    kept = Told(list(desk.woke_ns), list(desk.late_ns)[: len(desk.woke_ns)], desk.handled_ns, departure.left.value)
    told.write_bytes(msgspec.msgpack.encode(kept))
    if departure.fault:
        sys.exit(departure.fault)


def main() -> None:
    if sys.argv[1:2] == ["child"]:
        child(Path(sys.argv[2]), sys.argv[4], still=sys.argv[3] == "still")
        return
    figures = run()
    for figure in figures:
        print(figure.line())
    sys.exit(0 if all(figure.ok for figure in figures) else 1)


if __name__ == "__main__":
    main()
