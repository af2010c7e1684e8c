"""An account that no longer carries its positions is closed by the broker, and the desk knows it."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.config import SECOND, Limits, Sizing
from engine.core.engine import Engine
from engine.core.events import Act, Fill, Liquidation, OrderCanceled
from engine.core.facts import AccountLiquidated, Alert, BlockChanged, FillBooked, OrderChanged, SignalEnded, TradeClosed
from engine.core.margin import maintenance, safe_bands
from engine.core.money import SCALE
from engine.core.paper import PaperBroker
from engine.core.paper_ledger import PaperLedger, PaperPosition
from engine.core.paper_state import opening_state
from engine.core.words import AlertKind, BlockReason, ExitReason, OrderState, ReasonCode
from tests.core.test_paper import COIN, LATENCY, MODEL, T0, D, bar, fills, limit, market, placed, quote, taken, trade
from tests.rig import SYMBOL, Rig, d, instrument

CARRIED = msgspec.structs.replace(COIN, maintenance=D("0.005"))


def broker(cash: str = "1000", maintenance: str = "0.005") -> PaperBroker:
    coin = msgspec.structs.replace(COIN, maintenance=D(maintenance))
    return PaperBroker({"COIN": coin}, MODEL, 1, opening_state(D(cash)))


def at_twenty_times(qty: str = "190") -> PaperBroker:
    """1,000 carry a position of 19,000 and some, bought at 100."""
    desk = broker()
    desk.on_market(quote(T0, bid="100", ask="100", bid_qty="500", ask_qty="500"))
    assert fills(placed(desk, market(qty, "in")))
    return desk


def test_a_gap_at_twenty_times_liquidates_at_the_first_price_there_is() -> None:
    desk = at_twenty_times()
    placed(desk, limit("-190", "110", "target", reduce_only=True), T0 + 1)
    answers = desk.on_market(quote(T0 + SECOND, bid="93", ask="93.5", bid_qty="500"))
    liquidation = next(a for a in answers if isinstance(a, Liquidation))
    # cash 1,000 - 19,000 - 19 of fees, and 190 coins at 93.25
    assert liquidation.equity == D("-18019") + D("93.25") * 190
    assert liquidation.margin == D("93.25") * 190 // 200
    assert OrderCanceled("target", T0 + SECOND, "liquidation") in answers
    assert fills(answers) == [taken("-190", "93")]
    assert desk.state.ledger.positions == {} and desk.state.working == {}
    assert desk.state.ledger.cash == D("-18019") + D("93") * 190 * 999 // 1000  # it owes: a gap knows no stop


def test_the_broker_closes_at_the_maintenance_margin_and_not_a_tick_before() -> None:
    # equity 190 x - 18,019, margin 0.95 x: carried down to a mid of 95.3136…
    assert at_twenty_times().on_market(quote(T0 + SECOND, bid="95", ask="96", bid_qty="500")) == []
    answers = at_twenty_times().on_market(quote(T0 + SECOND, bid="95", ask="95.5", bid_qty="500"))
    assert [type(a) for a in answers] == [Liquidation, Fill]


def test_an_instrument_that_asks_for_no_margin_is_never_liquidated() -> None:
    desk = broker(maintenance="0")
    desk.on_market(quote(T0, bid="100", ask="100", ask_qty="500"))
    placed(desk, market("190"))
    assert desk.on_market(quote(T0 + SECOND, bid="50", ask="50.5")) == []


def test_what_is_not_displayed_is_not_liquidated_until_it_is_and_only_once() -> None:
    desk = at_twenty_times()
    first = desk.on_market(quote(T0 + SECOND, bid="93", ask="93.5", bid_qty="100"))
    assert fills(first) == [taken("-100", "93")]
    second = desk.on_market(quote(T0 + 2 * SECOND, bid="92", ask="92.5", bid_qty="500"))
    assert [type(a) for a in second] == [Fill] and fills(second) == [taken("-90", "92")]


def test_without_a_book_a_bar_is_judged_and_closed_at_its_worst() -> None:
    desk = broker()
    desk.on_market(bar(0, "100", "100", "100", "100", "10000"))
    placed(desk, market("189", "in"), T0)
    assert fills(desk.on_market(bar(1, "100", "100", "100", "100", "10000")))
    answers = desk.on_market(bar(2, "100", "101", "94", "100", "10000"))
    ((qty, price, _),) = fills(answers)
    assert qty == D("-189") and D("93.5") <= price <= D("94")


def test_a_trade_that_breaks_the_margin_is_what_the_broker_sells_into() -> None:
    desk = broker()
    desk.on_market(trade(T0, "100", "1000"))
    desk.submit(market("189", "in"), T0)
    desk.advance(T0 + LATENCY)
    assert fills(desk.on_market(trade(T0 + SECOND, "100", "1000")))
    ((qty, price, _),) = fills(desk.on_market(trade(T0 + 2 * SECOND, "94", "100", -1)))
    assert qty == D("-20") and D("93.5") <= price <= D("94")


@given(
    st.lists(st.tuples(st.integers(-100, 100), st.integers(50, 150), st.integers(1, 200)), min_size=1, max_size=3),
    st.integers(-5_000, 20_000),
)
def test_inside_the_safe_prices_the_account_is_carried(held: list[tuple[int, int, int]], cash: int) -> None:
    names = [f"S{n}" for n in range(len(held))]
    instruments = {name: msgspec.structs.replace(CARRIED, symbol=name) for name in names}
    ledger = PaperLedger(cash * SCALE)
    marks = {}
    for name, (qty, mark, cost) in zip(names, held, strict=True):
        if qty:
            ledger.positions[name] = PaperPosition(qty * SCALE, qty * cost * SCALE)
            marks[name] = mark * SCALE
    bands = safe_bands(instruments, ledger, lambda symbol: marks[symbol])
    if ledger.equity(instruments, lambda s: marks[s]) < maintenance(instruments, ledger, lambda s: marks[s]):
        return
    worst = {s: low + 1 if ledger.qty(s) > 0 else high - 1 for s, (low, high) in bands.items()}
    worst = {s: max(price, 1) for s, price in worst.items()}
    left = ledger.equity(instruments, lambda s: worst[s]) - maintenance(instruments, ledger, lambda s: worst[s])
    assert left >= -len(held)  # a unit of rounding in each symbol


# --- the desk ---


def leveraged(**config: Any) -> Rig:
    """A desk whose one position is 20 times its equity, which no shipped limit would allow."""
    limits = Limits(
        **{
            "daily_loss_max": d(100_000),
            "daily_loss_fraction_max": d(100),
            "daily_drawdown_max": d(10),
            "total_drawdown_max": d(10),
            "loss_per_trade_max": d(10_000),
            "heat_max": d(5),
            "concentration_max": d(1),
        }
    )
    listed = (instrument(maintenance=d("0.005")),)
    sizing = Sizing(risk_per_trade=d(950), notional_max=d(19_000))
    settings: dict[str, Any] = {"starting_equity": d(1_000), "instruments": listed, "limits": limits, "sizing": sizing}
    rig = Rig(resting_stops=False, **(settings | config))
    rig.propose(stop="95", target="120", qty="500")
    rig.quote("100", "100.1", qty="500")
    assert rig.engine.state.positions[SYMBOL].qty > d(180)
    return rig


def test_a_liquidation_is_booked_alerted_recorded_and_stops_entries() -> None:
    """FV-18."""
    rig = leveraged()
    rig.quote("93", "93.1", qty="500")
    (recorded,) = rig.of(AccountLiquidated)
    assert recorded.equity < recorded.margin and recorded.symbol == SYMBOL
    (closed,) = rig.of(TradeClosed)
    assert closed.exit_reason is ExitReason.LIQUIDATION
    assert [a.kind for a in rig.of(Alert) if a.kind is AlertKind.LIQUIDATION] == [AlertKind.LIQUIDATION]
    assert [b.reason for b in rig.of(BlockChanged) if b.active][-1] is BlockReason.LIQUIDATION
    orders = [o for o in rig.of(OrderChanged) if o.order_id == recorded.order_id]
    assert [o.state for o in orders] == [OrderState.SUBMITTED, OrderState.ACCEPTED, OrderState.FILLED]
    assert rig.of(FillBooked)[-1].order_id == recorded.order_id
    ledger = rig.engine.paper.state.ledger if rig.engine.paper else None
    assert ledger is not None and ledger.cash == rig.engine.state.cash


def test_only_an_operator_with_a_reason_lets_entries_in_again() -> None:
    rig = leveraged()
    rig.quote("93", "93.1", qty="500")
    rig.propose(bid="93", ask="93.1", stop="92", target="96")
    assert rig.of(SignalEnded)[-1].reason_code is ReasonCode.BREAKER
    rig.command(Act.RESUME)
    assert BlockReason.LIQUIDATION in rig.engine.state.blocks
    rig.command(Act.RESET_BREAKER, subject="liquidation")
    assert BlockReason.LIQUIDATION in rig.engine.state.blocks
    rig.command(Act.RESET_BREAKER, reason="paid in", subject="liquidation")
    assert BlockReason.LIQUIDATION not in rig.engine.state.blocks


@pytest.mark.parametrize("restart", [False, True])
def test_a_liquidation_survives_a_snapshot(restart: bool) -> None:
    rig = leveraged()
    rig.quote("93", "93.1", qty="20")  # not enough is displayed
    if restart:
        rig.engine = Engine(lambda _: (rig.strategy,), rig.engine.snapshot())
    rig.quote("92.5", "92.6", qty="500")
    assert rig.engine.state.positions == {}
    assert len(rig.of(AccountLiquidated)) == 1
