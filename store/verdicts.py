"""Protocols and their verdicts as the journal has them, and the signature a verdict carries.

A verdict is signed by the desk that judged it, over its exact text: a copy can be checked anywhere by whoever trusts
that desk's public key, and an edited one cannot be passed off.
"""

import json
import sqlite3
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from engine.review.certificate import Certificate
from engine.review.evidence import Files, Terms
from engine.review.protocol import Verdict
from store.database import reading
from store.keys import DeskKey, is_signed

DOMAIN: Final = "nightdesk verdict 1"
CERTIFICATE: Final = "nightdesk certificate 1"


class Statement(msgspec.Struct, frozen=True):
    """What a desk says of one of its protocols."""

    desk_id: str
    env: str
    judged_ns: int
    verdict: Verdict
    files: Files


class SignedStatement(msgspec.Struct, frozen=True):
    """A statement as text, and the key and signature that stand for it. All hex but the text."""

    statement: str
    key: str
    ed25519: str

    @property
    def said(self) -> Statement:
        return msgspec.json.decode(self.statement, type=Statement)

    @property
    def is_genuine(self) -> bool:
        """True if the key it names signed it. Whether that key is to be trusted is another question."""
        return is_signed(_message(self.statement), self.ed25519, self.key)


class SignedCertificate(msgspec.Struct, frozen=True):
    """A certificate as text under the desk's key; all hex but the text."""

    certificate: str
    key: str
    ed25519: str

    @property
    def said(self) -> Certificate:
        return msgspec.json.decode(self.certificate, type=Certificate)

    @property
    def is_genuine(self) -> bool:
        """True if the key it names signed it."""
        return is_signed(_message(self.certificate, CERTIFICATE), self.ed25519, self.key)


class Begun(NamedTuple):
    """A protocol on record: the row of its terms, and the row of its verdict, 0 while it has none."""

    row: int
    terms: Terms
    verdict_row: int


def signed(statement: Statement, key: DeskKey) -> SignedStatement:
    """The statement under the desk's key."""
    text = msgspec.json.encode(statement).decode()
    return SignedStatement(text, key.public, key.sign(_message(text)))


def certified(made: Certificate, key: DeskKey) -> SignedCertificate:
    """The certificate under the desk's key."""
    text = msgspec.json.encode(made).decode()
    return SignedCertificate(text, key.public, key.sign(_message(text, CERTIFICATE)))


def protocols(path: Path) -> list[Begun]:
    """Every protocol of the desk, the newest first. A protocol ends with the first verdict on it."""
    with reading(path) as connection:
        return _protocols(connection)


def _protocols(connection: sqlite3.Connection) -> list[Begun]:
    rows = connection.execute(
        "SELECT p.row, p.body, (SELECT min(v.row) FROM verdicts AS v WHERE v.protocol_id = p.protocol_id) "
        "FROM protocols AS p ORDER BY p.row DESC"
    )
    return [Begun(row, msgspec.convert(json.loads(body)["terms"], Terms), verdict or 0) for row, body, verdict in rows]


def statement_of(path: Path, protocol_id: str) -> SignedStatement | None:
    """What the desk said at the end of a protocol; None while it has not ended."""
    with reading(path) as connection:
        found = connection.execute(
            "SELECT body FROM verdicts WHERE protocol_id = ? ORDER BY row LIMIT 1", (protocol_id,)
        ).fetchone()
    return msgspec.json.decode(found[0], type=SignedStatement) if found else None


def _message(text: str, domain: str = DOMAIN) -> bytes:
    return json.dumps([domain, text], separators=(",", ":"), ensure_ascii=False).encode()
