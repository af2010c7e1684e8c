"""What the performance page knows of a span of time: read in portions, kept, and summed up as the reports do it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from console.chart import Point
from engine.core import money
from engine.core.facts import TradeClosed
from engine.core.profiles import band
from engine.core.words import ExitReason, Side
from engine.review.dealing import Slippage, slippage
from engine.review.measure import Interval
from engine.review.metrics import Summary, summary
from engine.review.proportions import wilson
from engine.review.shadowed import ProfileFigures, Shadowed
from store.queries import Queries
from store.records import DealRecord, EquityRecord, TradeRecord

POINTS: Final = 960  # of a curve: more than any screen has columns
TRADES_MAX: Final = 10_000
DEALS_MAX: Final = 5_000


class Figures(NamedTuple):
    """Everything the page shows of a span.

    Attributes:
        equity: (time, equity) of the marks that were read, and `drawdown` the falls below their running peak.
        by_exit, by_phase, by_strategy: the trades of each, the most trades first.
        net: Equity at the last mark less at the first; None without marks. `between` are the lowest and the highest of
            it and of what the profiles brought; None without shadow books.
        slipped: Own fills against the prices decided on; `profiles` the same orders against those of the shadow books.
    """

    equity: Sequence[Point]
    drawdown: Sequence[Point]
    trades: Summary
    win_rate: Interval | None
    by_exit: Mapping[str, Summary]
    by_phase: Mapping[str, Summary]
    by_strategy: Mapping[str, Summary]
    net: int | None
    net_pessimistic: int | None
    net_optimistic: int | None
    between: tuple[int, int] | None
    slipped: Slippage | None
    profiles: Mapping[str, ProfileFigures]
    is_cut: bool  # older trades or fills of the span were left out


class Ledger:
    """The rows of one span of journal rows. `read` brings it up to date and says whether anything is new."""

    def __init__(self, rows: tuple[int, int]) -> None:
        self._rows = rows
        self._marks: list[EquityRecord] = []
        self._trades: list[TradeClosed] = []
        self._deals: list[DealRecord] = []
        self._trades_after = self._deals_after = rows[0] - 1
        self._is_read = False

    async def read(self, queries: Queries, until: int) -> bool:
        """Read what came since, up to a journal row, and the marks anew."""
        last = min(self._rows[1], until)
        marks = await queries.equity((self._rows[0], last), POINTS)
        trades = await queries.closed((self._trades_after + 1, last), TRADES_MAX)
        deals = await queries.deals((self._deals_after + 1, last), DEALS_MAX)
        is_new = not self._is_read or bool(trades or deals or marks != self._marks)
        self._is_read = True
        self._marks = marks
        self._trades = [*self._trades, *map(closed, trades)][-TRADES_MAX:]
        self._deals = [*self._deals, *deals][-3 * DEALS_MAX :]
        self._trades_after = trades[-1].row if trades else self._trades_after
        self._deals_after = deals[-1].row if deals else self._deals_after
        return is_new

    def figures(self) -> Figures:
        """All of it summed up."""
        trades = summary(self._trades, [])
        first, last = (self._marks[0], self._marks[-1]) if self._marks else (None, None)
        worse, better = (_net(first, last, name) for name in ("equity_pessimistic", "equity_optimistic"))
        net = _net(first, last, "equity")
        return Figures(
            equity=[(mark.at_ns, mark.equity) for mark in self._marks],
            drawdown=_falls(self._marks),
            trades=trades,
            win_rate=wilson(trades.wins, trades.trades),
            by_exit=_by(self._trades, lambda trade: trade.exit_reason.value),
            by_phase=_by(self._trades, lambda trade: trade.phase),
            by_strategy=_by(self._trades, lambda trade: trade.strategy_id),
            net=net,
            net_pessimistic=worse,
            net_optimistic=better,
            between=None if net is None else band(net, worse, better),
            slipped=slippage([deal.slippage for deal in self._deals if deal.slippage is not None]),
            profiles=_profiles(self._deals),
            is_cut=len(self._trades) >= TRADES_MAX or sum(not deal.profile for deal in self._deals) >= DEALS_MAX,
        )


def closed(trade: TradeRecord) -> TradeClosed:
    """The fact behind a row of a trade."""
    return TradeClosed(
        at_ns=trade.exit_ns,
        trade_id=trade.trade_id,
        signal_id=trade.signal_id,
        strategy_id=trade.strategy_id,
        symbol=trade.symbol,
        side=Side(trade.side),
        qty=trade.qty,
        entry_price=trade.entry_price,
        exit_price=trade.exit_price,
        entry_at_ns=trade.entry_ns,
        pnl=trade.pnl,
        fees=trade.fees,
        funding=trade.funding,
        exit_reason=ExitReason(trade.exit_reason),
        phase=trade.phase,
        regime=trade.regime,
    )


def _by(trades: Sequence[TradeClosed], kind: Callable[[TradeClosed], str]) -> dict[str, Summary]:
    groups: dict[str, list[TradeClosed]] = {}
    for trade in trades:
        groups.setdefault(kind(trade), []).append(trade)
    return {name: summary(groups[name], []) for name in sorted(groups, key=lambda name: (-len(groups[name]), name))}


def _falls(marks: Sequence[EquityRecord]) -> list[Point]:
    """How far equity is below its peak so far, as a fraction of the peak."""
    falls: list[Point] = []
    peak = 0
    for mark in marks:
        peak = max(peak, mark.equity)
        falls.append((mark.at_ns, money.div(peak - mark.equity, peak) if peak > 0 else 0))
    return falls


def _net(first: EquityRecord | None, last: EquityRecord | None, name: str) -> int | None:
    if first is None or last is None:
        return None
    begun, ended = getattr(first, name), getattr(last, name)
    return None if begun is None or ended is None else ended - begun


def _profiles(deals: Sequence[DealRecord]) -> Mapping[str, ProfileFigures]:
    compared = Shadowed()
    for deal in deals:
        compared.add(deal.profile, deal.order_id, deal.qty, deal.price)
    return compared.figures()
