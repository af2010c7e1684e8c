"""Somewhere for alerts to arrive: a web server and a mail server of this machine, and a store of letters in memory."""

import json
import socketserver
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from engine.core.words import Severity
from engine.session.alerting.channels import Channel
from engine.session.dead_letters import Letter, LetterState
from engine.session.secret import Secret

SECONDS = 10.0


class _Server:
    """A server in a thread; `arrived` grows with what came, and `wait` waits for it."""

    def __init__(self, server: socketserver.BaseServer) -> None:
        self.arrived: list[Any] = []
        self.came = threading.Condition()
        self._server = server
        self._thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)

    @property
    def port(self) -> int:
        address: Any = self._server.server_address
        return int(address[1])

    def take(self, item: Any) -> None:
        with self.came:
            self.arrived.append((time.monotonic(), item))
            self.came.notify_all()

    def wait(self, count: int, seconds: float = SECONDS) -> list[Any]:
        """What has arrived, once that is `count` or more."""
        with self.came:
            assert self.came.wait_for(lambda: len(self.arrived) >= count, seconds), f"{len(self.arrived)} of {count}"
            return [item for _, item in self.arrived]

    def __enter__(self) -> Any:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()


class Web(_Server):
    """Takes POSTs as (path, JSON, or text where it is none); answers `status`, after `delay_s`."""

    def __init__(self, status: int = 200, answer: str = "{}") -> None:
        outer = self
        self.status = status
        self.delay_s = 0.0

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
                time.sleep(outer.delay_s)
                status = outer.status
                outer.take(
                    (self.path, json.loads(raw) if raw.startswith("{") else raw, status)
                )  # before it is answered
                self.send_response(status)
                self.end_headers()
                self.wfile.write(answer.encode())

            def log_message(self, *_: Any) -> None:
                pass

        super().__init__(ThreadingHTTPServer(("127.0.0.1", 0), Handler))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def hook(self, token: str = "") -> str:
        return f"json://127.0.0.1:{self.port}/hook/{token}"

    def bodies(self, count: int) -> list[dict[str, Any]]:
        return [body for _, body, status in self.wait(count) if status == 200]


class Mail(_Server):
    """Takes mails, each as its whole text; accepts any login."""

    def __init__(self) -> None:
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self.say("220 here")
                while line := self.rfile.readline():
                    word = line.decode().strip().upper()
                    if word.startswith("EHLO"):
                        self.say("250-here")
                        self.say("250 AUTH PLAIN LOGIN")
                    elif word.startswith("AUTH"):
                        self.say("235 welcome")
                    elif word == "DATA":
                        self.say("354 go on")
                        lines = []
                        while (text := self.rfile.readline()) != b".\r\n":
                            lines.append(text.decode())
                        outer.take("".join(lines))
                        self.say("250 taken")
                    elif word == "QUIT":
                        self.say("221 bye")
                        return
                    else:
                        self.say("250 ok")

            def say(self, text: str) -> None:
                self.wfile.write(f"{text}\r\n".encode())

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True

        super().__init__(Server(("127.0.0.1", 0), Handler))


class Box:
    """Letters in memory. `broken`: nothing can be recorded."""

    def __init__(self) -> None:
        self.kept: dict[str, Letter] = {}
        self.broken = False
        self._lock = threading.Lock()

    def letters(self) -> Sequence[Letter]:
        with self._lock:
            return list(self.kept.values())

    def record_letter(self, letter: Letter) -> Future[None]:
        done: Future[None] = Future()
        if self.broken:
            done.set_exception(OSError("the journal has failed"))
            return done
        with self._lock:
            self.kept[letter.letter_id] = letter
        done.set_result(None)
        return done

    def states(self) -> list[LetterState]:
        return [letter.state for letter in self.letters()]


def channel(
    url: str, name: str = "hook", severities: Sequence[Severity] = tuple(Severity), rate_per_minute: int = 1_000
) -> Channel:
    return Channel(name, "test", "json", tuple(severities), rate_per_minute, Secret(url))
