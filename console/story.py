"""What became of a signal, as text: each rule's measured value beside its limit, and each step with what it brought."""

from typing import NamedTuple

from engine.core import money
from engine.core.risk import RULES
from engine.core.words import Unit
from store.records import TraceRecord

_RULES = {rule.name: rule for rule in RULES}


class Check(NamedTuple):
    """One rule's verdict on a signal; `verdict` is the rule's own word, `says` what must hold."""

    layer: str
    rule: str
    measured: str
    limit: str
    verdict: str
    says: str


def check(step: TraceRecord) -> Check:
    """A rule as it judged; one this version no longer has is told with its numbers as they were written."""
    rule = _RULES.get(step.id)
    value, limit = (rule.unit.text(money.parse(n)) if rule else n for n in (step.value, step.limit_value))
    if rule is not None and rule.unit is Unit.PRICE and not money.parse(step.limit_value):
        limit = f"above {limit}"  # there has to be a price: no limit it could be within
    return Check(step.text.removeprefix("layer "), step.id, value, limit, step.state, rule.says if rule else "")
