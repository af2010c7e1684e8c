"""The recorded market: what some files hold, put together by symbol and played in order of time."""

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from hashlib import sha256
from itertools import islice
from operator import attrgetter
from pathlib import Path
from typing import Final

import msgspec

from engine.core.config import MINUTE, SECOND
from engine.core.events import Bar, FeedEvent, FundingRate
from engine.venues.sim.recorded import wire
from engine.venues.sim.recorded.files import BadData, Survey, find, survey
from engine.venues.sim.recorded.known import Known, instrument_of, known_of, known_of_wire
from engine.venues.sim.recorded.layouts import Kind, Layout, recognise
from engine.venues.sim.recorded.tracks import FUNDING_LEAD_NS, Buffered, Track, funding_rates
from engine.venues.sim.source import backfilled, longer_bars

BARS_KEPT: Final = 3_000  # of one symbol, for history; older ones are read again

_AT = attrgetter("at_ns")


class RecordedMarket:
    """A `MarketSource` of files. Reads every file once when made, then streams them. Not safe for several threads.

    Args:
        paths: Files or folders; see `find` for what a folder stands for.
        symbols: Which to play; empty: all in the files.
        warmup_bars: One-minute bars every symbol must have before `start_ns`, for `history` to serve.

    Attributes:
        start_ns: When every symbol has its bars of warm-up behind it; without warm-up the first moment of the data.
        end_ns: The time of the last row.

    Raises `BadData`: a file that cannot be read or recognised, a symbol that is not there, too little before the start.
    """

    name = "recorded"

    def __init__(self, paths: Iterable[Path | str], *, symbols: Sequence[str] = (), warmup_bars: int = 0) -> None:
        surveys = [survey(path) for path in find(Path(path) for path in paths)]
        if not surveys:
            raise BadData(Path(), 0, 0, "no recorded file was named")
        laid_out = [(found, recognise(found)) for found in surveys]
        self._captures = [found.path for found, layout in laid_out if layout.kind is Kind.WIRE]
        self._streams = wire.streams(self._captures)
        self._known = self._collect(laid_out, symbols)
        rates, self._refused = funding_rates(
            [(found.path, layout) for found, layout in laid_out if layout.kind is Kind.FUNDING], self._known
        )
        self._rates = {symbol: told for symbol, told in rates.items() if told}
        self._shelves = {symbol: _Shelf(partial(self._closed_bars, symbol)) for symbol in self._known}
        self.instruments = tuple(instrument_of(known, known.symbol in self._rates) for known in self._known.values())
        self.synthetic_book = frozenset(symbol for symbol, known in self._known.items() if known.quotes_made_up)
        self.end_ns = max(known.last_ns for known in self._known.values())
        self.start_ns = self._warm_ns(warmup_bars)
        contents = "".join(sorted(found.sha256 for found in surveys)) + " ".join(self._known)
        self.fingerprint = sha256(contents.encode()).hexdigest()

    def history(self, symbol: str, span_ns: int, end_ns: int, count: int) -> list[Bar]:
        """The newest `count` closed bars that end at or before `end_ns`, oldest first; see `MarketSource`."""
        minutes = count * max(1, span_ns // MINUTE)
        bars = self._shelves[symbol].bars(end_ns // span_ns * span_ns, minutes)
        if span_ns == MINUTE:
            return [backfilled(bar) for bar in bars]
        return longer_bars(bars, symbol, span_ns, end_ns)[-count:]

    def events(self, from_ns: int, step_ns: int = SECOND) -> Iterator[list[FeedEvent]]:
        """Everything at or after `from_ns` to the end of the files; see `MarketSource`.

        What was refused before the market's start is told at the start; a later `from_ns` leaves it out.
        """
        tracks = [Buffered(track) for track in self._tracks(from_ns)]
        refused = [*self._refused, *(event for track in tracks for event in track.skip(from_ns))]
        if refused and from_ns <= self.start_ns:
            yield [msgspec.structs.replace(event, at_ns=from_ns) for event in refused]
        while True:
            due_ns = min((at_ns for track in tracks if (at_ns := track.next_ns()) is not None), default=None)
            if due_ns is None:
                return
            chunk: list[FeedEvent] = []
            for track in tracks:
                track.take(due_ns - due_ns % step_ns + step_ns, chunk)
            chunk.sort(key=_AT)
            if due_ns <= from_ns:
                chunk = [event for event in chunk if event.at_ns != from_ns or type(event) is not Bar]
            if chunk:
                yield chunk

    def funding(self, symbol: str, at_ns: int) -> FundingRate | None:
        """The next settlement after `at_ns`; until shortly before it, its rate is taken to be the last settled one."""
        rates = self._rates.get(symbol, [])
        following = bisect_right(rates, at_ns, key=attrgetter("due_ns"))
        if following == len(rates):
            return None
        told = rates[following]
        known = told if following == 0 or at_ns >= told.due_ns - FUNDING_LEAD_NS else rates[following - 1]
        return FundingRate(symbol, at_ns, known.rate, told.due_ns)

    def _collect(self, laid_out: Sequence[tuple[Survey, Layout]], wanted: Sequence[str]) -> dict[str, Known]:
        """By symbol, in the order wanted or of names, what the files hold of it."""
        known: dict[str, Known] = known_of_wire(self._captures, self._streams) if self._captures else {}
        by_symbol: dict[str, list[tuple[Survey, Layout]]] = {}
        for found, layout in laid_out:
            if layout.kind not in (Kind.WIRE, Kind.FUNDING):
                by_symbol.setdefault(layout.symbol, []).append((found, layout))
        for symbol, files in by_symbol.items():
            if symbol in known:
                raise BadData(files[0][0].path, 0, 0, f"{symbol} is in a socket capture as well; play one of them")
            known[symbol] = known_of(symbol, files)
        absent = [symbol for symbol in wanted if symbol not in known]
        if absent or not known:
            there = ", ".join(sorted(known)) or "no market data"
            raise BadData(Path(), 0, 0, f"{', '.join(absent) or 'nothing to play'}: the files hold {there}")
        return {symbol: known[symbol] for symbol in wanted or sorted(known)}

    def _tracks(self, from_ns: int) -> Iterator[Track]:
        for rates in self._rates.values():
            yield ([rate] for rate in rates)
        for known in self._known.values():
            if known.recording is not None:
                yield from known.recording.tracks(from_ns)
        if any(known.recording is None for known in self._known.values()):
            yield self._capture()

    def _capture(self) -> Track:
        """The socket captures, without the symbols that were not asked for."""
        for events in wire.play(self._captures, self._streams):
            if kept := [event for event in events if event.symbol in self._known or not event.symbol]:
                yield kept

    def _closed_bars(self, symbol: str) -> Iterator[Bar]:
        recording = self._known[symbol].recording
        if recording is not None:
            yield from recording.bars()
            return
        for events in self._capture():
            for event in events:
                if type(event) is Bar and event.symbol == symbol:
                    yield event

    def _warm_ns(self, warmup_bars: int) -> int:
        """When the last symbol has closed its bar number `warmup_bars`; for none, when the first data begins."""
        if not warmup_bars:
            return min(known.first_ns for known in self._known.values())
        warm_ns = 0
        for known in self._known.values():
            bars = list(islice(self._closed_bars(known.symbol), warmup_bars))
            if len(bars) < warmup_bars:
                reason = f"{known.symbol} has {len(bars)} one-minute bars; {warmup_bars} are needed before the start"
                reason += " (min_history = 0 begins without, bar = 1s builds shorter ones from what there is)"
                raise BadData(known.path, 0, 0, reason)
            warm_ns = max(warm_ns, bars[-1].at_ns)
        for known in self._known.values():
            if known.last_ns <= warm_ns:
                raise BadData(known.path, 0, 0, f"{known.symbol} ends before the others have had {warmup_bars} bars")
        return warm_ns


class _Shelf:
    """Closed minute bars of one symbol, read on as they are asked for; begun anew when older ones are."""

    def __init__(self, read: Callable[[], Iterator[Bar]]) -> None:
        self._read = read
        self._bars: Iterator[Bar] = iter(())
        self._next: Bar | None = None
        self._kept: deque[Bar] = deque()
        self._dropped = False
        self._begin()

    def bars(self, end_ns: int, minutes: int) -> list[Bar]:
        """The newest `minutes` bars that end by `end_ns`, oldest first."""
        bars = self._until(end_ns)
        if len(bars) < minutes and self._dropped:
            self._begin(max(BARS_KEPT, minutes))
            bars = self._until(end_ns)
        return bars[max(0, len(bars) - minutes) :]

    def _until(self, end_ns: int) -> list[Bar]:
        """The bars kept that end by `end_ns`, once all of those have been read."""
        while self._next is not None and self._next.at_ns <= end_ns:
            self._dropped = self._dropped or len(self._kept) == self._kept.maxlen
            self._kept.append(self._next)
            self._next = next(self._bars, None)
        return list(islice(self._kept, bisect_right(self._kept, end_ns, key=_AT)))

    def _begin(self, kept: int = BARS_KEPT) -> None:
        self._bars = self._read()
        self._next = next(self._bars, None)
        self._kept = deque(maxlen=kept)
        self._dropped = False
