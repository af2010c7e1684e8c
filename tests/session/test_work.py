"""Work: who is late, and that one look after a pause of the whole process condemns nobody."""

from engine.core.config import SECOND
from engine.session.work import DUTIES, WorkLog
from tests.session.standing import StandingClock


def make() -> tuple[WorkLog, StandingClock]:
    clock = StandingClock()
    work = WorkLog(clock)
    work.begin()
    return work, clock


def test_every_turning_task_owes_its_work_from_the_start() -> None:
    work, clock = make()
    clock.mono += 7 * SECOND
    assert [(one.name, one.age_ns) for one in work.works()] == [(duty.task, 7 * SECOND) for duty in DUTIES]
    assert work.stalled() == []


def test_a_task_is_stalled_just_beyond_its_limit_at_the_second_look() -> None:
    work, clock = make()
    first = DUTIES[0]
    clock.mono += first.limit_ns
    for duty in DUTIES[1:]:
        work.did(duty.task)
    assert (work.stalled(), work.stalled()) == ([], [])
    clock.mono += 1
    for duty in DUTIES[1:]:
        work.did(duty.task)
    assert work.stalled() == []
    assert [one.name for one in work.stalled()] == [first.task]


def test_after_a_pause_of_the_process_everyone_has_a_turn_first() -> None:
    work, clock = make()
    clock.mono += 10**6 * SECOND
    assert work.stalled() == []
    for duty in DUTIES:
        work.did(duty.task)
    assert work.stalled() == []


def test_the_oldest_call_counts_until_it_has_its_answer() -> None:
    work, clock = make()
    assert work.waits_ns() == 0
    with work.call():
        clock.mono += 2 * SECOND
        with work.call():
            clock.mono += SECOND
            assert work.waits_ns() == 3 * SECOND
        assert work.waits_ns() == 3 * SECOND
    assert work.waits_ns() == 0
