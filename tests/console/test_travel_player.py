"""Playing a recorded run: what each wish leads to, with a clock the test holds."""

from collections.abc import Sequence

import pytest

from console.travel.moves import JUMPS, SPEEDS, Move, Target, parse_target
from console.travel.player import SHOW_NS, Player
from engine.core.events import SessionPhase
from engine.core.times import DAY, HOUR, MINUTE, SECOND
from engine.core.view import DeskView, ReplayView
from engine.review.marks import Mark
from engine.strategies import make_all
from tests.console.recorded import RUN_ID, PlainRun, events

MS = 1_000_000


@pytest.fixture(scope="module")
def run() -> PlainRun:
    return PlainRun(events())


class Played:
    """A player whose time the test lets pass."""

    def __init__(self, run: PlainRun, from_ns: int | None = None) -> None:
        self.now_ns = 5 * SECOND
        self.player = Player(run, make_all, lambda: self.now_ns, from_ns)
        self.opened = self.player.view

    def settle(self) -> "Played":
        while self.player.turn():
            pass
        return self

    def after(self, seconds: float) -> "Played":
        self.now_ns += int(seconds * SECOND)
        return self.settle()

    def moves(self, *moves: Move) -> "Played":
        for move in moves:
            self.player.move(move)
            self.settle()
        return self

    def goes(self, text: str) -> "Played":
        self.player.go(text)
        return self.settle()

    @property
    def view(self) -> DeskView:
        return self.player.view

    @property
    def replay(self) -> ReplayView:
        assert self.view.replay is not None
        return self.view.replay

    @property
    def where(self) -> int:
        return self.replay.number


@pytest.fixture
def played(run: PlainRun) -> Played:
    return Played(run).settle()


def test_it_shows_its_first_input_at_once_and_goes_on_to_where_trading_began(run: PlainRun) -> None:
    played = Played(run)
    opened = played.opened.replay
    assert opened is not None and (opened.number, opened.count, opened.goal) == (1, 1335, 123)
    played.settle()
    assert (played.where, played.replay.goal, played.replay.playing) == (123, 0, False)
    assert (played.view.phase, played.view.run_id, played.view.env) == (SessionPhase.RUNNING, RUN_ID, "paper")


def test_it_opens_at_a_time(run: PlainRun) -> None:
    played = Played(run, run.first_ns + 60 * SECOND).settle()
    assert played.view.at_ns == run.first_ns + 60 * SECOND
    assert played.where == run.seq_at(played.view.at_ns)


def test_a_step_is_one_event_and_its_undoing_is_the_same_desk(played: Played) -> None:
    before = played.view
    played.moves(Move.STEP)
    assert played.where == 124
    ahead = played.view
    played.moves(Move.STEP, Move.STEP, Move.BACK, Move.BACK)
    assert played.view == ahead
    played.moves(Move.BACK)
    assert played.view == before


def test_before_the_first_and_behind_the_last_event_there_is_nothing(played: Played) -> None:
    played.goes("start").moves(Move.BACK)
    assert played.where == 1 and "beginning" in played.replay.text
    played.goes("end").moves(Move.STEP)
    assert played.where == 1335 and "end of what was recorded" in played.replay.text


def test_steps_asked_for_faster_than_they_are_made_all_count(played: Played) -> None:
    for _ in range(30):
        played.player.move(Move.STEP)
    for _ in range(10):
        played.player.move(Move.BACK)
    assert played.settle().where == 143


@pytest.mark.parametrize("faster", range(4))
def test_it_plays_as_fast_as_it_says(played: Played, faster: int) -> None:
    played.moves(*[Move.FASTER] * faster)
    begun_ns = played.view.at_ns
    played.moves(Move.PLAY).after(0.25)
    speed = SPEEDS[faster]
    assert (played.replay.playing, played.replay.speed) == (True, speed)
    assert played.view.at_ns == begun_ns + speed * 250 * MS
    played.moves(Move.PLAY).after(10)
    assert not played.replay.playing
    assert played.view.at_ns == begun_ns + speed * 250 * MS, "paused is paused"


def test_at_its_fastest_it_is_soon_at_the_end_and_pauses_there(played: Played) -> None:
    played.moves(*[Move.FASTER] * 9, Move.PLAY)
    assert (played.where, played.replay.playing, played.replay.speed) == (1335, False, 0)
    assert played.replay.text == "this is the end of what was recorded"
    played.moves(Move.PLAY)
    assert not played.replay.playing


def test_another_speed_changes_no_place(played: Played) -> None:
    played.moves(Move.PLAY).after(10)
    at_ns = played.view.at_ns
    played.moves(Move.FASTER)
    assert played.view.at_ns == at_ns
    played.after(1)
    assert played.view.at_ns == at_ns + 10 * SECOND
    played.moves(Move.SLOWER, Move.SLOWER)
    assert played.replay.speed == 1


def test_minutes_and_hours_are_gone_by_time(played: Played, run: PlainRun) -> None:
    begun_ns = played.view.at_ns
    played.moves(Move.MINUTE_ON, Move.MINUTE_ON)
    assert played.view.at_ns == begun_ns + 2 * MINUTE
    played.moves(Move.MINUTE_BACK)
    assert played.view.at_ns == begun_ns + MINUTE
    played.moves(Move.HOUR_ON)
    assert played.view.at_ns == run.last_ns
    played.moves(Move.HOUR_BACK)
    assert played.view.at_ns == run.first_ns


@pytest.mark.parametrize("mark", Mark)
def test_a_jump_stops_where_it_is_and_says_what_stands_there(played: Played, run: PlainRun, mark: Mark) -> None:
    ahead, back = (next(move for move, jump in JUMPS.items() if jump == (mark, way)) for way in (True, False))
    marks = run.marks()[mark]
    played.moves(Move.PLAY, ahead)
    assert (played.where, played.replay.playing) == (marks[0], False)
    assert played.replay.text.startswith(f"{mark} 1 of {len(marks):,}: ")
    assert "not decided" not in played.replay.text
    played.moves(ahead)
    assert played.where == marks[1]
    played.moves(back)
    assert played.where == marks[0]
    played.moves(back)
    assert (played.where, played.replay.text) == (marks[0], f"no earlier {mark} in this run")
    played.goes("end").moves(ahead)
    assert played.replay.text == f"no later {mark} in this run"


def test_a_jump_does_not_go_backwards_when_it_is_asked_ahead_twice_at_once(played: Played, run: PlainRun) -> None:
    played.player.move(Move.NEXT_TRADE)
    played.player.move(Move.NEXT_TRADE)
    assert played.settle().where == run.marks()[Mark.TRADE][1]


def test_a_long_way_shows_its_progress_and_can_be_left(run: PlainRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.travel.player.INPUTS_A_TURN", 100)
    played = Played(run)
    played.settle()
    played.player.go("end")
    numbers = []
    for _ in range(5):
        played.now_ns += SHOW_NS
        assert played.player.turn()
        assert played.replay.goal == 1335
        numbers.append(played.where)
    assert numbers == sorted(numbers) and 123 < numbers[0] < numbers[-1] < 1335
    assert played.goes("#200").where == 200


def test_what_is_no_moment_is_answered_with_how_to_write_one(played: Played) -> None:
    before = played.where
    played.goes("yesterday")
    assert "'yesterday' is no moment: write 12:03" in played.replay.text
    assert played.where == before


def test_a_run_that_is_decided_otherwise_now_says_so() -> None:
    run = PlainRun(events())
    at = next(n for n, (seq, _) in enumerate(run.recorded) if seq > 300)
    seq, _ = run.recorded.pop(at)
    played = Played(run).settle()
    assert played.goes("end").replay.differs == seq
    assert played.goes("#130").replay.differs == 0


def test_the_number_of_an_event_counts_from_the_runs_first() -> None:
    run = PlainRun(events(), first=5_001)
    played = Played(run).settle()
    assert (played.where, played.replay.count) == (123, 1335)
    assert played.goes("#1000").where == 1_000
    assert played.goes("50%").where == 667


NOW = 20_000 * DAY + 12 * HOUR
BETWEEN = ReplayView(10, 1_000, NOW - HOUR, NOW + HOUR)


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("start", Target(number=1)),
        ("end", Target(number=1_000)),
        ("#345", Target(number=345)),
        ("#99999", Target(number=1_000)),
        ("#0", Target(number=1)),
        ("50%", Target(number=500)),
        ("0 %", Target(number=1)),
        ("250%", Target(number=1_000)),
        ("+10m", Target(at_ns=NOW + 10 * MINUTE)),
        ("-1h", Target(at_ns=NOW - HOUR)),
        (" 12:03 ", Target(at_ns=NOW + 3 * MINUTE)),
        ("12:03:07.5", Target(at_ns=NOW + 3 * MINUTE + 7_500 * MS)),
        ("2024-10-04T12:03Z", Target(at_ns=NOW + 3 * MINUTE)),
        ("2024-10-04T14:03+02:00", Target(at_ns=NOW + 3 * MINUTE)),
        ("2024-10-04", Target(at_ns=NOW - 12 * HOUR)),
    ],
)
def test_a_moment_may_be_written_in_many_ways(text: str, target: Target) -> None:
    assert parse_target(text, NOW, BETWEEN) == target


@pytest.mark.parametrize(
    "text", ["", "#", "#x", "%", "+", "+10", "10m", "25:00", "12:3", "noon", "2024-13-01", "x" * 99]
)
def test_everything_else_is_no_moment(text: str) -> None:
    with pytest.raises(ValueError, match="is no moment: write"):
        parse_target(text, NOW, BETWEEN)


def test_every_jump_is_there_both_ways() -> None:
    jumps: Sequence[tuple[Mark, bool]] = sorted(JUMPS.values())
    assert jumps == sorted((mark, way) for mark in Mark for way in (True, False))
