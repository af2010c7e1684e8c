"""How large an entry is: by its risk, at most its notional and the largest order, whole lots."""

from typing import Any

import pytest

from engine.core.candidate import loss_at_stop, size
from engine.core.config import CoreConfig
from tests.core.test_risk import levels
from tests.rig import d, instrument

CONFIG = CoreConfig("paper", 1, True, d(10_000), (instrument(),), ())


@pytest.mark.parametrize(
    ("stop", "changes", "share", "qty", "why"),
    [
        ("99", {}, "1", "2", "2 USD of risk, 1 USD a unit"),
        ("101", {}, "1", "2", "a stop above risks the same"),
        ("99.9", {}, "1", "4", "400 USD at most"),
        ("99.9", {"max_qty": d(3)}, "1", "3", "the symbol's largest order"),
        ("97", {"lot": d(1)}, "1", "0", "two thirds of a lot is none"),
        ("97", {}, "1", "0.666", "whole lots"),
        ("99", {}, "0.5", "1", "half of the risk"),
        ("99.9", {}, "0.5", "2", "half of the notional"),
        ("100", {}, "1", "0", "without a distance to the stop there is no size"),
    ],
)
def test_the_size_risks_what_it_may_and_is_whole_lots(
    stop: str, changes: dict[str, Any], share: str, qty: str, why: str
) -> None:
    assert size(levels(stop, "102"), instrument(**changes), CONFIG, d(100), d(share)) == d(qty), why


@pytest.mark.parametrize(("price", "stop", "qty"), [(-1, "0", "0"), (0, "99", "0"), (0, "0", "0"), (1, "0", "1000")])
def test_the_smallest_price_has_a_size_and_no_price_has_none(price: int, stop: str, qty: str) -> None:
    assert size(levels(stop, "102"), instrument(), CONFIG, price, d(1)) == d(qty)


def test_the_smallest_distance_to_a_stop_leaves_the_caps() -> None:
    assert size(levels("99.99999999", "102"), instrument(), CONFIG, d(100), d(1)) == d(4)


@pytest.mark.parametrize(("stop", "fee", "loss"), [("99", "0.001", "2.4"), ("101", "0.001", "2.4"), ("99", "0", "2")])
def test_the_loss_at_the_stop_has_the_fees_of_both_ways(stop: str, fee: str, loss: str) -> None:
    assert loss_at_stop(d(100), d(stop), d(2), instrument(taker_fee=d(fee))) == d(loss)


def test_a_symbol_nobody_knows_the_fees_of_loses_its_distance() -> None:
    assert loss_at_stop(d(100), d(99), d(2), None) == d(2)
