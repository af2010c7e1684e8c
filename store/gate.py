"""What the journal says to the live gate, read so that an edit anywhere on the way denies instead of allowing.

A verdict counts where its row in the chain follows from the row before it, the table shows the same text, and the text
carries the signature of a key this desk trusts: its own, or one a person has put into `keys/trusted/`. The journal must
also still hold the newest head that was filed outside of it, so that cutting off a failure at its end is seen.
"""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from engine.review.evidence import Fingerprints
from engine.review.live_gate import BYPASS_NS_MAX, STAGES, THREE_DAYS, Bypass, Proof, Record
from store.chain import Row, genesis, row_hash, stamp
from store.database import holds_desk, reading
from store.errors import StoreError
from store.heads import heads_path, is_genuine, read_heads, weighed
from store.keys import keys_folder, public_keys, read_public
from store.rows import GATE_KINDS
from store.verdicts import SignedCertificate, SignedStatement

TRUSTED: Final = "trusted"
_KINDS: Final = ("verdict", *GATE_KINDS)


class _Told(NamedTuple):
    kind: str
    at_ns: int
    name: str
    body: str


def read_gate(path: Path) -> Record:
    """All the gate goes by, from the database at `path`; a record that cannot be read counts as tampered with."""
    if not holds_desk(path):
        return Record()
    try:
        keys = trusted_keys(keys_folder(path))
        with reading(path) as connection:
            tampered = _cut(connection, path, keys)
            told = list(_told(connection))
            return _record(told, keys, tampered)
    except (StoreError, ValueError, LookupError, sqlite3.Error) as error:
        return Record(tampered=str(error))


def trusted_keys(folder: Path) -> list[str]:
    """The public keys whose verdicts count: the desk's own, and those a person trusts. Raises BadKey."""
    return [*public_keys(folder), *(read_public(path) for path in sorted((folder / TRUSTED).glob("*.pem")))]


def _told(connection: sqlite3.Connection) -> Iterator[_Told]:
    """The gate's rows of the chain, oldest first, each checked against the row before it and the table it went to."""
    marks = ", ".join("?" * len(_KINDS))
    rows = connection.execute(
        f"SELECT id, seq, inputs, run, kind, at_ns, symbol, ref, body, hash FROM journal WHERE kind IN ({marks}) "  # noqa: S608
        "ORDER BY id",
        _KINDS,
    ).fetchall()
    shown = dict(connection.execute("SELECT row, body FROM verdicts UNION ALL SELECT row, body FROM gate_records"))
    for *columns, hash_ in rows:
        row = Row(*columns)
        before = connection.execute("SELECT hash FROM journal WHERE id = ?", (row.id - 1,)).fetchone()
        before = before or ((genesis(*stamp(connection)),) if row.id == 1 else None)
        if before is None or row_hash(before[0], row) != hash_:
            raise ValueError(f"journal row {row.id} ({row.kind}) is not the one that was written")
        if shown.pop(row.id, None) != row.body:
            raise ValueError(f"the table shows another {row.kind} than journal row {row.id}")
        yield _Told(row.kind, row.at_ns, row.ref, str(row.body))
    if shown:
        raise ValueError(f"the tables show rows the journal does not have: {min(shown)}")


def _record(told: list[_Told], keys: list[str], tampered: str) -> Record:
    proofs = [_proof(one, keys) for one in told if one.kind in ("verdict", "evidence")]
    bypass = next((one for one in reversed(told) if one.kind == "bypass"), None)
    certificates = [one for one in told if one.kind == "certificate"]
    return Record(
        proofs=tuple(proofs),
        stage=_stage(told),
        rolled_back=_rolled_back(told),
        certified_until_ns=_certified(certificates[-1], keys) if certificates else 0,
        bypass=_bypass(bypass) if bypass is not None else None,
        tampered=tampered,
    )


def _proof(one: _Told, keys: list[str]) -> Proof:
    signed = msgspec.json.decode(one.body, type=SignedStatement)
    said = signed.said
    verdict = said.verdict
    return Proof(
        protocol_id=verdict.protocol_id,
        protocol=verdict.protocol,
        passed=verdict.passed,
        real=verdict.real,
        judged_ns=said.judged_ns,
        fingerprints=Fingerprints(**verdict.fingerprints),
        is_genuine=signed.is_genuine,
        is_trusted=signed.key in keys,
    )


def _certified(one: _Told, keys: list[str]) -> int:
    """Until when the newest certificate says GO; 0: it does not, or is not one this desk trusts."""
    signed = msgspec.json.decode(one.body, type=SignedCertificate)
    is_good = signed.is_genuine and signed.key in keys and signed.said.go
    return signed.said.expires_ns if is_good else 0


def _bypass(one: _Told) -> Bypass:
    """A bypass lasts no longer than it may, whatever was written."""
    body: dict[str, Any] = json.loads(one.body)
    until_ns = min(int(body["until_ns"]), one.at_ns + BYPASS_NS_MAX)
    return Bypass(str(body["actor"]), str(body["reason"]), until_ns)


def _stage(told: list[_Told]) -> int:
    """How many stages stand passed: each after the one before it, and a rollback takes back to where it says."""
    stage = 0
    for one in told:
        if one.kind == "stage":
            body = json.loads(one.body)
            reached = int(body["stage"])
            stage = stage + 1 if body["passed"] and reached == stage + 1 else min(stage, max(reached - 1, 0))
    return min(stage, len(STAGES))


def _rolled_back(told: list[_Told]) -> int:
    """The stage that failed since the newest 72-hour verdict; 0: none did."""
    failed = 0
    for one in told:
        if one.kind in ("verdict", "evidence") and one.name.startswith(f"{THREE_DAYS}-"):
            failed = 0
        elif one.kind == "stage":
            body = json.loads(one.body)
            failed = failed if body["passed"] else int(body["stage"])
    return failed


def _cut(connection: sqlite3.Connection, path: Path, keys: list[str]) -> str:
    """What is missing behind the newest head that was filed; empty if the journal still holds it."""
    file = heads_path(path)
    if not file.exists():
        return ""
    filed = [one.head for one in weighed(read_heads(file), keys) if one.void_since_ns is None and is_genuine(one.head)]
    newest = max(filed, key=lambda head: head.row, default=None)
    if newest is None:
        return ""
    found = connection.execute("SELECT hash FROM journal WHERE id = ?", (newest.row,)).fetchone()
    if found is None or found[0].hex() != newest.hash:
        return f"the journal does not hold row {newest.row} as it was signed"
    return ""
