"""The generated market: a function of seed and time, consistent with itself, and shaped like a market."""

import os
import subprocess
import sys
from collections.abc import Iterable
from hashlib import sha256
from itertools import chain, islice, pairwise

import msgspec
import pytest

from engine.core.bars import BarBuilder
from engine.core.config import DAY, HOUR, MINUTE, SECOND
from engine.core.events import Bar, Book, FeedEvent, FundingRate, Quote, Trade
from engine.venues.sim.generated import GeneratedMarket
from engine.venues.sim.listed import LISTED, SYMBOLS
from engine.venues.sim.market_moves import NoSuchTempo, Tempo
from engine.venues.sim.noise import NORMAL, growth

ANCHOR = 1_790_000_000 * SECOND // MINUTE * MINUTE


def taken(market: GeneratedMarket, from_ns: int, span_ns: int, step_ns: int = SECOND) -> list[FeedEvent]:
    """All events in [from_ns, from_ns + span_ns)."""
    events: list[FeedEvent] = []
    for chunk in market.events(from_ns, step_ns):
        events.extend(event for event in chunk if event.at_ns < from_ns + span_ns)
        if chunk[-1].at_ns >= from_ns + span_ns:
            return events
    raise AssertionError("a generated market has no end")


def digest(events: Iterable[object]) -> str:
    return sha256(msgspec.msgpack.encode(list(events))).hexdigest()


def returns(bars: list[Bar]) -> list[float]:
    return [after.close / before.close - 1 for before, after in pairwise(bars)]


def correlation(xs: list[float], ys: list[float]) -> float:
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    covariance = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True))
    spread_x, spread_y = sum((x - mean_x) ** 2 for x in xs), sum((y - mean_y) ** 2 for y in ys)
    return float(covariance / (spread_x * spread_y) ** 0.5)


def deviation(xs: list[float]) -> float:
    return float((sum(x * x for x in xs) / len(xs)) ** 0.5)


def test_the_same_seed_gives_the_same_market() -> None:
    assert taken(GeneratedMarket(3, ANCHOR), ANCHOR, MINUTE) == taken(GeneratedMarket(3, ANCHOR), ANCHOR, MINUTE)


def test_another_seed_gives_another_market() -> None:
    assert taken(GeneratedMarket(3, ANCHOR), ANCHOR, SECOND) != taken(GeneratedMarket(4, ANCHOR), ANCHOR, SECOND)
    assert GeneratedMarket(3, ANCHOR).fingerprint != GeneratedMarket(4, ANCHOR).fingerprint


def test_the_market_is_the_same_on_every_machine() -> None:
    market = GeneratedMarket(7, 1_790_000_040 * SECOND)
    events = taken(market, market.start_ns, MINUTE)
    assert digest(events) == "d05e337cb076d78c2048fd5ef0ae43998b36915e0b68fd8a0324dafbdeef3ac5"


@pytest.mark.parametrize("hash_seed", ["0", "1", "4242"])
def test_the_market_does_not_depend_on_the_hash_seed(hash_seed: str) -> None:
    script = (
        "import sys, msgspec; from hashlib import sha256; from itertools import islice;"
        "from engine.venues.sim.generated import GeneratedMarket;"
        f"market = GeneratedMarket(5, {ANCHOR});"
        f"chunks = list(islice(market.events({ANCHOR}), 20));"
        "sys.stdout.write(sha256(msgspec.msgpack.encode(chunks)).hexdigest())"
    )
    told = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout == digest(islice(GeneratedMarket(5, ANCHOR).events(ANCHOR), 20))


@pytest.mark.parametrize("later_ns", [MINUTE, 90 * SECOND, 61_700_000_001, 125 * SECOND + 250_000_000])
def test_a_market_entered_later_agrees_with_one_that_ran_all_along(later_ns: int) -> None:
    from_ns = ANCHOR + later_ns
    all_along = [event for event in taken(GeneratedMarket(3, ANCHOR), ANCHOR, 5 * MINUTE) if event.at_ns >= from_ns]
    entered = taken(GeneratedMarket(3, ANCHOR), from_ns, ANCHOR + 5 * MINUTE - from_ns)
    closed_then = [event for event in all_along if isinstance(event, Bar) and event.at_ns == from_ns]
    assert entered == [event for event in all_along if event not in closed_then]


def test_chunks_of_any_length_hold_the_same_events() -> None:
    market = GeneratedMarket(3, ANCHOR)
    short, long = taken(market, ANCHOR, 3 * MINUTE, SECOND // 2), taken(market, ANCHOR, 3 * MINUTE, MINUTE)
    assert short == long


def test_a_chunk_covers_at_most_the_step_asked_for() -> None:
    for chunk in islice(GeneratedMarket(3, ANCHOR).events(ANCHOR), 100):
        assert chunk[-1].at_ns - chunk[0].at_ns <= SECOND


def test_history_and_events_hold_every_bar_once_and_agree() -> None:
    market = GeneratedMarket(3, ANCHOR)
    until_ns = ANCHOR + 10 * MINUTE
    lived = [event for event in taken(market, ANCHOR, 10 * MINUTE + 1) if isinstance(event, Bar)]
    for symbol in SYMBOLS:
        known = GeneratedMarket(3, ANCHOR).history(symbol, MINUTE, until_ns, 10)
        assert [msgspec.structs.replace(bar, backfilled=True) for bar in lived if bar.symbol == symbol] == known
        assert all(bar.at_ns == bar.start_ns + MINUTE for bar in known)


def test_a_bar_that_closes_when_events_begin_is_history() -> None:
    market = GeneratedMarket(3, ANCHOR)
    assert not [event for event in taken(market, ANCHOR, 1) if isinstance(event, Bar)]
    assert market.history("BTCUSDT", MINUTE, ANCHOR, 1)[0].at_ns == ANCHOR


def test_longer_history_is_put_together_from_minutes() -> None:
    market = GeneratedMarket(3, ANCHOR)
    end_ns = ANCHOR // HOUR * HOUR + 17 * MINUTE
    [bar] = market.history("ETHUSDT", 15 * MINUTE, end_ns, 1)
    minutes = market.history("ETHUSDT", MINUTE, end_ns - 2 * MINUTE, 15)
    assert (bar.start_ns, bar.at_ns) == (minutes[0].start_ns, minutes[-1].at_ns)
    assert (bar.open, bar.close) == (minutes[0].open, minutes[-1].close)
    assert (bar.high, bar.low) == (max(m.high for m in minutes), min(m.low for m in minutes))
    assert bar.volume == sum(m.volume for m in minutes)


def test_bars_are_what_the_trades_make() -> None:
    market = GeneratedMarket(3, ANCHOR)
    builders = {symbol: BarBuilder(symbol, MINUTE) for symbol in SYMBOLS}
    made: list[Bar] = []
    told: list[Bar] = []
    for event in taken(market, ANCHOR, 3 * MINUTE + 1):
        if isinstance(event, Trade):
            closed = builders[event.symbol].add(event.price, event.qty, event.at_ns)
            assert closed is None, "a minute's bar comes before the next minute's first trade"
        elif isinstance(event, Bar):
            bar = builders[event.symbol].flush(event.at_ns)
            assert bar is not None
            made.append(bar)
            told.append(event)
    assert made == told
    assert len(told) == 3 * len(SYMBOLS)


def test_time_never_runs_backwards_and_venue_time_is_event_time() -> None:
    events = taken(GeneratedMarket(3, ANCHOR), ANCHOR + 50 * SECOND, 3 * MINUTE)
    assert all(before.at_ns <= after.at_ns for before, after in pairwise(events))
    assert all(event.at_ns == event.venue_ns for event in events if isinstance(event, Quote | Book | Trade))


def test_the_book_is_uncrossed_sorted_and_topped_by_the_quote() -> None:
    quotes: dict[str, Quote] = {}
    steps = {listing.instrument.symbol: listing.instrument for listing in LISTED}
    for event in taken(GeneratedMarket(3, ANCHOR), ANCHOR, MINUTE):
        if isinstance(event, Quote):
            quotes[event.symbol] = event
            assert 0 < event.bid < event.ask
        elif isinstance(event, Book):
            quote, tick, lot = quotes[event.symbol], steps[event.symbol].tick, steps[event.symbol].lot
            assert (quote.bid, quote.bid_qty) == event.bids[0]
            assert (quote.ask, quote.ask_qty) == event.asks[0]
            assert len(event.bids) == len(event.asks) == 15
            assert all(above[0] > below[0] for above, below in pairwise(event.bids))
            assert all(below[0] < above[0] for below, above in pairwise(event.asks))
            assert all(price % tick == 0 and qty % lot == 0 and qty > 0 for price, qty in event.bids + event.asks)


def test_trades_print_at_a_level_the_book_shows_and_take_no_more_than_it() -> None:
    books: dict[str, Book] = {}
    count = 0
    for event in taken(GeneratedMarket(3, ANCHOR), ANCHOR, 5 * MINUTE):
        if isinstance(event, Book):
            books[event.symbol] = event
        elif isinstance(event, Trade):
            side = books[event.symbol].asks if event.side > 0 else books[event.symbol].bids
            shown = dict(side)
            assert 0 < event.qty <= shown[event.price]
            count += 1
    assert count > 1_000


def test_funding_is_told_every_minute_for_the_next_eighth_hour() -> None:
    market = GeneratedMarket(3, ANCHOR)
    rates = [event for event in taken(market, ANCHOR, 2 * MINUTE) if isinstance(event, FundingRate)]
    assert len(rates) == 2 * len(SYMBOLS)
    for rate in rates:
        assert rate.due_ns % (8 * HOUR) == 0
        assert 0 < rate.due_ns - rate.at_ns <= 8 * HOUR
        assert -10_000 <= rate.rate <= 30_000
        assert market.funding(rate.symbol, rate.at_ns) == rate


def test_at_the_anchor_every_symbol_has_its_listed_price() -> None:
    first = {
        event.symbol: event
        for event in reversed(taken(GeneratedMarket(9, ANCHOR), ANCHOR, SECOND))
        if isinstance(event, Quote)
    }
    for listing in LISTED:
        quote = first[listing.instrument.symbol]
        assert abs((quote.bid + quote.ask) / 2 / listing.start_price - 1) < 0.002


def test_prices_stay_in_a_sane_range_for_a_year() -> None:
    market = GeneratedMarket(3, ANCHOR, quote_interval_ns=MINUTE)
    for listing in LISTED:
        prices = [
            market.history(listing.instrument.symbol, MINUTE, ANCHOR + day * DAY, 1)[0].close
            for day in range(0, 365, 10)
        ]
        assert listing.start_price / 5 < min(prices) <= max(prices) < listing.start_price * 5


def test_spreads_are_one_to_a_few_basis_points() -> None:
    for event in taken(GeneratedMarket(3, ANCHOR), ANCHOR, MINUTE):
        if isinstance(event, Quote):
            assert 0.3 < (event.ask - event.bid) / event.bid * 10_000 < 15


def test_a_minute_moves_some_basis_points() -> None:
    market = GeneratedMarket(3, ANCHOR)
    moves = [abs(move) for move in returns(market.history("BTCUSDT", MINUTE, ANCHOR + 8 * HOUR, 480))]
    assert 0.0002 < sum(moves) / len(moves) < 0.0012


def test_volatility_clusters() -> None:
    near, far = [], []
    for seed in (1, 2, 3):
        market = GeneratedMarket(seed, ANCHOR, quote_interval_ns=10 * SECOND)
        moves = [min(abs(move), 0.004) for move in returns(market.history("DOTUSDT", MINUTE, ANCHOR + DAY, 2 * 1440))]
        near.append(correlation(moves[:-5], moves[5:]))
        far.append(correlation(moves[:-60], moves[60:]))
    assert sum(near) / 3 > 0.15
    assert sum(far) / 3 > 0.04


def test_volatility_has_regimes_hours_apart_in_strength() -> None:
    market = GeneratedMarket(3, ANCHOR, quote_interval_ns=10 * SECOND)
    moves = returns(market.history("BTCUSDT", MINUTE, ANCHOR + DAY, 2 * 1440))
    hours = sorted(deviation(moves[i : i + 180]) for i in range(0, len(moves) - 180, 180))
    assert hours[-2] > 2 * hours[1]


def test_moves_jump_now_and_then() -> None:
    market = GeneratedMarket(3, ANCHOR, quote_interval_ns=10 * SECOND)
    moves = returns(market.history("SOLUSDT", MINUTE, ANCHOR + DAY, 2 * 1440))
    usual = deviation(moves)
    assert 2 <= sum(abs(move) > 4 * usual for move in moves) <= 60


def test_symbols_move_together_but_not_alike() -> None:
    market = GeneratedMarket(3, ANCHOR, quote_interval_ns=10 * SECOND)
    end_ns = ANCHOR + DAY
    one = returns(market.history("BTCUSDT", MINUTE, end_ns, 1440))
    two = returns(market.history("ETHUSDT", MINUTE, end_ns, 1440))
    assert 0.4 < correlation(one, two) < 0.97


def test_the_price_of_a_symbol_does_not_depend_on_the_others_listed() -> None:
    alone = GeneratedMarket(3, ANCHOR, symbols=("LINKUSDT",))
    amid = [event for event in taken(GeneratedMarket(3, ANCHOR), ANCHOR, MINUTE) if event.symbol == "LINKUSDT"]
    assert taken(alone, ANCHOR, MINUTE) == amid
    assert [instrument.symbol for instrument in alone.instruments] == ["LINKUSDT"]


def test_a_symbol_that_is_not_listed_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="does not list DOGECOIN"):
        GeneratedMarket(3, ANCHOR, symbols=("DOGECOIN",))
    with pytest.raises(KeyError):
        GeneratedMarket(3, ANCHOR).history("DOGECOIN", MINUTE, ANCHOR, 1)


@pytest.mark.parametrize("interval_ns", [SECOND // 200, SECOND // 10, SECOND, 10 * SECOND, MINUTE])
def test_any_even_tempo_keeps_time_and_bars(interval_ns: int) -> None:
    market = GeneratedMarket(3, ANCHOR, quote_interval_ns=interval_ns, symbols=("BTCUSDT",))
    events = list(chain.from_iterable(islice(market.events(ANCHOR), 65)))
    assert all(before.at_ns <= after.at_ns for before, after in pairwise(events))
    quotes = [event.at_ns for event in events if isinstance(event, Quote)]
    assert {after - before for before, after in pairwise(quotes)} == {interval_ns}
    assert [msgspec.structs.replace(event, backfilled=True) for event in events if isinstance(event, Bar)][:1] == (
        market.history("BTCUSDT", MINUTE, ANCHOR + MINUTE, 1)
    )


@pytest.mark.parametrize("interval_ns", [0, -SECOND, 7 * SECOND, 2 * MINUTE])
def test_an_uneven_tempo_is_refused(interval_ns: int) -> None:
    with pytest.raises(NoSuchTempo):
        Tempo.of(interval_ns)


def test_growth_is_the_exponential_and_the_normal_table_is_symmetric() -> None:
    assert abs(growth(0.7) - 2.013752707470477) < 1e-6
    assert abs(growth(-2.0) - 0.1353352832366127) < 1e-6
    assert sum(NORMAL) == 0
    assert abs(deviation([draw / 1000 for draw in NORMAL]) - 1) < 0.01
