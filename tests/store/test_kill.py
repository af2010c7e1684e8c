"""Killed at any moment, the desk forgets nothing it acknowledged."""

import random
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

from store.backup import backup_path
from store.desk import Store
from store.recovery import verify_file
from tests.steady import PATIENCE
from tests.store.making import desk, quotes

ROUNDS = 10


def killed_after(path: Path, run_id: str, acknowledgements: int) -> tuple[int, int, str]:
    """Let a desk write, kill it right after so many acknowledgements; the last one read: input, rows, head."""
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.store.killed_writer", str(path), run_id], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    try:
        said = [child.stdout.readline() for _ in range(acknowledgements)]
    finally:
        child.kill()
    said += child.stdout.readlines()  # what it had still said before it died
    child.stdout.close()
    assert child.wait() == -signal.SIGKILL
    complete = [line for line in said if line.endswith("\n")]
    last, rows, head = complete[-1].split()
    return int(last), int(rows), head


def test_no_acknowledged_batch_is_lost_and_the_chain_holds(tmp_path: Path) -> None:
    """FD-01."""
    chance = random.Random(20251109)
    path = tmp_path / "desk.db"
    for number in range(ROUNDS):
        last, rows, head = killed_after(path, f"run-{number}", chance.randrange(1, 150))
        store = desk(tmp_path)
        assert store.restored is None
        assert store.recovered.next_seq > last
        assert head_at(store, rows) == head
        assert store.recovered.rows >= rows
        checked = store.verify()
        assert checked.is_good, checked
        assert checked.inputs == store.recovered.next_seq - 1
        assert_tail_follows_snapshot(store)
        store.close()
        if backup_path(path).exists():
            assert verify_file(backup_path(path)).is_good


def assert_tail_follows_snapshot(store: Store) -> None:
    recovered = store.recovered
    tail = list(recovered.tail)
    assert tail == quotes(recovered.next_seq - len(tail), len(tail))


def head_at(store: Store, rows: int) -> str:
    connection = sqlite3.connect(store.path)
    try:
        return str(connection.execute("SELECT lower(hex(hash)) FROM journal WHERE id = ?", (rows,)).fetchone()[0])
    finally:
        connection.close()


def test_a_program_that_fails_with_its_store_open_ends(tmp_path: Path) -> None:
    """FP-13: the writer's thread keeps no process alive."""
    program = (
        "import sys; from pathlib import Path; from tests.store.making import batch, desk; "
        "store = desk(Path(sys.argv[1]), threaded=True); store.journal.commit(batch(1, 5)).result(); "
        "raise RuntimeError('a bug')"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, timeout=PATIENCE, check=False
    )
    assert ended.returncode == 1
    assert b"a bug" in ended.stderr
    store = desk(tmp_path)
    assert store.verify().inputs == 5
    store.close()
