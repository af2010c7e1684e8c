"""The artifact of each trading day: `artifacts/2026-01-31.json`, and beside them the metrics and incidents of all days.

Which days there were is read from the journal, and which are sealed, too: a day that ended while no desk ran is told by
the next one and says so. While a day is on, its file is what is known so far; once it is over it is written a last time
and sealed: its hash goes into the journal, and from then on nothing here writes other bytes under that name.
"""

import csv
import io
import json
import threading
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final, Protocol

from engine.review import daily, daily_metrics, incidents
from engine.session.errors import SessionError
from engine.session.files import replace_file

METRICS_FILE: Final = "metrics.csv"
INCIDENTS_FILE: Final = "incidents.md"
OVER: Final = "over"
_NAMES: Final = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9].json"
_RECORD_SECONDS: Final = 10.0
_TABLED: Final = frozenset({"day", "env", "state", "metrics", "incidents"})


class SealBroken(SessionError):
    """The journal's facts do not give the artifact that was sealed any more."""


class Sealed(Protocol):
    """What is on record of an artifact: the hash of its bytes, and what was given with the facts."""

    @property
    def sha256(self) -> str: ...

    @property
    def given(self) -> Mapping[str, str]: ...


class DayBook(Protocol):
    """Where the days of a desk are read from and sealed."""

    def days(self, given: Mapping[str, str], known: Collection[str] = (), only: str = "") -> Iterable[dict[str, Any]]:
        """The artifacts of all days but the `known` (or of `only` this one), oldest first; the open one is last."""

    def seals(self) -> Mapping[str, Sealed]:
        """By the day's name, oldest first."""

    def record_seal(self, name: str, sha256: str, given: Mapping[str, str]) -> Future[None]: ...


class Days:
    """Writes what is missing. `write` blocks and may run in any thread; the rest is the loop's."""

    def __init__(self, book: DayBook, folder: Path, given: Mapping[str, str]) -> None:
        self._book = book
        self._folder = folder
        self._given = dict(given)
        self._looked_on = -1  # the day it was when all days before were written
        self._writing = threading.Lock()

    @property
    def given(self) -> Mapping[str, str]:
        return self._given

    def is_due(self, day: int) -> bool:
        """Whether a day may be over that is not sealed, on this trading day; looking counts as having written."""
        due, self._looked_on = day >= 0 and day != self._looked_on, day
        return due

    def write(self, *, open_day: bool = False) -> None:
        """Write and seal the days that are over, and write the one that is on if that is wanted.

        Raises:
            OSError, StoreError: a file could not be written, or not be sealed; the rest is still missing then.
            SealBroken: a sealed artifact was lost, and the journal does not give it again.
        """
        with self._writing:
            seals = self._book.seals()
            written = False
            for told in self._book.days(self._given, seals):
                if told["state"] == OVER or open_day:
                    self._write_one(told)
                    written = True
            lost = [name for name in seals if not self._path(name).exists()]
            for name in lost:
                self._write_again(name, seals[name])
            if written or lost:
                self._write_tables()

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.json"

    def _write_one(self, told: Mapping[str, Any]) -> None:
        """The file, then its seal: what is sealed is there to be read."""
        text = daily.text_of(told)
        replace_file(self._path(told["day"]), text)
        if told["state"] == OVER:
            self._book.record_seal(told["day"], daily.seal(text), self._given).result(_RECORD_SECONDS)

    def _write_again(self, name: str, sealed: Sealed) -> None:
        for told in self._book.days(sealed.given, only=name):
            text = daily.text_of(told)
            if daily.seal(text) != sealed.sha256:
                raise SealBroken(f"the artifact of {name} is lost, and the journal gives another one than was sealed")
            replace_file(self._path(name), text)

    def _write_tables(self) -> None:
        """The metrics, a row for each day that is over, and the incidents of all days."""
        found = (_read(path) for path in sorted(self._folder.glob(_NAMES)))
        days = [day for day in found if day is not None]
        replace_file(self._folder / METRICS_FILE, metrics_csv(day for day in days if day["state"] == OVER))
        env = days[-1]["env"] if days else ""
        replace_file(self._folder / INCIDENTS_FILE, incidents.markdown(days, env).encode())


def _read(path: Path) -> dict[str, Any] | None:
    """An artifact; None where somebody put something else in its place, which `report DAY --verify` says."""
    try:
        told = json.loads(path.read_bytes())
    except ValueError:
        return None
    return told if isinstance(told, dict) and told.keys() >= _TABLED else None


def metrics_csv(days: Iterable[Mapping[str, Any]]) -> bytes:
    """The metrics of days: a row each, oldest first."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("date", *daily_metrics.METRICS))
    writer.writerows(daily_metrics.metrics_row(day) for day in days)
    return text.getvalue().encode()
