"""The loss of one trade: closed when getting out would cost the limit, and told when a gap made it more."""

import pytest

from engine.core.config import Limits, Sizing
from engine.core.events import ErrorNoted, Fill, FundingRate, Role, Wake
from engine.core.facts import Alert, ErrorCounted, LossExceeded, Submit, TradeClosed
from engine.core.words import AlertKind, ExitReason, OrderKind, Side
from tests.rig import SYMBOL, Rig, d

TEN = Sizing(risk_per_trade=d("11"), notional_max=d(5_000))
"""About ten units: the stop is 1.1 away."""


def held(limit: str, fee: str = "1", side: Side = Side.LONG) -> Rig:
    """Ten units at a venue, bought at 100.1 or sold at 100, `fee` paid, with a stop far away."""
    rig = Rig(paper=False, limits=Limits(loss_per_trade_max=d(limit)), sizing=TEN)
    long = side is Side.LONG
    rig.propose(side=side, stop="99" if long else "101.1", target="120" if long else "80")
    (entry,) = rig.of(Submit)
    assert abs(entry.qty) == d(10)
    price = d("100.1") if long else d(100)
    rig.send(Fill("f1", entry.order_id, SYMBOL, rig.now_ns, rig.now_ns, entry.qty, price, d(fee), Role.TAKER))
    rig.engine.state.holdings[SYMBOL].stop = d(1) if long else d(1000)
    return rig


def leaves(rig: Rig) -> bool:
    return any(order.kind is OrderKind.MARKET and order.reduce_only for order in rig.of(Submit))


@pytest.mark.parametrize(
    ("side", "inside", "outside"),
    [
        # 10 x (100.1 - bid) + 1 paid + 0.01 x bid to pay: 20 at 98.298…
        (Side.LONG, ("98.3", "98.4"), ("98.2", "98.3")),
        # 10 x (ask - 100) + 1 paid + 0.01 x ask to pay: 20 at 101.798…
        (Side.SHORT, ("101.6", "101.7"), ("101.7", "101.8")),
    ],
)
def test_a_position_is_closed_when_getting_out_would_cost_the_limit(
    side: Side, inside: tuple[str, str], outside: tuple[str, str]
) -> None:
    rig = held("20", side=side)
    rig.quote(*inside)
    assert not leaves(rig)
    rig.quote(*outside)
    assert leaves(rig)
    assert rig.engine.state.holdings[SYMBOL].leaving is ExitReason.LOSS_LIMIT


@pytest.mark.parametrize(("fee", "closed"), [("1", False), ("1.1", True)])
def test_what_the_trade_has_cost_already_counts(fee: str, closed: bool) -> None:
    rig = held("20", fee)
    rig.quote("98.3", "98.4")  # 18 lost, and 0.983 to get out
    assert leaves(rig) is closed


def test_funding_counts() -> None:
    rig = held("20")
    rig.send(FundingRate(SYMBOL, rig.now_ns, d("0.001"), rig.now_ns + 1))
    rig.now_ns += 1
    rig.send(Wake(rig.now_ns))
    rig.quote("98.3", "98.4")
    assert rig.engine.state.holdings[SYMBOL].funding > d("0.9")
    assert leaves(rig)


@pytest.mark.parametrize(("price", "told"), [("98.198", False), ("98.197", True)])
def test_a_loss_beyond_the_limit_is_an_incident_with_its_amount_and_no_error(price: str, told: bool) -> None:
    """Bought at 100.1 for 1: sold at 98.198 for 0.98 the trade lost 20 to the cent."""
    rig = held("20")
    rig.quote("98.2", "98.3")
    close = next(order for order in rig.of(Submit) if order.kind is OrderKind.MARKET and order.reduce_only)
    fill = Fill("f2", close.order_id, SYMBOL, rig.now_ns, rig.now_ns, close.qty, d(price), d("-0.02"), Role.TAKER)
    rig.send(fill)
    (trade,) = rig.of(TradeClosed)
    incidents = rig.of(LossExceeded)
    assert bool(incidents) is told is (-trade.pnl > d(20))
    if told:
        (incident,) = incidents
        assert (incident.trade_id, incident.loss, incident.limit) == (trade.trade_id, -trade.pnl, d(20))
        assert incident.exit_reason is ExitReason.LOSS_LIMIT
        (alert,) = [alert for alert in rig.of(Alert) if alert.kind is AlertKind.LOSS_ABOVE_LIMIT]
        assert (alert.kind, alert.text) == (
            AlertKind.LOSS_ABOVE_LIMIT,
            f"{SYMBOL} lost 20.01 by LOSS_LIMIT, above 20.00 a trade",
        )
    assert not rig.of(ErrorCounted)
    assert not rig.of(ErrorNoted)


def test_a_gap_through_the_stop_is_closed_and_told() -> None:
    rig = Rig(sizing=Sizing(risk_per_trade=d(10), notional_max=d(5_000)))
    rig.enter(target="120")
    rig.quote("95", "95.1")
    rig.quote("95", "95.1")
    (trade,) = rig.of(TradeClosed)
    (incident,) = rig.of(LossExceeded)
    assert incident.loss == -trade.pnl > d(25)
    assert incident.signal_id == trade.signal_id
    assert not rig.engine.state.positions
