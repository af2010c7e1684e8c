"""The kill drill: what it calls a failure, and that every way works on real desks."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from console.answers.catalogue import problem
from console.cli import main
from console.commands.drill import FLAT_MS_MAX, RECORDED_MS_MAX, _judged, _quiet_tree
from engine.core.events import Act, FeedEvent
from engine.core.facts import KillChanged
from engine.session.config import load
from engine.session.home import Home
from engine.session.ports import CommandRequest
from store.recovery import run_facts
from tests.e2e.shell import ask
from tests.session.deskrig import DeskRig
from tests.session.toymarket import ToyMarket

STATUS = {"orders": [1, 2, 3], "positions": [1, 2]}
MS = 1_000_000


class Killing(ToyMarket):
    """A market in which the desk is killed as soon as it holds something."""

    def __init__(self, rig: DeskRig) -> None:
        super().__init__(rig.symbols, 60_000)
        self._rig = rig

    def events(self, from_ns: int) -> Iterator[Sequence[FeedEvent]]:
        killed = False
        for chunk in super().events(from_ns):
            yield chunk
            session = self._rig.session
            if not killed and session._shell is not None and session._shell.open_positions():
                killed = True
                session.command(CommandRequest(Act.KILL, "cli", "ann", "drill"))


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> tuple[DeskRig, int]:
    """A killed desk, and when its kill was booked."""
    rig = DeskRig(tmp_path_factory.mktemp("drill"))
    rig.run(60_000, source=Killing(rig))
    facts = run_facts(rig.home.database, rig.home.latest.readlink().name)
    (at_ns,) = [fact.at_ns for _, fact in facts if isinstance(fact, KillChanged)]
    return rig, at_ns


def test_a_desk_that_obeyed_passes_with_its_times(killed: tuple[DeskRig, int]) -> None:
    rig, at_ns = killed
    found = _judged("command", rig.home, STATUS, at_ns - 5 * MS, 900.0, 0)
    assert found.problems == ()
    assert (found.orders, found.positions, found.recorded_ms, found.ended_ms) == (3, 2, 5.0, 900.0)
    assert found.flat_ms is not None and 5 <= found.flat_ms <= FLAT_MS_MAX


def test_a_kill_that_took_too_long_fails(killed: tuple[DeskRig, int]) -> None:
    rig, at_ns = killed
    assert _judged("command", rig.home, STATUS, at_ns - RECORDED_MS_MAX * MS, 0.0, 0).problems == ()
    late = _judged("command", rig.home, STATUS, at_ns - RECORDED_MS_MAX * MS - 1, 0.0, 0)
    assert late.problems == ("command: the kill was not on record within 2 s",)
    later = _judged("file", rig.home, STATUS, at_ns - FLAT_MS_MAX * MS - 1, 0.0, 0)
    assert "file: not flat within 10 s" in later.problems


def test_another_end_or_no_kill_at_all_fails(killed: tuple[DeskRig, int], tmp_path: Path) -> None:
    rig, at_ns = killed
    assert "exit code 1" in _judged("command", rig.home, STATUS, at_ns, 0.0, 1).problems[0]
    unkilled = DeskRig(tmp_path)
    unkilled.run(600)
    told = " ".join(_judged("command", unkilled.home, STATUS, at_ns, 0.0, 0).problems)
    assert "not on record" in told and "not flat" in told and "ended as duration_complete" in told


def test_a_drills_desk_leads_nowhere_outside(tmp_path: Path) -> None:
    tree = _quiet_tree(Home.at(tmp_path, "paper"))
    config = load("paper", tree=tree, variables={}, dotenv=tmp_path / ".env")
    assert (config.api, config.control.metrics, config.outside.channels, config.rotations) == (None, "", (), ())


def test_a_drill_never_touches_live(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["drill", "--env", "live"]) == 2
    assert "paper only" in capsys.readouterr().err


@pytest.mark.sim
@pytest.mark.e2e
def test_every_way_of_killing_works_on_a_real_desk(tmp_path: Path) -> None:
    done = ask(tmp_path, "drill", "--json", program="console")  # the frozen desk is not to be waited for
    assert done.code == 0, done.out + done.err
    assert not problem("drill", done.out)
    assert done.json["passed"] and [one["way"] for one in done.json["drills"]] == [
        "command",
        "file",
        "file, frozen for 3 s",
    ]
    assert all(one["orders"] and one["positions"] >= 2 and one["flat_ms"] for one in done.json["drills"])
    assert list(tmp_path.iterdir()) == []
