"""Frames become events, and damage becomes a counted refusal, never an exception."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.events import Book, DataRejected, FundingRate, Quote, Trade
from engine.core.money import parse
from engine.venues.bitunix.frames import FrameReader, Kline, iso_ns
from engine.venues.bitunix.wire import CONTROL, ControlFrame
from tests.venues.bitunix.fakevenue import MS, T0_NS, book, kline

SHARED = Path(os.environ.get("NIGHTDESK_SHARED", Path(__file__).parents[4] / "shared" / "data"))
CAPTURED = SHARED / "wire" / "bitunix" / "bitunix_captured_2026-09-23.jsonl"
T0_MS = T0_NS // MS


def items(frame: Any, at_ns: int = T0_NS, *, replay: bool = False) -> list[Any]:
    raw = frame if isinstance(frame, bytes) else json.dumps(frame).encode()
    read = FrameReader(["BTCUSDT"], replay=replay).read(raw, at_ns)
    assert not isinstance(read, ControlFrame)
    return list(read[1])


def rejection(frame: Any, at_ns: int = T0_NS) -> DataRejected:
    (item,) = items(frame, at_ns)
    assert isinstance(item, DataRejected)
    return item


def trade(**changes: str) -> dict[str, Any]:
    row = {"t": "2026-09-23T01:21:00.123456Z", "p": "100.5", "v": "0.25", "s": "Sell"} | changes
    return {"ch": "trade", "symbol": "BTCUSDT", "ts": T0_MS, "data": [row]}


def price(**changes: str) -> dict[str, Any]:
    data = {"mp": "100", "ip": "100", "fr": "0.01", "ft": "2026-09-23T00:00:00Z", "nft": "2026-09-23T08:00:00Z"}
    return {"ch": "price", "symbol": "BTCUSDT", "ts": T0_MS, "data": data | changes}


def test_a_window_of_several_levels_is_a_book() -> None:
    frame = book()
    frame["data"] = {"b": [["100", "1"], ["99.5", "3"]], "a": [["100.5", "2"], ["101", "0.001"]]}
    bids = ((parse("100"), parse("1")), (parse("99.5"), parse("3")))
    asks = ((parse("100.5"), parse("2")), (parse("101"), parse("0.001")))
    assert items(frame) == [Book("BTCUSDT", T0_NS, T0_NS, bids, asks)]


def test_a_window_of_one_level_is_a_quote() -> None:
    expected = Quote("BTCUSDT", T0_NS, T0_NS, parse("100"), parse("101"), parse("1"), parse("2"))
    assert items(book(ch="depth_book1")) == [expected]


def test_empty_levels_behind_real_ones_are_padding() -> None:
    frame = book()
    frame["data"]["b"].append(["", ""])
    assert len(items(frame)[0].bids) == 1


def test_a_trade_carries_its_own_time_and_the_aggressors_side() -> None:
    when = T0_NS + 123_456_000
    assert items(trade()) == [Trade("BTCUSDT", T0_NS, when, parse("100.5"), parse("0.25"), -1)]
    assert items(trade(s="?"))[0].side == 0


def test_a_candle_keeps_its_coin_volume() -> None:
    (item,) = items(kline(0, second=1.5, close="99", volume="7"))
    assert item == Kline(
        "BTCUSDT", T0_NS, T0_NS + 1_500_000_000, parse("100"), parse("100"), parse("99"), parse("99"), parse("7")
    )


def test_funding_is_a_fraction_and_said_only_when_it_changes() -> None:
    reader = FrameReader(["BTCUSDT"])
    raw = json.dumps(price(fr="-0.00077")).encode()
    due = iso_ns("2026-09-23T08:00:00Z")
    assert reader.read(raw, T0_NS) == ("BTCUSDT", [FundingRate("BTCUSDT", T0_NS, -770, due)])
    assert reader.read(raw, T0_NS + 1) == ("BTCUSDT", [])


def test_tickers_give_quotes_of_our_symbols_only() -> None:
    row = {"s": "BTCUSDT", "bd": "100", "ak": "101", "bv": "1", "av": "2"}
    frame = {"ch": "tickers", "ts": T0_MS, "data": [row, row | {"s": "OTHERUSDT"}]}
    assert items(frame) == [Quote("BTCUSDT", T0_NS, T0_NS, parse("100"), parse("101"), parse("1"), parse("2"))]


def test_a_locked_book_is_legal() -> None:
    locked = {"b": [["100", "1"]], "a": [["100", "2"]]}
    [told] = items(book() | {"data": locked})
    assert isinstance(told, Book) and told.bids[0][0] == told.asks[0][0] == parse("100")


def test_a_ticker_proves_life_and_says_nothing_else() -> None:
    frame = {"ch": "ticker", "symbol": "BTCUSDT", "ts": T0_MS, "data": {"la": "100"}}
    assert FrameReader(["BTCUSDT"]).read(json.dumps(frame).encode(), T0_NS) == ("BTCUSDT", [])


BAD_BOOKS = {
    "crossed": {"b": [["101", "1"]], "a": [["100", "1"]]},
    "empty": {"b": [["", ""]], "a": [["", ""]]},
    "one-sided": {"b": [["100", "1"]], "a": []},
    "zero price": {"b": [["0", "1"]], "a": [["100", "1"]]},
    "negative price": {"b": [["-1", "1"]], "a": [["100", "1"]]},
    "NaN": {"b": [["NaN", "1"]], "a": [["100", "1"]]},
    "infinite": {"b": [["1", "1"]], "a": [["inf", "1"]]},
    "exponent": {"b": [["1e2", "1"]], "a": [["1e3", "1"]]},
    "zero size": {"b": [["100", "0"]], "a": [["101", "1"]]},
    "unsorted": {"b": [["99", "1"], ["100", "1"]], "a": [["101", "1"]]},
    "number for text": {"b": [[100, 1]], "a": [["101", "1"]]},
    "short level": {"b": [["100"]], "a": [["101", "1"]]},
    "no data": None,
}


@pytest.mark.parametrize("name", BAD_BOOKS)
def test_a_bad_book_is_refused(name: str) -> None:
    """FA-07."""
    assert rejection(book() | {"data": BAD_BOOKS[name]}).reason


@pytest.mark.parametrize(
    "frame",
    [
        kline(0, close="0"),
        kline(0, close="NaN"),
        kline(0, volume="-1"),
        kline(0) | {"data": {"o": "100", "h": "99", "l": "98", "c": "98.5", "b": "1", "q": "1"}},
        trade(p="-1"),
        trade(v="0"),
        trade(t="yesterday"),
        trade(t="2026-09-23T01:21:00"),
        trade(t="2023-01-01T00:00:00Z"),
        price(nft="2020-01-01T00:00:00Z"),
        price(mp="0"),
        {"ch": "tickers", "ts": T0_MS, "data": [{"s": "BTCUSDT", "bd": "2", "ak": "1", "bv": "1", "av": "1"}]},
    ],
    ids=str,
)
def test_bad_figures_are_refused(frame: dict[str, Any]) -> None:
    """FA-01."""
    assert rejection(frame).where == frame["ch"]


@pytest.mark.parametrize("raw", [b"", b"{", b"null", b"[]", b'{"ch":"nope"}', b"\xff\xfe", b'{"ch":"trade"}', b"12"])
def test_what_is_no_frame_is_refused(raw: bytes) -> None:
    assert rejection(raw).where == "frame"


def test_the_symbol_must_have_been_asked_for() -> None:
    refused = rejection(book(symbol="EVIL\x1b[2JUSDT"))
    assert refused.symbol == "" and "\x1b" not in refused.reason


def test_a_live_stamp_before_2024_is_refused_and_a_replayed_one_is_not() -> None:
    """FT-09, FA-06."""
    last, first = 1_704_067_199_999 * MS, 1_704_067_200_000 * MS
    assert "before 2024" in rejection(book(ts_ns=last), last).reason
    assert isinstance(items(book(ts_ns=first), first)[0], Book)
    assert isinstance(items(book(ts_ns=last), last, replay=True)[0], Book)


def test_a_stamp_more_than_a_minute_ahead_is_refused() -> None:
    """FT-09, FA-06."""
    assert isinstance(items(book(ts_ns=T0_NS + 60_000 * MS))[0], Book)
    assert "ahead" in rejection(book(ts_ns=T0_NS + 60_001 * MS)).reason


def test_an_older_book_does_not_replace_a_newer_one() -> None:
    """FV-17, FT-07."""
    reader = FrameReader(["BTCUSDT"])
    newer, older = (json.dumps(book(ts_ns=T0_NS + ms * MS)).encode() for ms in (5, 4))
    reader.read(newer, T0_NS)
    expected = DataRejected("BTCUSDT", T0_NS, "older than the frame before it", "depth_book5")
    assert reader.read(older, T0_NS) == ("", [expected])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
TEXTS = st.sampled_from(["", "0", "-1", "1", "NaN", "1e9", "0.000000001", "٣", "9" * 40, "\x00"]) | st.text(max_size=6)
SHAPES = [book(), book(ch="depth_book1"), kline(0), trade(), price()]


@given(st.binary(max_size=60))
def test_no_bytes_raise(raw: bytes) -> None:
    FrameReader(["BTCUSDT"]).read(raw, T0_NS)


@given(st.sampled_from(SHAPES), st.data())
def test_no_change_of_a_frame_raises(shape: dict[str, Any], data: st.DataObject) -> None:
    """FV-20."""
    frame = json.loads(json.dumps(shape))
    places = list(_places(frame))
    for holder, key in data.draw(st.lists(st.sampled_from(places), min_size=1, max_size=3)):
        holder[key] = data.draw(JSON | TEXTS | st.integers(-(10**30), 10**30))
    FrameReader(["BTCUSDT"]).read(json.dumps(frame).encode(), T0_NS)


def _places(value: Any) -> Any:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in inside:
        yield value, key
        yield from _places(inner)


@pytest.mark.skipif(not CAPTURED.exists(), reason="captured frames not available: set NIGHTDESK_SHARED")
def test_captured_frames_are_read() -> None:
    symbols = ["BTCUSDT", "BTCUSDC", "BTCUSD", "NOPEUSDT"]
    seen: list[str] = []
    for line in CAPTURED.read_text().splitlines():
        record = json.loads(line)
        if record["transport"] != "ws" or record["direction"] == "client":
            continue
        raw = record["raw"].encode()
        at_ns = json.loads(raw).get("ts", T0_MS) * MS
        read = FrameReader(symbols).read(raw, at_ns)
        if isinstance(read, ControlFrame):
            seen.append(f"{read.op} {read.is_refusal}")
        else:
            seen += [type(item).__name__ for item in read[1]] or ["alive"]
    assert seen == [
        "connect False",
        "Book",
        "Book",
        "Book",
        "DataRejected",  # an unknown symbol's window of empty texts
        "FundingRate",
        "alive",
        "ping False",
        "unsubscribe False",
        "subscribe True",
    ]


def test_a_failed_login_is_a_refusal() -> None:
    said = CONTROL.validate_json(b'{"op":"login","data":{"result":false,"msg":"no \\u001b[31mway"}}')
    assert said.is_refusal and said.text == "login: no way"
