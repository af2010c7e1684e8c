"""The public socket: subscriptions without acknowledgement, and pushes on timers, all streams at the same instant.

Timers are transport time. On a market that runs faster than the wall, the book is pushed proportionally more often
(never more than every 5 ms), so that a client sees about as many books per candle as on a real one. A candle that
closed is pushed once more in its final form, stamped within itself, because no later push could show its end.
"""

from collections.abc import Mapping
from typing import Final

from engine.core import money
from engine.core.config import HOUR, SECOND
from engine.core.events import Book, MarketEvent, Quote
from engine.venues.sim import wire
from engine.venues.sim.faults import Faults
from engine.venues.sim.sockets import Client, Request, Sockets, arguments
from engine.venues.sim.tape import Candle, Tape
from engine.venues.sim.wire import MS

STREAMS_MAX: Final = 300
DEPTH_S: Final = 0.310
DEPTH_S_MIN: Final = 0.005
EVERY_S: Final = {"price": 0.5, "kline": 0.5, "ticker": 1.45, "tickers": 1.0}
QUIET_NS: Final = 2 * SECOND
"""A book that has not changed for so long is not pushed again: a halted market is silent."""

FUNDING_SPAN_NS: Final = 8 * HOUR

KLINES: Final = {
    f"{kind}_kline_{name}": span_ns for kind in ("market", "mark") for name, span_ns in wire.STREAM_SPANS.items()
}
Stream = tuple[str, str]
"""(channel, symbol)."""


def family(channel: str) -> str:
    """Which timer a channel is pushed by; empty for an unknown channel."""
    if channel in wire.LEVELS:
        return "depth"
    if channel in KLINES:
        return "kline"
    return channel if channel in ("price", "ticker", "tickers", "trade") else ""


class Public:
    """Who is subscribed to what, and what they get."""

    def __init__(
        self, tapes: Mapping[str, Tape], sockets: Sockets, faults: Faults, speed: int, each_quote: bool
    ) -> None:
        self._tapes = tapes
        self._sockets = sockets
        self._faults = faults
        self._each_quote = each_quote
        self._every_s = {"depth": max(DEPTH_S / max(speed, 1), DEPTH_S_MIN), **EVERY_S}
        self._due_s = dict.fromkeys(self._every_s, 0.0)
        self._depth_ns = 0
        self._burst: dict[str, list[bytes]] = {}
        self._spans: dict[int, tuple[str, ...]] = {
            span_ns: tuple(channel for channel, span in KLINES.items() if span == span_ns)
            for span_ns in wire.STREAM_SPANS.values()
        }
        self.sent = 0
        """Messages pushed so far, over all clients."""

    # --- requests ---

    def request(self, client: Client, request: Request, now_ns: int, shown_ns: int) -> None:
        """Take one client message. Unknown operations, channels and symbols get silence."""
        match request.get("op"):
            case "subscribe":
                self._subscribe(client, request, now_ns, shown_ns)
            case "unsubscribe":
                for arg in arguments(request):
                    client.streams.pop(_stream(arg), None)
                client.send(wire.message({"op": "unsubscribe", "ts": shown_ns // MS, "data": "success"}))

    def _subscribe(self, client: Client, request: Request, now_ns: int, shown_ns: int) -> None:
        wanted: dict[Stream, None] = {}
        for arg in arguments(request):
            channel, symbol = stream = _stream(arg)
            if symbol in self._tapes and family(channel):
                wanted[stream] = None
            elif channel in wire.LEVELS:
                client.push(wire.empty_depth(channel, symbol or None, shown_ns // MS))
            elif channel == "tickers" and not symbol:
                wanted |= dict.fromkeys((channel, symbol) for symbol in self._tapes)
        if len(client.streams.keys() | wanted.keys()) > STREAMS_MAX:
            client.send(wire.TOO_MANY_STREAMS)
            return
        client.streams |= wanted
        for channel, symbol in wanted:
            if channel in KLINES:
                self._tapes[symbol].watch(KLINES[channel], now_ns)

    # --- pushes ---

    def on_event(self, event: MarketEvent, shown_ns: int) -> None:
        """With a push at each quote (or book, where there are no quotes): keep this one for the next burst."""
        if isinstance(event, Quote) or (isinstance(event, Book) and self._tapes[event.symbol].quote is None):
            bids, asks = self._tapes[event.symbol].window(1)
            frame = wire.depth("depth_book1", event.symbol, shown_ns // MS, bids, asks)
            self._burst.setdefault(event.symbol, []).append(frame)

    def tick(self, now_s: float, now_ns: int, shown_ns: int) -> None:
        """Push whatever is due at loop time `now_s`, one write per client."""
        due = {name for name, due_s in self._due_s.items() if now_s >= due_s}
        for name in due:
            late_s = now_s - self._due_s[name]
            self._due_s[name] += self._every_s[name] + (late_s if late_s > self._every_s[name] else 0.0)
        fresh = self._fresh_frames(shown_ns)
        if due or fresh:
            cache: dict[Stream, bytes] = {}
            for client in list(self._sockets.clients):
                if client.streams:
                    self._push(client, due, fresh, cache, now_ns, shown_ns)
        if "depth" in due:
            self._depth_ns = now_ns

    def _push(
        self,
        client: Client,
        due: set[str],
        fresh: Mapping[Stream, list[bytes]],
        cache: dict[Stream, bytes],
        now_ns: int,
        shown_ns: int,
    ) -> None:
        frames: list[bytes] = []
        for stream in client.streams:
            frames += fresh.get(stream, ())
            kind = family(stream[0])
            if kind not in due or kind == "tickers" or (self._each_quote and stream[0] == "depth_book1"):
                continue
            frame = cache.get(stream)
            if frame is None:
                frame = cache[stream] = self._frame(stream, now_ns, shown_ns)
            if frame:
                frames.append(frame)
        if "tickers" in due:
            frames += self._tickers(client, now_ns, shown_ns)
        if frames:
            self.sent += len(frames)
            client.push(b"".join(self._garbled(frames)))

    def _fresh_frames(self, shown_ns: int) -> dict[Stream, list[bytes]]:
        """What does not wait for a timer: trades, candles that closed, and each quote where that is asked for."""
        fresh: dict[Stream, list[bytes]] = {}
        for symbol, tape in self._tapes.items():
            if tape.prints:
                fresh["trade", symbol] = [wire.trades(symbol, shown_ns // MS, tape.prints)]
                tape.prints.clear()
            for candle in tape.closed:
                last_ms = (candle.start_ns + candle.span_ns) // MS - 1
                for channel in self._spans.get(candle.span_ns, ()):
                    frame = _kline(channel, symbol, last_ms, candle)
                    fresh.setdefault((channel, symbol), []).append(frame)
            tape.closed.clear()
        for symbol, frames in self._burst.items():
            fresh["depth_book1", symbol] = frames
        self._burst = {}
        return fresh

    def _frame(self, stream: Stream, now_ns: int, shown_ns: int) -> bytes:
        """The frame a stream is due; empty when there is nothing to say."""
        channel, symbol = stream
        tape, ts_ms = self._tapes[symbol], shown_ns // MS
        if tape.updated_ns <= self._depth_ns and now_ns - tape.updated_ns > QUIET_NS:
            return b""
        match family(channel):
            case "depth":
                bids, asks = tape.window(wire.LEVELS[channel])
                return wire.depth(channel, symbol, ts_ms, bids, asks) if bids else b""
            case "kline":
                candle = tape.candle(KLINES[channel])
                return _kline(channel, symbol, ts_ms, candle) if candle else b""
            case "ticker":
                row = _ticker(tape, now_ns)
                return wire.message({"ch": channel, "symbol": symbol, "ts": ts_ms, "data": row}) if row else b""
            case "price":
                return _price(tape, now_ns, ts_ms) if tape.last else b""
        return b""

    def _tickers(self, client: Client, now_ns: int, shown_ns: int) -> list[bytes]:
        rows = []
        for channel, symbol in client.streams:
            if channel != "tickers":
                continue
            tape = self._tapes[symbol]
            row = _ticker(tape, now_ns)
            bids, asks = tape.window(1)
            if row and bids:
                touch = {"bd": bids[0][0], "bv": bids[0][1], "ak": asks[0][0], "av": asks[0][1]}
                rows.append({**row, **{name: money.text(value) for name, value in touch.items()}})
        return [wire.message({"ch": "tickers", "ts": shown_ns // MS, "data": rows})] if rows else []

    def _garbled(self, frames: list[bytes]) -> list[bytes]:
        if not self._faults.garble_next:
            return frames
        return [
            wire.framed(frame[4 : len(frame) // 2]) if self._faults.take("garble_next") else frame for frame in frames
        ]


def _stream(arg: Request) -> Stream:
    """The stream an argument names. Symbols are taken in any case; `channel` is an older word for `ch`."""
    channel, symbol = arg.get("ch", arg.get("channel")), arg.get("symbol")
    return channel if isinstance(channel, str) else "", symbol.upper() if isinstance(symbol, str) else ""


def _kline(channel: str, symbol: str, ts_ms: int, candle: Candle) -> bytes:
    return wire.kline(channel, symbol, ts_ms, candle.bar(), candle.turnover)


def _ticker(tape: Tape, now_ns: int) -> dict[str, str] | None:
    day = tape.day(now_ns)
    if day is None:
        return None
    figures = {"la": tape.last, "o": day.open, "h": day.high, "l": day.low, "b": day.volume, "q": day.turnover}
    rise = money.div(tape.last - day.open, day.open) * 100
    return {"s": tape.symbol, **{name: money.text(value) for name, value in figures.items()}, "r": money.text(rise)}


def _price(tape: Tape, now_ns: int, ts_ms: int) -> bytes:
    """Mark and index (here both the last price), the last settled funding rate in percent, settlement times.

    A market that knows no funding settles nothing, at the usual hours.
    """
    span_ns = tape.funding_span_ns or FUNDING_SPAN_NS
    due_ns = tape.funding.due_ns if tape.funding else now_ns - now_ns % span_ns + span_ns
    coming = tape.funding.rate if tape.funding else 0
    data = {
        "ip": money.text(tape.last),
        "mp": money.text(tape.last),
        "fr": money.text((tape.settled_rate if tape.settled_ns else coming) * 100),
        "ft": wire.iso(tape.settled_ns or due_ns - span_ns),
        "nft": wire.iso(due_ns),
    }
    return wire.message({"ch": "price", "symbol": tape.symbol, "ts": ts_ms, "data": data})
