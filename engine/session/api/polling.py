"""The polled address: an outside place that is asked again and again whether somebody has left a signed command there.

For desks nobody can reach from outside. Where there is none (404, 204, nothing in it) all is well; one that was obeyed
already may stay where it is.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

import aiohttp

from engine.session.api.acting import Actor
from engine.session.api.signing import BODY_BYTES_MAX, Denied, decode

CALL_SECONDS: Final = 10.0
_NOTHING: Final = (204, 404, 410)

log = logging.getLogger("control")


class Poller:
    """Asks `url` every `seconds`. Says once that it cannot be reached, and once that it can again.

    `on_forged` is told of every command that was not signed with the key, once.
    """

    def __init__(
        self, actor: Actor, url: str, seconds: float, on_forged: Callable[[int], None] = lambda _: None
    ) -> None:
        self._actor = actor
        self._on_forged = on_forged
        self._url = url
        self._seconds = seconds
        self._problem = ""
        self._refused = b""  # what was refused last, so that it is told once

    async def run(self) -> None:
        """Ask for ever."""
        timeout = aiohttp.ClientTimeout(total=CALL_SECONDS)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while True:
                await self._ask(session)
                await asyncio.sleep(self._seconds)

    async def _ask(self, session: aiohttp.ClientSession) -> None:
        try:
            async with session.get(self._url, allow_redirects=False) as answer:
                body = b"" if answer.status in _NOTHING else await _start_of(answer)
                problem = "" if answer.status in (200, *_NOTHING) else f"it answers with status {answer.status}"
        except (aiohttp.ClientError, TimeoutError, OSError) as failure:
            body, problem = b"", type(failure).__name__  # its text may name the address, which may be a secret
        if problem != self._problem:
            self._problem = problem
            if problem:
                log.warning("the polled address cannot be read: %s", problem)
            else:
                log.info("the polled address can be read again")
        if body.strip() and not problem and body != self._refused:
            await self._take(body)

    async def _take(self, body: bytes) -> None:
        try:
            command = decode(body.strip())
            self._actor.check(command)
            answer = await asyncio.to_thread(self._actor.obey, command, "webhook", "the polled address")
            log.info("%s: %s", command.act, answer.get("text", ""))
        except Denied as denied:
            if denied.code == "failed":
                log.error("a command at the polled address was not carried out: %s", denied)
                return
            self._refused = body
            if denied.forged:
                self._on_forged(1)
            if denied.code != "repeated":
                log.warning("refused what is at the polled address: %s", denied)


async def _start_of(answer: aiohttp.ClientResponse) -> bytes:
    """As much of the answer as a command may have, and a byte more."""
    return await answer.content.read(BODY_BYTES_MAX + 1)
