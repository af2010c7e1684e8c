"""What disks and people do to the files of a real desk: full, limited, damaged, replaced, locked, copied."""

import contextlib
import os
import resource
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from store.backup import back_up, backup_path
from store.recovery import verify_file
from tests.e2e.conftest import StartDesk
from tests.e2e.shell import EAGER, RunningDesk, ask, until
from tests.e2e.test_e2e_crash import TWO, Books, assert_memory_is_whole, replayed

pytestmark = pytest.mark.e2e
slow = pytest.mark.sim


def until_trading(desk: RunningDesk) -> None:
    desk.until_running()
    desk.until(lambda: len(Books(desk.home).fills) >= 2)


def blocks(desk: RunningDesk) -> set[str]:
    return {block["reason"] for block in desk.status()["blocks"]}


# --- damage, found at the next start ---


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose desk has traded and ended, with a backup of the end."""
    root = tmp_path_factory.mktemp("lived")
    desk = RunningDesk(root, *EAGER, *TWO)
    try:
        until_trading(desk)
        assert ask(root, "stop").code == 0
        assert desk.ended() == 0
    finally:
        desk.clean_up()
    back_up(desk.home.database)
    return root


PLACES = {"header": 0.0, "middle": 0.5, "tail": 0.9}


def damage(path: Path, where: str) -> None:
    """Noise over a tenth of the file, from a place in it."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(int(size * PLACES[where]))
        file.write(os.urandom(size // 10))


@pytest.mark.parametrize("where", ["header", pytest.param("middle", marks=slow), pytest.param("tail", marks=slow)])
def test_a_damaged_database_is_restored_told_and_trades_only_once_a_person_has_looked(
    lived: Path, tmp_path: Path, start: StartDesk, where: str
) -> None:
    """FD-10, FO-07: the backup takes its place, entries wait for an operator, the damaged file is kept."""
    shutil.copytree(lived, tmp_path, dirs_exist_ok=True, symlinks=True)
    damage(tmp_path / "paper" / "desk.db", where)
    desk = start(*EAGER, *TWO)
    desk.until_running()
    assert "restored" in blocks(desk)
    assert list(desk.home.dir.glob("desk.db.damaged-*"))
    assert ask(tmp_path, "stop").code == 0
    assert desk.ended() == 0
    assert_memory_is_whole(desk.home)


@pytest.mark.parametrize("where", ["header", pytest.param("middle", marks=slow), pytest.param("tail", marks=slow)])
def test_when_the_backup_is_damaged_too_nothing_starts_and_nothing_is_moved(
    lived: Path, tmp_path: Path, where: str
) -> None:
    """FD-10: refused with its reason; both files are left for whoever can read them."""
    shutil.copytree(lived, tmp_path, dirs_exist_ok=True, symlinks=True)
    database = tmp_path / "paper" / "desk.db"
    damage(database, where)
    damage(backup_path(database), where)
    before = {path: path.read_bytes() for path in (database, backup_path(database))}
    answer = ask(tmp_path, "run", "--headless", "--duration", "1s")
    assert answer.code == 1
    assert "Failed to load state" in answer.err
    assert {path: path.read_bytes() for path in before} == before


@slow
@pytest.mark.parametrize("suffix", ["-wal", "-shm"])
def test_a_file_beside_the_database_deleted_after_a_crash(start: StartDesk, tmp_path: Path, suffix: str) -> None:
    """FD-12: rows the deleted WAL had are missed by the signed head, and entries wait; the other is remade."""
    desk = start(*EAGER, *TWO)
    until_trading(desk)
    assert ask(tmp_path, "stop").code == 0  # its end signs a head
    desk.ended()
    heads = desk.home.dir / "heads.jsonl"
    first = len(heads.read_text().splitlines())
    desk = start("--duration", "2s", *EAGER, *TWO)
    desk.until(lambda: len(heads.read_text().splitlines()) > first)  # signed, and still in the WAL
    desk.kill_9()
    desk.home.database.with_name(f"desk.db{suffix}").unlink()
    desk.home.socket.unlink(missing_ok=True)
    again = start(*EAGER, *TWO)
    again.until_running()
    assert ("restored" in blocks(again)) is (suffix == "-wal")
    assert ask(tmp_path, "stop").code == 0
    assert again.ended() == 0
    assert verify_file(again.home.database).is_good


# --- while the desk runs ---


@slow
def test_a_database_replaced_under_the_desk_ends_it(start: StartDesk) -> None:
    """FD-13, FO-08: what is written into a file nobody finds again is lost, so the desk stops within seconds."""
    desk = start(*EAGER, *TWO)
    until_trading(desk)
    kept = desk.home.dir / "kept.db"
    shutil.copy(desk.home.database, kept)
    kept.replace(desk.home.database)
    assert desk.ended() == 1
    assert desk.report["reason"] == "store_lost"


@contextlib.contextmanager
def write_lock(path: Path) -> Iterator[None]:
    """The write lock of a database, as a shell or a backup tool takes it."""
    holder = sqlite3.connect(path, isolation_level=None, timeout=10)
    holder.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        holder.execute("ROLLBACK")
        holder.close()


@slow
def test_a_lock_held_for_a_second_is_waited_for(start: StartDesk, tmp_path: Path) -> None:
    """FD-14, FD-18: orders wait for the journal, nothing is lost and nothing is said."""
    desk = start(*EAGER, *TWO)
    until_trading(desk)
    fills = len(Books(desk.home).fills)
    with write_lock(desk.home.database):
        time.sleep(1)
    desk.until(lambda: len(Books(desk.home).fills) > fills)
    assert blocks(desk) == set()
    assert ask(tmp_path, "stop").code == 0
    assert desk.ended() == 0
    assert desk.report["problems"] == []
    assert_memory_is_whole(desk.home)


def assert_gets_out_and_comes_back(desk: RunningDesk, start: StartDesk, root: Path) -> None:
    """A desk that cannot write its journal ends flat with what it knows; the next start has all of it."""
    assert desk.ended() in (0, 1), desk.said
    again = start(*EAGER, *TWO)
    again.until_running()
    assert_nothing_is_doubled(again)
    assert ask(root, "stop").code == 0
    assert again.ended() == 0
    checked = verify_file(again.home.database)
    assert checked.is_good, checked.bad
    assert ask(root, "audit", "verify").code == 0


def assert_nothing_is_doubled(desk: RunningDesk) -> None:
    books = Books(desk.home)
    ids = [fill.fill_id for fill in books.fills]
    assert len(ids) == len(set(ids))
    assert {s: p.qty for s, p in replayed(desk.home).state.positions.items() if p.qty} == books.held()


@slow
def test_a_lock_held_for_longer_than_the_desk_waits_is_survived(start: StartDesk, tmp_path: Path) -> None:
    """FD-14, FO-03: a kill while another process holds the database closes the gate at once and is not forgotten."""
    desk = start(*EAGER, *TWO)
    until_trading(desk)
    with write_lock(desk.home.database):
        desk.until(lambda: "SQLITE_BUSY" in desk.home.system_log.read_text(), 30)
        killed = ask(tmp_path, "kill", "--json")
        assert killed.code == 0
    assert desk.ended() in (0, 1), desk.said
    latched = ask(tmp_path, "status", "--json").json
    assert latched["kill_latched"]
    assert verify_file(desk.home.database).is_good


@slow
def test_a_file_size_limit_is_survived_like_a_full_disk(start: StartDesk, tmp_path: Path) -> None:
    """FD-08."""
    desk = start(*EAGER, *TWO)
    until_trading(desk)
    wal = desk.home.database.with_name("desk.db-wal").stat().st_size
    psutil.Process(desk.process.pid).rlimit(resource.RLIMIT_FSIZE, (wal, wal))
    desk.until(lambda: "SQLITE_IOERR" in desk.home.system_log.read_text() or desk.process.poll() is not None)
    if desk.process.poll() is None:
        ask(tmp_path, "stop")
    assert_gets_out_and_comes_back(desk, start, tmp_path)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 MB of its own; needs the right to mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64m", "nightdesk-test", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no small file system can be mounted here: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill_up(folder: Path) -> Path:
    """Take all the room there is."""
    path = folder / "filler"
    with path.open("wb") as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(65_536))
            file.flush()
    return path


@slow
def test_a_full_disk_stops_entries_and_nothing_else(small_disk: Path) -> None:
    """FD-06, FD-07, FO-03: ways out go on, a kill works, the report is written; with room again all of it is there."""
    tight = {"NIGHTDESK_DISK_MIN_MB": "0"}  # else it would not even begin to trade with so little room
    desk = RunningDesk(small_disk, *EAGER, *TWO, **tight)
    try:
        until_trading(desk)
        filler = fill_up(small_disk)
        desk.until(
            lambda: "SQLITE_FULL" in desk.said + desk.home.system_log.read_text() or desk.process.poll() is not None
        )
        fill_up(small_disk / "paper")  # the room the ballast gave back
        killed = ask(small_disk, "kill", "--json")
        assert killed.code in (0, 4), killed.err  # 4: it had got out already, and the next start is killed
        assert desk.ended() in (0, 1), desk.said
        refused = ask(small_disk, "run", "--headless", "--duration", "1s")
        assert refused.code == 1, refused.err
        assert "full" in refused.err or "space" in refused.err.lower(), refused.err
        filler.unlink()
        (small_disk / "paper" / "filler").unlink()
        again = RunningDesk(small_disk, "--duration", "1s", *EAGER, *TWO, **tight)
        assert again.ended() == 0, again.said
        assert again.report["signals"]["total"] == again.report["signals"]["REJECTED_BY_CIRCUIT_BREAKER"]
        assert Books(again.home).held() == {}
        assert ask(small_disk, "status", "--json").json["kill_latched"]
        assert_nothing_is_doubled(again)
        assert ask(small_disk, "audit", "verify").code == 0
    finally:
        desk.clean_up()


# --- the restore drill ---


@slow
def test_a_backup_made_while_trading_is_a_whole_desk_elsewhere(start: StartDesk, tmp_path: Path) -> None:
    """FD-26, FO-14: verified, replayed decision for decision, started, and traded on."""
    home = tmp_path / "home"
    home.mkdir()
    desk = RunningDesk(home, *EAGER, *TWO)
    try:
        until_trading(desk)
        made = back_up(desk.home.database)
        elsewhere = tmp_path / "elsewhere"
        (elsewhere / "paper").mkdir(parents=True, mode=0o700)
        shutil.copy(made.path, elsewhere / "paper" / "desk.db")
        shutil.copytree(desk.home.dir / "keys", elsewhere / "paper" / "keys")
        assert ask(home, "stop").code == 0
        assert desk.ended() == 0
    finally:
        desk.clean_up()
    assert verify_file(elsewhere / "paper" / "desk.db").inputs == made.inputs
    assert ask(elsewhere, "audit", "verify").code == 0
    assert ask(elsewhere, "replay", desk.folder.run_id, "--verify").code == 0
    again = RunningDesk(elsewhere, *EAGER, *TWO)
    try:
        until(lambda: len(Books(again.home).fills) > 4, lambda: again.said)
        assert ask(elsewhere, "stop").code == 0
        assert again.ended() == 0
        assert_memory_is_whole(again.home)
    finally:
        again.clean_up()
