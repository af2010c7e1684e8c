"""The figures of a run's trades, by their textbook definitions and in exact numbers; beside them the two best known
ones of its equity (`drawdown` and `returns` have the rest).

Money and ratios are integers in units of 1e-8, times nanoseconds. Where there is nothing to measure the answer is None,
never a zero that looks like a result; `undefined` says why. A bad figure is given as it is.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from engine.core import money
from engine.core.calendar import Calendar
from engine.core.facts import EquityMarked, TradeClosed
from engine.review.drawdown import max_drawdown
from engine.review.returns import daily_equity, daily_returns, days_a_year, sharpe


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


def summary(trades: Sequence[TradeClosed], marks: Sequence[EquityMarked], calendar: Calendar | None = None) -> Summary:
    """All figures of `trades` and `marks`, each in the order they happened; trading days are UTC days by default."""
    returns = daily_returns(daily_equity(marks, calendar))
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
        sharpe=sharpe(returns, days_a_year(calendar or Calendar())).value,
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


def undefined(of: Summary) -> dict[str, str]:
    """Why those figures of the trades are None that are."""
    reasons = {
        "win_rate": "no trade was closed",
        "profit_factor": "no trade lost anything: it would be infinite" if of.trades else "no trade was closed",
        "expectancy": "no trade was closed",
        "average_win": "no trade won",
        "average_loss": "no trade lost",
        "best": "no trade was closed",
        "worst": "no trade was closed",
        "average_duration_ns": "no trade was closed",
    }
    return {name: why for name, why in reasons.items() if getattr(of, name) is None}
