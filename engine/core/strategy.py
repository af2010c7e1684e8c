"""The port of a strategy: market data in, wishes out. A strategy proposes; whether and how large is not its business.

A strategy is deterministic: no clock, no chance, no I/O, integers only. Everything it remembers lives in `state`, one
`msgspec.Struct` of plain values, so that a snapshot holds it and a restart goes on exactly where it was.
"""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from engine.core.events import Bar, Quote
from engine.core.words import Side


class Proposal(msgspec.Struct, frozen=True):
    """A wish to open a position. Prices scaled; becomes a signal with an id and exactly one verdict.

    `entry` is a limit price to rest at (post-only, maker); 0 asks for a market order. For a LONG, stop < entry <
    target; for a SHORT the reverse. `hold_ns` closes the position after that time (0: no time exit).
    """

    symbol: str
    side: Side
    entry: int
    stop: int
    target: int
    text: str
    hold_ns: int = 0


class ExitWish(msgspec.Struct, frozen=True):
    """A wish to close the strategy's position in `symbol`; never refused by an entry limit."""

    symbol: str
    text: str


class Market(Protocol):
    """What a strategy may look at, beside the event in hand."""

    def quote(self, symbol: str) -> Quote | None: ...

    def tick(self, symbol: str) -> int:
        """The smallest price step."""

    def is_busy(self, symbol: str) -> bool:
        """True while the symbol has a position, a working order or a signal in flight."""


class Strategy(Protocol):
    """One running strategy; made by `engine.strategies` from a `StrategySpec`."""

    strategy_id: str
    symbols: tuple[str, ...]
    span_ns: int  # bar length it wants, a multiple of the desk's own (`CoreConfig.bar_ns`)
    history: int  # closed bars it needs before its first proposal
    wants_quotes: bool
    state: msgspec.Struct

    def on_bar(self, bar: Bar, market: Market) -> Sequence[Proposal | ExitWish]:
        """A bar of `span_ns` closed. Proposals on a `backfilled` bar are dropped by the core."""

    def on_quote(self, quote: Quote, market: Market) -> Sequence[Proposal | ExitWish]:
        """The best bid or ask changed; called only where `wants_quotes`."""
