"""Kill, pause, breakers: stopping always works, lasts as long as it should, and says what lifts it."""

import pytest

from engine.core.config import SECOND, Limits, Sizing
from engine.core.engine import Engine
from engine.core.events import Act, ErrorNoted, FeedChanged, FeedHealth, RunStarted, Wake
from engine.core.facts import (
    Alert,
    BlockChanged,
    BreakerChanged,
    KillChanged,
    OperatorActed,
    OrderChanged,
    SignalEnded,
    StopSession,
    TradeClosed,
)
from engine.core.words import BlockReason, BreakerName, ExitReason, OrderState, Purpose, ReasonCode
from tests.rig import SYMBOL, Rig, Scripted, d

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
    rig = Rig()
    rig.command(Act.BLOCK, "books differ", "reconciliation")
    rig.command(Act.PAUSE)
    rig.command(Act.RESUME)
    acted = rig.of(OperatorActed)[-1]
    assert not acted.accepted
    assert "reconciliation" in acted.text
    assert list(rig.engine.state.blocks) == ["reconciliation"]


def test_flatten_closes_everything_and_pauses() -> None:
    rig = Rig(("BTCUSDT", "ETHUSDT"))
    rig.enter()
    rig.enter(symbol="ETHUSDT")
    rig.command(Act.FLATTEN)
    rig.quote("100", "100.1")
    rig.quote("100", "100.1", symbol="ETHUSDT")
    assert [t.exit_reason for t in rig.of(TradeClosed)] == [ExitReason.FORCE_CLOSE] * 2
    assert list(rig.engine.state.blocks) == ["operator"]


def test_five_losses_in_a_row_trip_and_a_win_resets_the_count() -> None:
    rig = Rig(sizing=Sizing(risk_per_trade=d(1), notional_max=d(400)))
    for _ in range(4):
        lose(rig)
    assert rig.engine.state.losses_in_row == 4
    rig.enter(target="102")
    rig.quote("102.1", "102.2")
    rig.quote("102.1", "102.2")
    assert rig.engine.state.losses_in_row == 0


def test_a_tripped_breaker_halts_the_day_and_is_released_with_the_next() -> None:
    rig = Rig(limits=Limits(consecutive_losses_max=2))
    lose(rig)
    lose(rig)
    (tripped,) = rig.of(BreakerChanged)
    assert (tripped.name, tripped.text, tripped.action) == (BreakerName.CONSECUTIVE_LOSSES, "2 >= 2", "halt_day")
    assert [a.title for a in rig.of(Alert)] == ["CIRCUIT BREAKER TRIPPED"]
    rig.propose()
    assert last_code(rig) is ReasonCode.BREAKER
    rig.now_ns += DAY_NS
    rig.send(Wake(rig.now_ns))
    assert not rig.engine.state.blocks
    assert rig.engine.state.losses_in_row == 0


def test_under_the_shutdown_policy_a_trip_ends_the_session_with_exit_code_one() -> None:
    rig = Rig(limits=Limits(consecutive_losses_max=1), breaker_action="shutdown")
    lose(rig)
    assert [(s.reason, s.exit_code) for s in rig.of(StopSession)] == [("circuit_breaker", 1)]


def test_under_the_cooldown_policy_entries_resume_after_an_hour() -> None:
    rig = Rig(limits=Limits(consecutive_losses_max=1), breaker_action="cooldown")
    lose(rig)
    rig.now_ns += 59 * 60 * SECOND
    rig.send(Wake(rig.now_ns))
    assert rig.engine.state.blocks
    rig.now_ns += 2 * 60 * SECOND
    rig.send(Wake(rig.now_ns))
    assert not rig.engine.state.blocks


def test_the_daily_loss_counts_open_positions_and_trips_at_its_limit() -> None:
    rig = Rig(limits=Limits(daily_loss_max=d(5)))
    rig.enter()
    held = rig.engine.state.positions[SYMBOL].qty
    rig.quote("99.6", "99.7")
    assert rig.engine.state.breakers[BreakerName.DAILY_LOSS].tripped, f"{held} units down half a unit each"
    rig.propose()
    assert last_code(rig) is ReasonCode.DAILY_LOSS
    assert BlockReason.BREAKER in rig.engine.state.blocks


def test_a_breaker_stays_tripped_over_a_restart() -> None:
    rig = Rig(limits=Limits(consecutive_losses_max=1))
    lose(rig)
    rig.engine = Engine(lambda _: (Scripted(),), rig.engine.snapshot())
    rig.send(RunStarted(rig.now_ns, "run2", rig.config))
    assert rig.engine.state.breakers[BreakerName.CONSECUTIVE_LOSSES].tripped
    assert BlockReason.BREAKER in rig.engine.state.blocks


def test_an_operator_resets_a_breaker_with_a_reason_only() -> None:
    rig = Rig(limits=Limits(consecutive_losses_max=1))
    lose(rig)
    rig.command(Act.RESET_BREAKER)
    assert rig.engine.state.blocks
    rig.command(Act.RESET_BREAKER, "looked into it")
    assert not rig.engine.state.blocks


@pytest.mark.parametrize("errors", [19, 20])
def test_the_twentieth_error_ends_the_session(errors: int) -> None:
    rig = Rig()
    for n in range(errors):
        rig.send(ErrorNoted(rig.now_ns, "test", f"error {n}"))
    assert bool(rig.of(StopSession)) is (errors == 20)


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
