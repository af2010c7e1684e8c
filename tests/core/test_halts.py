"""Nothing fills while a symbol is halted, and what goes on meets the first new price."""

import msgspec

from engine.core.config import MINUTE, SECOND
from engine.core.events import OrderAccepted, TradingHalted
from engine.core.facts import FeedNoted, SignalEnded
from engine.core.paper import PaperBroker
from engine.core.words import ReasonCode, TerminalState
from tests.core.test_paper import (
    LATENCY,
    T0,
    bar,
    book,
    broker,
    fills,
    limit,
    made,
    market,
    placed,
    quote,
    taken,
    trade,
)
from tests.core.test_paper_stops import stop
from tests.rig import SYMBOL, Rig


def halted(desk: PaperBroker, at_ns: int = T0 + SECOND) -> PaperBroker:
    desk.on_halt(TradingHalted("COIN", at_ns, True, "auction"))
    return desk


def resumed(desk: PaperBroker, at_ns: int = T0 + 10 * SECOND) -> PaperBroker:
    desk.on_halt(TradingHalted("COIN", at_ns, False))
    return desk


def test_nothing_that_comes_during_a_halt_fills_anything() -> None:
    desk = broker()
    desk.on_market(quote(T0))
    placed(desk, limit("1", "99", "rest"))
    placed(desk, stop("-1", "99"), T0 + 1)
    halted(desk)
    assert placed(desk, market("1"), T0 + SECOND) == [OrderAccepted("m", T0 + SECOND + LATENCY, "paper-3")]
    assert desk.on_market(trade(T0 + 2 * SECOND, "98", "9", -1)) == []
    assert desk.on_market(quote(T0 + 3 * SECOND, bid="97", ask="98")) == []
    assert desk.on_market(book(T0 + 4 * SECOND, "97:9", "98:9")) == []


def test_a_resumed_market_is_met_at_its_first_new_price_and_not_at_the_old_one() -> None:
    desk = broker()
    desk.on_market(quote(T0, bid="100", ask="101"))
    halted(desk)
    placed(desk, market("1"), T0 + SECOND)
    resumed(desk)
    placed(desk, market("1", "late"), T0 + 10 * SECOND)
    assert fills(desk.advance(T0 + 11 * SECOND)) == []  # the quote of before the halt is fresh and dead
    first = desk.on_market(quote(T0 + 12 * SECOND, bid="80", ask="81"))
    assert fills(first) == [taken("1", "81"), taken("1", "81")]


def test_a_resting_order_keeps_its_place_through_a_halt() -> None:
    desk = broker()
    desk.on_market(quote(T0, bid_qty="2"))
    placed(desk, limit("1", "100"))
    halted(desk)
    desk.on_market(trade(T0 + 2 * SECOND, "100", "2", -1))
    resumed(desk)
    assert desk.on_market(trade(T0 + 11 * SECOND, "100", "2", -1)) == []
    assert fills(desk.on_market(trade(T0 + 12 * SECOND, "100", "2", -1))) == [made("1", "100")]


def test_a_bar_that_began_before_trading_went_on_fills_nothing() -> None:
    desk = broker()
    desk.on_market(bar(-1, "100", "100", "100", "100"))
    halted(desk, T0 - 30 * SECOND)
    placed(desk, market("1"), T0 - SECOND)
    resumed(desk, T0 + 20 * SECOND)
    assert desk.on_market(bar(0, "100", "101", "99", "100")) == []
    assert len(fills(desk.on_market(bar(1, "90", "91", "89", "90")))) == 1


def test_the_last_bar_before_a_halt_still_fills_what_waited_for_it() -> None:
    desk = broker()
    desk.on_market(bar(-1, "100", "100", "100", "100"))
    placed(desk, limit("1", "99"), T0)
    halted(desk, T0 + MINUTE)
    late = msgspec.structs.replace(bar(0, "100", "101", "98", "100"), at_ns=T0 + MINUTE + SECOND // 2)
    assert fills(desk.on_market(late)) == [made("1", "99")]


def test_a_bar_with_a_halt_in_it_fills_nothing() -> None:
    desk = broker()
    desk.on_market(bar(-1, "100", "100", "100", "100"))
    placed(desk, limit("1", "99"), T0)
    halted(desk, T0 + 10 * SECOND)
    resumed(desk, T0 + 20 * SECOND)
    assert fills(desk.on_market(bar(0, "100", "101", "98", "100"))) == []
    assert fills(desk.on_market(bar(1, "100", "101", "98", "100"))) == [made("1", "99")]


def test_other_symbols_trade_on() -> None:
    desk = halted(broker())
    desk.on_halt(TradingHalted("NOTE", T0, True))
    resumed(desk, T0 + 2)
    desk.on_market(quote(T0 + 3))
    assert fills(placed(desk, market("1"), T0 + 4)) == [taken("1", "101")]


def test_the_desk_says_so_and_refuses_entries_until_trading_goes_on() -> None:
    """FV-15."""
    rig = Rig()
    rig.quote("100", "100.1")
    for _ in range(2):  # told twice, known once
        rig.send(TradingHalted(SYMBOL, rig.now_ns, True, "closed until 13:30 UTC"))
    assert [(f.kind, f.text) for f in rig.of(FeedNoted)] == [("TRADING_HALTED", "closed until 13:30 UTC")]
    rig.propose()
    (ended,) = rig.of(SignalEnded)
    assert (ended.state, ended.reason_code) == (TerminalState.REJECTED_BY_CIRCUIT_BREAKER, ReasonCode.HALTED)
    rig.send(TradingHalted(SYMBOL, rig.now_ns, False))
    rig.enter()
    assert rig.of(SignalEnded)[-1].state is TerminalState.EXECUTED
    assert rig.of(FeedNoted)[-1].kind == "TRADING_RESUMED"


def test_an_exit_sent_during_a_halt_fills_once_trading_goes_on() -> None:
    rig = Rig()
    rig.enter()
    rig.send(TradingHalted(SYMBOL, rig.now_ns, True))
    rig.quote("98", "98.1")  # below the stop
    rig.quote("97", "97.1")
    assert rig.engine.state.positions
    rig.send(TradingHalted(SYMBOL, rig.now_ns, False))
    rig.quote("96", "96.1")
    assert not rig.engine.state.positions
