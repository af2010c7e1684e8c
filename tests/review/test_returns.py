"""Ratios of daily returns and intervals of a hit rate: what independent libraries answered to the same series
(`peers.json`), what the sources themselves print, and a reason wherever there is no figure."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core import money
from engine.core.calendar import Calendar
from engine.core.config import DAY
from engine.core.facts import EquityMarked
from engine.review.measure import Measure, of_float, quotient, told
from engine.review.proportions import clopper_pearson, wilson
from engine.review.returns import Moments, daily_equity, days_a_year, figures, moments, track_record_min

PEERS: dict[str, Any] = json.loads((Path(__file__).parent / "peers.json").read_text())


@pytest.mark.parametrize("peer", PEERS["series"], ids=lambda peer: f"{len(peer['equity']) - 1} days")
def test_every_ratio_is_the_one_independent_libraries_find(peer: dict[str, Any]) -> None:
    depth = round(peer["max_drawdown"] * money.SCALE)
    found = figures(peer["equity"], peer["days_a_year"], depth)
    for name in ("sharpe", "sortino", "volatility", "annual_return", "cumulative", "skewness", "kurtosis"):
        assert getattr(found, name).value / money.SCALE == pytest.approx(peer[name], abs=2e-8), name
    assert found.calmar.value is not None
    assert found.calmar.value / money.SCALE == pytest.approx(peer["calmar"], rel=1e-6)
    assert found.sharpe_probability.value == pytest.approx(peer["sharpe_probability"] * money.SCALE, abs=2)
    if peer["track_record_days"] is None:
        assert found.track_record_days.value is None and "no track record" in found.track_record_days.why
    else:
        assert found.track_record_days.value == pytest.approx(peer["track_record_days"] * money.SCALE, rel=1e-9)


def test_the_probability_is_the_one_its_source_prints() -> None:
    """Bailey and Lopez de Prado 2012: two years of monthly returns whose ratio looks sure until their tail is seen."""
    seen = Moments(mean=0.036, deviation=0.079, skewness=-2.448, kurtosis=10.164)
    assert seen.certainty(24) == pytest.approx(0.913, abs=5e-4)
    assert seen._replace(skewness=0.0, kurtosis=3.0).certainty(24) == pytest.approx(0.982, abs=1e-3)


def test_the_track_record_is_the_one_its_source_prints() -> None:
    """The same: 2.73 years of daily normal returns to tell a ratio of 2 a year from one of 1."""
    day = math.sqrt(252)
    normal = Moments(mean=2 / day, deviation=1.0, skewness=0.0, kurtosis=3.0)
    assert normal.periods_min(1 / day) / 252 == pytest.approx(2.73, abs=5e-3)


def test_the_error_of_normal_returns_is_lo_s() -> None:
    """Lo 2002, table 2: a monthly ratio of 0.5 over 60 months has an error of 0.137."""
    returns = [0.5 + sign for sign in (1.0, -1.0)] * 30  # mean 0.5, deviation 1 but for n - 1
    equity = [money.SCALE]
    for one in returns:
        equity.append(round(equity[-1] * (1 + one / 100)))
    found = figures(equity, 1, None)
    assert found.sharpe_error_normal.value == pytest.approx(0.137 * money.SCALE, rel=0.005)
    assert found.sharpe.value and found.sharpe_error.value and found.sharpe_low.value and found.sharpe_high.value
    width = found.sharpe_high.value - found.sharpe_low.value
    assert width == pytest.approx(2 * 1.959964 * found.sharpe_error.value, rel=1e-6)


@pytest.mark.parametrize("peer", PEERS["proportions"], ids=lambda peer: f"{peer['hits']} of {peer['tries']}")
def test_intervals_of_a_hit_rate_are_those_scipy_finds(peer: dict[str, Any]) -> None:
    for name, interval in (("wilson", wilson), ("exact", clopper_pearson)):
        found = interval(peer["hits"], peer["tries"])
        assert found is not None
        assert [found.low / money.SCALE, found.high / money.SCALE] == pytest.approx(peer[name], abs=2e-8), name
        assert found.level == money.parse("0.95")


@given(st.integers(1, 400), st.data())
def test_an_interval_holds_what_was_seen_and_the_exact_one_is_no_narrower_at_the_ends(tries: int, data: Any) -> None:
    hits = data.draw(st.integers(0, tries))
    seen = money.div(hits, tries)
    for interval in (wilson, clopper_pearson):
        found, mirrored = interval(hits, tries), interval(tries - hits, tries)
        assert found is not None and mirrored is not None
        assert 0 <= found.low <= seen <= found.high <= money.SCALE
        assert abs(found.low + mirrored.high - money.SCALE) <= 1
    assert wilson(0, 0) is None and clopper_pearson(0, 0) is None


def equity(*texts: str) -> list[int]:
    return [money.parse(text) for text in texts]


def test_every_figure_that_cannot_be_had_says_why() -> None:
    few = figures(equity("100", "101", "99"), 365, None)
    assert few.sharpe == Measure(None, "2 daily returns, at least 5 are needed")
    assert few.cumulative.value == money.parse("-0.01")
    still = figures(equity(*["100"] * 9), 365, 0)
    assert still.sharpe.why == "all daily returns are the same" and still.volatility.value == 0
    assert "infinite" in still.sortino.why and "infinite" in still.calmar.why
    assert figures(equity(*["100"] * 9), 365, 0).sharpe_rolling.why == "8 daily returns, at least 20 are needed"
    ruined = figures(equity("100", "0", "1", "2", "3", "4", "5"), 365, money.SCALE)
    assert {getattr(ruined, name).why for name in ruined.__struct_fields__[2:]} == {"the account was not above zero"}
    assert figures([], 365, None).cumulative.value is None
    losing = figures(equity("100", "99", "98.5", "97", "96.9", "95"), 365, money.parse("0.05"))
    assert losing.sharpe.value is not None and losing.sharpe.value < 0
    assert "no track record" in losing.track_record_days.why
    assert track_record_min([0.01, 0.02, 0.01, 0.02, 0.01], benchmark=9.0).value is None


def test_a_figure_and_its_reason_go_out_together() -> None:
    assert told({"a": Measure(150_000_000), "b": Measure(None, "no trade")}) == {
        "a": "1.5",
        "b": None,
        "undefined": {"b": "no trade"},
    }
    assert of_float(math.inf).value is None and of_float(math.nan).value is None
    assert quotient(1, 0, "nothing") == Measure(None, "nothing")


def test_the_rolling_ratio_is_that_of_the_newest_twenty_days() -> None:
    peer = next(one for one in PEERS["series"] if len(one["equity"]) == 366)
    all_days = figures(peer["equity"], 365, None)
    newest = figures(peer["equity"][-21:], 365, None)
    assert all_days.sharpe_rolling == newest.sharpe != all_days.sharpe


def test_a_weekend_of_an_exchange_is_no_trading_day() -> None:
    friday, monday = (1, 4)
    hours = Calendar("NYSE", tuple((day * DAY + DAY // 2, day * DAY + DAY * 3 // 4) for day in (0, friday, monday, 5)))
    times = [DAY // 2, friday * DAY + DAY // 2, 2 * DAY, 3 * DAY, monday * DAY + DAY // 2]
    marks = [EquityMarked(at_ns, n, 0, 0, 0, 0, 0, 0, 0, 0) for n, at_ns in enumerate(times, 1)]
    assert daily_equity(marks, hours) == [1, 1, 2, 5]
    assert daily_equity(marks) == [1, 1, 2, 3, 4, 5]
    assert (days_a_year(hours), days_a_year(Calendar())) == (252, 365)


def test_moments_are_the_sample_s() -> None:
    found = moments([0.0, 0.0, 0.0, 0.0, 0.1])
    assert found is not None
    assert found.mean == pytest.approx(0.02) and found.deviation == pytest.approx(0.0447213595)
    assert found.skewness == pytest.approx(1.5) and found.kurtosis == pytest.approx(3.25)
