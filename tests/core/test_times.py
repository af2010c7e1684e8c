"""Keeping in step."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.times import until_step


@given(st.integers(0, 2**62), st.integers(2, 10**10))
def test_the_next_step_is_a_multiple_half_a_period_to_one_and_a_half_away(now_ns: int, period_ns: int) -> None:
    left_ns = until_step(now_ns, period_ns)
    assert (now_ns + left_ns) % period_ns == 0
    assert abs(left_ns - period_ns) <= period_ns // 2 + 1


@pytest.mark.parametrize(("now_ns", "left_ns"), [(0, 100), (49, 51), (50, 150), (99, 101), (100, 100)])
def test_who_wakes_a_little_early_or_late_meets_the_others_at_the_next_step(now_ns: int, left_ns: int) -> None:
    assert until_step(now_ns, 100) == left_ns
