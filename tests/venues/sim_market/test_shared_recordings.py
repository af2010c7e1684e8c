"""Every layout of the shared recordings, as others recorded them: opened, warmed up and played."""

import os
from collections import Counter
from collections.abc import Iterator
from itertools import islice, pairwise
from pathlib import Path

import pytest

from engine.core.config import MINUTE, SECOND
from engine.core.events import Bar, Book, DataRejected, FeedEvent, Quote, Trade
from engine.venues.sim.recorded import BadData, RecordedMarket

SHARED = Path(os.environ.get("NIGHTDESK_SHARED", Path(__file__).parents[4] / "shared" / "data"))

pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason=f"no shared recordings in {SHARED}")


def checked(market: RecordedMarket, chunks: int) -> Iterator[FeedEvent]:
    """Events from the start, in order of time, with uncrossed quotes and books; a quote may be locked."""
    last_ns = market.start_ns
    for chunk in islice(market.events(market.start_ns, MINUTE), chunks):
        for event in chunk:
            assert event.at_ns >= last_ns
            last_ns = event.at_ns
            if isinstance(event, Quote):
                assert 0 < event.bid <= event.ask
            elif isinstance(event, Book):
                assert event.bids[0][0] < event.asks[0][0]
            yield event
    assert last_ns <= market.end_ns


def counted(market: RecordedMarket, chunks: int = 120) -> Counter[type[FeedEvent]]:
    return Counter(type(event) for event in checked(market, chunks))


def test_eight_symbols_of_bars_with_funding() -> None:
    folder = SHARED / "crypto"
    market = RecordedMarket(
        [folder / "binance_um_klines_1m_2025-05", folder / "binance_um_funding_8h_2025.csv.gz"], warmup_bars=100
    )
    assert len(market.instruments) == len(market.synthetic_book) == 8
    assert all(len(market.history(i.symbol, MINUTE, market.start_ns, 100)) == 100 for i in market.instruments)
    told = counted(market)
    assert told[Bar] == 119 * 8
    assert told[DataRejected] == 0


def test_bars_with_a_repeated_time_and_an_outage() -> None:
    folder = SHARED / "crypto" / "binance_spot_klines_1m_2020-02"
    market = RecordedMarket([folder], symbols=("NEOBTC",))
    outage_ns = 1_583_313_000 * SECOND  # the venue stood still from 09:22 to 11:29 on 4 March 2020
    events = [event for chunk in islice(market.events(outage_ns, MINUTE), 8_000) for event in chunk]
    starts = [event.start_ns for event in events if isinstance(event, Bar)]
    assert max(after - before for before, after in pairwise(starts)) == 129 * MINUTE
    [refused] = [event for event in events if isinstance(event, DataRejected)]
    assert (refused.reason, refused.where) == ("repeated time", f"{folder}/NEOBTC.csv.gz:44100:1")


def test_quote_bars_beside_trade_bars() -> None:
    market = RecordedMarket([SHARED / "crypto" / "coinbase_minute_bidask_2018-04"], warmup_bars=60)
    assert market.synthetic_book == frozenset()
    told = counted(market)
    assert told[DataRejected] == 0
    assert min(told[Quote], told[Trade], told[Bar]) > 300


def test_quotes_each_second_beside_trades() -> None:
    market = RecordedMarket([SHARED / "crypto" / "gemini_l1_2021-07-01"], warmup_bars=60)
    told = counted(market, 2_000)
    assert told[DataRejected] == 0
    assert told[Quote] > 60_000
    assert told[Trade] > 20_000


def test_aggregated_trades_at_the_eighth_decimal() -> None:
    market = RecordedMarket([SHARED / "crypto" / "binance_aggtrades"], warmup_bars=60)
    assert market.instruments[0].tick == 1
    assert market.synthetic_book == {"PEPEUSDT"}
    told = counted(market, 2_000)
    assert told[DataRejected] == 0
    assert told[Trade] > 50_000


def test_seconds_of_a_share_with_locked_quotes_are_played() -> None:
    market = RecordedMarket([SHARED / "equity" / "us_1s_2013-10"], warmup_bars=60)
    assert market.instruments[0].group == "equity"
    events = list(checked(market, 600))
    assert any(isinstance(event, Quote) and event.bid == event.ask for event in events)
    assert not [e for e in events if isinstance(e, DataRejected) and "locked" in e.reason]


@pytest.mark.parametrize("folder", ["us_1m_2013-10", "us_1m_2019-02"])
def test_minutes_of_shares(folder: str) -> None:
    told = counted(RecordedMarket([SHARED / "equity" / folder], warmup_bars=60))
    assert told[Bar] > 100


def test_bars_labelled_with_their_end_lie_inside_the_session() -> None:
    market = RecordedMarket([SHARED / "equity" / "us_1m_2019-02" / "SPY.csv.gz"])
    assert market.start_ns == (1_549_895_460 - 60) * SECOND


@pytest.mark.parametrize("name", ["um", "spot"])
def test_captures_rebuild_an_unbroken_book(name: str) -> None:
    market = RecordedMarket(sorted((SHARED / "crypto" / "binance_wire").glob(f"{name}_btcusdt_*")))
    agreed = compared = 0
    quote: Quote | None = None
    told: Counter[type[FeedEvent]] = Counter()
    for event in checked(market, 3):
        told[type(event)] += 1
        if isinstance(event, Quote):
            quote = event
        elif isinstance(event, Book) and quote is not None:
            compared += 1
            agreed += abs(event.bids[0][0] - quote.bid) < quote.bid // 5_000
            assert len(event.bids) == len(event.asks) == 15
    assert told[DataRejected] == 0
    assert compared > 500
    assert agreed == compared
    assert told[Bar] == 2


def test_captures_with_snapshots_in_files_of_their_own() -> None:
    market = RecordedMarket(sorted((SHARED / "wire" / "binance").glob("BINANCE_FUTURES*")))
    told = counted(market)
    assert len(market.instruments) == 4
    assert told[Book] > 500
    assert told[DataRejected] == 0


@pytest.mark.parametrize("name", ["equity/us_15m_2019-01", "equity/us_daily_1998-2015", "vix", "MANIFEST.csv"])
def test_what_cannot_be_played_says_so(name: str) -> None:
    with pytest.raises(BadData, match=r"too coarse|unknown layout"):
        RecordedMarket([SHARED / name])
