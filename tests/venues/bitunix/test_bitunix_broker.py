"""The venue's own broker: what is definite becomes its event, what is not stays unknown, nothing is sent twice."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

from engine.core.events import (
    BookOrder,
    BookPosition,
    BrokerReconnected,
    CancelRefused,
    Fill,
    OrderAccepted,
    OrderCanceled,
    OrderExpired,
    OrderMissing,
    OrderRefused,
    OutcomeUnknown,
    Role,
)
from engine.core.facts import Cancel, Query, Submit
from engine.core.money import parse
from engine.core.words import OrderKind, ReasonCode, TimeInForce
from engine.session.gate import Gate
from engine.venues.bitunix.broker import BitunixBroker, BrokerSettings, VenueAccount
from engine.venues.bitunix.orders import ORDERS_KEPT, Orders, order_body
from engine.venues.bitunix.rest import LiveForbidden, LiveToken
from engine.venues.bitunix.signing import Credentials, sign
from engine.venues.errors import AuthFailed, HeldBack, RuleRefused, VenueGone
from tests.venues.bitunix.fakevenue import MS, T0_NS, Collector, FakeVenue, SetClock, passes, venue

KEYS = Credentials("key", "secret")
QUICK = BrokerSettings(timeout_s=0.8, settle_s=0.05, sweep_s=60.0, retry_s=0.01, backoff_s=(0.01, 0.05), window_s=5.0)
BUY = Submit("run-1-1", "BTCUSDT", parse("0.5"), OrderKind.LIMIT, TimeInForce.POST_ONLY, parse("100.5"), False)
ASK = Query("run-1-1", "BTCUSDT")
STOP = Cancel("run-1-1", "BTCUSDT")


class Books:
    """The venue's side of the orders, served by a fake venue."""

    def __init__(self, fake: FakeVenue) -> None:
        self.fake = fake
        self.orders: dict[str, dict[str, Any]] = {}
        self.trades: list[dict[str, Any]] = []
        self.mode = "ONE_WAY"
        fake.answers |= {
            "/account": lambda *_: {
                "available": "900.5",
                "frozen": "10",
                "margin": "20",
                "positionMode": self.mode,
                "crossUnrealizedPNL": "-1.25",
                "isolationUnrealizedPNL": "0",
            },
            "/trade/place_order": self.place,
            "/trade/cancel_orders": self.cancel,
            "/trade/get_order_detail": self.detail,
            "/trade/get_pending_orders": lambda *_: {"orderList": [], "total": 0},
            "/trade/get_history_orders": lambda *_: {"orderList": [], "total": 0},
            "/trade/get_history_trades": self.history_trades,
        }

    def place(self, _request: web.Request, body: bytes) -> Any:
        asked = json.loads(body)
        if asked["clientId"] in self.orders:
            return refusal(30042)
        self.put(asked["clientId"], qty=asked["qty"], side=asked["side"], effect=asked.get("effect"))
        return {"orderId": "9" + asked["clientId"], "clientId": asked["clientId"]}

    def put(self, client_id: str, **fields: Any) -> None:
        """Put an order on the books, or change it."""
        fresh = {
            "orderId": "9" + client_id,
            "clientId": client_id,
            "symbol": "BTCUSDT",
            "side": "BUY",
            "qty": "0.5",
            "tradeQty": "0",
            "status": "NEW",
            "effect": "GTC",
            "price": "market",
            "ctime": T0_NS // MS,
        }
        self.orders[client_id] = self.orders.get(client_id, fresh) | fields

    def fill(self, client_id: str, trade_id: str, qty: str, **fields: str) -> None:
        self.trades.append(
            {
                "tradeId": trade_id,
                "orderId": "9" + client_id,
                "symbol": "BTCUSDT",
                "qty": qty,
                "price": "100.5",
                "side": "BUY",
                "fee": "0.0251250001",
                "roleType": "MAKER",
                "clientId": None,
                "effect": None,
                "ctime": str(T0_NS // MS),
            }
            | fields
        )

    def cancel(self, _request: web.Request, body: bytes) -> Any:
        client_id = json.loads(body)["orderList"][0]["clientId"]
        order = self.orders.get(client_id)
        if order is None or order["status"] != "NEW":
            failure = {"orderId": "", "clientId": client_id, "errorMsg": "Order not found", "errorCode": "20007"}
            return {"successList": [], "failureList": [failure]}
        order["status"] = "CANCELED"
        return {"successList": [{"orderId": order["orderId"], "clientId": client_id}], "failureList": []}

    def detail(self, request: web.Request, _body: bytes) -> Any:
        return self.orders.get(request.query["clientId"]) or refusal(20007)

    def history_trades(self, request: web.Request, _body: bytes) -> Any:
        found = [trade for trade in self.trades if trade["orderId"] == request.query["orderId"]][::-1]
        skip, limit = int(request.query["skip"]), int(request.query["limit"])
        return {"tradeList": found[skip : skip + limit], "total": len(found)}

    async def push(self, client_id: str) -> None:
        """The hint that an order changed."""
        order = self.orders[client_id]
        data = {"event": "UPDATE", "orderId": order["orderId"], "clientId": client_id, "orderStatus": order["status"]}
        await self.fake.send({"ch": "order", "ts": T0_NS // MS, "data": data})

    def posts(self, path: str) -> int:
        return self.fake.calls.count(("POST", path))


def refusal(code: int) -> web.Response:
    return web.json_response({"code": code, "data": None, "msg": "refused"})


@pytest.fixture
async def books() -> AsyncIterator[Books]:
    async with venue() as fake:
        yield Books(fake)


@pytest.fixture
async def broker(books: Books) -> AsyncIterator[BitunixBroker]:
    async with made(books) as one:
        yield one


@asynccontextmanager
async def made(books: Books, settings: BrokerSettings = QUICK) -> AsyncIterator[BitunixBroker]:
    """A connected broker, its login sent."""
    broker = BitunixBroker(books.fake.rest_url, books.fake.ws_url, KEYS, SetClock(), settings=settings)
    await broker.connect()
    await books.fake.until(lambda: [message["op"] for message in books.fake.said] == ["login", "subscribe"])
    yield broker
    await broker.close()


def fill(trade_id: str, qty: str, role: Role = Role.MAKER) -> Fill:
    return Fill(
        fill_id=trade_id,
        client_order_id="run-1-1",
        symbol="BTCUSDT",
        at_ns=T0_NS,
        venue_ns=T0_NS,
        qty=parse(qty),
        price=parse("100.5"),
        fee=parse("0.025125"),
        role=role,
        fee_source="venue",
    )


ACCEPTED = OrderAccepted("run-1-1", T0_NS, "9run-1-1")


# --- what may be made at all ---


@pytest.mark.parametrize(
    ("rest_url", "ws_url"),
    [
        ("https://fapi.bitunix.com", "ws://127.0.0.1:1"),
        ("http://127.0.0.1:1", "wss://fapi.bitunix.com"),
        ("https://fapi.bitunix.com", "wss://fapi.bitunix.com"),
    ],
)
def test_without_the_live_token_no_broker_for_another_host_can_be_made(rest_url: str, ws_url: str) -> None:
    with pytest.raises(LiveForbidden):
        BitunixBroker(rest_url, ws_url, KEYS, SetClock())


async def test_with_the_live_token_it_can() -> None:
    live = LiveToken("account", "run")
    BitunixBroker("https://fapi.bitunix.com", "wss://fapi.bitunix.com", KEYS, SetClock(), live=live)


async def test_an_account_in_hedge_mode_is_refused(books: Books) -> None:
    books.mode = "HEDGE"
    broker = BitunixBroker(books.fake.rest_url, books.fake.ws_url, KEYS, SetClock(), settings=QUICK)
    with pytest.raises(RuleRefused, match="HEDGE"):
        await broker.connect()
    assert not books.fake.opened


async def test_it_logs_in_by_signature_and_subscribes(books: Books, broker: BitunixBroker) -> None:
    login, subscribe = books.fake.said
    (args,) = login["args"]
    assert args["sign"] == sign(KEYS, args["nonce"], args["timestamp"]).sign
    assert {"ch": "order"} in subscribe["args"]
    assert books.fake.sockets[0].request is not None
    assert books.fake.sockets[0].request.path == "/private/"


async def test_a_refused_login_ends_the_events(books: Books) -> None:
    async with made(books) as broker:
        seen = Collector(broker.events())
        await books.fake.send({"op": "login", "data": {"result": False, "msg": "no"}})
        await seen.ended()
        assert isinstance(seen.failure, AuthFailed)


# --- submit ---


def test_the_body_of_an_order_says_side_and_size_apart() -> None:
    assert order_body(BUY) == {
        "symbol": "BTCUSDT",
        "qty": "0.5",
        "side": "BUY",
        "orderType": "LIMIT",
        "clientId": "run-1-1",
        "reduceOnly": False,
        "price": "100.5",
        "effect": "POST_ONLY",
    }
    close = Submit("run-1-2", "BTCUSDT", -parse("0.5"), OrderKind.MARKET, TimeInForce.IOC, 0, True)
    body = order_body(close)
    assert (body["side"], body["reduceOnly"], "price" in body) == ("SELL", True, False)


async def test_a_placed_order_is_accepted(books: Books, broker: BitunixBroker) -> None:
    assert await broker.submit(BUY, passes) == [ACCEPTED]
    assert books.posts("/trade/place_order") == 1


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (20003, ReasonCode.MARGIN),
        (30013, ReasonCode.VENUE_REFUSED),
        (20015, ReasonCode.SYMBOL_NOT_ALLOWED),
        (10005, ReasonCode.RATE_LIMIT),
        (10007, ReasonCode.VENUE_REFUSED),
    ],
)
async def test_a_definite_no_is_a_refusal(books: Books, broker: BitunixBroker, code: int, reason: ReasonCode) -> None:
    books.fake.answers["/trade/place_order"] = lambda *_: refusal(code)
    (event,) = await broker.submit(BUY, passes)
    assert isinstance(event, OrderRefused)
    assert event.code == reason.value
    assert str(code) in event.text


async def test_an_order_that_waits_for_its_turn_is_held_back_if_the_gate_has_closed(
    books: Books, broker: BitunixBroker
) -> None:
    gate = Gate()
    gate.follow(blocked=False)
    pace = broker._rest._pace("/trade/place_order")
    for _ in range(pace.calls):
        await pace.take()
    waiting = asyncio.create_task(broker.submit(BUY, gate.passes))
    await asyncio.sleep(0)
    assert not waiting.done()
    gate.slam()
    with pytest.raises(HeldBack):
        await waiting
    assert books.posts("/trade/place_order") == 0
    assert await broker.query(ASK) == [OrderMissing("run-1-1", broker._clock.now_ns())]


async def _hang(*_: Any) -> None:
    await asyncio.sleep(60)


def _reset(request: web.Request, _body: bytes) -> None:
    assert request.transport is not None
    request.transport.abort()


@pytest.mark.parametrize(
    "answer",
    [
        _hang,
        _reset,
        lambda *_: web.Response(status=500),
        lambda *_: web.Response(status=504),
        lambda *_: refusal(1),
        lambda *_: refusal(10001),
        lambda *_: refusal(424242),
        lambda *_: web.Response(text="<html>"),
        lambda *_: {"strange": True},
    ],
    ids=["hang", "reset", "500", "504", "code 1", "code 10001", "unknown code", "no json", "odd data"],
)
async def test_anything_else_is_unknown_and_not_sent_again(books: Books, broker: BitunixBroker, answer: Any) -> None:
    """FN-02."""
    books.fake.answers["/trade/place_order"] = answer
    (event,) = await broker.submit(BUY, passes)
    assert isinstance(event, OutcomeUnknown)
    assert books.posts("/trade/place_order") == 1


async def test_a_venue_that_is_not_there_is_a_definite_no() -> None:
    async with venue() as fake:
        broker = BitunixBroker(fake.rest_url, fake.ws_url, KEYS, SetClock(), settings=QUICK)
    (event,) = await broker.submit(BUY, passes)
    assert isinstance(event, OrderRefused)
    await broker.close()


async def test_an_order_whose_reply_was_lost_is_found_by_its_own_id(books: Books, broker: BitunixBroker) -> None:
    """FN-03."""

    def lost(request: web.Request, body: bytes) -> None:
        books.place(request, body)
        _reset(request, body)

    books.fake.answers["/trade/place_order"] = lost
    (unknown,) = await broker.submit(BUY, passes)
    assert isinstance(unknown, OutcomeUnknown)
    assert await broker.query(ASK) == [ACCEPTED]


async def test_an_order_that_never_arrived_is_missing_only_when_it_can_no_longer_arrive(books: Books) -> None:
    """FV-24."""
    async with made(books, replace(QUICK, settle_s=0.4)) as broker:
        books.fake.answers["/trade/place_order"] = _reset
        await broker.submit(BUY, passes)
        began_s = asyncio.get_running_loop().time()
        assert await broker.query(ASK) == [OrderMissing("run-1-1", T0_NS)]
        assert asyncio.get_running_loop().time() - began_s >= 0.4


async def test_an_order_that_arrives_after_it_was_told_to_be_missing_is_still_found(books: Books) -> None:
    """FV-24."""
    async with made(books, replace(QUICK, sweep_s=0.08)) as broker:
        seen = Collector(broker.events())
        books.fake.answers["/trade/place_order"] = _reset
        await broker.submit(BUY, passes)
        assert await broker.query(ASK) == [OrderMissing("run-1-1", T0_NS)]
        books.put("run-1-1", status="FILLED", tradeQty="0.5")
        books.fill("run-1-1", "t1", "0.5")
        await seen.until(lambda: seen.all == [ACCEPTED, fill("t1", "0.5")])
        await seen.stop()


async def test_an_order_is_no_longer_looked_for_when_no_request_can_still_be_taken_in(books: Books) -> None:
    async with made(books, replace(QUICK, sweep_s=0.04, late_s=0.1)) as broker:
        books.fake.answers["/trade/place_order"] = _reset
        await broker.submit(BUY, passes)
        await broker.query(ASK)
        await asyncio.sleep(0.3)
        looks = len(books.fake.calls)
        await asyncio.sleep(0.1)
        assert len(books.fake.calls) == looks


@pytest.mark.parametrize("is_accepted", [True, False])
async def test_an_order_nobody_asks_about_is_not_looked_for_for_ever(books: Books, is_accepted: bool) -> None:
    async with made(books, replace(QUICK, sweep_s=0.04, late_s=0.1)) as broker:
        told = Collector(broker.events())
        if is_accepted:
            await broker.submit(BUY, passes)
            books.orders.clear()
        else:
            books.fake.answers["/trade/cancel_orders"] = _reset
            await broker.cancel(STOP)
        async with asyncio.timeout(10):
            while list(broker._orders.open()):  # noqa: ASYNC110 - nothing tells that it was given up
                await asyncio.sleep(0.01)
        assert ("GET", "/trade/get_history_orders") in books.fake.calls
        assert len(told.of(OutcomeUnknown)) == is_accepted
        await told.stop()


async def test_an_order_that_arrives_late_is_found_by_the_second_look(books: Books) -> None:
    async with made(books, replace(QUICK, settle_s=0.3)) as broker:
        books.fake.answers["/trade/place_order"] = _reset
        await broker.submit(BUY, passes)
        asking = asyncio.create_task(broker.query(ASK))
        await books.fake.until(lambda: ("GET", "/trade/get_history_orders") in books.fake.calls)
        books.put("run-1-1")
        assert await asking == [ACCEPTED]


async def test_a_duplicate_id_is_answered_with_what_the_venue_has(books: Books, broker: BitunixBroker) -> None:
    """FV-14."""
    await broker.submit(BUY, passes)
    books.put("run-1-1", status="PART_FILLED", tradeQty="0.2")
    books.fill("run-1-1", "t1", "0.2")
    assert await broker.submit(BUY, passes) == [ACCEPTED, fill("t1", "0.2")]


# --- query ---


async def test_a_query_tells_the_state_and_all_fills_in_order(books: Books, broker: BitunixBroker) -> None:
    books.put("run-1-1", status="FILLED", tradeQty="0.5")
    books.fill("run-1-1", "t2", "0.3", roleType="TAKER", ctime=str(T0_NS // MS + 1))
    books.fill("run-1-1", "t1", "0.2")
    first = await broker.query(ASK)
    assert first[:2] == [ACCEPTED, fill("t1", "0.2")]
    assert isinstance(first[2], Fill) and first[2].role is Role.TAKER
    assert await broker.query(ASK) == first


async def test_more_fills_than_a_page_holds_are_all_told(books: Books, broker: BitunixBroker) -> None:
    books.put("run-1-1", status="FILLED", tradeQty="0.5")
    for number in range(250):
        books.fill("run-1-1", f"t{number:03}", "0.002")
    fills = [event for event in await broker.query(ASK) if isinstance(event, Fill)]
    assert len({one.fill_id for one in fills}) == 250
    assert sum(one.qty for one in fills) == parse("0.5")


@pytest.mark.parametrize(
    ("status", "end"),
    [
        ("CANCELED", OrderCanceled("run-1-1", T0_NS, "venue")),
        ("SYSTEM_CANCELED", OrderCanceled("run-1-1", T0_NS, "venue")),
        ("EXPIRED", OrderExpired("run-1-1", T0_NS)),
    ],
)
async def test_every_end_has_its_event(books: Books, broker: BitunixBroker, status: str, end: object) -> None:
    books.put("run-1-1", status=status)
    assert await broker.query(ASK) == [ACCEPTED, end]


async def test_an_order_the_venue_would_not_rest_was_post_only(books: Books, broker: BitunixBroker) -> None:
    books.put("run-1-1", status="CANCELED", effect="POST_ONLY")
    assert (await broker.query(ASK))[-1] == OrderCanceled("run-1-1", T0_NS, "post_only")


async def test_a_status_nobody_knows_stays_unknown_but_its_fills_are_told(books: Books, broker: BitunixBroker) -> None:
    """FV-20."""
    books.put("run-1-1", status="PARTIALLY_FILLED", tradeQty="0.2")
    books.fill("run-1-1", "t1", "0.2")
    told, unknown = await broker.query(ASK)
    assert told == fill("t1", "0.2")
    assert isinstance(unknown, OutcomeUnknown) and "PARTIALLY_FILLED" in unknown.text


async def test_an_order_in_history_but_not_in_detail_is_not_missing(books: Books, broker: BitunixBroker) -> None:
    """FV-07."""
    books.put("run-1-1", status="CANCELED")
    old = books.orders.pop("run-1-1")
    books.fake.answers["/trade/get_history_orders"] = lambda *_: {"orderList": [old], "total": 1}
    assert isinstance((await broker.query(ASK))[-1], OrderCanceled)


async def test_a_venue_that_does_not_answer_leaves_it_unknown(books: Books, broker: BitunixBroker) -> None:
    books.fake.answers["/trade/get_order_detail"] = lambda *_: web.Response(status=502)
    (event,) = await broker.query(ASK)
    assert isinstance(event, OutcomeUnknown)


# --- cancel ---


async def test_a_cancel_that_is_taken_ends_the_order_through_the_events(books: Books, broker: BitunixBroker) -> None:
    await broker.submit(BUY, passes)
    seen = Collector(broker.events())
    assert await broker.cancel(STOP) == []
    await seen.until(lambda: seen.all == [OrderCanceled("run-1-1", T0_NS, "requested")])
    await seen.stop()


async def test_a_cancel_of_an_order_that_has_filled_tells_the_fills(books: Books, broker: BitunixBroker) -> None:
    """FV-07."""
    await broker.submit(BUY, passes)
    books.put("run-1-1", status="FILLED", tradeQty="0.5")
    books.fill("run-1-1", "t1", "0.5")
    assert await broker.cancel(STOP) == [ACCEPTED, fill("t1", "0.5")]


async def test_a_cancel_of_an_order_the_venue_never_had_is_missing(books: Books, broker: BitunixBroker) -> None:
    assert await broker.cancel(STOP) == [OrderMissing("run-1-1", T0_NS)]


async def test_a_cancel_refused_while_the_order_works_is_said(books: Books, broker: BitunixBroker) -> None:
    await broker.submit(BUY, passes)
    failure = {"orderId": "", "clientId": "run-1-1", "errorMsg": "Order not found", "errorCode": "10001"}
    books.fake.answers["/trade/cancel_orders"] = lambda *_: {"successList": [], "failureList": [failure]}
    accepted, refused = await broker.cancel(STOP)
    assert accepted == ACCEPTED
    assert isinstance(refused, CancelRefused)


@pytest.mark.parametrize(("answer", "kind"), [(_reset, OutcomeUnknown), (lambda *_: refusal(10005), CancelRefused)])
async def test_a_cancel_without_an_answer_is_unknown_and_a_definite_no_is_refused(
    books: Books, broker: BitunixBroker, answer: Any, kind: type
) -> None:
    await broker.submit(BUY, passes)
    books.fake.answers["/trade/cancel_orders"] = answer
    (event,) = await broker.cancel(STOP)
    assert isinstance(event, kind)
    assert books.posts("/trade/cancel_orders") == 1


# --- events ---


async def test_a_push_brings_the_fills_once_each(books: Books, broker: BitunixBroker) -> None:
    """FN-06."""
    await broker.submit(BUY, passes)
    seen = Collector(broker.events())
    books.put("run-1-1", status="PART_FILLED", tradeQty="0.2")
    books.fill("run-1-1", "t1", "0.2")
    await books.push("run-1-1")
    await seen.until(lambda: seen.all == [fill("t1", "0.2")])
    books.put("run-1-1", status="FILLED", tradeQty="0.5")
    books.fill("run-1-1", "t2", "0.3")
    for _ in range(3):
        await books.push("run-1-1")
    await seen.until(lambda: len(seen.all) == 2)
    assert seen.all == [fill("t1", "0.2"), fill("t2", "0.3")]
    await seen.stop()


async def test_ids_beyond_what_a_float_can_count_stay_apart(books: Books, broker: BitunixBroker) -> None:
    """FV-23. Also where the venue sends them as bare numbers: as floats these two fills would be one."""
    await broker.submit(BUY, passes)
    seen = Collector(broker.events())
    books.put("run-1-1", status="FILLED", tradeQty="0.5")
    for number, qty in ((2**53, "0.2"), (2**53 + 1, "0.3")):
        books.fill("run-1-1", str(number), qty)
        books.trades[-1]["tradeId"] = number
    await books.push("run-1-1")
    await seen.until(lambda: len(seen.all) == 2)
    assert seen.all == [fill("9007199254740992", "0.2"), fill("9007199254740993", "0.3")]
    await seen.stop()


async def test_a_push_of_somebody_elses_order_is_not_ours(books: Books, broker: BitunixBroker) -> None:
    books.put("other")
    await books.push("other")
    await books.fake.settled()
    assert ("GET", "/trade/get_order_detail") not in books.fake.calls


async def test_an_end_is_told_only_after_the_fills_it_speaks_of(books: Books) -> None:
    async with made(books, replace(QUICK, sweep_s=0.1)) as broker:
        await broker.submit(BUY, passes)
        seen = Collector(broker.events())
        books.put("run-1-1", status="PART_FILLED_CANCELED", tradeQty="0.2")  # its fill is not in the history yet
        await books.push("run-1-1")
        await books.fake.until(lambda: ("GET", "/trade/get_history_trades") in books.fake.calls)
        books.fill("run-1-1", "t1", "0.2")
        await seen.until(lambda: len(seen.all) == 2)
        assert seen.all == [fill("t1", "0.2"), OrderCanceled("run-1-1", T0_NS, "venue")]
        await seen.stop()


async def test_a_fill_after_the_end_is_still_told(books: Books, broker: BitunixBroker) -> None:
    await broker.submit(BUY, passes)
    seen = Collector(broker.events())
    books.put("run-1-1", status="CANCELED")
    await books.push("run-1-1")
    await seen.until(lambda: len(seen.all) == 1)
    books.put("run-1-1", tradeQty="0.1")
    books.fill("run-1-1", "late", "0.1")
    await books.push("run-1-1")
    await seen.until(lambda: seen.all[-1] == fill("late", "0.1"))
    await seen.stop()


async def test_what_happened_while_the_socket_was_down_is_found_after_the_reconnect(
    books: Books, broker: BitunixBroker
) -> None:
    """FV-05, FV-16."""
    await broker.submit(BUY, passes)
    seen = Collector(broker.events())
    books.put("run-1-1", status="FILLED", tradeQty="0.5")
    books.fill("run-1-1", "t1", "0.5")
    books.fake.cut()
    await seen.until(lambda: seen.all == [BrokerReconnected(T0_NS), fill("t1", "0.5")])
    assert [message["op"] for message in books.fake.said].count("login") == 2
    await seen.stop()


async def test_a_lost_push_is_made_good_by_the_sweep(books: Books) -> None:
    """FV-05."""
    async with made(books, replace(QUICK, sweep_s=0.05)) as broker:
        await broker.submit(BUY, passes)
        seen = Collector(broker.events())
        books.put("run-1-1", status="FILLED", tradeQty="0.5")
        books.fill("run-1-1", "t1", "0.5")
        await seen.until(lambda: seen.all == [fill("t1", "0.5")])
        await seen.stop()


async def test_an_accepted_order_the_venue_has_forgotten_becomes_unknown(books: Books, broker: BitunixBroker) -> None:
    """FV-09."""
    await broker.submit(BUY, passes)
    seen = Collector(broker.events())
    await books.push("run-1-1")
    books.orders.clear()
    await seen.until(lambda: bool(seen.all))
    assert isinstance(seen.all[0], OutcomeUnknown)
    assert await broker.query(ASK) == [OrderMissing("run-1-1", T0_NS)]
    await seen.stop()


async def test_a_venue_that_stays_away_ends_the_events(books: Books) -> None:
    async with made(books, replace(QUICK, window_s=0.2)) as broker:
        seen = Collector(broker.events())
        books.fake.greets = False
        books.fake.on_message = lambda connection, _: connection.transport.abort()
        books.fake.cut()
        await seen.ended()
        assert isinstance(seen.failure, VenueGone)


async def test_private_damage_is_reported_and_harmless(books: Books) -> None:
    said: list[Any] = []
    fake = books.fake
    broker = BitunixBroker(fake.rest_url, fake.ws_url, KEYS, SetClock(), settings=QUICK, on_rejected=said.append)
    await broker.connect()
    await fake.until(lambda: len(fake.said) == 2)
    await fake.send("{", '{"ch":"order","data":7}', '{"ch":"order","data":[{"orderId":1}]}', '{"ch":"balance"}')
    await fake.settled()
    await broker.submit(BUY, passes)
    assert len(said) == 2
    await broker.close()


# --- reads for reconciliation ---


async def test_account_positions_and_working_orders_are_read(books: Books, broker: BitunixBroker) -> None:
    position = {"positionId": 1, "symbol": "BTCUSDT", "qty": "0.5", "side": "SHORT", "avgOpenPrice": "100.5"}
    books.fake.answers["/position/get_pending_positions"] = lambda *_: [position, position | {"side": "BUY"}]
    books.put("run-1-1", side="SELL", tradeQty="0.1", status="PART_FILLED")
    books.fake.answers["/trade/get_pending_orders"] = lambda *_: {"orderList": list(books.orders.values()), "total": 1}
    assert await broker.account() == VenueAccount(parse("900.5"), parse("10"), parse("20"), parse("-1.25"))
    told = await broker.balance()
    assert (told.free_margin, told.equity, told.source) == (parse("900.5"), parse("930.5"), "bitunix")
    assert await broker.positions() == [
        BookPosition("BTCUSDT", -parse("0.5"), parse("100.5")),
        BookPosition("BTCUSDT", parse("0.5"), parse("100.5")),
    ]
    assert await broker.open_orders() == [
        BookOrder("run-1-1", "9run-1-1", "BTCUSDT", -parse("0.5"), -parse("0.1")),
    ]


def test_ended_orders_are_forgotten_past_a_bound_and_working_ones_never() -> None:
    orders = Orders()
    for number in range(ORDERS_KEPT + 10):
        orders.track(f"o{number}", "BTCUSDT").ended = number >= 5
    assert sum(1 for _ in orders.open()) == 5
    assert orders.find("o0", "") is not None
    assert orders.find("o5", "") is None
