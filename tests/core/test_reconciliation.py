"""The desk's books against the broker's own: what differs, when it counts, what it stops, and what lifts it."""

from typing import Any

import pytest

from engine.core import money
from engine.core.config import MINUTE, SECOND
from engine.core.events import (
    Act,
    BookOrder,
    BookPosition,
    BrokerReconnected,
    Fill,
    OrderAccepted,
    OrderCanceled,
    OrderMissing,
    OutcomeUnknown,
    PhaseEntered,
    Role,
    RunStarted,
    SessionPhase,
    Wake,
)
from engine.core.facts import (
    Alert,
    Cancel,
    DiscrepancyChanged,
    FillBooked,
    OperatorActed,
    Query,
    ReadAccount,
    Reconciled,
    SignalEnded,
    Submit,
)
from engine.core.reconciliation import AGAIN_NS, CASH_TOLERANCE, POLL_NS, SEEN_MIN
from engine.core.words import AlertKind, BlockReason, OrderState, ReasonCode
from tests.rig import SYMBOL, Rig, d

LATER = SECOND


def at_venue(**config: Any) -> Rig:
    return Rig(paper=False, **config)


def holding() -> Rig:
    """A desk at a venue that holds 1 unit, its target working."""
    rig = at_venue()
    rig.propose()
    (entry,) = rig.of(Submit)
    rig.send(Fill("f1", entry.order_id, SYMBOL, rig.now_ns, rig.now_ns, entry.qty, d("100.1"), 0, Role.TAKER))
    for order in list(rig.engine.state.orders.values()):
        rig.send(OrderAccepted(order.order_id, rig.now_ns, "v"))
    rig.now_ns += LATER
    return rig


def read(rig: Rig, times: int = SEEN_MIN, **theirs: Any) -> None:
    """The venue's books are read, again and again, a second apart."""
    for _ in range(times):
        rig.now_ns += LATER
        rig.books(**theirs)


def blocked(rig: Rig) -> bool:
    return BlockReason.RECONCILIATION in rig.engine.state.blocks


def found(rig: Rig) -> list[tuple[str, str, str]]:
    """Kind, our side and theirs of all that was found and is not resolved."""
    gone = {change.discrepancy_id for change in rig.of(DiscrepancyChanged) if change.resolution}
    return [(c.kind, c.ours, c.theirs) for c in rig.of(DiscrepancyChanged) if c.discrepancy_id not in gone]


# --- when books are compared ---


def test_nothing_is_entered_at_a_venue_before_the_books_have_been_compared() -> None:
    rig = at_venue(running=False)
    rig.send(PhaseEntered(rig.now_ns, SessionPhase.SEEDING_HISTORY, SessionPhase.RUNNING))
    assert [effect.trigger for effect in rig.of(ReadAccount)] == ["start"]
    rig.propose()
    (ended,) = rig.of(SignalEnded)
    assert ended.reason_code is ReasonCode.RECONCILIATION
    rig.books()
    assert [(done.trigger, done.clean) for done in rig.of(Reconciled)] == [("start", True)]
    rig.propose()
    assert rig.of(Submit)


def test_books_that_were_compared_during_the_start_are_not_read_again_at_once() -> None:
    rig = at_venue(running=False)
    rig.books()
    assert not blocked(rig)
    rig.send(PhaseEntered(rig.now_ns, SessionPhase.SEEDING_HISTORY, SessionPhase.RUNNING))
    assert not rig.of(ReadAccount)
    rig.now_ns += POLL_NS
    rig.send(Wake(rig.now_ns))
    assert [effect.trigger for effect in rig.of(ReadAccount)] == ["poll"]


def test_books_are_read_after_a_reconnect_after_doubt_at_the_days_end_and_on_request() -> None:
    rig = holding()
    rig.facts.clear()
    rig.send(BrokerReconnected(rig.now_ns))
    (order, *_) = rig.engine.state.orders
    rig.send(OutcomeUnknown(order, rig.now_ns, "no answer"))
    rig.send(OrderAccepted(order, rig.now_ns, "v"))
    rig.command(Act.RECONCILE)
    rig.now_ns = rig.engine.desk.day_end_ns
    rig.send(Wake(rig.now_ns))
    asked = [effect.trigger for effect in rig.of(ReadAccount)]
    assert [trigger for trigger in asked if trigger != "poll"][:4] == ["reconnect", "unknown", "request", "day"]


def test_books_are_read_every_few_seconds_and_a_poll_without_news_leaves_no_record() -> None:
    rig = holding()
    read(rig, 1)
    rig.facts.clear()
    for _ in range(3):
        rig.now_ns += POLL_NS + 1
        rig.send(Wake(rig.now_ns))
        rig.books("poll")
    assert [effect.trigger for effect in rig.of(ReadAccount)] == ["poll"] * 3
    assert not rig.of(Reconciled)


# --- what differs ---


@pytest.mark.parametrize(
    ("theirs", "difference"),
    [
        ({"positions": ()}, ("position", "10", "0")),
        ({"positions": (BookPosition(SYMBOL, d(9), d("100.1")),)}, ("position", "10", "9")),
        ({"positions": (BookPosition(SYMBOL, d(-10), d("100.1")),)}, ("position", "10", "-10")),
        ({"positions": (BookPosition(SYMBOL, d(10), d("100.4")),)}, ("entry_price", "100.1", "100.4")),
    ],
)
def test_a_position_that_differs_is_named(theirs: dict[str, Any], difference: tuple[str, str, str]) -> None:
    """FV-10."""
    rig = holding()
    qty = rig.engine.state.positions[SYMBOL].qty
    assert qty > 0
    scaled = tuple(
        BookPosition(p.symbol, money.div(money.mul(p.qty, qty), d(10)), p.entry_price) for p in theirs["positions"]
    )
    read(rig, positions=scaled)
    ((kind, ours, there),) = found(rig)
    assert kind == difference[0]
    if kind == "position":
        assert (d(ours), d(there)) == (qty, scaled[0].qty if scaled else 0)
    else:
        assert (ours, there) == difference[1:]
    assert blocked(rig)


def test_an_entry_price_within_a_tick_agrees_and_one_beyond_it_does_not() -> None:
    tick = holding().engine.desk.instruments[SYMBOL].tick
    for excess, names in ((tick, []), (tick + 1, ["entry_price"])):
        rig = holding()
        position = rig.engine.state.positions[SYMBOL]
        price = money.div(position.cost, position.qty) + excess
        read(rig, positions=(BookPosition(SYMBOL, position.qty, price),))
        assert [kind for kind, *_ in found(rig)] == names


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda orders: (), "missing_order"),
        (lambda orders: (*orders, *orders), "duplicate_order"),
        (lambda orders: (*orders, BookOrder("other-1", "v9", SYMBOL, d(1), 0)), "foreign_order"),
        (lambda orders: (*orders, BookOrder("", "v9", SYMBOL, d(1), 0)), "foreign_order"),
        (lambda orders: (BookOrder(orders[0].client_order_id, "v", SYMBOL, d(-10), d(-1)),), "order_fill"),
    ],
)
def test_an_order_that_differs_is_named(change: Any, kind: str) -> None:
    """FV-08."""
    rig = holding()
    orders = tuple(BookOrder(o.order_id, "v", o.symbol, o.qty, 0) for o in rig.engine.state.orders.values())
    assert len(orders) == 1
    read(rig, orders=change(orders))
    assert [difference[0] for difference in found(rig)] == [kind]
    assert blocked(rig)


def test_an_order_that_ended_here_and_works_there_is_a_phantom_and_is_taken_back() -> None:
    rig = at_venue()
    rig.propose(entry="99.5")
    (entry,) = rig.of(Submit)
    rig.send(OutcomeUnknown(entry.order_id, rig.now_ns, "no answer"))
    rig.send(OrderMissing(entry.order_id, rig.now_ns))
    rig.facts.clear()
    read(rig, orders=(BookOrder(entry.order_id, "v", SYMBOL, entry.qty, 0),))
    assert [cancel.order_id for cancel in rig.of(Cancel)] == [entry.order_id]
    assert [kind for kind, *_ in found(rig)] == ["phantom_order"]


def test_cash_is_compared_while_nothing_is_held_from_what_it_was_at_first() -> None:
    for off, names in ((CASH_TOLERANCE, []), (CASH_TOLERANCE + 1, ["cash"])):
        rig = at_venue()
        read(rig, 1, cash=d(777))  # the account may hold other money than the desk's
        assert not found(rig)
        read(rig, cash=d(777) - off)
        assert [kind for kind, *_ in found(rig)] == names


# --- when a difference counts ---


def test_what_is_on_its_way_is_no_discrepancy() -> None:
    rig = holding()
    read(rig, SEEN_MIN - 1, positions=())
    assert not found(rig)
    assert not blocked(rig)
    read(rig, 1)
    assert not rig.of(DiscrepancyChanged)


def test_what_changed_here_since_the_books_were_asked_for_is_passed_over() -> None:
    rig = holding()
    for _ in range(SEEN_MIN + 1):
        rig.now_ns += LATER
        asked_ns = rig.now_ns
        rig.engine.state.comparison.touched[SYMBOL] = asked_ns + 1
        rig.books(positions=())
    assert not found(rig)


def test_a_difference_that_changes_is_counted_anew() -> None:
    rig = holding()
    for qty in (1, 2, 3, 4):
        read(rig, SEEN_MIN - 1, positions=(BookPosition(SYMBOL, d(qty), d("100.1")),))
    assert not found(rig)


def test_at_the_first_sight_the_orders_it_may_come_from_are_asked_about_and_books_are_read_again_soon() -> None:
    rig = holding()
    rig.facts.clear()
    read(rig, 1, positions=())
    assert [query.order_id for query in rig.of(Query)] == list(rig.engine.state.orders)
    rig.now_ns += LATER + 1
    rig.send(Wake(rig.now_ns))
    assert rig.of(ReadAccount)


def test_a_trade_the_venue_takes_back_is_noticed_told_and_stops_entries_until_a_person_adopts_it() -> None:
    """FV-21. The venue sends no word of it: its books are without the trade, and the fill here stays as it was."""
    rig = holding()
    fills = len(rig.of(FillBooked))
    read(rig, positions=())
    ((kind, ours, theirs),) = found(rig)
    assert (kind, d(theirs)) == ("position", 0) and d(ours) > 0
    assert blocked(rig)
    (told,) = [alert for alert in rig.of(Alert) if alert.kind is AlertKind.RECONCILIATION]
    assert SYMBOL in told.text
    assert len(rig.of(FillBooked)) == fills and rig.engine.state.positions, "nothing is booked on its own"
    rig.propose()
    assert rig.of(SignalEnded)[-1].reason_code is ReasonCode.RECONCILIATION
    change = rig.of(DiscrepancyChanged)[-1]
    rig.command(Act.RECONCILE, "the venue busted the trade", change.discrepancy_id)
    assert not rig.engine.state.positions
    assert len(rig.of(FillBooked)) == fills + 1, "the reversal is an entry of its own"
    read(rig, 1)
    assert not blocked(rig)


# --- what lifts it ---


def test_a_discrepancy_stops_entries_alerts_and_is_lifted_by_books_that_agree_alone() -> None:
    """FV-10."""
    rig = holding()
    read(rig, positions=())
    (change,) = rig.of(DiscrepancyChanged)
    assert change.first_seen_ns < change.at_ns
    assert [alert.kind for alert in rig.of(Alert)] == [AlertKind.RECONCILIATION]
    rig.command(Act.RESUME)
    assert blocked(rig)
    read(rig, 1)
    assert not blocked(rig)
    gone = rig.of(DiscrepancyChanged)[-1]
    assert (gone.discrepancy_id, gone.resolution) == (change.discrepancy_id, "both books agree again")
    assert [alert.kind for alert in rig.of(Alert)] == [AlertKind.RECONCILIATION, AlertKind.RECONCILED]


def test_books_are_read_soon_again_until_a_difference_counts_and_then_at_the_usual_pace() -> None:
    rig = holding()
    rig.command(Act.RECONCILE)
    waits = []
    for _ in range(SEEN_MIN + 2):
        rig.now_ns += LATER
        rig.books(positions=(), trigger=rig.engine.state.comparison.trigger or "poll")
        waits.append(rig.engine.state.comparison.due_ns - rig.now_ns)
        rig.engine.state.comparison.due_ns = rig.now_ns + POLL_NS  # as when the books were asked for
    assert waits == [AGAIN_NS, AGAIN_NS, POLL_NS - LATER, POLL_NS - LATER, POLL_NS - LATER]
    assert [done.trigger for done in rig.of(Reconciled)][-SEEN_MIN:] == ["request"] * SEEN_MIN


def test_books_that_agree_do_not_lift_what_the_ledger_says() -> None:
    rig = holding()
    rig.engine.state.ledger_difference = "a cent is missing"
    rig.command(Act.BLOCK, "the books do not agree", BlockReason.RECONCILIATION.value)
    read(rig, 1)
    assert blocked(rig)


def test_a_discrepancy_survives_a_restart() -> None:
    """FP-27."""
    rig = holding()
    read(rig, positions=())
    rig.now_ns += LATER
    rig.send(RunStarted(rig.now_ns, "run2", rig.config))
    assert blocked(rig)
    assert [suspect.id for suspect in rig.engine.state.comparison.suspects.values()] == [
        rig.of(DiscrepancyChanged)[0].discrepancy_id
    ]


# --- the operator ---


def test_an_operator_adopts_the_brokers_position_by_name_and_with_a_reason() -> None:
    """FV-10."""
    rig = holding()
    read(rig, positions=())
    (change,) = rig.of(DiscrepancyChanged)
    rig.command(Act.RECONCILE, "", change.discrepancy_id)
    assert rig.engine.state.positions, "without a reason nothing is adopted"
    rig.command(Act.RECONCILE, "closed by hand at the venue", change.discrepancy_id)
    assert not rig.engine.state.positions
    assert rig.of(DiscrepancyChanged)[-1].resolution == "adopted: closed by hand at the venue"
    assert rig.engine.trading.bookkeeping.difference() == ""
    rig.send(OrderCanceled(next(iter(rig.engine.state.orders)), rig.now_ns))
    read(rig, 1)
    assert not blocked(rig)


def test_what_cannot_be_adopted_is_refused_with_the_way_out() -> None:
    rig = holding()
    orders = tuple(BookOrder(o.order_id, "v", o.symbol, o.qty, 0) for o in rig.engine.state.orders.values())
    read(rig, orders=(*orders, BookOrder("other-1", "v9", SYMBOL, d(1), 0)))
    (change,) = rig.of(DiscrepancyChanged)
    rig.command(Act.RECONCILE, "never mind", change.discrepancy_id)
    rig.command(Act.RECONCILE, "never mind", "nothing")
    assert blocked(rig)
    assert rig.of(DiscrepancyChanged) == [change]


def test_an_order_the_venue_has_no_longer_ends_when_an_operator_says_so_and_its_position_stays_protected() -> None:
    rig = holding()
    (target,) = rig.engine.state.orders.values()
    read(rig, orders=())
    (change,) = rig.of(DiscrepancyChanged)
    rig.command(Act.RECONCILE, "cancelled by hand at the venue", change.discrepancy_id)
    assert rig.engine.state.ended_orders[target.order_id].state is OrderState.CANCELED
    (again,) = rig.engine.state.orders.values()
    assert (again.order_id != target.order_id, again.qty) == (True, target.qty)


def test_a_position_is_not_adopted_at_a_price_nobody_knows() -> None:
    rig = at_venue()
    read(rig, positions=(BookPosition("OTHER", d(1), d(7)),))
    (change,) = rig.of(DiscrepancyChanged)
    rig.command(Act.RECONCILE, "it is mine", change.discrepancy_id)
    assert rig.of(OperatorActed)[-1].accepted is False
    assert "no price of OTHER is known" in rig.of(OperatorActed)[-1].text
    assert blocked(rig) and not rig.engine.state.positions


# --- the paper broker ---


def test_the_paper_brokers_own_ledger_is_compared_every_minute() -> None:
    rig = Rig()
    rig.enter()
    rig.now_ns += MINUTE
    rig.send(Wake(rig.now_ns))
    assert not rig.of(DiscrepancyChanged)
    assert rig.engine.paper is not None
    rig.engine.paper.state.ledger.positions[SYMBOL].qty -= d(1)  # its books alone
    rig.now_ns += MINUTE
    rig.send(Wake(rig.now_ns))
    for _ in range(2):
        rig.now_ns += 2 * SECOND
        rig.send(Wake(rig.now_ns))
    assert "position" in [kind for kind, *_ in found(rig)]
    assert blocked(rig)
