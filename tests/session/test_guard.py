"""The guard, in processes of its own: what ends a frozen one, and what leaves a paused one alone."""

import re
import signal
import subprocess
import sys
import threading
import time

import pytest

from engine.session import guard
from tests.steady import PATIENCE

GUARDED = """
import faulthandler, re, sys, threading, time
from engine.session import guard
guard.BEHIND_SECONDS = int(sys.argv[3])
guard = guard.Guard(
    kill_requested=lambda: None,
    on_kill=print,
    on_pause=lambda silent_ns: print("paused", silent_ns // 10**9, flush=True),
    stacks=sys.stderr,
    last_words=lambda text: print("last words", flush=True),
    frozen_ns=int(sys.argv[2]) * 10**9,
)
guard.start()
print("started", flush=True)
over = threading.Event()
def listen():
    sys.stdin.read()
    over.set()
threading.Thread(target=listen, daemon=True).start()
def hang():
    if sys.argv[1] == "sleep":
        time.sleep(3_600)
    elif sys.argv[1] == "python":
        while True: pass
    elif sys.argv[1] == "regex":
        re.match(r"(a+)+$", "a" * 40 + "b")
    elif sys.argv[1] == "crash":
        faulthandler._sigsegv()
while not over.is_set():
    guard.beat()
    time.sleep(0.1)
hang()
guard.stop()
print("ended", flush=True)
"""


def guarded(hang: str, frozen_s: int, behind_s: int = 5) -> "subprocess.Popen[str]":
    """A process that beats until its input is closed, and then hangs or ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", GUARDED, hang, str(frozen_s), str(behind_s)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    return process


@pytest.mark.parametrize("how", ["sleep", "python", pytest.param("regex", marks=pytest.mark.sim)])
def test_a_frozen_process_is_ended_with_its_stacks(how: str) -> None:
    """FP-07, FP-08: by the guard's thread, or behind it by the system's alarm where C code holds the lock."""
    process = guarded(how, 1)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == (-guard.ALARM if how == "regex" else 1)
    assert "in hang" in err
    assert "ended" not in out
    if how != "regex":
        assert "WATCHDOG_FATAL: Main loop frozen" in err
        assert "last words" in out


def test_a_crash_inside_an_extension_leaves_its_stacks() -> None:
    """FP-22."""
    process = guarded("crash", 30)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == -signal.SIGSEGV
    assert "Segmentation fault" in err and "in hang" in err and "in _watch" in err


@pytest.mark.parametrize("times", [1, pytest.param(20, marks=pytest.mark.sim)])
def test_a_paused_process_is_left_alone(times: int) -> None:
    """FT-06, FP-06, FP-09: for longer than the guard and the alarm behind it bear, again and again."""
    process = guarded("not", 2, 0)
    assert process.stdout is not None
    for _ in range(times):
        process.send_signal(signal.SIGSTOP)
        time.sleep(2.6)
        process.send_signal(signal.SIGCONT)
        assert re.fullmatch(r"paused \d+\n", process.stdout.readline())
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (0, "")
    assert out.endswith("ended\n")


def test_a_guard_that_has_stopped_leaves_no_alarm_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """The alarm ends the process: one set after the guard was stopped would end a console that is still looked at."""
    asked: list[str] = []
    monkeypatch.setattr(signal, "setitimer", lambda _, seconds: asked.append("set" if seconds else "cancelled"))
    began = threading.Event()

    def late(_seconds: float) -> None:  # the watch is in the middle of its round when it is told to stop
        began.set()
        assert watch._ended.wait(PATIENCE)
        watch._set_alarm()

    monkeypatch.setattr(guard, "block", late)
    watch = guard.Guard(lambda: None, print, print, sys.stderr, lambda _: None)
    watch.start()
    assert began.wait(PATIENCE)
    watch.stop()
    watch._thread.join(PATIENCE)
    assert asked == ["set", "cancelled"]


def test_a_guard_whose_thread_died_or_hangs_is_noticed_by_the_loop() -> None:
    """FP-19: by the beats of a loop that turns, so that a pause is no false alarm."""
    asked, over = threading.Event(), threading.Event()

    def hang() -> None:
        asked.set()
        over.wait(PATIENCE)

    watch = guard.Guard(hang, print, lambda _: None, sys.stderr, lambda _: None)
    watch.start()
    assert asked.wait(PATIENCE)
    for _ in range(guard.UNSEEN_MAX):
        watch.beat()
    assert watch.is_watching()
    watch.beat()
    assert not watch.is_watching()
    watch._ended.set()
    over.set()
    watch._thread.join(PATIENCE)
    watch._unseen = 0
    assert not watch.is_watching()
    watch.stop()
