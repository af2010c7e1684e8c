"""Killing a desk: by command, by file, by variable, while it hangs; and the latch that only an operator clears."""

import json
import signal
from pathlib import Path

import pytest

from engine.core.words import Purpose
from store.recovery import run_facts
from tests.e2e.conftest import StartDesk
from tests.e2e.shell import EAGER, FIVE, SPREAD, RunningDesk, ask, queried

pytestmark = pytest.mark.e2e


def assert_only_ways_out_after_the_kill(desk: RunningDesk, source: str) -> None:
    """After the kill fact every new order closes something, entries end, and the desk ends flat."""
    facts = [fact for _, fact in run_facts(desk.home.database, desk.folder.run_id)]
    kinds = [type(fact).__name__ for fact in facts]
    killed = kinds.index("KillChanged")
    assert facts[killed].source == source  # type: ignore[union-attr]
    intents = [fact for fact in facts[killed:] if type(fact).__name__ == "OrderChanged" and fact.state == "SUBMITTED"]  # type: ignore[union-attr]
    assert intents
    assert all(fact.reduce_only and fact.purpose is not Purpose.ENTRY for fact in intents)  # type: ignore[union-attr]
    orders = queried(desk.home, lambda queries: queries.orders(1_000))
    assert {order.state for order in orders} <= {"FILLED", "CANCELED", "REJECTED", "EXPIRED"}
    assert queried(desk.home, lambda queries: queries.positions()) == []
    told = [event for event in desk.events() if event["event"] == "KillSwitchActivated"]
    assert [event["source"] for event in told] == [source]


def until_busy(desk: RunningDesk) -> None:
    """Positions open and entries working."""
    desk.until_status(
        lambda status: (
            len(status["positions"]) >= 2
            and sum(order["purpose"] == "ENTRY" and order["state"] == "ACCEPTED" for order in status["orders"]) >= 2
        )
    )


def test_a_kill_closes_everything_and_its_latch_outlives_the_desk(start: StartDesk, tmp_path: Path) -> None:
    """FO-02."""
    desk = start(*SPREAD)
    until_busy(desk)
    killed = ask(tmp_path, "kill", "--reason", "enough", "--json")
    assert (killed.code, killed.json["accepted"], killed.json["by"]) == (0, True, "socket")
    assert desk.ended() == 0
    assert (desk.report["reason"], desk.report["status"], desk.report["exit_code"]) == ("kill_switch", "success", 0)
    assert desk.report["positions_open"] == []
    assert_only_ways_out_after_the_kill(desk, "cli")
    status = ask(tmp_path, "status", "--json")
    assert (status.code, status.json["kill_latched"]) == (4, True)

    latched = start(*EAGER, *FIVE)
    latched.until_status(lambda status: status["signals"]["total"])
    assert ask(tmp_path, "stop").code == 0
    assert latched.ended() == 0
    report = latched.report
    assert report["orders_submitted"] == report["fills_count"] == 0
    assert report["signals"]["total"] == report["signals"]["REJECTED_BY_CIRCUIT_BREAKER"] > 0

    shown = ask(tmp_path, "rearm", "--json")
    assert (shown.code, shown.json["latched"]) == (0, True)
    assert ask(tmp_path, "status", "--json").json["kill_latched"]
    wrong = ask(tmp_path, "rearm", "--reason", "sure", "--confirm", "00000000")
    assert wrong.code == 1
    cleared = ask(tmp_path, "rearm", "--reason", "checked the books", "--confirm", shown.json["token"], "--json")
    assert (cleared.code, cleared.json["accepted"]) == (0, True)
    assert not ask(tmp_path, "status", "--json").json["kill_latched"]

    armed = start(*EAGER, *FIVE)
    armed.until_status(lambda status: status["positions"])
    assert ask(tmp_path, "stop").code == 0
    assert armed.ended() == 0


def test_touching_the_kill_file_kills(start: StartDesk, tmp_path: Path) -> None:
    desk = start(*SPREAD)
    until_busy(desk)
    desk.home.kill_file.touch()
    assert desk.ended() == 0
    assert_only_ways_out_after_the_kill(desk, "file")
    refused = ask(tmp_path, "rearm", "--reason", "sure", "--confirm", "00000000")
    assert refused.code == 1
    assert str(desk.home.kill_file) in refused.err


def test_under_the_kill_variable_no_signal_becomes_an_order(start: StartDesk, tmp_path: Path) -> None:
    desk = start(*EAGER, *FIVE, NIGHTDESK_KILL_SWITCH="TRUE")
    desk.until_status(lambda status: status["signals"]["total"])
    assert ask(tmp_path, "stop").code == 0
    assert desk.ended() == 0
    report = desk.report
    assert report["orders_submitted"] == report["fills_count"] == 0
    assert report["signals"]["total"] == report["signals"]["REJECTED_BY_CIRCUIT_BREAKER"] > 0
    told = [event for event in desk.events() if event["event"] == "KillSwitchActivated"]
    assert [event["source"] for event in told] == ["environment"]


def test_a_hanging_desk_is_killed_by_the_file_and_obeys_once_it_is_back(start: StartDesk, tmp_path: Path) -> None:
    desk = start(*SPREAD)
    until_busy(desk)
    desk.signal(signal.SIGSTOP)
    killed = ask(tmp_path, "kill", "--json", program="console")
    assert killed.code == 0
    assert (killed.json["by"], killed.json["file"]) == ("file", str(desk.home.kill_file))
    assert "did not answer within 0." in killed.json["text"]
    assert desk.home.kill_file.exists()
    desk.signal(signal.SIGCONT)
    assert desk.ended() == 0
    assert desk.report["reason"] == "kill_switch"
    assert desk.report["positions_open"] == []


def test_a_kill_before_the_start_is_found_by_the_start(start: StartDesk, tmp_path: Path) -> None:
    """FO-18."""
    killed = ask(tmp_path, "kill", "--json")
    assert (killed.code, killed.json["by"], killed.json["running"]) == (4, "file", False)
    desk = start("--duration", "1s", *EAGER, *FIVE)
    assert desk.ended() == 0
    assert desk.report["orders_submitted"] == 0
    assert json.loads(desk.folder.state.read_text())
