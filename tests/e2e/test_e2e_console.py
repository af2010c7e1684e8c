"""The whole program in a real terminal: what an operator sees, what his keys do, and what a lost terminal leaves."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pyte
import pytest

from engine.session.home import Home
from tests.e2e.shell import ROOT, SPREAD, ask, command, environment, status_of, until, until_gone
from tests.steady import PATIENCE

pytestmark = pytest.mark.e2e

UNKNOWN_TO_PYTE = re.compile(rb"\x1b\[\?\d+\$p|\x1b\[[<>][0-9]*u")
ANSWERABLE = re.compile(r"closes by itself in (\d|1[0-4]) s")  # a key within its first moment is thrown away
SIZES = ((80, 24), pytest.param(120, 40, marks=pytest.mark.sim), (160, 48))


class Terminal:
    """A terminal with `nightdesk run` in it, or another command, read whenever something is waited for."""

    def __init__(
        self,
        home: Path,
        width: int = 80,
        height: int = 24,
        words: Sequence[str] = ("run", *SPREAD),
        **variables: str,
    ) -> None:
        self.home = Home.at(home, "paper")
        self.master, slave = pty.openpty()
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        self.before = termios.tcgetattr(self.master)
        self.screen = pyte.Screen(width, height)
        self.stream = pyte.ByteStream(self.screen)
        self.raw = b""
        self.process = subprocess.Popen(
            command(home, *words),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environment(TERM="xterm-256color", COLORTERM="truecolor", **variables),
            cwd=ROOT,
            start_new_session=True,
        )
        os.close(slave)

    def press(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def resize(self, width: int, height: int) -> None:
        self.screen.resize(height, width)
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        self.process.send_signal(signal.SIGWINCH)  # as the kernel does for who has it as its controlling terminal

    def read(self, seconds: float = 0.02) -> None:
        if self.master < 0:
            time.sleep(seconds)
            return
        if not select.select([self.master], [], [], seconds)[0]:
            return
        try:
            data = os.read(self.master, 65_536)
        except OSError:
            return  # the other side has closed it
        self.raw += data
        self.stream.feed(UNKNOWN_TO_PYTE.sub(b"", data))

    @property
    def shown(self) -> str:
        return "\n".join(line.rstrip() for line in self.screen.display)

    def until(self, true: Callable[[], Any], seconds: float = PATIENCE) -> None:
        deadline = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < deadline, f"waited in vain; the screen:\n{self.shown}"
            self.read()

    def until_shown(self, *texts: str) -> None:
        self.until(lambda: all(text in self.shown for text in texts))

    def until_status(self, true: Callable[[dict[str, Any]], Any]) -> None:
        """Ask from elsewhere, reading on meanwhile."""
        self.until(lambda: (found := status_of(self.home)) and true(found))

    def until_running(self) -> None:
        self.until_shown("RUNNING")

    def ended(self) -> int:
        self.until(lambda: self.process.poll() is not None)
        return int(self.process.returncode)

    def until_given_back(self) -> None:
        """The operator has his own screen, cursor and settings again."""
        self.until(lambda: all(code in self.raw for code in (b"\x1b[?1049l", b"\x1b[?25h")))
        assert termios.tcgetattr(self.master) == self.before

    def hang_up(self) -> None:
        os.close(self.master)
        self.master = -1

    def clean_up(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.master >= 0:
            self.hang_up()


@pytest.fixture
def open_terminal(tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def begin(width: int = 80, height: int = 24, *words: str, **variables: str) -> Terminal:
        opened.append(Terminal(tmp_path, width, height, words or ("run", *SPREAD), **variables))
        return opened[-1]

    yield begin
    for terminal in opened:
        terminal.clean_up()
        assert b"Traceback" not in terminal.raw


def blocks(status: dict[str, Any]) -> list[str]:
    return [block["reason"] for block in status["blocks"]]


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_everything_that_matters_shows_and_a_stop_gives_the_terminal_back(
    open_terminal: Callable[..., Terminal], width: int, height: int
) -> None:
    terminal = open_terminal(width, height)
    terminal.until_running()
    terminal.until_shown("PAPER", "LONG")
    words = ("position", "heat", "breaker", "signal", "heartbeat")
    terminal.until(lambda: all(word in terminal.shown.lower() for word in words))
    terminal.press("q")
    terminal.until_shown("Stop the session", "Cancel")
    terminal.press("n")
    terminal.until(lambda: "Stop the session" not in terminal.shown)
    terminal.press("q")
    terminal.until(lambda: ANSWERABLE.search(terminal.shown))
    terminal.press("y")
    assert terminal.ended() == 0
    terminal.until_given_back()
    assert terminal.home.latest.joinpath("final_report.json").exists()
    assert not terminal.home.lock.exists()


def test_keys_pause_resume_and_kill_and_another_shell_sees_it(open_terminal: Callable[..., Terminal]) -> None:
    terminal = open_terminal(120, 40)
    terminal.until_running()
    terminal.until_status(lambda status: status["positions"])
    terminal.press("p")
    terminal.until_status(lambda status: blocks(status) == ["operator"])
    terminal.press("r")
    terminal.until_status(lambda status: blocks(status) == [])
    terminal.press("Ky")  # typed ahead of the question, so it is no answer
    terminal.until_shown("KILL the desk")
    assert not ask(terminal.home.root, "status", "--json").json["kill_latched"]

    def answered() -> bool:
        terminal.press("y")
        terminal.read(0.2)
        return "KILL the desk" not in terminal.shown

    terminal.until(answered)
    until(lambda: ask(terminal.home.root, "status", "--json").json["kill_latched"])
    terminal.until_shown("kill")
    terminal.until(lambda: terminal.home.latest.joinpath("final_report.json").exists())


def test_a_closed_terminal_leaves_the_desk_running_to_be_attached_and_stopped(
    open_terminal: Callable[..., Terminal], tmp_path: Path
) -> None:
    """FP-04."""
    terminal = open_terminal()
    terminal.until_running()
    children = psutil.Process(terminal.process.pid).children(recursive=True)
    terminal.hang_up()
    first = ask(tmp_path, "status", "--json").json["heartbeat"]["count"]
    until(lambda: (found := status_of(terminal.home)) and found["heartbeat"]["count"] > first + 1)
    assert terminal.process.poll() is None
    viewer = open_terminal(80, 24, "attach", "--view")
    viewer.until_running()
    viewer.press("p")
    viewer.until_shown("you are watching only")
    operator = open_terminal(80, 24, "attach")
    operator.until_running()
    operator.press("p")
    operator.until_status(lambda status: blocks(status) == ["operator"])
    viewer.until_shown("PAUSED")
    assert ask(tmp_path, "stop").code == 0
    assert terminal.ended() == 0
    until_gone(children)
    assert not terminal.home.lock.exists()
    for watching in (viewer, operator):
        watching.until_shown("ENDED", "for the next one; q leaves.")
        watching.press("q")
        assert watching.ended() == 0
        watching.until_given_back()


def test_a_closed_terminal_ends_the_desk_in_order_where_it_is_to(open_terminal: Callable[..., Terminal]) -> None:
    """FP-04."""
    terminal = open_terminal(NIGHTDESK_ON_HANGUP="stop")
    terminal.until_running()
    terminal.hang_up()
    assert terminal.ended() == 0
    assert json.loads(terminal.home.latest.joinpath("final_report.json").read_text())["reason"] == "SIGHUP"
    assert not terminal.home.lock.exists()


def test_a_signal_ends_desk_and_console_and_gives_the_terminal_back(open_terminal: Callable[..., Terminal]) -> None:
    """FP-20."""
    terminal = open_terminal()
    terminal.until_running()
    terminal.process.send_signal(signal.SIGTERM)
    assert terminal.ended() == 0
    terminal.until_given_back()
    assert not terminal.home.lock.exists()


def test_pages_lists_and_typed_words_on_a_trading_desk_of_any_size(open_terminal: Callable[..., Terminal]) -> None:
    terminal = open_terminal(120, 40)
    terminal.until_running()
    terminal.until_status(lambda status: status["positions"])
    terminal.press("2")
    terminal.until_shown("─ Signals ─", "EXECUTED")
    terminal.press("/executed")
    terminal.until_shown("filter  executed")
    terminal.press("\r")
    terminal.until(lambda: "filter executed" in terminal.shown and "> " in terminal.shown)
    terminal.press("\r")
    terminal.until_shown("What every rule said", "all", "ok passed")
    terminal.resize(80, 24)
    terminal.until_shown("What every rule said", "more lines", "K Kill")
    terminal.press("\x1b")
    terminal.until_shown("filter executed")
    terminal.press("4")
    terminal.until_shown("An entry right now", "Rules for")
    terminal.press("f")
    terminal.until_shown("Flatten: PAPER", "type FLATTEN")
    terminal.press("FLATTEN\r")
    terminal.until_shown("flatten in force")
    terminal.until_status(lambda status: blocks(status) == ["operator"] and not status["positions"])
    terminal.press(":pause")
    terminal.until_shown("What to do", "Pause")
    terminal.press("K")  # a kill needs no way out of the menu first
    terminal.until(lambda: ANSWERABLE.search(terminal.shown))
    terminal.press("y")
    terminal.until_shown("KILLED, ENDED", "a Re-arm")
    terminal.press("a")
    terminal.until_shown("Re-arm: PAPER")
    terminal.press("REARM tried\r")
    terminal.until_shown("latch cleared")
    assert not ask(terminal.home.root, "status", "--json").json["kill_latched"]
    terminal.press("q")
    assert terminal.ended() == 0
