"""What would be refused right now: a plain entry in every symbol, judged as a strategy's would be, and not made.

It is asked only for somebody who looks, and once a second at most: twenty entries take about two milliseconds.
"""

import logging
from typing import Final

from engine.core.desk import Desk
from engine.core.engine import Engine
from engine.core.risk import RULES, judge, measure
from engine.core.strategy import Proposal
from engine.core.view import ProbedView, ProbeView
from engine.core.words import Side

EVERY_NS: Final = 1_000_000_000
STOP_PARTS: Final = 100  # the stop is a hundredth of the price away, the target twice as far

log = logging.getLogger("session")


class Probing:
    """The newest answers; `ask` gets better ones if a second has gone by on the session's steady clock."""

    def __init__(self) -> None:
        self.probes: tuple[ProbeView, ...] = ()
        self.probed: ProbedView | None = None
        self._turn = 0
        self._asked_ns: int | None = None

    def ask(self, engine: Engine, mono_ns: int) -> None:
        """Who refuses each entry first; and of one of them, each time the next, what every rule measures."""
        if self._asked_ns is not None and mono_ns - self._asked_ns < EVERY_NS:
            return
        self._asked_ns = mono_ns
        try:
            self._ask(engine)
        except Exception as bug:  # a bug in a rule refuses entries, it must not end the desk for being looked at
            self.probes, self.probed = (), None
            log.error("what would be refused now cannot be told: %s: %s", type(bug).__name__, bug)

    def _ask(self, engine: Engine) -> None:
        probes: list[ProbeView] = []
        for symbol in engine.desk.instruments:
            strategy_id = _strategy_of(engine.desk, symbol)
            for side in Side:
                candidate = engine.trading.entries.probe(strategy_id, plain_entry(engine.desk, symbol, side))
                seen, no = judge(candidate)
                if len(probes) == self._turn:
                    told = tuple((check.rule, check.value, check.limit, check.ok) for check in measure(candidate))
                    self.probed = ProbedView(symbol, side, engine.state.at_ns, told)
                probes.append(ProbeView(symbol, side, "" if no is None else RULES[len(seen) - 1].name))
        self._turn = (self._turn + 1) % max(len(probes), 1)
        self.probes = tuple(probes)


def plain_entry(desk: Desk, symbol: str, side: Side) -> Proposal:
    """An entry at the market with its stop 1 % away and its target 2 %."""
    price = desk.mark(symbol, -side.sign)
    away = side.sign * price // STOP_PARTS
    return Proposal(symbol, side, 0, price - away, price + 2 * away, "probe")


def _strategy_of(desk: Desk, symbol: str) -> str:
    """The first strategy that trades the symbol."""
    return next((spec.strategy_id for spec in desk.config.strategies if symbol in spec.symbols), "")
