"""What an operator does while the desk is only starting, or already ending, is not lost."""

import asyncio
import contextlib
import errno
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from engine.core.config import SECOND
from engine.core.events import Act, SessionPhase
from engine.core.view import CommandReceipt
from engine.session.ports import CommandRequest
from store.errors import DiskFull
from tests.simulator.disk import MoodyEmergency, MoodyJournal
from tests.simulator.loop import VirtualLoop
from tests.simulator.surroundings import surroundings
from tests.simulator.world import ORIGIN_NS, World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(1, tmp_path, VirtualLoop(), wire=True, symbols=("BTCUSDT",))


def run(world: World, course: Coroutine[Any, Any, None]) -> None:
    asyncio.set_event_loop(world.loop)
    with surroundings(world.loop, ORIGIN_NS):
        world.loop.run_until_complete(course)
    asyncio.set_event_loop(None)


def ask(world: World, act: Act) -> Future[CommandReceipt]:
    return world.desk.session.command(CommandRequest(act, "tui", "operator", "a test"))


def test_a_kill_during_a_start_that_waits_for_the_venue_is_latched_at_once(world: World) -> None:
    """FO-04."""

    async def course() -> None:
        await world.open_venue()
        world.line.up = False
        life = world.start_desk()
        await asyncio.sleep(1)
        receipt = ask(world, Act.KILL)
        await asyncio.sleep(0.01)
        assert receipt.result().accepted
        assert "next one stays killed" in receipt.result().text
        assert life.task is not None
        await life.task
        world.line.heal()
        world.start_desk()
        await asyncio.sleep(10)
        assert world.desk.state.phase is SessionPhase.RUNNING
        assert world.desk.state.killed
        world.kill_desk()

    run(world, course())


@pytest.mark.parametrize(("act", "accepted"), [(Act.PAUSE, False), (Act.KILL, True)])
def test_a_command_that_comes_when_the_core_takes_nothing_more_is_answered(
    world: World, act: Act, accepted: bool
) -> None:
    async def course() -> None:
        await world.open_venue()
        life = world.start_desk()
        await asyncio.sleep(10)
        life.session.stop("SIGTERM")
        shell = life.session._shell
        assert shell is not None
        while shell.phase is not SessionPhase.COMPLETED:  # noqa: ASYNC110 - whose moment is meant
            await asyncio.sleep(0.001)
        receipt = ask(world, act)
        assert life.task is not None
        await life.task
        assert receipt.result().accepted is accepted
        world.start_desk()
        await asyncio.sleep(10)
        assert world.desk.state.killed is accepted
        world.kill_desk()

    run(world, course())


@contextlib.contextmanager
def no_room_for_a_latch(has_file: bool) -> Iterator[None]:
    """The journal takes no latch either; without `has_file`, nor does a file of its own."""
    full = OSError(errno.ENOSPC, "No space left on device")
    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch("store.writer.JournalWriter.write_latch", side_effect=DiskFull("full")))
        if not has_file:
            stack.enter_context(mock.patch("engine.session.session.replace_file", side_effect=full))
        yield


@pytest.mark.parametrize("has_file", [True, False], ids=["latch file", "nothing at all"])
def test_a_kill_while_nothing_can_be_recorded_any_more_holds_for_the_next_start(world: World, has_file: bool) -> None:
    """FD-06: where not even the latch file can be written, the receipt says that it does not."""

    async def course() -> None:
        await world.open_venue()
        life = world.start_desk()
        journal = MoodyJournal(life.store, world.loop)
        life.store.journal = journal  # type: ignore[assignment]
        await asyncio.sleep(10)
        world.record_lines = 0
        journal.fill_up()
        shell = life.session._shell
        assert shell is not None
        while not shell.broken:  # noqa: ASYNC110 - whose moment is meant
            await asyncio.sleep(0.01)
        refused = ask(world, Act.PAUSE)
        with no_room_for_a_latch(has_file):
            killed = ask(world, Act.KILL)
            await asyncio.sleep(0.01)
        assert "the journal has failed" in refused.result().text
        assert killed.result().accepted
        assert ("the next one stays killed" in killed.result().text) is has_file
        assert ("the next one is not killed by this" in killed.result().text) is not has_file
        assert life.task is not None
        await life.task
        world.record_lines = None
        world.start_desk()
        await asyncio.sleep(10)
        assert world.desk.state.killed is has_file
        world.kill_desk()

    record = type("Record", (MoodyEmergency,), {"lines_left": lambda _: world.record_lines})
    with mock.patch("engine.session.session.Emergency", record):
        run(world, course())


@pytest.mark.parametrize(("skew_s", "starts"), [(-3_600, False), (61, False), (59, True), (-4, True)])
def test_a_machine_whose_clock_is_far_from_the_venues_starts_no_desk(world: World, skew_s: int, starts: bool) -> None:
    async def course() -> None:
        await world.open_venue()
        world.skew_ns = skew_s * 1_000_000_000
        life = world.start_desk()
        await asyncio.sleep(10)
        assert (life.state.phase is SessionPhase.RUNNING) is starts
        if not starts:
            assert "set this machine's clock" in life.session.failure
        else:
            world.kill_desk()

    run(world, course())


@pytest.mark.parametrize("stopped", [False, True])
def test_a_clock_that_was_set_back_a_little_is_waited_for(world: World, stopped: bool) -> None:
    async def course() -> None:
        await world.open_venue()
        world.skew_ns = 30 * SECOND
        ahead = world.start_desk()
        await asyncio.sleep(10)
        ahead.session.stop("SIGTERM")
        assert ahead.task is not None
        await ahead.task
        world.skew_ns = 0
        behind = world.start_desk()
        await asyncio.sleep(20)
        assert not behind.has_begun
        shell = behind.session._shell
        assert shell is not None and "the clock is behind the books" in shell.phase_text
        if stopped:
            behind.session.stop("SIGTERM")
            assert behind.task is not None
            await behind.task
            return
        await asyncio.sleep(20)
        assert behind.state.phase is SessionPhase.RUNNING
        began_ns = behind.state.at_ns
        await asyncio.sleep(2)
        assert behind.state.at_ns >= began_ns + SECOND
        world.kill_desk()

    run(world, course())
