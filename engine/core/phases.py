"""The market phase of one symbol, from its closed bars: trend up or down, sideways, volatile, or UNKNOWN.

Trend strength is Kaufman's efficiency ratio (net move over the sum of moves; P. Kaufman, "Smarter Trading", 1995);
volatility is the mean bar range as a fraction of price. Integers only.
"""

from enum import StrEnum
from operator import sub

import msgspec

from engine.core import money
from engine.core.config import PhaseModel
from engine.core.events import Bar


class MarketPhase(StrEnum):
    TREND_UP = "TREND_UP"
    TREND_DOWN = "TREND_DOWN"
    SIDEWAYS = "SIDEWAYS"
    VOLATILE = "VOLATILE"
    UNKNOWN = "UNKNOWN"


class PhaseWindow(msgspec.Struct):
    """The closes and ranges of a symbol's last bars, at most `PhaseModel.window` of them."""

    closes: list[int] = []
    ranges: list[int] = []
    phase: MarketPhase = MarketPhase.UNKNOWN

    def add(self, bar: Bar, model: PhaseModel) -> MarketPhase:
        """Take a closed bar; the phase it leads to."""
        self.closes.append(bar.close)
        self.ranges.append(bar.high - bar.low)
        if len(self.closes) > model.window:
            del self.closes[0], self.ranges[0]
        self.phase = self._classify(model)
        return self.phase

    def _classify(self, model: PhaseModel) -> MarketPhase:
        closes = self.closes
        if len(closes) < model.window:
            return MarketPhase.UNKNOWN
        if money.div(sum(self.ranges), sum(closes)) >= model.volatile_min:
            return MarketPhase.VOLATILE
        net = closes[-1] - closes[0]
        path = sum(map(abs, map(sub, closes[1:], closes)))
        if path and money.div(abs(net), path) >= model.trend_min:
            return MarketPhase.TREND_UP if net > 0 else MarketPhase.TREND_DOWN
        return MarketPhase.SIDEWAYS
