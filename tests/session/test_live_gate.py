"""The live gate in the order path: asked before every live order, on what was worked out beforehand."""

from collections.abc import Iterator

import msgspec
import pytest

from engine.core.facts import Submit
from engine.core.words import OrderKind, TimeInForce
from engine.review.live_gate import Level, Standing
from engine.session.live_gate import LiveGate
from tests.rig import d

NOW = 1_000
LIMITED = Standing(Level.LIMITED, d(1), NOW + 1, ())
FULL = Standing(Level.FULL, None, NOW + 1, ())


def gate(*standings: Standing) -> tuple[LiveGate, list[Standing]]:
    """A gate that finds these one after the other, and what it put on record."""
    kept: list[Standing] = []
    found: Iterator[Standing] = iter(standings)
    return LiveGate(lambda: next(found), kept.append), kept


def order(qty: str = "0.01", price: str = "0", *, reduce_only: bool = False) -> Submit:
    kind = OrderKind.LIMIT if price != "0" else OrderKind.MARKET
    return Submit("o", "BTCUSDT", d(qty), kind, TimeInForce.GTC, d(price), reduce_only)


def refusal(standing: Standing, sent: Submit, *, price: str = "100", held: str = "0", now_ns: int = NOW) -> str:
    return gate(standing)[0].refusal(sent, d(price), d(held), now_ns)


@pytest.mark.parametrize("level", [Level.DENIED, Level.PAPER_ONLY])
def test_below_limited_nothing_leaves_but_what_reduces_risk(level: Level) -> None:
    standing = Standing(level, 0, 0, ("no 72-hour validation is on record",))
    assert level.value in refusal(standing, order()) and "no 72-hour" in refusal(standing, order())
    assert refusal(standing, order(reduce_only=True)) == ""


@pytest.mark.parametrize(
    ("sent", "held", "passes"),
    [
        (order("0.01"), "0", True),
        (order("-0.01"), "0", True),
        (order("0.0101"), "0", False),
        (order("0.005"), "0.005", True),
        (order("0.005"), "0.0051", False),
        (order("-0.02"), "0.01", True),
        (order("0.01", "100"), "0", True),
        (order("0.01", "100.01"), "0", False),
    ],
)
def test_the_cap_is_on_the_position_an_order_would_make(sent: Submit, held: str, passes: bool) -> None:
    assert (refusal(LIMITED, sent, held=held) == "") is passes
    assert refusal(FULL, sent, held=held) == ""


def test_without_a_price_a_cap_cannot_be_held_and_denies() -> None:
    assert "no price" in refusal(LIMITED, order(), price="0")
    assert refusal(FULL, order(), price="0") == ""


def test_it_ends_in_the_middle_of_a_session() -> None:
    for standing in (LIMITED, FULL):
        assert refusal(standing, order(), now_ns=NOW) == ""
        assert "ended" in refusal(standing, order(), now_ns=NOW + 1)


def test_a_condition_that_is_not_met_refuses_by_its_name() -> None:
    assert "credentials" in refusal(msgspec.structs.replace(FULL, missing=("no credentials",)), order())


def test_every_change_is_on_record_once_and_takes_hold_at_once() -> None:
    denied = Standing(Level.DENIED, 0, 0, ("72h-1 is stale",))
    live, kept = gate(FULL, FULL, denied, denied)
    assert live.refusal(order(), d(100), 0, NOW) == ""
    assert [live.look(), live.look(), live.look()] == [False, True, False]
    assert kept == [FULL, denied] and live.refusal(order(), d(100), 0, NOW)
