"""The safety layers an entry passes, in one documented order: the first refusal wins, and what is unknown denies.

Only entries come here. An order that reduces risk is never held back by an entry limit.
`RULES` is the one table of what is checked; the engine, the documentation and the console read it.
"""

from contextlib import suppress
from typing import Final

from engine.core import checks_desk as desk
from engine.core import checks_order as order
from engine.core.candidate import Candidate
from engine.core.facts import Check
from engine.core.rule import Measured, Refusal, Rule

RULES: Final[tuple[Rule, ...]] = (
    desk.kill,
    desk.breaker,
    desk.block,
    desk.market_open,
    desk.price_known,
    desk.price_age,
    desk.halt,
    desk.listing,
    desk.conditions,
    desk.positions,
    desk.whitelist,
    desk.fees_known,
    desk.symbol,
    desk.symbol_qty,
    desk.leverage,
    desk.gross_exposure,
    desk.net_exposure,
    desk.concentration,
    desk.heat,
    desk.correlation_known,
    desk.correlation,
    desk.balance,
    desk.margin,
    desk.day_risk,
    order.levels,
    order.reward_risk,
    order.lots,
    order.min_qty,
    order.max_qty,
    order.min_notional,
    order.max_notional,
    order.order_notional,
    order.position_notional,
    order.loss,
    order.collar,
    order.duplicate,
    order.rate,
    order.message_rate,
)


def judge(candidate: Candidate) -> tuple[list[Measured], Refusal | None]:
    """What the rules measured, in their order, up to and with the first that refuses; and that refusal, if any."""
    seen = []
    for rule in RULES:
        measured = rule.measure(candidate)
        seen.append(measured)
        if not measured[2]:
            return seen, rule.refuse(candidate, measured[0], measured[1])
    return seen, None


def measure(candidate: Candidate) -> tuple[Check, ...]:
    """What every rule measures, also behind the first that refuses.

    A rule may rest on those before it; one that has nothing to measure without them is left out.
    """
    told = []
    for rule in RULES:
        with suppress(ArithmeticError, AttributeError):
            told.append(Check(rule.layer, rule.name, *rule.measure(candidate)))
    return tuple(told)


def checks(seen: list[Measured]) -> tuple[Check, ...]:
    """What was measured, as it is put on record."""
    return tuple(Check(rule.layer, rule.name, *measured) for rule, measured in zip(RULES, seen, strict=False))
