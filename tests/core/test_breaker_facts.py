"""What is put on record when a breaker trips and when it lets go, and who is told."""

import msgspec
import pytest

from engine.core.config import HOUR, MINUTE, SECOND, Limits
from engine.core.events import Act, FeedChanged, FeedHealth
from engine.core.facts import Alert, BlockChanged, BreakerChanged, OperatorActed
from engine.core.state import Block, Breaker
from engine.core.words import AlertKind, BlockReason, BreakerAction, BreakerName, ReasonCode
from tests.core.breaker_rig import equity_to, errors, last, outages, pass_time, restarted, trades, tripped
from tests.rig import START_NS, Rig, d

B = BreakerName
A = BreakerAction
NEXT_DAY_NS = START_NS + 24 * HOUR
NEXT_DAY = "the next trading day, or reset-breaker"


def of_blocks(rig: Rig) -> list[BlockChanged]:
    return [change for change in rig.of(BlockChanged) if change.reason is BlockReason.BREAKER]


def test_a_trip_is_told_with_its_value_its_limit_what_it_does_and_what_lifts_it() -> None:
    rig = Rig()
    errors(rig, 10)
    at_ns = rig.now_ns
    said = "errors in 1 h: 10 >= 10"
    assert rig.of(BreakerChanged) == [
        BreakerChanged(at_ns, B.ERROR_RATE, True, d(10), d(10), "10 >= 10", A.HALT_DAY.value)
    ]
    assert of_blocks(rig) == [BlockChanged(at_ns, BlockReason.BREAKER, True, said, NEXT_DAY, "")]
    assert [(alert.kind, alert.text) for alert in rig.of(Alert)] == [(AlertKind.ERROR_LIMIT, said)]
    assert rig.engine.state.breakers == {
        B.ERROR_RATE: Breaker(
            tripped=True,
            since_ns=at_ns,
            release_ns=NEXT_DAY_NS,
            text="10 >= 10",
            value=d(10),
            limit=d(10),
            action=A.HALT_DAY,
        )
    }
    assert rig.engine.state.blocks[BlockReason.BREAKER] == Block(said, NEXT_DAY, at_ns)
    assert rig.engine.desk.has_failed is False, "the errors were looked at"


def test_two_trips_are_told_apart_and_named_together() -> None:
    rig = Rig()
    equity_to(rig, "9950")
    first_ns = rig.now_ns
    rig.now_ns += SECOND
    errors(rig, 20)
    assert tripped(rig) == [B.DAILY_LOSS, B.ERRORS, B.ERROR_RATE]
    assert [(change.name, change.value, change.limit) for change in rig.of(BreakerChanged)] == [
        (B.DAILY_LOSS, d(50), d(50)),
        (B.ERROR_RATE, d(10), d(10)),
        (B.ERRORS, d(20), d(20)),
    ]
    assert len(of_blocks(rig)) == 1, "the block stood already"
    assert rig.engine.state.blocks[BlockReason.BREAKER] == Block(
        "daily loss: 50.00 >= 50.00; errors: 20 >= 20; errors in 1 h: 10 >= 10",
        f"{NEXT_DAY}; reset-breaker with a reason",
        first_ns,
    )
    assert rig.engine.breakers.refusal() == (
        ReasonCode.DAILY_LOSS,
        "daily loss breaker tripped: 50.00 >= 50.00; errors breaker tripped: 20 >= 20; "
        "errors in 1 h breaker tripped: 10 >= 10",
    )


def test_a_quiet_desk_refuses_nothing() -> None:
    breakers = Rig().engine.breakers
    assert breakers.refusal() == (None, "")
    assert breakers.check_breakers() == {}
    assert breakers.next_due_ns() == 0


def test_a_breaker_that_stands_does_not_hide_the_next_one() -> None:
    rig = Rig(limits=Limits(errors_max=3))
    errors(rig, 3)
    assert tripped(rig) == [B.ERRORS]
    errors(rig, 7)
    assert tripped(rig) == [B.ERRORS, B.ERROR_RATE]


# --- releases ---


def test_a_reset_is_told_with_its_reason_and_lifts_the_block() -> None:
    rig = Rig()
    errors(rig, 10)
    rig.command(Act.RESET_BREAKER, "looked into it")
    at_ns = rig.now_ns
    assert rig.of(BreakerChanged)[1:] == [BreakerChanged(at_ns, B.ERROR_RATE, False, 0, 0, "looked into it", "")]
    assert of_blocks(rig)[1:] == [BlockChanged(at_ns, BlockReason.BREAKER, False, "looked into it", "", "")]
    assert rig.engine.state.breakers == {}
    acted = rig.of(OperatorActed)[-1]
    assert (acted.accepted, acted.text) == (True, "reset error_rate (looked into it)")
    rig.command(Act.RESET_BREAKER, "once more")
    acted = rig.of(OperatorActed)[-1]
    assert (acted.accepted, acted.text) == (False, "no such breaker is tripped (once more)")
    assert len(rig.of(BreakerChanged)) == 2


def test_a_release_by_time_says_so() -> None:
    rig = Rig()
    errors(rig, 10)
    assert rig.engine.breakers.next_due_ns() == NEXT_DAY_NS
    pass_time(rig, NEXT_DAY_NS - rig.now_ns)
    said = "its time of release has come"
    assert rig.of(BreakerChanged)[1:] == [BreakerChanged(NEXT_DAY_NS, B.ERROR_RATE, False, 0, 0, said, "")]
    assert of_blocks(rig)[1:] == [BlockChanged(NEXT_DAY_NS, BlockReason.BREAKER, False, said, "", "")]


def test_an_outage_that_tripped_waits_for_its_release_and_not_for_its_limit() -> None:
    rig = Rig(breaker_action=A.COOLDOWN, auto_reset=True)
    rig.send(FeedChanged("", rig.now_ns, FeedHealth.DOWN, 0, "gone"))
    pass_time(rig, 10 * MINUTE)
    assert tripped(rig) == [B.FEED_HEALTH]
    assert rig.engine.breakers.next_due_ns() == rig.now_ns + HOUR


def test_a_reset_during_an_outage_gives_it_its_whole_time_again() -> None:
    rig = Rig()
    rig.send(FeedChanged("", rig.now_ns, FeedHealth.DOWN, 0, "gone"))
    pass_time(rig, 10 * MINUTE)
    rig.command(Act.RESET_BREAKER, "the line is being repaired")
    assert not tripped(rig)
    assert rig.engine.breakers.next_due_ns() == rig.now_ns + 10 * MINUTE
    pass_time(rig, 10 * MINUTE - 1)
    assert not tripped(rig)
    pass_time(rig, 1)
    assert tripped(rig) == [B.FEED_HEALTH]


def test_a_reset_after_outages_leaves_no_outage_behind() -> None:
    rig = Rig()
    outages(rig, 5)
    rig.command(Act.RESET_BREAKER, "the line was repaired")
    assert rig.engine.state.recent.outage_since_ns == 0
    assert rig.engine.breakers.next_due_ns() == 0


# --- what it does, also under another configuration ---


@pytest.mark.parametrize(
    ("then", "now", "auto_reset", "lifts"),
    [
        (A.COOLDOWN, A.HALT_DAY, False, "reset-breaker, after its cooldown"),
        (A.COOLDOWN, A.HALT_DAY, True, "the end of its cooldown, or reset-breaker"),
        (A.HALT_DAY, A.COOLDOWN, True, NEXT_DAY),
    ],
)
def test_a_tripped_breaker_does_what_it_did_when_it_tripped(then: A, now: A, auto_reset: bool, lifts: str) -> None:
    rig = Rig(limits=Limits(consecutive_losses_max=1), breaker_action=then)
    trades(rig, "L")
    rig.config = msgspec.structs.replace(rig.config, breaker_action=now, auto_reset=auto_reset)
    rig.now_ns += SECOND
    restarted(rig)
    breakers = rig.engine.breakers
    assert breakers.action(B.CONSECUTIVE_LOSSES) is then
    assert breakers.lifts(B.CONSECUTIVE_LOSSES) == lifts
    assert breakers.action(B.ERROR_RATE) is now, "of one that has not tripped"
    rig.propose()
    assert last(rig).reason_code is (ReasonCode.COOLDOWN if then is A.COOLDOWN else ReasonCode.BREAKER)


def test_a_breaker_of_which_no_action_is_known_does_what_is_configured() -> None:
    rig = Rig()
    rig.engine.state.breakers[B.CONSECUTIVE_LOSSES] = Breaker(tripped=True, text="5 >= 5")
    assert rig.engine.breakers.action(B.CONSECUTIVE_LOSSES) is A.HALT_DAY
