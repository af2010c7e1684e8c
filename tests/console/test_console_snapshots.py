"""How the page looks in the states that matter. After a change that is meant: `pytest --snapshot-update`, and look."""

from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from console.app import Bridge, ConsoleApp
from console.seat import Seat
from engine.core.view import DeskView
from tests.console import sample_desk as sample
from tests.console.sample_desk import ScriptedDesk
from tests.console.small_books import make, make_files
from tests.console.test_page_validation import UNDER_WAY

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


@pytest.mark.parametrize(
    ("key", "size"),
    [("2", (80, 24)), ("5", (120, 40)), ("7", (120, 40)), ("8", (80, 24))],
    ids=["signals", "performance", "validation", "log"],
)
def test_a_page(snap_compare: Any, tmp_path: Path, key: str, size: tuple[int, int]) -> None:
    store = make(tmp_path)
    store.close()
    desk = ScriptedDesk(sample.changed(sample.BUSY, protocol=UNDER_WAY))
    bridge = Bridge(actor="anna", books=store.path, files=make_files(tmp_path))
    console = ConsoleApp(desk, bridge, mono_ns=lambda: NOW_NS, beats=False)

    async def turn(pilot: Pilot[None]) -> None:
        await pilot.press(key)
        for _ in range(3):
            console.beat()
            if console._reading is not None:
                await console._reading
        console.draw()
        await pilot.pause()

    assert snap_compare(console, terminal_size=size, run_before=turn)
