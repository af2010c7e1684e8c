"""The venue as a child process: where it listens, and that it never outlives the desk it was started for."""

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import aiohttp
import psutil
import pytest

from engine.core.events import DataRejected
from engine.venues.sim.options import VenueOptions
from engine.venues.sim.process import VenueFailed, VenueProcess, start_venue
from tests.steady import PATIENCE
from tests.venues.sim_server.caller import ORIGIN_NS

CHILD = "tests.venues.sim_server.child"
PARENT = """
import asyncio
from engine.venues.sim.options import VenueOptions
from engine.venues.sim.process import start_venue

async def main():
    venue = await start_venue(VenueOptions(), "tests.venues.sim_server.child")
    print(venue.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@asynccontextmanager
async def child(options: VenueOptions) -> AsyncIterator[VenueProcess]:
    venue = await start_venue(options, CHILD)
    try:
        yield venue
    finally:
        await venue.stop()


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not is_so():  # noqa: ASYNC110 - another process makes it so
            await asyncio.sleep(0.005)


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


async def test_a_child_says_where_it_listens_and_what_time_it_is_there() -> None:
    async with child(VenueOptions(speed=60)) as venue, aiohttp.ClientSession() as session:
        before_ns = venue.clock.now_ns()
        async with session.get(venue.rest_url + "/sim/time") as reply:
            told = await reply.json()
        assert ORIGIN_NS <= before_ns <= told["now_ns"] <= venue.clock.now_ns()
        assert told["speed"] == 60
        async with session.ws_connect(venue.ws_url + "/public/") as opened:
            assert (await opened.receive_json())["op"] == "connect"
    assert is_gone(venue.pid) and venue.gone.is_set()


async def test_two_children_listen_on_ports_of_their_own() -> None:
    async with child(VenueOptions()) as one, child(VenueOptions()) as two:
        assert len({one.rest_url, one.ws_url, two.rest_url, two.ws_url}) == 4


async def test_the_end_of_the_data_is_told() -> None:
    async with child(VenueOptions(speed=10, anchor="1")) as venue, asyncio.timeout(PATIENCE):
        await venue.market_ended.wait()
        assert not venue.gone.is_set()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_in_order(number: signal.Signals) -> None:
    async with child(VenueOptions()) as venue:
        os.kill(venue.pid, number)
        async with asyncio.timeout(PATIENCE):
            await venue.gone.wait()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (VenueOptions(host="0.0.0.0"), "not a loopback address"),
        (VenueOptions(anchor="unusable"), "unusable is no anchor"),
    ],
)
async def test_a_child_that_cannot_start_says_why(options: VenueOptions, words: str) -> None:
    with pytest.raises(VenueFailed, match=words):
        await start_venue(options, CHILD)


async def test_a_taken_port_is_said() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(VenueFailed, match="address already in use"):
            await start_venue(VenueOptions(port=taken.getsockname()[1]), CHILD)


async def test_what_is_no_venue_at_all_is_a_failure_too() -> None:
    with pytest.raises(VenueFailed):
        await start_venue(VenueOptions(), "no.such.module")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_a_child_ends_with_its_parent_however_that_ends(number: signal.Signals) -> None:
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", PARENT, stdout=PIPE)
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    assert not is_gone(pid)
    os.kill(parent.pid, number)
    await parent.wait()
    await until(lambda: is_gone(pid))
    assert is_gone(pid)
    await parent.stdout.read()


async def test_a_child_whose_input_closes_ends_by_itself() -> None:
    async with child(VenueOptions()) as venue:
        assert venue._process.stdin is not None
        venue._process.stdin.close()
        async with asyncio.timeout(PATIENCE):
            await venue.gone.wait()


async def test_rows_that_cannot_be_played_are_reported_to_the_desk() -> None:
    found: list[DataRejected] = []
    venue = await start_venue(VenueOptions(symbols=("damaged",)), CHILD, found.append)
    try:
        await until(lambda: bool(found))
    finally:
        await venue.stop()
    assert found[0].where == "bars.csv:7:close"
