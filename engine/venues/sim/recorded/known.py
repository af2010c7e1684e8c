"""What is known of each recorded symbol before it is played: its files, its first and last moment, its price steps."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from math import gcd
from pathlib import Path
from typing import Final

import msgspec

from engine.core.calendar import CONTINUOUS
from engine.core.config import HOUR, Instrument
from engine.core.events import Book, Quote, Trade
from engine.core.money import SCALE
from engine.venues.calendars import NYSE
from engine.venues.sim.recorded import wire
from engine.venues.sim.recorded.files import BadData, Survey
from engine.venues.sim.recorded.layouts import QUOTE_ASSETS, ROLES, Kind, Layout
from engine.venues.sim.recorded.rows import LARGEST, QUANTITIES, BadRow, Row, careful, fast_reader
from engine.venues.sim.recorded.tracks import Recording

WIRE_SAMPLE: Final = 5_000  # groups of events looked at for price steps
ORDER_QTY_SHARE: Final = 100  # the largest order is this many times the largest quantity of the sample

Sample = tuple[list[int], list[int]]  # prices and quantities


class Known(msgspec.Struct, frozen=True):
    """One symbol of the files.

    Attributes:
        path: One of its files, to name in a complaint.
        qty_max: The largest quantity of the sample.
        recording: How to play it; None: it is part of the socket captures.
    """

    symbol: str
    path: Path
    first_ns: int
    last_ns: int
    tick: int
    lot: int
    qty_max: int
    recording: Recording | None

    @property
    def quotes_made_up(self) -> bool:
        return self.recording is not None and self.recording.quotes_made_up


def known_of(symbol: str, files: Iterable[tuple[Survey, Layout]]) -> Known:
    """A symbol of csv files. Raises `BadData` for a file without a usable row, or with quotes of two kinds."""
    heads = sorted(
        ((_rows(found, layout), found, layout) for found, layout in files),
        key=lambda head: (head[0][0][0], head[1].path),
    )
    kinds: dict[Kind, list[tuple[Path, Layout]]] = {}
    prices: list[int] = []
    quantities: list[int] = []
    for rows, found, layout in heads:
        kinds.setdefault(layout.kind, []).append((found.path, layout))
        for role, column in zip(ROLES[layout.kind][1:], list(zip(*rows, strict=True))[1:], strict=False):
            (quantities if role in QUANTITIES else prices).extend(column)
    path = heads[0][1].path
    if Kind.QUOTES in kinds and Kind.QUOTE_BARS in kinds:
        raise BadData(path, 0, 0, f"{symbol} has quotes and bars of quotes; play one of them")
    tick, lot = _step(prices), _step(quantities)
    return Known(
        symbol,
        path,
        min(rows[0][0] for rows, _, _ in heads),
        max(_last_ns(found, layout) for _, found, layout in heads),
        tick,
        lot,
        max(quantities),
        Recording(symbol, tick, lot, kinds),
    )


def known_of_wire(captures: Sequence[Path], held: wire.Streams) -> dict[str, Known]:
    """The symbols of socket captures that tell at least one price."""
    samples: dict[str, Sample] = {}
    for events in islice(wire.play(captures, held), WIRE_SAMPLE):
        for event in events:
            prices, quantities = samples.setdefault(event.symbol, ([], []))
            if isinstance(event, Quote):
                prices += (event.bid, event.ask)
                quantities += (event.bid_qty, event.ask_qty)
            elif isinstance(event, Trade):
                prices.append(event.price)
                quantities.append(event.qty)
            elif isinstance(event, Book):
                prices += (price for price, _ in event.bids + event.asks)
                quantities += (qty for _, qty in event.bids + event.asks)
    return {
        symbol: Known(
            symbol,
            captures[0],
            held.first_ns[symbol],
            held.last_ns,
            _step(prices),
            _step(quantities),
            max(quantities),
            None,
        )
        for symbol, (prices, quantities) in samples.items()
        if symbol in held.kinds and prices
    }


def instrument_of(known: Known, has_funding: bool) -> Instrument:
    """How the symbol can be traded, as far as its data tells. What is quoted in no currency is a share, of New York."""
    crypto = known.symbol.endswith(QUOTE_ASSETS)
    return Instrument(
        symbol=known.symbol,
        tick=known.tick,
        lot=known.lot,
        min_qty=known.lot,
        max_qty=min(max(known.qty_max * ORDER_QTY_SHARE, known.lot), LARGEST),
        funding_interval_ns=8 * HOUR if has_funding else 0,
        group="crypto" if crypto else "equity",
        calendar=CONTINUOUS if crypto else NYSE,
    )


def _rows(found: Survey, layout: Layout) -> list[Row]:
    """The usable rows of the head, at least one."""
    rows = list(_usable(found.head, layout))
    if rows:
        return rows
    first = 1 if layout.header else 0
    try:
        careful(found.head[first], layout)
    except BadRow as bad:
        raise BadData(found.path, first + 1, bad.column, f"no usable row; the first one: {bad.reason}") from bad
    raise BadData(found.path, first + 1, 0, "no usable row")


def _usable(lines: Iterable[bytes], layout: Layout) -> Iterator[Row]:
    fast = fast_reader(layout)
    for line in lines:
        try:
            yield fast(line.split(b","))
        except (ValueError, IndexError, KeyError):
            try:
                yield careful(line, layout)
            except BadRow:
                continue  # said with its place when the file is played


def _last_ns(found: Survey, layout: Layout) -> int:
    times = [row[0] for row in _usable((*found.head[-1:], *found.tail), layout)]
    return max(times, default=0) + layout.span_ns


def _step(values: Iterable[int]) -> int:
    """The finest decimal step the values use; 1 where they are all zero."""
    common = 0
    for value in values:
        common = gcd(common, value)
    step = 1
    while common and common % (step * 10) == 0:
        step *= 10
    return min(step, SCALE) if common else SCALE
