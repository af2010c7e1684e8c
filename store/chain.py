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
from typing import Any, Final, NamedTuple

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
    """The first row that is not what was written; `reason` is a sentence, `at_ns` what the row says of its time."""

    id: int
    kind: str
    reason: str
    at_ns: int = 0


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
    return _hash(previous, *row)


def _hash(
    previous: bytes,
    id_: int,
    seq: int,
    inputs: int,
    run: int,
    kind: str,
    at_ns: int,
    symbol: str,
    ref: str,
    body: str | bytes,
) -> bytes:
    k, s, r = kind.encode(), symbol.encode(), ref.encode()
    mark, b = (b"t", body.encode()) if isinstance(body, str) else (b"b", body)
    numbers = _NUMBERS.pack(id_, seq, inputs, run, at_ns, len(k), len(s), len(r), len(b))
    return sha256(b"".join((DOMAIN, previous, numbers, k, s, r, mark, b))).digest()


def verify(connection: sqlite3.Connection, after: int = 0) -> Verification:
    """Check every row behind row `after` against its hash, and that no row and no input is missing between them."""
    rows = inputs = 0
    next_id, next_seq = after + 1, None if after else 1
    head = b""
    try:
        head = _hash_at(connection, after)
        for values in _rows(connection, after):
            row, found = values[:9], values[9]
            id_, seq, count, _, kind, at_ns, _, _, body = row
            is_block = kind == "block"
            if id_ != next_id:
                reason = f"row {next_id} is missing before it"
            elif not isinstance(body, bytes if is_block else str):
                reason = "its body is of the wrong type"
            elif is_block and next_seq is not None and seq != next_seq:
                reason = f"it begins with input {seq} where {next_seq} is next"
            elif _hash(head, *row) != found:
                reason = "its hash differs"
            else:
                if is_block:
                    next_seq = seq + count
                    inputs += count
                head = found
                next_id += 1
                rows += 1
                continue
            return Verification(rows, inputs, head.hex(), BadRow(id_, kind, reason, at_ns))
    except sqlite3.DatabaseError as error:
        return Verification(rows, inputs, head.hex(), BadRow(next_id, "", f"it cannot be read: {error}"))
    return Verification(rows, inputs, head.hex(), None)


def _hash_at(connection: sqlite3.Connection, row_id: int) -> bytes:
    if row_id:
        return bytes(connection.execute("SELECT hash FROM journal WHERE id = ?", (row_id,)).fetchone()[0])
    desk_id, env = connection.execute("SELECT desk_id, env FROM desk").fetchone()
    return genesis(desk_id, env)


def _rows(connection: sqlite3.Connection, after: int) -> Iterator[tuple[Any, ...]]:
    """Rows behind `after` in order, a page at a time so that no read transaction lives long."""
    while True:
        last = after
        for values in connection.execute(
            "SELECT id, seq, inputs, run, kind, at_ns, symbol, ref, body, hash FROM journal WHERE id > ? "
            "ORDER BY id LIMIT ?",
            (after, PAGE),
        ):
            last = values[0]
            yield values
        if last == after:
            return
        after = last
