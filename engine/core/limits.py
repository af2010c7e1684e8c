"""Hard limits: constants no configuration, variable, command or assignment can loosen. Configuration may only tighten.

`TIERS` holds the ceiling (or floor) of every field of `Limits` by the size of the account: larger accounts may risk
larger amounts, and the same shares of themselves. `looser_than_hard` names what a configuration broke.
"""

from typing import Final

import msgspec

from engine.core import money
from engine.core.config import MINUTE, SECOND, Limits, Value

HARD: Final = Limits(
    position_notional_max=money.parse("200000"),
    order_notional_max=money.parse("200000"),
    leverage_max=money.parse("20"),
    gross_exposure_max=money.parse("20"),
    net_exposure_max=money.parse("20"),
    concentration_max=money.parse("0.40"),
    daily_loss_max=money.parse("50"),
    daily_loss_fraction_max=money.parse("0.05"),
    daily_drawdown_max=money.parse("0.05"),
    total_drawdown_max=money.parse("0.10"),
    consecutive_losses_max=5,
    loss_per_trade_max=money.parse("25"),
    positions_max=5,
    positions_per_symbol_max=1,
    heat_max=money.parse("0.01"),
    gap_allowance=money.parse("0.001"),
    correlation_max=money.parse("0.80"),
    correlation_window=100,
    reward_risk_min=money.parse("1"),
    orders_per_minute_max=10,
    messages_per_minute_max=120,
    duplicate_window_ns=10 * SECOND,
    errors_max=20,
    errors_per_hour_max=10,
    feed_outages_per_hour_max=5,
    feed_outage_ns_max=600 * SECOND,
    venue_refusals_max=5,
    slippage_multiple_max=money.parse("3"),
    price_age_ns_max=15 * SECOND,
    price_collar=money.parse("0.05"),
    balance_age_ns_max=MINUTE,
)
"""The hard limits of the smallest accounts: the strictest there are."""

AMOUNTS: Final = ("position_notional_max", "order_notional_max", "daily_loss_max", "loss_per_trade_max")
"""Fields that grow with the account; the shares and counts stay."""

FLOORS: Final = frozenset({"reward_risk_min", "gap_allowance", "correlation_window", "duplicate_window_ns"})
"""Fields where tighter means higher; in all others tighter means lower."""

COUNTS: Final = frozenset(
    {
        *("consecutive_losses_max", "positions_max", "positions_per_symbol_max", "correlation_window"),
        *("orders_per_minute_max", "messages_per_minute_max"),
        *("errors_max", "errors_per_hour_max", "feed_outages_per_hour_max", "venue_refusals_max"),
    }
)
"""Fields that are plain counts, not scaled numbers."""


class Tier(Value, frozen=True):
    """The hard limits of accounts of at least `account_from` (account currency)."""

    account_from: int
    limits: Limits


def _tier(account_from: str, times: int) -> Tier:
    amounts = {field: getattr(HARD, field) * times for field in AMOUNTS}
    return Tier(money.parse(account_from), msgspec.structs.replace(HARD, **amounts))


TIERS: Final = (_tier("0", 1), _tier("25000", 2), _tier("100000", 4))
"""Smallest accounts first."""


def hard_limits(account: int) -> Limits:
    """The hard limits of an account of this size; what is below zero is the smallest."""
    return next((tier.limits for tier in reversed(TIERS) if account >= tier.account_from), HARD)


def looser_than_hard(limits: Limits, account: int = 0) -> list[tuple[str, int, int]]:
    """Every (field, value, hard limit) of `limits` that is looser than an account of this size allows, or not above 0.

    Without `account` the strictest hard limits are meant.
    """
    broken = []
    hard_ones = hard_limits(account)
    for field in Limits.__struct_fields__:
        value, hard = getattr(limits, field), getattr(hard_ones, field)
        if value <= 0 or (value < hard if field in FLOORS else value > hard):
            broken.append((field, value, hard))
    return broken
