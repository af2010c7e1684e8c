"""A desk that watches itself: a task that hangs, data that is missing, a disk that fills up."""

import asyncio
import sqlite3
from collections import namedtuple
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.core.config import SECOND
from engine.core.events import FeedChanged, FeedEvent, FeedHealth
from engine.session.plan import Policy
from engine.session.session import Session
from engine.session.status import status_json
from engine.session.tasks import Tasks
from engine.session.watching import Watching
from engine.session.work import Duty
from tests.session.deskrig import DeskRig
from tests.session.toymarket import ToyMarket

LONG = 200_000  # seconds of market; every test ends its run itself
MEGABYTE = 1_000_000
Usage = namedtuple("Usage", "total used free")


def rows(rig: DeskRig, sql: str) -> list[Any]:
    connection = sqlite3.connect(f"file:{rig.home.database}?mode=ro", uri=True)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


class Slow(ToyMarket):
    """A market that leaves the tasks some real time, and may say something of its own at each second."""

    def __init__(self, rig: DeskRig, say: Callable[[int], list[FeedEvent]] = lambda _: []) -> None:
        super().__init__(rig.symbols, LONG)
        self._say = say

    def events(self, from_ns: int) -> Iterator[list[FeedEvent]]:
        for second, chunk in enumerate(super().events(from_ns)):
            yield [*chunk, *self._say(chunk[-1].at_ns)] if second % 50 == 49 else list(chunk)


async def until(session: Session, met: Callable[[Session], bool]) -> None:
    """Until `met`, then the end. The desk is looked at as a console looks at it."""
    while not met(session):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    session.stop("seen")


def blocked(session: Session) -> set[str]:
    view = session.view()
    return {block.reason for block in view.blocks} if view else set()


def ills(session: Session) -> tuple[str, ...]:
    view = session.view()
    return view.heartbeat.unhealthy if view else ()


def test_a_healthy_desk_says_so_and_of_every_task_when_it_did_its_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.session.health.LAG_MAX_US", 10**9)  # how late a busy machine makes the loop
    monkeypatch.setattr("engine.session.watching.JOURNAL_LIMIT_NS", 10**12)
    rig = DeskRig(tmp_path)
    seen: list[dict[str, Any]] = []

    def beating(session: Session) -> bool:
        view = session.view()
        if view is None or view.heartbeat.count < 2:
            return False
        seen.append(status_json(view))
        return True

    code, report = rig.run(LONG, source=Slow(rig), meddle=lambda session: until(session, beating))
    assert (code, report["reason"]) == (0, "seen")
    (status,) = seen
    assert (status["healthy"], status["unhealthy"]) == (True, [])
    names = {work["name"] for work in status["works"]}
    assert names == {*rig.session._tasks.all(), "journal"}
    assert all(work["age_seconds"] <= work["limit_seconds"] for work in status["works"])
    assert status["heartbeat"]["descriptors"] > 3
    assert report["heartbeat"]["unhealthy"] == 0
    assert report["descriptors"] > 3 and report["threads"] >= 2


def test_a_task_that_hangs_ends_the_session_like_one_that_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FP-11."""

    async def hangs(_: Tasks) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(Tasks, "timer", hangs)
    monkeypatch.setattr("engine.session.work.DUTIES", (Duty("timer_task", SECOND // 2),))
    rig = DeskRig(tmp_path)
    code, report = rig.run(LONG, source=Slow(rig))
    assert (code, report["reason"]) == (1, "task_stalled:timer_task")
    assert report["positions_open"] == []
    ((text,),) = rows(rig, "SELECT text FROM errors WHERE place = 'watchdog'")
    assert text.startswith("timer_task has done nothing for ")


def test_a_desk_without_data_beats_and_is_not_healthy(tmp_path: Path) -> None:
    """FP-26."""

    def dead(at_ns: int) -> list[FeedEvent]:
        return [FeedChanged("BTCUSDT", at_ns, FeedHealth.STALE, 16 * SECOND)]

    rig = DeskRig(tmp_path)
    blind: list[tuple[str, ...]] = []

    def unhealthy(session: Session) -> bool:
        blind.append(ills(session))
        return bool(blind[-1]) and " UNHEALTHY " in session.plan.folder.session_log.read_text()  # the beat's line

    code, report = rig.run(LONG, source=Slow(rig, dead), meddle=lambda session: until(session, unhealthy))
    assert (code, report["reason"]) == (0, "seen")
    assert blind[-1][0].startswith("no data of BTCUSDT for ")
    assert report["heartbeat"]["unhealthy"] >= 1
    assert "UNHEALTHY: no data of BTCUSDT" in rig.home.system_log.read_text()
    assert " UNHEALTHY " in rig.session.plan.folder.session_log.read_text()


def test_entries_stop_while_the_disk_has_little_room_and_go_on_with_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = [100 * MEGABYTE]
    monkeypatch.setattr("shutil.disk_usage", lambda path: Usage(10**12, 0, free[0]))
    monkeypatch.setattr("engine.session.watching.RESOURCE_CHECK_PROBES", 2)

    async def fill_and_clear(session: Session) -> None:
        while "disk" not in blocked(session):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        free[0] = 300 * MEGABYTE
        await until(session, lambda session: "disk" not in blocked(session))

    rig = DeskRig(tmp_path)
    policy = Policy(duration_ns=LONG * SECOND, disk_min_bytes=200 * MEGABYTE)
    code, report = rig.run(LONG, source=Slow(rig), policy=policy, meddle=fill_and_clear)
    assert (code, report["reason"]) == (0, "seen")
    told = rows(rig, "SELECT active, text FROM block_changes WHERE reason = 'disk' ORDER BY row")
    assert told == [
        (1, "100 MB are left on the disk, 200 MB are wanted"),
        (0, "there is room on the disk again"),
    ]


def test_a_machine_that_cannot_be_looked_at_is_an_error_and_no_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(_: Any) -> None:
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr("shutil.disk_usage", gone)
    rig = DeskRig(tmp_path)

    def told(session: Session) -> bool:
        view = session.view()
        return view is not None and any("could not be looked at" in error.fingerprint for error in view.errors)

    code, report = rig.run(LONG, source=Slow(rig), meddle=lambda session: until(session, told))
    assert (code, report["reason"]) == (0, "seen")


def test_the_watching_tasks_are_the_ones_that_say_when_they_turned() -> None:
    """Every duty is a task's; a new task has to say what it owes."""
    from engine.session.work import DUTIES, EXECUTION, MARKET_DATA

    names = {duty.task for duty in DUTIES} | {EXECUTION, MARKET_DATA}
    ways = {f"{name}_task" for name in ("watchdog", "heartbeat", "kill_switch", "stale_data")}
    assert ways <= names
    assert all(hasattr(Watching, way.removesuffix("_task")) for way in ways)
