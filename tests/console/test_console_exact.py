"""What is sent is what changed: an emulated screen that gets only the differences shows every page whole."""

from typing import Any

import msgspec
import pyte
import pytest
from rich.color import ColorSystem
from rich.style import Style
from textual.drivers import headless_driver

from console.app import Bridge, ConsoleApp
from console.board import plain
from console.exact import Pen
from console.page import desk_page
from console.text import Seen
from tests.console import sample_desk as sample
from tests.console.sample_desk import ScriptedDesk


class Recorder(headless_driver.HeadlessDriver):
    """A driver that keeps what a terminal would get."""

    sent: list[str]

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.sent = []

    @property
    def is_headless(self) -> bool:
        return False

    def write(self, data: str) -> None:
        self.sent.append(data)


WIDE = sample.changed(
    sample.BUSY,
    recent_signals=tuple(
        msgspec.structs.replace(one, text="市价单 filled", strategy_id="趋势") for one in sample.SIGNALS
    ),
)
PAGES = (
    sample.BUSY,
    sample.BLOCKED,
    WIDE,
    sample.EMPTY,
    sample.BUSY,
    sample.changed(sample.BUSY, equity=sample.BUSY.equity + 123_456_789, day_pnl=-99_999_999),
    sample.KILLED,
    sample.BUSY,
)


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (160, 48), (60, 18)])
async def test_differences_alone_make_every_page(monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]) -> None:
    monkeypatch.setattr(headless_driver, "HeadlessDriver", Recorder)
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.setenv("TERM", "xterm-256color")
    desk, now_ns = ScriptedDesk(), 10**15
    app = ConsoleApp(desk, Bridge(actor="anna"), mono_ns=lambda: now_ns, beats=False)
    screen = pyte.Screen(*size)
    stream = pyte.Stream(screen)
    async with app.run_test(size=size) as pilot:
        driver = app._driver
        assert isinstance(driver, Recorder)
        for at, view in enumerate(PAGES):
            desk.shown = sample.changed(view, at_ns=view.at_ns + at)
            now_ns += 250_000_000
            app.beat()
            await pilot.pause()
            stream.feed("".join(driver.sent))
            driver.sent.clear()
            shown = "\n".join(line.rstrip() for line in screen.display)
            assert shown == plain(desk_page(Seen(desk.shown), *size))
            app.screen.refresh()
            await pilot.pause()
            whole = pyte.Screen(*size)
            pyte.Stream(whole).feed("".join(driver.sent))
            driver.sent.clear()
            assert screen.buffer == whole.buffer, "colours and weights too"


async def test_an_unchanged_page_sends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(headless_driver, "HeadlessDriver", Recorder)
    now_ns = 10**15
    app = ConsoleApp(ScriptedDesk(), Bridge(actor="anna"), mono_ns=lambda: now_ns, beats=False)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        driver = app._driver
        assert isinstance(driver, Recorder)
        driver.sent.clear()
        for _ in range(7):
            now_ns += 250_000_000
            app.beat()
            await pilot.pause()
        assert driver.sent == []


def test_a_pen_names_only_what_differs() -> None:
    pen = Pen(ColorSystem.TRUECOLOR)
    first = pen.turn_to(Style.parse("#ff0000 on #000000"))
    assert first == "\x1b[0;38;2;255;0;0;48;2;0;0;0m"
    assert pen.turn_to(Style.parse("#ff0000 on #000000")) == ""
    assert pen.turn_to(Style.parse("#00ff00 on #000000")) == "\x1b[38;2;0;255;0m"
    assert pen.turn_to(Style.parse("bold #00ff00 on #000000")) == "\x1b[0;1;38;2;0;255;0;48;2;0;0;0m"
    assert pen.turn_to(Style.parse("#00ff00 on #000000")) == "\x1b[0;38;2;0;255;0;48;2;0;0;0m"
    assert pen.turn_to(Style.null()) == "\x1b[0m"
