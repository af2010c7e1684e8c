"""Every kind of order through the engine, the same order twice, and an order nobody answers."""

import msgspec
import pytest

from engine.core.blotter import CANCEL_RETRY_NS
from engine.core.config import SECOND
from engine.core.engine import Engine
from engine.core.events import (
    Act,
    AmendRefused,
    CancelRefused,
    Fill,
    OrderAccepted,
    OrderCanceled,
    OrderMissing,
    OrderRefused,
    OutcomeUnknown,
    Role,
    Wake,
)
from engine.core.facts import (
    Alert,
    Amend,
    Cancel,
    DayRolled,
    FillBooked,
    OrderChanged,
    OrderStuck,
    Query,
    SignalEnded,
    Submit,
    TradeClosed,
)
from engine.core.orders import Order, Terms
from engine.core.words import AlertKind, ExitReason, OrderKind, OrderState, Purpose, ReasonCode, Side, TimeInForce
from tests.core.test_engine import check_books
from tests.rig import SYMBOL, Rig, Scripted, d


def sent(rig: Rig, qty: str, price: str = "0", tif: TimeInForce = TimeInForce.GTC, reduce_only: bool = False) -> Order:
    """Send an order of one's own through the blotter and let it arrive."""
    order = Order(
        order_id=f"own-{rig.engine.state.seq}",
        signal_id="own",
        strategy_id="own",
        symbol=SYMBOL,
        purpose=Purpose.CLOSE if reduce_only else Purpose.ENTRY,
        kind=OrderKind.LIMIT if price != "0" else OrderKind.MARKET,
        tif=tif,
        qty=d(qty),
        price=d(price),
        reduce_only=reduce_only,
        expected=d("100.1"),
        placed_ns=rig.now_ns,
    )
    rig.engine.trading.blotter.send(order)
    for later_ns in (1, SECOND // 5):  # the first makes the engine see that something is due
        rig.now_ns += later_ns
        rig.send(Wake(rig.now_ns))
    return order


@pytest.fixture
def rig() -> Rig:
    """A desk that has just seen five units at 100 / 100.1."""
    made = Rig()
    made.quote("100", "100.1", qty="5")
    return made


# --- time in force ---


def test_gtc_takes_what_is_there_and_rests_with_the_rest(rig: Rig) -> None:
    order = sent(rig, "7", "100.1")
    assert (order.state, order.filled_qty) == (OrderState.PARTIALLY_FILLED, d(5))
    rig.quote("100", "100.1", qty="5")
    assert (order.state, order.filled_qty) == (OrderState.FILLED, d(7))
    assert [fill.role for fill in rig.of(FillBooked)] == ["TAKER", "MAKER"]


def test_ioc_takes_what_is_there_and_ends(rig: Rig) -> None:
    order = sent(rig, "7", "100.1", TimeInForce.IOC)
    assert (order.state, order.filled_qty) == (OrderState.CANCELED, d(5))
    assert rig.of(OrderChanged)[-1].reason_code == "ioc"


@pytest.mark.parametrize(("price", "ends"), [("100.1", OrderState.CANCELED), ("100", OrderState.ACCEPTED)])
def test_post_only_rests_or_is_cancelled_and_never_takes(rig: Rig, price: str, ends: OrderState) -> None:
    order = sent(rig, "1", price, TimeInForce.POST_ONLY)
    assert (order.state, order.filled_qty) == (ends, 0)


def test_reduce_only_closes_no_more_than_there_is(rig: Rig) -> None:
    """FO-06."""
    sent(rig, "2")
    order = sent(rig, "-3", reduce_only=True)
    assert (order.state, order.filled_qty) == (OrderState.CANCELED, d(-2))
    assert not rig.engine.state.positions
    check_books(rig)


def test_reduce_only_without_a_position_ends_unfilled(rig: Rig) -> None:
    order = sent(rig, "-1", reduce_only=True)
    assert (order.state, order.filled_qty) == (OrderState.CANCELED, 0)


def test_a_cancelled_entry_without_a_fill_ends_its_signal_as_refused_by_the_broker() -> None:
    rig = Rig()
    rig.propose(entry="99.5")
    rig.command(Act.CANCEL_ALL)
    rig.quote("100", "100.1")
    assert [verdict.reason_code for verdict in rig.of(SignalEnded)] == [ReasonCode.CANCELLED_UNFILLED]


def test_cancel_all_open_orders_takes_back_every_one(rig: Rig) -> None:
    sent(rig, "2")
    for price in ("99", "99.5"):
        sent(rig, "1", price)
    rig.command(Act.CANCEL_ALL)
    rig.quote("100", "100.1")
    assert not rig.engine.state.orders


# --- the same order twice ---


def test_an_order_sent_twice_works_once(rig: Rig) -> None:
    order = sent(rig, "2")
    paper = rig.engine.paper
    assert paper is not None
    paper.submit(Submit(order.order_id, SYMBOL, d(2), OrderKind.MARKET, TimeInForce.GTC, 0, False), rig.now_ns)
    rig.quote("100", "100.1")
    assert rig.engine.state.positions[SYMBOL].qty == d(2)
    assert len(rig.of(FillBooked)) == 1


def test_an_order_sent_again_after_a_restart_works_once(rig: Rig) -> None:
    order = sent(rig, "2")
    rig.engine = Engine(lambda _: (Scripted(),), rig.engine.snapshot())
    paper = rig.engine.paper
    assert paper is not None
    paper.submit(Submit(order.order_id, SYMBOL, d(2), OrderKind.MARKET, TimeInForce.GTC, 0, False), rig.now_ns)
    rig.quote("100", "100.1")
    assert rig.engine.state.positions[SYMBOL].qty == d(2)


def test_what_was_refused_stays_refused_when_it_is_sent_again(rig: Rig) -> None:
    order = sent(rig, "0.0001")
    paper = rig.engine.paper
    assert paper is not None and order.state is OrderState.REJECTED
    paper.submit(Submit(order.order_id, SYMBOL, d(2), OrderKind.MARKET, TimeInForce.GTC, 0, False), rig.now_ns)
    (again,) = paper.advance(rig.now_ns + SECOND)
    assert isinstance(again, OrderRefused) and again.code == "duplicate"


def test_ids_follow_from_the_events_and_are_the_same_in_every_replay() -> None:
    def ids() -> list[str]:
        rig = Rig()
        rig.enter()
        rig.quote("99", "99.1")
        return [fact.order_id for fact in rig.of(OrderChanged)]

    assert ids() == ids()
    assert all(order_id.startswith("run1-") for order_id in ids())


# --- an order nobody answers ---


def waiting(rig: Rig, state: OrderState) -> Order:
    """An entry at a venue that waits for an answer in `state`."""
    rig.propose(entry="99.5")
    (order,) = rig.engine.state.orders.values()
    if state is not OrderState.SUBMITTED:
        rig.send(OrderAccepted(order.order_id, rig.now_ns))
        if state is OrderState.UNKNOWN:
            rig.send(OutcomeUnknown(order.order_id, rig.now_ns, "timeout"))
        else:
            rig.command(Act.CANCEL_ALL)
    assert order.state == state
    order.deadline_ns = 0
    return order


@pytest.mark.parametrize("state", [OrderState.SUBMITTED, OrderState.PENDING_CANCEL, OrderState.UNKNOWN])
def test_an_order_that_waits_too_long_is_told_once_and_asked_about(state: OrderState) -> None:
    """FV-01."""
    rig = Rig(paper=False, stuck_order_ns=45 * SECOND)
    order = waiting(rig, state)
    asked = len(rig.of(Query))
    since_ns = order.since_ns
    rig.send(Wake(since_ns + 45 * SECOND - 1))
    assert not rig.of(OrderStuck)
    rig.send(Wake(since_ns + 45 * SECOND))
    (stuck,) = rig.of(OrderStuck)
    assert (stuck.order_id, stuck.state, stuck.since_ns) == (order.order_id, state, since_ns)
    assert len(rig.of(Query)) == asked + 1
    assert [alert.kind for alert in rig.of(Alert)][-1] == AlertKind.STUCK_ORDER
    rig.send(Wake(since_ns + 500 * SECOND))
    assert len(rig.of(OrderStuck)) == 1
    assert rig.engine.state.tally.stuck == 1
    rig.now_ns = since_ns + 500 * SECOND
    rig.send(OrderCanceled(order.order_id, rig.now_ns))
    assert not rig.engine.state.ended_orders[order.order_id].stuck


def test_an_order_that_works_may_wait_as_long_as_it_likes() -> None:
    rig = Rig(paper=False)
    rig.propose(entry="99.5")
    (order,) = rig.engine.state.orders.values()
    rig.send(OrderAccepted(order.order_id, rig.now_ns))
    order.deadline_ns = 0
    rig.send(Wake(rig.now_ns + 1_000 * SECOND))
    assert not rig.of(OrderStuck)


def test_an_amend_nobody_answers_is_told_given_up_and_asked_for_again() -> None:
    rig = Rig(paper=False, resting_stops=True)
    rig.propose()
    (entry,) = rig.of(Submit)
    for number in range(2):
        at = rig.now_ns
        rig.send(Fill(f"f{number}", entry.order_id, SYMBOL, at, at, entry.qty // 2, d("100.1"), 0, Role.TAKER))
    stop = rig.engine.state.orders[rig.engine.state.holdings[SYMBOL].stop_order_id]
    target = rig.engine.state.orders[rig.engine.state.holdings[SYMBOL].target_order_id]
    for leg in (stop, target):
        rig.send(OrderAccepted(leg.order_id, rig.now_ns))
    assert bool(stop.asked)
    rig.now_ns += 61 * SECOND
    rig.send(Wake(rig.now_ns))
    assert {stuck.order_id for stuck in rig.of(OrderStuck)} == {stop.order_id, target.order_id}
    assert not bool(stop.asked)
    rig.send(OrderAccepted(stop.order_id, rig.now_ns))  # what the query found: it works
    assert [amend.order_id for amend in rig.of(Amend)] == 2 * [stop.order_id, target.order_id]


# --- an order the desk wants back ---


def test_a_refused_cancel_asks_the_venue_and_is_tried_again_until_the_order_has_ended() -> None:
    """FV-22."""
    rig = Rig(paper=False)
    rig.propose(entry="99.5")
    (order,) = rig.engine.state.orders.values()
    rig.send(OrderAccepted(order.order_id, rig.now_ns))
    rig.command(Act.CANCEL_ALL)
    rig.send(CancelRefused(order.order_id, rig.now_ns, "venue_refused", "busy"))
    assert [query.order_id for query in rig.of(Query)] == [order.order_id]
    refused_ns = rig.now_ns
    rig.send(Wake(refused_ns + CANCEL_RETRY_NS - 1))
    assert len(rig.of(Cancel)) == 1
    rig.send(Wake(refused_ns + CANCEL_RETRY_NS))
    assert len(rig.of(Cancel)) == 2
    rig.send(OrderCanceled(order.order_id, rig.now_ns))
    rig.send(Wake(refused_ns + 20 * CANCEL_RETRY_NS))
    assert len(rig.of(Cancel)) == 2


def test_a_cancel_sent_in_doubt_is_not_forgotten_when_the_order_is_found_working() -> None:
    rig = Rig(paper=False)
    rig.propose(entry="99.5")
    (order,) = rig.engine.state.orders.values()
    rig.send(OutcomeUnknown(order.order_id, rig.now_ns, "timeout"))
    assert [cancel.order_id for cancel in rig.of(Cancel)] == [order.order_id], "in doubt, entries are taken back"
    rig.send(OrderAccepted(order.order_id, rig.now_ns))
    rig.now_ns += CANCEL_RETRY_NS
    rig.send(Wake(rig.now_ns))
    assert len(rig.of(Cancel)) == 2
    assert order.state is OrderState.PENDING_CANCEL


def test_an_order_that_is_to_end_takes_no_amend() -> None:
    rig = Rig(paper=False, resting_stops=True)
    rig.propose(entry="99.5")
    (order,) = rig.engine.state.orders.values()
    order.cancel_reason = "enough"
    rig.engine.trading.blotter.amend(order, Terms(order.qty * 2, order.price, 0), "more")
    assert not rig.of(Amend) and order.asked is None


# --- refused ---


def test_the_brokers_rejects_are_counted_a_day_beside_the_orders_sent() -> None:
    rig = Rig(("BTCUSDT", "ETHUSDT"), paper=False)
    for symbol in ("BTCUSDT", "ETHUSDT"):
        rig.quote("100", "100.1", symbol=symbol)
        rig.propose(entry="99.5", symbol=symbol)
    first, second = rig.of(Submit)
    rig.send(OrderRefused(first.order_id, rig.now_ns, "venue_refused", "no"))
    rig.send(OrderRefused(second.order_id, rig.now_ns, "kill", "the gate was closed before it left"))
    assert (rig.engine.state.day_orders, rig.engine.state.day_rejects) == (2, 1)
    rig.quote("100", "100.1", seconds=86_400)
    rolled = rig.of(DayRolled)[-1]
    assert (rolled.orders, rolled.rejects) == (2, 1)
    assert (rig.engine.state.day_orders, rig.engine.state.day_rejects) == (0, 0)


def test_a_refused_amend_or_cancel_is_no_reject() -> None:
    rig = Rig(paper=False)
    rig.propose(entry="99.5")
    (submit,) = rig.of(Submit)
    rig.send(AmendRefused(submit.order_id, rig.now_ns, "venue_refused"))
    rig.send(CancelRefused(submit.order_id, rig.now_ns, "venue_refused"))
    assert rig.engine.state.tally.rejects == 0


# --- through flat ---


def test_a_fill_that_turns_the_position_over_ends_one_trade_and_begins_another(rig: Rig) -> None:
    sent(rig, "2")
    sent(rig, "-3")
    (trade,) = rig.of(TradeClosed)
    assert (trade.side, trade.qty, trade.entry_price, trade.exit_price) == (Side.LONG, d(2), d("100.1"), d(100))
    holding = rig.engine.state.holdings[SYMBOL]
    assert (holding.side, holding.entered_qty, holding.fees) == (Side.SHORT, d(-1), 0)
    assert rig.engine.state.positions[SYMBOL].qty == d(-1)
    assert rig.engine.trading.bookkeeping.difference() == ""
    rig.command(Act.FLATTEN)
    rig.quote("100", "100.1")
    first, second = rig.of(TradeClosed)
    assert second.side is Side.SHORT
    assert first.pnl + second.pnl == sum(fill.realized - fill.fee for fill in rig.of(FillBooked))
    check_books(rig)


def test_an_order_that_was_given_up_and_arrives_after_all_is_cancelled_and_what_it_filled_is_booked() -> None:
    rig = Rig(paper=False)
    rig.propose()
    (entry,) = rig.of(Submit)
    rig.send(OutcomeUnknown(entry.order_id, rig.now_ns, "no answer"))
    rig.send(OrderMissing(entry.order_id, rig.now_ns))
    assert not rig.engine.state.orders
    before = len(rig.of(Cancel))
    rig.send(OrderAccepted(entry.order_id, rig.now_ns, "9"))
    assert [cancel.order_id for cancel in rig.of(Cancel)[before:]] == [entry.order_id]
    assert AlertKind.LATE_ORDER in [alert.kind for alert in rig.of(Alert)]
    rig.send(Fill("f1", entry.order_id, SYMBOL, rig.now_ns, rig.now_ns, d(1), d("100.1"), 0, Role.TAKER))
    assert rig.of(FillBooked)[-1].late
    assert rig.engine.state.positions[SYMBOL].qty == d(1)
    assert rig.engine.state.holdings[SYMBOL].stop  # as the entry had planned it


def test_a_repeated_acknowledgement_of_an_order_that_was_cancelled_asks_for_nothing() -> None:
    rig = Rig(paper=False)
    rig.propose()
    (entry,) = rig.of(Submit)
    rig.send(OrderAccepted(entry.order_id, rig.now_ns, "9"))
    rig.send(OrderCanceled(entry.order_id, rig.now_ns))
    rig.send(OrderAccepted(entry.order_id, rig.now_ns, "9"))
    assert not rig.of(Cancel)


def test_a_late_fill_of_a_close_that_opens_a_position_is_closed_again() -> None:
    rig = Rig(paper=False)
    rig.propose()
    (entry,) = rig.of(Submit)
    rig.send(Fill("f1", entry.order_id, SYMBOL, rig.now_ns, rig.now_ns, entry.qty, d("100.1"), 0, Role.TAKER))
    target = rig.of(Submit)[-1]
    rig.send(Fill("f2", target.order_id, SYMBOL, rig.now_ns, rig.now_ns, target.qty, d(103), 0, Role.MAKER))
    assert not rig.engine.state.positions
    rig.send(Fill("f3", target.order_id, SYMBOL, rig.now_ns, rig.now_ns, d(-1), d(103), 0, Role.MAKER))
    (held,) = rig.engine.state.comparison.suspects.values()
    rig.command(Act.RECONCILE, "the venue has it", held.id)
    assert rig.of(FillBooked)[-1].late
    assert AlertKind.UNPLANNED_POSITION in [alert.kind for alert in rig.of(Alert)]
    rig.now_ns += SECOND
    rig.send(Wake(rig.now_ns))
    close = rig.of(Submit)[-1]
    assert (close.kind, close.qty, close.reduce_only) == (OrderKind.MARKET, d(1), True)
    rig.send(Fill("f4", close.order_id, SYMBOL, rig.now_ns, rig.now_ns, d(1), d(103), 0, Role.TAKER))
    assert rig.of(TradeClosed)[-1].exit_reason is ExitReason.FORCE_CLOSE
    assert not [cancel for cancel in rig.of(Cancel) if cancel.order_id == close.order_id]


def test_state_with_orders_of_every_kind_survives_a_snapshot() -> None:
    rig = Rig()
    rig.propose(qty="0.5")
    rig.quote("100", "100.1", qty="0.5")  # a bracket, and amends on their way
    assert any(order.asked for order in rig.engine.state.orders.values())
    restored = Engine(lambda _: (Scripted(),), rig.engine.snapshot())
    assert restored.state_hash() == rig.engine.state_hash()
    assert msgspec.msgpack.encode(restored.state) == msgspec.msgpack.encode(rig.engine.state)
