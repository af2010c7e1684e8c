import asyncio
import socket

import pytest

from engine.core.config import SECOND
from engine.core.events import Quote
from engine.venues.sim.clock import VenueClock
from engine.venues.sim.play import Play
from engine.venues.sim.server import NotLoopback, Venue, VenueSettings
from engine.venues.sim.wire import framed, http_date, iso
from tests.venues.sim_server.caller import ORIGIN_NS, PlainMarket, running


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.7", "venue.example", "::"])
async def test_only_loopback_is_listened_on_unless_more_is_allowed(host: str) -> None:
    """FS-07."""
    venue = Venue(PlainMarket(), VenueClock(ORIGIN_NS), VenueSettings(host=host))
    with pytest.raises(NotLoopback, match="loopback"):
        await venue.start()
    assert venue.http_port == 0


async def test_more_can_be_allowed() -> None:
    async with running(host="0.0.0.0", allow_remote=True) as caller:
        assert (await caller.get("/market/tickers"))["code"] == 0


async def test_sockets_listen_on_the_port_after_rest() -> None:
    for _ in range(20):  # somebody else may take one of the two in between
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        venue = Venue(PlainMarket(), VenueClock(ORIGIN_NS), VenueSettings(port=port))
        try:
            await venue.start()
        except OSError:
            continue
        await venue.stop()
        assert (venue.http_port, venue.ws_port) == (port, port + 1)
        return
    raise AssertionError("no two neighbouring ports were free")


async def test_a_taken_port_is_an_error() -> None:
    async with running() as caller:
        venue = Venue(PlainMarket(), VenueClock(ORIGIN_NS), VenueSettings(port=caller.venue.http_port))
        with pytest.raises(OSError, match="in use"):
            await venue.start()


async def test_stopping_ends_open_sockets_at_once() -> None:
    async with running() as caller, caller.public(("depth_book1", "ACMEUSDT")):
        async with asyncio.timeout(3):
            await caller.venue.stop()


async def test_two_venues_of_one_process_share_nothing() -> None:
    async with running() as one, running() as two:
        await one.place("a-1")
        assert (await two.journal())["orders"] == []


def test_a_market_is_handed_out_as_its_time_comes() -> None:
    play = Play(PlainMarket(until_ns=ORIGIN_NS + SECOND), ORIGIN_NS)
    early = play.until(ORIGIN_NS + SECOND // 2)
    assert max(event.at_ns for event in early) == ORIGIN_NS + SECOND // 2 and not play.ended
    late = play.until(ORIGIN_NS + 9 * SECOND)
    assert min(event.at_ns for event in late if isinstance(event, Quote)) > ORIGIN_NS + SECOND // 2
    assert play.until(ORIGIN_NS + 99 * SECOND) == []
    assert [play.ended] == [True]


def test_venue_time_runs_at_its_speed_and_can_be_shared() -> None:
    clock = VenueClock(ORIGIN_NS, 60)
    now_ns, mono_ns = clock.pair()
    twin = VenueClock(now_ns, 60, mono_ns)
    before_ns, twin_ns, after_ns = clock.now_ns(), twin.now_ns(), clock.now_ns()
    assert before_ns <= twin_ns <= after_ns
    clock.skew_ns = SECOND
    before_ns, shown_ns, after_ns = clock.now_ns(), clock.shown_ns(), clock.now_ns()
    assert before_ns <= shown_ns - SECOND <= after_ns


@pytest.mark.parametrize(("size", "head"), [(5, b"\x81\x05"), (126, b"\x81\x7e\x00\x7e"), (65536, b"\x81\x7f")])
def test_frames_carry_their_length_in_the_form_it_needs(size: int, head: bytes) -> None:
    assert framed(b"x" * size).startswith(head)
    assert framed(b"x" * size).endswith(b"x" * size)


def test_times_are_written_as_the_venue_writes_them() -> None:
    assert iso(1_790_150_400 * SECOND) == "2026-09-23T08:00:00Z"
    assert iso(1_790_150_400 * SECOND + 5, nanos=True) == "2026-09-23T08:00:00.000000005Z"
    assert http_date(1_790_150_400 * SECOND) == "Wed, 23 Sep 2026 08:00:00 GMT"
