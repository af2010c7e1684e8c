"""The whole proof of a journal: its chain, the signatures of its heads, and heads that are kept outside of it.

Everything is read from files; the desk may run meanwhile. `proof` never repairs and never writes.
"""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from engine.review.moments import instant
from engine.session.ports import SignedHead
from store.archives import BadArchive, broken_link, check_archive, opening_of
from store.chain import Anchor, Verification, stamp, verify
from store.database import reading
from store.heads import heads_path, is_genuine, read_heads, recorded_heads, weighed
from store.keys import keys_folder, public_keys

_SHOWN: Final = 16  # digits of a key or hash in a sentence


class Held(msgspec.Struct, frozen=True):
    """What someone kept: signed heads, bare hashes of rows (hex), and files of archived rows."""

    heads: Sequence[SignedHead] = ()
    hashes: Sequence[str] = ()
    archives: Sequence[Path] = ()


NOTHING_HELD: Final = Held()


class Proof(msgspec.Struct, frozen=True):
    """What was found. Counts of heads are of those compared; `faults` and `notes` are sentences.

    Attributes:
        signed: Heads in the database whose signature holds for the row they name.
        filed: Heads of `heads.jsonl` found in the chain; `held` likewise of those given.
        unsigned_rows: Rows behind the newest signed head: for these the chain alone speaks.
        archived: Rows that are in archives, and `archives_checked` how many of the anchor's files were checked too.
        faults: Why the journal is not what was written; the first bad row of the chain is in `chain`.
    """

    chain: Verification
    newest: SignedHead | None
    signed: int
    filed: int
    held: int
    unsigned_rows: int
    archived: int
    archives_checked: int
    keys: tuple[str, ...]
    faults: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def is_good(self) -> bool:
        return self.chain.is_good and not self.faults


def proof(database: Path, held: Held = NOTHING_HELD, keys: Sequence[str] = ()) -> Proof:
    """Check the journal in `database` with everything at hand; `keys` (hex) count as the desk's beside those it keeps.

    Raises:
        Damaged, Unwritable: the database cannot be read at all.
        BadHeads, BadKey: a file beside it cannot be read.
    """
    file = heads_path(database)
    filed = read_heads(file) if file.exists() else None  # before the database: that one is written first
    trusted = [*public_keys(keys_folder(database)), *keys]
    with reading(database) as connection:
        chain = verify(connection)
        if not chain.is_good:
            note = "signed heads were not compared: the chain itself does not hold"
            return Proof(chain, None, 0, 0, 0, 0, 0, 0, (), (), (note,))
        return _Comparison(connection, chain, trusted).against(file, filed, held)


class _Comparison:
    """The heads from everywhere, held against a chain that is sound in itself."""

    def __init__(self, connection: sqlite3.Connection, chain: Verification, trusted: Sequence[str]) -> None:
        self._db = connection
        self._chain = chain
        self._trusted = trusted
        self._desk_id, self._env = stamp(connection)
        self._last = connection.execute("SELECT coalesce(max(id), 0) FROM journal").fetchone()[0]
        self._pruned = chain.anchor.last_row if chain.anchor is not None else 0
        self._archived: dict[int, str] = {}  # hashes of the archived rows that are asked for, by row
        self._faults: list[str] = []
        self._notes: list[str] = []

    def against(self, file: Path, filed: Sequence[SignedHead] | None, held: Held) -> Proof:
        recorded = recorded_heads(self._db)
        newest = recorded[-1] if recorded else None
        checked = self._open_archives(held, [*recorded, *(filed or ()), *held.heads])
        signed = self._count(recorded, "the database")
        self._find_heads_without_signature()
        in_file = self._count(self._standing(file, filed, recorded), file.name)
        kept = self._count(held.heads, "the heads given") + sum(map(self._holds, held.hashes))
        return Proof(
            chain=self._chain,
            newest=newest,
            signed=signed,
            filed=in_file,
            held=kept,
            unsigned_rows=self._last - (newest.row if newest else self._pruned),
            archived=self._pruned,
            archives_checked=checked,
            keys=tuple(dict.fromkeys(head.key for head in recorded)),
            faults=tuple(self._faults),
            notes=tuple(self._notes),
        )

    def _count(self, heads: Iterable[SignedHead], place: str) -> int:
        """How many of `heads` are in the chain.

        Of those that are not, one is named for all: the newest where rows are missing at the end, else the first.
        """
        good = 0
        bad: list[tuple[SignedHead, str]] = []
        for head in heads:
            reason = self._fault(head)
            if reason:
                bad.append((head, reason))
            else:
                good += 1
        if bad:
            newest = max(bad, key=lambda found: found[0].row)
            head, reason = newest if newest[0].row > self._last else bad[0]
            more = f" (and {len(bad) - 1} more heads do not fit)" if len(bad) > 1 else ""
            self._faults.append(f"{place}: row {head.row}, signed {instant(head.at_ns)}: {reason}{more}")
        return good

    def _fault(self, head: SignedHead) -> str:
        if head.desk_id != self._desk_id:
            return f"it is the head of another journal, {head.desk_id}"
        if not is_genuine(head):
            return "its signature does not hold"
        if head.key not in self._trusted:
            return f"it is signed with the key {head.key[:_SHOWN]}, which is not this desk's (--key FILE trusts it)"
        if head.row > self._last:
            return f"the journal ends at row {self._last}; {head.row - self._last} rows that were signed are missing"
        if head.row <= self._pruned and head.row not in self._archived:
            return ""  # its signature holds; the row itself is in an archive that was not given
        if self._hash_at(head.row) != head.hash:
            return "the row is another one than was signed: the journal was written anew"
        return ""

    def _open_archives(self, held: Held, heads: Sequence[SignedHead]) -> int:
        """Check the archives given, and say of the others that they were not; how many of the anchor's were."""
        anchor = self._chain.anchor
        if anchor is None:
            self._faults += [f"{path}: the journal knows of no archive" for path in held.archives]
            return 0
        broken = broken_link(anchor, self._desk_id, self._env)
        if broken:
            self._faults.append(broken)
        wanted = {head.row for head in heads}

        def see(row: int, hash_: bytes) -> None:
            if row in wanted or hash_.hex() in held.hashes:
                self._archived[row] = hash_.hex()

        checked = {self._check_archive(path, anchor, see) for path in held.archives} - {""}
        for archive in anchor.archives:
            state = "checked" if archive.name in checked else "not checked: --archive FILE does that"
            self._notes.append(
                f"{archive.rows} rows, {archive.first_row} to {archive.last_row}, are in {archive.name} ({state})"
            )
        return len(checked)

    def _check_archive(self, path: Path, anchor: Anchor, see: Callable[[int, bytes], None]) -> str:
        """The name the anchor has for the archive in `path`; empty if it is none of them or not what was written."""
        try:
            opening = opening_of(path)
            span = (opening.first_row, opening.last_row)
            found = next((a for a in anchor.archives if (a.first_row, a.last_row) == span), None)
            if found is None:
                raise BadArchive(f"{path}: the journal knows of no archive of rows {span[0]} to {span[1]}")
            check_archive(path, found, self._desk_id, see)
        except BadArchive as bad:
            self._faults.append(str(bad))
            return ""
        return found.name

    def _hash_at(self, row: int) -> str:
        if row in self._archived:
            return self._archived[row]
        found = self._db.execute("SELECT hash FROM journal WHERE id = ?", (row,)).fetchone()
        return found[0].hex() if found else ""

    def _find_heads_without_signature(self) -> None:
        sql = "SELECT id FROM journal WHERE kind = 'head' AND id NOT IN (SELECT row FROM signed_heads) ORDER BY id"
        for (row,) in self._db.execute(sql) if self._signs() else ():
            self._faults.append(f"the database: row {row} is a head and its signature is gone")

    def _signs(self) -> bool:
        """False for a database older than signed heads."""
        return bool(self._db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'signed_heads'").fetchone())

    def _standing(
        self, file: Path, filed: Sequence[SignedHead] | None, recorded: Sequence[SignedHead]
    ) -> Iterable[SignedHead]:
        """The heads of the file without those a restore has left behind; what is odd about it is said."""
        others = sorted(path.name for path in file.parent.glob(f"{file.stem}-*{file.suffix}"))
        if others:
            self._notes.append(f"other files of heads are kept here: {', '.join(others)}")
        if filed is None:
            if recorded:
                self._faults.append(f"{file.name} is gone: whether rows are missing at the end cannot be told")
            return ()
        missing = len(set(recorded) - set(filed))
        if missing:
            self._notes.append(f"{missing} signed heads are not yet in {file.name}; the next start adds them")
        weighed_heads = weighed(filed, self._trusted)
        for since_ns in sorted({f.void_since_ns for f in weighed_heads if f.void_since_ns is not None}):
            rows = [f.head.row for f in weighed_heads if f.void_since_ns == since_ns]
            self._notes.append(
                f"{len(rows)} heads up to row {max(rows)} are void: a restore at {instant(since_ns)} lost rows"
            )
        return [f.head for f in weighed_heads if f.void_since_ns is None]

    def _holds(self, hash_: str) -> bool:
        """True if some row has this hash; else that is a fault."""
        if hash_ in self._archived.values():
            return True
        try:
            found = self._db.execute("SELECT 1 FROM journal WHERE hash = ?", (bytes.fromhex(hash_),)).fetchone()
        except ValueError:
            found = None
        if found is None:
            where = " of those in the database or the archives given" if self._pruned else ""
            self._faults.append(f"the head given: no row{where} has the hash {hash_[:_SHOWN]}")
        return found is not None
