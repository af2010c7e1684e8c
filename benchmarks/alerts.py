"""Alerts: how soon one is with its service, and how long whoever raises it is kept, with a second channel dead."""

import logging
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from benchmarks.figures import Figure, percentile
from engine.core.words import AlertKind, Severity
from engine.session.alerting.alerts import Alerts
from engine.session.alerting.channels import Channel
from engine.session.alerting.notices import Sender
from engine.session.clock import WallClock
from engine.session.dead_letters import Letter
from engine.session.secret import Secret

COUNT: Final = 100
APART_SECONDS: Final = 0.1
SWITCH_SECONDS: Final = 0.0005  # as a desk runs


class _NoLetters:
    """Keeps nothing: what the dead channel leaves is not measured here."""

    def letters(self) -> Sequence[Letter]:
        return ()

    def record_letter(self, letter: Letter) -> Future[None]:
        done: Future[None] = Future()
        done.set_result(None)
        return done


def run() -> list[Figure]:
    """The delay of critical alerts, ten a second, to a server of this machine."""
    sys.setswitchinterval(SWITCH_SECONDS)
    logging.disable(logging.WARNING)  # of the dead channel
    arrived: dict[str, float] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers["content-length"])).decode()
            arrived[text.partition("alert number ")[2].partition("\\n")[0]] = time.perf_counter()
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with TemporaryDirectory() as folder:
        channels = [_channel("good", server.server_port), _channel("dead", 1)]
        sender = Sender("PAPER", "bench", "here")
        alerts = Alerts(Path(folder) / "alerts.jsonl", sender, "run", WallClock(), _NoLetters(), channels)
        alerts.start()
        raised, kept_us, worked_us = {}, [], []
        for number in range(COUNT):
            raised[str(number)], worked = time.perf_counter(), time.thread_time()
            alerts.write_alert(AlertKind.KILL, f"alert number {number}", number + 1)
            kept_us.append((time.perf_counter() - raised[str(number)]) * 1e6)
            worked_us.append((time.thread_time() - worked) * 1e6)
            time.sleep(APART_SECONDS)
        alerts.close()
    server.shutdown()
    server.server_close()
    delays = [arrived[number] - at for number, at in raised.items() if number in arrived]
    return [
        Figure("alerts lost", COUNT - len(delays), "", "at most", 0),
        Figure("alert to its service p50", percentile(delays, 50) * 1e3, "ms"),
        Figure("alert to its service p99", percentile(delays, 99) * 1e3, "ms", "at most", 1_000),
        Figure("alert to its service max", max(delays) * 1e3, "ms", "at most", 5_000),
        Figure("raising one, processor time p50", percentile(worked_us, 50), "µs", "at most", 1_000),
        Figure("raising one, processor time p99", percentile(worked_us, 99), "µs"),
        Figure("raising one p99", percentile(kept_us, 99), "µs"),
    ]


def _channel(name: str, port: int) -> Channel:
    return Channel(name, "bench", "json", tuple(Severity), 10_000, Secret(f"json://127.0.0.1:{port}/hook"))
