"""The endpoint's HTTP side: one path, POST only, JSON only, few connections, little time for each."""

import asyncio
import logging
import ssl
from collections.abc import Callable
from typing import Any, Final

import msgspec
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from engine.session.api.acting import Actor
from engine.session.api.attempts import Attempts
from engine.session.api.signing import BODY_BYTES_MAX, Denied, decode
from engine.session.ports import Clock
from engine.session.settings import LOOPBACK

PATH: Final = "/v1/command"
LINE_BYTES_MAX: Final = 1024
CONNECTIONS_MAX: Final = 512
CONNECTION_SECONDS: Final = 2.0
BACKLOG: Final = 1024
_SWEEP_SECONDS: Final = 0.1
_STATUS: Final = {
    "malformed": 400,
    "too_large": 413,
    "not_authenticated": 401,
    "not_fresh": 401,
    "repeated": 409,
    "wrong_desk": 403,
    "not_allowed": 403,
    "too_many": 429,
    "failed": 503,
}

log = logging.getLogger("control")


class Endpoint:
    """Listens for signed commands.

    More than `CONNECTIONS_MAX` connections are never open: the oldest, which has had the longest time to say what it
    wants, gives way to the newest. Every connection is cut after `CONNECTION_SECONDS`; one that has brought a signed
    command is not, and has its answer. `on_forged` is told how many commands more were not signed with the key, ten
    times a second at most.
    """

    def __init__(self, actor: Actor, clock: Clock, on_forged: Callable[[int], None] = lambda _: None) -> None:
        self._actor = actor
        self._clock = clock
        self._on_forged = on_forged
        self._counted = 0  # of the failed attempts
        self._attempts = Attempts()
        self._open: dict[RequestHandler, int] = {}  # since when, oldest first
        self._acting = asyncio.Lock()
        self._hosts: frozenset[str] = frozenset()

    async def start(self, host: str, port: int, tls: ssl.SSLContext | None) -> int:
        """Listen; the port. Raises OSError."""
        self._server = web.Server(
            self._answer,
            request_factory=_small_request,
            access_log=None,
            max_line_size=LINE_BYTES_MAX,
            max_field_size=LINE_BYTES_MAX,
            lingering_time=0.0,
        )
        loop = asyncio.get_running_loop()
        self._listening = await loop.create_server(self._admit, host, port, ssl=tls, backlog=BACKLOG)
        bound: int = self._listening.sockets[0].getsockname()[1]
        if host in LOOPBACK:
            self._hosts = frozenset(f"{name}:{bound}" for name in ("127.0.0.1", "localhost", "[::1]"))
        self._sweeping = asyncio.create_task(self._sweep(), name="sweep")
        return bound

    async def close(self) -> None:
        self._sweeping.cancel()
        self._listening.close()
        await self._server.shutdown(1.0)

    # --- connections ---

    def _admit(self) -> RequestHandler:
        handler: RequestHandler = self._server()
        if len(self._open) >= CONNECTIONS_MAX:
            self._cut(next(iter(self._open)))
        self._open[handler] = self._clock.mono_ns()
        return handler

    def _cut(self, handler: RequestHandler) -> None:
        del self._open[handler]
        transport = handler.transport
        if transport is not None:
            transport.abort()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            if self._attempts.total > self._counted:
                self._on_forged(self._attempts.total - self._counted)
                self._counted = self._attempts.total
            oldest_ns = self._clock.mono_ns() - int(CONNECTION_SECONDS * 1e9)
            for handler, since_ns in list(self._open.items()):
                if handler.transport is None or since_ns < oldest_ns:
                    self._cut(handler)

    # --- requests ---

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        try:
            answer, status = await self._obey(request), 200
        except Denied as denied:
            self._tell(denied, request)
            if denied.forged and self._attempts.too_many(self._clock.mono_ns()):
                denied = Denied("too_many", "too many failed attempts; a command that is signed is still obeyed")
            status = _STATUS[denied.code]
            answer = {"error": denied.code, "text": str(denied)}
        response = web.Response(body=msgspec.json.encode(answer), status=status, content_type="application/json")
        response.force_close()  # one command a connection
        return response

    async def _obey(self, request: web.BaseRequest) -> dict[str, Any]:
        if request.path != PATH or request.method != "POST":
            raise Denied("malformed", f"send a signed command with POST to {PATH}", forged=True)
        if request.content_type != "application/json":
            raise Denied("malformed", "a signed command is application/json", forged=True)
        if self._hosts and request.host not in self._hosts:
            raise Denied("not_allowed", f"this is not the host {request.host[:40]}", forged=True)
        if (request.content_length or 0) > BODY_BYTES_MAX:
            raise Denied("too_large", f"a command has at most {BODY_BYTES_MAX} bytes", forged=True)
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge as large:
            raise Denied("too_large", f"a command has at most {BODY_BYTES_MAX} bytes", forged=True) from large
        command = decode(body)
        self._actor.check(command)  # what is forged takes no turn of what is not
        self._open.pop(request.protocol, None)
        async with self._acting:
            return await asyncio.to_thread(self._actor.obey, command, "api", request.remote or "unknown")

    def _tell(self, denied: Denied, request: web.BaseRequest) -> None:
        """Log a refusal: of forged ones a line a minute, of signed ones every one."""
        whence = request.remote or "unknown"
        if not denied.forged:
            log.warning("refused a signed command from %s: %s", whence, denied)
            return
        count = self._attempts.failed(self._clock.mono_ns())
        if count is not None:
            log.warning("refused %d unsigned or forged commands, the newest from %s: %s", count, whence, denied)


def _small_request(message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:
    """A request whose body is cut off at the size of a command."""
    loop = asyncio.get_running_loop()
    return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=BODY_BYTES_MAX)
