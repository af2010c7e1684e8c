"""Layers 0 to 4: whether the desk may enter at all, and what an entry would add to what it has at stake.

Each check has what it says and how it refuses; `engine.core.risk.RULES` has their order. What is unknown does not pass.
"""

from typing import Final

from engine.core.breaker_table import BREAKERS
from engine.core.candidate import Candidate
from engine.core.config import ASSUMED
from engine.core.rule import ONE, Measured, over, rule, stands
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
    BlockReason.DISK: R.JOURNAL,
    BlockReason.UNKNOWN_ORDER: R.UNKNOWN_ORDER,
    BlockReason.PHASE_UNKNOWN: R.PHASE_UNKNOWN,
    BlockReason.RESTORED: R.PAUSED,
    BlockReason.OUTAGE: R.PAUSED,
    BlockReason.CRASH_LOOP: R.PAUSED,
    BlockReason.LIVE_GATE: R.GATE_DENIED,
    BlockReason.MARKET_CLOSED: R.MARKET_CLOSED,
}
"""What a block refuses with; the kill and the breakers have rules of their own."""

BREAKER_CODES: Final = tuple(dict.fromkeys([*(spec.code for spec in BREAKERS), R.COOLDOWN]))
"""What a tripped breaker refuses with."""


# --- 0: the emergency stop ---


@rule(0, Unit.COUNT, R.KILLED, no="the kill switch is latched; rearm lifts it")
def kill(c: Candidate) -> Measured:
    """No entry while the kill switch is latched."""
    return stands(c.killed)


# --- 1: breakers, blocks, the market ---


@rule(
    1,
    Unit.COUNT,
    *BREAKER_CODES,
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


@rule(1, Unit.COUNT, R.MARKET_CLOSED, no="the market of {c.proposal.symbol} is closed")
def market_open(c: Candidate) -> Measured:
    """The symbol's market is open."""
    return stands(not c.is_open)


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


@rule(1, Unit.COUNT, R.INSTRUMENT_CHANGED, no="the venue's rules for {c.proposal.symbol} have changed: {c.changed}")
def listing(c: Candidate) -> Measured:
    """The venue lists the symbol as it did when the run began."""
    return stands(bool(c.changed))


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
    R.FEES_UNKNOWN,
    no="the fees of {c.proposal.symbol} are unknown: neither the venue nor its file names both",
)
def fees_known(c: Candidate) -> Measured:
    """The venue or its file names what trading the symbol costs."""
    assert c.instrument is not None  # the whitelist came first
    return stands(c.instrument.fee_source == ASSUMED)


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


@rule(3, Unit.QUANTITY, R.SYMBOL_QTY, no="the position would be {value}, above {limit}", key="symbols")
def symbol_qty(c: Candidate) -> Measured:
    """The resulting position stays within the symbol's quantity, working entries included."""
    assert c.instrument is not None  # the whitelist came first
    limit = c.instrument.max_position_qty or c.instrument.max_qty
    return c.position_qty, limit, c.position_qty <= limit


# --- 4: exposure, heat, correlation, margin ---


@rule(4, Unit.MONEY, R.LEVERAGE, no="exposure would be {value}, above {limit}", key="leverage_max")
def leverage(c: Candidate) -> Measured:
    """Gross exposure stays within equity times leverage."""
    value, limit = c.gross, c.equity * c.limits.leverage_max // ONE
    return value, limit, c.equity > 0 and value <= limit


@rule(4, Unit.MONEY, R.EXPOSURE, no="gross exposure would be {value}, above {limit}", key="gross_exposure_max")
def gross_exposure(c: Candidate) -> Measured:
    """Gross exposure stays within its own limit, times equity."""
    limit = c.equity * c.limits.gross_exposure_max // ONE
    return c.gross, limit, c.gross <= limit


@rule(4, Unit.MONEY, R.EXPOSURE, no="net exposure would be {value}, above {limit}", key="net_exposure_max")
def net_exposure(c: Candidate) -> Measured:
    """Net exposure in the entry's direction stays within its limit, times equity; what might not fill is no offset."""
    limit = c.equity * c.limits.net_exposure_max // ONE
    return c.net, limit, c.net <= limit


@rule(
    4,
    Unit.MONEY,
    R.CONCENTRATION,
    no="{c.proposal.symbol} would be {value} of exposure, above {limit}",
    key="concentration_max_percent",
)
def concentration(c: Candidate) -> Measured:
    """One symbol has at most its share of the gross exposure allowed."""
    limit = c.equity * c.limits.gross_exposure_max // ONE * c.limits.concentration_max // ONE
    return c.position_notional, limit, c.position_notional <= limit


@rule(
    4,
    Unit.FRACTION,
    R.HEAT,
    no="the stops together would risk {value} of equity, above {limit}",
    key="heat_max_percent",
)
def heat(c: Candidate) -> Measured:
    """The sum of risk to stops, with costs and gaps, stays within the heat limit the regime leaves."""
    value = over(c.risk, c.equity) if c.equity > 0 else ONE
    return value, c.heat_limit, value <= c.heat_limit


@rule(
    4,
    Unit.COUNT,
    R.CORRELATION_UNKNOWN,
    no="the correlation with {c.alike.stranger} is unknown: {value} of {limit} returns",
    key="correlation_window",
)
def correlation_known(c: Candidate) -> Measured:
    """The correlation with everything of the same group that is held or being entered is known."""
    return c.alike.known * ONE, c.limits.correlation_window * ONE, not c.alike.stranger


@rule(4, Unit.RATIO, R.CORRELATION, no="it moves like {c.alike.twin}: {value}, above {limit}", key="correlation_max")
def correlation(c: Candidate) -> Measured:
    """Nothing held or being entered moves like it, in the direction of both."""
    return c.alike.rho, c.limits.correlation_max, c.alike.rho <= c.limits.correlation_max


@rule(4, Unit.SECONDS, R.MARGIN, no="the account's balance is unknown or too old ({value})", key="balance_age_max")
def balance(c: Candidate) -> Measured:
    """What the broker said of the account is known and not too old."""
    limit = c.limits.balance_age_ns_max
    return c.balance_age_ns // 10, limit // 10, 0 <= c.balance_age_ns <= limit


@rule(4, Unit.MONEY, R.MARGIN, no="the order needs a margin of {value}, {limit} is free")
def margin(c: Candidate) -> Measured:
    """The margin that is free, by the broker's own figure, covers the order."""
    return c.margin, c.free_margin, c.margin <= c.free_margin


@rule(
    4,
    Unit.MONEY,
    R.DAY_RISK,
    no="all stops together would lose {value}, {limit} is left of the daily loss",
    key="daily_loss_max_usd",
)
def day_risk(c: Candidate) -> Measured:
    """If every stop were hit, this one's too, the day's loss would stay within its limit."""
    return c.risk, c.day_loss_left, c.risk <= c.day_loss_left
