"""The conditions a run met: how long each regime and each market phase lasted, and what the transitions did.

Fed with facts in the order of time, it keeps sums and the newest transitions, however long the run is. The same facts
read from the tables give the same figures.
"""

from collections import Counter, deque
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from engine.core import money
from engine.core.config import StrategySpec
from engine.core.facts import (
    AnyFact,
    EquityMarked,
    ExposureSpiked,
    MarketPhaseChanged,
    PhaseChanged,
    RegimeChanged,
    StrategySwitched,
)
from engine.core.phases import MarketPhase
from engine.core.words import Regime
from engine.review.moments import instant

TRANSITIONS_KEPT: Final = 200
_SECOND_NS: Final = 1_000_000_000


class ConditionFigures(msgspec.Struct, frozen=True):
    """What a run met. Times in nanoseconds; those of the phases are summed over the symbols.

    Attributes:
        regime_ns: How long each regime was in force while the run was RUNNING.
        phase_ns: Likewise each market phase, every symbol's time counted.
        transitions: The newest changes of the regime, oldest first, and `transitions_count` of all.
        crossings: Crossings of a threshold that stayed within the hysteresis.
        spikes: Rises of exposure soon after a transition.
        switches: By strategy, how often a regime let it enter or took that from it.
    """

    regime_ns: Mapping[str, int] = {}
    phase_ns: Mapping[str, int] = {}
    transitions: tuple[RegimeChanged, ...] = ()
    transitions_count: int = 0
    crossings: int = 0
    spikes: tuple[ExposureSpiked, ...] = ()
    switches: Mapping[str, int] = {}


class Lasting:
    """How long several things were in which state, all things summed."""

    def __init__(self) -> None:
        self._now: dict[str, tuple[str, int]] = {}
        self._ns: Counter[str] = Counter()

    def change(self, thing: str, state: str, at_ns: int) -> None:
        before = self._now.get(thing)
        if before is not None:
            self._ns[before[0]] += at_ns - before[1]
        self._now[thing] = (state, at_ns)

    def restart(self, at_ns: int) -> None:
        """Count from `at_ns` on, everything in the state it is in."""
        self._ns.clear()
        self._now = {thing: (state, at_ns) for thing, (state, _) in self._now.items()}

    def until(self, end_ns: int) -> dict[str, int]:
        """The sums as of `end_ns`, without states that never were."""
        sums = Counter(self._ns)
        for state, since_ns in self._now.values():
            sums[state] += end_ns - since_ns
        return {state: ns for state, ns in sums.items() if ns}


class ConditionsMet:
    """Collects what one run met."""

    def __init__(self) -> None:
        self._regimes = Lasting()
        self._phases = Lasting()
        self._begun = False
        self._transitions: deque[RegimeChanged] = deque(maxlen=TRANSITIONS_KEPT)
        self._transitions_count = 0
        self._crossings = 0
        self._spikes: deque[ExposureSpiked] = deque(maxlen=TRANSITIONS_KEPT)
        self._switches: Counter[str] = Counter()

    def take(self, fact: AnyFact) -> None:
        """Look at one fact; most say nothing here."""
        match fact:
            case EquityMarked() if not self._begun:
                self._begin(fact)
            case RegimeChanged():
                self._regime(fact)
            case MarketPhaseChanged():
                self._phases.change(fact.symbol, fact.phase, fact.at_ns)
            case StrategySwitched():
                self._switches[fact.strategy_id] += 1
            case ExposureSpiked():
                self._spikes.append(fact)
            case PhaseChanged(phase="RUNNING"):
                self._regimes.restart(fact.at_ns)
                self._phases.restart(fact.at_ns)

    def figures(self, end_ns: int) -> ConditionFigures:
        """Everything as of the end of the run."""
        return ConditionFigures(
            regime_ns=self._regimes.until(end_ns),
            phase_ns=self._phases.until(end_ns),
            transitions=tuple(self._transitions),
            transitions_count=self._transitions_count,
            crossings=self._crossings,
            spikes=tuple(self._spikes),
            switches=dict(self._switches),
        )

    def _begin(self, mark: EquityMarked) -> None:
        """A run's first mark says how things stand."""
        self._begun = True
        self._regimes.change("", mark.regime or Regime.UNKNOWN.value, mark.at_ns)
        for group in mark.phases.split():
            phase, _, symbols = group.partition(":")
            for symbol in symbols.split(","):
                self._phases.change(symbol, phase, mark.at_ns)

    def _regime(self, fact: RegimeChanged) -> None:
        if fact.regime is fact.previous:
            self._crossings += 1
            return
        self._regimes.change("", fact.regime.value, fact.at_ns)
        self._transitions.append(fact)
        self._transitions_count += 1


def told(met: ConditionFigures) -> dict[str, Any]:
    """The part of the report: plain JSON values, levels, limits and shares as decimal text."""
    return {
        "regimes": _shares(met.regime_ns, list(Regime)),
        "market_phases": _shares(met.phase_ns, list(MarketPhase)),
        "transitions_count": met.transitions_count,
        "transitions": [transition_told(fact) for fact in met.transitions],
        "crossings_within_hysteresis": met.crossings,
        "exposure_spikes": [_spike(fact) for fact in met.spikes],
    }


def strategies_told(specs: tuple[StrategySpec, ...], switches: Mapping[str, int]) -> list[dict[str, Any]]:
    """Each strategy as it was configured, and how often a regime switched it."""
    return [
        {
            "strategy_id": spec.strategy_id,
            "kind": spec.kind,
            "weight": money.text(spec.weight),
            "regimes": [regime.value for regime in spec.regimes or tuple(Regime)],
            "switches": switches.get(spec.strategy_id, 0),
        }
        for spec in specs
    ]


def _shares(sums: Mapping[str, int], states: list[Any]) -> dict[str, dict[str, Any]]:
    """Seconds and share of the whole for every state there is; the share is null where no time passed."""
    whole = sum(sums.values())
    return {
        state.value: {
            "seconds": round(sums.get(state.value, 0) / _SECOND_NS, 3),
            "share": money.text(money.div(sums.get(state.value, 0), whole)) if whole else None,
        }
        for state in states
    }


def transition_told(fact: RegimeChanged) -> dict[str, Any]:
    """A transition: plain JSON values."""
    return {
        "at": instant(fact.at_ns),
        "previous": fact.previous.value,
        "regime": fact.regime.value,
        "previous_level": money.text(fact.previous_level),
        "level": money.text(fact.level),
        "of": instant(fact.of_ns),
        "source": fact.source,
        "simulated": fact.simulated,
        "heat_limit_before": money.text(fact.heat_limit_before),
        "heat_limit": money.text(fact.heat_limit),
        "exposure": money.text(fact.exposure),
    }


def _spike(fact: ExposureSpiked) -> dict[str, Any]:
    return {
        "at": instant(fact.at_ns),
        "regime": fact.regime.value,
        "changed_at": instant(fact.changed_ns),
        "before": money.text(fact.before),
        "exposure": money.text(fact.exposure),
        "rise": money.text(fact.rise),
        "limit": money.text(fact.limit),
    }
