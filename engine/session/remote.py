"""A running desk seen from another process: blocking calls for the command line, and `RemoteDesk` for a console.

Everything here uses plain sockets with deadlines, so that it works without an event loop and gives up by itself.
"""

import contextlib
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final

import msgspec

from engine.core.events import Act
from engine.core.view import CommandReceipt, DeskView
from engine.session.clock import WallClock
from engine.session.control import PROTOCOL, RECEIPT_SECONDS, Request
from engine.session.errors import SessionError
from engine.session.home import Home, write_kill_file
from engine.session.lock import holder
from engine.session.ports import CommandRequest

CONNECT_SECONDS: Final = 2.0
ANSWER_SECONDS: Final = 5.0
KILL_ANSWER_SECONDS: Final = 0.25
STREAM_SECONDS: Final = 60.0  # silence on a view stream after which the desk counts as gone
_CHUNK: Final = 64 * 1024
_ANSWER_BYTES_MAX: Final = 16 * 1024 * 1024


class NotRunning(SessionError):
    """No desk of this environment answers on its control socket."""


class Refused(SessionError):
    """The desk answered no. `code` is one of `engine.session.control.Refusal`."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class Unconfirmed(SessionError):
    """The desk took a command, and whether it became durable is not known."""


class _Answer(msgspec.Struct, frozen=True):
    """Any line the desk sends."""

    ok: bool = True
    error: str = ""
    text: str = ""
    status: dict[str, Any] | None = None
    receipt: CommandReceipt | None = None
    view: DeskView | None = None
    ended: bool = False


_decoder: Final = msgspec.json.Decoder(_Answer)


class Connection:
    """One conversation with a desk. Use it as a context manager."""

    def __init__(self, path: Path, seconds: float = CONNECT_SECONDS) -> None:
        """Connect, or raise `NotRunning` naming why not."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(seconds)
        self._buffer = bytearray()
        try:
            self._socket.connect(str(path))
        except OSError as failure:
            self._socket.close()
            raise NotRunning(f"no desk answers at {path}: {failure.strerror or failure}") from failure

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes a thread that waits in `next`
        self._socket.close()

    def ask(self, request: Request, seconds: float = ANSWER_SECONDS) -> _Answer:
        """Send one request and take its first answer.

        Raises:
            Refused: the desk said no.
            NotRunning: it did not answer in time, or hung up.
        """
        try:
            self._socket.settimeout(seconds)
            self._socket.sendall(msgspec.json.encode(request) + b"\n")
        except OSError as failure:
            raise NotRunning(f"the desk hung up: {failure.strerror or failure}") from failure
        return self.next(seconds)

    def next(self, seconds: float) -> _Answer:
        """The next line from the desk; raises as `ask` does."""
        self._socket.settimeout(seconds)
        while (end := self._buffer.find(b"\n")) < 0:
            try:
                chunk = self._socket.recv(_CHUNK)
            except TimeoutError as late:
                raise NotRunning(f"the desk did not answer within {seconds:.2g} s") from late
            except OSError as failure:
                raise NotRunning(f"the desk hung up: {failure.strerror or failure}") from failure
            if not chunk or len(self._buffer) > _ANSWER_BYTES_MAX:
                raise NotRunning("the desk hung up")
            self._buffer += chunk
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        try:
            answer = _decoder.decode(line)
        except msgspec.MsgspecError as broken:
            raise Refused("malformed", f"the desk's answer cannot be read: {broken}") from broken
        if not answer.ok:
            raise Refused(answer.error, answer.text)
        return answer


def socket_of(home: Home) -> Path:
    """Where the desk of `home` listens: as its lock says, else as its path gives.

    Raises:
        NotRunning: nobody holds the lock.
    """
    found = holder(home.lock)
    if found is None:
        raise NotRunning(f"no desk is running in {home.dir}")
    return Path(found.socket) if found.socket else home.socket


def status(home: Home) -> dict[str, Any]:
    """The running desk's status, in the shape of `engine.session.status.status_json`."""
    with Connection(socket_of(home)) as connection:
        found = connection.ask(Request("status", PROTOCOL)).status
    if found is None:
        raise Refused("malformed", "the desk's answer holds no status")
    return found


def command(
    path: Path, request: CommandRequest, *, confirm: str = "", seconds: float = CONNECT_SECONDS
) -> CommandReceipt:
    """Have the desk at `path` act; `seconds` bounds connecting and its first word together.

    Raises:
        NotRunning: the desk did not take the command in time: it may not have it.
        Unconfirmed: it took the command, and then gave no receipt.
    """
    clock = WallClock()
    until_ns = clock.mono_ns() + int(seconds * 1_000_000_000)
    with Connection(path, seconds) as connection:
        left = max(until_ns - clock.mono_ns(), 1_000_000) / 1_000_000_000
        connection.ask(
            Request("command", PROTOCOL, request.act, request.reason, request.subject, confirm, request.source), left
        )
        try:
            receipt = connection.next(RECEIPT_SECONDS + 1).receipt
        except NotRunning as failure:
            raise Unconfirmed(f"the desk took the command and gave no receipt: {failure}") from failure
    if receipt is None:
        raise Refused("malformed", "the desk's answer holds no receipt")
    return receipt


class Killed(msgspec.Struct, frozen=True):
    """What came of a kill from another process. `by` is socket or file; by file, `why` says what kept the socket out.

    `accepted` is false where no desk is running: then the next start is killed.
    """

    accepted: bool
    by: str
    text: str
    took_us: int = 0
    unconfirmed: tuple[str, ...] = ()
    file: str = ""
    why: str = ""


def kill(home: Home, request: CommandRequest) -> Killed:
    """Kill through the socket; by the kill file where the desk does not answer at once or does not confirm."""
    try:
        receipt = command(socket_of(home), request, seconds=KILL_ANSWER_SECONDS)
        if receipt.accepted:
            return Killed(True, "socket", receipt.text, receipt.took_us, receipt.unconfirmed)
        why = receipt.text
    except (NotRunning, Refused, Unconfirmed) as failure:
        why = str(failure)
    path = write_kill_file(home, f"kill: {request.reason}" if request.reason else "kill")
    running = holder(home.lock) is not None
    then = "the desk takes it within a second" if running else "the next start refuses entries"
    return Killed(running, "file", f"kill file written: {path}; {then}", file=str(path), why=why)


def stop(path: Path, *, keep_positions: bool = False) -> None:
    """Ask the desk at `path` to end in order."""
    with Connection(path) as connection:
        connection.ask(Request("stop", PROTOCOL, keep_positions=keep_positions))


def views(connection: Connection, every_ms: int) -> Iterator[DeskView]:
    """Views as they come, until the desk ends; raises `NotRunning` when it is lost."""
    connection.ask(Request("view", PROTOCOL, every_ms=every_ms))
    while True:
        answer = connection.next(STREAM_SECONDS)
        if answer.ended:
            return
        if answer.view is not None:
            yield answer.view


class RemoteDesk:
    """The `Desk` of another process, over its control socket. Connect with `start`, let go with `close`.

    Attributes:
        lost: Why the connection ended, when the desk did not end in order; "" otherwise.
    """

    def __init__(self, path: Path, every_ms: int = 250) -> None:
        self._path = path
        self._every_ms = every_ms
        self._connection: Connection | None = None
        self._newest: DeskView | None = None
        self._ended = threading.Event()
        self.lost = ""

    def start(self) -> None:
        """Connect and follow the desk's views in a thread; raises `NotRunning`."""
        self._connection = Connection(self._path)
        threading.Thread(target=self._follow, args=(self._connection,), name="views", daemon=True).start()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def view(self) -> DeskView | None:
        return self._newest

    def command(self, request: CommandRequest) -> Future[CommandReceipt]:
        """Send a command on its own connection, so that it never waits behind a view."""
        future: Future[CommandReceipt] = Future()
        threading.Thread(target=self._send, args=(request, future), name=f"command {request.act}", daemon=True).start()
        return future

    def stop(self, reason: str, *, keep_positions: bool = False) -> None:
        stop(self._path, keep_positions=keep_positions)

    def ended(self) -> bool:
        return self._ended.is_set()

    def _follow(self, connection: Connection) -> None:
        try:
            for view in views(connection, self._every_ms):
                self._newest = view
        except SessionError as failure:
            self.lost = str(failure)
        finally:
            connection.close()
            self._ended.set()

    def _send(self, request: CommandRequest, future: Future[CommandReceipt]) -> None:
        try:
            confirm = ""
            if request.act is Act.REARM:  # the console asked for a typed word; the desk asks for the latch's token
                confirm = self._token()
            future.set_result(command(self._path, request, confirm=confirm))
        except (Refused, Unconfirmed) as refused:
            future.set_result(CommandReceipt(False, str(refused)))
        except Exception as failure:
            future.set_exception(failure)

    def _token(self) -> str:
        with Connection(self._path) as connection:
            found = connection.ask(Request("status", PROTOCOL)).status or {}
        return str(found.get("rearm_token", ""))
