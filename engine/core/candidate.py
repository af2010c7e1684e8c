"""An entry about to be judged, and how large it is: the one thing the safety layers look at."""

from typing import Final

import msgspec

from engine.core import money
from engine.core.conditions import Answer
from engine.core.config import CoreConfig, Instrument, Limits
from engine.core.correlation import Alike
from engine.core.strategy import Proposal
from engine.core.words import ReasonCode

CENT: Final = money.SCALE // 100


class Candidate(msgspec.Struct, frozen=True):
    """One entry and the desk's standing it would meet. Everything a rule may look at is in here.

    What is said to be "with it" is as if the entry had been sent: working entries count as if they filled.
    """

    proposal: Proposal
    instrument: Instrument | None
    limits: Limits
    qty: int  # unsigned, already rounded down to the lot
    price: int  # what the entry is expected to cost per unit: its limit, or the touch for a market order
    notional: int
    loss: int  # what the stop would cost, see `loss_at_stop`
    last: int  # newest price of the symbol, 0 if none
    mid: int  # between bid and ask, 0 if they are unknown
    last_age_ns: int
    halted: bool
    is_open: bool  # the symbol's market
    conditions: Answer  # of the market phase and the regime
    killed: bool
    blocks: tuple[str, ...]  # in force, kill and breakers not included
    block_text: str
    breaker: ReasonCode | None
    breaker_text: str
    open_positions: int  # working entries included
    symbol_positions: int  # the symbol's position, working orders and signals in flight
    position_qty: int  # unsigned, of the symbol, with it
    position_notional: int  # likewise
    gross: int  # exposure, with it
    net: int  # exposure in its direction, with it
    risk: int  # to all stops, with it, its costs and all gap allowances
    heat_limit: int  # in force: the configured one, as far as the regime leaves it
    day_loss_left: int
    equity: int
    margin: int  # that the order needs
    free_margin: int  # by the broker's own figure
    balance_age_ns: int  # of that figure; negative: there is none
    alike: Alike
    since_same_ns: int  # since the same entry was sent, at most `duplicate_window_ns`
    orders_last_minute: int
    messages_last_minute: int
    changed: str = ""  # how the symbol's rules are not those the run began with
    too_small: str = ""  # why the size is zero, see `too_small`


def loss_at_stop(price: int, stop: int, qty: int, instrument: Instrument | None) -> int:
    """What `qty` (unsigned) entered at `price` would lose at `stop`, taker fees of both ways at `price` included."""
    fee = 0 if instrument is None else instrument.taker_fee
    return money.mul(abs(price - stop), qty) + 2 * money.mul(money.mul(price, qty), fee)


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


def too_small(proposal: Proposal, instrument: Instrument, config: CoreConfig, price: int, share: int) -> str:
    """The rest of the sentence that says the size is zero: the settings that allow no lot, and the least that would."""
    lot, distance = instrument.lot, abs(price - proposal.stop)
    if share <= 0 or price <= 0 or distance <= 0:
        return ""  # another rule refuses it
    told = [
        f"{key} is {money.text(allowed)} and would have to be {money.text(needed)}"
        for key, allowed, unit in (
            ("risk_per_trade_usd", config.sizing.risk_per_trade, distance),
            ("entry_notional_max_usd", config.sizing.notional_max, price),
        )
        if (needed := money.ceil_to(-(-lot * unit // share), CENT)) > allowed
    ]
    if instrument.max_qty < lot:
        told.append(f"the largest order is {money.text(instrument.max_qty)}")
    part = "" if share == money.SCALE else f", at {money.text(share)} of the full size"
    return f"{part}: {', '.join(told)}"
