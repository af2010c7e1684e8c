"""The second copy: whole at every moment, and put in place when the first is damaged."""

import sqlite3
from pathlib import Path

import pytest

from store import database
from store.backup import backup_path
from store.desk import Store
from store.errors import Damaged, StoreError, WrongEnv
from store.recovery import verify_file
from tests.store.making import batch, desk, quotes


def traded(folder: Path, *, backed_up_at: int = 100, inputs: int = 130) -> Path:
    """A closed desk of `inputs` inputs whose backup holds the first `backed_up_at`."""
    store = desk(folder, threaded=True)
    store.journal.commit(batch(1, backed_up_at, snapshot=b"s")).result()
    store.journal.latch(True, "test").result()
    store.backup()
    store.journal.commit(batch(backed_up_at + 1, inputs - backed_up_at)).result()
    store.close()
    return store.path


def overwrite(path: Path, offset: int, count: int) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b"\x5a" * count)


def test_a_backup_is_one_whole_file_of_its_moment(tmp_path: Path) -> None:
    store = desk(tmp_path, threaded=True)
    store.journal.commit(batch(1, 10)).result()
    made = store.backup()
    store.journal.commit(batch(11, 10)).result()
    assert (made.rows, made.inputs, made.size_bytes) == (2, 10, made.path.stat().st_size)
    assert verify_file(made.path).inputs == 10
    assert store.backup().inputs == 20
    store.close()
    assert sorted(path.name for path in tmp_path.glob("desk*")) == ["desk.db", "desk.db.bak"]


def test_a_backup_that_fails_leaves_the_older_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = desk(tmp_path)
    store.journal.commit(batch(1, 10)).result()
    store.backup()
    store.journal.commit(batch(11, 10)).result()

    def found_damage(connection: sqlite3.Connection, path: Path) -> None:
        raise Damaged(f"{path}: row 1 missing from index")

    monkeypatch.setattr(database, "quick_check", found_damage)
    with pytest.raises(Damaged):
        store.backup()
    monkeypatch.undo()
    store.close()
    assert verify_file(backup_path(store.path)).inputs == 10
    assert sorted(path.name for path in tmp_path.glob("desk*")) == ["desk.db", "desk.db.bak"]


@pytest.mark.parametrize(("offset", "count"), [(0, 100), (40, 60), (4096, 4096), (3 * 4096 + 7, 50_000)])
def test_a_damaged_database_gives_way_to_its_backup(tmp_path: Path, offset: int, count: int) -> None:
    path = traded(tmp_path)
    overwrite(path, offset, count)
    damaged = path.read_bytes()
    store = desk(tmp_path)
    assert store.restored is not None
    assert store.restored.damaged is not None
    assert store.restored.damaged.read_bytes() == damaged
    assert store.restored.lost_inputs in (30, None)
    assert store.restored.damaged.name in store.restored.text
    assert store.recovered.next_seq == 101
    assert store.recovered.kill_latched
    assert store.recovered.snapshot == b"s"
    store.journal.commit(batch(101, quotes(101, 5), run_id="run-2")).result()
    assert kinds(store)[-4:] == ["restored", "head", "run", "block"]
    store.close()
    assert verify_file(path).is_good


def test_a_tampered_tail_is_restored_and_the_loss_counted(tmp_path: Path) -> None:
    path = traded(tmp_path)
    connection = sqlite3.connect(path)
    connection.execute("DROP TRIGGER journal_is_never_changed")
    connection.execute("UPDATE journal SET at_ns = 7 WHERE seq = 101")
    connection.commit()
    connection.close()
    store = desk(tmp_path)
    assert store.restored is not None
    assert store.restored.lost_inputs == 30
    assert store.restored.text.startswith("The database was restored from its backup, 30 events are missing")
    store.close()


def test_a_vanished_database_is_restored_not_begun_anew(tmp_path: Path) -> None:
    path = traded(tmp_path)
    path.unlink()
    store = desk(tmp_path)
    assert store.restored is not None
    assert (store.restored.damaged, store.restored.lost_inputs) == (None, None)
    assert store.recovered.next_seq == 101
    store.close()


def test_a_wal_left_behind_is_not_played_into_the_restored_file(tmp_path: Path) -> None:
    store = desk(tmp_path)
    store.journal.commit(batch(1, 100)).result()
    store.backup()
    store.journal.commit(batch(101, 30)).result()
    wal = store.path.with_name("desk.db-wal")
    left_behind = wal.read_bytes()
    store.close()
    store.path.unlink()
    wal.write_bytes(left_behind)
    store = desk(tmp_path)
    assert store.restored is not None
    assert store.recovered.next_seq == 101
    store.close()
    assert verify_file(store.path).is_good


def test_an_interrupted_restore_begins_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = traded(tmp_path)
    overwrite(path, 0, 100)

    def power_cut(source: sqlite3.Connection, target: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("store.backup.copy_database", power_cut)
    with pytest.raises(KeyboardInterrupt):
        desk(tmp_path)
    monkeypatch.undo()
    assert not path.exists()
    store = desk(tmp_path)
    assert store.recovered.next_seq == 101
    store.close()


def test_when_both_are_bad_nothing_is_moved(tmp_path: Path) -> None:
    path = traded(tmp_path)
    overwrite(path, 0, 100)
    overwrite(backup_path(path), 4096, 20_000)
    with pytest.raises(Damaged, match="Failed to load state"):
        desk(tmp_path)
    assert sorted(path.name for path in tmp_path.glob("desk*") if "-" not in path.name) == ["desk.db", "desk.db.bak"]


def test_without_a_backup_damage_is_said(tmp_path: Path) -> None:
    path = traded(tmp_path)
    backup_path(path).unlink()
    overwrite(path, 0, 100)
    with pytest.raises(Damaged, match=r"desk\.db"):
        desk(tmp_path)


def test_the_other_envs_backup_is_never_restored(tmp_path: Path) -> None:
    path = traded(tmp_path)
    path.unlink()
    with pytest.raises(WrongEnv):
        desk(tmp_path, "live")
    assert not path.exists()


def test_a_backup_runs_while_the_desk_writes(tmp_path: Path) -> None:
    store = desk(tmp_path, threaded=True)
    futures = []
    for n in range(200):
        futures.append(store.journal.commit(batch(1 + 50 * n, 50)))
        if n % 50 == 25:
            made = store.backup()
            assert verify_file(made.path).is_good
    assert all(future.result() for future in futures)
    assert isinstance(store.journal.failure, StoreError | None)
    store.close()
    assert store.verify().inputs == 10_000


def kinds(store: Store) -> list[str]:
    connection = sqlite3.connect(store.path)
    try:
        return [kind for (kind,) in connection.execute("SELECT kind FROM journal ORDER BY id")]
    finally:
        connection.close()
