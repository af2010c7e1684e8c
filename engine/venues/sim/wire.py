"""Bitunix futures' words on the wire: frames, replies, error codes. Pure: values in, bytes out.

Prices and sizes are strings; `ts` is milliseconds. REST candles and tickers carry the coin volume in `quoteVol` and the
turnover in `baseVol`, the reverse of their names, as the venue does; on the socket `b` is coin and `q` turnover.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Final

import msgspec

from engine.core import money
from engine.core.config import DAY, HOUR, MINUTE
from engine.core.events import Bar, Trade

MS: Final = 1_000_000
LEVELS: Final = {"depth_book1": 1, "depth_book5": 5, "depth_book15": 15}
STREAM_SPANS: Final = {
    "1min": MINUTE,
    "3min": 3 * MINUTE,
    "5min": 5 * MINUTE,
    "15min": 15 * MINUTE,
    "30min": 30 * MINUTE,
    "60min": HOUR,
    "2h": 2 * HOUR,
    "4h": 4 * HOUR,
    "6h": 6 * HOUR,
    "8h": 8 * HOUR,
    "12h": 12 * HOUR,
    "1day": DAY,
    "3day": 3 * DAY,
}
REST_SPANS: Final = {
    "1m": MINUTE,
    "5m": 5 * MINUTE,
    "15m": 15 * MINUTE,
    "30m": 30 * MINUTE,
    "1h": HOUR,
    "2h": 2 * HOUR,
    "4h": 4 * HOUR,
    "6h": 6 * HOUR,
    "8h": 8 * HOUR,
    "12h": 12 * HOUR,
    "1d": DAY,
    "3d": 3 * DAY,
}

MESSAGES: Final = {
    1: "Network Error",
    404: "Not Found",
    10001: "Network Error",
    10002: "Parameter Error",
    10003: "api-key can't be empty",
    10005: "Too many requests, please try again later",
    10007: "Sign signature error",
    20001: "Market not exists",
    20003: "Insufficient balance",
    20005: "Invalid leverage",
    20007: "Order not found, please try it later",
    20009: "Position exists, so positions mode cannot be updated",
    20015: "this Futures is not allowed to trade.",
    30013: "Exceeded the maximum order quantity",
    30014: "Max Buy Order Price",
    30015: "Mini Sell Order Price",
    30017: "The qty cannot be less than the minimum qty",
    30018: "Order failed. No position opened. Cancel [Reduce-only] settings and retry later",
    30019: "Order failed. A [Reduce-only] order can not be in the same direction as the open position",
    30042: "Client ID duplicate",
}


class Refusal(Exception):
    """A call the venue answers with a code other than 0."""

    def __init__(self, code: int, message: str = "") -> None:
        super().__init__(message or MESSAGES.get(code, "Refused"))
        self.code = code


Json = Mapping[str, object] | Sequence[Mapping[str, object]]
Level = tuple[int, int]

_encode = msgspec.json.Encoder().encode


def reply(data: Json | None, code: int = 0, message: str = "Success") -> bytes:
    """The envelope of every REST answer; HTTP says 200 whatever `code` says."""
    return _encode({"code": code, "data": data, "msg": message})


def decoded(raw: str | bytes) -> object:
    """What JSON text says. Raises `ValueError` for anything else, however it is damaged."""
    try:
        return msgspec.json.decode(raw)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def digits(raw: object) -> int | None:
    """A plain number of at most 15 digits, given as text or as a number; None for anything else."""
    text = str(raw)
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 15 else None


def framed(payload: bytes) -> bytes:
    """`payload` as one whole unmasked text frame, so that one encoding serves every subscriber."""
    size = len(payload)
    if size < 126:
        return bytes((0x81, size)) + payload
    if size < 65536:
        return b"\x81\x7e" + size.to_bytes(2, "big") + payload
    return b"\x81\x7f" + size.to_bytes(8, "big") + payload


def message(value: object) -> bytes:
    """`value` as one framed JSON message."""
    return framed(_encode(value))


CONNECTED: Final = message({"op": "connect", "data": {"result": True}})
TOO_MANY_STREAMS: Final = message(
    {"op": "subscribe", "data": {"msg": "subscribe channel > 300", "nonce": "", "result": False}}
)


def depth(channel: str, symbol: str, ts_ms: int, bids: Sequence[Level], asks: Sequence[Level]) -> bytes:
    """A whole window of the book: falling bids, rising asks, as many levels as the channel shows."""
    count = LEVELS[channel]
    text = money.text
    b = ",".join([f'["{text(price)}","{text(qty)}"]' for price, qty in bids[:count]])
    a = ",".join([f'["{text(price)}","{text(qty)}"]' for price, qty in asks[:count]])
    return framed(f'{{"ch":"{channel}","symbol":"{symbol}","ts":{ts_ms},"data":{{"b":[{b}],"a":[{a}]}}}}'.encode())


def empty_depth(channel: str, symbol: str | None, ts_ms: int) -> bytes:
    """What the venue sends once for a symbol it does not trade: a window of empty strings."""
    window = [["", ""]] * LEVELS[channel]
    head: dict[str, object] = {"ch": channel} if symbol is None else {"ch": channel, "symbol": symbol}
    return message({**head, "ts": ts_ms, "data": {"b": window, "a": window}})


def kline(channel: str, symbol: str, ts_ms: int, bar: Bar, turnover: int) -> bytes:
    """The bar that `ts_ms` lies in, as far as it has come: no start and no closed flag, as on the venue."""
    text = money.text
    data = {
        "o": text(bar.open),
        "c": text(bar.close),
        "h": text(bar.high),
        "l": text(bar.low),
        "b": text(bar.volume),
        "q": text(turnover),
    }
    return message({"ch": channel, "symbol": symbol, "ts": ts_ms, "data": data})


def trades(symbol: str, ts_ms: int, prints: Sequence[Trade]) -> bytes:
    """Public trades; an aggressor that is not known is given as a buyer, for the wire has no word for it."""
    data = [
        {
            "t": iso(trade.venue_ns),
            "p": money.text(trade.price),
            "v": money.text(trade.qty),
            "s": "sell" if trade.side < 0 else "buy",
        }
        for trade in prints
    ]
    return message({"ch": "trade", "symbol": symbol, "ts": ts_ms, "data": data})


def iso(at_ns: int, *, nanos: bool = False) -> str:
    """`at_ns` as the venue writes times on the socket: "2026-09-23T08:00:00Z", with nanoseconds when asked."""
    fraction = f".{at_ns % 1_000_000_000:09d}" if nanos else ""
    return f"{_moment(at_ns):%Y-%m-%dT%H:%M:%S}{fraction}Z"


def http_date(at_ns: int) -> str:
    """`at_ns` as an HTTP Date header."""
    return format_datetime(_moment(at_ns), usegmt=True)


def _moment(at_ns: int) -> datetime:
    return datetime.fromtimestamp(at_ns // 1_000_000_000, UTC)
