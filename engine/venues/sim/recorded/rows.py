"""Rows of a csv file as exact integers. Good rows take a fast path; whatever it stumbles over is read again with care.

A row is a tuple: its time in nanoseconds (a bar's start), then the numbers of its kind in the order of `ROLES`;
a trade has its aggressor and its id (-1: none) after them. A row that cannot be used is said as `DataRejected`, with
file, line and column, and never played.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from engine.core.config import DAY
from engine.core.events import DataRejected
from engine.core.money import DIGITS, NotExact, parse
from engine.venues.sim.recorded.files import blocks
from engine.venues.sim.recorded.layouts import ROLES, Kind, Layout, fields

Row = tuple[int, ...]

LARGEST: Final = (1 << 63) - 1  # what the journal can hold
EARLIEST_NS: Final = 10_957 * DAY  # 2000-01-01
LATEST_NS: Final = 47_482 * DAY  # 2100-01-01

_POWERS: Final[tuple[int, ...]] = tuple(10 ** (DIGITS - places) for places in range(DIGITS + 1))
_PLAIN: Final = bytes(range(48, 58)) + bytes(range(65, 91)) + bytes(range(97, 123)) + b".,-\r\n"
_SIDES: Final = {
    "buyer_maker": {b"1": -1, b"true": -1, b"True": -1, b"TRUE": -1, b"0": 1, b"false": 1, b"False": 1, b"FALSE": 1},
    "side": {b"buy": 1, b"BUY": 1, b"Buy": 1, b"sell": -1, b"SELL": -1, b"Sell": -1},
}
_CROSSED: Final = "crossed quote: the bid is above the ask"  # a locked one, bid = ask, is legal
QUANTITIES: Final = frozenset({"volume", "bid_qty", "ask_qty", "qty"})


class BadRow(ValueError):
    """A row that cannot be used. `column` counts from 1."""

    def __init__(self, column: int, reason: str) -> None:
        super().__init__(reason)
        self.column = column
        self.reason = reason


def read(path: Path, layout: Layout, after_ns: int = 0) -> Iterator[Row | DataRejected]:
    """The rows of a file in order of time, and what had to be refused. Raises `BadData` for an unreadable file.

    `after_ns` is the time of the row before the file's first; what does not lie after it is refused.
    """
    fast = fast_reader(layout)
    again = layout.kind in (Kind.QUOTES, Kind.TRADES)  # these may happen twice at the same time
    last_ns, last_id, number = after_ns, -1, 0
    for block in blocks(path):
        plain = not b"".join(block).translate(None, _PLAIN)
        for line in block:
            number += 1
            try:
                row = fast(line.rstrip(b"\r\n").split(b",")) if plain else careful(line, layout)
            except (ValueError, IndexError, KeyError):
                if (number == 1 and layout.header) or not line.strip():
                    continue
                try:
                    row = careful(line, layout)
                except BadRow as bad:
                    yield DataRejected(layout.symbol, last_ns, bad.reason, f"{path}:{number}:{bad.column}")
                    continue
            if row[0] <= last_ns and not (again and row[0] == last_ns):
                reason = "repeated time" if row[0] == last_ns else "time runs backwards"
                column = layout.columns["time"] + 1
                yield DataRejected(layout.symbol, last_ns, reason, f"{path}:{number}:{column}")
                continue
            if layout.kind is Kind.TRADES and row[4] >= 0:
                if row[4] == last_id:
                    column = layout.columns["id"] + 1
                    yield DataRejected(layout.symbol, last_ns, "repeated trade id", f"{path}:{number}:{column}")
                    continue
                last_id = row[4]
            last_ns = row[0]
            yield row


def read_funding(path: Path, layout: Layout) -> Iterator[tuple[str, Row] | DataRejected]:
    """Symbol and (settlement time, rate) of every row of a funding file, and what had to be refused."""
    number, place = 0, layout.columns.get("symbol")
    for block in blocks(path):
        for line in block:
            number += 1
            if (number == 1 and layout.header) or not line.strip():
                continue
            try:
                row = careful(line, layout)
            except BadRow as bad:
                yield DataRejected("", 0, bad.reason, f"{path}:{number}:{bad.column}")
                continue
            yield layout.symbol if place is None else fields(line)[place].strip().upper(), row


def fast_reader(layout: Layout) -> Callable[[list[bytes]], Row]:
    """Reads the cells of a sound row; raises ValueError, IndexError or KeyError for any other, without saying why."""
    number = _number
    width, digits, unit_ns = layout.width, layout.time_digits, layout.time_unit_ns
    shift_ns = layout.span_ns if layout.end_stamped else 0
    span_ns = layout.span_ns or 1
    time = layout.columns["time"]
    places = [layout.columns[role] for role in ROLES[layout.kind][1:]]
    names, symbol = layout.columns.get("symbol"), layout.symbol.encode()
    sound = _SOUND[layout.kind]
    trades = layout.kind is Kind.TRADES
    side = next((role for role in _SIDES if role in layout.columns), None)
    sides, side_place = (_SIDES[side], layout.columns[side]) if side else ({}, 0)
    ids = layout.columns.get("id")

    def fast(cells: list[bytes]) -> Row:
        stamp = cells[time]
        if len(cells) != width or len(stamp) != digits or (names is not None and cells[names] != symbol):
            raise ValueError
        at_ns = int(stamp) * unit_ns - shift_ns
        row = (at_ns, *[number(cells[place]) for place in places])
        if at_ns % span_ns or not EARLIEST_NS <= at_ns < LATEST_NS or not sound(row):
            raise ValueError
        if trades:
            return (*row, sides[cells[side_place]] if sides else 0, int(cells[ids]) if ids is not None else -1)
        return row

    return fast


def careful(line: bytes, layout: Layout) -> Row:
    """One row, every cell checked by itself. Raises `BadRow` with the first thing wrong and where.

    Digits of a quantity beyond the eighth place are cut off, as some recorders wrote binary fractions out; those of a
    price are refused.
    """
    cells = [cell.strip() for cell in fields(line)]
    if len(cells) != layout.width:
        raise BadRow(min(len(cells), layout.width) + 1, f"{len(cells)} columns instead of {layout.width}")
    at_ns = _careful_time(cells[layout.columns["time"]], layout)
    names = layout.columns.get("symbol")
    if names is not None and layout.symbol and cells[names].upper() != layout.symbol:
        raise BadRow(names + 1, f"a row of {cells[names][:20]!r} among those of {layout.symbol}")
    values = [at_ns]
    for role in ROLES[layout.kind][1:]:
        values.append(_careful_number(cells[layout.columns[role]], role, layout.columns[role] + 1))
    row = tuple(values)
    if not _SOUND[layout.kind](row):
        role, reason = _unsound(layout.kind, dict(zip(ROLES[layout.kind], row, strict=True)))
        raise BadRow(layout.columns[role] + 1, reason)
    if layout.kind is Kind.TRADES:
        return (*row, _careful_side(cells, layout), _careful_id(cells, layout))
    return row


def _careful_time(cell: str, layout: Layout) -> int:
    column = layout.columns["time"] + 1
    if not (cell.isascii() and cell.isdigit()):
        raise BadRow(column, f"time is not a whole number: {cell[:40]!r}")
    if len(cell) != layout.time_digits:
        raise BadRow(column, f"time has {len(cell)} digits where others have {layout.time_digits}: {cell[:40]!r}")
    at_ns = int(cell) * layout.time_unit_ns - (layout.span_ns if layout.end_stamped else 0)
    if not EARLIEST_NS <= at_ns < LATEST_NS:
        raise BadRow(column, f"time lies before 2000 or after 2100: {cell}")
    if layout.span_ns and at_ns % layout.span_ns:
        raise BadRow(column, f"time is not the start of a bar of {layout.span_ns // 1_000_000_000} s: {cell}")
    return at_ns


def _careful_number(cell: str, role: str, column: int) -> int:
    whole, point, fraction = cell.partition(".")
    if role in QUANTITIES and len(fraction) > DIGITS and fraction.isascii() and fraction.isdigit():
        cell = whole + point + fraction[:DIGITS]
    try:
        value = parse(cell)
    except NotExact as error:
        raise BadRow(column, f"{role} is {error}") from error
    if role != "rate" and (value < 0 or (value == 0 and role not in QUANTITIES)):
        raise BadRow(column, f"{role} is {'negative' if value < 0 else 'zero'}: {cell[:40]!r}")
    if value > LARGEST:
        raise BadRow(column, f"{role} is too large: {cell[:40]!r}")
    return value


def _careful_side(cells: list[str], layout: Layout) -> int:
    for role, meanings in _SIDES.items():
        place = layout.columns.get(role)
        if place is not None:
            side = meanings.get(cells[place].encode())
            if side is None:
                raise BadRow(place + 1, f"{role} is none of {', '.join(word.decode() for word in meanings)}")
            return side
    return 0


def _careful_id(cells: list[str], layout: Layout) -> int:
    place = layout.columns.get("id")
    if place is None:
        return -1
    if not (cells[place].isascii() and cells[place].isdigit()):
        raise BadRow(place + 1, f"the trade's id is not a whole number: {cells[place][:40]!r}")
    return int(cells[place])


def _number(cell: bytes) -> int:
    """A plain decimal in units of 1e-8. Only for cells known to hold nothing but letters, digits, dots and minus."""
    whole, _, fraction = cell.partition(b".")
    return int(whole + fraction) * _POWERS[len(fraction)]


def _sound_bar(row: Row) -> bool:
    _, opened, high, low, close, volume = row
    return 0 < low <= opened <= high <= LARGEST and low <= close <= high and 0 <= volume <= LARGEST


def _sound_quote_bar(row: Row) -> bool:
    _, bid_open, bid_high, bid_low, bid_close, bid_qty, ask_open, ask_high, ask_low, ask_close, ask_qty = row
    return (
        0 < bid_low <= bid_open <= bid_high
        and bid_low <= bid_close <= bid_high
        and ask_low <= ask_open <= ask_high <= LARGEST
        and ask_low <= ask_close <= ask_high
        and bid_open <= ask_open
        and bid_close <= ask_close
        and 0 <= bid_qty <= LARGEST
        and 0 <= ask_qty <= LARGEST
    )


def _sound_quote(row: Row) -> bool:
    _, bid, bid_qty, ask, ask_qty = row
    return 0 < bid <= ask <= LARGEST and 0 <= bid_qty <= LARGEST and 0 <= ask_qty <= LARGEST


def _sound_trade(row: Row) -> bool:
    return 0 < row[1] <= LARGEST and 0 < row[2] <= LARGEST


_SOUND: Final[dict[Kind, Callable[[Row], bool]]] = {
    Kind.BARS: _sound_bar,
    Kind.QUOTE_BARS: _sound_quote_bar,
    Kind.QUOTES: _sound_quote,
    Kind.TRADES: _sound_trade,
    Kind.FUNDING: lambda row: abs(row[1]) < 100_000_000,
}


def _unsound(kind: Kind, row: Mapping[str, int]) -> tuple[str, str]:
    """Which number of an unsound row contradicts the others, by its role, and how."""
    match kind:
        case Kind.BARS:
            return _out_of_range(row, "")
        case Kind.QUOTE_BARS:
            for edge in ("open", "close"):
                if row[f"bid_{edge}"] > row[f"ask_{edge}"]:
                    return f"ask_{edge}", _CROSSED
            role, reason = _out_of_range(row, "bid_")
            return (role, reason) if reason else _out_of_range(row, "ask_")
        case Kind.QUOTES:
            return "ask", _CROSSED
        case Kind.TRADES:
            return "qty", "the quantity is zero"
        case _:
            return "rate", "a funding rate of 100 % or more"


def _out_of_range(row: Mapping[str, int], side: str) -> tuple[str, str]:
    """The first of open and close that lies outside low and high; empty words if neither does."""
    low, high = row[f"{side}low"], row[f"{side}high"]
    if low > high:
        return f"{side}low", "the low is above the high"
    for edge in ("open", "close"):
        if not low <= row[f"{side}{edge}"] <= high:
            return f"{side}{edge}", f"the {edge} lies outside low and high"
    return "", ""
