"""The wires: connections in memory that behave like TCP over a line that can be slow, cut one way or both, or reset.

Bytes arrive in order or the connection dies; a cut line delays and loses nothing until it is reset, as retransmission
does. Every delay is drawn from the seed.
"""

import asyncio
import contextvars
import random
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final

from tests.simulator.loop import CURRENT, Process, VirtualLoop

FIRST_PORT: Final = 20_000
APART_S: Final = 1e-6  # bytes written after others arrive after them: of two timers at one time either may be first


class Line:
    """The line between the desk and everything else; what is wrong with it now.

    Attributes:
        up: Whether bytes from clients to servers pass; `down` the other way.
        admits: Whether a server can be reached; else connecting is refused at once.
        tail: How often, out of 1,000 writes, one is late by up to `tail_s`.
    """

    def __init__(self, loop: VirtualLoop, dice: random.Random) -> None:
        self.loop = loop
        self.dice = dice
        self.latency_s = (0.001, 0.02)
        self.tail = 0
        self.tail_s = 8.0
        self.up = self.down = self.admits = True
        self.pipes: dict[Pipe, None] = {}
        self._listeners: dict[int, Listener] = {}
        self._next_port = FIRST_PORT

    def delay_s(self) -> float:
        if self.tail and self.dice.randrange(1_000) < self.tail:
            return self.dice.uniform(0, self.tail_s)
        return self.dice.uniform(*self.latency_s)

    # --- what the loop's doors lead to ---

    async def connect(self, make: Callable[[], asyncio.Protocol], port: int) -> tuple["End", asyncio.Protocol]:
        await asyncio.sleep(2 * self.delay_s())
        while not (self.up and self.down):  # noqa: ASYNC110 - a SYN is sent again until the caller's timeout
            await asyncio.sleep(0.5)
        listener = self._listeners.get(port)
        if listener is None or not self.admits:
            raise ConnectionRefusedError(111, f"nobody listens on port {port}")
        pipe = Pipe(self, CURRENT.get(), listener.process)
        self.pipes[pipe] = None
        protocol = make()
        pipe.client.attach(protocol)
        self.loop.call_later(self.delay_s(), listener.accept, pipe, context=listener.context)
        return pipe.client, protocol

    def listen(self, make: Callable[[], asyncio.Protocol], port: int) -> "Listener":
        if not port:
            port = self._next_port = self._next_port + 1
        listener = self._listeners[port] = Listener(self, make, port)
        return listener

    def forget(self, listener: "Listener") -> None:
        self._listeners.pop(listener.port, None)

    # --- what can happen to it ---

    def heal(self) -> None:
        self.up = self.down = self.admits = True
        self.tail = 0
        for pipe in list(self.pipes):
            self.unclog(pipe)

    def unclog(self, pipe: "Pipe") -> None:
        """Let a connection go on with what was held up in it."""
        pipe.is_clogged = False
        pipe.client.flush()
        pipe.server.flush()

    def reset(self, pipe: "Pipe") -> None:
        """Both ends see the connection reset; what was under way is lost."""
        self.pipes.pop(pipe, None)
        pipe.client.lost(ConnectionResetError(104, "connection reset"))
        pipe.server.lost(ConnectionResetError(104, "connection reset"))

    def reset_all(self) -> None:
        for pipe in list(self.pipes):
            self.reset(pipe)

    def died(self, process: Process) -> None:
        """Its machine closes what it had open: the other ends see an end."""
        for pipe in [pipe for pipe in self.pipes if process in (pipe.client.process, pipe.server.process)]:
            self.reset(pipe)


class Pipe:
    """One connection, two ends. While it is clogged nothing of what is written goes on its way, in either direction."""

    def __init__(self, line: Line, client: Process, server: Process) -> None:
        self.is_clogged = False
        self.client = End(line, self, client, is_client=True)
        self.server = End(line, self, server, is_client=False)


class End(asyncio.Transport):
    """One end of a connection, as asyncio's protocols know it."""

    def __init__(self, line: Line, pipe: Pipe, process: Process, *, is_client: bool) -> None:
        super().__init__({"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 2)})
        self.process = process
        self._line = line
        self._pipe = pipe
        self._is_client = is_client
        self._protocol: Any = None
        self._context: Any = None
        self._closing = False
        self._is_lost = False
        self._reads = True
        self._outgoing: deque[bytes] = deque()  # written, not yet on its way: the line is cut
        self._incoming: deque[bytes | None] = deque()  # arrived while nobody read; None: the other end has closed
        self._free_s = 0.0  # when the last of what is under way arrives
        self._under_way = 0

    @property
    def peer(self) -> "End":
        return self._pipe.server if self._is_client else self._pipe.client

    def attach(self, protocol: Any) -> None:
        """Give the end its protocol, in the context of the process it belongs to."""
        self._protocol = protocol
        self._context = contextvars.copy_context()
        protocol.connection_made(self)
        self._line.loop.call_soon(self.resume_reading)

    # --- transport ---

    def get_protocol(self) -> Any:
        return self._protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def is_closing(self) -> bool:
        return self._closing or self._is_lost

    def is_reading(self) -> bool:
        return self._reads

    def pause_reading(self) -> None:
        self._reads = False

    def resume_reading(self) -> None:
        self._reads = True
        while self._reads and self._incoming and not self._is_lost:
            self._hand(self._incoming.popleft())

    def get_write_buffer_size(self) -> int:
        return self._under_way

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return 0, 2**16

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def can_write_eof(self) -> bool:
        return False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._closing or self._is_lost or self.process.is_dead or not data:
            return
        self._under_way += len(data)
        self._outgoing.append(bytes(data))
        self.flush()

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        self.write(b"".join(list_of_data))

    def close(self) -> None:
        if self._closing or self._is_lost:
            return
        self._closing = True
        self._send(None)
        self._line.loop.call_soon(self.lost, None)

    def abort(self) -> None:
        if not self._is_lost:
            self._line.loop.call_soon(self._line.reset, self._pipe)

    # --- the wire ---

    def flush(self) -> None:
        """Put on its way what waits, if the line lets it pass."""
        passes = (self._line.up if self._is_client else self._line.down) and not self._pipe.is_clogged
        while passes and self._outgoing:
            self._send(self._outgoing.popleft())

    def _send(self, data: bytes | None) -> None:
        loop = self._line.loop
        self._free_s = max(self._free_s + APART_S, loop.time() + self._line.delay_s())
        peer = self.peer
        loop.call_at(self._free_s, self._arrived, data, context=peer._context)

    def _arrived(self, data: bytes | None) -> None:
        peer = self.peer
        self._under_way -= len(data or b"")
        if peer._is_lost or peer.process.is_dead:
            return
        if peer._protocol is None or peer._incoming or not peer._reads:
            peer._incoming.append(data)
            return
        peer._hand(data)

    def _hand(self, data: bytes | None) -> None:
        if data is not None:
            self._protocol.data_received(data)
            return
        self._line.pipes.pop(self._pipe, None)
        if not self._protocol.eof_received():
            self.lost(None)

    def lost(self, error: Exception | None) -> None:
        """The connection is over for this end."""
        if self._is_lost or self._protocol is None or self.process.is_dead:
            self._is_lost = True
            return
        self._is_lost = True
        self._line.loop.call_soon(self._protocol.connection_lost, error, context=self._context)


class Listener(asyncio.AbstractServer):
    """A server's open port."""

    def __init__(self, line: Line, make: Callable[[], asyncio.Protocol], port: int) -> None:
        self.port = port
        self.process = CURRENT.get()
        self.context = contextvars.copy_context()
        self.sockets = (_Named(port),)
        self._line = line
        self._make = make

    def accept(self, pipe: Pipe) -> None:
        pipe.server.attach(self._make())

    def close(self) -> None:
        self._line.forget(self)

    def is_serving(self) -> bool:
        return True

    async def wait_closed(self) -> None:
        pass

    async def serve_forever(self) -> None:
        await asyncio.Event().wait()

    async def start_serving(self) -> None:
        pass

    def get_loop(self) -> asyncio.AbstractEventLoop:
        return self._line.loop


class _Named:
    """As much of a listening socket as anybody asks for."""

    family = 2

    def __init__(self, port: int) -> None:
        self.port = port

    def getsockname(self) -> tuple[str, int]:
        return "127.0.0.1", self.port
