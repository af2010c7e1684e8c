"""A venue on loopback with a market that can be read off: every price is known, every quote has a second of its own."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from websockets.asyncio.client import ClientConnection, connect

from engine.core import money
from engine.core.config import SECOND, Instrument, PaperModel
from engine.core.events import Bar, Book, FeedEvent, FundingRate, MarketEvent, Quote, Trade
from engine.venues.sim.clock import VenueClock
from engine.venues.sim.options import SIM_KEY, SIM_SECRET
from engine.venues.sim.server import Venue, VenueSettings
from engine.venues.sim.signing import signature
from tests.steady import PATIENCE

ORIGIN_NS = 1_790_126_460 * SECOND
TENTH_NS = SECOND // 10
D = money.parse


def instrument(symbol: str, tick: str = "0.1") -> Instrument:
    return Instrument(symbol, tick=D(tick), lot=D("0.0001"), min_qty=D("0.0001"), max_qty=D("1000"))


class PlainMarket:
    """Two symbols around 1000 and 50, a quote and a book every 100 ms, a trade a second; prices stand still.

    `moves` sets the middle of ACMEUSDT from a time on, so that a test can let the market run through an order.
    """

    name = "plain"
    fingerprint = "0" * 64
    start_ns = 0
    synthetic_book: frozenset[str] = frozenset()

    def __init__(self, moves: Sequence[tuple[int, int]] = (), *, until_ns: int = 0, step_ns: int = TENTH_NS) -> None:
        self.end_ns = until_ns
        self.instruments: Sequence[Instrument] = (instrument("ACMEUSDT"), instrument("BOLTUSDT", "0.01"))
        self._moves = sorted(moves)
        self._until_ns = until_ns
        self._step_ns = step_ns

    def funding(self, symbol: str, at_ns: int) -> FundingRate | None:
        return FundingRate(symbol, at_ns, D("0.0001"), ORIGIN_NS + 3600 * SECOND) if symbol == "ACMEUSDT" else None

    def events(self, from_ns: int, step_ns: int = SECOND) -> Iterator[list[FeedEvent]]:
        at_ns = from_ns
        while not self._until_ns or at_ns < self._until_ns:
            yield [event for symbol in ("ACMEUSDT", "BOLTUSDT") for event in self._beat(symbol, at_ns)]
            at_ns += self._step_ns

    def history(self, symbol: str, span_ns: int, end_ns: int, count: int) -> list[Bar]:
        middle = self._middle(symbol, 0)
        last = end_ns - end_ns % span_ns
        return [
            Bar(symbol, start + span_ns, start, span_ns, middle, middle + D("2"), middle - D("1"), middle, D("10"))
            for start in range(last - count * span_ns, last, span_ns)
        ]

    def _middle(self, symbol: str, at_ns: int) -> int:
        if symbol == "BOLTUSDT":
            return D("50")
        return next((middle for since_ns, middle in reversed(self._moves) if at_ns >= since_ns), D("1000"))

    def _beat(self, symbol: str, at_ns: int) -> Iterator[MarketEvent]:
        middle, tick = self._middle(symbol, at_ns), D("0.5")
        if at_ns % SECOND == 0:
            yield Trade(symbol, at_ns, at_ns, middle + tick, D("0.5"), 1)
        bids = tuple((middle - tick * n, D("2")) for n in range(1, 21))
        asks = tuple((middle + tick * n, D("2")) for n in range(1, 21))
        yield Book(symbol, at_ns, at_ns, bids, asks)
        yield Quote(symbol, at_ns, at_ns, *bids[0][:1], *asks[0][:1], bids[0][1], asks[0][1])


class LoopClock(VenueClock):
    """Venue time by the loop's, which stands still while the machine is busy elsewhere: then nothing piles up."""

    def __init__(self, origin_ns: int, speed: int) -> None:
        self._loop = asyncio.get_running_loop()
        super().__init__(origin_ns, speed, self._mono_ns())

    def _mono_ns(self) -> int:
        return int(self._loop.time() * SECOND)

    def now_ns(self) -> int:
        return self.pair()[0]

    def pair(self) -> tuple[int, int]:
        mono_ns = self._mono_ns()
        return self.origin_ns + (mono_ns - self.started_ns) * self.speed, mono_ns


QUICK = PaperModel(latency_ns_min=1_000_000, latency_ns_max=2_000_000)


@asynccontextmanager
async def running(market: PlainMarket | None = None, *, speed: int = 1, **settings: Any) -> AsyncIterator["Caller"]:
    """A venue that plays `market` on ephemeral ports, and somebody to call it."""
    fields = {"model": QUICK, "rate_per_second": 0, "tick_s": 0.002, "past_s": 0.0, **settings}
    venue = Venue(market or PlainMarket(), LoopClock(ORIGIN_NS, speed), VenueSettings(**fields))
    await venue.start()
    beat = asyncio.create_task(venue.run())
    try:
        async with aiohttp.ClientSession() as session:
            yield Caller(venue, session)
    finally:
        beat.cancel()
        await asyncio.gather(beat, return_exceptions=True)
        await venue.stop()


class Caller:
    """A client of one venue, as plain as can be."""

    def __init__(self, venue: Venue, session: aiohttp.ClientSession) -> None:
        self.venue = venue
        self.session = session
        self.url = f"http://127.0.0.1:{venue.http_port}"
        self.ws = f"ws://127.0.0.1:{venue.ws_port}"
        self._nonce = 0

    async def get(self, path: str, query: dict[str, str] | None = None, *, signed: bool = False, **more: str) -> Any:
        query = {**(query or {}), **more}
        headers = self.signed(query, b"") if signed else {}
        async with self.session.get(self.url + _whole(path), params=query, headers=headers) as reply:
            assert reply.status == 200
            return await reply.json()

    async def post(self, path: str, body: dict[str, Any]) -> Any:
        raw = json.dumps(body, separators=(",", ":")).encode()
        headers = {**self.signed({}, raw), "Content-Type": "application/json"}
        async with self.session.post(self.url + _whole(path), data=raw, headers=headers) as reply:
            assert reply.status == 200
            return await reply.json()

    async def fault(self, **faults: Any) -> None:
        async with self.session.post(self.url + "/sim/faults", json=faults) as reply:
            assert reply.status == 200

    async def journal(self) -> Any:
        async with self.session.get(self.url + "/sim/journal") as reply:
            return (await reply.json())[SIM_KEY]

    def signed(self, query: dict[str, str], body: bytes, **over: str) -> dict[str, str]:
        self._nonce += 1
        stamp = over.get("timestamp", str(self.venue.clock.shown_ns() // 1_000_000))
        key, nonce = over.get("key", SIM_KEY), f"{self._nonce:032d}"
        sign = signature(over.get("secret", SIM_SECRET), key, nonce, stamp, query.items(), body)
        return {"api-key": key, "nonce": nonce, "timestamp": stamp, "sign": sign}

    async def place(self, client_id: str, side: str = "BUY", qty: str = "1", **more: Any) -> Any:
        body = {"symbol": "ACMEUSDT", "side": side, "qty": qty, "orderType": "MARKET", "clientId": client_id, **more}
        return await self.post("/trade/place_order", body)

    async def order(self, client_id: str) -> Any:
        return (await self.get("/trade/get_order_detail", signed=True, clientId=client_id))["data"]

    async def ended(self, client_id: str) -> Any:
        """The order once it no longer works."""
        async with asyncio.timeout(PATIENCE):
            while True:
                order = await self.order(client_id)
                if order["status"] not in ("INIT", "NEW", "PART_FILLED"):
                    return order
                await asyncio.sleep(0.005)

    @asynccontextmanager
    async def public(self, *streams: tuple[str, str]) -> AsyncIterator[ClientConnection]:
        """An open public socket past its greeting, subscribed to (channel, symbol) pairs."""
        async with connect(self.ws + "/public/", ping_interval=None, compression=None, max_queue=None) as socket:
            assert json.loads(await socket.recv()) == {"op": "connect", "data": {"result": True}}
            if streams:
                args = [{"symbol": symbol, "ch": channel} for channel, symbol in streams]
                await socket.send(json.dumps({"op": "subscribe", "args": args}))
            yield socket

    @asynccontextmanager
    async def private(self, unit: int = 1_000_000) -> AsyncIterator[ClientConnection]:
        """An open private socket past its login."""
        stamp = str(self.venue.clock.shown_ns() // unit)
        sign = signature(SIM_SECRET, SIM_KEY, "n" * 32, stamp, (), b"")
        async with connect(self.ws + "/private/", ping_interval=None, compression=None) as socket:
            await socket.recv()
            args = [{"apiKey": SIM_KEY, "timestamp": int(stamp), "nonce": "n" * 32, "sign": sign}]
            await socket.send(json.dumps({"op": "login", "args": args}))
            assert json.loads(await socket.recv()) == {"op": "login", "data": {"result": True}}
            yield socket


def _whole(path: str) -> str:
    return f"/api/v1/futures{path}"


async def frames(socket: ClientConnection, want: Callable[[Any], bool], count: int = 1) -> list[Any]:
    """The next `count` messages that `want` accepts."""
    found: list[Any] = []
    async for raw in socket:
        message = json.loads(raw)
        if want(message):
            found.append(message)
        if len(found) == count:
            return found
    raise AssertionError(f"the socket ended after {len(found)} of {count} messages")
