"""When the desk ran, and when it did not: the RUNNING spans of one or many runs, and the outages between them."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from engine.core.events import SessionPhase
from engine.core.facts import AnyFact, PhaseChanged
from engine.review.measure import Measure, missing, quotient

BEAT_SECONDS: Final = 1
_SECOND_NS: Final = 1_000_000_000


class Span(NamedTuple):
    """From one moment to another, UTC ns."""

    begin_ns: int
    end_ns: int

    @property
    def ns(self) -> int:
        return self.end_ns - self.begin_ns


class Running:
    """Collects the spans in which a desk was RUNNING. Tell it where a new run begins."""

    def __init__(self, since_ns: int = 0) -> None:
        self._spans: list[Span] = []
        self._since_ns = since_ns  # 0: it does not run
        self.starts = 0

    def take(self, fact: AnyFact) -> None:
        """One fact, in the order of time."""
        if isinstance(fact, PhaseChanged):
            if self._since_ns:
                self._close(fact.at_ns)
            if fact.phase == SessionPhase.RUNNING:
                self._since_ns = fact.at_ns
                self.starts += 1

    def new_run(self, last_ns: int) -> None:
        """The facts from here on are another run's: one that did not say that it ended broke off with its last fact."""
        if self._since_ns:
            self._close(last_ns)

    def spans(self, begin_ns: int, end_ns: int) -> list[Span]:
        """The spans within these moments, oldest first; one that is still open ends with `end_ns`."""
        open_one = [Span(self._since_ns, end_ns)] if self._since_ns else []
        cut = (Span(max(one.begin_ns, begin_ns), min(one.end_ns, end_ns)) for one in (*self._spans, *open_one))
        return [one for one in cut if one.ns > 0]

    def _close(self, at_ns: int) -> None:
        self._spans.append(Span(self._since_ns, at_ns))
        self._since_ns = 0


def total_ns(spans: Sequence[Span]) -> int:
    return sum(one.ns for one in spans)


def uptime(spans: Sequence[Span], begin_ns: int, end_ns: int) -> Measure:
    """The share of the time from one moment to another in which the desk ran."""
    return quotient(total_ns(spans), end_ns - begin_ns, "no time passed")


def outages(spans: Sequence[Span], begin_ns: int, end_ns: int) -> list[Span]:
    """The times in between in which it did not run, oldest first."""
    edges = [Span(begin_ns, begin_ns), *spans, Span(end_ns, end_ns)]
    return [one for one in _between(edges) if one.ns > 0]


def _between(spans: Sequence[Span]) -> Iterator[Span]:
    for before, after in pairwise(spans):
        yield Span(before.end_ns, after.begin_ns)


def heartbeat_regularity(count: int, duration_ns: int) -> Measure:
    """Heartbeats over those that were due, one a second: 1 is every one of them, never more."""
    due = duration_ns // (BEAT_SECONDS * _SECOND_NS)
    return quotient(min(count, due), due, "less than a second passed") if due else missing("less than a second passed")
