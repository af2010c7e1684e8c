"""The time a paper desk was away with something in the market: what would have been filled meanwhile.

A venue goes on while a desk is down; a paper desk's orders stand in the desk itself. So after a restart the bars of the
time between, which are fetched for the indicators anyway, are held against what worked when the desk went: stops and
orders at market before limits, always the worse way, as wherever only bars are known. Where bars are missing, or where
nothing is to be decided, no entry is sent until an operator has looked.
"""

from typing import Final

import msgspec

from engine.core.config import MINUTE
from engine.core.desk import Desk
from engine.core.events import Bar, Fill
from engine.core.facts import FeedNoted
from engine.core.paper import PaperBroker
from engine.core.safety import Safety
from engine.core.state import Away
from engine.core.times import stretch
from engine.core.trading import Trading
from engine.core.words import BlockReason, OutageGap

KIND: Final = "OUTAGE_GAP"
START_NS: Final = 3 * MINUTE
"""A start may take this long between its history and its first price; nothing is missing by that."""


class Outage:
    """The gap before one run of a paper desk."""

    def __init__(self, desk: Desk, safety: Safety, trading: Trading, paper: PaperBroker | None) -> None:
        self._desk = desk
        self._safety = safety
        self._trading = trading
        self._paper = paper

    def begin(self) -> None:
        """A run begins: note what stood in the market, and since when nothing was heard of it."""
        state = self._desk.state
        state.away = Away()
        if self._paper is None:
            return
        for symbol in sorted({*state.holdings, *(order.symbol for order in state.orders.values())}):
            heard_ns = state.symbols[symbol].last_ns if symbol in state.symbols else 0
            if heard_ns:
                state.away.heard_ns = min(state.away.heard_ns or heard_ns, heard_ns)
                state.away.until[symbol] = self._first_bar_ns(symbol, heard_ns)

    def _first_bar_ns(self, symbol: str, heard_ns: int) -> int:
        """The start of the first bar that may meet the symbol's orders: none that began before the youngest of them."""
        within_ns = heard_ns // MINUTE * MINUTE
        youngest_ns = max((o.placed_ns for o in self._desk.state.orders.values() if o.symbol == symbol), default=0)
        return within_ns if youngest_ns <= within_ns else within_ns + MINUTE

    def meet(self, bar: Bar) -> None:
        """Hold a backfilled bar from the time the desk was away against what stood in its market."""
        away = self._desk.state.away
        until_ns = away.until.get(bar.symbol)
        if until_ns is None or bar.start_ns < until_ns or self._paper is None:
            return
        if self._desk.config.outage_gap is OutageGap.MARK:
            return
        away.bars += 1
        away.untold_ns += self._open_ns(bar.symbol, until_ns, bar.start_ns)
        away.until[bar.symbol] = bar.start_ns + bar.span_ns
        for answer in self._paper.on_bar(msgspec.structs.replace(bar, backfilled=False)):
            away.fills += isinstance(answer, Fill)
            self._trading.answer(answer)

    def end(self) -> None:
        """The session runs: say what the gap was and what came of it."""
        state, away = self._desk.state, self._desk.state.away
        if not away.until:
            return
        gap_ns, untold_ns = state.at_ns - away.heard_ns, self._untold_ns()
        state.tally.outage_ns, state.tally.outage_fills = gap_ns, away.fills
        what = f"away for {stretch(gap_ns)} with positions or orders in {', '.join(away.until)}"
        marked = self._desk.config.outage_gap is OutageGap.MARK
        came = "nothing was decided" if marked else f"{away.bars} bars of that time made {away.fills} fills"
        if untold_ns and not marked:
            came += f", and of {stretch(untold_ns)} no bar tells"
        self._desk.emit(FeedNoted(state.at_ns, "", KIND, f"{what}; {came}", gap_ns))
        if marked or untold_ns:
            self._safety.block(BlockReason.OUTAGE, f"{what}; {came}: look at them, then resume")
        state.away = Away()

    def _untold_ns(self) -> int:
        """How long the markets were open without a bar, the time since the newest ones included."""
        away, now_ns = self._desk.state.away, self._desk.state.at_ns
        since = [self._open_ns(symbol, until_ns, now_ns) for symbol, until_ns in away.until.items()]
        return away.untold_ns + sum(left_ns for left_ns in since if left_ns > START_NS)

    def _open_ns(self, symbol: str, begin_ns: int, end_ns: int) -> int:
        """How long the symbol's market was open between two moments."""
        calendar = self._desk.calendars.get(symbol)
        if calendar is None:
            return max(0, end_ns - begin_ns)
        return max(0, calendar.traded_ns(end_ns) - calendar.traded_ns(begin_ns))
