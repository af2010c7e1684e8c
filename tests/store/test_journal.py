"""The journal: whole batches in order, a chain from the first row, and a definite word after a failure."""

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.core.words import ReasonCode, TerminalState
from engine.session.ports import Batch
from store import writer as writer_module
from store.desk import Store
from store.errors import Damaged, DiskFull, OutcomeUnknown, StoreError
from store.journal import ThreadJournal
from tests.steady import PATIENCE
from tests.store.making import T0, batch, desk, ended, one_of_each, quotes, raised, round_trip


@pytest.fixture(params=["inline", "threaded"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    store = desk(tmp_path, threaded=request.param == "threaded")
    yield store
    store.close()


def rows(store: Store, sql: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(store.path)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def test_a_batch_is_one_block_and_a_row_a_fact(store: Store) -> None:
    committed = store.journal.commit(batch(1, 10, round_trip(10))).result()
    kinds = [kind for (kind,) in rows(store, "SELECT kind FROM journal ORDER BY id")]
    assert kinds == [
        *("run", "block", "signal_raised", "order_changed", "fill_booked", "fill_booked", "order_changed"),
        *("signal_ended", "fill_booked", "trade_closed", "equity_marked"),
    ]
    assert committed.rows == len(kinds)
    assert store.verify().head == committed.head


def test_batches_commit_in_the_order_given(store: Store) -> None:
    futures = [store.journal.commit(batch(1 + 5 * n, 5)) for n in range(200)]
    heads = [future.result().rows for future in futures]
    assert heads == sorted(heads)
    assert [row for (row,) in rows(store, "SELECT seq FROM journal WHERE kind = 'block' ORDER BY id")] == [
        1 + 5 * n for n in range(200)
    ]


def test_a_batch_out_of_sequence_is_refused_and_ends_the_journal(store: Store) -> None:
    store.journal.commit(batch(1, 5)).result()
    with pytest.raises(OutcomeUnknown, match="begins with input 7"):
        store.journal.commit(batch(7, 5)).result()
    with pytest.raises(OutcomeUnknown):
        store.journal.commit(batch(6, 5)).result()
    assert store.journal.failure is not None
    assert store.verify().inputs == 5


def test_a_fact_the_schema_refuses_takes_its_whole_batch_along(store: Store) -> None:
    store.journal.commit(batch(1, 5, [(5, raised())])).result()
    silent = ended(state=TerminalState.REJECTED_BY_HEAT, reason=ReasonCode.HEAT, text=" ")
    with pytest.raises(OutcomeUnknown):
        store.journal.commit(batch(6, 5, [(6, raised("s2")), (7, silent)])).result()
    assert rows(store, "SELECT signal_id FROM signals") == [("s1",)]
    assert store.verify().is_good


@pytest.mark.parametrize("second", [raised(), ended()])
def test_nothing_happens_to_a_signal_twice(store: Store, second: object) -> None:
    store.journal.commit(batch(1, 1, [(1, raised()), (1, ended())])).result()
    with pytest.raises(OutcomeUnknown, match="UNIQUE"):
        store.journal.commit(batch(2, 1, [(2, second)])).result()  # type: ignore[list-item]


def test_a_fill_is_booked_once(store: Store) -> None:
    """FV-03."""
    store.journal.commit(batch(1, 1, round_trip(1))).result()
    with pytest.raises(OutcomeUnknown, match="UNIQUE"):
        store.journal.commit(batch(2, 1, [(2, round_trip(1)[2][1])])).result()


def test_the_latch_is_remembered_until_it_is_rearmed(tmp_path: Path) -> None:
    for latched in (True, False, True):
        store = desk(tmp_path, threaded=True)
        store.journal.latch(latched, "operator").result()
        store.close()
        store = desk(tmp_path)
        assert store.recovered.kill_latched is latched
        store.close()


def test_a_kill_the_core_recorded_latches_too_and_only_a_rearm_lifts_it(tmp_path: Path) -> None:
    store = desk(tmp_path)
    store.journal.commit(batch(1, 1, one_of_each(1))).result()
    store.close()
    store = desk(tmp_path)
    assert store.recovered.kill_latched
    store.journal.latch(False, "confirmed").result()
    store.close()
    store = desk(tmp_path)
    assert not store.recovered.kill_latched
    store.close()


class HeldWriter:
    """Holds the writer thread inside its first batch until it is let go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.entered = threading.Event()
        self.go = threading.Event()
        write = writer_module.JournalWriter.write

        def held(writer: writer_module.JournalWriter, batches: list[Batch]) -> object:
            self.entered.set()
            assert self.go.wait(PATIENCE)
            return write(writer, batches)

        monkeypatch.setattr(writer_module.JournalWriter, "write", held)


def test_the_latch_goes_ahead_of_waiting_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = HeldWriter(monkeypatch)
    store = desk(tmp_path, threaded=True)
    store.journal.commit(batch(1, 1))
    assert held.entered.wait(PATIENCE)
    last = [store.journal.commit(batch(2 + n, 1)) for n in range(5)][-1]
    latch = store.journal.latch(True, "kill")
    held.go.set()
    latch.result()
    last.result()
    kinds = [kind for (kind,) in rows(store, "SELECT kind FROM journal ORDER BY id")]
    assert kinds == ["run", "block", "latch", "block", "block", "block", "block", "block"]
    store.close()
    assert store.verify().is_good


def test_all_that_waits_is_counted_also_the_latch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = HeldWriter(monkeypatch)
    store = desk(tmp_path, threaded=True)
    journal = store.journal
    assert isinstance(journal, ThreadJournal)
    assert journal.depth() == 0
    journal.commit(batch(1, 1))
    assert held.entered.wait(PATIENCE)
    for n in range(2):
        journal.commit(batch(2 + n, 1))
    journal.latch(True, "kill")
    assert journal.depth() == 3
    held.go.set()
    store.close()
    assert journal.depth() == 0


def test_batches_that_wait_share_a_transaction_as_long_as_they_are_small(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.journal.GROUP_INPUTS_MAX", 6)
    held = HeldWriter(monkeypatch)
    written: list[list[int]] = []
    write = writer_module.JournalWriter.write

    def noted(writer: writer_module.JournalWriter, batches: list[Batch]) -> object:
        written.append([len(one.inputs) for one in batches])
        return write(writer, batches)

    monkeypatch.setattr(writer_module.JournalWriter, "write", noted)
    store = desk(tmp_path, threaded=True)
    seq = 1
    for count in (1, 4, 2, 1, 9, 3, 3):
        store.journal.commit(batch(seq, count))
        seq += count
        assert held.entered.wait(PATIENCE)
    store.journal.perform(lambda: written.append([]))
    store.journal.commit(batch(seq, 1))
    held.go.set()
    store.close()
    assert written == [[1], [4, 2], [1], [9], [3, 3], [], [1]]
    assert store.verify().inputs == seq


def test_a_desk_that_dies_does_not_wait_for_its_writer(tmp_path: Path) -> None:
    store = desk(tmp_path, threaded=True)
    (thread,) = [one for one in threading.enumerate() if one.name == "store-writer"]
    assert thread.daemon
    store.close()
    assert not thread.is_alive()


def test_commit_blocks_while_the_queue_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FP-24."""
    held = HeldWriter(monkeypatch)
    store = desk(tmp_path, threaded=True)
    journal = store.journal
    journal._queue_max = 2  # type: ignore[union-attr]
    journal.commit(batch(1, 1))
    assert held.entered.wait(PATIENCE)
    journal.commit(batch(2, 1))
    journal.commit(batch(3, 1))
    accepted = threading.Event()
    fourth = batch(4, 1)

    def commit_fourth() -> None:
        journal.commit(fourth)
        accepted.set()

    other = threading.Thread(target=commit_fourth)
    other.start()
    assert not accepted.wait(0.05)
    held.go.set()
    other.join(PATIENCE)
    assert accepted.is_set()
    store.close()
    assert store.verify().inputs == 4


def test_closing_writes_what_waits_and_refuses_more(tmp_path: Path) -> None:
    store = desk(tmp_path, threaded=True)
    futures = [store.journal.commit(batch(1 + n, 1)) for n in range(50)]
    store.close()
    assert all(future.result(0) for future in futures)
    for work in (lambda: store.journal.commit(batch(51, 1)), lambda: store.journal.latch(True, "late")):
        with pytest.raises(StoreError) as caught:
            work()
        assert str(caught.value) == "the journal is closed"
    store.close()


def test_an_accepted_batch_cannot_be_cancelled(tmp_path: Path) -> None:
    """FP-12."""
    store = desk(tmp_path, threaded=True)
    future = store.journal.commit(batch(1, 1))
    assert not future.cancel()
    store.close()
    assert future.result(0).rows == 2


def test_a_full_disk_fails_the_future_and_everything_after_it(store: Store) -> None:
    store.journal.commit(batch(1, 10)).result()
    connection = store._connection
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages + 4}").fetchone()
    facts = [(11, raised(f"s{n}")) for n in range(200)]
    with pytest.raises(OutcomeUnknown) as caught:
        store.journal.commit(batch(11, 10, facts)).result()
    assert isinstance(caught.value.cause, DiskFull)
    with pytest.raises(OutcomeUnknown):
        store.journal.commit(batch(11, 10)).result()
    assert isinstance(store.journal.failure, DiskFull)
    assert store.verify().inputs == 10


def test_the_latch_is_written_after_a_full_disk_once_there_is_room(store: Store) -> None:
    store.journal.commit(batch(1, 10)).result()
    connection = store._connection
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages + 2}").fetchone()
    with pytest.raises(OutcomeUnknown):
        store.journal.commit(batch(11, 10, [(11, raised(f"s{n}")) for n in range(200)])).result()
    connection.execute(f"PRAGMA max_page_count = {pages + 100}").fetchone()
    store.journal.latch(True, "kill on a full disk").result()
    checked = store.verify()
    assert checked.is_good
    assert rows(store, "SELECT kind FROM journal ORDER BY id DESC LIMIT 1") == [("latch",)]


def test_a_commit_that_raises_leaves_the_outcome_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = desk(tmp_path)
    store.journal.commit(batch(1, 3)).result()
    load = writer_module.JournalWriter._write_batch

    def durable_and_yet_raising(writer: writer_module.JournalWriter, work: Batch) -> None:
        load(writer, work)
        writer._db.execute("COMMIT")
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(writer_module.JournalWriter, "_write_batch", durable_and_yet_raising)
    with pytest.raises(OutcomeUnknown):
        store.journal.commit(batch(4, 3)).result()
    monkeypatch.undo()
    store.close()
    store = desk(tmp_path)
    assert store.recovered.next_seq == 7
    assert store.verify().is_good
    store.close()


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (sqlite3.OperationalError("odd"), "writing the journal: odd (OperationalError)"),
        (ValueError("odd"), "writing the journal: ValueError: odd"),
        (Damaged("the chain is cut"), "the chain is cut"),
    ],
)
def test_what_ended_the_journal_is_told_in_its_words_and_stays_the_cause(
    store: Store, monkeypatch: pytest.MonkeyPatch, error: Exception, failure: str
) -> None:
    def fails(*_: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(writer_module.JournalWriter, "write", fails)
        first = store.journal.commit(batch(1, 1)).exception(PATIENCE)
    assert isinstance(first, OutcomeUnknown) and first.__cause__ is error
    assert str(store.journal.failure) == str(first.cause) == failure
    later = store.journal.commit(batch(1, 1)).exception(PATIENCE)
    assert isinstance(later, OutcomeUnknown) and later.cause is store.journal.failure
    work = store.journal.perform(lambda: 1).exception(PATIENCE)
    assert isinstance(work, OutcomeUnknown) and work.cause is store.journal.failure


def test_a_latch_that_fails_ends_the_journal_and_is_tried_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    error = sqlite3.OperationalError("odd")

    def fails(*_: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(writer_module.JournalWriter, "write_latch", fails)
        failed = store.journal.latch(True, "kill").exception(PATIENCE)
    assert isinstance(failed, StoreError) and failed.__cause__ is error
    assert str(failed) == str(store.journal.failure) == "writing the journal: odd (OperationalError)"
    first = store.journal.failure
    assert store.journal.latch(True, "kill").result(PATIENCE) is None
    assert store.journal.failure is first
    assert rows(store, "SELECT kind, body FROM journal") == [("latch", '{"text":"kill"}')]


def test_a_damaged_journal_takes_no_latch_either(store: Store) -> None:
    store.journal._failure = Damaged("the chain is cut")
    failed = store.journal.latch(True, "kill").exception(PATIENCE)
    assert failed is store.journal.failure
    assert rows(store, "SELECT count(*) FROM journal") == [(0,)]


def test_work_that_is_refused_in_the_stores_words_ends_nothing(store: Store) -> None:
    refused = StoreError("not this")

    def refuses() -> None:
        raise refused

    assert store.journal.perform(refuses).exception(PATIENCE) is refused
    assert store.journal.failure is None
    assert store.journal.perform(lambda: 7).result(PATIENCE) == 7


def test_a_report_is_kept_in_the_run_and_a_wrong_one_is_refused_alone(store: Store) -> None:
    store.journal.commit(batch(1, 1)).result()
    store.record_report("run-1", '{"net_pnl": "1.5"}').result()
    assert rows(store, "SELECT report FROM runs") == [('{"net_pnl": "1.5"}',)]
    for run_id, report in (("run-9", "{}"), ("run-1", "no json")):
        with pytest.raises(StoreError):
            store.record_report(run_id, report).result()
    store.journal.commit(batch(2, 1)).result()
    assert store.verify().is_good


def test_the_same_batches_make_the_same_chain(tmp_path: Path) -> None:
    heads = []
    for name, threaded in (("a", False), ("b", True)):
        (tmp_path / name).mkdir()
        store = desk(tmp_path / name, threaded=threaded)
        store.journal.commit(batch(1, 50, round_trip(50), snapshot=b"state"))
        store.journal.commit(batch(51, quotes(51, 20)))
        store.close()
        heads.append(store.verify().head)
    assert heads[0] == heads[1]


def test_a_batch_without_inputs_keeps_its_facts_and_snapshot(store: Store) -> None:
    store.journal.commit(Batch("run-1", 1, [], [], T0, b"at start")).result()
    store.journal.commit(batch(1, 3)).result()
    start, inputs = store.run_inputs("run-1")
    assert start is not None
    assert (start.state, start.seq) == (b"at start", 0)
    assert list(inputs) == list(enumerate(quotes(1, 3), start=1))


def test_commit_blocks_while_too_many_inputs_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.journal.QUEUE_INPUTS_MAX", 100)
    store = desk(tmp_path, threaded=True)
    futures = [store.journal.commit(batch(1 + 60 * n, 60)) for n in range(50)]
    assert store.journal.failure is None
    store.close()
    assert [future.result(0).rows for future in futures] == list(range(2, 52))
    assert store.verify().inputs == 3_000


def test_the_inputs_that_wait_are_counted_to_the_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.journal.QUEUE_INPUTS_MAX", 10)
    held = HeldWriter(monkeypatch)
    store = desk(tmp_path, threaded=True)
    accepted = [threading.Event() for _ in range(5)]

    def commit() -> None:
        seq = 1
        for count, event in zip((1, 5, 4, 1, 1), accepted, strict=True):
            store.journal.commit(batch(seq, count))
            seq += count
            event.set()
            assert held.entered.wait(PATIENCE)

    other = threading.Thread(target=commit)
    other.start()
    assert accepted[3].wait(PATIENCE)
    assert not accepted[4].wait(0.05)
    held.go.set()
    other.join(PATIENCE)
    store.close()
    assert store.verify().inputs == 12


@pytest.mark.parametrize("text", ["s'); DROP TABLE journal; --", "a' OR '1'='1", '"; DELETE FROM desk; --', "%_"])
def test_what_looks_like_sql_is_text(store: Store, text: str) -> None:
    """FS-12."""
    store.journal.commit(batch(1, 2, [(1, raised(text, symbol=text))])).result()
    assert rows(store, "SELECT signal_id, symbol FROM signals") == [(text, text)]
    assert store.verify().is_good
