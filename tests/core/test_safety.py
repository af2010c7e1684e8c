"""Kill, pause, breakers: stopping always works, lasts as long as it should, and says what lifts it."""

import pytest

from engine.core.config import SECOND
from engine.core.engine import Engine
from engine.core.events import Act, FeedChanged, FeedHealth, RunStarted
from engine.core.facts import (
    Alert,
    BlockChanged,
    KillChanged,
    OperatorActed,
    OrderChanged,
    SignalEnded,
    StopSession,
    TradeClosed,
)
from engine.core.safety import LIFTS
from engine.core.state import Block
from engine.core.words import AlertKind, BlockReason, ExitReason, OrderState, Purpose, ReasonCode
from tests.rig import Rig, Scripted

DAY_NS = 86_400 * SECOND


def last_code(rig: Rig) -> ReasonCode:
    return rig.of(SignalEnded)[-1].reason_code  # type: ignore[no-any-return]


def lose(rig: Rig, drop: str = "98") -> None:
    """Enter, be stopped out, come back."""
    rig.enter()
    rig.quote(drop, f"{float(drop) + 0.1:.1f}")
    rig.quote("100", "100.1")
    rig.quote("100", "100.1")


def test_kill_cancels_what_works_closes_what_is_open_and_ends_the_session() -> None:
    rig = Rig(("BTCUSDT", "ETHUSDT"))
    rig.enter()
    rig.propose(entry="99.5", symbol="ETHUSDT")
    rig.command(Act.KILL, "enough")
    rig.quote("100", "100.1")
    rig.quote("100", "100.1", symbol="ETHUSDT")
    assert not rig.engine.state.orders
    assert not rig.engine.state.positions
    assert [t.exit_reason for t in rig.of(TradeClosed)] == [ExitReason.KILL]
    assert [(s.reason, s.exit_code) for s in rig.of(StopSession)] == [("kill_switch", 0)]
    killed_at = rig.facts.index(rig.of(KillChanged)[0])
    after = [f for f in rig.facts[killed_at:] if isinstance(f, OrderChanged) and f.previous is OrderState.NEW]
    assert after
    assert all(order.reduce_only and order.purpose is not Purpose.ENTRY for order in after)


def test_kill_may_keep_positions() -> None:
    rig = Rig(kill_closes=False)
    rig.enter()
    rig.command(Act.KILL)
    rig.quote("100", "100.1")
    assert rig.engine.state.positions


def test_a_killed_desk_refuses_entries_also_after_a_restart_until_it_is_rearmed() -> None:
    rig = Rig()
    rig.command(Act.KILL)
    rig.propose()
    assert last_code(rig) is ReasonCode.KILLED
    rig.engine = Engine(lambda _: (Scripted(),), rig.engine.snapshot())
    rig.send(RunStarted(rig.now_ns, "run2", rig.config, killed=True))
    assert rig.engine.state.killed
    assert BlockReason.KILL in rig.engine.state.blocks
    rig.command(Act.REARM)
    assert rig.engine.state.killed, "a rearm without a reason is refused"
    rig.command(Act.REARM, "checked by hand")
    assert not rig.engine.state.killed


def test_a_latch_cleared_while_the_desk_was_stopped_is_cleared_on_record_at_its_next_start() -> None:
    rig = Rig()
    rig.command(Act.KILL)
    rig.send(RunStarted(rig.now_ns, "run2", rig.config))
    assert not rig.engine.state.killed
    assert [k.latched for k in rig.of(KillChanged)] == [True, False]


def test_pressing_kill_again_is_recorded_and_changes_nothing() -> None:
    """FO-01."""
    rig = Rig()
    rig.command(Act.KILL)
    rig.command(Act.KILL)
    assert len(rig.of(KillChanged)) == 1
    assert len(rig.of(OperatorActed)) == 2


def test_a_start_under_the_kill_file_is_killed_from_its_first_moment() -> None:
    rig = Rig()
    rig.send(RunStarted(rig.now_ns, "run2", rig.config, killed=True))
    assert rig.engine.state.killed


def test_pause_keeps_entries_out_but_lets_stops_work() -> None:
    rig = Rig(("BTCUSDT", "ETHUSDT"))
    rig.enter()
    rig.command(Act.PAUSE)
    rig.propose(symbol="ETHUSDT")
    assert last_code(rig) is ReasonCode.PAUSED
    rig.quote("98", "98.1")
    rig.quote("98", "98.1")
    assert [t.exit_reason for t in rig.of(TradeClosed)] == [ExitReason.SL]
    rig.command(Act.RESUME)
    rig.propose(symbol="ETHUSDT")
    assert rig.engine.state.live_signals


def test_whatever_blocks_entries_takes_back_the_working_ones() -> None:
    for act, subject in ((Act.PAUSE, ""), (Act.BLOCK, "journal"), (Act.BLOCK, "stale_data")):
        rig = Rig()
        rig.propose(entry="99.5")
        rig.command(act, "why", subject)
        rig.quote("100", "100.1")
        assert not rig.engine.state.orders
        assert last_code(rig) is ReasonCode.CANCELLED_UNFILLED


def test_resume_removes_only_the_operators_reason_and_says_what_is_left() -> None:
    """FO-05."""
    rig = Rig()
    rig.command(Act.BLOCK, "books differ", "reconciliation")
    rig.command(Act.PAUSE)
    rig.command(Act.RESUME)
    acted = rig.of(OperatorActed)[-1]
    assert acted.accepted
    assert acted.text.startswith("pause lifted, but entries stay blocked by reconciliation")
    assert list(rig.engine.state.blocks) == ["reconciliation"]
    rig.command(Act.RESUME)
    acted = rig.of(OperatorActed)[-1]
    assert not acted.accepted
    assert acted.text.startswith("entries stay blocked by reconciliation")


def test_flatten_closes_everything_and_pauses() -> None:
    rig = Rig(("BTCUSDT", "ETHUSDT"))
    rig.enter()
    rig.enter(symbol="ETHUSDT")
    rig.command(Act.FLATTEN)
    rig.quote("100", "100.1")
    rig.quote("100", "100.1", symbol="ETHUSDT")
    assert [t.exit_reason for t in rig.of(TradeClosed)] == [ExitReason.FORCE_CLOSE] * 2
    assert list(rig.engine.state.blocks) == ["operator"]


def test_stale_data_blocks_entries_until_it_is_fresh_and_one_stale_symbol_does_not() -> None:
    rig = Rig(("BTCUSDT", "ETHUSDT"))
    rig.send(FeedChanged("ETHUSDT", rig.now_ns, FeedHealth.STALE, 15 * SECOND))
    assert not rig.engine.state.blocks
    rig.send(FeedChanged("", rig.now_ns, FeedHealth.STALE, 15 * SECOND))
    assert list(rig.engine.state.blocks) == ["stale_data"]
    rig.send(FeedChanged("", rig.now_ns, FeedHealth.LIVE, 0))
    assert not rig.engine.state.blocks
    assert [b.active for b in rig.of(BlockChanged) if b.reason is BlockReason.STALE_DATA] == [True, False]


def test_every_act_is_on_record_with_who_by_which_way_and_what_it_changed() -> None:
    rig = Rig()
    rig.command(Act.PAUSE, "lunch")
    (acted,) = rig.of(OperatorActed)
    assert (acted.act, acted.source, acted.actor, acted.before, acted.after) == (
        "pause",
        "cli",
        "tester",
        "trading",
        "operator",
    )
    assert "lunch" in acted.text


# --- what is put on record, and who is told ---


def of_kind(rig: Rig, reason: BlockReason) -> list[BlockChanged]:
    return [change for change in rig.of(BlockChanged) if change.reason is reason]


@pytest.mark.parametrize(("why", "text"), [("enough", "enough"), ("", "kill switch")])
def test_a_kill_and_its_rearm_are_told_with_who_by_which_way_and_why(why: str, text: str) -> None:
    rig = Rig()
    rig.command(Act.KILL, why)
    killed_ns = rig.now_ns
    assert rig.of(KillChanged) == [KillChanged(killed_ns, True, "cli", "tester", why)]
    assert of_kind(rig, BlockReason.KILL) == [
        BlockChanged(killed_ns, BlockReason.KILL, True, text, "nightdesk rearm", "tester")
    ]
    assert [(alert.kind, alert.text) for alert in rig.of(Alert)] == [
        (AlertKind.KILL, f"kill switch by cli (tester): {why}")
    ]
    assert rig.engine.state.blocks[BlockReason.KILL] == Block(text, "nightdesk rearm", killed_ns)
    rig.command(Act.REARM, "checked by hand")
    assert rig.engine.state.killed is False
    assert rig.of(KillChanged)[1:] == [KillChanged(rig.now_ns, False, "cli", "tester", "checked by hand")]
    assert of_kind(rig, BlockReason.KILL)[1:] == [
        BlockChanged(rig.now_ns, BlockReason.KILL, False, "checked by hand", "", "tester")
    ]
    assert not rig.engine.state.blocks


def test_the_receipt_says_whether_the_latch_was_there_before() -> None:
    rig = Rig()
    for act, reason in ((Act.REARM, "why"), (Act.KILL, ""), (Act.KILL, ""), (Act.REARM, "why")):
        rig.command(act, reason)
    assert [(acted.accepted, acted.text) for acted in rig.of(OperatorActed)] == [
        (False, "the kill switch is not latched (why)"),
        (True, "killed: 0 orders being cancelled, 0 positions being closed"),
        (True, "already killed: 0 orders being cancelled, 0 positions being closed"),
        (True, "kill latch cleared; entries are open (why)"),
    ]


def test_a_block_and_its_end_are_told_with_what_lifts_it() -> None:
    rig = Rig()
    rig.command(Act.PAUSE)
    paused_ns = rig.now_ns
    rig.command(Act.PAUSE)
    rig.command(Act.RESUME)
    assert of_kind(rig, BlockReason.OPERATOR) == [
        BlockChanged(paused_ns, BlockReason.OPERATOR, True, "paused by tester", "resume (r)", "tester"),
        BlockChanged(rig.now_ns, BlockReason.OPERATOR, False, "resumed by tester", "", "tester"),
    ]
    assert rig.of(OperatorActed)[-1].accepted


def test_a_block_the_desk_makes_itself_has_no_actor_and_no_time_unless_one_is_known() -> None:
    rig = Rig()
    safety = rig.engine.safety
    safety.block(BlockReason.STALE_DATA, "no fresh market data")
    safety.block(BlockReason.MARKET_CLOSED, "closed", lifts="its opening at noon", release_ns=rig.now_ns + SECOND)
    safety.unblock(BlockReason.STALE_DATA, "market data is fresh again")
    assert rig.engine.desk.out == [
        BlockChanged(rig.now_ns, BlockReason.STALE_DATA, True, "no fresh market data", "fresh data", ""),
        Alert(rig.now_ns, AlertKind.STALE_DATA, "no fresh market data"),
        BlockChanged(rig.now_ns, BlockReason.MARKET_CLOSED, True, "closed", "its opening at noon", ""),
        BlockChanged(rig.now_ns, BlockReason.STALE_DATA, False, "market data is fresh again", "", ""),
        Alert(rig.now_ns, AlertKind.FRESH_DATA, "market data is fresh again"),
    ]
    assert rig.engine.state.blocks == {
        BlockReason.MARKET_CLOSED: Block("closed", "its opening at noon", rig.now_ns, rig.now_ns + SECOND)
    }
    assert safety.standing() == (("market_closed",), "closed (lifted by its opening at noon)")
    assert not safety.unblock(BlockReason.STALE_DATA, "once more")


@pytest.mark.parametrize("reason", BlockReason)
def test_every_block_stands_with_what_lifts_it_until_it_is_lifted(reason: BlockReason) -> None:
    rig = Rig()
    rig.engine.safety.block(reason, "why")
    assert rig.engine.state.blocks == {reason: Block("why", LIFTS[reason], rig.now_ns, 0)}
    assert rig.engine.safety.unblock(reason, "over")
    assert rig.engine.state.blocks == {}


def test_a_refused_entry_names_every_block_and_what_lifts_it() -> None:
    rig = Rig()
    rig.command(Act.PAUSE)
    rig.command(Act.BLOCK, "disk full", BlockReason.JOURNAL.value)
    rig.propose()
    (ended,) = rig.of(SignalEnded)
    assert ended.reason_code is ReasonCode.PAUSED
    assert ended.text == "paused by tester (lifted by resume (r)); disk full (lifted by a writable journal)"


def test_an_entry_that_was_taken_back_says_which_block_did_it() -> None:
    rig = Rig()
    rig.propose(entry="99.5")
    rig.command(Act.BLOCK, "disk full", BlockReason.JOURNAL.value)
    rig.quote("100", "100.1")
    (ended,) = rig.of(SignalEnded)
    assert (ended.reason_code, ended.text) == (ReasonCode.CANCELLED_UNFILLED, "disk full")
