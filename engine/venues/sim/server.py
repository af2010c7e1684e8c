"""The simulated venue: REST on one port, sockets on another, one market, one loop that plays it.

It speaks Bitunix futures' dialect, matches orders with the paper broker's execution model, and listens on loopback
only unless told otherwise. Everything here happens on one asyncio loop; time that matters to the market comes from the
venue's clock, time that matters to a socket from the loop.
"""

import asyncio
import http
import ipaddress
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

import msgspec
from aiohttp import web
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response

from engine.core import money
from engine.core.config import MINUTE, SECOND, PaperModel
from engine.core.events import DataRejected, FeedEvent, MarketEvent
from engine.venues.sim.account_calls import AccountCalls
from engine.venues.sim.accounts import Account, first_id
from engine.venues.sim.clock import VenueClock, wall_ns
from engine.venues.sim.control import Control
from engine.venues.sim.faults import Faults
from engine.venues.sim.market_calls import MarketCalls
from engine.venues.sim.options import RATE_PER_SECOND, SIM_KEY, SIM_SECRET
from engine.venues.sim.play import Play
from engine.venues.sim.private import Private
from engine.venues.sim.public import Public
from engine.venues.sim.rest import BODY_BYTES_MAX, Rest
from engine.venues.sim.sockets import IDLE_S, Client, Connection, Sockets
from engine.venues.sim.sockets import Request as SocketRequest
from engine.venues.sim.source import MarketSource
from engine.venues.sim.tape import Tape

TIMELY_NS: Final = 60 * SECOND
"""A signed timestamp may be this far from the venue's time, times the speed of a fast market."""

TICK_S: Final = 0.010
PAST_S: Final = 0.25
"""Between two looks into the past for the 24 h figures, so that a start is not held up by them."""

LOAD_TICK_S: Final = 0.002
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class NotLoopback(ValueError):
    """The venue was asked to listen where others could reach it."""

    def __init__(self, host: str) -> None:
        super().__init__(
            f"{host} is not a loopback address; the simulated venue listens elsewhere only when allowed to"
        )
        self.host = host


class VenueSettings(msgspec.Struct, frozen=True):
    """How a venue behaves. `port` is for REST, sockets get the next one; 0 means any two free ports.

    `each_quote` pushes `depth_book1` at every quote of the market instead of every 310 ms. `rate_per_second` bounds
    the calls per path and caller, 0 is no bound. `keys` are the accounts: API key to secret.
    """

    host: str = "127.0.0.1"
    port: int = 0
    allow_remote: bool = False
    seed: int = 1
    cash: int = 10_000 * money.SCALE
    each_quote: bool = False
    rate_per_second: int = RATE_PER_SECOND
    idle_s: float = IDLE_S
    tick_s: float = TICK_S
    past_s: float = PAST_S
    model: PaperModel = PaperModel()
    keys: dict[str, str] = msgspec.field(default_factory=lambda: {SIM_KEY: SIM_SECRET})


class Venue:
    """One simulated venue. `start` it, then read its ports; `run` plays the market until cancelled."""

    def __init__(self, market: MarketSource, clock: VenueClock, settings: VenueSettings) -> None:
        self.settings = settings
        self.clock = clock
        self.faults = Faults()
        self.http_port = 0
        self.ws_port = 0
        self.on_rejected: Callable[[DataRejected], None] = lambda _event: None
        """Told of rows of a recording that could not be played."""
        self.ended = asyncio.Event()
        """Set once the market has no more events."""
        self.tapes = {
            instrument.symbol: Tape(instrument.symbol, instrument.funding_interval_ns, market.history)
            for instrument in market.instruments
        }
        instruments = {instrument.symbol: instrument for instrument in market.instruments}
        ids = first_id(wall_ns())
        self.accounts = {
            key: Account(instruments, settings.model, settings.seed, settings.cash, ids + number * 10**9)
            for number, key in enumerate(settings.keys)
        }
        shown_ns = clock.shown_ns
        self._public_sockets = Sockets(self.faults, shown_ns, settings.idle_s)
        self._private_sockets = Sockets(self.faults, shown_ns, settings.idle_s)
        self.public = Public(self.tapes, self._public_sockets, self.faults, clock.speed, settings.each_quote)
        self._private = Private(self.accounts, settings.keys, self._private_sockets, self.faults, self._is_timely)
        routes = {
            **MarketCalls(instruments, self.tapes, market.history, clock.now_ns).routes(),
            **AccountCalls(instruments, self.faults, clock.now_ns).routes(),
        }
        self._rest = Rest(
            routes, self.accounts, settings.keys, self.faults, shown_ns, self._is_timely, settings.rate_per_second
        )
        self._control = Control(self.accounts, clock, self.faults, self.drop_all)
        self._market = market
        self._runner: web.AppRunner | None = None
        self._server: Server | None = None

    @property
    def public_clients(self) -> Iterable[Client]:
        """The open public sockets, oldest first."""
        return self._public_sockets.clients

    async def start(self) -> None:
        """Bind both ports. Raises `NotLoopback`, or `OSError` when a port is taken; then neither is left bound."""
        settings = self.settings
        if not settings.allow_remote and not _is_loopback(settings.host):
            raise NotLoopback(settings.host)
        now_ns = self.clock.now_ns()
        known = (self._market.funding(symbol, now_ns) for symbol in self.tapes)
        self._take(rate for rate in known if rate is not None)
        self._began_ns = now_ns
        from_ns = now_ns if self.settings.each_quote else now_ns - now_ns % MINUTE
        self._play = Play(self._market, from_ns)
        self._take(self._play.until(now_ns))
        try:
            await self._bind()
        except OSError:
            await self.stop()
            raise

    async def _bind(self) -> None:
        settings = self.settings
        app = web.Application(client_max_size=BODY_BYTES_MAX, middlewares=[self._only_known_hosts])
        app.add_routes(self._control.routes())
        app.router.add_route("*", "/{path:.*}", self._rest.answer)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, settings.host, settings.port).start()
        self.http_port = self._runner.addresses[0][1]
        self._server = await serve(
            self._serve,
            settings.host,
            settings.port + 1 if settings.port else 0,
            create_connection=Connection,
            process_request=self._admit,
            origins=[None],  # a browser page has no business here
            compression=None,
            ping_interval=None,
            close_timeout=1.0,
            max_size=BODY_BYTES_MAX,
        )
        self.ws_port = next(iter(self._server.sockets)).getsockname()[1]

    async def run(self) -> None:
        """Play the market, match and push, until cancelled."""
        loop = asyncio.get_running_loop()
        idle_due_s, past_due_s = 0.0, 0.0
        remembering = [] if self.settings.each_quote else list(self.tapes.values())  # a load has no time for the past
        while True:
            now_s = loop.time()
            self.step(now_s)
            if now_s >= idle_due_s:
                idle_due_s = now_s + min(1.0, self.settings.idle_s / 4)
                self._public_sockets.cut_idle(now_s)
                self._private_sockets.cut_idle(now_s)
            if remembering and now_s >= past_due_s:
                past_due_s = now_s + self.settings.past_s
                if not remembering[-1].remember(self._began_ns):
                    remembering.pop()
            await asyncio.sleep(self.settings.tick_s)

    def step(self, now_s: float) -> None:
        """One beat: take what happened since the last one, let it match, push it."""
        now_ns = self.clock.now_ns()
        self._take(self._play.until(now_ns))
        for account in self.accounts.values():
            if account.busy:
                account.advance(now_ns)
        shown_ns = now_ns + self.clock.skew_ns
        self.public.tick(now_s, now_ns, shown_ns)
        self._private.tick(shown_ns)
        if self._play.ended and not self.ended.is_set():
            self._control.has_ended = True
            self.ended.set()

    def drop_all(self) -> int:
        """Cut every socket; how many there were."""
        return self._public_sockets.drop_all() + self._private_sockets.drop_all()

    async def stop(self) -> None:
        """Close both ports and every connection."""
        if self._server is not None:
            self.drop_all()
            self._server.close()
            await self._server.wait_closed()
        if self._runner is not None:
            await self._runner.cleanup()

    def _take(self, events: Iterable[FeedEvent]) -> None:
        tapes, accounts, skew_ns = self.tapes, tuple(self.accounts.values()), self.clock.skew_ns
        for event in events:
            if not isinstance(event, MarketEvent):
                if isinstance(event, DataRejected):
                    self.on_rejected(event)
                continue  # a hole in a recording is a hole in what we send: the client must find it by itself
            tapes[event.symbol].apply(event)
            for account in accounts:
                account.on_market(event)
            if self.settings.each_quote:
                self.public.on_event(event, event.at_ns + skew_ns)

    def _is_timely(self, at_ns: int) -> bool:
        return abs(at_ns - self.clock.shown_ns()) <= TIMELY_NS * max(self.clock.speed, 1)

    # --- the doors ---

    async def _serve(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        if connection.request.path.startswith("/public"):
            await self._public_sockets.serve(connection, self._public_request)
        else:
            await self._private_sockets.serve(connection, self._private.request)

    def _public_request(self, client: Client, request: SocketRequest) -> None:
        self.public.request(client, request, self.clock.now_ns(), self.clock.shown_ns())

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        if self.faults.refuse_sockets:
            connection.transport.abort()
        if not self._knows(request.headers.get("Host", "")):
            return connection.respond(http.HTTPStatus.FORBIDDEN, "unknown host\n")
        if request.path.rstrip("/") not in ("/public", "/private"):
            return connection.respond(http.HTTPStatus.NOT_FOUND, "not found\n")
        return None

    @web.middleware
    async def _only_known_hosts(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse a name that is not ours: a page that rebinds its own name to loopback must not get in."""
        if not self._knows(request.host):
            return web.Response(status=403, text="unknown host\n")
        return await handler(request)

    def _knows(self, host: str) -> bool:
        return self.settings.allow_remote or _is_loopback(host.rpartition(":")[0].strip("[]") or host)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
