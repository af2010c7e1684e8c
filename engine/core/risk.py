"""The safety layers an entry passes, in one documented order: the first refusal wins, and what is unknown denies.

Only entries come here. An order that reduces risk is never held back by an entry limit.
`RULES` is the one table of what is checked; the engine, the documentation and the console read it.
"""

from typing import Final

from engine.core import checks
from engine.core.candidate import Candidate
from engine.core.facts import Check
from engine.core.rule import Refusal, Rule

RULES: Final[tuple[Rule, ...]] = (
    checks.kill,
    checks.breaker,
    checks.block,
    checks.price_known,
    checks.price_age,
    checks.halt,
    checks.conditions,
    checks.positions,
    checks.whitelist,
    checks.symbol,
    checks.leverage,
    checks.heat,
    checks.margin,
    checks.levels,
    checks.reward_risk,
    checks.lots,
    checks.min_qty,
    checks.max_qty,
    checks.min_notional,
    checks.order_notional,
    checks.position_notional,
    checks.loss,
    checks.collar,
    checks.rate,
)


def judge(candidate: Candidate) -> tuple[tuple[Check, ...], Refusal | None]:
    """What every rule measured, up to and with the first that refuses; and that refusal, None if the entry may go."""
    seen = []
    for rule in RULES:
        value, limit, ok = rule.measure(candidate)
        seen.append(Check(rule.layer, rule.name, value, limit, ok))
        if not ok:
            return tuple(seen), rule.refuse(candidate, value, limit)
    return tuple(seen), None
