"""How long a desk ran, and how long of that it was free to enter: RUNNING, and no block standing."""

from collections.abc import Iterable

from engine.core.events import SessionPhase
from engine.core.facts import AnyFact, BlockChanged, PhaseChanged


class Freedom:
    """Fed with facts in the order of time; what comes behind the end of the span counts no more.

    Args:
        begin_ns: Where the span begins.
        end_ns: Where it ends at the latest.
        ran: Whether the desk was RUNNING then.
        blocks: What kept it from entering then.
    """

    def __init__(self, begin_ns: int, end_ns: int, ran: bool, blocks: Iterable[str]) -> None:
        self._end_ns = end_ns
        self._ran = ran
        self._blocks = set(blocks)
        self._at_ns = self._last_ns = begin_ns
        self.ran_ns = self.free_ns = 0
        self.starts = 0

    @property
    def blocks(self) -> tuple[str, ...]:
        """What stands now, by name."""
        return tuple(sorted(self._blocks))

    def take(self, fact: AnyFact) -> None:
        """One fact."""
        if fact.at_ns > self._end_ns:
            return
        match fact:
            case BlockChanged():
                self._count(fact.at_ns)
                if fact.active:
                    self._blocks.add(fact.reason.value)
                else:
                    self._blocks.discard(fact.reason.value)
            case PhaseChanged():
                self._count(fact.at_ns)
                runs = fact.phase == SessionPhase.RUNNING
                self.starts += runs
                self._ran = runs
        self._last_ns = max(self._last_ns, fact.at_ns)

    def new_run(self) -> None:
        """Another run's facts follow: one that did not say that it ended broke off with its last fact."""
        self._count(self._last_ns)
        self._ran = False

    def end(self, at_ns: int) -> None:
        """The span is over, whatever was still going on."""
        self._count(at_ns)

    def _count(self, at_ns: int) -> None:
        at_ns = min(at_ns, self._end_ns)
        lasted_ns = max(0, at_ns - self._at_ns)
        if self._ran:
            self.ran_ns += lasted_ns
            if not self._blocks:
                self.free_ns += lasted_ns
        self._at_ns = max(self._at_ns, at_ns)
