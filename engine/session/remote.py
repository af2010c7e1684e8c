"""A running desk seen from another process: blocking calls for the command line, and `RemoteDesk` for a console.

Everything here uses plain sockets with deadlines, so that it works without an event loop and gives up by itself.
"""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final

import msgspec

from engine.core.events import Act
from engine.core.view import CommandReceipt, DeskView
from engine.session.clock import WallClock
from engine.session.control import (
    PROTOCOL,
    RECEIPT_SECONDS,
    VIEW_EVERY_MS,
    VIEWER,
    WITH_CHANGES,
    Refusal,
    Request,
    encode,
)
from engine.session.deltas import Follower
from engine.session.errors import SessionError
from engine.session.home import Home, write_kill_file
from engine.session.lock import holder
from engine.session.ports import CommandRequest

CONNECT_SECONDS: Final = 2.0
ANSWER_SECONDS: Final = 5.0
KILL_ANSWER_SECONDS: Final = 0.25
STREAM_SECONDS: Final = 60.0  # silence on a view stream after which the desk counts as gone
AGAIN_SECONDS: Final = 1.0  # between two looks for a desk that is away
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
    view: msgspec.Raw = msgspec.Raw()
    change: msgspec.Raw = msgspec.Raw()
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
            self._socket.sendall(encode(request))
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


def view_request(every_ms: int = VIEW_EVERY_MS[1], *, only_watches: bool = False) -> Request:
    """What asks for views as they change."""
    return Request("view", WITH_CHANGES, every_ms=every_ms, role=VIEWER if only_watches else "")


def views(path: Path, request: Request, opened: Callable[[Connection], None]) -> Iterator[DeskView]:
    """Views of the desk at `path` as they come, until it ends in order; `opened` is given each connection.

    A desk of an older version is asked once more in the way it knows: for whole views.

    Raises:
        NotRunning: nobody answers there, or the desk was lost.
        Refused: it said no.
    """
    try:
        yield from _views(path, request, opened)
    except Refused as refused:
        if refused.code not in (Refusal.MALFORMED, Refusal.WRONG_PROTOCOL) or request.protocol == PROTOCOL:
            raise
        yield from _views(path, Request("view", PROTOCOL, every_ms=request.every_ms), opened)


def _views(path: Path, request: Request, opened: Callable[[Connection], None]) -> Iterator[DeskView]:
    with Connection(path) as connection:
        opened(connection)
        connection.ask(request)
        follower: Follower | None = None
        while not (answer := connection.next(STREAM_SECONDS)).ended:
            try:
                if answer.view:
                    follower = Follower(answer.view)
                    yield follower.view()
                elif answer.change and follower is not None:
                    yield follower.follow(answer.change)
            except ValueError as wrong:
                raise Refused(Refusal.MALFORMED, f"the desk's view cannot be read: {wrong}") from wrong


class RemoteDesk:
    """The `Desk` of another process, over its control socket. Connect with `start`, let go with `close`.

    Once started it stays: when the desk ends or is lost, it waits for one to come back, the same or the next.

    Attributes:
        away: Why there is no desk at the moment; "" while there is one.
    """

    def __init__(
        self, find: Callable[[], Path], every_ms: int = VIEW_EVERY_MS[1], *, only_watches: bool = False
    ) -> None:
        """`find` says where the desk listens, or raises `NotRunning`. With `only_watches` nothing is commanded."""
        self._find = find
        self._request = view_request(every_ms, only_watches=only_watches)
        self._connection: Connection | None = None
        self._newest: DeskView | None = None
        self._closed = threading.Event()
        self.away = ""

    def start(self) -> None:
        """Follow the desk's views in a thread; raises `NotRunning` if there is no desk to begin with."""
        Connection(self._find()).close()
        threading.Thread(target=self._follow, name="views", daemon=True).start()

    def close(self) -> None:
        self._closed.set()
        if self._connection is not None:
            self._connection.close()

    def view(self) -> DeskView | None:
        return self._newest

    def command(self, request: CommandRequest) -> Future[CommandReceipt]:
        """Send a command on its own connection, so that it never waits behind a view."""
        future: Future[CommandReceipt] = Future()
        if self._request.role == VIEWER:
            future.set_result(CommandReceipt(False, "this console only watches"))
            return future
        threading.Thread(target=self._send, args=(request, future), name=f"command {request.act}", daemon=True).start()
        return future

    def stop(self, reason: str, *, keep_positions: bool = False) -> None:
        stop(self._find(), keep_positions=keep_positions)

    def ended(self) -> bool:
        """Never by itself: whoever watches waits for the next desk, or leaves."""
        return self._closed.is_set()

    def _follow(self) -> None:
        while not self._closed.is_set():
            try:
                for view in views(self._find(), self._request, self._opened):
                    self._newest, self.away = view, ""
                self.away = "the desk has ended"
            except SessionError as failure:
                self.away = str(failure)
            self._closed.wait(AGAIN_SECONDS)

    def _opened(self, connection: Connection) -> None:
        self._connection = connection
        if self._closed.is_set():
            connection.close()

    def _send(self, request: CommandRequest, future: Future[CommandReceipt]) -> None:
        try:
            path = self._find()
            confirm = ""
            if request.act is Act.REARM:  # the console asked for a typed word; the desk asks for the latch's token
                confirm = _token(path)
            future.set_result(command(path, request, confirm=confirm))
        except (Refused, Unconfirmed) as refused:
            future.set_result(CommandReceipt(False, str(refused)))
        except Exception as failure:
            future.set_exception(failure)


def _token(path: Path) -> str:
    with Connection(path) as connection:
        found = connection.ask(Request("status", PROTOCOL)).status or {}
    return str(found.get("rearm_token", ""))
