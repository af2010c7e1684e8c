"""A price far from the last is set aside until a second one says the same, and moves nothing until then."""

from copy import copy
from typing import Any

import pytest

from engine.core.config import MINUTE, SECOND
from engine.core.engine import Engine
from engine.core.events import Bar, Book, Trade
from engine.core.facts import FeedNoted, FillBooked
from engine.core.words import Side
from tests.rig import SYMBOL, Rig, Scripted, d


def noted(rig: Rig, kind: str = "PRICE_SET_ASIDE") -> list[str]:
    return [note.text for note in rig.of(FeedNoted) if note.kind == kind]


def trade(rig: Rig, price: str) -> list[Any]:
    rig.now_ns += SECOND
    return rig.send(Trade(SYMBOL, rig.now_ns, rig.now_ns, d(price), d(5)))


def book(rig: Rig, price: str) -> list[Any]:
    rig.now_ns += SECOND
    levels = ((d(price), d(5)),)
    return rig.send(Book(SYMBOL, rig.now_ns, rig.now_ns, levels, ((d(price) + d("0.1"), d(5)),)))


def bar(rig: Rig, high: str, low: str, close: str) -> list[Any]:
    rig.now_ns += MINUTE
    start_ns = rig.now_ns - MINUTE
    return rig.send(Bar(SYMBOL, rig.now_ns, start_ns, MINUTE, d(close), d(high), d(low), d(close), d(9)))


@pytest.mark.parametrize(("bid", "ask"), [("1000", "1001"), ("10", "10.01"), ("100", "1000")])
def test_a_tenfold_price_for_one_tick_moves_nothing(bid: str, ask: str) -> None:
    """FA-02."""
    for side, stop, target in ((Side.LONG, "99", "103"), (Side.SHORT, "101", "97")):
        rig = Rig()
        rig.enter(side=side, stop=stop, target=target)
        rig.quote("100", "100.1")  # its bracket rests
        state = rig.engine.state
        seen = copy(rig.strategy.state)
        before = (state.symbols[SYMBOL].quote, state.symbols[SYMBOL].last_ns, dict(state.unrealized))
        count, events = len(rig.facts), state.tally.market_events
        rig.quote(bid, ask)
        assert (state.symbols[SYMBOL].quote, state.symbols[SYMBOL].last_ns, state.unrealized) == before
        assert [type(fact) for fact in rig.facts[count:]] == [FeedNoted], "it is on record, and that is all"
        assert state.tally.market_events == events + 1
        assert rig.strategy.state == seen, "no strategy saw it"
        for _ in range(3):
            rig.quote("100", "100.1")
        assert state.positions and state.holdings[SYMBOL].leaving is None


@pytest.mark.parametrize(("bid", "aside"), [("200.1", 0), ("200.2", 1), ("50", 0), ("49.9", 1)])
def test_a_price_may_double_or_halve_at_once_and_no_more(bid: str, aside: int) -> None:
    rig = Rig()
    rig.quote("100", "100.2")
    rig.quote(bid, f"{float(bid) + 0.1:.1f}")
    assert len(noted(rig)) == aside
    assert len(noted(rig, "PRICE_JUMP")) == 1 - aside


def test_a_second_price_that_says_the_same_is_the_market() -> None:
    """FA-02."""
    rig = Rig()
    rig.enter()
    rig.quote("40", "40.1")
    assert rig.engine.state.holdings[SYMBOL].leaving is None
    rig.quote("39", "39.1")
    assert noted(rig) == ["40.05 set aside until another says the same; the price is 100.05"]
    assert noted(rig, "PRICE_JUMP") == ["price jumped from 100.05 to 39.05"]
    rig.quote("39", "39.1")
    assert not rig.engine.state.positions, "the stop was passed"
    assert rig.of(FillBooked)[-1].price <= d("39.1")


def test_the_price_before_or_another_far_one_does_not_confirm_it() -> None:
    rig = Rig()
    rig.quote("100", "100.1")
    for bid in ("1000", "100", "1000", "10", "1000"):
        rig.quote(bid, f"{bid}.1")
    assert len(noted(rig)) == 4
    assert rig.engine.state.symbols[SYMBOL].last == d("100.05")


def test_what_was_set_aside_is_remembered_over_a_restart() -> None:
    rig = Rig()
    rig.quote("100", "100.1")
    rig.quote("1000", "1000.1")
    rig.engine = Engine(lambda _: (Scripted(),), rig.engine.snapshot())
    rig.quote("1000", "1000.1")
    assert rig.engine.state.symbols[SYMBOL].last == d("1000.05")


@pytest.mark.parametrize("arrive", [trade, book])
def test_no_trade_and_no_book_at_ten_times_the_price_fills_an_order(arrive: Any) -> None:
    """FA-02."""
    rig = Rig()
    rig.enter()
    assert rig.engine.state.positions
    fills = len(rig.of(FillBooked))
    arrive(rig, "1000")
    rig.quote("100", "100.1")
    assert len(rig.of(FillBooked)) == fills, "the target rests at 103"
    for _ in range(3):
        arrive(rig, "1000")
    assert len(rig.of(FillBooked)) > fills, "said again and again it is the market"


@pytest.mark.parametrize(
    ("high", "low", "close"), [("1000", "100", "100"), ("100", "10", "100"), ("1000", "1000", "1000")]
)
def test_a_bar_with_a_tenfold_extreme_teaches_and_fills_nothing(high: str, low: str, close: str) -> None:
    """FA-02."""
    rig = Rig()
    bar(rig, "100", "100", "100")
    rig.propose(entry="99")
    rig.engine.state.symbols[SYMBOL].quote = None  # a market that has only bars
    window = rig.engine.state.symbols[SYMBOL].window
    closes = list(window.closes)
    bar(rig, high, low, close)
    assert window.closes == closes
    assert len(noted(rig)) == 1 and not rig.of(FillBooked)
    bar(rig, "100", "100", "100")
    assert window.closes[-1] == d(100) and len(noted(rig)) == 1


def test_a_second_bar_that_says_the_same_is_the_market_and_its_close_the_price() -> None:
    rig = Rig()
    bar(rig, "100", "100", "100")
    for _ in range(2):
        bar(rig, "1000", "300", "400")
    assert rig.engine.state.symbols[SYMBOL].last == d(400)
    assert len(noted(rig)) == 1


def test_a_bar_that_spans_a_move_the_ticks_have_made_is_believed() -> None:
    rig = Rig()
    bar(rig, "100", "100", "100")
    for _ in range(2):
        rig.quote("30", "30.1")
    bar(rig, "100", "30", "30")
    assert len(noted(rig)) == 1, "the first of the two ticks alone"
    assert rig.engine.state.symbols[SYMBOL].window.closes[-1] == d(30)


def test_a_desk_that_builds_its_own_bars_keeps_a_far_tick_out_of_them() -> None:
    rig = Rig(bar_ns=15 * SECOND)
    for bid in ("100", "1000", "100"):
        rig.quote(bid, f"{bid}.1")
    rig.quote("100", "100.1", seconds=15)
    assert rig.engine.state.symbols[SYMBOL].window.closes[-1] < d(101)
    assert max(rig.engine.state.symbols[SYMBOL].window.ranges) < d(1)
