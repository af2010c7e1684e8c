"""Formats an operator reads: widths that hold, numbers that line up, times that seldom change."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.text import (
    BLANK,
    Span,
    Tone,
    amount,
    bar,
    both_ends,
    clock,
    cut_line,
    fit,
    heading,
    micros,
    percent,
    price,
    quantity,
    signed,
    timer,
    width_of,
    wrap,
)
from engine.core.money import parse
from engine.core.times import stretch

SECOND = 1_000_000_000
ANY_TEXT = st.text(alphabet=st.characters(), max_size=120)


@given(ANY_TEXT, st.integers(0, 60), st.booleans())
def test_whatever_is_fitted_takes_exactly_its_cells(text: str, width: int, right: bool) -> None:
    assert width_of((Span(fit(text, width, right=right)),)) == width


@given(st.lists(ANY_TEXT, max_size=6), st.integers(0, 60))
def test_a_cut_line_takes_exactly_its_cells(texts: list[str], width: int) -> None:
    line = tuple(Span(fit(text, 20)) for text in texts)
    assert width_of(cut_line(line, width)) == width


@given(ANY_TEXT, st.integers(1, 60))
def test_wrapped_lines_never_pass_their_width(text: str, width: int) -> None:
    assert all(width_of((Span(line),)) <= width for line in wrap(text, width))


def test_wide_characters_count_two_cells() -> None:
    assert fit("市价", 5) == "市价 "
    assert fit("市价单", 4) == "市…" + " "


def test_the_left_end_gives_way_to_the_right_end() -> None:
    line = both_ends((Span("a long left end"),), (Span("right"),), 12)
    assert "".join(span.text for span in line) == "a lon… right"


def test_a_heading_keeps_its_width_when_its_right_end_is_too_long() -> None:
    for width in (4, 10, 20, 40):
        assert width_of(cut_line(heading("Signals", (Span("31 raised, 1 in flight"),), width), width)) == width


@pytest.mark.parametrize(
    ("raw", "shown"), [("10012.345", "10,012.35"), ("-0.004", "0.00"), ("-1234.5", "-1,234.50"), ("0", "0.00")]
)
def test_money_is_grouped_and_rounded_to_cents(raw: str, shown: str) -> None:
    assert amount(parse(raw)) == shown


def test_a_gain_carries_its_sign() -> None:
    assert [signed(parse(raw)) for raw in ("1.5", "0", "-1.5")] == ["+1.50", "+0.00", "-1.50"]


@pytest.mark.parametrize(
    ("raw", "shown"), [("61204.5", "61204.50"), ("148.31", "148.310"), ("5.91", "5.9100"), ("0.5121", "0.512100")]
)
def test_a_price_has_the_places_its_size_asks_for(raw: str, shown: str) -> None:
    assert price(parse(raw)) == shown


@pytest.mark.parametrize(
    ("raw", "shown"), [("0.0061", "0.0061"), ("-2.2", "2.2"), ("742.0425698", "742.043"), ("1234567.5", "1234568")]
)
def test_a_quantity_is_exact_where_it_fits(raw: str, shown: str) -> None:
    assert quantity(parse(raw), 7) == shown


def test_times_are_told_in_the_coarsest_unit_that_serves() -> None:
    minute, hour, day = 60, 3600, 86_400
    seconds = (0, 59, 4 * minute + 5, 2 * hour + 14 * minute, 3 * day + 4 * hour)
    assert [stretch(one * SECOND) for one in seconds] == ["0s", "59s", "4m05s", "2h14m", "3d04h"]
    assert timer((3 * day + 4 * hour) * SECOND) == "3d 04:00:00"
    assert [micros(us) for us in (0, 400, 12_345, 1_234_567)] == ["0.0 ms", "0.4 ms", "12 ms", "1.2 s"]
    assert clock(1_767_614_587 * SECOND) == "12:03:07"


def test_a_bar_is_never_empty_above_zero_and_never_too_long() -> None:
    def filled(fraction: str) -> int:
        return len(bar(parse(fraction), 10)[0].text)

    assert [filled(fraction) for fraction in ("0", "0.001", "0.5", "1", "7", "-1")] == [0, 1, 5, 10, 10, 0]
    assert percent(parse("0.0042")) == "0.42 %"
    assert cut_line(BLANK, 3) == (Span("   ", Tone.PLAIN),)
