"""What the paper broker has seen of the market, and how much of it is left to take.

`MarketMemory` holds the newest quote, book, trade and bar of each symbol; every execution profile reads the same one.
`Taken` is what one profile's own orders took from the displayed levels: a level once taken stays taken until the
market shows it anew. Numbers are scaled integers (`engine.core.money`).
"""

from typing import Final

import msgspec

from engine.core import money
from engine.core.config import SECOND
from engine.core.events import Bar, Book, Quote, Trade

Level = tuple[int, int]
"""(price, quantity)."""

FRESH_NS_MAX: Final = 15 * SECOND
"""A quote or book older than this says nothing about what can be traded now."""

UNKNOWN_QUEUE: Final = -1
"""The price lies deeper than the visible levels: nobody knows how much waits there."""

NEVER_NS: Final = 2**62
NO_HALT: Final = (-1, -1)
LATE_NS: Final = SECOND
"""A bar may arrive this long after its end: what happened in between is not in it."""


class MarketMemory(msgspec.Struct):
    """The newest market data by symbol. `halts`: from when to when it last was not to be traded (see `halt`)."""

    quotes: dict[str, Quote] = {}
    books: dict[str, Book] = {}
    trades: dict[str, Trade] = {}
    bars: dict[str, Bar] = {}
    halts: dict[str, tuple[int, int]] = {}

    def halt(self, symbol: str, halted: bool, at_ns: int) -> None:
        """Trading in `symbol` stops, or goes on: nothing seen before it goes on can be traded with then."""
        self.halts[symbol] = (at_ns, NEVER_NS) if halted else (self.halts.get(symbol, NO_HALT)[0], at_ns)

    def is_halted(self, symbol: str, from_ns: int, until_ns: int) -> bool:
        """Whether a span of time touches the last halt."""
        began_ns, ended_ns = self.halts.get(symbol, NO_HALT)
        return until_ns > began_ns and from_ns <= ended_ns

    def shown(self, symbol: str, sign: int, at_ns: int) -> list[Level] | None:
        """What is displayed to a taker (`sign` 1 buys, -1 sells) at `at_ns`, best first; None: no fresh quote or book.

        A quote newer than the book replaces every level up to its touch: what the book shows there is no longer true.
        """
        after_ns = max(at_ns - FRESH_NS_MAX - 1, self.halts.get(symbol, NO_HALT)[1])
        quote, book = self.quotes.get(symbol), self.books.get(symbol)
        if quote is not None and quote.at_ns <= after_ns:
            quote = None
        if book is not None and book.at_ns <= after_ns:
            book = None
        if book is None:
            if quote is None:
                return None
            return [(quote.ask, quote.ask_qty) if sign > 0 else (quote.bid, quote.bid_qty)]
        side = book.asks if sign > 0 else book.bids
        if quote is None or quote.at_ns <= book.at_ns:
            return list(side)
        touch = (quote.ask, quote.ask_qty) if sign > 0 else (quote.bid, quote.bid_qty)
        return [touch, *(level for level in side if sign * (level[0] - touch[0]) > 0)]

    def touch(self, symbol: str, sign: int, at_ns: int) -> int:
        """The best price shown to a taker (`sign` 1: the ask) at `at_ns`; 0: no fresh quote or book."""
        shown = self.shown(symbol, sign, at_ns)
        return shown[0][0] if shown else 0

    def displayed(self, symbol: str, sign: int, price: int, at_ns: int) -> int:
        """The size shown on the own side (`sign` 1: bids) at `price`, or `UNKNOWN_QUEUE` if that lies out of sight."""
        shown = self.shown(symbol, -sign, at_ns)
        if not shown:
            return UNKNOWN_QUEUE
        for level_price, qty in shown:
            if level_price == price:
                return qty
            if sign * level_price < sign * price:
                return 0  # nobody waits between two visible levels, or in front of the best
        return UNKNOWN_QUEUE

    def reach(self, event: Quote | Book) -> tuple[int, int, int, int]:
        """Deepest visible bid, best bid, best ask, deepest visible ask, now that `event` has come."""
        if isinstance(event, Book):
            return event.bids[-1][0], event.bids[0][0], event.asks[0][0], event.asks[-1][0]
        book = self.books.get(event.symbol)
        if book is None:
            return event.bid, event.bid, event.ask, event.ask
        return min(event.bid, book.bids[-1][0]), event.bid, event.ask, max(event.ask, book.asks[-1][0])

    def worth(self, symbol: str, qty: int) -> int:
        """The price a position of signed `qty` could be closed at: the newest bid or ask seen, else the mark."""
        quote, book = self.quotes.get(symbol), self.books.get(symbol)
        if book is not None and (quote is None or book.at_ns >= quote.at_ns):
            return book.bids[0][0] if qty > 0 else book.asks[0][0]
        if quote is not None:
            return quote.bid if qty > 0 else quote.ask
        return self.mark(symbol)

    def mark(self, symbol: str) -> int:
        """The price `symbol` is valued at: the mid of the newest quote or book, else the newest print; 0: none yet.

        A trade or a bar's close counts only when the mid is no longer fresh: inside a live spread it is noise.
        """
        mids, prints = [], []
        if (quote := self.quotes.get(symbol)) is not None:
            mids.append((quote.at_ns, (quote.bid + quote.ask) // 2))
        if (book := self.books.get(symbol)) is not None:
            mids.append((book.at_ns, (book.bids[0][0] + book.asks[0][0]) // 2))
        if (trade := self.trades.get(symbol)) is not None:
            prints.append((trade.at_ns, trade.price))
        if (bar := self.bars.get(symbol)) is not None:
            prints.append((bar.at_ns, bar.close))
        mid, last = max(mids, default=(-1, 0)), max(prints, default=(-1, 0))
        if mid[0] >= 0 and last[0] - mid[0] <= FRESH_NS_MAX:
            return mid[1]
        return last[1]

    def ticked_within(self, bar: Bar) -> bool:
        """Whether quotes, books or trades came during `bar`: then they rule, and the bar fills nothing."""
        newest = max(
            (seen[bar.symbol].at_ns for seen in (self.quotes, self.books, self.trades) if bar.symbol in seen),
            default=-1,
        )
        return newest >= bar.at_ns - bar.span_ns


class Taken(msgspec.Struct):
    """What own orders took by symbol and price since it was last shown.

    Prices are signed by the taker's side (positive: asks taken by a buyer, negative: bids taken by a seller).
    """

    of: dict[str, dict[int, int]] = {}

    def left(self, symbol: str, sign: int, shown: list[Level], share: int) -> list[Level]:
        """What a taker may still take of `shown`: at most `share` of each level, and nothing twice."""
        taken = self.of.get(symbol, {})
        if not taken and share == money.SCALE:
            return shown
        left = [(price, money.mul(qty, share) - taken.get(sign * price, 0)) for price, qty in shown]
        return [level for level in left if level[1] > 0]

    def take(self, symbol: str, sign: int, price: int, qty: int) -> None:
        """An own taker of `sign` took `qty` at `price`."""
        taken = self.of.setdefault(symbol, {})
        taken[sign * price] = taken.get(sign * price, 0) + qty

    def renew(self, event: Quote | Book, has_book: bool) -> None:
        """`event` shows liquidity anew: a book all of it, a quote whatever is not deeper than its touch.

        Without a book (`has_book`) nothing deeper is to be seen, and before it can be it is shown anew.
        """
        taken = self.of.pop(event.symbol, None)
        if taken is None or not has_book or isinstance(event, Book):
            return
        deeper = {key: qty for key, qty in taken.items() if (key > event.ask if key > 0 else -key < event.bid)}
        if deeper:
            self.of[event.symbol] = deeper
