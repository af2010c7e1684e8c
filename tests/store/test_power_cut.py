"""Power cuts, modelled on the bytes of the files: whatever had not been synced is lost, torn or garbled.

A desk writes; after each acknowledged commit the bytes of the database and its WAL are kept. What was acknowledged is
on the disk, for SQLite has synced it. Of what the next commit writes, each sector of 512 bytes is drawn to have reached
the disk or not, and one that held nothing before may hold garbage. Two moments are cut into: while the WAL is written
(the database as it was), and while a checkpoint copies pages (the WAL complete). Assumed, as SQLite assumes by default:
a write does not harm bytes of its own sector that it does not write, and a disk that reports a sync has done it.
"""

import random
import shutil
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from engine.core.facts import AnyFact
from engine.session.clock import VirtualClock
from store.backup import backup_path
from store.database import reading
from store.desk import Store, open_store
from store.errors import StoreError
from store.recovery import verify_file
from tests.store.making import SECOND, T0, batch, desk, order, raised

SECTOR: Final = 512
PAGE: Final = 4096
COMMITS: Final = 120
CHECKPOINT_PAGES: Final = 40


class Moment(NamedTuple):
    """The files at an acknowledgement, and what had been acknowledged."""

    main: bytes
    wal: bytes
    inputs: int
    rows: int
    head: str


def files(folder: Path) -> tuple[Path, Path]:
    return folder / "desk.db", folder / "desk.db-wal"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Moment]]:
    """A desk's life, moment by moment, with a checkpoint every few commits."""
    folder, chance = tmp_path_factory.mktemp("recorded"), random.Random(5)
    store = desk(folder)
    store._connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    main, wal = files(folder)
    moments = [Moment(main.read_bytes(), wal.read_bytes() if wal.exists() else b"", 0, 0, "")]
    for number in range(COMMITS):
        first = moments[-1].inputs + 1
        count = chance.choice((1, 8, 60))
        facts: list[tuple[int, AnyFact]] = [(first, raised(f"s{number}-{n}")) for n in range(count // 4 + 1)]
        facts.append((first, order(f"o{number}", signal_id=f"s{number}-0")))
        state = random.Random(number).randbytes(chance.choice((10, 9_000))) if chance.random() < 0.2 else None
        done = store.journal.commit(batch(first, count, facts, snapshot=state)).result()
        moments.append(Moment(main.read_bytes(), wal.read_bytes(), first + count - 1, done.rows, done.head))
    shutil.copytree(folder / "keys", folder / "kept" / "keys")
    store.close()
    return folder / "kept", moments


def torn(before: bytes, after: bytes, chance: random.Random) -> bytes:
    """`before` on its way to `after`: each sector that differs is written, not written, or was empty and is garbage."""
    share = chance.choice((0.0, 0.1, 0.5, 0.9, 1.0))
    length = chance.choice((len(before), len(after), max(len(before), chance.randrange(len(after) + 1))))
    image = bytearray(before[:length].ljust(min(length, max(len(before), len(after))), b"\0"))
    for start in range(0, len(image), SECTOR):
        end = min(start + SECTOR, len(image))
        if after[start:end] == before[start:end]:
            continue
        if chance.random() < share:
            image[start:end] = after[start:end].ljust(end - start, b"\0")
        elif start >= len(before) and chance.random() < 0.5:
            image[start:end] = chance.randbytes(end - start)
    return bytes(image)


def cut(moments: Sequence[Moment], chance: random.Random) -> tuple[bytes, bytes, Moment, Moment]:
    """A disk after a power cut: database, WAL, what was acknowledged, and what was under way."""
    now = chance.randrange(len(moments) - 1)
    before, after = moments[now], moments[now + 1]
    if before.main == after.main or chance.random() < 0.5:
        return before.main, torn(before.wal, after.wal, chance), before, after
    return torn(before.main, after.main, chance), after.wal, before, after


def assert_nothing_acknowledged_is_lost(folder: Path, before: Moment, after: Moment) -> int:
    """The journal ends at one of the two moments, with that moment's head; its inputs."""
    store = desk(folder)
    try:
        assert (store.restored, store.restored_text) == (None, "")
        checked = store.verify()
        assert checked.is_good, checked.bad
        known = {moment.inputs: moment.head for moment in (before, after)}
        assert checked.inputs in known
        if checked.inputs:
            assert checked.head == known[checked.inputs]
        return checked.inputs
    finally:
        store._connection.close()  # a crash does not sign


@pytest.mark.parametrize("points", [200, pytest.param(10_000, marks=[pytest.mark.sim, pytest.mark.timeout(600)])])
def test_a_power_cut_at_any_moment_loses_nothing_acknowledged(
    recorded: tuple[Path, list[Moment]], ram: Path, points: int
) -> None:
    """FD-02, FD-03."""
    kept, moments = recorded
    checkpoints = sum(a.main != b.main for a, b in pairwise(moments))
    assert checkpoints > 10
    chance = random.Random(points)
    shutil.copytree(kept, ram, dirs_exist_ok=True)
    main, wal = files(ram)
    ahead = 0
    for _ in range(points):
        image, log, before, after = cut(moments, chance)
        for left in ram.glob("desk.db*"):
            left.unlink()
        main.write_bytes(image)
        wal.write_bytes(log)
        ahead += assert_nothing_acknowledged_is_lost(ram, before, after) == after.inputs
    assert 0 < ahead < points  # sometimes the commit under way had reached the disk, sometimes not


def written(folder: Path) -> Store:
    """A desk of 200 inputs, all in the WAL, with a head signed at the last; open."""
    store = desk(folder)
    for n in range(20):
        store.journal.commit(batch(1 + 10 * n, 10, snapshot=b"s")).result()
        if n == 9:
            store.backup()
    store.sign_head("report").result()
    return store


def killed(store: Store, folder: Path) -> Path:
    """What a kill leaves of an open desk: its files, the WAL not yet in the database."""
    folder.mkdir()
    for path in store.path.parent.iterdir():
        if path.is_dir():
            shutil.copytree(path, folder / path.name)
        else:
            shutil.copy(path, folder / path.name)
    store.close()
    return folder / "desk.db"


def assert_missing_rows_are_told(folder: Path, text: str) -> None:
    """The start finds that rows are gone, says so on record, and keeps entries out (the text becomes a block)."""
    store = open_store(folder / "desk.db", "paper", VirtualClock(T0 + SECOND))
    assert text in store.restored_text
    with reading(store.path) as connection:
        told = connection.execute("SELECT body FROM journal WHERE kind = 'restored'").fetchall()
    assert len(told) == 1
    assert store.verify().is_good
    store.close()


def test_a_deleted_wal_is_told_as_missing_rows(ram: Path) -> None:
    """FD-12."""
    path = killed(written(ram), ram / "left")
    path.with_name("desk.db-wal").unlink()
    assert_missing_rows_are_told(path.parent, "rows are missing")


def test_a_deleted_shm_costs_nothing(ram: Path) -> None:
    """FD-12: the shared memory file is made anew from the WAL."""
    path = killed(written(ram), ram / "left")
    path.with_name("desk.db-shm").unlink()
    store = desk(path.parent)
    assert store.restored_text == ""
    assert store.verify().inputs == 200
    store.close()


def test_a_copy_of_the_main_file_alone_is_noticed(ram: Path) -> None:
    """FD-19."""
    store = written(ram)
    shutil.copy(store.path, ram / "copy")
    store.close()
    shutil.copy(ram / "copy", store.path)
    assert_missing_rows_are_told(ram, "rows are missing")


def test_a_disk_that_ignored_its_syncs_is_noticed_by_the_signed_head(ram: Path) -> None:
    """FD-04: the loss cannot be prevented; a head that was kept names it."""
    store = written(ram)
    main, wal = (path.read_bytes() for path in files(ram))
    store.journal.commit(batch(201, 10)).result()
    last = store.sign_head("report").result()
    store.close()
    for path, content in zip(files(ram), (main, wal), strict=True):
        path.write_bytes(content)
    with reading(ram / "desk.db") as connection:
        rows = connection.execute("SELECT max(id) FROM journal").fetchone()[0]
    assert_missing_rows_are_told(ram, f"{last.row - rows} rows are missing")


def test_an_older_backup_put_in_place_by_hand_is_noticed(ram: Path) -> None:
    """FO-14."""
    store = written(ram)
    store.close()
    shutil.copy(backup_path(store.path), store.path)
    backup_path(store.path).unlink()
    assert_missing_rows_are_told(ram, "rows are missing")


def test_a_damaged_page_or_a_flipped_bit_of_a_row_is_always_found(ram: Path) -> None:
    """FD-10, FD-11: zeroed, swapped and misdirected pages, and any bit of what the chain covers."""
    store = written(ram)
    store.close()
    backup_path(store.path).unlink()
    good, chance = store.path.read_bytes(), random.Random(11)
    places = row_places(store.path, good)
    pages = sorted({place // PAGE for place, _ in places})
    missed = []
    for number in range(400):
        image, kind = bytearray(good), number % 4
        a, b = (slice(page * PAGE, (page + 1) * PAGE) for page in chance.sample(pages, 2))
        if kind == 0:
            image[a] = bytes(PAGE)
        elif kind == 1:
            image[a], image[b] = image[b], image[a]
        elif kind == 2:
            image[a] = image[b]
        else:
            start, length = chance.choice(places)
            image[start + chance.randrange(length)] ^= 1 << chance.randrange(8)
        store.path.write_bytes(bytes(image))
        if not is_noticed(store.path):
            missed.append((number, kind))
    assert missed == []


def row_places(path: Path, content: bytes) -> list[tuple[int, int]]:
    """Where in the file the hashes of the journal stand, each with its length."""
    with reading(path) as connection:
        hashes = [row[0] for row in connection.execute("SELECT hash FROM journal")]
    return [(content.find(one), len(one)) for one in hashes]


def is_noticed(path: Path) -> bool:
    """As a start would: by SQLite's own check or by the chain, behind which nothing can be read that is not whole."""
    try:
        return not verify_file(path).is_good
    except StoreError:
        return True
