"""Failed attempts: counted, told once per burst, and from some number on no longer answered in detail."""

from collections import deque
from typing import Final

BURST_SECONDS: Final = 60
FAILED_MAX: Final = 10
_SECOND_NS: Final = 1_000_000_000


class Attempts:
    """Counts the failed attempts of the last minute. A valid command is never held up by them."""

    def __init__(self) -> None:
        self.total = 0
        self._newest: deque[int] = deque(maxlen=FAILED_MAX + 1)
        self._told_ns = 0
        self._untold = 0

    def failed(self, now_ns: int) -> int | None:
        """Count one; how many there were since it was last told, if it is to be told now, else None."""
        self.total += 1
        self._untold += 1
        self._newest.append(now_ns)
        if self._told_ns and now_ns - self._told_ns < BURST_SECONDS * _SECOND_NS:
            return None
        self._told_ns = now_ns
        untold, self._untold = self._untold, 0
        return untold

    def too_many(self, now_ns: int) -> bool:
        """Whether there were more than `FAILED_MAX` within the last minute."""
        full = len(self._newest) > FAILED_MAX
        return full and now_ns - self._newest[0] < BURST_SECONDS * _SECOND_NS
