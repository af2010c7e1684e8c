"""`alerts.jsonl`: every alert of a desk, and what became of it on each channel, a line each.

An alert is on the disk before a channel is asked to carry it. So the next start finds what was handed to a channel and
is not known to have arrived, and hands it over again.
"""

import logging
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, Literal

import msgspec

from engine.core.words import Severity
from engine.review.moments import instant
from engine.session.alerting.kinds import KINDS
from engine.session.alerting.notices import Notice
from engine.session.files import Appender

SIZE_MAX: Final = 10_000_000
LOCK_SECONDS: Final = 1.0

log = logging.getLogger("alerts")

Outcome = Literal["sent", "kept", "dropped"]
"""Delivered; waiting as a dead letter; neither, because the channel's queue was full."""


class AlertLine(msgspec.Struct, frozen=True, tag="alert"):
    """An alert as it was raised, and the channels it was to go to; `folded`: it was only counted."""

    at: str
    severity: Severity
    title: str
    notice: Notice
    did: str
    todo: str
    channels: tuple[str, ...]
    folded: bool = False


class DeliveryLine(msgspec.Struct, frozen=True, tag="delivery"):
    """What became of some alerts, told together, on one channel. `text` is the cause where it was not sent."""

    at_ns: int
    channel: str
    outcome: Outcome
    alerts: tuple[str, ...]
    text: str = ""


Line = AlertLine | DeliveryLine


class Record:
    """The file. From any thread; what the disk refuses is logged once and counted, never raised.

    Attributes:
        lost: Lines that are not in the file.
    """

    def __init__(self, path: Path) -> None:
        self.lost = 0
        self._path = path
        self._lock = threading.Lock()
        self._file: Appender | None = None

    def raised(self, notice: Notice, channels: Sequence[str], folded: bool = False) -> None:
        """Write an alert down, durably."""
        words = KINDS[notice.kind]
        at = instant(notice.at_ns) or ""
        told = (notice.severity, words.title, notice, words.did, words.todo)
        self._write(AlertLine(at, *told, tuple(channels), folded), durable=not folded)

    def ended(self, at_ns: int, channel: str, outcome: Outcome, notices: Iterable[Notice], text: str = "") -> None:
        """Write down what became of `notices` on a channel."""
        ids = tuple(notice.alert_id for notice in notices)
        self._write(DeliveryLine(at_ns, channel, outcome, ids, text), durable=False)

    def lines(self) -> list[Line]:
        """What the file and the one before it hold, oldest first."""
        return [*read_lines(self._older), *read_lines(self._path)]

    def close(self) -> None:
        """Let go of the file; a later line opens it again."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None

    @property
    def _older(self) -> Path:
        return self._path.with_name(f"{self._path.name}.1")

    def _write(self, line: Line, durable: bool) -> None:
        if not self._lock.acquire(timeout=LOCK_SECONDS):  # the disk hangs; whoever waits here may be the guard
            self.lost += 1
            return
        try:
            if self._file is not None and self._file.size > SIZE_MAX:
                self._file.close()
                self._file = None
                self._path.replace(self._older)
            if self._file is None:
                self._file = Appender(self._path)
            self._file.write(msgspec.json.encode(line) + b"\n")
            if durable:
                self._file.sync()
        except OSError as error:
            self.lost += 1
            if self.lost == 1:
                log.error("%s takes no more lines: %s", self._path.name, error)
        finally:
            self._lock.release()


def read_lines(path: Path) -> list[Line]:
    """The lines of a file; none where there is no file. A line that cannot be read is passed over."""
    try:
        raw = path.read_bytes().split(b"\n")
    except OSError:
        return []
    found: list[Line] = []
    for text in filter(None, raw):
        try:
            found.append(msgspec.json.decode(text, type=Line))
        except msgspec.MsgspecError:  # a torn or foreign line costs that line alone
            log.warning("%s has a line that is none of an alert", path.name)
    return found


def unfinished(lines: Iterable[Line]) -> dict[str, tuple[Notice, set[str]]]:
    """The alerts that were handed to channels which are not known to have carried them, by id."""
    waiting: dict[str, tuple[Notice, set[str]]] = {}
    for line in lines:
        if isinstance(line, AlertLine):
            if line.channels:
                waiting[line.notice.alert_id] = (line.notice, set(line.channels))
            continue
        for alert_id in line.alerts:
            _, channels = waiting.get(alert_id, (None, set()))
            channels.discard(line.channel)
            if not channels:
                waiting.pop(alert_id, None)
    return waiting
