"""The emergency record on its own, and a whole desk whose journal fails under it."""

import asyncio
import errno
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.core.events import Act, FeedEvent
from engine.review.replay import replay
from engine.session.emergency import (
    BALLAST_BYTES,
    BadRecord,
    BatchKept,
    Emergency,
    Kept,
    ReportKept,
    free_ballast,
    hold_ballast,
    read_kept,
)
from engine.session.ports import CommandRequest, Committed
from engine.session.session import Session
from store.desk import Store, open_store
from store.recovery import verify_file
from tests.session.deskrig import DeskRig
from tests.session.toymarket import ToyMarket
from tests.steady import PATIENCE
from tests.store.making import batch, one_of_each, run_started


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "emergency.jsonl"


@pytest.fixture
def record(path: Path) -> Emergency:
    record = Emergency(path, path.with_name("ballast"))
    record.begin(7, "head")
    return record


def same(one: list[Kept], other: list[Kept]) -> bool:
    """Equal but for lists and tuples."""
    return msgspec.json.encode(one) == msgspec.json.encode(other)


# --- the file ---


def test_what_was_kept_is_read_as_it_was(record: Emergency, path: Path) -> None:
    first = batch(1, [run_started()], one_of_each(1), snapshot=b"\x00state")
    second = batch(2, 5)
    assert record.commit(first).result().rows == 7
    record.commit(second).result()
    record.report("run-1", '{"a":1}')
    record.close()
    assert same(list(read_kept(path)), [BatchKept(first), BatchKept(second), ReportKept("run-1", '{"a":1}')])
    assert (path.stat().st_mode & 0o777, record.batches) == (0o600, 2)


def test_a_torn_last_line_was_never_durable_and_a_damaged_one_before_it_is_told(record: Emergency, path: Path) -> None:
    for n in (1, 6):
        record.commit(batch(n, 5)).result()
    record.close()
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    assert same(list(read_kept(path)), [BatchKept(batch(1, 5))])
    for at in (3, 100, len(whole) - 20):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(BadRecord, match=r"emergency\.jsonl:[12]: is not what was written"):
            list(read_kept(path))


def test_it_answers_with_the_journal_as_it_last_stood_and_says_whether_it_stands_in(path: Path) -> None:
    record = Emergency(path, path.with_name("ballast"))
    stands_in = [record.is_on]
    assert record.commit(batch(1, 2)).result() == Committed(0, "", 0)
    record.begin(7, "head")
    stands_in.append(record.is_on)
    assert record.commit(batch(3, 2)).result() == Committed(7, "head", 0)
    assert stands_in == [False, True]
    record.close()


def test_an_empty_record_that_cannot_go_away_stays(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = Emergency(path, path.with_name("ballast"))

    def refuses(path: Path, missing_ok: bool = False) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "unlink", refuses)
    record.close()
    assert list(read_kept(path)) == []


def test_a_whole_line_that_is_no_batch_is_told(path: Path) -> None:
    body = b'{"type":"other"}'
    path.write_bytes(sha256(body).hexdigest().encode() + b" " + body + b"\n")
    with pytest.raises(BadRecord) as caught:
        list(read_kept(path))
    assert str(caught.value).startswith(f"{path}:1: cannot be read: Invalid value 'other'")


def test_a_line_is_on_the_disk_before_it_counts(record: Emergency, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda _: synced.append(path.stat().st_size))
    record.commit(batch(1, 5)).result()
    assert synced == [path.stat().st_size] and synced[0] > 0


def test_a_record_that_cannot_be_written_says_so(record: Emergency, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert isinstance(record.commit(batch(1, 5)).exception(), OSError)
    assert record.batches == 0


def test_a_record_that_was_never_needed_disappears_and_so_does_the_ballast(path: Path) -> None:
    ballast = path.with_name("ballast")
    assert hold_ballast(ballast)
    record = Emergency(path, ballast)
    assert path.exists() and ballast.stat().st_size == BALLAST_BYTES
    record.close()
    assert not path.exists() and not ballast.exists()
    assert list(read_kept(path)) == []


def test_the_ballast_gives_its_room_back_first(path: Path) -> None:
    ballast = path.with_name("ballast")
    assert hold_ballast(ballast) and hold_ballast(ballast)
    assert ballast.stat().st_blocks * 512 >= BALLAST_BYTES
    Emergency(path, ballast).begin(0, "")
    assert not ballast.exists()
    free_ballast(ballast)


def test_the_ballasts_room_is_asked_of_the_file_system_and_kept_from_others(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, int]] = []
    synced: list[int] = []
    monkeypatch.setattr(os, "posix_fallocate", lambda _, begin, size: asked.append((begin, size)), raising=False)
    monkeypatch.setattr(os, "fsync", synced.append)
    assert hold_ballast(path)
    assert asked == [(0, BALLAST_BYTES)] and len(synced) == 1
    assert path.stat().st_mode & 0o777 == 0o600


def test_where_the_file_system_cannot_be_asked_the_ballast_is_written(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[tuple[int, int]] = []
    monkeypatch.delattr(os, "posix_fallocate", raising=False)

    def write(handle: int, data: bytes, offset: int) -> int:
        assert os.fstat(handle).st_ino == path.stat().st_ino
        assert len(written) < 40 and data == bytes(len(data))
        written.append((len(data), offset))
        return len(data)

    monkeypatch.setattr(os, "pwrite", write)
    path.write_bytes(bytes(BALLAST_BYTES - 2_000_000))
    assert hold_ballast(path)
    mebibyte = 1024 * 1024
    assert written == [(mebibyte, BALLAST_BYTES - 2_000_000), (mebibyte, BALLAST_BYTES - 2_000_000 + mebibyte)]
    path.unlink()
    written.clear()
    assert hold_ballast(path)
    assert written == [(mebibyte, n * mebibyte) for n in range(32)]


def test_without_room_there_is_no_ballast_and_nothing_is_left_of_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert not hold_ballast(path)
    assert not path.exists()


# --- a whole desk ---


LONG = 60_000  # seconds of market: more than the desk gets through before it knows of its journal


class Full(ToyMarket):
    """A market in whose `at`-th second, once there is a position, the disk is full; `then` is called right after."""

    def __init__(self, rig: DeskRig, then: Callable[[Session], Any] = lambda _: None) -> None:
        super().__init__(rig.symbols, LONG)
        self._rig = rig
        self._then = then
        self.held = 0

    def events(self, from_ns: int) -> Iterator[Sequence[FeedEvent]]:
        for chunk in super().events(from_ns):
            session = self._rig.session
            if not self.held and session._shell is not None and session._shell.open_positions():
                self.held = session._shell.open_positions()
                fill_up(session)
                self._then(session)
            yield chunk


def fill_up(session: Session) -> None:
    """No page more for the database: what SQLite then raises is its own SQLITE_FULL."""
    store = session.plan.store
    assert isinstance(store, Store)
    connection = store._connection

    def fill() -> None:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}").fetchall()

    store.journal.perform(fill).result(PATIENCE)


def rows(rig: DeskRig, sql: str) -> list[Any]:
    connection = sqlite3.connect(f"file:{rig.home.database}?mode=ro", uri=True)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def test_a_desk_whose_journal_fails_closes_its_positions_and_the_next_start_has_it_all(tmp_path: Path) -> None:
    """FD-06."""
    rig = DeskRig(tmp_path)
    hold_ballast(rig.home.ballast)
    code, report = rig.run(LONG, source=Full(rig))
    assert (code, report["reason"]) == (1, "journal_failed")
    assert report["positions_open"] == []
    assert report["fills_count"] > 0
    assert [one["where"] for one in report["errors"]] == ["journal"]
    (told,) = [text for text in report["problems"] if text.startswith("the journal failed")]
    assert "SQLITE_FULL" in told and "emergency.jsonl" in told
    assert not rig.home.ballast.exists()
    kept = list(read_kept(rig.home.emergency))
    assert isinstance(kept[-1], ReportKept)
    in_the_journal = rows(rig, "SELECT count(*) FROM fills")[0][0]
    assert in_the_journal < report["fills_count"]

    run_id = report["run_id"]
    assert rig.run(60)[0] == 0
    fills = rows(rig, "SELECT count(*), count(DISTINCT fill_id) FROM fills WHERE run = 1")
    assert fills == [(report["fills_count"], report["fills_count"])]
    assert rows(rig, "SELECT phase, report IS NOT NULL FROM runs WHERE run = 1") == [("COMPLETED", 1)]
    assert rows(rig, "SELECT active FROM block_changes WHERE reason = 'journal' ORDER BY row") == [(1,), (0,)]
    assert rows(rig, "SELECT count(*) FROM journal WHERE kind = 'rejoined'") == [(1,)]
    assert not rig.home.emergency.exists()
    assert len(list(rig.home.dir.glob("emergency.jsonl.read-*"))) == 1
    assert verify_file(rig.home.database).bad is None
    store = open_store(rig.home.database, "paper", rig.session.plan.clock)
    try:
        start, inputs = store.run_inputs(run_id)
        assert start is not None
        outcome = replay(rig.session.plan.make_strategies, start.state, inputs, store.run_facts(run_id))
    finally:
        store.close()
    assert outcome.difference is None
    assert outcome.decision_hash == report["decision_hash"]


def test_no_entry_is_decided_once_the_journal_has_failed(tmp_path: Path) -> None:
    rig = DeskRig(tmp_path)
    rig.run(LONG, source=Full(rig))
    kept = [item.batch for item in read_kept(rig.home.emergency) if isinstance(item, BatchKept)]
    facts = [fact for one in kept for _, fact in one.facts]
    blocked = next(n for n, fact in enumerate(facts) if getattr(fact, "reason", "") == "journal")
    later = [fact for fact in facts[blocked:] if getattr(fact, "purpose", "") == "ENTRY"]
    assert [fact for fact in later if getattr(fact, "previous", "") == "NEW"] == []


def test_positions_that_are_to_be_kept_are_kept(tmp_path: Path) -> None:
    rig = DeskRig(tmp_path)
    code, report = rig.run(LONG, source=Full(rig, lambda session: session.stop("stop", keep_positions=True)))
    assert code == 1
    held = report["positions_open"]
    assert held
    assert rig.run(60)[0] == 0
    assert rows(rig, "SELECT count(*) FROM fills WHERE run = 2")[0][0] >= len(held)  # closed by the second run's end


def test_a_kill_on_a_full_disk_is_still_latched_at_the_next_start(tmp_path: Path) -> None:
    def kill(session: Session) -> None:
        session.command(CommandRequest(Act.KILL, "tui", "ann", "enough"))

    rig = DeskRig(tmp_path)
    _, report = rig.run(LONG, source=Full(rig, kill))
    assert report["positions_open"] == []
    store = open_store(rig.home.database, "paper", rig.session.plan.clock)
    latched = store.recovered.kill_latched
    store.close()
    assert latched


def test_a_latch_the_journal_does_not_take_stands_as_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FO-03."""

    def refused(*_: Any) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    def kill(session: Session) -> None:
        session.command(CommandRequest(Act.KILL, "tui", "ann", "enough"))

    rig = DeskRig(tmp_path)
    monkeypatch.setattr("store.writer.JournalWriter.write_latch", refused)
    rig.run(LONG, source=Full(rig, kill))
    assert rig.home.latch_file.exists()  # so that `status` says so before anything is read back


def test_rearming_a_running_desk_ends_the_file_that_stood_for_the_latch(tmp_path: Path) -> None:
    async def rearm(session: Session) -> None:
        while (view := session.view()) is None or not view.kill_latched:  # noqa: ASYNC110
            await asyncio.sleep(0)
        await asyncio.wrap_future(session.command(CommandRequest(Act.REARM, "tui", "ann", "checked")))
        session.stop("the latch is lifted")

    rig = DeskRig(tmp_path)
    rig.home.latch_file.touch()
    rig.run(LONG, meddle=rearm)
    assert not rig.home.latch_file.exists()
    assert rows(rig, "SELECT latched FROM kill_changes ORDER BY row") == [(1,), (0,)]


def test_where_nothing_can_be_recorded_nothing_leaves_and_the_next_start_rebuilds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    rig = DeskRig(tmp_path)
    monkeypatch.setattr(Emergency, "_write", full)
    code, report = rig.run(LONG, source=Full(rig))
    monkeypatch.undo()
    assert (code, report["reason"]) == (1, "journal_failed")
    assert any("not durable" in problem for problem in report["problems"])
    assert not rig.home.emergency.exists()
    assert rig.run(60)[0] == 0
    assert rows(rig, "SELECT count(*) FROM journal WHERE kind = 'rejoined'") == [(0,)]


def test_a_folder_that_cannot_be_written_keeps_no_batch_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FD-09: the record is open since the start, so a file system gone read-only for names still takes its lines."""
    record = Emergency(tmp_path / "emergency.jsonl", tmp_path / "ballast")
    assert hold_ballast(tmp_path / "ballast")

    def refuses(path: Path, missing_ok: bool = False) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "unlink", refuses)
    record.begin(7, "ab")
    record.commit(batch(1, 3)).result()
    record.close()
    assert len(list(read_kept(tmp_path / "emergency.jsonl"))) == 1
