"""Stopping a desk at awkward moments: while it reconnects, while its venue hangs, and twice."""

import signal
from pathlib import Path

import psutil
import pytest

from tests.e2e.conftest import StartDesk
from tests.e2e.shell import EAGER, RunningDesk, ask
from tests.e2e.test_e2e_crash import TWO, Books, assert_memory_is_whole

pytestmark = [pytest.mark.e2e, pytest.mark.sim]


def venue_of(desk: RunningDesk) -> psutil.Process:
    (venue,) = [child for child in desk.children() if "engine.venues.sim" in " ".join(child.cmdline())]
    return venue


def until_trading(desk: RunningDesk) -> None:
    desk.until_running()
    desk.until(lambda: len(Books(desk.home).fills) >= 2)


@pytest.mark.parametrize("how", ["stop", "kill", "SIGTERM"])
def test_a_desk_that_is_reconnecting_ends_at_once(start: StartDesk, tmp_path: Path, how: str) -> None:
    """Its venue is gone for good: nothing waits for the end of the outage window."""
    desk = start(*EAGER, *TWO)
    until_trading(desk)
    venue_of(desk).kill()
    desk.until_status(lambda status: not status["healthy"])
    if how == "SIGTERM":
        desk.signal(signal.SIGTERM)
    else:
        assert ask(tmp_path, how).code == 0
    assert desk.ended() in (0, 1), desk.said
    assert desk.report["reason"] == {"stop": "operator_stop", "kill": "kill_switch", "SIGTERM": "SIGTERM"}[how]
    assert_memory_is_whole(desk.home)


def test_a_kill_works_while_the_venue_hangs_and_says_what_is_not_confirmed(start: StartDesk, tmp_path: Path) -> None:
    desk = start("--broker", "venue", *EAGER, *TWO)
    until_trading(desk)
    desk.until_status(lambda status: status["orders"] or status["positions"])
    venue = venue_of(desk)
    venue.suspend()
    killed = ask(tmp_path, "kill", "--json")
    assert killed.code == 0, killed.err
    venue.resume()
    assert desk.ended(120) in (0, 1), desk.said
    assert desk.report["reason"] == "kill_switch"
    assert ask(tmp_path, "status", "--json").json["kill_latched"]
    entries = [order for order in Books(desk.home).orders if order.purpose == "ENTRY"]
    assert all(order.state in ("FILLED", "CANCELED", "REJECTED", "EXPIRED", "UNKNOWN") for order in entries)


def test_a_second_signal_changes_nothing(start: StartDesk) -> None:
    desk = start(*EAGER, *TWO)
    until_trading(desk)
    for number in (signal.SIGINT, signal.SIGINT, signal.SIGTERM, signal.SIGINT):
        desk.signal(number)
    assert desk.ended() == 0, desk.said
    assert desk.report["reason"] in ("SIGINT", "SIGTERM")  # the system may hand over the second first
    assert desk.report["positions_open"] == []
    assert_memory_is_whole(desk.home)
    assert Books(desk.home).held() == {}
