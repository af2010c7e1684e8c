"""The adapter against the simulated venue, written apart from it to the same description of the wire."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from engine.core.config import MINUTE
from engine.core.events import (
    Bar,
    Book,
    DataRejected,
    FeedChanged,
    FeedHealth,
    Fill,
    FundingRate,
    OrderAccepted,
    OrderCanceled,
    OrderMissing,
    OrderRefused,
    OutcomeUnknown,
    Quote,
    Trade,
)
from engine.core.facts import Cancel, Query, Submit
from engine.core.money import parse
from engine.core.words import OrderKind, ReasonCode, TimeInForce
from engine.venues.bitunix.broker import BitunixBroker, BrokerSettings
from engine.venues.bitunix.feed import BitunixFeed, FeedSettings
from engine.venues.bitunix.seeding import seed_history
from engine.venues.bitunix.signing import Credentials
from engine.venues.errors import AuthFailed
from engine.venues.sim.options import SIM_KEY, SIM_SECRET
from tests.venues.bitunix.fakevenue import Collector, passes
from tests.venues.sim_server.caller import Caller, running

SYMBOLS = ("ACMEUSDT", "BOLTUSDT")


def order(number: int, qty: str, price: str = "", tif: TimeInForce = TimeInForce.GTC) -> Submit:
    kind = OrderKind.LIMIT if price else OrderKind.MARKET
    return Submit(f"run-{number}", "ACMEUSDT", parse(qty), kind, tif, parse(price or "0"), False)


@asynccontextmanager
async def trading(caller: Caller) -> AsyncIterator[BitunixBroker]:
    keys = Credentials(SIM_KEY, SIM_SECRET)
    settings = BrokerSettings(settle_s=0.2, retry_s=0.05)
    broker = BitunixBroker(caller.url, caller.ws, keys, caller.venue.clock, settings=settings)
    await broker.connect()
    yield broker
    await broker.close()


async def test_live_minutes_follow_history_without_hole_or_overlap_also_across_a_lost_connection() -> None:
    async with running(speed=120) as caller:
        feed = BitunixFeed(caller.url, caller.ws, SYMBOLS, caller.venue.clock, FeedSettings(backoff_s=(0.01, 0.1)))
        assert {one.symbol: one.tick for one in await feed.instruments()} == {
            "ACMEUSDT": parse("0.1"),
            "BOLTUSDT": parse("0.01"),
        }
        await feed.connect()
        seeds = {s: await seed_history(feed, s, MINUTE, 250, lambda _: None) for s in SYMBOLS}
        seen = Collector(feed.events())
        await seen.until(lambda: len(seen.of(Bar)) >= 4)
        caller.venue.drop_all()
        await seen.until(lambda: len(seen.of(Bar)) >= 10)
        await feed.close()
        await seen.ended()
        for symbol, seed in seeds.items():
            starts = [bar.start_ns for bar in (*seed.bars, *seen.of(Bar)) if bar.symbol == symbol]
            assert starts == list(range(starts[0], starts[-1] + MINUTE, MINUTE))
        assert len(seeds["ACMEUSDT"].bars) == 250
        assert seen.of(Book) and seen.of(Trade) and seen.of(FundingRate) and not seen.of(DataRejected)
        health = [change.health for change in seen.of(FeedChanged) if not change.symbol]
        assert health == [FeedHealth.LIVE, FeedHealth.DOWN, FeedHealth.LIVE]


async def test_every_other_channel_is_understood_too() -> None:
    async with running() as caller:
        channels = ("depth_book1", "depth_book15", "ticker", "tickers", "mark_kline_1min", "market_kline_5min")
        feed = BitunixFeed(caller.url, caller.ws, SYMBOLS, caller.venue.clock, FeedSettings(channels=channels))
        await feed.connect()
        seen = Collector(feed.events())
        await seen.until(lambda: len(seen.of(Quote)) >= 6 and len(seen.of(Book)) >= 6)
        await feed.close()
        await seen.ended()
        assert not seen.of(DataRejected)


async def test_a_market_order_fills_and_a_resting_one_is_cancelled() -> None:
    async with running() as caller, trading(caller) as broker:
        seen = Collector(broker.events())
        assert isinstance((await broker.submit(order(1, "1"), passes))[0], OrderAccepted)
        assert isinstance((await broker.submit(order(2, "-1", "1010"), passes))[0], OrderAccepted)
        await seen.until(lambda: bool(seen.of(Fill)))
        assert [(one.symbol, one.qty) for one in await broker.positions()] == [("ACMEUSDT", parse("1"))]
        assert [(one.client_order_id, one.qty) for one in await broker.open_orders()] == [("run-2", -parse("1"))]
        await broker.cancel(Cancel("run-2", "ACMEUSDT"))
        await seen.until(lambda: bool(seen.of(OrderCanceled)))
        assert seen.of(OrderCanceled)[0].reason == "requested"
        assert len(seen.of(Fill)) == 1 and seen.of(Fill)[0].fee > 0


async def test_a_post_only_order_that_would_take_is_cancelled_as_such() -> None:
    async with running() as caller, trading(caller) as broker:
        seen = Collector(broker.events())
        await broker.submit(order(1, "1", "1010", TimeInForce.POST_ONLY), passes)
        await seen.until(lambda: bool(seen.of(OrderCanceled)))
        assert seen.of(OrderCanceled)[0].reason == "post_only"


async def test_lost_requests_and_lost_replies_are_told_apart_by_asking() -> None:
    async with running() as caller, trading(caller) as broker:
        for number, fault, evidence in ((1, "reply_lost", OrderAccepted), (2, "request_lost", OrderMissing)):
            await caller.fault(**{fault: 1})
            (unknown,) = await broker.submit(order(number, "1"), passes)
            assert isinstance(unknown, OutcomeUnknown)
            events = await broker.query(Query(f"run-{number}", "ACMEUSDT"))
            assert isinstance(events[0], evidence)


async def test_a_duplicate_is_the_same_order_and_a_refusal_has_its_reason() -> None:
    """FV-14."""
    async with running() as caller, trading(caller) as broker:
        (first,) = await broker.submit(order(1, "1", "990"), passes)
        again = await broker.submit(order(1, "1", "990"), passes)
        assert isinstance(first, OrderAccepted) and isinstance(again[0], OrderAccepted)
        assert again[0].venue_order_id == first.venue_order_id
        await caller.fault(reject_next=1, reject_code=20003)
        (refused,) = await broker.submit(order(2, "1"), passes)
        assert isinstance(refused, OrderRefused) and refused.code == ReasonCode.MARGIN.value


async def test_fills_made_while_the_socket_was_down_are_found() -> None:
    async with running() as caller, trading(caller) as broker:
        caller.venue.drop_all()
        await broker.submit(order(1, "1"), passes)
        seen = Collector(broker.events())
        await seen.until(lambda: bool(seen.of(Fill)))


async def test_a_wrong_secret_is_refused_by_name() -> None:
    async with running() as caller:
        broker = BitunixBroker(caller.url, caller.ws, Credentials(SIM_KEY, "wrong"), caller.venue.clock)
        problem = (await asyncio.gather(broker.connect(), return_exceptions=True))[0]
        assert isinstance(problem, AuthFailed)
