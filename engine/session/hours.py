"""The market hours a run goes by, learnt from its instruments, and the first day of the paper period."""

from collections.abc import Sequence
from datetime import date
from typing import Final

from engine.core.calendar import Calendar
from engine.core.config import Instrument
from engine.core.times import DAY
from engine.venues.calendars import calendars, day_of

BEFORE_NS: Final = 30 * DAY
AFTER_NS: Final = 400 * DAY
"""How far market hours are known around a run's start; one that lasts longer counts as closed until its next start."""


class Hours:
    """The calendars of one run. Nothing rests before its instruments are known.

    Args:
        paper_start: First day of the paper period; None: none was set.
    """

    def __init__(self, paper_start: date | None) -> None:
        self._start = paper_start
        self._timed: tuple[Calendar, ...] = ()
        self._all_timed = False

    @property
    def paper_start_day(self) -> int | None:
        """The first day of the paper period, since 1970."""
        return None if self._start is None else day_of(self._start)

    def learn(self, instruments: Sequence[Instrument], now_ns: int) -> tuple[Calendar, ...]:
        """The calendars of `instruments`, from the first day that counts on. Raises NoCalendar."""
        begin_ns = min(now_ns, self.paper_start_day * DAY if self.paper_start_day else now_ns) - BEFORE_NS
        self._timed = calendars([i.calendar for i in instruments], begin_ns, now_ns + AFTER_NS)
        names = {calendar.name for calendar in self._timed}
        self._all_timed = bool(instruments) and all(i.calendar in names for i in instruments)
        return self._timed

    def rest(self, at_ns: int) -> bool:
        """Whether every market is closed at that time, so that silence of the feed means nothing."""
        return self._all_timed and not any(calendar.is_open(at_ns) for calendar in self._timed)

    def warnings(self, now_ns: int) -> tuple[str, ...]:
        """What an operator should know of at the start, though it is allowed."""
        if self.paper_start_day is None or self.paper_start_day * DAY <= now_ns:
            return ()
        return (f"paper_start_date {self._start} lies in the future: no day counts towards the paper period yet",)
