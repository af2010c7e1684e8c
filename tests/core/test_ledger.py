"""The ledger: accounts that sum to zero whatever is posted, and a difference from the desk that nobody hides."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core import money
from engine.core.config import SECOND, Limits
from engine.core.engine import Engine
from engine.core.events import Act, FundingRate, RunStarted
from engine.core.facts import Alert, ErrorCounted, FillBooked, SignalEnded
from engine.core.ledger import CAPITAL, CASH, FEES, FUNDING, REALIZED, Ledger, Unbalanced, asset
from engine.core.positions import Position
from engine.core.state import Snapshot
from engine.core.words import AlertKind, BlockReason, ReasonCode, Side
from tests.core.test_engine import busy
from tests.rig import START_NS, SYMBOL, Rig, Scripted, d


def balances(ledger: Ledger) -> dict[str, str]:
    return {account: money.text(amount) for account, amount in ledger.accounts.items() if amount}


def opened(amount: int = 1_000) -> Ledger:
    ledger = Ledger()
    ledger.deposit(d(amount))
    return ledger


def test_a_long_round_trip_moves_cash_into_the_asset_and_back() -> None:
    ledger = opened()
    assert ledger.fill("A", d(2), d(100), d("0.2")) == 0
    assert balances(ledger) == {"cash": "799.8", "capital": "-1000", "fees": "0.2", "asset:A": "200"}
    assert ledger.fill("A", d(-2), d(110), d("0.22")) == d(20)
    assert balances(ledger) == {"cash": "1019.58", "capital": "-1000", "fees": "0.42", "realized_pnl": "-20"}
    assert not ledger.parcels


def test_a_short_holds_what_was_received_with_the_other_sign() -> None:
    ledger = opened()
    ledger.fill("A", d(-2), d(100), 0)
    assert balances(ledger) == {"cash": "1200", "capital": "-1000", "asset:A": "-200"}
    assert ledger.fill("A", d(1), d(90), 0) == d(10)
    assert (ledger.balance(asset("A")), ledger.qty("A")) == (d(-100), d(-1))


def test_a_fill_through_flat_gives_up_the_one_side_and_opens_the_other() -> None:
    ledger = opened()
    ledger.fill("A", d(1), d(100), 0)
    assert ledger.fill("A", d("-1.5"), d(120), 0) == d(20)
    assert (ledger.qty("A"), ledger.balance(asset("A")), ledger.balance(REALIZED)) == (d("-0.5"), d(-60), d(-20))


def test_the_oldest_units_are_given_up_first() -> None:
    ledger = opened()
    ledger.fill("A", d(1), d(100), 0)
    ledger.fill("A", d(1), d(200), 0)
    assert ledger.fill("A", d(-1), d(150), 0) == d(50)
    assert ledger.balance(asset("A")) == d(200)


def test_funding_is_an_expense_when_paid_and_less_of_one_when_received() -> None:
    ledger = opened()
    ledger.pay_funding(d(3))
    ledger.pay_funding(d(-1))
    assert balances(ledger) == {"cash": "998", "capital": "-1000", "funding": "2"}


def test_a_posting_that_does_not_sum_to_zero_is_a_bug_and_raises() -> None:
    with pytest.raises(Unbalanced, match="does not sum to zero"):
        Ledger()._post({CASH: d(1), CAPITAL: d(-2)})


QTYS = st.integers(-500_000_000, 500_000_000).filter(bool)
PRICES = st.integers(1, 10**13)
STEPS = st.one_of(
    st.tuples(st.just("fill"), st.sampled_from("AB"), QTYS, PRICES, st.integers(-(10**8), 10**8)),
    st.tuples(st.just("funding"), st.integers(-(10**9), 10**9)),
    st.tuples(st.just("deposit"), st.integers(0, 10**12)),
)


@given(st.lists(STEPS, max_size=30), st.tuples(PRICES, PRICES))
def test_any_sequence_sums_to_zero_and_agrees_with_positions_to_the_last_digit(
    steps: list[tuple[object, ...]], marks: tuple[int, int]
) -> None:
    ledger, positions = Ledger(), {"A": Position("A"), "B": Position("B")}
    wallet = 0  # as the desk keeps it: what is held does not leave it
    for kind, *told in steps:
        if kind == "fill":
            symbol, qty, price, fee = told
            assert isinstance(symbol, str) and isinstance(qty, int) and isinstance(price, int) and isinstance(fee, int)
            realized = positions[symbol].book(qty, price, 0)
            assert ledger.fill(symbol, qty, price, fee) == realized
            wallet += realized - fee
        else:
            (amount,) = told
            assert isinstance(amount, int)
            ledger.deposit(amount) if kind == "deposit" else ledger.pay_funding(amount)
            wallet += amount if kind == "deposit" else -amount
        assert ledger.total() == 0
    held = {symbol: ledger.qty(symbol) for symbol in positions}
    assert held == {symbol: position.qty for symbol, position in positions.items()}
    assert all(ledger.balance(asset(symbol)) == position.cost for symbol, position in positions.items())
    unrealized = sum(p.unrealized(mark) for p, mark in zip(positions.values(), marks, strict=True))
    value = sum(money.mul(mark, qty) for mark, qty in zip(marks, held.values(), strict=True))
    assert wallet + unrealized == ledger.balance(CASH) + value


@given(st.lists(st.tuples(QTYS.map(lambda n: n // 10**7 or 1), st.integers(1, 9)), min_size=1, max_size=30))
def test_fifo_is_what_matching_unit_by_unit_gives(fills: list[tuple[int, int]]) -> None:
    ledger, units, profit = Ledger(), list[tuple[int, int]](), 0  # (side, price) of every single unit held
    for qty, price in fills:
        sign = 1 if qty > 0 else -1
        for _ in range(abs(qty)):
            if units and units[0][0] != sign:
                profit += (price - units.pop(0)[1]) * -sign
            else:
                units.append((sign, price))
        ledger.fill("A", d(qty), d(price), 0)
    assert ledger.balance(REALIZED) == -d(1) * profit
    assert ledger.qty("A") == d(1) * sum(sign for sign, _ in units)
    assert ledger.balance(asset("A")) == d(1) * sum(sign * price for sign, price in units)


# --- on the desk ---


def agrees(rig: Rig) -> None:
    state, books = rig.engine.state, rig.engine.trading.bookkeeping
    assert books.difference() == ""
    assert state.ledger.total() == 0
    assert books.equity() == rig.engine.desk.equity


def test_the_desk_and_its_ledger_agree_through_a_lively_stretch() -> None:
    rig = Rig(limits=Limits(daily_loss_max=d(5_000), daily_loss_fraction_max=d("0.5"), daily_drawdown_max=d("0.5")))
    agrees(rig)
    rig.send(FundingRate(SYMBOL, rig.now_ns, d("0.001"), START_NS + 100 * SECOND))
    busy(rig, 200)
    agrees(rig)
    ledger, tally = rig.engine.state.ledger, rig.engine.state.tally
    assert tally.trades > 5
    assert (ledger.balance(FEES), ledger.balance(FUNDING)) == (tally.fees, tally.funding)
    assert (ledger.balance(REALIZED), ledger.balance(CAPITAL)) == (-tally.realized, -d(10_000))


@pytest.mark.parametrize("side", Side)
def test_an_open_position_is_worth_the_same_in_both_books(side: Side) -> None:
    rig = Rig()
    long = side is Side.LONG
    rig.enter(side=side, stop="99" if long else "101", target="103" if long else "97")
    for bid in ("100.4", "99.6"):
        rig.quote(bid, f"{float(bid) + 0.1:.1f}")
        agrees(rig)


def test_a_difference_is_told_once_blocks_entries_and_is_never_corrected() -> None:
    rig = Rig()
    rig.engine.state.cash += 1
    rig.enter()
    errors = [error.text for error in rig.of(ErrorCounted)]
    assert errors == ["equity is 9998.18109101 here and 9998.181091 in the ledger"]
    assert BlockReason.RECONCILIATION in rig.engine.state.blocks
    assert [alert.kind for alert in rig.of(Alert) if alert.kind is AlertKind.LEDGER] == [AlertKind.LEDGER]
    rig.quote("99", "99.1")
    rig.quote("99", "99.1")
    assert rig.engine.state.cash - rig.engine.state.ledger.balance(CASH) == 1, "it is still there, for someone to find"
    rig.propose()
    assert rig.of(SignalEnded)[-1].reason_code is ReasonCode.RECONCILIATION


def test_a_fill_booked_at_another_profit_than_the_ledgers_is_told() -> None:
    rig = Rig()
    rig.enter()
    lot = rig.engine.state.positions[SYMBOL].lots[0]
    lot.cost -= 1
    rig.quote("99", "99.1")
    assert any("in the ledger" in error.text for error in rig.of(ErrorCounted))


def test_a_desk_older_than_its_ledger_opens_it_on_the_books_it_has() -> None:
    rig = Rig()
    rig.enter()
    raw = msgspec.msgpack.decode(rig.engine.snapshot())
    del raw["state"]["ledger"]
    old = msgspec.msgpack.encode(raw)
    msgspec.msgpack.decode(old, type=Snapshot)
    rig.engine = Engine(lambda _: (Scripted(),), old)
    rig.send(RunStarted(rig.now_ns + SECOND, "run2", rig.config))
    agrees(rig)
    ledger, position = rig.engine.state.ledger, rig.engine.state.positions[SYMBOL]
    assert ledger.balance(asset(SYMBOL)) == position.cost
    rig.quote("99", "99.1", seconds=5)
    rig.command(Act.FLATTEN)
    rig.quote("99", "99.1", seconds=5)
    assert rig.of(FillBooked)[-1].position_qty == 0
    agrees(rig)
