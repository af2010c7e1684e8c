"""A week is the trading days of one ISO week, over when a day of another begins; its figures are sums of its facts."""

from collections.abc import Sequence
from datetime import date

import pytest

from engine.core.calendar import Calendar
from engine.core.config import DAY
from engine.core.facts import AnyFact, BreakerChanged, DayRolled, ErrorCounted, FeedNoted, KillChanged, OperatorActed
from engine.core.operator import BY_THE_SHELL
from engine.core.words import BreakerName
from engine.review.week import Week, WeekRows, ended, headline, name_of
from tests.rig import d
from tests.store.making import T0, raised
from tests.store.making import ended as signal_ended

EPOCH = date(1970, 1, 1)


def day_of(text: str) -> int:
    return (date.fromisoformat(text) - EPOCH).days


def rolls(days: Sequence[int]) -> list[tuple[int, int]]:
    """A roll a day, each ten rows behind the one before."""
    return [(10 * (place + 1), day) for place, day in enumerate(days)]


@pytest.mark.parametrize(
    ("day", "name"),
    [
        ("2026-01-01", "2026-W01"),
        ("2025-12-29", "2026-W01"),
        ("2026-01-04", "2026-W01"),
        ("2026-01-05", "2026-W02"),
        ("2027-01-03", "2026-W53"),
        ("1970-01-01", "1970-W01"),
    ],
)
def test_a_week_is_named_by_the_iso_year_and_week_of_its_days(day: str, name: str) -> None:
    assert name_of(day_of(day)) == name


def test_a_market_that_never_closes_has_weeks_of_seven_days() -> None:
    monday = day_of("2026-01-05")
    found = ended(rolls(range(monday, monday + 15)))
    assert found == [WeekRows("2026-W02", 10, 80), WeekRows("2026-W03", 80, 150)]


def test_an_exchanges_week_ends_with_its_last_session_whatever_day_that_is() -> None:
    sessions = ["2026-06-29", "2026-06-30", "2026-07-01", "2026-07-02", "2026-07-06"]  # Friday is a holiday
    calendar = Calendar(
        "X", tuple((day_of(one) * DAY + DAY // 2, day_of(one) * DAY + DAY * 3 // 4) for one in sessions)
    )
    days = calendar.scheduled(day_of(sessions[0]), day_of(sessions[-1]))
    assert ended(rolls(days)) == [WeekRows("2026-W27", 10, 50)]


def test_a_week_is_not_over_before_a_day_of_another_has_begun() -> None:
    sunday = day_of("2026-01-04")
    assert ended([]) == ended(rolls([sunday - 1, sunday])) == []
    assert ended(rolls([sunday, sunday + 1])) == [WeekRows("2026-W01", 10, 20)]


def test_weeks_without_a_desk_are_none_and_the_one_before_ends_with_the_next_roll() -> None:
    assert ended(rolls([day_of("2026-01-02"), day_of("2026-02-04")])) == [WeekRows("2026-W01", 10, 20)]


def a_week(*facts: AnyFact, ended_pnl: str = "-3") -> Week:
    """Two days with `facts` between them: from 10,000 to 9,998."""
    friday = day_of("2026-01-02")
    week = Week(WeekRows("2026-W01", 1, 9))
    week.take(DayRolled(T0, friday, d("10000"), 0, -1, 40, 40))  # its figures are those of the day before
    week.take(DayRolled(T0 + 1, friday + 1, d("10001"), d("1"), friday, 3, 1))
    for fact in facts:
        week.take(fact)
    week.take(DayRolled(T0 + 2, friday + 3, d("9998"), d(ended_pnl), friday + 1, 2, 0))
    return week


def test_a_week_adds_up_its_own_days_and_not_the_one_before_it() -> None:
    told = a_week().told("paper")
    assert (told["first_day"], told["last_day"], told["net_pnl"]) == ("2026-01-02", "2026-01-03", "-2")
    assert (told["starting_equity"], told["ending_equity"]) == ("10000", "9998")
    assert [(day["day"], day["net_pnl"], day["ending_equity"]) for day in told["days"]] == [
        ("2026-01-02", "1", "10001"),
        ("2026-01-03", "-3", "9998"),
    ]
    assert (told["orders_submitted"], told["rejects_count"], told["reject_rate"]) == (5, 1, "0.2")
    assert told["problems"] == []


def test_days_that_do_not_add_up_to_the_week_are_a_problem() -> None:
    assert a_week(ended_pnl="-4").told("paper")["problems"] == ["its days add up to -3, not to its net_pnl"]


def test_a_week_without_trades_has_figures_of_nothing_and_not_of_zero() -> None:
    told = a_week().told("paper")
    assert (told["trades"], told["win_rate"], told["profit_factor"], told["best"], told["max_drawdown"]) == (
        0,
        *(None,) * 4,
    )


def test_what_went_wrong_in_a_week_is_counted_and_named() -> None:
    told = a_week(
        raised("s1"),
        signal_ended("s0"),
        *(ErrorCounted(T0 + at, "feed", f"refused {at}", print_) for at, print_ in enumerate(["a", "b", "b"])),
        BreakerChanged(T0, BreakerName.DAILY_LOSS, True, d("51"), d("50"), "51 >= 50", "halt_day"),
        BreakerChanged(T0, BreakerName.DAILY_LOSS, False, 0, d("50"), "a new day", ""),
        KillChanged(T0, True, "file", "nightdesk", "killed"),
        KillChanged(T0, False, "cli", "ann", "re-armed"),
        OperatorActed(T0, "kill", "file", "nightdesk", "killed", True, "", ""),
        OperatorActed(T0, "block", BY_THE_SHELL, "nightdesk", "the disk", True, "", ""),
        OperatorActed(T0, "acknowledge", "cli", "ann", "alerts acknowledged", True, "", ""),
        FeedNoted(T0, "BTCUSDT", "GAP_DETECTED", "3 minutes", 3),
        FeedNoted(T0, "BTCUSDT", "ORDER_BOOK_STALE", "15 s", 15),
        FeedNoted(T0, "BTCUSDT", "FEED_LIVE", "again"),
    ).told("paper")
    assert (told["signals"]["raised"], told["signals"]["EXECUTED"], told["signal_reasons"]) == (1, 1, {"filled": 1})
    assert (told["error_count"], told["gap_count"], told["stale_events"]) == (3, 1, 1)
    assert [(one["fingerprint"], one["count"], one["example"]) for one in told["errors"]] == [
        ("b", 2, "refused 1"),
        ("a", 1, "refused 0"),
    ]
    assert [(one["breaker"], one["text"]) for one in told["breakers_tripped"]] == [("daily_loss", "51 >= 50")]
    assert (told["kills"], told["operator_acts"]) == (1, 1)
    assert headline(told) == (
        "2026-W01 (2026-01-02 to 2026-01-03): net P&L -2, equity 9998, 0 trades, 0 won, fees 0, "
        "1 breakers tripped, 3 errors"
    )
