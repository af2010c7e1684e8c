"""Funding at the settlements a position was held through: sign, amount, and each exactly once."""

import pytest

from engine.core.config import HOUR, SECOND, Limits
from engine.core.engine import Engine
from engine.core.events import FundingRate, RunStarted
from engine.core.facts import FundingPaid, TradeClosed
from engine.core.paper import PaperBroker
from engine.core.words import Side
from tests.rig import START_NS, SYMBOL, Rig, d, instrument

WIDE = Limits(price_age_ns_max=24 * HOUR)


def holding(side: Side, rate: str = "0.0001", interval_ns: int = 8 * HOUR) -> Rig:
    """A position opened at the start of the day, the rate told for eight o'clock; the price stands at 100/100.1."""
    rig = Rig(limits=WIDE, instruments=(instrument(funding_interval_ns=interval_ns),))
    rig.send(FundingRate(SYMBOL, rig.now_ns, d(rate), START_NS + 8 * HOUR))
    levels = {"stop": "90", "target": "120"} if side is Side.LONG else {"stop": "110", "target": "80"}
    rig.enter(side=side, **levels)
    assert rig.engine.state.positions[SYMBOL].qty * side.sign > 0
    return rig


def at_hour(rig: Rig, hour: int, seconds: int = 0) -> None:
    rig.quote("100", "100.1", seconds=(START_NS + hour * HOUR - rig.now_ns) / SECOND + seconds)


@pytest.mark.parametrize(("side", "mark", "sign"), [(Side.LONG, "100", 1), (Side.SHORT, "100.1", -1)])
def test_three_settlements_are_paid_by_longs_and_received_by_shorts(side: Side, mark: str, sign: int) -> None:
    rig = holding(side)
    qty = abs(rig.engine.state.positions[SYMBOL].qty)
    cash = rig.engine.state.cash
    for hour in range(1, 25):
        at_hour(rig, hour, seconds=1)
    paid = rig.of(FundingPaid)
    assert [f.at_ns - START_NS for f in paid] == [hour * HOUR + SECOND for hour in (8, 16, 24)]
    assert [f.amount for f in paid] == [sign * d(mark) * qty // d(1) // 10_000] * 3
    assert rig.engine.state.cash == cash - sum(f.amount for f in paid)
    assert rig.engine.state.tally.funding == rig.engine.state.holdings[SYMBOL].funding == sum(f.amount for f in paid)
    assert isinstance(rig.engine.paper, PaperBroker)
    assert rig.engine.paper.state.ledger.funding == sum(f.amount for f in paid)


def test_a_negative_rate_is_paid_by_shorts() -> None:
    rig = holding(Side.SHORT, rate="-0.0003")
    at_hour(rig, 8)
    assert [f.amount > 0 for f in rig.of(FundingPaid)] == [True]


def test_a_second_before_the_settlement_nothing_is_paid() -> None:
    rig = holding(Side.LONG)
    at_hour(rig, 8, seconds=-1)
    assert rig.of(FundingPaid) == []
    at_hour(rig, 8)
    assert len(rig.of(FundingPaid)) == 1


def test_a_restart_across_the_settlement_pays_it_once() -> None:
    """FV-18."""
    rig = holding(Side.LONG)
    at_hour(rig, 7)
    rig.engine = Engine(lambda _: (rig.strategy,), rig.engine.snapshot())
    rig.now_ns = START_NS + 9 * HOUR
    rig.send(RunStarted(rig.now_ns, "run2", rig.config))
    for hour in (9, 10, 11):
        at_hour(rig, hour, seconds=5)
    assert len(rig.of(FundingPaid)) == 1
    rig.engine = Engine(lambda _: (rig.strategy,), rig.engine.snapshot())
    at_hour(rig, 12)
    assert len(rig.of(FundingPaid)) == 1


def test_settlements_missed_while_the_desk_was_off_are_all_paid() -> None:
    rig = holding(Side.LONG)
    rig.now_ns = START_NS + 25 * HOUR
    rig.send(RunStarted(rig.now_ns, "run2", rig.config))
    at_hour(rig, 25, seconds=5)
    assert len(rig.of(FundingPaid)) == 3


def test_a_position_opened_after_the_settlement_does_not_pay_it() -> None:
    rig = Rig(limits=WIDE)
    rig.send(FundingRate(SYMBOL, rig.now_ns, d("0.0001"), START_NS + 8 * HOUR))
    at_hour(rig, 9)
    rig.enter(stop="90", target="120")
    at_hour(rig, 10)
    assert rig.of(FundingPaid) == []
    at_hour(rig, 16)
    assert len(rig.of(FundingPaid)) == 1


def test_the_interval_is_the_instruments_own_and_one_without_funding_pays_none() -> None:
    often, never = holding(Side.LONG, interval_ns=4 * HOUR), holding(Side.LONG, interval_ns=0)
    for rig in (often, never):
        for hour in range(1, 17):
            at_hour(rig, hour)
    assert [f.at_ns - START_NS for f in often.of(FundingPaid)] == [8 * HOUR, 12 * HOUR, 16 * HOUR]
    assert never.of(FundingPaid) == []


def test_what_a_position_paid_is_part_of_its_trade() -> None:
    rig = holding(Side.LONG)
    at_hour(rig, 8)
    rig.quote("120.5", "120.6")
    rig.quote("121", "121.1")
    (trade,) = rig.of(TradeClosed)
    assert trade.funding == rig.of(FundingPaid)[0].amount > 0
