"""The kill drill: a paper desk of its own is started, given orders and positions, killed, and timed; each way once."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from console import say
from console.commands.where import Where
from console.exits import Exit, Quit
from engine.core.events import Act
from engine.core.facts import AnyFact, FillBooked, KillChanged, OrderChanged
from engine.core.words import OrderState, Purpose
from engine.session import remote
from engine.session.clock import WallClock, block
from engine.session.config import SHIPPED
from engine.session.dotenv import PREFIX
from engine.session.errors import SessionError
from engine.session.home import Home, write_kill_file
from engine.session.ports import CommandRequest

STRATEGY: Final = "engine.strategies.drill:Drill"
SYMBOLS: Final = "BTCUSDT,ETHUSDT,SOLUSDT,XRPUSDT,ADAUSDT"
READY_SECONDS: Final = 90
END_SECONDS: Final = 60
STILL_SECONDS: Final = 3  # how long the frozen desk stays frozen after its kill
_POLL_SECONDS: Final = 0.05
_MS: Final = 1_000_000

RECORDED_MS_MAX: Final = 2_000
FLAT_MS_MAX: Final = 10_000
"""By then a kill that works at all is on record, and flat; docs/performance.md has what is usual."""


class Drilled(msgspec.Struct, frozen=True):
    """How one way of killing went. Times in milliseconds since it was asked for; None: it did not come to that."""

    way: str
    orders: int
    positions: int
    recorded_ms: float | None
    cancelled_ms: float | None
    flat_ms: float | None
    ended_ms: float | None
    problems: tuple[str, ...] = ()


def drill(where: Where) -> Exit:
    """Kill a desk in every way, and say how long it took; exit code 5 if one did not do what it promises."""
    if where.home.env != "paper":
        raise Quit(Exit.USAGE, "a drill is done on paper only: it trades without reason")
    found = []
    for way, kill in WAYS.items():
        if not where.json:
            say.aside(f"drill: killed by {way} …")
        with tempfile.TemporaryDirectory(prefix="nightdesk-drill-") as folder:
            found.append(_one(way, kill, Home.at(Path(folder), "paper"), where))
    if where.json:
        say.as_json({"drills": [msgspec.to_builtins(one) for one in found], "passed": not _problems(found)})
    else:
        head = ("killed by", "orders", "positions", "recorded", "last cancel", "flat", "ended")
        say.table(head, [_row(one) for one in found])
        for problem in _problems(found):
            say.line(problem)
        say.line("every way works" if not _problems(found) else "DRILL FAILED")
    return Exit.FAILED_CHECK if _problems(found) else Exit.DONE


def _by_command(home: Home, process: "subprocess.Popen[bytes]") -> None:
    killed = remote.kill(home, CommandRequest(Act.KILL, "cli", "", "drill"))
    if killed.by != "socket":
        raise SessionError(f"the control socket did not take it: {killed.why}")


def _by_file(home: Home, process: "subprocess.Popen[bytes]") -> None:
    write_kill_file(home, "drill")


def _while_frozen(home: Home, process: "subprocess.Popen[bytes]") -> None:
    """The desk does not run at all when it is killed; it must obey as soon as it does."""
    process.send_signal(signal.SIGSTOP)
    killed = remote.kill(home, CommandRequest(Act.KILL, "cli", "", "drill"))
    block(STILL_SECONDS)
    process.send_signal(signal.SIGCONT)
    if killed.by != "file":
        raise SessionError("a desk that stood still answered its socket")


WAYS: Final[dict[str, Callable[[Home, "subprocess.Popen[bytes]"], None]]] = {
    "command": _by_command,
    "file": _by_file,
    f"file, frozen for {STILL_SECONDS} s": _while_frozen,
}


def _one(way: str, kill: Callable[[Home, "subprocess.Popen[bytes]"], None], home: Home, where: Where) -> Drilled:
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "console", "--home", str(home.root), "run", "--headless"),
            *("--config", str(_quiet_tree(home))),
            *("--venue", "sim", "--broker", "paper", "--strategy", STRATEGY, "--symbols", SYMBOLS),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={name: value for name, value in os.environ.items() if not name.startswith((PREFIX, "WEBHOOK_URL"))},
        cwd=home.root,  # where no .env lies
        start_new_session=True,
    )
    try:
        status = _until_busy(home, process)
        clock = WallClock()
        asked_ns = clock.now_ns()
        kill(home, process)
        try:
            code = process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            raise SessionError(f"killed by {way}, the desk still runs after {END_SECONDS} s") from None
        ended_ms = (clock.now_ns() - asked_ns) / _MS
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()
        assert process.stderr is not None
        process.stderr.close()
    return _judged(way, home, status, asked_ns, ended_ms, code)


def _quiet_tree(home: Home) -> Path:
    """The paper tree without what leads outside: a drill wakes nobody, and listens nowhere."""
    tree = home.root / "config"
    shutil.copytree(SHIPPED / "paper", tree)
    for name in ("alerts", "control", "secrets"):
        (tree / f"{name}.toml").write_text('env = "paper"\n')
    return tree


def _until_busy(home: Home, process: "subprocess.Popen[bytes]") -> dict[str, Any]:
    """Wait until there is something to stop."""
    clock = WallClock()
    until_ns = clock.mono_ns() + READY_SECONDS * 1_000_000_000
    while clock.mono_ns() < until_ns:
        if process.poll() is not None:
            assert process.stderr is not None
            raise SessionError(f"the drill's desk did not start: {process.stderr.read().decode(errors='replace')}")
        try:
            status = remote.status(home)
        except SessionError:
            status = {"positions": [], "orders": []}
        if len(status["positions"]) >= 2 and any(order["purpose"] == Purpose.ENTRY for order in status["orders"]):
            return status
        block(_POLL_SECONDS)
    raise SessionError(f"the drill's desk had nothing to stop within {READY_SECONDS} s")


def _judged(way: str, home: Home, status: dict[str, Any], asked_ns: int, ended_ms: float, code: int) -> Drilled:
    from store.recovery import run_facts

    run_id = home.latest.readlink().name
    facts = [fact for _, fact in run_facts(home.database, run_id)]
    report = json.loads(home.run(run_id).final_report.read_text())
    at = next((n for n, fact in enumerate(facts) if isinstance(fact, KillChanged) and fact.latched), len(facts))
    after = facts[at:]
    recorded_ns = _at(after[:1])
    cancelled_ns = _at([f for f in after if isinstance(f, OrderChanged) and f.state is OrderState.CANCELED])
    flat_ns = _at([f for f in after if isinstance(f, FillBooked)])
    recorded_ms, cancelled_ms, flat_ms = (
        None if at_ns is None else (at_ns - asked_ns) / _MS for at_ns in (recorded_ns, cancelled_ns, flat_ns)
    )
    problems = []
    if recorded_ms is None or recorded_ms > RECORDED_MS_MAX + _frozen_ms(way):
        problems.append(f"{way}: the kill was not on record within {RECORDED_MS_MAX / 1000:g} s")
    if flat_ms is None or flat_ms > FLAT_MS_MAX + _frozen_ms(way):
        problems.append(f"{way}: not flat within {FLAT_MS_MAX / 1000:g} s")
    if report["positions_open"] or report["reason"] != "kill_switch" or code != Exit.DONE:
        problems.append(f"{way}: ended as {report['reason']}, exit code {code}, {report['positions_open']} open")
    if any(_adds_risk(fact) for fact in after):
        problems.append(f"{way}: an entry was sent after the kill")
    return Drilled(
        way,
        len(status["orders"]),
        len(status["positions"]),
        recorded_ms,
        cancelled_ms,
        flat_ms,
        ended_ms,
        tuple(problems),
    )


def _frozen_ms(way: str) -> int:
    return STILL_SECONDS * 1000 if "frozen" in way else 0


def _at(facts: Sequence[AnyFact]) -> int | None:
    """When the last of `facts` came about, by the desk's clock."""
    return max((fact.at_ns for fact in facts), default=None)


def _adds_risk(fact: AnyFact) -> bool:
    return isinstance(fact, OrderChanged) and fact.state is OrderState.SUBMITTED and fact.purpose is Purpose.ENTRY


def _problems(found: Sequence[Drilled]) -> list[str]:
    return [problem for one in found for problem in one.problems]


def _row(one: Drilled) -> tuple[str, ...]:
    times = (one.recorded_ms, one.cancelled_ms, one.flat_ms, one.ended_ms)
    return (one.way, str(one.orders), str(one.positions), *("-" if ms is None else f"{ms:,.0f} ms" for ms in times))
