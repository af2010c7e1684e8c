"""Raw Binance socket captures played again: quotes, books rebuilt from snapshot and changes, trades, and their bars.

Understood are lines of `<ns> <json>`, and of `<seconds>: <json>` with `<url> -> <seconds>: <json>` for replies over
HTTP, which hold the book's snapshots. Time is the recorder's: the moment a frame arrived. All captures of a market
play as one stream, since a snapshot may lie in another file than the changes that belong to it.
"""

import re
from collections.abc import Iterator, Sequence
from heapq import merge
from pathlib import Path
from typing import Final

import msgspec

from engine.core.bars import BarBuilder
from engine.core.config import MINUTE
from engine.core.events import Bar, Book, DataRejected, FeedEvent, Quote, Trade
from engine.core.money import NotExact, parse
from engine.venues.sim.recorded.files import blocks
from engine.venues.sim.recorded.local_book import Change, LocalBook
from engine.venues.sim.recorded.rows import LARGEST

DEPTH: Final = 15

_LINE: Final = re.compile(
    rb"(?:(?P<ns>\d{19}) |(?P<url>https?://\S+ -> )?(?P<s>\d{9,10})(?:\.(?P<fraction>\d{1,9}))?: )(?P<body>[{\[].*)"
)
_NO_MARKET: Final = re.compile(rb"wss?://\S+ (<->|<-|->) |configuration: |\s*$")
_STREAM: Final = re.compile(rb'"stream":"(?P<symbol>\w+)@(?P<kind>[A-Za-z]+)')
_URL_SYMBOL: Final = re.compile(rb"[?&]symbol=(\w+)")

Texts = list[tuple[str, str]]


class Streams(msgspec.Struct, frozen=True):
    """What captures hold.

    Attributes:
        kinds: By symbol, the streams seen of it ("bookTicker", "depth", "trade", "aggTrade", …).
        first_ns: By symbol, when its first frame arrived.
        last_ns: When the last frame of all arrived.
        only: By file, its symbol where it has but one (a snapshot inside does not tell), else empty.
    """

    kinds: dict[str, frozenset[str]]
    first_ns: dict[str, int]
    last_ns: int
    only: tuple[str, ...]


class Arrival(msgspec.Struct, frozen=True, gc=False, order=True):
    """One recorded frame; ordered by time, then by file and line. `symbol` is set where the frame cannot tell."""

    at_ns: int
    file: int
    line: int
    symbol: str
    body: bytes


class _Frame(msgspec.Struct, frozen=True, gc=False):
    """Any message of the streams, or a snapshot; which one shows by the fields present."""

    e: str = ""
    s: str = ""
    first: int = msgspec.field(name="U", default=-1)
    u: int = -1
    pu: int = -1
    b: str | Texts | int = ""
    a: str | Texts | int = ""
    bid_qty: str = msgspec.field(name="B", default="")
    ask_qty: str = msgspec.field(name="A", default="")
    p: str = ""
    q: str = ""
    m: bool = False
    how: str = msgspec.field(name="X", default="MARKET")
    snapshot: int = msgspec.field(name="lastUpdateId", default=-1)
    bids: Texts = []
    asks: Texts = []


class _Envelope(msgspec.Struct, frozen=True, gc=False):
    data: _Frame


_ENVELOPES: Final = msgspec.json.Decoder(_Envelope)
_FRAMES: Final = msgspec.json.Decoder(_Frame)


class Bad(ValueError):
    """A frame that cannot be used, and why."""


def streams(paths: Sequence[Path]) -> Streams:
    """Look through captures for what they hold. Raises `BadData` for one that cannot be read."""
    kinds: dict[str, set[str]] = {}
    first_ns: dict[str, int] = {}
    last_ns, only = 0, []
    for path in paths:
        here: dict[str, None] = {}
        for block in blocks(path):
            for line in block:
                match = _STREAM.search(line, 0, 100)
                time = _LINE.match(line)
                if match is None or time is None:
                    continue
                symbol = match["symbol"].decode().upper()
                here[symbol] = None
                kinds.setdefault(symbol, set()).add(match["kind"].decode())
                at_ns = _time(time)
                first_ns[symbol] = min(first_ns.get(symbol, at_ns), at_ns)
                last_ns = max(last_ns, at_ns)
        only.append(next(iter(here)) if len(here) == 1 else "")
    return Streams({symbol: frozenset(found) for symbol, found in kinds.items()}, first_ns, last_ns, tuple(only))


def play(paths: Sequence[Path], held: Streams) -> Iterator[list[FeedEvent]]:
    """The events of all captures together, in order of arrival."""
    players = {symbol: _Player(symbol, kinds) for symbol, kinds in held.kinds.items()}
    minute_ns = 0
    for item in merge(*(_arrivals(path, number, held.only[number]) for number, path in enumerate(paths)), key=_arrived):
        if item.at_ns >= minute_ns + MINUTE:
            minute_ns = item.at_ns - item.at_ns % MINUTE
            if closed := [bar for player in players.values() if (bar := player.close())]:
                yield sorted(closed, key=_arrived)
        if isinstance(item, DataRejected):
            yield [item]
            continue
        where = f"{paths[item.file]}:{item.line}:0"
        try:
            events = _events(item, players)
        except Bad as bad:
            yield [DataRejected(item.symbol, item.at_ns, str(bad), where)]
            continue
        if events:
            yield [_placed(event, where) for event in events]


class _Player:
    """One symbol's part of the capture."""

    def __init__(self, symbol: str, kinds: frozenset[str]) -> None:
        self._symbol = symbol
        self._book = LocalBook()
        self._bars = BarBuilder(symbol, MINUTE)
        self._quotes_from_book = "bookTicker" not in kinds
        self._trades_as = "trade" if "trade" in kinds else "aggTrade"

    def play(self, frame: _Frame, at_ns: int) -> list[FeedEvent]:
        """What a frame means. Raises `Bad`."""
        symbol = self._symbol
        if frame.e == "depthUpdate":
            change = Change(frame.first, frame.u, frame.pu, _levels(frame.b), _levels(frame.a))
            if frame.first < 0 or frame.u < frame.first:
                raise Bad("a depth update without its numbers")
            return self._show(self._book.change(change), at_ns)
        if frame.snapshot >= 0:
            return self._show(self._book.snapshot(frame.snapshot, _levels(frame.bids), _levels(frame.asks)), at_ns)
        if frame.e in ("bookTicker", "") and isinstance(frame.b, str) and frame.b:
            if not isinstance(frame.a, str):
                raise Bad("a best price without its other side")
            bid, ask = _price(frame.b), _price(frame.a)
            if bid > ask:
                raise Bad(f"crossed quote: bid {frame.b[:24]} is above ask {frame.a[:24]}")
            return [Quote(symbol, at_ns, at_ns, bid, ask, _number(frame.bid_qty), _number(frame.ask_qty))]
        if frame.e == self._trades_as and frame.how == "MARKET":  # others are the venue's own bookings, no trades
            trade = Trade(symbol, at_ns, at_ns, _price(frame.p), _price(frame.q), -1 if frame.m else 1)
            self._bars.add(trade.price, trade.qty, at_ns)
            return [trade]
        return []

    def close(self) -> Bar | None:
        """The bar of a minute that is over, if it had a trade. Asked before the first event of every new minute."""
        return self._bars.flush(self._bars.start_ns + MINUTE)

    def _show(self, trouble: str, at_ns: int) -> list[FeedEvent]:
        """The book as it stands now; what was wrong with the update, if anything; nothing while there is no book."""
        if trouble:
            return [DataRejected(self._symbol, at_ns, f"order book lost: {trouble}", "")]
        if not self._book.is_live:
            return []
        bids, asks = self._book.top(DEPTH)
        events: list[FeedEvent] = [Book(self._symbol, at_ns, at_ns, bids, asks)]
        if self._quotes_from_book:
            (bid, bid_qty), (ask, ask_qty) = bids[0], asks[0]
            events.insert(0, Quote(self._symbol, at_ns, at_ns, bid, ask, bid_qty, ask_qty))
        return events


def _events(arrival: Arrival, players: dict[str, _Player]) -> list[FeedEvent]:
    try:
        if b'"stream"' in arrival.body[:20]:
            frame = _ENVELOPES.decode(arrival.body).data
        elif arrival.body.startswith(b"["):
            return []  # a reply over HTTP that is no snapshot
        else:
            frame = _FRAMES.decode(arrival.body)
    except msgspec.MsgspecError as error:
        raise Bad(f"damaged frame: {error}"[:200]) from error
    symbol = frame.s or arrival.symbol
    if frame.snapshot < 0 and not frame.s:
        return []  # an answer to a subscription, or the venue's list of instruments
    if symbol not in players:
        raise Bad("a snapshot that does not tell its symbol" if not symbol else f"a frame of {symbol[:20]!r}, unknown")
    return players[symbol].play(frame, arrival.at_ns)


def _arrivals(path: Path, number: int, only: str) -> Iterator[Arrival | DataRejected]:
    """The frames of one capture, in order of time; what cannot be used is said where it was met."""
    line_number, last_ns = 0, 0
    for block in blocks(path):
        for line in block:
            line_number += 1
            match = _LINE.match(line)
            if match is None:
                if not _NO_MARKET.match(line) and not line.startswith((b"http://", b"https://")):
                    yield DataRejected(only, last_ns, "not a line of a socket capture", f"{path}:{line_number}:1")
                continue
            at_ns = _time(match)
            if at_ns < last_ns:
                yield DataRejected(only, last_ns, "time runs backwards", f"{path}:{line_number}:1")
                continue
            last_ns = at_ns
            told = _URL_SYMBOL.search(match["url"] or b"")
            yield Arrival(at_ns, number, line_number, told[1].decode().upper() if told else only, match["body"])


def _arrived(item: Arrival | FeedEvent) -> int:
    return item.at_ns


def _time(match: "re.Match[bytes]") -> int:
    if match["ns"]:
        return int(match["ns"])
    return int(match["s"]) * 1_000_000_000 + int((match["fraction"] or b"0").ljust(9, b"0"))


def _levels(texts: str | int | Texts) -> list[tuple[int, int]]:
    if not isinstance(texts, list):
        raise Bad("a side of the book is not a list")
    return [(_price(price), _number(qty)) for price, qty in texts]


def _number(text: str) -> int:
    try:
        value = parse(text)
    except NotExact as error:
        raise Bad(str(error)) from error
    if not 0 <= value <= LARGEST:
        raise Bad(f"a number below zero or too large: {text[:40]!r}")
    return value


def _price(text: str) -> int:
    value = _number(text)
    if not value:
        raise Bad("a price or quantity of zero")
    return value


def _placed(event: FeedEvent, where: str) -> FeedEvent:
    return DataRejected(event.symbol, event.at_ns, event.reason, where) if type(event) is DataRejected else event
