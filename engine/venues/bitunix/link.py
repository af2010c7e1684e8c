"""One WebSocket to the venue that is brought back whenever it is lost, until the outage outlasts the window.

The venue's manners: its first frame says it is connected; it wants a JSON ping every 15 s and dies of a protocol ping;
it takes at most five messages a second; it acknowledges no subscription. What the messages mean is the owner's affair.
"""

import asyncio
import contextlib
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, wait_exponential_jitter
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from engine.core.config import SECOND
from engine.venues.bitunix.certificates import refusal
from engine.venues.bitunix.pace import Pace
from engine.venues.bitunix.rest import Clock
from engine.venues.errors import AuthFailed, CertificateRefused, NotSent, UnknownOutcome, VenueError, VenueGone

MESSAGES_PER_S: Final = 5.0
FRAMES_WAITING_MAX: Final = 1024  # the library's default of 16 pauses reading at every burst
FRAME_BYTES_MAX: Final = 4 * 1024 * 1024
FRAMES_PER_TURN: Final = 64  # then the other tasks of the loop have their turn
SHORT_LIFE_S: Final = 10.0  # a connection lost sooner counts as a failed attempt

# At DEBUG the library prints frames, a login among them.
_log = logging.getLogger(__name__)
_log.setLevel(logging.INFO)


@dataclass(frozen=True, slots=True)
class LinkTimes:
    """Transport times, in wall seconds whatever the venue's clock does.

    Attributes:
        timeout_s: To connect and be greeted.
        ping_s: Between pings; a connection from which nothing came for this and `pong_s` is dead.
        window_s: The longest outage that is waited out.
        content_s: A new connection must bring content within this time; None: it need not.
        backoff_s: The first and the longest pause between attempts.
    """

    timeout_s: float = 10.0
    ping_s: float = 15.0
    pong_s: float = 10.0
    window_s: float = 600.0
    content_s: float | None = None
    backoff_s: tuple[float, float] = (0.5, 15.0)


class _Direct(connect):
    """A connection that follows no redirect: it reaches the host it was given or none."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class Link:
    """The connection and its life.

    Args:
        url: The whole address.
        greet: Sends what a new connection needs first (login, subscriptions).
        on_frame: Takes every frame and the time of its receipt (UTC ns); True if it was content, proof of a live feed.
            An `AuthFailed` out of it ends the link.
        on_down: Told why the connection was lost, once per loss.
        room: Cleared by the owner while it can take no more frames; reading waits for it.
    """

    def __init__(
        self,
        url: str,
        clock: Clock,
        *,
        greet: "Callable[[Link], Awaitable[None]]",
        on_frame: Callable[[bytes, int], bool],
        on_down: Callable[[str], None],
        times: LinkTimes,
        room: asyncio.Event,
    ) -> None:
        self._url = url
        self._clock = clock
        self._greet = greet
        self._on_frame = on_frame
        self._on_down = on_down
        self._times = times
        self._room = room
        self._pace = Pace.of(MESSAGES_PER_S)
        self._socket: ClientConnection | None = None
        self._beat: asyncio.Task[None] | None = None
        self._opened_s = 0.0
        self._heard_s = 0.0
        self._short_lives = 0

    async def open(self) -> None:
        """Connect and greet once, or raise `VenueError` naming the cause."""
        try:
            async with asyncio.timeout(self._times.timeout_s):
                await self._connect()
        except TimeoutError as problem:
            await self._drop_socket()
            raise NotSent(f"{self._url}: no greeting within {self._times.timeout_s:g} s") from problem
        except (WebSocketException, VenueError, OSError) as problem:
            await self._drop_socket()
            raise _translated(self._url, problem) from problem

    async def run(self) -> None:
        """Read for ever, reconnecting. Raises `VenueGone` when the window is over, `AuthFailed` when refused."""
        while True:
            try:
                await self._read(until_content=False)
            except (ConnectionClosed, OSError) as problem:
                cause = _translated(self._url, problem).text
            lived_s = self._now_s() - self._opened_s
            self._short_lives = self._short_lives + 1 if lived_s < SHORT_LIFE_S else 0
            self._on_down(cause)
            await self._drop_socket()
            await self._reconnect()

    async def send(self, message: dict[str, Any]) -> None:
        """Send one message, as soon as the venue's limit allows."""
        await self._pace.take()
        socket = self._socket
        if socket is None:
            raise NotSent(f"{self._url}: not connected")
        await socket.send(json.dumps(message, separators=(",", ":")))

    async def drop(self, why: str) -> None:
        """Give this connection up as dead; `run` then reconnects."""
        _log.warning("dropping %s: %s", self._url, why)
        if self._socket is not None:
            self._socket.transport.abort()

    async def close(self) -> None:
        """Close for good; `run` must have been cancelled."""
        await self._drop_socket()

    async def _connect(self) -> None:
        self._socket = await _Direct(
            self._url,
            compression=None,
            ping_interval=None,
            max_queue=FRAMES_WAITING_MAX,
            max_size=FRAME_BYTES_MAX,
            open_timeout=self._times.timeout_s,
            close_timeout=1.0,
            proxy=None,
            logger=_log,
        )
        self._opened_s = self._heard_s = self._now_s()
        self._on_frame(await self._socket.recv(decode=False), self._clock.now_ns())
        await self._greet(self)
        self._beat = asyncio.create_task(self._keep_alive(self._socket), name=f"ping {self._url}")

    async def _reconnect(self) -> None:
        began_s = self._now_s()
        first_s, longest_s = self._times.backoff_s
        backoff = wait_exponential_jitter(multiplier=first_s, max=longest_s, jitter=first_s)

        def wait(state: RetryCallState) -> float:
            left_s = began_s + self._times.window_s - self._now_s()
            return max(0.0, min(backoff(state), left_s))  # so the last attempt falls on the window's end

        retrying = AsyncRetrying(
            wait=wait,
            stop=lambda _state: self._now_s() - began_s >= self._times.window_s,
            retry=retry_if_exception(_may_pass),
            reraise=True,
        )
        if self._short_lives:
            await asyncio.sleep(min(first_s * 2**self._short_lives, longest_s, self._times.window_s))
        try:
            await retrying(self._establish)
        except AuthFailed:
            raise
        except VenueError as problem:
            outage_s = self._now_s() - began_s
            raise VenueGone(f"no connection for {outage_s:.0f} s: {problem.text}", outage_s) from problem

    async def _establish(self) -> None:
        try:
            await self.open()
        except CertificateRefused as problem:
            _log.warning("%s", problem)  # of an outage only its end is told, and this is none of a line
            raise
        if self._times.content_s is None:
            return
        try:
            async with asyncio.timeout(self._times.content_s):
                await self._read(until_content=True)
        except TimeoutError as problem:
            await self._drop_socket()
            raise UnknownOutcome(f"{self._url}: connected, but no data came") from problem
        except (ConnectionClosed, OSError) as problem:
            await self._drop_socket()
            raise _translated(self._url, problem) from problem

    async def _read(self, *, until_content: bool) -> None:
        """Hand frames to the owner until the connection is lost, or until the first content."""
        socket = self._socket
        if socket is None:
            raise ConnectionResetError("not connected")
        now_s, now_ns, on_frame, recv = self._now_s, self._clock.now_ns, self._on_frame, socket.recv
        count = 0
        while True:
            raw = await recv(decode=False)
            self._heard_s = now_s()
            if on_frame(raw, now_ns()) and until_content:
                return
            count += 1
            if count % FRAMES_PER_TURN == 0:
                await asyncio.sleep(0)
            if not self._room.is_set():
                await self._room.wait()

    async def _keep_alive(self, socket: ClientConnection) -> None:
        while True:
            await asyncio.sleep(self._times.ping_s)
            silent_s = self._now_s() - self._heard_s
            if silent_s > self._times.ping_s + self._times.pong_s and self._room.is_set():
                await self.drop(f"nothing heard for {silent_s:.1f} s, not even an answer to a ping")
                return
            with contextlib.suppress(ConnectionClosed, NotSent):  # the reader notices the loss and says so
                await self.send({"op": "ping", "ping": self._clock.now_ns() // SECOND})

    async def _drop_socket(self) -> None:
        beat, self._beat = self._beat, None
        socket, self._socket = self._socket, None
        if beat is not None and beat is not asyncio.current_task():
            beat.cancel()
            await asyncio.gather(beat, return_exceptions=True)
        if socket is not None:
            await socket.close()

    @staticmethod
    def _now_s() -> float:
        return asyncio.get_running_loop().time()


def _may_pass(problem: BaseException) -> bool:
    return isinstance(problem, VenueError) and not isinstance(problem, AuthFailed)


def _translated(url: str, problem: BaseException) -> VenueError:
    match problem:
        case VenueError():
            return problem
        case ConnectionClosed():
            return UnknownOutcome(f"{url}: connection lost: {problem}")
        case _:  # refused, unreachable, or no WebSocket there
            return refusal(url, problem) or NotSent(f"{url}: {problem or type(problem).__name__}")
