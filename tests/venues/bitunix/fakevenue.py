"""A scripted venue on loopback: REST by a table of answers, sockets by a greeting and whatever the test sends."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from email.utils import formatdate
from typing import Any

from aiohttp import web
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from engine.core.config import MINUTE
from engine.core.facts import Submit
from tests.steady import PATIENCE

T0_NS = 1_790_126_460_000_000_000  # 2026-09-23T01:21:00Z, the start of a minute
MS = 1_000_000
Json = dict[str, Any]
Answer = Callable[[web.Request, bytes], Any]


class SetClock:
    """A clock that stands where it is set."""

    def __init__(self, now_ns: int = T0_NS) -> None:
        self.ns = now_ns

    def now_ns(self) -> int:
        return self.ns


class FakeVenue:
    """Attributes:
    answers: Path below the API prefix to a function giving the reply's `data`, a whole `web.Response`, or raising.
    calls: (method, path) of every REST call.
    sockets: Open connections, newest last; `said` what clients sent, in order.
    accept: What to do with a new socket before its greeting; raising refuses it.
    """

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.calls: list[tuple[str, str]] = []
        self.requests: list[tuple[web.Request, bytes]] = []
        self.sockets: list[ServerConnection] = []
        self.opened = 0
        self.said: list[Json] = []
        self.greets = True
        self.pongs = True
        self.on_message: Callable[[ServerConnection, Json], Any] | None = None
        self.changed = asyncio.Event()
        self.rest_url = ""
        self.ws_url = ""

    async def rest(self, request: web.Request) -> web.StreamResponse:
        """Answer a call; the venue's clock says T0 unless the answer says otherwise."""
        response = await self._answered(request)
        response.headers.setdefault("Date", formatdate(T0_NS // 1_000_000_000, usegmt=True))
        return response

    async def _answered(self, request: web.Request) -> web.StreamResponse:
        path = request.path.removeprefix("/api/v1/futures")
        body = await request.read()
        self.calls.append((request.method, path))
        self.requests.append((request, body))
        self.notify()
        answer = self.answers.get(path)
        if answer is None:
            return web.json_response({"code": 404, "data": None, "msg": "Not Found"})
        data = answer(request, body)
        if asyncio.iscoroutine(data):
            data = await data
        if isinstance(data, web.StreamResponse):
            return data
        return web.json_response({"code": 0, "data": data, "msg": "Success"})

    async def socket(self, connection: ServerConnection) -> None:
        self.opened += 1
        self.sockets.append(connection)
        try:
            if self.greets:
                await connection.send('{"op":"connect","data":{"result":true}}')
            self.notify()
            async for raw in connection:
                message = json.loads(raw)
                self.said.append(message)
                if message["op"] == "ping" and self.pongs:
                    await connection.send(json.dumps({"op": "ping", "pong": message["ping"], "ping": 1}))
                if self.on_message is not None and (reply := self.on_message(connection, message)) is not None:
                    await reply
                self.notify()
        except ConnectionClosed:
            pass
        finally:
            self.sockets.remove(connection)
            self.notify()

    async def send(self, *messages: Json | str) -> None:
        """Send to every open socket."""
        for connection in list(self.sockets):
            for message in messages:
                await connection.send(message if isinstance(message, str) else json.dumps(message))

    async def settled(self) -> None:
        """Until every client has what was sent before: each answers a protocol ping after it."""
        for connection in list(self.sockets):
            await (await connection.ping())

    def cut(self) -> None:
        """Cut every socket without a word."""
        for connection in list(self.sockets):
            connection.transport.abort()

    def notify(self) -> None:
        self.changed.set()

    async def until(self, condition: Callable[[], bool], within_s: float = PATIENCE) -> None:
        """Wait until something that happened here makes `condition` true."""
        async with asyncio.timeout(within_s):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    def subscribed(self) -> list[tuple[str, str]]:
        """Every (symbol, channel) asked for so far, in order."""
        return [
            (arg["symbol"], arg["ch"])
            for message in self.said
            if message["op"] == "subscribe"
            for arg in message["args"]
        ]


@asynccontextmanager
async def venue() -> AsyncIterator[FakeVenue]:
    fake = FakeVenue()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", fake.rest)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server = await serve(fake.socket, "127.0.0.1", 0, compression=None, ping_interval=None, close_timeout=0.1)
    fake.rest_url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    fake.ws_url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
    try:
        yield fake
    finally:
        fake.cut()
        server.close()
        await server.wait_closed()
        await runner.cleanup()


class Collector:
    """Everything a stream of events brought, and waiting for more."""

    def __init__(self, events: AsyncIterator[Sequence[Any]]) -> None:
        self.all: list[Any] = []
        self.groups: list[int] = []
        self.failure: BaseException | None = None
        self._changed = asyncio.Event()
        self._task = asyncio.create_task(self._run(events))

    async def _run(self, events: AsyncIterator[Sequence[Any]]) -> None:
        try:
            async for group in events:
                self.all += group
                self.groups.append(len(group))
                self._changed.set()
        except Exception as problem:
            self.failure = problem
        finally:
            self._changed.set()

    def of(self, *kinds: type) -> list[Any]:
        return [event for event in self.all if isinstance(event, kinds)]

    async def until(self, condition: Callable[[], bool], within_s: float = PATIENCE) -> None:
        async with asyncio.timeout(within_s):
            while not condition():
                assert not self._task.done() or condition(), f"the events ended: {self.failure!r}"
                self._changed.clear()
                await self._changed.wait()

    async def ended(self, within_s: float = PATIENCE) -> None:
        async with asyncio.timeout(within_s):
            await self._task

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


def passes(_: Submit) -> bool:
    """A gate that is open."""
    return True


def book(
    symbol: str = "BTCUSDT", ts_ns: int = T0_NS, bid: str = "100", ask: str = "101", ch: str = "depth_book5"
) -> Json:
    return {"ch": ch, "symbol": symbol, "ts": ts_ns // MS, "data": {"b": [[bid, "1"]], "a": [[ask, "2"]]}}


def kline(minute: int, second: float = 0.0, close: str = "100", volume: str = "5", symbol: str = "BTCUSDT") -> Json:
    """A push of the minute `minute` after T0; its open names the minute, so that minutes are told apart."""
    figures = [float(close), 100 + minute]
    data = {"o": str(100 + minute), "h": str(max(figures)), "l": str(min(figures)), "c": close, "b": volume, "q": "500"}
    ts = (T0_NS + minute * MINUTE + int(second * 1e9)) // MS
    return {"ch": "market_kline_1min", "symbol": symbol, "ts": ts, "data": data}


def row(minute: int, close: str = "100", volume: str = "5") -> Json:
    """The candle of a minute as REST gives it, volumes under each other's name."""
    opening = 100 + minute % 60
    figures = [float(close), opening]
    turnover = str(float(volume) * float(close))
    return {
        "open": str(opening),
        "high": str(max(figures)),
        "low": str(min(figures)),
        "close": close,
        "time": str((T0_NS + minute * MINUTE) // MS),
        "quoteVol": volume,
        "baseVol": turnover,
        "type": "LAST_PRICE",
    }


def history_of(minutes: Sequence[int]) -> Answer:
    """Answers the candle call from the given minutes: newest first, `endTime` and `limit` obeyed."""

    def answer(request: web.Request, _body: bytes) -> Any:
        end_ms = int(request.query.get("endTime", 1 << 60))
        rows = [row(minute) for minute in sorted(minutes, reverse=True)]
        return [one for one in rows if int(one["time"]) <= end_ms][: int(request.query["limit"])]

    return answer
