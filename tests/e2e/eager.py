"""Strategies that trade at once, so that a test of seconds sees orders, fills and positions. No example to follow."""

import ctypes
import os
import time
from collections.abc import Sequence
from typing import Final

import msgspec

from engine.core.config import SECOND, StrategySpec
from engine.core.events import Quote
from engine.core.strategy import ExitWish, Market, Proposal
from engine.core.words import Side
from engine.strategies.base import BaseStrategy, Parameters

ACROSS: Final = 100  # a stop and a target this fraction of the price away: a percent
BEHIND: Final = 50  # a resting entry is two percent away: it stays where it is
RESTING_SYMBOLS: Final = 2


class Turns(msgspec.Struct):
    """How often each symbol was proposed, so that sides alternate."""

    taken: dict[str, int] = {}


class Eager(BaseStrategy[Turns]):
    """Enters every free symbol at the market, in turns long and short, and leaves after three seconds."""

    wants_quotes = True
    hold_ns = 3 * SECOND

    def __init__(self, spec: StrategySpec, params: Parameters) -> None:
        super().__init__(spec, params)
        self.state = Turns()

    def on_quote(self, quote: Quote, market: Market) -> Sequence[Proposal | ExitWish]:
        if market.is_busy(quote.symbol):
            return ()
        turn = self.state.taken.get(quote.symbol, 0)
        self.state.taken[quote.symbol] = turn + 1
        side = Side.SHORT if turn % 2 else Side.LONG
        return (self._proposal(quote, side, market.tick(quote.symbol)),)

    def _proposal(self, quote: Quote, side: Side, tick: int) -> Proposal:
        touch = quote.ask if side is Side.LONG else quote.bid
        return self._around(quote.symbol, side, 0, touch, tick)

    def _around(self, symbol: str, side: Side, entry: int, price: int, tick: int) -> Proposal:
        stop = (price - side.sign * price // ACROSS) // tick * tick
        target = (price + side.sign * 2 * price // ACROSS) // tick * tick
        return Proposal(symbol, side, entry, stop, target, "eager", hold_ns=self.hold_ns)


class Crashing(Eager):
    """Has made its first round trip, and then crashes inside an extension."""

    def on_quote(self, quote: Quote, market: Market) -> Sequence[Proposal | ExitWish]:
        if not market.is_busy(quote.symbol) and self.state.taken.get(quote.symbol):
            ctypes.string_at(0)
        return super().on_quote(quote, market)


class Blabbing(Eager):
    """Fails at its first quote, with every secret it could lay hands on in its error."""

    def on_quote(self, quote: Quote, market: Market) -> Sequence[Proposal | ExitWish]:
        raise RuntimeError(" ".join(f"{name}={value}" for name, value in os.environ.items() if "Canary" in value))


class Late(Eager):
    """Has made its first round trip, and then keeps the loop for longer than the watchdog bears: `seconds`."""

    seconds = 7

    def on_quote(self, quote: Quote, market: Market) -> Sequence[Proposal | ExitWish]:
        if not market.is_busy(quote.symbol) and self.state.taken.get(quote.symbol):
            time.sleep(self.seconds)
        return super().on_quote(quote, market)


class Frozen(Late):
    """The same, and never gives it back."""

    seconds = 3_600


class Spread(Eager):
    """Rests far from the touch in its first two symbols, enters the others at the market, and holds on."""

    hold_ns = 0

    def _proposal(self, quote: Quote, side: Side, tick: int) -> Proposal:
        if quote.symbol not in self.symbols[:RESTING_SYMBOLS]:
            return super()._proposal(quote, side, tick)
        entry = (quote.bid - side.sign * quote.bid // BEHIND) // tick * tick
        return self._around(quote.symbol, side, entry, entry, tick)
