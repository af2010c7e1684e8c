"""The venue's market data as core events: sockets kept alive, minutes closed, holes refilled, health watched.

Everything that happens (a frame, a timer, a lost connection, a refill) puts events into one queue in the order it
happened, and `events` hands that queue on in groups. Times measured here are transport times, in wall seconds; stamps
come from the clock given, which may be the venue's own.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from engine.core.config import MINUTE, Instrument
from engine.core.events import Bar, DataRejected, FeedEvent
from engine.core.times import until_step
from engine.venues.bitunix.candles import CHANNEL, Candles
from engine.venues.bitunix.frames import Item, Kline
from engine.venues.bitunix.health import WHOLE, Watch
from engine.venues.bitunix.history import History, read_listing
from engine.venues.bitunix.link import LinkTimes
from engine.venues.bitunix.outbox import Outbox, Tasks
from engine.venues.bitunix.rest import Clock, Rest
from engine.venues.bitunix.streams import STREAMS_PER_SOCKET, Streams, shares
from engine.venues.bitunix.wire import ControlFrame
from engine.venues.errors import RuleRefused, VenueError

DEFAULT_CHANNELS: Final = ("depth_book5", "trade", "market_kline_1min", "price")
REFILL_TRIES: Final = 3  # the newest missing candle may not be in the venue's history at once
REFILL_BARS_MAX: Final = 1_440


@dataclass(frozen=True, slots=True)
class FeedSettings:
    """How a feed behaves. Times in wall seconds.

    Attributes:
        channels: Streams wanted for each symbol. With a book there need be no quotes: the core takes them from it.
        stale_s: Silence longer than this is STALE; twice as long on an open connection and it is given up.
        window_s: The longest outage that is waited out.
        grace_s: After a minute's end, how long to wait for its last push before closing it.
        replay: The venue plays the past, so stamps before 2024 are right.
    """

    channels: tuple[str, ...] = DEFAULT_CHANNELS
    stale_s: float = 15.0
    window_s: float = 600.0
    grace_s: float = 2.0
    timeout_s: float = 10.0
    ping_s: float = 15.0
    pong_s: float = 10.0
    backoff_s: tuple[float, float] = (0.5, 15.0)
    refill_pause_s: float = 1.0
    read_attempts: int = 3
    replay: bool = False


class BitunixFeed:
    """Market data of `symbols`. It sends nothing but subscriptions and pings, and holds no credentials.

    Args:
        rest_url: Scheme, host and port of the HTTP side.
        ws_url: The same of the socket side, without the path.
        rests: Whether every market is closed at a time (UTC ns), so that silence means nothing.
    """

    def __init__(
        self,
        rest_url: str,
        ws_url: str,
        symbols: Sequence[str],
        clock: Clock,
        settings: FeedSettings | None = None,
        rests: Callable[[int], bool] = lambda _: False,
    ) -> None:
        self._rests = rests
        self._settings = settings = settings or FeedSettings()
        self._symbols = tuple(dict.fromkeys(symbols))
        if not self._symbols or not 0 < len(settings.channels) <= STREAMS_PER_SOCKET:
            raise ValueError("a feed needs at least one symbol, and 1 to 300 channels for each")
        self._clock = clock
        self._rest = Rest(rest_url, clock, timeout_s=settings.timeout_s)
        self._history = History(self._rest, clock, replay=settings.replay, on_rejected=self._reject)
        self._candles = {symbol: Candles(symbol) for symbol in self._symbols}
        self._watch = Watch(self._symbols, settings.stale_s)
        self._refilling: set[str] = set()
        self._rejected: dict[tuple[str, str], DataRejected | None] = {}
        self._outbox: Outbox[FeedEvent] = Outbox()
        self._tasks = Tasks(self._outbox)
        self._streams = [self._new_streams(ws_url, share) for share in shares(self._symbols, len(settings.channels))]

    async def connect(self) -> None:
        """Open every connection and subscribe. Raises `VenueError` naming the cause; then nothing is left open."""
        try:
            for streams in self._streams:
                await streams.link.open()
        except VenueError:
            await self.close()
            raise
        self._watch.start(_now_s())
        for streams in self._streams:
            self._tasks.add(asyncio.create_task(streams.link.run(), name="feed: read"))
        self._tasks.add(asyncio.create_task(self._tick_for_ever(), name="feed: watch"))

    async def instruments(self) -> Sequence[Instrument]:
        """The contracts of our symbols. Raises `RuleRefused` for an unknown one, `VenueClosed` for one not traded."""
        listing = (await self.listing()).values()
        for problem in listing:
            if isinstance(problem, VenueError):
                raise problem
        return [instrument for instrument in listing if isinstance(instrument, Instrument)]

    async def listing(self) -> dict[str, Instrument | VenueError]:
        """The contract of each of our symbols as the venue has it now, or why it is not to be traded. May raise."""
        return await read_listing(self._rest, self._symbols, self._settings.read_attempts)

    async def sync_time(self) -> int | None:
        """How far the venue's clock is ahead of ours, in ns, at the least; None if it does not say. May raise."""
        await self._rest.get("/market/tickers", {"symbols": self._symbols[0]}, attempts=self._settings.read_attempts)
        return self._rest.offset.correction_ns if self._rest.offset.samples else None

    async def history(self, symbol: str, span_ns: int, count: int) -> list[Bar]:
        """The newest `count` closed bars, oldest first; live bars go on after them, without overlap or hole.

        One attempt, see `seeding.seed_history` for more. Raises `VenueError`.
        """
        candles = self._candles.get(symbol)
        if candles is None:
            raise RuleRefused(f"symbol {symbol!r} is not part of this feed")
        bars = await self._history.newest(symbol, span_ns, count)
        if bars:
            candles.seeded(bars[-1])
            self._outbox.discard(lambda event: _is_covered(event, symbol, candles.covered_ns))
        return bars

    def events(self) -> AsyncIterator[Sequence[FeedEvent]]:
        """Events in the order they happened, in groups of at most 256, until closed.

        Raises:
            VenueGone: the reconnect window is over.
        """
        return self._outbox.groups()

    def reject(self, event: DataRejected) -> None:
        """Tell of data that was refused beside this connection: by the source of a venue's market, or by a broker."""
        self._reject(msgspec.structs.replace(event, at_ns=self._clock.now_ns()))

    async def close(self) -> None:
        """Close every connection; `events` ends after what is still queued."""
        await self._tasks.stop()
        for streams in self._streams:
            await streams.link.close()
        await self._rest.close()
        self._outbox.end()

    # --- what the connections report ---

    def _take(self, symbol: str, items: list[Item], at_ns: int) -> bool:
        is_content = True
        events: list[FeedEvent] = []
        for item in items:
            if isinstance(item, Kline):
                events += self._candles[item.symbol].update(item)
            elif isinstance(item, DataRejected):
                self._reject(item)
                is_content = False
            else:
                events.append(item)
        if is_content:
            events[:0] = self._watch.heard(symbol, _now_s(), at_ns)  # a market is live before its data is looked at
            if symbol and self._candles[symbol].wanted is not None:
                self._refill_soon(symbol)
        if events:
            self._outbox.put(events)
        return is_content

    def _refused(self, control: ControlFrame, at_ns: int) -> None:
        self._reject(DataRejected("", at_ns, control.text, control.op[:20]))

    def _lost(self, symbols: Sequence[str], why: str) -> None:
        """A connection broke; the open minutes it carried may lack their end."""
        for symbol in symbols:
            self._candles[symbol].interrupted()
        names = [*([WHOLE] if len(self._streams) == 1 else []), *symbols]
        self._outbox.put(self._watch.down(names, _now_s(), self._clock.now_ns(), why))

    # --- timers ---

    async def _tick_for_ever(self) -> None:
        settings = self._settings
        pause_ns = int(max(0.005, min(0.25, settings.stale_s / 10, settings.grace_s / 4)) * 1e9)
        while True:
            await asyncio.sleep(until_step(int(_now_s() * 1e9), pause_ns) / 1e9)
            mono_s, now_ns = _now_s(), self._clock.now_ns()
            self._look_at_health(mono_s, now_ns)
            for symbol, candles in self._candles.items():
                self._outbox.put(candles.tick(now_ns, mono_s, settings.grace_s, self._watch.heard_ns(symbol)))
            self._report_rejected()
            if self._rests(now_ns):
                continue  # a closed market is mute, and its connection none the worse
            for streams in self._streams:
                silent_s = min(self._watch.silence_s(symbol, mono_s) for symbol in streams.symbols)
                await streams.drop_if_mute(silent_s, 2 * settings.stale_s)

    def _look_at_health(self, mono_s: float, now_ns: int) -> None:
        changes = self._watch.tick(mono_s, now_ns)
        for change in changes:
            if change.symbol != WHOLE:
                self._candles[change.symbol].interrupted()
        self._outbox.put(changes)

    # --- holes ---

    def _refill_soon(self, symbol: str) -> None:
        if symbol not in self._refilling:
            self._refilling.add(symbol)
            self._tasks.add(asyncio.create_task(self._refill(self._candles[symbol]), name=f"feed: refill {symbol}"))

    async def _refill(self, candles: Candles) -> None:
        """Fetch the hole and hand its bars on; on failure say so and leave it for the next minute."""
        try:
            tries = 0
            while (hole := candles.wanted) is not None:
                start_ns, end_ns = hole
                count = (self._clock.now_ns() - start_ns) // MINUTE + 1
                bars = await self._history.newest(candles.symbol, MINUTE, min(max(count, 1), REFILL_BARS_MAX))
                if candles.wanted != hole:
                    continue  # it grew while we asked
                tries += 1
                found = sum(start_ns <= bar.start_ns < end_ns for bar in bars)
                if found == (end_ns - start_ns) // MINUTE or tries == REFILL_TRIES:
                    self._outbox.put(candles.refilled(bars, self._clock.now_ns()))
                else:
                    await asyncio.sleep(self._settings.refill_pause_s)
        except VenueError as problem:
            candles.refill_failed()
            reason = f"missing candles could not be fetched, to be tried again with the next: {problem}"
            self._reject(DataRejected(candles.symbol, self._clock.now_ns(), reason, CHANNEL))
        finally:
            self._refilling.discard(candles.symbol)

    # --- refusals ---

    def _reject(self, event: DataRejected) -> None:
        """Say the first refusal of its kind at once; those that follow soon are counted into one event."""
        key = (event.symbol, event.where)
        if key not in self._rejected:
            self._rejected[key] = None
            self._outbox.put([event])
            return
        held = self._rejected[key]
        count = event.count + (held.count if held is not None else 0)
        self._rejected[key] = DataRejected(event.symbol, event.at_ns, event.reason, event.where, count)

    def _report_rejected(self) -> None:
        counted = {key: event for key, event in self._rejected.items() if event is not None}
        self._rejected = dict.fromkeys(counted)
        self._outbox.put(counted.values())

    def _new_streams(self, ws_url: str, symbols: Sequence[str]) -> Streams:
        settings = self._settings
        times = LinkTimes(
            timeout_s=settings.timeout_s,
            ping_s=settings.ping_s,
            pong_s=settings.pong_s,
            window_s=settings.window_s,
            content_s=settings.stale_s,
            backoff_s=settings.backoff_s,
        )
        return Streams(
            ws_url.rstrip("/") + "/public/",
            symbols,
            settings.channels,
            self._clock,
            replay=settings.replay,
            times=times,
            room=self._outbox.room,
            on_items=self._take,
            on_refusal=self._refused,
            on_down=self._lost,
        )


def _is_covered(event: FeedEvent, symbol: str, covered_ns: int) -> bool:
    return isinstance(event, Bar) and event.symbol == symbol and event.start_ns < covered_ns


def _now_s() -> float:
    return asyncio.get_running_loop().time()
