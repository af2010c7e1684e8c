"""Curves of characters: every column by its time, a gap level, no fall drawn away."""

from hypothesis import given
from hypothesis import strategies as st

from console.chart import bounds, columns, hanging, rising


def test_a_column_shows_the_newest_value_at_its_end_and_a_gap_is_level() -> None:
    points = [(0, 5), (10, 6), (90, 9), (100, 1)]
    assert columns(points, 10) == [6, 6, 6, 6, 6, 6, 6, 6, 9, 1]
    assert columns([], 10) == [] and columns([(7, 3)], 4) == [3, 3, 3, 3]


def test_the_lowest_value_is_a_foot_high_and_the_highest_fills_its_column() -> None:
    low, high = rising([(0, 0), (1, 0), (2, 100)], 2, 2, 0, 100)
    assert (low, high) == (" █", "▁█")


def test_what_is_next_to_nothing_looks_so() -> None:
    assert bounds([100, 102], 10) == (96, 106) and bounds([1, 50], 10) == (1, 50)
    assert rising([(0, 100), (1, 100)], 3, 2, *bounds([100], 10)) == ["   ", "███"]
    assert hanging([(0, 0), (9, 1)], 3, 2, 100) == ["  ▀", "   "]


def test_a_fall_hangs_from_its_peak_in_half_rows() -> None:
    assert hanging([(0, 0), (1, 50), (2, 100), (3, 25)], 4, 2, 100) == [" ██▀", "  █ "]


def test_a_fall_between_two_columns_is_not_drawn_away() -> None:
    points = [(at, 100 if at == 51 else 0) for at in range(101)]
    assert hanging(points, 10, 1, 100) == ["     █    "]


@given(
    st.lists(st.tuples(st.integers(0, 10**19), st.integers(0, 10**15)), max_size=60).map(sorted),
    st.integers(0, 50),
    st.integers(1, 9),
)
def test_every_chart_has_its_size(points: list[tuple[int, int]], width: int, height: int) -> None:
    values = [value for _, value in points]
    low, high = bounds(values, 10) if values else (0, 0)
    for drawn in (rising(points, width, height, low, high), hanging(points, width, height, high)):
        assert len(drawn) == height
        assert {len(row) for row in drawn} == {width}
