"""The table of the breakers: what each does, what releases it, and how its figures read."""

import pytest

from engine.core.breaker_table import BREAKERS, action_of, figure, release_of
from engine.core.config import Limits
from engine.core.words import BreakerAction, BreakerName
from tests.rig import Rig, d

B = BreakerName
A = BreakerAction


def test_the_table_names_every_breaker_once() -> None:
    assert [spec.name for spec in BREAKERS] == list(B)
    assert all(field in Limits.__struct_fields__ for spec in BREAKERS for field in spec.limits)
    assert all(len(spec.label) <= 15 for spec in BREAKERS)


@pytest.mark.parametrize(
    ("name", "general", "own", "expected"),
    [
        (B.CONSECUTIVE_LOSSES, A.COOLDOWN, None, A.COOLDOWN),
        (B.CONSECUTIVE_LOSSES, A.COOLDOWN, A.SHUTDOWN, A.SHUTDOWN),
        (B.CONSECUTIVE_LOSSES, A.SHUTDOWN, A.COOLDOWN, A.SHUTDOWN),
        (B.DAILY_LOSS, A.COOLDOWN, None, A.HALT_DAY),
        (B.TOTAL_DRAWDOWN, A.COOLDOWN, None, A.SHUTDOWN),
        (B.ERRORS, A.HALT_DAY, A.HALT_DAY, A.SHUTDOWN),
        (B.PHASE_UNKNOWN, A.SHUTDOWN, None, A.BLOCK),
        (B.HEAT, A.SHUTDOWN, None, A.WATCH),
        (B.HEAT, A.SHUTDOWN, A.HALT_DAY, A.HALT_DAY),
    ],
)
def test_a_breaker_does_the_strictest_of_its_own_the_general_and_the_configured_action(
    name: B, general: A, own: A | None, expected: A
) -> None:
    config = Rig(breaker_action=general, breaker_actions={} if own is None else {name: own}).config
    assert action_of(name, config) is expected


@pytest.mark.parametrize(
    ("unit", "value", "shown"),
    [
        ("money", "49.995", "50.00"),
        ("fraction", "0.052", "5.2%"),
        ("fraction", "0.05", "5%"),
        ("fraction", "0.00525", "0.525%"),
        ("fraction", "0", "0%"),
        ("fraction", "1", "100%"),
        ("fraction", "0.012345", "1.23%"),
        ("fraction", "0.00995", "0.995%"),
        ("fraction", "0.00123456", "0.1235%"),
        ("fraction", "-0.052", "-5.2%"),
        ("count", "5", "5"),
        ("seconds", "725", "12m05s"),
    ],
)
def test_figures_read_as_people_write_them(unit: str, value: str, shown: str) -> None:
    assert figure(unit, d(value)) == shown


RESET = "reset-breaker with a reason"
NEXT_DAY = "the next trading day, or reset-breaker"


@pytest.mark.parametrize(
    ("name", "action", "auto_reset", "lifts"),
    [
        (B.HEAT, A.WATCH, False, "nothing: it is only shown"),
        (B.PHASE_UNKNOWN, A.BLOCK, False, "itself, below its limit"),
        (B.CONSECUTIVE_LOSSES, A.COOLDOWN, True, "the end of its cooldown, or reset-breaker"),
        (B.CONSECUTIVE_LOSSES, A.COOLDOWN, False, "reset-breaker, after its cooldown"),
        (B.CONSECUTIVE_LOSSES, A.HALT_DAY, False, NEXT_DAY),
        (B.CONSECUTIVE_LOSSES, A.SHUTDOWN, True, NEXT_DAY),
        (B.TOTAL_DRAWDOWN, A.SHUTDOWN, True, RESET),
        (B.ERRORS, A.SHUTDOWN, False, RESET),
    ],
)
def test_what_releases_a_breaker_is_said_in_words(name: B, action: A, auto_reset: bool, lifts: str) -> None:
    assert release_of(name, action, auto_reset) == lifts
