"""The whole desk against faults from a seed, for longer: five minutes of trouble each, a day, and every planted bug."""

import pytest

from tests.simulator.bugs import BUGS
from tests.simulator.test_simulator import simulate

pytestmark = [pytest.mark.sim, pytest.mark.timeout(3_600)]

GROUPS, SIZE = 10, 20
FIVE_MINUTES_S, HALF_A_DAY_S = "300", "43200"


def failed(*arguments: str) -> list[str]:
    """What did not hold in which seed."""
    return [f"seed {o['seed']}: {o['problem']}" for o in simulate(*arguments) if o["problem"]]


@pytest.mark.parametrize("group", range(GROUPS))
def test_five_minutes_of_trouble(group: int) -> None:
    first = 1_000 + group * SIZE
    assert not failed("--seeds", f"{first}-{first + SIZE - 1}", "--trouble", FIVE_MINUTES_S)


def test_half_a_day_of_trouble() -> None:
    assert not failed("--seeds", "7", "--trouble", HALF_A_DAY_S)


@pytest.mark.parametrize("name", list(BUGS))
def test_every_planted_bug_is_found(name: str) -> None:
    (outcome,) = simulate("--seeds", "0-199", "--bug", name)
    assert outcome["problem"], f"{name} was not found"
