"""Where the simulated venue's market comes from: a generator or recorded files, behind one small protocol."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from engine.core.bars import BarBuilder
from engine.core.config import MINUTE, SECOND, Instrument
from engine.core.events import Bar, FeedEvent, FundingRate


class MarketSource(Protocol):
    """A market as a function of venue time. Every event is stamped in venue time; `venue_ns` equals `at_ns`."""

    @property
    def name(self) -> str:
        """What a report calls it: "generated" or "recorded"."""

    @property
    def fingerprint(self) -> str:
        """sha256 (hex) of all the data depends on: seed and parameters, or the contents of the files."""

    @property
    def start_ns(self) -> int:
        """The earliest time `events` can be asked for with the promised history before it."""

    @property
    def end_ns(self) -> int:
        """The time of the last event; 0 for a market without an end."""

    @property
    def instruments(self) -> Sequence[Instrument]: ...

    @property
    def synthetic_book(self) -> frozenset[str]:
        """Symbols whose quotes were made up around recorded prices; nobody ever showed those sizes."""

    def history(self, symbol: str, span_ns: int, end_ns: int, count: int) -> list[Bar]:
        """The newest `count` closed bars that end at or before `end_ns`, oldest first, `backfilled` set.

        `span_ns` is a multiple of a minute. Spans in which nothing happened are missing, as on a venue. Raises
        KeyError for a symbol that is not listed.
        """

    def events(self, from_ns: int, step_ns: int = SECOND) -> Iterator[list[FeedEvent]]:
        """All that happens at or after `from_ns`, in non-decreasing time, made lazily in chunks of about `step_ns`.

        A bar that closes exactly at `from_ns` belongs to `history`: history up to a time and events from it hold
        every bar once.
        """

    def funding(self, symbol: str, at_ns: int) -> FundingRate | None:
        """The rate next to be settled after `at_ns`, as known then; None where there is none."""


def longer_bars(minutes: Iterable[Bar], symbol: str, span_ns: int, end_ns: int) -> list[Bar]:
    """Bars of `span_ns` (a multiple of a minute) from minute bars, oldest first; those that end by `end_ns`."""
    if span_ns <= 0 or span_ns % MINUTE:
        raise ValueError(f"a bar's span is a multiple of a minute, not {span_ns} ns")
    builder = BarBuilder(symbol, span_ns)
    closed = [bar for minute in minutes if (bar := builder.add_bar(minute)) is not None]
    last = builder.flush(end_ns, backfilled=True)
    if last is not None:
        closed.append(last)
    return [backfilled(bar) for bar in closed if bar.start_ns + span_ns <= end_ns]


def backfilled(bar: Bar) -> Bar:
    """The bar as history serves it: stamped at its own end."""
    end_ns = bar.start_ns + bar.span_ns
    return Bar(bar.symbol, end_ns, bar.start_ns, bar.span_ns, bar.open, bar.high, bar.low, bar.close, bar.volume, True)
