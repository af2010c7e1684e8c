"""Several days as one: every day without trades with its reason, and whatever speaks against the desk."""

from typing import Any

import pytest

from engine.review.performance import Performing
from engine.review.period import Period, essay, failures, period, told
from tests.review.test_day import HEAT, T0, block, ended, raised, transition
from tests.review.test_day import told as artifact
from tests.review.test_metrics import mark


def of(*days: dict[str, Any], unsealed: tuple[str, ...] = ()) -> Period:
    performing = Performing()
    performing.take(mark(T0, "1000"))
    return period("paper", days, ["run-1"], performing, unsealed)


QUIET = artifact([mark(T0 + 1, "1000")])
REFUSED = artifact([raised(T0 + 1), ended(T0 + 2, *HEAT), block(T0 + 3, True)])


def test_days_without_trades_are_listed_with_their_reasons() -> None:
    text = essay(of(QUIET, REFUSED))
    assert "- 1970-01-21: No signals generated" in text and "- 1970-01-21: Signals rejected by risk" in text
    assert [day["zero_trade_reason"] for day in told(of(QUIET, REFUSED))["days"]] == [
        "No signals generated",
        "Signals rejected by risk",
    ]


def test_what_was_not_observed_is_not_claimed() -> None:
    text = essay(of(artifact([transition(True)])))
    assert "Regime transitions: not observed; 1 simulated" in text and "Circuit breakers: not observed." in text
    assert "Regime transitions: 1 observed" in essay(of(artifact([transition(False)])))


def test_incidents_stand_where_they_belong() -> None:
    risk, issues = essay(of(REFUSED)).split("## Risk events")[1].split("## Operational issues")
    assert "operator: why" in risk and "operator: why" not in issues


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"problems": ["odd"]}, "1970-01-21: odd"),
        ({"system": QUIET["system"] | {"errors": 2}}, "1970-01-21: 2 errors"),
        ({"system": QUIET["system"] | {"runtime_seconds": 0}}, "1970-01-21: the desk did not run"),
        (
            {"zero_trade_day": QUIET["zero_trade_day"] | {"no_fees": False}},
            "1970-01-21: something was booked on a day without trades",
        ),
    ],
)
def test_each_thing_speaks_against_the_desk_by_itself(change: dict[str, Any], text: str) -> None:
    assert failures(of(QUIET)) == []
    assert failures(of(QUIET, QUIET | change)) == [text]
    assert failures(of(QUIET, unsealed=("the seal",))) == ["the seal"]
    assert told(of(QUIET | change))["reliability"]["verdict"] == "fail"
