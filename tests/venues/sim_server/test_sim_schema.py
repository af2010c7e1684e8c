"""What the simulated venue emits has the keys and the kinds of values of what was captured from the real one."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.venues.sim_server.caller import Caller, frames

SHARED = Path(os.environ.get("NIGHTDESK_SHARED", Path(__file__).parents[4] / "shared" / "data"))
WIRE = SHARED / "wire" / "bitunix"
pytestmark = pytest.mark.skipif(not WIRE.is_dir(), reason=f"no recorded data at {SHARED}")


def shape(value: Any) -> Any:
    """Keys and kinds of values: an object by key, a list by its first entry, all else by its type's name."""
    if isinstance(value, dict):
        return {key: shape(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


def captured() -> Iterator[dict[str, Any]]:
    for line in (WIRE / "bitunix_captured_2026-09-23.jsonl").read_text().splitlines():
        yield json.loads(line)


def documented(source: str) -> Any:
    """The reply the documentation shows in `source`; comments inside are cut."""
    for line in (WIRE / "bitunix_doc_examples.jsonl").read_text().splitlines():
        row = json.loads(line)
        if row["src"] == source:
            kept = [part for part in row["raw"].splitlines() if not part.strip().startswith("//")]
            return json.loads("\n".join(kept))
    raise AssertionError(f"no example from {source}")


def pushed(channel: str, symbol: str) -> Any:
    for row in captured():
        message = json.loads(row["raw"]) if row["direction"] != "client" else {}
        if message.get("ch") == channel and message.get("symbol") == symbol:
            return message
    raise AssertionError(f"nothing captured of {channel} {symbol}")


@pytest.mark.parametrize("channel", ["depth_book15", "price", "ticker"])
async def test_pushes_look_like_the_captured_ones(caller: Caller, channel: str) -> None:
    async with caller.public((channel, "ACMEUSDT")) as socket:
        (ours,) = await frames(socket, lambda message: message.get("ch") == channel)
    assert shape(ours) == shape(pushed(channel, "BTCUSDT"))


async def test_an_unknown_symbol_looks_like_the_captured_answer(caller: Caller) -> None:
    async with caller.public(("depth_book15", "NOPEUSDT")) as socket:
        ours = json.loads(await socket.recv())
    assert shape(ours) == shape(pushed("depth_book15", "NOPEUSDT"))


async def test_control_frames_look_like_the_captured_ones(caller: Caller) -> None:
    wanted = {
        row["note"].split()[0]: json.loads(row["raw"])
        for row in captured()
        if row["transport"] == "ws" and "op" in json.loads(row["raw"]) and row["direction"] == "server_reply"
    }
    async with caller.public() as socket:
        await socket.send('{"op":"ping","ping":1}')
        assert shape(json.loads(await socket.recv())) == shape(wanted["pong"])
        await socket.send('{"op":"unsubscribe","args":[]}')
        assert shape(json.loads(await socket.recv())) == shape(wanted["unsubscribe"])


async def test_candles_look_like_the_documented_ones(caller: Caller) -> None:
    example = json.loads(
        next(
            row["raw"]
            for row in map(json.loads, (WIRE / "bitunix_doc_examples.jsonl").read_text().splitlines())
            if row["heading"] == "Push Data Example:"
        )
    )
    async with caller.public(("mark_kline_1min", "ACMEUSDT")) as socket:
        (ours,) = await frames(socket, lambda message: message.get("ch") == "mark_kline_1min")
    assert shape(ours) == shape(example)


async def test_errors_are_word_for_word_the_captured_ones(caller: Caller) -> None:
    for row in captured():
        if row["transport"] != "rest":
            continue
        async with caller.session.get(caller.url + row["path"]) as reply:
            assert reply.status == 200
            assert await reply.json() == json.loads(row["raw"])


async def test_account_replies_have_all_that_the_documentation_shows(caller: Caller) -> None:
    placed = await caller.place("s-1", qty="1")
    await caller.ended("s-1")
    await caller.place("s-2", orderType="LIMIT", price="990")
    assert shape(placed) == shape(documented("documentation/place_order.md"))
    replies = {
        "get_history_orders": await caller.get("/trade/get_history_orders", signed=True),
        "get_history_trades": await caller.get("/trade/get_history_trades", signed=True),
        "pending_position": await caller.get("/position/get_pending_positions", signed=True),
        "cancel_order": await caller.post(
            "/trade/cancel_orders", {"orderList": [{"clientId": "s-2"}, {"clientId": "nope"}]}
        ),
    }
    for name, ours in replies.items():
        theirs = documented(f"documentation/{name}.md")
        missing = _missing(shape(theirs["data"]), shape(ours["data"]))
        assert not missing, f"{name} lacks {missing}"
    account = await caller.get("/account", signed=True, marginCoin="USDT")
    assert shape(account["data"]) == shape(documented("documentation/get_account_balance.md")["data"][0])


def _missing(theirs: Any, ours: Any, path: str = "") -> list[str]:
    """Keys of `theirs` that `ours` has not, or of another type. Prices of take-profits and stops may be null."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        lacking = [f"{path}.{key}" for key in theirs if key not in ours]
        return lacking + [
            say for key in theirs if key in ours for say in _missing(theirs[key], ours[key], f"{path}.{key}")
        ]
    if isinstance(theirs, list) and isinstance(ours, list):
        return _missing(theirs[0], ours[0], path) if theirs and ours else []
    loose = path.rpartition(".")[2][:2] in ("tp", "sl") or path.rpartition(".")[2] in ("ctime", "mtime", "clientId")
    return [] if theirs == ours or loose else [f"{path} is {ours}, not {theirs}"]
