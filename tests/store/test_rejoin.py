"""The emergency record goes back into the journal: each input once, and what cannot go is told."""

import json
import logging
import shutil
from pathlib import Path

import pytest

from engine.core.facts import KillChanged
from engine.session.emergency import Emergency
from engine.session.ports import Batch
from store.desk import Store
from store.recovery import verify_file
from store.rejoin import NAME, Rejoined, rejoin
from tests.store.making import T0, batch, desk, mark, one_of_each, run_started

FIRST = batch(1, [run_started()], one_of_each(1), snapshot=b"state")


def kept(folder: Path, *batches: Batch, report: str = "") -> Path:
    path = folder / NAME
    record = Emergency(path, folder / "ballast")
    for one in batches:
        record.commit(one).result()
    if report:
        record.report("run-1", report)
    record.close()
    return path


def stands(store: Store) -> tuple[int, int]:
    """Next input and number of rows."""
    checked = store.verify()
    assert checked.is_good, checked.bad
    return store.recovered.next_seq, checked.inputs


@pytest.mark.parametrize("durable", [0, 1, 2, 3])
def test_what_the_journal_lacks_is_read_back_and_no_input_twice(tmp_path: Path, durable: int) -> None:
    batches = [FIRST, batch(2, 5), batch(7, 4)]
    store = desk(tmp_path)
    for one in batches[:durable]:
        store.journal.commit(one).result()
    store.close()
    kept(tmp_path, *batches, report='{"net":1}')
    store = desk(tmp_path)
    assert stands(store) == (11, 10)
    assert store._connection.execute("SELECT count(*) FROM fills").fetchone() == (4,)
    assert store._connection.execute("SELECT report FROM runs").fetchone() == ('{"net":1}',)
    assert store.restored_text == ""
    store.close()
    assert not (tmp_path / NAME).exists()


def test_a_reading_back_that_was_interrupted_is_done_again(tmp_path: Path) -> None:
    path = kept(tmp_path, FIRST, batch(2, 5))
    shutil.copy(path, tmp_path / "copy")
    desk(tmp_path).close()
    shutil.copy(tmp_path / "copy", path)
    store = desk(tmp_path)
    assert stands(store) == (7, 6)
    store.close()


def test_a_record_behind_a_gap_is_kept_and_told(tmp_path: Path) -> None:
    store = desk(tmp_path)
    store.journal.commit(FIRST).result()
    store.close()
    kept(tmp_path, batch(5, 5))
    store = desk(tmp_path)
    assert stands(store) == (2, 1)
    assert "goes on with input 5, and the journal ends before input 2" in store.restored_text
    store.close()
    assert len(list(tmp_path.glob(f"{NAME}.unread-*"))) == 1
    assert desk(tmp_path).restored_text == ""


def test_a_batch_that_is_there_in_part_is_not_believed(tmp_path: Path) -> None:
    store = desk(tmp_path)
    store.journal.commit(FIRST).result()
    store.journal.commit(batch(2, 3)).result()
    store.close()
    kept(tmp_path, batch(2, 6))
    store = desk(tmp_path)
    assert "2 to 7 are in the journal in part, up to 4" in store.restored_text
    store.close()


def test_a_damaged_record_is_kept_and_told(tmp_path: Path) -> None:
    path = kept(tmp_path, FIRST)
    path.write_bytes(path.read_bytes().replace(b"run-1", b"run-2"))
    store = desk(tmp_path)
    assert "is not what was written" in store.restored_text
    assert stands(store) == (1, 0)
    store.close()


def test_what_stands_before_a_damaged_line_is_read_back(tmp_path: Path) -> None:
    path = kept(tmp_path, FIRST, batch(2, 5), batch(7, 4))
    lines = path.read_bytes().split(b"\n")
    lines[1] = lines[1][:-1] + b"]"
    path.write_bytes(b"\n".join(lines))
    store = desk(tmp_path)
    assert f"{NAME}:2: is not what was written" in store.restored_text
    assert stands(store) == (2, 1)
    store.close()
    (aside,) = tmp_path.glob(f"{NAME}.unread-*")
    assert aside.read_bytes() == b"\n".join(lines)


@pytest.mark.parametrize(
    ("batches", "spoil", "told"),
    [
        ([FIRST, batch(2, 5), batch(7, 4)], None, (2, 9, "")),
        (
            [FIRST, batch(2, 5), batch(9, 4)],
            None,
            (1, 5, "it goes on with input 9, and the journal ends before input 7"),
        ),
        ([FIRST, batch(2, 5), batch(7, 4)], 2, (1, 5, "emergency.jsonl:3: is not what was written")),
    ],
)
def test_the_journal_says_how_much_came_back_and_what_is_lacking(
    tmp_path: Path, batches: list[Batch], spoil: int | None, told: tuple[int, int, str]
) -> None:
    store = desk(tmp_path)
    store.journal.commit(FIRST).result()
    store.close()
    path = kept(tmp_path, *batches)
    if spoil is not None:
        lines = path.read_bytes().split(b"\n")
        lines[spoil] = lines[spoil][:-1] + b"]"
        path.write_bytes(b"\n".join(lines))
    store = desk(tmp_path)
    (body,) = store._connection.execute("SELECT body FROM journal WHERE kind = 'rejoined'").fetchone()
    store.close()
    noted = json.loads(body)
    assert (noted["batches"], noted["inputs"], noted["lost"].removeprefix(f"{tmp_path}/")) == told


def rejoined(store: Store, caplog: pytest.LogCaptureFixture) -> tuple[Rejoined, list[tuple[int, str]], list[str]]:
    """What came of the record, what the log says of it, and under which name the record is kept."""
    caplog.clear()
    done = rejoin(store._writer, store.path, T0 + 5)
    said = [(one.levelno, one.getMessage()) for one in caplog.records]
    return done, said, [path.name for path in store.path.parent.glob(f"{NAME}*")]


def test_what_came_back_and_what_did_not_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = desk(tmp_path)
    assert rejoined(store, caplog) == (Rejoined(), [], [])
    kept(tmp_path, FIRST, batch(2, 5), batch(7, 4))
    back = [(logging.WARNING, "10 inputs of the emergency record were read back into the journal")]
    assert rejoined(store, caplog) == (Rejoined(3, 10, ""), back, [f"{NAME}.read-{T0 + 5}"])
    (tmp_path / f"{NAME}.read-{T0 + 5}").unlink()
    kept(tmp_path, batch(7, 4))
    assert rejoined(store, caplog) == (Rejoined(0, 0, ""), [], [f"{NAME}.read-{T0 + 5}"])
    (tmp_path / f"{NAME}.read-{T0 + 5}").unlink()
    kept(tmp_path, batch(11, 2), batch(20, 1))
    gap = "it goes on with input 20, and the journal ends before input 13"
    told = [(logging.ERROR, f"the emergency record is not all in the journal: {gap}")]
    assert rejoined(store, caplog) == (Rejoined(1, 2, gap), told, [f"{NAME}.unread-{T0 + 5}"])
    store.close()


def test_batches_behind_a_report_and_such_of_facts_alone_come_back_too(tmp_path: Path) -> None:
    store = desk(tmp_path)
    store.journal.commit(FIRST).result()
    record = Emergency(tmp_path / NAME, tmp_path / "ballast")
    record.report("run-1", '{"net":1}')
    record.commit(batch(2, 0, [(1, mark("1"))])).result()
    record.commit(batch(2, 2)).result()
    record.close()
    assert rejoin(store._writer, store.path, T0) == Rejoined(2, 2, "")
    assert store._connection.execute("SELECT count(*) FROM equity_marks").fetchone() == (2,)
    assert store._connection.execute("SELECT report FROM runs").fetchone() == ('{"net":1}',)
    store.close()


def test_a_kill_in_the_record_is_latched(tmp_path: Path) -> None:
    kill = KillChanged(T0, True, "tui", "ann", "enough")
    kept(tmp_path, FIRST, batch(2, 3, [(2, kill)]))
    store = desk(tmp_path)
    assert store.recovered.kill_latched
    store.close()


def test_without_a_record_nothing_is_noted(tmp_path: Path) -> None:
    (tmp_path / NAME).touch()
    desk(tmp_path).close()
    assert verify_file(tmp_path / "desk.db").rows == 0
