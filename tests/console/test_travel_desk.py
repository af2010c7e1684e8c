"""A recorded run as a desk: moved through from another thread, commanded from none."""

from collections.abc import Callable, Iterator
from time import monotonic_ns

import pytest

from console.travel.desk import ReplayDesk
from console.travel.moves import Move
from console.travel.player import Player
from engine.core.events import Act
from engine.core.view import ReplayView
from engine.session.ports import CommandRequest
from engine.strategies import make_all
from tests.console.recorded import PlainRun, events
from tests.e2e.shell import until as eventually


@pytest.fixture
def desk() -> Iterator[ReplayDesk]:
    desk = ReplayDesk(lambda: Player(PlainRun(events()), make_all, monotonic_ns))
    desk.start()
    yield desk
    desk.close()
    assert not desk.fault


def replay_of(desk: ReplayDesk) -> ReplayView | None:
    view = desk.view()
    return view.replay if view is not None else None


def until(desk: ReplayDesk, true: Callable[[ReplayView], bool]) -> None:
    eventually(lambda: (replay := replay_of(desk)) is not None and true(replay))


def test_it_is_moved_through_and_stays_open_at_its_end(desk: ReplayDesk) -> None:
    until(desk, lambda replay: replay.number == 123)
    desk.move(Move.STEP)
    until(desk, lambda replay: replay.number == 124)
    desk.go("end")
    until(desk, lambda replay: replay.number == 1335)
    desk.go("start")
    until(desk, lambda replay: replay.number == 1)
    for _ in range(4):
        desk.move(Move.FASTER)
    desk.move(Move.PLAY)
    until(desk, lambda replay: replay.number == 1335 and not replay.playing)
    assert not desk.ended()


def test_nothing_can_be_commanded(desk: ReplayDesk) -> None:
    for act in Act:
        receipt = desk.command(CommandRequest(act, "tui", "anna")).result()
        assert (receipt.accepted, receipt.text) == (False, "this is a recorded run: nothing can be commanded")


def test_what_cannot_go_on_ends_and_says_why() -> None:
    def fail() -> Player:
        raise OSError("the disk is gone")

    desk = ReplayDesk(fail)
    desk.start()
    eventually(desk.ended)
    assert "the disk is gone" in desk.fault
    desk.close()
