"""The writer: each row as it is documented, and after any interruption the same rows as without it."""

import json
import sqlite3
import zlib
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.core.config import CoreConfig, Instrument, StrategySpec
from engine.core.events import RunStarted
from engine.core.facts import AnyFact
from engine.core.money import parse
from engine.session.clock import VirtualClock
from engine.session.dead_letters import Letter, LetterState
from engine.session.ports import Batch
from store.chain import Anchor, Archive, verify
from store.database import open_writer
from store.desk import Store
from store.errors import StoreError
from store.heads import heads_path, read_heads
from store.writer import JournalWriter
from tests.store.making import SECOND, T0, batch, desk, ended, filled, judged, mark, quotes, raised, run_started, trade

STARTED = RunStarted(
    *(T0 + 3, "run-1"),
    CoreConfig(
        *("paper", 7, True, parse("10000.5")),
        (Instrument("BTCUSDT", 1, 1, 1, 1), Instrument("ETHUSDT", 1, 1, 1, 1)),
        (StrategySpec("trend", "trend", {}, ()), StrategySpec("range", "range", {}, ())),
        config_hash="abc",
    ),
    killed=True,
)


class Recorder:
    """A clock whose time has moved since the last batch, and on which every second question costs 2.5 ms."""

    kind, speed = "virtual", 0

    def __init__(self) -> None:
        self._mono_ns = 70_000_000

    def now_ns(self) -> int:
        return T0 + 500 * SECOND

    def mono_ns(self) -> int:
        self._mono_ns += 2_500_900
        return self._mono_ns

    async def sleep(self, ns: int) -> None:
        raise NotImplementedError


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = open_writer(tmp_path / "desk.db", "paper", T0)
    yield connection
    connection.close()


@pytest.fixture
def writer(connection: sqlite3.Connection) -> JournalWriter:
    return JournalWriter(connection, Recorder())


def rows(connection: sqlite3.Connection, sql: str = "") -> list[tuple[Any, ...]]:
    sql = sql or f"SELECT id, seq, inputs, run, kind, at_ns - {T0}, symbol, ref FROM journal ORDER BY id"
    return connection.execute(sql).fetchall()


def body(connection: sqlite3.Connection, row: int) -> Any:
    return json.loads(rows(connection, f"SELECT body FROM journal WHERE id = {row}")[0][0])


def test_every_row_says_what_when_and_behind_which_input(writer: JournalWriter, connection: sqlite3.Connection) -> None:
    facts: list[tuple[int, AnyFact]] = [
        (2, raised()),
        (2, filled("f1", "0.1", "60000", "0.1")),
        (4, trade()),
        (4, mark()),
        (4, judged()),
    ]
    writer.write([Batch("run-1", 1, [], [], T0 + 1, b"at start")])
    writer.write([batch(1, [*quotes(1, 1), STARTED, *quotes(3, 2)], facts, snapshot=b"state")])
    writer.write_latch(True, "kill")
    writer.write_latch(False, "checked")
    writer.write_report("run-1", '{"a":1}')
    writer.write([batch(5, [run_started("run-2")], [], "run-2"), batch(6, 2, [(7, ended())], "run-2")])
    assert rows(connection) == [
        (1, 0, 0, 1, "run", 1, "", "run-1"),
        (2, 0, 0, 1, "snapshot", 1, "", ""),
        (3, 1, 4, 1, "block", SECOND, "", ""),
        (4, 4, 0, 1, "run_started", 3, "", "run-1"),
        (5, 2, 0, 1, "signal_raised", 0, "BTCUSDT", "s1"),
        (6, 2, 0, 1, "fill_booked", 2, "BTCUSDT", "f1"),
        (7, 4, 0, 1, "trade_closed", 3 * SECOND, "BTCUSDT", "t1"),
        (8, 4, 0, 1, "equity_marked", 5, "", ""),
        (9, 4, 0, 1, "signal_judged", 0, "", "s1"),
        (10, 4, 0, 1, "snapshot", SECOND, "", ""),
        (11, 4, 0, 1, "latch", 500 * SECOND, "", ""),
        (12, 4, 0, 1, "rearm", 500 * SECOND, "", ""),
        (13, 4, 0, 1, "report", 500 * SECOND, "", "run-1"),
        (14, 4, 0, 2, "run", 5 * SECOND, "", "run-2"),
        (15, 5, 1, 2, "block", 5 * SECOND, "", ""),
        (16, 5, 0, 2, "run_started", 0, "", "run-2"),
        (17, 6, 2, 2, "block", 6 * SECOND, "", ""),
        (18, 7, 0, 2, "signal_ended", 9, "BTCUSDT", "s1"),
    ]
    assert body(connection, 1) == {"run_id": "run-1"}
    assert body(connection, 4) == {
        **{"run_id": "run-1", "env": "paper", "seed": 7, "paper": True, "starting_equity": "10000.5"},
        **{"symbols": ["BTCUSDT", "ETHUSDT"], "strategies": ["trend", "range"], "config_hash": "abc", "killed": True},
    }
    assert body(connection, 10) == {"bytes": 5, "sha256": sha256(b"state").hexdigest()}
    assert [body(connection, row) for row in (11, 12, 13)] == [{"text": "kill"}, {"text": "checked"}, {"a": 1}]
    kept = rows(connection, "SELECT row, run, seq, is_start, sha256, state FROM snapshots ORDER BY row")
    assert {row[5][:2] for row in kept} == {b"\x78\x01"}  # zlib, and at its level 1
    assert [(*row[:5], zlib.decompress(row[5])) for row in kept] == [
        (2, 1, 0, 1, sha256(b"at start").digest(), b"at start"),
        (10, 1, 4, 0, sha256(b"state").digest(), b"state"),
    ]
    checked = verify(connection)
    assert (checked.bad, checked.rows, checked.inputs, checked.head) == (None, 18, 7, writer.head)


def test_what_a_batch_took_is_told_with_the_chain_as_it_stood_behind_it(
    writer: JournalWriter, connection: sqlite3.Connection
) -> None:
    done = writer.write([batch(1, 2), batch(3, 2), batch(5, 2)])
    assert [(one.rows, one.took_us) for one in done] == [(2, 2_500), (3, 2_500), (4, 2_500)]
    hashes = [digest.hex() for (digest,) in rows(connection, "SELECT hash FROM journal ORDER BY id")]
    assert [one.head for one in done] == hashes[1:]


def test_only_the_first_start_among_the_first_inputs_of_a_run_is_noted(
    writer: JournalWriter, connection: sqlite3.Connection
) -> None:
    writer.write([batch(1, [run_started(), run_started("again")]), batch(3, [run_started("later")])])
    assert rows(connection, "SELECT ref FROM journal WHERE kind = 'run_started'") == [("run-1",)]


def without_and_with_a_new_writer(folder: Path, batches: list[Batch]) -> tuple[list[Any], list[Any], list[Any]]:
    """The journal, the snapshots and the runs of one writer, of one made anew before each batch, and one reloaded."""
    made = []
    for name in ("one", "anew", "reloaded"):
        (folder / name).mkdir()
        connection = open_writer(folder / name / "desk.db", "paper", T0)
        writer = JournalWriter(connection, VirtualClock(T0))
        for each in batches:
            if name == "anew":
                writer = JournalWriter(connection, VirtualClock(T0))
            elif name == "reloaded":
                writer.reload()
            writer.write([each])
        tables = ("SELECT * FROM journal", "SELECT row, run, seq, is_start FROM snapshots", "SELECT * FROM runs")
        made.append([rows(connection, table) for table in tables])
        connection.close()
    return made[0], made[1], made[2]


@pytest.mark.parametrize(
    "batches",
    [
        [batch(1, 2), batch(3, 2, snapshot=b"a"), batch(5, 2, snapshot=b"b")],
        [Batch("run-1", 1, [], [], T0, b"s"), batch(1, [run_started()]), batch(2, [run_started("other")])],
        [Batch("run-1", 1, [], [], T0), batch(1, [run_started()], snapshot=b"a"), batch(2, 2, snapshot=b"b")],
        [
            *(batch(1, [run_started()], snapshot=b"a"), batch(2, 2, snapshot=b"b")),
            *(batch(4, [run_started("run-2")], [], "run-2", b"c"), batch(5, 1, [], "run-2", b"d")),
            batch(6, [run_started("run-3")], [], "run-2"),
        ],
    ],
)
def test_a_new_writer_goes_on_as_the_one_before_would_have(tmp_path: Path, batches: list[Batch]) -> None:
    one, anew, reloaded = without_and_with_a_new_writer(tmp_path, batches)
    for n in range(3):
        assert [row[:9] for row in one[n]] == [row[:9] for row in anew[n]] == [row[:9] for row in reloaded[n]]
    assert (one[0], one[1]) == (anew[0], anew[1]) == (reloaded[0], reloaded[1])


def test_a_writer_on_an_empty_journal_and_behind_one(writer: JournalWriter, connection: sqlite3.Connection) -> None:
    assert (writer.rows, writer.next_seq, writer.run, writer.is_signed) == (0, 1, 0, True)
    writer.write([batch(1, 4)])
    again = JournalWriter(connection, Recorder())
    assert (again.rows, again.next_seq, again.run, again.head) == (2, 5, 1, writer.head)


def test_reloading_leaves_an_open_transaction_and_believes_the_file(
    writer: JournalWriter, connection: sqlite3.Connection
) -> None:
    writer.write([batch(1, 4)])
    head = writer.head
    connection.execute("BEGIN IMMEDIATE")
    writer._append("latch", T0, body="{}")
    assert writer.rows == 3
    writer.reload()
    assert not connection.in_transaction
    assert (writer.rows, writer.head) == (2, head)


def test_a_batch_out_of_sequence_says_where_the_journal_ends(
    writer: JournalWriter, connection: sqlite3.Connection
) -> None:
    with pytest.raises(StoreError) as caught:
        writer.write([batch(3, 1)])
    assert str(caught.value) == "a batch begins with input 3; the journal's next input is 1"
    assert not connection.in_transaction and rows(connection) == []


def test_a_report_that_is_refused_says_why(writer: JournalWriter) -> None:
    writer.write([batch(1, 1)])
    with pytest.raises(StoreError) as caught:
        writer.write_report("run-9", "{}")
    assert str(caught.value) == "no run 'run-9' to report on"
    with pytest.raises(StoreError) as caught:
        writer.write_report("run-1", "{")
    assert str(caught.value) == "the report is not valid JSON"


def test_notes_of_a_restore_a_reading_back_and_a_letter(writer: JournalWriter, connection: sqlite3.Connection) -> None:
    letter = Letter("l1", "backup", "{}", LetterState.WAITING, "DiskFull", "no space", 3, T0, T0 + 9)
    writer.write([batch(1, 2)])
    writer.write_restored("rows are missing")
    writer.write_rejoined(2, 7, "a gap")
    writer.write_letter(letter)
    assert rows(connection)[2:] == [
        (3, 2, 0, 1, "restored", 500 * SECOND, "", ""),
        (4, 2, 0, 1, "rejoined", 500 * SECOND, "", ""),
        (5, 2, 0, 1, "dead_letter", 9, "", "l1"),
    ]
    assert body(connection, 3) == {"text": "rows are missing"}
    assert body(connection, 4) == {"batches": 2, "inputs": 7, "lost": "a gap"}
    assert msgspec.convert(body(connection, 5), Letter) == letter
    assert rows(connection, "SELECT row, letter_id, text FROM dead_letter_changes") == [(5, "l1", "no space")]


def test_without_a_key_nothing_is_signed_and_it_is_said(writer: JournalWriter, connection: sqlite3.Connection) -> None:
    writer.write([batch(1, 2)])
    assert writer.is_signed
    with pytest.raises(StoreError) as caught:
        writer.sign_head("report")
    assert str(caught.value) == "this journal has no key to sign with"
    assert len(rows(connection)) == 2


# --- signed ---


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = desk(tmp_path)
    yield store
    store.close()


def test_a_head_is_a_row_and_covers_it(store: Store) -> None:
    signed = [store._writer.is_signed]
    store.journal.commit(batch(1, 2)).result()
    signed.append(store._writer.is_signed)
    head = store.sign_head("report").result()
    assert [*signed, store._writer.is_signed] == [True, False, True]
    assert rows(store._connection)[2:] == [(3, 2, 0, 1, "head", 0, "", "")]
    assert body(store._connection, 3) == {"cause": "report"}
    assert (head.row, head.hash, head.at_ns, head.run_id, head.cause) == (3, store._writer.head, T0, "run-1", "report")


def test_a_restore_is_signed_as_one(store: Store) -> None:
    store.journal.commit(batch(1, 2)).result()
    store._writer.write_restored("rows are missing")
    (head,) = read_heads(heads_path(store.path))
    assert (head.row, head.at_ns, head.cause) == (4, T0, "restored")


@pytest.mark.parametrize(("second", "signed"), [(3_599, []), (3_600, [3_600]), (0, []), (-1, [-1])])
def test_an_hour_after_the_last_head_or_before_it_the_next_is_signed(
    store: Store, second: int, signed: list[int]
) -> None:
    store.journal.commit(msgspec.structs.replace(batch(1, 1), recorded_ns=T0)).result()
    store.journal.commit(msgspec.structs.replace(batch(2, 1), recorded_ns=T0 + second * SECOND)).result()
    assert rows(store._connection, f"SELECT (at_ns - {T0}) / {SECOND}, cause FROM signed_heads") == [
        (at, "hour") for at in signed
    ]


def test_the_hour_goes_on_from_the_head_in_the_file(tmp_path: Path) -> None:
    store = desk(tmp_path)
    store.journal.commit(batch(1, 1)).result()
    store.close()  # signed at T0
    store = desk(tmp_path)
    assert store._writer.is_signed
    store.journal.commit(msgspec.structs.replace(batch(2, 1), recorded_ns=T0 + 3_600 * SECOND)).result()
    assert [head.cause for head in read_heads(heads_path(store.path))] == ["close", "hour"]
    store.close()


def test_a_transaction_that_fails_leaves_no_head_and_no_memory_of_one(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.journal.commit(msgspec.structs.replace(batch(1, 1), recorded_ns=T0)).result()
    late = msgspec.structs.replace(batch(2, 1), recorded_ns=T0 + 3_600 * SECOND)

    def full(*_: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    with monkeypatch.context() as patch:
        patch.setattr("store.writer.record_head", full)
        with pytest.raises(sqlite3.OperationalError):
            store._writer.write([late])
    assert not store._connection.in_transaction
    store._writer.reload()
    store._writer.sign_head("report")
    assert [(head.row, head.cause) for head in read_heads(heads_path(store.path))] == [(3, "report")]


def test_an_anchor_takes_the_rows_before_it_and_is_signed(store: Store) -> None:
    store.journal.commit(batch(1, 2, snapshot=b"a")).result()
    store.journal.commit(batch(3, 2, snapshot=b"b")).result()
    (head,) = rows(store._connection, "SELECT hash FROM journal WHERE id = 3")[0]
    archive = Archive("a.jsonl.gz", 1, 3, "00", head.hex(), 3, "ff")
    anchor = Anchor(3, head.hex(), 3, (archive,))
    store._writer.write_anchor(anchor)
    assert rows(store._connection) == [
        (4, 3, 2, 1, "block", 3 * SECOND, "", ""),
        (5, 4, 0, 1, "snapshot", 3 * SECOND, "", ""),
        (6, 4, 0, 1, "anchor", 0, "", "3"),
        (7, 4, 0, 1, "head", 0, "", ""),
    ]
    assert msgspec.convert(body(store._connection, 6), Anchor) == anchor
    assert rows(store._connection, "SELECT row FROM snapshots") == [(5,)]
    assert rows(store._connection, "SELECT row, at_ns, cause FROM signed_heads") == [(7, T0, "pruned")]
    assert store.verify().is_good


def test_a_head_of_an_empty_journal_is_of_no_run(store: Store) -> None:
    assert store.sign_head("report").result().run_id == ""
