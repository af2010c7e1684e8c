"""The control endpoint under a flood: forged commands as fast as they go, idle connections, and one valid kill."""

import asyncio
import contextlib
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import aiohttp
import msgspec

from benchmarks.figures import Figure
from benchmarks.session import COMMAND, ROOT
from engine.session import remote
from engine.session.api.client import send
from engine.session.api.server import PATH
from engine.session.api.signing import sign
from engine.session.clock import WallClock
from engine.session.errors import SessionError
from engine.session.home import Home
from engine.session.secret import Secret

KEY: Final = Secret("ab" * 32)
FORGED: Final = Secret("cd" * 32)
FLOOD_SECONDS: Final = 20.0
SENDERS: Final = 32
IDLE: Final = 200
ROUNDS: Final = 3
READY_SECONDS: Final = 60.0


def _until_running(home: Home) -> str:
    """Wait for the desk; its endpoint."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(SessionError, FileNotFoundError):
            found = re.search(r"commands are taken at 127\.0\.0\.1 port (\d+)", home.system_log.read_text())
            if found and remote.status(home)["state"] == "RUNNING":
                return f"http://127.0.0.1:{found[1]}"
        time.sleep(0.1)
    raise SystemExit("the desk did not start")


async def _flood(url: str, seconds: float) -> int:
    """Forged commands from many senders, and connections that say nothing; how many were answered."""
    answered = 0
    until = time.monotonic() + seconds
    host, port = url.removeprefix("http://").split(":")
    body = msgspec.json.encode(sign(FORGED, "kill", "paper", "", WallClock().now_ns()))

    async def sender(session: aiohttp.ClientSession) -> None:
        nonlocal answered
        while time.monotonic() < until:
            with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
                async with session.post(url + PATH, data=body, headers={"Content-Type": "application/json"}) as answer:
                    await answer.read()
                    answered += 1

    async def idler() -> None:
        while time.monotonic() < until:
            with contextlib.suppress(OSError):
                reader, writer = await asyncio.open_connection(host, int(port))
                with contextlib.suppress(OSError, TimeoutError):
                    await asyncio.wait_for(reader.read(), max(0.1, until - time.monotonic()))
                writer.transport.abort()

    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=5)) as session:
        await asyncio.gather(*(sender(session) for _ in range(SENDERS)), *(idler() for _ in range(IDLE)))
    return answered


def _round(folder: Path) -> tuple[float, float, float]:
    """One desk: forged commands a second, lateness of its beat (ms, p99), and how long the valid kill took (ms)."""
    home = Home.at(folder, "paper")
    given = {"NIGHTDESK_CONTROL_HTTP": "127.0.0.1:0", "NIGHTDESK_CONTROL_KEY": KEY.reveal()}
    desk = subprocess.Popen(
        [*COMMAND, "--home", str(folder), "run", "--headless"],
        cwd=ROOT,
        env={**os.environ, **given},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        url = _until_running(home)
        flood = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.endpoint", url], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        time.sleep(FLOOD_SECONDS * 0.8)
        late_ms = remote.status(home)["heartbeat"]["late_p99_us"] / 1000
        command = sign(KEY, "kill", "paper", "bench", WallClock().now_ns())
        begun = time.perf_counter()
        answer = send(url, command)
        took_ms = (time.perf_counter() - begun) * 1000
        assert answer["accepted"], answer
        said, _ = flood.communicate(timeout=60)
        desk.wait(60)
    finally:
        if desk.poll() is None:
            desk.kill()
            desk.wait()
    return int(said) / FLOOD_SECONDS, late_ms, took_ms


def run() -> list[Figure]:
    """Medians of some rounds, each with a desk of its own."""
    with tempfile.TemporaryDirectory() as folder:
        rounds = [_round(Path(folder, str(n))) for n in range(ROUNDS)]
    rates, lates, kills = zip(*rounds, strict=True)
    return [
        Figure("forged commands answered", statistics.median(rates), "a second"),
        Figure("heartbeat late p99 under the flood", statistics.median(lates), "ms", "at most", 50),
        Figure("valid kill under the flood", statistics.median(kills), "ms", "at most", 250),
        Figure("valid kill under the flood, worst", max(kills), "ms"),
    ]


if __name__ == "__main__":
    print(asyncio.run(_flood(sys.argv[1], FLOOD_SECONDS)))
