"""The structured log, `system.jsonl`: one JSON object a line, written by a thread, rotated, free of secrets.

A record is turned into its final line where it was made (its arguments may change later) and queued; the queue is
bounded and the caller never waits. What goes wrong with the log is counted in `lost` and never raised into the desk.
"""

import asyncio
import contextlib
import json
import logging
import queue
import threading
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from logging.handlers import QueueHandler, QueueListener
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from engine.session.files import Appender
from engine.session.scrub import NOTHING_KNOWN, Scrubber, as_text

SIZE_MAX: Final = 10_000_000
KEPT: Final = 5
QUEUE_MAX: Final = 10_000
FLUSH_SECONDS: Final = 2.0
TRACE_LINES_MAX: Final = 60
CAPPED: Final = ("websockets", "aiosqlite")
"""Loggers that would write whole frames and statements below INFO."""


class SensitiveDataFilter(logging.Filter):
    """Lets every record through, with secrets masked in its message, arguments, exception, stack and `meta`.

    For handlers that are not ours; the structured log scrubs by itself.
    """

    def __init__(self, scrubber: Scrubber = NOTHING_KNOWN) -> None:
        super().__init__()
        self._scrubber = scrubber

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = self._scrubber.text(_message(record)), None
        if record.exc_info or record.exc_text:
            record.exc_text = "\n".join(_trace(record, self._scrubber))
            record.exc_info = None
        if record.stack_info:
            record.stack_info = self._scrubber.text(record.stack_info)
        if hasattr(record, "meta"):
            record.meta = self._scrubber.value(record.meta)
        return True


class JsonFormatter(logging.Formatter):
    """A record as one JSON object: timestamp (UTC), level, component, message, meta. Never raises.

    `meta` is what the record carries as `extra={"meta": {...}}`, the mode (PAPER or LIVE), and an exception if any.
    """

    def __init__(self, env: str, scrubber: Scrubber = NOTHING_KNOWN) -> None:
        super().__init__()
        self._mode = env.upper()
        self._scrubber = scrubber

    def format(self, record: logging.LogRecord) -> str:
        scrub = self._scrubber
        meta: dict[str, Any] = {"mode": self._mode}
        with contextlib.suppress(Exception):  # a broken object in `meta` costs the meta, not the line
            carried = scrub.value(getattr(record, "meta", {}))
            meta = {**(carried if isinstance(carried, dict) else {"value": carried}), "mode": self._mode}
        if record.exc_info or record.exc_text:
            meta["exception"] = _trace(record, scrub)
        if record.stack_info:
            meta["stack"] = [scrub.text(line) for line in record.stack_info.splitlines()[-TRACE_LINES_MAX:]]
        line = {
            "timestamp": f"{datetime.fromtimestamp(record.created, UTC):%Y-%m-%dT%H:%M:%S.%f}Z",
            "level": record.levelname,
            "component": scrub.text(record.name, 100),
            "message": scrub.text(_message(record)),
            "meta": meta,
        }
        return json.dumps(line, ensure_ascii=True, allow_nan=False)


class SystemLog:
    """The process's log while it is open; everything logged anywhere goes there. A context manager.

    Opening replaces the handlers of the root logger (they would write over the screen); closing puts them back. A
    `patient` log waits while its queue is full instead of losing records: for a run at full speed.
    """

    def __init__(
        self,
        path: Path,
        env: str,
        scrubber: Scrubber = NOTHING_KNOWN,
        *,
        size_max: int = SIZE_MAX,
        kept: int = KEPT,
        queue_max: int = QUEUE_MAX,
        patient: bool = False,
    ) -> None:
        self._queue: queue.Queue[logging.LogRecord] = queue.Queue(queue_max)
        self._intake = _Intake(self._queue, patient)
        self._intake.setFormatter(JsonFormatter(env, scrubber))
        self._rotating = _Rotating(path, size_max, kept)
        self._listener = _Listener(self._queue, self._rotating)
        self._before: _Before | None = None

    @property
    def lost(self) -> int:
        """Records that did not reach the file."""
        return self._intake.lost + self._rotating.lost

    @property
    def errors(self) -> int:
        """Records of level ERROR and above, each counted once, written or not."""
        return self._intake.errors

    def open(self) -> "SystemLog":
        """Begin to write. Raises OSError when the file cannot be opened."""
        self._rotating.open()
        self._listener.start()
        self._before = _Before.take()
        root = logging.getLogger()
        root.handlers[:] = [self._intake]
        root.setLevel(logging.INFO)
        logging.raiseExceptions = False
        for name in CAPPED:
            logging.getLogger(name).setLevel(logging.INFO)
        return self

    def flush(self, seconds: float = FLUSH_SECONDS) -> bool:
        """Wait until all that was logged so far is written; False if that takes longer than `seconds`."""
        done = self._queue.all_tasks_done
        with done:
            return done.wait_for(lambda: not self._queue.unfinished_tasks, seconds)

    def close(self) -> None:
        """Write what waits and end; waits a few seconds at most."""
        if self._before is None:
            return
        self._before.restore()
        self._before = None
        self._listener.stop()
        self._rotating.close()

    def __enter__(self) -> "SystemLog":
        return self.open()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()


def log_stray_errors(
    loop: asyncio.AbstractEventLoop, on_error: Callable[[str, str, BaseException | None], None]
) -> Callable[[], None]:
    """Log what nobody caught, in the loop's callbacks and in threads, and tell `on_error(where, text, error)`.

    `on_error` must be safe from any thread. Without this such errors are printed over the screen. Returns the undoing.
    """
    log = logging.getLogger("stray")
    hook_before, handler_before = threading.excepthook, loop.get_exception_handler()

    def tell(where: str, text: str, error: BaseException | None) -> None:
        log.error("%s: %s", where, text, exc_info=error)
        on_error(where, text, error)

    def in_loop(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        tell("loop", f"{context.get('message', 'error')}: {error!r}", error)

    def in_thread(args: threading.ExceptHookArgs) -> None:
        if args.exc_type is not SystemExit:
            tell(f"thread {args.thread.name if args.thread else '?'}", f"{args.exc_value!r}", args.exc_value)

    def undo() -> None:
        threading.excepthook = hook_before
        if not loop.is_closed():
            loop.set_exception_handler(handler_before)

    loop.set_exception_handler(in_loop)
    threading.excepthook = in_thread
    return undo


class _Intake(QueueHandler):
    """Turns a record into its line and queues it."""

    def __init__(self, records: "queue.Queue[logging.LogRecord]", patient: bool) -> None:
        super().__init__(records)
        self._records = records
        self._wait_seconds = FLUSH_SECONDS if patient else 0.0
        self.lost = 0
        self.errors = 0

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        line = self.format(record)
        return logging.LogRecord(record.name, record.levelno, "", 0, line, None, None)

    def enqueue(self, record: logging.LogRecord) -> None:
        self._records.put(record, self._wait_seconds > 0, self._wait_seconds)

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.ERROR:
            self.errors += 1
        super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:
        self.lost += 1


class _Listener(QueueListener):
    """The writing thread. Ends also when the queue is full or the disk hangs, where the library's own would not."""

    def __init__(self, records: "queue.Queue[Any]", handler: logging.Handler) -> None:
        super().__init__(records, handler)
        self._records = records

    def enqueue_sentinel(self) -> None:
        with contextlib.suppress(queue.Full):
            self._records.put(None, timeout=FLUSH_SECONDS)

    def stop(self) -> None:
        thread: threading.Thread | None = self._thread
        if thread is not None:
            self.enqueue_sentinel()
            thread.join(FLUSH_SECONDS)
            self._thread = None


class _Rotating(logging.Handler):
    """Whole lines into a file of at most `size_max` bytes, with `kept` older ones beside it (`.1` is the newest).

    The library's own handler tears a line when the disk is full, and loses every line once a rename fails.
    """

    def __init__(self, path: Path, size_max: int, kept: int) -> None:
        super().__init__()
        self.lost = 0
        self._path = path
        self._size_max = size_max
        self._kept = kept
        self._file: Appender | None = None

    def open(self) -> None:
        self._file = Appender(self._path)

    def emit(self, record: logging.LogRecord) -> None:
        line = f"{record.getMessage()}\n".encode()
        try:
            if self._file is None:
                self.open()
            elif self._file.size + len(line) > self._size_max and self._file.size:
                self._rotate()
            assert self._file is not None
            self._file.write(line)
        except OSError:
            self.lost += 1

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
        super().close()

    def _rotate(self) -> None:
        assert self._file is not None
        with contextlib.suppress(OSError):  # better a long file than no log
            names = [self._path, *(self._path.with_name(f"{self._path.name}.{n}") for n in range(1, self._kept + 1))]
            for older, newer in zip(reversed(names), reversed(names[:-1]), strict=False):
                if newer.exists():
                    newer.replace(older)
        self._file.close()
        self._file = None
        self.open()


class _Before:
    """How logging was set up before."""

    def __init__(self) -> None:
        root = logging.getLogger()
        self._handlers, self._level, self._raises = list(root.handlers), root.level, logging.raiseExceptions
        self._levels = {name: logging.getLogger(name).level for name in CAPPED}

    @classmethod
    def take(cls) -> "_Before":
        return cls()

    def restore(self) -> None:
        root = logging.getLogger()
        root.handlers[:] = self._handlers
        root.setLevel(self._level)
        logging.raiseExceptions = self._raises
        for name, level in self._levels.items():
            logging.getLogger(name).setLevel(level)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:
        return f"{as_text(record.msg)} (its arguments do not fit)"


def _trace(record: logging.LogRecord, scrubber: Scrubber) -> list[str]:
    """The exception, a line each, the newest calls last; long ones without their oldest lines."""
    if record.exc_info and record.exc_info[1] is not None:
        try:
            lines = "".join(traceback.format_exception(record.exc_info[1])).splitlines()
        except Exception:  # an exception whose own text raises
            lines = [f"{record.exc_info[0]} that cannot be shown"]
    else:
        lines = (record.exc_text or "").splitlines()
    # Values first on the whole text: a secret may span lines.
    return [scrubber.text(line) for line in scrubber.hide("\n".join(lines)).splitlines()[-TRACE_LINES_MAX:]]
