"""What the shell adds to the core's own figures in a view."""

from concurrent.futures import Future
from pathlib import Path

from engine.core.config import HOUR, SECOND
from engine.core.events import FeedHealth, PhaseEntered, RunStarted, SessionPhase
from engine.core.facts import SignalEnded
from engine.core.strategy import Proposal
from engine.core.words import ReasonCode, Side
from engine.session.clock import ScaledClock
from engine.session.emergency import Emergency
from engine.session.ports import Batch, Committed
from engine.session.runner import Runner
from engine.session.shell import Shell
from engine.session.viewing import RunFacts
from tests.rig import START_NS, SYMBOL, Rig, d

RUN = RunFacts("paper", "run1", "sim", "paper", "generated", "scaled", 1, 1, 600 * SECOND)


class NoJournal:
    """Never asked in these tests."""

    def commit(self, batch: Batch) -> Future[Committed]:
        raise NotImplementedError

    def latch(self, latched: bool, text: str) -> Future[None]:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


def unused(folder: Path) -> Emergency:
    return Emergency(folder / "emergency.jsonl", folder / "ballast")


async def test_the_time_a_run_has_lasted_is_told_on_the_sessions_own_clock(tmp_path: Path) -> None:
    clock = ScaledClock(START_NS, 60)
    runner = Runner(Rig().engine, NoJournal(), "run1", 1, clock.now_ns)
    shell = Shell(runner, RUN, clock, lambda _: None, lambda _: None, unused(tmp_path), 0, "")
    assert shell.build_view().elapsed_ns == 0
    shell.running_mono_ns = clock.mono_ns() - 2 * SECOND
    assert 120 * SECOND <= shell.build_view().elapsed_ns < 300 * SECOND


async def test_a_price_from_an_earlier_run_is_shown_as_stale_and_not_traded_on(tmp_path: Path) -> None:
    rig = Rig()
    rig.quote("100", "100.2")
    rig.now_ns += HOUR
    rig.send(RunStarted(rig.now_ns, "run2", rig.config))
    rig.seed()
    rig.send(PhaseEntered(rig.now_ns, SessionPhase.SEEDING_HISTORY, SessionPhase.RUNNING))
    clock = ScaledClock(rig.now_ns, 60)
    runner = Runner(rig.engine, NoJournal(), "run2", 1, clock.now_ns)
    shell = Shell(runner, RUN, clock, lambda _: None, lambda _: None, unused(tmp_path), 0, "")
    (feed,) = shell.build_view().feeds
    assert (feed.health, feed.last, feed.bid) == (FeedHealth.STALE, d("100.1"), 0)
    assert rig.engine.state.at_ns - feed.last_ns >= HOUR

    rig.engine.trading.entries.propose("scripted", Proposal(SYMBOL, Side.LONG, 0, d(99), d(103), "because"))
    (ended,) = [fact for fact in rig.engine.desk.out if isinstance(fact, SignalEnded)]
    assert ended.reason_code is ReasonCode.STALE_DATA

    rig.quote("101", "101.2")
    (feed,) = shell.build_view().feeds
    assert (feed.health, feed.last) == (FeedHealth.LIVE, d("101.1"))
