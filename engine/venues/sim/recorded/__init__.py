"""The market of recorded files: bars, quotes, trades, funding rates and raw socket captures, played again."""

from engine.venues.sim.recorded.files import BadData
from engine.venues.sim.recorded.market import RecordedMarket

__all__ = ["BadData", "RecordedMarket"]
