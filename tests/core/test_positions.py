"""Positions: FIFO lots, exact money, nothing created or lost."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from engine.core import money
from engine.core.positions import Position
from tests.rig import d

FILLS = st.lists(
    st.tuples(
        st.integers(-500, 500).filter(bool).map(lambda n: n * money.SCALE // 100),
        st.integers(1, 10**6).map(lambda n: n * money.SCALE // 1000),
    ),
    max_size=30,
)


def test_the_oldest_lot_is_closed_first() -> None:
    position = Position("ACME")
    position.book(d(1), d(100), 1)
    position.book(d(1), d(120), 2)
    assert position.book(d(-1), d(130), 3) == d(30)
    assert (position.qty, position.cost) == (d(1), d(120))


def test_selling_through_flat_banks_profit_and_opens_a_short() -> None:
    position = Position("ACME")
    position.book(d(1), d(100), 1)
    assert position.book(d("-1.5"), d(120), 2) == d(20)
    assert (position.qty, position.cost) == (d("-0.5"), d(-60))


def test_a_short_gains_when_it_is_bought_back_lower() -> None:
    position = Position("ACME")
    position.book(d(-2), d(50), 1)
    assert position.unrealized(d(45)) == d(10)
    assert position.book(d(2), d(45), 2) == d(10)
    assert (position.qty, position.cost, position.lots) == (0, 0, [])


def test_average_price_is_cost_over_quantity_and_zero_when_flat() -> None:
    position = Position("ACME")
    assert position.average_price == 0
    position.book(d(1), d(100), 1)
    position.book(d(3), d(104), 2)
    assert position.average_price == d(103)


@given(FILLS)
def test_no_sequence_of_fills_creates_or_loses_money(fills: list[tuple[int, int]]) -> None:
    position, realized, cash = Position("ACME"), 0, 0
    for at, (qty, price) in enumerate(fills):
        realized += position.book(qty, price, at)
        cash -= money.mul(price, qty)
    assert realized - position.cost == cash
    assert position.qty == sum(lot.qty for lot in position.lots) == sum(qty for qty, _ in fills)
    assert position.cost == sum(lot.cost for lot in position.lots)


@given(FILLS)
def test_realized_profit_is_that_of_a_brute_force_fifo_within_rounding(fills: list[tuple[int, int]]) -> None:
    position, realized = Position("ACME"), 0
    queue: list[list[Fraction]] = []
    expected = Fraction(0)
    for at, (qty, price) in enumerate(fills):
        realized += position.book(qty, price, at)
        left, at_price = Fraction(qty), Fraction(price, money.SCALE)
        while left and queue and (queue[0][0] > 0) != (left > 0):
            closed = min(abs(queue[0][0]), abs(left)) * (1 if queue[0][0] > 0 else -1)
            expected += closed * (at_price - queue[0][1])
            queue[0][0] -= closed
            left += closed
            if not queue[0][0]:
                queue.pop(0)
        if left:
            queue.append([left, at_price])
    assert abs(realized - expected) <= 2 * (len(fills) + 1)
