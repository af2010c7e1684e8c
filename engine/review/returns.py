"""What the returns of an account, one per trading day, say of it, and how little that is: ratios and their errors.

Returns are simple ones, equity after over equity before less one; the riskless rate is zero. Ratios are per year, with
365 trading days for a market that never closes and 252 for an exchange. These are statistics of a report, computed with
floats: see `measure`.
"""

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from statistics import NormalDist
from typing import Final, NamedTuple

import msgspec

from engine.core import money
from engine.core.calendar import Calendar
from engine.core.facts import EquityMarked
from engine.review.measure import Measure, missing, of_float

CONTINUOUS_DAYS: Final = 365
EXCHANGE_DAYS: Final = 252
RETURNS_MIN: Final = 5
"""Fewer daily returns than a week's say nothing, and the first and the last day of a run are rarely whole."""
ROLLING_DAYS: Final = 20
CONFIDENCE: Final = 0.95
_NORMAL: Final = NormalDist()
_VARIANCE_MIN: Final = 1e-28  # equal returns leave digits of rounding; a spread below any price step is none
_NO_SPREAD: Final = "all daily returns are the same"


class ReturnFigures(msgspec.Struct, frozen=True):
    """Of daily returns, all scaled; per year but for the moments, `cumulative` and the days.

    Attributes:
        days: How many returns there are (a plain count).
        days_a_year: What they are annualized with (a plain count).
        cumulative: Over all days, a fraction.
        annual_return: Compounded.
        volatility: Standard deviation.
        sharpe_rolling: Of the newest 20 days alone.
        sharpe_error: Standard error of `sharpe`, skewness and fat tails considered.
        sharpe_error_normal: The same if the returns were normal.
        sharpe_low: Lower end of the 95 % interval of `sharpe`; `sharpe_high` the upper one.
        sharpe_probability: That the true one is above zero.
        track_record_days: Days it takes to say so at 95 %.
    """

    days: int
    days_a_year: int
    cumulative: Measure
    annual_return: Measure
    volatility: Measure
    skewness: Measure
    kurtosis: Measure
    sharpe: Measure
    sharpe_rolling: Measure
    sharpe_error: Measure
    sharpe_error_normal: Measure
    sharpe_low: Measure
    sharpe_high: Measure
    sharpe_probability: Measure
    track_record_days: Measure
    sortino: Measure
    calmar: Measure


class Moments(NamedTuple):
    """Mean and standard deviation (n - 1) of a sample, its skewness and its kurtosis (3 for a normal one)."""

    mean: float
    deviation: float
    skewness: float
    kurtosis: float

    @property
    def ratio(self) -> float:
        """The Sharpe ratio of one period."""
        return self.mean / self.deviation

    @property
    def widening(self) -> float:
        """How much wider the estimate of the ratio is than that of a mean: 1 - g3 SR + (g4 - 1) / 4 SR^2."""
        return 1 - self.skewness * self.ratio + (self.kurtosis - 1) / 4 * self.ratio**2

    def certainty(self, count: int, benchmark: float = 0.0) -> float:
        """Probability that the true ratio is above `benchmark`, seen in `count` periods; `widening` is above zero."""
        return _NORMAL.cdf((self.ratio - benchmark) * math.sqrt((count - 1) / self.widening))

    def periods_min(self, benchmark: float = 0.0, confidence: float = CONFIDENCE) -> float:
        """Periods it takes to say so with `confidence`; `ratio` is above `benchmark`."""
        return 1 + max(self.widening, 0.0) * (_NORMAL.inv_cdf(confidence) / (self.ratio - benchmark)) ** 2


def figures(equity: Sequence[int], days_a_year: int, max_drawdown: int | None) -> ReturnFigures:
    """All figures of an account's value at the start and at the end of each trading day, oldest first.

    `max_drawdown` is the deepest fall within the same time, a fraction; it may come of a finer series.
    """
    if equity and min(equity) <= 0:
        return _ruined(days_a_year)
    returns = daily_returns(equity)
    ratio, error = sharpe(returns, days_a_year), sharpe_error(returns, days_a_year)
    z = _NORMAL.inv_cdf((1 + CONFIDENCE) / 2)
    total = math.prod(1 + one for one in returns) - 1
    return ReturnFigures(
        days=len(returns),
        days_a_year=days_a_year,
        cumulative=of_float(total) if returns else missing(_few(returns, 1)),
        annual_return=annual_return(returns, days_a_year),
        volatility=volatility(returns, days_a_year),
        skewness=_of_moments(returns, "skewness"),
        kurtosis=_of_moments(returns, "kurtosis"),
        sharpe=ratio,
        sharpe_rolling=rolling_sharpe(returns, days_a_year),
        sharpe_error=error,
        sharpe_error_normal=sharpe_error_normal(returns, days_a_year),
        sharpe_low=_beside(ratio, error, -z),
        sharpe_high=_beside(ratio, error, z),
        sharpe_probability=probabilistic_sharpe(returns),
        track_record_days=track_record_min(returns),
        sortino=sortino(returns, days_a_year),
        calmar=calmar(returns, days_a_year, max_drawdown),
    )


def _ruined(days_a_year: int) -> ReturnFigures:
    names = ReturnFigures.__struct_fields__[2:]
    return ReturnFigures(0, days_a_year, **dict.fromkeys(names, missing("the account was not above zero")))


# --- from marks to returns ---


def days_a_year(calendar: Calendar) -> int:
    """How many trading days a year of this calendar has."""
    return CONTINUOUS_DAYS if calendar.is_continuous else EXCHANGE_DAYS


def daily_equity(marks: Iterable[EquityMarked], calendar: Calendar | None = None) -> list[int]:
    """The opening equity, then the last of each trading day that has a mark, oldest first; UTC days by default."""
    trading = calendar or Calendar()
    closing: dict[int, int] = {}
    opening: list[int] = []
    end_ns = day = 0
    for mark in marks:
        if not opening:
            opening = [mark.equity]
        if mark.at_ns >= end_ns or not closing:
            day, end_ns = trading.day_at(mark.at_ns)
        closing[day] = mark.equity
    return opening + list(closing.values())


def daily_returns(equity: Sequence[int]) -> list[float]:
    """The change from each value to the next as a fraction; none at all once the account is not above zero."""
    if not equity or min(equity) <= 0:
        return []
    return [after / before - 1 for before, after in pairwise(equity)]


def moments(returns: Sequence[float]) -> Moments | None:
    """The sample's moments; skewness and kurtosis are the population's, as Bailey and Lopez de Prado take them.

    None with fewer than `RETURNS_MIN` returns or without any spread.
    """
    count = len(returns)
    if count < RETURNS_MIN:
        return None
    mean = math.fsum(returns) / count
    second, third, fourth = (math.fsum((one - mean) ** power for one in returns) / count for power in (2, 3, 4))
    if second < _VARIANCE_MIN:
        return None
    return Moments(mean, math.sqrt(second * count / (count - 1)), third / second**1.5, fourth / second**2)


# --- the figures ---


def sharpe(returns: Sequence[float], a_year: int) -> Measure:
    """Mean over standard deviation (n - 1), times the square root of the days in a year.

    Source: Sharpe, "The Sharpe Ratio", Journal of Portfolio Management 21(1), 1994.
    """
    found = moments(returns)
    return _undefined(returns) if found is None else of_float(found.ratio * math.sqrt(a_year))


def rolling_sharpe(returns: Sequence[float], a_year: int, days: int = ROLLING_DAYS) -> Measure:
    """The Sharpe ratio of the newest `days` returns; there is none before there are as many."""
    return sharpe(returns[-days:], a_year) if len(returns) >= days else missing(_few(returns, days))


def sharpe_error(returns: Sequence[float], a_year: int) -> Measure:
    """Standard error of the annual Sharpe ratio for returns of any distribution:
    sqrt((1 - g3 SR + (g4 - 1) / 4 SR^2) / (n - 1)), annualized.

    Source: Bailey and Lopez de Prado, "The Sharpe Ratio Efficient Frontier", Journal of Risk 15(2), 2012 (after
    Mertens 2002). Returns are taken as independent of each other.
    """
    found = moments(returns)
    if found is None:
        return _undefined(returns)
    return of_float(math.sqrt(max(found.widening, 0.0) / (len(returns) - 1) * a_year))


def sharpe_error_normal(returns: Sequence[float], a_year: int) -> Measure:
    """Standard error of the annual Sharpe ratio of independent normal returns: sqrt((1 + SR^2 / 2) / n), annualized.

    Source: Lo, "The Statistics of Sharpe Ratios", Financial Analysts Journal 58(4), 2002.
    """
    found = moments(returns)
    if found is None:
        return _undefined(returns)
    return of_float(math.sqrt((1 + found.ratio**2 / 2) / len(returns) * a_year))


def probabilistic_sharpe(returns: Sequence[float], benchmark: float = 0.0) -> Measure:
    """Probability that the true Sharpe ratio of one day is above `benchmark` (of one day, too).

    Source: Bailey and Lopez de Prado 2012, as above.
    """
    found = moments(returns)
    if found is None:
        return _undefined(returns)
    if found.widening <= 0:
        return missing("the returns are too skewed for the error of their Sharpe ratio to be told")
    return of_float(found.certainty(len(returns), benchmark))


def track_record_min(returns: Sequence[float], benchmark: float = 0.0, confidence: float = CONFIDENCE) -> Measure:
    """Days of such returns it takes to say with `confidence` that the true daily Sharpe ratio is above `benchmark`:
    1 + (1 - g3 SR + (g4 - 1) / 4 SR^2) (z / (SR - benchmark))^2.

    Source: Bailey and Lopez de Prado 2012, as above.
    """
    found = moments(returns)
    if found is None:
        return _undefined(returns)
    if found.ratio <= benchmark:
        return missing("the ratio seen is not above what is to be shown: no track record of any length could show it")
    return of_float(found.periods_min(benchmark, confidence))


def sortino(returns: Sequence[float], a_year: int) -> Measure:
    """Mean over downside deviation (the root of the mean square of what is below zero, over all n), annualized.

    Source: Sortino and Price, "Performance Measurement in a Downside Risk Framework", Journal of Investing 3(3), 1994.
    """
    if len(returns) < RETURNS_MIN:
        return missing(_few(returns))
    below = math.sqrt(math.fsum(min(one, 0.0) ** 2 for one in returns) / len(returns))
    if below**2 < _VARIANCE_MIN:
        return missing("no day lost anything: it would be infinite")
    return of_float(math.fsum(returns) / len(returns) / below * math.sqrt(a_year))


def volatility(returns: Sequence[float], a_year: int) -> Measure:
    """Standard deviation (n - 1) of the returns, times the square root of the days in a year; 0 if they are equal."""
    if len(returns) < RETURNS_MIN:
        return missing(_few(returns))
    found = moments(returns)
    return of_float(found.deviation * math.sqrt(a_year) if found else 0.0)


def annual_return(returns: Sequence[float], a_year: int) -> Measure:
    """What a year of the same growth would come to, compounded. Of a few days it is a number and no prospect."""
    if len(returns) < RETURNS_MIN:
        return missing(_few(returns))
    growth = math.fsum(math.log1p(one) for one in returns) * a_year / len(returns)
    return of_float(math.expm1(growth)) if growth < 100 else missing("beyond any bound a number here can have")


def calmar(returns: Sequence[float], a_year: int, max_drawdown: int | None) -> Measure:
    """The annual return over the deepest fall, a fraction of the peak.

    Source: Young, "Calmar Ratio: A Smoother Tool", Futures 20(1), 1991, there over three years.
    """
    annual = annual_return(returns, a_year)
    if annual.value is None:
        return annual
    if not max_drawdown:
        return missing("there was no drawdown: it would be infinite")
    return Measure(money.div(annual.value, max_drawdown))


def _of_moments(returns: Sequence[float], name: str) -> Measure:
    found = moments(returns)
    return _undefined(returns) if found is None else of_float(getattr(found, name))


def _beside(ratio: Measure, error: Measure, z: float) -> Measure:
    if ratio.value is None or error.value is None:
        return missing(ratio.why or error.why)
    return Measure(ratio.value + round(z * error.value))


def _undefined(returns: Sequence[float]) -> Measure:
    return missing(_few(returns) if len(returns) < RETURNS_MIN else _NO_SPREAD)


def _few(returns: Sequence[float], needed: int = RETURNS_MIN) -> str:
    return f"{len(returns)} daily returns, at least {needed} are needed"
