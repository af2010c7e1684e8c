"""Recorded csv files: every layout is recognised by content, every kind of damage is refused with its place."""

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.events import DataRejected
from engine.core.money import parse, text
from engine.venues.sim.recorded import BadData, RecordedMarket
from engine.venues.sim.recorded.files import find, survey
from engine.venues.sim.recorded.layouts import Kind, Layout, recognise
from engine.venues.sim.recorded.rows import BadRow, Row, careful, fast_reader, read, read_funding

MS = 1_000_000
T0 = 1_746_372_780_000  # a full minute, in ms


def wrote(folder: Path, name: str, *lines: str) -> Path:
    path = folder / name
    body = "".join(line + "\n" for line in lines).encode()
    path.write_bytes(gzip.compress(body) if name.endswith(".gz") else body)
    return path


def layout_of(path: Path) -> Layout:
    return recognise(survey(path))


def good(path: Path) -> list[Row]:
    return [row for row in read(path, layout_of(path)) if isinstance(row, tuple)]


def refused(path: Path) -> list[DataRejected]:
    return [row for row in read(path, layout_of(path)) if isinstance(row, DataRejected)]


def unusable(path: Path) -> str:
    with pytest.raises(BadData) as caught:
        list(read(path, layout_of(path)))
    assert str(path) in str(caught.value)
    return caught.value.reason


BAR_HEADER = "ts_ms,open,high,low,close,volume"
BAR = f"{T0},10.5,11,10,10.25,3.75"
ROW_OF_BAR = (T0 * MS, parse("10.5"), parse("11"), parse("10"), parse("10.25"), parse("3.75"))


def bar(minute: int, prices: str = "10.5,11,10,10.25,3.75") -> str:
    return f"{T0 + 60_000 * minute},{prices}"


# --- layouts ---


def test_bars_with_a_header_are_recognised(tmp_path: Path) -> None:
    path = wrote(tmp_path, "BTCUSDT.csv", BAR_HEADER, BAR)
    layout = layout_of(path)
    assert (layout.kind, layout.symbol, layout.span_ns) == (Kind.BARS, "BTCUSDT", 60_000 * MS)
    assert good(path) == [ROW_OF_BAR]


def test_a_packed_file_is_known_by_its_first_bytes(tmp_path: Path) -> None:
    path = wrote(tmp_path, "BTCUSDT.csv.gz", BAR_HEADER, BAR)
    assert good(path) == [ROW_OF_BAR]
    bare = path.rename(tmp_path / "BTCUSDT.csv")
    assert good(bare) == [ROW_OF_BAR]


@pytest.mark.parametrize("scale", [1, 1000], ids=["ms", "us"])
@pytest.mark.parametrize("header", [True, False])
def test_dumped_klines_are_recognised_with_and_without_header(tmp_path: Path, scale: int, header: bool) -> None:
    names = "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,x,ignore"
    rows = [
        f"{start * scale},10.5,11.0,10.0,10.25,3.75,{(start + 60_000) * scale - 1},40.1,9,1,10,0"
        for start in (T0, T0 + 60_000)
    ]
    path = wrote(tmp_path, "BTCUSDT-1m-2025-05-04.csv", *([names] if header else []), *rows)
    layout = layout_of(path)
    assert (layout.kind, layout.symbol, layout.span_ns) == (Kind.BARS, "BTCUSDT", 60_000 * MS)
    assert good(path)[0] == ROW_OF_BAR


AGG_SPOT = f"60953854,0.00000908,3591711.00,209942017,209942018,{T0},True,True"
AGG_FUTURES = f"60953854,0.00000908,3591711.00,209942017,209942018,{T0},true"
AGG_NAMES = "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker"
SINGLE = f"60953854,0.00000908,3591711.00,32.6,{T0},true,True"
OWN_AGG_NAMES = "ts_ms,agg_id,price,qty,first_trade_id,last_trade_id,is_buyer_maker"
OWN_AGG = f"{T0},60953854,0.00000908,3591711.00,209942017,209942017,1"


@pytest.mark.parametrize(
    "lines", [[AGG_SPOT], [AGG_FUTURES], [AGG_NAMES, AGG_FUTURES], [SINGLE], [OWN_AGG_NAMES, OWN_AGG]], ids=str
)
def test_dumped_trades_are_recognised(tmp_path: Path, lines: list[str]) -> None:
    path = wrote(tmp_path, "PEPEUSDT-aggTrades-2024-10-27.csv", *lines)
    assert layout_of(path).kind is Kind.TRADES
    assert good(path) == [(T0 * MS, 908, parse("3591711"), -1, 60953854)]


@pytest.mark.parametrize(
    ("names", "row", "side"),
    [
        ("ts_ms,price,size,is_buyer_maker", "10.5,2,0", 1),
        ("timestamp,price,amount,side", "10.5,2,sell", -1),
        ("time,price,qty", "10.5,2", 0),
    ],
)
def test_trades_take_their_aggressor_from_whatever_column_tells(
    tmp_path: Path, names: str, row: str, side: int
) -> None:
    path = wrote(tmp_path, "ETHUSD_trades.csv", names, f"{T0},{row}")
    assert good(path) == [(T0 * MS, parse("10.5"), parse("2"), side, -1)]


@pytest.mark.parametrize(
    ("names", "row"),
    [
        ("ts_ms,bid,bid_size,ask,ask_size", f"{T0},10,1,11,2"),
        (
            "update_id,best_bid_price,best_bid_qty,best_ask_price,best_ask_qty,transaction_time,event_time",
            f"7,10,1,11,2,{T0},{T0 + 5}",
        ),
    ],
)
def test_quotes_are_recognised(tmp_path: Path, names: str, row: str) -> None:
    path = wrote(tmp_path, "ETHUSD_quotes_1s.csv", names, row)
    assert (layout_of(path).kind, layout_of(path).symbol) == (Kind.QUOTES, "ETHUSD")
    assert good(path) == [(T0 * MS, parse("10"), parse("1"), parse("11"), parse("2"))]


QUOTE_BAR_HEADER = "ts_ms,bid_open,bid_high,bid_low,bid_close,bid_size,ask_open,ask_high,ask_low,ask_close,ask_size"


def test_quote_bars_are_recognised_and_long_sizes_are_cut(tmp_path: Path) -> None:
    path = wrote(tmp_path, "LTCUSD_quote_1m.csv", QUOTE_BAR_HEADER, f"{T0},10,12,9,11,1.4621171400000001,11,13,10,12,2")
    assert (layout_of(path).kind, layout_of(path).symbol) == (Kind.QUOTE_BARS, "LTCUSD")
    assert good(path)[0][5] == 146_211_714


def test_bars_labelled_with_their_end_start_a_span_earlier(tmp_path: Path) -> None:
    rows = [f"{T0 + 60_000 * i},2019-02-11 09:3{i}:00,10,10,10,10,{i}" for i in (1, 2)]
    path = wrote(tmp_path, "SPY.csv", "ts_ms,label_ny,open,high,low,close,volume", *rows)
    assert [row[0] for row in good(path)] == [T0 * MS, (T0 + 60_000) * MS]


def test_bars_of_a_second_are_recognised_by_their_step(tmp_path: Path) -> None:
    rows = [f"{T0 + second * 1000},10,10,10,10,5" for second in (0, 2, 3, 7)]
    assert layout_of(wrote(tmp_path, "SPY_trade_1s.csv", BAR_HEADER, *rows)).span_ns == 1_000 * MS


@pytest.mark.parametrize(
    "lines",
    [
        ["symbol,ts_ms,funding_rate", f"BTCUSDT,{T0},-0.00000612"],
        ["calc_time,funding_interval_hours,last_funding_rate", f"{T0},8,-0.00000612"],
    ],
)
def test_funding_rates_are_recognised(tmp_path: Path, lines: list[str]) -> None:
    path = wrote(tmp_path, "BTCUSDT-fundingRate-2025-05.csv", *lines)
    assert layout_of(path).kind is Kind.FUNDING
    assert list(read_funding(path, layout_of(path))) == [("BTCUSDT", (T0 * MS, -612))]


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("BTCUSDT.csv", "BTCUSDT"),
        ("btcusdt_1m.csv", "BTCUSDT"),
        ("binance-ETHUSDT-1m.csv", "ETHUSDT"),
        ("SPY_trade_1m.csv", "SPY"),
        ("1000PEPEUSDT-1m-2025.csv", "1000PEPEUSDT"),
    ],
)
def test_the_symbol_comes_from_the_name(tmp_path: Path, name: str, symbol: str) -> None:
    assert layout_of(wrote(tmp_path, name, BAR_HEADER, BAR)).symbol == symbol


def test_the_symbol_comes_from_a_column_before_the_name(tmp_path: Path) -> None:
    path = wrote(tmp_path, "BTCUSDT.csv", "symbol," + BAR_HEADER, "ETHUSDT," + BAR)
    assert layout_of(path).symbol == "ETHUSDT"
    assert good(path) == [ROW_OF_BAR]


# --- files that cannot be played ---


def test_a_truncated_packed_file_is_named(tmp_path: Path) -> None:
    """FA-15."""
    path = wrote(tmp_path, "BTCUSDT.csv.gz", BAR_HEADER, *(bar(i) for i in range(500)))
    path.write_bytes(path.read_bytes()[:-20])
    assert "truncated" in unusable(path)


def test_a_damaged_packed_file_is_named(tmp_path: Path) -> None:
    path = wrote(tmp_path, "BTCUSDT.csv.gz", BAR_HEADER, *(bar(i) for i in range(500)))
    packed = bytearray(path.read_bytes())
    packed[-6] ^= 0xFF
    path.write_bytes(packed)
    assert "damaged" in unusable(path)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    assert unusable(wrote(tmp_path, "BTCUSDT.csv")) == "the file is empty"
    assert "no row" in unusable(wrote(tmp_path, "BTCUSDT.csv", BAR_HEADER))


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (["name,colour", "a,b"], "unknown layout"),
        (["hello"], "unknown layout|no row"),
        (["time_ny,open,high,low,close,volume", "1998-01-02 09:00,1,1,1,1,5"], "too coarse"),
        (["date,open,high,low,close", "1990-01-02,1,1,1,1"], "too coarse"),
        ([BAR_HEADER, *(f"{T0 + 900_000 * i},1,1,1,1,1" for i in range(9))], "15 minutes are too coarse"),
        ([BAR_HEADER, "yesterday,1,1,1,1,1"], "no time stamp"),
        (["symbol," + BAR_HEADER, "A," + BAR, "B," + BAR], "several symbols"),
    ],
)
def test_a_file_that_cannot_be_played_says_why(tmp_path: Path, lines: list[str], reason: str) -> None:
    with pytest.raises(BadData, match=reason):
        layout_of(wrote(tmp_path, "BTCUSDT.csv", *lines))


def test_a_missing_path_and_an_empty_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="no such file"):
        find([tmp_path / "absent.csv"])
    with pytest.raises(BadData, match="holds no file"):
        find([tmp_path])


def test_a_folder_stands_for_the_recordings_in_and_below_it(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    inner = wrote(tmp_path / "deep", "B.csv.gz", BAR_HEADER)
    outer = wrote(tmp_path, "A.csv", BAR_HEADER)
    wrote(tmp_path, "README.md", "no data")
    assert find([tmp_path, outer]) == [outer, inner]


# --- rows that cannot be used ---


@pytest.mark.parametrize(
    ("row", "column", "reason"),
    [
        ("1,2,3", 4, "3 columns instead of 6"),
        (bar(1) + ",7", 7, "7 columns instead of 6"),
        (bar(1, "nan,11,10,10.25,1"), 2, "open is not an exact decimal"),
        (bar(1, "10.5,inf,10,10.25,1"), 3, "high is not an exact decimal"),
        (bar(1, "10.5,1e3,10,10.25,1"), 3, "high is not an exact decimal"),
        (bar(1, "10.5,11,,10.25,1"), 4, "low is not an exact decimal"),
        (bar(1, "10.5,11,-10,10.25,1"), 4, "low is negative"),
        (bar(1, "10.5,11,0,10.25,1"), 4, "low is zero"),
        (bar(1, "10.5,11,10,1_0,1"), 5, "close is not an exact decimal"),
        (bar(1, "10.5,11,10,10.123456789,1"), 5, "close is not an exact decimal"),
        (bar(1, "10.5,11,10,10.25,-1"), 6, "volume is negative"),
        (bar(1, "10.5,10,11,10.25,1"), 4, "the low is above the high"),
        (bar(1, "11.5,11,10,10.25,1"), 2, "the open lies outside low and high"),
        (bar(1, "10.5,11,10,12,1"), 5, "the close lies outside low and high"),
        (bar(1, "10.5,99999999999999999,10,12,1"), 3, "high is too large"),
        ("soon,1,1,1,1,1", 1, "time is not a whole number"),
        ("1746372840,1,1,1,1,1", 1, "10 digits where others have 13"),
        ("9946372840000,1,1,1,1,1", 1, "before 2000 or after 2100"),
        (f"{T0 + 1},1,1,1,1,1", 1, "not the start of a bar"),
        (BAR, 1, "repeated time"),
        (bar(-1), 1, "time runs backwards"),
        ("\u0661\u0662,1,1,1,1,1", 1, "time is not a whole number"),
        ("\x00\x01\x02", 2, "1 columns instead of 6"),
    ],
)
def test_a_bad_bar_is_refused_with_its_place_and_the_rest_is_kept(
    tmp_path: Path, row: str, column: int, reason: str
) -> None:
    """FA-15."""
    rows = [BAR, row, *(bar(minute) for minute in range(2, 8))]
    path = wrote(tmp_path, "BTCUSDT.csv", BAR_HEADER, *rows)
    [told] = refused(path)
    assert reason in told.reason
    assert told.where == f"{path}:3:{column}"
    assert (told.symbol, told.at_ns, told.count) == ("BTCUSDT", T0 * MS, 1)
    assert len(good(path)) == 7


@pytest.mark.parametrize(
    ("row", "column", "reason"),
    [
        (f"{T0 + 1},11.01,1,11,2", 4, "crossed quote: the bid is above the ask"),
        (f"{T0 + 1},10,-1,11,2", 3, "bid_qty is negative"),
        (f"{T0 - 1},10,1,11,2", 1, "backwards"),
    ],
)
def test_a_bad_quote_is_refused(tmp_path: Path, row: str, column: int, reason: str) -> None:
    path = wrote(tmp_path, "ETHUSD.csv", "ts_ms,bid,bid_size,ask,ask_size", f"{T0},10,1,11,2", row, f"{T0},10,1,11,2")
    [told] = refused(path)
    assert reason in told.reason
    assert told.where.endswith(f":3:{column}")
    assert len(good(path)) == 2, "two quotes may share a time"


@pytest.mark.parametrize(
    ("row", "column", "reason"),
    [
        (f"{T0},60953854,1,1,1,1,1", 2, "repeated trade id"),
        (f"{T0},60953855,1,0,1,1,1", 7, "quantity is zero|contradict|zero"),
        (f"{T0},60953855,1,1,1,1,maybe", 7, "is_buyer_maker|buyer_maker is none of"),
        (f"{T0},x,1,1,1,1,1", 2, "id is not a whole number"),
    ],
)
def test_a_bad_trade_is_refused(tmp_path: Path, row: str, column: int, reason: str) -> None:
    """FA-01."""
    path = wrote(tmp_path, "PEPEUSDT.csv", OWN_AGG_NAMES, OWN_AGG, row)
    [told] = refused(path)
    assert any(word in told.reason for word in reason.split("|"))
    assert told.where.rpartition(":")[0] == f"{path}:3"
    assert len(good(path)) == 1


@pytest.mark.parametrize(
    ("row", "column", "reason"),
    [
        ("10,12,9,11,1,9.99,13,9,12,2", 7, "crossed quote"),
        ("10,12,9,11,1,10,13,10,10.99,2", 10, "crossed quote"),
        ("8,12,9,11,1,11,13,10,12,2", 2, "the open lies outside"),
        ("10,12,9,13,1,11,13,10,13,2", 5, "the close lies outside"),
        ("10,12,9,11,1,14,13,10,12,2", 7, "the open lies outside"),
        ("10,12,9,11,1,11,13,14,12,2", 9, "the low is above the high"),
    ],
)
def test_a_bad_quote_bar_is_refused_with_its_column(tmp_path: Path, row: str, column: int, reason: str) -> None:
    sound = f"{T0},10,12,9,11,1,11,13,10,12,2"
    [told] = refused(wrote(tmp_path, "LTCUSD.csv", QUOTE_BAR_HEADER, sound, f"{T0 + 60_000},{row}"))
    assert reason in told.reason
    assert told.where.endswith(f":3:{column}")


def test_a_locked_quote_is_legal(tmp_path: Path) -> None:
    quotes = wrote(tmp_path, "ETHUSD.csv", "ts_ms,bid,bid_size,ask,ask_size", f"{T0},10,1,11,2", f"{T0 + 1},11,1,11,2")
    assert (len(good(quotes)), refused(quotes)) == (2, [])
    locked = f"{T0 + 60_000},11,12,9,12,1,11,13,10,12,2"
    bars = wrote(tmp_path, "LTCUSD.csv", QUOTE_BAR_HEADER, f"{T0},10,12,9,11,1,11,13,10,12,2", locked)
    assert (len(good(bars)), refused(bars)) == (2, [])


def test_quotes_blanks_and_windows_line_ends_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "BTCUSDT.csv"
    path.write_bytes(
        f"\ufeff{BAR_HEADER}\r\n{BAR}\r\n\r\n".encode() + bar(1).replace("10.25", '"10.25"').encode() + b"\r\n"
    )
    assert len(good(path)) == 2
    assert not refused(path)


def test_a_file_without_a_single_usable_row_shows_its_first_complaint(tmp_path: Path) -> None:
    path = wrote(tmp_path, "BTCUSDT.csv", BAR_HEADER, f"{T0},1,nan,1,1,1", f"{T0 + 60_000},1,nan,1,1,1")
    with pytest.raises(BadData, match="no usable row; the first one: high is not") as caught:
        RecordedMarket([path])
    assert (caught.value.line, caught.value.column) == (2, 3)


CELL = st.one_of(
    st.integers(0, 10**13).map(text),
    st.sampled_from(
        ["", "-1", "0", "nan", "1e3", "1_0", " 1", "+1", ".5", "5.", "1.2.3", "-", "--1", "1-2", "0.123456789"]
    ),
    st.text("0123456789.-e_ +", max_size=8),
)


@given(st.lists(CELL, min_size=5, max_size=5))
def test_the_fast_path_reads_exactly_what_the_careful_one_reads(cells: list[str]) -> None:
    columns = {"time": 0, "open": 1, "high": 2, "low": 3, "close": 4, "volume": 5}
    layout = Layout(Kind.BARS, columns, 6, False, 13, MS, 60_000 * MS, False, "X")
    line = ",".join([str(T0), *cells]).encode()
    try:
        expected = careful(line, layout)
    except BadRow:
        expected = ()
    if line.translate(None, bytes(range(48, 58)) + bytes(range(97, 123)) + b".,-"):
        return  # the fast path is never given such a line
    try:
        told = fast_reader(layout)(line.split(b","))
    except (ValueError, IndexError, KeyError):
        return  # it hands over to the careful one
    assert told == expected
