"""An event loop whose time is virtual: when nothing is left to do now, it is at once the time of the next thing to do.

Several processes live on it, each a context that its tasks and callbacks inherit. Killing one is like `kill -9`: from
that moment none of its code runs, not even what would clean up.
"""

import asyncio
import selectors
import weakref
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from contextvars import Context, ContextVar, copy_context
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


class _Jump(selectors.SelectSelector):
    """Waits for nothing: moves the loop's time on instead."""

    loop: "VirtualLoop"

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise NothingLeft("nothing is scheduled any more")
        if timeout > 0:
            self.loop.now += timeout
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """`now` is its time in seconds; whoever adds to it makes everybody late, as a stopped machine does."""

    line: "Line"

    def __init__(self) -> None:
        self.now = 0.0
        selector = _Jump()
        selector.loop = self
        super().__init__(selector)
        self._clock_resolution = 1e-9
        self.set_task_factory(_in_process)  # type: ignore[arg-type]

    def time(self) -> float:
        return self.now

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
        """From now on nothing of `process` runs."""
        process.is_dead = True
        for handle in [*self._ready, *self._scheduled]:  # type: ignore[attr-defined]
            if handle._context is not None and handle._context.get(CURRENT) is process:
                _graves.append((handle._callback, handle._args))
                handle.cancel()
        _graves.extend(process.tasks)
        for tell in process.on_death:
            tell()


def _in_process(loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, Any], **kwargs: Any) -> asyncio.Task[Any]:
    task = asyncio.Task(coro, loop=loop, **kwargs)
    CURRENT.get().tasks.add(task)
    return task
