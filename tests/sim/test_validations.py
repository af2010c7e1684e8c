"""Three days and an audit at full speed: broken on purpose, killed and gone on with, twice with one result."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.shell import RunningDesk, ask

pytestmark = [pytest.mark.sim, pytest.mark.timeout(3_600)]

REHEARSED = ("--speed", "max", "--faults")


def found(verdict: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Every criterion as it came out; what names a run differs from run to run."""
    return {
        one["id"]: (one["state"], "" if "run " in one["measured"] else one["measured"]) for one in verdict["criteria"]
    }


def judged(home: Path, name: str, *words: str) -> dict[str, Any]:
    """The verdict of a protocol that is run, or gone on with, to its end."""
    desk = RunningDesk(home, *REHEARSED, *words, "--json", verb=("validate", name))
    try:
        assert desk.ended(1_500) in (0, 5), desk.said
        told: dict[str, Any] = json.loads(desk.out)
        return told
    finally:
        desk.clean_up()


def test_three_days_come_out_alike_twice_and_hold_when_they_are_killed_in_the_middle(tmp_path: Path) -> None:
    once, twice = (judged(tmp_path / name, "72h") for name in ("one", "two"))
    assert found(once) == found(twice)
    assert once["reliability"] == "PASS" and once["outages"] == 1 and once["rehearsal"]
    assert {state for name, (state, _) in found(once).items() if name.startswith("fault_")} == {"PASS"}

    desk = RunningDesk(tmp_path / "killed", *REHEARSED, verb=("validate", "72h"))
    try:
        desk.until_status(lambda status: status["elapsed_seconds"] > 6 * 3_600)
        desk.kill_9()
    finally:
        desk.clean_up()
    killed = judged(tmp_path / "killed", "72h")
    assert killed["reliability"] == "PASS" and killed["outages"] == 2
    assert ask(tmp_path / "killed", "validate", "check").code in (0, 5)
    assert ask(tmp_path / "killed", "audit", "verify").code == 0


def test_an_audit_of_sixteen_days_counts_its_days_and_leaves_an_artifact_of_each(tmp_path: Path) -> None:
    told = judged(tmp_path, "audit", "--symbols", "BTCUSDT,ETHUSDT")
    criteria = found(told)
    assert criteria["every_day"] == ("PASS", "16 of 16 days")
    assert criteria["artifacts"] == ("PASS", "16 of 16 days")
    assert told["passed"] and told["exit"].startswith("operationally sound") and told["days"] >= 16
