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


def test_more_than_256_streams_keep_their_order() -> None:
    events = [Quote(f"S{n % 700}", T0 + n, T0, n, n + 1, 1, 1) for n in range(1_500)]
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
