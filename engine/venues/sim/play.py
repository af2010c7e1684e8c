"""Plays a market: hands out its events as venue time passes them."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from engine.core.config import Instrument
from engine.core.events import Bar, MarketEvent

STEP_EVENTS_MAX = 50_000  # after a long sleep of the machine the market catches up in steps, so that sockets stay alive


class Market(Protocol):
    """Where a market comes from: a generator or recorded files."""

    @property
    def instruments(self) -> Sequence[Instrument]: ...

    def events(self, from_ns: int) -> Iterator[Sequence[MarketEvent]]:
        """Everything at or after `from_ns` in order of time, in chunks; ends when the market ends."""

    def history(self, symbol: str, span_ns: int, end_ns: int, count: int) -> Sequence[Bar]:
        """At most `count` closed bars that end at or before `end_ns`, oldest first."""


class Play:
    """A market's events, taken as time goes by. `ended` is set once the last one has been handed out."""

    def __init__(self, market: Market, from_ns: int) -> None:
        self.ended = False
        self._chunks = iter(market.events(from_ns))
        self._chunk: Sequence[MarketEvent] = ()
        self._next = 0

    def until(self, now_ns: int) -> list[MarketEvent]:
        """Everything up to and including `now_ns` that has not been handed out yet, at most one step's worth."""
        due: list[MarketEvent] = []
        while len(due) < STEP_EVENTS_MAX:
            if self._next == len(self._chunk):
                if not self._refill():
                    break
                continue
            event = self._chunk[self._next]
            if event.at_ns > now_ns:
                break
            due.append(event)
            self._next += 1
        return due

    def _refill(self) -> bool:
        """Take the next chunk; False at the end of the market."""
        chunk = next(self._chunks, None)
        self._chunk, self._next = (chunk or ()), 0
        self.ended = self.ended or chunk is None
        return chunk is not None
