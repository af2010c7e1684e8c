"""An example of trend following. It shows how a strategy is written and makes no promise of profit.

When the short average is on one side of the long one and the close breaks out of the range of the bars before, it rests
an order at the touch in the direction of the move. Stop, target and longest stay end the position.
"""

from collections.abc import Sequence

import msgspec
import pydantic

from engine.core import money
from engine.core.config import MINUTE, SECOND, StrategySpec
from engine.core.events import Bar
from engine.core.strategy import ExitWish, Market, Proposal
from engine.core.words import Side
from engine.strategies.base import BaseStrategy, Bracket, Window, bracketed, resting_price


class TrendParams(Bracket):
    """Lengths in bars of `span_seconds`; `rest_minutes` passes between two proposals of one symbol."""

    span_seconds: int = pydantic.Field(default=300, ge=1, le=24 * 3600)
    fast_bars: int = pydantic.Field(default=6, ge=2, le=200)
    slow_bars: int = pydantic.Field(default=24, ge=3, le=300)
    breakout_bars: int = pydantic.Field(default=24, ge=2, le=300)
    rest_minutes: int = pydantic.Field(default=360, ge=1, le=24 * 60)

    @pydantic.model_validator(mode="after")
    def _fast_is_faster(self) -> "TrendParams":
        if self.fast_bars >= self.slow_bars:
            raise ValueError(f"fast_bars {self.fast_bars} is not below slow_bars {self.slow_bars}")
        return self


class Followed(msgspec.Struct):
    """What is remembered of one symbol: closes for both averages, extremes of the bars before, the last proposal."""

    fast: Window
    slow: Window
    highs: Window
    lows: Window
    quiet_until_ns: int = 0


class TrendState(msgspec.Struct):
    symbols: dict[str, Followed] = {}


class Trend(BaseStrategy[TrendState]):
    """Example: follows breakouts in the direction of two averages, entering with a resting order."""

    Params = TrendParams

    def __init__(self, spec: StrategySpec, params: TrendParams) -> None:
        super().__init__(spec, params)
        self.params = params
        self.span_ns = params.span_seconds * SECOND
        self.history = max(params.slow_bars, params.breakout_bars + 1)
        self.state = TrendState({symbol: self._unfollowed() for symbol in spec.symbols})

    def _unfollowed(self) -> Followed:
        params = self.params
        return Followed(
            Window(params.fast_bars),
            Window(params.slow_bars),
            Window(params.breakout_bars),
            Window(params.breakout_bars),
        )

    def on_bar(self, bar: Bar, market: Market) -> Sequence[Proposal | ExitWish]:
        """Propose on a breakout that both averages agree with."""
        followed = self.state.symbols[bar.symbol]
        followed.fast.add(bar.close)
        followed.slow.add(bar.close)
        side = _breakout(followed, bar.close)
        followed.highs.add(bar.high)  # the breakout is measured against the bars before this one
        followed.lows.add(bar.low)
        if side is None or bar.backfilled or bar.at_ns < followed.quiet_until_ns or market.is_busy(bar.symbol):
            return ()
        followed.quiet_until_ns = bar.at_ns + self.params.rest_minutes * MINUTE
        return (self._enter(bar, side, market),)

    def _enter(self, bar: Bar, side: Side, market: Market) -> Proposal:
        tick = market.tick(bar.symbol)
        quote = market.quote(bar.symbol)
        entry = resting_price(quote, side, tick) if quote is not None else money.floor_to(bar.close, tick)
        edge = "above the high" if side is Side.LONG else "below the low"
        text = f"closed {edge} of {self.params.breakout_bars} bars, averages agree"
        return bracketed(bar.symbol, side, entry, tick, self.params, text)


def _breakout(followed: Followed, close: int) -> Side | None:
    """The side of a breakout at `close` that both averages agree with; None: there is none, or too few bars."""
    if not (followed.slow.is_full and followed.highs.is_full):
        return None
    fast, slow = followed.fast.mean, followed.slow.mean
    if close > max(followed.highs.values) and fast > slow:
        return Side.LONG
    if close < min(followed.lows.values) and fast < slow:
        return Side.SHORT
    return None
