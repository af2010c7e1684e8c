"""The file of heads on its own: what it knows against what the journal holds, each finding in its words."""

import sqlite3
from pathlib import Path

import msgspec
import pytest

from engine.review.moments import instant
from engine.session.ports import SignedHead
from store.chain import stamp
from store.desk import Store
from store.heads import BadHeads, Heads, heads_path, is_genuine, message, read_heads, recorded_heads, weighed
from tests.store.making import SECOND, T0, batch, desk
from tests.store.test_audit import tampered

HEAD = SignedHead("paper-1", "paper", 7, "ab" * 32, T0, "Lauf-ä", "hour", "00", "11")


def heads_of(store: Store) -> Heads:
    return Heads(store.path, *stamp(store._connection))


def signed(folder: Path) -> Store:
    """A desk of three heads: rows 3, 5 and 7."""
    store = desk(folder)
    for n in range(3):
        store.journal.commit(batch(1 + n, 1)).result()
        store.sign_head("report").result()
    return store


def write(path: Path, *heads: SignedHead) -> None:
    heads_path(path).write_bytes(b"".join(msgspec.json.encode(head) + b"\n" for head in heads))


def found(store: Store) -> str:
    return heads_of(store).catch_up(store._connection, T0)


def test_what_is_signed_is_an_array_without_blanks() -> None:
    text = f'["nightdesk head 1","paper-1","paper",7,"{"ab" * 32}",{T0},"Lauf-ä","hour"]'
    assert message(HEAD) == text.encode()


def test_heads_come_back_from_table_and_file_as_they_were_signed(tmp_path: Path) -> None:
    store = signed(tmp_path)
    heads = recorded_heads(store._connection)
    assert heads == read_heads(heads_path(store.path))
    assert [(head.row, head.cause, head.env, head.run_id) for head in heads] == [
        (row, "report", "paper", "run-1") for row in (3, 5, 7)
    ]
    assert all(is_genuine(head) for head in heads)
    assert {head.desk_id for head in heads} == {stamp(store._connection)[0]}
    store.close()


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    with pytest.raises(BadHeads) as caught:
        read_heads(tmp_path / "none.jsonl")
    assert str(caught.value) == f"{tmp_path / 'none.jsonl'}: No such file or directory"
    path = tmp_path / "heads.jsonl"
    path.write_bytes(msgspec.json.encode(HEAD) + b"\n{}\n")
    with pytest.raises(BadHeads) as caught:
        read_heads(path)
    assert str(caught.value) == f"{path}: line 2 is no signed head"


def test_heads_that_hold_say_nothing_also_where_the_newest_is_not_last(tmp_path: Path) -> None:
    store = signed(tmp_path)
    first, second, third = read_heads(heads_path(store.path))
    assert found(store) == ""
    write(store.path, third, first, second)
    assert found(store) == ""
    store.close()


def test_rows_that_a_head_knows_of_and_the_journal_lacks_are_counted(tmp_path: Path) -> None:
    store = signed(tmp_path)
    store.close()
    tampered(store.path, "DELETE FROM journal WHERE id > 4", "DELETE FROM signed_heads WHERE row > 4")
    connection = sqlite3.connect(store.path, isolation_level=None)
    told = Heads(store.path, *stamp(connection)).catch_up(connection, T0)
    assert told == (
        f"The journal ends at row 4 and had row 7 when its head was signed at {instant(T0)}: 3 rows are missing"
    )
    tampered(store.path, "DELETE FROM journal")
    told = Heads(store.path, *stamp(connection)).catch_up(connection, T0)
    assert told == (
        f"The journal ends at row 0 and had row 7 when its head was signed at {instant(T0)}: 7 rows are missing"
    )
    connection.close()


def test_a_journal_that_is_not_the_one_signed_is_told(tmp_path: Path) -> None:
    store = signed(tmp_path)
    store.close()
    tampered(store.path, "UPDATE journal SET hash = zeroblob(32) WHERE id = 7")
    connection = sqlite3.connect(store.path, isolation_level=None)
    told = Heads(store.path, *stamp(connection)).catch_up(connection, T0)
    assert told == f"The journal up to row 7 is not the one whose head was signed at {instant(T0)}"
    tampered(store.path, "DELETE FROM journal WHERE id = 7", "INSERT INTO journal SELECT 8, seq, inputs, run, kind, "
             "at_ns, symbol, ref, body, hash FROM journal WHERE id = 6")  # fmt: skip
    assert Heads(store.path, *stamp(connection)).catch_up(connection, T0) == ""  # archived: nothing to compare
    connection.close()


def test_a_head_that_nobody_signed_or_a_restore_left_behind_says_nothing(tmp_path: Path) -> None:
    store = signed(tmp_path)
    heads = heads_of(store)
    made = read_heads(heads_path(store.path))
    forged = msgspec.structs.replace(made[-1], row=99)
    write(store.path, *made, forged)
    assert found(store) == ""
    beyond = heads.sign(99, bytes(32), T0, "run-1", "hour")
    write(store.path, *made, beyond)
    assert "had row 99 when its head" in found(store)
    committed = store.journal.commit(batch(4, 1)).result()
    restored = heads.sign(committed.rows, bytes.fromhex(committed.head), T0 + SECOND, "run-1", "restored")
    write(store.path, *made, beyond, msgspec.structs.replace(restored, at_ns=T0))
    assert "had row 99 when its head" in found(store)  # a restore that nobody signed voids nothing
    write(store.path, *made, beyond, restored)
    assert found(store) == ""
    store.close()


def test_a_restore_voids_what_stood_behind_it_once(tmp_path: Path) -> None:
    store = desk(tmp_path)
    heads = heads_of(store)
    key = heads._key.public
    rows = [heads.sign(row, bytes(32), T0 + row, "run-1", "hour") for row in (3, 7, 8, 12)]
    first = heads.sign(9, bytes(32), T0 + 20, "run-1", "restored")
    later = heads.sign(15, bytes(32), T0 + 30, "run-1", "hour")
    second = heads.sign(5, bytes(32), T0 + 40, "run-1", "restored")
    filed = weighed([*rows, first, later, second], [key])
    assert [one.head for one in filed] == [*rows, first, later, second]
    assert [one.void_since_ns for one in filed] == [None, *(T0 + 40, T0 + 20, T0 + 20), *(T0 + 40, T0 + 40), None]
    assert [one.void_since_ns for one in weighed([*rows, first], ["other"])] == [None] * 5
    store.close()


def test_what_the_file_lacks_is_added_once_and_in_order(tmp_path: Path) -> None:
    store = signed(tmp_path)
    made = read_heads(heads_path(store.path))
    for left in (made[:1], [made[1]], []):
        write(store.path, *left)
        assert found(store) == ""
        assert read_heads(heads_path(store.path)) == [*left, *(head for head in made if head not in left)]
    heads_path(store.path).unlink()
    assert found(store) == ""
    assert read_heads(heads_path(store.path)) == made
    store.close()


def test_a_file_that_is_damaged_or_anothers_is_kept_aside_by_name(tmp_path: Path) -> None:
    store = signed(tmp_path)
    path = heads_path(store.path)
    made = read_heads(path)
    path.write_bytes(b"rubbish\n")
    assert found(store) == (
        f"{path}: line 1 is no signed head; it is kept as heads-damaged-{T0}.jsonl, and rows it knew of may be missing"
    )
    assert (tmp_path / f"heads-damaged-{T0}.jsonl").read_bytes() == b"rubbish\n"
    assert read_heads(path) == made
    write(store.path, *made[:2], HEAD)
    assert found(store) == ""
    assert read_heads(tmp_path / "heads-paper-1.jsonl") == [*made[:2], HEAD]
    assert read_heads(path) == made
    store.close()


def test_a_head_that_did_not_reach_the_file_goes_with_the_next_and_a_dropped_one_never(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    store = desk(tmp_path)
    heads = heads_of(store)
    path = heads_path(store.path)

    class Full:
        def __init__(self, path: Path) -> None:
            raise OSError(28, "No space left on device")

    first = heads.sign(3, bytes(32), T0, "run-1", "hour")
    with monkeypatch.context() as patch:
        patch.setattr("store.heads.Appender", Full)
        heads.kept()
    assert caplog.messages == [f"a signed head did not reach {path}: [Errno 28] No space left on device"]
    assert not path.exists()
    heads.sign(4, bytes(32), T0, "run-1", "hour")
    heads.dropped()
    heads.kept()
    assert read_heads(path) == [first]
    second = heads.sign(5, bytes(32), T0, "run-1", "hour")
    heads.kept()
    heads.kept()
    assert read_heads(path) == [first, second]
    store.close()
