"""Plays a market: hands out its events as venue time passes them."""

from collections.abc import Sequence

from engine.core.events import FeedEvent
from engine.venues.sim.source import MarketSource

STEP_EVENTS_MAX = 50_000  # after a long sleep of the machine the market catches up in steps, so that sockets stay alive


class Play:
    """A market's events, taken as time goes by. `ended` is set once the last one has been handed out."""

    def __init__(self, market: MarketSource, from_ns: int) -> None:
        self.ended = False
        self._chunks = iter(market.events(from_ns))
        self._chunk: Sequence[FeedEvent] = ()
        self._next = 0

    def until(self, now_ns: int) -> list[FeedEvent]:
        """Everything up to and including `now_ns` that has not been handed out yet, at most one step's worth."""
        due: list[FeedEvent] = []
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
