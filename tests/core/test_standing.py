"""What is at stake: the running sums are those of a plain count, and heat is told when prices move it."""

from typing import Any

import pytest

from engine.core import money
from engine.core.config import MINUTE, Limits
from engine.core.engine import Engine
from engine.core.events import Act, Wake
from engine.core.facts import Alert, HeatNoted, SignalEnded
from engine.core.standing import Stakes, Standing
from engine.core.state import EngineState
from engine.core.words import AlertKind, Purpose, ReasonCode, Side
from tests.rig import SYMBOL, Rig, Scripted, d

SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
GAP = d("0.001")


def counted(state: EngineState, marks: dict[str, int]) -> Standing:
    """The standing, added up from the state alone at `marks`."""
    gross = net = entering_long = entering_short = risk = 0
    sides: dict[str, int] = {}
    for symbol, position in state.positions.items():
        value = money.mul(marks[symbol], position.qty)
        gross, net = gross + abs(value), net + value
        risk += max(0, money.mul(marks[symbol] - state.holdings[symbol].stop, position.qty))
        sides[symbol] = 1 if position.qty > 0 else -1
    for order in state.orders.values():
        if order.purpose is Purpose.ENTRY:
            price = order.price or order.expected
            value = money.mul(price, order.open_qty)
            gross += abs(value)
            entering_long, entering_short = entering_long + max(0, value), entering_short + max(0, -value)
            assert order.plan is not None
            risk += abs(money.mul(price - order.plan.stop, order.open_qty))
            sides.setdefault(order.symbol, 1 if value > 0 else -1)
    return Standing(gross, net, entering_long, entering_short, risk + money.mul(GAP, gross), sides)


def busy() -> Rig:
    """A LONG and a SHORT that are held, and an entry that rests."""
    rig = Rig(SYMBOLS)
    rig.enter()
    rig.enter(symbol="ETHUSDT", side=Side.SHORT, stop="101", target="98")
    rig.propose(symbol="SOLUSDT", entry="99.5", stop="98", target="105")
    rig.quote("100.5", "100.6")
    return rig


def test_positions_and_working_entries_add_up() -> None:
    rig = busy()
    standing = rig.engine.desk.stakes.standing()
    assert standing == counted(rig.engine.state, {"BTCUSDT": d("100.5"), "ETHUSDT": d("100.1")})
    assert standing.sides == {"BTCUSDT": 1, "ETHUSDT": -1, "SOLUSDT": 1}
    assert standing.net != 0
    assert standing.entering_long > 0
    assert standing.entering_short == 0
    assert rig.engine.desk.exposure() == standing.gross
    assert rig.engine.desk.heat() == money.div(standing.risk, rig.engine.desk.equity)


def test_a_desk_made_from_a_snapshot_has_the_same_at_stake() -> None:
    rig = busy()
    again = Engine(lambda _: (Scripted(SYMBOLS),), rig.engine.snapshot())
    assert again.desk.stakes.standing() == rig.engine.desk.stakes.standing()


def test_what_was_taken_back_is_at_stake_no_longer() -> None:
    rig = busy()
    rig.command(Act.PAUSE, "lunch")
    rig.quote("100.5", "100.6", symbol="SOLUSDT")
    standing = rig.engine.desk.stakes.standing()
    assert "SOLUSDT" not in standing.sides
    assert standing.entering_long == 0
    assert Stakes(rig.engine.state, Limits()).standing() == standing


def test_the_filled_part_of_an_entry_is_counted_once() -> None:
    rig = Rig()
    rig.propose(qty="4")
    rig.quote("100", "100.1", qty="0")
    position = rig.engine.state.positions[SYMBOL]
    (entry,) = rig.engine.desk.entries()
    assert (position.qty, entry.open_qty) == (d(4), entry.qty - d(4))
    standing = rig.engine.desk.stakes.standing()
    assert standing == counted(rig.engine.state, {SYMBOL: d(100)})
    qty, value = rig.engine.desk.stakes.in_symbol(SYMBOL)
    assert (qty, value) == (entry.qty, money.mul(d(100), d(4)) + money.mul(d("100.1"), entry.open_qty))


def test_a_holding_without_a_stop_risks_what_the_loss_limit_lets_it_lose() -> None:
    rig = Rig()
    rig.enter()
    rig.engine.state.holdings[SYMBOL].stop = 0
    stakes = rig.engine.desk.stakes
    assert stakes.standing().risk == d(25) + money.mul(GAP, stakes.standing().gross)
    assert stakes.risk(rig.engine.state.holdings[SYMBOL]) == stakes.standing().risk


def test_a_stop_beyond_the_price_risks_nothing_but_the_gap() -> None:
    rig = Rig()
    rig.enter()
    rig.engine.state.holdings[SYMBOL].stop = d(105)
    assert rig.engine.desk.stakes.standing().risk == money.mul(GAP, rig.engine.desk.exposure())


# --- heat that prices bring ---


def hot(**config: Any) -> Rig:
    """One LONG of about 10 units with its stop 1 away: 0.1 % of equity at risk, and 0.01 % for gaps."""
    rig = Rig(limits=Limits(heat_max=d("0.002")), **config)
    rig.enter(target="110")
    return rig


def a_minute_later(rig: Rig) -> None:
    rig.now_ns += MINUTE
    rig.send(Wake(rig.now_ns))


def test_heat_above_its_limit_is_told_once_and_once_more_when_it_is_back() -> None:
    rig = hot()
    rig.quote("100.5", "100.6")
    a_minute_later(rig)
    assert not rig.of(HeatNoted)
    rig.quote("102", "102.1")
    a_minute_later(rig)
    (noted,) = rig.of(HeatNoted)
    assert noted.above
    assert (noted.heat, noted.limit) == (rig.engine.desk.heat(), d("0.002"))
    assert [alert.kind for alert in rig.of(Alert)] == [AlertKind.HEAT]
    a_minute_later(rig)
    assert rig.engine.state.positions, "no position is closed for it"
    assert len(rig.of(HeatNoted)) == 1
    rig.quote("100", "100.1")
    a_minute_later(rig)
    assert [noted.above for noted in rig.of(HeatNoted)] == [True, False]
    assert len(rig.of(Alert)) == 1


def test_a_fill_is_a_moment_to_look_at_the_heat() -> None:
    rig = hot()
    rig.quote("103", "103.1", qty="1")
    assert not rig.of(HeatNoted), "no minute is over"
    rig.command(Act.FLATTEN)
    rig.quote("103", "103.1", qty="0")
    assert d(5) < rig.engine.state.positions[SYMBOL].qty < d(9), "a part of it is sold"
    assert [noted.above for noted in rig.of(HeatNoted)] == [True]


def test_what_was_told_of_the_heat_survives_a_restart() -> None:
    rig = hot()
    rig.quote("102", "102.1")
    a_minute_later(rig)
    rig.engine = Engine(lambda _: (Scripted(),), rig.engine.snapshot())
    a_minute_later(rig)
    assert len(rig.of(HeatNoted)) == 1


@pytest.mark.parametrize(("allowance", "code"), [("0.001", None), ("0.5", ReasonCode.HEAT)])
def test_the_gap_allowance_of_the_entry_itself_counts(allowance: str, code: ReasonCode | None) -> None:
    rig = Rig(limits=Limits(gap_allowance=d(allowance)))
    rig.propose(stop="99.9", target="105")
    assert [ended.reason_code for ended in rig.of(SignalEnded)] == ([code] if code else [])
