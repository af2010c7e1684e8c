"""The circuit breakers as one table: what each one counts, against which limit, what it does and what releases it.

The engine, the configuration, the documentation and the console read this table and nothing else.
"""

from typing import Final

import msgspec

from engine.core import money
from engine.core.config import HOUR, MINUTE, CoreConfig
from engine.core.times import stretch
from engine.core.words import BreakerAction, BreakerName, ReasonCode

ERROR_WINDOW_NS: Final = HOUR
OUTAGE_WINDOW_NS: Final = HOUR
REFUSAL_WINDOW_NS: Final = 10 * MINUTE
SLIPPAGE_ORDERS: Final = 20
NS_IN_SCALED_SECOND: Final = 10  # nanoseconds in one unit of a scaled second

STRICTNESS: Final = tuple(BreakerAction)
"""From the mildest to the strictest."""


class BreakerSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One breaker.

    Attributes:
        label: What the screen calls it, at most 15 characters.
        unit: Of value and limit: money, fraction, count or seconds, all scaled.
        counts: The value, in words.
        limits: Fields of `Limits` it is held to; of two, whichever is reached first.
        least: The mildest action it may have.
        general: It follows `breaker_action` where that is stricter than `least`.
        lasting: No time releases it, only an operator.
        code: What a signal it refuses ends with.
    """

    name: BreakerName
    label: str
    unit: str
    counts: str
    limits: tuple[str, ...] = ()
    least: BreakerAction = BreakerAction.COOLDOWN
    general: bool = True
    lasting: bool = False
    code: ReasonCode = ReasonCode.BREAKER


BREAKERS: Final = (
    BreakerSpec(
        name=BreakerName.CONSECUTIVE_LOSSES,
        label="losses in a row",
        unit="count",
        counts="Losing trades since the last winning one. Forced exits and trades that brought exactly nothing do not "
        "count.",
        limits=("consecutive_losses_max",),
    ),
    BreakerSpec(
        name=BreakerName.DAILY_LOSS,
        label="daily loss",
        unit="money",
        counts="Fall of equity, open positions and fees included, since the trading day began.",
        limits=("daily_loss_max", "daily_loss_fraction_max"),
        least=BreakerAction.HALT_DAY,
        code=ReasonCode.DAILY_LOSS,
    ),
    BreakerSpec(
        name=BreakerName.DAILY_DRAWDOWN,
        label="day drawdown",
        unit="fraction",
        counts="Fall of equity below its highest of the trading day.",
        limits=("daily_drawdown_max",),
        least=BreakerAction.HALT_DAY,
    ),
    BreakerSpec(
        name=BreakerName.TOTAL_DRAWDOWN,
        label="total drawdown",
        unit="fraction",
        counts="Fall of equity below its highest ever.",
        limits=("total_drawdown_max",),
        least=BreakerAction.SHUTDOWN,
        lasting=True,
    ),
    BreakerSpec(
        name=BreakerName.ERRORS,
        label="errors",
        unit="count",
        counts="Errors since the run or the trading day began, whichever is later.",
        limits=("errors_max",),
        least=BreakerAction.SHUTDOWN,
        lasting=True,
        code=ReasonCode.ERROR_LIMIT,
    ),
    BreakerSpec(
        name=BreakerName.ERROR_RATE,
        label="errors in 1 h",
        unit="count",
        counts="Errors within an hour.",
        limits=("errors_per_hour_max",),
        code=ReasonCode.ERROR_LIMIT,
    ),
    BreakerSpec(
        name=BreakerName.FEED_HEALTH,
        label="feed outages",
        unit="count",
        counts="Times within an hour that no open market had fresh data; or how long that has lasted, if that is "
        "nearer to its limit.",
        limits=("feed_outages_per_hour_max", "feed_outage_ns_max"),
    ),
    BreakerSpec(
        name=BreakerName.VENUE_REFUSALS,
        label="venue refusals",
        unit="count",
        counts="Orders the broker refused within ten minutes.",
        limits=("venue_refusals_max",),
    ),
    BreakerSpec(
        name=BreakerName.SLIPPAGE,
        label="slippage",
        unit="fraction",
        counts=f"Average of the last {SLIPPAGE_ORDERS} orders filled as takers: how much worse than the price seen at "
        "the decision. The limit is this multiple of the execution model's mean.",
        limits=("slippage_multiple_max",),
    ),
    BreakerSpec(
        name=BreakerName.PHASE_UNKNOWN,
        label="phase unknown",
        unit="count",
        counts="Symbols without a known market phase; the limit is all of them.",
        least=BreakerAction.BLOCK,
        general=False,
    ),
    BreakerSpec(
        name=BreakerName.HEAT,
        label="heat",
        unit="fraction",
        counts="Risk to the stops over equity, against the limit in force; looked at every minute and after each fill.",
        limits=("heat_max",),
        least=BreakerAction.WATCH,
        general=False,
    ),
)

SPECS: Final = {spec.name: spec for spec in BREAKERS}


def stricter(*actions: BreakerAction) -> BreakerAction:
    """The strictest of `actions`."""
    return max(actions, key=STRICTNESS.index)


def action_of(name: BreakerName, config: CoreConfig) -> BreakerAction:
    """What a breaker does in a run with `config`."""
    spec = SPECS[name]
    general = config.breaker_action if spec.general else BreakerAction.WATCH
    return stricter(spec.least, general, config.breaker_actions.get(name, BreakerAction.WATCH))


def release_of(name: BreakerName, action: BreakerAction, auto_reset: bool) -> str:
    """What releases a breaker that tripped with `action`, in words that follow "lifted by"."""
    if SPECS[name].lasting:
        return "reset-breaker with a reason"
    match action:
        case BreakerAction.WATCH:
            return "nothing: it is only shown"
        case BreakerAction.BLOCK:
            return "itself, below its limit"
        case BreakerAction.COOLDOWN if auto_reset:
            return "the end of its cooldown, or reset-breaker"
        case BreakerAction.COOLDOWN:
            return "reset-breaker, after its cooldown"
        case _:
            return "the next trading day, or reset-breaker"


def figure(unit: str, value: int) -> str:
    """A value or limit of a breaker as people read it: 49.99, 5.2%, 4, 12m05s."""
    match unit:
        case "money":
            return money.text(value, 2)
        case "fraction":
            percent = money.text(value * 100, 2 if abs(value) >= money.SCALE // 100 else 4)
            return percent.rstrip("0").rstrip(".") + "%"
        case "seconds":
            return stretch(value * NS_IN_SCALED_SECOND)
        case _:
            return money.text(value)
