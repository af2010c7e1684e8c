"""The control endpoint's process. Its first line of input says all it needs; it ends when its input does."""

import asyncio
import contextlib
import logging
import os
import ssl
import sys
from pathlib import Path

import msgspec

from engine.session.api.acting import Actor
from engine.session.api.polling import Poller
from engine.session.api.server import Endpoint
from engine.session.api.settings import POLL_WINDOW_SECONDS, Said, Wish
from engine.session.api.signing import WINDOW_SECONDS, Nonces, Verifier
from engine.session.clock import WallClock
from engine.session.home import Home
from engine.session.secret import Secret

NICE = 5  # a flood of requests is to starve itself, not the desk


class _ToParent(logging.Handler):
    """Log records as lines for the desk, which has the log."""

    def emit(self, record: logging.LogRecord) -> None:
        _say(Said(level=record.levelname, text=record.getMessage()))


def _say(said: Said) -> None:
    with contextlib.suppress(BrokenPipeError):  # the desk is gone, and so are we in a moment
        sys.stdout.buffer.write(msgspec.json.encode(said) + b"\n")
        sys.stdout.buffer.flush()


def _count(forged: int) -> None:
    _say(Said(forged=forged))


async def _serve(wish: Wish) -> None:
    clock = WallClock()
    home = Home.at(Path(wish.root), wish.env)
    nonces = Nonces(home.nonces, clock.now_ns(), 2 * POLL_WINDOW_SECONDS)
    key = Secret(wish.key)
    tasks = [asyncio.create_task(_input_closed(), name="input")]
    port = 0
    if wish.host:
        actor = Actor(home, Verifier(key, wish.env, nonces, WINDOW_SECONDS), nonces, clock)
        endpoint = Endpoint(actor, clock, _count)
        port = await endpoint.start(wish.host, wish.port, _tls(wish))
    if wish.poll_url:
        patient = Actor(home, Verifier(key, wish.env, nonces, POLL_WINDOW_SECONDS), nonces, clock)
        tasks.append(asyncio.create_task(Poller(patient, wish.poll_url, wish.poll_seconds, _count).run(), name="poll"))
    _say(Said(port=port))
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()


def _tls(wish: Wish) -> ssl.SSLContext | None:
    if not wish.certificate:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(wish.certificate, wish.private_key or None)
    return context


async def _input_closed() -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()


def main() -> int:
    """Serve until the desk is gone; 1 if that is not possible."""
    os.nice(NICE)
    wish = msgspec.json.decode(sys.stdin.buffer.readline(), type=Wish)
    logging.basicConfig(level=logging.INFO, handlers=[_ToParent()], force=True)
    try:
        asyncio.run(_serve(wish))
    except (OSError, ssl.SSLError, ValueError) as problem:
        _say(Said(level="ERROR", text=f"the control endpoint cannot be opened: {problem}"))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
