"""A log read backwards: in portions, across rotations, while it grows, whatever stands in it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from console import logbook
from console.logbook import Logbook, LogLine, Question, structured, worded

NEWEST = 1 << 60
T = "2026-01-05T12:03:07.000001Z"


def record(number: int, level: str = "INFO", **meta: Any) -> bytes:
    line = {"timestamp": T, "level": level, "component": "feed", "message": f"line {number}", "meta": meta}
    return json.dumps(line).encode() + b"\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "system.jsonl"


def numbers(lines: list[LogLine]) -> list[int]:
    return [int(line.message.split()[1]) for line in lines]


def read_all(book: Logbook, portion: int = 7) -> Iterator[LogLine]:
    before = NEWEST
    while lines := book.lines(Question(), portion, before):
        yield from lines
        before = lines[-1].row


@pytest.mark.parametrize("piece", [1, 3, 64, 200, 65_536])
def test_every_line_comes_once_newest_first_whatever_the_pieces(
    path: Path, piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logbook, "PIECE", piece)
    path.write_bytes(b"".join(map(record, range(30))))
    assert numbers(list(read_all(Logbook(path, structured)))) == list(range(29, -1, -1))


def test_older_parts_follow_and_places_stay_while_files_are_rotated(path: Path) -> None:
    older = path.with_name("system.jsonl.1")
    older.write_bytes(b"".join(map(record, range(10))))
    path.write_bytes(b"".join(map(record, range(10, 20))))
    book = Logbook(path, structured)
    before = book.lines(Question(), 100, NEWEST)
    assert numbers(before) == list(range(19, -1, -1))
    older.replace(path.with_name("system.jsonl.2"))
    path.replace(older)
    path.write_bytes(record(20) + record(21))
    after = book.lines(Question(), 100, NEWEST)
    assert numbers(after) == list(range(21, -1, -1)) and after[2:] == before
    assert [line.row for line in after] == sorted({line.row for line in after}, reverse=True)
    path.with_name("system.jsonl.2").unlink()
    assert numbers(list(read_all(Logbook(path, structured)))) == list(range(21, 9, -1))


def test_a_file_that_took_an_older_one_s_inode_is_not_taken_for_it(path: Path) -> None:
    path.write_bytes(b"".join(map(record, range(5))))
    book = Logbook(path, structured)
    assert len(book.lines(Question(), 100, NEWEST)) == 5
    path.write_bytes(record(7).replace(b"12:03", b"12:04"))
    assert numbers(book.lines(Question(), 100, NEWEST)) == [7]


def test_a_line_that_is_being_written_waits_until_it_is_whole(path: Path) -> None:
    path.write_bytes(record(0) + record(1)[:20])
    book = Logbook(path, structured)
    assert numbers(book.lines(Question(), 9, NEWEST)) == [0]
    path.write_bytes(record(0) + record(1))
    assert numbers(book.lines(Question(), 9, NEWEST)) == [1, 0]


def test_a_question_is_asked_of_every_line_and_asked_again_only_of_new_ones(path: Path) -> None:
    path.write_bytes(b"".join(record(n, "ERROR" if n % 10 == 3 else "INFO", symbol=f"S{n % 7}") for n in range(100)))
    looked: list[int] = []

    def watched(row: int, line: bytes) -> LogLine:
        looked.append(row)
        return structured(row, line)

    book = Logbook(path, watched)
    assert numbers(book.lines(Question(("s3",)), 3, NEWEST)) == [94, 87, 80]
    errors = Question(("line", "symbol=s3"), level="WARNING")
    assert numbers(book.lines(errors, 100, NEWEST)) == [73, 3]
    looked.clear()
    assert numbers(book.lines(errors, 100, NEWEST)) == [73, 3] and not looked
    with path.open("ab") as file:
        file.write(record(101, "CRITICAL", symbol="S3") + record(102, symbol="S3"))
    assert numbers(book.lines(errors, 100, NEWEST)) == [101, 73, 3] and len(looked) == 1


def test_words_with_signs_that_json_escapes_are_found(path: Path) -> None:
    path.write_bytes(record(1, text='he said "now"') + record(2, text="süß") + record(3))
    book = Logbook(path, structured)
    assert numbers(book.lines(Question(('"now"',)), 9, NEWEST)) == [1]
    assert numbers(book.lines(Question(("süß",)), 9, NEWEST)) == [2]
    assert numbers(book.lines(Question(("12:03:07", "2026-01-05")), 9, NEWEST)) == [3, 2, 1]


@pytest.mark.parametrize("bad", [b"\xff\xfe", b"{}", b"[1]", b'{"timestamp": "soon"}', b'{"timestamp": 5', b"{" * 99])
def test_what_is_no_record_is_shown_as_it_is(path: Path, bad: bytes) -> None:
    path.write_bytes(record(1) + bad + b"\n" + record(2))
    lines = Logbook(path, structured).lines(Question(), 9, NEWEST)
    assert [line.message for line in lines] == ["line 2", bad.decode(errors="replace"), "line 1"]
    assert lines[1].at_ns is None


def test_a_line_without_end_is_shown_in_parts(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logbook, "LINE_MAX", 1_000)
    monkeypatch.setattr(logbook, "PIECE", 512)
    path.write_bytes(record(1) + b"x" * 10_000 + b"\n" + record(2))
    lines = Logbook(path, structured).lines(Question(), 99, NEWEST)
    assert (lines[0].message, lines[-1].message) == ("line 2", "line 1")
    assert sum(line.message.count("x") for line in lines) == 10_000
    assert max(len(line.message) for line in lines) < 2_000


def test_no_file_has_no_lines_and_one_that_may_not_be_read_is_named(path: Path) -> None:
    book = Logbook(path, structured)
    assert book.lines(Question(), 9, NEWEST) == []
    path.mkdir()
    with pytest.raises(OSError, match=r"system\.jsonl"):
        book.lines(Question(), 9, NEWEST)


def test_what_is_kept_is_bounded(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logbook, "FOUND_MAX", 10)
    path.write_bytes(b"".join(map(record, range(30))))
    book = Logbook(path, structured)
    assert numbers(book.lines(Question(), 10, NEWEST)) == list(range(29, 19, -1))
    assert len(book.lines(Question(), 30, NEWEST)) == 10
    path.write_bytes(b"".join(map(record, range(40))))
    assert numbers(book.lines(Question(), 10, NEWEST)) == list(range(39, 29, -1))


def test_a_run_s_own_log_is_read_by_its_words() -> None:
    line = worded(5, b"2026-01-05 12:03:07Z WARNING block: operator blocked: lunch")
    assert line == LogLine(5, 1_767_614_587 * 10**9, "WARNING", "block", "operator blocked: lunch", {})
    status = b"12:03:07Z PAPER RUNNING 0:00:00 | equity 10000.00"
    assert worded(6, status) == LogLine(6, None, "", "", status.decode(), {})
    assert worded(7, b"2026-99-05 12:03:07Z INFO a: b").at_ns is None
