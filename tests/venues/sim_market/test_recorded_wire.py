"""Socket captures: the local book by the venue's rules, and frames of both capture formats played as events."""

import gzip
from collections.abc import Iterable
from itertools import chain, pairwise
from pathlib import Path

import msgspec
import pytest

from engine.core.config import MINUTE, SECOND
from engine.core.events import Bar, Book, DataRejected, FeedEvent, Quote, Trade
from engine.core.money import parse
from engine.venues.sim.recorded import BadData, RecordedMarket
from engine.venues.sim.recorded.local_book import WAITING_MAX, Change, LocalBook

T0_NS = 1_721_347_020 * SECOND
BIDS, ASKS = [(100, 5), (99, 6)], [(101, 7), (102, 8)]


def change(
    first: int,
    last: int,
    previous: int = -1,
    bids: Iterable[tuple[int, int]] = (),
    asks: Iterable[tuple[int, int]] = (),
) -> Change:
    return Change(first, last, previous, list(bids), list(asks))


def live(book: LocalBook) -> bool:
    return book.is_live


# --- the book ---


def test_a_spot_book_meets_its_snapshot_with_the_change_that_contains_the_next_number() -> None:
    book = LocalBook()
    assert book.change(change(8, 9)) == ""
    assert book.change(change(10, 12, bids=[(100, 1)])) == ""
    assert book.snapshot(10, BIDS, ASKS) == ""
    assert live(book)
    assert book.top(5) == (((100, 1), (99, 6)), ((101, 7), (102, 8)))
    assert book.change(change(13, 13, asks=[(101, 0), (103, 2)])) == ""
    assert book.top(5)[1] == ((102, 8), (103, 2))


def test_a_futures_book_follows_the_previous_number() -> None:
    book = LocalBook()
    assert book.snapshot(10, BIDS, ASKS) == ""
    assert not live(book), "no change has met the snapshot yet"
    assert book.change(change(5, 9, 4)) == ""
    assert not live(book)
    assert book.change(change(7, 14, 3, bids=[(98, 1)])) == ""
    assert live(book)
    assert book.change(change(20, 25, 14)) == "", "numbers may jump when the previous one fits"
    assert "does not follow" in book.change(change(30, 31, 26))
    assert not live(book)


def test_a_gap_hides_the_book_until_a_newer_snapshot_is_met() -> None:
    """FV-19."""
    book = LocalBook()
    book.snapshot(10, BIDS, ASKS)
    book.change(change(11, 11))
    assert "does not follow 11" in book.change(change(14, 15, bids=[(98, 1)]))
    assert book.change(change(16, 18)) == ""
    assert not live(book)
    assert book.snapshot(15, [(90, 1)], [(91, 1)]) == ""
    assert live(book)
    assert book.top(1) == (((90, 1),), ((91, 1),))


def test_a_snapshot_older_than_the_changes_is_of_no_use() -> None:
    book = LocalBook()
    book.change(change(50, 60))
    assert "older than the updates" in book.snapshot(10, BIDS, ASKS)
    assert not live(book)


def test_an_older_snapshot_never_overwrites_a_live_book() -> None:
    """FV-17."""
    book = LocalBook()
    book.snapshot(10, BIDS, ASKS)
    book.change(change(11, 20))
    assert book.snapshot(15, [(1, 1)], [(2, 1)]) == ""
    assert book.top(1)[0] == ((100, 5),)


def test_a_book_that_crosses_or_empties_is_not_shown() -> None:
    """FA-07."""
    for bids, reason in (([(101, 1)], "crossed"), ([(100, 0), (99, 0)], "empty")):
        book = LocalBook()
        book.snapshot(10, BIDS, ASKS)
        assert reason in book.change(change(11, 11, bids=bids))
        assert not live(book)


def test_changes_without_a_snapshot_are_said_and_bounded() -> None:
    book = LocalBook()
    told = [reason for i in range(3 * WAITING_MAX) if (reason := book.change(change(i, i)))]
    assert told == [f"no snapshot has come for {WAITING_MAX} updates"] * 2


# --- captures ---


def depth(
    first: int, last: int, bids: object = (), asks: object = (), previous: int | None = None
) -> dict[str, object]:
    body = {"e": "depthUpdate", "E": 1, "s": "BTCUSDT", "U": first, "u": last, "b": bids, "a": asks}
    return body if previous is None else body | {"pu": previous}


def ticker(bid: str, ask: str) -> dict[str, object]:
    return {"u": 1, "s": "BTCUSDT", "b": bid, "B": "2.5", "a": ask, "A": "1"}


def trade(price: str, qty: str, seller_took: bool = True, **more: object) -> dict[str, object]:
    return {"e": "trade", "E": 1, "s": "BTCUSDT", "t": 7, "p": price, "q": qty, "T": 1, "m": seller_took} | more


SNAPSHOT = {"lastUpdateId": 10, "bids": [["100.0", "5"], ["99.5", "6"]], "asks": [["100.5", "7"], ["101.0", "8"]]}


def framed(stream: str, data: object) -> str:
    return msgspec.json.encode({"stream": stream, "data": data}).decode()


def line(second: float, stream: str, data: object) -> str:
    return f"{T0_NS + int(second * 10**9)} {framed(f'btcusdt@{stream}', data)}"


def raw(second: float, data: object) -> str:
    return f"{T0_NS + int(second * 10**9)} {msgspec.json.encode(data).decode()}"


def wrote(path: Path, *lines: str) -> Path:
    path.write_bytes(gzip.compress("".join(text + "\n" for text in lines).encode()))
    return path


def played(*paths: Path) -> list[FeedEvent]:
    market = RecordedMarket(paths)
    return list(chain.from_iterable(market.events(market.start_ns)))


def refusals(events: Iterable[FeedEvent]) -> list[DataRejected]:
    return [event for event in events if isinstance(event, DataRejected)]


def test_a_capture_gives_quotes_books_and_trades_at_the_moment_they_arrived(tmp_path: Path) -> None:
    path = wrote(
        tmp_path / "capture.txt.gz",
        line(0, "depth@0ms", depth(8, 9)),
        line(1, "bookTicker", ticker("100.0", "100.5")),
        raw(2, SNAPSHOT),
        line(3, "depth@0ms", depth(10, 12, [["100.0", "4"]], [["100.5", "0"]])),
        line(4, "trade", trade("100.0", "0.5")),
        line(5, "trade", trade("100.0", "0", X="NA")),
    )
    at = [T0_NS + second * SECOND for second in range(6)]
    bids = ((parse("100"), parse("4")), (parse("99.5"), parse("6")))
    assert played(path) == [
        Quote("BTCUSDT", at[1], at[1], parse("100"), parse("100.5"), parse("2.5"), parse("1")),
        Book("BTCUSDT", at[3], at[3], bids, ((parse("101"), parse("8")),)),
        Trade("BTCUSDT", at[4], at[4], parse("100"), parse("0.5"), -1),
    ]


def test_a_capture_without_best_prices_quotes_the_top_of_its_book(tmp_path: Path) -> None:
    path = wrote(tmp_path / "capture.txt.gz", raw(0, SNAPSHOT), line(1, "depth", depth(11, 11)))
    quote, book = played(path)
    assert isinstance(quote, Quote)
    assert isinstance(book, Book)
    assert ((quote.bid, quote.bid_qty), (quote.ask, quote.ask_qty)) == (book.bids[0], book.asks[0])


def test_bars_of_a_capture_close_at_the_minute_and_count_trades_once(tmp_path: Path) -> None:
    aggregated = {"e": "aggTrade", "s": "BTCUSDT", "a": 3, "p": "999", "q": "1", "m": False}
    path = wrote(
        tmp_path / "capture.txt.gz",
        line(1, "trade", trade("100", "1")),
        line(2, "aggTrade", aggregated),
        line(30, "trade", trade("103", "2", seller_took=False)),
        line(65, "bookTicker", ticker("100.0", "100.5")),
        line(130, "trade", trade("104", "1")),
    )
    events = played(path)
    [bar] = [event for event in events if isinstance(event, Bar)]
    assert (bar.start_ns, bar.at_ns, bar.open, bar.close, bar.volume) == (
        T0_NS,
        T0_NS + MINUTE,
        parse("100"),
        parse("103"),
        parse("3"),
    )
    assert all(before.at_ns <= after.at_ns for before, after in pairwise(events))


def test_snapshots_may_lie_in_a_file_of_replies(tmp_path: Path) -> None:
    seconds = T0_NS // SECOND
    streams = wrote(
        tmp_path / "x.ws.1.0.txt.gz",
        f"wss://stream.example/stream?streams=btcusdt@depth <-> {seconds}.5",
        f"{seconds}.75: {framed('btcusdt@depth@100ms', depth(9, 10))}",
        f"{seconds + 1}.25: {framed('btcusdt@depth@100ms', depth(11, 11))}",
        "",
    )
    snapshot = msgspec.json.encode(SNAPSHOT).decode()
    replies = wrote(
        tmp_path / "x.http.0.0.txt.gz",
        f"https://api.example/depth?symbol=BTCUSDT&limit=1000 -> {seconds + 1}.0: {snapshot}",
    )
    listing = wrote(
        tmp_path / "x.0.txt.gz",
        f'https://api.example/exchangeInfo -> {seconds}.0: {{"timezone":"UTC","symbols":[]}}',
        'configuration: {"l2_book":["BTC-USDT"]}',
    )
    events = played(listing, replies, streams)
    assert not refusals(events)
    [book] = [event for event in events if isinstance(event, Book)]
    assert book.at_ns == T0_NS + SECOND + SECOND // 4


def test_a_chain_goes_on_in_the_next_file(tmp_path: Path) -> None:
    first = wrote(tmp_path / "a.txt.gz", raw(0, SNAPSHOT), line(1, "depth", depth(11, 11)))
    second = wrote(tmp_path / "b.txt.gz", line(2, "depth", depth(12, 12)))
    events = played(second, first)
    assert not refusals(events)
    assert len([event for event in events if isinstance(event, Book)]) == 2


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (line(1.5, "depth", depth(20, 21)), "order book lost: the update 20 does not follow 11"),
        (line(1.5, "bookTicker", ticker("101", "100")), "crossed quote"),
        (line(1.5, "bookTicker", ticker("-1", "100")), "below zero"),
        (line(1.5, "bookTicker", ticker("NaN", "100")), "not an exact decimal"),
        (line(1.5, "trade", trade("0", "1")), "zero"),
        (line(1.5, "trade", trade("1", "1e9")), "not an exact decimal"),
        (line(1.5, "trade", trade("1", "1") | {"p": 1}), "damaged frame"),
        (line(1.5, "trade", trade("1", "1") | {"s": "ETHUSDT"}), "a frame of 'ETHUSDT', unknown"),
        (line(1.5, "depth", depth(-5, 21)), "without its numbers"),
        (f'{T0_NS + SECOND} {{"stream":', "damaged frame"),
        (line(0.5, "trade", trade("1", "1")), "time runs backwards"),
        ("what is this", "not a line of a socket capture"),
    ],
)
def test_a_bad_frame_is_refused_with_its_place_and_the_rest_is_played(tmp_path: Path, bad: str, reason: str) -> None:
    path = wrote(
        tmp_path / "capture.txt.gz",
        raw(0, SNAPSHOT),
        line(1, "depth", depth(11, 11)),
        bad,
        line(2, "bookTicker", ticker("100.0", "100.5")),
        line(3, "trade", trade("100.0", "0.5")),
    )
    events = played(path)
    [refused] = refusals(events)
    assert reason in refused.reason
    assert refused.where.startswith(f"{path}:3:")
    assert [type(event) for event in events[-2:]] == [Quote, Trade]


def test_after_a_gap_no_book_is_told(tmp_path: Path) -> None:
    path = wrote(
        tmp_path / "capture.txt.gz",
        raw(0, SNAPSHOT),
        line(1, "depth", depth(11, 11)),
        line(2, "depth", depth(13, 13)),
        line(3, "depth", depth(14, 14)),
        raw(4, SNAPSHOT | {"lastUpdateId": 14}),
        line(5, "depth", depth(15, 15)),
    )
    books = [event.at_ns for event in played(path) if isinstance(event, Book)]
    assert books == [T0_NS + SECOND, T0_NS + 5 * SECOND]


def test_answers_to_subscriptions_are_no_market_data(tmp_path: Path) -> None:
    path = wrote(
        tmp_path / "capture.txt.gz", raw(0, {"result": None, "id": 1}), line(1, "bookTicker", ticker("100.0", "100.5"))
    )
    assert [type(event) for event in played(path)] == [Quote]


def test_a_symbol_is_played_from_one_kind_of_recording(tmp_path: Path) -> None:
    capture = wrote(tmp_path / "capture.txt.gz", line(1, "bookTicker", ticker("100.0", "100.5")))
    bars = tmp_path / "BTCUSDT.csv"
    bars.write_text("ts_ms,open,high,low,close,volume\n1721347020000,1,1,1,1,1\n")
    with pytest.raises(BadData, match="BTCUSDT is in a socket capture as well"):
        RecordedMarket([capture, bars])


def test_a_truncated_capture_is_named(tmp_path: Path) -> None:
    path = wrote(tmp_path / "capture.txt.gz", *(line(i, "bookTicker", ticker("100.0", "100.5")) for i in range(500)))
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(BadData, match="truncated"):
        RecordedMarket([path])
