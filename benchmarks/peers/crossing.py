"""The strategy of the comparison, for Nightdesk. Made to do what the other programs do, not to trade."""

import msgspec

from benchmarks.peers.job import FAST, SLOW
from engine.core import money
from engine.core.config import StrategySpec
from engine.core.events import Bar
from engine.core.strategy import ExitWish, Market, Proposal
from engine.core.words import Side
from engine.strategies.base import BaseStrategy, Parameters, Window


class Averages(msgspec.Struct):
    """Both averages of one symbol, and which was on top after the last bar (None: not known yet)."""

    fast: Window
    slow: Window
    above: bool | None = None


class Crossings(msgspec.Struct):
    symbols: dict[str, Averages] = {}


class Crossing(BaseStrategy[Crossings]):
    """Long at the market when SMA(10) crosses above SMA(30), out at the market when it crosses back."""

    def __init__(self, spec: StrategySpec, params: Parameters) -> None:
        super().__init__(spec, params)
        self.state = Crossings({symbol: Averages(Window(FAST), Window(SLOW)) for symbol in spec.symbols})

    def on_bar(self, bar: Bar, market: Market) -> tuple[Proposal | ExitWish, ...]:
        if bar.backfilled:
            return ()  # no other program is given history
        known = self.state.symbols[bar.symbol]
        known.fast.add(bar.close)
        known.slow.add(bar.close)
        if not known.slow.is_full:
            return ()
        was, known.above = known.above, known.fast.total * SLOW > known.slow.total * FAST
        if was is None or known.above == was:
            return ()
        if not known.above:
            return (ExitWish(bar.symbol, "crossed below"),)
        # Every entry of the desk has a stop and a target; these are never reached.
        tick = market.tick(bar.symbol)
        stop, target = money.floor_to(bar.close // 100, tick), money.floor_to(bar.close * 10, tick)
        return (Proposal(bar.symbol, Side.LONG, 0, stop, target, "crossed above"),)
