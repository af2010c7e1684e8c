"""Those who watch a desk over its control socket: each view is encoded once for all who watch at one pace.

Whoever comes is sent the whole view, and then, if he understands them, what changed. A reader that has not taken what
he was sent skips views, never holds the desk or another reader up, and is sent the whole view once he has caught up.
One that takes nothing at all is hung up on.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import msgspec

from engine.core.view import DeskView
from engine.session.deltas import change_of
from engine.session.ports import Desk

_encoder = msgspec.json.Encoder()


class Watcher:
    """One connection that is sent views."""

    def __init__(self, writer: asyncio.StreamWriter, pace: "_Pace") -> None:
        self.transport = writer.transport
        self.pace = pace
        self.is_current = False  # he has all that was sent at his pace
        self.waits_since: float | None = None  # when he was first found not to have taken what he was sent


class Watchers:
    """Everybody who watches, by pace. Belongs to one event loop."""

    def __init__(self, desk: Desk, patience_seconds: Callable[[], float]) -> None:
        """`patience_seconds`: how long a reader may take nothing."""
        self._desk = desk
        self._patience = patience_seconds
        self._paces: dict[tuple[float, bool], _Pace] = {}

    def __len__(self) -> int:
        return sum(len(pace.watchers) for pace in self._paces.values())

    def join(self, writer: asyncio.StreamWriter, every_seconds: float, *, deltas: bool) -> Watcher:
        """Send views from now on; `deltas`: changes instead of whole ones. `leave` ends it."""
        key = (every_seconds, deltas)
        pace = self._paces.get(key)
        if pace is None:
            pace = self._paces[key] = _Pace(self._desk, every_seconds, deltas, self._patience)
        watcher = Watcher(writer, pace)
        pace.join(watcher)
        return watcher

    def leave(self, watcher: Watcher) -> None:
        """Send nothing more. Whoever left already may leave again."""
        watcher.pace.leave(watcher)

    def close(self) -> None:
        """Send everybody the last view and that it was the last."""
        for pace in self._paces.values():
            pace.end()


class _Pace:
    """All who are sent the same at the same moments."""

    def __init__(self, desk: Desk, seconds: float, deltas: bool, patience: Callable[[], float]) -> None:
        self.watchers: list[Watcher] = []
        self._desk = desk
        self._seconds = seconds
        self._deltas = deltas
        self._patience = patience
        self._shown: DeskView | None = None
        self._task: asyncio.Task[None] | None = None

    def join(self, watcher: Watcher) -> None:
        self.watchers.append(watcher)
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="views")
        else:
            self._show()

    def leave(self, watcher: Watcher) -> None:
        with contextlib.suppress(ValueError):
            self.watchers.remove(watcher)
        if not self.watchers and self._task is not None:
            self._task.cancel()
            self._task = self._shown = None

    def end(self) -> None:
        self._show()
        ended = _line(ended=True)
        for watcher in list(self.watchers):
            watcher.transport.write(ended)
            self.leave(watcher)

    async def _run(self) -> None:
        while not self._desk.ended():
            self._show()
            await asyncio.sleep(self._seconds)
        self.end()

    def _show(self) -> None:
        """Send the newest view if it is another one than the last, and whole to those who skipped some."""
        view, shown = self._desk.view(), self._shown
        if view is None or not self.watchers:
            return
        change: bytes | None = None
        if view is not shown and shown is not None and self._deltas:
            change = _line(change=change_of(shown, view)) if view != shown else b""
        self._shown = view
        whole: bytes | None = None
        for watcher in list(self.watchers):
            if view is shown and watcher.is_current:
                continue
            if watcher.transport.get_write_buffer_size() > 0:
                self._wait_for(watcher)
                continue
            if change is None or not watcher.is_current:
                line = whole = whole or _line(view=view)
            else:
                line = change
            watcher.is_current, watcher.waits_since = True, None
            watcher.transport.write(line)

    def _wait_for(self, watcher: Watcher) -> None:
        now = asyncio.get_running_loop().time()
        watcher.is_current = False
        if watcher.waits_since is None:
            watcher.waits_since = now
        elif now - watcher.waits_since >= self._patience():
            watcher.transport.abort()
            self.leave(watcher)


def _line(**message: Any) -> bytes:
    return _encoder.encode(message) + b"\n"
