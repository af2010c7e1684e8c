"""Two runs side by side: their figures with the differences, and their trades one by one.

With the same data and seed in both it shows what another setting did; with a run on recorded data as the first, how far
the second is from what history made one expect; with a paper run and one on a venue, whether both paths decide alike.
"""

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any, Final, NamedTuple

import msgspec

from engine.core import money
from engine.core.facts import TradeClosed


class Side(NamedTuple):
    """A run to be compared: the content of its `report.json`, and its trades where they are at hand."""

    told: Mapping[str, Any]
    trades: Sequence[TradeClosed] | None


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
    """Two runs side by side. `trades_alike` of both runs' trades are the same; `parted` are those that are not.

    None are alike or parted (null) where the trades of one are not at hand: of it there is only a report.
    """

    runs: tuple[str, str]
    same_decisions: bool
    figures: list[Compared]
    trades_alike: int | None
    parted: list[Parted]


def comparison(one: Side, other: Side) -> Comparison:
    """Both runs' figures, and their trades paired by symbol and order where both are known."""
    mine, theirs = _figures(one.told), _figures(other.told)
    names = dict.fromkeys((*mine, *theirs))
    rows = [Compared(name, mine.get(name), theirs.get(name), _less(mine.get(name), theirs.get(name))) for name in names]
    alike: int | None = None
    parted: list[Parted] = []
    if one.trades is not None and other.trades is not None:
        alike, parted = _parity(one.trades, other.trades)
    runs = (one.told["run_id"], other.told["run_id"])
    same = one.told["report"]["decision_hash"] == other.told["report"]["decision_hash"]
    return Comparison(runs, same, rows, alike, parted)


_REPORTED: Final = (
    *("duration_seconds", "iterations", "starting_equity", "ending_equity", "net_pnl", "realized_pnl", "fees_total"),
    *("funding_total", "trades", "orders_submitted", "fills_count", "rejects_count", "reject_rate", "error_count"),
)


def _figures(told: Mapping[str, Any]) -> dict[str, str | None]:
    report, performance = told["report"], told["performance"]
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


def _parity(one: Sequence[TradeClosed], other: Sequence[TradeClosed]) -> tuple[int, list[Parted]]:
    """The n-th trade of a symbol in one run beside the n-th in the other."""
    alike, parted = 0, []
    symbols = dict.fromkeys(trade.symbol for trades in (one, other) for trade in trades)
    for symbol in symbols:
        mine, theirs = ([trade for trade in trades if trade.symbol == symbol] for trades in (one, other))
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
