"""What the bar fallback gets wrong: the same orders on a recorded book, and on bars of the same stretch.

At the close of every bar one market order is sent, and one limit order at the best price of its side, on alternating
sides. With quotes, book and trades they fill as recorded; with nothing but the bars, by the path rules. Slippage is in
basis points of the mid at the decision, positive against us. Needs the recorded captures of `NIGHTDESK_SHARED`.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from benchmarks.figures import Figure
from engine.core.bars import BarBuilder
from engine.core.config import SECOND, Instrument, PaperModel
from engine.core.events import Bar, Book, BrokerEvent, Fill, Quote, Trade
from engine.core.facts import Cancel, Submit
from engine.core.money import parse
from engine.core.paper import PaperBroker
from engine.core.paper_state import opening_state
from engine.core.words import OrderKind, TimeInForce
from engine.venues.sim.recorded import wire

SHARED: Final = Path(os.environ.get("NIGHTDESK_SHARED", Path(__file__).parents[2] / "shared" / "data"))
FOLDER: Final = SHARED / "crypto" / "binance_wire"
STRETCHES: Final = {
    "BTC perpetual": ("um_btcusdt_20240718", "um_btcusdt_20240719"),
    "ETH perpetual": ("um_ethusdt_20240718", "um_ethusdt_20240719"),
    "BTC spot": ("spot_btcusdt_20240808", "spot_btcusdt_20240809"),
}
SPANS: Final = (5 * SECOND, 60 * SECOND)
QTY: Final = parse("0.01")
PATIENCE: Final = 30 * SECOND
"""A limit order is taken back after this long, at least one bar."""

Event = Quote | Book | Trade | Bar


class Sent(msgspec.Struct):
    """One order: its side, the mid when it was decided, and what it got (signed quantity, value)."""

    order: Submit
    mid: int
    qty: int = 0
    value: int = 0

    @property
    def slippage(self) -> float:
        """Basis points of the mid paid more, or received less, than it."""
        return (self.value - self.mid * self.qty) / abs(self.mid * self.qty) * 10_000


def run() -> list[Figure]:
    """The mean difference for each stretch and span; nothing but a word where the captures are absent."""
    if not FOLDER.is_dir():
        print(f"bars: skipped, no recorded captures in {FOLDER}")
        return []
    figures = []
    for name, files in STRETCHES.items():
        ticks = _ticks([FOLDER / f"{file}.txt.gz" for file in files])
        for span_ns in SPANS:
            events = _with_bars(ticks, span_ns)
            book, bars = _filled(events, span_ns, with_ticks=True), _filled(events, span_ns, with_ticks=False)
            figures += _compared(f"bars of {span_ns // SECOND} s, {name}:", book, bars)
    return figures


def _compared(what: str, book: dict[str, Sent], bars: dict[str, Sent]) -> list[Figure]:
    """Market orders by what they cost, limit orders by how many filled."""
    both = [key for key in book if key.startswith("m") and book[key].qty and bars[key].qty]
    limits = [key for key in book if key.startswith("l")]
    on_book = sum(book[key].slippage for key in both) / len(both)
    on_bars = sum(bars[key].slippage for key in both) / len(both)
    return [
        Figure(f"{what} market orders on the book cost", on_book, "bp"),
        Figure(f"{what} on bars", on_bars, f"bp ({len(both)} orders)"),
        Figure(f"{what} limit orders filled on the book", _share(book, limits), "%"),
        Figure(f"{what} on bars", _share(bars, limits), f"% ({len(limits)} orders)"),
    ]


def _share(sent: dict[str, Sent], keys: Sequence[str]) -> float:
    return 100 * sum(sent[key].qty != 0 for key in keys) / len(keys)


def _ticks(paths: Sequence[Path]) -> list[Quote | Book | Trade]:
    played = wire.play(paths, wire.streams(paths))
    return [event for events in played for event in events if isinstance(event, Quote | Book | Trade)]


def _with_bars(ticks: Sequence[Quote | Book | Trade], span_ns: int) -> list[Event]:
    """The ticks, and after them the bars their trades closed."""
    builder, events = BarBuilder(ticks[0].symbol, span_ns), list[Event]()
    for tick in ticks:
        if builder.start_ns and tick.at_ns >= builder.start_ns + span_ns:
            bar = builder.flush(tick.at_ns)
            if bar is not None:
                end_ns = bar.start_ns + span_ns
                events.append(msgspec.structs.replace(bar, at_ns=end_ns))
        events.append(tick)
        if isinstance(tick, Trade):
            builder.add(tick.price, tick.qty, tick.at_ns)
    return events


def _filled(events: Sequence[Event], span_ns: int, *, with_ticks: bool) -> dict[str, Sent]:
    """Every order of the stretch and what it got; the broker sees the ticks, or the bars."""
    symbol = events[0].symbol
    coin = Instrument(symbol, tick=parse("0.01"), lot=parse("0.001"), min_qty=parse("0.001"), max_qty=parse("1000"))
    desk = PaperBroker({symbol: coin}, PaperModel(), 7, opening_state(parse("1000000000")))
    sent: dict[str, Sent] = {}
    quote: Quote | None = None
    for event in events:
        quote = event if isinstance(event, Quote) else quote
        _book(sent, desk.advance(event.at_ns))
        if isinstance(event, Bar) is not with_ticks:
            _book(sent, desk.on_market(event))
        if isinstance(event, Bar) and quote is not None:
            _decide(desk, sent, quote, event.at_ns, max(PATIENCE, span_ns + SECOND))
    return sent


def _decide(desk: PaperBroker, sent: dict[str, Sent], quote: Quote, at_ns: int, patience_ns: int) -> None:
    number = len(sent) // 2
    sign = 1 if number % 2 else -1
    mid, touch = (quote.bid + quote.ask) // 2, quote.bid if sign > 0 else quote.ask
    for key, kind, price, tif in (
        ("m", OrderKind.MARKET, 0, TimeInForce.GTC),
        ("l", OrderKind.LIMIT, touch, TimeInForce.GTC),
    ):
        order = Submit(f"{key}{number}", quote.symbol, sign * QTY, kind, tif, price, False)
        sent[order.order_id] = Sent(order, mid)
        desk.submit(order, at_ns)
        desk.cancel(Cancel(order.order_id, quote.symbol), at_ns + patience_ns)


def _book(sent: dict[str, Sent], answers: Sequence[BrokerEvent]) -> None:
    for answer in answers:
        if isinstance(answer, Fill):
            order = sent[answer.client_order_id]
            order.qty += answer.qty
            order.value += answer.qty * answer.price
