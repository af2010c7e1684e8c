"""The strategy of `nightdesk drill`: it trades at once and without reason, so that there is something to stop.

It rests entries two percent away in its first two symbols and enters the others at the market, in turns long and short,
one position a symbol.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from engine.core.config import StrategySpec
from engine.core.events import Quote
from engine.core.strategy import ExitWish, Market, Proposal
from engine.core.words import Side
from engine.strategies.base import BaseStrategy, Parameters

STOP_SHARE: Final = 100  # the stop is this fraction of the price away: a percent
REST_SHARE: Final = 50
RESTING_SYMBOLS: Final = 2


class Turns(msgspec.Struct):
    """How often each symbol was proposed, so that sides alternate."""

    taken: dict[str, int] = {}


class Drill(BaseStrategy[Turns]):
    """Always something working and something open."""

    wants_quotes = True

    def __init__(self, spec: StrategySpec, params: Parameters) -> None:
        super().__init__(spec, params)
        self.state = Turns()

    def on_quote(self, quote: Quote, market: Market) -> Sequence[Proposal | ExitWish]:
        if market.is_busy(quote.symbol):
            return ()
        turn = self.state.taken.get(quote.symbol, 0)
        self.state.taken[quote.symbol] = turn + 1
        side, tick = Side.SHORT if turn % 2 else Side.LONG, market.tick(quote.symbol)
        price = quote.ask if side is Side.LONG else quote.bid
        entry = 0
        if quote.symbol in self.symbols[:RESTING_SYMBOLS]:
            price = entry = (quote.bid - side.sign * quote.bid // REST_SHARE) // tick * tick
        stop = (price - side.sign * price // STOP_SHARE) // tick * tick
        target = (price + side.sign * 2 * price // STOP_SHARE) // tick * tick
        return (Proposal(quote.symbol, side, entry, stop, target, "a drill"),)
