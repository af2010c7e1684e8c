"""Hard limits: constants no configuration, variable, command or assignment can loosen. Configuration may only tighten.

`HARD` holds the ceiling (or floor) of every field of `Limits`; `looser_than_hard` names what a configuration broke.
"""

from typing import Final

from engine.core import money
from engine.core.config import SECOND, Limits

HARD: Final = Limits(
    position_notional_max=money.parse("200000"),
    order_notional_max=money.parse("200000"),
    leverage_max=money.parse("20"),
    daily_loss_max=money.parse("50"),
    daily_loss_fraction_max=money.parse("0.05"),
    daily_drawdown_max=money.parse("0.05"),
    total_drawdown_max=money.parse("0.10"),
    consecutive_losses_max=5,
    loss_per_trade_max=money.parse("25"),
    positions_max=5,
    positions_per_symbol_max=1,
    heat_max=money.parse("0.01"),
    reward_risk_min=money.parse("1"),
    orders_per_minute_max=10,
    errors_max=20,
    errors_per_hour_max=10,
    feed_outages_per_hour_max=5,
    feed_outage_ns_max=600 * SECOND,
    venue_refusals_max=5,
    slippage_multiple_max=money.parse("3"),
    price_age_ns_max=15 * SECOND,
    price_collar=money.parse("0.05"),
)

FLOORS: Final = frozenset({"reward_risk_min"})
"""Fields where tighter means higher; in all others tighter means lower."""

COUNTS: Final = frozenset(
    {
        *("consecutive_losses_max", "positions_max", "positions_per_symbol_max", "orders_per_minute_max"),
        *("errors_max", "errors_per_hour_max", "feed_outages_per_hour_max", "venue_refusals_max"),
    }
)
"""Fields that are plain counts, not scaled numbers."""


def looser_than_hard(limits: Limits) -> list[tuple[str, int, int]]:
    """Every (field, value, hard limit) of `limits` that is looser than allowed, or not above zero."""
    broken = []
    for field in Limits.__struct_fields__:
        value, hard = getattr(limits, field), getattr(HARD, field)
        if value <= 0 or (value < hard if field in FLOORS else value > hard):
            broken.append((field, value, hard))
    return broken
