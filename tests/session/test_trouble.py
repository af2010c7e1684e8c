"""A market that is broken on purpose: exactly what the schedule says, when it says so, and told once."""

from collections.abc import Sequence

import pytest

from engine.core.events import Bar, DataRejected, FeedChanged, FeedEvent, GapDetected, Quote
from engine.core.times import HOUR, MINUTE, SECOND
from engine.review.evidence import Injected
from engine.review.injected import Kind, schedule
from engine.session.trouble import FALSE_TIMES, Troubled
from engine.venues.sim.ticks import Ticks
from tests.rig import START_NS


def played(*faults: Injected, minutes: int = 6, from_ns: int = START_NS) -> list[FeedEvent]:
    market = Troubled(Ticks(3, START_NS, symbols=("BTCUSDT",)), faults, START_NS)
    events: list[FeedEvent] = []
    for chunk in market.events(from_ns):
        events += chunk
        if chunk and chunk[-1].at_ns >= START_NS + minutes * MINUTE:
            break
    return events


def of(kind: type, events: Sequence[FeedEvent]) -> list[FeedEvent]:
    return [event for event in events if isinstance(event, kind)]


def test_without_a_fault_it_is_the_market_itself() -> None:
    assert played() == played(Injected(Kind.OUTAGE, MINUTE, MINUTE))
    assert len(of(Quote, played(minutes=2))) >= 120


@pytest.mark.parametrize("from_ns", [MINUTE, 90 * SECOND + 1])
def test_a_silent_feed_says_so_once_and_tells_nothing_meanwhile(from_ns: int) -> None:
    events = played(Injected(Kind.SILENCE, from_ns, 2 * MINUTE))
    begin_ns, end_ns = START_NS + from_ns, START_NS + from_ns + 2 * MINUTE
    told = [(event.at_ns, event.health.value) for event in events if isinstance(event, FeedChanged)]
    assert told == [(begin_ns, "STALE"), (end_ns, "LIVE")]
    data = [event for event in events if not isinstance(event, FeedChanged)]
    assert not [event for event in data if begin_ns <= event.at_ns < end_ns]
    assert {event.at_ns // SECOND for event in of(Quote, events)} > {begin_ns // SECOND - 1, end_ns // SECOND + 1}
    assert [event.at_ns for event in events] == sorted(event.at_ns for event in events)


def test_missing_bars_are_told_as_a_gap() -> None:
    usual = of(Bar, played())
    events = played(Injected(Kind.GAP, 2 * MINUTE, 2 * MINUTE))
    assert len(of(GapDetected, events)) == 2 and len(of(Bar, events)) == len(usual) - 2


def test_one_quote_is_false_and_one_frame_unreadable() -> None:
    events = played(Injected(Kind.FALSE_PRICE, MINUTE, 2 * SECOND), Injected(Kind.GARBAGE, 3 * MINUTE, SECOND))
    (false,) = [new for new, old in zip(of(Quote, events), of(Quote, played()), strict=True) if new != old]
    (true,) = [old for new, old in zip(of(Quote, events), of(Quote, played()), strict=True) if new != old]
    assert isinstance(false, Quote) and isinstance(true, Quote) and false.bid == FALSE_TIMES * true.bid
    assert [event.at_ns for event in of(DataRejected, events)] == [START_NS + 3 * MINUTE]


def test_what_is_past_does_not_come_again() -> None:
    fault = Injected(Kind.GARBAGE, MINUTE, SECOND)
    assert of(DataRejected, played(fault, from_ns=START_NS + 2 * MINUTE)) == []


def test_a_schedule_fits_its_protocol() -> None:
    short, long = schedule(10 * MINUTE), schedule(72 * HOUR)
    assert Kind.SILENCE not in {one.kind for one in short} and {one.kind for one in long} == set(Kind)
    for faults, length_ns in ((short, 10 * MINUTE), (long, 72 * HOUR)):
        ends = [one.from_ns + one.for_ns for one in faults]
        assert all(end < after.from_ns for end, after in zip(ends, faults[1:], strict=False)) and ends[-1] < length_ns
