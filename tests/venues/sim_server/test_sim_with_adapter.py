"""The production client of the real venue against the simulated one: the same code, two URLs changed."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from engine.core.config import MINUTE, SECOND
from engine.core.events import (
    Bar,
    Book,
    BrokerNews,
    DataRejected,
    FeedEvent,
    Fill,
    FundingRate,
    GapDetected,
    OrderAccepted,
    OrderCanceled,
    OrderMissing,
    OrderRefused,
    OutcomeUnknown,
    Trade,
)
from engine.core.facts import Cancel, Query, Submit
from engine.core.words import OrderKind, ReasonCode, TimeInForce
from engine.venues.bitunix.broker import BitunixBroker, BrokerSettings
from engine.venues.bitunix.feed import BitunixFeed, FeedSettings
from engine.venues.bitunix.signing import Credentials
from engine.venues.errors import AuthFailed
from engine.venues.sim.options import SIM_KEY, SIM_SECRET
from tests.steady import PATIENCE
from tests.venues.bitunix.fakevenue import passes
from tests.venues.sim_server.caller import ORIGIN_NS, Caller, D, PlainMarket, running

SETTINGS = BrokerSettings(sweep_s=1.0, settle_s=0.2, retry_s=0.1, backoff_s=(0.05, 0.2))


@asynccontextmanager
async def feed_of(caller: Caller, settings: FeedSettings | None = None) -> AsyncIterator[BitunixFeed]:
    feed = BitunixFeed(caller.url, caller.ws, ["ACMEUSDT", "BOLTUSDT"], caller.venue.clock, settings)
    await feed.connect()
    try:
        yield feed
    finally:
        await feed.close()


@asynccontextmanager
async def broker_of(caller: Caller, secret: str = SIM_SECRET) -> AsyncIterator[BitunixBroker]:
    credentials = Credentials(SIM_KEY, secret)
    broker = BitunixBroker(caller.url, caller.ws, credentials, caller.venue.clock, settings=SETTINGS)
    await broker.connect()
    try:
        yield broker
    finally:
        await broker.close()


async def heard(feed: BitunixFeed, enough: Callable[[list[FeedEvent]], bool]) -> list[FeedEvent]:
    events: list[FeedEvent] = []
    async with asyncio.timeout(PATIENCE):
        async for group in feed.events():
            events += group
            if enough(events):
                break
    return events


async def told(broker: BitunixBroker, enough: Callable[[list[BrokerNews]], bool]) -> list[BrokerNews]:
    events: list[BrokerNews] = []
    async with asyncio.timeout(PATIENCE):
        async for group in broker.events():
            events += group
            if enough(events):
                break
    return events


def market(order_id: str, qty: str, *, reduce_only: bool = False) -> Submit:
    return Submit(order_id, "ACMEUSDT", D(qty), OrderKind.MARKET, TimeInForce.IOC, 0, reduce_only)


def limit(order_id: str, qty: str, price: str, tif: TimeInForce = TimeInForce.GTC) -> Submit:
    return Submit(order_id, "ACMEUSDT", D(qty), OrderKind.LIMIT, tif, D(price), False)


async def test_the_feed_reads_contracts_history_and_every_stream_without_a_complaint() -> None:
    async with running(speed=20, rate_per_second=10) as caller, feed_of(caller) as feed:
        acme = (await feed.instruments())[0]
        assert (acme.symbol, acme.tick, acme.lot) == ("ACMEUSDT", D("0.1"), D("0.0001"))
        bars = await feed.history("ACMEUSDT", MINUTE, 250)
        assert len(bars) == 250 and bars[-1].start_ns == ORIGIN_NS - MINUTE and bars[-1].volume == D("10")
        events = await heard(feed, lambda events: sum(isinstance(event, Bar) for event in events) >= 2)
    kinds = {type(event) for event in events}
    assert {Book, Trade, FundingRate, Bar} <= kinds
    assert not kinds & {DataRejected, GapDetected}


async def test_minutes_arrive_exact_and_without_a_hole_at_sixty_times() -> None:
    moves = [(ORIGIN_NS + second * SECOND, D("1000") + D("1") * (second % 7)) for second in range(0, 600, 3)]
    async with running(PlainMarket(moves), speed=60) as caller, feed_of(caller) as feed:
        await feed.history("ACMEUSDT", MINUTE, 10)
        events = await heard(feed, lambda events: sum(isinstance(event, Bar) for event in events) >= 12)
    bars = [event for event in events if isinstance(event, Bar) and event.symbol == "ACMEUSDT"]
    assert [bar.start_ns for bar in bars] == [ORIGIN_NS + n * MINUTE for n in range(len(bars))]
    assert {(bar.high - bar.low, bar.volume, bar.backfilled) for bar in bars} == {(D("6"), D("30"), False)}


async def test_the_feed_comes_back_after_its_connection_is_cut() -> None:
    settings = replace(FeedSettings(), backoff_s=(0.05, 0.2))
    async with running() as caller, feed_of(caller, settings) as feed:
        await heard(feed, lambda events: any(isinstance(event, Book) for event in events))
        assert caller.venue.drop_all() == 1
        events = await heard(feed, lambda events: isinstance(events[-1], Book) and len(events) > 4)
    assert events


async def test_an_order_goes_out_and_its_fills_come_back_once() -> None:
    """FV-04."""
    async with running() as caller, broker_of(caller) as broker:
        (accepted,) = await broker.submit(market("run-1-1", "3"), passes)
        assert isinstance(accepted, OrderAccepted) and accepted.venue_order_id
        events = await told(broker, lambda events: sum(e.qty for e in events if isinstance(e, Fill)) == D("3"))
        fills = [event for event in events if isinstance(event, Fill)]
        ledger = (await caller.journal())["fills"]
        assert [(fill.fill_id, fill.price) for fill in fills] == [(row["tradeId"], D(row["price"])) for row in ledger]
        assert sum(fill.fee for fill in fills) == sum(D(row["fee"]) for row in ledger)
        (position,) = await broker.positions()
        assert (position.symbol, position.qty) == ("ACMEUSDT", D("3"))


async def test_a_cancel_is_told_once_it_is_true() -> None:
    async with running() as caller, broker_of(caller) as broker:
        await broker.submit(limit("run-1-1", "1", "990"), passes)
        assert [order.client_order_id for order in await broker.open_orders()] == ["run-1-1"]
        assert await broker.cancel(Cancel("run-1-1", "ACMEUSDT")) == []
        events = await told(broker, lambda events: isinstance(events[-1], OrderCanceled))
        assert [event.reason for event in events if isinstance(event, OrderCanceled)] == ["requested"]


async def test_refusals_come_with_our_own_words() -> None:
    """FV-13."""
    async with running() as caller, broker_of(caller) as broker:
        (too_big,) = await broker.submit(market("run-1-1", "900"), passes)
        (lonely,) = await broker.submit(market("run-1-2", "-1", reduce_only=True), passes)
    assert isinstance(too_big, OrderRefused) and too_big.code == ReasonCode.MARGIN.value
    assert isinstance(lonely, OrderRefused)


async def test_a_lost_reply_is_unknown_until_the_venue_is_asked() -> None:
    async with running() as caller, broker_of(caller) as broker:
        await caller.fault(reply_lost=1)
        (unknown,) = await broker.submit(market("run-1-1", "2"), passes)
        assert isinstance(unknown, OutcomeUnknown)
        await caller.ended("run-1-1")
        events = await broker.query(Query("run-1-1", "ACMEUSDT"))
        assert sum(event.qty for event in events if isinstance(event, Fill)) == D("2")


async def test_a_lost_request_is_unknown_and_then_missing() -> None:
    async with running() as caller, broker_of(caller) as broker:
        await caller.fault(request_lost=1)
        (unknown,) = await broker.submit(market("run-1-1", "2"), passes)
        assert isinstance(unknown, OutcomeUnknown)
        (missing,) = await broker.query(Query("run-1-1", "ACMEUSDT"))
        assert isinstance(missing, OrderMissing)


async def test_sending_an_order_twice_makes_one_order() -> None:
    async with running() as caller, broker_of(caller) as broker:
        await broker.submit(market("run-1-1", "1"), passes)
        await caller.ended("run-1-1")
        again = await broker.submit(market("run-1-1", "1"), passes)
        assert not any(isinstance(event, OrderRefused) for event in again)
        assert len((await caller.journal())["fills"]) == 1


async def test_fills_arrive_without_the_private_socket() -> None:
    async with running() as caller, broker_of(caller) as broker:
        await caller.fault(refuse_sockets=True)
        caller.venue.drop_all()
        await broker.submit(market("run-1-1", "1"), passes)
        events = await told(broker, lambda events: isinstance(events[-1], Fill))
        assert len([event for event in events if isinstance(event, Fill)]) == 1


async def test_a_wrong_secret_is_refused_at_the_door() -> None:
    async with running() as caller:
        with pytest.raises(AuthFailed):
            async with broker_of(caller, "wrong"):
                pass
