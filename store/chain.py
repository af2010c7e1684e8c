"""The hash chain over the journal: each row's hash covers the row and the hash before it.

`hash = SHA-256(domain ‖ previous hash ‖ id, seq, inputs, run, at_ns ‖ kind ‖ symbol ‖ ref ‖ body)`: the integers as
8 bytes each, big-endian; each text and the body after its length in 8 bytes; the body after one byte, `t` for text or
`b` for bytes. The hash before the first row is that of the domain, the desk's id and its env, so that no journal passes
as another desk's. An edited, deleted, added or moved row is found; a cut tail is only found by who knows the head.

Where the oldest rows were archived, the newest row of kind `anchor` says which was the last of them and its hash: from
there the chain goes on, and the anchor is a row of it like any other.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from struct import Struct
from typing import Any, Final, NamedTuple

import msgspec

from store.errors import Damaged

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


class Archive(msgspec.Struct, frozen=True):
    """A file of archived rows. `before` is the hash the first of them rests on, `head` that of the last (hex).

    `next_input` numbers the first input behind them; `sha256` is of the file.
    """

    name: str
    first_row: int
    last_row: int
    before: str
    head: str
    next_input: int
    sha256: str

    @property
    def rows(self) -> int:
        return self.last_row - self.first_row + 1


class Anchor(msgspec.Struct, frozen=True):
    """What the chain goes on from: the rows up to `last_row`, which has the hash `head`, are in `archives`."""

    last_row: int
    head: str
    next_input: int
    archives: tuple[Archive, ...]


class Verification(msgspec.Struct, frozen=True):
    """What a check of the chain found: rows and inputs good so far, the head's hash (hex), the first bad row.

    With an `anchor` the rows are those behind it.
    """

    rows: int
    inputs: int
    head: str
    bad: BadRow | None
    anchor: Anchor | None = None

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
    anchor = None
    try:
        anchor = newest_anchor(connection)
        head, next_input = _start(connection, anchor, after)
        if not after and anchor is not None:
            after = anchor.last_row
            (first,) = connection.execute("SELECT min(id) FROM journal").fetchone()
            if first <= after:  # with this, the anchor is one of the rows that are checked below
                return Verification(
                    0, 0, "", BadRow(first, "", f"the anchor says that row {after} is archived"), anchor
                )
        found = walk(_rows(connection, after), head, after + 1, next_input)
        return msgspec.structs.replace(found, anchor=anchor)
    except (sqlite3.DatabaseError, msgspec.MsgspecError) as error:
        return Verification(0, 0, "", BadRow(after + 1, "", f"it cannot be read: {error}"), anchor)


def walk(rows: Iterable[Sequence[Any]], head: bytes, next_id: int, next_input: int | None) -> Verification:
    """Check `rows` (the table's columns in order) one by one; `head` is the hash before the first of them.

    The first is row `next_id`, and its first input `next_input` (None: not known).
    """
    good = inputs = 0
    try:
        for values in rows:
            row, found = values[:9], values[9]
            id_, seq, count, _, kind, at_ns, _, _, body = row
            is_block = kind == "block"
            if id_ != next_id:
                reason = f"row {next_id} is missing before it"
            elif not isinstance(body, bytes if is_block else str):
                reason = "its body is of the wrong type"
            elif is_block and next_input is not None and seq != next_input:
                reason = f"it begins with input {seq} where {next_input} is next"
            elif _hash(head, *row) != found:
                reason = "its hash differs"
            else:
                if is_block:
                    next_input = seq + count
                    inputs += count
                head = found
                next_id += 1
                good += 1
                continue
            return Verification(good, inputs, head.hex(), BadRow(id_, kind, reason, at_ns))
    except sqlite3.DatabaseError as error:
        return Verification(good, inputs, head.hex(), BadRow(next_id, "", f"it cannot be read: {error}"))
    return Verification(good, inputs, head.hex(), None)


def newest_anchor(connection: sqlite3.Connection) -> Anchor | None:
    """What the oldest row in the journal rests on; None: on nothing, it is the first."""
    found = connection.execute("SELECT body FROM journal WHERE kind = 'anchor' ORDER BY id DESC LIMIT 1").fetchone()
    return msgspec.json.decode(found[0], type=Anchor) if found else None


def next_input(connection: sqlite3.Connection) -> int:
    """The number of the next input: behind the newest block, also when that is archived."""
    block = connection.execute(
        "SELECT seq + inputs FROM journal INDEXED BY journal_blocks WHERE kind = 'block' ORDER BY seq DESC LIMIT 1"
    ).fetchone()
    if block is not None:
        return int(block[0])
    anchor = newest_anchor(connection)
    return anchor.next_input if anchor is not None else 1


def hash_before(connection: sqlite3.Connection, anchor: Anchor | None) -> bytes:
    """The hash before the first row there is."""
    if anchor is not None:
        return bytes.fromhex(anchor.head)
    return genesis(*stamp(connection))


def stamp(connection: sqlite3.Connection) -> tuple[str, str]:
    """Whose journal it is: the desk's id and its env. Raises Damaged."""
    found = connection.execute("SELECT desk_id, env FROM desk").fetchone()
    if found is None:
        raise Damaged("the database has lost its stamp: it does not say whose it is")
    return found[0], found[1]


def _start(connection: sqlite3.Connection, anchor: Anchor | None, after: int) -> tuple[bytes, int | None]:
    """The hash and, where it is known, the number of the first input behind row `after`."""
    if after:
        return bytes(connection.execute("SELECT hash FROM journal WHERE id = ?", (after,)).fetchone()[0]), None
    return hash_before(connection, anchor), anchor.next_input if anchor is not None else 1


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
