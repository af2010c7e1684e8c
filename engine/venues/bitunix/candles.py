"""The minutes of one symbol: which is open, which is closed, which is missing.

The wire repeats the state of the current minute with neither its start nor a mark that it has closed. So a push belongs
to the minute of its time stamp, and a minute closes when a push of a later one comes, or when the symbol is heard from
after its end and a grace has passed. A push stamped after the end may still show the old minute: where nothing trades,
the venue goes on repeating it. Bars leave here strictly in order, each minute at most once. A hole before the current
minute is announced once; newer bars wait until it has been refilled.
"""

from dataclasses import dataclass, field
from typing import Final

from msgspec import structs

from engine.core.config import MINUTE, SECOND
from engine.core.events import Bar, DataRejected, GapDetected
from engine.venues.bitunix.frames import Kline

CHANNEL: Final = "market_kline_1min"
LATE_NS: Final = SECOND  # a last change of the old minute may be stamped within the new one's first second
LAST_NS: Final = 1_000_000  # the resolution of the venue's stamps: a minute's last push is stamped this before its end

BarEvent = Bar | GapDetected | DataRejected


@dataclass(slots=True)
class Open:
    """The minute in progress, as last pushed."""

    start_ns: int
    push: Kline
    ended_at_s: float | None = None  # transport time at which its end was noticed

    @property
    def end_ns(self) -> int:
        return self.start_ns + MINUTE

    def grows_into(self, push: Kline) -> bool:
        """True if `push`, stamped just after the end, is this minute's last change: nothing in it has gone back."""
        last = self.push
        return (
            push.ts_ns < self.end_ns + LATE_NS
            and push.open == last.open
            and push.high >= last.high
            and push.low <= last.low
            and push.volume >= last.volume
        )


@dataclass(slots=True)
class Candles:
    """One symbol's series of minutes.

    Attributes:
        covered_ns: Where the bars given out so far end; 0 before the first.
        wanted: The hole being refilled as (start, end), or None.
    """

    symbol: str
    covered_ns: int = 0
    wanted: tuple[int, int] | None = None
    _open: Open | None = None
    _last: Kline | None = None  # the final push of the newest closed minute
    _held: list[Bar] = field(default_factory=list)
    _announced_ns: int = -1

    def seeded(self, newest: Bar) -> None:
        """History up to and with `newest` is with the consumer: no minute of it is given out again."""
        end_ns = newest.start_ns + newest.span_ns
        if end_ns <= self.covered_ns:
            return
        self.covered_ns = end_ns
        figures = (newest.open, newest.high, newest.low, newest.close, newest.volume)
        self._last = Kline(self.symbol, newest.at_ns, end_ns - LAST_NS, *figures)
        if self._open is not None and self._open.start_ns < end_ns:
            self._open = None

    def update(self, push: Kline) -> list[BarEvent]:
        """Take one push."""
        start = push.ts_ns - push.ts_ns % MINUTE
        current = self._open
        if current is None:
            if _repeats(self._last, push):
                return []
            if start < self._expected_ns():
                return [self._reject(push, "candle of a minute already closed")]
            return self._begin(start, push)
        if start == current.end_ns and _repeats(current.push, push):
            return []
        if start == current.end_ns and current.grows_into(push):
            current.push = push._replace(ts_ns=current.end_ns - LAST_NS)
            return []
        if push.ts_ns < current.push.ts_ns:
            if _repeats(self._last, push):
                return []
            return [self._reject(push, "candle older than the one before it")]
        if start == current.start_ns:
            current.push = push
            return []
        return [*self._close(push.at_ns), *self._begin(start, push)]

    def tick(self, now_ns: int, mono_s: float, grace_s: float, heard_ns: int) -> list[BarEvent]:
        """Close the minute if it has ended, the grace is over, and the symbol was heard from since (`heard_ns`).

        A silent symbol may have been cut off before the minute's last push, so silence closes nothing.
        """
        current = self._open
        if current is None or now_ns < current.end_ns:
            return []
        if current.ended_at_s is None:
            current.ended_at_s = mono_s
        if mono_s - current.ended_at_s < grace_s or heard_ns < current.end_ns:
            return []
        return self._close(now_ns)

    def interrupted(self) -> None:
        """The stream broke off: the open minute may lack its end, so it is left to the refill."""
        self._open = None

    def refilled(self, bars: list[Bar], at_ns: int) -> list[BarEvent]:
        """The hole's bars as fetched, oldest first (those outside the hole are ignored); then the bars that waited."""
        if self.wanted is None:
            return []
        start, end = self.wanted
        fresh = [bar for bar in bars if start <= bar.start_ns < end]
        lacking = (end - start) // MINUTE - len(fresh)
        events: list[BarEvent] = [*fresh]
        if lacking:
            text = f"missing minutes for which the venue has no candle: {lacking}"
            events.append(DataRejected(self.symbol, at_ns, text, CHANNEL, lacking))
        events += [structs.replace(bar, at_ns=at_ns) for bar in self._held]
        self.covered_ns = self._expected_ns()
        self.refill_failed()
        return events

    def refill_failed(self) -> None:
        """Nothing could be fetched: the hole stays and is asked for again, grown, with the next minute."""
        self.wanted = None
        self._held.clear()

    def _expected_ns(self) -> int:
        """Where the next minute begins: after the bars that wait, after the hole, or after what was given out."""
        if self._held:
            return self._held[-1].start_ns + MINUTE
        return self.wanted[1] if self.wanted else self.covered_ns

    def _begin(self, start: int, push: Kline) -> list[BarEvent]:
        self._open = Open(start, push)
        expected = self._expected_ns()
        if expected == 0 or start <= expected:
            return []
        self._held.clear()
        self.wanted = (self.covered_ns, start)
        if self._announced_ns == self.covered_ns:
            return []
        self._announced_ns = self.covered_ns
        missing = (start - self.covered_ns) // MINUTE
        return [GapDetected(self.symbol, push.at_ns, missing, self.covered_ns - MINUTE, start)]

    def _close(self, at_ns: int) -> list[BarEvent]:
        current = self._open
        if current is None:
            return []
        self._open = None
        self._last = current.push
        bar = _bar(current, at_ns)
        if self.wanted is not None:
            self._held.append(bar)
            return []
        if self.covered_ns and bar.start_ns > self.covered_ns:
            return []  # a hole is still before it; the next refill brings both
        self.covered_ns = bar.start_ns + MINUTE
        return [bar]

    def _reject(self, push: Kline, reason: str) -> DataRejected:
        return DataRejected(self.symbol, push.at_ns, reason, CHANNEL)


def _repeats(last: Kline | None, push: Kline) -> bool:
    """True if `push` shows the figures of `last`. A flat minute without trades may look like the one before it."""
    if last is None or (push.volume == 0 and push.high == push.low):
        return False
    return push[3:] == last[3:]


def _bar(minute: Open, at_ns: int) -> Bar:
    push = minute.push
    start = minute.start_ns
    return Bar(push.symbol, at_ns, start, MINUTE, push.open, push.high, push.low, push.close, push.volume)
