"""The safety layers an entry passes, in one documented order: the first refusal wins, and what is unknown denies.

Only entries come here. An order that reduces risk is never held back by an entry limit.
`RULES` is the one table of what is checked; the engine, the documentation and the console read it.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from engine.core import money
from engine.core.conditions import Answer
from engine.core.config import CoreConfig, Instrument
from engine.core.strategy import Proposal
from engine.core.words import BlockReason, ReasonCode


class Candidate(msgspec.Struct, frozen=True):
    """An entry about to be judged, and the standing it would meet. Everything a rule may look at is in here."""

    proposal: Proposal
    instrument: Instrument | None
    config: CoreConfig
    at_ns: int
    qty: int  # unsigned, already rounded down to the lot
    price: int  # what the entry is expected to cost per unit: its limit, or the touch for a market order
    last: int  # newest price of the symbol, 0 if none
    last_age_ns: int
    conditions: Answer  # of the market phase and the regime
    killed: bool
    blocks: tuple[str, ...]  # in force, kill not included
    block_text: str
    breaker: ReasonCode | None
    breaker_text: str
    open_positions: int  # working entries included
    symbol_busy: bool
    exposure: int  # gross, working entries included
    risk: int  # open risk to stops, working entries included
    equity: int
    free_margin: int
    entries_last_minute: int
    heat_limit: int  # in force: the configured one, as far as the regime leaves it

    @property
    def notional(self) -> int:
        return money.mul(self.price, self.qty)

    @property
    def loss(self) -> int:
        """What the stop would cost, fees of both ways at the taker rate included."""
        fee = 0 if self.instrument is None else self.instrument.taker_fee
        return money.mul(abs(self.price - self.proposal.stop), self.qty) + 2 * money.mul(self.notional, fee)


class Refusal(msgspec.Struct, frozen=True):
    """A named no: `value` beside its `limit` (scaled, in the unit of the rule), and a sentence for people."""

    code: ReasonCode
    text: str
    value: int = 0
    limit: int = 0


class Rule(msgspec.Struct, frozen=True):
    """One check. `layer` 0 to 5 fixes the order; `says` is the rule in words."""

    layer: int
    name: str
    says: str
    check: Callable[[Candidate], Refusal | None]


BLOCK_CODES: Final = {
    BlockReason.OPERATOR: ReasonCode.PAUSED,
    BlockReason.STARTING: ReasonCode.SESSION_ENDED,
    BlockReason.SHUTTING_DOWN: ReasonCode.SESSION_ENDED,
    BlockReason.STALE_DATA: ReasonCode.STALE_DATA,
    BlockReason.BREAKER: ReasonCode.BREAKER,
    BlockReason.RECONCILIATION: ReasonCode.RECONCILIATION,
    BlockReason.JOURNAL: ReasonCode.JOURNAL,
    BlockReason.UNKNOWN_ORDER: ReasonCode.UNKNOWN_ORDER,
    BlockReason.PHASE_UNKNOWN: ReasonCode.PHASE_UNKNOWN,
    BlockReason.RESTORED: ReasonCode.PAUSED,
}


def _kill(c: Candidate) -> Refusal | None:
    return Refusal(ReasonCode.KILLED, "the kill switch is latched; rearm lifts it") if c.killed else None


def _breaker(c: Candidate) -> Refusal | None:
    return None if c.breaker is None else Refusal(c.breaker, c.breaker_text)


def _blocks(c: Candidate) -> Refusal | None:
    if not c.blocks:
        return None
    return Refusal(BLOCK_CODES.get(BlockReason(c.blocks[0]), ReasonCode.PAUSED), c.block_text)


def _price(c: Candidate) -> Refusal | None:
    limit = c.config.limits.price_age_ns_max
    if c.last <= 0:
        return Refusal(ReasonCode.NO_PRICE, f"no price of {c.proposal.symbol} is known yet")
    if not 0 <= c.last_age_ns <= limit:
        seconds = c.last_age_ns // 1_000_000_000
        return Refusal(
            ReasonCode.STALE_DATA, f"the last price is {seconds} s old", _seconds(c.last_age_ns), _seconds(limit)
        )
    return None


def _seconds(ns: int) -> int:
    """Nanoseconds as scaled seconds."""
    return ns // 10


def _conditions(c: Candidate) -> Refusal | None:
    return None if c.conditions.code is None else Refusal(c.conditions.code, c.conditions.text)


def _positions(c: Candidate) -> Refusal | None:
    limit = c.config.limits.positions_max
    if c.open_positions < limit:
        return None
    text = f"{c.open_positions} of {limit} positions open or being entered"
    return Refusal(ReasonCode.MAX_POSITIONS, text, c.open_positions * money.SCALE, limit * money.SCALE)


def _symbol(c: Candidate) -> Refusal | None:
    if c.symbol_busy:
        text = f"{c.proposal.symbol} already has a position or a working entry"
        return Refusal(ReasonCode.SYMBOL_POSITIONS, text, money.SCALE, money.SCALE)
    return None


def _exposure(c: Candidate) -> Refusal | None:
    limit = money.mul(c.config.limits.leverage_max, c.equity)
    value = c.exposure + c.notional
    if c.equity > 0 and value <= limit:
        return None
    return Refusal(ReasonCode.LEVERAGE, "exposure would pass the leverage limit", value, limit)


def _heat(c: Candidate) -> Refusal | None:
    limit = c.heat_limit
    heat = money.div(c.risk + c.loss, c.equity) if c.equity > 0 else money.SCALE
    if heat <= limit:
        return None
    return Refusal(ReasonCode.HEAT, "the stops together would risk more than the heat limit", heat, limit)


def _margin(c: Candidate) -> Refusal | None:
    needed = money.div(c.notional, c.config.limits.leverage_max)
    if needed <= c.free_margin:
        return None
    return Refusal(ReasonCode.MARGIN, "not enough free margin", needed, c.free_margin)


def _allowed(c: Candidate) -> Refusal | None:
    if c.instrument is None:
        return Refusal(ReasonCode.SYMBOL_NOT_ALLOWED, f"{c.proposal.symbol} is not among the symbols of this run")
    return None


def _levels(c: Candidate) -> Refusal | None:
    sign, p = c.proposal.side.sign, c.proposal
    if p.stop > 0 and p.target > 0 and sign * (c.price - p.stop) > 0 and sign * (p.target - c.price) > 0:
        return None
    return Refusal(ReasonCode.INVALID_LEVELS, "stop, entry and target are not in order", c.price, p.stop)


def _reward_risk(c: Candidate) -> Refusal | None:
    limit = c.config.limits.reward_risk_min
    ratio = money.div(abs(c.proposal.target - c.price), abs(c.price - c.proposal.stop))
    if ratio >= limit:
        return None
    return Refusal(ReasonCode.REWARD_RISK, "reward over risk, before costs, is too small", ratio, limit)


def _size(c: Candidate) -> Refusal | None:
    assert c.instrument is not None  # the whitelist rule came first
    if c.qty <= 0:
        return Refusal(ReasonCode.ZERO_SIZE, "the size rounds down to zero lots", 0, c.instrument.lot)
    if c.qty < c.instrument.min_qty:
        return Refusal(ReasonCode.BELOW_MIN_QTY, "below the smallest quantity", c.qty, c.instrument.min_qty)
    if c.notional < c.instrument.min_notional:
        text = "below the smallest order value"
        return Refusal(ReasonCode.BELOW_MIN_NOTIONAL, text, c.notional, c.instrument.min_notional)
    if c.qty > c.instrument.max_qty:
        return Refusal(ReasonCode.ABOVE_MAX_QTY, "above the largest quantity", c.qty, c.instrument.max_qty)
    return None


def _loss(c: Candidate) -> Refusal | None:
    limit = c.config.limits.loss_per_trade_max
    if c.loss <= limit:
        return None
    return Refusal(ReasonCode.LOSS_PER_TRADE, "the stop with costs would lose too much", c.loss, limit)


def _notional(c: Candidate) -> Refusal | None:
    limit = min(c.config.limits.order_notional_max, c.config.limits.position_notional_max)
    if c.notional <= limit:
        return None
    return Refusal(ReasonCode.NOTIONAL, "above the largest notional", c.notional, limit)


def _collar(c: Candidate) -> Refusal | None:
    limit = c.config.limits.price_collar
    away = money.div(abs(c.price - c.last), c.last)
    if away <= limit:
        return None
    return Refusal(ReasonCode.PRICE_COLLAR, "the order price is too far from the last price", away, limit)


def _rate(c: Candidate) -> Refusal | None:
    limit = c.config.limits.orders_per_minute_max
    if c.entries_last_minute < limit:
        return None
    text = f"{c.entries_last_minute} entries in the last minute"
    return Refusal(ReasonCode.RATE_LIMIT, text, c.entries_last_minute * money.SCALE, limit * money.SCALE)


RULES: Final = (
    Rule(0, "kill", "No entry while the kill switch is latched.", _kill),
    Rule(1, "breaker", "No entry while a circuit breaker is tripped.", _breaker),
    Rule(1, "block", "No entry while any block stands (operator, stale data, journal, starting, ending …).", _blocks),
    Rule(1, "price", "The symbol's last price is known and not older than the limit.", _price),
    Rule(1, "conditions", "The market phase is known, and it and the regime let the strategy enter.", _conditions),
    Rule(2, "positions", "Open positions and working entries stay below the limit.", _positions),
    Rule(3, "whitelist", "The symbol is one of the run's.", _allowed),
    Rule(3, "symbol", "One position a symbol.", _symbol),
    Rule(4, "exposure", "Gross exposure stays within equity times leverage.", _exposure),
    Rule(4, "heat", "The sum of risk to stops stays within the heat limit the regime leaves.", _heat),
    Rule(4, "margin", "Free margin covers the order.", _margin),
    Rule(5, "levels", "Stop, entry and target are above zero and in order.", _levels),
    Rule(5, "reward_risk", "The target is worth the risk.", _reward_risk),
    Rule(5, "size", "The quantity is a tradable number of lots.", _size),
    Rule(5, "loss", "The loss at the stop, costs included, stays within the limit.", _loss),
    Rule(5, "notional", "The order and the position stay within the notional limit.", _notional),
    Rule(5, "collar", "The order price is near the last price.", _collar),
    Rule(5, "rate", "Entries per minute stay below the limit.", _rate),
)


def refusal(candidate: Candidate) -> Refusal | None:
    """The first rule `candidate` breaks, or None if it may go."""
    for rule in RULES:
        no = rule.check(candidate)
        if no is not None:
            return no
    return None


def size(proposal: Proposal, instrument: Instrument, config: CoreConfig, price: int, share: int) -> int:
    """Units (unsigned, whole lots) so that the stop costs `risk_per_trade`, capped by `notional_max`; 0 if none fit.

    `share` is the fraction of both the entry may use, 1 for a full-sized one.
    """
    distance = abs(price - proposal.stop)
    if price <= 0 or distance <= 0:
        return 0
    by_risk = config.sizing.risk_per_trade * share // distance
    by_notional = config.sizing.notional_max * share // price
    return money.floor_to(min(by_risk, by_notional, instrument.max_qty), instrument.lot)
