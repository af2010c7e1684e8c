"""Who may come in through the browser's door: whoever knows the token, from this machine, on a page of ours.

Every request is asked, the socket's as well. The token comes once in the address and from then on as a cookie that no
script can read; a wrong host name (a foreign name made to point at this machine) or a foreign page that calls is
refused whatever it knows.
"""

import hmac
import logging
from collections import Counter
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
SOCKET_PATH: Final = "/ws"
ENTRANCE: Final = "/"
HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; font-src 'self'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

log = logging.getLogger("serve")


class Stranger(StrEnum):
    """Why a request was refused."""

    HOST = "it came by a name that is not this machine's"
    ORIGIN = "another page called"
    TOKEN = "the token is missing or wrong"


class Guard:
    """Asks every request; use `middleware`.

    Attributes:
        refused: How many were refused, by cause.
    """

    def __init__(self, token: str, port: int) -> None:
        self._token = token.encode()
        self.cookie = f"nightdesk-{port}"  # a cookie belongs to a host, whatever the port
        self.refused: Counter[Stranger] = Counter()

    def middleware(self) -> Middleware:
        @web.middleware
        async def ask(request: web.Request, handler: Handler) -> web.StreamResponse:
            stranger = self.judge(request)
            if stranger is not None:
                self.refused[stranger] += 1
                log.warning("refused %s %s from %s: %s", request.method, request.path, request.remote, stranger.value)
                return web.Response(status=403, text=f"refused: {stranger.value}\n", headers=HEADERS)
            if "token" in request.query:
                return self._welcome()
            answer = await handler(request)
            if not answer.prepared:
                answer.headers.update(HEADERS)
            return answer

        return ask

    def judge(self, request: web.Request) -> Stranger | None:
        """Why `request` may not come in; None if it may."""
        if urlsplit(f"//{request.host}").hostname not in LOOPBACK:
            return Stranger.HOST
        origin = request.headers.get("Origin")
        if origin is None and request.path == SOCKET_PATH:
            return Stranger.ORIGIN  # a browser always says where a socket is opened from
        if origin is not None and origin != f"http://{request.host}":
            return Stranger.ORIGIN
        given = request.query.get("token") if request.path == ENTRANCE else None
        if given is None:
            given = request.cookies.get(self.cookie, "")
        return None if hmac.compare_digest(given.encode(), self._token) else Stranger.TOKEN

    def _welcome(self) -> web.Response:
        """The token goes from the address, where it would stay in the browser's history, into a cookie."""
        answer = web.Response(status=303, headers={"Location": ENTRANCE, **HEADERS})
        answer.set_cookie(self.cookie, self._token.decode(), httponly=True, samesite="Strict", path="/")
        return answer
