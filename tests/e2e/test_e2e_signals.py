"""Signals: each of them, at any time, leads to the same orderly end."""

import signal
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from engine.review.report import check
from tests.e2e.conftest import StartDesk
from tests.e2e.shell import SPREAD, RunningDesk, ask, summary, until_gone

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_the_desk_in_order(start: StartDesk, tmp_path: Path, number: signal.Signals) -> None:
    """FP-02, FP-03."""
    desk = start(*SPREAD)
    desk.until_status(lambda status: status["positions"])
    children = desk.children()
    desk.signal(number)
    if desk.process.poll() is None:
        desk.signal(number)  # impatience changes nothing
    assert desk.ended() == 0
    assert (desk.report["reason"], desk.report["exit_code"]) == (number.name, 0)
    assert desk.report["positions_open"] == []
    assert check(desk.report, summary(desk.home)) == []
    until_gone(children)
    assert not desk.home.lock.exists()
    assert not desk.home.socket.exists()
    assert ask(tmp_path, "audit", "verify").code == 0


MOMENTS: dict[str, Callable[[RunningDesk], object]] = {
    "the venue is starting": lambda desk: desk.children(),
    "the socket is there": lambda desk: desk.home.socket.exists(),
    "history is being seeded": lambda desk: "SEEDING_HISTORY" in desk.out,
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_signal_during_the_start_ends_it_in_order(start: StartDesk, moment: str) -> None:
    desk = start()
    desk.until(lambda: MOMENTS[moment](desk))
    children = desk.children()
    desk.signal(signal.SIGTERM)
    assert desk.ended() == 0
    until_gone([child for child in children if psutil.pid_exists(child.pid)])
    assert not desk.home.lock.exists()
    assert not desk.home.socket.exists()
