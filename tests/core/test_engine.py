"""The core as a whole: a signal's way to a trade, verdicts, exits, restarts, and figures that add up."""

import itertools

import pytest

from engine.core.config import MINUTE, SECOND
from engine.core.engine import Engine
from engine.core.events import (
    Act,
    Bar,
    DataRejected,
    ErrorNoted,
    FeedChanged,
    FeedHealth,
    Fill,
    FundingRate,
    OrderAccepted,
    OrderCanceled,
    OutcomeUnknown,
    PhaseEntered,
    Quote,
    Role,
    RunStarted,
    SessionPhase,
    Wake,
)
from engine.core.facts import (
    BlockChanged,
    Cancel,
    DayRolled,
    EquityMarked,
    FeedNoted,
    FillBooked,
    FundingPaid,
    KillChanged,
    OrderChanged,
    Query,
    SignalEnded,
    SignalRaised,
    Submit,
    TradeClosed,
    WakeAt,
)
from engine.core.orders import ENDED
from engine.core.state import CAUSES_MAX, FINGERPRINTS_MAX, ErrorKind, Refused
from engine.core.strategy import ExitWish
from engine.core.words import BlockReason, ExitReason, OrderState, Purpose, ReasonCode, Side, TerminalState
from tests.rig import START_NS, SYMBOL, Rig, Scripted, d


def check_books(rig: Rig) -> None:
    """What must hold at any time, whatever happened."""
    state, desk, tally = rig.engine.state, rig.engine.desk, rig.engine.state.tally
    net = desk.equity - tally.starting_equity
    assert net == tally.realized + desk.unrealized - tally.starting_unrealized - tally.fees - tally.funding
    assert tally.signals == sum(tally.ended.values()) + len(state.live_signals)
    paper = rig.engine.paper
    if paper is not None:  # the broker's own books, by their own code
        assert {s: p.qty for s, p in state.positions.items()} == {
            s: p.qty for s, p in paper.state.ledger.positions.items()
        }
        assert state.positions or paper.equity() == desk.equity
    for symbol, position in state.positions.items():
        assert position.qty == sum(f.qty for f in rig.of(FillBooked) if f.symbol == symbol)


def test_a_market_signal_becomes_a_position_and_then_a_trade_at_its_target() -> None:
    rig = Rig()
    rig.enter()
    assert [f.state for f in rig.of(SignalEnded)] == [TerminalState.EXECUTED]
    assert rig.engine.state.holdings[SYMBOL].target_order_id
    rig.quote("102.9", "103.0")
    rig.quote("103.2", "103.3")
    (trade,) = rig.of(TradeClosed)
    assert (trade.exit_reason, trade.exit_price, trade.entry_price) == (ExitReason.TP, d(103), d("100.1"))
    assert trade.pnl == sum(f.realized - f.fee for f in rig.of(FillBooked))
    assert not rig.engine.state.positions
    check_books(rig)


def test_a_position_is_closed_at_market_when_its_stop_is_touched() -> None:
    rig = Rig()
    rig.enter()
    rig.quote("99", "99.1")
    rig.quote("98.8", "98.9")
    (trade,) = rig.of(TradeClosed)
    assert trade.exit_reason is ExitReason.SL
    assert trade.exit_price == d("99"), "the book known when the order arrived"
    assert not rig.engine.state.orders
    check_books(rig)


def test_a_short_is_the_mirror_of_a_long() -> None:
    rig = Rig()
    rig.enter(side=Side.SHORT, stop="101", target="97")
    rig.quote("101", "101.1")
    rig.quote("101", "101.1")
    (trade,) = rig.of(TradeClosed)
    assert (trade.side, trade.exit_reason, trade.entry_price) == (Side.SHORT, ExitReason.SL, d(100))
    assert trade.pnl < 0
    check_books(rig)


def test_a_position_leaves_when_its_time_is_over() -> None:
    rig = Rig()
    rig.enter(hold_ns=60 * SECOND)
    for _ in range(4):
        rig.quote("100", "100.1", seconds=25)
    (trade,) = rig.of(TradeClosed)
    assert trade.exit_reason is ExitReason.TIME


def test_a_strategy_may_close_its_own_position() -> None:
    rig = Rig()
    rig.enter()
    rig.strategy.wishes = [ExitWish(SYMBOL, "enough")]
    rig.quote("100", "100.1")
    rig.quote("100", "100.1")
    assert [t.exit_reason for t in rig.of(TradeClosed)] == [ExitReason.STRATEGY]


def test_an_unfilled_entry_is_cancelled_after_its_time_and_ends_as_refused_by_the_broker() -> None:
    rig = Rig()
    rig.propose(entry="99.5")
    for _ in range(4):
        rig.quote("100", "100.1", seconds=10)
    (ended,) = rig.of(SignalEnded)
    assert (ended.state, ended.reason_code) == (TerminalState.REJECTED_BY_BROKER, ReasonCode.CANCELLED_UNFILLED)
    assert not rig.engine.state.orders
    check_books(rig)


def test_a_partly_filled_entry_ends_as_executed_with_what_it_got() -> None:
    rig = Rig()
    rig.propose(qty="0.5")  # half a unit is all that is shown
    rig.send(Wake(rig.now_ns + SECOND // 5))
    assert not rig.of(SignalEnded)
    for _ in range(4):
        rig.now_ns += 10 * SECOND
        rig.send(Wake(rig.now_ns))
    (ended,) = rig.of(SignalEnded)
    assert (ended.state, ended.reason_code) == (TerminalState.EXECUTED, ReasonCode.PARTLY_FILLED)
    assert ended.filled_qty == rig.engine.state.positions[SYMBOL].qty
    target = rig.engine.state.orders[rig.engine.state.holdings[SYMBOL].target_order_id]
    assert target.qty == -ended.filled_qty
    check_books(rig)


def test_seeding_and_backfilled_bars_never_make_a_signal() -> None:
    rig = Rig(running=False)
    rig.propose()
    assert not rig.of(SignalRaised)


def test_a_proposal_in_a_second_symbol_shares_nothing_with_the_first() -> None:
    rig = Rig(("BTCUSDT", "ETHUSDT"))
    rig.enter()
    rig.enter(symbol="ETHUSDT")
    assert sorted(rig.engine.state.holdings) == ["BTCUSDT", "ETHUSDT"]
    check_books(rig)


def test_a_fill_is_known_by_its_id_and_booked_once() -> None:
    """FV-03."""
    rig = Rig(paper=False)
    rig.propose()
    (submit,) = rig.of(Submit)
    rig.send(OrderAccepted(submit.order_id, rig.now_ns, "v1"))
    fill = Fill("f1", submit.order_id, SYMBOL, rig.now_ns, rig.now_ns, submit.qty, d("100.1"), d("0.1"), Role.TAKER)
    rig.send(fill)
    rig.send(fill)
    assert len(rig.of(FillBooked)) == 1
    check_books(rig)


def test_a_fill_that_overtakes_its_acknowledgement_is_booked_and_the_acknowledgement_is_harmless() -> None:
    """FV-02."""
    rig = Rig(paper=False)
    rig.propose()
    (submit,) = rig.of(Submit)
    rig.send(Fill("f1", submit.order_id, SYMBOL, rig.now_ns, rig.now_ns, submit.qty, d(100), 0, Role.TAKER))
    rig.send(OrderAccepted(submit.order_id, rig.now_ns, "v1"))
    assert [f.state for f in rig.of(SignalEnded)] == [TerminalState.EXECUTED]


def test_a_fill_after_the_cancel_is_still_booked_and_said_to_be_late() -> None:
    """FV-06."""
    rig = Rig(paper=False)
    rig.propose(entry="99.5")
    (submit,) = rig.of(Submit)
    rig.send(OrderCanceled(submit.order_id, rig.now_ns))
    rig.send(Fill("f1", submit.order_id, SYMBOL, rig.now_ns, rig.now_ns, submit.qty, d("99.5"), 0, Role.MAKER))
    (booked,) = rig.of(FillBooked)
    assert booked.late
    assert rig.engine.state.positions[SYMBOL].qty == submit.qty
    check_books(rig)


def test_an_unknown_outcome_blocks_new_risk_until_evidence_settles_it() -> None:
    rig = Rig(("BTCUSDT", "ETHUSDT"), paper=False)
    rig.propose()
    (submit,) = rig.of(Submit)
    rig.send(OutcomeUnknown(submit.order_id, rig.now_ns, "timeout"))
    assert rig.of(Query)
    rig.propose(symbol="ETHUSDT")
    assert rig.of(SignalEnded)[-1].reason_code is ReasonCode.UNKNOWN_ORDER
    rig.send(Fill("f1", submit.order_id, SYMBOL, rig.now_ns, rig.now_ns, submit.qty, d(100), 0, Role.TAKER))
    assert not rig.engine.state.blocks
    assert [o.state for o in rig.of(OrderChanged) if o.order_id == submit.order_id][-1] is OrderState.FILLED


def test_orders_of_a_venue_leave_as_effects_and_ids_are_short_and_deterministic() -> None:
    first, second = Rig(paper=False), Rig(paper=False)
    for rig in (first, second):
        rig.propose(entry="99.5")
        rig.command(Act.CANCEL_ALL)
    assert first.facts == second.facts
    assert first.of(Cancel)[0].order_id == first.of(Submit)[0].order_id
    assert len(first.of(Submit)[0].order_id) <= 32


def test_funding_is_paid_once_by_longs_when_the_rate_is_positive() -> None:
    rig = Rig()
    due = START_NS + 600 * SECOND
    rig.send(FundingRate(SYMBOL, rig.now_ns, d("0.0001"), due))
    rig.enter()
    for _ in range(3):
        rig.quote("100", "100.1", seconds=300)
    (paid,) = rig.of(FundingPaid)
    assert paid.amount == d("100") * paid.qty // d(1) // 10_000
    check_books(rig)


def test_a_new_utc_day_starts_with_the_equity_of_its_first_moment() -> None:
    rig = Rig()
    rig.quote("100", "100.1", seconds=24 * 3600)
    assert [f.day for f in rig.of(DayRolled)] == [START_NS // (86_400 * SECOND), START_NS // (86_400 * SECOND) + 1]
    assert rig.of(DayRolled)[-1].ended_due_ns == (START_NS // (86_400 * SECOND) + 1) * 86_400 * SECOND


def test_equity_is_marked_every_minute() -> None:
    rig = Rig()
    before = len(rig.of(EquityMarked))
    for _ in range(360):
        rig.quote("100", "100.1", seconds=10)
    assert len(rig.of(EquityMarked)) - before == 60


def test_a_refused_row_is_counted_and_changes_nothing_else() -> None:
    rig = Rig()
    before = rig.engine.desk.equity
    rig.send(DataRejected(SYMBOL, rig.now_ns, "negative price", "depth_book5", 3))
    assert rig.engine.state.tally.data_rejects == 3
    assert rig.engine.desk.equity == before


def test_refused_rows_are_counted_by_cause_and_the_first_of_each_is_remembered() -> None:
    rig = Rig()
    for line, reason in enumerate(("bid is zero: '0'", "crossed quote: 2 above 1", "bid is zero: '0.0'"), 1):
        rig.send(DataRejected(SYMBOL, rig.now_ns, reason, f"a.csv:{line}:2", line))
    refused = rig.engine.state.tally.data_refused
    assert refused == {"bid is zero": Refused(4, "a.csv:1:2"), "crossed quote": Refused(2, "a.csv:2:2")}
    for n in range(CAUSES_MAX):
        rig.send(DataRejected(SYMBOL, rig.now_ns, f"cause {n}", "frame"))
    assert (len(refused), refused["other"].count) == (CAUSES_MAX + 1, 2)


def test_errors_are_counted_by_fingerprint_up_to_a_bound() -> None:
    rig = Rig()
    first_ns = rig.now_ns
    rig.send(ErrorNoted(first_ns, "feed", "late by 1 s", "late"))
    rig.send(ErrorNoted(first_ns + 5, "feed", "late by 2 s", "late"))
    tally = rig.engine.state.tally
    assert tally.error_kinds == {"late": ErrorKind("feed", "late by 1 s", 2, first_ns, first_ns + 5)}
    for n in range(FINGERPRINTS_MAX):
        tally.fail("feed", "text", f"kind {n}", first_ns + n)
    assert len(tally.error_kinds) == FINGERPRINTS_MAX + 1
    assert tally.error_kinds["other"].count == 1
    assert sum(kind.count for kind in tally.error_kinds.values()) == tally.errors


def test_a_bar_that_repeats_or_comes_late_rewrites_nothing() -> None:
    """FA-05."""
    rig = Rig()
    window = list(rig.engine.state.symbols[SYMBOL].window.closes)
    late = Bar(SYMBOL, rig.now_ns, START_NS - 5 * MINUTE, MINUTE, d(1), d(1), d(1), d(1), d(1))
    rig.send(late)
    assert rig.engine.state.symbols[SYMBOL].window.closes == window


def busy(rig: Rig, steps: int = 400) -> None:
    """A lively stretch: proposals on both sides, prices that reach stops and targets."""
    for step in range(steps):
        price = 100 + (step * 7 % 40 - 20) / 10
        side = Side.LONG if step % 2 else Side.SHORT
        if step % 5 == 0 and side is Side.LONG:
            rig.propose(
                stop=f"{price - 1:.1f}", target=f"{price + 1.5:.1f}", bid=f"{price:.1f}", ask=f"{price + 0.1:.1f}"
            )
        else:
            rig.quote(f"{price:.1f}", f"{price + 0.1:.1f}", seconds=3)
        check_books(rig)


def test_the_same_events_give_the_same_facts_and_the_same_decision_hash() -> None:
    first, second = Rig(), Rig()
    busy(first)
    busy(second)
    assert first.of(TradeClosed)
    assert first.facts == second.facts
    assert first.engine.decision_hash == second.engine.decision_hash


def test_another_seed_gives_another_decision_hash() -> None:
    first, second = Rig(), Rig(seed=2)
    busy(first)
    busy(second)
    assert first.engine.decision_hash != second.engine.decision_hash


def test_a_snapshot_and_the_tail_after_it_end_where_the_whole_replay_ends() -> None:
    whole = Rig()
    busy(whole, 300)
    part = Rig()
    busy(part, 120)
    restored = Engine(lambda _: (Scripted(),), part.engine.snapshot())
    part.engine, part.strategy = restored, restored.strategies[0]  # type: ignore[assignment]
    again = Rig()
    busy(again, 120)
    assert again.engine.state_hash() == restored.state_hash()
    for rig in (again, part):
        for _ in range(50):
            rig.quote("100.3", "100.4")
    assert again.engine.state_hash() == part.engine.state_hash()


def test_the_books_outlive_a_run_and_its_counters_do_not() -> None:
    rig = Rig()
    rig.enter()
    equity = rig.engine.desk.equity
    rig.send(RunStarted(rig.now_ns + SECOND, "run2", rig.config))
    assert rig.engine.desk.equity == equity
    assert rig.engine.state.tally.fills == 0
    assert SYMBOL in rig.engine.state.holdings
    assert rig.engine.decision_hash != Rig().engine.decision_hash


def test_blocks_that_end_with_their_run_are_lifted_on_record_by_the_next() -> None:
    rig = Rig()
    rig.send(FeedChanged("", rig.now_ns, FeedHealth.STALE, 15 * SECOND))
    rig.send(PhaseEntered(rig.now_ns, SessionPhase.RUNNING, SessionPhase.SHUTTING_DOWN, "stale_data"))
    rig.send(RunStarted(rig.now_ns + SECOND, "run2", rig.config))
    told = {change.reason: change.active for change in rig.of(BlockChanged)}
    assert told[BlockReason.STALE_DATA] is told[BlockReason.SHUTTING_DOWN] is False
    assert {reason for reason, active in told.items() if active} == set(rig.engine.state.blocks)


def test_a_run_restored_from_where_it_began_marks_its_positions_as_it_did() -> None:
    rig = Rig()
    rig.enter()
    rig.send(RunStarted(rig.now_ns + SECOND, "run2", rig.config))
    restored = Engine(lambda _: (Scripted(),), rig.engine.snapshot())
    assert restored.desk.unrealized == rig.engine.desk.unrealized != 0
    assert restored.desk.unrealized_of(SYMBOL) == rig.engine.desk.unrealized_of(SYMBOL)
    assert restored.state_hash() == rig.engine.state_hash()


def test_what_came_due_between_two_runs_is_done_and_told_by_the_second() -> None:
    rig = Rig()
    rig.enter(hold_ns=10 * SECOND)
    rig.now_ns += 60 * SECOND
    rig.send(RunStarted(rig.now_ns, "run2", rig.config))
    rig.send(PhaseEntered(rig.now_ns, SessionPhase.SEEDING_HISTORY, SessionPhase.RUNNING))
    rig.send(Wake(rig.now_ns + SECOND))
    told = {fact.order_id: fact.state for fact in rig.of(OrderChanged)}
    assert {order_id: order.state for order_id, order in rig.engine.state.orders.items()} == {
        order_id: state for order_id, state in told.items() if state not in ENDED
    }
    [closing] = [order for order in rig.engine.state.orders.values() if order.purpose is Purpose.CLOSE]
    assert closing.order_id.startswith("run2-")


def test_a_kill_switch_that_stands_at_the_start_is_told_by_where_it_stood() -> None:
    rig = Rig()
    rig.send(RunStarted(rig.now_ns + SECOND, "run2", rig.config, killed=True, kill_source="environment"))
    assert [(kill.latched, kill.source) for kill in rig.of(KillChanged)] == [(True, "environment")]


def test_a_restored_desk_asks_to_be_woken_again() -> None:
    rig = Rig()
    rig.enter(hold_ns=10 * SECOND)
    rig.quote("100", "100.1")
    [holding] = rig.engine.state.holdings.values()
    restored = Engine(lambda _: (Scripted(),), rig.engine.snapshot())
    restored.handle(RunStarted(rig.now_ns + SECOND, "run2", rig.config))
    asked = restored.handle(PhaseEntered(rig.now_ns + SECOND, SessionPhase.SEEDING_HISTORY, SessionPhase.RUNNING))
    assert [wake.at_ns for wake in asked if isinstance(wake, WakeAt)] == [holding.close_at_ns]


def test_a_wake_up_is_asked_for_whenever_something_is_due_and_never_in_the_past() -> None:
    rig = Rig()
    rig.propose(entry="99.5")
    for asked in rig.of(WakeAt):
        assert asked.at_ns > START_NS
    wakes = itertools.count()
    while rig.engine.state.orders and next(wakes) < 20:
        rig.now_ns = max(rig.now_ns + 1, rig.of(WakeAt)[-1].at_ns)
        rig.send(Wake(rig.now_ns))
    assert not rig.engine.state.orders, "time alone must end an unfilled entry"


@pytest.mark.parametrize("seconds", [14, 16])
def test_a_price_too_old_refuses_an_entry(seconds: int) -> None:
    rig = Rig(("BTCUSDT", "ETHUSDT"))
    rig.quote("100", "100.1", symbol="ETHUSDT")
    rig.strategy.wishes = []
    rig.now_ns += seconds * SECOND
    from engine.core.strategy import Proposal

    rig.strategy.wishes = [Proposal("ETHUSDT", Side.LONG, 0, d(99), d(103), "old")]
    rig.send(Quote(SYMBOL, rig.now_ns, rig.now_ns, d(100), d("100.1"), d(5), d(5)))
    codes = [f.reason_code for f in rig.of(SignalEnded)]
    assert codes == ([ReasonCode.STALE_DATA] if seconds == 16 else [])


def test_a_signal_that_outlives_its_run_is_not_counted_in_the_next() -> None:
    rig = Rig()
    rig.propose(entry="99.5")
    rig.send(RunStarted(rig.now_ns + SECOND, "run2", rig.config))
    rig.now_ns += 2 * SECOND
    rig.quote("100", "100.1")
    (ended,) = rig.of(SignalEnded)
    assert ended.state is TerminalState.REJECTED_BY_BROKER
    assert rig.engine.state.tally.signals == sum(rig.engine.state.tally.ended.values()) == 0


@pytest.mark.parametrize(("bid", "told"), [("119.9", 0), ("120.2", 1), ("80.1", 0), ("79.8", 1)])
def test_a_price_that_jumps_by_more_than_a_fifth_is_told(bid: str, told: int) -> None:
    rig = Rig()
    rig.quote("100", "100.2")
    rig.quote(bid, f"{float(bid) + 0.2:.1f}")
    assert len([note for note in rig.of(FeedNoted) if note.kind == "PRICE_JUMP"]) == told


def test_no_order_is_sent_before_the_run_is_running_not_even_a_time_exit() -> None:
    rig = Rig()
    rig.enter(hold_ns=60 * SECOND)
    rig.now_ns += 120 * SECOND
    rig.facts.clear()
    rig.send(RunStarted(rig.now_ns, "run2", rig.config))
    rig.send(PhaseEntered(rig.now_ns, SessionPhase.INITIALIZING, SessionPhase.SEEDING_HISTORY))
    rig.now_ns += SECOND
    rig.send(Wake(rig.now_ns))
    assert not [order for order in rig.of(OrderChanged) if order.previous is OrderState.NEW]
    rig.send(PhaseEntered(rig.now_ns, SessionPhase.SEEDING_HISTORY, SessionPhase.RUNNING))
    rig.quote("100", "100.1")
    rig.quote("100", "100.1")
    assert [trade.exit_reason for trade in rig.of(TradeClosed)] == [ExitReason.TIME]


@pytest.mark.parametrize(("act", "why"), [(Act.PAUSE, "paused by tester"), (Act.CANCEL_ALL, "cancel-all by tester")])
def test_an_entry_taken_back_says_why(act: Act, why: str) -> None:
    rig = Rig()
    rig.propose(entry="99.5")
    rig.command(act)
    rig.quote("100", "100.1")
    assert [ended.text for ended in rig.of(SignalEnded)] == [why]
