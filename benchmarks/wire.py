"""Twenty thousand messages a second over a real socket into a desk on one core (`-m benchmarks.wire`).

The venue pushes every quote of its market, ten times as fast as the wall, from a process on another core. The desk is
a whole session with the venue's own broker and much to trade, so that fills come over the wire too; nothing of what
must not be lost may be missing at the end: every closed minute once, and every fill the venue made.
"""

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Final

import aiohttp
import msgspec
import psutil

from benchmarks.decision import Restless
from benchmarks.figures import Figure
from benchmarks.rig import LOOSE, SYMBOLS, in_fresh_process, on_loop, place
from benchmarks.session import Meter
from engine.core.config import MINUTE, SECOND
from engine.core.events import Bar, FeedEvent
from engine.session.clock import ScaledClock, WallClock
from engine.session.session import Session
from engine.venues.bitunix.broker import BitunixBroker
from engine.venues.bitunix.feed import BitunixFeed, FeedSettings
from engine.venues.bitunix.signing import Credentials
from engine.venues.sim.options import SIM_KEY, SIM_SECRET, VenueOptions
from engine.venues.sim.process import start_venue

SPEED: Final = 10
RATE: Final = 20_000
SECONDS: Final = 25
STEADY: Final = msgspec.structs.replace(LOOSE, orders_per_minute_max=20)
CHANNELS: Final = ("depth_book1", "trade", "market_kline_1min", "price")


class CountingFeed(BitunixFeed):
    """A feed that counts what it hands on. `bars` are the starts of each symbol's minutes that came from the stream."""

    seen: Counter[str]
    bars: dict[str, list[int]]
    refilled: int = 0

    async def connect(self) -> None:
        self.seen, self.bars = Counter(), {symbol: [] for symbol in SYMBOLS}
        await super().connect()

    async def events(self) -> AsyncIterator[Sequence[FeedEvent]]:
        async for group in super().events():
            for event in group:
                self.seen[type(event).__name__] += 1
                if isinstance(event, Bar):
                    self.bars[event.symbol].append(event.start_ns)
                    self.refilled += event.backfilled
            yield group


async def _flood(rate: int, seconds: int, speed: int, core: int) -> dict[str, float]:
    """The desk's side, on core number `core`; what came of it."""
    interval_ms = 1000 * speed * len(SYMBOLS) / rate
    venue = await start_venue(
        VenueOptions(speed=speed, quote_interval_ms=interval_ms, each_quote=True), "benchmarks.flood"
    )
    os.sched_setaffinity(venue.pid, {at for at in os.sched_getaffinity(0) if at != core} or {core})
    for thread in psutil.Process().threads():
        os.sched_setaffinity(thread.id, {core})
    made: dict[str, int] = {}

    async def close_venue() -> None:
        """Ask the venue what it did, then end it."""
        async with aiohttp.ClientSession() as http, http.get(f"{venue.rest_url}/sim/journal") as answer:
            made["fills"] = len((await answer.json())[SIM_KEY]["fills"])
        await venue.stop()

    clock = ScaledClock(venue.clock.now_ns(), speed)
    feed = CountingFeed(venue.rest_url, venue.ws_url, SYMBOLS, clock, FeedSettings(channels=CHANNELS))
    broker = BitunixBroker(venue.rest_url, venue.ws_url, Credentials(SIM_KEY, SIM_SECRET), clock)
    with place() as opened:
        strategy = Restless()
        plan = opened.plan(
            clock, feed, broker, limits=STEADY, make_strategies=lambda _: (strategy,), close_venue=close_venue
        )
        session = Session(plan)
        running = asyncio.create_task(session.run())
        while not running.done() and not ((view := session.view()) and view.started_ns):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        meters = Meter(os.getpid()), Meter(venue.pid)
        began_ns, before = WallClock().mono_ns(), feed.seen.total()
        await asyncio.wait([running], timeout=seconds)
        took_s, after = (WallClock().mono_ns() - began_ns) / SECOND, feed.seen.total()
        desk, played = (meter.read() for meter in meters)
        session.stop("bench is over")
        await running
        report = json.loads(opened.folder.final_report.read_text())
    missing = sum((starts[-1] - starts[0]) // MINUTE + 1 - len(starts) for starts in feed.bars.values() if starts)
    return {
        "rate": (after - before) / took_s,
        "cpu": desk.cpu_percent,
        "venue cpu": played.cpu_percent,
        "bars": feed.seen["Bar"],
        "bars missing": missing + sum(not starts for starts in feed.bars.values()),
        "bars refilled": feed.refilled,
        "fills": report["fills_count"],
        "fills missing": made["fills"] - report["fills_count"],
        "conflated": report["dropped_ticks"],
        "lost connections": feed.seen["FeedChanged"] - len(SYMBOLS) - 1,
        "decision p99": report["tick_to_decision_us"]["p99"],
        "lag p99": report["loop_lag_ms"]["p99"],
        "beats": report["heartbeat"]["count"],
        "beat p99": report["heartbeat"]["late_ms"]["p99"],
        "beat max": report["heartbeat"]["late_ms"]["max"],
    }


def flooded(rate: int, seconds: int, speed: int) -> dict[str, float]:
    """What came of a flood, in a process of its own; the market is `speed` times as fast as the wall."""
    return in_fresh_process("benchmarks.wire", "flood", str(rate), str(seconds), str(speed))


def run(rate: int = RATE) -> list[Figure]:
    told = flooded(rate, SECONDS, SPEED)
    return [
        Figure("messages over the socket", told["rate"], "messages/s", "at least", 0.98 * rate),
        Figure("closed minutes lost", told["bars missing"], f"of {told['bars']:.0f}", "at most", 0),
        Figure("fills lost", told["fills missing"], f"of {told['fills']:.0f}", "at most", 0),
        Figure("minutes that had to be fetched again", told["bars refilled"], "bars"),
        Figure("ticks conflated", told["conflated"], "ticks"),
        Figure("connections and streams lost", told["lost connections"], "changes"),
        Figure("desk on one core", told["cpu"], "% of it"),
        Figure("venue on the other", told["venue cpu"], "% of it"),
        Figure("tick to decision p99 meanwhile", told["decision p99"], "us"),
        Figure("loop late p99 meanwhile", told["lag p99"], "ms"),
    ]


def main(words: Sequence[str]) -> int:
    if words[:1] == ["flood"]:
        core = max(os.sched_getaffinity(0))
        rate, seconds, speed = (int(word) for word in words[1:])
        print(msgspec.json.encode(on_loop(_flood(rate, seconds, speed, core))).decode())
        return 0
    figures = run(int(words[0])) if words else run()
    for figure in figures:
        print(figure.line())
    return 0 if all(figure.ok for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
