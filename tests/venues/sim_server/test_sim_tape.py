from engine.core.config import DAY, HOUR, MINUTE, SECOND
from engine.core.events import Bar, Book, FundingRate, Quote, Trade
from engine.venues.sim.tape import Tape
from tests.venues.sim_server.caller import D

T0 = 20_000 * DAY


def tape(history: list[Bar] | None = None) -> Tape:
    kept = history or []

    def of(symbol: str, span_ns: int, end_ns: int, count: int) -> list[Bar]:
        return [bar for bar in kept if bar.span_ns == span_ns and bar.start_ns + span_ns <= end_ns][-count:]

    return Tape("ACMEUSDT", 8 * HOUR, of)


def trade(at_ns: int, price: str, qty: str = "1") -> Trade:
    return Trade("ACMEUSDT", at_ns, at_ns, D(price), D(qty), 1)


def quote(at_ns: int, bid: str, ask: str) -> Quote:
    return Quote("ACMEUSDT", at_ns, at_ns, D(bid), D(ask), D("1"), D("2"))


def bar(start_ns: int, span_ns: int, price: str) -> Bar:
    return Bar("ACMEUSDT", start_ns + span_ns, start_ns, span_ns, D(price), D(price), D(price), D(price), D("5"))


def test_trades_make_the_minute_with_volume_and_turnover() -> None:
    ours = tape()
    for at_s, price in [(0, "10"), (20, "12"), (40, "9"), (59, "11")]:
        ours.apply(trade(T0 + at_s * SECOND, price, "2"))
    minute = ours.candle(MINUTE)
    assert minute is not None
    assert (minute.open, minute.high, minute.low, minute.close) == (D("10"), D("12"), D("9"), D("11"))
    assert (minute.volume, minute.turnover) == (D("8"), D("84"))


def test_the_next_minute_closes_the_one_before() -> None:
    ours = tape()
    ours.apply(trade(T0, "10"))
    ours.apply(trade(T0 + MINUTE, "20"))
    (closed,) = ours.closed
    assert (closed.start_ns, closed.close) == (T0, D("10"))


def test_the_middle_of_quotes_makes_the_minute_only_where_nothing_trades() -> None:
    ours = tape()
    ours.apply(quote(T0, "9", "11"))
    assert ours.last == D("10")
    ours.apply(trade(T0 + SECOND, "11"))
    ours.apply(quote(T0 + 2 * SECOND, "29", "31"))
    assert ours.last == D("11")


def test_a_minute_from_the_source_replaces_the_one_that_was_built() -> None:
    ours = tape()
    ours.apply(trade(T0, "10"))
    ours.apply(bar(T0, MINUTE, "13"))
    assert [(candle.start_ns, candle.close) for candle in ours.closed] == [(T0, D("13"))]
    ours.apply(trade(T0 + MINUTE, "14"))
    assert len(ours.closed) == 1


def test_minutes_without_trades_come_from_bars_alone() -> None:
    ours = tape()
    for number, price in enumerate(("10", "12", "11")):
        ours.apply(bar(T0 + number * MINUTE, MINUTE, price))
    assert [candle.close for candle in ours.closed] == [D("10"), D("12"), D("11")]
    assert ours.last == D("11")


def test_a_watched_span_closes_with_its_last_minute() -> None:
    ours = tape()
    ours.watch(5 * MINUTE, T0)
    for number in range(6):
        ours.apply(trade(T0 + number * MINUTE, str(10 + number)))
    five = [candle for candle in ours.closed if candle.span_ns == 5 * MINUTE]
    assert [(candle.open, candle.high, candle.close, candle.volume) for candle in five] == [
        (D("10"), D("14"), D("14"), D("5"))
    ]
    open_one = ours.candle(5 * MINUTE)
    assert open_one is not None and (open_one.start_ns, open_one.open) == (T0 + 5 * MINUTE, D("15"))


def test_a_span_that_began_before_us_begins_with_history() -> None:
    now_ns = T0 + HOUR + 2 * MINUTE
    ours = tape([bar(T0, HOUR, "7"), bar(T0 + HOUR, MINUTE, "9"), bar(T0 + HOUR + MINUTE, MINUTE, "8")])
    ours.watch(4 * HOUR, now_ns)
    ours.apply(trade(now_ns, "12"))
    whole = ours.candle(4 * HOUR)
    assert whole is not None
    assert (whole.open, whole.high, whole.low, whole.close) == (D("7"), D("12"), D("7"), D("12"))
    assert whole.volume == D("16")


def test_a_quote_newer_than_the_book_replaces_the_book_up_to_its_touch() -> None:
    ours = tape()
    bids, asks = ((D("10"), D("1")), (D("9"), D("2"))), ((D("11"), D("1")), (D("12"), D("2")))
    ours.apply(Book("ACMEUSDT", T0, T0, bids, asks))
    assert ours.window(5) == (bids, asks)
    ours.apply(quote(T0 + 1, "9.5", "11.5"))
    assert ours.window(5) == (((D("9.5"), D("1")), bids[1]), ((D("11.5"), D("2")), asks[1]))
    assert ours.window(1) == (((D("9.5"), D("1")),), ((D("11.5"), D("2")),))


def test_the_day_is_remembered_hour_by_hour_and_forgotten_after_24() -> None:
    now_ns = T0 + 2 * MINUTE
    hours = [bar(T0 - n * HOUR, HOUR, str(100 + n)) for n in range(30, 0, -1)]
    ours = tape([*hours, bar(T0, MINUTE, "7"), bar(T0 + MINUTE, MINUTE, "8")])
    ours.apply(trade(now_ns, "10"))
    bites = 1
    while ours.remember(now_ns):
        bites += 1
    day = ours.day(now_ns)
    assert bites == 26  # the open hour, 24 whole ones, and the end
    assert day is not None and (day.open, day.high, day.low, day.close) == (D("124"), D("124"), D("7"), D("10"))
    day = ours.day(now_ns + DAY)
    assert day is not None and day.high == D("10")


def test_a_funding_rate_is_settled_when_the_next_one_is_announced() -> None:
    ours = tape()
    ours.apply(FundingRate("ACMEUSDT", T0, D("0.0001"), T0 + HOUR))
    ours.apply(FundingRate("ACMEUSDT", T0, D("0.0002"), T0 + HOUR))
    assert ours.settled_ns == 0
    ours.apply(FundingRate("ACMEUSDT", T0, D("0.0003"), T0 + 9 * HOUR))
    assert (ours.settled_rate, ours.settled_ns) == (D("0.0002"), T0 + HOUR)
