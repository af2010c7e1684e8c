"""Order to fill: from the decision to the first fill, of orders at market alone."""

from engine.core.facts import FillBooked, OrderChanged
from engine.core.words import OrderKind, OrderState, Purpose, TimeInForce
from engine.session.fill_times import FillTimes

MS = 1_000_000


def sent(order_id: str, kind: OrderKind, state: OrderState = OrderState.SUBMITTED) -> OrderChanged:
    previous = OrderState.NEW if state is OrderState.SUBMITTED else OrderState.ACCEPTED
    return OrderChanged(
        *(0, order_id, "s", "trend", "BTCUSDT", Purpose.ENTRY, kind, TimeInForce.GTC, 1, 0, False, previous, state)
    )


def filled(order_id: str, after_ms: int) -> FillBooked:
    return FillBooked(
        *(0, f"{order_id}:1", order_id, "s", "trend", "BTCUSDT", Purpose.ENTRY, 1, 1, 0, "TAKER", 0, 1, 1),
        *(after_ms * MS, "config", "book"),
    )


def test_the_first_fill_of_an_order_at_market_counts_and_no_other() -> None:
    times = FillTimes()
    for fact in (sent("m", OrderKind.MARKET), filled("m", 90), filled("m", 4_000)):
        times.take(fact)
    assert times.percentiles().p50 == times.percentiles().max == 90_000


def test_orders_that_rest_and_orders_that_ended_are_left_out() -> None:
    times = FillTimes()
    ended = sent("gone", OrderKind.MARKET, OrderState.CANCELED)
    for fact in (
        *(sent("l", OrderKind.LIMIT), filled("l", 60_000), sent("s", OrderKind.STOP), filled("s", 60_000)),
        *(sent("gone", OrderKind.MARKET), ended, filled("gone", 60_000), filled("older", 60_000)),
    ):
        times.take(fact)
    assert times.percentiles().max == 0
