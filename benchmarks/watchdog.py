"""How soon a frozen loop is found, with the line it stands on, and whether a pause is ever taken for one.

`python -m benchmarks.watchdog` runs it alone. Each freeze and each pause is in a process of its own that has nothing
but the guard and a loop that beats; what ends it and what it left is seen from outside.
"""

import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from benchmarks.figures import Figure
from benchmarks.rig import ROOT
from engine.session.guard import ALARM

LIMIT_SECONDS: Final = 2
FREEZES: Final = 3  # of each kind
PAUSED_AT_ONCE: Final = 20
PAUSES: Final = 5  # of each
PAUSE_SECONDS: Final = 3.2  # longer than the guard and the alarm behind it bear
PROGRAM: Final = """
import re, sys, threading, time
from engine.session.guard import Guard
how, limit_s = sys.argv[1], int(sys.argv[2])
guard = Guard(lambda: None, print, lambda ns: print("paused", flush=True), sys.stderr, lambda _: None, limit_s * 10**9)
guard.start()
print("started", flush=True)
over = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
def hang():
    if how == "sleep":
        time.sleep(3_600)
    elif how == "python":
        while True: pass
    else:
        re.match(r"(a+)+$", "a" * 40 + "b")
while not over.is_set():
    guard.beat()
    time.sleep(0.1)
if how != "nothing":
    print(time.monotonic_ns(), flush=True)
    hang()
guard.stop()
print("ended", flush=True)
"""


def _started(how: str) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, how, str(LIMIT_SECONDS)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    return process


def found_after(how: str) -> float:
    """Seconds from the beginning of a freeze to the end of its process; it must have left the line it stood on."""
    process = _started(how)
    out, err = process.communicate(timeout=60)
    after = (time.monotonic_ns() - int(out.split()[0])) / 1e9
    ended_by = -ALARM if how == "regex" else 1
    assert process.returncode == ended_by, (how, process.returncode, err)
    assert "in hang" in err, err
    return after


def false_alarms(_number: int) -> int:
    """Whether a process that was paused again and again was ended; 0 or 1. It must have noticed each pause."""
    process = _started("nothing")
    assert process.stdout is not None
    for _ in range(PAUSES):
        process.send_signal(signal.SIGSTOP)
        time.sleep(PAUSE_SECONDS)
        process.send_signal(signal.SIGCONT)
        if process.stdout.readline() != "paused\n":
            print(process.communicate()[1], file=sys.stderr)
            return 1
    out, _ = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, "ended\n"), out
    return 0


def run() -> list[Figure]:
    """About two minutes."""
    figures = []
    for how, late, why in (("sleep", 0.5, "asleep"), ("python", 0.5, "in Python"), ("regex", 1.5, "in C code")):
        worst = max(found_after(how) for _ in range(FREEZES)) - LIMIT_SECONDS
        figures.append(Figure(f"loop frozen {why}, found after its limit", worst, "s", "at most", late))
    with ThreadPoolExecutor(PAUSED_AT_ONCE) as pool:
        alarms = sum(pool.map(false_alarms, range(PAUSED_AT_ONCE)))
    paused = PAUSED_AT_ONCE * PAUSES
    return [*figures, Figure(f"false alarms in {paused} pauses", alarms, "processes", "at most", 0)]


def main(_words: Sequence[str]) -> int:
    figures = run()
    for figure in figures:
        print(figure.line())
    return 0 if all(figure.ok for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
