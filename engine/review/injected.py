"""What a protocol breaks on purpose, and whether the desk dealt with it: a schedule as data, scored from the record.

Each fault lasts from one moment to another, counted from the protocol's start. It is dealt with if the record shows
that the desk noticed it in that time (or within the minute after) and counted no error over it.
"""

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Final

from engine.core.times import DAY, HOUR, MINUTE, SECOND, stretch
from engine.review.evidence import Evidence, Injected
from engine.review.protocol import About, Judged, State

GROUP: Final = "faults"
_LATE_NS: Final = MINUTE


class Kind(StrEnum):
    """What goes wrong."""

    SILENCE = "silence"  # no data of any symbol
    GARBAGE = "garbage"  # frames nobody can read
    FALSE_PRICE = "false_price"  # one quote at three times the price
    GAP = "gap"  # bars that never arrive
    OUTAGE = "outage"  # the desk itself is away


_NOTICED: Final = {
    Kind.SILENCE: ("ORDER_BOOK_STALE", "FEED_LIVE"),
    Kind.GARBAGE: ("DATA_REJECTED",),
    Kind.FALSE_PRICE: ("PRICE_SET_ASIDE",),
    Kind.GAP: ("GAP_DETECTED",),
}
"""The notes that show it was noticed, in this order."""


def schedule(length_ns: int) -> tuple[Injected, ...]:
    """The faults of a protocol of this length. A short one has none that it forbids; in a longer one data falls silent,
    and an outage goes over the first midnight of a market that never closes."""
    plan: list[tuple[Kind, int, int]] = [
        (Kind.GARBAGE, length_ns // 5, 10 * SECOND),
        (Kind.GAP, length_ns * 2 // 5, MINUTE),
        (Kind.FALSE_PRICE, length_ns * 3 // 5, 2 * SECOND),
    ]
    if length_ns > HOUR:
        plan.append((Kind.SILENCE, length_ns * 4 // 5, 10 * MINUTE))
    if length_ns > DAY + HOUR:
        plan.append((Kind.OUTAGE, DAY - 2 * MINUTE, 4 * MINUTE))
    return tuple(Injected(kind.value, from_ns, for_ns) for kind, from_ns, for_ns in sorted(plan, key=lambda f: f[1]))


def next_outage(faults: Sequence[Injected], elapsed_ns: int) -> Injected | None:
    """The planned pause that comes next, or is just due."""
    outages = [one for one in faults if one.kind == Kind.OUTAGE and elapsed_ns < one.from_ns + one.for_ns]
    return min(outages, key=lambda one: one.from_ns, default=None)


def judge_faults(evidence: Evidence, *, final: bool) -> tuple[Judged, ...]:
    """Each injected fault: whether it was dealt with."""
    return tuple(_judged(number, fault, evidence, final) for number, fault in enumerate(evidence.terms.faults, start=1))


def _judged(number: int, fault: Injected, evidence: Evidence, final: bool) -> Judged:
    begun_ns = evidence.started_ns + fault.from_ns
    until_ns = begun_ns + fault.for_ns + _LATE_NS
    unseen = State.NOT_OBSERVED if final else State.OPEN
    found, text = (False, "not yet") if evidence.now_ns < until_ns else _MEASURES[Kind(fault.kind)](evidence, fault)
    broken = [one for one in evidence.errors if begun_ns <= one.at_ns <= until_ns]
    state = State.FAIL if broken else State.PASS if found else unseen
    return Judged(
        id=f"fault_{number}",
        text=f"{fault.kind.replace('_', ' ')} at {stretch(fault.from_ns)} for {stretch(fault.for_ns)}",
        group=GROUP,
        about=About.RELIABILITY.value,
        state=state.value,
        measured=broken[0].text if broken else text,
        threshold="noticed, and no error",
        where="table feed_notes" if fault.kind != Kind.OUTAGE else "table runs",
    )


def _noted(evidence: Evidence, fault: Injected) -> tuple[bool, str]:
    begun_ns = evidence.started_ns + fault.from_ns
    seen = [one.text for one in evidence.notes if begun_ns <= one.at_ns <= begun_ns + fault.for_ns + _LATE_NS]
    wanted = _NOTICED[Kind(fault.kind)]
    missing = [kind for kind in wanted if kind not in seen]
    return not missing, f"no {missing[0]}" if missing else ", ".join(wanted)


def _resumed(evidence: Evidence, fault: Injected) -> tuple[bool, str]:
    begun_ns = evidence.started_ns + fault.from_ns
    again = [run for run in evidence.runs if run.running_ns >= begun_ns + fault.for_ns]
    return bool(again), f"run {again[0].run_id} went on" if again else "no run went on"


_MEASURES: Final[dict[Kind, Callable[[Evidence, Injected], tuple[bool, str]]]] = {
    **dict.fromkeys(_NOTICED, _noted),
    Kind.OUTAGE: _resumed,
}
