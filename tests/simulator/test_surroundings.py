"""What stands in for a part of the desk has all that the desk asks of it."""

from engine.session.guard import Guard
from engine.session.outputs import Outputs
from tests.simulator.surroundings import NoGuard, Quiet


def asked_of(part: type) -> set[str]:
    return {name for name in vars(part) if not name.startswith("_")}


def test_the_quiet_outputs_and_the_missing_guard_know_every_word() -> None:
    assert asked_of(Outputs) <= asked_of(Quiet)
    assert asked_of(Guard) <= asked_of(NoGuard)
