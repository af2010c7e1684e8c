"""What the venue lists now, beside what a run was begun with."""

from collections.abc import Mapping
from typing import Final

from engine.core import money
from engine.core.config import Instrument
from engine.core.events import InstrumentChanged
from engine.core.state import SymbolState
from engine.venues.errors import VenueError

RULES: Final = ("tick", "lot", "min_qty", "min_notional", "multiplier")
"""What an order has to keep to, and what the books are kept in."""


def changes(
    instruments: Mapping[str, Instrument],
    known: Mapping[str, SymbolState],
    listing: Mapping[str, Instrument | VenueError],
    now_ns: int,
) -> list[InstrumentChanged]:
    """What the core has to be told: of each symbol of the run that is listed otherwise than the core knows."""
    told = {symbol: _difference(instruments[symbol], listed) for symbol, listed in listing.items()}
    return [InstrumentChanged(symbol, now_ns, text) for symbol, text in told.items() if text != known[symbol].changed]


def _difference(ours: Instrument, listed: Instrument | VenueError) -> str:
    """How a contract is not what the run began with; empty: as far as orders go it is the same.

    A largest order that grew is none: ours may be the tighter one of risk.toml.
    """
    if isinstance(listed, VenueError):
        return str(listed)
    pairs = [(rule.replace("_", " "), getattr(ours, rule), getattr(listed, rule)) for rule in RULES]
    if listed.max_qty < ours.max_qty:
        pairs.append(("max qty", ours.max_qty, listed.max_qty))
    return ", ".join(f"{rule} is {money.text(now)}, was {money.text(then)}" for rule, then, now in pairs if now != then)
