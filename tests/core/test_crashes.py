"""A crash loop: runs that end without saying goodbye stop entries, until a person has looked."""

import pytest

from engine.core.config import HOUR, SECOND
from engine.core.engine import Engine
from engine.core.events import Act, PhaseEntered, RunStarted, SessionPhase
from engine.core.facts import BlockChanged, OperatorActed, SignalEnded
from engine.core.words import BlockReason, ReasonCode
from tests.rig import Rig, Scripted

LOOP = BlockReason.CRASH_LOOP


def crashing(times: int, *, apart_ns: int = 60 * SECOND, end: SessionPhase | None = None, limit: int = 3) -> Rig:
    """A desk whose runs ended `times` times without saying goodbye, or in `end`, and that runs once more."""
    rig = Rig(crashes_max=limit, crash_window_ns=HOUR)
    for k in range(times):
        rig.now_ns += apart_ns
        if end is not None:
            rig.send(PhaseEntered(rig.now_ns, SessionPhase.SHUTTING_DOWN, end))
        start(rig, f"run{k + 2}")
    return rig


def start(rig: Rig, run_id: str) -> None:
    rig.send(RunStarted(rig.now_ns, run_id, rig.config))
    rig.seed()
    rig.volatility("17", seconds=0)
    rig.send(PhaseEntered(rig.now_ns, SessionPhase.SEEDING_HISTORY, SessionPhase.RUNNING))


def test_three_crashes_within_the_hour_stop_entries_until_somebody_resumes() -> None:
    """FP-18: two are borne; the third is one too many, and says which runs crashed and what lifts it."""
    assert LOOP not in crashing(2).engine.state.blocks
    rig = crashing(3)
    block = rig.engine.state.blocks[LOOP]
    assert block.text == "3 runs ended without saying goodbye within 1h00m: run1, run2, run3"
    assert "resume" in block.lifts
    rig.enter()
    assert rig.of(SignalEnded)[-1].reason_code is ReasonCode.PAUSED
    rig.command(Act.RESUME)
    assert rig.of(OperatorActed)[-1].accepted
    assert not rig.engine.state.blocks


def test_crashes_that_are_further_apart_are_no_loop() -> None:
    assert LOOP in crashing(3, apart_ns=HOUR // 2 - 1).engine.state.blocks
    assert LOOP not in crashing(9, apart_ns=HOUR // 2).engine.state.blocks


@pytest.mark.parametrize("end", [SessionPhase.COMPLETED, SessionPhase.FATAL_ERROR])
def test_a_run_that_ended_in_order_is_no_crash(end: SessionPhase) -> None:
    assert LOOP not in crashing(9, end=end).engine.state.blocks


def test_without_a_limit_nothing_is_stopped() -> None:
    assert LOOP not in crashing(9, limit=0).engine.state.blocks


def test_the_loop_outlives_a_restart_and_after_a_resume_it_is_counted_anew() -> None:
    rig = crashing(3)
    rig.send(PhaseEntered(rig.now_ns, SessionPhase.SHUTTING_DOWN, SessionPhase.COMPLETED))
    start(rig, "run5")
    assert LOOP in rig.engine.state.blocks
    assert len([change for change in rig.of(BlockChanged) if change.reason is LOOP]) == 1
    rig.command(Act.RESUME)
    start(rig, "run6")
    assert LOOP not in rig.engine.state.blocks


def test_what_was_counted_is_in_a_snapshot() -> None:
    rig = crashing(2)
    rig.engine = Engine(lambda _: (Scripted(),), rig.engine.snapshot())
    start(rig, "run4")
    assert LOOP in rig.engine.state.blocks
