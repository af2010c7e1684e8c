"""Faults on purpose: dealt with where the record shows it, open before their time, failed by an error."""

from typing import Any

import msgspec
import pytest

from engine.core.times import DAY, HOUR, MINUTE
from engine.review.evidence import Evidence, Happening, Injected
from engine.review.injected import Kind, judge_faults, next_outage
from engine.review.protocol import verdict
from engine.review.protocols import PROTOCOLS
from tests.review.proving import T0, good, run_seen, terms

AT_NS = 10 * HOUR
NOTICED = {
    Kind.SILENCE: ("ORDER_BOOK_STALE", "FEED_LIVE"),
    Kind.GARBAGE: ("DATA_REJECTED",),
    Kind.FALSE_PRICE: ("PRICE_SET_ASIDE",),
    Kind.GAP: ("GAP_DETECTED",),
}


def evidence(kind: Kind, *notes: str, at_ns: int = AT_NS, **changes: Any) -> Evidence:
    fixed = terms("72h", faults=(Injected(kind, AT_NS, MINUTE),))
    seen = tuple(Happening(9, T0 + at_ns, note) for note in notes)
    return good("72h", terms=fixed, notes=seen, **changes)


def state(of: Evidence, *, final: bool = True) -> str:
    (judged,) = judge_faults(of, final=final)
    return judged.state


@pytest.mark.parametrize("kind", NOTICED)
def test_a_fault_that_was_noticed_in_its_time_is_dealt_with(kind: Kind) -> None:
    assert state(evidence(kind, *NOTICED[kind])) == "PASS"
    assert state(evidence(kind, *NOTICED[kind], at_ns=AT_NS + 2 * MINUTE)) == "PASS"
    assert state(evidence(kind, *NOTICED[kind][:-1])) == "NOT_OBSERVED"
    assert state(evidence(kind, *NOTICED[kind], at_ns=AT_NS - 1)) == "NOT_OBSERVED"
    assert state(evidence(kind, *NOTICED[kind], at_ns=AT_NS + 2 * MINUTE + 1)) == "NOT_OBSERVED"


def test_an_error_over_a_fault_fails_it_by_its_text() -> None:
    broken = evidence(Kind.GAP, "GAP_DETECTED", errors=(Happening(3, T0 + AT_NS + 1, "feed: it broke"),))
    (judged,) = judge_faults(broken, final=False)
    assert (judged.state, judged.measured) == ("FAIL", "feed: it broke")


def test_a_fault_to_come_is_open() -> None:
    soon = evidence(Kind.GAP, runs=(run_seen("72h", last_ns=T0 + AT_NS),))
    assert state(soon, final=False) == "OPEN" and state(soon) == "NOT_OBSERVED"


def test_an_outage_is_dealt_with_by_the_run_after_it() -> None:
    away = evidence(Kind.OUTAGE)
    assert state(away) == "NOT_OBSERVED"
    first = msgspec.structs.replace(run_seen("72h"), last_ns=T0 + AT_NS)
    again = msgspec.structs.replace(run_seen("72h"), run_id="2", running_ns=T0 + AT_NS + MINUTE)
    assert state(evidence(Kind.OUTAGE, runs=(first, again))) == "PASS"


def test_a_fault_that_was_not_dealt_with_fails_the_protocol_by_its_name() -> None:
    spoilt = evidence(Kind.GAP)
    told = verdict(PROTOCOLS["72h"], spoilt, judge_faults(spoilt, final=True))
    assert told.failed == ("fault_1",) and told.reliability == "FAIL" and told.score == "15/16"


@pytest.mark.parametrize(("elapsed", "found"), [(0, True), (DAY + MINUTE - 1, True), (DAY + MINUTE, False)])
def test_the_next_outage_is_the_one_that_is_not_over(elapsed: int, found: bool) -> None:
    outage = Injected(Kind.OUTAGE, DAY, MINUTE)
    gap = Injected(Kind.GAP, HOUR, MINUTE)
    assert next_outage((gap, outage), elapsed) == (outage if found else None)
