"""The `Journal` of `engine.session.ports`, twice: on a writer thread of its own, and inline for a simulation.

Both do the same with a unit of work. Once one has failed the file alone knows what is durable: that future and every
later one fail with `OutcomeUnknown`, nothing more is written, and the session rebuilds from a journal opened anew. The
kill latch alone is still tried, for it must not depend on anything.
"""

import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, Final, NamedTuple, TypeVar

from engine.session.ports import Batch, Committed
from store.errors import Damaged, OutcomeUnknown, StoreError, translated
from store.writer import JournalWriter

QUEUE_MAX: Final = 256  # units that may wait before `commit` blocks
QUEUE_INPUTS_MAX: Final = 32_768  # and the inputs of the batches among them, for the memory they hold
GROUP_INPUTS_MAX: Final = 8_192  # inputs that waiting batches may bring into one transaction

T = TypeVar("T")


class _Unit(NamedTuple):
    """Something to write, and whom to tell. A `Batch` may share its transaction with its neighbours."""

    work: Batch | Callable[[], object]
    future: Future[Any]


class _Carrier:
    """What both journals do with units once they are at the writer."""

    def __init__(self, writer: JournalWriter) -> None:
        self._writer = writer
        self._failure: StoreError | None = None

    @property
    def failure(self) -> StoreError | None:
        """Why nothing is written any more; None while all is well."""
        return self._failure

    def _carry(self, units: Sequence[_Unit]) -> None:
        """Write `units` (batches, or one other unit) and settle their futures."""
        if self._failure is not None:
            _fail(units, OutcomeUnknown(self._failure))
            return
        try:
            outcomes = self._write(units)
        except Exception as error:  # the top of a unit: whatever it was, its future must say so
            if isinstance(error, StoreError) and not isinstance(units[0].work, Batch):
                _fail(units, error)
                return
            self._failure = _told(error)
            _fail(units, OutcomeUnknown(self._failure), error)
            return
        for unit, outcome in zip(units, outcomes, strict=True):
            unit.future.set_result(outcome)

    def _write(self, units: Sequence[_Unit]) -> Sequence[object]:
        first = units[0].work
        if isinstance(first, Batch):
            return self._writer.write([unit.work for unit in units if isinstance(unit.work, Batch)])
        return [first()]

    def _carry_latch(self, unit: _Unit) -> None:
        """Write the latch, also after a failure: then with the head of the chain as the file has it now."""
        try:
            if isinstance(self._failure, Damaged):
                raise self._failure
            if self._failure is not None:
                self._writer.reload()
            self._write([unit])
        except Exception as error:  # the top of a unit, as above
            self._failure = self._failure or _told(error)
            _fail([unit], _told(error), error)
            return
        unit.future.set_result(None)


class InlineJournal(_Carrier):
    """The journal without a thread: every future it returns is already settled. For simulation and virtual time."""

    def commit(self, batch: Batch) -> Future[Committed]:
        future = _future()
        self._carry([_Unit(batch, future)])
        return future

    def latch(self, latched: bool, text: str) -> Future[None]:
        future = _future()
        self._carry_latch(_Unit(lambda: self._writer.write_latch(latched, text), future))
        return future

    def perform(self, work: Callable[[], T]) -> Future[T]:
        future = _future()
        self._carry([_Unit(work, future)])
        return future

    def close(self) -> None:
        """Nothing waits, nothing to do."""


class ThreadJournal(_Carrier):
    """The journal on its own thread, the only one that touches the writing connection.

    Units commit in the order given; batches that wait together share a transaction. Futures are settled on the writer
    thread, and once accepted a unit can no longer be cancelled.
    """

    def __init__(self, writer: JournalWriter, queue_max: int = QUEUE_MAX) -> None:
        super().__init__(writer)
        self._queue_max = queue_max
        self._queue: deque[_Unit] = deque()
        self._queued_inputs = 0
        self._latches: deque[_Unit] = deque()
        self._closing = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    def commit(self, batch: Batch) -> Future[Committed]:
        """Queue a batch; blocks while the queue is full.

        Raises:
            StoreError: the journal is closed.
        """
        return self._put(batch)

    def latch(self, latched: bool, text: str) -> Future[None]:
        """Write the kill latch ahead of everything that waits; never blocks."""
        unit = _Unit(lambda: self._writer.write_latch(latched, text), _future())
        with self._changed:
            self._refuse_if_closing()
            self._latches.append(unit)
            self._changed.notify_all()
        return unit.future

    def perform(self, work: Callable[[], T]) -> Future[T]:
        """Queue a piece of work that writes in its own transaction, behind the batches before it; its answer.

        If it ends in a `StoreError` of its own, it was refused: only its future fails.
        """
        return self._put(work)

    def depth(self) -> int:
        """Units waiting now."""
        return len(self._queue) + len(self._latches)

    def close(self) -> None:
        """Write what waits, then end the thread. Calling it again does nothing."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join()

    def _put(self, work: Batch | Callable[[], object]) -> Future[Any]:
        unit = _Unit(work, _future())
        with self._changed:
            while self._is_full() and not self._closing:
                self._changed.wait()
            self._refuse_if_closing()
            self._queue.append(unit)
            self._queued_inputs += _inputs(unit)
            self._changed.notify_all()
        return unit.future

    def _is_full(self) -> bool:
        return len(self._queue) >= self._queue_max or self._queued_inputs >= QUEUE_INPUTS_MAX

    def _refuse_if_closing(self) -> None:
        if self._closing:
            raise StoreError("the journal is closed")

    # --- on the writer thread ---

    def _run(self) -> None:
        while True:
            with self._changed:
                while not (self._latches or self._queue or self._closing):
                    self._changed.wait()
                latch = self._latches.popleft() if self._latches else None
                units = [] if latch else self._take_group()
                self._changed.notify_all()
            if latch is not None:
                self._carry_latch(latch)
            elif units:
                self._carry(units)
            else:
                return  # closing, and nothing waits any more

    def _take_group(self) -> list[_Unit]:
        """The next unit; if it is a batch, with the batches right behind it as long as they are small together."""
        units: list[_Unit] = []
        inputs = 0
        while self._queue:
            unit = self._queue[0]
            inputs += _inputs(unit)
            shares = isinstance(unit.work, Batch) and inputs <= GROUP_INPUTS_MAX
            if units and not (shares and isinstance(units[0].work, Batch)):
                break
            units.append(self._queue.popleft())
            self._queued_inputs -= _inputs(unit)
        return units


def _inputs(unit: _Unit) -> int:
    return len(unit.work.inputs) if isinstance(unit.work, Batch) else 0


def _future() -> Future[Any]:
    """A future whose work has been accepted: from here it cannot be cancelled, only answered."""
    future: Future[Any] = Future()
    future.set_running_or_notify_cancel()
    return future


def _fail(units: Sequence[_Unit], failure: StoreError, cause: BaseException | None = None) -> None:
    failure.__cause__ = cause
    for unit in units:
        unit.future.set_exception(failure)


def _told(error: Exception) -> StoreError:
    """The error in the store's words."""
    if isinstance(error, StoreError):
        return error
    if isinstance(error, sqlite3.Error):
        return translated(error, "writing the journal")
    return StoreError(f"writing the journal: {type(error).__name__}: {error}")
