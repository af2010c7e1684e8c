"""The console on a real pty: what comes out is what was meant, and no state of the terminal holds the process up."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psutil
import pyte
import pytest

from console.board import plain
from console.page import desk_page
from console.terminal import PENDING_MAX, Outlet
from console.text import Seen
from engine.session.home import Home
from tests.console import sample_desk as sample
from tests.steady import PATIENCE

ROOT = Path(__file__).parent.parent.parent
UNKNOWN_TO_PYTE = re.compile(rb"\x1b\[\?\d+\$p|\x1b\[[<>][0-9]*u")
ANSWERABLE = re.compile(r"closes by itself in (\d|1[0-4]) s")  # a key within its first moment is thrown away


class Terminal:
    """A terminal of a given size with the console in it, and the screen an operator would see."""

    def __init__(
        self, told: Path, *, mode: str = "plain", width: int = 80, height: int = 24, words: Sequence[str] = ()
    ) -> None:
        """`words`: the command line in place of a console on a scripted desk."""
        self.told_at = told
        self.master, slave = pty.openpty()
        self.resize(width, height)
        self.screen = pyte.Screen(width, height)
        self.stream = pyte.ByteStream(self.screen)
        self.raw = b""
        environ = os.environ | {"TERM": "xterm-256color", "COLORTERM": "truecolor", "PYTHONPATH": str(ROOT)}
        environ |= {"COLUMNS": "80", "LINES": "24"}  # as a shell may export them; the terminal itself decides
        environ.pop("NO_COLOR", None)
        self.process = subprocess.Popen(
            [sys.executable, "-m", *(words or ("tests.console.pty_child", mode, str(told)))],
            stdin=slave,
            stdout=slave,
            stderr=subprocess.DEVNULL,
            env=environ,
            cwd=ROOT,
            start_new_session=True,
        )
        os.close(slave)

    def resize(self, width: int, height: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def press(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def read(self, seconds: float = 0.05) -> None:
        """Show what comes out within a moment."""
        if self.master < 0:
            time.sleep(seconds)
            return
        if not select.select([self.master], [], [], seconds)[0]:
            return
        try:
            data = os.read(self.master, 65_536)
        except OSError:
            return
        self.raw += data
        self.stream.feed(UNKNOWN_TO_PYTE.sub(b"", data))

    @property
    def shown(self) -> str:
        return "\n".join(line.rstrip() for line in self.screen.display)

    def until(self, true: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not true():
            assert time.monotonic() < deadline, f"waited in vain; the screen:\n{self.shown}"
            self.read()

    def until_shown(self, text: str) -> None:
        self.until(lambda: text in self.shown)

    def until_sent(self, *codes: bytes) -> None:
        self.until(lambda: all(code in self.raw for code in codes))

    def until_gone(self) -> str:
        """Wait for the process to end; what it told. Reads on, unless the terminal is closed."""
        self.until(lambda: self.process.poll() is not None)
        return self.told_at.read_text()

    def close(self) -> None:
        if self.master >= 0:
            os.close(self.master)
            self.master = -1


@pytest.fixture
def open_terminal(tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def start(mode: str = "plain", width: int = 80, height: int = 24, words: Sequence[str] = ()) -> Terminal:
        told = tmp_path / f"told{len(opened)}"
        opened.append(Terminal(told, mode=mode, width=width, height=height, words=words))
        return opened[-1]

    yield start
    for one in opened:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()
        one.close()


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40)])
def test_the_terminal_shows_exactly_the_page(open_terminal: Callable[..., Terminal], width: int, height: int) -> None:
    terminal = open_terminal(width=width, height=height)
    page = plain(desk_page(Seen(sample.BUSY), width, height))
    terminal.until(lambda: terminal.shown == page)
    terminal.press("p")
    terminal.until_shown("ok pause in force in 0.4 ms")
    terminal.until_shown("x HALTED")
    rest = plain(desk_page(Seen(sample.changed(sample.BLOCKED, at_ns=sample.NOW + 1)), width, height)).splitlines()[:4]
    terminal.until(lambda: terminal.shown.splitlines()[:4] == rest)


def test_an_operator_ends_the_session_and_gets_the_terminal_back(open_terminal: Callable[..., Terminal]) -> None:
    """FP-20."""
    terminal = open_terminal()
    terminal.until_shown("ok RUNNING")
    terminal.press("q")
    terminal.until(lambda: ANSWERABLE.search(terminal.shown))
    terminal.press("y")
    assert terminal.until_gone() == "ended operator"
    terminal.until_sent(b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?2004l", b"\x1b[?1004l")


def test_a_resized_terminal_is_filled_anew(open_terminal: Callable[..., Terminal]) -> None:
    terminal = open_terminal()
    terminal.until_shown("ok RUNNING")
    terminal.screen.resize(40, 120)
    terminal.resize(120, 40)
    terminal.process.send_signal(signal.SIGWINCH)
    page = plain(desk_page(Seen(sample.BUSY), 120, 40)).splitlines()
    terminal.until(lambda: terminal.shown.splitlines()[4:] == page[4:])


@pytest.mark.parametrize("mode", ["plain", "deaf"])
def test_a_closed_terminal_is_noticed_and_the_process_ends(open_terminal: Callable[..., Terminal], mode: str) -> None:
    terminal = open_terminal(mode)
    terminal.until_shown("ok RUNNING")
    terminal.close()
    assert terminal.until_gone() == "hung_up hook"


def test_a_signal_ends_the_console_in_order(open_terminal: Callable[..., Terminal]) -> None:
    terminal = open_terminal()
    terminal.until_shown("ok RUNNING")
    terminal.process.terminate()
    assert terminal.until_gone() == "terminated SIGTERM"
    terminal.until_sent(b"\x1b[?1049l")


def test_sigtstp_does_not_stop_the_process(open_terminal: Callable[..., Terminal]) -> None:
    terminal = open_terminal()
    terminal.until_shown("ok RUNNING")
    terminal.process.send_signal(signal.SIGTSTP)
    terminal.press("p")
    terminal.until_shown("ok pause in force")
    assert psutil.Process(terminal.process.pid).status() != psutil.STATUS_STOPPED


def test_an_outlet_never_blocks_and_says_when_output_was_lost() -> None:
    """FP-25."""
    reader, writer = os.pipe()
    outlet = Outlet(writer)
    outlet.start()
    try:
        for _ in range(40):
            outlet.write("x" * (PENDING_MAX // 16))
        assert outlet.waits()
        assert not outlet.take_lost()
        deadline = time.monotonic() + PATIENCE
        while not outlet.take_lost():
            assert time.monotonic() < deadline
            if select.select([reader], [], [], 0.05)[0]:
                os.read(reader, 1 << 20)
        assert not outlet.waits()
        outlet.write("and on")
        seen = b""
        while b"and on" not in seen:
            assert time.monotonic() < deadline
            seen += os.read(reader, 1 << 20)
    finally:
        outlet.end(PATIENCE)
        os.close(writer)
        os.close(reader)
    assert not outlet.is_alive()


def test_an_outlet_whose_reader_is_gone_gives_up_quietly() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    outlet = Outlet(writer)
    outlet.start()
    outlet.write("anyone?")
    outlet.join(PATIENCE)
    assert outlet.gone
    assert not outlet.waits()
    outlet.write("no")
    os.close(writer)


def test_an_outlet_that_is_not_read_ends_in_bounded_time() -> None:
    reader, writer = os.pipe()
    outlet = Outlet(writer)
    outlet.start()
    outlet.write("x" * 400_000)
    began = time.monotonic()
    outlet.end(0.2)
    assert time.monotonic() - began < PATIENCE  # though nobody reads
    os.close(reader)
    outlet.join(PATIENCE)
    os.close(writer)


def test_a_recorded_run_opens_on_a_terminal_and_is_left_as_it_was(
    open_terminal: Callable[..., Terminal], home: Home, a_run: str
) -> None:
    words = ("console", "--home", str(home.root), "replay", "20261121-070822", "--from", "2026-11-21T08:00:00Z")
    terminal = open_terminal(words=words)
    terminal.until_shown("REPLAY  of paper")
    terminal.until_shown("PAUSED 1x")
    terminal.until_shown("08:00:00Z")
    terminal.press("K")
    terminal.until_shown("nothing can be commanded")
    terminal.press("g")
    terminal.until_shown("Go to")
    terminal.press("ena\x7fd\r")
    terminal.until_shown("event 181 of 181")
    terminal.press("q")
    terminal.until(lambda: terminal.process.poll() is not None)
    assert terminal.process.returncode == 0
    terminal.until_sent(b"\x1b[?1049l", b"\x1b[?25h")
