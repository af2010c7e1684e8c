"""Trading days and market hours: sessions, weekends, holidays, the end of what is known."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.calendar import Calendar, TradingDay, UnknownDays, shared
from engine.core.times import DAY, HOUR, MINUTE

THURSDAY = 20_454  # 2026-01-01
FRIDAY, MONDAY, TUESDAY = THURSDAY + 1, THURSDAY + 4, THURSDAY + 5


def session(day: int, open_hour: int = 14, close_hour: int = 21) -> tuple[int, int]:
    return day * DAY + open_hour * HOUR + 30 * MINUTE, day * DAY + close_hour * HOUR


NYSE = Calendar("NYSE", (session(THURSDAY), session(FRIDAY, close_hour=18), session(MONDAY), session(TUESDAY)))
ALWAYS = Calendar()


@pytest.mark.parametrize(
    ("at_ns", "is_open"),
    [
        (session(THURSDAY)[0] - 1, False),
        (session(THURSDAY)[0], True),
        (session(THURSDAY)[1] - 1, True),
        (session(THURSDAY)[1], False),
        (session(FRIDAY)[1] - 1, False),  # an early close
        (session(MONDAY)[0] - DAY, False),  # a weekend
        (session(TUESDAY)[1] + DAY, False),  # nothing is known any more
    ],
)
def test_a_market_is_open_in_its_sessions_only(at_ns: int, is_open: bool) -> None:
    assert NYSE.is_open(at_ns) is is_open
    assert ALWAYS.is_open(at_ns)


def test_the_next_opening_and_closing_are_known_as_far_as_the_list_goes() -> None:
    thursday, friday, monday, tuesday = NYSE.sessions
    assert NYSE.next_open_ns(thursday[0] - 1) == thursday[0]
    assert NYSE.next_open_ns(thursday[0]) == 0, "it is open"
    assert NYSE.next_open_ns(friday[1]) == monday[0]
    assert NYSE.next_open_ns(tuesday[1]) == 0
    assert NYSE.next_change_ns(friday[0]) == friday[1]
    assert NYSE.next_change_ns(friday[1]) == monday[0]
    assert NYSE.next_change_ns(tuesday[1]) == 0
    assert ALWAYS.next_change_ns(thursday[0]) == ALWAYS.next_open_ns(thursday[0]) == 0


def test_a_trading_day_ends_with_its_session_and_a_weekend_belongs_to_monday() -> None:
    friday, monday = NYSE.sessions[1], NYSE.sessions[2]
    assert NYSE.day_at(friday[1] - 1) == TradingDay(FRIDAY, friday[1])
    assert NYSE.day_at(friday[1]) == TradingDay(MONDAY, monday[1])
    assert NYSE.day_at((FRIDAY + 2) * DAY) == TradingDay(MONDAY, monday[1])
    assert ALWAYS.day_at(friday[1]) == TradingDay(FRIDAY, (FRIDAY + 1) * DAY)


def test_past_the_last_session_days_are_utc_days() -> None:
    assert NYSE.day_at(NYSE.sessions[-1][1] + HOUR) == TradingDay(TUESDAY, (TUESDAY + 1) * DAY)


def test_scheduled_days_leave_out_weekends_and_holidays() -> None:
    assert NYSE.scheduled(THURSDAY, TUESDAY) == [THURSDAY, FRIDAY, MONDAY, TUESDAY]
    assert NYSE.scheduled(FRIDAY + 1, MONDAY) == [MONDAY]
    assert NYSE.scheduled(FRIDAY + 1, FRIDAY + 2) == []
    assert len(ALWAYS.scheduled(THURSDAY, TUESDAY)) == 6
    assert ALWAYS.scheduled(TUESDAY, THURSDAY) == []


@pytest.mark.parametrize("span", [(THURSDAY - 1, FRIDAY), (FRIDAY, TUESDAY + 1)])
def test_days_beyond_the_list_are_not_guessed(span: tuple[int, int]) -> None:
    with pytest.raises(UnknownDays):
        NYSE.scheduled(*span)


@pytest.mark.parametrize(
    ("days", "count"),
    [
        ([], 0),
        ([THURSDAY, FRIDAY, MONDAY, TUESDAY], 4),
        ([THURSDAY, MONDAY, TUESDAY], 2),  # Friday is missing
        ([FRIDAY, MONDAY], 2),  # the weekend is none
        ([TUESDAY], 1),
    ],
)
def test_consecutive_days_count_back_from_the_newest_without_a_hole(days: list[int], count: int) -> None:
    assert NYSE.consecutive(days) == count


def test_days_between_two_are_missed_as_far_as_the_list_tells() -> None:
    assert Calendar().missed(10, 14) == (11, 12, 13) and Calendar().missed(10, 11) == ()
    assert len(Calendar().missed(10, 1000)) == 400
    listed = Calendar("X", tuple((day * DAY + HOUR, day * DAY + 2 * HOUR) for day in (10, 11, 14, 15)))
    assert listed.missed(10, 15) == (11, 14)
    assert listed.missed(15, 19) == ()


def test_a_round_the_clock_market_knows_no_weekend() -> None:
    assert ALWAYS.consecutive([FRIDAY, MONDAY]) == 1
    assert ALWAYS.consecutive(range(FRIDAY, MONDAY + 1)) == 4


def test_a_desk_rolls_its_day_with_its_one_market_or_with_utc() -> None:
    assert shared([NYSE, NYSE]) is NYSE
    assert shared([NYSE, ALWAYS]) == ALWAYS
    assert shared([]) == ALWAYS


@given(st.integers(THURSDAY * DAY - 5 * DAY, TUESDAY * DAY + 5 * DAY))
def test_every_moment_belongs_to_a_day_that_has_not_ended_and_days_never_run_backwards(at_ns: int) -> None:
    """FT-03."""
    for calendar in (NYSE, ALWAYS):
        day = calendar.day_at(at_ns)
        assert day.end_ns > at_ns
        assert calendar.day_at(day.end_ns).number >= day.number
        change_ns = calendar.next_change_ns(at_ns)
        assert not change_ns or (change_ns > at_ns and calendar.is_open(change_ns) is not calendar.is_open(at_ns))
