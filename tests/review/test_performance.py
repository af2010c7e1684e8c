"""The figures of a span of time: what was held, when the desk ran, fills beside their shadows, all of it together."""

import json

import msgspec
import pytest

from engine.core.config import DAY, HOUR, MINUTE
from engine.core.facts import AnyFact, EquityMarked, FillBooked, PhaseChanged, ShadowFilled
from engine.core.words import Purpose
from engine.review.holding import Holding
from engine.review.performance import Performing, told
from engine.review.running import Running, Span, heartbeat_regularity, outages, uptime
from engine.review.shadowed import Shadowed
from tests.review.test_metrics import d, mark, trade


def fill(at_ns: int, qty: str, price: str, after: str, order_id: str = "o", symbol: str = "BTCUSDT") -> FillBooked:
    return FillBooked(
        *(at_ns, f"f{at_ns}{symbol}", order_id, "s", "trend", symbol, Purpose.ENTRY, d(qty), d(price), 0, "taker", 0),
        *(d(price), d(after), 0, "model", "model"),
    )


def shadow(qty: str, price: str, order_id: str = "o") -> ShadowFilled:
    return ShadowFilled(0, "pessimistic", "p1", order_id, "BTCUSDT", d(qty), d(price), 0, "taker", "model", d(qty))


def used(at_ns: int, equity: str, exposure: str, heat: str = "0") -> EquityMarked:
    return EquityMarked(at_ns, d(equity), 0, 0, 0, 0, 0, d(exposure), d(heat), 0)


def test_time_in_the_market_is_counted_once_however_many_positions_there_are() -> None:
    held = Holding(begin_ns=100)
    for one in (
        fill(200, "1", "10", "1"),
        fill(300, "1", "20", "1", symbol="ETHUSDT"),
        fill(400, "-1", "10", "0"),
        fill(600, "-1", "20", "0", symbol="ETHUSDT"),
        fill(800, "-2", "10", "-2"),
    ):
        held.take(one)
    assert held.figures(1100).exposure_time.value == d("0.7")
    assert Holding(0, frozenset({"BTCUSDT"})).figures(10).exposure_time.value == d("1")
    assert Holding().figures(0).exposure_time.why == "no time passed"


def test_exposure_turnover_and_shares_are_what_the_hand_says() -> None:
    held = Holding()
    held.take(used(HOUR, "1000", "0"))
    held.take(fill(2 * HOUR, "3", "100", "3"))
    held.take(used(7 * HOUR, "1000", "500", "0.01"))
    held.take(fill(9 * HOUR, "-1", "100", "-1", symbol="ETHUSDT"))
    found = held.figures(13 * HOUR)
    assert found.exposure_mean.value == d("0.25")  # six hours without, six with half of equity
    assert (found.exposure_max.value, found.heat_max.value) == (d("0.5"), d("0.01"))
    assert found.traded == d("400")
    assert found.turnover.value == d("0.8")  # 400 of 1000 in half a day
    assert (found.concentration.value, found.concentration_index.value) == (d("0.75"), d("0.625"))
    assert found.weights == {"trend": d("1")}
    nothing = Holding().figures(5)
    assert nothing.turnover.why == "equity was never marked" and nothing.concentration.why == "nothing was traded"


def phase(at_ns: int, previous: str, now: str) -> PhaseChanged:
    return PhaseChanged(at_ns, previous, now, "")


def test_a_run_that_breaks_off_is_down_from_its_last_fact_on() -> None:
    running = Running()
    running.take(phase(10, "SEEDING_HISTORY", "RUNNING"))
    running.new_run(40)
    running.take(phase(70, "SEEDING_HISTORY", "RUNNING"))
    running.take(phase(90, "RUNNING", "SHUTTING_DOWN"))
    running.new_run(92)
    running.take(phase(95, "SEEDING_HISTORY", "RUNNING"))
    spans = running.spans(0, 110)
    assert spans == [Span(10, 40), Span(70, 90), Span(95, 110)]
    assert outages(spans, 0, 110) == [Span(0, 10), Span(40, 70), Span(90, 95)]
    assert uptime(spans, 0, 130).value == d("0.5")
    assert running.starts == 3
    assert Running(since_ns=5).spans(5, 9) == [Span(5, 9)]
    assert uptime([], 5, 5).why == "no time passed"


@pytest.mark.parametrize(("count", "seconds", "share"), [(60, 60, "1"), (61, 60, "1"), (45, 60, "0.75"), (0, 60, "0")])
def test_heartbeats_are_held_against_those_that_were_due(count: int, seconds: int, share: str) -> None:
    assert heartbeat_regularity(count, seconds * 1_000_000_000).value == d(share)
    assert heartbeat_regularity(0, 999_999_999).value is None


def test_own_fills_are_compared_with_the_same_orders_shadows() -> None:
    shadowed = Shadowed()
    for fact in (
        *(fill(1, "1", "100", "1", "a"), fill(2, "1", "102", "2", "a"), shadow("2", "100", "a")),  # bought at 101
        *(fill(3, "-1", "99", "0", "b"), shadow("-1", "90", "b")),  # sold dearer than the shadow
        fill(4, "1", "100", "1", "c"),  # the shadow got nothing
        mark(5, "1"),
    ):
        shadowed.take(fact)
    found = shadowed.figures()["pessimistic"]
    assert found.slippage is not None
    assert (found.slippage.fills, found.slippage.worst, found.slippage.mean) == (2, d("0.01"), d("-0.045"))
    assert (found.worse, found.unfilled) == (1, 1)
    assert Shadowed().figures() == {}


def facts() -> list[tuple[int, AnyFact]]:
    worse = msgspec.structs.replace(mark(2 * DAY, "103"), equity_pessimistic=d("99"))
    begun = msgspec.structs.replace(mark(DAY, "100"), equity_pessimistic=d("100"))
    return [
        (1, phase(DAY, "SEEDING_HISTORY", "RUNNING")),
        (1, begun),
        (1, fill(DAY + HOUR, "1", "50", "1")),
        (1, fill(DAY + 2 * HOUR, "-1", "53", "0")),
        (1, msgspec.structs.replace(trade("3"), at_ns=DAY + 2 * HOUR)),
        (2, phase(2 * DAY, "SEEDING_HISTORY", "RUNNING")),
        (2, worse),
    ]


def test_all_figures_of_a_span_come_together() -> None:
    found = Performing(begin_ns=DAY).take_all(facts()).figures(3 * DAY)
    assert (found.trades.trades, found.trades_a_day.value) == (1, d("0.5"))
    assert found.win_rate_interval is not None and found.win_rate_interval.high == d("1")
    assert found.holding.exposure_time.value == d("0.02083333")
    assert found.uptime.value == d("0.54166667") and found.starts == 2  # 2 of the first 24 hours, then all of them
    assert found.outages == (Span(DAY + 2 * HOUR, 2 * DAY),)
    assert found.daily.cumulative.value == d("0.03")
    assert found.daily_pessimistic is not None and found.daily_pessimistic.cumulative.value == d("-0.01")
    assert found.drawdown_pessimistic is not None and found.drawdown_pessimistic.depth == d("0.01")


def test_they_are_told_as_text_with_a_reason_for_each_that_is_missing() -> None:
    answer = json.loads(json.dumps(told(Performing(begin_ns=DAY).take_all(facts()).figures(3 * DAY))))
    assert answer["trades"]["win_rate"] == "1" and "infinite" in answer["trades"]["undefined"]["profit_factor"]
    assert answer["returns"]["sharpe"] is None
    assert answer["returns"]["undefined"]["sharpe"] == "2 daily returns, at least 5 are needed"
    assert answer["running"]["outages"] == [{"begin": "1970-01-02T02:00:00.000000Z", "seconds": 79200.0}]
    nothing = told(Performing().figures())
    assert nothing["drawdown"] is None and nothing["trades"]["undefined"]["win_rate"] == "no trade was closed"

    def check(part: object) -> None:
        if isinstance(part, dict):
            assert all(part[name] is None and why for name, why in part.get("undefined", {}).items())
            for value in part.values():
                check(value)

    check(answer)
    check(nothing)


def test_a_month_without_a_break_is_up_all_the_time() -> None:
    running = Performing(begin_ns=MINUTE, ran=True)
    running.take(mark(MINUTE, "1"))
    assert running.figures(30 * DAY).uptime.value == d("1")
