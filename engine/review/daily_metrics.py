"""The thirteen figures of a trading day: a key of its artifact, and its row in `artifacts/metrics.csv`."""

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from engine.core import money
from engine.review.day import Day
from engine.review.dealing import slippage
from engine.review.measure import Measure, missing, quotient
from engine.review.metrics import summary, undefined
from engine.review.returns import daily_returns, rolling_sharpe

METRICS: Final = (
    *("daily_return", "cumulative_return", "win_rate", "profit_factor", "rolling_sharpe", "max_drawdown"),
    *("portfolio_heat", "exposure_concentration", "correlation", "strategy_weights"),
    *("order_rejection_rate", "execution_slippage", "runtime_stability"),
)
"""The columns of the metrics of days, beside the date."""


def told(day: Day) -> dict[str, Any]:
    """The figures as decimal text, and under `undefined` why those are that are null."""
    of, over = summary(day.trades, day.marks), day.closing
    slipped = slippage([one.slippage for one in day.fills if one.slippage is not None])
    no_trade = undefined(of)
    measures = {
        "daily_return": _change(day.opening, over),
        "cumulative_return": _change(day.carried.first or day.opening, over),
        "win_rate": Measure(of.win_rate, no_trade.get("win_rate", "")),
        "profit_factor": Measure(of.profit_factor, no_trade.get("profit_factor", "")),
        "rolling_sharpe": rolling_sharpe(daily_returns(day.closings), day.days_a_year),
        "max_drawdown": _largest(day, "drawdown"),
        "portfolio_heat": _largest(day, "heat"),
        "exposure_concentration": _concentration(day),
        "correlation": Measure(day.correlation) if day.correlation is not None else missing("nothing was compared"),
        "order_rejection_rate": quotient(day.count["refused"], day.count["placed"], "no order was sent"),
        "execution_slippage": Measure(slipped.mean) if slipped else missing("no fill with an expected price"),
        "runtime_stability": _stability(day),
    }
    texts: dict[str, Any] = {name: one.text for name, one in measures.items()}
    texts["strategy_weights"] = _weights(day)
    why = {name: one.why for name, one in measures.items() if one.value is None}
    if texts["strategy_weights"] is None:
        why["strategy_weights"] = "nothing was traded"
    return {**{name: texts[name] for name in METRICS}, "undefined": why}


def _stability(day: Day) -> Measure:
    """The share of the day in which the desk ran; a day that was missed has all of it behind it, too."""
    return Measure(0) if day.rows.missed else quotient(day.freedom.ran_ns, day.end_ns - day.begin_ns, "no time passed")


def _change(before: int, after: int) -> Measure:
    return quotient(after - before, before, "the account was not above zero")


def _largest(day: Day, name: str) -> Measure:
    values = [getattr(mark, name) for mark in day.marks]
    return Measure(max(values)) if values else missing("equity was never marked")


def _traded(day: Day, name: str) -> Counter[str]:
    values: Counter[str] = Counter()
    for one in day.fills:
        values[getattr(one, name)] += money.mul(abs(one.qty), one.price)
    return values


def _concentration(day: Day) -> Measure:
    values = _traded(day, "symbol")
    return quotient(max(values.values(), default=0), values.total(), "nothing was traded")


def _weights(day: Day) -> str | None:
    values = _traded(day, "strategy_id")
    whole = values.total()
    told = (f"{name} {money.text(money.div(value, whole), 4)}" for name, value in sorted(values.items()))
    return ", ".join(told) if whole else None


def metrics_row(told: Mapping[str, Any]) -> list[str]:
    """The day's row in the metrics: its date, then `METRICS`; empty where there is no figure."""
    return [told["day"], *(told["metrics"][name] or "" for name in METRICS)]
