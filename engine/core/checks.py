"""The checks of the safety layers, each with what it says and how it refuses; `engine.core.risk.RULES` has their order.

What is unknown does not pass.
"""

from typing import Final

from engine.core import money
from engine.core.candidate import Candidate
from engine.core.rule import ONE, Measured, rule, stands
from engine.core.words import BlockReason, ReasonCode, Unit

R = ReasonCode

BLOCK_CODES: Final = {
    BlockReason.OPERATOR: R.PAUSED,
    BlockReason.STARTING: R.SESSION_ENDED,
    BlockReason.SHUTTING_DOWN: R.SESSION_ENDED,
    BlockReason.STALE_DATA: R.STALE_DATA,
    BlockReason.LIQUIDATION: R.BREAKER,
    BlockReason.RECONCILIATION: R.RECONCILIATION,
    BlockReason.JOURNAL: R.JOURNAL,
    BlockReason.UNKNOWN_ORDER: R.UNKNOWN_ORDER,
    BlockReason.PHASE_UNKNOWN: R.PHASE_UNKNOWN,
    BlockReason.RESTORED: R.PAUSED,
}
"""What a block refuses with; the kill and the breakers have rules of their own."""


# --- 0: the emergency stop ---


@rule(0, Unit.COUNT, R.KILLED, no="the kill switch is latched; rearm lifts it")
def kill(c: Candidate) -> Measured:
    """No entry while the kill switch is latched."""
    return stands(c.killed)


# --- 1: breakers, blocks, the market ---


@rule(
    1,
    Unit.COUNT,
    R.BREAKER,
    R.DAILY_LOSS,
    R.ERROR_LIMIT,
    no="{c.breaker_text}",
    chooses=lambda c: c.breaker or R.BREAKER,
)
def breaker(c: Candidate) -> Measured:
    """No entry while a circuit breaker is tripped."""
    return stands(c.breaker is not None)


@rule(
    1,
    Unit.COUNT,
    *dict.fromkeys(BLOCK_CODES.values()),
    no="{c.block_text}",
    chooses=lambda c: BLOCK_CODES[BlockReason(c.blocks[0])],
)
def block(c: Candidate) -> Measured:
    """No entry while any block stands (operator, stale data, journal, starting, ending …)."""
    return stands(len(c.blocks))


@rule(1, Unit.PRICE, R.NO_PRICE, no="no price of {c.proposal.symbol} is known yet")
def price_known(c: Candidate) -> Measured:
    """A price of the symbol is known."""
    return c.last, 0, c.last > 0


@rule(1, Unit.SECONDS, R.STALE_DATA, no="the last price is {value} old, {limit} are allowed", key="price_age_max")
def price_age(c: Candidate) -> Measured:
    """The symbol's last price is not too old."""
    limit = c.limits.price_age_ns_max
    return c.last_age_ns // 10, limit // 10, 0 <= c.last_age_ns <= limit  # ten nanoseconds are one unit of a second


@rule(1, Unit.COUNT, R.HALTED, no="trading in {c.proposal.symbol} is halted")
def halt(c: Candidate) -> Measured:
    """Trading in the symbol is not halted."""
    return stands(c.halted)


@rule(
    1,
    Unit.COUNT,
    R.PHASE_UNKNOWN,
    R.PHASE_FORBIDS,
    R.STRATEGY_DISABLED,
    no="{c.conditions.text}",
    chooses=lambda c: c.conditions.code or R.PHASE_UNKNOWN,
)
def conditions(c: Candidate) -> Measured:
    """The market phase is known, and it and the regime let the strategy enter."""
    return stands(c.conditions.code is not None)


# --- 2: open positions ---


@rule(2, Unit.COUNT, R.MAX_POSITIONS, no="{value} of {limit} positions open or being entered", key="positions_max")
def positions(c: Candidate) -> Measured:
    """Open positions and working entries stay below the limit."""
    limit = c.limits.positions_max
    return c.open_positions * ONE, limit * ONE, c.open_positions < limit


# --- 3: the symbol ---


@rule(3, Unit.COUNT, R.SYMBOL_NOT_ALLOWED, no="{c.proposal.symbol} is not among the symbols of this run")
def whitelist(c: Candidate) -> Measured:
    """The symbol is one of the run's."""
    return stands(c.instrument is None)


@rule(
    3,
    Unit.COUNT,
    R.SYMBOL_POSITIONS,
    no="{c.proposal.symbol} already has a position or a working order",
    key="positions_per_symbol_max",
)
def symbol(c: Candidate) -> Measured:
    """One position a symbol, working orders and signals in flight included."""
    limit = c.limits.positions_per_symbol_max
    return c.symbol_positions * ONE, limit * ONE, c.symbol_positions < limit


# --- 4: exposure, heat, margin ---


@rule(4, Unit.MONEY, R.LEVERAGE, no="exposure would be {value}, above {limit}", key="leverage_max")
def leverage(c: Candidate) -> Measured:
    """Gross exposure stays within equity times leverage."""
    value, limit = c.exposure + c.notional, money.mul(c.limits.leverage_max, c.equity)
    return value, limit, c.equity > 0 and value <= limit


@rule(
    4,
    Unit.FRACTION,
    R.HEAT,
    no="the stops together would risk {value} of equity, above {limit}",
    key="heat_max_percent",
)
def heat(c: Candidate) -> Measured:
    """The sum of risk to stops stays within the heat limit the regime leaves."""
    value = money.div(c.risk + c.loss, c.equity) if c.equity > 0 else ONE
    return value, c.heat_limit, value <= c.heat_limit


@rule(4, Unit.MONEY, R.MARGIN, no="the order needs a margin of {value}, {limit} is free")
def margin(c: Candidate) -> Measured:
    """Free margin covers the order."""
    needed = money.div(c.notional, c.limits.leverage_max)
    return needed, c.free_margin, needed <= c.free_margin


# --- 5: the order ---


@rule(5, Unit.PRICE, R.INVALID_LEVELS, no="stop, entry and target are not in order")
def levels(c: Candidate) -> Measured:
    """Stop, entry and target are above zero and in order."""
    sign, stop, target = c.proposal.side.sign, c.proposal.stop, c.proposal.target
    in_order = sign * (c.price - stop) > 0 and sign * (target - c.price) > 0
    return c.price, stop, stop > 0 and target > 0 and in_order


@rule(
    5, Unit.RATIO, R.REWARD_RISK, no="reward over risk, before costs, is {value}, below {limit}", key="reward_risk_min"
)
def reward_risk(c: Candidate) -> Measured:
    """The target is worth the risk, before costs."""
    limit = c.limits.reward_risk_min
    ratio = money.div(abs(c.proposal.target - c.price), abs(c.price - c.proposal.stop))
    return ratio, limit, ratio >= limit


@rule(5, Unit.QUANTITY, R.ZERO_SIZE, no="the size rounds down to zero lots of {limit}")
def lots(c: Candidate) -> Measured:
    """The size is at least one lot."""
    assert c.instrument is not None  # the whitelist came first
    return c.qty, c.instrument.lot, c.qty > 0


@rule(5, Unit.QUANTITY, R.BELOW_MIN_QTY, no="{value} is below the smallest quantity, {limit}")
def min_qty(c: Candidate) -> Measured:
    """The quantity is not below the smallest."""
    assert c.instrument is not None
    return c.qty, c.instrument.min_qty, c.qty >= c.instrument.min_qty


@rule(5, Unit.QUANTITY, R.ABOVE_MAX_QTY, no="{value} is above the largest quantity, {limit}")
def max_qty(c: Candidate) -> Measured:
    """The quantity is not above the largest."""
    assert c.instrument is not None
    return c.qty, c.instrument.max_qty, c.qty <= c.instrument.max_qty


@rule(5, Unit.MONEY, R.BELOW_MIN_NOTIONAL, no="{value} is below the smallest order value, {limit}")
def min_notional(c: Candidate) -> Measured:
    """The order's value is not below the smallest."""
    assert c.instrument is not None
    return c.notional, c.instrument.min_notional, c.notional >= c.instrument.min_notional


@rule(
    5,
    Unit.MONEY,
    R.LOSS_PER_TRADE,
    no="the stop with costs would lose {value}, above {limit}",
    key="loss_per_trade_max_usd",
)
def loss(c: Candidate) -> Measured:
    """The loss at the stop, costs included, stays within the limit."""
    limit = c.limits.loss_per_trade_max
    return c.loss, limit, c.loss <= limit


@rule(5, Unit.MONEY, R.NOTIONAL, no="the order's notional is {value}, above {limit}", key="order_notional_max_usd")
def order_notional(c: Candidate) -> Measured:
    """The order stays within its notional limit."""
    limit = c.limits.order_notional_max
    return c.notional, limit, c.notional <= limit


@rule(
    5,
    Unit.MONEY,
    R.NOTIONAL,
    no="the position's notional would be {value}, above {limit}",
    key="position_notional_max_usd",
)
def position_notional(c: Candidate) -> Measured:
    """The resulting position stays within its notional limit."""
    limit = c.limits.position_notional_max
    return c.notional, limit, c.notional <= limit


@rule(
    5,
    Unit.FRACTION,
    R.PRICE_COLLAR,
    no="the order price is {value} away from the last price, above {limit}",
    key="price_collar_percent",
)
def collar(c: Candidate) -> Measured:
    """The order price is near the last price."""
    away, limit = money.div(abs(c.price - c.last), c.last), c.limits.price_collar
    return away, limit, away <= limit


@rule(
    5,
    Unit.COUNT,
    R.RATE_LIMIT,
    no="{value} entries in the last minute, {limit} are allowed",
    key="orders_per_minute_max",
)
def rate(c: Candidate) -> Measured:
    """Entries per minute stay below the limit."""
    limit = c.limits.orders_per_minute_max
    return c.entries_last_minute * ONE, limit * ONE, c.entries_last_minute < limit
