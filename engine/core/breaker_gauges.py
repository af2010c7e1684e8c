"""The breakers' values beside their limits, read from the desk's state. Reading changes nothing."""

from collections.abc import Callable, Sequence

import msgspec

from engine.core import money
from engine.core.breaker_table import (
    BREAKERS,
    ERROR_WINDOW_NS,
    NS_IN_SCALED_SECOND,
    OUTAGE_WINDOW_NS,
    REFUSAL_WINDOW_NS,
    SLIPPAGE_ORDERS,
    SPECS,
    figure,
)
from engine.core.desk import Desk
from engine.core.phases import MarketPhase
from engine.core.words import BreakerName


class Gauge(msgspec.Struct, frozen=True):
    """A breaker as it stands: `value` trips at `limit`. Both scaled; `unit` is money, fraction, count or seconds."""

    name: BreakerName
    label: str
    value: int
    limit: int
    unit: str

    @property
    def reached(self) -> bool:
        return self.value >= self.limit

    @property
    def text(self) -> str:
        return f"{figure(self.unit, self.value)} >= {figure(self.unit, self.limit)}"


class Gauges:
    """The gauges of one desk."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._limits = desk.config.limits
        self._read: dict[BreakerName, Callable[[], tuple[int, int]]] = {
            BreakerName.CONSECUTIVE_LOSSES: self._losses_in_row,
            BreakerName.DAILY_LOSS: self._daily_loss,
            BreakerName.DAILY_DRAWDOWN: self._daily_drawdown,
            BreakerName.TOTAL_DRAWDOWN: self._total_drawdown,
            BreakerName.ERRORS: self._errors,
            BreakerName.ERROR_RATE: self._error_rate,
            BreakerName.FEED_HEALTH: self._outages,
            BreakerName.VENUE_REFUSALS: self._refusals,
            BreakerName.SLIPPAGE: self._slippage,
            BreakerName.PHASE_UNKNOWN: self._unknown_phases,
            BreakerName.HEAT: self._heat,
        }

    def of(self, name: BreakerName) -> Gauge:
        """One breaker's value beside its limit, as of now."""
        label, unit = SPECS[name].label, SPECS[name].unit
        value, limit = self._read[name]()
        if name is BreakerName.FEED_HEALTH:
            lasted, longest = self._outage_lasts()
            if lasted * limit > value * longest:
                return Gauge(name, label, lasted, longest, "seconds")
        return Gauge(name, label, value, limit, unit)

    def all(self) -> tuple[Gauge, ...]:
        """Every breaker, in the order of the table."""
        return tuple(self.of(spec.name) for spec in BREAKERS)

    def daily_loss_limit(self) -> int:
        """The amount or the fraction of the day's opening equity, whichever is smaller."""
        share = money.mul(self._desk.state.day_opening_equity, self._limits.daily_loss_fraction_max)
        return min(self._limits.daily_loss_max, share)

    # --- results ---

    def _losses_in_row(self) -> tuple[int, int]:
        return _counts(self._desk.state.losses_in_row, self._limits.consecutive_losses_max)

    def _daily_loss(self) -> tuple[int, int]:
        return max(0, self._desk.state.day_base_equity - self._desk.equity), self.daily_loss_limit()

    def _daily_drawdown(self) -> tuple[int, int]:
        peak = self._desk.state.day_peak_equity
        fall = max(0, money.div(peak - self._desk.equity, peak)) if peak > 0 else 0
        return fall, self._limits.daily_drawdown_max

    def _total_drawdown(self) -> tuple[int, int]:
        return self._desk.drawdown(), self._limits.total_drawdown_max

    def _heat(self) -> tuple[int, int]:
        return self._desk.heat(), self._desk.heat_limit()

    # --- what went wrong ---

    def _errors(self) -> tuple[int, int]:
        return _counts(self._desk.state.errors_counted, self._limits.errors_max)

    def _error_rate(self) -> tuple[int, int]:
        count = self._within(self._desk.state.recent.errors, ERROR_WINDOW_NS)
        return _counts(count, self._limits.errors_per_hour_max)

    def _refusals(self) -> tuple[int, int]:
        count = self._within(self._desk.state.recent.refusals, REFUSAL_WINDOW_NS)
        return _counts(count, self._limits.venue_refusals_max)

    def _outages(self) -> tuple[int, int]:
        count = self._within(self._desk.state.recent.outages, OUTAGE_WINDOW_NS)
        return _counts(count, self._limits.feed_outages_per_hour_max)

    def _outage_lasts(self) -> tuple[int, int]:
        """How long the outage that stands has lasted, and may last."""
        since_ns = self._desk.state.recent.outage_since_ns
        lasted_ns = self._desk.at_ns - since_ns if since_ns else 0
        return lasted_ns // NS_IN_SCALED_SECOND, self._limits.feed_outage_ns_max // NS_IN_SCALED_SECOND

    def _slippage(self) -> tuple[int, int]:
        """The average is none before there are enough orders; what turned out better than expected counts against it.

        An order in many pieces is one, at its average price.
        """
        takers, model = self._desk.state.recent.takers, self._desk.config.model
        slips = sum(taker.slip for taker in takers.values())
        average = max(0, slips // len(takers)) if len(takers) >= SLIPPAGE_ORDERS else 0
        expected = (model.slippage_min + model.slippage_max) // 2
        return average, max(1, money.mul(expected, self._limits.slippage_multiple_max))

    def _unknown_phases(self) -> tuple[int, int]:
        known, symbols = self._desk.state.symbols, self._desk.instruments
        unknown = sum(known[symbol].phase is MarketPhase.UNKNOWN for symbol in symbols)
        return _counts(unknown, max(1, len(symbols)))

    def _within(self, times: Sequence[int], window_ns: int) -> int:
        horizon_ns = self._desk.at_ns - window_ns
        return sum(at > horizon_ns for at in times)


def _counts(value: int, limit: int) -> tuple[int, int]:
    return value * money.SCALE, limit * money.SCALE
