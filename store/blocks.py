"""Blocks: the inputs of one batch as a few compressed columns, so that keeping every tick stays cheap.

Market events make up almost all inputs. They are sorted into streams, one per kind and symbol, and each field of a
stream becomes a column: a time or price as steps from the one before, a number that runs along another (`ask` along
`bid`) as the distance between them, all divided by their greatest common divisor and packed into the narrowest
machine integers that hold them. Every other kind is rare and kept as JSON rows. A vector of stream numbers remembers
the order across streams. The whole is msgpack, then zlib at level 1.

A desk at its market's pace commits a few events at a time, and a stream of one event is mostly its own description. A
short block (format 2) has one stream per kind, whatever the symbols, and one more column that says whose each row is.

`decode(encode(events))` equals `events`: same order, same values, same types, for integers of any size.
"""

import zlib
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice, repeat
from operator import attrgetter, sub
from typing import Any, Final, NamedTuple

import msgspec

from engine.core.events import AnyEvent, Bar, Book, FundingRate, Quote, Trade, Wake
from store.columns import Packed, little_endian, pack_ints, unpack_ints
from store.errors import Damaged

FORMAT: Final = b"\x01"
SHORT: Final = b"\x02"
SHORT_EVENTS_MAX: Final = 64
ZLIB_LEVEL: Final = 1


class DamagedBlock(Damaged):
    """A block that cannot be decoded: not written by this program, or changed since."""


class _Column(NamedTuple):
    """How one integer field is kept: minus the column at index `along` (-1: none), as steps if `steps`."""

    field: str
    along: int = -1
    steps: bool = True


class _Stream(msgspec.Struct, array_like=True, frozen=True):
    """`symbol` is that of every row, or in a short block several after one another, of which `whose` has one's number
    for each row."""

    tag: str
    symbol: str | list[str]
    count: int
    columns: list[Packed]
    whose: bytes = b""


class _Block(msgspec.Struct, array_like=True, frozen=True):
    """`order` holds one stream number per event: a byte each below 256 streams, else two. Stream 0 is `rare`."""

    count: int
    order: bytes
    rare: bytes
    streams: list[_Stream]


_TIMES: Final = (_Column("at_ns"), _Column("venue_ns", along=0))
_LAYOUT: Final[dict[type, tuple[_Column, ...]]] = {
    Quote: (
        *_TIMES,
        _Column("bid"),
        _Column("ask", along=2),
        _Column("bid_qty", steps=False),
        _Column("ask_qty", steps=False),
    ),
    Trade: (*_TIMES, _Column("price"), _Column("qty", steps=False), _Column("side", steps=False)),
    Book: _TIMES,
    Bar: (
        _Column("at_ns"),
        _Column("start_ns", along=0),
        _Column("span_ns"),
        _Column("open"),
        _Column("high", along=3, steps=False),
        _Column("low", along=3, steps=False),
        _Column("close", along=3, steps=False),
        _Column("volume", steps=False),
        _Column("backfilled"),
    ),
    FundingRate: (_Column("at_ns"), _Column("rate"), _Column("due_ns", along=0)),
    Wake: (_Column("at_ns"),),
}
_FIELDS: Final = {kind: attrgetter(*(column.field for column in columns)) for kind, columns in _LAYOUT.items()}
_BY_TAG: Final[dict[str, type]] = {str(kind.__struct_config__.tag): kind for kind in _LAYOUT}  # type: ignore[attr-defined]
_LEVELS: Final = (_Column("price"), _Column("qty", steps=False))

_pack = msgspec.msgpack.Encoder().encode
_unpack: Final = msgspec.msgpack.Decoder(_Block)
_rare_rows: Final = msgspec.json.Decoder(list[AnyEvent])


def encode(events: Sequence[AnyEvent]) -> bytes:
    """The block of `events`, in order."""
    is_short = len(events) <= SHORT_EVENTS_MAX
    order, rare, streams = _sort(events, is_short)
    block = _Block(
        count=len(events),
        order=_order_bytes(order, len(streams)),
        rare=msgspec.json.encode(rare) if rare else b"",
        streams=[
            _pack_mixed(kind, rows) if is_short else _pack_stream(kind, symbol, rows)
            for (kind, symbol), rows in streams.items()
        ],
    )
    return (SHORT if is_short else FORMAT) + zlib.compress(_pack(block), ZLIB_LEVEL)


def decode(blob: bytes) -> list[AnyEvent]:
    """The events of a block.

    Raises:
        DamagedBlock: `blob` is no whole block of this format.
    """
    if blob[:1] not in (FORMAT, SHORT):
        raise DamagedBlock(f"a block of unknown format {blob[:1].hex()!r}")
    try:
        block = _unpack.decode(zlib.decompress(blob[1:]))
        sources: list[Iterator[AnyEvent]] = [
            iter(_rare_rows.decode(block.rare) if block.rare else []),
            *map(iter, map(_stream_rows, block.streams)),
        ]
        if len(sources) == 2 and block.order == b"\x01" * block.count:
            events = list(islice(sources[1], block.count))  # most blocks: of one stream, with nothing to put in order
        else:
            events = [next(sources[stream]) for stream in _order_from(block.order, len(block.streams))]
    except (
        zlib.error,
        msgspec.MsgspecError,
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        OverflowError,
        RuntimeError,
        StopIteration,
    ) as error:
        raise DamagedBlock(f"a block of {len(blob)} bytes cannot be decoded: {error}") from error
    if len(events) != block.count or any(True for source in sources for _ in source):
        raise DamagedBlock(f"a block holds {len(events)} events in order and announces {block.count}")
    return events


# --- sorting into streams ---


def _sort(
    events: Sequence[AnyEvent], is_short: bool
) -> tuple[list[int], list[AnyEvent], dict[tuple[type, str], list[AnyEvent]]]:
    """Stream number of each event (0: rare), the rare events, and the streams in order of first appearance.

    In a short block all symbols are one stream.
    """
    order: list[int] = []
    rare: list[AnyEvent] = []
    streams: dict[tuple[type, str], list[AnyEvent]] = {}
    by_kind: dict[type, dict[str, tuple[int, Callable[[AnyEvent], None]]]] = {kind: {} for kind in _LAYOUT}
    add = order.append
    for event in events:
        kind = type(event)
        if kind not in by_kind:
            rare.append(event)
            add(0)
            continue
        symbol = "" if is_short or kind is Wake else event.symbol  # type: ignore[union-attr]
        place = by_kind[kind].get(symbol)
        if place is None:
            rows: list[AnyEvent] = []
            streams[kind, symbol] = rows
            place = by_kind[kind][symbol] = (len(streams), rows.append)
        add(place[0])
        place[1](event)
    return order, rare, streams


def _order_bytes(order: list[int], streams: int) -> bytes:
    return bytes(order) if streams < 256 else little_endian(array("H", order)).tobytes()


def _order_from(data: bytes, streams: int) -> Iterable[int]:
    if streams < 256:
        return data
    order = array("H")
    order.frombytes(data)
    return little_endian(order)


# --- one stream ---


def _pack_stream(kind: type, symbol: str, rows: list[AnyEvent]) -> _Stream:
    layout = _LAYOUT[kind]
    values: Iterable[Any] = map(_FIELDS[kind], rows)  # one number for a kind of one column, else a tuple of them
    columns = _pack_columns(layout, [list(values)] if len(layout) == 1 else list(zip(*values, strict=True)))
    if kind is Book:
        for side in ("bids", "asks"):
            ladders = list(map(attrgetter(side), rows))
            levels = list(chain.from_iterable(ladders))
            columns.append(pack_ints(list(map(len, ladders)), steps=True))
            columns += _pack_columns(_LEVELS, list(zip(*levels, strict=True)) or [(), ()])
    return _Stream(str(kind.__struct_config__.tag), symbol, len(rows), columns)  # type: ignore[attr-defined]


def _pack_mixed(kind: type, rows: list[AnyEvent]) -> _Stream:
    """A stream of several symbols, in a short block."""
    stream = _pack_stream(kind, "", rows)
    if kind is Wake:
        return stream
    numbers: dict[str, int] = {}
    whose = bytes(numbers.setdefault(event.symbol, len(numbers)) for event in rows)  # type: ignore[union-attr]
    return msgspec.structs.replace(stream, symbol=list(numbers), whose=whose)


def _stream_rows(stream: _Stream) -> Iterable[AnyEvent]:
    kind = _BY_TAG[stream.tag]
    layout = _LAYOUT[kind]
    columns: list[Iterable[Any]] = list(_unpack_columns(layout, stream.columns, stream.count))
    if kind is Bar:
        columns[-1] = map(bool, columns[-1])
    elif kind is Book:
        columns.append(_ladders(stream.columns[2:5], stream.count))
        columns.append(_ladders(stream.columns[5:8], stream.count))
    if kind is Wake:
        return map(kind, *columns)
    if isinstance(stream.symbol, list):
        return map(kind, map(stream.symbol.__getitem__, stream.whose), *columns)
    return map(kind, repeat(stream.symbol, stream.count), *columns)


def _ladders(packed: list[Packed], count: int) -> Iterable[tuple[tuple[int, int], ...]]:
    depths = unpack_ints(packed[0], count, steps=True)
    levels = iter(zip(*_unpack_columns(_LEVELS, packed[1:], sum(depths)), strict=True))
    return [tuple(islice(levels, depth)) for depth in depths]


def _pack_columns(layout: tuple[_Column, ...], values: Sequence[Sequence[int]]) -> list[Packed]:
    return [
        pack_ints(list(map(sub, column, values[how.along])) if how.along >= 0 else column, how.steps)
        for how, column in zip(layout, values, strict=True)
    ]


def _unpack_columns(layout: tuple[_Column, ...], packed: list[Packed], count: int) -> list[list[int]]:
    columns: list[list[int]] = []
    for how, column in zip(layout, packed, strict=False):
        values = unpack_ints(column, count, how.steps)
        columns.append(list(map(int.__add__, values, columns[how.along])) if how.along >= 0 else values)
    return columns
