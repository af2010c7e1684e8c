"""What a recorded file holds: recognised from its header and its first rows, never from its name.

Only the symbol may come from the file's name, where no column tells it.
"""

import csv
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from enum import StrEnum
from itertools import pairwise
from math import gcd
from pathlib import Path
from typing import Final

import msgspec

from engine.core.config import MINUTE
from engine.venues.sim.recorded.files import BadData, Survey


class Kind(StrEnum):
    BARS = "bars"
    QUOTE_BARS = "quote bars"
    QUOTES = "quotes"
    TRADES = "trades"
    FUNDING = "funding rates"
    WIRE = "socket capture"


class Layout(msgspec.Struct, frozen=True):
    """How to read a csv file.

    Attributes:
        columns: Where each role of `ROLES[kind]` stands, counted from 0; optional roles may be missing.
        width: Columns in a row.
        header: The first line names the columns.
        time_digits: Digits of a time stamp; tells its unit.
        time_unit_ns: Nanoseconds in one unit of the time column.
        span_ns: What one bar covers; 0 for rows that are no bars.
        end_stamped: A bar's time is its end, not its start.
        symbol: Whose data it is; empty where a column tells.
    """

    kind: Kind
    columns: Mapping[str, int]
    width: int
    header: bool
    time_digits: int
    time_unit_ns: int
    span_ns: int
    end_stamped: bool
    symbol: str


_BAR: Final = ("open", "high", "low", "close")
ROLES: Final = {  # most telling first; a role in brackets may be missing
    Kind.FUNDING: ("time", "rate"),
    Kind.QUOTE_BARS: (
        "time",
        *(f"bid_{edge}" for edge in _BAR),
        "bid_qty",
        *(f"ask_{edge}" for edge in _BAR),
        "ask_qty",
    ),
    Kind.BARS: ("time", *_BAR, "volume"),
    Kind.QUOTES: ("time", "bid", "bid_qty", "ask", "ask_qty"),
    Kind.TRADES: ("time", "price", "qty"),
}
OPTIONAL: Final = ("id", "buyer_maker", "side", "symbol", "close_time")
_ALIASES: Final = {
    "time": "ts_ms open_time timestamp ts time transact_time transaction_time event_time calc_time",
    "rate": "funding_rate last_funding_rate",
    "bid": "bid bid_price best_bid_price",
    "ask": "ask ask_price best_ask_price",
    "bid_qty": "bid_size bid_qty bid_quantity best_bid_qty",
    "ask_qty": "ask_size ask_qty ask_quantity best_ask_qty",
    "price": "price",
    "qty": "qty quantity size amount",
    "volume": "volume",
    "id": "agg_id agg_trade_id trade_id id",
    "buyer_maker": "is_buyer_maker",
    "side": "side",
    "symbol": "symbol",
    "close_time": "close_time",
}
TELLING_ROWS: Final = 5
_END_STAMPED: Final = "label_ny"  # a column beside the time that says so
_NEW_YORK: Final = ("time_ny", "date")
_UNITS: Final = {10: 1_000_000_000, 13: 1_000_000, 16: 1_000, 19: 1}  # by digits: seconds to nanoseconds
_BOOLS: Final = {b"true", b"false", b"0", b"1"}
QUOTE_ASSETS: Final = ("USDT", "USDC", "BUSD", "USD", "EUR", "BTC", "ETH", "BNB")
_WIRE: Final = re.compile(rb"\d{19} \{|\d{9,10}(\.\d+)?: \{|(https?|wss?)://\S+ (->|<->|<-) |configuration: ")
_SYMBOL: Final = re.compile(r"[A-Z0-9]{2,20}")


def recognise(survey: Survey) -> Layout:
    """The layout of a file. Raises `BadData` for one that cannot be told or played, with what was expected."""
    path = survey.path
    if any(_WIRE.match(line) for line in survey.head[:3]):
        return Layout(Kind.WIRE, {}, 0, False, 0, 1, 0, False, "")
    rows = [fields(line) for line in survey.head if line]
    names = [name.strip().lower().replace(" ", "_") for name in rows[0]]
    header = not any(_is_number(field) for field in rows[0])
    samples = rows[1:] if header else rows
    if not samples:
        raise BadData(path, 1, 0, "there is no row below the header")
    columns = _from_names(names) if header else _from_content(samples[0])
    kind = next((kind for kind, roles in ROLES.items() if all(role in columns for role in roles)), None)
    if kind is None and header and any(name in names for name in _NEW_YORK):
        raise BadData(
            path, 1, 1, "bars of an hour or a day in New York time are too coarse; a minute or finer is needed"
        )
    if kind is None:
        raise BadData(path, 1, 0, f"unknown layout: {', '.join(rows[0])[:80]!r}; bars, quotes or trades are expected")
    width = len(rows[0])
    stamps = _stamps(samples, columns["time"], width)
    if not stamps:
        raise BadData(path, 1 + header, columns["time"] + 1, "no time stamp in seconds, ms, µs or ns since 1970 found")
    digits = len(stamps[0])
    span_ns = 0
    if kind in (Kind.BARS, Kind.QUOTE_BARS):
        told = columns.get("close_time")
        ends = _stamps(samples, told, width) if told is not None else []
        times = [int(stamp) * _UNITS[digits] for stamp in stamps if len(stamp) == digits]
        span_ns = _span(path, times, (int(ends[0]) + 1) * _UNITS[digits] - times[0] if ends else 0)
    symbol = "" if kind is Kind.FUNDING and "symbol" in columns else _symbol(path, samples, columns)
    wanted = {role: columns[role] for role in (*ROLES[kind], *OPTIONAL) if role in columns}
    return Layout(kind, wanted, width, header, digits, _UNITS[digits], span_ns, _END_STAMPED in names, symbol)


def fields(line: bytes) -> list[str]:
    """One csv line, quotes understood."""
    text = line.decode("utf-8-sig", errors="replace")
    return next(csv.reader([text]), [])


def _from_names(names: Sequence[str]) -> dict[str, int]:
    columns = {name: place for place, name in enumerate(names)}
    found = {name: place for name, place in columns.items() if name.startswith(("bid_", "ask_")) or name in _BAR}
    for role, aliases in _ALIASES.items():
        place = next((columns[alias] for alias in aliases.split() if alias in columns), None)
        if place is not None:
            found[role] = place
    return found


def _from_content(row: Sequence[str]) -> dict[str, int]:
    """Columns of the dumps that come without a header; empty when it is none of them."""
    flags = [field.strip().lower().encode() in _BOOLS and not field.isdigit() for field in row]
    times = [len(field) in _UNITS and field.isdigit() for field in row]
    if len(row) == 12 and times[0]:  # klines; the last column is unused
        return {"time": 0, "open": 1, "high": 2, "low": 3, "close": 4, "volume": 5, "close_time": 6}
    if len(row) == 6 and times[0] and not any(flags):
        return {"time": 0, "open": 1, "high": 2, "low": 3, "close": 4, "volume": 5}
    if len(row) in (7, 8) and times[5] and flags[6]:  # aggregated trades
        return {"id": 0, "price": 1, "qty": 2, "time": 5, "buyer_maker": 6}
    if len(row) in (6, 7) and times[4] and flags[5]:  # single trades
        return {"id": 0, "price": 1, "qty": 2, "time": 4, "buyer_maker": 5}
    return {}


def _stamps(rows: Sequence[Sequence[str]], column: int, width: int) -> list[str]:
    return [row[column] for row in rows if len(row) == width and row[column].isdigit() and len(row[column]) in _UNITS]


def _span(path: Path, times: Sequence[int], told_ns: int) -> int:
    """What one bar covers: as told by its close time, or else the step that all bars of the sample keep.

    A minute where too few bars are there to tell.
    """
    seen = Counter(after - before for before, after in pairwise(times) if after > before)
    usual = [step for step, count in seen.items() if count > 1]  # a single odd step is damage
    step = told_ns or gcd(*(usual or seen))
    if not told_ns and (not step or (step > MINUTE and len(times) <= TELLING_ROWS)):
        return MINUTE
    if step > MINUTE:
        raise BadData(path, 0, 0, f"bars of {step // MINUTE} minutes are too coarse; a minute or finer is needed")
    return gcd(step, MINUTE)


def _symbol(path: Path, rows: Sequence[Sequence[str]], columns: Mapping[str, int]) -> str:
    place = columns.get("symbol")
    if place is not None:
        told = {row[place].strip().upper(): None for row in rows if len(row) > place}
        if len(told) != 1:
            raise BadData(path, 1, place + 1, f"rows of several symbols ({', '.join(told)[:60]}) in one file")
        return next(iter(told))
    parts = [part for part in re.split(r"[-_. ]", path.name.upper()) if _SYMBOL.fullmatch(part) and not part.isdigit()]
    pairs = [part for part in parts if part.endswith(QUOTE_ASSETS) and part not in QUOTE_ASSETS]
    if not parts:
        raise BadData(path, 0, 0, "neither a column nor the file's name tells the symbol")
    return (pairs or parts)[0]


def _is_number(field: str) -> bool:
    return bool(re.fullmatch(r"\s*-?[0-9.]+(e-?[0-9]+)?\s*", field, re.IGNORECASE))
