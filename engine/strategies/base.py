"""What strategies share: checked parameters, state that survives a snapshot, and integer indicators.

The rules of a strategy are those of `engine.core.strategy`: no clock, no chance, no I/O, integers only.
"""

from collections.abc import Sequence
from typing import Any, ClassVar, Generic, TypeVar

import msgspec
import pydantic

from engine.core import money
from engine.core.config import MINUTE, StrategySpec
from engine.core.events import Bar, Quote
from engine.core.strategy import ExitWish, Market, Proposal
from engine.core.words import Side

BASIS_POINTS = 10_000

StateT = TypeVar("StateT", bound=msgspec.Struct)


class Parameters(pydantic.BaseModel):
    """Base of all parameters: frozen, no unknown keys, no silent conversions. Names end in their unit."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", strict=True)


class Bracket(Parameters):
    """Parameters of an entry's way out: stop and target as distances from the entry, and a longest stay.

    Size follows from the risk to the stop, so a wide stop keeps positions small, and with them what fees cost.
    """

    stop_bp: int = pydantic.Field(default=160, ge=10, le=500)
    target_bp: int = pydantic.Field(default=170, ge=10, le=1_000)
    hold_minutes: int = pydantic.Field(default=240, ge=1, le=24 * 60)

    @pydantic.model_validator(mode="after")
    def _reward_covers_risk(self) -> "Bracket":
        if self.target_bp < self.stop_bp:
            raise ValueError(
                f"target_bp {self.target_bp} is below stop_bp {self.stop_bp}: reward:risk must be 1 or more"
            )
        return self


class BaseStrategy(Generic[StateT]):
    """A strategy that proposes nothing. Derive, set `Params` and `state`, and override what it listens to."""

    Params: ClassVar[type[Parameters]] = Parameters

    span_ns: int = MINUTE
    history: int = 0
    wants_quotes: bool = False
    state: StateT

    def __init__(self, spec: StrategySpec, params: Any) -> None:
        self.strategy_id = spec.strategy_id
        self.symbols = spec.symbols

    def on_bar(self, bar: Bar, market: Market) -> Sequence[Proposal | ExitWish]:
        return ()

    def on_quote(self, quote: Quote, market: Market) -> Sequence[Proposal | ExitWish]:
        return ()


class Window(msgspec.Struct):
    """The newest `size` values and their sum."""

    size: int
    values: list[int] = []
    total: int = 0

    def add(self, value: int) -> None:
        self.values.append(value)
        self.total += value
        if len(self.values) > self.size:
            self.total -= self.values.pop(0)

    @property
    def is_full(self) -> bool:
        return len(self.values) == self.size

    @property
    def mean(self) -> int:
        """The average, rounded down; the window holds at least one value."""
        return self.total // len(self.values)


def true_range(bar: Bar, previous_close: int) -> int:
    """The range of `bar`, gap from `previous_close` included (0: there is none). Wilder, "New Concepts", 1978."""
    if previous_close == 0:
        return bar.high - bar.low
    return max(bar.high, previous_close) - min(bar.low, previous_close)


def resting_price(quote: Quote, side: Side, tick: int, behind_bp: int = 0) -> int:
    """Where to rest as a maker: `behind_bp` away from the touch of the own side, on the tick grid."""
    if side is Side.LONG:
        return money.floor_to(quote.bid - quote.bid * behind_bp // BASIS_POINTS, tick)
    return money.ceil_to(quote.ask + quote.ask * behind_bp // BASIS_POINTS, tick)


def bracketed(symbol: str, side: Side, entry: int, tick: int, bracket: Bracket, text: str) -> Proposal:
    """A proposal to rest at `entry`, stop and target on the tick grid and reward never below risk."""
    risk = money.ceil_to(entry * bracket.stop_bp // BASIS_POINTS, tick)
    reward = max(risk, money.ceil_to(entry * bracket.target_bp // BASIS_POINTS, tick))
    return Proposal(
        symbol=symbol,
        side=side,
        entry=entry,
        stop=entry - side.sign * risk,
        target=entry + side.sign * reward,
        text=text,
        hold_ns=bracket.hold_minutes * MINUTE,
    )
