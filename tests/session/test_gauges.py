"""A gauge never flatters: its percentiles lie at or just above the true ones, its maximum is exact."""

import math

from hypothesis import given
from hypothesis import strategies as st

from engine.review.report import Percentiles
from engine.session.gauges import VALUE_MAX, Gauge, Memory


def nearest_rank(samples: list[int], percent: int) -> int:
    return sorted(samples)[max(1, math.ceil(len(samples) * percent / 100)) - 1]


def test_an_empty_gauge_is_all_zeros() -> None:
    gauge = Gauge()
    assert (gauge.count, gauge.max, gauge.percentile(99), gauge.recent(99)) == (0, 0, 0, 0)
    assert gauge.percentiles() == Percentiles(0, 0, 0, 0)


def test_small_values_are_counted_exactly() -> None:
    gauge = Gauge()
    for value in range(1, 21):
        gauge.add(value)
    assert gauge.percentiles() == Percentiles(10, 19, 20, 20)
    assert gauge.count == 20


@given(st.lists(st.integers(0, VALUE_MAX), min_size=1, max_size=60), st.integers(1, 100))
def test_a_percentile_is_never_below_the_true_one_and_at_most_a_thirty_second_above(
    samples: list[int], percent: int
) -> None:
    gauge = Gauge()
    for sample in samples:
        gauge.add(sample)
    true = nearest_rank(samples, percent)
    assert true <= gauge.percentile(percent) <= min(max(samples), true + true // 32 + 1)
    assert gauge.max == max(samples)
    assert gauge.count == len(samples)


def test_values_out_of_range_are_counted_at_the_ends() -> None:
    gauge = Gauge()
    gauge.add(-5)
    gauge.add(VALUE_MAX * 1_000)
    assert gauge.count == 2
    assert gauge.percentile(1) == 0
    assert gauge.percentile(100) == VALUE_MAX
    assert gauge.max == VALUE_MAX * 1_000


def test_recent_forgets_after_two_turns_and_the_run_does_not() -> None:
    gauge = Gauge()
    gauge.add(20)
    assert gauge.recent(99) == 20
    gauge.turn()
    gauge.add(3)
    assert gauge.recent(99) == 20
    gauge.turn()
    assert gauge.recent(99) == 3
    gauge.turn()
    assert gauge.recent(99) == 0
    assert (gauge.percentile(99), gauge.count, gauge.max) == (20, 2, 20)


def test_memory_remembers_its_peak() -> None:
    memory = Memory()
    now = memory.read()
    assert 5_000_000 < now <= memory.peak
    memory.peak = now + 1_000_000_000
    memory.read()
    assert memory.peak == now + 1_000_000_000
