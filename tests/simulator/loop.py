"""An event loop whose time is virtual: when nothing is left to do now, it is at once the time of the next thing to do.

Several processes live on it, each a context that its tasks and callbacks inherit. Killing one is like `kill -9`: from
that moment none of its code runs, not even what would clean up.
"""

import asyncio
import weakref
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from contextvars import Context, ContextVar, copy_context
from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from tests.simulator.network import Line

T = TypeVar("T")


class Process:
    """What lives and dies together."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_dead = False
        self.tasks: weakref.WeakSet[asyncio.Task[Any]] = weakref.WeakSet()
        self.on_death: list[Callable[[], None]] = []


OUTSIDE: Final = Process("outside")
CURRENT: Final[ContextVar[Process]] = ContextVar("process", default=OUTSIDE)
_graves: Final[list[object]] = []
"""The remains of the killed. Were they collected, their pending coroutines would be closed, and their cleaning up would
run after all; so whoever simulates deaths ends by `os._exit`."""


class NothingLeft(Exception):
    """Everybody waits for something that nobody will ever do: the simulation is stuck."""


class _Handle(asyncio.Handle):
    """A handle made at the cost of its fields."""

    __slots__ = ()

    def __init__(self, callback: Callable[..., object], args: Any, loop: Any, context: Context | None) -> None:
        self._context = context if context is not None else copy_context()
        self._loop, self._callback, self._args = loop, callback, args
        self._cancelled = False
        self._repr = self._source_traceback = None


class _Timer(asyncio.TimerHandle):
    """The same for a timer."""

    __slots__ = ()

    def __init__(self, when: float, callback: Callable[..., object], args: Any, loop: Any, context: Any) -> None:
        _Handle.__init__(self, callback, args, loop, context)  # type: ignore[arg-type]
        self._when, self._scheduled = when, True


class VirtualLoop(asyncio.SelectorEventLoop):
    """`now` is its time in seconds; whoever adds to it makes everybody late, as a stopped machine does.

    Its turns are its own: no sockets are looked at, and timers of one time are done in the order they were set.
    """

    line: "Line"

    def __init__(self) -> None:
        self.now = 0.0
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._numbers = count()
        super().__init__()
        self.set_task_factory(_in_process)  # type: ignore[arg-type]

    def time(self) -> float:
        return self.now

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        handle = _Handle(callback, args, self, context)
        self._ready.append(handle)  # type: ignore[attr-defined]
        return handle

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self.now + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        timer = _Timer(when, callback, args, self, context)
        heappush(self._timers, (when, next(self._numbers), timer))
        return timer

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """It stays among the timers until its time, without what it held."""
        handle._context = Context()  # type: ignore[attr-defined]

    def _run_once(self) -> None:
        """One turn: whatever is ready, or else the next timer, at its time."""
        ready, timers = self._ready, self._timers  # type: ignore[attr-defined]
        if not ready and not self._stopping:  # type: ignore[attr-defined]
            while timers and timers[0][2]._cancelled:
                heappop(timers)
            if not timers:
                raise NothingLeft("nothing is scheduled any more")
            self.now = max(self.now, timers[0][0])
        while timers and timers[0][0] <= self.now:
            ready.append(heappop(timers)[2])
        for _ in range(len(ready)):
            handle = ready.popleft()
            if handle._cancelled:
                continue
            try:
                handle._context.run(handle._callback, *handle._args)
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as error:  # as a handle of asyncio does
                self.call_exception_handler({"message": f"in {handle!r}", "exception": error, "handle": handle})

    def call_soon_threadsafe(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        return self.call_soon(callback, *args, context=context)  # there are no other threads

    def run_in_executor(  # type: ignore[override]
        self, executor: Executor | None, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        """Do it at once: a thread's work would end at a moment no seed knows."""
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:
            future.set_exception(error)
        return future

    async def create_connection(self, protocol_factory: Any, host: Any = None, port: Any = None, **options: Any) -> Any:
        dialed = options.get("sock")
        return await self.line.connect(protocol_factory, dialed.port if dialed is not None else port)

    async def create_server(self, protocol_factory: Any, host: Any = None, port: Any = None, **options: Any) -> Any:
        return self.line.listen(protocol_factory, port or 0)

    def spawn(self, process: Process, work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        """Begin `work` as part of `process`."""
        context = copy_context()
        context.run(CURRENT.set, process)
        return context.run(lambda: self.create_task(work, name=name))

    def kill(self, process: Process) -> None:
        """From now on nothing of `process` runs, but for the step that is on, if it kills itself."""
        process.is_dead = True
        self._bury(process)
        _graves.extend(process.tasks)
        for tell in process.on_death:
            tell()
        self.call_soon(self._bury, process, context=Context())  # what that step still sets going

    def _bury(self, process: Process) -> None:
        waiting = [*self._ready, *(timer for _, _, timer in self._timers)]  # type: ignore[attr-defined]
        for handle in waiting:
            if handle._context.get(CURRENT) is process and not handle._cancelled:
                _graves.append((handle._callback, handle._args))
                handle.cancel()


def _in_process(loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, Any], **kwargs: Any) -> asyncio.Task[Any]:
    task = asyncio.Task(coro, loop=loop, **kwargs)
    CURRENT.get().tasks.add(task)
    return task
