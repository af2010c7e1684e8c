"""Drive a recorded run through a fresh core and compare every decision with what was recorded.

Pure: a starting state, inputs and facts in; what was compared, and the first difference with its context, out.
"""

from collections import deque
from collections.abc import Iterable
from typing import Final

import msgspec

from engine.core.engine import Engine, StrategyMaker
from engine.core.events import AnyEvent
from engine.core.facts import AnyFact, Fact

CONTEXT: Final = 3


class Difference(msgspec.Struct, frozen=True):
    """The first place where the replay and the record part. Each side as text; `before` are the last equal facts."""

    seq: int
    recorded: str
    replayed: str
    cause: str
    before: tuple[str, ...]


class Replay(msgspec.Struct, frozen=True):
    """The outcome: counts, the decision hash the replay came to, and the difference if there is one."""

    inputs: int
    facts: int
    decision_hash: str
    state_hash: str
    difference: Difference | None = None


def replay(
    make_strategies: StrategyMaker,
    start: bytes | None,
    inputs: Iterable[tuple[int, AnyEvent]],
    recorded: Iterable[tuple[int, AnyFact]],
) -> Replay:
    """Replay `inputs` (seq, event) from the `start` snapshot and compare with the `recorded` (seq, fact), in order.

    Facts recorded before the first input given (those of the event the snapshot already contains) are passed over.
    """
    engine = Engine(make_strategies, start)
    record = iter(recorded)
    waiting: tuple[int, AnyFact] | None = next(record, None)
    equal: deque[str] = deque(maxlen=CONTEXT)
    count = compared = 0
    for seq, event in inputs:
        if count == 0:
            while waiting is not None and waiting[0] < seq:
                waiting = next(record, None)
        count += 1
        for fact in engine.handle(event):
            if not isinstance(fact, Fact):
                continue
            if waiting is None or waiting != (seq, fact):
                difference = Difference(seq, _told(waiting), _told((seq, fact)), repr(event), tuple(equal))
                return Replay(count, compared, engine.decision_hash, engine.state_hash(), difference)
            compared += 1
            equal.append(_told(waiting))
            waiting = next(record, None)
        if waiting is not None and waiting[0] <= seq:
            difference = Difference(seq, _told(waiting), "nothing", repr(event), tuple(equal))
            return Replay(count, compared, engine.decision_hash, engine.state_hash(), difference)
    if waiting is not None:
        difference = Difference(waiting[0], _told(waiting), "nothing: the inputs have ended", "", tuple(equal))
        return Replay(count, compared, engine.decision_hash, engine.state_hash(), difference)
    return Replay(count, compared, engine.decision_hash, engine.state_hash())


def _told(item: tuple[int, AnyFact] | None) -> str:
    return "nothing" if item is None else f"{item[0]}: {item[1]!r}"
