"""The file: made for one env, opened only as that, with settings that were really taken."""

import sqlite3
import stat
from pathlib import Path
from typing import NamedTuple

import pytest

from engine.session.clock import VirtualClock
from store import database, migrations
from store.database import open_reader, open_writer, stamped_env
from store.desk import open_store
from store.errors import Damaged, NewerSchema, StoreError, Unwritable, WrongEnv
from store.recovery import verify_file
from tests.store.making import T0, batch, desk, round_trip


class Mount(NamedTuple):
    mountpoint: str
    fstype: str


def pragma(connection: sqlite3.Connection, name: str) -> object:
    return connection.execute(f"PRAGMA {name}").fetchone()[0]


def test_the_settings_are_those_promised(tmp_path: Path) -> None:
    connection = open_writer(tmp_path / "desk.db", "paper", T0)
    assert pragma(connection, "journal_mode") == "wal"
    assert pragma(connection, "synchronous") == 2
    assert pragma(connection, "foreign_keys") == 1
    assert pragma(connection, "journal_size_limit") == 64 * 1024 * 1024
    assert pragma(connection, "trusted_schema") == 0
    assert pragma(connection, "application_id") == 0x4E44534B
    assert pragma(connection, "user_version") == migrations.known_version()
    connection.close()


def test_a_setting_that_is_not_taken_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(database._PRAGMAS, "page_count", 7)
    with pytest.raises(StoreError, match="page_count"):
        open_writer(tmp_path / "desk.db", "paper", T0)


def test_the_files_belong_to_their_owner_alone(tmp_path: Path) -> None:
    """FS-05, FS-19."""
    store = desk(tmp_path)
    store.journal.commit(batch(1, 5)).result()
    store.backup()
    store.sign_head("report").result()
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*") if path.is_file()}
    store.close()
    assert set(modes) == {
        *("desk.db", "desk.db-wal", "desk.db-shm", "desk.db.bak", "heads.jsonl", "desk.pem", "desk.pub.pem")
    }
    assert set(modes.values()) == {0o600}


@pytest.mark.parametrize(("made", "opened"), [("paper", "live"), ("live", "paper")])
def test_a_database_never_opens_as_the_other_env(tmp_path: Path, made: str, opened: str) -> None:
    """FO-10."""
    desk(tmp_path, made).close()
    assert stamped_env(tmp_path / "desk.db") == made
    before = (tmp_path / "desk.db").read_bytes()
    with pytest.raises(WrongEnv, match=f"is a {made} database and was opened as {opened}"):
        desk(tmp_path, opened)
    assert (tmp_path / "desk.db").read_bytes() == before


def test_a_database_of_a_newer_program_is_left_alone(tmp_path: Path) -> None:
    """FD-21."""
    desk(tmp_path).close()
    connection = sqlite3.connect(tmp_path / "desk.db")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(
        NewerSchema, match=f"version 99; this program knows versions up to {migrations.known_version()}"
    ):
        desk(tmp_path)


def test_a_foreign_database_is_not_taken_over(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "desk.db")
    connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    with pytest.raises(Damaged, match="not a Nightdesk database"):
        desk(tmp_path)


def test_what_a_crash_before_the_first_commit_leaves_is_a_new_desk(tmp_path: Path) -> None:
    (tmp_path / "desk.db").touch(0o600)
    store = desk(tmp_path)
    assert store.recovered.next_seq == 1
    store.close()


def test_a_missing_folder_is_unwritable(tmp_path: Path) -> None:
    """FD-17."""
    with pytest.raises(Unwritable, match="No such file"):
        open_store(tmp_path / "nowhere" / "desk.db", "paper", VirtualClock(T0))


def test_a_reader_can_only_read(tmp_path: Path) -> None:
    """FD-16."""
    desk(tmp_path).close()
    connection = open_reader(tmp_path / "desk.db")
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        connection.execute("INSERT INTO migrations VALUES (9, 'x', 0)")
    connection.close()


@pytest.fixture
def second_schema(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The schema of a later program: one more step."""
    folder = tmp_path_factory.mktemp("sql")
    for script in migrations._scripts():
        (folder / script.name).write_bytes(script.read_bytes())
    number = migrations.known_version() + 1
    step = folder / f"{number:04}_more.sql"
    step.write_text("ALTER TABLE runs ADD COLUMN mood TEXT NOT NULL DEFAULT 'calm';", encoding="utf-8")
    monkeypatch.setattr(migrations, "_FOLDER", folder)
    return step


def test_an_older_schema_is_copied_aside_and_brought_up_to_date(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    version = migrations.known_version()
    store = desk(tmp_path)
    store.journal.commit(batch(1, 5, round_trip(1))).result()
    store.close()
    request.getfixturevalue("second_schema")
    store = desk(tmp_path)
    connection = open_reader(store.path)
    assert connection.execute("SELECT mood FROM runs").fetchall() == [("calm",)]
    assert pragma(connection, "user_version") == version + 1
    assert [row[0] for row in connection.execute("SELECT version FROM migrations")] == list(range(1, version + 2))
    connection.close()
    store.close()
    copy = tmp_path / f"desk.db.schema-{version}"
    assert verify_file(copy).inputs == 5
    connection = open_reader(copy)
    assert pragma(connection, "user_version") == version
    connection.close()


def test_a_step_that_fails_changes_nothing(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """FD-20."""
    version = migrations.known_version()
    desk(tmp_path).close()
    step = request.getfixturevalue("second_schema")
    step.write_text("CREATE TABLE half (x); INSERT INTO nowhere VALUES (1);", encoding="utf-8")
    with pytest.raises(StoreError, match="nowhere"):
        desk(tmp_path)
    connection = open_reader(tmp_path / "desk.db")
    assert pragma(connection, "user_version") == version
    assert connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'half'").fetchone() == (0,)
    connection.close()


def test_a_file_moved_away_under_the_desk_is_noticed(tmp_path: Path) -> None:
    """FD-13."""
    store = desk(tmp_path)
    assert store.is_in_place()
    store.path.rename(tmp_path / "moved.db")
    assert not store.is_in_place()
    store.path.touch()
    assert not store.is_in_place()
    store.close()


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse.sshfs"])
def test_a_network_file_system_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """FD-23."""
    mounts = [Mount("/", "ext4"), Mount(str(tmp_path), kind), Mount(str(tmp_path / "local"), "ext4")]
    monkeypatch.setattr("store.database.psutil.disk_partitions", lambda all: mounts)
    with pytest.raises(Unwritable, match=rf"network file system \({kind} at {tmp_path}\)"):
        open_writer(tmp_path / "desk.db", "paper", 1)
    assert not list(tmp_path.iterdir())
    (tmp_path / "local").mkdir()
    open_writer(tmp_path / "local" / "desk.db", "paper", 1).close()


def test_without_a_table_of_mounts_the_database_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(all: bool) -> list[Mount]:
        raise PermissionError("/proc/filesystems")

    monkeypatch.setattr("store.database.psutil.disk_partitions", refuse)
    open_writer(tmp_path / "desk.db", "paper", 1).close()
