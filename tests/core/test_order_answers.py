"""What odd answers do to an order, and what is told of them: fills nobody expects, late ones, unknown outcomes."""

import pytest

from engine.core.blotter import ENDED_ORDERS_KEPT, FILL_IDS_KEPT
from engine.core.config import SECOND
from engine.core.engine import Engine
from engine.core.events import (
    CancelRefused,
    Fill,
    OrderAccepted,
    OrderCanceled,
    OrderExpired,
    OrderMissing,
    OrderRefused,
    OutcomeUnknown,
    Role,
    RunStarted,
)
from engine.core.facts import (
    Alert,
    BlockChanged,
    Cancel,
    ErrorCounted,
    FillBooked,
    OrderChanged,
    Query,
    Submit,
)
from engine.core.words import AlertKind, BlockReason, OrderState
from tests.core.test_order_facts import MORE, entered, fill_of
from tests.rig import SYMBOL, Rig, Scripted, d, instrument

S = OrderState


def test_a_fill_of_no_order_is_an_error_and_stops_entries_until_someone_has_looked() -> None:
    rig = Rig(paper=False)
    rig.send(Fill("f9", "nobody", SYMBOL, rig.now_ns, 0, d(1), d(100), 0, Role.TAKER))
    text = "fill f9 belongs to no order of this desk"
    assert rig.of(ErrorCounted) == [ErrorCounted(rig.now_ns, "fills", text, "unknown-fill")]
    assert [(alert.kind, alert.text) for alert in rig.of(Alert)] == [(AlertKind.UNKNOWN_FILL, text)]
    assert rig.engine.state.blocks[BlockReason.RECONCILIATION].text == text
    assert not rig.of(FillBooked)


def test_a_fill_after_the_end_is_booked_and_told() -> None:
    rig, order = entered()
    rig.send(fill_of(order, "5", rig))
    rig.send(OrderCanceled(order.order_id, rig.now_ns))
    changes = len(rig.of(OrderChanged))
    rig.send(fill_of(order, "2", rig, "f2"))
    assert [fill.late for fill in rig.of(FillBooked)] == [False, True]
    assert (order.filled_qty, order.filled_value, order.state) == (d(7), d("696.5"), S.CANCELED)
    assert (AlertKind.LATE_FILL, "f2 after CANCELED") in [(alert.kind, alert.text) for alert in rig.of(Alert)]
    assert not [fact for fact in rig.of(OrderChanged)[changes:] if fact.order_id == order.order_id]


@pytest.mark.parametrize(("qty", "told"), [("20", False), ("25", False), ("26", True)])
def test_a_fill_beyond_the_order_says_that_its_amend_was_taken(qty: str, told: bool) -> None:
    rig, order = entered()
    rig.engine.trading.blotter.amend(order, MORE, "more")
    rig.send(fill_of(order, qty, rig))
    assert (AlertKind.IMPOSSIBLE_FILL in [alert.kind for alert in rig.of(Alert)]) is told
    assert (order.terms == MORE) is (qty == "25")


def test_only_the_newest_fills_and_ended_orders_are_remembered() -> None:
    rig, order = entered()
    state = rig.engine.state
    state.fills_seen = {f"old-{n}": None for n in range(FILL_IDS_KEPT)}
    state.ended_orders = {f"old-{n}": order for n in range(ENDED_ORDERS_KEPT)}
    rig.send(fill_of(order, "5", rig))
    assert (len(state.fills_seen), "old-0" in state.fills_seen, "old-1" in state.fills_seen) == (5_000, False, True)
    assert "f1" in state.fills_seen
    rig.send(OrderCanceled(order.order_id, rig.now_ns))
    assert (len(state.ended_orders), "old-0" in state.ended_orders) == (500, False)
    assert order.order_id in state.ended_orders


# --- in doubt ---


def test_an_unknown_outcome_stops_entries_until_every_order_is_known() -> None:
    rig = Rig(("BTCUSDT", "ETHUSDT"), paper=False)
    for symbol in rig.engine.desk.instruments:
        rig.propose(entry="99.5", symbol=symbol)
    first, second = rig.engine.state.orders.values()
    for order in (first, second):
        rig.send(OutcomeUnknown(order.order_id, rig.now_ns, "timeout"))
    unknown = [fact for fact in rig.of(OrderChanged) if fact.state is S.UNKNOWN]
    assert (unknown[0].order_id, unknown[0].text) == (first.order_id, "timeout")
    assert {query.order_id for query in rig.of(Query)} == {first.order_id, second.order_id}
    rig.send(OrderCanceled(first.order_id, rig.now_ns))
    assert BlockReason.UNKNOWN_ORDER in rig.engine.state.blocks
    rig.send(OrderCanceled(second.order_id, rig.now_ns))
    changes = [change for change in rig.of(BlockChanged) if change.reason is BlockReason.UNKNOWN_ORDER]
    assert [(change.active, change.text) for change in changes] == [
        (True, f"outcome of order {first.order_id} unknown"),
        (False, "every order's outcome is known"),
    ]


def test_after_a_restart_every_working_order_is_in_doubt_and_asked_about() -> None:
    """FP-28."""
    rig, order = entered()
    rig.engine.trading.blotter.amend(order, MORE, "more")
    rig.engine = Engine(lambda _: (Scripted(),), rig.engine.snapshot())
    rig.now_ns += SECOND
    out = rig.send(RunStarted(rig.now_ns, "run2", rig.config))
    (order,) = rig.engine.state.orders.values()
    assert (order.state, order.since_ns) == (S.UNKNOWN, rig.now_ns)
    assert order.asked is None, "what became of the amend is in the answer, too"
    withdrawn, doubted, *_ = (fact for fact in out if isinstance(fact, OrderChanged))
    assert withdrawn.state is S.PENDING_CANCEL, "a desk that starts enters nothing"
    assert (doubted.at_ns, doubted.state, doubted.text) == (rig.now_ns, S.UNKNOWN, "the desk was restarted")
    assert [query for query in out if isinstance(query, Query)] == [Query(order.order_id, SYMBOL)]


def test_an_outcome_unknown_twice_is_asked_about_twice() -> None:
    rig, order = entered()
    order.deadline_ns = 0
    for _ in range(2):
        rig.send(OutcomeUnknown(order.order_id, rig.now_ns, "timeout"))
    assert rig.of(Query) == [Query(order.order_id, SYMBOL)] * 2
    rig.send(CancelRefused(order.order_id, rig.now_ns, "unknown_order"))
    assert len(rig.of(Query)) == 3, "the refusal asks once, the state does not ask again"


def test_an_answer_of_an_order_that_ended_changes_nothing() -> None:
    rig, order = entered()
    rig.send(OrderCanceled(order.order_id, rig.now_ns))
    count = len(rig.facts)
    for late in (OrderAccepted(order.order_id, rig.now_ns, "v2"), OrderExpired(order.order_id, rig.now_ns)):
        rig.send(late)
    assert not [fact for fact in rig.facts[count:] if isinstance(fact, OrderChanged)]
    assert order.venue_order_id == "v1"


@pytest.mark.parametrize("late", [OrderAccepted, OrderExpired])
def test_an_order_that_was_given_up_and_works_after_all_is_told_and_taken_back(
    late: type[OrderAccepted | OrderExpired],
) -> None:
    rig = Rig(paper=False)
    rig.propose(entry="99.5")
    (submit,) = rig.of(Submit)
    rig.send(OrderMissing(submit.order_id, rig.now_ns))
    said = f"BTCUSDT {submit.order_id} was given up and has arrived after all; it is being cancelled"
    told = [Alert(rig.now_ns, AlertKind.LATE_ORDER, said), Cancel(submit.order_id, SYMBOL)]
    out = rig.send(late(submit.order_id, rig.now_ns))
    assert [item for item in out if isinstance(item, Alert | Cancel)] == (told if late is OrderAccepted else [])


def test_a_paper_order_that_was_refused_does_not_arrive_after_all() -> None:
    rig = Rig(instruments=(instrument(min_qty=d(1)),))
    rig.propose(entry="99.5")
    (order,) = rig.engine.state.orders.values()
    rig.send(OrderRefused(order.order_id, rig.now_ns, "venue_refused", "no"))
    out = rig.send(OrderAccepted(order.order_id, rig.now_ns))
    assert not [item for item in out if isinstance(item, Alert | Cancel)]
