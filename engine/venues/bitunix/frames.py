"""From a frame's bytes to what the core is told. Nothing a venue sends can raise here: damage becomes `DataRejected`.

A reader belongs to one connection: the wire has no sequence numbers, so a stream's own time stamp is its order, and a
new connection starts that order afresh.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Final, NamedTuple

from pydantic import ValidationError

from engine.core.clean import clean
from engine.core.events import Book, DataRejected, FundingRate, Quote, Trade
from engine.venues.bitunix.wire import (
    AHEAD_NS_MAX,
    CONTROL,
    EARLIEST_NS,
    MARKET_FRAME,
    MS,
    ControlFrame,
    DepthFrame,
    KlineFrame,
    Level,
    PriceFrame,
    TickersFrame,
    TradeFrame,
    first_problem,
    scaled,
)

EPOCH: Final = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
PERCENT: Final = 100


class Kline(NamedTuple):
    """The state of a symbol's current minute, as of `ts_ns` at the venue. `volume` is in coins."""

    symbol: str
    at_ns: int
    ts_ns: int
    open: int
    high: int
    low: int
    close: int
    volume: int


Item = Book | Quote | Trade | FundingRate | Kline | DataRejected


class Damage(ValueError):
    """Why a frame is refused; the sentence goes into the event."""


class FrameReader:
    """Reads one connection's frames.

    Args:
        symbols: What was asked for; anything else is refused.
        replay: The venue plays the past, so stamps before 2024 are right.
    """

    def __init__(self, symbols: Collection[str], *, replay: bool = False) -> None:
        self._symbols = frozenset(symbols)
        self._earliest_ns = 0 if replay else EARLIEST_NS
        self._newest: dict[tuple[str, str], int] = {}
        self._funding: dict[str, tuple[int, int]] = {}

    def read(self, raw: bytes, at_ns: int) -> tuple[str, list[Item]] | ControlFrame:
        """What one frame says, received at `at_ns`: its symbol ("" for many) and items, or a control message."""
        try:
            frame = MARKET_FRAME.validate_json(raw)
        except ValidationError as problem:
            return self._other(raw, at_ns, problem)
        symbol = ""
        try:
            if frame["ch"] == "tickers":
                return "", self._tickers(frame, at_ns)
            symbol = frame["symbol"]
            if symbol not in self._symbols:
                raise Damage(f"symbol {clean(symbol, 20)!r} was not asked for")
            venue_ns = self._stamp(frame["ts"] * MS, at_ns)
            match frame["ch"]:
                case "depth_book1" | "depth_book5" | "depth_book15":
                    return symbol, [self._depth(frame, symbol, at_ns, venue_ns)]
                case "trade":
                    return symbol, self._trades(frame, symbol, at_ns)
                case "market_kline_1min":
                    return symbol, [self._kline(frame, symbol, at_ns, venue_ns)]
                case "price":
                    return symbol, self._price(frame, symbol, at_ns)
                case _:
                    return symbol, []  # valid and alive, but nothing the core asks for
        except ValueError as problem:
            known = symbol if symbol in self._symbols else ""
            return "", [DataRejected(known, at_ns, clean(str(problem)), frame["ch"])]

    def _other(self, raw: bytes, at_ns: int, problem: ValidationError) -> tuple[str, list[Item]] | ControlFrame:
        try:
            return CONTROL.validate_json(raw)
        except ValidationError:
            return "", [DataRejected("", at_ns, first_problem(problem), "frame")]

    def _stamp(self, venue_ns: int, at_ns: int) -> int:
        if venue_ns < self._earliest_ns:
            raise Damage(f"time stamp {venue_ns // MS} ms is before 2024")
        if venue_ns > at_ns + AHEAD_NS_MAX:
            raise Damage(f"time stamp is {(venue_ns - at_ns) // 1_000_000_000} s ahead of our clock")
        return venue_ns

    def _in_order(self, channel: str, symbol: str, venue_ns: int) -> None:
        key = (channel, symbol)
        if venue_ns < self._newest.get(key, 0):
            raise Damage("older than the frame before it")
        self._newest[key] = venue_ns

    def _depth(self, frame: DepthFrame, symbol: str, at_ns: int, venue_ns: int) -> Book | Quote:
        data = frame["data"]
        bids, asks = _levels(data["b"], falling=True), _levels(data["a"], falling=False)
        if bids[0][0] > asks[0][0]:
            raise Damage("crossed book")
        self._in_order(frame["ch"], symbol, venue_ns)
        if frame["ch"] == "depth_book1":
            (bid, bid_qty), (ask, ask_qty) = bids[0], asks[0]
            return Quote(symbol, at_ns, venue_ns, bid, ask, bid_qty, ask_qty)
        return Book(symbol, at_ns, venue_ns, bids, asks)

    def _trades(self, frame: TradeFrame, symbol: str, at_ns: int) -> list[Item]:
        return [
            Trade(
                symbol,
                at_ns,
                self._stamp(iso_ns(row["t"]), at_ns),
                _positive(row["p"], "price"),
                _positive(row["v"], "size"),
                {"buy": 1, "sell": -1}.get(row["s"].lower(), 0),
            )
            for row in frame["data"]
        ]

    def _kline(self, frame: KlineFrame, symbol: str, at_ns: int, venue_ns: int) -> Kline:
        data = frame["data"]
        open_, high, low, close = (_positive(data[key], "price") for key in ("o", "h", "l", "c"))
        if not low <= min(open_, close) <= max(open_, close) <= high:
            raise Damage("open or close outside the candle's range")
        volume = scaled(data["b"])
        if volume < 0:
            raise Damage("negative volume")
        return Kline(symbol, at_ns, venue_ns, open_, high, low, close, volume)

    def _price(self, frame: PriceFrame, symbol: str, at_ns: int) -> list[Item]:
        """The funding rate, when it or its time has changed: this channel repeats it with every mark price."""
        data = frame["data"]
        _positive(data["mp"], "mark price")
        due_ns = iso_ns(data["nft"])
        if due_ns < self._earliest_ns:
            raise Damage("next funding time is before 2024")
        percent = scaled(data["fr"])
        rate = (abs(percent) + PERCENT // 2) // PERCENT * (1 if percent >= 0 else -1)
        if self._funding.get(symbol) == (rate, due_ns):
            return []
        self._funding[symbol] = (rate, due_ns)
        return [FundingRate(symbol, at_ns, rate, due_ns)]

    def _tickers(self, frame: TickersFrame, at_ns: int) -> list[Item]:
        venue_ns = self._stamp(frame["ts"] * MS, at_ns)
        items: list[Item] = []
        for row in frame["data"]:
            symbol = row["s"]
            if symbol not in self._symbols:
                continue  # the venue lists all its symbols here
            try:
                items.append(self._ticker_quote(row["bd"], row["ak"], row["bv"], row["av"], symbol, at_ns, venue_ns))
            except ValueError as problem:
                items.append(DataRejected(symbol, at_ns, clean(str(problem)), "tickers"))
        return items

    def _ticker_quote(self, bd: str, ak: str, bv: str, av: str, symbol: str, at_ns: int, venue_ns: int) -> Quote:
        bid, ask = _positive(bd, "bid"), _positive(ak, "ask")
        if bid > ask:
            raise Damage("crossed book")
        self._in_order("tickers", symbol, venue_ns)
        return Quote(symbol, at_ns, venue_ns, bid, ask, _positive(bv, "size"), _positive(av, "size"))


def iso_ns(raw: str) -> int:
    """An ISO time with a zone as UTC nanoseconds, to the microsecond. Raises `Damage` for anything else."""
    try:
        moment = datetime.fromisoformat(raw)
    except ValueError as problem:
        raise Damage(f"{clean(raw, 30)!r} is not a time") from problem
    if moment.tzinfo is None:
        raise Damage(f"time {clean(raw, 30)!r} has no zone")
    since = moment - EPOCH
    return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 1_000


def _positive(raw: str, what: str) -> int:
    value = scaled(raw)
    if value <= 0:
        raise Damage(f"{what} {clean(raw, 30)!r} is not above zero")
    return value


def _levels(rows: list[Level], *, falling: bool) -> tuple[tuple[int, int], ...]:
    """One side of a book, best first. Levels of empty text pad a short side and are left out."""
    levels = tuple([(scaled(price), scaled(size)) for price, size in rows if price])
    if not levels:
        raise Damage("empty book")  # also what the venue answers to a symbol it does not know
    previous = levels[0][0] + (1 if falling else -1)
    for price, size in levels:
        if price <= 0 or size <= 0:
            raise Damage("price or size in the book is not above zero")
        if (price >= previous) if falling else (price <= previous):
            raise Damage("book levels out of order")
        previous = price
    return levels
