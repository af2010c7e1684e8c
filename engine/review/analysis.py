"""Where a result came from: closed trades broken down by phase, regime, strategy, exit reason, symbol and hour.

Every trade is in exactly one slice of each breakdown, so each one sums to the total; `Breakdown.difference` says by how
much it does not.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from engine.core import money
from engine.core.config import HOUR
from engine.core.facts import TradeClosed
from engine.review.metrics import average, profit_factor, win_rate

UNKNOWN: Final = "UNKNOWN"
_DAY_HOURS: Final = 24


class Slice(msgspec.Struct, frozen=True):
    """The trades of one key. Money scaled; `pnl` after fees and funding."""

    key: str
    results: tuple[int, ...]
    fees: int
    funding: int

    @property
    def trades(self) -> int:
        return len(self.results)

    @property
    def wins(self) -> int:
        return sum(result > 0 for result in self.results)

    @property
    def pnl(self) -> int:
        return sum(self.results)


class Breakdown(msgspec.Struct, frozen=True):
    """One way to slice the same trades, the slices by key. `difference`: of trades, P&L, fees and funding; none: ()."""

    by: str
    slices: tuple[Slice, ...]
    difference: tuple[str, ...]


def _hour(trade: TradeClosed) -> str:
    return f"{trade.entry_at_ns // HOUR % _DAY_HOURS:02d}"


DIMENSIONS: Final[Mapping[str, Callable[[TradeClosed], str]]] = {
    "phase": lambda trade: trade.phase or UNKNOWN,
    "regime": lambda trade: trade.regime or UNKNOWN,
    "strategy": lambda trade: trade.strategy_id,
    "exit_reason": lambda trade: trade.exit_reason.value,
    "symbol": lambda trade: trade.symbol,
    "hour": _hour,
}
"""What trades are sliced by: market phase and regime as they were entered, the UTC hour they were entered in."""


def breakdowns(trades: Sequence[TradeClosed]) -> list[Breakdown]:
    """The trades by every dimension, in the order of `DIMENSIONS`."""
    return [_breakdown(name, key_of, trades) for name, key_of in DIMENSIONS.items()]


def _breakdown(name: str, key_of: Callable[[TradeClosed], str], trades: Sequence[TradeClosed]) -> Breakdown:
    by_key: dict[str, list[TradeClosed]] = {}
    for trade in trades:
        by_key.setdefault(key_of(trade), []).append(trade)
    slices = tuple(_slice(key, found) for key, found in sorted(by_key.items()))
    return Breakdown(name, slices, difference(slices, trades))


def _slice(key: str, trades: Sequence[TradeClosed]) -> Slice:
    results = tuple(trade.pnl for trade in trades)
    return Slice(key, results, sum(trade.fees for trade in trades), sum(trade.funding for trade in trades))


def difference(slices: Sequence[Slice], trades: Sequence[TradeClosed]) -> tuple[str, ...]:
    """Where the slices do not sum to all the trades, one sentence each; empty: they do, to the last digit."""
    whole = _slice("", trades)
    pairs = {
        "trades": (sum(one.trades for one in slices) * money.SCALE, whole.trades * money.SCALE),
        "won trades": (sum(one.wins for one in slices) * money.SCALE, whole.wins * money.SCALE),
        "P&L": (sum(one.pnl for one in slices), whole.pnl),
        "fees": (sum(one.fees for one in slices), whole.fees),
        "funding": (sum(one.funding for one in slices), whole.funding),
    }
    return tuple(
        f"{name}: the slices sum to {money.text(parts)}, the whole is {money.text(all_of_it)}"
        for name, (parts, all_of_it) in pairs.items()
        if parts != all_of_it
    )


def told(found: Sequence[Breakdown]) -> dict[str, Any]:
    """Plain JSON values by dimension: the slices, and whether they sum to the whole."""
    return {
        one.by: {
            "slices": [slice_told(part) for part in one.slices],
            "conserved": not one.difference,
            "difference": list(one.difference),
        }
        for one in found
    }


def slice_told(of: Slice) -> dict[str, Any]:
    """A slice: plain JSON values, amounts as decimal text."""
    return {
        "key": of.key,
        "trades": of.trades,
        "wins": of.wins,
        "pnl": money.text(of.pnl),
        "fees": money.text(of.fees),
        "funding": money.text(of.funding),
        "expectancy": _text(average(of.results)),
        "win_rate": _text(win_rate(of.results)),
        "profit_factor": _text(profit_factor(of.results)),
    }


def _text(value: int | None) -> str | None:
    return None if value is None else money.text(value)
