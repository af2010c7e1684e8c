"""One client's socket, and what both kinds of socket have in common: greeting, pings, limits, sending in bursts.

Messages are encoded once, already framed, and written straight to the transport, one write per client and burst. The
transport's own buffer is the client's queue: a client that lets it grow past a limit is dropped and stalls nobody.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from websockets.asyncio.server import Server, ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State
from websockets.server import ServerProtocol

from engine.venues.sim import wire
from engine.venues.sim.faults import Faults

IDLE_S: Final = 60.0
"""A socket that has not pinged for so long is cut, without a close frame."""

MESSAGES_PER_SECOND: Final = 5
BACKLOG_BYTES_MAX: Final = 8 * 2**20
_PING_OPCODE: Final = 0x9


class Rude(Exception):
    """The client broke a rule that costs it the connection."""


class Connection(ServerConnection):
    """A connection that dies when its first frame is a protocol ping, as the venue's do."""

    def __init__(self, protocol: ServerProtocol, server: Server, **options: object) -> None:
        super().__init__(protocol, server, **options)  # type: ignore[arg-type]
        self._greeted = False

    def data_received(self, data: bytes) -> None:
        if not self._greeted and self.state is State.OPEN:
            self._greeted = True
            if data[0] & 0x0F == _PING_OPCODE:
                self.transport.abort()
                return
        super().data_received(data)


class Client:
    """One open socket. `opened_s` and `pinged_s` are loop times; `streams` is what it subscribed to, in order."""

    def __init__(self, connection: ServerConnection, faults: Faults, now_s: float, shown_s: int) -> None:
        self.streams: dict[tuple[str, str], None] = {}
        self.key = ""
        self.pinged_s = now_s
        self.dropped = False
        self._connection = connection
        self._faults = faults
        self._shown_s = shown_s
        self._heard: deque[float] = deque(maxlen=MESSAGES_PER_SECOND)
        self.send(wire.CONNECTED)

    def send(self, frames: bytes) -> None:
        """Write framed messages, unless the venue plays dead or the client is too slow for what it asked for.

        Nothing goes out once either side has begun to close: by then the sending half of the stream may be shut.
        """
        transport = self._connection.transport
        if self._faults.mute or transport.is_closing() or self._connection.state is not State.OPEN:
            return
        if transport.get_write_buffer_size() + len(frames) > BACKLOG_BYTES_MAX:
            self.drop()
            return
        transport.write(frames)

    def push(self, frames: bytes) -> None:
        """Like `send`, for what the client did not just ask for."""
        if not self._faults.mute_but_pong:
            self.send(frames)

    def hear(self, now_s: float) -> None:
        """Note one message. Raises `Rude` when it is the sixth within a second."""
        if len(self._heard) == MESSAGES_PER_SECOND and now_s - self._heard[0] < 1.0:
            raise Rude
        self._heard.append(now_s)

    def ping(self, value: object, now_s: float) -> None:
        """Answer a JSON ping: the client's own number, and the second the socket opened."""
        self.pinged_s = now_s
        self.send(wire.message({"op": "ping", "pong": value, "ping": self._shown_s}))

    def drop(self) -> None:
        """Cut the connection without a word: the client sees code 1006."""
        self.dropped = True
        self._connection.transport.abort()


Request = dict[str, object]


class Sockets:
    """The open sockets of one path. `on_request` gets every message that is not a ping, as a JSON object."""

    def __init__(self, faults: Faults, shown_ns: Callable[[], int], idle_s: float = IDLE_S) -> None:
        self.clients: dict[Client, None] = {}
        self._faults = faults
        self._shown_ns = shown_ns
        self._idle_s = idle_s

    async def serve(self, connection: ServerConnection, on_request: Callable[[Client, Request], None]) -> None:
        """Look after one connection until it ends."""
        loop = asyncio.get_running_loop()
        client = Client(connection, self._faults, loop.time(), self._shown_ns() // 1_000_000_000)
        self.clients[client] = None
        try:
            async for raw in connection:
                client.hear(loop.time())
                request = _decoded(raw)
                if request is None:
                    continue  # the venue says nothing to what is not JSON
                if request.get("op") == "ping":
                    client.ping(request.get("ping"), loop.time())
                else:
                    on_request(client, request)
        except Rude:
            client.drop()
        except ConnectionClosed:
            pass  # the ordinary end of a socket
        finally:
            del self.clients[client]

    def cut_idle(self, now_s: float) -> None:
        """Drop whoever has not pinged for too long."""
        for client in list(self.clients):
            if now_s - client.pinged_s > self._idle_s:
                client.drop()

    def drop_all(self) -> int:
        """Cut every socket; how many there were."""
        for client in self.clients:
            client.drop()
        return len(self.clients)


def _decoded(raw: str | bytes) -> Request | None:
    try:
        value = wire.decoded(raw)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def arguments(request: Request) -> list[Request]:
    """The objects in a request's `args`; anything else there is passed over, as the venue does."""
    args = request.get("args")
    return [arg for arg in args if isinstance(arg, dict)] if isinstance(args, list) else []
