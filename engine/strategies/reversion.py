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
from engine.core.config import MINUTE, SECOND, StrategySpec
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

SETTLED_NS: Final = 40 * SECOND
"""By then an entry has been filled or cancelled."""

MISSES_MAX: Final = 20
"""Proposals in vain that are counted; the pause has reached its end long before."""

NO_WISHES: Final[tuple[Proposal | ExitWish, ...]] = ()


class ReversionParams(Bracket):
    """The average is of bars of `span_seconds`; `band_percent` is half the band in percent of their mean true range.

    It rests `behind_bp` away from the touch. `gain_bp` is what coming back must pay: a maker entry and a taker exit
    cost about 15 bp, so that less would give away every good trade. `rest_minutes` pass after a position. A proposal
    that led to none is made again at once, then after `retry_minutes`, then after twice as many each time.
    """

    span_seconds: int = pydantic.Field(default=60, ge=1, le=24 * 3600)
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
        check_ns: When to look next at what became of the proposal.
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
    check_ns: int = 0
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
        self.span_ns = params.span_seconds * SECOND
        self.history = params.average_bars
        bars = params.average_bars
        self.state = ReversionState({symbol: Watched(Window(bars), Window(bars)) for symbol in spec.symbols})

    def on_bar(self, bar: Bar, market: Market) -> Sequence[Proposal | ExitWish]:
        """Move the band."""
        watched = self.state.symbols[bar.symbol]
        watched.closes.add(bar.close)
        watched.ranges.add(true_range(bar, watched.last_close))
        watched.last_close = bar.close
        if watched.closes.is_full:
            watched.average = watched.closes.mean
            width = watched.ranges.mean * self.params.band_percent // 100
            watched.lower, watched.upper = watched.average - width, watched.average + width
        return NO_WISHES

    def on_quote(self, quote: Quote, market: Market) -> Sequence[Proposal | ExitWish]:
        """Outside the band: propose. Back at the average with the costs earned: leave."""
        watched = self.state.symbols[quote.symbol]
        if watched.side:
            return self._watch(quote, watched, market)
        if not watched.lower or (watched.lower < quote.bid and quote.ask < watched.upper):
            return NO_WISHES
        if quote.at_ns < watched.quiet_until_ns or market.is_busy(quote.symbol):
            return NO_WISHES
        return (self._enter(quote, watched, market),)

    def _watch(self, quote: Quote, watched: Watched, market: Market) -> Sequence[ExitWish]:
        """Follow a proposal until the desk is done with it; leave once the price is back and the costs are earned."""
        if quote.at_ns >= watched.check_ns:
            self._follow_up(watched, quote.at_ns, market.is_busy(quote.symbol))
        if watched.side > 0:
            back = quote.bid >= max(watched.leave_at, watched.average)
        else:
            back = watched.side < 0 and quote.ask <= min(watched.leave_at, watched.average)
        return (ExitWish(quote.symbol, "back at the average"),) if back else ()

    def _follow_up(self, watched: Watched, at_ns: int, busy: bool) -> None:
        """A symbol still taken holds a position. A free one may be proposed again, after a pause."""
        watched.check_ns = at_ns + MINUTE
        if busy:
            watched.held = True
            return
        watched.misses = 0 if watched.held else min(watched.misses + 1, MISSES_MAX)
        watched.quiet_until_ns = at_ns + self._pause_minutes(watched.misses) * MINUTE
        watched.side, watched.held = 0, False

    def _pause_minutes(self, misses: int) -> int:
        if misses == 0:
            return self.params.rest_minutes
        if misses == 1:
            return 0
        return min(self.params.rest_minutes, self.params.retry_minutes << misses - 2)

    def _enter(self, quote: Quote, watched: Watched, market: Market) -> Proposal:
        side = Side.LONG if quote.bid <= watched.lower else Side.SHORT
        entry = resting_price(quote, side, market.tick(quote.symbol), self.params.behind_bp)
        away = abs(entry - watched.average) * BASIS_POINTS * money.SCALE // watched.average
        watched.side = side.sign
        watched.leave_at = entry + side.sign * (entry * self.params.gain_bp // BASIS_POINTS)
        watched.check_ns = quote.at_ns + SETTLED_NS
        where = "below" if side is Side.LONG else "above"
        text = f"{money.text(away, 1)} bp {where} the average of {self.params.average_bars} bars"
        return bracketed(quote.symbol, side, entry, market.tick(quote.symbol), self.params, text)
