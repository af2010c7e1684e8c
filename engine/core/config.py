"""What the core is told when a run starts: instruments, limits, the execution model, the strategies. All frozen.

The shell checks the files (pydantic, at the edge) and hands over these values; the core asserts, it does not check
again. Everything here travels inside `RunStarted` into the journal, so that a replay needs no file.
"""

from enum import StrEnum
from typing import Final

import msgspec

from engine.core import times
from engine.core.calendar import CONTINUOUS, Calendar
from engine.core.words import BreakerAction, BreakerName, OutageGap, Regime, Volatile

SECOND: Final = times.SECOND
MINUTE: Final = times.MINUTE
HOUR: Final = times.HOUR
DAY: Final = times.DAY


class Value(msgspec.Struct, frozen=True):
    """Base of the frozen values of configuration."""


ASSUMED: Final = "assumed"
"""Source of fees that neither a venue nor a configuration names: positions are closed by them, none is entered."""


class Instrument(Value, frozen=True):
    """One tradable symbol. Sizes in base units, prices in quote currency, fees as fractions of notional."""

    symbol: str
    tick: int  # smallest price step
    lot: int  # smallest quantity step
    min_qty: int
    max_qty: int
    min_notional: int = 0
    maker_fee: int = 50_000  # 0.05 %
    taker_fee: int = 100_000  # 0.10 %
    multiplier: int = 100_000_000  # units of the base in one contract; the desk takes only 1
    funding_interval_ns: int = 8 * HOUR  # 0: no funding (spot, shares)
    group: str = "crypto"  # assets taken as correlated until measured
    fee_source: str = "config"  # who gave the fees: venue or config; ASSUMED: nobody
    leverage_max: int = 20 * 100_000_000  # a position may be this many times the equity that carries it
    maintenance: int = 0  # equity below this fraction of the positions' value is liquidated; 0: never
    max_notional: int = 0  # of one order; 0: no limit of its own
    max_position_qty: int = 0  # of the whole position; 0: as much as one order
    calendar: str = CONTINUOUS  # whose hours it trades in: 24/7, or the name of one of the run's calendars


class Limits(Value, frozen=True):
    """What the safety layers hold the desk to. Money scaled in account currency, ratios as scaled fractions.

    The defaults are the shipped paper limits; `engine.core.limits` caps each of them by the size of the account.
    """

    position_notional_max: int = 200_000 * 100_000_000
    order_notional_max: int = 200_000 * 100_000_000
    leverage_max: int = 20 * 100_000_000
    gross_exposure_max: int = 20 * 100_000_000  # times equity
    net_exposure_max: int = 20 * 100_000_000  # times equity, in either direction
    concentration_max: int = 40_000_000  # of the gross exposure limit, in one symbol
    daily_loss_max: int = 50 * 100_000_000
    daily_loss_fraction_max: int = 5_000_000
    daily_drawdown_max: int = 5_000_000
    total_drawdown_max: int = 10_000_000
    consecutive_losses_max: int = 5
    loss_per_trade_max: int = 25 * 100_000_000
    positions_max: int = 5
    positions_per_symbol_max: int = 1
    heat_max: int = 1_000_000
    gap_allowance: int = 100_000  # of the price, added to every distance to a stop
    correlation_max: int = 80_000_000
    correlation_window: int = 100  # returns
    reward_risk_min: int = 100_000_000
    orders_per_minute_max: int = 10
    messages_per_minute_max: int = 120  # submits, cancels and amends
    duplicate_window_ns: int = 10 * SECOND
    errors_max: int = 20
    errors_per_hour_max: int = 10
    feed_outages_per_hour_max: int = 5
    feed_outage_ns_max: int = 10 * MINUTE
    venue_refusals_max: int = 5  # in ten minutes
    slippage_multiple_max: int = 3 * 100_000_000  # of what the execution model expects
    price_age_ns_max: int = 15 * SECOND
    price_collar: int = 5_000_000  # an order price may be this far from the last known price
    balance_age_ns_max: int = MINUTE  # of what a venue's broker last said of the account


class QueueRule(StrEnum):
    """Where the size that leaves our price without trading is taken to have stood."""

    BEHIND = "behind"  # all of it behind us: only trades move us forward
    PROPORTIONAL = "proportional"  # in front of us and behind us alike, by how much is there


class PaperModel(Value, frozen=True):
    """The execution model of the paper broker (docs/execution-model.md). Shares and slippage are scaled fractions."""

    latency_ns_min: int = 60_000_000
    latency_ns_max: int = 140_000_000
    slippage_min: int = 50_000  # 0.05 %, used without a book, always adverse
    slippage_max: int = 300_000  # 0.30 %
    participation_max: int = 20_000_000  # at most this share of a bar's or a trade's volume
    displayed_max: int = 100_000_000  # at most this share of the size displayed at a price
    slow_share: int = 0  # this share of the messages is slow:
    latency_ns_slow: int = 0  # they take up to this much longer than `latency_ns_max`
    queue: QueueRule = QueueRule.BEHIND
    touch_fills: bool = False  # whether a resting order of unknown queue fills at its price, or only beyond it


class Sizing(Value, frozen=True):
    """How large an entry is: the risk to its stop, capped by a notional."""

    risk_per_trade: int = 2 * 100_000_000
    notional_max: int = 400 * 100_000_000


class PhaseModel(Value, frozen=True):
    """How the market phase of a symbol follows from its closed bars.

    Attributes:
        window: Bars looked at; with fewer the phase is UNKNOWN.
        trend_min: Net move over the sum of moves from which the market trends, 0 to 1.
        volatile_min: Mean range of a bar, as a fraction of price, from which it is VOLATILE.
        volatile: What VOLATILE does to an entry.
    """

    window: int = 50
    trend_min: int = 35_000_000
    volatile_min: int = 400_000
    volatile: Volatile = Volatile.HALF


class RegimeModel(Value, frozen=True):
    """How a volatility index becomes a regime, and what that leaves of the heat limit.

    Attributes:
        source: The index this run reads; empty: none, and the regime stays UNKNOWN.
        normal_from: Index points from which the regime is NORMAL; below, it is LOW.
        elevated_from: From which it is ELEVATED.
        crisis_from: From which it is CRISIS.
        hysteresis: Points a level must fall below a threshold before the calmer regime comes into force.
        max_age_ns: A value older than this counts as none; a Friday's close has to last over a long weekend.
        heat_low: Share of `heat_max` in force in LOW; likewise the next three. UNKNOWN has the smallest of them.
        spike_rise: A rise of gross exposure beyond this fraction, soon after a transition, is told.
        spike_window_ns: How soon.
    """

    source: str = ""
    normal_from: int = 15 * 100_000_000
    elevated_from: int = 20 * 100_000_000
    crisis_from: int = 30 * 100_000_000
    hysteresis: int = 50_000_000
    max_age_ns: int = 5 * DAY
    heat_low: int = 100_000_000
    heat_normal: int = 100_000_000
    heat_elevated: int = 70_000_000
    heat_crisis: int = 40_000_000
    spike_rise: int = 20_000_000
    spike_window_ns: int = HOUR

    def heat_share(self, regime: Regime) -> int:
        """The share of the heat limit that is in force, as a fraction; what is unknown gets the strictest."""
        match regime:
            case Regime.LOW:
                return self.heat_low
            case Regime.NORMAL:
                return self.heat_normal
            case Regime.ELEVATED:
                return self.heat_elevated
            case Regime.CRISIS:
                return self.heat_crisis
            case _:
                return min(self.heat_low, self.heat_normal, self.heat_elevated, self.heat_crisis)


class StrategySpec(Value, frozen=True):
    """One strategy of a run: its registered name or `module:Class`, and its validated parameters.

    Attributes:
        regimes: In which it may enter; empty: in all, UNKNOWN included.
        weight: The share of a full-sized entry it makes, above 0 and at most 1.
    """

    strategy_id: str
    kind: str
    params: dict[str, int | str | bool]
    symbols: tuple[str, ...]
    regimes: tuple[Regime, ...] = ()
    weight: int = 100_000_000

    def enters_in(self, regime: Regime) -> bool:
        return not self.regimes or regime in self.regimes


class CoreConfig(Value, frozen=True):
    """All the core knows of the outside at the start of a run."""

    env: str
    seed: int
    paper: bool  # True: the core's PaperBroker fills; False: orders leave to the venue's own broker
    starting_equity: int
    instruments: tuple[Instrument, ...]
    strategies: tuple[StrategySpec, ...]
    limits: Limits = Limits()
    model: PaperModel = PaperModel()
    sizing: Sizing = Sizing()
    entry_timeout_ns: int = 30 * SECOND  # an unfilled entry, or the rest of a partly filled one, is cancelled
    resting_stops: bool = False  # the broker holds stop orders and takes amends; else the desk watches stops alone
    stuck_order_ns: int = 60 * SECOND  # an order that waits longer for its broker's answer is told and asked about
    breaker_action: BreakerAction = BreakerAction.HALT_DAY  # the least any breaker that follows it does
    breaker_actions: dict[BreakerName, BreakerAction] = {}  # stricter ones of single breakers
    cooldown_ns: int = 60 * MINUTE
    auto_reset: bool = False  # a cooldown that is over releases by itself
    kill_closes: bool = True  # on_kill = close | keep
    bar_ns: int = MINUTE  # the shortest bar strategies and phases see; below a minute the core builds it from ticks
    config_hash: str = ""
    shadows: bool = False  # whether orders are also filled under the pessimistic and the optimistic profile
    regimes: RegimeModel = RegimeModel()
    calendars: tuple[Calendar, ...] = ()  # of the instruments that do not trade around the clock
    phases: PhaseModel = PhaseModel()
    outage_gap: OutageGap = OutageGap.DECIDE
    crashes_max: int = 0  # this many runs without an orderly end stop entries; 0: never
    crash_window_ns: int = HOUR  # if they ended so within it
