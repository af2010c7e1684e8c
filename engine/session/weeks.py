"""The summary of each week that is over: `artifacts/2026-W05.json`, an alert, an event in the stream.

Which weeks are over is read from the journal, and which are told from the folder: so a week that ended while no desk
ran, or whose file was lost, is told by the next desk, and one that has its file is never written again.
"""

import json
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from engine.core.words import AlertKind
from engine.review.week import headline, name_of
from engine.session.files import replace_file

_NAMES: Final = "[0-9][0-9][0-9][0-9]-W[0-9][0-9].json"


class WeekBook(Protocol):
    """Where the weeks of a desk are read from."""

    def weeks(self, known: Collection[str]) -> Sequence[dict[str, Any]]:
        """The summaries of all weeks that are over but the `known`, oldest first."""


class Weeks:
    """Writes what is missing. `write` blocks and may run in any thread; the rest is the loop's."""

    def __init__(self, book: WeekBook, folder: Path) -> None:
        self._book = book
        self._folder = folder
        self._looked_in = ""  # the week it was when all weeks before were written
        self._untold: list[Mapping[str, Any]] = []
        self._writing = threading.Lock()

    def is_due(self, day: int) -> bool:
        """Whether a week may be over that has no file, on this trading day; looking counts as having written."""
        name = name_of(day) if day >= 0 else ""
        due, self._looked_in = name != self._looked_in, name
        return due

    def write(self, on_alert: Callable[[AlertKind, str], None] = lambda _, __: None) -> None:
        """Write the summaries that are missing, each told before its file stands: rather twice than never.

        Raises:
            OSError: a file could not be written; the rest is still missing then.
        """
        with self._writing:
            for told in self._book.weeks({path.stem for path in self._folder.glob(_NAMES)}):
                on_alert(AlertKind.WEEK_ENDED, headline(told))
                replace_file(self._folder / f"{told['week']}.json", _json(told))
                self._untold.append(told)

    def untold(self) -> list[Mapping[str, Any]]:
        """The weeks written since this was last asked."""
        told, self._untold = self._untold, []
        return told


def _json(told: Mapping[str, Any]) -> bytes:
    return json.dumps(told, indent=2, ensure_ascii=False, allow_nan=False).encode() + b"\n"
