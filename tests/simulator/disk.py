"""The disk's moods: a journal that is slow, full, or dies with its process just before or just after it has written."""

import errno
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final

from engine.core.facts import OrderChanged
from engine.core.words import OrderState
from engine.session.emergency import Emergency, Kept
from engine.session.ports import Batch, Committed
from store.desk import Store
from store.errors import Unwritable
from tests.simulator.loop import CURRENT, VirtualLoop

PAGES_MAX: Final = 2**30


class MoodyJournal:
    """A store's inline journal on a disk with moods. What waits is written in order, and lost with its process.

    Attributes:
        late_s: How long a batch waits before it is written.
        full_at_order: No page more from the commit on that holds the intent of an order.
        tells_wrong: The next commit is written, and said to have failed.
        dies: Called at the next commit, to kill: after it has been written if `dies_after`, else before.
    """

    def __init__(self, store: Store, loop: VirtualLoop) -> None:
        self._store = store
        self._journal = store.journal
        self._loop = loop
        self.late_s = 0.0
        self.dies: Callable[[], None] | None = None
        self.dies_after = False
        self.tells_wrong = self.full_at_order = False
        self._waiting: deque[tuple[Callable[[], Future[Any]], Future[Any]]] = deque()
        self._free_s = 0.0

    @property
    def failure(self) -> Exception | None:
        return self._journal.failure

    def commit(self, batch: Batch) -> Future[Committed]:
        return self._put(lambda: self._commit(batch))

    def latch(self, latched: bool, text: str) -> Future[None]:
        if CURRENT.get().is_dead:
            return Future()
        return self._journal.latch(latched, text)

    def perform(self, work: Callable[[], None]) -> Future[None]:
        if CURRENT.get().is_dead:
            return Future()
        self._hurry()
        return self._journal.perform(work)

    def close(self) -> None:
        self._hurry()
        self._journal.close()

    def fill_up(self) -> None:
        """No page more: what SQLite then raises is its own SQLITE_FULL."""
        (pages,) = self._store._connection.execute("PRAGMA page_count").fetchone()
        self._set_max(pages)

    def heal(self) -> None:
        """A good disk from now on."""
        self.late_s, self.dies = 0.0, None
        self.tells_wrong = self.full_at_order = False
        self._set_max(PAGES_MAX)

    def _set_max(self, pages: int) -> None:
        self._store._connection.execute(f"PRAGMA max_page_count = {pages}").fetchall()

    def _commit(self, batch: Batch) -> Future[Committed]:
        if self.full_at_order and any(isinstance(f, OrderChanged) and _is_intent(f) for _, f in batch.facts):
            self.fill_up()
        if self.tells_wrong and self._journal.failure is None and self._journal.commit(batch).exception() is None:
            self._journal._failure = Unwritable("writing the journal: disk I/O error (SQLITE_IOERR_FSYNC)")
        if self.dies is None:
            return self._journal.commit(batch)
        if self.dies_after:
            self._journal.commit(batch)
        self.dies()
        return Future()

    def _put(self, write: Callable[[], Future[Any]]) -> Future[Any]:
        if CURRENT.get().is_dead:  # it has just killed itself: what its last step still wants is not done
            return Future()
        at_s = max(self._free_s, self._loop.now + self.late_s)
        if at_s <= self._loop.now and not self._waiting:
            return write()
        self._free_s = at_s
        answer: Future[Any] = Future()
        self._waiting.append((write, answer))
        self._loop.call_at(at_s, self._next)
        return answer

    def _next(self) -> None:
        if not self._waiting:
            return
        write, answer = self._waiting.popleft()
        done = write()
        if CURRENT.get().is_dead:
            return
        error = done.exception()
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(done.result())

    def _hurry(self) -> None:
        while self._waiting:
            self._next()


def _is_intent(change: OrderChanged) -> bool:
    return change.previous is OrderState.NEW


class MoodyEmergency(Emergency):
    """An emergency record on a disk that takes so many lines more, as long as `lines_left` says so."""

    lines_left: Callable[[], int | None]
    taken = 0

    def _write(self, kept: Kept) -> None:
        left = self.lines_left()
        if left is not None and self.taken >= left:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.taken += 1
        super()._write(kept)
