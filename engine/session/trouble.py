"""A market played at full speed, broken on purpose: data falls silent, cannot be read, jumps, or leaves a hole."""

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from engine.core.config import Instrument
from engine.core.events import Bar, DataRejected, FeedChanged, FeedEvent, FeedHealth, GapDetected, Quote
from engine.review.evidence import Injected
from engine.review.injected import Kind
from engine.session.plan import Source

FALSE_TIMES = 3


class Troubled:
    """A `Source` around another one. `started_ns` is the moment the faults are counted from."""

    def __init__(self, market: Source, faults: Sequence[Injected], started_ns: int) -> None:
        self._market = market
        self._faults = [one for one in faults if one.kind != Kind.OUTAGE]
        self._started_ns = started_ns
        self.start_ns = market.start_ns
        self.instruments: Sequence[Instrument] = market.instruments

    def history(self, symbol: str, span_ns: int, end_ns: int, count: int) -> list[Bar]:
        return self._market.history(symbol, span_ns, end_ns, count)

    def events(self, from_ns: int) -> Iterator[Sequence[FeedEvent]]:
        """The market's own events from `from_ns` on, and what becomes of them while a fault lasts."""
        waiting = [one for one in self._faults if self._started_ns + one.from_ns >= from_ns]
        lasting: list[Injected] = []
        seen_ns = from_ns - 1
        for chunk in self._market.events(from_ns):
            now_ns = chunk[-1].at_ns if chunk else seen_ns
            while waiting and self._started_ns + waiting[0].from_ns <= now_ns:
                lasting.append(waiting.pop(0))
            events: Sequence[FeedEvent] = chunk
            for fault in lasting:
                events = sorted(self._broken(events, fault, seen_ns, now_ns), key=lambda event: event.at_ns)
            yield events
            lasting = [one for one in lasting if self._started_ns + one.from_ns + one.for_ns > now_ns]
            seen_ns = now_ns

    def _broken(self, events: Sequence[FeedEvent], fault: Injected, seen_ns: int, now_ns: int) -> Iterable[FeedEvent]:
        """The events after `seen_ns` up to `now_ns` under a fault."""
        begin_ns = self._started_ns + fault.from_ns
        end_ns = begin_ns + fault.for_ns
        begins, ends = (seen_ns < edge_ns <= now_ns for edge_ns in (begin_ns, end_ns))
        during = [event for event in events if begin_ns <= event.at_ns < end_ns]
        match Kind(fault.kind):
            case Kind.SILENCE:
                yield from (event for event in events if not begin_ns <= event.at_ns < end_ns)
                if begins:
                    yield FeedChanged("", begin_ns, FeedHealth.STALE, 0, "injected")
                if ends:
                    yield FeedChanged("", end_ns, FeedHealth.LIVE, fault.for_ns, "injected")
            case Kind.GAP:
                yield from (_hole(event) if isinstance(event, Bar) and event in during else event for event in events)
            case Kind.GARBAGE:
                yield from events
                if begins:
                    yield DataRejected("", begin_ns, "no frame at all", "injected")
            case Kind.FALSE_PRICE:
                true = next((event for event in during if isinstance(event, Quote)), None)
                yield from (_false(event) if event is true else event for event in events)


def _hole(bar: Bar) -> GapDetected:
    """What a feed says of a bar that never came."""
    return GapDetected(bar.symbol, bar.at_ns, 1, bar.start_ns - bar.span_ns, bar.start_ns + bar.span_ns)


def _false(event: FeedEvent) -> FeedEvent:
    assert isinstance(event, Quote)
    return msgspec.structs.replace(event, bid=event.bid * FALSE_TIMES, ask=event.ask * FALSE_TIMES)
