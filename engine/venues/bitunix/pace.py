"""Keeping to the venue's limits: at 70 % of what it documents, because it neither says what is left nor warns."""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Final

SHARE: Final = 0.7


@dataclass(slots=True)
class Pace:
    """At most `calls` within any `span_s`; callers are served in the order they came.

    What comes together goes together, up to the limit: a kill's cancels do not wait for each other.
    """

    calls: int
    span_s: float
    _taken: deque[float] = field(init=False)
    _turn: asyncio.Lock = field(init=False, default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        self._taken = deque(maxlen=self.calls)

    @classmethod
    def of(cls, per_second: float) -> "Pace":
        """The pace for a documented limit of `per_second` calls: so many at once, and `SHARE` of it on average."""
        calls = max(1, int(per_second))
        return cls(calls, calls / (per_second * SHARE))

    async def take(self) -> None:
        """Wait until one more call is allowed."""
        loop = asyncio.get_running_loop()
        async with self._turn:
            if len(self._taken) == self.calls:
                await asyncio.sleep(max(0.0, self._taken[0] + self.span_s - loop.time()))
            self._taken.append(loop.time())
