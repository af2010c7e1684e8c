"""The bracket of a position: its stop and target rest at the broker, follow its size, and end with it."""

from typing import Any

import pytest

from engine.core.config import SECOND, Limits
from engine.core.events import (
    Act,
    AmendRefused,
    CancelRefused,
    Fill,
    OrderAccepted,
    OrderAmended,
    OrderCanceled,
    OrderRefused,
    PhaseEntered,
    Quote,
    Role,
    RunStarted,
    SessionPhase,
    Trade,
    Wake,
)
from engine.core.exits import EXIT_RETRY_NS, REFUSALS_MAX, STOP_GRACE_NS
from engine.core.facts import Alert, Amend, AmendRequested, Cancel, FillBooked, SignalEnded, Submit, TradeClosed
from engine.core.orders import Order
from engine.core.words import AlertKind, ExitReason, OrderKind, OrderState, Purpose, ReasonCode, Side
from tests.core.test_engine import check_books
from tests.rig import SYMBOL, Rig, d


def legs(rig: Rig) -> tuple[Order, Order]:
    """The working stop and target of the position."""
    holding, orders = rig.engine.state.holdings[SYMBOL], rig.engine.state.orders
    return orders[holding.stop_order_id], orders[holding.target_order_id]


def settle(rig: Rig, seconds: float = 0.2) -> None:
    """Let what is on its way arrive."""
    rig.now_ns += int(seconds * SECOND)
    rig.send(Wake(rig.now_ns))


def covered(rig: Rig) -> None:
    """Both legs are for the whole position and nothing else."""
    qty = rig.engine.state.positions[SYMBOL].qty
    for leg in legs(rig):
        assert (leg.open_qty, leg.reduce_only) == (-qty, True)
    broker = rig.engine.paper
    assert broker is not None
    working = broker.state.working[SYMBOL]
    assert sorted(leg.order_id for leg in legs(rig)) == sorted(k for k, w in working.items() if w.order.reduce_only)
    assert all(each.rest == abs(qty) for each in working.values() if each.order.reduce_only)


# --- it rests ---


@pytest.mark.parametrize("side", Side)
def test_a_position_rests_a_stop_and_a_target_at_the_broker(side: Side) -> None:
    rig = Rig()
    long = side is Side.LONG
    rig.enter(side=side, stop="99" if long else "101", target="103" if long else "97")
    settle(rig)
    stop, target = legs(rig)
    assert (stop.kind, stop.stop_price, stop.price) == (OrderKind.STOP, d(99 if long else 101), 0)
    assert (target.kind, target.price, target.stop_price) == (OrderKind.LIMIT, d(103 if long else 97), 0)
    assert stop.state is target.state is OrderState.ACCEPTED
    covered(rig)


def test_levels_off_the_tick_grid_rest_on_the_safer_side_of_it() -> None:
    rig = Rig()
    rig.enter(stop="98.97", target="103.03")
    stop, target = legs(rig)
    assert (stop.stop_price, target.price) == (d("99.0"), d("103.1"))


def test_the_stop_fires_at_the_broker_without_a_decision_of_the_desk() -> None:
    rig = Rig()
    rig.enter()
    settle(rig)
    rig.quote("98.7", "98.8")
    (trade,) = rig.of(TradeClosed)
    assert (trade.exit_reason, trade.exit_price) == (ExitReason.SL, d("98.7")), "at what was there: not at the stop"
    exit_fill = rig.of(FillBooked)[-1]
    assert (exit_fill.purpose, exit_fill.expected) == (Purpose.STOP, d(99))
    settle(rig)
    assert not rig.engine.state.orders and not rig.engine.paper.state.working  # type: ignore[union-attr]
    check_books(rig)


def test_the_target_fills_and_takes_the_stop_with_it() -> None:
    rig = Rig()
    rig.enter()
    settle(rig)
    rig.quote("103.2", "103.3")
    (trade,) = rig.of(TradeClosed)
    assert (trade.exit_reason, trade.exit_price) == (ExitReason.TP, d(103))
    settle(rig)
    assert not rig.engine.state.orders
    rig.quote("90", "90.1")
    assert len(rig.of(FillBooked)) == 2, "the stop is gone: nothing turns the position over"
    check_books(rig)


# --- it follows the position ---


def test_every_further_fill_of_the_entry_amends_both_legs() -> None:
    rig = Rig()
    rig.propose(qty="0.5")  # half a unit shows at a time, five are wanted
    settle(rig)
    covered_at = []
    for _ in range(3):
        rig.quote("100", "100.1", qty="0.5")
        settle(rig)
        covered(rig)
        covered_at.append(rig.engine.state.positions[SYMBOL].qty)
    assert covered_at == [d(1), d("1.5"), d(2)]
    stop, target = legs(rig)
    asked = [(fact.order_id, fact.qty) for fact in rig.of(AmendRequested)]
    assert asked == [(leg.order_id, -qty) for qty in covered_at for leg in (stop, target)]
    assert not rig.of(SignalEnded)


def test_the_rest_of_a_partly_filled_entry_is_cancelled_after_its_time_and_the_bracket_stays() -> None:
    rig = Rig()
    rig.propose(qty="0.5")
    for _ in range(4):
        settle(rig, 10)
    (ended,) = rig.of(SignalEnded)
    assert (ended.reason_code, ended.filled_qty) == (ReasonCode.PARTLY_FILLED, d("0.5"))
    covered(rig)


def test_what_the_target_filled_shrinks_the_stop() -> None:
    rig = Rig()
    rig.enter()
    settle(rig)
    whole = rig.engine.state.positions[SYMBOL].qty
    rig.now_ns += SECOND
    rig.send(Trade(SYMBOL, rig.now_ns, rig.now_ns, d("103.1"), d(1), 1))
    settle(rig)
    assert rig.engine.state.positions[SYMBOL].qty == whole - d(1)
    covered(rig)
    rig.quote("98.9", "99")
    assert not rig.engine.state.positions
    (trade,) = rig.of(TradeClosed)
    assert trade.exit_reason is ExitReason.SL
    check_books(rig)


def test_once_a_way_out_has_begun_to_fill_nothing_more_is_entered() -> None:
    rig = Rig()
    rig.propose(qty="0.5")
    settle(rig, 0.5)
    rig.quote("98.9", "99.0", qty="0.2")
    assert rig.of(FillBooked)[-1].purpose is Purpose.STOP
    settle(rig)
    assert not rig.engine.desk.entries()
    rig.quote("98.9", "99.0", qty="5")
    assert not rig.engine.state.positions


def test_a_stop_that_fires_while_it_is_being_enlarged_leaves_nothing_unprotected() -> None:
    rig = Rig()
    rig.propose(qty="0.5")
    settle(rig, 0.5)
    rig.quote("100", "100.1", qty="0.5")  # the position grows, the amend is on its way
    rig.now_ns += 1_000_000
    rig.send(Quote(SYMBOL, rig.now_ns, rig.now_ns, d("98.9"), d("99.0"), d(50), d(50)))
    stopped = rig.of(FillBooked)[-1]
    assert (stopped.qty, stopped.price) == (-d("0.5"), d("98.9")), "the stop was still for half a unit"
    assert rig.engine.state.positions[SYMBOL].qty > d("0.5")
    for _ in range(3):
        rig.quote("98.8", "98.9")
    assert not rig.engine.state.positions and not rig.engine.state.orders
    assert sum(fill.qty for fill in rig.of(FillBooked)) == 0
    check_books(rig)


# --- the desk as a backstop ---


def resting_venue(**config: Any) -> tuple[Rig, Submit, Submit, Submit]:
    """A desk on a venue that holds stops, a position of five units in it; the entry, the stop and the target sent."""
    rig = Rig(paper=False, resting_stops=True, **config)
    rig.propose()
    (entry,) = rig.of(Submit)
    rig.send(Fill("f1", entry.order_id, SYMBOL, rig.now_ns, rig.now_ns, entry.qty, d("100.1"), 0, Role.TAKER))
    _, stop, target = rig.of(Submit)
    for leg in (stop, target):
        rig.send(OrderAccepted(leg.order_id, rig.now_ns))
    return rig, entry, stop, target


@pytest.mark.parametrize(("after_ns", "closes"), [(STOP_GRACE_NS - 1, False), (STOP_GRACE_NS, True)])
def test_a_stop_that_was_passed_and_does_not_fill_is_closed_at_market_after_its_grace(
    after_ns: int, closes: bool
) -> None:
    rig, _, stop, target = resting_venue()
    rig.quote("98.9", "99.0")
    assert len(rig.of(Submit)) == 3
    rig.now_ns += after_ns
    rig.send(Wake(rig.now_ns))
    out = rig.of(Submit)[3:]
    assert [(order.kind, order.qty, order.reduce_only) for order in out] == (
        [(OrderKind.MARKET, stop.qty, True)] if closes else []
    )
    gone = [cancel.order_id for cancel in rig.of(Cancel)]
    assert gone == ([stop.order_id, target.order_id] if closes else [])
    assert bool([alert for alert in rig.of(Alert) if alert.kind is AlertKind.STOP_NOT_FILLED]) == closes


def test_a_stop_that_is_filling_gets_its_grace_anew() -> None:
    rig, _, stop, _ = resting_venue()
    rig.quote("98.9", "99.0")
    rig.now_ns += STOP_GRACE_NS - 1
    half = stop.qty // 2
    rig.send(Fill("f2", stop.order_id, SYMBOL, rig.now_ns, rig.now_ns, half, d("98.9"), 0, Role.TAKER))
    rig.now_ns += STOP_GRACE_NS - 1
    rig.send(Wake(rig.now_ns))
    assert len(rig.of(Submit)) == 3
    rig.now_ns += 1
    rig.send(Wake(rig.now_ns))
    assert rig.of(Submit)[3].qty == stop.qty - half


def test_a_broker_that_refuses_a_stop_is_asked_three_times_and_then_the_desk_watches_alone() -> None:
    rig = Rig(paper=False, resting_stops=True)
    rig.propose()
    (entry,) = rig.of(Submit)
    rig.send(Fill("f1", entry.order_id, SYMBOL, rig.now_ns, rig.now_ns, entry.qty, d("100.1"), 0, Role.TAKER))
    for _ in range(REFUSALS_MAX):
        stop = [order for order in rig.of(Submit) if order.kind is OrderKind.STOP][-1]
        rig.send(OrderRefused(stop.order_id, rig.now_ns, "venue_refused", "no stops today"))
    assert len([order for order in rig.of(Submit) if order.kind is OrderKind.STOP]) == REFUSALS_MAX
    assert [alert.kind for alert in rig.of(Alert)] == [AlertKind.NO_RESTING_STOP]
    rig.quote("99", "99.1")
    assert rig.of(Submit)[-1].kind is OrderKind.MARKET, "at once: nothing rests that could need a grace"


def test_a_stop_the_venue_ended_by_itself_is_sent_again() -> None:
    rig, _, stop, _ = resting_venue()
    rig.send(OrderCanceled(stop.order_id, rig.now_ns, "venue"))
    again = rig.of(Submit)[-1]
    assert (again.kind, again.qty, again.stop_price) == (OrderKind.STOP, stop.qty, stop.stop_price)
    assert again.order_id != stop.order_id


def test_the_loss_limit_closes_before_the_stop_where_the_entry_was_filled_badly() -> None:
    rig = Rig(paper=False, resting_stops=True, limits=Limits(loss_per_trade_max=d(15)))
    rig.propose()
    (entry,) = rig.of(Submit)
    rig.send(Fill("f1", entry.order_id, SYMBOL, rig.now_ns, rig.now_ns, entry.qty, d(102), 0, Role.TAKER))
    rig.quote("100.5", "100.6")
    assert len(rig.of(Submit)) == 3
    rig.quote("100.4", "100.5")  # 1.6 for 9.09 units, and the fee to get out
    close = rig.of(Submit)[-1]
    assert (close.kind, close.qty) == (OrderKind.MARKET, -entry.qty)
    assert len(rig.of(Cancel)) == 2
    rig.send(Fill("c1", close.order_id, SYMBOL, rig.now_ns, rig.now_ns, close.qty, d("100.3"), 0, Role.TAKER))
    assert [trade.exit_reason for trade in rig.of(TradeClosed)] == [ExitReason.LOSS_LIMIT]


def test_without_stop_orders_at_the_broker_the_desk_watches_the_stop_and_rests_the_target_alone() -> None:
    rig = Rig(resting_stops=False)
    rig.propose(qty="0.5")
    settle(rig)
    assert not [order for order in rig.engine.state.orders.values() if order.reduce_only], "its size is not final yet"
    for _ in range(4):
        settle(rig, 10)
    (target,) = rig.engine.state.orders.values()
    assert (target.purpose, target.kind) == (Purpose.TARGET, OrderKind.LIMIT)
    rig.quote("99", "99.1")
    rig.quote("98.8", "98.9")
    assert [(t.exit_reason, t.exit_price) for t in rig.of(TradeClosed)] == [(ExitReason.SL, d(99))]
    assert not rig.of(AmendRequested)


# --- answers that race ---


def test_an_amend_is_answered_before_another_is_sent() -> None:
    rig = Rig(paper=False, resting_stops=True)
    rig.propose()
    (entry,) = rig.of(Submit)
    tenth = entry.qty // 10
    for number in range(3):
        at = rig.now_ns
        rig.send(Fill(f"f{number}", entry.order_id, SYMBOL, at, at, tenth, d("100.1"), 0, Role.TAKER))
    _, stop, target = rig.of(Submit)
    assert [(amend.order_id, amend.qty) for amend in rig.of(Amend)] == [
        (stop.order_id, -2 * tenth),
        (target.order_id, -2 * tenth),
    ]
    rig.send(OrderAmended(stop.order_id, rig.now_ns, -2 * tenth, 0, stop.stop_price))
    assert (rig.of(Amend)[-1].order_id, rig.of(Amend)[-1].qty) == (stop.order_id, -3 * tenth)


def test_terms_that_were_refused_are_not_asked_for_again() -> None:
    rig = Rig(paper=False, resting_stops=True)
    rig.propose()
    (entry,) = rig.of(Submit)
    tenth = entry.qty // 10
    for number in range(2):
        at = rig.now_ns
        rig.send(Fill(f"f{number}", entry.order_id, SYMBOL, at, at, tenth, d("100.1"), 0, Role.TAKER))
    stop = rig.of(Submit)[1]
    for _ in range(3):
        rig.send(AmendRefused(stop.order_id, rig.now_ns, "venue_refused", "no"))
    assert len([amend for amend in rig.of(Amend) if amend.order_id == stop.order_id]) == 1
    rig.send(Fill("f9", entry.order_id, SYMBOL, rig.now_ns, rig.now_ns, tenth, d("100.1"), 0, Role.TAKER))
    assert [a.qty for a in rig.of(Amend) if a.order_id == stop.order_id] == [-2 * tenth, -3 * tenth]


def test_a_fill_beyond_the_known_quantity_means_the_amend_was_taken() -> None:
    rig = Rig(paper=False, resting_stops=True)
    rig.propose()
    (entry,) = rig.of(Submit)
    half = entry.qty // 2
    for number in range(2):
        at = rig.now_ns
        rig.send(Fill(f"f{number}", entry.order_id, SYMBOL, at, at, half, d("100.1"), 0, Role.TAKER))
    stop = rig.of(Submit)[1]
    rig.send(Fill("s1", stop.order_id, SYMBOL, rig.now_ns, rig.now_ns, -half, d(99), 0, Role.TAKER))
    assert rig.engine.state.orders[stop.order_id].state is OrderState.PARTIALLY_FILLED, "it may have grown"
    rig.send(Fill("s2", stop.order_id, SYMBOL, rig.now_ns, rig.now_ns, -half, d(99), 0, Role.TAKER))
    assert rig.engine.state.ended_orders[stop.order_id].state is OrderState.FILLED
    assert [trade.exit_reason for trade in rig.of(TradeClosed)] == [ExitReason.SL]
    assert not [alert for alert in rig.of(Alert) if alert.kind is AlertKind.IMPOSSIBLE_FILL]


def test_a_filled_order_whose_enlargement_is_refused_has_ended() -> None:
    rig = Rig(paper=False, resting_stops=True)
    rig.propose()
    (entry,) = rig.of(Submit)
    half = entry.qty // 2
    for number in range(2):
        at = rig.now_ns
        rig.send(Fill(f"f{number}", entry.order_id, SYMBOL, at, at, half, d("100.1"), 0, Role.TAKER))
    stop = rig.of(Submit)[1]
    rig.send(Fill("s1", stop.order_id, SYMBOL, rig.now_ns, rig.now_ns, -half, d(99), 0, Role.TAKER))
    rig.send(AmendRefused(stop.order_id, rig.now_ns, "unknown_order", "no such working order"))
    assert rig.engine.state.ended_orders[stop.order_id].state is OrderState.FILLED
    again = rig.of(Submit)[-1]
    assert (again.kind, again.qty) == (OrderKind.STOP, -half), "what is left gets a stop of its own"


@pytest.mark.parametrize("keeps", [True, False])
def test_what_fills_while_the_session_ends_gets_its_bracket_where_positions_are_kept(keeps: bool) -> None:
    rig = Rig(paper=False, resting_stops=True)
    rig.propose()
    (entry,) = rig.of(Submit)
    rig.send(PhaseEntered(rig.now_ns, SessionPhase.RUNNING, SessionPhase.SHUTTING_DOWN, "stop", keeps))
    rig.send(Fill("f1", entry.order_id, SYMBOL, rig.now_ns, rig.now_ns, entry.qty, d("100.1"), 0, Role.TAKER))
    assert [submit.kind for submit in rig.of(Submit)[1:]] == ([OrderKind.STOP, OrderKind.LIMIT] if keeps else [])


# --- when it is not to rest ---


def test_a_late_fill_is_protected_on_the_levels_its_signal_planned() -> None:
    """FV-06."""
    rig = Rig(paper=False, resting_stops=True)
    rig.propose(entry="99.5")
    (entry,) = rig.of(Submit)
    rig.send(OrderCanceled(entry.order_id, rig.now_ns))
    rig.send(Fill("f1", entry.order_id, SYMBOL, rig.now_ns, rig.now_ns, entry.qty, d("99.5"), 0, Role.MAKER))
    _, stop, target = rig.of(Submit)
    assert (stop.stop_price, target.price, stop.qty) == (d(99), d(103), -entry.qty)


def test_cancel_all_takes_the_bracket_back_and_the_desk_still_closes_at_the_stop() -> None:
    rig = Rig()
    rig.enter()
    settle(rig)
    rig.command(Act.CANCEL_ALL)
    settle(rig)
    assert not rig.engine.state.orders
    rig.quote("100.2", "100.3")
    assert not rig.engine.state.orders, "it stays as the operator wished"
    rig.quote("99", "99.1")
    settle(rig)
    assert [trade.exit_reason for trade in rig.of(TradeClosed)] == [ExitReason.SL]


def test_cancel_all_of_entries_leaves_what_protects_a_position() -> None:
    rig = Rig(("BTCUSDT", "ETHUSDT"))
    rig.enter()
    rig.propose(entry="99.5", symbol="ETHUSDT")
    settle(rig)
    rig.command(Act.CANCEL_ALL, subject="entries")
    settle(rig)
    assert not rig.engine.desk.entries()
    covered(rig)


@pytest.mark.parametrize("closes", [True, False])
def test_a_kill_takes_the_bracket_only_where_it_closes_the_position(closes: bool) -> None:
    rig = Rig(kill_closes=closes)
    rig.enter()
    settle(rig)
    rig.command(Act.KILL, "enough")
    settle(rig, 0.5)
    assert bool(rig.engine.state.positions) is not closes
    if not closes:
        covered(rig)


def test_a_bracket_that_was_taken_back_rests_again_in_the_next_run() -> None:
    rig = Rig()
    rig.enter()
    settle(rig)
    rig.command(Act.CANCEL_ALL)
    settle(rig)
    rig.send(RunStarted(rig.now_ns + SECOND, "run2", rig.config))
    rig.now_ns += 2 * SECOND
    assert not rig.engine.state.orders
    rig.send(PhaseEntered(rig.now_ns, SessionPhase.SEEDING_HISTORY, SessionPhase.RUNNING))
    settle(rig)
    covered(rig)


def test_a_bracket_outlives_a_restart_and_is_not_doubled() -> None:
    """FV-16."""
    rig = Rig()
    rig.enter()
    settle(rig)
    before = [leg.order_id for leg in legs(rig)]
    rig.send(RunStarted(rig.now_ns + SECOND, "run2", rig.config))
    rig.now_ns += 2 * SECOND
    rig.send(PhaseEntered(rig.now_ns, SessionPhase.SEEDING_HISTORY, SessionPhase.RUNNING))
    settle(rig)
    assert [leg.order_id for leg in legs(rig)] == before
    covered(rig)


def test_what_is_left_after_a_close_is_tried_again_and_no_new_bracket_comes_in_between() -> None:
    rig, _, stop, target = resting_venue()
    rig.command(Act.FLATTEN)
    (close,) = rig.of(Submit)[3:]
    for leg in (stop, target):
        rig.send(OrderCanceled(leg.order_id, rig.now_ns))
    rig.send(OrderCanceled(close.order_id, rig.now_ns, "ioc"))
    assert len(rig.of(Submit)) == 4
    rig.now_ns += EXIT_RETRY_NS
    rig.send(Wake(rig.now_ns))
    assert [order.kind for order in rig.of(Submit)[4:]] == [OrderKind.MARKET]


def test_a_cancel_that_came_too_late_leaves_the_leg_to_its_fill() -> None:
    rig, _, stop, target = resting_venue()
    rig.send(Fill("t1", target.order_id, SYMBOL, rig.now_ns, rig.now_ns, target.qty, d(103), 0, Role.MAKER))
    assert [cancel.order_id for cancel in rig.of(Cancel)] == [stop.order_id]
    rig.send(CancelRefused(stop.order_id, rig.now_ns, "unknown_order"))
    rig.send(OrderCanceled(stop.order_id, rig.now_ns, "reduce_only"))
    assert not rig.engine.state.orders
