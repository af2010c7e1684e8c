"""Retention: archived first, then gone, and the chain holds; nothing that recovery needs ever goes."""

import gzip
import sqlite3
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.session.clock import VirtualClock
from store.archives import BadArchive, archives_folder
from store.audit import Held, proof
from store.chain import newest_anchor
from store.database import open_reader
from store.desk import Store, open_store
from store.errors import Damaged, StoreError
from store.export import export
from store.heads import heads_path, read_heads
from store.queries import open_queries
from store.recovery import Archived
from store.retention import Prunable, Pruned, prunable
from tests.store.making import SECOND, T0, batch, desk, mark, one_of_each, quotes, run_started
from tests.store.test_audit import tampered

LATE = T0 + 10**6 * SECOND


def traded(folder: Path, *, latch: bool = False) -> Store:
    """Two runs; the second one has three snapshots with inputs between and behind them."""
    store = desk(folder)
    facts = [(1, mark("10000")), *one_of_each(1)]
    store.journal.commit(batch(1, [run_started()], facts, snapshot=b"start 1")).result()
    store.journal.latch(False, "one_of_each kills").result()
    if latch:
        store.journal.latch(True, "kill").result()
    store.journal.commit(batch(2, 99)).result()
    store.sign_head("report").result()
    for n in range(5):
        made = batch(101 + 10 * n, 10, [(101 + 10 * n, mark())], "run-2", snapshot=f"state {n}".encode())
        store.journal.commit(made).result()
    store.journal.commit(batch(151, 5, [], "run-2")).result()
    store.sign_head("report").result()
    return store


def can_go(store: Store, before_ns: int = LATE) -> Prunable:
    connection = open_reader(store.path)
    try:
        return prunable(connection, before_ns)
    finally:
        connection.close()


def pruned(store: Store, before_ns: int = LATE) -> Pruned:
    return store.prune(can_go(store, before_ns)).result()


def rows(store: Store, sql: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(store.path)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def lines_of(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rb") as file:
        return [msgspec.json.decode(line) for line in file]


def test_old_rows_go_into_an_archive_and_the_journal_verifies_without_and_with_it(tmp_path: Path) -> None:
    store = traded(tmp_path)
    held = read_heads(heads_path(store.path))
    before = rows(store, "SELECT id, kind, hash FROM journal ORDER BY id")
    done = pruned(store)
    kept = rows(store, "SELECT id, kind, hash FROM journal ORDER BY id")
    assert kept[:-2] == before[done.rows :] and [kind for _, kind, _ in kept[-2:]] == ["anchor", "head"]
    store.close()

    found = proof(store.path, Held(held))
    assert found.is_good and (found.archived, found.archives_checked) == (done.rows, 0)
    assert f"{done.rows} rows, 1 to {done.rows}, are in {done.archive.name} (not checked" in found.notes[0]
    found = proof(store.path, Held(held, [held[0].hash, held[1].hash], [done.archive]))
    assert found.is_good and (found.held, found.archives_checked) == (4, 1)
    assert held[0].row <= done.rows < held[1].row

    told = lines_of(done.archive)
    assert [line["id"] for line in told if "id" in line] == list(range(1, done.rows + 1))
    assert [line["hash"] for line in told if "id" in line] == [hash_.hex() for _, _, hash_ in before[: done.rows]]
    assert {line["snapshot"] for line in told if "snapshot" in line} < {
        row for row, kind, _ in before if kind == "snapshot"
    }


def test_what_recovery_needs_stays_whatever_its_age(tmp_path: Path) -> None:
    store = traded(tmp_path)
    spared = [row for (row,) in rows(store, "SELECT row FROM snapshots ORDER BY row DESC LIMIT 3")]
    allowed = can_go(store)
    assert (allowed.last_row, "newest snapshots" in allowed.limit) == (min(spared) - 1, True)
    pruned(store)
    store.close()
    store = desk(tmp_path)
    assert (store.recovered.snapshot, store.recovered.next_seq) == (b"state 4", 156)
    assert list(store.recovered.tail) == quotes(151, 5)
    store.journal.commit(batch(156, 5, [], "run-2")).result()
    store.journal.commit(batch(161, 5, [], "run-3")).result()
    store.close()
    assert proof(store.path).is_good
    assert rows(store, "SELECT run, run_id FROM runs ORDER BY run") == [(1, "run-1"), (2, "run-2"), (3, "run-3")]


def test_only_rows_before_the_moment_go(tmp_path: Path) -> None:
    store = traded(tmp_path)
    assert can_go(store, T0).rows == 0
    allowed = can_go(store, T0 + 101 * SECOND)
    (first_late,) = rows(store, f"SELECT min(id) FROM journal WHERE at_ns >= {T0 + 101 * SECOND}")[0]
    assert (allowed.last_row, allowed.limit) == (first_late - 1, "it is not older than that")
    store.close()


def test_a_kill_latch_that_stands_stays(tmp_path: Path) -> None:
    store = traded(tmp_path, latch=True)
    (latch,) = rows(store, "SELECT max(id) FROM journal WHERE kind = 'latch'")[0]
    allowed = can_go(store)
    assert (allowed.last_row, "kill latch" in allowed.limit) == (latch - 1, True)
    pruned(store)
    store.close()
    store = desk(tmp_path)
    assert store.recovered.kill_latched
    store.journal.latch(False, "rearmed").result()
    assert can_go(store).last_row > latch
    store.close()


def test_without_a_snapshot_nothing_goes(tmp_path: Path) -> None:
    store = desk(tmp_path)
    store.journal.commit(batch(1, 5)).result()
    assert (can_go(store).rows, can_go(store).limit) == (0, "recovery needs every row: there is no snapshot")
    store.close()


def test_a_snapshot_that_is_damaged_spares_the_rows_the_good_one_needs(tmp_path: Path) -> None:
    store = traded(tmp_path)
    newest = [row for (row,) in rows(store, "SELECT row FROM snapshots ORDER BY row DESC LIMIT 3")]
    connection = sqlite3.connect(store.path)
    connection.execute(f"UPDATE snapshots SET state = x'00' WHERE row IN ({', '.join(map(str, newest))})")
    connection.commit()
    connection.close()
    allowed = can_go(store)
    assert allowed.last_row < min(newest) - 1
    store.close()


def test_every_input_may_be_archived_and_the_numbers_go_on(tmp_path: Path) -> None:
    store = desk(tmp_path)
    store.journal.commit(batch(1, 5, snapshot=b"s")).result()
    done = pruned(store)
    assert rows(store, "SELECT count(*) FROM journal WHERE kind = 'block'") == [(0,)] and done.rows == 2
    store.close()
    store = desk(tmp_path)
    assert (store.recovered.next_seq, store.recovered.snapshot) == (6, b"s")
    store.journal.commit(batch(6, 5)).result()
    store.close()
    assert proof(store.path).is_good


def test_a_second_prune_goes_on_from_the_first(tmp_path: Path) -> None:
    store = traded(tmp_path)
    first = pruned(store, T0 + 60 * SECOND)
    second = pruned(store)
    third = can_go(store)
    assert second.first_kept_row > first.first_kept_row and third.rows == 0
    store.close()
    found = proof(store.path, Held(archives=[first.archive, second.archive]))
    assert found.is_good and (found.archives_checked, found.archived) == (2, first.rows + second.rows)
    connection = open_reader(store.path)
    anchor = newest_anchor(connection)
    connection.close()
    assert anchor is not None and [archive.rows for archive in anchor.archives] == [first.rows, second.rows]
    for ask in (lambda: store.run_inputs("run-1"), lambda: list(store.run_facts("run-1"))):
        with pytest.raises(Archived) as caught:
            ask()
        names = f"{first.archive.name}, {second.archive.name}"
        assert str(caught.value) == f"the rows run run-1 began with are archived: {names}"


def test_an_archive_that_was_changed_cut_or_swapped_is_found(tmp_path: Path) -> None:
    store = traded(tmp_path)
    first, second = pruned(store, T0 + 60 * SECOND), pruned(store)
    store.close()
    whole = first.archive.read_bytes()
    first.archive.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert "its SHA-256 is not the one" in proof(store.path, Held(archives=[first.archive])).faults[0]
    first.archive.write_bytes(second.archive.read_bytes())
    assert proof(store.path, Held(archives=[first.archive])).is_good  # the other one under its name: it is that one
    first.archive.write_bytes(b"rubbish")
    assert "it is no archive" in proof(store.path, Held(archives=[first.archive])).faults[0]
    (tmp_path / "other").mkdir()
    other = traded(tmp_path / "other", latch=True)
    foreign = pruned(other, T0 + 50 * SECOND)
    other.close()
    assert proof(store.path, Held(archives=[foreign.archive])).faults
    assert "knows of no archive" in proof(desk_without_archives(tmp_path), Held(archives=[second.archive])).faults[0]


def desk_without_archives(folder: Path) -> Path:
    (folder / "plain").mkdir()
    store = traded(folder / "plain")
    store.close()
    return store.path


@pytest.mark.parametrize(
    "forgery",
    [
        "UPDATE journal SET body = replace(body, '\"last_row\":', '\"last_row\":1') WHERE kind = 'anchor'",
        "UPDATE journal SET body = replace(body, 'jsonl', 'json') WHERE kind = 'anchor'",
        "DELETE FROM journal WHERE kind = 'anchor'",
        "DELETE FROM journal WHERE id = (SELECT min(id) FROM journal)",
    ],
)
def test_an_anchor_cannot_be_changed_nor_more_be_taken_away(tmp_path: Path, forgery: str) -> None:
    store = traded(tmp_path)
    pruned(store)
    store.close()
    tampered(store.path, forgery)
    assert not proof(store.path).is_good


def test_triggers_stay_in_force(tmp_path: Path) -> None:
    store = traded(tmp_path)
    statements = ["DELETE FROM journal WHERE id = 1", "UPDATE journal SET at_ns = 0 WHERE id = 1"]
    for statement in statements:
        with pytest.raises(sqlite3.IntegrityError, match="journal rows are never"):
            store._connection.execute(statement)
    done = pruned(store)
    for statement in (f"DELETE FROM journal WHERE id = {done.first_kept_row}", "UPDATE journal SET at_ns = 0"):
        with pytest.raises(sqlite3.IntegrityError, match="journal rows are never"):
            store._connection.execute(statement)
    store.close()


def test_nothing_goes_when_the_archive_cannot_be_written_or_read_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = traded(tmp_path)
    before = proof(store.path)

    def full(path: Path) -> None:
        raise OSError(28, "No space left on device")

    def unread(*args: object) -> None:
        raise BadArchive("read back otherwise")

    for name, double in (("sync_file", full), ("check_archive", unread)):
        with monkeypatch.context() as patch:
            patch.setattr(f"store.archives.{name}", double)
            assert isinstance(store.prune(can_go(store)).exception(), BadArchive)
        assert proof(store.path) == before and list(archives_folder(store.path).iterdir()) == []
    assert store.journal.failure is None
    store.close()


def test_a_delete_that_fails_takes_the_anchor_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = traded(tmp_path)
    before = proof(store.path)

    def broken(connection: object, head: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr("store.writer.record_head", broken)
    assert store.prune(can_go(store)).exception() is not None
    assert proof(store.path) == before
    store.close()


def test_a_disk_without_room_to_shrink_the_file_is_said_and_harms_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = traded(tmp_path)
    monkeypatch.setattr("store.retention._give_back", lambda connection: "the database keeps its size: full")
    assert pruned(store).problem == "the database keeps its size: full"
    store.close()
    assert proof(store.path).is_good


async def test_tables_keep_their_rows_and_what_is_gone_is_said(tmp_path: Path) -> None:
    store = traded(tmp_path)
    tables = {name: rows(store, f"SELECT * FROM {name}") for name in ("fills", "trades", "signals", "runs", "orders")}
    done = pruned(store)
    assert {name: rows(store, f"SELECT * FROM {name}") for name in tables} == tables
    with pytest.raises(Archived, match=done.archive.name):
        store.run_inputs("run-1")
    with pytest.raises(StoreError, match="archived"):
        store.rebuild_projections().result()
    assert store.journal.failure is None
    assert {name: rows(store, f"SELECT * FROM {name}") for name in tables} == tables
    async with open_queries(store.path) as reader:
        assert [event.kind for event in await reader.events(limit=2)] == ["head", "anchor"]
        assert len(await reader.trace("s1")) > 5
    made = export(store.path, tmp_path / "out", "jsonl")
    assert done.archive.name in made.left_out["journal and inputs, archived rows"]
    store.close()


def test_a_backup_from_before_the_prune_still_restores(tmp_path: Path) -> None:
    store = traded(tmp_path)
    store.backup()
    pruned(store)
    store.close()
    store.path.unlink()
    store = desk(tmp_path)
    assert store.restored is not None and store.recovered.next_seq == 156
    store.close()
    assert proof(store.path).is_good


def test_a_backup_from_after_the_prune_restores_and_counts_what_is_lost(tmp_path: Path) -> None:
    store = traded(tmp_path)
    pruned(store)
    store.backup()
    store.journal.commit(batch(156, 7, [], "run-2")).result()
    store.close()
    with store.path.open("r+b") as file:
        file.seek(3 * 4096)
        file.write(b"\x5a" * 20_000)
    store = desk(tmp_path)
    assert store.restored is not None and store.restored.lost_inputs in (7, None)
    assert store.recovered.next_seq == 156
    store.close()
    assert proof(store.path).is_good


def test_without_a_good_state_a_pruned_journal_is_damaged_and_no_empty_desk(tmp_path: Path) -> None:
    """The rows that could rebuild the core are in the archive: to begin with nothing would forget its positions."""
    store = traded(tmp_path)
    pruned(store)
    store.backup()
    store.close()
    tampered(store.path, "UPDATE snapshots SET state = x'00' WHERE is_start = 0")
    with pytest.raises(Damaged, match=r"written, and the rows up to \d+ that could rebuild it are archived$"):
        open_store(store.path, "paper", VirtualClock(T0), threaded=False, may_restore=False)
    store = desk(tmp_path)
    assert store.restored is not None and "no state of the core" in store.restored_text
    assert store.recovered.snapshot == b"state 4"
    store.close()
