"""The hash chain over the journal: each row's hash covers the row and the hash before it.

`hash = SHA-256(domain ‖ previous hash ‖ id, seq, inputs, run, at_ns ‖ kind ‖ symbol ‖ ref ‖ body)`: the integers as
8 bytes each, big-endian; each text and the body after its length in 8 bytes; the body after one byte, `t` for text or
`b` for bytes. The hash before the first row is that of the domain, the desk's id and its env, so that no journal passes
as another desk's. An edited, deleted, added or moved row is found; a cut tail is only found by who knows the head.
"""

import sqlite3
from collections.abc import Iterator
from hashlib import sha256
from struct import Struct
from typing import Final, NamedTuple

import msgspec

DOMAIN: Final = b"nightdesk journal 1\n"
PAGE: Final = 2_000
_NUMBERS: Final = Struct(">9q")


class Row(NamedTuple):
    """A journal row without its hash, in the order of the table's columns."""

    id: int
    seq: int
    inputs: int
    run: int
    kind: str
    at_ns: int
    symbol: str
    ref: str
    body: str | bytes


class BadRow(msgspec.Struct, frozen=True):
    """The first row that is not what was written; `reason` is a sentence."""

    id: int
    kind: str
    reason: str


class Verification(msgspec.Struct, frozen=True):
    """What a check of the chain found: rows and inputs good so far, the head's hash (hex), the first bad row."""

    rows: int
    inputs: int
    head: str
    bad: BadRow | None

    @property
    def is_good(self) -> bool:
        return self.bad is None


def genesis(desk_id: str, env: str) -> bytes:
    """The hash before the first row."""
    return sha256(b"\x00".join((DOMAIN, desk_id.encode(), env.encode()))).digest()


def row_hash(previous: bytes, row: Row) -> bytes:
    """The hash of `row` after a row with the hash `previous`."""
    kind, symbol, ref = row.kind.encode(), row.symbol.encode(), row.ref.encode()
    mark, body = (b"t", row.body.encode()) if isinstance(row.body, str) else (b"b", row.body)
    numbers = _NUMBERS.pack(
        row.id, row.seq, row.inputs, row.run, row.at_ns, len(kind), len(symbol), len(ref), len(body)
    )
    return sha256(b"".join((DOMAIN, previous, numbers, kind, symbol, ref, mark, body))).digest()


def verify(connection: sqlite3.Connection, after: int = 0) -> Verification:
    """Check every row behind row `after` against its hash, and that no row and no input is missing between them."""
    rows = inputs = 0
    next_id, next_seq = after + 1, None if after else 1
    head = b""
    try:
        head = _hash_at(connection, after)
        for row, found in _rows(connection, after):
            reason = _fault(row, next_id, next_seq) or ("" if row_hash(head, row) == found else "its hash differs")
            if reason:
                return Verification(rows, inputs, head.hex(), BadRow(row.id, row.kind, reason))
            if row.kind == "block":
                next_seq = row.seq + row.inputs
                inputs += row.inputs
            head, next_id, rows = found, row.id + 1, rows + 1
    except sqlite3.DatabaseError as error:
        return Verification(rows, inputs, head.hex(), BadRow(next_id, "", f"it cannot be read: {error}"))
    return Verification(rows, inputs, head.hex(), None)


def _fault(row: Row, next_id: int, next_seq: int | None) -> str:
    if row.id != next_id:
        return f"row {next_id} is missing before it"
    if not isinstance(row.body, bytes if row.kind == "block" else str):
        return "its body is of the wrong type"
    if row.kind == "block" and next_seq is not None and row.seq != next_seq:
        return f"it begins with input {row.seq} where {next_seq} is next"
    return ""


def _hash_at(connection: sqlite3.Connection, row_id: int) -> bytes:
    if row_id:
        return bytes(connection.execute("SELECT hash FROM journal WHERE id = ?", (row_id,)).fetchone()[0])
    desk_id, env = connection.execute("SELECT desk_id, env FROM desk").fetchone()
    return genesis(desk_id, env)


def _rows(connection: sqlite3.Connection, after: int) -> Iterator[tuple[Row, bytes]]:
    """Rows behind `after` in order, a page at a time so that no read transaction lives long."""
    while True:
        last = after
        for values in connection.execute(
            "SELECT id, seq, inputs, run, kind, at_ns, symbol, ref, body, hash FROM journal WHERE id > ? "
            "ORDER BY id LIMIT ?",
            (after, PAGE),
        ):
            last = values[0]
            yield Row._make(values[:9]), values[9]
        if last == after:
            return
        after = last
