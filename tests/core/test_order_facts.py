"""What is put on record of an order and sent to the broker, step by step."""

from typing import Any

import pytest

from engine.core.blotter import CANCEL_RETRY_NS
from engine.core.config import SECOND
from engine.core.events import (
    Act,
    AmendRefused,
    CancelRefused,
    Fill,
    OrderAccepted,
    OrderAmended,
    OrderCanceled,
    OrderExpired,
    OrderMissing,
    OrderRefused,
    OutcomeUnknown,
    Role,
    Wake,
)
from engine.core.facts import (
    Alert,
    Amend,
    AmendRequested,
    Cancel,
    OrderChanged,
    OrderStuck,
    Query,
    SignalEnded,
    Submit,
)
from engine.core.orders import Order, Terms
from engine.core.words import AlertKind, OrderKind, OrderState, Purpose, TimeInForce
from tests.rig import SYMBOL, Rig, d

S = OrderState


def entered(**config: Any) -> tuple[Rig, Order]:
    """A desk at a venue with a working entry of 20 units at 99.5, acknowledged as v1."""
    rig = Rig(paper=False, **config)
    rig.propose(entry="99.5")
    (order,) = rig.engine.state.orders.values()
    rig.send(OrderAccepted(order.order_id, rig.now_ns, "v1"))
    return rig, order


def fill_of(order: Order, qty: str, rig: Rig, name: str = "f1") -> Fill:
    return Fill(name, order.order_id, SYMBOL, rig.now_ns, rig.now_ns, d(qty), d("99.5"), 0, Role.MAKER)


def sent_last_minute(rig: Rig) -> tuple[int, int]:
    """Orders and messages that count towards the pace."""
    pace = rig.engine.state.pace
    return pace.orders(rig.now_ns), pace.messages(rig.now_ns)


# --- to the broker ---


def test_an_order_is_on_record_as_it_leaves() -> None:
    rig = Rig(paper=False)
    rig.propose(entry="99.5")
    (order,) = rig.engine.state.orders.values()
    (submit,) = rig.of(Submit)
    assert submit == Submit(order.order_id, SYMBOL, d(20), OrderKind.LIMIT, TimeInForce.POST_ONLY, d("99.5"), False, 0)
    (changed,) = rig.of(OrderChanged)
    assert changed == OrderChanged(
        at_ns=rig.now_ns,
        order_id=order.order_id,
        signal_id=order.signal_id,
        strategy_id="scripted",
        symbol=SYMBOL,
        purpose=Purpose.ENTRY,
        kind=OrderKind.LIMIT,
        tif=TimeInForce.POST_ONLY,
        qty=d(20),
        price=d("99.5"),
        reduce_only=False,
        previous=S.NEW,
        state=S.SUBMITTED,
    )
    assert rig.facts.index(changed) < rig.facts.index(submit)
    state = rig.engine.state
    assert (state.tally.orders, state.day_orders) == (1, 1)
    assert sent_last_minute(rig) == (1, 1)


def test_stops_and_targets_that_rest_count_as_messages_and_not_as_orders() -> None:
    rig, entry = entered(resting_stops=True)
    rig.send(fill_of(entry, "20", rig))
    _, stop, target = rig.of(Submit)
    assert (stop.kind, stop.qty, stop.price, stop.stop_price) == (OrderKind.STOP, -d(20), 0, d(99))
    assert (target.kind, target.qty, target.price, target.stop_price) == (OrderKind.LIMIT, -d(20), d(103), 0)
    assert stop.reduce_only and target.reduce_only
    assert [fact.stop_price for fact in rig.of(OrderChanged) if fact.previous is S.NEW] == [0, d(99), 0]
    assert sent_last_minute(rig) == (1, 3)
    rig.command(Act.FLATTEN)
    assert sent_last_minute(rig) == (2, 6), "two cancels, and a market order that closes"


def test_every_answer_is_on_record_with_the_brokers_code_and_words() -> None:
    rig, order = entered()
    rig.send(fill_of(order, "5", rig))
    rig.send(OrderAccepted(order.order_id, rig.now_ns))
    rig.send(OrderCanceled(order.order_id, rig.now_ns, "venue"))
    accepted, part, again, end = [fact for fact in rig.of(OrderChanged) if fact.order_id == order.order_id][1:]
    assert [(fact.previous, fact.state) for fact in (accepted, part, again, end)] == [
        (S.SUBMITTED, S.ACCEPTED),
        (S.ACCEPTED, S.PARTIALLY_FILLED),
        (S.PARTIALLY_FILLED, S.PARTIALLY_FILLED),
        (S.PARTIALLY_FILLED, S.CANCELED),
    ]
    assert [(fact.filled_qty, fact.average_price) for fact in (accepted, part, again, end)] == [(0, 0)] + [
        (d(5), d("99.5"))
    ] * 3
    assert {fact.venue_order_id for fact in (accepted, part, again, end)} == {"v1"}, "an empty id takes none away"
    assert [(fact.reason_code, fact.text) for fact in (accepted, part, again, end)] == [("", "")] * 3 + [("venue", "")]
    assert order.order_id in rig.engine.state.ended_orders
    assert order.order_id not in rig.engine.state.orders


def test_a_refusal_is_on_record_in_the_brokers_words() -> None:
    rig = Rig(paper=False)
    rig.propose(entry="99.5")
    (submit,) = rig.of(Submit)
    rig.send(OrderRefused(submit.order_id, rig.now_ns, "venue_refused", "the book is closed"))
    end = rig.of(OrderChanged)[-1]
    assert (end.state, end.reason_code, end.text) == (S.REJECTED, "venue_refused", "the book is closed")
    (verdict,) = rig.of(SignalEnded)
    assert "the book is closed" in verdict.text


@pytest.mark.parametrize(
    ("end", "state", "text"),
    [
        (OrderExpired, S.EXPIRED, "expired"),
        (OrderCanceled, S.CANCELED, "requested"),
    ],
)
def test_an_end_nobody_asked_for_ends_the_signal_with_the_brokers_reason(
    end: type[OrderExpired | OrderCanceled], state: OrderState, text: str
) -> None:
    """FV-15."""
    rig, order = entered()
    rig.send(end(order.order_id, rig.now_ns))
    assert order.state is state
    assert [verdict.text for verdict in rig.of(SignalEnded)] == [text]


def test_only_the_brokers_own_no_is_a_reject() -> None:
    symbols = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
    rig = Rig(symbols, paper=False)
    for symbol in symbols:
        rig.propose(entry="99.5", symbol=symbol)
    first, second, third = (submit.order_id for submit in rig.of(Submit))
    for order_id in (first, second):
        rig.send(OrderRefused(order_id, rig.now_ns, "venue_refused", "no"))
    rig.send(OrderMissing(third, rig.now_ns))
    state = rig.engine.state
    assert not state.orders
    assert (state.tally.rejects, state.day_rejects, state.tally.orders) == (2, 2, 3), "the third never arrived"


def test_an_order_the_broker_made_itself_is_taken_over_as_one_that_works() -> None:
    rig, entry = entered()
    made = Order(
        *("own", "", "", SYMBOL, Purpose.CLOSE, OrderKind.MARKET, TimeInForce.IOC),
        *(-d(3), 0, True, d(100), rig.now_ns),
    )
    rig.engine.trading.blotter.adopt(made)
    told = [
        (fact.order_id, fact.previous, fact.state) for fact in rig.engine.desk.out if isinstance(fact, OrderChanged)
    ]
    assert told == [("own", S.NEW, S.SUBMITTED), ("own", S.SUBMITTED, S.ACCEPTED)]
    assert rig.engine.state.orders == {entry.order_id: entry, "own": made}
    assert rig.engine.state.tally.orders == 2
    assert not [item for item in rig.engine.desk.out if isinstance(item, Submit)], "nothing is sent for it"


# --- cancels ---


def test_a_cancel_is_sent_once_and_says_which_order() -> None:
    rig, order = entered()
    before = sent_last_minute(rig)
    rig.command(Act.CANCEL_ALL)
    rig.command(Act.CANCEL_ALL)
    assert rig.of(Cancel) == [Cancel(order.order_id, SYMBOL)]
    assert (order.state, order.cancel_reason) == (S.PENDING_CANCEL, "cancel-all by tester")
    assert sent_last_minute(rig) == (before[0], before[1] + 1)
    rig.send(OrderCanceled(order.order_id, rig.now_ns))
    rig.engine.trading.blotter.cancel(order, "once more")
    assert order.cancel_reason == "cancel-all by tester", "an order that has ended is not asked for"


def test_an_entry_that_outlives_its_time_is_taken_back() -> None:
    rig, order = entered(entry_timeout_ns=30 * SECOND)
    deadline_ns = rig.now_ns + 30 * SECOND
    blotter = rig.engine.trading.blotter
    assert blotter.next_due_ns() == deadline_ns
    rig.send(Wake(deadline_ns - 1))
    assert not rig.of(Cancel)
    rig.send(Wake(deadline_ns))
    assert rig.of(Cancel) == [Cancel(order.order_id, SYMBOL)]
    assert order.deadline_ns == 0
    assert blotter.next_due_ns() == deadline_ns + rig.config.stuck_order_ns, "an answer is waited for"
    rig.send(OrderCanceled(order.order_id, deadline_ns))
    assert [verdict.text for verdict in rig.of(SignalEnded)] == ["its time was up"]
    assert blotter.next_due_ns() == 0


def test_cancel_symbol_leaves_the_other_symbols_alone() -> None:
    rig = Rig(("BTCUSDT", "ETHUSDT"), paper=False)
    for symbol in rig.engine.desk.instruments:
        rig.propose(entry="99.5", symbol=symbol)
    rig.engine.trading.blotter.cancel_symbol("ETHUSDT", "halted")
    assert [(order.symbol, order.cancel_reason) for order in rig.engine.state.orders.values()] == [
        ("BTCUSDT", ""),
        ("ETHUSDT", "halted"),
    ]


def test_a_cancel_that_was_refused_is_due_again() -> None:
    rig, order = entered()
    order.deadline_ns = 0
    rig.command(Act.CANCEL_ALL, "lunch")
    rig.send(CancelRefused(order.order_id, rig.now_ns, "venue_refused", "busy"))
    refused = rig.of(OrderChanged)[-1]
    assert (refused.state, refused.reason_code, refused.text) == (S.ACCEPTED, "venue_refused", "busy")
    assert rig.of(Query) == [Query(order.order_id, SYMBOL)]
    assert rig.engine.trading.blotter.next_due_ns() == rig.now_ns + CANCEL_RETRY_NS
    rig.send(Wake(rig.now_ns + CANCEL_RETRY_NS))
    assert rig.of(Cancel) == [Cancel(order.order_id, SYMBOL)] * 2
    assert order.cancel_reason == "cancel-all by tester"


# --- amends ---

MORE = Terms(d(25), d("99.4"), d(98))


def test_an_amend_is_on_record_as_it_leaves_and_only_one_is_on_its_way() -> None:
    rig, order = entered()
    before = sent_last_minute(rig)
    blotter, desk = rig.engine.trading.blotter, rig.engine.desk
    blotter.amend(order, MORE, "more is wanted")
    blotter.amend(order, Terms(d(30), d("99.4"), 0), "and more")
    at_ns = rig.engine.state.at_ns
    assert desk.out == [
        AmendRequested(at_ns, order.order_id, order.signal_id, SYMBOL, d(25), d("99.4"), d(98), "more is wanted"),
        Amend(order.order_id, SYMBOL, d(25), d("99.4"), d(98)),
    ]
    assert (order.asked, order.since_ns, order.awaits) == (MORE, at_ns, True)
    assert sent_last_minute(rig) == (before[0], before[1] + 1)


def test_terms_that_stand_or_were_refused_are_not_asked_for() -> None:
    rig, order = entered()
    blotter = rig.engine.trading.blotter
    blotter.amend(order, order.terms, "the same")
    assert order.asked is None
    blotter.amend(order, MORE, "more")
    rig.send(AmendRefused(order.order_id, rig.now_ns, "venue_refused", "no"))
    assert (order.asked, order.refused, order.terms) == (None, MORE, Terms(d(20), d("99.5"), 0))
    refused = rig.of(OrderChanged)[-1]
    assert (refused.state, refused.reason_code, refused.text) == (S.ACCEPTED, "venue_refused", "no")
    rig.send(AmendRefused(order.order_id, rig.now_ns, "venue_refused", "no"))
    assert order.refused == MORE, "told twice, refused once"
    blotter.amend(order, MORE, "more")
    assert order.asked is None


def test_an_amend_that_took_is_what_the_order_stands_at() -> None:
    rig, order = entered()
    rig.engine.trading.blotter.amend(order, MORE, "more")
    rig.send(OrderAmended(order.order_id, rig.now_ns, MORE.qty, MORE.price, MORE.stop_price))
    assert (order.terms, order.asked, order.state) == (MORE, None, S.ACCEPTED)
    changed = rig.of(OrderChanged)[-1]
    assert (changed.qty, changed.price, changed.stop_price) == (d(25), d("99.4"), d(98))


@pytest.mark.parametrize("refuses", [True, False])
def test_an_order_filled_while_an_amend_was_on_its_way_ends_with_its_answer(refuses: bool) -> None:
    rig, order = entered()
    rig.engine.trading.blotter.amend(order, MORE, "more")
    rig.send(fill_of(order, "20", rig))
    assert rig.of(OrderChanged)[-1].state is not S.FILLED, "it may have been made larger"
    if refuses:
        rig.send(AmendRefused(order.order_id, rig.now_ns, "unknown_order"))
    else:  # an older amend's answer that comes again: it stands at 20
        rig.send(OrderAmended(order.order_id, rig.now_ns, d(20), d("99.5"), 0))
    assert order.state is S.FILLED


# --- an order that waits too long ---


def test_a_stuck_order_is_told_in_words_and_asked_about() -> None:
    rig, order = entered()
    rig.command(Act.CANCEL_ALL)
    since_ns = rig.now_ns
    at_ns = since_ns + 60 * SECOND
    rig.send(Wake(at_ns))
    assert rig.of(OrderStuck) == [
        OrderStuck(at_ns, order.order_id, SYMBOL, Purpose.ENTRY, S.PENDING_CANCEL, since_ns),
    ]
    said = f"BTCUSDT {order.order_id} has waited in PENDING_CANCEL for an answer"
    assert [(alert.kind, alert.text) for alert in rig.of(Alert)] == [(AlertKind.STUCK_ORDER, said)]
    assert rig.of(Query) == [Query(order.order_id, SYMBOL)]
    assert (order.stuck, rig.engine.state.tally.stuck) == (True, 1)
    assert rig.engine.trading.blotter.next_due_ns() == 0
    rig.send(OutcomeUnknown(order.order_id, at_ns, "timeout"))
    rig.send(Wake(at_ns + 60 * SECOND))
    assert rig.engine.state.tally.stuck == 2, "in another state it waits anew"


def test_a_stuck_amend_is_given_up_and_an_order_filled_meanwhile_ends() -> None:
    rig, order = entered(entry_timeout_ns=500 * SECOND)
    rig.engine.trading.blotter.amend(order, MORE, "more")
    rig.send(fill_of(order, "20", rig))
    rig.send(Wake(order.since_ns + 60 * SECOND))
    assert (order.asked, order.state) == (None, S.FILLED)
    assert [verdict.reason_code for verdict in rig.of(SignalEnded)] == ["filled"]
