"""The REST side: one door for every call. It checks limits, signature and timestamp, and wraps what the calls return.

Every answer is HTTP 200 with a `code`, whatever went wrong, also for a path that does not exist. The Date header tells
the venue's time: it is the only clock a client gets.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import msgspec
from aiohttp import web

from engine.venues.sim import wire
from engine.venues.sim.accounts import Account
from engine.venues.sim.faults import Faults
from engine.venues.sim.options import RATE_PER_SECOND
from engine.venues.sim.signing import matches, signature
from engine.venues.sim.wire import MS, Json, Refusal

PREFIX: Final = "/api/v1/futures"
HALF_RATE: Final = ("/trade/cancel_orders", "/trade/cancel_all_orders")
BODY_BYTES_MAX: Final = 64 * 2**10


class Call(msgspec.Struct, frozen=True):
    """One request, checked: decoded query, decoded JSON body, and whose account it is (None: nobody signed)."""

    query: Mapping[str, str]
    body: Mapping[str, object]
    account: Account | None

    def owner(self) -> Account:
        assert self.account is not None, "a signed call reached its handler without an account"
        return self.account

    def number(self, name: str, default: int) -> int:
        """A number in the query. Raises `Refusal` 10002 when it is none."""
        raw = self.query.get(name, "")
        number = wire.digits(raw) if raw else default
        if number is None:
            raise Refusal(10002)
        return number


class Lost(Exception):
    """The answer is to be lost: the connection ends in a reset."""


Handler = Callable[[Call], Json | Awaitable[Json]]


class Route(msgspec.Struct, frozen=True):
    method: str
    handler: Handler
    signed: bool = False


class Rest:
    """Answers calls by a table of routes (path below the prefix)."""

    def __init__(
        self,
        routes: Mapping[str, Route],
        accounts: Mapping[str, Account],
        secrets: Mapping[str, str],
        faults: Faults,
        shown_ns: Callable[[], int],
        is_timely: Callable[[int], bool],
        rate_per_second: int = RATE_PER_SECOND,
    ) -> None:
        self._routes = {PREFIX + path: route for path, route in routes.items()}
        self._accounts = accounts
        self._secrets = secrets
        self._faults = faults
        self._shown_ns = shown_ns
        self._is_timely = is_timely
        self._rate_per_second = rate_per_second
        self._recent: dict[tuple[str, str], deque[float]] = {}

    async def answer(self, request: web.Request) -> web.Response:
        """Handle any request that is not the simulator's own."""
        body = await request.read()
        if self._faults.delay_ms:
            await asyncio.sleep(self._faults.delay_ms / 1_000)
        status = 500 if self._faults.take("error_500_next") else 200
        try:
            payload = b"upstream error" if status == 500 else wire.reply(await self._called(request, body))
        except Refusal as refusal:
            payload = wire.reply(None, refusal.code, str(refusal))
        except Lost:
            assert request.transport is not None
            request.transport.abort()
            payload = b""
        headers = {"Date": wire.http_date(self._shown_ns())}
        return web.Response(body=payload, status=status, content_type="application/json", headers=headers)

    async def _called(self, request: web.Request, body: bytes) -> Json:
        route = self._routes.get(request.path)
        if route is None or route.method != request.method:
            raise Refusal(404)
        account = self._signer(request, body) if route.signed else None
        self._limit(request.path, request.headers.get("api-key", "") if route.signed else request.remote or "")
        query = {name.strip(): value for name, value in request.query.items()}
        answer = route.handler(Call(query, _decoded(body), account))
        return await answer if isinstance(answer, Awaitable) else answer

    def _signer(self, request: web.Request, body: bytes) -> Account:
        """The account whose key and secret signed the request. Raises `Refusal`."""
        key, nonce, stamp, claimed = (
            request.headers.get(name, "") for name in ("api-key", "nonce", "timestamp", "sign")
        )
        if not key:
            raise Refusal(10003)
        secret, at_ms = self._secrets.get(key), wire.digits(stamp)
        if secret is None or at_ms is None or not self._is_timely(at_ms * MS):
            raise Refusal(10007)
        if not matches(claimed, signature(secret, key, nonce, stamp, request.query.items(), body)):
            raise Refusal(10007)
        return self._accounts[key]

    def _limit(self, path: str, who: str) -> None:
        if self._faults.take("limit_next"):
            raise Refusal(10005)
        if not self._rate_per_second:
            return
        now_s = asyncio.get_running_loop().time()
        rate = self._rate_per_second // 2 if path.endswith(HALF_RATE) else self._rate_per_second
        recent = self._recent.setdefault((path, who), deque(maxlen=rate))
        if len(recent) == rate and now_s - recent[0] < 1.0:
            raise Refusal(10005)
        recent.append(now_s)


def _decoded(body: bytes) -> Mapping[str, object]:
    if not body:
        return {}
    try:
        value = wire.decoded(body)
    except ValueError as error:
        raise Refusal(10002) from error
    if not isinstance(value, dict):
        raise Refusal(10002)
    return value
