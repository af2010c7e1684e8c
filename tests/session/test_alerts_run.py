"""What a session tells of itself: every kind of alert that is raised outside the core, by a run in which it happens."""

import asyncio
import sqlite3
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.core.config import SECOND
from engine.core.events import Act
from engine.core.words import AlertKind as K
from engine.core.words import BlockReason
from engine.session.alerting.record import AlertLine, read_lines
from engine.session.alerting.settings import AlertsFile
from engine.session.dead_letters import Operation
from engine.session.gauges import Gauge
from engine.session.guard import Guard
from engine.session.lock import Holder
from engine.session.plan import Policy
from engine.session.ports import CommandRequest
from engine.session.session import Session
from engine.session.status import status_json
from engine.session.telling import crashed_text, ended_alert
from engine.session.watching import Watching
from tests.session.deskrig import DeskRig
from tests.session.test_emergency import Full
from tests.session.test_watching import Slow
from tests.session.toymarket import ToyMarket

LONG = 200_000
Usage = namedtuple("Usage", "total used free")


def told(rig: DeskRig) -> list[tuple[K, str]]:
    lines = [line for line in read_lines(rig.home.alerts) if isinstance(line, AlertLine)]
    assert all(line.notice.sender.mode == "PAPER" and line.notice.run_id for line in lines)
    return [(line.notice.kind, line.notice.text) for line in lines]


def kinds(rig: DeskRig) -> list[K]:
    return [kind for kind, _ in told(rig)]


async def seen(session: Session, met: Callable[[Session], bool]) -> None:
    while not met(session):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    session.stop("seen")


def is_running(session: Session) -> bool:
    view = session.view()
    return view is not None and view.phase == "RUNNING"


def test_a_run_tells_its_start_and_its_end_with_what_it_came_to(tmp_path: Path) -> None:
    rig = DeskRig(tmp_path)
    rig.run(300)
    (_, began), *_, (last, ended) = [(k, t) for k, t in told(rig) if k in (K.RUN_STARTED, K.RUN_ENDED)]
    assert began == "version 0, toy on sim, broker paper"
    assert last is K.RUN_ENDED
    assert ended.startswith("duration_complete, exit code 0; after ")
    assert "net P&L" in ended


def test_commands_of_an_operator_are_told(tmp_path: Path) -> None:
    async def act(session: Session) -> None:
        while not is_running(session):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        for what in (Act.PAUSE, Act.RESUME, Act.KILL):
            await asyncio.wrap_future(session.command(CommandRequest(what, "cli", "ann", "because")))

    rig = DeskRig(tmp_path)
    rig.run(LONG, meddle=act)
    found = [kind for kind in kinds(rig) if kind in (K.PAUSED, K.RESUMED, K.KILL, K.RUN_ENDED)]
    assert found == [K.PAUSED, K.RESUMED, K.KILL, K.RUN_ENDED]


def test_a_full_memory_is_told(tmp_path: Path) -> None:
    rig = DeskRig(tmp_path)
    rig.run(LONG, policy=Policy(duration_ns=LONG * SECOND, memory_max_bytes=1))
    assert [kind for kind in kinds(rig) if kind in (K.MEMORY, K.RUN_FAILED)] == [K.MEMORY, K.RUN_FAILED]
    assert "memory, exit code 1" in told(rig)[-1][1]


def test_a_journal_that_fails_is_told(tmp_path: Path) -> None:
    rig = DeskRig(tmp_path)
    rig.run(LONG, source=Full(rig))
    assert [kind for kind in kinds(rig) if kind in (K.JOURNAL, K.RUN_FAILED)] == [K.JOURNAL, K.RUN_FAILED]


def test_a_core_and_a_task_that_fail_are_told(tmp_path: Path) -> None:
    class Poisoned(ToyMarket):
        def events(self, from_ns: int) -> Any:
            for count, chunk in enumerate(super().events(from_ns)):
                yield [msgspec.structs.replace(chunk[0], bid="?"), *chunk[1:]] if count == 100 else chunk

    class Broken(ToyMarket):
        def events(self, from_ns: int) -> Any:
            for count, chunk in enumerate(super().events(from_ns)):
                if count == 100:
                    raise RuntimeError("the market broke")
                yield chunk

    rig = DeskRig(tmp_path)
    rig.run(900, source=Poisoned(rig.symbols, 1000))
    first = kinds(rig)  # what the core tells waits for the disk, and may come between these two
    assert K.CORE_FAILED in first and first[-1] is K.RUN_FAILED
    rig.run(900, source=Broken(rig.symbols, 1000, rig.begins_ns))
    assert kinds(rig)[-1] is K.RUN_FAILED
    (text,) = [text for kind, text in told(rig) if kind is K.TASK_FAILED]
    assert "market_data_task ended unexpectedly" in text


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_guard_that_dies_ends_the_session_in_order_and_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FP-19."""

    def dies(_: Guard) -> None:
        raise RuntimeError("the watch broke")

    monkeypatch.setattr(Guard, "_check_kill", dies)
    rig = DeskRig(tmp_path)
    code, report = rig.run(LONG, source=Slow(rig))
    assert (code, report["reason"], report["positions_open"]) == (1, "task_failed:guard", [])
    assert (K.TASK_FAILED, "the guard's thread has ended or hangs") in told(rig)
    assert "the watch broke" in str(report["errors"])


def test_a_start_that_fails_is_told(tmp_path: Path) -> None:
    class Young(ToyMarket):
        def history(self, symbol: str, span_ns: int, end_ns: int, count: int) -> list[Any]:
            return super().history(symbol, span_ns, end_ns, 99)

    rig = DeskRig(tmp_path)
    rig.run(60, source=Young(rig.symbols))
    kind, text = told(rig)[-1]
    assert kind is K.RUN_FAILED
    assert "start_failed" in text
    assert "bars of history" in text


@pytest.mark.parametrize(("file", "text"), [("database", "desk.db"), ("lock", "desk.lock")])
def test_files_taken_from_under_the_desk_are_told(file: str, text: str, tmp_path: Path) -> None:
    async def take(session: Session) -> None:
        while not is_running(session):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        path: Path = getattr(rig.home, file)
        path.rename(path.with_name("gone"))

    rig = DeskRig(tmp_path)
    rig.run(LONG, meddle=take)
    assert (K.FILES_LOST, text) in told(rig)


def test_a_disk_that_fills_up_and_has_room_again_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = [10**12]
    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage(10**12, 0, free[0]))
    monkeypatch.setattr("engine.session.watching.RESOURCE_CHECK_PROBES", 2)

    async def fill(session: Session) -> None:
        while not is_running(session):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        for room, kind in ((1, K.DISK), (10**12, K.DISK_FREE)):
            free[0] = room
            while kind not in kinds(rig):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        session.stop("seen")

    rig = DeskRig(tmp_path)
    rig.run(LONG, source=Slow(rig), meddle=fill, policy=Policy(duration_ns=LONG * SECOND, disk_min_bytes=10**8))
    assert [kind for kind in kinds(rig) if kind in (K.DISK, K.DISK_FREE)] == [K.DISK, K.DISK_FREE]


def test_illness_that_lasts_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.session.watching.unhealthy", lambda *_: ("no data of BTCUSDT for 20s",))
    monkeypatch.setattr("engine.session.watching.ILL_BEATS", 2)
    rig = DeskRig(tmp_path)
    rig.run(LONG, source=Slow(rig), meddle=lambda session: seen(session, lambda _: K.UNHEALTHY in kinds(rig)))
    assert [text for kind, text in told(rig) if kind is K.UNHEALTHY] == ["no data of BTCUSDT for 20s"]


def test_a_late_loop_a_stalled_task_and_a_set_clock_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.core.view import WorkView

    said: list[tuple[K, str]] = []

    class Shell:
        def alert(self, kind: K, text: str) -> None:
            said.append((kind, text))

        def error(self, *_: Any) -> None: ...

        def stop(self, *_: Any) -> None: ...

    watching = Watching.__new__(Watching)
    watching._shell = Shell()  # type: ignore[assignment]
    watching._stepped_ns = 0

    class Work:
        def stalled(self) -> list[WorkView]:
            return [WorkView("timer_task", 60 * SECOND, 30 * SECOND)]

    class Clock:
        def stepped_ns(self) -> int:
            return 7 * SECOND

    watching._work = Work()  # type: ignore[assignment]
    monkeypatch.setattr("engine.session.watching.WallClock", Clock)
    watching._plan = type("Plan", (), {"clock": Clock()})()
    watching._check_work()
    watching._check_clock()
    assert [kind for kind, _ in said] == [K.TASK_FAILED, K.CLOCK]
    assert "set by +7.0 s" in said[1][1]


async def test_a_slow_loop_is_told_and_ends_the_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """FT-11: and one that was as late because the whole process stood still is left alone."""
    said: list[object] = []

    class Enough(Exception): ...

    class Shell:
        paused_ns = 0
        loop_lag_us = Gauge()

        def alert(self, kind: K, text: str) -> None:
            said.append((kind, text))

        def error(self, *_: Any) -> None: ...

        def stop(self, *reason: Any) -> None:
            said.append(reason)
            raise Enough

    class Late:
        at_ns = 0

        def mono_ns(self) -> int:
            self.at_ns += 6 * SECOND
            return self.at_ns

    monkeypatch.setattr("engine.session.watching.LAG_PROBE_NS", 1_000)
    monkeypatch.setattr("engine.session.watching.GUARD_TURN_SECONDS", 0)
    monkeypatch.setattr(Watching, "_check_resources", lambda _: None)
    watching, shell, late = Watching.__new__(Watching), Shell(), Late()
    watching._shell = shell  # type: ignore[assignment]
    watching._work = type("Work", (), {"did": lambda *_: None, "stalled": lambda _: ()})()
    watching._plan = type("Plan", (), {"clock": late, "source": None, "policy": Policy()})()
    shell.paused_ns = 13 * SECOND
    with pytest.raises(Enough):
        await watching.watchdog()
    assert said == [(K.SLOW_LOOP, "6.0 s late"), ("watchdog", 1)]
    assert late.at_ns == 24 * SECOND  # the first time the whole process had stood still


def test_the_last_words_of_a_frozen_desk_are_told_and_again_by_the_next_start(tmp_path: Path) -> None:
    rig = DeskRig(tmp_path)
    text = "WATCHDOG_FATAL: Main loop frozen for 31.0 s"

    async def freeze(session: Session) -> None:
        while not is_running(session):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        session._guard._last_words(text)  # the guard ends the process behind it
        session.stop("seen")

    rig.run(LONG, source=Slow(rig), meddle=freeze)
    assert (K.WATCHDOG_FATAL, text) in told(rig)
    left = Holder(4711, 1_767_225_600 * SECOND, rig.session.plan.folder.run_id)
    rig.home.lock.write_bytes(msgspec.json.encode(left) + b"\n")
    rig.run(60)
    assert (K.CRASHED, crashed_text(left)) in told(rig)


def test_what_nobody_answers_stops_entries_and_an_answer_is_on_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FO-17: where that is wanted; and to have read the alerts is no intervention."""
    rig = DeskRig(tmp_path)
    made = rig._plan
    file = AlertsFile(env="paper", pause_unanswered="1ms")
    monkeypatch.setattr("engine.session.watching.BEAT_NS", SECOND // 20)
    monkeypatch.setattr(rig, "_plan", lambda *given: msgspec.structs.replace(made(*given), alerts=file))
    shown: list[dict[str, Any]] = []

    def is_paused(session: Session) -> bool:
        view = session.view()
        if view is None or not view.heartbeat.warnings:
            return False
        shown.append(status_json(view))
        return any(block.reason == BlockReason.OPERATOR for block in view.blocks)

    async def leave_alone(session: Session) -> None:
        while not is_running(session):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        session._alerts.write_alert(K.CLOCK, "a lesser one")
        session._alerts.write_alert(K.NO_RESTING_STOP, "BTCUSDT")
        while not is_paused(session):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        acked = await asyncio.wrap_future(session.command(CommandRequest(Act.ACKNOWLEDGE, "cli", "ann", "seen")))
        assert acked.accepted
        await seen(session, lambda session: not session._alerts.troubles())

    _, report = rig.run(LONG, source=Slow(rig), meddle=leave_alone)
    (block,) = (block for block in shown[-1]["blocks"] if block["reason"] == "operator")
    assert block["text"] == "nobody has answered for 0s: position without a resting stop: BTCUSDT"
    assert shown[-1]["warnings"][0].startswith("critical alert unanswered for")
    assert report["autonomous"]


def test_an_operation_that_fails_for_good_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rig = DeskRig(tmp_path)

    async def fail(session: Session) -> None:
        while not is_running(session):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        session._tasks._letters.keep(Operation.BACKUP, "{}", OSError("no space left"))
        session.stop("seen")

    rig.run(LONG, meddle=fail)
    assert (K.DEAD_LETTER, "backup failed: no space left") in told(rig)


def test_a_secret_that_is_due_is_told_at_every_start(tmp_path: Path) -> None:
    rig = DeskRig(tmp_path)
    rig.secrets_due = ("WEBHOOK_URL is 80 days old: make a new one every 90 days",)
    rig.run(60)
    assert (K.SECRET_DUE, rig.secrets_due[0]) in told(rig)


def test_a_run_that_died_is_told_at_the_next_start(tmp_path: Path) -> None:
    rig = DeskRig(tmp_path)
    rig.run(60)
    rig.home.lock.write_bytes(msgspec.json.encode(Holder(4711, 1_767_225_600 * SECOND, "20260101-000000")) + b"\n")
    rig.run(60)
    assert (K.CRASHED, "run 20260101-000000, pid 4711, begun 2026-01-01T00:00:00.000000Z") in told(rig)
    assert crashed_text(Holder(1)) == "run not yet named, pid 1"


def test_books_that_were_restored_are_told(tmp_path: Path) -> None:
    rig = DeskRig(tmp_path)
    rig.run(60)
    connection = sqlite3.connect(rig.home.database)
    connection.executescript(
        "DROP TRIGGER journal_is_never_deleted; DELETE FROM journal WHERE id > (SELECT max(id) - 3 FROM journal)"
    )
    connection.close()
    rig.run(60)
    assert [text for kind, text in told(rig) if kind is K.RESTORED]


def test_how_a_run_ended_is_said_even_where_there_is_no_view() -> None:
    problems = ["one", "two", "three", "four"]
    said = "core_failed, exit code 1; one; two; three"
    assert ended_alert(None, "core_failed", 1, "", problems) == (K.RUN_FAILED, said)
