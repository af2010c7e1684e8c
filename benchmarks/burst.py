"""A hundred thousand messages a second at a real socket (`-m benchmarks.burst`): what is taken, and at what cost.

A process of its own has the frames ready and writes them as fast as asked, whether they are taken or not. On the other
side are the adapter, the inbox and the core, without a disk; beside them a fill comes in every ten milliseconds.
"""

import asyncio
import json
import sys
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
import psutil
from websockets.asyncio.server import ServerConnection, serve
from websockets.frames import Frame, Opcode

from benchmarks.figures import Figure, percentile
from benchmarks.rig import SYMBOLS, core_config, in_fresh_process, on_loop
from engine.core.config import MINUTE, SECOND, Instrument
from engine.core.engine import Engine
from engine.core.events import Bar, Fill, PhaseEntered, Quote, Role, RunStarted, SessionPhase
from engine.session.clock import WallClock
from engine.session.inbox import Inbox
from engine.strategies import make_all
from engine.venues.bitunix.feed import BitunixFeed, FeedSettings

RATE: Final = 100_000
SECONDS: Final = 5
MINUTES: Final = 100
"""Candles of each symbol, pushed one after the other in between; all but the newest close."""
STEP_S: Final = 0.01
FILL_S: Final = 0.01
TAKE_MAX: Final = 256
CHANNELS: Final = ("depth_book1", "market_kline_1min")


def _frames(rate: int, now_ns: int) -> Iterator[str]:
    """Best bids and asks of every symbol by turns, and between them the candles of the minutes before `now_ns`."""
    count = rate * SECONDS
    every = count // (MINUTES * len(SYMBOLS))
    first_ns = now_ns // MINUTE * MINUTE - MINUTES * MINUTE
    for n in range(count):
        symbol, price = SYMBOLS[n % len(SYMBOLS)], 100 + n // len(SYMBOLS) % 50 / 100
        if n % every == 0 and (minute := n // every // len(SYMBOLS)) < MINUTES:
            at_ms, name = (first_ns + minute * MINUTE) // 1_000_000, SYMBOLS[n // every % len(SYMBOLS)]
            data = {"o": f"{100 + minute / 1000}", "h": "101", "l": "99", "c": "100", "b": "5", "q": "500"}
            yield json.dumps({"ch": "market_kline_1min", "symbol": name, "ts": at_ms, "data": data})
            continue
        at_ms = now_ns // 1_000_000 + n * 1000 // rate
        levels = f'{{"b":[["{price:.2f}","1"]],"a":[["{price + 0.1:.2f}","1"]]}}'
        yield f'{{"ch":"depth_book1","symbol":"{symbol}","ts":{at_ms},"data":{levels}}}'


async def _push(rate: int) -> None:
    """The venue's side: greets, waits for the last subscription, and writes."""
    now_ns = WallClock().now_ns()
    ready = [Frame(Opcode.TEXT, frame.encode()).serialize(mask=False) for frame in _frames(rate, now_ns)]
    size = round(rate * STEP_S)
    chunks = [b"".join(ready[at : at + size]) for at in range(0, len(ready), size)]
    done = asyncio.Event()

    async def serve_one(connection: ServerConnection) -> None:
        await connection.send('{"op":"connect","data":{"result":true}}')
        await connection.recv()
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        for n, chunk in enumerate(chunks):
            connection.transport.write(chunk)
            await asyncio.sleep(max(0.0, began_s + (n + 1) * STEP_S - loop.time()))
        await connection.wait_closed()
        done.set()

    async with serve(serve_one, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
        print(next(iter(server.sockets)).getsockname()[1], flush=True)
        await done.wait()


def _engine(now_ns: int) -> Engine:
    engine = Engine(make_all)
    instruments = [Instrument(s, tick=1_000_000, lot=100_000, min_qty=100_000, max_qty=10**14) for s in SYMBOLS]
    engine.handle(RunStarted(now_ns, "burst", core_config(instruments)))
    engine.handle(PhaseEntered(now_ns, SessionPhase.SEEDING_HISTORY, SessionPhase.RUNNING))
    return engine


class Desk:
    """Feed, inbox and core, and what came of them."""

    def __init__(self, feed: BitunixFeed, clock: WallClock) -> None:
        self.inbox, self.engine = Inbox(), _engine(clock.now_ns())
        self.late_ms: list[float] = []
        self.bars: dict[str, list[int]] = {symbol: [] for symbol in SYMBOLS}
        self.ticks = self.fills = self.fills_sent = self.largest = self.newest_ns = 0
        self._feed, self._clock = feed, clock

    async def listen(self) -> None:
        async for group in self._feed.events():
            self.inbox.put(group)
            self.ticks += sum(isinstance(event, Quote) for event in group)
            self.largest = max(self.largest, len(self.inbox))

    async def decide(self) -> None:
        while True:
            await self.inbox.wait()
            for event in self.inbox.take(TAKE_MAX):
                if isinstance(event, Fill):
                    self.fills += 1  # of nobody's order: counted, not booked
                    continue
                self.engine.handle(event)
                if isinstance(event, Bar):
                    self.bars[event.symbol].append(event.start_ns)
                elif isinstance(event, Quote):
                    self.newest_ns = max(self.newest_ns, event.venue_ns)
            await asyncio.sleep(0)

    async def fill(self) -> None:
        while True:
            at_ns, self.fills_sent = self._clock.now_ns(), self.fills_sent + 1
            name = f"f{self.fills_sent}"
            self.inbox.put_first(Fill(name, "o", SYMBOLS[0], at_ns, at_ns, 1, 1, 0, Role.TAKER))
            await asyncio.sleep(FILL_S)

    async def watch(self) -> None:
        """How late a task that sleeps for ten milliseconds is."""
        loop = asyncio.get_running_loop()
        while True:
            due_s = loop.time() + 0.01
            await asyncio.sleep(0.01)
            self.late_ms.append((loop.time() - due_s) * 1000)


async def _measure(rate: int) -> dict[str, float]:
    words = [sys.executable, "-m", "benchmarks.burst", "push", str(rate)]
    pusher = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)
    assert pusher.stdout is not None
    port = int(await pusher.stdout.readline())
    clock, process = WallClock(), psutil.Process()
    url = f"ws://127.0.0.1:{port}"
    feed = BitunixFeed("http://127.0.0.1:1", url, SYMBOLS, clock, FeedSettings(channels=CHANNELS))
    desk = Desk(feed, clock)
    tasks = [asyncio.create_task(work()) for work in (desk.listen, desk.decide, desk.fill, desk.watch)]
    before, began_s = process.memory_info().rss, asyncio.get_running_loop().time()
    await feed.connect()
    last_ns = clock.now_ns() + 60 * SECOND
    total = rate * SECONDS - MINUTES * len(SYMBOLS)
    while desk.ticks < total and clock.now_ns() < last_ns and not any(task.done() for task in tasks):  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    took_s = asyncio.get_running_loop().time() - began_s
    await feed.close()
    while len(desk.inbox):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    for task in tasks:
        task.cancel()
    pusher.terminate()
    await pusher.wait()
    wanted = len(SYMBOLS) * (MINUTES - 1)
    whole = sum(len(set(starts)) for starts in desk.bars.values())
    return {
        "taken": desk.ticks / took_s,
        "missed": total - desk.ticks,
        "conflated": desk.inbox.dropped,
        "largest": desk.largest,
        "lag p99": percentile(desk.late_ms, 99),
        "lag max": max(desk.late_ms),
        "bars": wanted,
        "bars lost": max(0, wanted - whole),
        "fills": desk.fills_sent,
        "fills lost": desk.fills_sent - desk.fills,
        "memory": (process.memory_info().rss - before) / 1e6,
    }


def run(rate: int = RATE) -> list[Figure]:
    told = in_fresh_process("benchmarks.burst", "measure", str(rate))
    return [
        Figure(f"taken of {rate:,} messages/s offered", told["taken"], "messages/s"),
        Figure("of these never taken", told["missed"], "messages", "at most", 0),
        Figure("ticks conflated in the inbox", told["conflated"], "ticks"),
        Figure("most that waited in the inbox", told["largest"], "events", "at most", 4_096 + 500),
        Figure("closed minutes lost", told["bars lost"], f"of {told['bars']:.0f}", "at most", 0),
        Figure("fills lost", told["fills lost"], f"of {told['fills']:.0f}", "at most", 0),
        Figure("loop late p99 meanwhile", told["lag p99"], "ms", "at most", 200),
        Figure("loop late at most", told["lag max"], "ms"),
        Figure("memory gained", told["memory"], "MB", "at most", 100),
    ]


def main(words: Sequence[str]) -> int:
    if words[:1] == ["push"]:
        asyncio.run(_push(int(words[1])))
        return 0
    if words[:1] == ["measure"]:
        print(msgspec.json.encode(on_loop(_measure(int(words[1])))).decode())
        return 0
    figures = run(int(words[0])) if words else run()
    for figure in figures:
        print(figure.line())
    return 0 if all(figure.ok for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
