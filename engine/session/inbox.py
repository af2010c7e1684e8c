"""The bounded inbox between the outside and the core.

Commands and broker answers are never dropped and never wait behind market data. When market data fills the inbox it is
conflated per stream: of each symbol's quotes, books and trades only the newest stays, the others are counted. Closed
bars and everything else stay.
"""

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import Final

from engine.core.events import AnyEvent, Book, Quote, Trade

SIZE_MAX: Final = 4_096
TICKS: Final = (Quote, Trade, Book)


class Inbox:
    """Events waiting for the core. Used from one event loop only.

    Attributes:
        dropped: Ticks conflated away so far.
    """

    def __init__(self, size_max: int = SIZE_MAX) -> None:
        self.dropped = 0
        self._size_max = size_max
        self._urgent: deque[AnyEvent] = deque()
        self._queue: deque[AnyEvent] = deque()
        self._arrived = asyncio.Event()

    def __len__(self) -> int:
        return len(self._urgent) + len(self._queue)

    def put(self, events: Iterable[AnyEvent]) -> None:
        """Queue market data and feed health, conflating ticks when the inbox is full."""
        self._queue.extend(events)
        if len(self._queue) > self._size_max:
            self._conflate()
        self._arrived.set()

    def put_first(self, event: AnyEvent) -> None:
        """Queue a command or a broker's answer, ahead of all market data."""
        self._urgent.append(event)
        self._arrived.set()

    async def wait(self) -> None:
        """Until at least one event is there."""
        await self._arrived.wait()

    def take(self, limit: int) -> list[AnyEvent]:
        """Up to `limit` events, urgent ones first, in their order."""
        taken: list[AnyEvent] = []
        while self._urgent and len(taken) < limit:
            taken.append(self._urgent.popleft())
        while self._queue and len(taken) < limit:
            taken.append(self._queue.popleft())
        if not self._urgent and not self._queue:
            self._arrived.clear()
        return taken

    def _conflate(self) -> None:
        """Keep each symbol's newest tick of each kind, and everything that is no tick, in order."""
        seen: set[tuple[type, str]] = set()
        kept: deque[AnyEvent] = deque()
        for event in reversed(self._queue):
            if isinstance(event, TICKS):
                stream = (type(event), event.symbol)
                if stream in seen:
                    self.dropped += 1
                    continue
                seen.add(stream)
            kept.appendleft(event)
        self._queue = kept
