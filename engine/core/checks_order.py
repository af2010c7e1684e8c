"""Layer 5: whether the order itself is one the desk sends. See `engine.core.checks_desk`."""

from engine.core.candidate import Candidate
from engine.core.rule import ONE, Measured, over, rule
from engine.core.words import ReasonCode, Side, Unit

R = ReasonCode


@rule(5, Unit.PRICE, R.INVALID_LEVELS, no="stop, entry and target are not in order")
def levels(c: Candidate) -> Measured:
    """Stop, entry and target are above zero and in order."""
    stop, target = c.proposal.stop, c.proposal.target
    low, high = (stop, target) if c.proposal.side is Side.LONG else (target, stop)
    return c.price, stop, 0 < low < c.price < high


@rule(
    5, Unit.RATIO, R.REWARD_RISK, no="reward over risk, before costs, is {value}, below {limit}", key="reward_risk_min"
)
def reward_risk(c: Candidate) -> Measured:
    """The target is worth the risk, before costs."""
    limit = c.limits.reward_risk_min
    ratio = abs(c.proposal.target - c.price) * ONE // abs(c.price - c.proposal.stop)
    return ratio, limit, ratio >= limit


@rule(5, Unit.QUANTITY, R.ZERO_SIZE, no="the size is below one lot of {limit}{c.too_small}")
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
    R.ABOVE_MAX_NOTIONAL,
    no="{value} is above the symbol's largest order value, {limit}",
    key="symbols",
)
def max_notional(c: Candidate) -> Measured:
    """The order's value is not above the symbol's largest, where it has one."""
    assert c.instrument is not None
    limit = c.instrument.max_notional
    return c.notional, limit, c.notional <= limit or not limit


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
    return c.position_notional, limit, c.position_notional <= limit


@rule(
    5,
    Unit.FRACTION,
    R.PRICE_COLLAR,
    no="the order price is {value} away from the market, above {limit}",
    key="price_collar_percent",
)
def collar(c: Candidate) -> Measured:
    """The order price is near the last price, and near the middle of bid and ask."""
    away, limit = over(abs(c.price - c.last), c.last), c.limits.price_collar
    if c.mid:
        away = max(away, over(abs(c.price - c.mid), c.mid))
    return away, limit, away <= limit


@rule(
    5,
    Unit.SECONDS,
    R.DUPLICATE,
    no="the same entry was sent {value} ago, {limit} have to pass",
    key="duplicate_window",
)
def duplicate(c: Candidate) -> Measured:
    """The same strategy did not just send the same entry."""
    limit = c.limits.duplicate_window_ns
    return c.since_same_ns // 10, limit // 10, c.since_same_ns >= limit


@rule(
    5,
    Unit.COUNT,
    R.RATE_LIMIT,
    no="{value} orders in the last minute, {limit} are allowed",
    key="orders_per_minute_max",
)
def rate(c: Candidate) -> Measured:
    """Entries and closing exits of the last minute stay below the limit."""
    limit = c.limits.orders_per_minute_max
    return c.orders_last_minute * ONE, limit * ONE, c.orders_last_minute < limit


@rule(
    5,
    Unit.COUNT,
    R.MESSAGE_RATE,
    no="{value} order messages in the last minute, {limit} are allowed",
    key="messages_per_minute_max",
)
def message_rate(c: Candidate) -> Measured:
    """Submits, cancels and amends of the last minute stay below the limit."""
    limit = c.limits.messages_per_minute_max
    return c.messages_last_minute * ONE, limit * ONE, c.messages_last_minute < limit
