"""Stop orders at the paper broker: what fires them, and at which price they fill."""

import pytest

from engine.core.config import MINUTE, SECOND, PaperModel
from engine.core.events import BrokerEvent, Fill, OrderAccepted, OrderCanceled, OrderRefused
from engine.core.facts import Cancel, Submit
from engine.core.paper import PaperBroker
from engine.core.words import OrderKind, TimeInForce
from tests.core.test_paper import LATENCY, T0, D, bar, book, broker, fills, made, market, placed, quote, taken, trade

EVEN = PaperModel(latency_ns_min=LATENCY, latency_ns_max=LATENCY, slippage_min=D("0.01"), slippage_max=D("0.01"))
"""Slippage of exactly one per cent, for figures a reader can check."""


def stop(
    qty: str,
    at: str,
    *,
    price: str = "0",
    name: str = "s",
    reduce_only: bool = False,
    tif: TimeInForce = TimeInForce.GTC,
) -> Submit:
    kind = OrderKind.STOP_LIMIT if price != "0" else OrderKind.STOP
    return Submit(name, "COIN", D(qty), kind, tif, D(price), reduce_only, D(at))


def held(desk: PaperBroker, qty: str, at_ns: int = T0) -> PaperBroker:
    """`desk` with a position taken at a quote of 100/101, its order long done."""
    desk.on_market(quote(at_ns - SECOND))
    assert fills(placed(desk, market(qty, name="held"), at_ns - SECOND))
    return desk


# --- with quotes and books ---


def test_a_sell_stop_waits_while_the_bid_is_above_it_and_fires_when_the_bid_is_at_it() -> None:
    desk = held(broker(), "1")
    assert placed(desk, stop("-1", "99")) == [OrderAccepted("s", T0 + LATENCY, "paper-2")]
    assert desk.on_market(quote(T0 + SECOND, bid="99.5", ask="100.5")) == []
    assert fills(desk.on_market(quote(T0 + 2 * SECOND, bid="99", ask="100"))) == [taken("-1", "99")]


def test_a_buy_stop_fires_by_the_ask_not_by_the_bid() -> None:
    desk = broker()
    desk.on_market(quote(T0))
    placed(desk, stop("1", "103"))
    assert desk.on_market(quote(T0 + SECOND, bid="102", ask="102.5")) == []
    assert fills(desk.on_market(quote(T0 + 2 * SECOND, bid="102", ask="103"))) == [taken("1", "103")]


def test_a_sell_stop_is_not_fired_by_a_trade_while_quotes_tell_the_bid() -> None:
    desk = held(broker(), "1")
    placed(desk, stop("-1", "99"))
    assert desk.on_market(trade(T0 + SECOND, "98", "5", side=-1)) == []


def test_a_gap_through_the_stop_fills_at_what_is_there_and_not_at_the_stop() -> None:
    desk = held(broker(), "1")
    placed(desk, stop("-1", "99"))
    assert fills(desk.on_market(quote(T0 + SECOND, bid="90", ask="91"))) == [taken("-1", "90")]


def test_a_fired_stop_walks_the_book_and_its_rest_stays_a_market_order() -> None:
    desk = held(broker(), "4")
    placed(desk, stop("-4", "99"))
    first = desk.on_market(book(T0 + SECOND, "98:1 97:1", "99:5"))
    assert fills(first) == [taken("-1", "98"), taken("-1", "97")]
    recovered = desk.on_market(book(T0 + 2 * SECOND, "105:5", "106:5"))
    assert fills(recovered) == [taken("-2", "105")]


def test_a_stop_that_arrives_beyond_the_touch_fires_at_once() -> None:
    desk = held(broker(), "1")
    assert fills(placed(desk, stop("-1", "100.5"))) == [taken("-1", "100")]


def test_a_stop_limit_takes_no_worse_than_its_limit_and_rests_with_what_is_left() -> None:
    desk = held(broker(), "3")
    placed(desk, stop("-3", "99", price="98"))
    assert fills(desk.on_market(book(T0 + SECOND, "98.5:1 97:5", "99:5"))) == [taken("-1", "98.5")]
    assert fills(desk.on_market(trade(T0 + 2 * SECOND, "98.5", "2", side=1))) == [made("-2", "98")]


def test_a_stop_limit_the_market_jumped_over_rests_and_fills_nothing() -> None:
    desk = held(broker(), "1")
    placed(desk, stop("-1", "99", price="98.5"))
    assert desk.on_market(quote(T0 + SECOND, bid="90", ask="91")) == []
    assert fills(desk.on_market(quote(T0 + 2 * SECOND, bid="98.5", ask="99"))) == [made("-1", "98.5")]


def test_an_ioc_stop_waits_for_its_stop_and_only_then_for_nothing() -> None:
    desk = held(broker(), "2")
    assert len(placed(desk, stop("-2", "99", tif=TimeInForce.IOC))) == 1
    answers = desk.on_market(quote(T0 + SECOND, bid="99", ask="100", bid_qty="1"))
    assert fills(answers) == [taken("-1", "99")]
    assert isinstance(answers[-1], OrderCanceled) and answers[-1].reason == "ioc"


def test_a_reduce_only_stop_sells_no_more_than_the_position_and_its_target_goes_with_it() -> None:
    desk = held(broker(), "1")
    placed(desk, stop("-3", "99", reduce_only=True))
    placed(desk, Submit("t", "COIN", -D("1"), OrderKind.LIMIT, TimeInForce.GTC, D("105"), True), T0 + SECOND)
    answers = desk.on_market(quote(T0 + 2 * SECOND, bid="99", ask="100"))
    assert fills(answers) == [taken("-1", "99")]
    gone = [answer.client_order_id for answer in answers if isinstance(answer, OrderCanceled)]
    assert gone == ["s", "t"] and desk.state.working == {}


def test_a_canceled_stop_never_fires() -> None:
    desk = held(broker(), "1")
    placed(desk, stop("-1", "99"))
    desk.cancel(Cancel("s", "COIN"), T0 + LATENCY)
    assert desk.advance(T0 + SECOND // 2) == [OrderCanceled("s", T0 + 2 * LATENCY, "requested")]
    assert desk.on_market(quote(T0 + SECOND, bid="90", ask="91")) == []


# --- without quotes ---


def quiet(qty: str, model: PaperModel = EVEN) -> PaperBroker:
    """A desk that holds `qty` and has seen no quote for longer than a quote is good for."""
    return held(broker(model=model), qty, T0 - MINUTE)


def test_without_quotes_a_trade_at_the_stop_fires_it_and_fills_at_the_trade_with_slippage() -> None:
    desk = quiet("1")
    placed(desk, stop("-1", "99"))
    assert desk.on_market(trade(T0 + SECOND, "99.5", "100")) == []
    assert fills(desk.on_market(trade(T0 + 2 * SECOND, "97", "100"))) == [taken("-1", "96")]


def test_without_quotes_a_bar_through_the_stop_fills_at_the_stop_less_slippage() -> None:
    desk = quiet("1")
    placed(desk, stop("-1", "99"))
    assert desk.on_market(bar(1, "100", "101", "99.5", "100")) == []
    assert fills(desk.on_market(bar(2, "100", "101", "95", "100"))) == [taken("-1", "98")]


def test_without_quotes_a_bar_that_opens_beyond_the_stop_fills_at_its_open() -> None:
    desk = quiet("1")
    placed(desk, stop("-1", "99"))
    assert fills(desk.on_market(bar(1, "95", "101", "94", "100"))) == [taken("-1", "94")]


def test_a_buy_stop_goes_by_the_high_of_a_bar() -> None:
    desk = quiet("1")
    placed(desk, stop("1", "103"))
    assert fills(desk.on_market(bar(1, "100", "103", "99", "100"))) == [taken("1", "104.5")]


def test_a_bar_that_touches_stop_and_target_fills_the_stop() -> None:
    desk = quiet("1")
    placed(desk, Submit("t", "COIN", -D("1"), OrderKind.LIMIT, TimeInForce.GTC, D("105"), True))
    placed(desk, stop("-1", "99", reduce_only=True))
    answers = desk.on_market(bar(1, "100", "110", "90", "100"))
    assert [(a.client_order_id, a.price) for a in answers if isinstance(a, Fill)] == [("s", D("98"))]


def test_a_bar_that_opened_before_the_stop_arrived_does_not_fire_it() -> None:
    desk = quiet("1")
    placed(desk, stop("-1", "99"), T0 + 30 * SECOND)
    assert desk.on_market(bar(0, "100", "101", "90", "100")) == []


def test_a_stop_limit_fired_by_a_bar_does_not_rest_in_that_bars_own_range() -> None:
    desk = quiet("1")
    placed(desk, stop("-1", "99", price="100.5"))
    assert desk.on_market(bar(1, "101", "102", "98", "99")) == []
    assert fills(desk.on_market(bar(2, "99", "102", "98", "99"))) == [made("-1", "100.5")]


# --- what is refused ---


@pytest.mark.parametrize(
    ("order", "text"),
    [
        (stop("1", "99.3"), "price 99.3 is no positive multiple of 0.5"),
        (stop("1", "0"), "price 0 is no positive multiple of 0.5"),
        (stop("1", "99", price="98.2"), "price 98.2 is no positive multiple of 0.5"),
        (stop("1", "99", tif=TimeInForce.POST_ONLY), "a market order has no price and cannot be post-only"),
        (
            Submit("s", "COIN", D("1"), OrderKind.MARKET, TimeInForce.GTC, 0, False, D("99")),
            "only a stop order has a stop price",
        ),
    ],
)
def test_a_stop_order_without_proper_prices_is_refused(order: Submit, text: str) -> None:
    desk = broker()
    desk.on_market(quote(T0))
    answers: list[BrokerEvent] = placed(desk, order)
    assert answers == [OrderRefused("s", T0 + LATENCY, "venue_refused", text)]
