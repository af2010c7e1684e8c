"""How large an entry is: by its risk, at most its notional and the largest order, whole lots."""

from typing import Any

import msgspec
import pytest

from engine.core.candidate import loss_at_stop, size, too_small
from engine.core.config import CoreConfig, Sizing
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
    """FA-11."""
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


SHARES = instrument(lot=d(1))


@pytest.mark.parametrize(
    ("stop", "sizing", "share", "said"),
    [
        ("96.3", ("3.69", "100"), "1", ": risk_per_trade_usd is 3.69 and would have to be 3.7"),
        ("96.2999", ("3.69", "100"), "1", ": risk_per_trade_usd is 3.69 and would have to be 3.71"),
        ("103.7", ("10", "99"), "1", ": entry_notional_max_usd is 99 and would have to be 100"),
        (
            *("96.3", ("3.7", "100"), "0.5"),
            ", at 0.5 of the full size: risk_per_trade_usd is 3.7 and would have to be 7.4, "
            "entry_notional_max_usd is 100 and would have to be 200",
        ),
        (
            *("99", ("2", "400"), "0.00000001"),
            ", at 0.00000001 of the full size: risk_per_trade_usd is 2 and would have to be 100000000, "
            "entry_notional_max_usd is 400 and would have to be 10000000000",
        ),
        ("99.99999999", ("0", "100"), "1", ": risk_per_trade_usd is 0 and would have to be 0.01"),
        *[("100", ("2", "50"), share, "") for share in ("1", "0.5")],
        *[("99", ("0.5", "50"), share, "") for share in ("0", "-1")],
    ],
)
def test_an_entry_below_one_lot_is_told_what_would_do(
    stop: str, sizing: tuple[str, str], share: str, said: str
) -> None:
    risk, notional = sizing
    config = msgspec.structs.replace(CONFIG, sizing=Sizing(d(risk), d(notional)))
    assert too_small(levels(stop, "120"), SHARES, config, d(100), d(share)) == said


@pytest.mark.parametrize(
    ("price", "said"),
    [(-1, ""), (0, ""), (1, ": risk_per_trade_usd is 2 and would have to be 99")],
)
def test_without_a_price_nothing_would_do(price: int, said: str) -> None:
    assert too_small(levels("99", "120"), SHARES, CONFIG, price, d(1)) == said


@pytest.mark.parametrize(("largest", "told"), [("0.5", ", the largest order is 0.5"), ("1", "")])
def test_a_largest_order_below_one_lot_is_told(largest: str, told: str) -> None:
    small = instrument(lot=d(1), max_qty=d(largest))
    config = msgspec.structs.replace(CONFIG, sizing=Sizing(d("0.5"), d(400)))
    said = ": risk_per_trade_usd is 0.5 and would have to be 1"
    assert too_small(levels("99", "120"), small, config, d(100), d(1)) == said + told
