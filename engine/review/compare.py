"""Two runs side by side: their figures with the differences, and their trades one by one.

With the same data and seed in both it shows what another setting did; with a run on recorded data as the first, how far
the second is from what history made one expect; with a paper run and one on a venue, whether both paths decide alike.
"""

from itertools import zip_longest
from typing import Final

import msgspec

from engine.core import money
from engine.review.reviewed import Review, told


class Compared(msgspec.Struct, frozen=True):
    """One figure of two runs; `difference` is the second less the first, None where there is none to be had."""

    figure: str
    first: str | None
    second: str | None
    difference: str | None


class Parted(msgspec.Struct, frozen=True):
    """A trade that two runs do not have alike: the n-th of its symbol, as `field: first against second`."""

    symbol: str
    number: int
    text: str


class Comparison(msgspec.Struct, frozen=True):
    """Two runs side by side. `trades_alike` of both runs' trades are the same; `parted` are those that are not."""

    runs: tuple[str, str]
    same_decisions: bool
    figures: list[Compared]
    trades_alike: int
    parted: list[Parted]


def comparison(one: Review, other: Review) -> Comparison:
    """Both runs' figures, and their trades paired by symbol and order."""
    mine, theirs = _figures(one), _figures(other)
    rows = [Compared(name, mine[name], theirs[name], _less(mine[name], theirs[name])) for name in mine]
    alike, parted = _parity(one, other)
    hashes = {review.report["decision_hash"] for review in (one, other)}
    return Comparison((one.report["run_id"], other.report["run_id"]), len(hashes) == 1, rows, alike, parted)


_REPORTED: Final = (
    *("duration_seconds", "iterations", "starting_equity", "ending_equity", "net_pnl", "realized_pnl", "fees_total"),
    *("funding_total", "trades", "orders_submitted", "fills_count", "rejects_count", "reject_rate", "error_count"),
)


def _figures(of: Review) -> dict[str, str | None]:
    report, performance = of.report, told(of)["performance"]
    rows = {name: _text(report[name]) for name in _REPORTED}
    rows["net_pnl_pessimistic"] = report["net_pnl_band"]["pessimistic"]
    rows |= {f"signals {state}": _text(count) for state, count in report["signals"].items()}
    slipped = report["slippage"]
    rows["slippage_mean"] = None if slipped is None else slipped["mean"]
    for part, names in (
        ("trades", ("win_rate", "profit_factor", "expectancy", "average_duration_seconds")),
        ("returns", ("sharpe", "sharpe_error", "sortino", "volatility")),
        ("holding", ("exposure_time", "exposure_mean", "turnover", "heat_max")),
        ("drawdown", ("depth",)),
    ):
        found = performance[part] or {}
        rows |= {("drawdown" if name == "depth" else name): _text(found.get(name)) for name in names}
    return rows


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _less(first: str | None, second: str | None) -> str | None:
    if first is None or second is None:
        return None
    return money.text(money.parse(second) - money.parse(first))


_PAIRED: Final = ("side", "qty", "entry_price", "exit_price", "exit_reason", "fees", "pnl")


def _parity(one: Review, other: Review) -> tuple[int, list[Parted]]:
    """The n-th trade of a symbol in one run beside the n-th in the other."""
    alike, parted = 0, []
    symbols = dict.fromkeys(trade.symbol for of in (one, other) for trade in of.trades)
    for symbol in symbols:
        mine, theirs = ([trade for trade in of.trades if trade.symbol == symbol] for of in (one, other))
        for number, (first, second) in enumerate(zip_longest(mine, theirs), start=1):
            if first is None or second is None:
                parted.append(Parted(symbol, number, f"only in the {'second' if first is None else 'first'} run"))
                continue
            unlike = [name for name in _PAIRED if getattr(first, name) != getattr(second, name)]
            told_of = ", ".join(f"{name} {_shown(first, name)} against {_shown(second, name)}" for name in unlike)
            if unlike:
                parted.append(Parted(symbol, number, told_of))
            else:
                alike += 1
    return alike, parted


def _shown(trade: object, name: str) -> str:
    value = getattr(trade, name)
    return money.text(value) if isinstance(value, int) else str(value)
