"""The market phase of one symbol, from its closed bars: trend up or down, sideways, volatile, or UNKNOWN.

Trend strength is Kaufman's efficiency ratio (net move over the sum of moves; P. Kaufman, "Smarter Trading", 1995);
volatility is the mean bar range as a fraction of price. Integers only.
"""

from enum import StrEnum
from itertools import pairwise
from typing import Final

import msgspec

from engine.core import money
from engine.core.events import Bar

WINDOW: Final = 50  # bars looked at; fewer known means UNKNOWN
TREND_MIN: Final = money.parse("0.35")
VOLATILE_MIN: Final = money.parse("0.004")  # mean range of a one-minute bar


class MarketPhase(StrEnum):
    TREND_UP = "TREND_UP"
    TREND_DOWN = "TREND_DOWN"
    SIDEWAYS = "SIDEWAYS"
    VOLATILE = "VOLATILE"
    UNKNOWN = "UNKNOWN"


class PhaseWindow(msgspec.Struct):
    """The closes and ranges of the last `WINDOW` bars of a symbol."""

    closes: list[int] = []
    ranges: list[int] = []
    phase: MarketPhase = MarketPhase.UNKNOWN

    def add(self, bar: Bar) -> MarketPhase:
        """Take a closed bar; the phase it leads to."""
        self.closes.append(bar.close)
        self.ranges.append(bar.high - bar.low)
        if len(self.closes) > WINDOW:
            del self.closes[0], self.ranges[0]
        self.phase = self._classify()
        return self.phase

    def _classify(self) -> MarketPhase:
        closes = self.closes
        if len(closes) < WINDOW:
            return MarketPhase.UNKNOWN
        if money.div(sum(self.ranges), sum(closes)) >= VOLATILE_MIN:
            return MarketPhase.VOLATILE
        net = closes[-1] - closes[0]
        path = sum(abs(b - a) for a, b in pairwise(closes))
        if path and money.div(abs(net), path) >= TREND_MIN:
            return MarketPhase.TREND_UP if net > 0 else MarketPhase.TREND_DOWN
        return MarketPhase.SIDEWAYS
