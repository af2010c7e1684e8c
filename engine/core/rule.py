"""A rule of the safety layers: what it measures of an entry, and how it says no."""

from collections.abc import Callable

import msgspec

from engine.core import money
from engine.core.candidate import Candidate
from engine.core.words import ReasonCode, Unit

ONE = money.SCALE

Measured = tuple[int, int, bool]
"""Value, limit, and whether the entry passes. The first two are given either way, so that the record shows how near it
was; they are scaled, in the rule's unit. A rule that asks yes or no counts what stands in the way."""

Measure = Callable[[Candidate], Measured]


class Refusal(msgspec.Struct, frozen=True):
    """A named no: `value` beside its `limit` (scaled, in the unit of the rule), and a sentence for people."""

    code: ReasonCode
    text: str
    value: int = 0
    limit: int = 0


class Rule(msgspec.Struct, frozen=True):
    """One check.

    Attributes:
        layer: 0 to 5; layers are passed in this order.
        name: Its word in tables and on the screen.
        says: What must hold, in words.
        key: The key of `risk.toml` that sets its limit; empty where none does.
        unit: Of its value and its limit.
        codes: What it may refuse with: the first, unless `chooses` picks another of them.
        no: The refusal in words; may name `{value}`, `{limit}`, and `{c}`, the candidate.
    """

    layer: int
    name: str
    says: str
    key: str
    unit: Unit
    codes: tuple[ReasonCode, ...]
    measure: Measure
    no: str
    chooses: Callable[[Candidate], ReasonCode] | None = None

    def refuse(self, candidate: Candidate, value: int, limit: int) -> Refusal:
        """The refusal of a candidate that measured `value` against `limit`."""
        code = self.chooses(candidate) if self.chooses else self.codes[0]
        text = self.no.format(value=self.unit.text(value), limit=self.unit.text(limit), c=candidate)
        return Refusal(code, text, value, limit)


def rule(
    layer: int,
    unit: Unit,
    *codes: ReasonCode,
    no: str,
    key: str = "",
    chooses: Callable[[Candidate], ReasonCode] | None = None,
) -> Callable[[Measure], Rule]:
    """Make the function below a rule: its name is the rule's, its docstring what the rule says."""
    return lambda measure: Rule(layer, measure.__name__, measure.__doc__ or "", key, unit, codes, measure, no, chooses)


def over(part: int, whole: int) -> int:
    """`part` as a fraction of `whole`, both above zero, rounded up: what is beyond a limit is never rounded onto it."""
    return -(-part * ONE // whole)


def stands(hindrance: int | bool) -> Measured:
    """The answer of a rule that asks yes or no: passes while nothing stands in the way."""
    return hindrance * ONE, 0, not hindrance
