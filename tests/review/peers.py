"""Make peers.json anew: what independent libraries answer to the series the tests of the figures use.

They weigh a quarter of a gigabyte, so the suite compares with their recorded answers and needs none of them:

    python -m venv /tmp/peers && /tmp/peers/bin/pip install empyrical-reloaded==0.7.1 scipy
    /tmp/peers/bin/python tests/review/peers.py
"""

import json
import random
from importlib.metadata import version
from pathlib import Path

import empyrical
import numpy
from scipy import stats

HERE = Path(__file__).parent
SERIES = ((7, 5, 365), (11, 20, 252), (13, 30, 365), (17, 365, 365), (19, 60, 252), (23, 8, 365))
"""Seed, number of daily returns, days a year."""
HITS = ((0, 1), (1, 1), (3, 10), (10, 10), (0, 25), (40, 100), (1, 1000), (612, 1000), (2500, 5000), (49_000, 100_000))


def equity(seed: int, count: int) -> list[int]:
    """A walk in units of 1e-8, with a fat tail and a drift of its own."""
    draw = random.Random(seed)
    values = [1_000_000_000_000]
    for _ in range(count):
        change = draw.gauss(0.0004, 0.01) * (4 if draw.random() < 0.08 else 1)
        values.append(round(values[-1] * (1 + change)))
    return values


def answers(seed: int, count: int, a_year: int) -> dict[str, object]:
    values = numpy.array(equity(seed, count), dtype=float)
    returns = values[1:] / values[:-1] - 1
    sharpe = returns.mean() / returns.std(ddof=1)
    skewness, kurtosis = stats.skew(returns), stats.kurtosis(returns, fisher=False)
    widening = 1 - skewness * sharpe + (kurtosis - 1) / 4 * sharpe**2
    return {
        "seed": seed,
        "equity": equity(seed, count),
        "days_a_year": a_year,
        "sharpe": empyrical.sharpe_ratio(returns, annualization=a_year),
        "sortino": empyrical.sortino_ratio(returns, annualization=a_year),
        "calmar": empyrical.calmar_ratio(returns, annualization=a_year),
        "volatility": empyrical.annual_volatility(returns, annualization=a_year),
        "annual_return": empyrical.annual_return(returns, annualization=a_year),
        "cumulative": empyrical.cum_returns_final(returns),
        "max_drawdown": -empyrical.max_drawdown(returns),
        "skewness": skewness,
        "kurtosis": kurtosis,
        "sharpe_probability": stats.norm.cdf(sharpe * ((count - 1) / widening) ** 0.5),
        "track_record_days": 1 + widening * (stats.norm.ppf(0.95) / sharpe) ** 2 if sharpe > 0 else None,
    }


def intervals(hits: int, tries: int) -> dict[str, object]:
    found = stats.binomtest(hits, tries)
    told: dict[str, object] = {"hits": hits, "tries": tries}
    for name, method in (("wilson", "wilson"), ("exact", "exact")):
        interval = found.proportion_ci(0.95, method)
        told[name] = [float(interval.low), float(interval.high)]
    return told


def main() -> None:
    told = {
        "made_with": {name: version(name) for name in ("empyrical-reloaded", "scipy", "numpy")},
        "series": [answers(*one) for one in SERIES],
        "proportions": [intervals(*one) for one in HITS],
    }
    (HERE / "peers.json").write_text(json.dumps(told, indent=1, default=float) + "\n")


if __name__ == "__main__":
    main()
