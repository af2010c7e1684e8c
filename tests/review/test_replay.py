"""The replay against the record: the same is the same, and the first difference is named with what led to it."""

from collections.abc import Callable

import pytest

from engine.core.config import MINUTE, CoreConfig
from engine.core.engine import Engine
from engine.core.events import AnyEvent, Quote, RunStarted
from engine.core.facts import AnyFact, ErrorCounted, Fact
from engine.core.money import parse
from engine.review.replay import Driver, replay
from tests.rig import START_NS, instrument

Record = list[tuple[int, AnyFact]]
CONFIG = CoreConfig("paper", 1, True, parse("10000"), (instrument(),), ())
OTHER = ErrorCounted(1, "here", "else", "f")


def inputs() -> list[tuple[int, AnyEvent]]:
    events: list[AnyEvent] = [RunStarted(START_NS, "run-1", CONFIG)]
    for minute in range(1, 30):
        at_ns = START_NS + minute * MINUTE
        events.append(Quote("BTCUSDT", at_ns, at_ns, parse("60000"), parse("60000.1"), parse("1"), parse("1")))
    return list(enumerate(events, start=1))


@pytest.fixture
def recorded() -> Record:
    engine = Engine(lambda core: ())
    return [(seq, item) for seq, event in inputs() for item in engine.handle(event) if isinstance(item, Fact)]


def test_a_run_is_the_same_as_itself_from_its_beginning_and_from_any_state(recorded: Record) -> None:
    whole = replay(lambda core: (), None, inputs(), recorded)
    assert whole.difference is None and (whole.inputs, whole.facts) == (30, len(recorded))
    driver = Driver(lambda core: (), None, inputs()[:15])
    assert [seq for seq, _, _ in driver.steps()] == list(range(1, 16))
    tail = replay(lambda core: (), driver.engine.snapshot(), inputs()[15:], recorded)
    assert tail.difference is None and tail.inputs == 15
    assert (tail.decision_hash, tail.state_hash, tail.equity) == (whole.decision_hash, whole.state_hash, whole.equity)


def test_a_state_with_no_input_behind_it_has_its_equity(recorded: Record) -> None:
    driver = Driver(lambda core: (), None, inputs())
    assert len(list(driver.steps())) == 30
    found = replay(lambda core: (), driver.engine.snapshot(), [], [])
    assert (found.inputs, found.equity, found.difference) == (0, parse("10000"), None)
    assert replay(lambda core: (), None, [], []).equity == 0


CHANGES: dict[str, Callable[[Record, int], Record]] = {
    "changed": lambda record, n: [*record[:n], (record[n][0], OTHER), *record[n + 1 :]],
    "missing": lambda record, n: [*record[:n], *record[n + 1 :]],
    "added": lambda record, n: [*record[: n + 1], (record[n][0], OTHER), *record[n + 1 :]],
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_first_difference_is_named_with_its_input_and_what_went_before(recorded: Record, change: str) -> None:
    n = next(n for n, (seq, _) in enumerate(recorded) if seq > 5)
    seq = recorded[n][0]
    altered = CHANGES[change](recorded, n)
    found = replay(lambda core: (), None, inputs(), altered).difference
    assert found is not None and (found.seq, found.event) == inputs()[seq - 1]
    assert found.recorded == tuple(fact for at, fact in altered if at == seq)
    assert found.replayed == tuple(fact for at, fact in recorded if at == seq)
    assert found.recorded[: found.index] == found.replayed[: found.index]
    assert found.recorded[found.index : found.index + 1] != found.replayed[found.index : found.index + 1]
    assert found.before == tuple(recorded[:n][-3:])


def test_what_is_recorded_for_an_input_that_is_not_there_is_a_difference(recorded: Record) -> None:
    for seq in (31, 99):
        found = replay(lambda core: (), None, inputs(), [*recorded, (seq, OTHER)]).difference
        assert found is not None and (found.seq, found.event, found.recorded) == (seq, None, (OTHER,))
    last = recorded[-1][0]
    gone = [(seq, event) for seq, event in inputs() if seq != last]
    found = replay(lambda core: (), None, gone, recorded).difference
    assert found is not None and found.seq == last and found.event is None
