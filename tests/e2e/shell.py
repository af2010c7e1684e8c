"""An operator's shell: starts desks as real processes, asks and acts with the command line, waits for conditions."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import psutil

from engine.session import remote
from engine.session.home import Home, RunFolder
from engine.session.remote import NotRunning, Refused
from store.queries import Queries, open_queries
from store.records import RunSummary
from tests.steady import PATIENCE

RUN_SECONDS: Final = 5 * PATIENCE
ROOT: Final = Path(__file__).parents[2]
EAGER: Final = ("--strategy", "tests.e2e.eager:Eager")
FIVE: Final = ("--symbols", "BTCUSDT,ETHUSDT,SOLUSDT,XRPUSDT,ADAUSDT")
SPREAD: Final = ("--strategy", "tests.e2e.eager:Spread", *FIVE)
SHARED: Final = Path(os.environ.get("NIGHTDESK_SHARED", ROOT.parent / "shared" / "data"))


def environment(**changes: str) -> dict[str, str]:
    """This process's environment without settings of a desk, and with the project on the path."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NIGHTDESK_")}
    return kept | {"PYTHONPATH": str(ROOT), "TERM": "dumb"} | changes


def command(home: Path, *words: str, program: str = "console") -> list[str]:
    return [sys.executable, "-m", program, "--home", str(home), *words]


def until(true: Callable[[], Any], told: Callable[[], str] = lambda: "", seconds: float = PATIENCE) -> Any:
    """Wait for something to be true and return it; fails with what `told` says."""
    deadline = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < deadline, f"waited {seconds:g} s in vain\n{told()}"
        time.sleep(0.02)
    return found


class Answer:
    """What a command said, and its exit code."""

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        self.code = done.returncode
        self.out = done.stdout
        self.err = done.stderr
        assert "Traceback" not in self.out + self.err, self.err

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def ask(home: Path, *words: str, program: str = "tests.e2e.patient", **variables: str) -> Answer:
    """Run a command to its end; the longest replays a month."""
    done = subprocess.run(
        command(home, *words, program=program),
        capture_output=True,
        text=True,
        env=environment(**variables),
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        timeout=300,
        check=False,
    )
    return Answer(done)


def status_of(home: Home) -> dict[str, Any]:
    """What `nightdesk status --json` prints of a running desk, without a process for each look; {} if none answers."""
    with contextlib.suppress(NotRunning, Refused):
        return remote.status(home)
    return {}


class RunningDesk:
    """A headless desk in a process of its own; `verb` is the command that runs it."""

    def __init__(self, home: Path, *words: str, verb: Sequence[str] = ("run", "--headless"), **variables: str) -> None:
        self.home = Home.at(home, "paper")
        self.out = ""
        self.err = ""
        self.process = subprocess.Popen(
            command(home, *verb, *words),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            env=environment(**variables),
            cwd=ROOT,
            start_new_session=True,
        )
        self._readers = [threading.Thread(target=self._read, args=(name,), daemon=True) for name in ("out", "err")]
        for reader in self._readers:
            reader.start()

    def _read(self, name: str) -> None:
        stream = self.process.stdout if name == "out" else self.process.stderr
        assert stream is not None
        for line in stream:
            setattr(self, name, getattr(self, name) + line)
        stream.close()

    @property
    def said(self) -> str:
        return self.out + self.err

    def until(self, true: Callable[[], Any], seconds: float = PATIENCE) -> Any:
        return until(true, lambda: self.said, seconds)

    def until_said(self, text: str) -> None:
        self.until(lambda: text in self.said)

    def status(self) -> dict[str, Any]:
        """As it is now."""
        return self.until_status(lambda _: True)

    def until_status(self, true: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
        """Look until the status is as wanted."""
        found: dict[str, Any] = {}

        def looked() -> bool:
            nonlocal found
            found = status_of(self.home)
            return bool(found and true(found))

        until(looked, lambda: f"{found}\n{self.said}")
        return found

    def until_running(self) -> dict[str, Any]:
        return self.until_status(lambda status: status["state"] == "RUNNING")

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def kill_9(self) -> None:
        """End it with all its memory; what it started has to end by itself."""
        children = self.children()
        self.process.kill()
        self.process.wait()
        until_gone(children)

    def ended(self, seconds: float = RUN_SECONDS) -> int:
        """Wait for the end, perhaps of hours at full speed; the exit code. There is never a traceback."""
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still runs after {seconds:g} s\n{self.said}") from None
        for reader in self._readers:
            reader.join(PATIENCE)
        assert "Traceback" not in self.said, self.said
        return code

    def clean_up(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()
        for reader in self._readers:
            reader.join(PATIENCE)

    # --- what it left behind ---

    @property
    def folder(self) -> RunFolder:
        return self.home.run(self.home.latest.readlink().name)

    @property
    def report(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.folder.final_report.read_text())
        return found

    def events(self) -> list[dict[str, Any]]:
        """The newest run's event stream."""
        return [json.loads(line) for line in self.folder.events.read_text().splitlines()]


def until_gone(processes: Sequence[psutil.Process]) -> None:
    """Wait for processes that have to end by themselves."""
    _, alive = psutil.wait_procs(processes, timeout=PATIENCE)
    assert not alive, f"left over: {alive}"


def summary(home: Home, run_id: str = "") -> RunSummary:
    """A run's figures from its rows alone."""

    async def look() -> RunSummary:
        async with open_queries(home.database) as queries:
            return await queries.run_summary(run_id)

    return asyncio.run(look())


def queried(home: Home, question: Callable[[Queries], Any]) -> Any:
    """The answer of one query; `question` gives its awaitable."""

    async def look() -> Any:
        async with open_queries(home.database) as queries:
            return await question(queries)

    return asyncio.run(look())
