"""Breakers in whole runs: what the operator reads while one stands, what a restart finds, what a shutdown leaves."""

from pathlib import Path
from typing import Any

import pytest

from engine.core.config import Limits
from engine.core.words import BreakerAction
from engine.review.replay import replay
from engine.session.clock import WallClock
from engine.session.status import status_json
from store.desk import open_store
from tests.rig import d
from tests.session.deskrig import DeskRig, Eager

SMALL = Limits(daily_drawdown_max=d("0.00002"))
"""So small that the first trade trips it."""


def told(rig: DeskRig) -> dict[str, Any]:
    view = rig.session.view()
    assert view is not None
    return status_json(view)


def test_a_halted_desk_says_why_what_lifts_it_and_when_and_a_restart_says_the_same(tmp_path: Path) -> None:
    rig = DeskRig(tmp_path)
    code, first = rig.run(600, limits=SMALL)
    assert code == 0
    (halt,) = [block for block in told(rig)["blocks"] if block["reason"] == "breaker"]
    assert halt["text"].startswith("day drawdown 0.00")
    assert halt["text"].endswith("% >= 0.002%")
    assert halt["lifts"] == "the next trading day, or reset-breaker"
    assert 0 < halt["release_seconds"] < 86_400
    assert f"{halt['text']} (lifted by the next trading day, or reset-breaker, in 23h" in told(rig)["why"]
    (tripped,) = [breaker for breaker in told(rig)["breakers"] if breaker["tripped"]]
    assert (tripped["name"], tripped["action"], tripped["limit"]) == ("daily_drawdown", "halt_day", "0.00002")
    assert tripped["since_ns"] < tripped["release_ns"]

    _, second = rig.run(300, limits=SMALL)
    assert first["signals"]["EXECUTED"] > 0
    assert second["signals"]["EXECUTED"] == 0
    assert second["signals"]["REJECTED_BY_CIRCUIT_BREAKER"] == second["signals"]["total"] > 0
    assert [block["text"] for block in told(rig)["blocks"] if block["reason"] == "breaker"] == [halt["text"]]


def test_under_the_shutdown_policy_a_trip_ends_the_run_flat_with_exit_code_one(tmp_path: Path) -> None:
    rig = DeskRig(tmp_path)
    code, report = rig.run(600, limits=SMALL, breaker_action=BreakerAction.SHUTDOWN)
    assert (code, report["reason"], report["status"]) == (1, "circuit_breaker", "safety_stop")
    assert report["positions_open"] == []
    assert report["duration_seconds"] < 600


def test_a_run_with_trips_replays_decision_for_decision(tmp_path: Path) -> None:
    rig = DeskRig(tmp_path)
    _, report = rig.run(600, limits=SMALL)
    store = open_store(rig.home.database, "paper", WallClock())
    try:
        start, inputs = store.run_inputs(report["run_id"])
        assert start is not None
        outcome = replay(lambda core: (Eager(rig.symbols),), start.state, inputs, store.run_facts(report["run_id"]))
    finally:
        store.close()
    assert outcome.difference is None
    assert outcome.decision_hash == report["decision_hash"]


@pytest.mark.parametrize("action", list(BreakerAction))
def test_every_action_is_a_word_the_console_knows(action: BreakerAction) -> None:
    from console.panels.breakers import DOES

    assert action in DOES or action is BreakerAction.WATCH
