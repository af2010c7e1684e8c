"""A core on its way through a recorded run: forward by driving its inputs, back from the nearest state before.

While it drives it compares what the core decides with what was recorded, so that a screen never shows another story
than the desk's own without saying so. States are kept on the way, evenly spaced: going back is driving a little.
"""

from collections import deque
from collections.abc import Iterator
from typing import Final, NamedTuple, Protocol

from engine.core.engine import Engine, StrategyMaker
from engine.core.events import AnyEvent
from engine.core.facts import AnyFact
from engine.core.view import NoteView
from engine.review.replay import Driver
from engine.session.notes import note

NOTES: Final = 60  # as many as a desk shows
SPACING: Final = 20_000  # inputs between two kept states, at first
STATES_MAX: Final = 128
LOOKED_THROUGH: Final = 5_000  # facts behind a state, for the notes that stood there
NEVER: Final = 2**63 - 1


class Start(Protocol):
    """A state of the core as it was after input `seq`."""

    @property
    def state(self) -> bytes: ...
    @property
    def seq(self) -> int: ...


class Record(Protocol):
    """A recorded run: inputs `first` to `last`, and what is known at any of them (`store.recording.Recording`)."""

    first: int
    last: int

    def start(self, seq: int) -> Start | None: ...
    def inputs(self, after: int) -> Iterator[tuple[int, AnyEvent]]: ...
    def facts(self, after: int) -> Iterator[tuple[int, AnyFact]]: ...
    def facts_back(self, seq: int) -> Iterator[tuple[int, AnyFact]]: ...


class _Kept(NamedTuple):
    seq: int
    state: bytes | None  # None: before the first input
    notes: tuple[NoteView, ...]
    differs: int


class Journey:
    """Stands after one input of a run; `approach` and `drive` take it to another.

    Attributes:
        seq: The input it stands after; `first` - 1 before any.
        facts: What the core decided on that input.
        notes: The event list as the desk showed it then, newest first.
        differs: The first input the core decided otherwise on than is recorded; 0: none on the way here.
    """

    def __init__(self, record: Record, make_strategies: StrategyMaker, spacing: int = SPACING) -> None:
        self._record = record
        self._make = make_strategies
        self._spacing = spacing
        self._states: dict[int, _Kept] = {}
        self.facts: list[AnyFact] = []
        self._upcoming: tuple[int, AnyEvent] | None = None
        self._waiting: tuple[int, AnyFact] | None = None  # the next fact of the record
        self._begin_at(_Kept(record.first - 1, None, (), 0))

    @property
    def engine(self) -> Engine:
        return self._driver.engine

    @property
    def at_ns(self) -> int:
        return self.engine.state.at_ns

    def approach(self, goal: int) -> None:
        """Stand before input `goal`, as near to it as a known state allows; `drive` does the rest."""
        begin = self._nearest(goal)
        if not begin.seq <= self.seq < goal:
            self._begin_at(begin)

    def drive(self, goal: int, until_ns: int, inputs_max: int) -> bool:
        """Take the next inputs, to `goal` at most, none from after `until_ns`; True when there are no more of these."""
        step, upcoming = self._driver.step, self._upcoming
        try:
            for _ in range(inputs_max):
                if upcoming is None or upcoming[0] > goal or upcoming[1].at_ns > until_ns:
                    return True
                seq, event = upcoming
                self.facts = facts = step(event)
                self.seq = seq
                if facts or (self._waiting is not None and self._waiting[0] <= seq):
                    self._note(seq, facts)
                if seq % self._spacing == 0 and seq not in self._states:
                    self._keep()
                upcoming = next(self._inputs, None)
        finally:
            self._upcoming = upcoming
        return False

    # --- states ---

    def _nearest(self, goal: int) -> _Kept:
        """The newest known state from before `goal`."""
        kept = max((seq for seq in self._states if seq < goal), default=0)
        start = self._record.start(goal - 1)
        if start is not None and start.seq > kept:
            return _Kept(start.seq, start.state, self._notes_at(start.seq), 0)
        return self._states[kept] if kept else _Kept(self._record.first - 1, None, (), 0)

    def _begin_at(self, begin: _Kept) -> None:
        self._driver = Driver(self._make, begin.state, ())
        self.seq, self.differs = begin.seq, begin.differs
        self.facts = []
        self.notes = deque(begin.notes, maxlen=NOTES)
        self._inputs = self._record.inputs(begin.seq)
        self._upcoming = next(self._inputs, None)
        self._recorded = self._record.facts(begin.seq)
        self._waiting = next(self._recorded, None)

    def _keep(self) -> None:
        self._states[self.seq] = _Kept(self.seq, self.engine.snapshot(), tuple(self.notes), self.differs)
        if len(self._states) > STATES_MAX:
            self._spacing *= 2
            self._states = {seq: kept for seq, kept in self._states.items() if seq % self._spacing == 0}

    # --- what was decided ---

    def _note(self, seq: int, facts: list[AnyFact]) -> None:
        was = []
        while self._waiting is not None and self._waiting[0] <= seq:
            was.append(self._waiting)
            self._waiting = next(self._recorded, None)
        if not self.differs and was != [(seq, fact) for fact in facts]:
            self.differs = min(was[0][0], seq) if was else seq
        for fact in facts:
            line = note(seq, fact)
            if line is not None:
                self.notes.appendleft(line)

    def _notes_at(self, seq: int) -> tuple[NoteView, ...]:
        lines: list[NoteView] = []
        for looked, (cause, fact) in enumerate(self._record.facts_back(seq)):
            line = note(cause, fact)
            if line is not None:
                lines.append(line)
            if len(lines) == NOTES or looked == LOOKED_THROUGH:
                break
        return tuple(lines)
