"""Market hours of exchanges, from the `holidays` library: what a `Calendar` of the core is made of.

The New York Stock Exchange trades from 9:30 to 16:00 New York time on weekdays that are no holidays, and to 13:00 on
half days (https://www.nyse.com/markets/hours-calendars). Halts within a day are not known.
"""

from collections.abc import Collection, Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from engine.core.calendar import CONTINUOUS, Calendar
from engine.core.times import DAY, SECOND
from engine.venues.errors import VenueError

NYSE: Final = "NYSE"
ZONE: Final = "America/New_York"
OPENS, CLOSES, CLOSES_EARLY = time(9, 30), time(16), time(13)
EPOCH: Final = date(1970, 1, 1)


class NoCalendar(VenueError):
    """The hours of a market cannot be told: nothing could be traded there safely."""


def calendars(names: Collection[str], first_ns: int, last_ns: int) -> tuple[Calendar, ...]:
    """The calendars of `names` from one moment (UTC ns) to another; continuous markets need none.

    Raises:
        NoCalendar: a name is not known, or this machine does not know New York's time.
    """
    wanted = [name for name in dict.fromkeys(names) if name != CONTINUOUS]
    unknown = [name for name in wanted if name != NYSE]
    if unknown:
        raise NoCalendar(f"no calendar is known for {', '.join(unknown)}")
    return tuple(Calendar(name, tuple(_sessions(first_ns // DAY, last_ns // DAY))) for name in wanted)


def day_of(day: date) -> int:
    """A date as days since 1970."""
    return (day - EPOCH).days


def _sessions(first_day: int, last_day: int) -> Iterator[tuple[int, int]]:
    """Open and close (UTC ns) of every session from one day to another, both included."""
    from holidays.financial.ny_stock_exchange import NewYorkStockExchange  # a quarter of a second, only where needed

    try:
        zone = ZoneInfo(ZONE)
    except ZoneInfoNotFoundError as missing:
        raise NoCalendar(f"this machine has no time zone data for {ZONE}: install tzdata") from missing
    first, last = EPOCH + timedelta(first_day), EPOCH + timedelta(last_day)
    years = range(first.year, last.year + 1)
    closed = NewYorkStockExchange(years=years)  # type: ignore[no-untyped-call]
    short = NewYorkStockExchange(years=years, categories="half_day")  # type: ignore[no-untyped-call]
    for number in range((last - first).days + 1):
        day = first + timedelta(number)
        if day.weekday() < 5 and day not in closed:
            closes = CLOSES_EARLY if day in short else CLOSES
            yield _utc_ns(day, OPENS, zone), _utc_ns(day, closes, zone)


def _utc_ns(day: date, at: time, zone: ZoneInfo) -> int:
    moment = datetime.combine(day, at, zone).astimezone(UTC)
    return int(moment.timestamp()) * SECOND
