"""The feed against a scripted venue on loopback: subscribes, pings, survives losses, notices silence, fills holes."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from aiohttp import web
from yarl import URL

from engine.core.config import ASSUMED, MINUTE, SECOND, Instrument
from engine.core.events import Bar, Book, DataRejected, FeedChanged, FeedHealth, GapDetected
from engine.core.money import parse
from engine.venues.bitunix.feed import BitunixFeed, FeedSettings
from engine.venues.bitunix.link import FRAME_BYTES_MAX
from engine.venues.bitunix.streams import shares
from engine.venues.errors import NotSent, RuleRefused, VenueClosed, VenueError, VenueGone
from tests.venues.bitunix.fakevenue import T0_NS, Collector, FakeVenue, SetClock, book, history_of, kline, venue

QUICK = FeedSettings(
    stale_s=30.0, timeout_s=5.0, grace_s=0.02, backoff_s=(0.01, 0.05), window_s=5.0, refill_pause_s=0.01
)


@pytest.fixture
async def fake() -> AsyncIterator[FakeVenue]:
    async with venue() as one:
        yield one


@asynccontextmanager
async def running(
    fake: FakeVenue, settings: FeedSettings = QUICK, symbols: tuple[str, ...] = ("BTCUSDT",)
) -> AsyncIterator[tuple[BitunixFeed, Collector, SetClock]]:
    clock = SetClock()
    feed = BitunixFeed(fake.rest_url, fake.ws_url, symbols, clock, settings)
    await feed.connect()
    seen = Collector(feed.events())
    try:
        await fake.until(lambda: len(fake.subscribed()) >= len(symbols))
        yield feed, seen, clock
    finally:
        await feed.close()
        await seen.stop()


def health(seen: Collector, symbol: str = "") -> list[FeedHealth]:
    return [change.health for change in seen.of(FeedChanged) if change.symbol == symbol]


def starts(seen: Collector) -> list[tuple[int, bool]]:
    """Bars so far: (minute after T0, backfilled)."""
    return [((bar.start_ns - T0_NS) // MINUTE, bar.backfilled) for bar in seen.of(Bar)]


async def test_it_waits_for_the_greeting_and_asks_for_the_whole_wanted_set(fake: FakeVenue) -> None:
    async with running(fake, symbols=("BTCUSDT", "ETHUSDT")):
        wanted = [(s, ch) for s in ("BTCUSDT", "ETHUSDT") for ch in FeedSettings().channels]
        assert fake.subscribed() == wanted
        assert fake.sockets[0].request is not None
        assert fake.sockets[0].request.path == "/public/"


async def test_a_venue_that_does_not_greet_is_an_error_by_name(fake: FakeVenue) -> None:
    fake.greets = False
    feed = BitunixFeed(fake.rest_url, fake.ws_url, ["BTCUSDT"], SetClock(), replace(QUICK, timeout_s=0.1))
    with pytest.raises(NotSent, match=r"no greeting within 0\.1 s"):
        await feed.connect()


async def test_a_venue_that_is_not_there_is_an_error_by_name() -> None:
    """FN-01."""
    async with venue() as gone:
        pass
    feed = BitunixFeed(gone.rest_url, gone.ws_url, ["BTCUSDT"], SetClock(), QUICK)
    with pytest.raises(NotSent, match="Connect call failed"):
        await feed.connect()


async def test_pings_are_json_and_go_out_by_the_clock(fake: FakeVenue) -> None:
    async with running(fake, replace(QUICK, ping_s=0.02)):
        await fake.until(lambda: sum(message["op"] == "ping" for message in fake.said) >= 2)
        assert fake.said[-1] == {"op": "ping", "ping": T0_NS // SECOND}


async def test_a_connection_that_answers_nothing_not_even_pings_is_dropped(fake: FakeVenue) -> None:
    fake.pongs = False
    async with running(fake, replace(QUICK, ping_s=0.03, pong_s=0.03)):
        await fake.until(lambda: fake.opened >= 2)


async def test_frames_waiting_together_are_handed_on_together(fake: FakeVenue) -> None:
    async with running(fake) as (_, seen, _clock):
        await fake.send(*[book(ts_ns=T0_NS + n * 1_000_000) for n in range(600)])
        await seen.until(lambda: len(seen.of(Book)) == 600)
        assert max(seen.groups) <= 256
        assert len(seen.groups) < 600


async def test_the_first_data_is_said_for_the_feed_and_the_symbol(fake: FakeVenue) -> None:
    async with running(fake) as (_, seen, _clock):
        await fake.send(book())
        await seen.until(lambda: bool(seen.of(Book)))
        assert health(seen) == health(seen, "BTCUSDT") == [FeedHealth.LIVE]
        assert [type(event) for event in seen.all[:3]] == [FeedChanged, FeedChanged, Book]


async def test_after_a_loss_it_says_down_reconnects_and_asks_for_everything_again(fake: FakeVenue) -> None:
    async with running(fake) as (_, seen, _clock):
        await fake.send(book())
        await seen.until(lambda: health(seen) == [FeedHealth.LIVE])
        before = fake.subscribed()
        fake.said.clear()
        fake.cut()
        await fake.until(lambda: fake.subscribed() == before)
        await fake.send(book(ts_ns=T0_NS - SECOND))  # a new connection begins its own order
        await seen.until(lambda: len(seen.of(Book)) == 2)
        assert health(seen) == [FeedHealth.LIVE, FeedHealth.DOWN, FeedHealth.LIVE]


async def test_a_connection_that_keeps_breaking_is_not_hammered(fake: FakeVenue) -> None:
    """FN-11."""
    async with running(fake, replace(QUICK, backoff_s=(0.05, 1.0))) as (_, seen, _clock):
        loop = asyncio.get_running_loop()
        opened_s: list[float] = []

        def cut_at_once(connection: Any, _message: Any) -> None:
            opened_s.append(loop.time())
            connection.transport.abort()

        fake.on_message = cut_at_once
        fake.cut()
        await fake.until(lambda: len(opened_s) >= 4)
        pauses = [later - earlier for earlier, later in pairwise(opened_s)]
        assert min(pauses) >= 0.05
        assert not seen.failure


async def test_when_the_window_is_over_the_events_end_with_venue_gone() -> None:
    async with venue() as fake, running(fake, replace(QUICK, window_s=0.2, timeout_s=0.3)) as (_, seen, _clock):
        fake.greets = False
        fake.on_message = lambda connection, _: connection.transport.abort()
        fake.cut()
        await seen.ended()
        assert isinstance(seen.failure, VenueGone)
        assert 0.2 <= seen.failure.outage_s < 2.0


async def test_silence_is_stale_at_the_limit_and_data_makes_it_live_again(fake: FakeVenue) -> None:
    """FN-04, FA-03."""
    async with running(fake, replace(QUICK, stale_s=0.3)) as (_, seen, _clock):
        loop = asyncio.get_running_loop()
        await fake.send(book())
        await seen.until(lambda: health(seen) == [FeedHealth.LIVE])
        since = loop.time()
        await seen.until(lambda: FeedHealth.STALE in health(seen) and FeedHealth.STALE in health(seen, "BTCUSDT"))
        assert loop.time() - since >= 0.29
        stale = next(change for change in seen.of(FeedChanged) if change.health is FeedHealth.STALE)
        assert stale.age_ns >= 300_000_000
        assert "0.3 s" in stale.detail
        await fake.send(book())
        await seen.until(lambda: health(seen)[-1] is FeedHealth.LIVE)


async def test_one_silent_symbol_is_stale_while_the_feed_lives(fake: FakeVenue) -> None:
    async with running(fake, replace(QUICK, stale_s=0.2), ("BTCUSDT", "ETHUSDT")) as (_, seen, _clock):
        await fake.send(book("ETHUSDT"))
        while FeedHealth.STALE not in health(seen, "ETHUSDT"):
            await fake.send(book())
            await asyncio.sleep(0.02)
        assert FeedHealth.STALE not in health(seen) + health(seen, "BTCUSDT")


async def test_bad_frames_are_no_sign_of_life(fake: FakeVenue) -> None:
    async with running(fake, replace(QUICK, stale_s=0.2)) as (_, seen, _clock):
        await fake.send(book())
        await seen.until(lambda: health(seen) == [FeedHealth.LIVE])
        while FeedHealth.STALE not in health(seen):
            await fake.send("{broken")
            await asyncio.sleep(0.02)


async def test_a_connected_but_mute_venue_is_given_up_and_tried_anew(fake: FakeVenue) -> None:
    """FN-04."""
    async with running(fake, replace(QUICK, stale_s=0.1)) as (_, seen, _clock):
        await fake.send(book())
        await fake.until(lambda: fake.opened >= 2)
        assert health(seen)[:2] == [FeedHealth.LIVE, FeedHealth.STALE]


async def test_every_bad_frame_is_counted_and_a_flood_of_them_takes_few_events(fake: FakeVenue) -> None:
    async with running(fake) as (_, seen, _clock):
        await fake.send(*["{"] * 500)
        await seen.until(lambda: sum(event.count for event in seen.of(DataRejected)) == 500)
        assert len(seen.of(DataRejected)) < 20


async def test_a_refused_subscription_is_said(fake: FakeVenue) -> None:
    async with running(fake) as (_, seen, _clock):
        await fake.send({"op": "subscribe", "data": {"msg": "subscribe channel > 300", "nonce": "", "result": False}})
        await seen.until(lambda: bool(seen.of(DataRejected)))
        assert seen.of(DataRejected)[0].reason == "subscribe: subscribe channel > 300"


async def test_a_minute_closes_by_the_next_ones_push(fake: FakeVenue) -> None:
    async with running(fake) as (_, seen, clock):
        clock.ns = T0_NS + MINUTE + SECOND
        await fake.send(kline(0, 59.5, close="103"), kline(1, 0.5))
        await seen.until(lambda: starts(seen) == [(0, False)])
        assert seen.of(Bar)[0].close == parse("103")


async def test_a_minute_closes_by_the_timer_when_other_streams_show_that_its_end_was_heard(fake: FakeVenue) -> None:
    async with running(fake) as (_, seen, clock):
        await fake.send(kline(0, 59.5))
        await seen.until(lambda: health(seen) == [FeedHealth.LIVE])
        clock.ns = T0_NS + MINUTE
        await fake.send(book(ts_ns=T0_NS + MINUTE))
        await seen.until(lambda: starts(seen) == [(0, False)])


async def test_missing_minutes_are_announced_fetched_and_put_before_the_newer_bar(fake: FakeVenue) -> None:
    """FA-04."""
    fake.answers["/market/kline"] = history_of(range(-5, 1))
    async with running(fake) as (feed, seen, clock):
        clock.ns = T0_NS + 5 * SECOND
        assert [bar.start_ns for bar in await feed.history("BTCUSDT", MINUTE, 2)] == [
            T0_NS - 2 * MINUTE,
            T0_NS - MINUTE,
        ]
        fake.answers["/market/kline"] = history_of(range(-5, 5))
        clock.ns = T0_NS + 4 * MINUTE + 10 * SECOND
        await fake.send(kline(0, 1), kline(3, 50), kline(4, 1))
        await seen.until(lambda: len(starts(seen)) == 4)
        assert starts(seen) == [(0, False), (1, True), (2, True), (3, False)]
        (gap,) = seen.of(GapDetected)
        assert (gap.missing, gap.prev_ns, gap.curr_ns) == (2, T0_NS, T0_NS + 3 * MINUTE)
        assert seen.all.index(gap) < seen.all.index(seen.of(Bar)[1])


async def test_a_loss_across_minutes_is_backfilled_after_the_reconnect(fake: FakeVenue) -> None:
    fake.answers["/market/kline"] = history_of(range(5))
    async with running(fake) as (_, seen, clock):
        clock.ns = T0_NS + 2 * MINUTE + SECOND
        await fake.send(kline(0, 59), kline(1, 1), kline(1, 30))
        await seen.until(lambda: starts(seen) == [(0, False)])
        fake.said.clear()
        fake.cut()
        await fake.until(lambda: bool(fake.subscribed()))
        clock.ns = T0_NS + 3 * MINUTE + 20 * SECOND
        await fake.send(kline(3, 10))
        await seen.until(lambda: len(starts(seen)) == 3)
        assert starts(seen) == [(0, False), (1, True), (2, True)]


async def test_a_backfill_that_fails_is_said_and_tried_again_with_the_next_minute(fake: FakeVenue) -> None:
    works = history_of(range(5))
    fake.answers["/market/kline"] = lambda *_: web.Response(status=502, text="bad gateway")
    async with running(fake) as (_, seen, clock):
        clock.ns = T0_NS + 4 * MINUTE
        await fake.send(kline(0, 59), kline(2, 1))
        await seen.until(lambda: bool(seen.of(DataRejected)))
        assert "could not be fetched" in seen.of(DataRejected)[0].reason
        assert starts(seen) == [(0, False)]
        fake.answers["/market/kline"] = works
        await fake.send(kline(3, 1), kline(4, 1))
        await seen.until(lambda: len(starts(seen)) == 4)
        assert starts(seen) == [(0, False), (1, True), (2, True), (3, False)]
        assert len(seen.of(GapDetected)) == 1


async def test_a_candle_the_venues_history_does_not_have_yet_is_waited_for(fake: FakeVenue) -> None:
    answers: list[Callable[..., Any]] = [history_of([0]), history_of([0, 1])]
    fake.answers["/market/kline"] = lambda *args: (answers.pop(0) if len(answers) > 1 else answers[0])(*args)
    async with running(fake) as (_, seen, clock):
        clock.ns = T0_NS + 2 * MINUTE + 2 * SECOND
        await fake.send(kline(0, 59), kline(2, 1))
        await seen.until(lambda: starts(seen) == [(0, False), (1, True)])
        assert not seen.of(DataRejected)


async def test_history_after_live_bars_takes_back_those_not_yet_handed_on(fake: FakeVenue) -> None:
    fake.answers["/market/kline"] = history_of(range(-3, 3))
    clock = SetClock(T0_NS + 2 * MINUTE)
    feed = BitunixFeed(fake.rest_url, fake.ws_url, ["BTCUSDT"], clock, QUICK)
    await feed.connect()
    await fake.send(kline(0, 59), kline(1, 1), kline(1, 59), kline(2, 0.5))
    clock.ns += 10 * SECOND
    await fake.settled()
    bars = await feed.history("BTCUSDT", MINUTE, 4)
    assert [(bar.start_ns - T0_NS) // MINUTE for bar in bars] == [-2, -1, 0, 1]
    seen = Collector(feed.events())
    await fake.send(kline(3, 0.5))
    await seen.until(lambda: bool(seen.of(Bar)))
    assert starts(seen) == [(2, False)]
    await feed.close()
    await seen.ended()
    assert seen.failure is None


async def test_the_fourth_hundredth_stream_goes_to_another_connection() -> None:
    symbols = [f"S{number}" for number in range(160)]
    assert [len(share) for share in shares(symbols, 4)] == [75, 75, 10]


async def test_a_refused_handshake_is_told_with_its_status() -> None:
    async def refuse(_request: web.Request) -> web.Response:
        return web.Response(status=403)

    app = web.Application()
    app.router.add_get("/public/", refuse)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"127.0.0.1:{runner.addresses[0][1]}"
    feed = BitunixFeed(f"http://{url}", f"ws://{url}", ["BTCUSDT"], SetClock(), QUICK)
    with pytest.raises(NotSent, match="HTTP 403"):
        await feed.connect()
    await runner.cleanup()


def pair(symbol: str = "BTCUSDT", **changes: Any) -> dict[str, Any]:
    return {
        "symbol": symbol,
        "minTradeVolume": "0.0001",
        "maxLimitOrderVolume": "200",
        "maxMarketOrderVolume": "30",
        "basePrecision": 4,
        "quotePrecision": 1,
        "symbolStatus": "OPEN",
    } | changes


async def test_contracts_become_instruments_and_fees_they_do_not_carry_are_marked_as_assumed(fake: FakeVenue) -> None:
    """FA-13."""
    fake.answers["/market/trading_pairs"] = lambda *_: [pair()]
    feed = BitunixFeed(fake.rest_url, fake.ws_url, ["BTCUSDT"], SetClock(), QUICK)
    (one,) = await feed.instruments()
    assert (one.tick, one.lot, one.min_qty, one.max_qty) == tuple(map(parse, ("0.1", "0.0001", "0.0001", "30")))
    assert (one.maker_fee, one.taker_fee, one.fee_source) == (parse("0.0005"), parse("0.001"), ASSUMED)
    await feed.close()


async def test_fees_the_venue_gives_with_its_contracts_are_used_and_named_as_its_own(fake: FakeVenue) -> None:
    fake.answers["/market/trading_pairs"] = lambda *_: [pair(makerFeeRate="0.0002", takerFeeRate="0.0006")]
    feed = BitunixFeed(fake.rest_url, fake.ws_url, ["BTCUSDT"], SetClock(), QUICK)
    (one,) = await feed.instruments()
    assert (one.maker_fee, one.taker_fee, one.fee_source) == (parse("0.0002"), parse("0.0006"), "venue")
    await feed.close()


async def test_the_listing_names_each_symbol_that_is_not_to_be_traded_and_has_the_others(fake: FakeVenue) -> None:
    """FA-10."""
    fake.answers["/market/trading_pairs"] = lambda *_: [pair(quotePrecision=0), pair("ETHUSDT", symbolStatus="STOP")]
    feed = BitunixFeed(fake.rest_url, fake.ws_url, ["BTCUSDT", "ETHUSDT", "SOLUSDT"], SetClock(), QUICK)
    listing = await feed.listing()
    await feed.close()
    coarser = listing["BTCUSDT"]
    assert isinstance(coarser, Instrument) and coarser.tick == parse("1")
    assert {symbol: type(listed) for symbol, listed in listing.items()} == {
        "BTCUSDT": Instrument,
        "ETHUSDT": VenueClosed,
        "SOLUSDT": RuleRefused,
    }
    assert str(listing["ETHUSDT"]) == "ETHUSDT is not traded: STOP"


async def test_a_venue_that_refuses_the_whole_question_for_one_symbol_is_asked_for_each(fake: FakeVenue) -> None:
    """FA-10."""

    def answer(request: web.Request, _: bytes) -> Any:
        symbols = request.query["symbols"].split(",")
        if "ETHUSDT" in symbols:
            return web.json_response({"code": 20015, "data": None, "msg": "symbol not found"})
        return [pair(symbol) for symbol in symbols]

    fake.answers["/market/trading_pairs"] = answer
    feed = BitunixFeed(fake.rest_url, fake.ws_url, ["BTCUSDT", "ETHUSDT", "SOLUSDT"], SetClock(), QUICK)
    listing = await feed.listing()
    await feed.close()
    assert [symbol for symbol, listed in listing.items() if isinstance(listed, Instrument)] == ["BTCUSDT", "SOLUSDT"]
    assert isinstance(listing["ETHUSDT"], VenueClosed)


@pytest.mark.parametrize(
    ("listed", "error"),
    [
        ([pair("ETHUSDT")], RuleRefused),
        ([pair(symbolStatus="PREVIEW")], VenueClosed),
        ([pair(isApiSupported=False)], VenueClosed),
        ([{"symbol": "BTCUSDT"}], VenueError),
        ([pair(makerFeeRate="0.02", takerFeeRate="0.06")], VenueError),  # percent where fractions should be
        ("nonsense", VenueError),
    ],
)
async def test_a_contract_that_cannot_be_traded_is_refused(
    fake: FakeVenue, listed: Any, error: type[VenueError]
) -> None:
    fake.answers["/market/trading_pairs"] = lambda *_: listed
    feed = BitunixFeed(fake.rest_url, fake.ws_url, ["BTCUSDT"], SetClock(), QUICK)
    with pytest.raises(error):
        await feed.instruments()
    await feed.close()


@asynccontextmanager
async def dripping(url: str) -> AsyncIterator[str]:
    """A way to the venue whose answers come a byte or two at a time, as if every byte were a packet of its own."""
    target = URL(url)
    lines: list[asyncio.Task[None]] = []

    async def pass_on(source: asyncio.StreamReader, sink: asyncio.StreamWriter, drip: bool) -> None:
        while data := await source.read(4096):
            for first in range(0, len(data), 2) if drip else (0,):
                sink.write(data[first : first + 2] if drip else data)
                await sink.drain()
                await asyncio.sleep(0)
        sink.close()

    async def joined(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert target.host is not None and target.port is not None
        there, back = await asyncio.open_connection(target.host, target.port)
        writer.transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        lines.append(asyncio.create_task(pass_on(reader, back, drip=False)))
        lines.append(asyncio.create_task(pass_on(there, writer, drip=True)))

    server = await asyncio.start_server(joined, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield str(target.with_port(port))
    finally:
        server.close()
        for line in lines:
            line.cancel()
        await asyncio.gather(*lines, return_exceptions=True)


async def test_frames_split_anywhere_or_run_together_are_the_same_messages(fake: FakeVenue) -> None:
    """FN-07."""
    async with dripping(fake.ws_url) as slow_url:
        fake.ws_url = slow_url
        async with running(fake) as (_, seen, _clock):
            sent = [book(ts_ns=T0_NS + n * 1_000_000) for n in range(30)]
            await fake.send(*sent)
            (connection,) = fake.sockets
            text = json.dumps(book(ts_ns=T0_NS + SECOND))
            await connection.send(text[first : first + 7] for first in range(0, len(text), 7))
            await seen.until(lambda: len(seen.of(Book)) == 31)
            times = [(found.venue_ns - T0_NS) // 1_000_000 for found in seen.of(Book)]
            assert times == [*range(30), 1000]
            assert fake.opened == 1 and not seen.of(DataRejected)


async def test_a_giant_frame_ends_its_connection_and_nothing_else(fake: FakeVenue) -> None:
    """FN-15. A small one cannot grow either: compression is not asked for."""
    async with running(fake) as (_, seen, _clock):
        await fake.send(book())
        await seen.until(lambda: bool(seen.of(Book)))
        (connection,) = fake.sockets
        assert connection.request is not None and "Sec-WebSocket-Extensions" not in connection.request.headers
        await fake.send(" " * (FRAME_BYTES_MAX + 1))
        await fake.until(lambda: fake.opened == 2 and len(fake.subscribed()) == 2 * len(FeedSettings().channels))
        assert FeedHealth.DOWN in health(seen)
        await fake.send(book(ts_ns=T0_NS + SECOND))
        await seen.until(lambda: len(seen.of(Book)) == 2)


async def test_a_name_that_does_not_resolve_proves_that_nothing_was_sent(
    fake: FakeVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FN-08."""

    async def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", unknown)
    feed = BitunixFeed(fake.rest_url, "ws://localhost:1", ["BTCUSDT"], SetClock(), QUICK)
    with pytest.raises(NotSent, match="name resolution"):
        await feed.connect()
    await feed.close()
