"""The ten symbols of the generated market: what can be traded, and in what manner each one moves."""

from typing import Final

import msgspec

from engine.core.config import Instrument
from engine.core.money import SCALE, parse


class Listing(msgspec.Struct, frozen=True):
    """One generated symbol.

    Attributes:
        start_price: Its price at the market's anchor.
        beta: How much of the market's move it takes.
        own_volatility: Daily deviation of its own part, as a fraction.
        spread: Usual distance of bid and ask, as a fraction of the price.
        top_notional: Usual value displayed at the best price, in quote currency.
    """

    instrument: Instrument
    start_price: int
    beta: float
    own_volatility: float
    spread: float
    top_notional: int


def _listing(row: str) -> Listing:
    symbol, price, tick, lot, max_qty, beta, own, spread_bp, top = row.split()
    instrument = Instrument(
        symbol=symbol,
        tick=parse(tick),
        lot=parse(lot),
        min_qty=parse(lot),
        max_qty=parse(max_qty),
        min_notional=5 * SCALE,
    )
    return Listing(instrument, parse(price), float(beta), float(own), float(spread_bp) / 10_000, int(top))


# symbol, price at the anchor, tick, lot, largest order, beta, own daily volatility, spread in bp, value at the top
_TABLE: Final = """
BTCUSDT 60000 0.1     0.0001 100      1.00 0.010 1.0 150000
ETHUSDT 3000  0.01    0.001  2000     1.15 0.018 1.2 100000
SOLUSDT 150   0.01    0.01   40000    1.35 0.030 1.8 60000
BNBUSDT 600   0.01    0.01   10000    0.90 0.018 1.6 50000
XRPUSDT 2     0.0001  1      3000000  1.10 0.032 2.0 50000
ADAUSDT 0.7   0.0001  1      9000000  1.25 0.033 3.0 30000
DOGEUSDT 0.16 0.00001 1      40000000 1.35 0.035 2.5 40000
AVAXUSDT 25   0.001   0.1    200000   1.35 0.034 4.0 20000
DOTUSDT 5     0.001   0.1    1000000  1.20 0.030 5.0 20000
LINKUSDT 15   0.001   0.1    400000   1.25 0.032 3.5 25000
"""
LISTED: Final = tuple(_listing(row) for row in _TABLE.strip().splitlines())
SYMBOLS: Final = tuple(listing.instrument.symbol for listing in LISTED)
