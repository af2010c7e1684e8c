"""The order in which calls on one symbol's orders leave: each behind those before it, so that a cancel never overtakes
its submit. Cancels that follow each other go together.
"""

import asyncio


class Lane:
    """The calls of one symbol."""

    def __init__(self) -> None:
        self._behind: list[asyncio.Task[None]] = []
        self._newest: list[asyncio.Task[None]] = []
        self._cancels = False

    def enter(self, *, cancels: bool) -> list[asyncio.Task[None]]:
        """What the next call has to wait for; it is made known by `add` before anything else enters."""
        if not (cancels and self._cancels):
            self._behind, self._newest, self._cancels = self._newest, [], cancels
        return [call for call in self._behind if not call.done()]

    def add(self, call: asyncio.Task[None]) -> None:
        self._newest = [*(one for one in self._newest if not one.done()), call]
