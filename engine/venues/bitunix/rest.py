"""Calls over HTTP: signed or not, timed, paced, and every outcome either data or one typed `VenueError`.

Reads may be repeated, a few times and only where that is safe; what changes something is sent exactly once. A client
with credentials reaches a host other than this machine only with the live gate's token, so that in paper nothing that
could send a real order can be made.
"""

import asyncio
import ipaddress
import json
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import aiohttp
from pydantic import ValidationError
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt, wait_exponential_jitter

from engine.core.clean import clean
from engine.core.config import SECOND
from engine.venues.bitunix import codes
from engine.venues.bitunix.certificates import refusal
from engine.venues.bitunix.offset import ClockOffset
from engine.venues.bitunix.pace import Pace
from engine.venues.bitunix.signing import Credentials, Signature, glued, new_nonce, sign
from engine.venues.bitunix.wire import MS, REPLY, first_problem
from engine.venues.errors import ClockSkew, HeldBack, NotSent, RateLimited, UnknownOutcome, VenueError, is_retryable
from engine.venues.fuse import Fuse, FuseOpen

TIMEOUT_S: Final = 10.0
WISH_MARGIN_S: Final = 0.01  # a sleep may end a moment early
BODY_BYTES_MAX: Final = 8 * 1024 * 1024
SKEW_NS_MAX: Final = 5 * SECOND
SIM_KEY_PREFIX: Final = "nightdesk-sim"  # the built-in venue's key is known to everybody
API: Final = "/api/v1/futures"
Body = Mapping[str, Any] | Callable[[], Mapping[str, Any]]
DEFAULT_LIMIT: Final = 10.0  # documented calls a second, per path
LIMITS: Final = {"/trade/cancel_orders": 5.0, "/trade/batch_order": 5.0, "/trade/cancel_all_orders": 5.0}


class Clock(Protocol):
    """UTC nanoseconds, of the wall or of the venue where that runs scaled."""

    def now_ns(self) -> int: ...


class LiveToken:
    """Proof that the live gate let this session through. Only the gate makes one, for one account and one session."""

    __slots__ = ("account", "run_id")

    def __init__(self, account: str, run_id: str) -> None:
        self.account = account
        self.run_id = run_id


class LiveForbidden(VenueError):
    """Something that could trade for real was about to be made without the live gate's token."""


def is_loopback(url: str) -> bool:
    """True if the URL's host is certainly this machine: a loopback address, or the name `localhost`."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def demand_loopback(url: str, live: LiveToken | None) -> None:
    """Raise `LiveForbidden` unless `url` stays on this machine or `live` is given."""
    if live is None and not is_loopback(url):
        raise LiveForbidden(f"{url} is not on this machine and the live gate is closed")


class Rest:
    """One venue's HTTP side.

    Args:
        base_url: Scheme, host and port, without a path.
        clock: For signatures and the offset to the venue's clock.
        timeout_s: For a whole call, from connecting to the last byte.
        fuse: Holds reads back while the venue keeps failing; default: one on the loop's clock.
    """

    def __init__(
        self,
        base_url: str,
        clock: Clock,
        *,
        credentials: Credentials | None = None,
        live: LiveToken | None = None,
        timeout_s: float = TIMEOUT_S,
        fuse: Fuse | None = None,
    ) -> None:
        if credentials is not None:
            demand_loopback(base_url, live)
            if credentials.api_key.startswith(SIM_KEY_PREFIX) and not is_loopback(base_url):
                raise LiveForbidden(f"the simulated venue's key must not be shown to {base_url}")
        self._base_url = base_url.rstrip("/")
        self._clock = clock
        self._credentials = credentials
        self._timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=timeout_s / 2)
        self._http: aiohttp.ClientSession | None = None
        self._paces: dict[str, Pace] = {}
        self.offset = ClockOffset()
        self.fuse = fuse or Fuse(lambda: asyncio.get_running_loop().time())

    async def close(self) -> None:
        """Close the connections; calls in flight end as `UnknownOutcome`."""
        if self._http is not None:
            await self._http.close()
            self._http = None

    async def get(
        self,
        path: str,
        params: Mapping[str, str] | None = None,
        *,
        signed: bool = False,
        attempts: int = 1,
        is_evidence: bool = False,
    ) -> Any:
        """The `data` of a read; up to `attempts` tries where the failure is one that passes.

        After three failures in a row reads are refused for a minute (`FuseOpen`), and after a `Retry-After` as long as
        the venue wishes, but for those of the evidence what became of an order.
        """
        retrying = AsyncRetrying(
            stop=stop_after_attempt(attempts), wait=_wait, retry=retry_if_exception(_passes), reraise=True
        )
        return await retrying(self._read, path, dict(params or {}), signed, is_evidence)

    async def post(self, path: str, body: Body, may_leave: Callable[[], bool] | None = None) -> Any:
        """The `data` of a signed call that changes something; sent once, whatever happens.

        It may wait for its turn; a `body` that is a function is asked for then. `may_leave` is asked last of all, when
        nothing is waited for any more; its no is `HeldBack`.
        """
        return await self._call("POST", path, {}, body, True, may_leave)

    async def _read(self, path: str, params: dict[str, str], signed: bool, is_evidence: bool) -> Any:
        """One read, and what it says about the venue: an answer of any kind is one that works."""
        if not is_evidence:
            self.fuse.admit(path)
        try:
            data = await self._call("GET", path, params, None, signed)
        except (NotSent, UnknownOutcome):
            self.fuse.failed()
            raise
        except RateLimited as limited:
            self.fuse.succeeded()
            if limited.retry_after_s:
                self.fuse.rest(limited.retry_after_s)
            raise
        except VenueError:
            self.fuse.succeeded()
            raise
        except BaseException:
            self.fuse.abandoned()
            raise
        self.fuse.succeeded()
        return data

    def login(self) -> dict[str, str | int]:
        """The arguments of a private socket's login."""
        credentials, signature = self._sign("", "")
        return {
            "apiKey": credentials.api_key,
            "timestamp": signature.timestamp_ms,
            "nonce": signature.nonce,
            "sign": signature.sign,
        }

    async def _call(
        self,
        method: str,
        path: str,
        params: dict[str, str],
        body: Body | None,
        signed: bool,
        may_leave: Callable[[], bool] | None = None,
    ) -> Any:
        await self._pace(path).take()
        if may_leave is not None and not may_leave():
            raise HeldBack(path)
        content = body() if callable(body) else body
        text = "" if content is None else json.dumps(content, separators=(",", ":"), ensure_ascii=False)
        headers = {"language": "en-US", "Content-Type": "application/json"}
        if signed:
            headers |= self._signed_headers(glued(params), text)
        sent_ns = self._clock.now_ns()
        try:
            async with self._session().request(
                method,
                self._base_url + API + path,
                params=params,
                data=text.encode() if body is not None else None,
                headers=headers,
                allow_redirects=False,
            ) as response:
                raw = await _body(response)
        except (aiohttp.ConnectionTimeoutError, aiohttp.ClientConnectorError) as problem:
            raise refusal(path, problem) or NotSent(f"{path}: no connection: {problem}") from problem
        except TimeoutError as problem:
            raise UnknownOutcome(f"{path}: no answer within {self._timeout.total:g} s") from problem
        except (aiohttp.ClientError, OSError) as problem:
            raise UnknownOutcome(f"{path}: connection lost: {problem or type(problem).__name__}") from problem
        self.offset.observe(response.headers.get("Date", ""), sent_ns, self._clock.now_ns())
        if response.status != 200:
            said = clean(raw[:200].decode("utf-8", "replace"))
            raise codes.by_status(response.status, f"{path}: {said}", response.headers)
        if len(raw) > BODY_BYTES_MAX:
            raise UnknownOutcome(f"{path}: reply longer than {BODY_BYTES_MAX} bytes")
        return self._data(path, raw)

    def _data(self, path: str, raw: bytes) -> Any:
        try:
            reply = REPLY.validate_json(raw)
        except ValidationError as problem:
            raise UnknownOutcome(f"{path}: unreadable reply: {first_problem(problem)}") from problem
        if reply.code == 0:
            return reply.data
        if reply.code == codes.SIGNATURE_CODE and abs(self.offset.correction_ns) > SKEW_NS_MAX:
            seconds = self.offset.correction_ns / SECOND
            raise ClockSkew(f"{path}: the venue's clock is {seconds:+.1f} s from ours", reply.code)
        raise codes.by_code(reply.code, f"{path}: {reply.msg or ''}")

    def _session(self) -> aiohttp.ClientSession:
        if self._http is None:
            # No cookies, and (aiohttp's default) no proxy from the environment.
            self._http = aiohttp.ClientSession(timeout=self._timeout, cookie_jar=aiohttp.DummyCookieJar())
        return self._http

    def _pace(self, path: str) -> Pace:
        pace = self._paces.get(path)
        if pace is None:
            pace = self._paces[path] = Pace.of(LIMITS.get(path, DEFAULT_LIMIT))
        return pace

    def _signed_headers(self, query: str, body: str) -> dict[str, str]:
        credentials, signature = self._sign(query, body)
        return {
            "api-key": credentials.api_key,
            "nonce": signature.nonce,
            "timestamp": str(signature.timestamp_ms),
            "sign": signature.sign,
        }

    def _sign(self, query: str, body: str) -> tuple[Credentials, Signature]:
        if self._credentials is None:
            raise RuntimeError("a signed call on a client without credentials")
        now_ms = (self._clock.now_ns() + self.offset.correction_ns) // MS
        return self._credentials, sign(self._credentials, new_nonce(), now_ms, query, body)


async def _body(response: aiohttp.ClientResponse) -> bytes:
    """The whole body, or its beginning where it is longer than we read."""
    raw = bytearray()
    async for chunk in response.content.iter_any():
        raw += chunk
        if len(raw) > BODY_BYTES_MAX:
            break
    return bytes(raw)


_backoff: Final = wait_exponential_jitter(multiplier=0.25, max=4.0, jitter=0.25)


def _passes(problem: BaseException) -> bool:
    """Whether trying again soon may help; an open fuse has its own time."""
    return is_retryable(problem) and not isinstance(problem, FuseOpen)


def _wait(state: RetryCallState) -> float:
    """Exponential with jitter, or what the venue asked for if that is longer."""
    failure = state.outcome.exception() if state.outcome is not None else None
    wished_s = failure.retry_after_s if isinstance(failure, RateLimited) else None
    return max(_backoff(state), wished_s + WISH_MARGIN_S if wished_s else 0.0)
