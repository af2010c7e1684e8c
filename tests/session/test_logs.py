"""The log has one whole JSON object a line, no secret, and no way to harm or slow what logs."""

import asyncio
import json
import logging
import re
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.session import logs
from engine.session.files import Appender
from engine.session.logs import JsonFormatter, SensitiveDataFilter, SystemLog, log_stray_errors
from engine.session.scrub import Scrubber
from engine.session.secret import Secret
from tests.steady import PATIENCE

CANARY = "canary-7f3a9b2c1d"
scrubber = Scrubber([CANARY, Secret("multi\nline-secret-value")])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "system.jsonl"


@pytest.fixture
def system(path: Path) -> Iterator[SystemLog]:
    with SystemLog(path, "paper", scrubber) as system:
        yield system


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def all_files(path: Path) -> list[Path]:
    return sorted(path.parent.glob("system.jsonl*"))


def test_a_line_has_exactly_its_five_fields(system: SystemLog, path: Path) -> None:
    logging.getLogger("venue.feed").warning("gap of %d bars", 3, extra={"meta": {"symbol": "BTCUSDT", "bars": 3}})
    assert system.flush()
    (line,) = read(path)
    assert list(line) == ["timestamp", "level", "component", "message", "meta"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", line["timestamp"])
    assert (line["level"], line["component"], line["message"]) == ("WARNING", "venue.feed", "gap of 3 bars")
    assert line["meta"] == {"symbol": "BTCUSDT", "bars": 3, "mode": "PAPER"}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_mode_cannot_be_overwritten_by_a_record(system: SystemLog, path: Path) -> None:
    logging.getLogger("x").info("y", extra={"meta": {"mode": "LIVE"}})
    system.flush()
    assert read(path)[0]["meta"]["mode"] == "PAPER"


def test_no_secret_gets_into_the_log_by_any_way(system: SystemLog, path: Path) -> None:
    """FS-04, FS-10."""
    log = logging.getLogger("session")
    log.info("plain %s", CANARY)
    log.info("key is %(api_key)s", {"api_key": CANARY})
    log.info("in meta", extra={"meta": {"url": f"wss://u:p@h/?k={CANARY}", "password": "hunter2", CANARY: [CANARY]}})
    log.info("object %s", Secret("hunter2"))
    logging.getLogger(CANARY).info("in the name")
    try:
        try:
            raise ValueError(f"inner {CANARY}")
        except ValueError as inner:
            raise RuntimeError("outer multi\nline-secret-value password=hunter2") from inner
    except RuntimeError:
        log.exception("failed", stack_info=True)
    system.flush()
    text = path.read_text()
    assert len(read(path)) == 6
    for secret in (CANARY, "hunter2", "line-secret"):
        assert secret not in text
    assert "ValueError: inner ***" in text
    assert read(path)[-1]["meta"]["exception"][-1] == "RuntimeError: outer *** password=***"


def test_what_a_venue_says_cannot_command_a_terminal(system: SystemLog, path: Path) -> None:
    """FS-11."""
    logging.getLogger("v").info("said \x1b[2J\x9b31m%s\r\n\u202eevil", "\x07bell")
    system.flush()
    assert read(path)[0]["message"] == "said bell evil"
    assert path.read_bytes().isascii()


@pytest.mark.parametrize("count", [0, 3])
def test_a_wrong_call_is_logged_and_not_raised(system: SystemLog, path: Path, count: int) -> None:
    logging.getLogger("v").error("%d of %d", *range(count))
    system.flush()
    assert read(path)[0]["message"].startswith("%d of %d")
    assert system.errors == 1


def test_objects_that_cannot_be_shown_cost_at_most_themselves(system: SystemLog, path: Path) -> None:
    class Broken:
        def __repr__(self) -> str:
            raise ValueError

    logging.getLogger("v").info("a", extra={"meta": {"x": Broken(), "nan": float("nan"), "set": {1, Broken()}}})
    logging.getLogger("v").info("b %s", Broken())
    logging.getLogger("v").info("c", extra={"meta": "words"})
    system.flush()
    told = read(path)
    assert [line["message"] for line in told] == ["a", "b %s (its arguments do not fit)", "c"]
    assert told[2]["meta"] == {"value": "words", "mode": "PAPER"}
    assert system.lost == 0


def test_errors_are_counted_once_each(system: SystemLog) -> None:
    log = logging.getLogger("v")
    log.warning("no error")
    log.error("one")
    log.critical("two")
    assert system.errors == 2


def test_seven_times_its_size_leaves_six_files_of_whole_lines_the_newest_kept(path: Path) -> None:
    with SystemLog(path, "paper", size_max=10_000, kept=5) as system:
        for n in range(600):
            logging.getLogger("v").info("line %04d", n)
            if n % 100 == 0:
                system.flush()
    files = all_files(path)
    assert [file.name for file in files] == ["system.jsonl", *(f"system.jsonl.{n}" for n in range(1, 6))]
    assert all(file.stat().st_size <= 10_000 for file in files)
    numbers = [line["message"] for file in [*reversed(files[1:]), files[0]] for line in read(file)]
    assert numbers == [f"line {n:04d}" for n in range(600 - len(numbers), 600)]
    assert system.lost == 0


def test_a_rename_that_fails_lets_the_file_grow_and_loses_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, target: Path) -> Path:
        raise OSError(16, "busy")

    monkeypatch.setattr(Path, "replace", refuse)
    with SystemLog(path, "paper", size_max=500) as system:
        for n in range(20):
            logging.getLogger("v").info("line %d", n)
    assert [line["message"] for line in read(path)] == [f"line {n}" for n in range(20)]
    assert system.lost == 0


def test_a_full_queue_costs_lines_and_never_time(path: Path) -> None:
    with SystemLog(path, "paper", queue_max=10) as system:
        held = threading.Event()
        system._rotating.emit = lambda record: held.wait(PATIENCE)  # type: ignore[method-assign,assignment]
        for n in range(50):
            logging.getLogger("v").info("line %d", n)
        assert system.lost >= 39
        assert not system.flush(0.01)
        held.set()
        assert system.flush()


def test_a_patient_log_loses_nothing_however_fast_it_comes(path: Path) -> None:
    with SystemLog(path, "paper", queue_max=10, patient=True) as system:
        for n in range(2_000):
            logging.getLogger("v").info("line %d", n)
    assert [line["message"] for line in read(path)] == [f"line {n}" for n in range(2_000)]
    assert system.lost == 0


def test_a_refusing_disk_is_counted_and_not_raised(
    system: SystemLog, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FD-24."""

    def full(self: Appender, lines: bytes) -> None:
        raise OSError(28, "no space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Appender, "write", full)
        logging.getLogger("v").info("lost")
        system.flush()
    logging.getLogger("v").info("kept")
    system.flush()
    assert system.lost == 1
    assert [line["message"] for line in read(path)] == ["kept"]


def test_closing_puts_logging_back_as_it_was(path: Path) -> None:
    root = logging.getLogger()
    before = (list(root.handlers), root.level, logging.raiseExceptions, logging.getLogger("websockets").level)
    system = SystemLog(path, "paper").open()
    assert (logging.getLogger("websockets").level, logging.getLogger("aiosqlite").level) == (logging.INFO, logging.INFO)
    assert logging.raiseExceptions is False
    logging.getLogger("last").info("words")
    system.close()
    system.close()
    assert (list(root.handlers), root.level, logging.raiseExceptions, logging.getLogger("websockets").level) == before
    assert [line["message"] for line in read(path)] == ["words"]


def test_a_file_that_cannot_be_opened_is_said_at_once(tmp_path: Path) -> None:
    handlers = list(logging.getLogger().handlers)
    with pytest.raises(OSError, match="No such file"):
        SystemLog(tmp_path / "absent" / "system.jsonl", "paper").open()
    assert logging.getLogger().handlers == handlers


def test_a_record_becomes_its_line_where_it_was_made(system: SystemLog) -> None:
    formatter = JsonFormatter("paper", scrubber)
    record = logging.LogRecord("session", logging.INFO, "", 0, "symbol %s moved to %d", ("BTCUSDT", 5), None)
    line = formatter.format(record)
    assert json.loads(line)["message"] == "symbol BTCUSDT moved to 5"


def test_the_filter_scrubs_for_foreign_handlers() -> None:
    record = logging.LogRecord("x", logging.INFO, "", 0, "key %s", (CANARY,), None)
    record.meta = {"token": "abc"}
    try:
        raise ValueError(CANARY)
    except ValueError as error:
        record.exc_info = (ValueError, error, error.__traceback__)
    assert SensitiveDataFilter(scrubber).filter(record)
    shown = logging.Formatter("%(message)s %(meta)s").format(record)
    assert CANARY not in shown
    assert shown.startswith("key *** {'token': '***'}")
    assert shown.endswith("ValueError: ***")


async def test_errors_nobody_caught_are_logged_and_told(system: SystemLog, path: Path) -> None:
    loop = asyncio.get_running_loop()
    told: list[tuple[str, str]] = []
    undo = log_stray_errors(loop, lambda where, text, error: told.append((where, type(error).__name__)))
    hook = threading.excepthook

    def fail() -> None:
        raise ValueError(f"lost {CANARY}")

    loop.call_soon(fail)
    thread = threading.Thread(target=fail, name="helper")
    thread.start()
    await asyncio.sleep(0)
    await asyncio.to_thread(thread.join)
    undo()
    assert threading.excepthook is not hook
    assert sorted(told) == [("loop", "ValueError"), ("thread helper", "ValueError")]
    system.flush()
    lines = read(path)
    assert [line["component"] for line in lines] == ["stray", "stray"]
    assert all(line["level"] == "ERROR" and line["meta"]["exception"] for line in lines)
    assert CANARY not in path.read_text()


def test_long_traces_keep_their_newest_lines() -> None:
    def dive(n: int) -> None:
        if n:
            dive(n - 1)
        else:
            raise ValueError("bottom")

    try:
        dive(3)
    except ValueError as error:
        record = logging.LogRecord("x", logging.ERROR, "", 0, "m", None, (ValueError, error, error.__traceback__))
    trace = json.loads(JsonFormatter("live").format(record))["meta"]["exception"]
    assert len(trace) <= logs.TRACE_LINES_MAX
    assert trace[-1] == "ValueError: bottom"
