"""The built-in venue as a child process: started on two free loopback ports, ended with its parent.

The child tells where it listens and what time it is there in its first output line. It ends when its input closes or
its parent dies, whichever the machine reports first, so that no venue outlives the desk it was started for.
"""

import asyncio
import contextlib
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable
from typing import Final

import msgspec

from engine.core.events import DataRejected
from engine.venues.sim.clock import VenueClock
from engine.venues.sim.options import Announcement, VenueOptions

START_S_MAX: Final = 60.0
STOP_S_MAX: Final = 3.0
COMPLAINT_CHARS_MAX: Final = 4096


class _Line(msgspec.Struct, frozen=True):
    """Any line after the first."""

    market: str = ""
    rejected: DataRejected | None = None
    error: str = ""


WRONG_USAGE: Final = 2
"""The child's exit code where what it was asked for cannot be served."""


class VenueFailed(Exception):
    """The venue's process did not start, or ended with these words. `is_usage`: it was asked for what cannot be."""

    def __init__(self, words: str, *, is_usage: bool = False) -> None:
        super().__init__(words)
        self.is_usage = is_usage


class VenueProcess:
    """A running child. `clock` shows its venue's time; `market_ended` is set when its data came to an end."""

    def __init__(self, process: Process, said: Announcement, on_rejected: Callable[[DataRejected], None]) -> None:
        self.pid = said.pid
        self.rest_url = f"http://127.0.0.1:{said.http}"
        self.ws_url = f"ws://127.0.0.1:{said.ws}"
        self.source = said.source
        self.clock = VenueClock(said.now_ns, said.speed, said.mono_ns)
        self.market_ended = asyncio.Event()
        self.gone = asyncio.Event()
        """Set when the process has ended, asked or not."""
        self._process = process
        self._on_rejected = on_rejected
        self._listening = asyncio.create_task(self._listen(), name="venue output")

    async def stop(self) -> None:
        """End the child: by closing its input, then by force. Safe to call twice."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            async with asyncio.timeout(STOP_S_MAX):
                await self._process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):  # it ended in this moment
                self._process.kill()
            await self._process.wait()
        await self._listening

    async def _listen(self) -> None:
        """Hear out the child to its end."""
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            said = msgspec.json.decode(line, type=_Line)
            if said.market == "ended":
                self.market_ended.set()
            if said.rejected is not None:
                self._on_rejected(said.rejected)
        self.gone.set()


async def start_venue(
    options: VenueOptions,
    module: str = "engine.venues.sim",
    on_rejected: Callable[[DataRejected], None] = lambda _event: None,
) -> VenueProcess:
    """Start a venue and wait until it listens. Raises `VenueFailed` with what it said instead.

    `on_rejected` is told of rows of a recording that the venue could not play.
    """
    wish = msgspec.structs.replace(options, parent=os.getpid())
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        msgspec.json.encode(wish).decode(),
        stdin=PIPE,
        stdout=PIPE,
        stderr=DEVNULL,
        start_new_session=True,  # Ctrl-C is for the desk, which still needs its venue to end well
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(START_S_MAX):
            line = await process.stdout.readline()
        said = msgspec.json.decode(line, type=Announcement)
    except (TimeoutError, msgspec.MsgspecError) as error:
        if isinstance(error, TimeoutError):
            with contextlib.suppress(ProcessLookupError):  # it ended in this moment
                process.kill()
        rest = await _last_words(process)
        words = _complaint(line + rest) if not isinstance(error, TimeoutError) else "no sign of life"
        raise VenueFailed(words, is_usage=process.returncode == WRONG_USAGE) from error
    return VenueProcess(process, said, on_rejected)


async def _last_words(process: Process) -> bytes:
    """What a child that does not serve still says; it gets a moment to end by itself, so that its exit code tells."""
    assert process.stdout is not None
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(STOP_S_MAX):
            rest = await process.stdout.read()
            await process.wait()
            return rest
    with contextlib.suppress(ProcessLookupError):  # it ended in this moment
        process.kill()
    await process.wait()
    return b""


def _complaint(output: bytes) -> str:
    """The error in a child's output, or whatever it said."""
    for line in output.splitlines():
        with contextlib.suppress(msgspec.MsgspecError):
            if found := msgspec.json.decode(line, type=_Line).error:
                return found
    return output.decode(errors="replace")[-COMPLAINT_CHARS_MAX:] or "it ended without a word"
