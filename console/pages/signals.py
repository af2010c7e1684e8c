"""Every signal with how it ended; opened, the verdict of every rule on it."""

from collections.abc import Sequence

import msgspec

from console.pages.listing import Detail, Listing
from console.pages.story import story
from console.table import Column
from console.text import Span, Tone, moment, price
from engine.core.words import TerminalState
from store.queries import Queries
from store.records import SignalRecord


class SignalsPage(Listing[SignalRecord]):
    name = "Signals"
    says = "Every signal, how it ended and why; Enter shows what each rule said of it."
    noun = "signals"

    async def fetch(self, queries: Queries, limit: int, before: int) -> list[SignalRecord]:
        return await queries.signals(limit, before, self.wanted)

    async def describe(self, queries: Queries, row: SignalRecord) -> Detail | None:
        return await story(queries, row.signal_id)

    def as_of(self, row: SignalRecord, then_ns: int) -> SignalRecord:
        if row.ended_ns is None or row.ended_ns <= then_ns:
            return row
        return msgspec.structs.replace(row, state=None, reason_code=None, outcome=None, ended_ns=None)

    def columns(self, width: int) -> Sequence[Column[SignalRecord]]:
        return _COLUMNS


def _state(signal: SignalRecord) -> Span:
    if signal.state is None:
        return Span("~ in flight", Tone.WARN)
    if signal.state == TerminalState.EXECUTED:
        return Span("ok EXECUTED", Tone.GOOD)
    return Span(f"x {signal.state.removeprefix('REJECTED_BY_')}", Tone.WARN)


def short_id(any_id: str) -> Span:
    """The end of an id, after the name of its run: what `nightdesk explain` takes."""
    return Span("-".join(any_id.split("-")[2:]) or any_id, Tone.DIM)


_COLUMNS = (
    Column[SignalRecord]("Time", 14, lambda s: Span(moment(s.raised_ns), Tone.DIM), 2),
    Column[SignalRecord]("Symbol", 9, lambda s: Span(s.symbol, Tone.STRONG), 0),
    Column[SignalRecord]("Side", 5, lambda s: Span(s.side), 4),
    Column[SignalRecord]("Ended", 17, _state, 1),
    Column[SignalRecord]("Reason", 20, lambda s: Span(s.reason_code or ""), 3),
    Column[SignalRecord]("Id", 9, lambda s: short_id(s.signal_id), 7),
    Column[SignalRecord]("Strategy", 12, lambda s: Span(s.strategy_id, Tone.DIM), 8),
    Column[SignalRecord]("Entry", 10, lambda s: Span(price(s.entry)), 9, right=True),
    Column[SignalRecord]("Phase", 10, lambda s: Span(s.phase, Tone.DIM), 10),
    Column[SignalRecord]("Why", 16, lambda s: Span(s.outcome or s.text), 6, grows=True),
)
