"""The guard, in processes of its own: what ends a frozen one, and what leaves a paused one alone."""

import faulthandler
import signal
import subprocess
import sys
import threading
import time

import pytest

from engine.session import guard

GUARDED = """
import re, sys, threading, time
from engine.session.guard import Guard
guard = Guard(
    kill_requested=lambda: None,
    on_kill=print,
    on_pause=lambda silent_ns: print("paused", silent_ns // 10**9, flush=True),
    stacks=sys.stderr,
    last_words=lambda text: print("last words", flush=True),
    frozen_ns=10**9,
)
guard.start()
print("started", flush=True)
def hang():
    if sys.argv[1] == "sleep":
        time.sleep(60)
    elif sys.argv[1] == "python":
        while True: pass
    elif sys.argv[1] == "regex":
        re.match(r"(a+)+$", "a" * 40 + "b")
for _ in range(int(sys.argv[2])):
    guard.beat()
    time.sleep(0.1)
hang()
guard.stop()
print("ended", flush=True)
"""


def guarded(hang: str, beats: int) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", GUARDED, hang, str(beats)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    return process


@pytest.mark.parametrize("how", ["sleep", "python", pytest.param("regex", marks=pytest.mark.sim)])
def test_a_frozen_process_is_ended_with_its_stacks(how: str) -> None:
    """FP-07, FP-08: by the guard's thread, or behind it by the interpreter's own where C code holds the lock."""
    began = time.monotonic()
    process = guarded(how, 3)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "in hang" in err
    assert "ended" not in out
    assert time.monotonic() - began < (4 if how != "regex" else 10)
    if how != "regex":
        assert "WATCHDOG_FATAL: Main loop frozen" in err
        assert "last words" in out


@pytest.mark.parametrize("times", [1, pytest.param(20, marks=pytest.mark.sim)])
def test_a_paused_process_is_left_alone(times: int) -> None:
    """FT-06, FP-06, FP-09: for longer than the limit, again and again."""
    process = guarded("not", 20 + 10 * times)
    for _ in range(times):
        time.sleep(0.4)
        process.send_signal(signal.SIGSTOP)
        time.sleep(1.6)
        process.send_signal(signal.SIGCONT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert out.splitlines().count("paused 1") == times
    assert out.endswith("ended\n")


def test_a_guard_that_has_stopped_leaves_no_alarm_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """The alarm ends the process: one set after the guard was stopped would end a console that is still looked at."""
    asked: list[str] = []
    monkeypatch.setattr(faulthandler, "dump_traceback_later", lambda *_, **__: asked.append("set"))
    monkeypatch.setattr(faulthandler, "cancel_dump_traceback_later", lambda: asked.append("cancelled"))
    began = threading.Event()

    def late(_seconds: float) -> None:  # the watch is in the middle of its round when it is told to stop
        began.set()
        time.sleep(0.1)
        watch._rearm_faulthandler()

    monkeypatch.setattr(guard, "block", late)
    watch = guard.Guard(lambda: None, print, print, sys.stderr, lambda _: None)
    watch.start()
    began.wait(5)
    watch.stop()
    assert asked[-1] == "cancelled"
