"""A venue as a process: listens, says where in one line of JSON, and serves until it is told to end.

The first output line is an `Announcement`. Later lines, one JSON object each: {"market": "ended"} when the data has
been played out, {"rejected": [a DataRejected as the journal writes it]} for a row of a recording that could not be
played, {"error": …} before a failure ends the process. Exit codes: 0 ended as asked, 1 failed, 2 wrong usage.
"""

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
import traceback
from collections.abc import Callable, Coroutine
from typing import Final

import msgspec

from engine.core.events import DataRejected
from engine.venues.sim.clock import VenueClock
from engine.venues.sim.options import Announcement, VenueOptions
from engine.venues.sim.server import LOAD_TICK_S, TICK_S, NotLoopback, Venue, VenueSettings
from engine.venues.sim.source import MarketSource

_PR_SET_PDEATHSIG: Final = 1


class WrongUsage(ValueError):
    """Options that cannot be served."""


class Opened(msgspec.Struct, frozen=True):
    """A market, the clock it is to be played by, and the seed of both its chance and the matching's."""

    market: MarketSource
    clock: VenueClock
    seed: int


def serve_process(options: VenueOptions, open_market: Callable[[VenueOptions], Opened]) -> int:
    """Serve until SIGINT, SIGTERM, or the end of the parent; the exit code."""
    try:
        _runner()(_serve(options, open_market))
    except (WrongUsage, NotLoopback) as error:
        _say({"error": str(error)})
        return 2
    except OSError as error:
        _say({"error": str(error)})
        return 1
    except Exception:
        _say({"error": traceback.format_exc(limit=-8)})
        raise
    return 0


async def _serve(options: VenueOptions, open_market: Callable[[VenueOptions], Opened]) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    if options.parent:
        _end_with(options.parent)
    opened = open_market(options)
    clock = opened.clock
    settings = VenueSettings(
        host=options.host,
        port=options.port,
        allow_remote=options.allow_remote,
        seed=opened.seed,
        each_quote=options.each_quote,
        rate_per_second=options.rate_per_second,
        tick_s=LOAD_TICK_S if options.each_quote else TICK_S,
    )
    venue = Venue(opened.market, clock, settings)
    early: list[DataRejected] = []
    venue.on_rejected = early.append
    await venue.start()
    now_ns, mono_ns = clock.pair()
    ports = venue.http_port, venue.ws_port
    _say(Announcement(*ports, now_ns, mono_ns, clock.speed, os.getpid(), opened.market.name, opened.seed))
    venue.on_rejected = _say_rejected
    for event in early:
        _say_rejected(event)
    tasks = [asyncio.create_task(venue.run()), asyncio.create_task(stopped.wait())]
    if options.parent:
        tasks.append(asyncio.create_task(_input_closed()))
    telling = asyncio.create_task(_tell_end(venue))
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in (*tasks, telling):
        task.cancel()
    await asyncio.gather(*tasks, telling, return_exceptions=True)
    await venue.stop()
    for task in done:
        await task  # an error of the venue ends the process with it


def _runner() -> Callable[[Coroutine[object, object, None]], None]:
    """uvloop's, where it is installed: it takes a fifth off the cost of pushing."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run
    return uvloop.run


def _say_rejected(event: DataRejected) -> None:
    _say({"rejected": event})


async def _tell_end(venue: Venue) -> None:
    await venue.ended.wait()
    _say({"market": "ended"})


async def _input_closed() -> None:
    """Returns when nobody holds the other end of our input any more."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while await reader.read(1024):
        pass


def _end_with(parent: int) -> None:
    """Have the kernel end this process when its parent dies, however that happens."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise WrongUsage("the desk this venue was started for is gone")


def _say(line: object) -> None:
    """One line of output. A reader who is gone is no error: the parent's end has its own signal."""
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
        sys.stdout.flush()
