"""The one place that writes the journal: whole batches in, chained rows out, one transaction at a time.

A transaction holds the rows of its batches, the projections of their facts and their snapshots, or nothing of them.
The writer remembers the head of the chain; after a failed transaction it no longer trusts its memory and reads the
head again from the file. It knows nothing of threads: `store.journal` calls it from exactly one.
"""

import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from typing import Final

import msgspec

from engine.core import money
from engine.core.config import HOUR
from engine.core.events import RunStarted
from engine.core.facts import AnyFact
from engine.session.dead_letters import Letter
from engine.session.ports import Batch, Clock, Committed, SignedHead
from store import blocks
from store.chain import Anchor, Row, genesis, next_input, row_hash, stamp
from store.errors import StoreError
from store.heads import RESTORED, Heads, record_head
from store.projections import Place, project_fact, project_note
from store.rows import GATE_KINDS

SNAPSHOTS_KEPT: Final = 3
SIGN_EVERY_NS: Final = HOUR  # of the desk's clock
NOTE_KINDS: Final = frozenset(
    {
        "run",
        "run_started",
        "snapshot",
        "report",
        "latch",
        "rearm",
        "restored",
        "rejoined",
        "dead_letter",
        "protocol",
        "verdict",
        *GATE_KINDS,
        "artifact",
        "head",
        "anchor",
    }
)
"""Rows the journal writes of its own, beside facts and blocks of inputs."""
_INSERT: Final = "INSERT INTO journal VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_REFS: Final = ("fill_id", "order_id", "trade_id", "signal_id", "name", "reason", "act", "fingerprint")


class OutOfSequence(StoreError):
    """A batch does not begin where the journal ends: a bug of the caller, so nothing of it is written."""

    def __init__(self, first_seq: int, next_seq: int) -> None:
        super().__init__(f"a batch begins with input {first_seq}; the journal's next input is {next_seq}")


class JournalWriter:
    """Appends to the journal of one desk. `connection` is the desk's only writing one, in autocommit.

    With `heads`, the chain's head is signed once an hour of the time the batches carry, and whenever it is asked for.
    """

    def __init__(self, connection: sqlite3.Connection, clock: Clock, heads: Heads | None = None) -> None:
        self._db = connection
        self._clock = clock
        self._heads = heads
        desk_id, env = stamp(connection)
        self._genesis = genesis(desk_id, env)
        self._mode = env.upper()
        self._head: bytes
        self.rows: int
        self.next_seq: int  # the first input of the next batch
        self.run: int  # the desk's runs are numbered from 1
        self._run_id: str
        self._awaits_start: bool  # the run's first inputs are still to come
        self._has_start: bool  # the state the run began with is kept
        self._signed_row: int  # the newest one a signed head ends with
        self._signed_ns: int  # when that was; 0: never, and the first batch begins the hour
        self._load_head()

    def write(self, batches: Sequence[Batch]) -> list[Committed]:
        """Commit `batches` in one transaction.

        Raises:
            OutOfSequence: nothing was written.
            sqlite3.Error: nothing was written, or the commit itself failed and all of it may be durable.
        """
        started_ns = self._clock.mono_ns()
        done: list[tuple[int, str]] = []
        with self._transaction():
            for batch in batches:
                self._write_batch(batch)
                done.append((self.rows, self._head.hex()))
                self._sign_hourly(batch.recorded_ns)
        took_us = (self._clock.mono_ns() - started_ns) // 1_000
        return [Committed(rows, head, took_us) for rows, head in done]

    def write_latch(self, latched: bool, text: str) -> None:
        """Record the kill latch set or lifted, in a transaction of its own."""
        with self._transaction():
            self._append("latch" if latched else "rearm", self._clock.now_ns(), body=_json({"text": text}))

    def write_restored(self, text: str) -> None:
        """Record that a backup took the place of a damaged database, or that rows are missing at the end.

        The head signed with it voids the older ones that know of rows behind it.
        """
        with self._transaction():
            self._append("restored", self._clock.now_ns(), body=_json({"text": text}))
            self._sign(self._clock.now_ns(), RESTORED)

    def write_rejoined(self, batches: int, inputs: int, lost: str) -> None:
        """Record that the emergency record was read back: how much the journal lacked, and what it still lacks."""
        with self._transaction():
            body = _json({"batches": batches, "inputs": inputs, "lost": lost})
            self._append("rejoined", self._clock.now_ns(), body=body)

    def write_letter(self, letter: Letter) -> None:
        """Record what became of a failed operation."""
        with self._transaction():
            body = msgspec.json.encode(letter).decode()
            self._append_note("dead_letter", letter.last_ns, ref=letter.letter_id, body=body)

    def write_seal(self, name: str, sha256: str, given: Mapping[str, str]) -> None:
        """Record the hash of a day's artifact, with what it was made with; a day is sealed once.

        Raises:
            sqlite3.IntegrityError: it is sealed.
        """
        with self._transaction():
            body = _json({"sha256": sha256, "given": dict(given)})
            self._append_note("artifact", self._clock.now_ns(), ref=name, body=body)

    @property
    def is_signed(self) -> bool:
        """True if a signed head covers every row, or nothing is signed here."""
        return self._heads is None or self._signed_row == self.rows

    def sign_head(self, cause: str) -> SignedHead:
        """Sign the journal as it stands, in a transaction of its own.

        Raises:
            StoreError: nothing is signed here.
        """
        with self._transaction():
            head = self._sign(self._clock.now_ns(), cause)
        if head is None:
            raise StoreError("this journal has no key to sign with")
        return head

    def write_report(self, run_id: str, report: str) -> None:
        """Record the final report (a JSON text) of a run.

        Raises:
            StoreError: no such run, or `report` is no JSON.
        """
        found = self._db.execute("SELECT run, json_valid(?) FROM runs WHERE run_id = ?", (report, run_id)).fetchone()
        if found is None or not found[1]:
            raise StoreError(f"no run {run_id!r} to report on" if found is None else "the report is not valid JSON")
        with self._transaction():
            self._append_note("report", self._clock.now_ns(), ref=run_id, body=report)

    def write_judgement(self, kind: str, protocol_id: str, body: str) -> None:
        """Record the terms of a protocol or its verdict (JSON), and sign the journal with it, in one transaction."""
        now_ns = self._clock.now_ns()
        with self._transaction():
            self._append_note(kind, now_ns, ref=protocol_id, body=body)
            self._sign(now_ns, kind)

    def write_anchor(self, anchor: Anchor) -> None:
        """Record and sign that the rows up to the anchor are archived, and delete them."""
        with self._transaction():
            body = msgspec.json.encode(anchor).decode()
            self._append("anchor", self._clock.now_ns(), ref=str(anchor.last_row), body=body)
            self._db.execute("DELETE FROM snapshots WHERE row <= ?", (anchor.last_row,))
            self._db.execute("DELETE FROM journal WHERE id <= ?", (anchor.last_row,))
            self._sign(self._clock.now_ns(), "pruned")

    def reload(self) -> None:
        """Forget what was remembered of the head and read it from the file again."""
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")
        self._load_head()

    # --- one batch ---

    def _write_batch(self, batch: Batch) -> None:
        if batch.first_seq != self.next_seq:
            raise OutOfSequence(batch.first_seq, self.next_seq)
        if batch.run_id != self._run_id:
            self._begin_run(batch)
        if batch.inputs:
            self._write_inputs(batch)
        self._write_facts(batch.facts)
        if batch.snapshot is not None:
            self._write_snapshot(batch.snapshot, batch.recorded_ns)

    def _begin_run(self, batch: Batch) -> None:
        self.run += 1
        self._run_id = batch.run_id
        self._awaits_start = True
        self._has_start = False
        self._append_note("run", batch.recorded_ns, ref=batch.run_id, body=_json({"run_id": batch.run_id}))

    def _write_inputs(self, batch: Batch) -> None:
        count = len(batch.inputs)
        self._append("block", batch.recorded_ns, seq=batch.first_seq, inputs=count, body=blocks.encode(batch.inputs))
        self.next_seq += count
        if self._awaits_start:
            self._awaits_start = False
            for event in batch.inputs:
                if isinstance(event, RunStarted):
                    self._append_note("run_started", event.at_ns, ref=event.run_id, body=_start_body(event))
                    break

    def _write_facts(self, facts: Iterable[tuple[int, AnyFact]]) -> None:
        for seq, fact in facts:
            row = self._append(
                str(fact.__struct_config__.tag),
                fact.at_ns,
                seq=seq,
                symbol=getattr(fact, "symbol", ""),
                ref=_ref(fact),
                body=msgspec.json.encode(fact).decode(),
            )
            project_fact(self._db, Place(row, self.run, self._mode), fact)

    def _write_snapshot(self, state: bytes, at_ns: int) -> None:
        digest = sha256(state).digest()
        row = self._append("snapshot", at_ns, body=_json({"bytes": len(state), "sha256": digest.hex()}))
        is_start = not self._has_start
        self._has_start = True
        self._db.execute(
            "INSERT INTO snapshots VALUES (?, ?, ?, ?, ?, ?)",
            (row, self.run, self.next_seq - 1, is_start, digest, zlib.compress(state, blocks.ZLIB_LEVEL)),
        )
        self._db.execute(
            "DELETE FROM snapshots WHERE is_start = 0 AND row NOT IN "
            "(SELECT row FROM snapshots ORDER BY row DESC LIMIT ?)",
            (SNAPSHOTS_KEPT,),
        )

    # --- heads ---

    def _sign_hourly(self, now_ns: int) -> None:
        """An hour after the last head; at once where that is in the future, as after a clock was set back."""
        if not self._signed_ns:
            self._signed_ns = now_ns
        elif not 0 <= now_ns - self._signed_ns < SIGN_EVERY_NS:
            self._sign(now_ns, "hour")

    def _sign(self, at_ns: int, cause: str) -> SignedHead | None:
        """Append a row of kind `head` and sign the chain as of that row."""
        if self._heads is None:
            return None
        row = self._append("head", at_ns, body=_json({"cause": cause}))
        head = self._heads.sign(row, self._head, at_ns, self._run_id, cause)
        record_head(self._db, head)
        self._signed_row, self._signed_ns = row, at_ns
        return head

    # --- one row ---

    def _append_note(self, kind: str, at_ns: int, ref: str, body: str) -> None:
        row = self._append(kind, at_ns, ref=ref, body=body)
        project_note(self._db, Place(row, self.run, self._mode), kind, at_ns, ref, body)

    def _append(
        self,
        kind: str,
        at_ns: int,
        *,
        body: str | bytes,
        seq: int | None = None,
        inputs: int = 0,
        symbol: str = "",
        ref: str = "",
    ) -> int:
        """Add one row to the chain; its id. Without a `seq` it stands behind the newest input."""
        seq = self.next_seq - 1 if seq is None else seq
        row = Row(self.rows + 1, seq, inputs, self.run, kind, at_ns, symbol, ref, body)
        head = row_hash(self._head, row)
        self._db.execute(_INSERT, (*row, head))
        self._head = head
        self.rows = row.id
        return row.id

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._heads is not None:
                self._heads.dropped()
            # SQLite has rolled back by itself after some errors (a full disk among them); asking again would raise.
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        if self._heads is not None:
            self._heads.kept()

    def _load_head(self) -> None:
        last = self._db.execute("SELECT id, hash, run FROM journal ORDER BY id DESC LIMIT 1").fetchone()
        self.rows, self._head, self.run = last or (0, self._genesis, 0)
        self.next_seq = next_input(self._db)
        run = self._db.execute("SELECT ref, id FROM journal WHERE kind = 'run' ORDER BY id DESC LIMIT 1").fetchone()
        is_archived = run is None and self.run > 0  # the row the run began with
        if is_archived:
            run = self._db.execute("SELECT run_id, first_row FROM runs WHERE run = ?", (self.run,)).fetchone()
        self._run_id, first_row = run or ("", 0)
        self._awaits_start = run is not None and not (is_archived or self._holds("block", first_row))
        self._has_start = run is not None and (is_archived or self._holds("snapshot", first_row))
        signed = self._db.execute("SELECT row, at_ns FROM signed_heads ORDER BY row DESC LIMIT 1").fetchone()
        self._signed_row, self._signed_ns = signed or (0, 0)

    def _holds(self, kind: str, after: int) -> bool:
        """True if a row of `kind` stands behind row `after`."""
        found = self._db.execute("SELECT 1 FROM journal WHERE kind = ? AND id > ? LIMIT 1", (kind, after)).fetchone()
        return found is not None

    @property
    def head(self) -> str:
        """The hash of the newest row, hex."""
        return self._head.hex()


def _ref(fact: AnyFact) -> str:
    """What a fact is about: the id of its fill, order, trade or signal, or the name of what changed."""
    for field in _REFS:
        value = getattr(fact, field, None)
        if value is not None:
            return str(value)
    return ""


def _start_body(event: RunStarted) -> str:
    config = event.config
    return _json(
        {
            "run_id": event.run_id,
            "env": config.env,
            "seed": config.seed,
            "paper": config.paper,
            "starting_equity": money.text(config.starting_equity),
            "symbols": [instrument.symbol for instrument in config.instruments],
            "strategies": [strategy.strategy_id for strategy in config.strategies],
            "config_hash": config.config_hash,
            "killed": event.killed,
        }
    )


def _json(value: dict[str, object]) -> str:
    return msgspec.json.encode(value).decode()
