"""An example of mean reversion. It shows how a strategy is written and makes no promise of profit.

A price far from its average of the last minutes is expected to come back: when the touch leaves the band around the
average, it rests a small order next to the touch, against the move. It leaves once the price is back at the average
and the way there has paid the costs; else its stop, its target or its longest stay end the position.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
import pydantic

from engine.core import money
from engine.core.config import MINUTE, StrategySpec
from engine.core.events import Bar, Quote
from engine.core.strategy import ExitWish, Market, Proposal
from engine.core.words import Side
from engine.strategies.base import (
    BASIS_POINTS,
    BaseStrategy,
    Bracket,
    Window,
    bracketed,
    resting_price,
    true_range,
)

NO_WISHES: Final[tuple[Proposal | ExitWish, ...]] = ()


class ReversionParams(Bracket):
    """`band_percent` is half the band in percent of the average true range.

    It rests `behind_bp` away from the touch. `gain_bp` is what coming back must pay: a maker entry and a taker exit
    cost about 15 bp, so that less would give away every good trade. `rest_minutes` pass after a position,
    `retry_minutes` after a proposal that led to none, twice as many after each further one.
    """

    average_bars: int = pydantic.Field(default=60, ge=5, le=300)
    band_percent: int = pydantic.Field(default=150, ge=50, le=2_000)
    behind_bp: int = pydantic.Field(default=1, ge=0, le=50)
    gain_bp: int = pydantic.Field(default=25, ge=15, le=500)
    retry_minutes: int = pydantic.Field(default=2, ge=1, le=24 * 60)
    rest_minutes: int = pydantic.Field(default=240, ge=1, le=24 * 60)


class Watched(msgspec.Struct):
    """What is remembered of one symbol. `lower` and `upper` are 0 until enough bars are known.

    Attributes:
        side: 1 or -1 from a proposal until the symbol is found free again, else 0.
        leave_at: In a position, the price that pays `gain_bp`.
        held: Whether the proposal was seen to have led to a position.
        misses: Proposals in a row that led to none.
        quiet_until_ns: No proposal before that.
    """

    closes: Window
    ranges: Window
    last_close: int = 0
    average: int = 0
    lower: int = 0
    upper: int = 0
    side: int = 0
    leave_at: int = 0
    proposed_ns: int = 0
    held: bool = False
    misses: int = 0
    quiet_until_ns: int = 0


class ReversionState(msgspec.Struct):
    symbols: dict[str, Watched] = {}


class Reversion(BaseStrategy[ReversionState]):
    """Example: rests against moves away from the average of recent minutes, leaves when the price is back."""

    Params = ReversionParams
    wants_quotes = True

    def __init__(self, spec: StrategySpec, params: ReversionParams) -> None:
        super().__init__(spec, params)
        self.params = params
        self.history = params.average_bars
        bars = params.average_bars
        self.state = ReversionState({symbol: Watched(Window(bars), Window(bars)) for symbol in spec.symbols})

    def on_bar(self, bar: Bar, market: Market) -> Sequence[Proposal | ExitWish]:
        """Move the band; see what became of the last proposal."""
        watched = self.state.symbols[bar.symbol]
        watched.closes.add(bar.close)
        watched.ranges.add(true_range(bar, watched.last_close))
        watched.last_close = bar.close
        if watched.closes.is_full:
            watched.average = watched.closes.mean
            width = watched.ranges.mean * self.params.band_percent // 100
            watched.lower, watched.upper = watched.average - width, watched.average + width
        if watched.side and bar.at_ns - watched.proposed_ns >= MINUTE:
            self._follow_up(watched, bar, market)
        return NO_WISHES

    def _follow_up(self, watched: Watched, bar: Bar, market: Market) -> None:
        """Allow new proposals once the desk is done with the last: soon if nothing came of it, else later."""
        if market.is_busy(bar.symbol):
            watched.held = True
            return
        watched.misses = 0 if watched.held else watched.misses + 1
        retry_minutes = self.params.retry_minutes << watched.misses - 1 if watched.misses else self.params.rest_minutes
        watched.quiet_until_ns = bar.at_ns + min(retry_minutes, self.params.rest_minutes) * MINUTE
        watched.side, watched.held = 0, False

    def on_quote(self, quote: Quote, market: Market) -> Sequence[Proposal | ExitWish]:
        """Outside the band: propose. Back at the average with the costs earned: leave."""
        watched = self.state.symbols[quote.symbol]
        if watched.side > 0:
            return self._leave(quote.symbol) if quote.bid >= max(watched.leave_at, watched.average) else NO_WISHES
        if watched.side < 0:
            return self._leave(quote.symbol) if quote.ask <= min(watched.leave_at, watched.average) else NO_WISHES
        if not watched.lower or (watched.lower < quote.bid and quote.ask < watched.upper):
            return NO_WISHES
        if quote.at_ns < watched.quiet_until_ns or market.is_busy(quote.symbol):
            return NO_WISHES
        return (self._enter(quote, watched, market),)

    def _leave(self, symbol: str) -> Sequence[ExitWish]:
        return (ExitWish(symbol, "back at the average"),)

    def _enter(self, quote: Quote, watched: Watched, market: Market) -> Proposal:
        side = Side.LONG if quote.bid <= watched.lower else Side.SHORT
        entry = resting_price(quote, side, market.tick(quote.symbol), self.params.behind_bp)
        away = abs(entry - watched.average) * BASIS_POINTS * money.SCALE // watched.average
        watched.side = side.sign
        watched.leave_at = entry + side.sign * (entry * self.params.gain_bp // BASIS_POINTS)
        watched.proposed_ns = quote.at_ns
        where = "below" if side is Side.LONG else "above"
        text = f"{money.text(away, 1)} bp {where} the average of {self.params.average_bars} bars"
        return bracketed(quote.symbol, side, entry, market.tick(quote.symbol), self.params, text)
