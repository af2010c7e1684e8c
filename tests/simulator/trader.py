"""A strategy that is never done: it enters at the market or rests near it, with close stops, as its draws tell it."""

from collections.abc import Sequence
from typing import Final

import msgspec

from engine.core.config import SECOND
from engine.core.draw import below
from engine.core.events import Bar, Quote
from engine.core.strategy import ExitWish, Market, Proposal
from engine.core.words import Side

STOPS: Final = (2_000, 500)  # the stop is this fraction of the price away: 0.05 % to 0.2 %


class Count(msgspec.Struct):
    seen: int = 0


class Trader:
    strategy_id = "trader"
    span_ns = 60 * SECOND
    history = 60
    wants_quotes = True

    def __init__(self, symbols: tuple[str, ...], seed: int, odds: int) -> None:
        """Of a free symbol's quotes one in `odds` is a signal."""
        self.symbols = symbols
        self.state: msgspec.Struct = Count()
        self._seed = seed
        self._odds = odds

    def on_bar(self, bar: Bar, market: Market) -> Sequence[Proposal | ExitWish]:
        return ()

    def on_quote(self, quote: Quote, market: Market) -> Sequence[Proposal | ExitWish]:
        assert isinstance(self.state, Count)
        self.state.seen += 1
        key = (quote.symbol, self.state.seen)
        if below(self._odds, self._seed, "now", *key) or market.is_busy(quote.symbol):
            return ()
        side = Side.SHORT if below(2, self._seed, "side", *key) else Side.LONG
        tick = market.tick(quote.symbol)
        touch = quote.ask if side is Side.LONG else quote.bid
        away = touch // (STOPS[1] + below(STOPS[0] - STOPS[1], self._seed, "stop", *key))
        rests = below(3, self._seed, "rests", *key) == 0
        entry = (touch - side.sign * away // 4) // tick * tick if rests else 0
        price = entry or touch
        stop = (price - side.sign * away) // tick * tick
        target = (price + side.sign * 2 * away) // tick * tick
        hold_ns = (2 + below(20, self._seed, "hold", *key)) * SECOND
        return (Proposal(quote.symbol, side, entry, stop, target, "drawn", hold_ns=hold_ns),)
