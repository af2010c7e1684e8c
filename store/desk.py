"""The store of one desk, whole: open it, commit through its journal, ask it what was, close it.

store = open_store(home / "paper" / "desk.db", "paper", clock)
core = restore(store.recovered)
store.journal.commit(batch).result()
store.close()
"""

import logging
import sqlite3
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import msgspec

from engine.core.facts import AnyFact
from engine.review.evidence import Files, Terms
from engine.review.protocol import Verdict
from engine.session.dead_letters import Letter
from engine.session.ports import Clock, Recovered, SignedHead
from store import projections
from store.backup import BackupMade, Restored, back_up, backup_path, can_restore, restore
from store.chain import Verification, stamp
from store.database import holds_desk, open_writer, translating
from store.days import Seal, read_days, read_seals
from store.errors import Damaged, StoreError
from store.heads import Heads
from store.inputs import Inputs
from store.journal import InlineJournal, ThreadJournal
from store.keys import desk_key, keys_folder
from store.letters import read_letters
from store.recovery import RunStart, recover, run_facts, run_inputs, verify_file
from store.rejoin import rejoin
from store.retention import Prunable, Pruned, prune
from store.verdicts import Statement, signed
from store.weeks import read_weeks
from store.writer import JournalWriter

log = logging.getLogger("store")


class Store:
    """An open store. `recovered` is what the journal held when it was opened; `restored`: a backup had to help.

    Attributes:
        restored_text: What a backup had to stand in for, or which rows are missing, in words; empty if all is there.
    """

    def __init__(
        self,
        path: Path,
        env: str,
        connection: sqlite3.Connection,
        writer: JournalWriter,
        journal: ThreadJournal | InlineJournal,
        recovered: Recovered,
        restored: Restored | None,
        restored_text: str,
    ) -> None:
        self.path = path
        self.env = env
        self.journal = journal
        self.recovered = recovered
        self.restored = restored
        self.restored_text = restored_text
        self._connection = connection
        self._writer = writer
        self._file = _file_id(path)
        self._closed = False

    def is_in_place(self) -> bool:
        """False if the file was renamed, replaced or deleted: what is written now is not found by a restart."""
        return self._file == _file_id(self.path)

    def sign_head(self, cause: str) -> Future[SignedHead]:
        """Sign the journal as it stands behind all batches before it."""
        return self.journal.perform(lambda: self._writer.sign_head(cause))

    def record_report(self, run_id: str, report: str) -> Future[None]:
        """Keep the final report (a JSON text) of a run, in the journal and in `runs`, behind all batches before it."""
        return self.journal.perform(lambda: self._writer.write_report(run_id, report))

    def weeks(self, known: Collection[str]) -> list[dict[str, Any]]:
        """The summaries of all weeks that are over but the `known`, oldest first; from any thread but the engine's."""
        return read_weeks(self.path, self.env, known)

    def days(self, given: Mapping[str, str], known: Collection[str] = (), only: str = "") -> Iterator[dict[str, Any]]:
        """The artifacts of trading days, as `read_days`; from any thread but the engine's."""
        return read_days(self.path, self.env, given, known, only=only)

    def seals(self) -> dict[str, Seal]:
        """The seals of artifacts by the day's name, oldest first."""
        return read_seals(self.path)

    def record_seal(self, name: str, sha256: str, given: Mapping[str, str]) -> Future[None]:
        """Seal an artifact, once, behind all batches before it."""
        return self.journal.perform(lambda: self._writer.write_seal(name, sha256, given))

    def letters(self) -> list[Letter]:
        """Every dead letter as it stands, the one that failed first first."""
        return read_letters(self.path)

    def record_letter(self, letter: Letter) -> Future[None]:
        """Keep what became of a failed operation, behind all batches before it."""
        return self.journal.perform(lambda: self._writer.write_letter(letter))

    def record_protocol(self, terms: Terms) -> Future[None]:
        """Fix the terms of a validation protocol, behind all batches before it."""
        body = msgspec.json.encode({"terms": terms, "digest": terms.digest}).decode()
        return self.journal.perform(lambda: self._writer.write_judgement("protocol", terms.protocol_id, body))

    def record_gate(self, kind: str, name: str, body: str) -> Future[None]:
        """Keep what the live gate was told or decided (JSON), behind all batches before it."""
        return self.journal.perform(lambda: self._writer.write_judgement(kind, name, body))

    def record_verdict(self, found: Verdict, files: Files, now_ns: int) -> Future[None]:
        """Keep the end of a protocol with what its files were, under the desk's key."""
        desk_id, env = stamp(self._connection)
        body = msgspec.json.encode(
            signed(Statement(desk_id, env, now_ns, found, files), desk_key(keys_folder(self.path)))
        ).decode()
        return self.journal.perform(lambda: self._writer.write_judgement("verdict", found.protocol_id, body))

    def rebuild_projections(self) -> Future[None]:
        """Compute every table again from the journal, as its own unit."""
        return self.journal.perform(lambda: projections.rebuild(self._connection, self.env.upper()))

    def prune(self, rows: Prunable) -> Future[Pruned]:
        """Archive the oldest rows and let them go; for a desk that does not run."""
        return self.journal.perform(lambda: prune(self._connection, self._writer, self.path, rows))

    def backup(self) -> BackupMade:
        """Make `desk.db.bak` anew from any thread but the engine's; the writer goes on meanwhile."""
        return back_up(self.path)

    def run_inputs(self, run_id: str) -> tuple[RunStart | None, Inputs]:
        """The state a run began with and its inputs after that, as (seq, event). Raises UnknownRun, Archived."""
        return run_inputs(self.path, run_id)

    def run_facts(self, run_id: str) -> Iterator[tuple[int, AnyFact]]:
        """(seq of its cause, fact) of a run, in order. Raises UnknownRun when iterated."""
        return run_facts(self.path, run_id)

    def verify(self) -> Verification:
        """Check the whole chain from the file alone."""
        return verify_file(self.path)

    def close(self) -> None:
        """Write what waits, sign the head if there are rows behind the last one, then let go of the file.

        Calling it again does nothing.
        """
        if self._closed:
            return
        self._closed = True
        self._sign_last()
        self.journal.close()
        self._connection.close()

    def _sign_last(self) -> None:
        """A desk that ends in order leaves no row unsigned; one whose journal has failed writes nothing more."""

        def sign() -> None:
            if not self._writer.is_signed:
                self._writer.sign_head("close")

        if self.journal.failure is not None:
            return
        try:
            self.journal.perform(sign).result()
        except StoreError as error:  # the rows are durable all the same, and the next start signs behind them
            log.error("the last rows of the journal are not signed: %s", error)


def open_store(path: Path, env: str, clock: Clock, *, threaded: bool = True, may_restore: bool = True) -> Store:
    """The store at `path` for `env`, made where there is none. With `threaded` unset every commit runs inline.

    Where the database is damaged or gone and a backup is there, the backup takes its place (`Store.restored`).

    Raises:
        WrongEnv, NewerSchema: the file belongs to another env or a newer program; it is left as it is.
        Damaged: the database is damaged and no good backup helps.
        Unwritable, DiskFull: it cannot be opened or written.
    """
    restored = None
    may_restore = may_restore and can_restore(path)
    if may_restore and not holds_desk(path):
        restored = restore(path, env, clock.now_ns(), f"{path.name} is gone, {backup_path(path).name} is there")
    try:
        return _open(path, env, clock, threaded, restored)
    except Damaged as error:
        if restored is not None or not may_restore:
            raise
        restored = restore(path, env, clock.now_ns(), str(error))
        return _open(path, env, clock, threaded, restored)


def _open(path: Path, env: str, clock: Clock, threaded: bool, restored: Restored | None) -> Store:
    connection = open_writer(path, env, clock.now_ns())
    try:
        with translating(path):
            heads = Heads(path, *stamp(connection))
            missing = heads.catch_up(connection, clock.now_ns())
            text = restored.text if restored is not None else missing
            writer = JournalWriter(connection, clock, heads)
            rejoined = rejoin(writer, path, clock.now_ns())
            if rejoined.lost:
                text = f"{text + '; ' if text else ''}the emergency record is not all in the journal: {rejoined.lost}"
            if text:
                writer.write_restored(text)
            recovered = recover(connection, path)
    except BaseException:
        connection.close()
        raise
    journal = ThreadJournal(writer) if threaded else InlineJournal(writer)
    return Store(path, env, connection, writer, journal, recovered, restored, text)


def _file_id(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
