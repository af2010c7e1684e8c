"""What stands between a signal and an order: every rule with its value, its limit and the room left, and which of them
would refuse a plain entry right now, symbol by symbol.
"""

from collections.abc import Sequence
from itertools import zip_longest
from typing import Final, NamedTuple

from console.pages.base import Hint, Page
from console.table import Column, table
from console.text import BLANK, SECOND, Line, Seen, Span, Tone, cut_line, heading, percent, said
from engine.core import money
from engine.core.risk import RULES
from engine.core.rule import Rule
from engine.core.times import stretch
from engine.core.view import ProbedView, ProbeView
from engine.core.words import Side, Unit

_RULES: Final = {rule.name: rule for rule in RULES}
NEAR: Final = 80  # percent of a limit from which it is marked
BESIDE: Final = 110  # cells from which the two tables stand beside each other
SYMBOL_MAX: Final = 20


class Measure(NamedTuple):
    """One rule as it was measured for the chosen entry; `rule` None: this version does not know it."""

    name: str
    rule: Rule | None
    value: int
    limit: int
    passes: bool

    @property
    def used(self) -> int | None:
        """Value over limit as a fraction, for rules whose value has to stay below theirs."""
        counts = self.rule is not None and self.rule.unit in _GROWING and self.name not in _FLOORS
        return money.div(self.value, self.limit) if counts and self.limit > 0 else None


_GROWING: Final = (Unit.MONEY, Unit.FRACTION, Unit.COUNT, Unit.QUANTITY, Unit.RATIO)
_FLOORS: Final = ("reward_risk", "min_qty", "min_notional", "lots", "correlation_known", "duplicate")


class RiskPage(Page):
    name = "Risk"
    says = "Every rule with its value, limit and room; what would be refused right now. ↑↓ choose the entry."

    def __init__(self) -> None:
        self._known: dict[tuple[str, Side], ProbedView] = {}
        self._cursor = self._top = 0
        self._count = 1
        self._rules_top = 0

    def hints(self) -> tuple[Hint, ...]:
        return (
            Hint("↑↓", "Entry", "Chooses the entry whose rules are shown."),
            Hint("PgDn", "Rules", "Scrolls the rules; PgUp goes back."),
        )

    def press(self, key: str, character: str | None) -> bool:
        match key:
            case "up" | "down":
                self._cursor = (self._cursor + (1 if key == "down" else -1)) % self._count
            case "home" | "end":
                self._cursor = 0 if key == "home" else self._count - 1
            case "pagedown" | "pageup":
                self._rules_top = max(self._rules_top + (8 if key == "pagedown" else -8), 0)
            case _:
                return False
        return True

    def see(self, seen: Seen) -> None:
        probed = seen.view.probed
        if probed is not None:
            self._known[probed.symbol, probed.side] = probed

    def body(self, seen: Seen, width: int, height: int) -> list[Line]:
        view = seen.view
        if not view.probes:
            return [heading(self.name, (), width), (Span("the desk has not said what it would refuse", Tone.DIM),)]
        self._count = len(view.probes)
        self._cursor = min(self._cursor, self._count - 1)
        chosen = view.probes[self._cursor]
        if width >= BESIDE:
            left = 44
            rules = self._rules(seen, chosen, width - left - 3, height)
            return _beside(self._probes(view.probes, left, height), rules, left)
        most = max(height // 3, 5)
        above = self._probes(view.probes, width, most)
        return [*above, BLANK, *self._rules(seen, chosen, width, height - len(above) - 1)]

    def _probes(self, probes: Sequence[ProbeView], width: int, height: int) -> list[Line]:
        refused = sum(bool(probe.rule) for probe in probes)
        told = Span(f"{refused} of {len(probes)} refused", Tone.WARN if refused else Tone.GOOD)
        rows = max(height - 2, 1)
        self._top = min(max(self._top, self._cursor - rows + 1), self._cursor)
        drawn = table(_PROBES, probes[self._top : self._top + rows], width - 2)
        lines: list[Line] = [heading("An entry right now", (told,), width), (Span("  "), *drawn[0])]
        for at, line in enumerate(drawn[1:], self._top):
            mark = Span("> ", Tone.STRONG) if at == self._cursor else Span("  ")
            lines.append((mark, *line))
        return lines

    def _rules(self, seen: Seen, chosen: ProbeView, width: int, height: int) -> list[Line]:
        known = self._known.get((chosen.symbol, chosen.side))
        title = f"Rules for {said(chosen.symbol, SYMBOL_MAX)} {chosen.side.value}"
        if known is None:
            note = (Span("measured one entry a second; this one is still to come", Tone.DIM),)
            return [heading(title, (), width), note]
        age_ns = max(seen.now_ns - known.at_ns, 0)
        age = Span("now", Tone.DIM) if age_ns < 3 * SECOND else Span(f"as of {stretch(age_ns)} ago", Tone.WARN)
        measures = [Measure(name, _RULES.get(name), value, limit, ok) for name, value, limit, ok in known.checks]
        self._rules_top = max(min(self._rules_top, len(measures) - (height - 2)), 0)
        lines = [heading(title, (age,), width), *table(_COLUMNS, measures[self._rules_top :], width)]
        left = len(lines) - height
        return [*lines[: height - 1], (Span(f"↓ {left + 1} more rules: PgDn", Tone.DIM),)] if left > 0 else lines


def _beside(left: list[Line], right: list[Line], width: int) -> list[Line]:
    pairs = zip_longest(left, right, fillvalue=BLANK)
    return [(*cut_line(one, width), Span("   "), *other) for one, other in pairs]


def _verdict(probe: ProbeView) -> Span:
    return Span(f"x {probe.rule}", Tone.WARN) if probe.rule else Span("ok would pass", Tone.GOOD)


_PROBES = (
    Column[ProbeView]("Symbol", 10, lambda p: Span(p.symbol, Tone.STRONG), 0),
    Column[ProbeView]("Side", 5, lambda p: Span(p.side.value), 1),
    Column[ProbeView]("Refused by", 18, _verdict, 2, grows=True),
)


def _limit(one: Measure) -> str:
    """A limit with the way it runs; a rule that asks yes or no has none."""
    if not one.limit:
        return ""
    return f"{'≥' if one.name in _FLOORS else '≤'} {_text(one, one.limit)}"


def _text(one: Measure, value: int) -> str:
    return one.rule.unit.text(value) if one.rule is not None else money.text(value)


def _state(one: Measure) -> Span:
    if not one.passes:
        return Span("x refuses", Tone.BAD)
    used = one.used
    if used is not None and used * 100 >= NEAR * money.SCALE:
        return Span("! near", Tone.WARN)
    return Span("ok", Tone.GOOD)


def _room(one: Measure) -> Span:
    """What is left of the limit, as a share of it."""
    used = one.used
    return Span("", Tone.DIM) if used is None else Span(percent(max(money.SCALE - used, 0), 0), Tone.PLAIN)


_COLUMNS = (
    Column[Measure]("Rule", 17, lambda m: Span(m.name, Tone.STRONG), 0),
    Column[Measure]("", 9, _state, 1),
    Column[Measure]("Value", 12, lambda m: Span(_text(m, m.value)), 2, right=True),
    Column[Measure]("Limit", 14, lambda m: Span(_limit(m), Tone.DIM), 3, right=True),
    Column[Measure]("Left", 6, _room, 4, right=True),
    Column[Measure]("Set by", 24, lambda m: Span(m.rule.key if m.rule else "", Tone.DIM), 6),
    Column[Measure]("What must hold", 14, lambda m: Span(m.rule.says if m.rule else "", Tone.DIM), 5, grows=True),
)
