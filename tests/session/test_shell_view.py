"""What the shell adds to the core's own figures in a view."""

from concurrent.futures import Future

from engine.core.config import SECOND
from engine.session.clock import ScaledClock
from engine.session.ports import Batch, Committed
from engine.session.runner import Runner
from engine.session.shell import Shell
from engine.session.viewing import RunFacts
from tests.rig import START_NS, Rig

RUN = RunFacts("paper", "run1", "sim", "paper", "generated", "scaled", 1, 1, 600 * SECOND)


class NoJournal:
    """Never asked in these tests."""

    def commit(self, batch: Batch) -> Future[Committed]:
        raise NotImplementedError

    def latch(self, latched: bool, text: str) -> Future[None]:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


async def test_the_time_a_run_has_lasted_is_told_on_the_sessions_own_clock() -> None:
    clock = ScaledClock(START_NS, 60)
    runner = Runner(Rig().engine, NoJournal(), "run1", 1, clock.now_ns)
    shell = Shell(runner, RUN, clock, lambda _: None, lambda _: None, 0, "")
    assert shell.build_view().elapsed_ns == 0
    shell.running_mono_ns = clock.mono_ns() - 2 * SECOND
    assert 120 * SECOND <= shell.build_view().elapsed_ns < 300 * SECOND
