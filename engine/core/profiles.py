"""Three ways the same orders could have been filled: as configured (base), worse (pessimistic) and better (optimistic).

The edges are derived from the base by stated rules, so that one configuration says everything:

| | pessimistic | optimistic |
|---|---|---|
| latency | twice the base's range; twice as many slow messages | half the base's range; none slow |
| slippage | the upper half of the base's range | the lower half |
| size taken of what is displayed or traded | half the base's share | twice the base's share, at most all |
| queue | only trades move us forward | what is cancelled leaves in proportion before us |
| unknown queue, bars | the price has to go through the limit | touching it fills |

The base itself follows the configuration in all of these.
"""

from typing import Final

from engine.core import money
from engine.core.config import PaperModel, QueueRule

PESSIMISTIC: Final = "pessimistic"
OPTIMISTIC: Final = "optimistic"
PROFILES: Final = (PESSIMISTIC, OPTIMISTIC)


def pessimistic(base: PaperModel) -> PaperModel:
    """The base's worse edge."""
    return PaperModel(
        latency_ns_min=2 * base.latency_ns_min,
        latency_ns_max=2 * base.latency_ns_max,
        slippage_min=_middle(base),
        slippage_max=base.slippage_max,
        participation_max=base.participation_max // 2,
        displayed_max=base.displayed_max // 2,
        slow_share=min(money.SCALE, 2 * base.slow_share),
        latency_ns_slow=2 * base.latency_ns_slow,
        queue=QueueRule.BEHIND,
        touch_fills=False,
    )


def optimistic(base: PaperModel) -> PaperModel:
    """The base's better edge."""
    return PaperModel(
        latency_ns_min=base.latency_ns_min // 2,
        latency_ns_max=base.latency_ns_max // 2,
        slippage_min=base.slippage_min,
        slippage_max=_middle(base),
        participation_max=min(money.SCALE, 2 * base.participation_max),
        displayed_max=min(money.SCALE, 2 * base.displayed_max),
        slow_share=0,
        latency_ns_slow=base.latency_ns_slow // 2,
        queue=QueueRule.PROPORTIONAL,
        touch_fills=True,
    )


def models(base: PaperModel) -> dict[str, PaperModel]:
    """The edges by profile."""
    return {PESSIMISTIC: pessimistic(base), OPTIMISTIC: optimistic(base)}


def band(own: int, *of_profiles: int | None) -> tuple[int, int] | None:
    """The lowest and the highest of a run's own result and those of its profiles; None where one was not measured.

    No profile is an edge by itself: worse fills can spare a run the trades it would have lost on.
    """
    results = [own, *(result for result in of_profiles if result is not None)]
    return (min(results), max(results)) if len(results) > len(of_profiles) else None


def _middle(base: PaperModel) -> int:
    return (base.slippage_min + base.slippage_max) // 2
