"""Fills that cannot be: held apart, told, and settled by an operator alone."""

from typing import Any

import pytest

from engine.core.engine import Engine
from engine.core.events import Act, BookPosition, Fill, OrderCanceled, Role
from engine.core.facts import Alert, DiscrepancyChanged, FillBooked, SignalEnded
from engine.core.orders import Order
from engine.core.words import AlertKind, BlockReason, OrderState, ReasonCode
from tests.core.test_order_facts import entered, fill_of
from tests.core.test_reconciliation import blocked, read
from tests.rig import SYMBOL, Rig, Scripted, d

OTHER = "ETHUSDT"


def told(order: Order, rig: Rig, **changes: Any) -> Fill:
    """A fill of five units at the order's price, but for `changes`."""
    values: dict[str, Any] = {"fill_id": "f1", "symbol": SYMBOL, "qty": d(5), "price": d("99.5"), "fee": 0} | changes
    return Fill(client_order_id=order.order_id, at_ns=rig.now_ns, venue_ns=rig.now_ns, role=Role.MAKER, **values)


@pytest.mark.parametrize(
    ("changes", "flaw"),
    [
        ({"qty": d(21)}, "it makes 21 filled of 20 ordered"),
        ({"qty": d(-5)}, "its quantity is -5, the order's 20"),
        ({"qty": 0}, "its quantity is 0, the order's 20"),
        ({"price": 0}, "its price is 0"),
        ({"price": d("-99.5")}, "its price is -99.5"),
        ({"price": d(99_500)}, "its price is 99500, the market's 100.05"),
        ({"price": d("0.0995")}, "its price is 0.0995, the market's 100.05"),
        ({"symbol": OTHER}, f"it is in {OTHER}, the order in {SYMBOL}"),
    ],
)
def test_a_fill_that_cannot_be_is_held_apart_told_and_stops_entries(changes: dict[str, Any], flaw: str) -> None:
    """FV-11."""
    rig, order = entered()
    fill = told(order, rig, **changes)
    for _ in range(2):
        rig.send(fill)
    (change,) = rig.of(DiscrepancyChanged)
    assert (change.kind, change.subject, change.ours) == ("fill", "f1", "not booked")
    assert change.theirs.endswith(f" for {order.order_id}: {flaw}")
    assert rig.engine.state.held_fills == {"f1": fill}
    assert not rig.of(FillBooked) and not rig.engine.state.positions and order.filled_qty == 0
    (alert,) = rig.of(Alert)
    assert alert.kind is AlertKind.IMPOSSIBLE_FILL and flaw in alert.text
    assert blocked(rig)
    rig.send(OrderCanceled(order.order_id, rig.now_ns))
    rig.propose(entry="99.4")
    assert rig.of(SignalEnded)[-1].reason_code is ReasonCode.RECONCILIATION


@pytest.mark.parametrize(
    "changes", [{"qty": d(20)}, {"price": d("200.1")}, {"price": d("49.76")}, {"price": d(150)}, {"qty": d("0.001")}]
)
def test_a_fill_that_may_be_is_booked(changes: dict[str, Any]) -> None:
    rig, order = entered()
    rig.send(told(order, rig, **changes))
    assert len(rig.of(FillBooked)) == 1
    assert not rig.engine.state.held_fills and not blocked(rig)


def test_a_price_near_the_one_the_order_was_sent_at_is_believed_after_the_market_moved_far() -> None:
    rig, order = entered()
    rig.engine.state.symbols[SYMBOL].last = d(300)
    rig.send(told(order, rig))
    rig.send(told(order, rig, fill_id="f2", price=d(310)))
    assert [fill.price for fill in rig.of(FillBooked)] == [d("99.5"), d(310)]


def test_a_held_fill_survives_a_restart_and_is_not_held_twice() -> None:
    """FV-11."""
    rig, order = entered()
    fill = told(order, rig, qty=d(21))
    rig.send(fill)
    rig.engine = Engine(lambda _: (Scripted(),), rig.engine.snapshot())
    rig.engine.state.fills_seen.clear()  # long forgotten there
    rig.send(fill)
    assert rig.engine.state.held_fills == {"f1": fill}
    assert len(rig.of(DiscrepancyChanged)) == 1
    assert blocked(rig)


def test_books_that_agree_let_a_held_fill_go_only_when_an_operator_asks() -> None:
    """FV-11."""
    rig, order = entered()
    rig.send(told(order, rig, qty=d(21)))
    for _ in range(5):
        read(rig, trigger="poll")
    assert blocked(rig) and rig.engine.state.held_fills
    rig.command(Act.RESUME)
    assert blocked(rig)
    read(rig, 1, trigger="request", positions=(BookPosition(SYMBOL, d(21), d("99.5")),))
    assert rig.engine.state.held_fills, "their books have what ours have not"
    read(rig, 1, trigger="request")
    assert not rig.engine.state.held_fills and not blocked(rig)
    gone = rig.of(DiscrepancyChanged)[-1]
    assert (gone.kind, gone.resolution) == ("fill", "both books agree again")
    assert not rig.of(FillBooked)


def test_an_operator_has_a_held_fill_booked_as_it_was_told() -> None:
    """FV-11."""
    rig, order = entered()
    rig.send(fill_of(order, "21", rig))
    (change,) = rig.of(DiscrepancyChanged)
    rig.command(Act.RECONCILE, "the venue gave one more", change.discrepancy_id)
    (booked,) = rig.of(FillBooked)
    assert (booked.qty, booked.price) == (d(21), d("99.5"))
    assert rig.engine.state.positions[SYMBOL].qty == d(21)
    assert order.state is OrderState.FILLED
    assert rig.of(DiscrepancyChanged)[-1].resolution == "adopted: the venue gave one more"
    assert not rig.engine.state.held_fills
    assert rig.engine.trading.bookkeeping.difference() == ""
    read(rig, 1, trigger="request")
    assert not blocked(rig)


def test_what_no_book_can_hold_is_not_booked_by_an_operator_either() -> None:
    rig, order = entered()
    rig.send(told(order, rig, price=0))
    (change,) = rig.of(DiscrepancyChanged)
    rig.command(Act.RECONCILE, "never mind", change.discrepancy_id)
    assert not rig.of(FillBooked) and blocked(rig)
    rig.engine.state.orders.clear()
    rig.command(Act.RECONCILE, "never mind", change.discrepancy_id)
    assert BlockReason.RECONCILIATION in rig.engine.state.blocks
