"""What fails for good waits as a letter, on record, until it is done or discarded; orders cannot become one."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tenacity import wait_none

from engine.session.clock import VirtualClock
from engine.session.dead_letters import (
    ATTEMPTS,
    DESK,
    DeadLetters,
    Letter,
    LetterState,
    Operation,
    Operations,
    letter_id,
    operations_on,
)
from engine.session.plan import Policy
from engine.session.session import Session
from store.desk import Store, open_store
from store.errors import DiskFull, StoreError
from store.letters import read_letters
from tests.session.deskrig import DeskRig
from tests.store.making import SECOND, T0, batch, desk, run_started


class Disk:
    """An operation that fails as long as `full`."""

    def __init__(self) -> None:
        self.full = True
        self.asked: list[str] = []

    def do(self, payload: str) -> None:
        self.asked.append(payload)
        if self.full:
            raise DiskFull("no space left")


class Rig:
    def __init__(self, folder: Path) -> None:
        self.clock = VirtualClock(T0)
        self.store: Store = desk(folder)
        self.store.journal.commit(batch(1, [run_started()])).result()
        self.disk = Disk()
        self.told: list[tuple[str, str]] = []
        operations: Operations = dict.fromkeys(Operation, self.disk.do)
        self.letters = DeadLetters(self.store, self.clock, operations, self._tell, wait_s=0.0)

    def _tell(self, where: str, text: str, error: BaseException) -> None:
        self.told.append((where, type(error).__name__))

    @property
    def states(self) -> list[tuple[str, int]]:
        return [(letter.state.value, letter.attempts) for letter in self.store.letters()]


@pytest.fixture
def rig(tmp_path: Path) -> Any:
    rig = Rig(tmp_path)
    yield rig
    rig.store.close()


def test_what_works_leaves_no_letter(rig: Rig) -> None:
    rig.disk.full = False
    assert rig.letters.do(Operation.BACKUP)
    assert (rig.disk.asked, rig.states, rig.told) == (["{}"], [], [])


def test_what_fails_is_tried_a_few_times_and_then_waits(rig: Rig) -> None:
    assert not rig.letters.do(Operation.BACKUP, '{"a":1}')
    assert len(rig.disk.asked) == ATTEMPTS
    (letter,) = rig.letters.waiting()
    assert letter == Letter(
        letter_id(Operation.BACKUP, '{"a":1}'),
        *("backup", '{"a":1}', LetterState.WAITING, "DiskFull", "no space left", ATTEMPTS, T0, T0),
    )
    assert rig.told == [("backup", "DiskFull")]


def test_the_same_failure_again_is_the_same_letter_and_a_success_ends_it(rig: Rig) -> None:
    rig.letters.do(Operation.BACKUP)
    rig.clock.set(T0 + SECOND)
    rig.letters.do(Operation.BACKUP)
    rig.letters.do(Operation.BACKUP, '{"other":1}')
    assert sorted(rig.states) == [("WAITING", ATTEMPTS), ("WAITING", 2 * ATTEMPTS)]
    first = rig.letters.waiting()[0]
    assert (first.first_ns, first.last_ns) == (T0, T0 + SECOND)
    rig.disk.full = False
    assert rig.letters.do(Operation.BACKUP)
    assert sorted(rig.states) == [("DONE", 2 * ATTEMPTS), ("WAITING", ATTEMPTS)]


def test_a_retry_after_repair_empties_the_queue_and_one_before_it_counts(rig: Rig) -> None:
    rig.letters.do(Operation.BACKUP)
    assert rig.letters.retry(rig.letters.waiting()) != []
    assert rig.states == [("WAITING", ATTEMPTS + 1)]
    rig.disk.full = False
    assert rig.letters.retry(rig.letters.waiting()) == []
    assert rig.letters.waiting() == []
    rig.disk.full = True
    rig.letters.do(Operation.BACKUP)
    assert rig.states == [("WAITING", ATTEMPTS)]  # a new failure begins to count anew


def test_a_discarded_letter_waits_no_more_and_says_who_and_why(rig: Rig) -> None:
    rig.letters.do(Operation.BACKUP)
    rig.letters.discard(rig.letters.waiting()[0], "ann", "the disk was replaced")
    (letter,) = rig.store.letters()
    assert (letter.state, letter.actor, letter.text) == (LetterState.DISCARDED, "ann", "the disk was replaced")
    assert rig.letters.waiting() == []


def test_letters_are_in_the_chain_and_their_table_can_be_rebuilt(rig: Rig) -> None:
    rig.letters.do(Operation.BACKUP)
    rig.letters.retry(rig.letters.waiting())
    before = rig.store.letters()
    rig.store.rebuild_projections().result()
    assert rig.store.letters() == before
    count = rig.store._connection.execute("SELECT count(*) FROM dead_letter_changes").fetchone()[0]
    assert count == 2
    assert rig.store.verify().is_good


def test_a_letter_that_cannot_be_recorded_raises_nothing(rig: Rig) -> None:
    rig.store.journal._failure = StoreError("the journal has failed")
    assert not rig.letters.do(Operation.BACKUP)
    assert rig.told == [("backup", "DiskFull")]
    rig.store.journal._failure = None


def test_an_order_can_be_no_letter() -> None:
    assert {operation.value for operation in Operation} == {"alert", "backup", "day", "report", "week"}


# --- on a desk ---


def test_a_backup_that_fails_ends_nothing_and_the_next_one_ends_its_letter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, asked = Store.backup, []

    def backup(store: Store) -> Any:
        asked.append(store)
        if len(asked) <= ATTEMPTS:
            raise DiskFull("no space left")
        return real(store)

    monkeypatch.setattr(Store, "backup", backup)
    monkeypatch.setattr("engine.session.dead_letters.wait_exponential", lambda _: wait_none())
    rig = DeskRig(tmp_path)

    def is_done() -> bool:
        return [one.state for one in read_letters(rig.home.database)] == [LetterState.DONE]

    async def stop_once_done(session: Session) -> None:
        while len(asked) <= ATTEMPTS or not is_done():  # noqa: ASYNC110
            await asyncio.sleep(0)
        session.stop("done")

    policy = Policy(checkpoint_ns=1_000_000, backup_ns=1)
    code, report = rig.run(1_000_000, meddle=stop_once_done, policy=policy)
    assert (code, report["reason"]) == (0, "done")
    assert [one["fingerprint"] for one in report["errors"]] == ["DiskFull at backup: backup failed: no space left"]
    assert [(one.state, one.attempts) for one in read_letters(rig.home.database)] == [(LetterState.DONE, ATTEMPTS)]
    assert rig.home.backup.exists()


def test_a_report_that_could_not_be_recorded_is_in_the_database_after_a_retry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any) -> Any:
        raise StoreError("not now")

    rig = DeskRig(tmp_path)
    monkeypatch.setattr(Store, "record_report", refused)
    code, report = rig.run(60)
    monkeypatch.undo()
    assert code == 1  # and its file says why
    store = open_store(rig.home.database, "paper", rig.session.plan.clock)
    letters = DeadLetters(store, rig.session.plan.clock, operations_on(store), lambda *_: None)
    (letter,) = letters.waiting()
    assert (letter.operation, letter.error_class) == ("report", "StoreError")
    assert letters.retry([letter]) == []
    kept = store._connection.execute("SELECT report FROM runs WHERE run_id = ?", (report["run_id"],)).fetchone()[0]
    assert json.loads(kept)["decision_hash"] == report["decision_hash"]
    store.close()


def test_several_threads_may_read_letters_at_once_from_the_first_moment() -> None:
    """Each alert channel has a thread that looks for its letters as it starts."""
    row = dict(zip(Letter.__struct_fields__, ("a", "alert", "{}", "WAITING", "Error", "", 1, 1, 2, DESK), strict=True))
    script = f"""
import sys, threading, msgspec
from engine.session.dead_letters import Letter
sys.setswitchinterval(1e-6)
gate = threading.Barrier(8)
def read():
    gate.wait()
    msgspec.convert({row!r}, Letter)
threads = [threading.Thread(target=read) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
    for _ in range(5):
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
