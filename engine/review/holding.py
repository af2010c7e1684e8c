"""What the desk had in the market, for how long, and how much it traded for it; fed with facts in the order of time."""

from collections.abc import Mapping

import msgspec

from engine.core import money
from engine.core.config import DAY
from engine.core.facts import AnyFact, EquityMarked, FillBooked
from engine.review.measure import Measure, missing, quotient


class HoldingFigures(msgspec.Struct, frozen=True):
    """Of one span of time. Amounts in account currency, scaled; fractions scaled.

    Attributes:
        exposure_time: Share of the time with anything in the market.
        exposure_mean: Gross exposure over equity, the mean over time, as marked; `exposure_max` the largest.
        heat_max: The largest heat marked.
        concentration: The largest share of one symbol in what was traded; `concentration_index` the sum of the squared
            shares of all (Herfindahl and Hirschman: 1 is a single symbol).
        traded: Value of all fills, bought and sold.
        turnover: `traded` over mean equity, per day of 24 hours.
        weights: Share of each strategy in what was traded.
    """

    exposure_time: Measure
    exposure_mean: Measure
    exposure_max: Measure
    heat_max: Measure
    concentration: Measure
    concentration_index: Measure
    traded: int
    turnover: Measure
    weights: Mapping[str, int]


class Holding:
    """Collects what `HoldingFigures` are made of.

    Args:
        begin_ns: Where the span begins.
        held: The symbols that were in the market then.
    """

    def __init__(self, begin_ns: int = 0, held: frozenset[str] = frozenset()) -> None:
        self._begin_ns = begin_ns
        self._held = set(held)
        self._held_since_ns = begin_ns
        self._held_ns = 0
        self._mark: EquityMarked | None = None
        self._used = 0  # exposure over equity, at that mark
        self._marked_ns = self._equity_ns = self._used_ns = 0  # sums over time
        self._exposure_max = self._heat_max = 0
        self._by_symbol: dict[str, int] = {}
        self._by_strategy: dict[str, int] = {}

    def take(self, fact: AnyFact) -> None:
        """One fact, in the order of time."""
        if isinstance(fact, FillBooked):
            self._fill(fact)
        elif isinstance(fact, EquityMarked):
            self._weigh(fact.at_ns)
            self._mark, self._used = fact, _used(fact)
            self._begin_ns = self._begin_ns or fact.at_ns
            self._exposure_max = max(self._exposure_max, self._used)
            self._heat_max = max(self._heat_max, fact.heat)

    def figures(self, end_ns: int) -> HoldingFigures:
        """All of it as of the end of the span."""
        self._weigh(end_ns)
        self._mark = msgspec.structs.replace(self._mark, at_ns=end_ns) if self._mark else None
        held_ns = self._held_ns + (end_ns - self._held_since_ns if self._held else 0)
        span_ns, traded = end_ns - self._begin_ns, sum(self._by_symbol.values())
        shares = [money.div(value, traded) for value in self._by_symbol.values()] if traded else []
        no_mark, no_fill = "equity was never marked", "nothing was traded"
        turned = self._marked_ns and self._equity_ns > 0
        return HoldingFigures(
            exposure_time=quotient(held_ns, span_ns, "no time passed"),
            exposure_mean=quotient(self._used_ns, self._marked_ns * money.SCALE, no_mark),
            exposure_max=Measure(self._exposure_max) if self._marked_ns else missing(no_mark),
            heat_max=Measure(self._heat_max) if self._marked_ns else missing(no_mark),
            concentration=Measure(max(shares)) if shares else missing(no_fill),
            concentration_index=Measure(sum(money.mul(share, share) for share in shares))
            if shares
            else missing(no_fill),
            traded=traded,
            turnover=self._turnover(traded, span_ns) if turned else missing(no_mark),
            weights={name: money.div(value, traded) for name, value in sorted(self._by_strategy.items())},
        )

    def _turnover(self, traded: int, span_ns: int) -> Measure:
        return quotient(traded * self._marked_ns * DAY, self._equity_ns * span_ns, "no time passed")

    def _fill(self, fill: FillBooked) -> None:
        value = money.mul(abs(fill.qty), fill.price)
        self._by_symbol[fill.symbol] = self._by_symbol.get(fill.symbol, 0) + value
        self._by_strategy[fill.strategy_id] = self._by_strategy.get(fill.strategy_id, 0) + value
        was_held = bool(self._held)
        if fill.position_qty:
            self._held.add(fill.symbol)
        else:
            self._held.discard(fill.symbol)
        if self._held and not was_held:
            self._held_since_ns = fill.at_ns
        elif was_held and not self._held:
            self._held_ns += fill.at_ns - self._held_since_ns

    def _weigh(self, until_ns: int) -> None:
        """What the newest mark said held until now."""
        mark = self._mark
        if mark is None or until_ns <= mark.at_ns:
            return
        lasted_ns = until_ns - mark.at_ns
        self._marked_ns += lasted_ns
        self._equity_ns += mark.equity * lasted_ns
        self._used_ns += self._used * lasted_ns


def _used(mark: EquityMarked) -> int:
    """Exposure over equity; nothing where there is no equity that could be used."""
    return money.div(mark.exposure, mark.equity) if mark.exposure and mark.equity > 0 else 0
