"""Signed heads: every way of changing what was written is found, and nothing else is."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from engine.session.clock import VirtualClock
from engine.session.ports import SignedHead
from store.audit import Held, Proof, proof
from store.chain import Row, genesis, row_hash
from store.desk import Store
from store.errors import Damaged
from store.heads import BadHeads, heads_path, is_genuine, read_heads
from store.keys import BadKey, desk_key, keys_folder, public_keys, read_public
from tests.store.making import SECOND, T0, batch, desk, one_of_each, quotes, round_trip

HOUR = 3_600 * SECOND


def traded(folder: Path) -> Path:
    """A desk that ended in order: rows, two signed heads, the last row is a head."""
    store = desk(folder)
    store.journal.commit(batch(1, 40, one_of_each(40), snapshot=b"s")).result()
    store.sign_head("report").result()
    store.journal.commit(batch(41, 10, [])).result()
    store.close()
    return store.path


def tampered(path: Path, *statements: str) -> None:
    """Edit the file as someone with the right tools would, append-only triggers or not."""
    connection = sqlite3.connect(path)
    for (trigger,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
        connection.execute(f"DROP TRIGGER {trigger}")
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


def rewritten(path: Path, also_heads: bool = False) -> None:
    """Change one fact and compute the whole chain anew from there, as the desk itself would have written it."""
    connection = sqlite3.connect(path)
    tampered(path, "UPDATE journal SET body = replace(body, 'ann', 'bob') WHERE kind = 'operator_acted'")
    previous = genesis(*connection.execute("SELECT desk_id, env FROM desk").fetchone())
    for values in connection.execute(
        "SELECT id, seq, inputs, run, kind, at_ns, symbol, ref, body FROM journal"
    ).fetchall():
        previous = row_hash(previous, Row._make(values))
        connection.execute("UPDATE journal SET hash = ? WHERE id = ?", (previous, values[0]))
        connection.execute("UPDATE signed_heads SET hash = ? WHERE row = ?", (previous.hex(), values[0]))
    if also_heads:
        connection.execute("DELETE FROM signed_heads")
    connection.commit()
    connection.close()


def last_row(path: Path) -> int:
    connection = sqlite3.connect(path)
    (row,) = connection.execute("SELECT max(id) FROM journal").fetchone()
    connection.close()
    return int(row)


def test_a_desk_that_ended_in_order_is_signed_to_its_last_row(tmp_path: Path) -> None:
    path = traded(tmp_path)
    found = proof(path)
    assert found.is_good and found.faults == found.notes == ()
    assert (found.signed, found.filed, found.unsigned_rows) == (2, 2, 0)
    assert found.newest is not None
    assert (found.newest.row, found.newest.hash, found.newest.cause) == (last_row(path), found.chain.head, "close")
    assert found.keys == (read_public(tmp_path / "keys" / "desk.pub.pem"),)


def test_what_is_not_signed_yet_is_counted(tmp_path: Path) -> None:
    path = traded(tmp_path)
    store = desk(tmp_path)
    store.journal.commit(batch(51, 10, [], "run-2")).result()
    found = proof(path)
    assert found.is_good and found.unsigned_rows == 2
    store.close()
    assert proof(path).unsigned_rows == 0


@pytest.mark.parametrize("column", ["seq", "inputs", "run", "kind", "at_ns", "symbol", "ref", "body", "hash"])
def test_an_edited_row_is_named_with_kind_and_time(tmp_path: Path, column: str) -> None:
    path = traded(tmp_path)
    edits = {
        **dict.fromkeys(("seq", "inputs", "run", "at_ns"), f"{column} + 1"),
        **dict.fromkeys(("kind", "symbol", "ref"), f"{column} || 'x'"),
        "body": "replace(body, 'BTCUSDT', 'BTCUSDS')",
        "hash": "randomblob(32)",
    }
    tampered(path, f"UPDATE journal SET {column} = {edits[column]} WHERE id = 4")
    bad = proof(path).chain.bad
    assert bad is not None and (bad.id, bad.kind.rstrip("x")) == (4, "order_changed")
    assert bad.at_ns - T0 in (1, 2)


def test_one_byte_of_a_block_of_inputs_is_enough(tmp_path: Path) -> None:
    path = traded(tmp_path)
    body = sqlite3.connect(path).execute("SELECT hex(body) FROM journal WHERE id = 2").fetchone()[0]
    tampered(path, f"UPDATE journal SET body = x'{body[:-2]}{'00' if body[-2:] != '00' else '01'}' WHERE id = 2")
    bad = proof(path).chain.bad
    assert bad is not None and (bad.id, bad.kind, bad.reason) == (2, "block", "its hash differs")


@pytest.mark.parametrize("flip", [0x01, 0x20, 0x80])
def test_a_byte_flipped_in_the_file_itself_names_its_row(tmp_path: Path, flip: int) -> None:
    path = traded(tmp_path)
    whole = path.read_bytes()
    text = b'"actor":"ann","text":"lunch"'
    assert whole.count(text) == 1
    ((row,),) = sqlite3.connect(path).execute("SELECT id FROM journal WHERE kind = 'operator_acted'").fetchall()
    for offset in range(len(text)):
        flipped = bytearray(whole)
        flipped[whole.index(text) + offset] ^= flip
        path.write_bytes(flipped)
        bad = proof(path).chain.bad
        assert bad is not None and bad.id == row and bad.reason
    path.write_bytes(whole)
    assert proof(path).is_good


def test_a_database_that_lost_its_stamp_is_damaged(tmp_path: Path) -> None:
    path = traded(tmp_path)
    tampered(path, "DELETE FROM desk")
    with pytest.raises(Damaged, match="lost its stamp"):
        proof(path)
    with pytest.raises(Damaged, match="lost its stamp"):
        desk(tmp_path)


def test_two_swapped_rows_are_found_at_the_first(tmp_path: Path) -> None:
    path = traded(tmp_path)
    tampered(
        path,
        "UPDATE journal SET id = -5 WHERE id = 5",
        "UPDATE journal SET id = 5 WHERE id = 6",
        "UPDATE journal SET id = 6 WHERE id = -5",
    )
    bad = proof(path).chain.bad
    assert bad is not None and bad.id == 5


def test_a_row_deleted_from_the_middle_is_found(tmp_path: Path) -> None:
    path = traded(tmp_path)
    tampered(path, "DELETE FROM journal WHERE id = 7")
    bad = proof(path).chain.bad
    assert bad is not None and bad.reason == "row 7 is missing before it"


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_a_cut_tail_is_found_by_the_heads_in_the_database_and_in_the_file(tmp_path: Path, rows: int) -> None:
    path = traded(tmp_path)
    last = last_row(path)
    tampered(path, f"DELETE FROM journal WHERE id > {last - rows}")
    found = proof(path)
    assert found.chain.is_good and not found.is_good
    assert [fault.split(":")[0] for fault in found.faults] == ["the database", "heads.jsonl"]
    wanted = f"the journal ends at row {last - rows}; {rows} rows that were signed are missing"
    assert all(wanted in fault for fault in found.faults)


def test_a_cut_tail_with_its_heads_is_found_by_the_file(tmp_path: Path) -> None:
    path = traded(tmp_path)
    last = last_row(path)
    tampered(path, f"DELETE FROM journal WHERE id >= {last}", f"DELETE FROM signed_heads WHERE row >= {last}")
    (fault,) = proof(path).faults
    assert fault.startswith("heads.jsonl: row") and f"ends at row {last - 1}; 1 rows" in fault


def test_a_cut_tail_with_its_heads_and_the_file_is_found_by_who_holds_a_head(tmp_path: Path) -> None:
    """FS-13."""
    path = traded(tmp_path)
    held = read_heads(heads_path(path))
    last = last_row(path)
    tampered(path, f"DELETE FROM journal WHERE id >= {last}", f"DELETE FROM signed_heads WHERE row >= {last}")
    lines = heads_path(path).read_bytes().splitlines(keepends=True)
    heads_path(path).write_bytes(lines[0])
    assert proof(path).is_good  # nothing here can tell
    assert "1 rows that were signed are missing" in proof(path, Held(held)).faults[0]
    assert "no row has the hash" in proof(path, Held(hashes=[held[-1].hash])).faults[0]
    assert proof(path, Held(held[:1], [held[0].hash])).held == 2


def test_a_chain_written_anew_is_found_by_its_signatures(tmp_path: Path) -> None:
    """FS-13."""
    path = traded(tmp_path)
    rewritten(path)
    found = proof(path)
    assert found.chain.is_good and len(found.faults) == 2
    assert "its signature does not hold (and 1 more heads do not fit)" in found.faults[0]
    assert "written anew" in found.faults[1]


def test_a_chain_written_anew_without_signatures_is_found_by_the_file_and_by_the_heads_left(tmp_path: Path) -> None:
    path = traded(tmp_path)
    rewritten(path, also_heads=True)
    found = proof(path)
    assert any("its signature is gone" in fault for fault in found.faults)
    assert any(fault.startswith("heads.jsonl") and "written anew" in fault for fault in found.faults)


def test_a_chain_written_anew_and_signed_with_another_key_is_found_by_who_holds_the_key(tmp_path: Path) -> None:
    path = traded(tmp_path)
    public = public_keys(keys_folder(path))
    held = read_heads(heads_path(path))
    shutil.rmtree(keys_folder(path))
    other = desk_key(keys_folder(path)).public
    assert f"signed with the key {public[0][:16]}, which is not this desk's (--key FILE" in proof(path).faults[0]
    assert proof(path, Held(held), public).is_good and other not in public


def test_the_file_gone_is_a_fault_and_a_torn_last_line_is_not(tmp_path: Path) -> None:
    path = traded(tmp_path)
    whole = heads_path(path).read_bytes()
    heads_path(path).write_bytes(whole[:-40])
    found = proof(path)
    assert found.is_good and "1 signed heads are not yet in heads.jsonl" in found.notes[0]
    heads_path(path).unlink()
    assert "heads.jsonl is gone" in proof(path).faults[0]
    heads_path(path).write_bytes(b"rubbish\n" + whole)
    with pytest.raises(BadHeads, match="line 1 is no signed head"):
        proof(path)


def test_the_next_start_adds_what_the_file_lacks(tmp_path: Path) -> None:
    """FD-25."""
    path = traded(tmp_path)
    whole = heads_path(path).read_bytes()
    heads_path(path).write_bytes(whole[:-40])
    desk(tmp_path).close()
    assert heads_path(path).read_bytes() == whole


def test_a_damaged_file_of_heads_is_set_aside_and_the_desk_starts_warned(tmp_path: Path) -> None:
    path = traded(tmp_path)
    heads_path(path).write_bytes(b"rubbish\n")
    store = desk(tmp_path)
    assert "line 1 is no signed head; it is kept as heads-damaged-" in store.restored_text
    store.close()
    found = proof(path)
    assert found.is_good and "heads-damaged-" in found.notes[0]


def test_a_desk_that_finds_rows_missing_says_so_goes_on_and_never_forgets(tmp_path: Path) -> None:
    path = traded(tmp_path)
    lost = read_heads(heads_path(path))[-1]
    cut = f"DELETE FROM {{}} WHERE {{}} >= {last_row(path) - 1}"
    tampered(path, cut.format("journal", "id"), cut.format("signed_heads", "row"))
    store = desk(tmp_path)
    assert "2 rows are missing" in store.restored_text
    store.close()
    found = proof(path)
    assert found.is_good and "1 heads up to row" in found.notes[0]
    assert not proof(path, Held([lost])).is_good
    store = desk(tmp_path)
    assert store.restored_text == ""
    store.close()


def test_a_restore_voids_the_heads_it_leaves_behind_also_the_one_right_after_the_backup(tmp_path: Path) -> None:
    store = desk(tmp_path)
    store.journal.commit(batch(1, 10)).result()
    store.backup()
    lost = store.sign_head("report").result()
    store.close()
    store.path.unlink()
    store = desk(tmp_path)
    assert store.restored_text.startswith("The database was restored")
    store.journal.commit(batch(11, 10)).result()
    store.close()
    found = proof(store.path)
    assert found.is_good and len(found.notes) == 1 and f"1 heads up to row {lost.row} are void" in found.notes[0]
    assert not proof(store.path, Held([lost])).is_good


def test_the_heads_of_another_journal_are_kept_apart(tmp_path: Path) -> None:
    path = traded(tmp_path)
    whole = heads_path(path).read_bytes()
    path.unlink()
    store = desk_at(tmp_path, T0 + HOUR)
    store.journal.commit(batch(1, 3)).result()
    store.close()
    assert (tmp_path / f"heads-paper-{T0}.jsonl").read_bytes() == whole
    assert proof(path).is_good
    assert "another journal" in proof(path, Held(read_heads(tmp_path / f"heads-paper-{T0}.jsonl"))).faults[0]


def desk_at(folder: Path, now_ns: int) -> Store:
    from store.desk import open_store

    return open_store(folder / "desk.db", "paper", VirtualClock(now_ns), threaded=False)


def test_a_head_is_signed_once_an_hour_of_the_desks_clock(tmp_path: Path) -> None:
    store = desk(tmp_path)
    for minute in range(0, 181, 20):
        first = 1 + minute // 20
        made = msgspec.structs.replace(batch(first, 1), recorded_ns=T0 + minute * 60 * SECOND)
        store.journal.commit(made).result()
    heads = read_heads(heads_path(store.path))
    assert [(head.at_ns - T0) // SECOND for head in heads] == [3_600, 7_200, 10_800]
    assert {head.cause for head in heads} == {"hour"} and {head.run_id for head in heads} == {"run-1"}
    store.close()


def test_heads_go_on_when_time_was_set_back(tmp_path: Path) -> None:
    store = desk_at(tmp_path, T0 + 1_000 * HOUR)  # a market of the past, in books closed by the wall's clock
    store.journal.commit(batch(1, 1)).result()
    store.close()
    store = desk_at(tmp_path, T0 + 1_000 * HOUR)
    for hour in range(3):
        made = msgspec.structs.replace(batch(2 + hour, 1), recorded_ns=T0 + hour * HOUR)
        store.journal.commit(made).result()
        store.journal.commit(msgspec.structs.replace(batch(3 + hour, 0), recorded_ns=T0 + hour * HOUR + 1)).result()
    store.close()
    heads = read_heads(heads_path(store.path))
    assert [head.cause for head in heads] == ["close", "hour", "hour", "hour"]
    assert [head.at_ns for head in heads[1:]] == [T0, T0 + HOUR, T0 + 2 * HOUR]
    assert proof(store.path).is_good


def test_the_chain_does_not_depend_on_the_key(tmp_path: Path) -> None:
    made = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        made.append(proof(traded(tmp_path / name)))
    assert made[0].chain.head == made[1].chain.head
    assert made[0].keys != made[1].keys


def test_opening_and_closing_writes_nothing(tmp_path: Path) -> None:
    path = traded(tmp_path)
    before = (proof(path), heads_path(path).read_bytes())
    desk(tmp_path).close()
    assert (proof(path), heads_path(path).read_bytes()) == before


def test_a_head_whose_transaction_fails_is_never_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = desk(tmp_path)
    store.journal.commit(batch(1, 1)).result()

    def full(connection: sqlite3.Connection, head: SignedHead) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr("store.writer.record_head", full)
    assert store.sign_head("report").exception() is not None
    store.close()
    assert not heads_path(store.path).exists()
    assert proof(store.path).chain.rows == 2


def test_a_file_that_cannot_be_written_stops_nothing_and_catches_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    store = desk(tmp_path)

    class Full:
        def __init__(self, path: Path) -> None:
            raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("store.heads.Appender", Full)
        store.journal.commit(batch(1, 1)).result()
        store.sign_head("report").result()
    assert "did not reach" in caplog.text
    store.journal.commit(batch(2, 1)).result()
    store.close()
    assert [head.cause for head in read_heads(heads_path(store.path))] == ["report", "close"]


def test_a_head_can_be_checked_with_nothing_of_ours(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    path = traded(tmp_path)
    line = json.loads(heads_path(path).read_text().splitlines()[-1])
    fields = [
        "nightdesk head 1",
        *(line[name] for name in ("desk_id", "env", "row", "hash", "at_ns", "run_id", "cause")),
    ]
    message = json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode()
    key = load_pem_public_key((tmp_path / "keys" / "desk.pub.pem").read_bytes())
    key.verify(bytes.fromhex(line["ed25519"]), message)  # type: ignore[union-attr, call-arg]


FORGERIES: list[Callable[[SignedHead], SignedHead]] = [
    lambda head: msgspec.structs.replace(head, row=head.row + 1),
    lambda head: msgspec.structs.replace(head, hash="00" * 32),
    lambda head: msgspec.structs.replace(head, at_ns=head.at_ns - 1),
    lambda head: msgspec.structs.replace(head, run_id="run-7"),
    lambda head: msgspec.structs.replace(head, cause="restored"),
    lambda head: msgspec.structs.replace(head, desk_id="paper-1"),
    lambda head: msgspec.structs.replace(head, ed25519="zz"),
]


@pytest.mark.parametrize("forge", FORGERIES)
def test_no_field_of_a_head_can_be_changed(tmp_path: Path, forge: Callable[[SignedHead], SignedHead]) -> None:
    head = read_heads(heads_path(traded(tmp_path)))[0]
    assert is_genuine(head) and not is_genuine(forge(head))


def test_a_forged_head_never_makes_a_desk_believe_that_rows_are_missing(tmp_path: Path) -> None:
    path = traded(tmp_path)
    head = read_heads(heads_path(path))[-1]
    forged = msgspec.structs.replace(head, row=head.row + 100)
    with heads_path(path).open("ab") as file:
        file.write(msgspec.json.encode(forged) + b"\n")
    store = desk(tmp_path)
    assert store.restored_text == ""
    store.close()
    assert "its signature does not hold" in proof(path).faults[0]


# --- keys ---


def test_the_key_is_private_and_stays(tmp_path: Path) -> None:
    key = desk_key(tmp_path / "keys")
    (tmp_path / "keys" / "desk.pem").chmod(0o644)
    again = desk_key(tmp_path / "keys")
    assert again.public == key.public == public_keys(tmp_path / "keys")[0]
    assert (tmp_path / "keys" / "desk.pem").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700


def test_a_lost_private_key_gives_way_to_a_new_one_and_old_heads_still_count(tmp_path: Path) -> None:
    """FS-14."""
    path = traded(tmp_path)
    (tmp_path / "keys" / "desk.pem").unlink()
    store = desk(tmp_path)
    store.journal.commit(batch(51, 10)).result()
    store.close()
    found = proof(path)
    assert found.is_good and len(found.keys) == 2 and found.signed == 3


def test_what_is_no_key_is_refused_by_name(tmp_path: Path) -> None:
    """FS-14."""
    traded(tmp_path)
    (tmp_path / "keys" / "desk.pem").write_text("rubbish")
    with pytest.raises(BadKey, match=r"desk\.pem cannot be used as a key: .*move it away"):
        desk(tmp_path)


def test_a_database_older_than_heads_is_good_and_unsigned(tmp_path: Path) -> None:
    path = traded(tmp_path)
    tampered(path, "DELETE FROM journal", "DROP TABLE signed_heads")
    heads_path(path).unlink()
    found: Proof = proof(path)
    assert found.is_good and (found.signed, found.newest) == (0, None)


def test_facts_and_inputs_of_a_signed_journal_read_as_before(tmp_path: Path) -> None:
    store = desk(tmp_path)
    store.journal.commit(batch(1, 10, round_trip(10))).result()
    store.sign_head("report").result()
    store.journal.commit(batch(11, 5)).result()
    assert len(list(store.run_facts("run-1"))) == len(round_trip(10))
    assert [event for _, event in store.run_inputs("run-1")[1]] == quotes(1, 15)
    before = proof(store.path).chain.head
    store.rebuild_projections().result()
    assert proof(store.path).chain.head == before
    store.close()
