"""Whatever single operation fails, the store opens again with all it acknowledged, and with nothing half done.

Every statement and every file call of the work below fails in its turn: once, from then on, or carried out and failing
all the same. Afterwards the desk is opened on a healthy disk and looked at.
"""

import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from store import migrations
from store.backup import backup_path
from store.database import reading
from store.desk import Store
from store.errors import StoreError
from store.recovery import verify_file
from store.rows import PROJECTED
from tests.store.making import batch, desk, one_of_each, quotes, run_started
from tests.store.nth import CARRIED_OUT, HOWS, Nth, file_calls, statements

REPORT = '{"status": "success"}'
QUICK = 9  # the default suite lets every ninth operation fail, all of them `make sim`


class Work:
    """What a desk did until something failed. `acknowledged`: the last input said to be durable; `latched`: a kill."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.acknowledged = 0
        self.latched = False

    def open_and_write(self) -> None:
        """Open, write batches with one of each fact and a snapshot, sign, report, latch; end in order."""
        store = desk(self.folder)
        try:
            self._write(store)
        finally:
            store.close()

    def _write(self, store: Store) -> None:
        first = store.recovered.next_seq
        begun = batch(first, [run_started("run-2"), *quotes(first + 1, 4)], run_id="run-2", snapshot=b"a")
        for work in (
            begun,
            batch(first + 5, 5, one_of_each(first + 5), "run-2"),
            batch(first + 10, 5, (), "run-2", b"b"),
        ):
            store.journal.commit(work).result()
            self.acknowledged = work.first_seq + len(work.inputs) - 1
        store.sign_head("report").result()
        store.record_report("run-2", REPORT).result()
        store.journal.latch(True, "kill").result()
        self.latched = True

    def back_up(self) -> None:
        """A backup of a desk that is open."""
        store = desk(self.folder)
        try:
            store.backup()
        finally:
            store.close()


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A desk that has lived: a run of ten inputs, a backup, an orderly end."""
    folder = tmp_path_factory.mktemp("before")
    store = desk(folder)
    store.journal.commit(batch(1, [run_started(), *quotes(2, 4)], snapshot=b"0")).result()
    store.journal.commit(batch(6, 5)).result()
    store.backup()
    store.close()
    return folder


def tables(store: Store) -> dict[str, list[tuple[object, ...]]]:
    with reading(store.path) as connection:
        return {table: connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall() for table in PROJECTED}


def assert_whole(work: Work, ends: set[int]) -> None:
    """All that was acknowledged, to the end of a batch; one chain; tables as the journal has them; it goes on."""
    store = desk(work.folder)
    try:
        checked = store.verify()
        assert checked.is_good, checked.bad
        assert store.restored_text == ""
        assert checked.inputs >= work.acknowledged
        assert checked.inputs in ends
        assert store.recovered.kill_latched or not work.latched
        found = tables(store)
        store.rebuild_projections().result()
        assert tables(store) == found
        store.journal.commit(batch(checked.inputs + 1, 3, run_id="after")).result()
        assert store.backup().inputs == checked.inputs + 3
    finally:
        store.close()
    assert not list(work.folder.rglob("*.unfinished*"))


def every_n(ram: Path, before: Path | None, how: str, step: int, act: Callable[[Work, Nth], None]) -> None:
    """Let operation 1, 1 + step, … of `act` fail on a copy of `before`, until the work is done without a failure."""
    ends = {0, 5, 10, 15} if before is None else {10, 15, 20, 25}
    for n in range(1, 10_000, step):
        folder = ram / str(n)
        if before is None:
            folder.mkdir()
        else:
            shutil.copytree(before, folder)
        work, nth = Work(folder), Nth(n, how)
        try:
            act(work, nth)
        except (StoreError, OSError) as error:
            assert nth.failed, error
        assert_whole(work, ends)
        shutil.rmtree(folder)
        if not nth.failed:
            assert n > 1
            return
    raise AssertionError("it never came to an end")


def writes(work: Work, nth: Nth) -> None:
    with statements(nth):
        work.open_and_write()


def writes_files(work: Work, nth: Nth) -> None:
    with file_calls(nth, work.folder):
        work.open_and_write()


STEPS = [pytest.param(QUICK, id="quick"), pytest.param(1, id="every", marks=pytest.mark.sim)]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("how", HOWS)
def test_any_statement_of_a_desk_at_work_may_fail(ram: Path, before: Path, how: str, step: int) -> None:
    """FD-01, FD-05, FP-12."""
    every_n(ram, before, how, step, writes)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("how", HOWS)
def test_any_statement_of_a_first_start_may_fail(ram: Path, how: str, step: int) -> None:
    """FD-05, FD-20: the schema is made step by step, each whole or absent."""
    every_n(ram, None, how, step, writes)


@pytest.mark.parametrize("how", HOWS)
def test_any_file_call_of_a_desk_at_work_may_fail(ram: Path, before: Path, how: str) -> None:
    """FD-05, FD-06, FD-25."""
    every_n(ram, before, how, 1, writes_files)


@pytest.mark.parametrize("how", HOWS)
def test_any_file_call_of_a_first_start_may_fail(ram: Path, how: str) -> None:
    """FD-06, FS-14: keys, heads and the database are each made whole or not at all."""
    every_n(ram, None, how, 1, writes_files)


@pytest.mark.parametrize("seam", [statements, file_calls])
@pytest.mark.parametrize("how", HOWS)
def test_any_operation_of_a_backup_may_fail(ram: Path, before: Path, how: str, seam: object) -> None:
    """FD-26: the backup of before or the new one is whole under the name, and the desk's own file is not touched."""

    def act(work: Work, nth: Nth) -> None:
        store = desk(work.folder)
        try:
            with statements(nth) if seam is statements else file_calls(nth, work.folder):
                store.backup()
        finally:
            store.close()
            assert verify_file(backup_path(store.path)).inputs == 10

    every_n(ram, before, how, 1, act)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("seam", [statements, file_calls])
@pytest.mark.parametrize("how", HOWS)
def test_any_operation_of_a_restore_may_fail(ram: Path, before: Path, how: str, seam: object, step: int) -> None:
    """FD-10, FD-26: a restore that was interrupted begins again, and what it restores is the backup."""
    damaged = ram / "damaged"
    shutil.copytree(before, damaged)
    with (damaged / "desk.db").open("r+b") as file:
        file.write(b"\x5a" * 100)
    for n in range(1, 10_000, step):
        folder = ram / str(n)
        shutil.copytree(damaged, folder)
        nth = Nth(n, how)
        try:
            with statements(nth) if seam is statements else file_calls(nth, folder):
                desk(folder).close()
        except (StoreError, OSError) as error:
            assert nth.failed, error
        store = desk(folder)
        assert store.verify().is_good
        assert store.verify().inputs == store.recovered.next_seq - 1 == 10
        with reading(store.path) as connection:
            told = connection.execute("SELECT count(*) FROM journal WHERE kind = 'restored'").fetchone()[0]
        store.close()
        shutil.rmtree(folder)
        if not nth.failed:
            assert told == 1
            return


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("how", HOWS)
def test_any_statement_of_a_migration_may_fail(
    ram: Path, before: Path, how: str, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FD-20: the schema is the old one or the new one, and the next start completes it."""
    folder = ram / "sql"
    shutil.copytree(migrations._FOLDER, folder)
    number = migrations.known_version() + 1
    more = "ALTER TABLE runs ADD COLUMN mood TEXT NOT NULL DEFAULT 'calm'; CREATE INDEX moods ON runs (mood);"
    (folder / f"{number:04}_more.sql").write_text(more)
    monkeypatch.setattr(migrations, "_FOLDER", folder)

    def act(work: Work, nth: Nth) -> None:
        with statements(nth):
            work.back_up()

    every_n(ram, before, how, step, act)


def test_a_commit_that_is_durable_and_yet_raises_is_called_unknown(ram: Path, before: Path) -> None:
    """FD-05: what the journal says after it is only that the file must be asked."""
    seen = 0
    for n in range(1, 300):
        folder = ram / str(n)
        shutil.copytree(before, folder)
        work, nth = Work(folder), Nth(n, CARRIED_OUT)
        with suppress(StoreError, OSError):
            writes(work, nth)
        if nth.failed == ["COMMIT"] and work.acknowledged < 25:
            seen += verify_file(folder / "desk.db").inputs > work.acknowledged
        shutil.rmtree(folder)
        if not nth.failed:
            break
    assert seen == 3  # each of the three batches once
