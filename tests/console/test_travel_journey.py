"""A run travelled through: every way to a moment shows the same desk, and another story than the record's is told."""

from typing import Any

import pytest

from console.travel.journey import NEVER, STATES_MAX, Journey
from engine.core.facts import AnyFact, ErrorCounted
from engine.core.times import SECOND
from engine.strategies import make_all
from tests.console.recorded import PlainRun, events

OTHER = ErrorCounted(1, "here", "else", "f")


@pytest.fixture(scope="module")
def run() -> PlainRun:
    return PlainRun(events(), states_every=400)


def to(journey: Journey, seq: int) -> Journey:
    journey.approach(seq)
    assert journey.drive(seq, NEVER, 10**6)
    return journey


def as_shown(journey: Journey) -> Any:
    return journey.seq, journey.engine.state_hash(), tuple(journey.notes), journey.facts, journey.differs


def test_a_run_driven_to_its_end_is_the_desk_that_was(run: PlainRun) -> None:
    journey = to(Journey(run, make_all), run.last)
    assert journey.engine.state_hash() == run.end.state_hash()
    assert (journey.seq, journey.differs) == (run.last, 0)
    assert journey.at_ns == run.last_ns


@pytest.mark.parametrize("seq", [1, 2, 124, 200, 399, 400, 401, 748, 1334])
def test_every_way_to_an_input_shows_the_same_desk(run: PlainRun, seq: int) -> None:
    without_states = PlainRun(events())
    ahead = as_shown(to(Journey(without_states, make_all, spacing=10**6), seq))
    assert as_shown(to(Journey(run, make_all), seq)) == ahead, "from a state in the journal"
    there_and_back = Journey(without_states, make_all, spacing=100)
    to(there_and_back, run.last)
    assert as_shown(to(there_and_back, seq)) == ahead, "from a state kept on the way"
    assert as_shown(to(there_and_back, seq)) == ahead, "by staying"


def test_going_a_step_back_drives_no_more_than_the_way_from_the_last_state() -> None:
    run = PlainRun(events())
    journey = to(Journey(run, make_all, spacing=100), 1_000)
    journey.approach(999)
    assert journey.seq == 900


def test_nothing_is_driven_past_a_time(run: PlainRun) -> None:
    journey = to(Journey(run, make_all), 130)
    at_ns = journey.at_ns + 10 * SECOND
    assert journey.drive(run.last, at_ns, 10**6)
    assert journey.at_ns == at_ns
    assert run.told[journey.seq].at_ns > at_ns


def test_a_turn_is_bounded(run: PlainRun) -> None:
    journey = to(Journey(run, make_all), 130)
    assert not journey.drive(run.last, NEVER, 50)
    assert journey.seq == 180


@pytest.mark.parametrize("change", ["changed", "missing", "added"])
def test_another_decision_than_the_recorded_one_is_noticed_where_it_is(change: str) -> None:
    run = PlainRun(events())
    at = next(n for n, (seq, _) in enumerate(run.recorded) if seq > 300)
    seq, fact = run.recorded[at]
    other: dict[str, list[tuple[int, AnyFact]]] = {
        "changed": [(seq, OTHER)],
        "missing": [],
        "added": [(seq, OTHER), (seq, fact)],
    }
    run.recorded[at : at + 1] = other[change]
    journey = to(Journey(run, make_all, spacing=100), run.last)
    assert journey.differs == seq
    assert to(journey, seq - 1).differs == 0
    assert to(journey, seq + 150).differs == seq


def test_a_record_of_something_that_is_not_decided_is_noticed_too() -> None:
    run = PlainRun(events())
    quiet = next(seq for seq in range(2, run.last) if seq not in {cause for cause, _ in run.recorded})
    run.recorded = sorted([*run.recorded, (quiet, OTHER)], key=lambda one: one[0])
    assert to(Journey(run, make_all), run.last).differs == quiet


def test_the_states_that_are_kept_are_bounded() -> None:
    run = PlainRun(events())
    journey = to(Journey(run, make_all, spacing=1), run.last)
    assert STATES_MAX // 2 <= len(journey._states) <= STATES_MAX
    journey.approach(run.last - 20)
    assert run.last - 60 < journey.seq < run.last - 20
