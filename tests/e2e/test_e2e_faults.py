"""What machines and people do to a running desk: paused, crowded, starved of descriptors, started in odd places."""

import json
import os
import resource
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from store.recovery import verify_file
from tests.e2e.conftest import StartDesk
from tests.e2e.shell import EAGER, FIVE, ROOT, RunningDesk, ask, command, environment
from tests.e2e.test_e2e_crash import TWO, Books, assert_memory_is_whole

pytestmark = [pytest.mark.e2e, pytest.mark.sim]


def until_trading(desk: RunningDesk) -> None:
    desk.until_running()
    desk.until(lambda: len(Books(desk.home).fills) >= 2)


@pytest.mark.parametrize("seconds", [10, 31])
def test_a_desk_that_was_paused_goes_on(start: StartDesk, tmp_path: Path, seconds: int) -> None:
    """FT-06, FP-06, FP-09, FT-05: no watchdog ends it; the silence is on record; signals go on."""
    desk = start(*EAGER, *TWO)
    until_trading(desk)
    desk.signal(signal.SIGSTOP)
    time.sleep(seconds)
    desk.signal(signal.SIGCONT)
    back = len(Books(desk.home).signals)  # a breaker may refuse them, for the strategy loses; but it goes on
    desk.until(lambda: len(Books(desk.home).signals) > back or desk.process.poll() is not None)
    time.sleep(2)
    assert desk.process.poll() is None, desk.said
    assert ask(tmp_path, "stop").code == 0
    assert desk.ended() == 0
    told = desk.home.system_log.read_text()
    assert "WATCHDOG_FATAL" not in told
    assert "the whole process stood still" in told
    assert_memory_is_whole(desk.home)


def test_of_forty_starts_at_once_one_runs(start: StartDesk, tmp_path: Path) -> None:
    """FP-05: the others say so, with the exit code for it, and touch nothing."""
    others = [
        subprocess.Popen(
            command(tmp_path, "run", "--headless", "--duration", "60s", *EAGER, *TWO),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
            cwd=ROOT,
        )
        for _ in range(40)
    ]
    deadline = time.monotonic() + 90
    while sum(one.poll() is None for one in others) > 1:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    (running,) = [one for one in others if one.poll() is None]
    refused = [one for one in others if one is not running]
    assert {one.returncode for one in refused} == {3}
    assert all("already_running" in one.stderr.read() for one in refused if one.stderr)
    running.send_signal(signal.SIGTERM)
    assert running.wait(30) == 0
    assert verify_file(tmp_path / "paper" / "desk.db").is_good
    assert len(list((tmp_path / "paper" / "runs").glob("2*"))) == 1
    for one in others:
        if one.stderr:
            one.stderr.close()


def test_without_descriptors_a_kill_still_works(start: StartDesk, tmp_path: Path) -> None:
    """FP-16: the journal and the way out need none that are not open already."""
    desk = start(*EAGER, *FIVE)
    until_trading(desk)
    process = psutil.Process(desk.process.pid)
    process.rlimit(resource.RLIMIT_NOFILE, (process.num_fds(), process.rlimit(resource.RLIMIT_NOFILE)[1]))
    time.sleep(1)
    killed = ask(tmp_path, "kill", "--json")
    assert killed.code == 0, killed.err
    assert desk.ended() in (0, 1), desk.said
    assert ask(tmp_path, "status", "--json").json["kill_latched"]
    assert verify_file(desk.home.database).is_good
    assert Books(desk.home).held() == {}


def test_a_venue_that_stands_still_in_mid_order_leaves_no_doubt(start: StartDesk, tmp_path: Path) -> None:
    """FN-04, FN-10, FV-01: orders of unknown outcome are settled by the venue's word once it is back."""
    desk = start("--broker", "venue", *EAGER, *FIVE)
    until_trading(desk)
    (venue,) = [child for child in desk.children() if "engine.venues.sim" in " ".join(child.cmdline())]
    for _ in range(3):
        venue.suspend()
        time.sleep(2)
        venue.resume()
        time.sleep(1)
    fills = len(Books(desk.home).fills)
    desk.until(lambda: len(Books(desk.home).fills) > fills, 60)
    assert ask(tmp_path, "stop").code == 0
    assert desk.ended() == 0, desk.said
    assert desk.report["problems"] == []
    books = Books(desk.home)
    assert books.held() == {}
    assert len({fill.fill_id for fill in books.fills}) == len(books.fills)


def test_a_venue_killed_in_mid_order_leaves_whole_books_and_a_desk_that_obeys(start: StartDesk, tmp_path: Path) -> None:
    """FN-02, FA-03: entries stop for want of data, the operator ends it, and the next start has the books."""
    desk = start(*EAGER, *TWO)
    until_trading(desk)
    (venue,) = [child for child in desk.children() if "engine.venues.sim" in " ".join(child.cmdline())]
    venue.kill()
    desk.until_status(lambda status: {block["reason"] for block in status["blocks"]} >= {"stale_data"})
    assert ask(tmp_path, "stop").code == 0
    desk.ended()
    assert desk.report["reason"] == "operator_stop"
    assert_memory_is_whole(desk.home)
    again = start("--duration", "2s", *EAGER, *TWO)
    assert again.ended() == 0, again.said
    assert_memory_is_whole(again.home)


ODD: dict[str, dict[str, Any]] = {
    "plain": {},
    "zone": {"env": {"TZ": "Pacific/Chatham", "LANG": "tr_TR.UTF-8", "LC_ALL": "tr_TR.UTF-8"}},
    "bare": {
        "env": {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PATH": "/nonexistent"},
        "umask": 0o000,
        "cwd": "/",
    },
}


def test_an_odd_environment_gives_the_same_run(tmp_path: Path) -> None:
    """FC-11, FS-19: time zone, language, umask, directory and path change neither decisions nor who may read files."""
    hashes = {}
    for name, odd in ODD.items():
        home = tmp_path / name
        old = os.umask(odd.get("umask", 0o022))
        try:
            done = subprocess.run(
                command(home, "run", "--headless", "--duration", "10m", "--speed", "max", "--json"),
                capture_output=True,
                env=environment(**odd.get("env", {})),
                cwd=odd.get("cwd", ROOT),
                check=False,
            )
        finally:
            os.umask(old)
        assert done.returncode == 0, done.stderr
        hashes[name] = json.loads(done.stdout.decode("utf-8"))["decision_hash"]
        for path in (home / "paper").rglob("*"):
            if not path.is_symlink():
                assert path.stat().st_mode & 0o077 == 0, path
    assert len(set(hashes.values())) == 1
