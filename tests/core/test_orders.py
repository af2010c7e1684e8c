"""The order state machine: what is listed happens, what is not listed raises."""

import itertools

import pytest

from engine.core.orders import (
    AMENDABLE,
    ENDED,
    TRANSITIONS,
    WITH_FILLS,
    IllegalTransition,
    Order,
    Terms,
    Trigger,
    on_tick,
    slippage,
)
from engine.core.words import OrderKind, OrderState, Purpose, Side, TimeInForce
from tests.rig import SYMBOL, d


def order(state: OrderState = OrderState.NEW, filled: str = "0") -> Order:
    made = Order(
        "run1-1-1", "s", "x", SYMBOL, Purpose.ENTRY, OrderKind.LIMIT, TimeInForce.GTC, d(2), d(100), False, d(100), 0
    )
    made.state, made.filled_qty, made.filled_value = state, d(filled), d(filled) * 100
    return made


@pytest.mark.parametrize(("state", "trigger"), list(itertools.product(OrderState, Trigger)))
def test_a_pair_moves_as_the_table_says_or_raises(state: OrderState, trigger: Trigger) -> None:
    moved = order(state)
    if (state, trigger) in TRANSITIONS:
        assert moved.move(trigger) is state
        assert moved.state is TRANSITIONS[state, trigger]
        touched = order(state, "1")
        touched.move(trigger)
        assert touched.state is WITH_FILLS.get(TRANSITIONS[state, trigger], TRANSITIONS[state, trigger])
    else:
        with pytest.raises(IllegalTransition):
            moved.move(trigger)
        assert moved.state is state


def test_nothing_leads_out_of_an_ended_state() -> None:
    assert not [state for state, _ in TRANSITIONS if state in ENDED]


def test_an_unknown_order_never_ends_by_time_only_by_evidence() -> None:
    """FV-09."""
    moved = order(OrderState.UNKNOWN)
    moved.move(Trigger.CANCEL_SENT)
    moved.move(Trigger.CANCEL_REFUSED)
    assert moved.state is OrderState.UNKNOWN


def test_a_refused_cancel_returns_to_what_the_fills_say() -> None:
    untouched, touched = order(OrderState.PENDING_CANCEL), order(OrderState.PENDING_CANCEL, "1")
    untouched.move(Trigger.CANCEL_REFUSED)
    touched.move(Trigger.CANCEL_REFUSED)
    assert (untouched.state, touched.state) == (OrderState.ACCEPTED, OrderState.PARTIALLY_FILLED)


def test_only_an_order_that_works_and_is_not_ending_takes_an_amend() -> None:
    assert {OrderState.SUBMITTED, OrderState.ACCEPTED, OrderState.PARTIALLY_FILLED} == AMENDABLE


def test_every_state_but_the_ended_ones_can_end_in_each_way_but_rejected() -> None:
    for state in set(OrderState) - ENDED - {OrderState.NEW}:
        ends = {TRANSITIONS.get((state, trigger)) for trigger in Trigger}
        assert {OrderState.FILLED, OrderState.CANCELED, OrderState.EXPIRED} <= ends


def test_an_order_that_an_amend_may_have_made_larger_is_not_whole_yet() -> None:
    made = order(OrderState.ACCEPTED, "2")
    assert made.is_whole
    for asked, whole in (("3", False), ("1", True)):
        made.asked = Terms(d(asked), d(100), 0)
        assert made.is_whole is whole


def test_the_average_price_is_value_over_quantity() -> None:
    assert order(filled="0").average_price == 0
    assert order(filled="1").average_price == d(100)


@pytest.mark.parametrize(
    ("expected", "qty", "price", "slip"),
    [
        ("100", "1", "100.5", "0.005"),
        ("100", "-1", "100.5", "-0.005"),
        ("100", "1", "99.5", "-0.005"),
        ("100", "-1", "99.5", "0.005"),
        ("100", "0.00000001", "100.5", "0.005"),
        ("0", "1", "99.5", None),
    ],
)
def test_slippage_is_above_zero_where_the_price_was_worse(
    expected: str, qty: str, price: str, slip: str | None
) -> None:
    assert slippage(d(expected), d(qty), d(price)) == (None if slip is None else d(slip))


@pytest.mark.parametrize(
    ("price", "side", "on"), [("99.57", Side.LONG, "99.5"), ("99.57", Side.SHORT, "99.6"), ("99.5", Side.LONG, "99.5")]
)
def test_a_limit_comes_onto_the_tick_and_never_costs_more_than_asked(price: str, side: Side, on: str) -> None:
    """FA-11."""
    assert on_tick(d(price), d("0.1"), side.sign) == d(on)


def test_an_illegal_move_names_the_order_its_state_and_what_came() -> None:
    with pytest.raises(IllegalTransition, match=r"^order run1-1-1 in ACCEPTED cannot take submit$") as raised:
        order(OrderState.ACCEPTED).move(Trigger.SUBMIT)
    assert raised.value.order_id == "run1-1-1"
