"""A validation protocol: criteria fixed beforehand, a pure judgement of the evidence, and two verdicts kept apart.

Reliability is the desk's, economics the strategy's: neither stands in for the other. A criterion passes, fails, or was
not observed; in the end only a pass passes. Where a protocol has a rubric, it says how many points may be missing and
which ones.
"""

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any, Final, NamedTuple

import msgspec

from engine.review.evidence import Evidence, Terms, Thresholds

SCHEMA: Final = 1
"""Version of the verdict's shape; raised when a key changes its meaning."""


class About(StrEnum):
    """Which verdict a criterion belongs to."""

    RELIABILITY = "reliability"
    ECONOMICS = "economics"


class State(StrEnum):
    PASS = "PASS"
    FAIL = "FAIL"
    OPEN = "OPEN"  # cannot be told yet
    NOT_OBSERVED = "NOT_OBSERVED"  # the end has come and it was never seen


class Measured(NamedTuple):
    """What one criterion found: None where it was not seen. `where` leads to it in the database."""

    passed: bool | None
    value: str
    where: str = ""


class Criterion(NamedTuple):
    """One thing that must be so. `limit` is the threshold in words, `measure` finds the value beside it.

    Attributes:
        group: Which list of the protocol it stands in: success, failure, rubric, or all.
        decides: False: it is told, and the protocol may pass without it.
        may_miss: The rubric may pass although this point is missing.
    """

    id: str
    text: str
    group: str
    about: About
    limit: Callable[[Thresholds], str]
    measure: Callable[[Evidence], Measured]
    decides: bool = True
    may_miss: bool = False


class Protocol(NamedTuple):
    """A protocol as data. `days`: it counts scheduled trading days, from the first to the second number of them."""

    name: str
    length_ns: int
    criteria: tuple[Criterion, ...]
    days: tuple[int, int] | None = None
    resumes: bool = True


class Judged(msgspec.Struct, frozen=True):
    """One criterion with what was found, as verdicts, reports and the console show it."""

    id: str
    text: str
    group: str
    about: str
    state: str
    measured: str
    threshold: str
    where: str = ""
    decides: bool = True


class Verdict(msgspec.Struct, frozen=True):
    """The end of a protocol.

    Attributes:
        passed: Both verdicts hold; never for a part of the criteria.
        reliability, economics: PASS or FAIL each; `economics` is NOT_JUDGED where no criterion is about it.
        failed: The ids of those that kept it from passing.
        exit: What follows: for an audit sound, issues or unstable, else the same of passing.
        digest: Hash of the terms.
        real: Fit to unlock live trading: real time, a real market, nobody acted.
    """

    schema: int
    protocol_id: str
    protocol: str
    env: str
    passed: bool
    reliability: str
    economics: str
    failed: tuple[str, ...]
    exit: str
    digest: str
    rehearsal: tuple[str, ...]
    real: bool
    elapsed_seconds: float
    days: int
    outages: int
    score: str
    criteria: tuple[Judged, ...]
    fingerprints: dict[str, str]
    first_row: int
    last_row: int


class Exit(StrEnum):
    """What a verdict leads to."""

    SOUND = "operationally sound: extended paper trading or the next stage of capital"
    ISSUES = "operational issues: fix them and run it again from the first day"
    UNSTABLE = "unstable: progression is halted"
    PASSED = "passed"
    FAILED = "failed: run it again once the cause is gone"


UNSTABLE_BY: Final = frozenset({"no_open_mismatch", "breakers_respected"})
"""What makes an audit's failure more than an issue, as a crash does."""


def judge(protocol: Protocol, evidence: Evidence, *, final: bool) -> tuple[Judged, ...]:
    """Every criterion on the evidence so far; with `final` what was not seen is no longer open."""
    return tuple(_judged(criterion, evidence, final) for criterion in protocol.criteria)


def verdict(protocol: Protocol, evidence: Evidence, extra: Sequence[Judged] = ()) -> Verdict:
    """The end of the protocol on all its evidence; `extra` must have passed beside its own criteria."""
    own = judge(protocol, evidence, final=True)
    failed = (*_failed(protocol, own), *(one.id for one in extra if one.state != State.PASS))
    judged = (*own, *extra)
    terms = evidence.terms
    by_about = {about: _side(judged, failed, about) for about in About}
    autonomous = not evidence.acts and all(run.report and run.report.get("autonomous") for run in evidence.runs)
    return Verdict(
        schema=SCHEMA,
        protocol_id=terms.protocol_id,
        protocol=protocol.name,
        env=terms.env,
        passed=not failed,
        reliability=by_about[About.RELIABILITY],
        economics=by_about[About.ECONOMICS],
        failed=failed,
        exit=_exit(protocol, failed, any(run.report is None for run in evidence.runs)).value,
        digest=terms.digest,
        rehearsal=terms.rehearsal,
        real=not terms.rehearsal and autonomous,
        elapsed_seconds=round(evidence.elapsed_ns / 1e9, 3),
        days=len(evidence.days),
        outages=len(evidence.outages_ns),
        score=_score(judged),
        criteria=judged,
        fingerprints=msgspec.structs.asdict(terms.fingerprints),
        first_row=evidence.first_row,
        last_row=evidence.last_row,
    )


def sentences(protocol: Protocol, thresholds: Thresholds) -> dict[str, str]:
    """Each criterion with its threshold, as it is fixed before the start."""
    return {each.id: f"{each.text}: {each.limit(thresholds)}" for each in protocol.criteria}


def told(found: Verdict) -> dict[str, Any]:
    """A verdict as plain JSON values."""
    plain: dict[str, Any] = msgspec.to_builtins(found)
    return plain


def terms_hold(evidence: Evidence, terms: Terms) -> tuple[str, ...]:
    """What is no longer as it was fixed, for a protocol that is to be continued."""
    fixed = evidence.terms
    drift = list(fixed.fingerprints.drift(terms.fingerprints))
    drift += ["faults"] if fixed.faults != terms.faults else []
    drift += ["criteria"] if fixed.criteria != terms.criteria or fixed.thresholds != terms.thresholds else []
    return (*drift, *(["speed"] if fixed.speed != terms.speed else []))


def _judged(criterion: Criterion, evidence: Evidence, final: bool) -> Judged:
    try:
        found = criterion.measure(evidence)
    except (LookupError, TypeError, ValueError, ArithmeticError) as bad:  # a report that was tampered with
        found = Measured(False, f"the record cannot be read: {bad!r}")
    unseen = State.NOT_OBSERVED if final else State.OPEN
    state = unseen if found.passed is None else State.PASS if found.passed else State.FAIL
    return Judged(
        id=criterion.id,
        text=criterion.text,
        group=criterion.group,
        about=criterion.about.value,
        state=state.value,
        measured=found.value,
        threshold=criterion.limit(evidence.terms.thresholds),
        where=found.where,
        decides=criterion.decides,
    )


def _failed(protocol: Protocol, judged: Sequence[Judged]) -> tuple[str, ...]:
    """The criteria that keep the protocol from passing: all that decide and did not pass, but one point of a rubric
    that may be missing, where it is the only one."""
    missing = [(c, j) for c, j in zip(protocol.criteria, judged, strict=True) if c.decides and j.state != State.PASS]
    points = [c for c, _ in missing if c.group == "rubric"]
    forgiven = points[0].id if len(points) == 1 and points[0].may_miss else ""
    return tuple(c.id for c, _ in missing if c.id != forgiven)


def _side(judged: Sequence[Judged], failed: Sequence[str], about: About) -> str:
    own = [one.id for one in judged if one.about == about]
    if not own:
        return "NOT_JUDGED"
    return "FAIL" if any(name in failed for name in own) else "PASS"


def _exit(protocol: Protocol, failed: Sequence[str], crashed: bool) -> Exit:
    if protocol.days is None:
        return Exit.FAILED if failed else Exit.PASSED
    if not failed:
        return Exit.SOUND
    return Exit.UNSTABLE if crashed or UNSTABLE_BY.intersection(failed) else Exit.ISSUES


def _score(judged: Sequence[Judged]) -> str:
    """The rubric's points, where there is one; else of all criteria."""
    points = [one for one in judged if one.group == "rubric"] or [one for one in judged if one.decides]
    return f"{sum(one.state == State.PASS for one in points)}/{len(points)}"
