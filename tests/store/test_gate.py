"""What the journal says to the live gate: word for word, from a key that is trusted, with nothing edited or cut off."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from engine.review.certificate import Certificate
from engine.review.evidence import Files
from engine.review.live_gate import BYPASS_NS_MAX, Record
from engine.review.protocol import Verdict, verdict
from engine.review.protocols import PROTOCOLS
from store.desk import Store
from store.gate import TRUSTED, read_gate
from store.heads import heads_path
from store.keys import DeskKey, desk_key, keys_folder
from store.verdicts import Statement, certified, signed
from tests.review.proving import SOMETHING, good
from tests.store.making import SECOND, T0, batch, desk, run_started

PASSED = verdict(PROTOCOLS["72h"], good("72h"))
FAILED = verdict(PROTOCOLS["72h"], good("72h", acts=SOMETHING))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = desk(tmp_path)
    made.journal.commit(batch(1, [run_started()])).result()
    return made


def judged(store: Store, found: Verdict = PASSED) -> Record:
    store.record_verdict(found, Files(), T0).result()
    return read_gate(store.path)


def test_an_empty_desk_has_no_evidence_and_nothing_wrong(tmp_path: Path) -> None:
    assert read_gate(tmp_path / "desk.db") == Record()
    assert read_gate(desk(tmp_path).path) == Record()


def test_a_verdict_of_the_desk_itself_is_trusted_evidence(store: Store) -> None:
    record = judged(store)
    (proof,) = record.proofs
    assert (proof.protocol, proof.passed, proof.real, proof.is_genuine, proof.is_trusted) == ("72h", *[True] * 4)
    assert (proof.judged_ns, record.tampered) == (T0, "")
    assert msgspec.structs.asdict(proof.fingerprints) == PASSED.fingerprints


def edited(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


PASS_IT = "body = replace(body, '\\\"passed\\\":false', '\\\"passed\\\":true')"
EDITS: dict[str, tuple[str, ...]] = {
    "the table": (f"UPDATE verdicts SET {PASS_IT}",),
    "the journal": ("DROP TRIGGER journal_is_never_changed", f"UPDATE journal SET {PASS_IT} WHERE kind = 'verdict'"),
    "both": (
        "DROP TRIGGER journal_is_never_changed",
        f"UPDATE journal SET {PASS_IT} WHERE kind = 'verdict'",
        f"UPDATE verdicts SET {PASS_IT}",
    ),
    "a row of the table deleted": ("DELETE FROM verdicts",),
    "a row of the table made up": (
        "INSERT INTO verdicts SELECT row + 1000, run, mode, at_ns, 'x', 1, body FROM verdicts",
    ),
    "the failure cut off": (
        "DROP TRIGGER journal_is_never_deleted",
        "DELETE FROM verdicts WHERE row = (SELECT max(row) FROM verdicts)",
        "DELETE FROM journal WHERE id >= (SELECT max(id) FROM journal WHERE kind = 'verdict')",
    ),
}


@pytest.mark.parametrize("place", EDITS)
def test_a_failure_that_was_edited_away_denies(store: Store, place: str) -> None:
    judged(store)
    assert judged(store, FAILED).tampered == ""
    store.close()
    edited(store.path, *EDITS[place])
    assert read_gate(store.path).tampered, place


def rehashed(path: Path) -> None:
    """Edit the verdict everywhere and compute its row's hash anew, as somebody would who knows the format."""
    from store.chain import Row, row_hash

    edited(path, *EDITS["both"])
    with closing(sqlite3.connect(path)) as connection, connection:
        *columns, _ = connection.execute("SELECT * FROM journal WHERE kind = 'verdict'").fetchone()
        row = Row(*columns)
        (before,) = connection.execute("SELECT hash FROM journal WHERE id = ?", (row.id - 1,)).fetchone()
        connection.execute("UPDATE journal SET hash = ? WHERE id = ?", (row_hash(before, row), row.id))


def test_an_edit_with_its_hash_made_anew_has_no_signature(store: Store) -> None:
    judged(store, FAILED)
    store.close()
    heads_path(store.path).unlink()
    rehashed(store.path)
    record = read_gate(store.path)
    assert record.tampered == "" and [(proof.passed, proof.is_genuine) for proof in record.proofs] == [(True, False)]


def admitted(store: Store, key: DeskKey) -> Record:
    statement = signed(Statement("another", "paper", T0, PASSED, Files()), key)
    store.record_gate("evidence", "72h-1", msgspec.json.encode(statement).decode()).result()
    return read_gate(store.path)


def test_a_foreign_verdict_counts_once_its_key_is_trusted(store: Store) -> None:
    private = Ed25519PrivateKey.generate()
    (proof,) = admitted(store, DeskKey(private)).proofs
    assert (proof.is_genuine, proof.is_trusted) == (True, False)
    folder = keys_folder(store.path) / TRUSTED
    folder.mkdir()
    pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (folder / "paper.pem").write_bytes(pem)
    (proof,) = read_gate(store.path).proofs
    assert proof.is_trusted


@pytest.mark.parametrize(("go", "own", "until"), [(True, True, 99), (False, True, 0), (True, False, 0)])
def test_a_certificate_counts_where_it_says_go_under_a_trusted_key(
    store: Store, go: bool, own: bool, until: int
) -> None:
    made = Certificate(1, "paper", "0", 1, 99, go, (), (), {}, {})
    key = desk_key(keys_folder(store.path)) if own else DeskKey(Ed25519PrivateKey.generate())
    body = msgspec.json.encode(certified(made, key)).decode()
    store.record_gate("certificate", "GO", body).result()
    record = read_gate(store.path)
    assert (record.certified_until_ns, record.tampered) == (until, "")


def test_a_bypass_lasts_no_longer_than_it_may_whatever_was_written(store: Store) -> None:
    body = {"actor": "ann", "reason": "test", "until_ns": T0 + 10 * BYPASS_NS_MAX}
    store.record_gate("bypass", "ann", json.dumps(body)).result()
    bypass = read_gate(store.path).bypass
    assert bypass is not None and bypass.until_ns == T0 + BYPASS_NS_MAX


@pytest.mark.parametrize(
    ("steps", "stage"),
    [
        ([(1, True)], 1),
        ([(1, True), (2, True), (3, True)], 3),
        ([(2, True)], 0),
        ([(1, True), (3, True)], 1),
        ([(1, False)], 0),
        ([(1, True), (2, False)], 1),
        ([(1, True), (2, True), (2, False)], 1),
        ([(1, True), (2, True), (1, False)], 0),
    ],
)
def test_no_stage_is_skipped_and_a_failure_takes_one_back(
    store: Store, steps: list[tuple[int, bool]], stage: int
) -> None:
    for number, passed in steps:
        body = json.dumps({"stage": number, "passed": passed})
        store.record_gate("stage", str(number), body).result()
    assert read_gate(store.path).stage == stage


def test_a_failed_stage_stands_until_the_next_validation(store: Store) -> None:
    store.record_gate("stage", "1", json.dumps({"stage": 1, "passed": False})).result()
    assert read_gate(store.path).rolled_back == 1
    assert judged(store).rolled_back == 0


@pytest.mark.parametrize(
    "spoil", [lambda p: p.write_bytes(b"no database" * 400), lambda p: heads_path(p).write_text("x\n")]
)
def test_a_record_that_cannot_be_read_is_tampered_with(store: Store, spoil: Callable[[Path], None]) -> None:
    judged(store)
    store.close()
    spoil(store.path)
    record = read_gate(store.path)
    assert record.tampered and not record.proofs


def test_decisions_are_kept_with_their_inputs(store: Store) -> None:
    store.record_gate("gate", "DENIED", json.dumps({"level": "DENIED", "at": SECOND})).result()
    assert read_gate(store.path).tampered == "" and store.verify().is_good
