"""One desk per environment: real processes, real locks."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from engine.session.lock import AlreadyRunning, DeskLock, Holder, holder

ME = Holder(pid=os.getpid(), started_ns=7, run_id="20261121-070822", socket="/run/x.sock")

TAKE_AND_WAIT = """
import sys
from pathlib import Path
from engine.session.lock import AlreadyRunning, DeskLock, Holder
try:
    lock = DeskLock.acquire(Path(sys.argv[1]), Holder(pid=1, run_id="other"))
except AlreadyRunning as refused:
    print("refused by", refused.holder.run_id, flush=True)
else:
    print("took over from", lock.previous.run_id if lock.previous else None, flush=True)
    sys.stdin.read()
"""


def start(path: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", TAKE_AND_WAIT, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def first_line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def end(process: "subprocess.Popen[str]", number: int = signal.SIGKILL) -> None:
    process.send_signal(number)
    process.communicate()


def test_the_holder_is_known_while_it_holds_and_nothing_is_left_after_release(tmp_path: Path) -> None:
    path = tmp_path / "desk.lock"
    assert holder(path) is None
    lock = DeskLock.acquire(path, ME)
    assert holder(path) == ME and lock.previous is None
    lock.release()
    lock.release()
    assert holder(path) is None and not path.exists()


def test_a_second_start_is_refused_with_the_holders_own_words_and_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "desk.lock"
    lock = DeskLock.acquire(path, ME)
    before = path.read_bytes()
    with pytest.raises(
        AlreadyRunning,
        match=f"already_running.*pid {ME.pid}, run 20261121.*nightdesk status .* attach .* stop .*--home",
    ) as refused:
        DeskLock.acquire(path, Holder(pid=2))
    assert refused.value.holder == ME and path.read_bytes() == before
    lock.release()


def test_another_process_is_refused_too(tmp_path: Path) -> None:
    lock = DeskLock.acquire(tmp_path / "desk.lock", ME)
    process = start(tmp_path / "desk.lock")
    assert first_line(process) == "refused by 20261121-070822"
    process.communicate()
    lock.release()


def test_kill_minus_9_frees_the_lock_and_the_next_start_learns_whom_it_follows(tmp_path: Path) -> None:
    path = tmp_path / "desk.lock"
    process = start(path)
    assert first_line(process) == "took over from None"
    assert holder(path) == Holder(pid=1, run_id="other")
    end(process)
    assert path.exists() and holder(path) is None
    lock = DeskLock.acquire(path, ME)
    assert lock.previous == Holder(pid=1, run_id="other")
    lock.release()


def test_a_child_process_does_not_inherit_the_lock(tmp_path: Path) -> None:
    """FP-23."""
    path = tmp_path / "desk.lock"
    lock = DeskLock.acquire(path, ME)
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
    lock.release()
    DeskLock.acquire(path, ME).release()
    child.kill()
    child.communicate()


def test_a_removed_or_replaced_file_is_noticed(tmp_path: Path) -> None:
    """FO-08."""
    path = tmp_path / "desk.lock"
    lock = DeskLock.acquire(path, ME)
    assert lock.is_at_its_path()
    path.unlink()
    assert not lock.is_at_its_path()
    path.write_text("")
    assert not lock.is_at_its_path()
    lock.release()
    assert path.exists()  # what is there now is not ours to remove


def test_damaged_text_does_not_matter_the_lock_does(tmp_path: Path) -> None:
    path = tmp_path / "desk.lock"
    lock = DeskLock.acquire(path, ME)
    path.write_text('{"pid": ')
    assert holder(path) == Holder()
    with pytest.raises(AlreadyRunning, match="has not said which"):
        DeskLock.acquire(path, ME)
    lock.inform(ME)
    assert holder(path) == ME
    lock.release()
