"""A stage's promotion: each condition at its limit passes, beyond it fails by its name, and no trade never promotes."""

from typing import Any

import msgspec
import pytest

from engine.review.stages import StageSeen, cap_of, judge_stage
from tests.rig import d

GOOD = StageSeen("r", 0, 10, 0, 0, (), d("0.001"), d("0.00175"), 0, d("0.96"), True)


def seen(**changes: Any) -> StageSeen:
    return msgspec.structs.replace(GOOD, **changes)


@pytest.mark.parametrize(
    "limit",
    [
        {},
        {"trips": 10},
        {"errors": 5},
        {"slippage": d("0.0035")},
        {"net": -d("0.99999999")},
        {"largest": d(1)},
        {"net": -d("0.5")},
    ],
)
def test_at_its_limit_it_is_passed_whether_it_earned_or_not(limit: dict[str, Any]) -> None:
    report = judge_stage(1, seen(**limit))
    assert (report.passed, report.failed, report.stand_in) == (True, (), True)
    assert "stage 2, 10 euros" in report.next


@pytest.mark.parametrize(
    ("name", "beyond"),
    [
        ("ended_in_order", {"exit_code": 1}),
        ("round_trips", {"trips": 9}),
        ("round_trips", {"trips": 0}),
        ("errors", {"errors": 6}),
        ("mismatches", {"mismatches": 1}),
        ("breakers", {"breakers": ("daily_loss",)}),
        ("slippage", {"slippage": d("0.00350001")}),
        ("slippage", {"slippage": None}),
        ("loss", {"net": -d(1)}),
        ("cap_held", {"largest": d("1.00000001")}),
    ],
)
def test_beyond_it_fails_by_its_name_and_is_rolled_back(name: str, beyond: dict[str, Any]) -> None:
    report = judge_stage(1, seen(**beyond))
    assert (report.passed, report.failed) == (False, (name,))
    assert report.next.startswith("rolled back") and "validate again" in report.next


@pytest.mark.parametrize(("stage", "cap"), [(1, 1), (2, 10), (3, 100)])
def test_each_stage_has_its_cap(stage: int, cap: int) -> None:
    assert cap_of(stage) == d(cap)
    assert judge_stage(stage, seen(largest=d(cap))).passed
    assert judge_stage(stage, seen(largest=d(cap) + 1)).failed == ("cap_held",)


def test_the_last_stage_ends_them() -> None:
    assert judge_stage(3, GOOD).next == "all stages passed"
