"""The control endpoint as a child of the desk: started with it, started again when it dies, ended with it."""

import asyncio
import contextlib
import logging
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from typing import Final

import msgspec

from engine.session.api.settings import ApiSettings, Said, wish
from engine.session.home import Home

RESTART_SECONDS: Final = (1.0, 2.0, 5.0, 10.0, 30.0)
STOP_SECONDS: Final = 3.0

log = logging.getLogger("control")


class ApiProcess:
    """Keeps the endpoint of the desk in `home` alive.

    Attributes:
        port: Where it listens; 0 while it does not.
        forged: How many commands were refused because they were not signed with the key.
        problem: Why there is no endpoint, once that has gone wrong; "" while all is well.
    """

    def __init__(self, settings: ApiSettings, home: Home) -> None:
        self._input = msgspec.json.encode(wish(settings, home)) + b"\n"
        self._where = settings.host
        self.port = 0
        self.forged = 0
        self.problem = ""
        self._process: Process | None = None
        self._keeping: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start it in the background: the desk does not wait for its endpoint."""
        self._keeping = asyncio.create_task(self._keep(), name="control endpoint")

    async def close(self) -> None:
        """End it, by force if need be."""
        if self._keeping is not None:
            self._keeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeping
        process = self._process
        if process is None or process.returncode is not None:
            return
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):  # it ended in this moment
                process.kill()
            await process.wait()

    async def _keep(self) -> None:
        for attempt in range(1 << 62):
            try:
                await self._live()
            except OSError as failure:
                self.problem = str(failure)
            self.port = 0
            log.error("the control endpoint has ended: %s", self.problem or "no word of it")
            self.problem = self.problem or "it has ended"
            await asyncio.sleep(RESTART_SECONDS[min(attempt, len(RESTART_SECONDS) - 1)])

    async def _live(self) -> None:
        """One life of the child, from its start to its end."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "engine.session.api",
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            start_new_session=True,  # Ctrl-C is for the desk, which says when it is over
        )
        self._process = process
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(self._input)
        await process.stdin.drain()
        async for line in process.stdout:
            self._hear(msgspec.json.decode(line, type=Said))
        await process.wait()

    def _hear(self, said: Said) -> None:
        self.forged += said.forged
        if said.forged:
            return
        if said.port is not None:
            self.port, self.problem = said.port, ""
            log.info("signed commands are taken%s", f" at {self._where} port {said.port}" if said.port else "")
        elif said.level == "ERROR":
            self.problem = said.text
            log.error("%s", said.text)
        else:
            log.log(logging.getLevelName(said.level), "%s", said.text)
