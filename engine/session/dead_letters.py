"""What failed for good: kept with its payload, listed, tried again, or discarded. Never an order.

An operation is tried a few times; if it still fails, a letter waits for it, on record in the journal. The desk tries
its letters again from time to time, an operator at once. Only what is in `Operation` can become a letter. Orders are
not: what one was to do may be wrong by now.
"""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future
from enum import StrEnum
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec
from tenacity import Retrying, stop_after_attempt, wait_exponential

from engine.core.clean import clean
from engine.session.alerting.notices import Notice
from engine.session.days import DayBook, Days
from engine.session.fingerprints import class_of
from engine.session.ports import Clock
from engine.session.weeks import Weeks

ATTEMPTS: Final = 3
RECORD_SECONDS: Final = 10.0
DESK: Final = "nightdesk"

log = logging.getLogger("session")


class Operation(StrEnum):
    """What may be done later as well as now."""

    ALERT = "alert"
    BACKUP = "backup"
    DAY = "day"
    REPORT = "report"
    WEEK = "week"


class LetterState(StrEnum):
    WAITING = "WAITING"
    DONE = "DONE"
    DISCARDED = "DISCARDED"


class Letter(msgspec.Struct, frozen=True):
    """One failed operation as it stands. `payload` is JSON; `attempts` count from `first_ns`, when it first failed."""

    letter_id: str
    operation: str
    payload: str
    state: LetterState
    error_class: str
    text: str
    attempts: int
    first_ns: int
    last_ns: int
    actor: str = DESK


class ReportPayload(msgspec.Struct, frozen=True):
    """A final report that is in its file and not in the journal."""

    run_id: str
    path: str


class WeekPayload(msgspec.Struct, frozen=True):
    """Summaries of weeks that are missing in a folder."""

    folder: str


class DayPayload(msgspec.Struct, frozen=True):
    """Artifacts of days that are missing in a folder, or not sealed."""

    folder: str
    given: dict[str, str]


class AlertPayload(msgspec.Struct, frozen=True):
    """An alert that did not reach a channel. The channel's address is not in it."""

    channel: str
    notice: Notice


for _shape in (Letter, ReportPayload, WeekPayload, DayPayload, AlertPayload):
    # msgspec learns a type at its first use, and dies if several threads are the first: imports come before threads.
    msgspec.json.Decoder(_shape)


class LetterBox(Protocol):
    """Where letters are kept."""

    def letters(self) -> Sequence[Letter]:
        """Every letter there ever was, as it stands, oldest first."""

    def record_letter(self, letter: Letter) -> Future[None]: ...


class Doer(LetterBox, DayBook, Protocol):
    """A desk's store, as far as operations on it can fail."""

    def backup(self) -> object: ...

    def record_report(self, run_id: str, report: str) -> Future[None]: ...

    def weeks(self, known: Collection[str]) -> Sequence[dict[str, Any]]: ...


Operations = Mapping[Operation, Callable[[str], None]]
"""What does each operation, given its payload; it blocks, and raises if it fails."""


class DeadLetters:
    """Does operations, and keeps those that fail.

    Args:
        on_error: Told of every operation that failed for good: where, text, error. From any thread.
        wait_s: Before an operation is tried again; it doubles.
    """

    def __init__(
        self,
        box: LetterBox,
        clock: Clock,
        operations: Operations,
        on_error: Callable[[str, str, BaseException], None],
        wait_s: float = 1.0,
    ) -> None:
        self._box = box
        self._clock = clock
        self._operations = operations
        self._on_error = on_error
        self._retrying = Retrying(stop=stop_after_attempt(ATTEMPTS), wait=wait_exponential(wait_s), reraise=True)

    def waiting(self) -> list[Letter]:
        """The letters that wait, oldest first."""
        return [letter for letter in self._box.letters() if letter.state is LetterState.WAITING]

    def due(self) -> list[Letter]:
        """Those of them that can be done here."""
        return [letter for letter in self.waiting() if letter.operation in self._operations]

    def do(self, operation: Operation, payload: str = "{}") -> bool:
        """Do it now, with patience; True if done, else a letter waits. Blocks: not for the engine's loop."""
        before = self._waiting_for(letter_id(operation, payload))
        try:
            self._retrying(self._operations[operation], payload)
        except Exception as error:  # whatever it was, the operation is kept and the error told
            self.keep(operation, payload, error, ATTEMPTS)
            return False
        if before is not None:
            self.done(before)
        return True

    def done(self, letter: Letter) -> None:
        """A letter's operation has been done after all."""
        self._record(msgspec.structs.replace(letter, state=LetterState.DONE, last_ns=self._clock.now_ns()))

    def keep(self, operation: Operation, payload: str, error: BaseException, attempts: int = 1) -> bool:
        """An operation has failed: let a letter wait for it, and say so. False if that is not on record either."""
        now_ns, name = self._clock.now_ns(), letter_id(operation, payload)
        before = self._waiting_for(name)
        self._on_error(operation, f"{operation} failed: {error}", error)
        return self._record(
            Letter(
                letter_id=name,
                operation=operation,
                payload=payload,
                state=LetterState.WAITING,
                error_class=class_of(error),
                text=clean(str(error)),
                attempts=attempts + (before.attempts if before else 0),
                first_ns=before.first_ns if before else now_ns,
                last_ns=now_ns,
            )
        )

    def retry(self, letters: Sequence[Letter]) -> list[Letter]:
        """Try each once more; those that failed again."""
        failed = []
        for letter in letters:
            try:
                self._operations[Operation(letter.operation)](letter.payload)
            except Exception as error:  # as above
                self.keep(Operation(letter.operation), letter.payload, error)
                failed.append(letter)
            else:
                self.done(letter)
        return failed

    def discard(self, letter: Letter, actor: str, reason: str) -> None:
        """Give a letter up for good."""
        state, now_ns = LetterState.DISCARDED, self._clock.now_ns()
        self._record(msgspec.structs.replace(letter, state=state, text=clean(reason), last_ns=now_ns, actor=actor))

    def _waiting_for(self, name: str) -> Letter | None:
        try:
            return next((letter for letter in self.waiting() if letter.letter_id == name), None)
        except Exception as error:  # books that cannot be read now are told where they matter
            log.error("the dead letters cannot be read: %s", error)
            return None

    def _record(self, letter: Letter) -> bool:
        try:
            self._box.record_letter(letter).result(RECORD_SECONDS)
            return True
        except Exception as error:  # the journal itself is in trouble, which is told where it is met
            log.error("the dead letter %s is not on record: %s", letter.letter_id, error)
            return False


def operations_on(store: Doer) -> Operations:
    """How each operation on a desk's own store is done."""

    def backup(_: str) -> None:
        store.backup()

    def report(payload: str) -> None:
        wanted = msgspec.json.decode(payload, type=ReportPayload)
        store.record_report(wanted.run_id, Path(wanted.path).read_text()).result(RECORD_SECONDS)

    def week(payload: str) -> None:
        Weeks(store, Path(msgspec.json.decode(payload, type=WeekPayload).folder)).write()

    def day(payload: str) -> None:
        wanted = msgspec.json.decode(payload, type=DayPayload)
        Days(store, Path(wanted.folder), wanted.given).write()

    return {Operation.BACKUP: backup, Operation.DAY: day, Operation.REPORT: report, Operation.WEEK: week}


def letter_id(operation: Operation, payload: str) -> str:
    """The id of an operation's letter: the same operation on the same payload is one letter, however often it fails."""
    return f"{operation}-{blake2b(payload.encode(), digest_size=4).hexdigest()}"
