"""The chain on its own: the hash of a row to the byte, and every fault at the row where it begins."""

import sqlite3
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.session.ports import Batch
from store import chain
from store.chain import Anchor, Archive, BadRow, Row, Verification, genesis, row_hash, verify, walk
from store.database import open_reader
from store.errors import Damaged
from tests.store.making import SECOND, T0, batch, desk, mark
from tests.store.test_audit import tampered

FIRST = Row(1, 0, 0, 1, "run", 5, "", "run-1", '{"run_id":"run-1"}')
BLOCK = Row(2, 1, 4, 1, "block", 6, "", "", b"\x02xyz")
FACT = Row(3, 4, 0, 1, "fill_booked", 7, "ÄBC", "f1", "{}")
NEXT = Row(4, 5, 2, 1, "block", 8, "", "", b"\x02abc")
ROWS = (FIRST, BLOCK, FACT, NEXT)
START = genesis("paper-1", "paper")


def chained(*rows: Row, before: bytes = START) -> list[tuple[Any, ...]]:
    made = []
    for row in rows:
        before = row_hash(before, row)
        made.append((*row, before))
    return made


def head_of(*rows: Row) -> str:
    return (chained(*rows)[-1][-1] if rows else START).hex()


def test_the_hash_before_the_first_row_is_that_of_the_desk() -> None:
    assert genesis("paper-1", "paper") == sha256(b"nightdesk journal 1\n\x00paper-1\x00paper").digest()


def test_a_row_is_hashed_as_it_is_documented() -> None:
    numbers = b"".join(n.to_bytes(8, "big") for n in (3, 4, 0, 1, 7, 11, 4, 2, 2))
    expected = b"nightdesk journal 1\n" + START + numbers + b"fill_booked" + "ÄBC".encode() + b"f1" + b"t" + b"{}"
    assert row_hash(START, FACT) == sha256(expected).digest()
    numbers = b"".join(n.to_bytes(8, "big") for n in (2, 1, 4, 1, 6, 5, 0, 0, 4))
    assert (
        row_hash(START, BLOCK)
        == sha256(b"nightdesk journal 1\n" + START + numbers + b"block" + b"b" + b"\x02xyz").digest()
    )


def test_a_good_chain_is_counted_to_its_head() -> None:
    assert walk(chained(*ROWS), START, 1, 1) == Verification(4, 6, head_of(*ROWS), None)
    assert walk([], START, 1, 1) == Verification(0, 0, START.hex(), None)
    behind = row_hash(row_hash(START, FIRST), BLOCK)
    assert walk(chained(FACT, NEXT, before=behind), behind, 3, None).is_good  # the number of its first input unknown
    assert walk(chained(FACT, NEXT, before=behind), behind, 3, 5).inputs == 2


@pytest.mark.parametrize(
    ("rows", "next_input", "good", "bad"),
    [
        ((FIRST, FACT), 1, 1, BadRow(3, "fill_booked", "row 2 is missing before it", 7)),
        ((BLOCK,), 1, 0, BadRow(2, "block", "row 1 is missing before it", 6)),
        ((FIRST, BLOCK, FACT._replace(body=b"{}")), 1, 2, BadRow(3, "fill_booked", "its body is of the wrong type", 7)),
        ((FIRST, BLOCK._replace(body="xyz")), 1, 1, BadRow(2, "block", "its body is of the wrong type", 6)),
        ((FIRST, BLOCK), 2, 1, BadRow(2, "block", "it begins with input 1 where 2 is next", 6)),
        (
            (FIRST, BLOCK, FACT, NEXT._replace(seq=6)),
            1,
            3,
            BadRow(4, "block", "it begins with input 6 where 5 is next", 8),
        ),
    ],
)
def test_a_chain_is_good_up_to_the_row_before_the_fault(
    rows: tuple[Row, ...], next_input: int, good: int, bad: BadRow
) -> None:
    inputs = sum(row.inputs for row in rows[:good])
    assert walk(chained(*rows), START, 1, next_input) == Verification(good, inputs, head_of(*rows[:good]), bad)


def test_a_row_whose_hash_differs_and_one_that_cannot_be_read_are_named() -> None:
    rows = chained(*ROWS)
    rows[2] = (*rows[2][:9], bytes(32))
    differs = BadRow(3, "fill_booked", "its hash differs", 7)
    assert walk(rows, START, 1, 1) == Verification(2, 4, head_of(FIRST, BLOCK), differs)

    def breaks() -> Iterator[tuple[Any, ...]]:
        yield from rows[:2]
        raise sqlite3.DatabaseError("disk image is malformed")

    broken = BadRow(3, "", "it cannot be read: disk image is malformed")
    assert walk(breaks(), START, 1, 1) == Verification(2, 4, head_of(FIRST, BLOCK), broken)


# --- in a database ---


@pytest.fixture
def path(tmp_path: Path) -> Path:
    store = desk(tmp_path)
    store.journal.commit(Batch("run-1", 1, [], [], T0, b"at start")).result()
    store.journal.commit(batch(1, 5, [(5, mark())])).result()
    store.journal.commit(batch(6, 3)).result()
    store.close()
    return store.path


def checked(path: Path, after: int = 0) -> Verification:
    connection = open_reader(path)
    try:
        return verify(connection, after)
    finally:
        connection.close()


def test_a_check_may_begin_behind_any_row_and_reads_a_page_at_a_time(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = checked(path)
    assert (whole.rows, whole.inputs, whole.bad, whole.anchor) == (6, 8, None, None)
    for page in (1, 2, 3, 6):
        monkeypatch.setattr(chain, "PAGE", page)
        assert checked(path) == whole
        assert [checked(path, after).rows for after in range(1, 7)] == [5, 4, 3, 2, 1, 0]
        assert {checked(path, after).head for after in range(1, 7)} == {whole.head}


def test_a_whole_journal_begins_with_its_first_input(tmp_path: Path) -> None:
    store = desk(tmp_path)
    store._writer.next_seq = 2
    store.journal.commit(batch(2, 3)).result()
    store.close()
    assert checked(store.path).bad == BadRow(2, "block", "it begins with input 2 where 1 is next", T0 + 2 * SECOND)


def test_a_journal_without_a_stamp_is_nobodys(path: Path) -> None:
    tampered(path, "DELETE FROM desk")
    connection = open_reader(path)
    with pytest.raises(Damaged) as caught:
        chain.stamp(connection)
    connection.close()
    assert str(caught.value) == "the database has lost its stamp: it does not say whose it is"


def test_a_journal_that_cannot_be_read_at_all_is_bad_from_the_row_asked_for(path: Path) -> None:
    tampered(path, "DROP TABLE journal")
    for after in (0, 4):
        found = checked(path, after)
        reason = "it cannot be read: no such table: journal"
        assert found == Verification(0, 0, "", BadRow(after + 1, "", reason))


def test_an_anchor_that_archives_rows_which_are_there_is_no_anchor(path: Path) -> None:
    archive = Archive("a.jsonl.gz", 1, 2, "00", "11", 1, "22")
    anchor = Anchor(2, checked(path).head, 1, (archive,))
    body = msgspec.json.encode(anchor).decode()
    tampered(path, f"UPDATE journal SET kind = 'anchor', body = '{body}' WHERE id = 6")
    expected = Verification(0, 0, "", BadRow(1, "", "the anchor says that row 2 is archived"), anchor)
    assert checked(path) == expected
    assert archive.rows == 2
    tampered(path, "DELETE FROM journal WHERE id = 1")
    assert checked(path).bad == BadRow(2, "", "the anchor says that row 2 is archived")


def test_an_anchor_is_told_also_where_what_stands_behind_it_cannot_be_read(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    anchor = Anchor(5, checked(path).head, 1, ())
    body = msgspec.json.encode(anchor).decode()
    tampered(path, f"UPDATE journal SET kind = 'anchor', body = '{body}' WHERE id = 6")

    def breaks(*_: object) -> None:
        raise sqlite3.DatabaseError("disk image is malformed")

    monkeypatch.setattr(chain, "_start", breaks)
    broken = BadRow(1, "", "it cannot be read: disk image is malformed")
    assert checked(path) == Verification(0, 0, "", broken, anchor)


def test_an_anchor_that_is_no_anchor_is_told(path: Path) -> None:
    tampered(path, "UPDATE journal SET kind = 'anchor', body = '{}' WHERE id = 6")
    found = checked(path)
    assert found.bad is not None and found.anchor is None
    assert (found.rows, found.inputs, found.head) == (0, 0, "")
    assert (found.bad.id, found.bad.kind) == (1, "")
    assert found.bad.reason.startswith("it cannot be read: Object missing required field")
