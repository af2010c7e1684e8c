"""The exchange's days against what was recorded there, and the hours of each kind of day."""

import csv
import gzip
import os
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from engine.core.calendar import CONTINUOUS, Calendar
from engine.core.times import DAY, HOUR, SECOND
from engine.venues.calendars import NYSE, NoCalendar, calendars

SHARED = Path(os.environ.get("NIGHTDESK_SHARED", Path(__file__).parents[3] / "shared")) / "data" / "equity"


def ns(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND


def nyse(first: str, last: str) -> Calendar:
    (calendar,) = calendars([NYSE], ns(first), ns(last))
    return calendar


def days(calendar: Calendar) -> list[str]:
    return [date.fromordinal(date(1970, 1, 1).toordinal() + close // DAY).isoformat() for _, close in calendar.sessions]


def rows(path: Path) -> Iterator[dict[str, str]]:
    if not path.exists():
        pytest.skip(f"no recorded data at {path}")
    with gzip.open(path, "rt") as file:
        yield from csv.DictReader(file)


@pytest.mark.parametrize("symbol", ["SPY", "IWM"])
def test_the_trading_days_are_those_on_which_something_was_recorded(symbol: str) -> None:
    recorded = [row["time_ny"][:10] for row in rows(SHARED / "us_daily_1998-2015" / f"{symbol}.csv.gz")]
    assert days(nyse(recorded[0], recorded[-1])) == recorded


def test_no_recorded_day_ended_early_that_the_calendar_calls_whole() -> None:
    last_hour: dict[str, str] = {}
    for row in rows(SHARED / "us_hourly_1998-2015" / "SPY.csv.gz"):
        last_hour[row["time_ny"][:10]] = row["time_ny"][11:]
    calendar = nyse(min(last_hour), max(last_hour))
    short = {
        day for day, (opens, closes) in zip(days(calendar), calendar.sessions, strict=True) if closes - opens < 4 * HOUR
    }
    ended_early = {day for day, hour in last_hour.items() if hour < "14:00"}
    assert ended_early <= short
    assert len(ended_early) > 20


@pytest.mark.parametrize("folder", ["us_1m_2019-02", "us_15m_2019-01"])
def test_every_bar_of_a_regular_session_lies_in_one(folder: str) -> None:
    stamps = [int(row["ts_ms"]) * 1_000_000 for row in rows(SHARED / folder / "SPY.csv.gz")]
    calendar = nyse("2019-01-01", "2019-03-01")
    assert all(calendar.is_open(stamp - SECOND) for stamp in stamps), "stamped at their end"


@pytest.mark.parametrize(
    ("day", "opens", "closes"),
    [
        ("2026-01-02", "14:30", "21:00"),  # winter
        ("2026-07-02", "13:30", "20:00"),  # summer
        ("2026-03-09", "13:30", "20:00"),  # the Monday after the clocks went forward
        ("2026-11-27", "14:30", "18:00"),  # the day after Thanksgiving
        ("2026-12-24", "14:30", "18:00"),
    ],
)
def test_a_session_has_new_yorks_hours(day: str, opens: str, closes: str) -> None:
    """FT-04."""
    assert nyse(day, day).sessions == ((ns(f"{day}T{opens}"), ns(f"{day}T{closes}")),)


@pytest.mark.parametrize(
    "day",
    ["2026-01-01", "2026-04-03", "2026-07-03", "2026-11-26", "2026-01-03", "2025-01-09", "2012-10-29", "2001-09-11"],
)
def test_holidays_weekends_and_closures_have_no_session(day: str) -> None:
    assert nyse(day, day).sessions == ()


def test_a_year_has_about_two_hundred_and_fifty_trading_days() -> None:
    assert len(nyse("2026-01-01", "2026-12-31").sessions) == 251


def test_a_continuous_market_needs_no_calendar_and_an_unknown_one_is_refused() -> None:
    assert calendars([CONTINUOUS], 0, DAY) == ()
    with pytest.raises(NoCalendar, match="XETRA"):
        calendars([CONTINUOUS, "XETRA"], 0, DAY)
