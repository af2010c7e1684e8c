"""The desk's clock: real time that nobody can set back, and what is told when somebody tries."""

import time
from pathlib import Path

import pytest

from engine.session.clock import WallClock, is_kept_right, unkept_text
from engine.session.session import Session
from tests.session.deskrig import DeskRig
from tests.session.test_session import rows

HOUR_NS = 3_600_000_000_000


class Machine:
    """The machine's clocks, as a test sets them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wall_ns = 1_800_000_000_000_000_000
        self.passed_ns = 5_000_000_000
        monkeypatch.setattr(time, "time_ns", lambda: self.wall_ns)
        monkeypatch.setattr(time, "clock_gettime_ns", lambda which: self.passed_ns)

    def passes(self, ns: int) -> None:
        self.wall_ns += ns
        self.passed_ns += ns


def test_the_wall_clock_is_the_machines_and_goes_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch)
    clock = WallClock()
    assert clock.now_ns() == machine.wall_ns
    machine.passes(HOUR_NS)
    assert (clock.now_ns(), clock.stepped_ns()) == (machine.wall_ns, 0)


@pytest.mark.parametrize("step_ns", [HOUR_NS, -HOUR_NS])
def test_a_machine_whose_clock_is_set_moves_no_time_of_the_desk(monkeypatch: pytest.MonkeyPatch, step_ns: int) -> None:
    machine = Machine(monkeypatch)
    clock = WallClock()
    machine.passes(10)
    before_ns = clock.now_ns()
    machine.wall_ns += step_ns
    machine.passes(5)
    assert clock.now_ns() == before_ns + 5
    assert clock.stepped_ns() == step_ns
    assert WallClock().now_ns() == machine.wall_ns, "the next start goes by the machine again"


def test_a_step_is_told_once_and_counted_as_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rig = DeskRig(tmp_path)

    async def step(session: Session) -> None:
        watching = session._tasks._watching
        monkeypatch.setattr(session.plan.clock.__class__, "stepped_ns", lambda self: HOUR_NS, raising=False)
        monkeypatch.setattr("engine.session.watching.WallClock", session.plan.clock.__class__)
        watching._check_clock()
        watching._check_clock()

    rig.run(600, meddle=step)
    told = [text for (text,) in rows(rig, "SELECT text FROM errors WHERE place = 'clock'")]
    assert told == ["the machine's clock was set by +3600.0 s; the desk goes on by its own"]


@pytest.mark.parametrize(("answer", "kept"), [(0, True), (1, True), (5, False), (-1, None)])
def test_a_clock_that_nothing_keeps_right_is_told(
    answer: int, kept: bool | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FT-08: what the system says of its clock; where it says nothing, neither does the desk."""
    system = type("System", (), {"adjtimex": lambda _, buffer: answer})
    monkeypatch.setattr("ctypes.CDLL", lambda _: system())
    assert is_kept_right() is kept
    assert bool(unkept_text()) is (kept is False)
    monkeypatch.setattr("ctypes.CDLL", lambda _: object())  # another system has no such call
    assert is_kept_right() is None


def test_asking_sets_nothing() -> None:
    assert is_kept_right() in (True, False, None)
