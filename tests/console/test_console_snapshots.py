"""How the page looks in the states that matter. After a change that is meant: `pytest --snapshot-update`, and look."""

from typing import Any

import pytest
from textual.pilot import Pilot

from console.app import Bridge, ConsoleApp
from console.seat import Seat
from engine.core.view import DeskView
from tests.console import sample_desk as sample
from tests.console.sample_desk import ScriptedDesk

NOW_NS = 10**15


@pytest.fixture(autouse=True)
def known_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.delenv("NO_COLOR", raising=False)


def console_on(view: DeskView) -> ConsoleApp:
    return ConsoleApp(ScriptedDesk(view), Bridge(actor="anna"), mono_ns=lambda: NOW_NS, beats=False)


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (160, 48)], ids=["80x24", "120x40", "160x48"])
def test_a_busy_desk(snap_compare: Any, size: tuple[int, int]) -> None:
    assert snap_compare(console_on(sample.BUSY), terminal_size=size)


def test_a_blocked_desk(snap_compare: Any) -> None:
    assert snap_compare(console_on(sample.BLOCKED), terminal_size=(80, 24))


def test_a_killed_desk(snap_compare: Any) -> None:
    assert snap_compare(console_on(sample.KILLED), terminal_size=(120, 40))


def test_an_empty_desk(snap_compare: Any) -> None:
    assert snap_compare(console_on(sample.EMPTY), terminal_size=(80, 24))


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
def test_a_recorded_run(snap_compare: Any, size: tuple[int, int]) -> None:
    console = ConsoleApp(
        ScriptedDesk(sample.changed(sample.BUSY, replay=sample.REPLAY)),
        Bridge(actor="anna", seat=Seat.REPLAY),
        mono_ns=lambda: NOW_NS,
        beats=False,
    )
    assert snap_compare(console, terminal_size=size)


def test_a_live_desk(snap_compare: Any) -> None:
    assert snap_compare(console_on(sample.changed(sample.BUSY, env="live")), terminal_size=(80, 24))


def test_a_desk_without_colour(snap_compare: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert snap_compare(console_on(sample.BLOCKED), terminal_size=(80, 24))


def test_the_kill_question(snap_compare: Any) -> None:
    async def ask(pilot: Pilot[None]) -> None:
        await pilot.press("K")
        app = pilot.app
        assert isinstance(app, ConsoleApp)
        app.draw()
        await pilot.pause()

    assert snap_compare(console_on(sample.BUSY), terminal_size=(80, 24), run_before=ask)


def test_the_help(snap_compare: Any) -> None:
    async def ask(pilot: Pilot[None]) -> None:
        await pilot.press("question_mark")
        app = pilot.app
        assert isinstance(app, ConsoleApp)
        app.draw()
        await pilot.pause()

    assert snap_compare(console_on(sample.BUSY), terminal_size=(80, 24), run_before=ask)


def test_the_menu(snap_compare: Any) -> None:
    async def ask(pilot: Pilot[None]) -> None:
        await pilot.press("colon", *"the")
        await pilot.pause()

    assert snap_compare(console_on(sample.BUSY), terminal_size=(100, 30), run_before=ask)
