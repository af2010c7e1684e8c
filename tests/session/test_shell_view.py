"""What the shell adds to the core's own figures in a view."""

import asyncio
from concurrent.futures import Future
from pathlib import Path

from engine.core.config import HOUR, SECOND
from engine.core.events import DataRejected, FeedHealth, PhaseEntered, Quote, RunStarted, SessionPhase
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


class Noted:
    """A journal that takes everything at once."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []

    def commit(self, batch: Batch) -> Future[Committed]:
        self.batches.append(batch)
        done: Future[Committed] = Future()
        done.set_result(Committed(len(self.batches), "", 0))
        return done


def running(folder: Path, journal: Noted) -> tuple[Rig, Shell]:
    rig = Rig()
    clock = ScaledClock(rig.now_ns, 1)
    runner = Runner(rig.engine, journal, "run1", 1, clock.now_ns)
    return rig, Shell(runner, RUN, clock, lambda _: None, lambda _: Future(), lambda *_: None, unused(folder), 0, "")


def waits(shell: Shell) -> float:
    """How long the open batch may stay open."""
    assert shell._flush is not None
    return shell._flush.when() - asyncio.get_running_loop().time()


async def test_prices_alone_are_shown_at_once_and_written_five_seconds_later(tmp_path: Path) -> None:
    journal = Noted()
    rig, shell = running(tmp_path, journal)
    for n in range(3):
        shell.inbox.put([Quote(SYMBOL, rig.now_ns + n, rig.now_ns, d(100) + n, d(101), d(1), d(1))])
        shell.step()
    assert not shell.runner.has_facts and not journal.batches
    assert 4.5 < waits(shell) <= 5
    view = shell.view()
    assert view is not None and view.feeds[0].bid == d(100)
    await shell.show()  # as every beat does, once a second
    view = shell.view()
    assert view is not None and view.feeds[0].bid == d(100) + 2 and not journal.batches
    shell.close_batch()
    assert [len(batch.inputs) for batch in journal.batches] == [3]


async def test_what_was_decided_is_written_within_a_quarter_of_a_second_and_shown_only_then(tmp_path: Path) -> None:
    journal = Noted()
    rig, shell = running(tmp_path, journal)
    shell.inbox.put([Quote(SYMBOL, rig.now_ns, rig.now_ns, d(100), d(101), d(1), d(1))])
    shell.step()
    before = shell.view()
    shell._viewed_ns = 0
    rejected = DataRejected(SYMBOL, rig.now_ns, "quote", "bad figures", 1)
    shell.inbox.put([rejected, Quote(SYMBOL, rig.now_ns + 9, rig.now_ns, d(90), d(91), d(1), d(1))])
    shell.step()
    assert shell.runner.has_facts
    assert waits(shell) <= 0.25
    shell.publish()
    assert shell.view() is before
    shell.close_batch()
    await shell.durable()
    shown = shell.view()
    assert shown is not None and shown.feeds[0].bid == d(90)


def unused(folder: Path) -> Emergency:
    return Emergency(folder / "emergency.jsonl", folder / "ballast")


async def test_the_time_a_run_has_lasted_is_told_on_the_sessions_own_clock(tmp_path: Path) -> None:
    clock = ScaledClock(START_NS, 60)
    runner = Runner(Rig().engine, NoJournal(), "run1", 1, clock.now_ns)
    shell = Shell(runner, RUN, clock, lambda _: None, lambda _: Future(), lambda *_: None, unused(tmp_path), 0, "")
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
    shell = Shell(runner, RUN, clock, lambda _: None, lambda _: Future(), lambda *_: None, unused(tmp_path), 0, "")
    (feed,) = shell.build_view().feeds
    assert (feed.health, feed.last, feed.bid) == (FeedHealth.STALE, d("100.1"), 0)
    assert rig.engine.state.at_ns - feed.last_ns >= HOUR

    rig.engine.trading.entries.propose("scripted", Proposal(SYMBOL, Side.LONG, 0, d(99), d(103), "because"))
    (ended,) = [fact for fact in rig.engine.desk.out if isinstance(fact, SignalEnded)]
    assert ended.reason_code is ReasonCode.STALE_DATA

    rig.quote("101", "101.2")
    (feed,) = shell.build_view().feeds
    assert (feed.health, feed.last) == (FeedHealth.LIVE, d("101.1"))
