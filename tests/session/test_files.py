"""Files are whole or absent, lines are whole or absent, whatever the disk does."""

import errno
import gzip
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.session import files
from engine.session.files import Appender, LineFile, pack, replace_file
from tests.steady import PATIENCE


class Disk:
    """Stands in for the system's write: as much room as the test says."""

    def __init__(self) -> None:
        self.room: int | None = None
        self._write = os.write

    def write(self, handle: int, data: bytes) -> int:
        if self.room is None:
            return self._write(handle, data)
        if not self.room:
            raise OSError(errno.ENOSPC, "no space left on device")
        taken = self._write(handle, bytes(data[: self.room]))
        self.room -= taken
        return taken


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk()
    monkeypatch.setattr(os, "write", disk.write)
    return disk


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """The writing thread only writes when told to."""
    monkeypatch.setattr(files, "FLUSH_SECONDS", 60.0)


@pytest.fixture
def opened(tmp_path: Path, slow: None) -> Iterator[LineFile]:
    file = LineFile(tmp_path / "lines", bytes_max=100)
    yield file
    file.close()


def error_of(file: LineFile) -> OSError | None:
    return file.error


def test_a_file_is_replaced_whole_and_belongs_to_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text("old")
    replace_file(path, b"new")
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path, disk: Disk) -> None:
    path = tmp_path / "report.json"
    path.write_text("old")
    disk.room = 2
    with pytest.raises(OSError, match="no space"):
        replace_file(path, b"newer")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_lines_are_added_whole_or_not_at_all(tmp_path: Path, disk: Disk) -> None:
    path = tmp_path / "log"
    log = Appender(path)
    log.write(b"one\n")
    disk.room = 2
    with pytest.raises(OSError, match="no space"):
        log.write(b"two\n")
    disk.room = None
    log.write(b"three\n")
    log.close()
    assert path.read_text() == "one\nthree\n"
    assert log.size == path.stat().st_size


def test_a_torn_last_line_is_removed_at_opening(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text('{"a":1}\n{"a":')
    log = Appender(path)
    log.write(b'{"a":2}\n')
    log.close()
    assert path.read_text() == '{"a":1}\n{"a":2}\n'


def test_a_line_file_writes_by_itself_and_whole_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "FLUSH_SECONDS", 0.01)
    path = tmp_path / "lines"
    file = LineFile(path)
    file.put(b"first\n")
    until_s = time.monotonic() + PATIENCE
    while not path.stat().st_size and time.monotonic() < until_s:
        time.sleep(0.01)
    assert path.read_bytes() == b"first\n"
    for n in range(1_000):
        file.put(b"%d\n" % n)
    file.close()
    assert path.read_bytes() == b"first\n" + b"".join(b"%d\n" % n for n in range(1_000))
    assert file.lost == 0


def test_lines_wait_while_the_disk_refuses_and_come_in_order(tmp_path: Path, opened: LineFile, disk: Disk) -> None:
    """FD-24."""
    opened.put(b"one\n")
    disk.room = 1
    assert not opened.flush()
    assert isinstance(error_of(opened), OSError)
    opened.put(b"two\n")
    disk.room = None
    assert opened.flush()
    assert error_of(opened) is None
    assert (tmp_path / "lines").read_text() == "one\ntwo\n"
    assert opened.lost == 0


def test_beyond_its_bound_a_line_is_dropped_and_counted(tmp_path: Path, opened: LineFile, disk: Disk) -> None:
    """FP-24."""
    disk.room = 0
    for _ in range(12):
        opened.put(b"123456789\n")
    assert opened.lost == 2
    disk.room = None
    opened.flush()
    opened.put(b"again\n")
    opened.close()
    assert (tmp_path / "lines").read_text() == "123456789\n" * 10 + "again\n"
    assert opened.lost == 2


def test_a_patient_file_loses_nothing(tmp_path: Path, slow: None) -> None:
    file = LineFile(tmp_path / "lines", patient=True, bytes_max=100)
    for n in range(1_000):
        file.put(b"%03d\n" % n)
    file.close()
    assert (tmp_path / "lines").read_bytes() == b"".join(b"%03d\n" % n for n in range(1_000))
    assert file.lost == 0


def test_what_the_disk_refuses_to_the_end_is_counted_as_lost(opened: LineFile, disk: Disk) -> None:
    disk.room = 0
    opened.put(b"one\n")
    opened.put(b"two\n")
    opened.close()
    opened.put(b"too late\n")
    assert opened.lost == 3


def whole(folder: Path) -> bytes:
    """Every part in order, packed or not, and what was written last."""
    parts = sorted(path for path in folder.iterdir() if not path.name.startswith(".") and path.name != "lines.jsonl")
    packed = [gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes() for path in parts]
    return b"".join([*packed, (folder / "lines.jsonl").read_bytes()])


def test_a_long_file_is_put_aside_in_parts_and_no_line_is_lost_or_cut(tmp_path: Path) -> None:
    file = LineFile(tmp_path / "lines.jsonl", patient=True, bytes_max=600, part_bytes=2_000)
    lines = [b"%05d some words that make it longer\n" % n for n in range(2_000)]
    for line in lines:
        file.put(line)
    file.close()
    assert whole(tmp_path) == b"".join(lines)
    parts = sorted(tmp_path.glob("lines.*.jsonl.gz"))
    assert len(parts) > 10 and parts[0].name == "lines.0001.jsonl.gz"
    assert not list(tmp_path.glob("lines.*.jsonl"))
    assert all(gzip.decompress(part.read_bytes()).endswith(b"longer\n") for part in parts)
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}


def test_where_no_part_can_be_made_the_file_grows_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    file = LineFile(tmp_path / "lines.jsonl", part_bytes=100)
    monkeypatch.setattr(Path, "rename", refused)
    for _ in range(50):
        file.put(b"123456789\n")
        file.flush()
    file.close()
    assert (tmp_path / "lines.jsonl").read_bytes() == b"123456789\n" * 50
    assert [path.name for path in tmp_path.iterdir()] == ["lines.jsonl"]


def test_a_part_that_cannot_be_packed_stays_as_it_is(tmp_path: Path, disk: Disk) -> None:
    part = tmp_path / "part"
    part.write_bytes(os.urandom(500_000))
    before = part.read_bytes()
    (tmp_path / ".part.gz").mkdir()  # in the way
    assert not pack(part)
    assert part.read_bytes() == before
    (tmp_path / ".part.gz").rmdir()
    assert pack(part)
    assert gzip.decompress((tmp_path / "part.gz").read_bytes()) == before and not part.exists()
