"""The public socket over real loopback connections: every channel, every quirk."""

import asyncio
import json
import socket as socketlib
from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from engine.core.config import SECOND
from engine.venues.sim import sockets
from tests.venues.sim_server.caller import ORIGIN_NS, Caller, D, PlainMarket, frames, instrument, running

Check = Any
UPGRADE = (
    b"GET /public/ HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


def masked(payload: bytes) -> bytes:
    """One short client text frame under the mask of zeros."""
    return bytes((0x81, 0x80 | len(payload))) + bytes(4) + payload


def of(channel: str, symbol: str = "ACMEUSDT") -> Check:
    return lambda message: message.get("ch") == channel and message.get("symbol") == symbol


async def test_the_first_frame_greets_and_a_json_ping_is_answered_with_both_numbers(caller: Caller) -> None:
    opened = caller.venue.clock.shown_ns() // SECOND
    async with caller.public() as socket:
        await socket.send('{"op":"ping","ping":1790126498}')
        pong = json.loads(await socket.recv())
    assert pong["op"] == "ping" and pong["pong"] == 1790126498
    assert opened <= pong["ping"] <= opened + 1


@pytest.mark.parametrize(("channel", "levels"), [("depth_book1", 1), ("depth_book5", 5), ("depth_book15", 15)])
async def test_a_book_channel_pushes_whole_windows(caller: Caller, channel: str, levels: int) -> None:
    async with caller.public((channel, "ACMEUSDT")) as socket:
        first, second = await frames(socket, of(channel), 2)
    assert list(first) == ["ch", "symbol", "ts", "data"]
    assert first["data"]["b"][0] == ["999.5", "2"] and first["data"]["a"][0] == ["1000.5", "2"]
    assert len(first["data"]["b"]) == len(first["data"]["a"]) == levels
    assert 250 <= second["ts"] - first["ts"] <= 600


async def test_all_streams_are_pushed_at_the_same_instant(caller: Caller) -> None:
    async with caller.public(("depth_book1", "ACMEUSDT"), ("depth_book5", "BOLTUSDT")) as socket:
        pair = await frames(socket, lambda message: message["ch"].startswith("depth"), 2)
    assert pair[0]["ts"] == pair[1]["ts"]


async def test_a_candle_carries_neither_its_start_nor_a_closed_flag(caller: Caller) -> None:
    async with caller.public(("market_kline_1min", "ACMEUSDT")) as socket:
        (message,) = await frames(socket, of("market_kline_1min"))
    assert set(message["data"]) == {"o", "h", "l", "c", "b", "q"}
    assert message["data"]["c"] == "1000.5"


async def test_a_candle_that_closed_is_pushed_once_more_stamped_within_itself() -> None:
    market = PlainMarket([(ORIGIN_NS + 59 * SECOND, D("1003"))])
    async with running(market, speed=60) as caller, caller.public(("market_kline_1min", "ACMEUSDT")) as socket:
        minute = ORIGIN_NS // 1_000_000 // 60_000 * 60_000
        (last,) = await frames(socket, lambda message: message["ts"] % 60_000 == 59_999)
    assert last["ts"] == minute + 59_999
    assert (last["data"]["o"], last["data"]["c"], last["data"]["b"]) == ("1000.5", "1003.5", "30")


async def test_a_longer_candle_begins_with_what_history_knows_of_it(caller: Caller) -> None:
    async with caller.public(("market_kline_60min", "ACMEUSDT")) as socket:
        (message,) = await frames(socket, of("market_kline_60min"))
    assert (message["data"]["h"], message["data"]["l"]) == ("1002", "999")


async def test_trades_carry_price_size_side_and_time_but_no_id(caller: Caller) -> None:
    async with caller.public(("trade", "ACMEUSDT")) as socket:
        (message,) = await frames(socket, of("trade"))
    (trade,) = message["data"]
    assert {**trade, "t": ""} == {"t": "", "p": "1000.5", "v": "0.5", "s": "buy"}
    assert datetime.fromisoformat(trade["t"]).timestamp() >= ORIGIN_NS // SECOND


async def test_ticker_tickers_and_price_say_what_the_day_was(caller: Caller) -> None:
    streams = [("ticker", "ACMEUSDT"), ("tickers", "ACMEUSDT"), ("tickers", "BOLTUSDT"), ("price", "ACMEUSDT")]
    async with caller.public(*streams) as socket:
        found: dict[str, Any] = {}
        async for raw in socket:
            message = json.loads(raw)
            found[message["ch"]] = message
            if len(found) == 3:
                break
    assert set(found["ticker"]["data"]) == {"s", "la", "o", "h", "l", "b", "q", "r"}
    assert found["ticker"]["data"]["h"] == "1002"
    rows = {row["s"]: row for row in found["tickers"]["data"]}
    assert (rows["ACMEUSDT"]["bd"], rows["ACMEUSDT"]["ak"], rows["BOLTUSDT"]["bd"]) == ("999.5", "1000.5", "49.5")
    price = found["price"]["data"]
    assert datetime.fromisoformat(price["nft"]).timestamp() == ORIGIN_NS // SECOND + 3600
    assert datetime.fromisoformat(price["ft"]).timestamp() == ORIGIN_NS // SECOND - 7 * 3600
    assert set(price) == {"mp", "ip", "fr", "ft", "nft"}


async def test_an_unknown_symbol_gets_one_window_of_empty_strings_and_then_silence(caller: Caller) -> None:
    async with caller.public(("depth_book5", "NOPEUSDT"), ("depth_book1", "acmeusdt")) as socket:
        seen = [json.loads(await socket.recv()) for _ in range(4)]
    assert seen[0]["symbol"] == "NOPEUSDT"
    assert seen[0]["data"] == {"b": [["", ""]] * 5, "a": [["", ""]] * 5}
    assert {message["symbol"] for message in seen[1:]} == {"ACMEUSDT"}  # and a symbol in lower case is understood


async def test_nonsense_is_met_with_silence(caller: Caller) -> None:
    async with caller.public(("nope_channel", "ACMEUSDT")) as socket:
        for nonsense in ("[" * 60_000, '["op"]', '{"op":"nope"}', '{"op":"subscribe","args":7}'):
            await socket.send(nonsense)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(socket.recv(), 0.5)


async def test_unsubscribe_is_answered_and_ends_the_stream(caller: Caller) -> None:
    async with caller.public(("depth_book1", "ACMEUSDT")) as socket:
        await frames(socket, of("depth_book1"))
        await socket.send('{"op":"unsubscribe","args":[{"symbol":"ACMEUSDT","ch":"depth_book1"}]}')
        (answer,) = await frames(socket, lambda message: message.get("op") == "unsubscribe")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(socket.recv(), 0.7)
    assert answer["data"] == "success" and isinstance(answer["ts"], int)


async def test_the_301st_stream_is_refused_and_the_others_go_on() -> None:
    market = PlainMarket()
    market.instruments = [*market.instruments, *(instrument(f"S{n}USDT") for n in range(300))]
    async with running(market) as caller, caller.public() as socket:
        await socket.send(json.dumps({"op": "subscribe", "args": [{"symbol": "ACMEUSDT", "ch": "depth_book1"}]}))
        rest = [{"symbol": f"S{n}USDT", "ch": "ticker"} for n in range(300)]
        await socket.send(json.dumps({"op": "subscribe", "args": rest}))
        (refusal,) = await frames(socket, lambda message: "op" in message)
        assert refusal == {
            "op": "subscribe",
            "data": {"msg": "subscribe channel > 300", "nonce": "", "result": False},
        }
        await frames(socket, of("depth_book1"))


async def test_a_socket_that_does_not_ping_is_cut_without_a_close_frame() -> None:
    async with running(idle_s=0.3) as caller, caller.public(("depth_book1", "ACMEUSDT")) as socket:
        with pytest.raises(ConnectionClosed) as closed:
            await frames(socket, lambda message: False)
    assert closed.value.rcvd is None  # what a client calls 1006


async def test_pings_keep_a_socket_alive() -> None:
    async with running(idle_s=0.4) as caller, caller.public() as socket:
        for number in range(4):
            await asyncio.sleep(0.2)
            await socket.send(json.dumps({"op": "ping", "ping": number}))
            assert json.loads(await socket.recv())["pong"] == number


async def test_a_protocol_ping_as_the_first_frame_kills_the_socket_and_later_is_answered(caller: Caller) -> None:
    async with connect(caller.ws + "/public/", ping_interval=None) as socket:
        await socket.recv()
        await socket.ping()
        with pytest.raises(ConnectionClosed):
            await socket.recv()
    async with caller.public() as socket:
        await socket.send('{"op":"ping","ping":1}')
        await (await socket.ping())


async def test_the_sixth_message_within_a_second_costs_the_connection(caller: Caller) -> None:
    async with caller.public() as socket:
        for number in range(6):
            await socket.send(json.dumps({"op": "ping", "ping": number}))
        with pytest.raises(ConnectionClosed):
            await frames(socket, lambda message: False)


async def test_a_market_that_ended_is_silent() -> None:
    market = PlainMarket(until_ns=ORIGIN_NS + 2 * SECOND)
    async with running(market, speed=10) as caller, caller.public(("depth_book1", "ACMEUSDT")) as socket:
        await frames(socket, of("depth_book1"))
        await caller.venue.ended.wait()
        with pytest.raises(TimeoutError):
            while True:
                await asyncio.wait_for(socket.recv(), 0.6)
        async with caller.session.get(caller.url + "/sim/time") as reply:
            assert (await reply.json())["ended"] is True


async def test_a_fast_market_pushes_its_book_more_often() -> None:
    async with running(speed=31) as caller, caller.public(("depth_book1", "ACMEUSDT")) as socket:
        messages = await frames(socket, of("depth_book1"), 30)
    stamps = [message["ts"] for message in messages]
    assert (stamps[-1] - stamps[0]) / 29 < 1_500  # of venue time, against 9,600 at one push in 310 ms


async def test_each_quote_can_be_pushed() -> None:
    async with running(each_quote=True) as caller, caller.public(("depth_book1", "ACMEUSDT")) as socket:
        messages = await frames(socket, of("depth_book1"), 20)
    assert {later["ts"] - earlier["ts"] for earlier, later in pairwise(messages)} == {100}


@pytest.mark.sim
async def test_a_slow_client_is_cut_and_stalls_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    market = PlainMarket(step_ns=500_000)
    monkeypatch.setattr(sockets, "BACKLOG_BYTES_MAX", 2**16)
    stream = ("depth_book1", "ACMEUSDT")
    async with running(market, each_quote=True) as caller, caller.public(stream) as quick:
        with socketlib.socket() as slow:
            slow.setsockopt(socketlib.SOL_SOCKET, socketlib.SO_RCVBUF, 4096)
            slow.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(slow, ("127.0.0.1", caller.venue.ws_port))
            await loop.sock_sendall(slow, UPGRADE)
            await loop.sock_recv(slow, 16)  # and reads no further
            await loop.sock_sendall(
                slow, masked(b'{"op":"subscribe","args":[{"symbol":"ACMEUSDT","ch":"depth_book1"}]}')
            )
            client = list(caller.venue.public_clients)[1]
            while not client.dropped:
                await frames(quick, of("depth_book1"), 100)
        await frames(quick, of("depth_book1"), 100)


async def test_a_client_that_says_goodbye_and_lingers_does_not_end_the_venue() -> None:
    async with running(PlainMarket(step_ns=5_000_000), each_quote=True) as caller:
        reader, writer = await asyncio.open_connection("127.0.0.1", caller.venue.ws_port)
        subscribe = masked(b'{"op":"subscribe","args":[{"symbol":"ACMEUSDT","ch":"depth_book1"}]}')
        writer.write(UPGRADE + subscribe)
        await reader.readuntil(b"depth_book1")
        writer.write(b"\x88\x82" + bytes(4) + b"\x03\xe8")
        await reader.read()  # to the venue's own end of the stream; ours stays open
        async with caller.public(("depth_book1", "ACMEUSDT")) as other:
            await frames(other, of("depth_book1"), 20)
        writer.close()
        await writer.wait_closed()


async def test_a_browser_and_a_foreign_host_name_are_turned_away(caller: Caller) -> None:
    """FS-08."""
    async with caller.session.get(caller.url + "/sim/time", headers={"Host": "evil.example:80"}) as reply:
        assert reply.status == 403
    headers = {"Origin": "http://evil.example", "Upgrade": "websocket", "Connection": "Upgrade"}
    key = {"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="}
    url = caller.ws.replace("ws:", "http:") + "/public/"
    async with caller.session.get(url, headers={**headers, **key}) as reply:
        assert reply.status == 403
    async with caller.session.get(caller.ws.replace("ws:", "http:") + "/other", headers=headers | key) as reply:
        assert reply.status in (403, 404)
