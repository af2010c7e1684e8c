"""Every way out, on ticks and on bars: the reason of the trade, its price, and nothing left behind."""

from collections.abc import Callable
from typing import Any

import pytest

from engine.core.config import MINUTE, SECOND, Limits, PaperModel
from engine.core.events import Act, Bar, Wake
from engine.core.facts import OrderChanged, TradeClosed
from engine.core.strategy import ExitWish, Market, Proposal
from engine.core.words import ExitReason, OrderState, Side
from tests.core.test_engine import check_books
from tests.rig import SYMBOL, Rig, d

SLIPPED = PaperModel(slippage_min=d("0.003"), slippage_max=d("0.003"))
"""Bars fill with slippage; here always 0.3 %, so that a reader can check the prices."""


class Ticks:
    """A desk that sees quotes of the price and a tenth above it."""

    def __init__(self, **config: Any) -> None:
        self.rig = Rig(model=SLIPPED, **config)

    def wish(self, wish: Proposal | ExitWish) -> None:
        self.rig.strategy.wishes = [wish]

    def show(self, *prices: str) -> None:
        """Let the market go through `prices`."""
        for price in prices:
            self.rig.quote(price, f"{float(price) + 0.1:.1f}", seconds=60)


class Bars(Ticks):
    """A desk that sees nothing but bars of a minute."""

    def __init__(self, **config: Any) -> None:
        super().__init__(**config)
        self.wishes: list[Proposal | ExitWish] = []
        self.rig.strategy.on_bar = self.on_bar  # type: ignore[method-assign]

    def on_bar(self, bar: Bar, market: Market) -> list[Proposal | ExitWish]:
        told, self.wishes = self.wishes, []
        return told

    def wish(self, wish: Proposal | ExitWish) -> None:
        self.wishes = [wish]

    def show(self, *prices: str) -> None:
        """One bar that opens at the first price, goes through all, and closes at the last."""
        path = [d(price) for price in prices]
        start = self.rig.now_ns
        self.rig.now_ns += MINUTE
        self.rig.send(Wake(start + SECOND // 2))
        bar = Bar(SYMBOL, self.rig.now_ns, start, MINUTE, path[0], max(path), min(path), path[-1], d(1_000))
        self.rig.send(bar)


def holding(kind: type[Ticks], side: Side = Side.LONG, hold_ns: int = 0, **config: Any) -> Ticks:
    """A position opened around 100 with its stop at 99 (101) and its target at 103 (97)."""
    desk, sign = kind(**config), side.sign
    desk.wish(Proposal(SYMBOL, side, 0, d(100) - sign * d(1), d(100) + sign * d(3), "because", hold_ns=hold_ns))
    for _ in range(2):
        desk.show("100")
    assert desk.rig.engine.state.positions[SYMBOL].qty * sign > 0
    return desk


def flatten(desk: Ticks) -> None:
    desk.rig.command(Act.FLATTEN)


def kill(desk: Ticks) -> None:
    desk.rig.command(Act.KILL, "enough")


def shut_down(desk: Ticks) -> None:
    desk.rig.command(Act.CLOSE_ALL, "the end")


def let_pass(desk: Ticks) -> None:
    desk.show("100")


def wish_out(desk: Ticks) -> None:
    desk.wish(ExitWish(SYMBOL, "enough"))


def fall(desk: Ticks) -> None:
    desk.show("98.8")


def rise(desk: Ticks) -> None:
    desk.show("103.4")


WAYS: dict[ExitReason, Callable[[Ticks], None]] = {
    ExitReason.SL: fall,
    ExitReason.TP: rise,
    ExitReason.TIME: let_pass,
    ExitReason.STRATEGY: wish_out,
    ExitReason.FORCE_CLOSE: flatten,
    ExitReason.KILL: kill,
    ExitReason.SHUTDOWN: shut_down,
}


@pytest.mark.parametrize("kind", [Ticks, Bars])
@pytest.mark.parametrize("reason", WAYS)
def test_each_way_out_ends_the_trade_for_its_reason(kind: type[Ticks], reason: ExitReason) -> None:
    desk = holding(kind, hold_ns=30 * SECOND if reason is ExitReason.TIME else 0)
    WAYS[reason](desk)
    for _ in range(2):
        desk.show("100")
    (trade,) = desk.rig.of(TradeClosed)
    assert trade.exit_reason is reason
    desk.show("100")
    assert not desk.rig.engine.state.orders and not desk.rig.engine.state.positions
    check_books(desk.rig)


@pytest.mark.parametrize(("close", "leaves"), [("99.29", False), ("99.28", True)])
def test_the_loss_limit_is_a_way_out_before_the_stop_where_the_entry_slipped(close: str, leaves: bool) -> None:
    desk = holding(Bars, limits=Limits(loss_per_trade_max=d("12.1")))  # ten units at 100.3, and both fees
    for _ in range(2):
        desk.show(close)
    assert [trade.exit_reason for trade in desk.rig.of(TradeClosed)] == [ExitReason.LOSS_LIMIT] * leaves


@pytest.mark.parametrize("side", Side)
def test_a_bar_that_touches_stop_and_target_counts_as_stopped(side: Side) -> None:
    desk = holding(Bars, side)
    desk.show("100", "103.5", "96.5", "100")
    (trade,) = desk.rig.of(TradeClosed)
    assert trade.exit_reason is ExitReason.SL
    worse = d("98.7") if side is Side.LONG else d("101.4")  # 99 and 101, 0.3 % worse, to the next tick
    assert trade.exit_price == worse


@pytest.mark.parametrize(("side", "opens", "fills"), [(Side.LONG, "97", "96.7"), (Side.SHORT, "103", "103.4")])
def test_a_bar_that_opens_beyond_the_stop_fills_at_its_open_and_not_at_the_stop(
    side: Side, opens: str, fills: str
) -> None:
    desk = holding(Bars, side)
    desk.show(opens, "100")
    (trade,) = desk.rig.of(TradeClosed)
    assert (trade.exit_reason, trade.exit_price) == (ExitReason.SL, d(fills))


def test_on_bars_the_desk_watches_alone_where_no_stop_rests() -> None:
    desk = holding(Bars, resting_stops=False)
    desk.show("100", "98.9", "100")
    desk.show("100")
    (trade,) = desk.rig.of(TradeClosed)
    assert (trade.exit_reason, trade.exit_price) == (ExitReason.SL, d("99.7")), "known at the close, filled at the open"
    assert OrderState.REJECTED not in [change.state for change in desk.rig.of(OrderChanged)]
