"""Keeping to the venue's limits: at 70 % of what it documents, because it neither says what is left nor warns."""

import asyncio
from dataclasses import dataclass, field
from typing import Final

SHARE: Final = 0.7


@dataclass(slots=True)
class TokenBucket:
    """`rate` calls a second on average, at most `burst` at once; callers are served in the order they came."""

    rate: float
    burst: float
    _level: float = field(init=False)
    _at_s: float = field(init=False, default=-1.0)
    _turn: asyncio.Lock = field(init=False, default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        self._level = self.burst

    @classmethod
    def of(cls, per_second: float) -> "TokenBucket":
        """The bucket for a documented limit of `per_second` calls; also its burst stays within that."""
        return cls(per_second * SHARE, max(1.0, per_second * (1.0 - SHARE)))

    async def take(self) -> None:
        """Wait until one more call is allowed."""
        async with self._turn:
            self._fill()
            if self._level < 1.0:
                await asyncio.sleep((1.0 - self._level) / self.rate)
                self._fill()
            self._level -= 1.0

    def _fill(self) -> None:
        now_s = asyncio.get_running_loop().time()
        if self._at_s >= 0.0:
            self._level = min(self.burst, self._level + (now_s - self._at_s) * self.rate)
        self._at_s = now_s
