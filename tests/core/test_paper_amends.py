"""Amends at the paper broker: what they change, what they cost in the queue, and who wins a race."""

import pytest

from engine.core.config import SECOND, PaperModel
from engine.core.events import AmendRefused, Fill, OrderAccepted, OrderAmended, OrderCanceled
from engine.core.facts import Amend, Cancel
from engine.core.paper import PaperBroker
from engine.core.words import TimeInForce
from tests.core.test_paper import LATENCY, T0, D, broker, fills, limit, made, placed, quote, taken, trade
from tests.core.test_paper_stops import held, stop

THEN = T0 + SECOND


def amend(qty: str, price: str = "100", name: str = "l", stop_price: str = "0") -> Amend:
    return Amend(name, "COIN", D(qty), D(price), D(stop_price))


def resting(qty: str = "2", price: str = "100", tif: TimeInForce = TimeInForce.GTC) -> PaperBroker:
    """A desk whose order rests at the touch, five units before it."""
    desk = broker()
    desk.on_market(quote(T0))
    assert isinstance(placed(desk, limit(qty, price, tif=tif))[0], OrderAccepted)
    return desk


def changed(desk: PaperBroker, asked: Amend, at_ns: int = THEN) -> list[object]:
    """Send an amend and let it arrive."""
    desk.amend(asked, at_ns)
    return list(desk.advance(at_ns + LATENCY))


def test_an_amend_takes_effect_its_latency_after_it_was_sent() -> None:
    desk = resting()
    desk.amend(amend("1"), THEN)
    assert desk.advance(THEN + LATENCY - 1) == []
    assert desk.advance(THEN + LATENCY) == [OrderAmended("l", THEN + LATENCY, D("1"), D("100"))]


def test_less_quantity_keeps_the_place_in_the_queue() -> None:
    desk = resting()
    desk.on_market(trade(T0 + 200_000_000, "100", "4", side=-1))  # one unit left before the order
    changed(desk, amend("1"))
    assert fills(desk.on_market(trade(THEN + SECOND, "100", "3", side=-1))) == [made("1", "100")]
    assert desk.state.working == {}


@pytest.mark.parametrize("asked", [amend("3"), amend("2", price="99.5")])
def test_more_quantity_or_another_price_joins_the_queue_anew(asked: Amend) -> None:
    desk = resting()
    desk.on_market(trade(T0 + 200_000_000, "100", "5", side=-1))  # nobody left before the order
    changed(desk, asked)
    assert desk.on_market(trade(THEN + SECOND, "100", "1", side=-1)) == []


def test_another_price_that_crosses_takes_at_once() -> None:
    desk = resting()
    assert fills(changed(desk, amend("2", price="101"))) == [taken("2", "101")]  # type: ignore[arg-type]


def test_a_post_only_order_amended_across_the_market_is_cancelled() -> None:
    desk = resting(tif=TimeInForce.POST_ONLY)
    answers = changed(desk, amend("2", price="101"))
    assert answers[1:] == [OrderCanceled("l", THEN + LATENCY, "post_only")]


def test_an_amend_counts_what_is_filled_already() -> None:
    desk = resting("3")
    desk.on_market(trade(T0 + 200_000_000, "100", "6", side=-1))  # one unit of the order
    changed(desk, amend("2"))
    assert fills(desk.on_market(trade(THEN + SECOND, "99.5", "9", side=-1))) == [made("1", "100")]
    assert desk.state.working == {}


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        (amend("1"), "1 are filled already; cancel the rest instead"),
        (amend("-2"), "1 are filled already; cancel the rest instead"),
        (amend("2.005"), "quantity 2.005 is no multiple of 0.01"),
        (amend("2", price="99.7"), "price 99.7 is no positive multiple of 0.5"),
        (amend("2", stop_price="99"), "only a stop order has a stop price"),
        (amend("990", price="1000"), "margin 49455.025 would pass the equity 10000.45"),
    ],
)
def test_an_amend_that_cannot_be_is_refused_and_the_order_stays_as_it_was(asked: Amend, text: str) -> None:
    desk = resting("3")
    desk.on_market(trade(T0 + 200_000_000, "100", "6", side=-1))
    (answer,) = changed(desk, asked)
    assert answer == AmendRefused("l", THEN + LATENCY, answer.code, text)  # type: ignore[attr-defined]
    assert desk.state.working["COIN"]["l"].order == limit("3", "100")


def test_an_amend_of_more_is_held_to_the_margin_once_not_twice() -> None:
    desk = broker("20")
    desk.on_market(quote(T0))
    placed(desk, limit("3", "100"))
    assert isinstance(changed(desk, amend("4"))[0], OrderAmended)
    assert isinstance(changed(desk, amend("4.01"), THEN + SECOND)[0], AmendRefused)


# --- races ---


def test_an_amend_that_a_fill_overtook_is_refused() -> None:
    desk = resting()
    desk.amend(amend("4"), THEN)
    answers = desk.on_market(trade(THEN + LATENCY // 2, "99.5", "9", side=-1))
    assert fills(answers) == [made("2", "100")]
    assert desk.advance(THEN + LATENCY) == [AmendRefused("l", THEN + LATENCY, "unknown_order", "no such working order")]


def test_a_part_that_filled_on_the_way_counts_against_the_amend() -> None:
    desk = resting("3")
    desk.amend(amend("2"), THEN)
    desk.on_market(trade(THEN + LATENCY // 2, "99.5", "1", side=-1))
    assert isinstance(desk.advance(THEN + LATENCY)[0], OrderAmended)
    assert desk.state.working["COIN"]["l"].rest == D("1")


def test_of_an_amend_and_a_cancel_the_first_sent_arrives_first() -> None:
    desk = resting()
    desk.amend(amend("1"), THEN)
    desk.cancel(Cancel("l", "COIN"), THEN)
    first, second = desk.advance(THEN + LATENCY)
    assert isinstance(first, OrderAmended) and isinstance(second, OrderCanceled)
    desk = resting()
    desk.cancel(Cancel("l", "COIN"), THEN)
    desk.amend(amend("1"), THEN)
    first, second = desk.advance(THEN + LATENCY)
    assert isinstance(first, OrderCanceled) and isinstance(second, AmendRefused)


def test_an_amend_overtakes_neither_its_submit_nor_an_earlier_amend() -> None:
    for seed in range(20):
        desk = broker(seed=seed, model=PaperModel())
        desk.on_market(quote(T0))
        desk.submit(limit("3", "99"), T0)
        desk.amend(amend("2", price="99"), T0)
        desk.amend(amend("1", price="99"), T0)
        accepted, *rest = desk.advance(T0 + SECOND)
        assert isinstance(accepted, OrderAccepted)
        assert [answer.qty for answer in rest if isinstance(answer, OrderAmended)] == [D("2"), D("1")]


# --- stops ---


def test_a_waiting_stop_takes_a_new_quantity_and_a_new_stop() -> None:
    desk = held(broker(), "2")
    placed(desk, stop("-1", "99", reduce_only=True))
    changed(desk, amend("-2", price="0", name="s", stop_price="98"))
    assert desk.on_market(quote(THEN + SECOND, bid="99", ask="100")) == []
    assert fills(desk.on_market(quote(THEN + 2 * SECOND, bid="98", ask="99"))) == [taken("-2", "98")]


def test_a_stop_moved_beyond_the_touch_fires_at_once() -> None:
    desk = held(broker(), "1")
    placed(desk, stop("-1", "99"))
    assert fills(changed(desk, amend("-1", price="0", name="s", stop_price="100"))) == [  # type: ignore[arg-type]
        taken("-1", "100")
    ]


def test_a_fired_stop_takes_a_new_quantity_but_no_new_stop() -> None:
    desk = held(broker(), "4")
    placed(desk, stop("-3", "99"))
    desk.on_market(quote(THEN, bid="99", ask="100", bid_qty="1"))
    (refused,) = changed(desk, amend("-3", price="0", name="s", stop_price="95"), THEN)
    assert isinstance(refused, AmendRefused) and refused.text == "its stop was reached already"
    assert isinstance(changed(desk, amend("-4", price="0", name="s", stop_price="99"), THEN + SECOND)[0], OrderAmended)
    answers = desk.on_market(quote(THEN + 3 * SECOND, bid="98", ask="99"))
    assert [(answer.qty, answer.price) for answer in answers if isinstance(answer, Fill)] == [(-D("3"), D("98"))]
