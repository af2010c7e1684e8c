"""What it costs a desk to be watched: bytes a second for each viewer, and processor time for eight of them.

The desk is headless on a venue of its own that sends at least a message a second for each of ten symbols. A viewer
reads as fast as it can and decodes nothing: what it does with a view is not the desk's to pay. Of several watches, with
and without viewers in turns, the medians are compared, so that what a busy machine does to one of them does not count.
"""

import asyncio
import socket
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import Final

from benchmarks.figures import Figure
from benchmarks.rig import on_loop
from benchmarks.session import Desk, Meter
from engine.session import control
from engine.session.home import Home
from engine.session.remote import view_request
from engine.venues.sim.options import VenueOptions
from engine.venues.sim.process import start_venue

VIEWERS: Final = 8
QUOTES_MS: Final = 5_000  # and trades and candles beside the quotes
SYMBOLS: Final = 10
SETTLE_SECONDS: Final = 5
WATCH_SECONDS: Final = 15
ROUNDS: Final = 5
FIRST_SECONDS: Final = 2  # in which a viewer has had the whole view


class Viewer(threading.Thread):
    """Counts what it is sent."""

    def __init__(self, home: Home, request: control.Request) -> None:
        super().__init__(name="viewer", daemon=True)
        self.received = 0
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(home.socket))
        self._socket.sendall(control.encode(request))
        self.start()

    def run(self) -> None:
        while chunk := self._socket.recv(65_536):
            self.received += len(chunk)

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self.join()
        self._socket.close()


def _watched(desk: Desk, count: int, request: control.Request) -> tuple[float, float]:
    """The desk's share of a core (%) and the bytes a second of each viewer, while `count` watch."""
    viewers = [Viewer(Home.at(desk.home, "paper"), request) for _ in range(count)]
    time.sleep(FIRST_SECONDS)
    meter, before, began_s = Meter(desk.process.pid), [viewer.received for viewer in viewers], time.monotonic()
    time.sleep(WATCH_SECONDS)
    share, seconds = meter.read().cpu_percent, time.monotonic() - began_s
    sent = [viewer.received - was for viewer, was in zip(viewers, before, strict=True)]
    for viewer in viewers:
        viewer.close()
    return share, statistics.mean(sent) / seconds if sent else 0.0


async def _beside_a_venue() -> list[Figure]:
    venue = await start_venue(VenueOptions(quote_interval_ms=QUOTES_MS), "engine.venues.sim")
    given = {
        "NIGHTDESK_SIM_REST_URL": venue.rest_url,
        "NIGHTDESK_SIM_PUBLIC_URL": f"{venue.ws_url}/public/",
        "NIGHTDESK_SIM_PRIVATE_URL": f"{venue.ws_url}/private/",
    }
    try:
        return await asyncio.to_thread(_measured, given)
    finally:
        await venue.stop()


def _measured(given: dict[str, str]) -> list[Figure]:
    alone: list[float] = []
    seen: list[float] = []
    sent: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        desk = Desk(Path(folder), variables=given)
        try:
            desk.until_running()
            time.sleep(SETTLE_SECONDS)
            before, began_s = desk.status()["market_events"], time.monotonic()
            for _ in range(ROUNDS):
                alone.append(_watched(desk, 0, view_request())[0])
                share, rate = _watched(desk, VIEWERS, view_request())
                seen.append(share)
                sent.append(rate)
            messages = (desk.status()["market_events"] - before) / (time.monotonic() - began_s)
            desk.end("stop")
        finally:
            desk.close()
    return [
        Figure("messages meanwhile", messages, "messages/s", "at least", SYMBOLS),
        Figure("socket traffic of a viewer", statistics.median(sent) / 1000, "kB/s", "at most", 4),
        Figure("desk's cpu, nobody watches", statistics.median(alone), "% of a core"),
        Figure(f"desk's cpu, {VIEWERS} viewers", statistics.median(seen), "% of a core"),
        Figure(
            f"{VIEWERS} viewers cost", statistics.median(seen) - statistics.median(alone), "% of a core", "at most", 0.5
        ),
    ]


def run() -> list[Figure]:
    return on_loop(_beside_a_venue())
