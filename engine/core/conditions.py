"""The conditions an entry meets, the market phase of its symbol and the regime: do they let it be, and how large.

Both are recorded beside everything they bear on. Bad conditions keep entries out; they never end a run or skip a day.
"""

from typing import Final

import msgspec

from engine.core import money
from engine.core.config import StrategySpec
from engine.core.desk import Desk
from engine.core.events import Bar, SessionPhase
from engine.core.facts import MarketPhaseChanged
from engine.core.phases import MarketPhase
from engine.core.safety import Safety
from engine.core.state import SymbolState
from engine.core.words import BlockReason, ReasonCode, Regime, Volatile

HALF: Final = money.SCALE // 2


class Answer(msgspec.Struct, frozen=True):
    """The share of a full-sized entry the conditions allow (0: none), and why it is not the whole."""

    share: int
    code: ReasonCode | None = None  # where the share is 0
    text: str = ""


def should_trade(phase: MarketPhase, regime: Regime, strategy: StrategySpec, volatile: Volatile) -> Answer:
    """Whether `strategy` may enter now, by the first reason against it. What is unknown denies."""
    if phase is MarketPhase.UNKNOWN:
        return Answer(0, ReasonCode.PHASE_UNKNOWN, "too few bars to name the market phase")
    if phase is MarketPhase.VOLATILE and volatile is Volatile.FORBID:
        return Answer(0, ReasonCode.PHASE_FORBIDS, "the market is VOLATILE, in which no entry is allowed")
    if not strategy.enters_in(regime):
        return Answer(0, ReasonCode.STRATEGY_DISABLED, f"{strategy.strategy_id} does not enter in the regime {regime}")
    if phase is MarketPhase.VOLATILE and volatile is Volatile.HALF:
        return Answer(HALF, None, "half size, because the market is VOLATILE")
    return Answer(money.SCALE)


class MarketPhases:
    """Keeps the phase of each symbol with its closed bars, and entries out while no phase at all is known."""

    def __init__(self, desk: Desk, safety: Safety) -> None:
        self._desk = desk
        self._safety = safety

    def begin(self) -> None:
        """A run begins: what was known of the market before it is gone."""
        for known in self._desk.state.symbols.values():
            known.window, known.phase_told = type(known.window)(), MarketPhase.UNKNOWN

    def open(self) -> None:
        """History is seeded: put the phases on record, those of the past are not."""
        for symbol, known in self._desk.state.symbols.items():
            self._tell(symbol, known)
        if all(known.phase is MarketPhase.UNKNOWN for known in self._desk.state.symbols.values()):
            self._safety.block(BlockReason.PHASE_UNKNOWN, "too few bars to name the market phase of any symbol")

    def follow(self, known: SymbolState, bar: Bar) -> None:
        """Take a closed bar of the desk's shortest span, before anything is judged by the phase it leads to."""
        known.window.add(bar, self._desk.config.phases)
        if known.phase is not known.phase_told and self._desk.state.phase is SessionPhase.RUNNING:
            self._tell(bar.symbol, known)

    def _tell(self, symbol: str, known: SymbolState) -> None:
        if known.phase is known.phase_told:
            return
        desk = self._desk
        desk.emit(MarketPhaseChanged(desk.at_ns, symbol, known.phase_told.value, known.phase.value))
        known.phase_told = known.phase
        self._safety.unblock(BlockReason.PHASE_UNKNOWN, f"the market phase of {symbol} is known")
