"""What makes a test as sure on a slow, crowded machine as on an idle one.

A test waits for what must happen, not for how long that should take: how long it takes is measured in `benchmarks/`.
"""

import asyncio
import selectors
import time
from collections.abc import Callable
from typing import Any, Final

PATIENCE: Final = 60.0
"""Seconds after which something that has to happen counts as never happening."""

TURN_S: Final = 0.005


class SteadyLoop(asyncio.SelectorEventLoop):
    """An event loop whose time goes on while it waits, and hardly while the machine keeps it from working.

    A turn of the loop, with however long it lay ready and got no processor, counts as `TURN_S` at most. So a time limit
    of code under test is how long its peer, on the same loop, was silent, and never how busy the machine was.
    """

    def __init__(self) -> None:
        self._passed_s = time.monotonic()
        self._began_s = self._passed_s
        super().__init__(_Selector(self))

    def time(self) -> float:
        return self._passed_s + min(time.monotonic() - self._began_s, TURN_S)

    def turn(self, select: Callable[[], list[Any]], timeout: float | None) -> list[Any]:
        """Wait for what is ready, and begin the next turn."""
        self._passed_s = self.time()
        waiting_s = time.monotonic()
        ready = select()
        waited_s = time.monotonic() - waiting_s
        if ready:
            waited_s = min(waited_s, TURN_S)
        elif timeout is not None:
            waited_s = min(waited_s, max(timeout, 0.0))
        self._passed_s += waited_s
        self._began_s = time.monotonic()
        return ready


class _Selector(selectors.DefaultSelector):
    """Tells the loop how long was waited."""

    def __init__(self, loop: SteadyLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[Any]:
        return self._loop.turn(lambda: super(_Selector, self).select(timeout), timeout)
