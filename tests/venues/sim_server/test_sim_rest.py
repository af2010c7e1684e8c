"""REST over real loopback connections: market calls, signatures, errors, orders from placing to their fills."""

import asyncio
import json
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import pytest
from websockets.exceptions import WebSocketException

from engine.core.config import SECOND
from engine.core.events import FundingRate
from engine.venues.sim.signing import signature
from tests.steady import PATIENCE
from tests.venues.sim_server.caller import ORIGIN_NS, Caller, D, PlainMarket, frames, running


def test_the_vendors_published_signature_comes_out() -> None:
    sign = signature("2" * 17, "1" * 17, "3" * 17, "1747104711262", [("marginCoin", "USDT")], b"")
    assert (sign[:8], sign[-4:]) == ("40e87256", "f922")


def test_query_parameters_are_glued_in_order_of_their_names() -> None:
    one = signature("s", "k", "n", "1", [("b", "2"), ("a", "1")], b"")
    assert one == signature("s", "k", "n", "1", [("a", "1"), ("b", "2")], b"")
    assert one != signature("s", "k", "n", "1", [("a", "1"), ("b", "2")], b"{}")


# --- the market ---


async def test_contracts_are_listed_with_their_steps(caller: Caller) -> None:
    reply = await caller.get("/market/trading_pairs")
    assert (reply["code"], reply["msg"]) == (0, "Success")
    acme = reply["data"][0]
    assert (acme["symbol"], acme["base"], acme["quote"]) == ("ACMEUSDT", "ACME", "USDT")
    assert (acme["basePrecision"], acme["quotePrecision"], acme["minTradeVolume"]) == (4, 1, "0.0001")
    assert acme["symbolStatus"] == "OPEN" and acme["isApiSupported"] is True


async def test_candles_come_newest_first_with_the_open_one_and_their_volumes_swapped(caller: Caller) -> None:
    rows = (await caller.get("/market/kline", symbol="ACMEUSDT", interval="1m", limit="3"))["data"]
    times = [int(row["time"]) for row in rows]
    assert times == sorted(times, reverse=True) and len(rows) == 3
    assert times[0] == ORIGIN_NS // 60_000_000_000 * 60_000
    closed = rows[1]
    assert closed["quoteVol"] == "10" and float(closed["baseVol"]) == pytest.approx(10 * 1000, rel=0.01)


async def test_candles_keep_to_their_bounds_and_to_200(caller: Caller) -> None:
    query = {"symbol": "ACMEUSDT", "interval": "5m", "limit": "1000"}
    assert len((await caller.get("/market/kline", query))["data"]) == 200
    end = ORIGIN_NS // 300_000_000_000 * 300_000 - 600_000
    rows = (await caller.get("/market/kline", query, startTime=str(end - 300_000), endTime=str(end)))["data"]
    assert [int(row["time"]) for row in rows] == [end, end - 300_000]


async def test_book_tickers_and_funding_are_read(caller: Caller) -> None:
    book = (await caller.get("/market/depth", symbol="acmeusdt", limit="5"))["data"]
    assert (book["bids"][0], book["asks"][0], len(book["bids"])) == (["999.5", "2"], ["1000.5", "2"], 5)
    for _ in range(500):  # the day before the start is remembered bit by bit
        (ticker,) = (await caller.get("/market/tickers", symbols="BOLTUSDT"))["data"]
        if ticker["high"] == "52":
            break
    assert (ticker["lastPrice"], ticker["high"], ticker["low"]) == ("50.5", "52", "49")
    rate = (await caller.get("/market/funding_rate", symbol="ACMEUSDT"))["data"]
    assert (rate["fundingRate"], rate["fundingInterval"]) == ("0.01", 8)  # percent
    assert rate["nextFundingTime"] == str((ORIGIN_NS + 3600 * SECOND) // 1_000_000)
    assert len((await caller.get("/market/funding_rate/batch"))["data"]) == 2


@pytest.mark.parametrize(
    ("path", "query", "code"),
    [
        ("/market/depth", {"symbol": "NOPEUSDT"}, 20015),
        ("/market/depth", {"limit": "15"}, 1),
        ("/market/depth", {"symbol": "ACMEUSDT", "limit": "20"}, 10008),
        ("/market/tickers", {"symbols": "ACMEUSDT,NOPEUSDT"}, 20015),
        ("/market/kline", {"symbol": "ACMEUSDT", "interval": "7m"}, 10008),
        ("/market/kline", {"symbol": "ACMEUSDT", "interval": "1m", "limit": "x"}, 10002),
        ("/market/time", {}, 404),
        ("/trade/place_order", {}, 404),
    ],
)
async def test_every_error_is_a_200_with_a_code(caller: Caller, path: str, query: dict[str, str], code: int) -> None:
    reply = await caller.get(path, query)
    assert (reply["code"], reply["data"]) == (code, None)
    assert reply["msg"]


async def test_the_date_header_tells_the_venues_time_and_its_skew(caller: Caller) -> None:
    async def told() -> float:
        async with caller.session.get(caller.url + "/nope") as reply:
            assert (await reply.json())["code"] == 404
            return parsedate_to_datetime(reply.headers["Date"]).timestamp()

    assert abs(await told() - ORIGIN_NS / SECOND) < 5
    await caller.fault(skew_ms=30_000)
    assert abs(await told() - ORIGIN_NS / SECOND - 30) < 5


# --- who is asking ---


@pytest.mark.parametrize(
    ("over", "code"),
    [
        ({"secret": "wrong"}, 10007),
        ({"key": "nobody"}, 10007),
        ({"key": ""}, 10003),
        ({"timestamp": "1747104711262"}, 10007),
        ({"timestamp": "soon"}, 10007),
    ],
)
async def test_a_call_that_is_not_signed_right_is_refused(caller: Caller, over: dict[str, str], code: int) -> None:
    headers = caller.signed({"marginCoin": "USDT"}, b"", **over)
    url = caller.url + "/api/v1/futures/account"
    async with caller.session.get(url, params={"marginCoin": "USDT"}, headers=headers) as reply:
        assert (reply.status, (await reply.json())["code"]) == (200, code)


async def test_a_body_that_was_changed_on_the_way_is_refused(caller: Caller) -> None:
    headers = caller.signed({}, b'{"qty":"1"}')
    url = caller.url + "/api/v1/futures/trade/place_order"
    async with caller.session.post(url, data=b'{"qty":"2"}', headers=headers) as reply:
        assert (await reply.json())["code"] == 10007


async def test_the_eleventh_call_within_a_second_is_one_too_many() -> None:
    async with running(rate_per_second=10) as caller:
        codes = [(await caller.get("/market/depth", symbol="ACMEUSDT"))["code"] for _ in range(11)]
        assert codes == [0] * 10 + [10005]
        assert (await caller.get("/market/tickers"))["code"] == 0  # each path has its own


# --- orders ---


async def test_a_market_order_fills_from_the_book_and_its_fills_are_in_history(caller: Caller) -> None:
    reply = await caller.place("a-1", qty="3")
    assert reply["code"] == 0 and set(reply["data"]) == {"orderId", "clientId"}
    order = await caller.ended("a-1")
    assert (order["status"], order["tradeQty"], order["price"], order["side"]) == ("FILLED", "3", "market", "BUY")
    reply = await caller.get("/trade/get_history_trades", signed=True, orderId=order["orderId"])
    trades = reply["data"]["tradeList"]
    assert [(trade["price"], trade["qty"]) for trade in trades] == [("1001", "1"), ("1000.5", "2")]  # newest first
    assert {trade["roleType"] for trade in trades} == {"TAKER"}
    assert len({trade["tradeId"] for trade in trades}) == 2
    assert float(order["fee"]) == sum(float(trade["fee"]) for trade in trades)
    (position,) = (await caller.get("/position/get_pending_positions", signed=True))["data"]
    assert (position["symbol"], position["qty"], position["side"], position["positionMode"]) == (
        "ACMEUSDT",
        "3",
        "BUY",
        "ONE_WAY",
    )
    balance = (await caller.get("/account", signed=True, marginCoin="USDT"))["data"]
    assert balance["positionMode"] == "ONE_WAY" and float(balance["margin"]) == pytest.approx(3002 / 20)


async def test_a_client_id_is_taken_once_for_ever(caller: Caller) -> None:
    assert (await caller.place("a-1"))["code"] == 0
    assert (await caller.place("a-1", side="SELL"))["code"] == 30042
    await caller.ended("a-1")
    assert (await caller.place("a-1"))["code"] == 30042
    assert len((await caller.journal())["orders"]) == 1


async def test_a_resting_order_is_pending_until_it_is_cancelled(caller: Caller) -> None:
    await caller.place("r-1", orderType="LIMIT", price="990", effect="POST_ONLY")
    await caller.place("r-2", orderType="LIMIT", price="991", effect="GTC")
    pending = (await caller.get("/trade/get_pending_orders", signed=True, symbol="ACMEUSDT"))["data"]
    assert [order["clientId"] for order in pending["orderList"]] == ["r-2", "r-1"] and pending["total"] == 2
    body = {"symbol": "ACMEUSDT", "orderList": [{"clientId": "r-1"}, {"clientId": "nope"}]}
    done = (await caller.post("/trade/cancel_orders", body))["data"]
    assert [entry["clientId"] for entry in done["successList"]] == ["r-1"]
    assert [(entry["clientId"], entry["errorCode"]) for entry in done["failureList"]] == [("nope", "20007")]
    assert (await caller.ended("r-1"))["status"] == "CANCELED"
    await caller.post("/trade/cancel_all_orders", {})
    assert (await caller.ended("r-2"))["status"] == "CANCELED"
    history = (await caller.get("/trade/get_history_orders", signed=True))["data"]
    assert [order["clientId"] for order in history["orderList"]] == ["r-2", "r-1"]


async def test_a_post_only_order_that_would_take_is_cancelled(caller: Caller) -> None:
    await caller.place("p-1", orderType="LIMIT", price="1002", effect="POST_ONLY")
    order = await caller.ended("p-1")
    assert (order["status"], order["tradeQty"]) == ("CANCELED", "0")


async def test_an_order_the_market_runs_through_fills_as_a_maker() -> None:
    async with running(PlainMarket([(ORIGIN_NS + 30 * SECOND, D("980"))]), speed=60) as caller:
        await caller.place("m-1", qty="1.5", orderType="LIMIT", price="990", effect="GTC")
        assert (await caller.ended("m-1"))["status"] == "FILLED"
        fills = (await caller.journal())["fills"]
    assert {(fill["roleType"], fill["price"]) for fill in fills} == {("MAKER", "990")}
    assert sum(D(fill["qty"]) for fill in fills) == D("1.5")


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"symbol": "NOPEUSDT"}, 20001),
        ({"side": "LONG"}, 10002),
        ({"orderType": "STOP"}, 10002),
        ({"orderType": "LIMIT"}, 10002),
        ({"orderType": "LIMIT", "price": "1e3"}, 10002),
        ({"orderType": "LIMIT", "price": "1000.05"}, 10002),
        ({"orderType": "LIMIT", "price": "1000", "effect": "FOK"}, 10002),
        ({"orderType": "LIMIT", "price": "1200"}, 30014),
        ({"side": "SELL", "orderType": "LIMIT", "price": "800"}, 30015),
        ({"qty": "-1"}, 10002),
        ({"qty": "0.00001"}, 10002),
        ({"qty": "1001"}, 30013),
        ({"qty": "900"}, 20003),
        ({"reduceOnly": True}, 30018),
        ({"clientId": "c" * 65}, 10002),
    ],
)
async def test_an_order_that_breaks_a_rule_gets_its_code_and_leaves_no_trace(
    caller: Caller, more: dict[str, Any], code: int
) -> None:
    assert (await caller.place("x-1", **more))["code"] == code
    assert (await caller.get("/trade/get_order_detail", signed=True, clientId="x-1"))["code"] == 20007
    assert (await caller.journal())["orders"] == []


async def test_reduce_only_closes_and_never_turns_a_position(caller: Caller) -> None:
    await caller.place("o-1", qty="2")
    await caller.ended("o-1")
    assert (await caller.place("o-2", qty="1", reduceOnly=True))["code"] == 30019
    assert (await caller.place("o-3", side="SELL", qty="5", reduceOnly=True))["code"] == 0
    assert (await caller.ended("o-3"))["tradeQty"] == "2"
    assert (await caller.get("/position/get_pending_positions", signed=True))["data"] == []


async def test_the_fills_alone_give_the_matching_engines_books(caller: Caller) -> None:
    for number, (side, qty) in enumerate([("BUY", "1.5"), ("SELL", "2.5"), ("BUY", "0.3"), ("SELL", "1")]):
        await caller.place(f"b-{number}", side=side, qty=qty)
        await caller.ended(f"b-{number}")
    book = await caller.journal()
    assert book["wallet"] == book["broker_wallet"]
    assert book["positions"] == {"ACMEUSDT": "-1.7"}
    spent = sum(D(fill["realizedPNL"]) - D(fill["fee"]) for fill in book["fills"])
    assert D(book["wallet"]) == D("10000") + spent


async def test_funding_is_settled_on_the_position_at_its_hour() -> None:
    class Paying(PlainMarket):
        def funding(self, symbol: str, at_ns: int) -> FundingRate | None:
            return FundingRate(symbol, at_ns, D("0.001"), ORIGIN_NS + 60 * SECOND)

    async with running(Paying(), speed=60) as caller:
        await caller.place("f-1", qty="1")
        await caller.ended("f-1")
        async with asyncio.timeout(PATIENCE):
            while (book := await caller.journal())["funding"] == "0":  # noqa: ASYNC110 - it is polled as a client polls it
                await asyncio.sleep(0.01)
        assert D(book["funding"]) == pytest.approx(D("1"), rel=0.01)
        assert book["wallet"] == book["broker_wallet"]


async def test_leverage_is_set_and_hedge_mode_is_not_to_be_had(caller: Caller) -> None:
    body = {"symbol": "ACMEUSDT", "leverage": 5, "marginCoin": "USDT"}
    assert (await caller.post("/account/change_leverage", body))["data"][0]["leverage"] == 5
    assert (await caller.post("/account/change_leverage", {**body, "leverage": 500}))["code"] == 20005
    assert (await caller.post("/account/change_position_mode", {"positionMode": "ONE_WAY"}))["code"] == 0
    assert (await caller.post("/account/change_position_mode", {"positionMode": "HEDGE"}))["code"] == 10002
    await caller.place("l-1", qty="1")
    await caller.ended("l-1")
    (position,) = (await caller.get("/position/get_pending_positions", signed=True))["data"]
    assert position["leverage"] == 5 and float(position["margin"]) == pytest.approx(1000.5 / 5)


# --- the private socket ---


@pytest.mark.parametrize("unit", [1_000_000, 1_000_000_000])  # milliseconds and seconds
async def test_a_login_gets_orders_positions_and_balance_as_they_change(caller: Caller, unit: int) -> None:
    async with caller.private(unit) as socket:
        await caller.place("s-1", qty="3")
        orders = await frames(socket, lambda message: message["ch"] == "order", 3)
        (balance,) = await frames(socket, lambda message: message["ch"] == "balance")
    data = [message["data"] for message in orders]
    assert [(one["event"], one["orderStatus"], one["dealAmount"]) for one in data] == [
        ("CREATE", "NEW", "0"),
        ("UPDATE", "PART_FILLED", "2"),
        ("CLOSE", "FILLED", "3"),
    ]
    assert (data[0]["side"], data[0]["type"], data[0]["clientId"]) == ("Buy", "Market", "s-1")
    assert len(data[0]["ctime"].partition(".")[2]) == 10  # nanoseconds and a Z
    assert balance["data"]["coin"] == "USDT"


async def test_a_wrong_login_and_no_login_get_nothing(caller: Caller) -> None:
    async with caller.session.ws_connect(caller.ws + "/private/", autoping=False) as socket:
        await socket.receive_json()
        args = [{"apiKey": "nightdesk-sim", "timestamp": 1, "nonce": "n", "sign": "0" * 64}]
        await socket.send_str(json.dumps({"op": "login", "args": args}))
        assert (await socket.receive_json())["data"] == {"result": False}
        await caller.place("n-1")
        await caller.ended("n-1")
        with pytest.raises(TimeoutError):
            await socket.receive(timeout=0.2)


# --- what can go wrong on purpose ---


async def test_a_reply_lost_after_acceptance_leaves_an_order_that_can_be_found(caller: Caller) -> None:
    await caller.fault(reply_lost=1)
    with pytest.raises(aiohttp.ClientError):
        await caller.place("u-1")
    assert (await caller.ended("u-1"))["status"] == "FILLED"
    assert (await caller.place("u-1"))["code"] == 30042


async def test_a_request_lost_before_acceptance_leaves_nothing(caller: Caller) -> None:
    await caller.fault(request_lost=1)
    with pytest.raises(aiohttp.ClientError):
        await caller.place("u-1")
    assert (await caller.get("/trade/get_order_detail", signed=True, clientId="u-1"))["code"] == 20007


async def test_orders_are_rejected_limited_or_met_with_a_500_on_demand(caller: Caller) -> None:
    await caller.fault(reject_next=2, reject_code=20011)
    assert [(await caller.place(f"j-{n}"))["code"] for n in range(3)] == [20011, 20011, 0]
    await caller.fault(limit_next=1)
    assert [(await caller.place(f"k-{n}"))["code"] for n in range(2)] == [10005, 0]
    await caller.fault(error_500_next=1)
    async with caller.session.get(caller.url + "/api/v1/futures/market/tickers") as reply:
        assert reply.status == 500


async def test_sockets_are_dropped_muted_and_refused_on_demand(caller: Caller) -> None:
    async with caller.public(("depth_book1", "ACMEUSDT")) as socket:
        await socket.recv()
        await caller.fault(mute_but_pong=True)
        await socket.send('{"op":"ping","ping":1}')
        await frames(socket, lambda message: message.get("op") == "ping")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(socket.recv(), 0.5)
        await caller.fault(mute_but_pong=False, mute=True)
        await socket.send('{"op":"ping","ping":2}')
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(socket.recv(), 0.5)
        async with caller.session.delete(caller.url + "/sim/faults") as reply:
            assert await reply.json() == {}
        await frames(socket, lambda message: message.get("ch") == "depth_book1")
        async with caller.session.post(caller.url + "/sim/drop") as reply:
            assert await reply.json() == {"dropped": 1}
    await caller.fault(refuse_sockets=True)
    with pytest.raises((EOFError, OSError, WebSocketException)):
        async with caller.public():
            pass


async def test_pushes_are_doubled_and_frames_garbled_on_demand(caller: Caller) -> None:
    await caller.fault(duplicate_push=True, garble_next=1)
    async with caller.private() as socket:
        await caller.place("d-1", orderType="LIMIT", price="990")
        one, two = await frames(socket, lambda message: message["ch"] == "order", 2)
    assert one == two
    async with caller.public(("depth_book1", "ACMEUSDT")) as socket:
        with pytest.raises(json.JSONDecodeError):
            json.loads(await socket.recv())
        assert json.loads(await socket.recv())["ch"] == "depth_book1"


async def test_an_unknown_fault_is_refused_and_nothing_is_set(caller: Caller) -> None:
    async with caller.session.post(caller.url + "/sim/faults", json={"mute": True, "nope": 1}) as reply:
        assert reply.status == 400 and "nope" in await reply.text()
    assert not caller.venue.faults.mute
