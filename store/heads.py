"""Signed heads: the newest hash of the chain under the desk's key, in the database and in `heads.jsonl` beside it.

The hash chain alone cannot show that its tail was cut or that all of it was computed anew. A head signed before can,
and whoever keeps a copy of one elsewhere needs to trust nobody. The file only grows; a head reaches it after the
transaction it ends, and what is missing there after a crash is added from the database at the next start.
"""

import json
import logging
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from engine.review.moments import instant
from engine.session.files import Appender
from engine.session.ports import SignedHead
from store.chain import stamp
from store.errors import StoreError
from store.keys import DeskKey, desk_key, is_signed, keys_folder, public_keys

DOMAIN: Final = "nightdesk head 1"
RESTORED: Final = "restored"
_COLUMNS: Final = "row, hash, at_ns, run_id, cause, key, ed25519"

log = logging.getLogger("store")


class BadHeads(StoreError):
    """A file of signed heads cannot be read."""


class Filed(msgspec.Struct, frozen=True):
    """A head as the file has it; `void_since_ns`: a restore at that time set the journal back behind it."""

    head: SignedHead
    void_since_ns: int | None = None


def heads_path(database: Path) -> Path:
    return database.with_name("heads.jsonl")


def message(head: SignedHead) -> bytes:
    """What is signed: a JSON array without blanks, in UTF-8."""
    fields = [DOMAIN, head.desk_id, head.env, head.row, head.hash, head.at_ns, head.run_id, head.cause]
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode()


def is_genuine(head: SignedHead) -> bool:
    """True if the key it names signed it. Whether that key is the desk's is another question."""
    return is_signed(message(head), head.ed25519, head.key)


def recorded_heads(connection: sqlite3.Connection) -> list[SignedHead]:
    """Every signed head of the database, oldest first; none in a database older than they are."""
    if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'signed_heads'").fetchone():
        return []
    desk_id, env = stamp(connection)
    rows = connection.execute(f"SELECT {_COLUMNS} FROM signed_heads ORDER BY row")  # noqa: S608 - a constant
    return [SignedHead(desk_id, env, *row) for row in rows]


def record_head(connection: sqlite3.Connection, head: SignedHead) -> None:
    connection.execute(
        "INSERT INTO signed_heads VALUES (?, ?, ?, ?, ?, ?, ?)",
        (head.row, head.hash, head.at_ns, head.run_id, head.cause, head.key, head.ed25519),
    )


def read_heads(path: Path) -> list[SignedHead]:
    """The heads in a file as they stand there, a line each; a last line without its end is one being written.

    Raises:
        BadHeads: it cannot be read, or another line is no head.
    """
    try:
        lines = path.read_bytes().split(b"\n")[:-1]
    except OSError as error:
        raise BadHeads(f"{path}: {error.strerror}") from error
    heads = []
    for number, line in enumerate(lines, start=1):
        try:
            heads.append(msgspec.json.decode(line, type=SignedHead))
        except msgspec.MsgspecError as error:
            raise BadHeads(f"{path}: line {number} is no signed head") from error
    return heads


def weighed(heads: Iterable[SignedHead], trusted: Sequence[str]) -> list[Filed]:
    """The heads in order, those void that a later restore, itself under a trusted key, left behind."""
    filed: list[Filed] = []
    for head in heads:
        if head.cause == RESTORED and head.key in trusted and is_genuine(head):
            first_new = head.row - 1  # the row `restored` itself, which the head comes right behind
            filed = [
                Filed(old.head, head.at_ns) if old.head.row >= first_new and old.void_since_ns is None else old
                for old in filed
            ]
        filed.append(Filed(head))
    return filed


class Heads:
    """Signs for one desk and keeps its file of heads."""

    def __init__(self, database: Path, desk_id: str, env: str) -> None:
        self._keys = keys_folder(database)
        self._key: DeskKey = desk_key(self._keys)
        self._path = heads_path(database)
        self._desk_id = desk_id
        self._env = env
        self._signed: list[SignedHead] = []  # of the open transaction
        self._unfiled: list[SignedHead] = []

    def sign(self, row: int, hash_: bytes, at_ns: int, run_id: str, cause: str) -> SignedHead:
        """The head as of `row`; it goes to the file once its transaction is `kept`."""
        bare = SignedHead(self._desk_id, self._env, row, hash_.hex(), at_ns, run_id, cause, self._key.public, "")
        head = msgspec.structs.replace(bare, ed25519=self._key.sign(message(bare)))
        self._signed.append(head)
        return head

    def kept(self) -> None:
        """The transaction is durable: what was signed in it goes to the file, now or with the next that does."""
        self._unfiled += self._signed
        self._signed = []
        if not self._unfiled:
            return
        try:
            self._append(self._unfiled)
        except OSError as error:  # the database has it, and the next start adds what is missing
            log.error("a signed head did not reach %s: %s", self._path, error)
        else:
            self._unfiled = []

    def dropped(self) -> None:
        """The transaction is not, or nobody knows: what was signed in it is not told."""
        self._signed = []

    def catch_up(self, connection: sqlite3.Connection, now_ns: int) -> str:
        """Bring the file up to what the database holds. If it knows more than the journal, the answer says so.

        A file of another journal is kept under the name of that journal, one that cannot be read as damaged.
        """
        told = ""
        try:
            filed = read_heads(self._path) if self._path.exists() else []
        except BadHeads as bad:
            kept = self._set_aside(f"damaged-{now_ns}")
            filed, told = [], f"{bad}; it is kept as {kept}, and rows it knew of may be missing"
        if filed and filed[-1].desk_id != self._desk_id:
            self._set_aside(filed[-1].desk_id)
            filed = []
        known = set(filed)
        missing = [head for head in recorded_heads(connection) if head not in known]
        if missing:
            self._append(missing)
        return told or self._contradiction(connection, weighed(filed, public_keys(self._keys)))

    def _set_aside(self, name: str) -> str:
        kept = self._path.with_name(f"heads-{name}.jsonl")
        self._path.rename(kept)
        return kept.name

    def _contradiction(self, connection: sqlite3.Connection, filed: Sequence[Filed]) -> str:
        standing = sorted((f.head for f in filed if f.void_since_ns is None), key=lambda head: -head.row)
        newest = next(filter(is_genuine, standing), None)
        if newest is None:
            return ""
        rows, found = connection.execute(
            "SELECT coalesce(max(id), 0), (SELECT hash FROM journal WHERE id = ?) FROM journal", (newest.row,)
        ).fetchone()
        when = instant(newest.at_ns)
        if rows < newest.row:
            return (
                f"The journal ends at row {rows} and had row {newest.row} when its head was signed at {when}: "
                f"{newest.row - rows} rows are missing"
            )
        if found is not None and found.hex() != newest.hash:
            return f"The journal up to row {newest.row} is not the one whose head was signed at {when}"
        return ""

    def _append(self, heads: Sequence[SignedHead]) -> None:
        file = Appender(self._path)
        try:
            file.write(b"".join(msgspec.json.encode(head) + b"\n" for head in heads))
            file.sync()
        finally:
            file.close()
