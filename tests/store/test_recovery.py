"""Recovery: the newest good snapshot, the inputs after it, and every run from its own start."""

import sqlite3
from pathlib import Path
from unittest import mock

import pytest

from engine.core.facts import AnyFact, KillChanged
from store.chain import next_input
from store.database import open_reader, reading
from store.desk import Store
from store.errors import Damaged
from store.inputs import Inputs
from store.recovery import (
    Archived,
    UnknownRun,
    is_latched,
    newest_snapshot_row,
    rows_around,
    run_facts,
    run_inputs,
)
from tests.store.making import SECOND, T0, batch, desk, mark, one_of_each, quotes, raised, round_trip, run_started


def change(path: Path, *statements: str) -> None:
    """Write into the file as nobody should."""
    connection = sqlite3.connect(path, isolation_level=None)
    for trigger in ("journal_is_never_changed", "journal_is_never_deleted", "journal_only_grows"):
        connection.execute(f"DROP TRIGGER {trigger}")
    for statement in statements:
        connection.execute(statement)
    connection.close()


def reopened(store: Store) -> Store:
    store.close()
    return desk(store.path.parent)


def test_a_new_desk_remembers_nothing(tmp_path: Path) -> None:
    store = desk(tmp_path)
    remembered = store.recovered
    assert (remembered.snapshot, remembered.next_seq, remembered.rows, list(remembered.tail)) == (None, 1, 0, [])
    store.close()


def test_without_a_snapshot_everything_is_tail(tmp_path: Path) -> None:
    store = desk(tmp_path)
    store.journal.commit(batch(1, 10)).result()
    store.journal.commit(batch(11, 10)).result()
    store = reopened(store)
    assert store.recovered.next_seq == 21
    assert list(store.recovered.tail) == quotes(1, 20)
    assert list(store.recovered.tail) == quotes(1, 20)  # it may be read again
    store.close()


def test_a_snapshot_shortens_the_tail(tmp_path: Path) -> None:
    store = desk(tmp_path)
    store.journal.commit(batch(1, 10)).result()
    store.journal.commit(batch(11, 10, snapshot=b"after 20")).result()
    store.journal.commit(batch(21, 5, round_trip(22))).result()
    last = store.sign_head("report").result()
    store = reopened(store)
    assert store.recovered.snapshot == b"after 20"
    assert list(store.recovered.tail) == quotes(21, 5)
    assert (store.recovered.rows, store.recovered.head) == (last.row, last.hash)
    store.close()


def test_a_damaged_snapshot_gives_way_to_the_one_before(tmp_path: Path) -> None:
    store = desk(tmp_path)
    store.journal.commit(batch(1, 10, snapshot=b"after 10")).result()
    store.journal.commit(batch(11, 10, snapshot=b"after 20")).result()
    store.close()
    change(store.path, "UPDATE snapshots SET state = x'00ff' WHERE seq = 20")
    store = desk(tmp_path)
    assert store.recovered.snapshot == b"after 10"
    assert list(store.recovered.tail) == quotes(11, 10)
    store.close()


def test_few_snapshots_are_kept_but_every_runs_first(tmp_path: Path) -> None:
    store = desk(tmp_path)
    seq = 1
    for run in ("a", "b"):
        for n in range(8):
            store.journal.commit(batch(seq, 2, run_id=run, snapshot=f"{run}{n}".encode())).result()
            seq += 2
    connection = sqlite3.connect(store.path)
    kept = connection.execute("SELECT run, seq, is_start FROM snapshots ORDER BY row").fetchall()
    connection.close()
    assert kept == [(1, 2, 1), (2, 18, 1), (2, 28, 0), (2, 30, 0), (2, 32, 0)]
    store.close()


def test_each_run_gives_back_its_own_start_inputs_and_facts(tmp_path: Path) -> None:
    store = desk(tmp_path)
    first, second = round_trip(3), one_of_each(16)[9:]
    store.journal.commit(batch(1, [run_started(), *quotes(2, 9)], first, "run-1", b"one")).result()
    store.journal.commit(batch(11, 5, run_id="run-1", snapshot=b"two")).result()
    store = reopened(store)
    store.journal.commit(batch(16, [run_started("run-2")], [], "run-2", b"three")).result()
    store.journal.commit(batch(17, 6, second, "run-2")).result()
    start, inputs = store.run_inputs("run-1")
    assert start is not None
    assert (start.state, start.seq) == (b"one", 10)
    assert list(inputs) == list(enumerate(quotes(11, 5), start=11))
    assert list(store.run_facts("run-1")) == first
    start, inputs = store.run_inputs("run-2")
    assert start is not None
    assert (start.state, start.seq) == (b"three", 16)
    assert list(inputs) == list(enumerate(quotes(17, 6), start=17))
    assert list(store.run_facts("run-2")) == second
    store.close()


def test_a_run_without_a_snapshot_gives_all_its_inputs(tmp_path: Path) -> None:
    store = desk(tmp_path)
    store.journal.commit(batch(1, 4, run_id="a")).result()
    store.journal.commit(batch(5, 4, run_id="b")).result()
    for run, first in (("a", 1), ("b", 5)):
        start, inputs = store.run_inputs(run)
        assert start is None
        assert list(inputs) == list(enumerate(quotes(first, 4), start=first))
    store.close()


def test_an_unknown_run_is_named(tmp_path: Path) -> None:
    store = desk(tmp_path)
    with pytest.raises(UnknownRun) as caught:
        store.run_inputs("run-7")
    assert str(caught.value) == "the journal holds no run 'run-7'"
    with pytest.raises(UnknownRun, match="'run-7'"):
        list(store.run_facts("run-7"))
    store.close()


def test_a_run_goes_on_after_the_store_is_opened_again(tmp_path: Path) -> None:
    store = desk(tmp_path)
    store.journal.commit(batch(1, 4, snapshot=b"start")).result()
    store = reopened(store)
    store.journal.commit(batch(5, 4, snapshot=b"later")).result()
    start, inputs = store.run_inputs("run-1")
    assert start is not None
    assert start.state == b"start"
    assert len(list(inputs)) == 4
    store.close()


@pytest.mark.parametrize(
    ("damage", "row", "reason"),
    [
        (
            "UPDATE journal SET body = replace(body, '60000', '70000') WHERE kind = 'order_changed' AND id = 4",
            4,
            "hash",
        ),
        ("UPDATE journal SET at_ns = at_ns + 1 WHERE id = 6", 6, "hash"),
        ("UPDATE journal SET symbol = 'X' WHERE id = 8", 8, "hash"),
        ("UPDATE journal SET body = x'00' WHERE id = 5", 5, "wrong type"),
        ("DELETE FROM journal WHERE id = 7", 8, "row 7 is missing"),
        ("DELETE FROM journal WHERE id = 1", 2, "row 1 is missing"),
        (
            "UPDATE journal SET id = CASE id WHEN 5 THEN -6 WHEN 6 THEN -5 ELSE id END; "
            "UPDATE journal SET id = -id WHERE id < 0",
            5,
            "hash",
        ),
        ("UPDATE desk SET desk_id = 'another'", 1, "hash"),
    ],
)
def test_verify_names_the_first_row_that_was_tampered_with(tmp_path: Path, damage: str, row: int, reason: str) -> None:
    """FO-07, FS-13."""
    store = desk(tmp_path)
    store.journal.commit(batch(1, 10, round_trip(2))).result()
    store.journal.commit(batch(11, 10)).result()
    assert store.verify().is_good
    store.close()
    drop = ["DROP TRIGGER desk_keeps_its_stamp"] if "desk_id" in damage else []
    change(store.path, *drop, *damage.split("; "))
    bad = store.verify().bad
    assert bad is not None
    assert bad.id == row
    assert reason in bad.reason


def test_a_tampered_row_behind_the_snapshot_keeps_the_desk_from_starting(tmp_path: Path) -> None:
    store = desk(tmp_path)
    store.journal.commit(batch(1, 10, snapshot=b"s")).result()
    store.journal.commit(batch(11, 10, round_trip(12))).result()
    store.close()
    change(store.path, "UPDATE journal SET at_ns = 5 WHERE kind = 'fill_booked'")
    with pytest.raises(Damaged, match="fill_booked"):
        desk(tmp_path)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE journal SET at_ns = 0",
        "DELETE FROM journal",
        "INSERT OR REPLACE INTO journal SELECT 2, seq, inputs, run, kind, 0, symbol, ref, body, hash FROM journal "
        "WHERE id = 2",
        "INSERT INTO journal SELECT 99, seq, inputs, run, kind, 0, symbol, ref, body, hash FROM journal WHERE id = 2",
        "UPDATE desk SET env = 'live'",
        "DELETE FROM desk",
    ],
)
def test_the_record_refuses_to_be_changed(tmp_path: Path, statement: str) -> None:
    store = desk(tmp_path)
    store.journal.commit(batch(1, 10, round_trip(2))).result()
    connection = sqlite3.connect(store.path)  # not even our own settings stand between
    with pytest.raises(sqlite3.IntegrityError, match=r"never|only added"):
        connection.execute(statement)
    connection.close()
    store.close()
    assert store.verify().is_good


def stated(folder: Path) -> Store:
    """A run with a state at its start and after every ten inputs."""
    store = desk(folder)
    for n in range(4):
        facts: list[tuple[int, AnyFact]] = [(1 + 10 * n, raised(f"s{n}")), (3 + 10 * n, mark())]
        store.journal.commit(batch(1 + 10 * n, 10, facts, snapshot=f"state {n}".encode())).result()
    return store


def test_a_run_can_be_driven_from_the_newest_state_before_a_moment(tmp_path: Path) -> None:
    store = stated(tmp_path)
    wanted = {0: ("state 0", 10), 12: ("state 1", 20), 21: ("state 2", 30), 10**6: ("state 3", 40)}
    for second, (state, seq) in wanted.items():
        start, inputs = run_inputs(store.path, "run-1", T0 + second * SECOND)
        assert start is not None and (start.state.decode(), start.seq) == (state, seq)
        assert start.at_ns == T0 + (seq - 9) * SECOND
        assert [number for number, _ in inputs] == list(range(seq + 1, 41))
        facts = list(run_facts(store.path, "run-1", start.row))
        assert [number for number, _ in facts] == [s for n in range(4) for s in (1 + 10 * n, 3 + 10 * n) if s > seq]
    store.close()


def test_a_state_that_is_damaged_gives_way_to_an_older_one(tmp_path: Path) -> None:
    store = stated(tmp_path)
    connection = sqlite3.connect(store.path)
    connection.execute("UPDATE snapshots SET state = x'00' WHERE seq = 30")
    connection.commit()
    start, _ = run_inputs(store.path, "run-1", T0 + 21 * SECOND)
    assert start is not None and start.seq == 20
    connection.execute("UPDATE snapshots SET state = x'00'")
    connection.commit()
    connection.close()
    with pytest.raises(Damaged, match="run-1 began with"):
        run_inputs(store.path, "run-1", T0 + 21 * SECOND)
    store.close()


def test_the_rows_around_an_input_are_those_of_its_batch_and_its_neighbours(tmp_path: Path) -> None:
    store = stated(tmp_path)
    (before, *_, behind) = near = rows_around(store.path, 13, 2)
    assert [(row.kind, row.seq) for row in near if row.seq == 13] == [("equity_marked", 13)]
    assert (before.kind, before.seq, behind.kind, behind.seq) == ("signal_raised", 11, "snapshot", 20)
    assert [row.kind for row in rows_around(store.path, 12, 1)] == [
        "signal_raised",
        "equity_marked",
    ]  # it led to nothing
    assert [row.kind for row in rows_around(store.path, 99, 1)] == ["snapshot"]
    assert rows_around(desk_without_rows(tmp_path), 5, 3) == []
    store.close()


def desk_without_rows(folder: Path) -> Path:
    (folder / "empty").mkdir()
    store = desk(folder / "empty")
    store.close()
    return store.path


@pytest.fixture(scope="module")
def among(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """A desk of few blocks and one of many."""
    made = {}
    for blocks in (20, 1_200):
        store = desk(tmp_path_factory.mktemp(str(blocks)))
        store._writer.write([batch(1 + n, 1) for n in range(blocks)])
        store.close()
        made[blocks] = store.path
    return made


@pytest.mark.parametrize("question", ["next input", "tail", "rows around", "rows around an early one"])
def test_finding_a_block_costs_the_same_among_many(among: dict[int, Path], question: str) -> None:
    """A desk of three days has a hundred thousand of them; left to itself, SQLite reads all to find one."""
    few, many = (_steps(path, question, blocks) for blocks, path in among.items())
    assert many < 3 * few + 100, (few, many)


def _steps(path: Path, question: str, inputs: int) -> int:
    """Steps of SQLite's machine, in tens."""
    taken = 0

    def count() -> int:
        nonlocal taken
        taken += 1
        return 0

    def watched(where: Path) -> sqlite3.Connection:
        connection = open_reader(where)
        connection.set_progress_handler(count, 10)
        return connection

    with mock.patch("store.database.open_reader", watched):
        if question == "next input":
            with reading(path) as connection:
                assert next_input(connection) == inputs + 1
        elif question == "tail":
            assert len(list(Inputs(path, inputs - 10))) == 10
        elif question == "rows around":
            assert len(rows_around(path, inputs, 1)) == 1  # the signed head
        else:
            assert rows_around(path, 9, 1) == []
    return taken


def test_inputs_are_read_some_blocks_at_a_time_and_from_the_middle_of_one(
    among: dict[int, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = desk(tmp_path)
    for n in range(4):
        store.journal.commit(batch(1 + 5 * n, 5)).result()
    for page in (1, 2, 3, 64):
        monkeypatch.setattr("store.inputs.BLOCKS_PAGE", page)
        for after in (0, 1, 4, 5, 6, 19, 20):
            assert list(Inputs(store.path, after)) == list(enumerate(quotes(after + 1, 20 - after), start=after + 1))
        assert [first for first, _ in Inputs(store.path, 7).runs()] == [8, 11, 16]
        assert [first for first, _ in Inputs(store.path, 5).runs()] == [6, 11, 16]
    assert list(Inputs(store.path, 5, before_row=4)) == list(enumerate(quotes(6, 5), start=6))
    store.close()
    assert len(list(Inputs(among[1_200], 0))) == 1_200


def test_facts_are_read_to_the_end_of_a_run_of_many_rows(tmp_path: Path) -> None:
    store = desk(tmp_path)
    facts: list[tuple[int, AnyFact]] = [(1, raised(f"s{n}")) for n in range(1_101)]
    store.journal.commit(batch(1, 1, facts)).result()
    store.journal.commit(batch(2, 1, [(2, mark())], "run-2")).result()
    assert list(store.run_facts("run-1")) == facts
    assert list(store.run_facts("run-2")) == [(2, mark())]
    assert list(run_facts(store.path, "run-1", 1_002)) == facts[1_000:]
    store.close()


def test_rows_around_in_the_midst_of_batches_with_facts(tmp_path: Path) -> None:
    store = stated(tmp_path)
    near = rows_around(store.path, 23, 1)
    assert [(row.id, row.kind, row.seq) for row in near] == [
        *((11, "signal_raised", 21), (12, "equity_marked", 23), (13, "snapshot", 30)),
    ]
    assert [(row.symbol, row.ref, row.at_ns - T0) for row in near] == [
        *(("BTCUSDT", "s2", 0), ("", "", 5), ("", "", 21 * SECOND)),
    ]
    assert [row.id for row in rows_around(store.path, 20, 2)] == [7, 8, 9, 11]
    assert [row.id for row in rows_around(store.path, 1, 1)] == [3, 4]
    assert [row.id for row in rows_around(store.path, 0, 1)] == [1]
    assert [row.id for row in rows_around(store.path, 0, 0)] == [1]
    store.close()


@pytest.mark.parametrize("spoil", ["state = x'00'", "sha256 = zeroblob(32)", "state = (SELECT state FROM snapshots)"])
def test_a_state_counts_only_with_the_hash_beside_it_and_in_the_chain(tmp_path: Path, spoil: str) -> None:
    store = stated(tmp_path)
    connection = sqlite3.connect(store.path)
    connection.execute(f"UPDATE snapshots SET {spoil} WHERE seq = 40")
    connection.commit()
    assert newest_snapshot_row(connection) == 13
    connection.execute("UPDATE snapshots SET state = x'00'")
    connection.commit()
    assert newest_snapshot_row(connection) == 0
    connection.close()
    store.close()


def test_a_latch_stands_until_the_newest_rearm(tmp_path: Path) -> None:
    store = desk(tmp_path)
    told = [is_latched(store._connection)]
    lifted = KillChanged(T0, False, "cli", "ann", "the core's word alone")
    for step in (
        lambda: store.journal.latch(True, "kill"),
        lambda: store.journal.commit(batch(1, 1, [(1, lifted)])),
        lambda: store.journal.latch(False, "checked"),
        lambda: store.journal.commit(batch(2, 1, [(2, lifted)])),
        lambda: store.journal.commit(batch(3, 1, [(3, KillChanged(T0, True, "cli", "ann", "kill"))])),
        lambda: store.journal.latch(False, "checked"),
    ):
        step().result()
        told.append(is_latched(store._connection))
    assert told == [False, True, True, False, False, True, False]
    store.close()


def test_a_row_before_the_snapshot_keeps_no_desk_from_starting(tmp_path: Path) -> None:
    store = desk(tmp_path)
    store.journal.commit(batch(1, 3, [(1, mark())], snapshot=b"s")).result()
    store.close()
    change(store.path, "UPDATE journal SET at_ns = 5 WHERE id = 3")
    store = desk(tmp_path)
    assert store.recovered.snapshot == b"s"
    assert not store.verify().is_good
    store.close()


def test_a_bad_row_is_named_with_its_file(tmp_path: Path) -> None:
    store = desk(tmp_path)
    store.journal.commit(batch(1, 3, [(1, mark())])).result()
    store.close()
    change(store.path, "UPDATE journal SET at_ns = 5 WHERE id = 3")
    with pytest.raises(Damaged) as caught:
        desk(tmp_path)
    assert str(caught.value) == f"{store.path}: journal row 3 (equity_marked): its hash differs"


def test_a_run_whose_first_row_is_gone_without_an_anchor_is_said_to_be_archived_nobody_knows_where(
    tmp_path: Path,
) -> None:
    store = desk(tmp_path)
    store.journal.commit(batch(1, 3, [(1, mark())])).result()
    store.close()
    change(store.path, "DELETE FROM journal WHERE id = 1")
    for ask in (lambda: run_inputs(store.path, "run-1"), lambda: list(run_facts(store.path, "run-1"))):
        with pytest.raises(Archived) as caught:
            ask()
        assert str(caught.value) == "the rows run run-1 began with are archived: nothing known"


def test_where_a_run_begins_is_read_in_the_journal_as_long_as_that_has_it(tmp_path: Path) -> None:
    """The table beside it is no part of the chain."""
    store = stated(tmp_path)
    store._connection.execute("UPDATE runs SET first_row = 9, run_id = 'run-9'")
    columns = "(run, run_id, mode, first_row, started_ns)"
    store._connection.execute(f"INSERT INTO runs {columns} VALUES (2, 'run-1', 'PAPER', 9, 0)")
    assert len(list(store.run_facts("run-1"))) == 8
    start, _ = store.run_inputs("run-1")
    assert start is not None and start.state == b"state 0"
    store.close()
