"""The stages of live money, one, ten and a hundred euros: what a stage has to show before the next may begin.

A stage is judged from the rows of its own run. It need not earn anything: it has to trade, and to trade as the model
says. A stage without enough trades is not passed. A failure closes the positions, takes the level back by one stage
and asks for the validation again.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from engine.core import money
from engine.review.live_gate import STAGES

TRIPS_MIN: Final = 10
ERRORS_MAX: Final = 5
SLIPPAGE_TIMES: Final = 2


class StageSeen(msgspec.Struct, frozen=True):
    """What one run of a stage came to. Money and ratios scaled.

    Attributes:
        slippage: Mean of what fills cost beyond the price decided on, as a fraction; None: no fill expected a price.
        model_slippage: What the execution model expects at the middle.
        largest: The largest position there was.
    """

    run_id: str
    exit_code: int
    trips: int
    errors: int
    mismatches: int
    breakers: Sequence[str]
    slippage: int | None
    model_slippage: int
    net: int
    largest: int
    stand_in: bool


class Check(msgspec.Struct, frozen=True):
    """One condition of promotion, what was found beside its limit."""

    id: str
    passed: bool
    measured: str
    limit: str


class StageReport(msgspec.Struct, frozen=True):
    """A stage's end: a record of the gate, and what a person reads.

    Attributes:
        stage: 1 to 3. `passed` raises the cap to the next one's; else the level falls back behind this stage.
        stand_in: No real order was sent: the built-in venue stood in for a real one.
    """

    stage: int
    cap: str
    passed: bool
    run_id: str
    stand_in: bool
    checks: tuple[Check, ...]
    failed: tuple[str, ...]
    next: str


def cap_of(stage: int) -> int:
    """The largest position of a stage, scaled dollars."""
    return STAGES[stage - 1] * money.SCALE


def judge_stage(stage: int, seen: StageSeen) -> StageReport:
    """Whether the stage is passed, and what follows."""
    cap = cap_of(stage)
    slippage_max = SLIPPAGE_TIMES * seen.model_slippage
    checks = (
        Check("ended_in_order", seen.exit_code == 0, f"exit code {seen.exit_code}", "0"),
        Check("round_trips", seen.trips >= TRIPS_MIN, str(seen.trips), f"{TRIPS_MIN} or more"),
        Check("errors", seen.errors <= ERRORS_MAX, str(seen.errors), f"at most {ERRORS_MAX}"),
        Check("mismatches", not seen.mismatches, str(seen.mismatches), "none unresolved"),
        Check("breakers", not seen.breakers, ", ".join(seen.breakers) or "none", "none"),
        Check(
            "slippage",
            seen.slippage is not None and seen.slippage <= slippage_max,
            "no fill" if seen.slippage is None else money.text(seen.slippage),
            f"at most {money.text(slippage_max)}, {SLIPPAGE_TIMES} times the model's",
        ),
        Check("loss", -seen.net < cap, money.text(seen.net), f"less than {money.text(cap)} lost"),
        Check("cap_held", seen.largest <= cap, money.text(seen.largest), f"positions of at most {money.text(cap)}"),
    )
    failed = tuple(one.id for one in checks if not one.passed)
    return StageReport(
        stage=stage,
        cap=money.text(cap),
        passed=not failed,
        run_id=seen.run_id,
        stand_in=seen.stand_in,
        checks=checks,
        failed=failed,
        next=_next(stage, bool(failed)),
    )


def told(report: StageReport) -> dict[str, Any]:
    """A stage's report as plain JSON values."""
    plain: dict[str, Any] = msgspec.to_builtins(report)
    return plain


def _next(stage: int, failed: bool) -> str:
    if failed:
        level = f"the cap falls back to {STAGES[max(stage - 2, 0)]} euro" if stage > 1 else "no live order until then"
        return f"rolled back: {level}; validate again"
    return f"stage {stage + 1}, {STAGES[stage]} euros" if stage < len(STAGES) else "all stages passed"
