"""Plays a recorded run: what was asked for, turn by turn, into where the run stands and how it looks there.

It has no thread and no clock of its own; `turn` does a bounded piece of work, so whoever drives it stays free to ask
for something else. `ReplayDesk` gives it a thread.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from typing import Final, Protocol

from console.travel.journey import NEVER, Journey, Record
from console.travel.moves import JUMPS, SHIFTS, SPEEDS, Move, parse_target
from engine.core.engine import StrategyMaker
from engine.core.view import DeskView, HeartbeatView, ReplayView
from engine.review.marks import Mark, mark_of
from engine.session.notes import note
from engine.session.viewing import Progress, RunFacts, desk_view

INPUTS_A_TURN: Final = 4_000  # about 20 ms of work
SHOW_NS: Final = 200_000_000  # between two views on the way to somewhere


class Run(Record, Protocol):
    """A recorded run with its times and marks (`store.recording.Recording`)."""

    run_id: str
    first_ns: int
    last_ns: int
    running: int
    running_ns: int

    def marks(self) -> dict[Mark, list[int]]: ...
    def seq_at(self, at_ns: int) -> int: ...
    def row_at(self, seq: int) -> int: ...


class Player:
    """Where a run stands and where it goes. Begins paused at the input that opened RUNNING, or at `from_ns`.

    Attributes:
        view: The newest view of it.
    """

    def __init__(
        self, run: Run, make_strategies: StrategyMaker, mono_ns: Callable[[], int], from_ns: int | None = None
    ) -> None:
        self._run = run
        self._mono_ns = mono_ns
        self._journey = Journey(run, make_strategies)
        self._journey.approach(run.first + 1)
        self._journey.drive(run.first, NEVER, 1)  # before its first input a run has nothing to show
        self._at_ns = self._journey.at_ns
        self._marks: dict[Mark, list[int]] | None = None
        self._playing = False
        self._speed = SPEEDS[0]
        self._since_ns, self._since_mono_ns = self._at_ns, mono_ns()
        self._goal: int | None = None
        self._begun = False  # the journey to the goal
        self._goal_ns: int | None = None  # where the goal is a time, the time
        self._arrived = ""  # what is said of it once it is reached
        self._sought: Mark | None = None
        self._text = ""
        self._shown_ns = mono_ns()
        if from_ns is not None:
            self._seek_time(from_ns)
        elif run.running:
            self._seek(run.running)
        self.view = self._look()

    # --- what is asked for ---

    def move(self, move: Move) -> None:
        """Do what a key asks."""
        self._text = ""
        match move:
            case Move.PLAY:
                self._play(not self._playing)
            case Move.FASTER | Move.SLOWER:
                at = SPEEDS.index(self._speed) + (1 if move is Move.FASTER else -1)
                self._speed = SPEEDS[min(max(at, 0), len(SPEEDS) - 1)]
                self._play(self._playing)
            case Move.STEP | Move.BACK:
                self._play(False)
                self._seek(self._where() + (1 if move is Move.STEP else -1))
            case _ if move in SHIFTS:
                self._seek_time(self._where_ns() + SHIFTS[move])
            case _:
                self._jump(*JUMPS[move])
        self.view = self._look()

    def go(self, text: str) -> None:
        """Go to the moment somebody typed; what is no moment is answered with how to write one."""
        self._text = ""
        try:
            target = parse_target(text, self._where_ns(), self._replay())
        except ValueError as wrong:
            self._text = str(wrong)
        else:
            if target.number:
                self._seek(self._run.first + target.number - 1)
            else:
                self._seek_time(target.at_ns)
        self.view = self._look()

    def _where(self) -> int:
        """Where it will stand when it has arrived."""
        return self._journey.seq if self._goal is None else self._goal

    def _where_ns(self) -> int:
        return self._at_ns if self._goal_ns is None else self._goal_ns

    def _play(self, playing: bool) -> None:
        if playing and self._where() >= self._run.last:
            self._text, playing = "this is the end of what was recorded", False
        self._playing = playing
        self._since_ns, self._since_mono_ns = self._at_ns, self._mono_ns()

    def _seek(self, seq: int) -> None:
        self._goal, self._goal_ns, self._sought = min(max(seq, self._run.first), self._run.last), None, None
        if seq > self._run.last:
            self._text = "this is the end of what was recorded"
        elif seq < self._run.first:
            self._text = "this is the beginning of what was recorded"
        self._begun = False

    def _seek_time(self, at_ns: int) -> None:
        at_ns = min(max(at_ns, self._run.first_ns), self._run.last_ns)
        self._seek(self._run.seq_at(at_ns))
        self._goal_ns = at_ns

    def _jump(self, mark: Mark, ahead: bool) -> None:
        if self._marks is None:
            self._marks = self._run.marks()
        marks, here = self._marks[mark], self._where()
        at = bisect_right(marks, here) if ahead else bisect_left(marks, here) - 1
        if not 0 <= at < len(marks):
            self._text = f"no {'later' if ahead else 'earlier'} {mark} in this run"
            return
        self._play(False)
        self._seek(marks[at])
        self._sought, self._arrived = mark, f"{mark} {at + 1:,} of {len(marks):,}"

    # --- a turn ---

    @property
    def rests(self) -> bool:
        """Nothing happens until something is asked for."""
        return self._goal is None and not self._playing

    def turn(self) -> bool:
        """Do a piece of what is under way; True while there is more to do at once."""
        if self._goal is not None:
            return self._travel(self._goal)
        return self._playing and self._go_on()

    def _travel(self, goal: int) -> bool:
        if not self._begun:  # wishes come faster than states are rebuilt: only the last one counts
            self._begun = True
            self._journey.approach(goal)
        arrived = self._journey.drive(goal, NEVER, INPUTS_A_TURN)
        self._at_ns = self._journey.at_ns
        if arrived:
            self._at_ns = max(self._at_ns, self._goal_ns or 0)
            self._goal = self._goal_ns = None
            self._since_ns, self._since_mono_ns = self._at_ns, self._mono_ns()
            if self._sought is not None:
                self._text = f"{self._arrived}: {self._told(self._sought)}"
        self._show(at_once=arrived)
        return not arrived or self._playing

    def _go_on(self) -> bool:
        """As far as the time that has passed takes it; a time the machine cannot keep up with is let go."""
        now_ns = self._mono_ns()
        until_ns = NEVER
        if self._speed:
            until_ns = self._since_ns + (now_ns - self._since_mono_ns) * self._speed
        arrived = self._journey.drive(self._run.last, until_ns, INPUTS_A_TURN)
        if self._journey.seq == self._run.last:
            self._at_ns = max(self._at_ns, self._journey.at_ns)
            self._play(False)
            self._text = "this is the end of what was recorded"
        elif arrived:
            self._at_ns = min(until_ns, self._run.last_ns)
        else:
            self._at_ns = self._journey.at_ns
            self._since_ns, self._since_mono_ns = self._at_ns, now_ns
        self._show(at_once=not self._playing)
        return self._playing and not arrived

    def _told(self, mark: Mark) -> str:
        """What the facts of this kind say where it stands."""
        lines = [note(self._journey.seq, fact) for fact in self._journey.facts if mark_of(fact) is mark]
        return "; ".join(line.text for line in lines if line is not None) or "not decided again here"

    # --- how it looks ---

    def _show(self, *, at_once: bool) -> None:
        if at_once or self._mono_ns() - self._shown_ns >= SHOW_NS:
            self.view = self._look()

    def _replay(self) -> ReplayView:
        run, journey = self._run, self._journey
        return ReplayView(
            number=journey.seq - run.first + 1,
            count=run.last - run.first + 1,
            first_ns=run.first_ns,
            last_ns=run.last_ns,
            goal=0 if self._goal is None else self._goal - run.first + 1,
            playing=self._playing,
            speed=self._speed,
            differs=journey.differs and journey.differs - run.first + 1,
            text=self._text,
        )

    def _look(self) -> DeskView:
        self._shown_ns = self._mono_ns()
        journey, run = self._journey, self._run
        config = journey.engine.desk.config
        started_ns = run.running_ns if run.running and journey.seq >= run.running else 0
        facts = RunFacts(config.env, run.run_id, "", "", "", "", config.seed, 0, 0)
        progress = Progress(
            at_ns=self._at_ns,
            started_ns=started_ns,
            elapsed_ns=max(self._at_ns - started_ns, 0) if started_ns else 0,
            phase_text="",
            heartbeat=HeartbeatView(),
            notes=tuple(journey.notes),
            journal_rows=run.row_at(journey.seq),
            journal_head="",
            replay=self._replay(),
        )
        return desk_view(journey.engine, facts, progress)
