"""Exact numbers: text to scaled integer and back, and the two places where rounding happens."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core import money

AMOUNTS = st.integers(-(10**24), 10**24)


@pytest.mark.parametrize(
    ("raw", "value"),
    [("1.5", 150_000_000), ("-0.00000001", -1), ("007", 7 * money.SCALE), (".5", 50_000_000), ("3.", 3 * money.SCALE)],
)
def test_a_plain_decimal_is_read_exactly(raw: str, value: int) -> None:
    assert money.parse(raw) == value


@pytest.mark.parametrize(
    "raw", ["", "-", ".", "1e5", "NaN", "inf", "1,5", " 1", "1 ", "0.123456789", "+1", "--1", "٣", "1" * 19, "1.2.3"]
)
def test_anything_else_is_refused(raw: str) -> None:
    with pytest.raises(money.NotExact):
        money.parse(raw)


def test_zeros_beyond_the_eighth_place_change_nothing() -> None:
    assert money.parse("1.230000000000") == money.parse("1.23")


@given(AMOUNTS)
def test_text_reads_back_as_the_same_number(value: int) -> None:
    assert money.parse(money.text(value)) == value


@given(AMOUNTS, st.integers(0, 8))
def test_text_with_places_rounds_half_away_from_zero(value: int, places: int) -> None:
    shown = Decimal(money.text(value, places))
    assert abs(shown - Decimal(value) / money.SCALE) <= Decimal(5) / 10 ** (places + 1)


@given(AMOUNTS, AMOUNTS)
def test_a_product_is_off_by_at_most_half_a_unit_and_keeps_its_sign(a: int, b: int) -> None:
    assert abs(money.mul(a, b) * money.SCALE - a * b) * 2 <= money.SCALE
    assert money.mul(-a, b) == -money.mul(a, b)


@given(AMOUNTS, AMOUNTS.filter(bool))
def test_a_quotient_is_off_by_at_most_half_a_unit(a: int, b: int) -> None:
    assert abs(money.div(a, b) * b - a * money.SCALE) * 2 <= abs(b)


@given(AMOUNTS, st.integers(1, 10**12))
def test_steps_bracket_the_value(value: int, step: int) -> None:
    low, high = money.floor_to(value, step), money.ceil_to(value, step)
    assert low <= value <= high
    assert low % step == high % step == 0
    assert high - low in (0, step)
