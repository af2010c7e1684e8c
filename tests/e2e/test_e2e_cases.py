"""The cases a validation protocol names, one test each, with real processes: TC-10 to TC-15."""

import os
import shutil
import signal
from pathlib import Path

import pytest

from store.backup import back_up, backup_path
from tests.e2e.conftest import StartDesk
from tests.e2e.shell import EAGER, RunningDesk, ask
from tests.e2e.test_e2e_crash import TWO, Books, assert_memory_is_whole

pytestmark = [pytest.mark.e2e, pytest.mark.sim]


def until_trading(desk: RunningDesk) -> None:
    desk.until_running()
    desk.until(lambda: len(Books(desk.home).fills) >= 2, 60)


def test_tc10_the_kill_variable_blocks_every_order(start: StartDesk) -> None:
    """Signals are raised; none becomes an order."""
    desk = start("--duration", "8s", *EAGER, *TWO, NIGHTDESK_KILL_SWITCH="TRUE")
    assert desk.ended(60) == 0, desk.said
    report = desk.report
    assert report["orders_submitted"] == report["fills_count"] == 0
    assert report["signals"]["total"] == report["signals"]["REJECTED_BY_CIRCUIT_BREAKER"] > 0
    (told,) = [event for event in desk.events() if event["event"] == "KillSwitchActivated"]
    assert told["source"] == "environment"


def test_tc11_a_second_session_is_refused_and_changes_nothing(start: StartDesk, tmp_path: Path) -> None:
    desk = start(*EAGER, *TWO)
    desk.until_running()
    runs = sorted(path.name for path in desk.home.runs.iterdir())
    second = ask(tmp_path, "run", "--headless", "--duration", "5s", "--json")
    assert second.code == 3
    assert "already" in second.json["error"]
    assert sorted(path.name for path in desk.home.runs.iterdir()) == runs
    assert ask(tmp_path, "stop").code == 0
    assert desk.ended(60) == 0


def test_tc12_a_stop_in_mid_session_closes_what_is_open(start: StartDesk, tmp_path: Path) -> None:
    desk = start(*EAGER, *TWO)
    desk.until_status(lambda status: status["positions"])
    assert ask(tmp_path, "stop").code == 0
    assert desk.ended(60) == 0
    assert (desk.report["reason"], desk.report["positions_open"]) == ("operator_stop", [])
    exits = [event for event in desk.events() if event["event"] == "ExecutionExit"]
    assert "SHUTDOWN" in {event["reason"] for event in exits}
    assert Books(desk.home).held() == {}


def test_tc13_too_much_memory_ends_the_session_in_order(start: StartDesk) -> None:
    """A real process and its real memory, with a limit below what any desk needs."""
    desk = start(*EAGER, *TWO, NIGHTDESK_MEMORY_MAX_MB="40")
    assert desk.ended(60) == 1, desk.said
    assert (desk.report["reason"], desk.report["positions_open"]) == ("memory", [])
    assert "CRITICAL: Memory Limit Exceeded" in desk.home.system_log.read_text()


def test_tc14_a_feed_that_falls_silent_is_stale_and_ends_the_session(start: StartDesk) -> None:
    desk = start(*EAGER, *TWO, NIGHTDESK_STALE_ACTION="shutdown")
    until_trading(desk)
    (venue,) = [child for child in desk.children() if "engine.venues.sim" in " ".join(child.cmdline())]
    venue.suspend()
    try:
        assert desk.ended(90) == 1, desk.said
    finally:
        if venue.is_running():
            venue.resume()
    assert desk.report["reason"] == "stale_data"
    assert any(event["event"] == "ORDER_BOOK_STALE" for event in desk.events())
    assert "ORDER_BOOK_STALE" in desk.home.system_log.read_text()
    assert desk.report["heartbeat"]["unhealthy"] > 0


@pytest.mark.parametrize("database", ["whole", "damaged"])
def test_tc15_after_a_crash_the_next_start_has_the_state(start: StartDesk, tmp_path: Path, database: str) -> None:
    """FP-18, FP-22: crashed in an extension, its database as it was; or killed, and its database damaged."""
    if database == "whole":
        desk = start("--strategy", "tests.e2e.eager:Crashing", *TWO)
        desk.until(lambda: desk.process.poll() is not None)
        assert desk.process.returncode == -signal.SIGSEGV, desk.said
        (stacks,) = desk.home.runs.glob("2*/stacks.txt")
        assert "Segmentation fault" in stacks.read_text() and "on_quote" in stacks.read_text()
    else:
        desk = start(*EAGER, *TWO)
        until_trading(desk)
        back_up(desk.home.database)
        desk.kill_9()
    before = len(Books(desk.home).fills)
    if database == "damaged":
        shutil.copy(backup_path(desk.home.database), tmp_path / "kept")
        with desk.home.database.open("r+b") as file:
            file.write(os.urandom(64 * 1024))
    again = start(*EAGER, *TWO, NIGHTDESK_CRASHES_MAX="1")
    status = again.until_running()
    assert "crash_loop" in {block["reason"] for block in status["blocks"]}
    if database == "damaged":
        assert "restored" in {block["reason"] for block in status["blocks"]}
    else:
        assert len(Books(again.home).fills) >= before
    assert ask(tmp_path, "stop").code == 0
    assert again.ended(60) == 0, again.said
    assert_memory_is_whole(again.home)
    assert Books(again.home).held() == {}
