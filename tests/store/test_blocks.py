"""Blocks: whatever goes in comes out, in order, of the same type, and small."""

import zlib
from typing import Any, get_args
from unittest import mock

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.config import CoreConfig, Instrument, StrategySpec
from engine.core.events import AnyEvent, Bar, Book, Fill, Quote, Role, RunStarted, Trade, Wake
from store import blocks
from store.blocks import DamagedBlock, decode, encode
from tests.store.making import T0, quotes, run_started

INTEGERS = st.one_of(st.integers(-200, 200), st.integers(-(2**62), 2**62), st.integers(-(2**90), 2**90))
SYMBOLS = st.sampled_from(["BTCUSDT", "ETHUSDT", "", "Ω/∅"])
LADDERS = st.lists(st.tuples(INTEGERS, INTEGERS), max_size=4).map(tuple)
CONFIGS = st.builds(
    CoreConfig,
    instruments=st.lists(st.builds(Instrument, symbol=SYMBOLS), max_size=2).map(tuple),
    strategies=st.lists(
        st.builds(StrategySpec, params=st.just({"fast": 5, "quiet": True, "name": "x"})), max_size=1
    ).map(tuple),
    limits=st.just(CoreConfig("paper", 1, True, 1, (), ()).limits),
    model=st.just(CoreConfig("paper", 1, True, 1, (), ()).model),
    sizing=st.just(CoreConfig("paper", 1, True, 1, (), ()).sizing),
)


def any_of(kind: Any) -> st.SearchStrategy[Any]:
    given_fields: dict[str, st.SearchStrategy[Any]] = {}
    for name, annotation in kind.__annotations__.items():
        if name == "symbol":
            given_fields[name] = SYMBOLS
        elif annotation is int:
            given_fields[name] = INTEGERS
        elif name in ("bids", "asks"):
            given_fields[name] = LADDERS
        elif name == "config":
            given_fields[name] = CONFIGS
        elif annotation is str:
            given_fields[name] = st.text(max_size=8)
    return st.builds(kind, **given_fields)


EVENTS = st.one_of([any_of(kind) for kind in get_args(AnyEvent)])


@pytest.mark.parametrize("short", [True, False])
@given(st.lists(EVENTS, max_size=40))
@settings(max_examples=200, deadline=None)
def test_any_events_come_back_equal_and_in_order(short: bool, events: list[AnyEvent]) -> None:
    assert decode(encoded(events, short)) == events


def encoded(events: list[AnyEvent], short: bool) -> bytes:
    """As a short block or, as every block was once, as a long one."""
    with mock.patch.object(blocks, "SHORT_EVENTS_MAX", len(events) if short else -1):
        blob = encode(events)
    assert blob[:1] == (blocks.SHORT if short else blocks.FORMAT)
    return blob


T = 1_000
SAMPLE: list[AnyEvent] = [
    Quote("A", T, T - 1, 10, 12, 3, 4),
    Wake(T + 1),
    Fill("f1", "o1", "B", T, T, -5, 7, 1, Role.MAKER),
    Quote("B", T + 2, T - 1, 20, 22, 5, 6),
    Book("A", T + 3, T + 2, ((9, 1), (8, 2)), ((11, 3),)),
    Bar("A", T + 4, T, 60, 5, 7, 4, 6, 9, True),
    Wake(T + 9),
]
ONE_BOOK = [[1003, 0, "", b""], [-1, 0, "", b""], [2, 0, "", b""], [9, 1, "b", b"\xff"], [0, 1, "b", b"\x01\x02"]]
ONE_BOOK += [[1, 0, "", b""], [11, 0, "", b""], [0, 3, "b", b"\x01"]]
ONE_BAR = [[1004, 0, "", b""], [-4, 0, "", b""], [60, 0, "", b""], [5, 0, "", b""], [0, 2, "b", b"\x01"]]
ONE_BAR += [[0, 1, "b", b"\xff"], [0, 1, "b", b"\x01"], [0, 9, "b", b"\x01"], [1, 0, "", b""]]
WAKES = ["w", "", 2, [[1001, 8, "b", b"\x01"]], b""]
RARE = msgspec.json.encode([SAMPLE[2]])
QUOTE_A = [[1000, 0, "", b""], [-1, 0, "", b""], [10, 0, "", b""], [2, 0, "", b""], [0, 3, "b", b"\x01"]]
QUOTE_A += [[0, 4, "b", b"\x01"]]
QUOTE_B = [[1002, 0, "", b""], [-3, 0, "", b""], [20, 0, "", b""], [2, 0, "", b""], [0, 5, "b", b"\x01"]]
QUOTE_B += [[0, 6, "b", b"\x01"]]
QUOTES = [[1000, 2, "b", b"\x01"], [-1, 2, "b", b"\xff"], [10, 10, "b", b"\x01"], [2, 0, "", b""]]
QUOTES += [[0, 1, "b", b"\x03\x05"], [0, 2, "b", b"\x02\x03"]]


@pytest.mark.parametrize(
    ("short", "order", "streams"),
    [
        (
            *(True, b"\x01\x02\x00\x01\x03\x04\x02"),
            [
                *(["q", ["A", "B"], 2, QUOTES, b"\x00\x01"], WAKES),
                *(["b", ["A"], 1, ONE_BOOK, b"\x00"], ["k", ["A"], 1, ONE_BAR, b"\x00"]),
            ],
        ),
        (
            *(False, b"\x01\x02\x00\x03\x04\x05\x02"),
            [
                *(["q", "A", 1, QUOTE_A, b""], WAKES, ["q", "B", 1, QUOTE_B, b""]),
                *(["b", "A", 1, ONE_BOOK, b""], ["k", "A", 1, ONE_BAR, b""]),
            ],
        ),
    ],
)
def test_a_block_is_what_it_was_when_the_first_ones_were_written(short: bool, order: bytes, streams: list[Any]) -> None:
    """Every journal there is has to be readable: neither way may ever change."""
    wanted = [7, order, RARE, streams]
    blob = encoded(SAMPLE, short)
    assert msgspec.msgpack.decode(zlib.decompress(blob[1:])) == wanted
    assert blob[1:3] == b"\x78\x01"  # zlib, and at its level 1: a batch is packed on the way to the disk
    mark = blocks.SHORT if short else blocks.FORMAT
    assert decode(mark + zlib.compress(msgspec.msgpack.encode(wanted))) == SAMPLE


def test_a_block_of_wakes_alone_has_no_rare_events_and_symbols_but_its_times() -> None:
    made = msgspec.msgpack.decode(zlib.decompress(encode([Wake(5), Wake(8)])[1:]))
    assert made == [2, b"\x01\x01", b"", [["w", "", 2, [[5, 3, "b", b"\x01"]], b""]]]


def test_what_is_wrong_with_a_block_is_told() -> None:
    blob = encode(quotes(1, 3))
    whole = msgspec.msgpack.decode(zlib.decompress(blob[1:]))
    more, less = [4, *whole[1:]], [2, b"\x01\x01", *whole[2:]]
    for bad, text in (
        (b"\x03" + blob[1:], "a block of unknown format '03'"),
        (b"\x02abc", "a block of 4 bytes cannot be decoded: Error -3 while decompressing data: incorrect header check"),
        (blocks.SHORT + zlib.compress(msgspec.msgpack.encode(more)), "a block holds 3 events in order and announces 4"),
        (blocks.SHORT + zlib.compress(msgspec.msgpack.encode(less)), "a block holds 2 events in order and announces 2"),
    ):
        with pytest.raises(DamagedBlock) as caught:
            decode(bad)
        assert str(caught.value) == text


def test_up_to_64_events_make_a_short_block() -> None:
    assert [encode(quotes(1, count))[:1] for count in (1, 64, 65)] == [blocks.SHORT, blocks.SHORT, blocks.FORMAT]


def test_a_few_seconds_of_ten_symbols_take_much_less_room_than_in_streams_of_their_own() -> None:
    events: list[AnyEvent] = [msgspec.structs.replace(q, symbol=f"S{n % 10}") for n, q in enumerate(quotes(1, 50))]
    assert len(encoded(events, short=True)) < 0.6 * len(encoded(events, short=False))


@pytest.mark.parametrize("count", [0, 1, 49, 51, 100])
def test_a_block_that_announces_another_number_of_rows_is_damaged(count: int) -> None:
    for events in (quotes(1, 50), [*quotes(1, 49), Wake(T0)]):
        whole = msgspec.msgpack.decode(zlib.decompress(encode(events)[1:]))
        for bad in (
            [count, *whole[1:]],
            [whole[0], b"\x01" * count, *whole[2:]],
            [count, b"\x01" * count, *whole[2:]],
            [*whole[:3], [[*whole[3][0][:4], bytes(count)], *whole[3][1:]]] if count < 49 else [count, *whole[1:]],
        ):
            with pytest.raises(DamagedBlock):
                decode(blocks.SHORT + zlib.compress(msgspec.msgpack.encode(bad)))


@given(st.lists(any_of(Bar), max_size=20))
@settings(deadline=None)
def test_a_bar_comes_back_with_a_true_boolean(bars: list[Bar]) -> None:
    assert all(type(bar.backfilled) is bool for bar in decode(encode(bars)) if isinstance(bar, Bar))


def test_nothing_makes_an_empty_block() -> None:
    assert decode(encode([])) == []


def test_kinds_and_symbols_interleave_as_they_came() -> None:
    fill = Fill("f1", "o1", "BTCUSDT", T0, T0, -5, 7, 1, Role.MAKER)
    trade = Trade("BTCUSDT", T0, T0, 5, 6, -1)
    events: list[AnyEvent] = [run_started(), *quotes(1, 5), fill, trade, Wake(T0), *quotes(6, 3), trade, Wake(T0 + 9)]
    assert decode(encode(events)) == events


def test_books_of_changing_depth_come_back_as_tuples() -> None:
    books = [
        Book("X", T0 + n, T0, tuple((100 - i, i) for i in range(n)), tuple((101 + i, 3) for i in range(5 - n)))
        for n in range(6)
    ]
    assert decode(encode(books)) == books
    assert type(decode(encode(books))[2].bids) is tuple  # type: ignore[union-attr]


@pytest.mark.parametrize("streams", [255, 256, 257, 700])
def test_many_streams_keep_their_order(streams: int) -> None:
    events = [Quote(f"S{n % streams}", T0 + n, T0, n, n + 1, 1, 1) for n in range(1_000)]
    assert decode(encode(events)) == events


def test_a_run_start_comes_back_with_its_whole_configuration() -> None:
    event = run_started()
    (back,) = decode(encode([event]))
    assert isinstance(back, RunStarted)
    assert back.config == event.config


def test_a_second_of_quotes_takes_less_than_twenty_bytes_each() -> None:
    events = quotes(1, 4_096)
    assert len(encode(events)) / len(events) < 20


@pytest.mark.parametrize("position", range(0, 200, 7))
def test_a_changed_block_raises_or_changes_nothing(position: int) -> None:
    events = quotes(1, 50)
    blob = bytearray(encode(events))
    blob[position % len(blob)] ^= 0x55
    with pytest.raises(DamagedBlock):
        decode(bytes(blob))


def test_a_block_cut_short_or_of_another_format_is_damaged() -> None:
    blob = encode(quotes(1, 10))
    for bad in (b"", blob[:-3], b"\x03" + blob[1:], b"\x01" + zlib.compress(b"\x93\x01\xc4\x00\xa0"), b"\x01"):
        with pytest.raises(DamagedBlock):
            decode(bad)
