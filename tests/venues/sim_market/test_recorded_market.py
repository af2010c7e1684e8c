"""The recorded market: files of several symbols and kinds played as one, in time, nothing lost and nothing invented
without saying so."""

from collections import Counter
from collections.abc import Iterable
from itertools import chain, pairwise
from pathlib import Path

import pytest

from engine.core.config import HOUR, MINUTE, SECOND
from engine.core.events import Bar, DataRejected, FeedEvent, FundingRate, Quote, Trade
from engine.core.money import parse
from engine.venues.sim.recorded import BadData, RecordedMarket

T0 = 1_746_372_780_000  # a full minute, in ms
T0_NS = T0 * 1_000_000
BAR_HEADER = "ts_ms,open,high,low,close,volume"


def wrote(folder: Path, name: str, *lines: str) -> Path:
    path = folder / name
    path.write_text("".join(line + "\n" for line in lines))
    return path


def bars_file(folder: Path, symbol: str, count: int, first: int = 0, price: int = 100) -> Path:
    rows = [
        f"{T0 + 60_000 * i},{price},{price + 2}.5,{price - 1},{price + 1 + i % 2},{i % 5}.25"
        for i in range(first, first + count)
    ]
    return wrote(folder, f"{symbol}.csv", BAR_HEADER, *rows)


def played(market: RecordedMarket, from_ns: int = -1, step_ns: int = SECOND) -> list[FeedEvent]:
    return list(chain.from_iterable(market.events(market.start_ns if from_ns < 0 else from_ns, step_ns)))


def bars_of(events: Iterable[FeedEvent], symbol: str) -> list[Bar]:
    return [event for event in events if isinstance(event, Bar) and event.symbol == symbol]


def quotes_of(events: Iterable[FeedEvent]) -> list[Quote]:
    return [event for event in events if isinstance(event, Quote)]


def trades_of(events: Iterable[FeedEvent]) -> list[Trade]:
    return [event for event in events if isinstance(event, Trade)]


# --- bars alone ---


def test_a_recorded_bar_is_told_at_its_end_exactly_as_it_was_written(tmp_path: Path) -> None:
    market = RecordedMarket([wrote(tmp_path, "BTCUSDT.csv", BAR_HEADER, f"{T0},100.5,101,99,100,8")])
    [bar] = bars_of(played(market), "BTCUSDT")
    prices = parse("100.5"), parse("101"), parse("99"), parse("100")
    assert (bar.open, bar.high, bar.low, bar.close, bar.volume) == (*prices, parse("8"))
    assert (bar.at_ns, bar.start_ns, bar.span_ns, bar.backfilled) == (T0_NS + MINUTE, T0_NS, MINUTE, False)


@pytest.mark.parametrize(
    ("row", "path"),
    [
        ("100,101,97,99", ["100", "101", "97", "99"]),
        ("100,104,99,102", ["100", "99", "104", "102"]),
        ("100,102,98,100", ["100", "98", "102", "100"]),
    ],
    ids=["the high is nearer", "the low is nearer", "a tie goes low first"],
)
def test_a_bar_trades_its_four_prices_the_nearer_extreme_first(tmp_path: Path, row: str, path: list[str]) -> None:
    market = RecordedMarket([wrote(tmp_path, "BTCUSDT.csv", BAR_HEADER, f"{T0},{row},8")])
    trades = trades_of(played(market))
    assert [trade.price for trade in trades] == [parse(price) for price in path]
    assert [(trade.at_ns - T0_NS) // SECOND for trade in trades] == [0, 20, 40, 59]
    assert sum(trade.qty for trade in trades) == parse("8")


def test_trades_made_from_a_bar_make_that_bar_again(tmp_path: Path) -> None:
    market = RecordedMarket([bars_file(tmp_path, "BTCUSDT", 30)])
    events = played(market)
    for bar in bars_of(events, "BTCUSDT"):
        inside = [t for t in trades_of(events) if bar.start_ns <= t.at_ns < bar.start_ns + MINUTE]
        assert sum(trade.qty for trade in inside) == bar.volume
        if bar.volume:
            prices = [trade.price for trade in inside]
            assert (prices[0], max(prices), min(prices), prices[-1]) == (bar.open, bar.high, bar.low, bar.close)
        else:
            assert not inside


def test_a_quiet_bar_is_quoted_but_not_traded_and_never_falls_silent(tmp_path: Path) -> None:
    market = RecordedMarket([wrote(tmp_path, "BTCUSDT.csv", BAR_HEADER, f"{T0},100,100,100,100,0")])
    events = played(market)
    assert not trades_of(events)
    times = [quote.at_ns for quote in quotes_of(events)]
    assert max(after - before for before, after in pairwise(times)) <= 5 * SECOND


def test_made_up_quotes_are_named_surround_the_price_and_show_no_future_volume(tmp_path: Path) -> None:
    rows = [f"{T0},100,101,99,100,12", f"{T0 + 60_000},100,101,99,100,1200"]
    market = RecordedMarket([wrote(tmp_path, "BTCUSDT.csv", BAR_HEADER, *rows)])
    assert market.synthetic_book == {"BTCUSDT"}
    quotes = quotes_of(played(market))
    assert all(0 < quote.bid < quote.ask for quote in quotes)
    assert {quote.bid_qty for quote in quotes if quote.at_ns >= T0_NS + MINUTE} == {parse("1")}


def test_bars_of_a_second_make_minutes(tmp_path: Path) -> None:
    rows = [
        f"{T0 + 1000 * second},{100 + second},{101 + second},{99 + second},{100 + second},2" for second in range(90)
    ]
    market = RecordedMarket([wrote(tmp_path, "SPY.csv", BAR_HEADER, *rows)])
    [bar] = bars_of(played(market), "SPY")
    assert (bar.open, bar.high, bar.low, bar.close) == tuple(parse(str(price)) for price in (100, 160, 99, 159))
    assert (bar.volume, bar.at_ns) == (parse("120"), T0_NS + MINUTE)


# --- quotes and trades ---


def test_recorded_quotes_are_played_as_they_are(tmp_path: Path) -> None:
    rows = [f"{T0 + 500 * i},100,{i + 1},101,{i + 2}" for i in range(300)]
    market = RecordedMarket([wrote(tmp_path, "ETHUSD.csv", "ts_ms,bid,bid_size,ask,ask_size", *rows)])
    events = played(market)
    assert market.synthetic_book == frozenset()
    assert quotes_of(events)[7] == Quote(
        "ETHUSD", T0_NS + 3500 * 10**6, T0_NS + 3500 * 10**6, parse("100"), parse("101"), parse("8"), parse("9")
    )
    assert [(bar.close, bar.volume) for bar in bars_of(events, "ETHUSD")] == [(parse("100.5"), 0)] * 2


def test_recorded_trades_make_bars_and_named_quotes(tmp_path: Path) -> None:
    rows = [f"{T0 + 10_000 * i},{100 + i},2,{i % 2}" for i in range(13)]
    market = RecordedMarket([wrote(tmp_path, "ETHUSD.csv", "ts_ms,price,size,is_buyer_maker", *rows)])
    events = played(market)
    assert market.synthetic_book == {"ETHUSD"}
    assert [(bar.open, bar.close, bar.volume) for bar in bars_of(events, "ETHUSD")] == [
        (parse("100"), parse("105"), parse("12")),
        (parse("106"), parse("111"), parse("12")),
    ]
    for trade in trades_of(events):
        quote = [quote for quote in quotes_of(events) if quote.at_ns <= trade.at_ns][-1]
        assert trade.price == (quote.ask if trade.side > 0 else quote.bid)


def test_quotes_and_trades_of_one_symbol_come_from_their_own_files(tmp_path: Path) -> None:
    quotes = [f"{T0 + 1000 * i},100,1,101,1" for i in range(200)]
    trades = [f"{T0 + 1500 * i},100,2,1" for i in range(130)]
    wrote(tmp_path, "ETHUSD_quotes.csv", "ts_ms,bid,bid_size,ask,ask_size", *quotes)
    wrote(tmp_path, "ETHUSD_trades.csv", "ts_ms,price,size,is_buyer_maker", *trades)
    market = RecordedMarket([tmp_path])
    events = played(market)
    assert [i.symbol for i in market.instruments] == ["ETHUSD"]
    assert (len(quotes_of(events)), len(trades_of(events))) == (200, 130)
    assert [bar.volume for bar in bars_of(events, "ETHUSD")] == [parse("80")] * 3
    assert market.synthetic_book == frozenset()


def test_quote_bars_and_trade_bars_of_one_symbol_go_together(tmp_path: Path) -> None:
    names = "ts_ms,bid_open,bid_high,bid_low,bid_close,bid_size,ask_open,ask_high,ask_low,ask_close,ask_size"
    wrote(tmp_path, "LTCUSD_quote.csv", names, *(f"{T0 + 60_000 * i},10,12,9,11,{i},11,13,10,12,2" for i in range(5)))
    wrote(tmp_path, "LTCUSD_trade.csv", BAR_HEADER, *(f"{T0 + 60_000 * i},10,12,9,11,8" for i in range(5)))
    market = RecordedMarket([tmp_path])
    events = played(market)
    assert len(bars_of(events, "LTCUSD")) == 5
    assert len(trades_of(events)) == 20
    minute = [quote for quote in quotes_of(events) if quote.at_ns < T0_NS + MINUTE]
    assert all(quote.bid < quote.ask for quote in quotes_of(events))
    assert (minute[0].bid, minute[0].ask, minute[-1].bid, minute[-1].ask) == tuple(
        parse(price) for price in ("10", "11", "11", "12")
    )
    assert (min(quote.bid for quote in minute), max(quote.ask for quote in minute)) == (parse("9"), parse("13"))


# --- several files ---


def test_several_symbols_play_in_one_order_of_time(tmp_path: Path) -> None:
    bars_file(tmp_path, "BTCUSDT", 20)
    bars_file(tmp_path, "ETHUSDT", 12, first=5)
    wrote(tmp_path, "SOLUSDT.csv", "ts_ms,price,qty", *(f"{T0 + 7_001 * i},{20 + i % 3},1" for i in range(150)))
    events = played(RecordedMarket([tmp_path]))
    assert all(before.at_ns <= after.at_ns for before, after in pairwise(events))
    assert Counter(bar.symbol for bar in events if isinstance(bar, Bar)) == {
        "BTCUSDT": 20,
        "ETHUSDT": 12,
        "SOLUSDT": 17,
    }


def test_the_files_of_one_symbol_follow_each_other_whatever_their_names(tmp_path: Path) -> None:
    later = wrote(tmp_path, "BTCUSDT-a.csv", BAR_HEADER, *(f"{T0 + 60_000 * i},1,1,1,1,1" for i in range(5, 10)))
    earlier = wrote(tmp_path, "BTCUSDT-b.csv", BAR_HEADER, *(f"{T0 + 60_000 * i},1,1,1,1,1" for i in range(6)))
    events = played(RecordedMarket([later, earlier]))
    assert [(bar.start_ns - T0_NS) // MINUTE for bar in bars_of(events, "BTCUSDT")] == list(range(10))
    [refused] = [event for event in events if isinstance(event, DataRejected)]
    assert (refused.reason, refused.where) == ("repeated time", f"{later}:2:1")


def test_only_the_symbols_asked_for_are_played(tmp_path: Path) -> None:
    for symbol in ("BTCUSDT", "ETHUSDT", "SOLUSDT"):
        bars_file(tmp_path, symbol, 5)
    market = RecordedMarket([tmp_path], symbols=("SOLUSDT", "BTCUSDT"))
    assert [instrument.symbol for instrument in market.instruments] == ["SOLUSDT", "BTCUSDT"]
    assert {event.symbol for event in played(market)} == {"SOLUSDT", "BTCUSDT"}
    with pytest.raises(BadData, match=r"^DOGEUSDT: the files hold BTCUSDT, ETHUSDT, SOLUSDT"):
        RecordedMarket([tmp_path], symbols=("DOGEUSDT",))


def test_steps_of_price_and_quantity_come_from_the_data(tmp_path: Path) -> None:
    market = RecordedMarket([wrote(tmp_path, "X.csv", BAR_HEADER, f"{T0},86.35,86.4,86.33,86.39,1179.774")])
    [instrument] = market.instruments
    assert (instrument.tick, instrument.lot, instrument.min_qty) == (parse("0.01"), parse("0.001"), parse("0.001"))
    assert (instrument.group, instrument.funding_interval_ns, instrument.calendar) == ("equity", 0, "NYSE")


def test_the_fingerprint_tells_the_contents_and_not_the_names(tmp_path: Path) -> None:
    one = bars_file(tmp_path, "BTCUSDT", 5)
    first = RecordedMarket([one]).fingerprint
    assert RecordedMarket([one.rename(tmp_path / "BTCUSDT-copy.csv")]).fingerprint == first
    assert RecordedMarket([bars_file(tmp_path, "BTCUSDT", 6)]).fingerprint != first


# --- time ---


def test_events_can_begin_anywhere_and_agree_with_a_run_from_the_start(tmp_path: Path) -> None:
    bars_file(tmp_path, "BTCUSDT", 20)
    wrote(tmp_path, "SOLUSDT.csv", "ts_ms,price,qty", *(f"{T0 + 7_001 * i},{20 + i % 3},1" for i in range(150)))
    market = RecordedMarket([tmp_path])
    whole = played(market)
    for from_ns in (T0_NS + 5 * MINUTE, T0_NS + 7 * MINUTE + 12_345_678_901, market.end_ns - SECOND):
        rest = [event for event in whole if event.at_ns >= from_ns]
        assert played(market, from_ns) == [e for e in rest if e.at_ns > from_ns or not isinstance(e, Bar)]


def test_chunks_of_any_length_hold_the_same_events(tmp_path: Path) -> None:
    market = RecordedMarket([bars_file(tmp_path, "BTCUSDT", 20)])
    assert played(market, step_ns=SECOND) == played(market, step_ns=HOUR)


def test_history_and_events_hold_every_bar_once(tmp_path: Path) -> None:
    market = RecordedMarket([bars_file(tmp_path, "BTCUSDT", 40)], warmup_bars=10)
    assert market.start_ns == T0_NS + 10 * MINUTE
    before = market.history("BTCUSDT", MINUTE, market.start_ns, 100)
    after = bars_of(played(market), "BTCUSDT")
    assert [(bar.start_ns - T0_NS) // MINUTE for bar in before + after] == list(range(40))
    assert all(bar.backfilled for bar in before)


def test_history_can_be_asked_in_any_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.venues.sim.recorded.market.BARS_KEPT", 8)
    market = RecordedMarket([bars_file(tmp_path, "BTCUSDT", 40)])
    for end, count in ((40, 5), (10, 5), (40, 30), (3, 9), (39, 8), (40, 99)):
        bars = market.history("BTCUSDT", MINUTE, T0_NS + end * MINUTE + 17, count)
        assert [(bar.start_ns - T0_NS) // MINUTE for bar in bars] == list(range(max(0, end - count), end))


def test_longer_history_is_put_together_from_minutes(tmp_path: Path) -> None:
    market = RecordedMarket([bars_file(tmp_path, "BTCUSDT", 40)])
    end_ns = (T0_NS + 40 * MINUTE) // (5 * MINUTE) * 5 * MINUTE
    bars = market.history("BTCUSDT", 5 * MINUTE, T0_NS + 40 * MINUTE, 3)
    assert [bar.at_ns for bar in bars] == [end_ns - 10 * MINUTE, end_ns - 5 * MINUTE, end_ns]
    minutes = market.history("BTCUSDT", MINUTE, end_ns, 5)
    assert bars[-1].volume == sum(bar.volume for bar in minutes)
    assert (bars[-1].open, bars[-1].close) == (minutes[0].open, minutes[-1].close)


def test_too_little_before_the_start_is_said(tmp_path: Path) -> None:
    path = bars_file(tmp_path, "BTCUSDT", 40)
    with pytest.raises(BadData, match="BTCUSDT has 40 one-minute bars; 100 are needed before the start"):
        RecordedMarket([path], warmup_bars=100)


def test_symbols_that_never_overlap_cannot_warm_up_together(tmp_path: Path) -> None:
    bars_file(tmp_path, "BTCUSDT", 20)
    bars_file(tmp_path, "ETHUSDT", 20, first=30)
    with pytest.raises(BadData, match="BTCUSDT ends before the others have had 10 bars"):
        RecordedMarket([tmp_path], warmup_bars=10)


# --- what was refused ---


def test_a_bad_row_is_told_where_it_was_met(tmp_path: Path) -> None:
    rows = [f"{T0 + 60_000 * i},1,1,1,1,1" for i in range(5)]
    rows[3] = rows[3].replace(",1,1,1,1,1", ",1,nan,1,1,1")
    path = wrote(tmp_path, "BTCUSDT.csv", BAR_HEADER, *rows)
    events = played(RecordedMarket([path]))
    [refused] = [event for event in events if isinstance(event, DataRejected)]
    assert refused.where == f"{path}:5:3"
    assert refused.at_ns == T0_NS + 3 * MINUTE
    assert len(bars_of(events, "BTCUSDT")) == 4
    assert all(before.at_ns <= after.at_ns for before, after in pairwise(events))


def test_what_was_refused_during_warm_up_is_told_at_the_start_and_only_there(tmp_path: Path) -> None:
    rows = [f"{T0 + 60_000 * i},1,1,1,1,1" for i in range(30)]
    path = wrote(tmp_path, "BTCUSDT.csv", BAR_HEADER, "broken", *rows[:5], "1,2", *rows[5:])
    market = RecordedMarket([path], warmup_bars=10)
    refused = [event for event in played(market) if isinstance(event, DataRejected)]
    assert [(event.where, event.at_ns) for event in refused] == [
        (f"{path}:2:2", market.start_ns),
        (f"{path}:8:3", market.start_ns),
    ]
    later = played(market, market.start_ns + MINUTE)
    assert not [event for event in later if isinstance(event, DataRejected)]


def test_a_file_that_breaks_while_it_plays_is_named(tmp_path: Path) -> None:
    path = bars_file(tmp_path, "BTCUSDT", 3_000)
    market = RecordedMarket([path])
    chunks = market.events(market.start_ns)
    next(chunks)
    path.unlink()
    with pytest.raises(BadData, match="cannot be read"):
        list(market.events(market.start_ns))


# --- funding ---


def test_a_funding_rate_is_told_a_minute_before_it_is_settled(tmp_path: Path) -> None:
    bars_file(tmp_path, "BTCUSDT", 30)
    due = [T0 + 600_000, T0 + 1_200_000]
    rows = [f"BTCUSDT,{due[1]},-0.0002", f"BTCUSDT,{due[0]},0.0001", f"ETHUSDT,{due[0]},0.5", f"BTCUSDT,{due[0]},x"]
    wrote(tmp_path, "funding.csv", "symbol,ts_ms,funding_rate", *rows)
    market = RecordedMarket([tmp_path])
    events = played(market)
    assert [event for event in events if isinstance(event, FundingRate)] == [
        FundingRate("BTCUSDT", T0_NS + 9 * MINUTE, 10_000, T0_NS + 10 * MINUTE),
        FundingRate("BTCUSDT", T0_NS + 19 * MINUTE, -20_000, T0_NS + 20 * MINUTE),
    ]
    assert market.instruments[0].funding_interval_ns == 8 * HOUR
    assert [event.where for event in events if isinstance(event, DataRejected)] == [f"{tmp_path}/funding.csv:5:3"]
    assert market.funding("BTCUSDT", T0_NS + 15 * MINUTE) == FundingRate(
        "BTCUSDT", T0_NS + 15 * MINUTE, 10_000, T0_NS + 20 * MINUTE
    ), "the coming rate is not known yet"
    assert market.funding("BTCUSDT", T0_NS + 20 * MINUTE) is None


def test_funding_rates_alone_are_no_market(tmp_path: Path) -> None:
    path = wrote(tmp_path, "funding.csv", "symbol,ts_ms,funding_rate", f"BTCUSDT,{T0},0.0001")
    with pytest.raises(BadData, match="no market data"):
        RecordedMarket([path])
