"""Drive a recorded run through a fresh core and compare every decision with what was recorded.

Pure: a starting state, inputs and facts in; what was compared, and the first difference with its context, out.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from engine.core.engine import Engine, StrategyMaker
from engine.core.events import AnyEvent
from engine.core.facts import AnyFact, Fact

CONTEXT: Final = 3


class Difference(msgspec.Struct, frozen=True):
    """The first input after which the replay and the record part.

    Attributes:
        event: The input; None: facts are recorded for an input that is not there.
        recorded, replayed: All that was decided then, and all that is decided now; they agree up to `index`.
        before: The last facts on which both agree, with the inputs that caused them.
    """

    seq: int
    event: AnyEvent | None
    recorded: tuple[AnyFact, ...]
    replayed: tuple[AnyFact, ...]
    before: tuple[tuple[int, AnyFact], ...]

    @property
    def index(self) -> int:
        pairs = zip(self.recorded, self.replayed, strict=False)
        return next(
            (n for n, (was, now) in enumerate(pairs) if was != now), min(len(self.recorded), len(self.replayed))
        )


class Replay(msgspec.Struct, frozen=True):
    """The outcome: counts, the hashes and the equity (1e-8) the replay came to, and the difference if there is one."""

    inputs: int
    facts: int
    decision_hash: str
    state_hash: str
    equity: int
    difference: Difference | None = None


class Driver:
    """A fresh core on its way through a run. Iterate `steps`; the counters and the engine say where it stands."""

    def __init__(
        self, make_strategies: StrategyMaker, start: bytes | None, inputs: Iterable[tuple[int, AnyEvent]]
    ) -> None:
        self.engine = Engine(make_strategies, start)
        self.inputs = 0
        self.facts = 0
        self._inputs = inputs
        self._knows_books = start is not None  # a core without a state and without inputs has none

    def steps(self) -> Iterator[tuple[int, AnyEvent, list[AnyFact]]]:
        """(seq, event, what the core decides on it), for every input."""
        for seq, event in self._inputs:
            yield seq, event, self.step(event)

    def step(self, event: AnyEvent) -> list[AnyFact]:
        """What the core decides on the next input."""
        facts = [item for item in self.engine.handle(event) if isinstance(item, Fact)]
        self.inputs += 1
        self.facts += len(facts)
        return facts

    def outcome(self, difference: Difference | None = None) -> Replay:
        engine = self.engine
        equity = engine.desk.equity if self.inputs or self._knows_books else 0
        return Replay(self.inputs, self.facts, engine.decision_hash, engine.state_hash(), equity, difference)


def replay(
    make_strategies: StrategyMaker,
    start: bytes | None,
    inputs: Iterable[tuple[int, AnyEvent]],
    recorded: Iterable[tuple[int, AnyFact]],
) -> Replay:
    """Replay `inputs` (seq, event) from the `start` snapshot and compare with the `recorded` (seq, fact), in order.

    Facts recorded before the first input given (those of the event the snapshot already contains) are passed over.
    """
    driver = Driver(make_strategies, start, inputs)
    record = iter(recorded)
    waiting: tuple[int, AnyFact] | None = next(record, None)
    equal: deque[tuple[int, AnyFact]] = deque(maxlen=CONTEXT)
    for seq, event, facts in driver.steps():
        while driver.inputs == 1 and waiting is not None and waiting[0] < seq:
            waiting = next(record, None)
        if waiting is not None and waiting[0] < seq:
            break  # recorded for an input that is not there
        was = []
        while waiting is not None and waiting[0] == seq:
            was.append(waiting[1])
            waiting = next(record, None)
        if was != facts:
            return driver.outcome(Difference(seq, event, tuple(was), tuple(facts), tuple(equal)))
        equal.extend((seq, fact) for fact in facts)
    if start is not None and not driver.inputs and waiting is not None:
        begun = waiting[0]  # the run ended before a second input came
        while waiting is not None and waiting[0] == begun:
            waiting = next(record, None)
    if waiting is not None:
        return driver.outcome(Difference(waiting[0], None, (waiting[1],), (), tuple(equal)))
    return driver.outcome()
