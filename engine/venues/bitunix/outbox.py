"""Events on their way from an adapter to the session: one queue, in the order things happened, taken in groups."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Final, Generic, TypeVar

GROUP_MAX: Final = 256
WAITING_MAX: Final = 8_192

E = TypeVar("E")


class Outbox(Generic[E]):
    """A queue with one consumer.

    Attributes:
        room: Cleared while as many events wait as may; producers that can wait then do.
    """

    def __init__(self) -> None:
        self.room = asyncio.Event()
        self.room.set()
        self._queue: deque[E] = deque()
        self._arrived = asyncio.Event()
        self._failure: BaseException | None = None
        self._ended = False

    def put(self, events: Iterable[E]) -> None:
        """Queue events; never waits."""
        self._queue.extend(events)
        if self._queue:
            self._arrived.set()
            if len(self._queue) >= WAITING_MAX:
                self.room.clear()

    def discard(self, is_unwanted: Callable[[E], bool]) -> None:
        """Take back events not yet handed on."""
        self._queue = deque(event for event in self._queue if not is_unwanted(event))

    def fail(self, problem: BaseException) -> None:
        """After what is queued, the consumer gets `problem`; the first one counts."""
        self._failure = self._failure or problem
        self._arrived.set()

    def end(self) -> None:
        """After what is queued, the consumer is done."""
        self._ended = True
        self._arrived.set()

    async def groups(self) -> AsyncIterator[Sequence[E]]:
        """All that waits, at most 256 at a time, until `end` or `fail`."""
        while True:
            await self._arrived.wait()
            queue = self._queue
            if queue:
                group = [queue.popleft() for _ in range(min(len(queue), GROUP_MAX))]
                if len(queue) < WAITING_MAX:
                    self.room.set()
                yield group
            elif self._failure is not None:
                raise self._failure
            elif self._ended:
                return
            else:
                self._arrived.clear()


class Tasks(Generic[E]):
    """The background tasks of an adapter. One that fails ends the stream of events with its exception: none is lost."""

    def __init__(self, outbox: Outbox[E]) -> None:
        self._outbox = outbox
        self._tasks: set[asyncio.Task[None]] = set()

    def add(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._done)

    async def stop(self) -> None:
        """Cancel all and wait for them."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (problem := task.exception()) is not None:
            self._outbox.fail(problem)
