"""What the core tells an operator of: each with its kind, and nothing at a mere start."""

import pytest

from engine.core.config import SECOND
from engine.core.events import Act, FeedChanged, FeedHealth, PhaseEntered, RunStarted, SessionPhase
from engine.core.facts import Alert
from engine.core.words import AlertKind, BlockReason, BreakerName
from tests.core.breaker_rig import PATHS
from tests.rig import Rig


def told(rig: Rig) -> list[tuple[AlertKind, str]]:
    return [(alert.kind, alert.text) for alert in rig.of(Alert)]


def test_a_start_alone_alerts_nothing() -> None:
    assert told(Rig()) == told(Rig(paper=False)) == []


def test_a_pause_and_its_end_are_alerted_with_who_did_it() -> None:
    rig = Rig()
    rig.command(Act.PAUSE)
    rig.command(Act.PAUSE)
    rig.command(Act.RESUME)
    assert told(rig) == [(AlertKind.PAUSED, "paused by tester"), (AlertKind.RESUMED, "resumed by tester")]
    rig.command(Act.FLATTEN)
    assert told(rig)[2:] == [(AlertKind.PAUSED, "flattened by tester")]


def test_stale_data_is_alerted_when_it_stops_entries_and_when_it_is_over() -> None:
    rig = Rig()
    rig.send(FeedChanged("", rig.now_ns, FeedHealth.STALE, 15 * SECOND))
    rig.send(FeedChanged("", rig.now_ns, FeedHealth.LIVE, 0))
    kinds = [kind for kind, _ in told(rig)]
    assert kinds == [AlertKind.STALE_DATA, AlertKind.FRESH_DATA]


def test_a_new_run_does_not_say_that_what_the_last_one_lacked_is_back() -> None:
    rig = Rig()
    rig.send(FeedChanged("", rig.now_ns, FeedHealth.STALE, 15 * SECOND))
    rig.send(PhaseEntered(rig.now_ns, SessionPhase.RUNNING, SessionPhase.SHUTTING_DOWN, "SIGTERM"))
    rig.send(PhaseEntered(rig.now_ns, SessionPhase.SHUTTING_DOWN, SessionPhase.COMPLETED, "SIGTERM"))
    rig.send(RunStarted(rig.now_ns, "run2", rig.config))
    assert [kind for kind, _ in told(rig)] == [AlertKind.STALE_DATA]


def test_a_kill_and_its_clearing_are_alerted() -> None:
    rig = Rig()
    rig.command(Act.KILL, "enough")
    rig.command(Act.REARM, "all is well")
    assert told(rig) == [
        (AlertKind.KILL, "kill switch by cli (tester): enough"),
        (AlertKind.REARMED, "by cli (tester): all is well"),
    ]


@pytest.mark.parametrize("reason", [BlockReason.RESTORED, BlockReason.OUTAGE, BlockReason.CRASH_LOOP])
def test_what_waits_for_an_operator_from_the_start_is_alerted(reason: BlockReason) -> None:
    rig = Rig()
    rig.command(Act.BLOCK, "look at this", reason.value)
    rig.command(Act.RESUME)
    assert told(rig) == [(AlertKind(reason.value), "look at this"), (AlertKind.RESUMED, "resumed by tester")]


@pytest.mark.parametrize("path", PATHS)
def test_a_breaker_alerts_its_trip_and_its_release(path: str) -> None:
    name, make, inside, over = PATHS[path]
    rig = make()
    inside(rig)
    over(rig)
    rig.command(Act.RESET_BREAKER, "explained", name.value)
    kinds = [kind for kind, _ in told(rig) if kind in (AlertKind.BREAKER, AlertKind.ERROR_LIMIT)]
    is_error = name in (BreakerName.ERRORS, BreakerName.ERROR_RATE)
    assert kinds == [AlertKind.ERROR_LIMIT if is_error else AlertKind.BREAKER]
    assert told(rig)[-1][0] is AlertKind.BREAKER_RELEASED


def test_an_alert_carries_the_time_of_what_it_is_about() -> None:
    rig = Rig()
    rig.command(Act.PAUSE)
    (alert,) = rig.of(Alert)
    assert alert.at_ns == rig.now_ns
