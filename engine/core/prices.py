"""The newest price of each symbol, and what is set aside: a price far from the last, until a second one says the same.

One tick at ten times the price is an error of somebody's far more often than a market. What is set aside moves nothing:
no mark, no stop, no bar, no indicator, no fill. It is on record, and the price before it grows older meanwhile.
"""

from typing import Final

from engine.core import money
from engine.core.believing import is_far
from engine.core.desk import Desk
from engine.core.events import Bar
from engine.core.facts import FeedNoted
from engine.core.state import SymbolState

JUMP_INVERSE: Final = 5
"""A fifth, 20 %, from one price to the next is a jump: taken like any price, but told."""


class Prices:
    """Judges the prices of one desk's symbols. Every method says whether what came may be used."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def take(self, known: SymbolState, symbol: str, price: int) -> bool:
        """Make `price` the symbol's newest, unless it is set aside."""
        last = known.last
        if abs(price - last) * JUMP_INVERSE > last > 0:
            if is_far(price, last) and not self._is_second(known, symbol, price):
                return False
            self._note(
                symbol, "PRICE_JUMP", f"price jumped from {money.text(last)} to {money.text(price)}", price, last
            )
        known.last = price
        if known.aside:
            known.aside = 0
        return True

    def allow(self, known: SymbolState, symbol: str, price: int) -> bool:
        """Judge a price beside the newest one, which it does not become."""
        last = known.last
        if last > 0 and is_far(price, last):
            return self._is_second(known, symbol, price)
        if known.aside:
            known.aside = 0
        return True

    def allow_bar(self, known: SymbolState, bar: Bar) -> bool:
        """Judge a bar by its extremes: each is near the newest price, or near the close before."""
        near = [price for price in (known.last, *known.window.closes[-1:]) if price > 0]
        if not near:
            return True
        for extreme in (bar.high, bar.low):
            if is_far(extreme, near[0]) and is_far(extreme, near[-1]):
                return self._is_second(known, bar.symbol, extreme)
        return True

    def take_close(self, known: SymbolState, bar: Bar) -> None:
        """Make the close of a bar that was allowed the newest price."""
        known.aside = bar.close  # the bar vouches for it: it needs no second
        self.take(known, bar.symbol, bar.close)

    def _is_second(self, known: SymbolState, symbol: str, price: int) -> bool:
        """Whether a far price is near the one set aside before it; if not, this one is set aside."""
        if known.aside and not is_far(price, known.aside):
            return True
        known.aside, last = price, known.last
        text = f"{money.text(price)} set aside until another says the same; the price is {money.text(last)}"
        self._note(symbol, "PRICE_SET_ASIDE", text, price, last)
        return False

    def _note(self, symbol: str, kind: str, text: str, price: int, last: int) -> None:
        change = money.div(price - last, last) if last else 0
        self._desk.emit(FeedNoted(self._desk.at_ns, symbol, kind, text, change))
