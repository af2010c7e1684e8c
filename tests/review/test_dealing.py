"""Orders by day and slippage: hand-computed."""

from engine.core.facts import DayRolled, FillBooked
from engine.core.money import parse
from engine.core.words import Purpose
from engine.review.dealing import DAYS_KEPT, Dealings, OrderDay, reject_rate, slippage, told

DAY = 86_400_000_000_000


def fill(slip: str | None) -> FillBooked:
    return FillBooked(
        *(0, "f", "o", "s", "x", "BTCUSDT", Purpose.ENTRY, parse("1"), parse("100"), 0, "TAKER", 0, parse("100")),
        *(parse("1"), 1, "config", "book"),
        slippage=None if slip is None else parse(slip),
    )


def test_the_mean_is_signed_and_the_95th_percentile_is_by_nearest_rank() -> None:
    found = slippage([n * 100_000 for n in range(-1, 19)])  # -0.1 % to 1.8 %, twenty of them
    assert found is not None
    assert (found.fills, found.mean, found.p95, found.worst) == (20, 850_000, 1_700_000, 1_800_000)


def test_without_a_fill_there_is_no_slippage() -> None:
    assert slippage([]) is None
    assert told(Dealings().figures(OrderDay(0, 0, 0), 0))["slippage"] is None


def test_a_fill_nobody_expected_a_price_of_is_left_out() -> None:
    dealings = Dealings()
    for slip in ("0.001", None, "-0.0005"):
        dealings.take(fill(slip))
    report = told(dealings.figures(OrderDay(20_454, 4, 1), 2))
    assert report["slippage"] == {"fills": 2, "mean": "0.00025", "p95": "0.001", "worst": "0.001"}
    assert report["orders_by_day"] == [{"day": "2026-01-01", "sent": 4, "rejected": 1, "reject_rate": "0.25"}]
    assert report["stuck_orders"] == 2


def test_days_are_listed_with_the_one_that_is_not_over_and_the_newest_are_kept() -> None:
    dealings = Dealings()
    dealings.take(DayRolled(0, 0, 0, 0))  # the first day: none came before
    for day in range(1, DAYS_KEPT + 2):
        dealings.take(DayRolled(day * DAY, day, 0, 0, day - 1, day, 0))
    days = dealings.figures(OrderDay(DAYS_KEPT + 1, 0, 0), 0).days
    assert [days[0].day, days[-2].day, days[-1].day] == [1, DAYS_KEPT, DAYS_KEPT + 1]
    assert told(dealings.figures(OrderDay(DAYS_KEPT + 1, 0, 0), 0))["orders_by_day"][-1]["reject_rate"] is None


def test_the_reject_rate_is_refused_over_sent() -> None:
    assert (reject_rate(8, 1), reject_rate(3, 0), reject_rate(0, 0)) == ("0.125", "0", None)
