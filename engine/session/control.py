"""The control socket: how another process of the same user watches a running desk and acts on it.

One request is one line of JSON (at most 64 KiB), answered by one line or, for `view`, by many:

    {"protocol": 1, "op": "status"}                        -> {"ok": true, "status": {...}}
    {"protocol": 1, "op": "view", "every_ms": 250}         -> {"ok": true}, then {"view": {...}} ..., {"ended": true}
    {"protocol": 2, "op": "view", "every_ms": 250}         -> the same with {"change": ...} after the first view
    {"protocol": 1, "op": "command", "act": "pause", ...}  -> {"ok": true}, then {"receipt": {...}}
    {"protocol": 1, "op": "stop", "keep_positions": false} -> {"ok": true}

A refusal is {"ok": false, "error": CODE, "text": SENTENCE}; CODE is one of `Refusal`. The first answer to a command
says that the desk has it, the receipt that it is durable. Another protocol version may only look and kill. Requests are
taken while views are sent. A connection that once asked with "role": "viewer" only watches from then on. The socket
lies in a folder of mode 0700, is 0600 itself, and asks the kernel who is at the other end.
"""

import asyncio
import contextlib
import logging
import os
import pwd
import socket
import struct
from collections import Counter
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

import msgspec

from engine.core.clean import clean
from engine.core.events import Act
from engine.session.home import Home, kill_requested, make_socket_folder
from engine.session.ports import CommandRequest, Desk
from engine.session.status import latched_ns, rearm_token, status_json
from engine.session.watchers import Watcher, Watchers

PROTOCOL: Final = 1
WITH_CHANGES: Final = 2  # of views: what changed, as `engine.session.deltas` writes it
VIEWER: Final = "viewer"
REQUEST_BYTES_MAX: Final = 64 * 1024
CONNECTIONS_MAX: Final = 32
IDLE_SECONDS: Final = 30.0  # a connection that asks nothing
WRITE_SECONDS: Final = 30.0  # a reader that takes nothing
RECEIPT_SECONDS: Final = 15.0
CLOSE_SECONDS: Final = 1.0
VIEW_EVERY_MS: Final = (50, 250, 5_000)  # least, default, most
TEXT_MAX: Final = 300
BY_SOCKET: Final = "cli"

OPERATOR_ACTS: Final = frozenset(
    {
        Act.PAUSE,
        Act.RESUME,
        Act.KILL,
        Act.REARM,
        Act.FLATTEN,
        Act.RESET_BREAKER,
        Act.CANCEL_ALL,
        Act.RECONCILE,
        Act.ACKNOWLEDGE,
    }
)
"""What may be asked over the socket; the other acts are the session's own."""


log = logging.getLogger("control")


class Refusal(StrEnum):
    MALFORMED = "malformed"
    TOO_LARGE = "too_large"
    UNKNOWN_OP = "unknown_op"
    UNKNOWN_ACT = "unknown_act"
    WRONG_PROTOCOL = "wrong_protocol"
    WRONG_PEER = "wrong_peer"
    WATCHES_ONLY = "watches_only"
    BUSY = "busy"
    NOT_READY = "not_ready"
    NOT_CONFIRMED = "not_confirmed"
    STILL_KILLED = "still_killed"
    TIMEOUT = "timeout"
    FAILED = "failed"


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Everything a request may carry. What stands at its default is not sent, so that an older desk may know it all."""

    op: str
    protocol: int = 0
    act: str = ""
    reason: str = ""
    subject: str = ""
    confirm: str = ""
    source: str = BY_SOCKET
    every_ms: int = VIEW_EVERY_MS[1]
    keep_positions: bool = False
    role: str = ""  # viewer: this connection only watches


def encode(request: Request) -> bytes:
    """A request as it is sent."""
    return msgspec.json.encode(request) + b"\n"


class _Visit:
    """One connection: who is there, what he may do, and whether he is sent views."""

    def __init__(self, writer: asyncio.StreamWriter, actor: str) -> None:
        self.writer = writer
        self.actor = actor
        self.only_watches = False
        self.watcher: Watcher | None = None


class _Refused(Exception):
    def __init__(self, code: Refusal, text: str) -> None:
        super().__init__(text)
        self.code = code


class ControlServer:
    """Serves one desk on its control socket, inside the desk's event loop.

    Attributes:
        refused: How many requests were refused, by code.
    """

    def __init__(self, home: Home, desk: Desk, variables: Mapping[str, str] | None = None) -> None:
        self._home = home
        self._desk = desk
        self._variables = os.environ if variables is None else variables
        self._path = home.socket
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()
        self._answering: set[asyncio.Task[None]] = set()
        self._watchers = Watchers(desk, lambda: WRITE_SECONDS)
        self._closing = asyncio.Event()
        self.refused: Counter[Refusal] = Counter()

    async def start(self) -> None:
        """Listen. Call it only while the desk's lock is held: a socket left by a dead desk is removed."""
        make_socket_folder(self._home)
        self._path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listener.bind(os.fspath(self._path))
            self._path.chmod(0o600)
            self._server = await asyncio.start_unix_server(self._accepted, sock=listener, limit=REQUEST_BYTES_MAX)
        except BaseException:
            listener.close()
            raise

    async def close(self) -> None:
        """Stop listening, tell those who watch that the desk has ended, and remove the socket."""
        if self._server is None:
            return
        self._closing.set()
        self._server.close()
        with contextlib.suppress(OSError):  # a socket nobody listens on is replaced by the next start
            self._path.unlink(missing_ok=True)
        self._watchers.close()
        if self._answering:
            await asyncio.wait(self._answering, timeout=CLOSE_SECONDS)
        serving = list(self._serving)
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
        self._server = None

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer), name="control")
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        task.add_done_callback(lambda _: writer.close())  # one that is cancelled before it begins hangs up nothing

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if len(self._serving) > CONNECTIONS_MAX:
                await self._refuse(writer, Refusal.BUSY, f"more than {CONNECTIONS_MAX} connections")
            elif (actor := _peer(writer)) is None:
                await self._refuse(writer, Refusal.WRONG_PEER, "only the user who runs the desk may speak to it")
            else:
                await self._converse(reader, _Visit(writer, actor))
        except (ConnectionError, TimeoutError):
            pass  # the other end went away or stopped reading: nothing is owed to it
        finally:
            await _hang_up(writer)

    async def _converse(self, reader: asyncio.StreamReader, visit: _Visit) -> None:
        task = asyncio.current_task()
        assert task is not None
        try:
            while not self._closing.is_set():
                line = await self._line(reader, visit)
                if not line:
                    return
                self._answering.add(task)
                try:
                    await self._answer(_decode(line), visit)
                except _Refused as refused:
                    await self._refuse(visit.writer, refused.code, str(refused))
                    if refused.code is Refusal.MALFORMED:
                        return
                finally:
                    self._answering.discard(task)
        finally:
            self._leave(visit)

    async def _line(self, reader: asyncio.StreamReader, visit: _Visit) -> bytes:
        """The next request, or nothing when the conversation is over. Who is sent views need not say anything."""
        try:
            async with asyncio.timeout(IDLE_SECONDS if visit.watcher is None else None):
                return await reader.readline()
        except ValueError:  # the stream's way to say that a line passed the limit
            await self._refuse(visit.writer, Refusal.TOO_LARGE, f"a request has at most {REQUEST_BYTES_MAX} bytes")
        return b""

    async def _answer(self, request: Request, visit: _Visit) -> None:
        is_kill = request.op == "command" and request.act == Act.KILL
        is_known = request.protocol == PROTOCOL or (request.op == "view" and request.protocol == WITH_CHANGES)
        if not is_known and not is_kill and request.op != "status":
            raise _Refused(
                Refusal.WRONG_PROTOCOL,
                f"the desk speaks protocol {PROTOCOL}, the request {request.protocol}: only status and kill are taken",
            )
        visit.only_watches |= request.role == VIEWER
        if visit.only_watches and request.op in ("command", "stop"):
            raise _Refused(Refusal.WATCHES_ONLY, "this connection only watches: attach as an operator to act")
        match request.op:
            case "status":
                await _send(visit.writer, {"ok": True, "status": self._status()})
            case "view":
                await self._watch(request, visit)
            case "command":
                await self._command(request, visit.writer, visit.actor)
            case "stop":
                self._desk.stop("operator_stop", keep_positions=request.keep_positions)
                await _send(visit.writer, {"ok": True})
            case _:
                raise _Refused(Refusal.UNKNOWN_OP, f"unknown op {clean(request.op, 40)}")

    def _status(self) -> dict[str, Any]:
        view = self._desk.view()
        if view is None:
            raise _Refused(Refusal.NOT_READY, "the desk is starting")
        status = status_json(view)
        latched = latched_ns(view)
        if latched is not None:
            status["rearm_token"] = rearm_token(view.env, latched)
        return status

    async def _watch(self, request: Request, visit: _Visit) -> None:
        """Send views from now on, beside the answers to whatever else is asked."""
        least, _, most = VIEW_EVERY_MS
        seconds = min(max(request.every_ms, least), most) / 1000
        await _send(visit.writer, {"ok": True})
        if visit.watcher is None:
            deltas = request.protocol == WITH_CHANGES
            visit.watcher = self._watchers.join(visit.writer, seconds, deltas=deltas)
            log.info("%s attached, %s; %d watch", visit.actor, _role(visit), len(self._watchers))

    def _leave(self, visit: _Visit) -> None:
        if visit.watcher is not None:
            self._watchers.leave(visit.watcher)
            log.info("%s detached, %s; %d watch", visit.actor, _role(visit), len(self._watchers))

    async def _command(self, request: Request, writer: asyncio.StreamWriter, actor: str) -> None:
        act = _act(request.act)
        if act is Act.REARM:
            self._check_rearm(request.confirm)
        answer = self._desk.command(
            CommandRequest(act, clean(request.source, 20), actor, clean(request.reason), clean(request.subject, 60))
        )
        await _send(writer, {"ok": True})
        try:
            async with asyncio.timeout(RECEIPT_SECONDS):
                receipt = await asyncio.shield(asyncio.wrap_future(answer))  # giving up waiting recalls nothing
        except TimeoutError:
            raise _Refused(Refusal.TIMEOUT, f"no receipt within {RECEIPT_SECONDS:g} s") from None
        except Exception as failure:
            # Whatever kept the desk from recording the command must reach the operator, not end the server.
            raise _Refused(Refusal.FAILED, clean(f"not recorded: {failure}", TEXT_MAX)) from failure
        await _send(writer, {"receipt": receipt})

    def _check_rearm(self, confirm: str) -> None:
        source = kill_requested(self._home, self._variables)
        if source is not None:
            raise _Refused(Refusal.STILL_KILLED, still_killed_text(self._home, source))
        view = self._desk.view()
        latched = latched_ns(view) if view is not None else None
        if view is None or latched is None:
            raise _Refused(Refusal.NOT_READY, "the kill switch is not latched")
        if confirm != rearm_token(view.env, latched):
            raise _Refused(Refusal.NOT_CONFIRMED, "the token does not belong to this latch; ask for it again")

    async def _refuse(self, writer: asyncio.StreamWriter, code: Refusal, text: str) -> None:
        self.refused[code] += 1
        await _send(writer, {"ok": False, "error": code, "text": text})


def _role(visit: _Visit) -> str:
    return "to watch" if visit.only_watches else "to act"


def still_killed_text(home: Home, source: str) -> str:
    """Why a latch cannot be cleared yet."""
    what = f"the kill file {home.kill_file}" if source == "file" else "NIGHTDESK_KILL_SWITCH"
    return f"{what} still stands; remove it first"


def _decode(line: bytes) -> Request:
    try:
        return msgspec.json.decode(line, type=Request)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as broken:
        raise _Refused(Refusal.MALFORMED, clean(f"not a request: {broken}", TEXT_MAX)) from broken


def _act(word: str) -> Act:
    if word in OPERATOR_ACTS:
        return Act(word)
    raise _Refused(Refusal.UNKNOWN_ACT, f"unknown act {clean(word, 40)}; known are {', '.join(sorted(OPERATOR_ACTS))}")


async def _send(writer: asyncio.StreamWriter, message: dict[str, Any]) -> None:
    writer.write(msgspec.json.encode(message) + b"\n")
    async with asyncio.timeout(WRITE_SECONDS):
        await writer.drain()


async def _hang_up(writer: asyncio.StreamWriter) -> None:
    """Close, and where the other end does not take what was still to be sent, drop that."""
    writer.close()
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await writer.wait_closed()
    except (ConnectionError, TimeoutError):
        writer.transport.abort()


def _peer(writer: asyncio.StreamWriter) -> str | None:
    """The name of the user at the other end, or None if it is not the desk's own.

    Where the kernel cannot be asked (SO_PEERCRED is Linux), the modes of folder and socket alone keep others out.
    """
    uid = os.getuid()
    if hasattr(socket, "SO_PEERCRED"):
        connection: socket.socket = writer.get_extra_info("socket")
        _, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    if uid != os.getuid():
        return None
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
