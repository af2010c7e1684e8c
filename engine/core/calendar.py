"""Trading days and market hours, as plain values: when a market is open, which days are trading days, when one ends.

A calendar is either continuous (every UTC day is a trading day, the market never closes) or a list of sessions that
came with the configuration. The trading day of an exchange ends when its session closes, so that a weekend belongs to
Monday's. A day is named by its number since 1970: the UTC date of the session's close. Past the last session listed
nothing is known: the market counts as closed, and days are UTC days.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable
from operator import itemgetter
from typing import Final, NamedTuple

import msgspec

from engine.core.times import DAY

CONTINUOUS: Final = "24/7"
MISSED_MAX: Final = 400
_CLOSES = itemgetter(1)


class UnknownDays(Exception):
    """Trading days were asked for beyond the sessions a calendar lists."""

    def __init__(self, name: str, first_day: int, last_day: int) -> None:
        super().__init__(f"the calendar {name} does not list the days {first_day} to {last_day}")


class TradingDay(NamedTuple):
    """A trading day by its number, and when it ends (UTC ns)."""

    number: int
    end_ns: int


class Calendar(msgspec.Struct, frozen=True):
    """One market's hours.

    Attributes:
        name: `24/7`, or the exchange's.
        sessions: (open, close) in UTC ns, ascending, apart from each other; none for a continuous market.
    """

    name: str = CONTINUOUS
    sessions: tuple[tuple[int, int], ...] = ()

    @property
    def is_continuous(self) -> bool:
        return self.name == CONTINUOUS

    def is_open(self, at_ns: int) -> bool:
        """Whether the market trades at this moment; its close is not part of a session."""
        if self.is_continuous:
            return True
        found = self._at(at_ns)
        return found is not None and found[0] <= at_ns

    def next_open_ns(self, at_ns: int) -> int:
        """When a market that is closed opens next; 0 if it is open, or no later session is known."""
        found = self._at(at_ns)
        return found[0] if found is not None and found[0] > at_ns else 0

    def next_change_ns(self, at_ns: int) -> int:
        """When the market opens or closes next; 0 if it never does, or no later session is known."""
        found = self._at(at_ns)
        if found is None:
            return 0
        return found[0] if found[0] > at_ns else found[1]

    def traded_ns(self, at_ns: int) -> int:
        """How long the market had traded by then since its first session listed; the time itself if it never closes."""
        if self.is_continuous:
            return at_ns
        return sum(min(close_ns, at_ns) - open_ns for open_ns, close_ns in self.sessions if open_ns < at_ns)

    def day_at(self, at_ns: int) -> TradingDay:
        """The trading day this moment belongs to."""
        found = self._at(at_ns)
        if found is None:
            return TradingDay(at_ns // DAY, (at_ns // DAY + 1) * DAY)
        return TradingDay(found[1] // DAY, found[1])

    def scheduled(self, first_day: int, last_day: int) -> list[int]:
        """The trading days from one day to another, both included, ascending.

        Raises:
            UnknownDays: part of the span lies beyond the sessions listed.
        """
        if self.is_continuous or first_day > last_day:
            return list(range(first_day, last_day + 1))
        if not self.sessions or not self.sessions[0][1] // DAY <= first_day <= last_day <= self.sessions[-1][1] // DAY:
            raise UnknownDays(self.name, first_day, last_day)
        begin = bisect_left(self.sessions, first_day * DAY, key=_CLOSES)
        end = bisect_left(self.sessions, (last_day + 1) * DAY, key=_CLOSES)
        return [close_ns // DAY for _, close_ns in self.sessions[begin:end]]

    def missed(self, ended: int, begun: int) -> tuple[int, ...]:
        """The trading days between two, as far as they are known, at most the newest `MISSED_MAX`."""
        try:
            return tuple(self.scheduled(max(ended + 1, begun - MISSED_MAX), begun - 1))
        except UnknownDays:
            return ()

    def consecutive(self, days: Collection[int]) -> int:
        """How many trading days up to the newest of `days` are among them without a hole. UnknownDays as above."""
        if not days:
            return 0
        count = 0
        for day in reversed(self.scheduled(min(days), max(days))):
            if day not in days:
                break
            count += 1
        return count

    def _at(self, at_ns: int) -> tuple[int, int] | None:
        """The session that is on, or else the next one; None where none is listed."""
        found = bisect_right(self.sessions, at_ns, key=_CLOSES)
        return self.sessions[found] if found < len(self.sessions) else None


def shared(calendars: Iterable[Calendar]) -> Calendar:
    """The calendar that rolls the trading day of a desk on these: theirs if they have but one, else every UTC day."""
    names = {calendar.name: calendar for calendar in calendars}
    return next(iter(names.values())) if len(names) == 1 else Calendar()
