"""A bounded queue with two lanes: what is critical goes first, and is never dropped before what is not."""

import threading
from collections import deque
from typing import Final, Generic, TypeVar

T = TypeVar("T")

SIZE_MAX: Final = 500


class Lanes(Generic[T]):
    """From any thread. The condition `changed` is held by whoever looks at more than one thing at once.

    Attributes:
        dropped: How many had to go because the queue was full.
    """

    def __init__(self, size_max: int = SIZE_MAX) -> None:
        self.changed = threading.Condition()
        self.critical: deque[T] = deque()
        self.lesser: deque[T] = deque()
        self.dropped = 0
        self._size_max = size_max

    def __len__(self) -> int:
        return len(self.critical) + len(self.lesser)

    def put(self, item: T, is_critical: bool) -> T | None:
        """Queue an item, never waiting for room: what had to go for it, or itself, or None."""
        with self.changed:
            gone: T | None = None
            if len(self) >= self._size_max:
                self.dropped += 1
                if not (is_critical and self.lesser):
                    return item
                gone = self.lesser.popleft()
            (self.critical if is_critical else self.lesser).append(item)
            self.changed.notify_all()
            return gone

    def take_all(self) -> list[T]:
        """Everything that waits, critical first; the caller holds `changed` or is alone."""
        items = [*self.critical, *self.lesser]
        self.critical.clear()
        self.lesser.clear()
        return items
