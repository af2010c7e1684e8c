"""The figures of a run's trades and of its equity, by their textbook definitions and in exact numbers.

Money and ratios are integers in units of 1e-8, times nanoseconds. Where there is nothing to measure the answer is None,
never a zero that looks like a result. A bad figure is given as it is.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_UP, Context, Decimal, DivisionByZero, InvalidOperation, localcontext
from itertools import pairwise
from typing import Final

import msgspec

from engine.core import money
from engine.core.config import DAY
from engine.core.facts import EquityMarked, TradeClosed

_CONTEXT: Final = Context(prec=50, traps=[InvalidOperation, DivisionByZero])  # whatever the thread's own is

DAYS_A_YEAR: Final = 365
"""Crypto trades every day; shares would take 252."""

SHARPE_RETURNS_MIN: Final = 5
"""Fewer daily returns than a week's say nothing, and the first and the last day of a run are rarely whole."""


class Summary(msgspec.Struct, frozen=True):
    """What a list of closed trades and of equity marks comes to. A break-even trade is neither won nor lost.

    Attributes:
        win_rate: Won trades over all trades.
        profit_factor: Gross profit over gross loss; None without a loss (it would be infinite).
        expectancy: Average profit of a trade, after fees and funding.
        best: The largest profit of one trade; may be a loss.
        worst: The smallest profit of one trade; may be a profit.
        max_drawdown: Largest fall below a running peak of equity, as a fraction of that peak.
        sharpe: Annualized Sharpe ratio of daily returns.
        exit_reasons: How many trades ended for each reason, the most frequent first.
    """

    trades: int
    wins: int
    losses: int
    gross_profit: int
    gross_loss: int
    net_profit: int
    fees: int
    funding: int
    win_rate: int | None
    profit_factor: int | None
    expectancy: int | None
    average_win: int | None
    average_loss: int | None
    best: int | None
    worst: int | None
    average_duration_ns: int | None
    max_drawdown: int | None
    sharpe: int | None
    exit_reasons: dict[str, int]


def summary(trades: Sequence[TradeClosed], marks: Sequence[EquityMarked]) -> Summary:
    """All figures of `trades` and `marks`, each in the order they happened."""
    profits = [trade.pnl for trade in trades if trade.pnl > 0]
    losses = [-trade.pnl for trade in trades if trade.pnl < 0]
    results = [trade.pnl for trade in trades]
    return Summary(
        trades=len(trades),
        wins=len(profits),
        losses=len(losses),
        gross_profit=sum(profits),
        gross_loss=sum(losses),
        net_profit=sum(results),
        fees=sum(trade.fees for trade in trades),
        funding=sum(trade.funding for trade in trades),
        win_rate=win_rate(results),
        profit_factor=profit_factor(results),
        expectancy=average(results),
        average_win=average(profits),
        average_loss=average(losses),
        best=max(results, default=None),
        worst=min(results, default=None),
        average_duration_ns=average([trade.at_ns - trade.entry_at_ns for trade in trades]),
        max_drawdown=max_drawdown([mark.equity for mark in marks]),
        sharpe=sharpe(daily_equity(marks)),
        exit_reasons=exit_reasons(trades),
    )


def win_rate(results: Sequence[int]) -> int | None:
    """The share of trades with a profit; None without trades.

    Source: Pardo, The Evaluation and Optimization of Trading Strategies, 2nd edition, Wiley 2008.
    """
    return money.div(sum(result > 0 for result in results), len(results)) if results else None


def profit_factor(results: Sequence[int]) -> int | None:
    """Sum of profits over sum of losses; 1 breaks even. None without a loss.

    Source: Pardo, as above.
    """
    lost = -sum(result for result in results if result < 0)
    return money.div(sum(result for result in results if result > 0), lost) if lost else None


def average(values: Sequence[int]) -> int | None:
    """The arithmetic mean in the unit of the values, rounded half away from zero; None without values."""
    if not values:
        return None
    total = sum(values)
    rounded = (2 * abs(total) + len(values)) // (2 * len(values))
    return rounded if total >= 0 else -rounded


def exit_reasons(trades: Iterable[TradeClosed]) -> dict[str, int]:
    """How many trades ended for each reason, the most frequent first, equal ones by name."""
    counted = Counter(trade.exit_reason.value for trade in trades)
    return dict(sorted(counted.items(), key=lambda item: (-item[1], item[0])))


def max_drawdown(equity: Iterable[int]) -> int | None:
    """Largest fall below a running peak, as a fraction of that peak (5_000_000 is 5 %); None without values.

    Args:
        equity: Account value, oldest first. Before the first value above zero there is no peak to fall from.

    Source: Magdon-Ismail and Atiya, "Maximum Drawdown", Risk 17(10), 2004.
    """
    deepest: int | None = None
    peak = 0
    for value in equity:
        peak = max(peak, value)
        fall = money.div(peak - value, peak) if peak > 0 else 0
        deepest = fall if deepest is None else max(deepest, fall)
    return deepest


def daily_equity(marks: Iterable[EquityMarked]) -> list[int]:
    """The opening equity, then the last of each UTC day that has a mark, oldest first."""
    closing: dict[int, int] = {}
    opening: list[int] = []
    for mark in marks:
        if not opening:
            opening = [mark.equity]
        closing[mark.at_ns // DAY] = mark.equity
    return opening + list(closing.values())


def sharpe(equity: Sequence[int]) -> int | None:
    """Mean over standard deviation (n - 1) of daily returns, times the square root of the days in a year.

    Args:
        equity: Account value at the start and at the end of each day, oldest first. The riskless rate is taken as zero.

    None with fewer than `SHARPE_RETURNS_MIN` returns, without any spread, or once the account is not above zero.

    Source: Sharpe, "The Sharpe Ratio", Journal of Portfolio Management 21(1), 1994.
    """
    if len(equity) <= SHARPE_RETURNS_MIN or min(equity) <= 0:
        return None
    with localcontext(_CONTEXT):
        returns = [Decimal(after) / before - 1 for before, after in pairwise(equity)]
        mean = sum(returns, Decimal(0)) / len(returns)
        variance = sum(((value - mean) ** 2 for value in returns), Decimal(0)) / (len(returns) - 1)
        # Equal returns leave digits of rounding; a spread below any price step is none.
        if variance < Decimal(10) ** -30:
            return None
        ratio = mean / variance.sqrt() * Decimal(DAYS_A_YEAR).sqrt()
        return int((ratio * money.SCALE).to_integral_value(ROUND_HALF_UP))
