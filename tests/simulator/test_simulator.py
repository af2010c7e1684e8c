"""A hundred seeds of trouble, the same seed twice, and a kill at the worst moment."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

SEEDS = 100
GROUPS = 10
SHORT_S = "60"


def simulate(*arguments: str, hash_seed: str = "0") -> list[dict[str, Any]]:
    """Run seeds in a process of their own; what became of each."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.simulator", "--json", *arguments],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr[-2_000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("group", range(GROUPS))
def test_nothing_is_lost_whatever_goes_wrong(group: int) -> None:
    size = SEEDS // GROUPS
    seeds = f"{group * size}-{group * size + size - 1}"
    outcomes = simulate("--seeds", seeds, "--trouble", SHORT_S)
    assert len(outcomes) == size
    for outcome in outcomes:
        again = f"run it again: python -m tests.simulator --seeds {outcome['seed']} --trouble {SHORT_S} --log"
        assert not outcome["problem"], f"seed {outcome['seed']}: {outcome['problem']}; {again}"


def test_a_seed_gives_the_same_trace_in_another_process() -> None:
    first, second = (simulate("--seeds", "3-6", "--trouble", SHORT_S, hash_seed=seed) for seed in ("1", "2"))
    assert [outcome["trace"] for outcome in first] == [outcome["trace"] for outcome in second]
    assert len({outcome["trace"] for outcome in first}) == 4


@pytest.mark.parametrize(
    ("name", "seeds"),
    [
        ("orders_leave_before_they_are_durable", "0-59"),
        ("a_pause_is_forgotten", "12-59"),
        ("a_fill_is_booked_every_time_it_is_told", "15-59"),
    ],
)
def test_a_planted_bug_is_found(name: str, seeds: str) -> None:
    """Begun with the seed that found it last: `--bug all` begins with the first."""
    (outcome,) = simulate("--seeds", seeds, "--bug", name)
    assert outcome["problem"], f"{name} was not found"
