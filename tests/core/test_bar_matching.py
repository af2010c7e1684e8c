"""The path a bar is taken to have run: the open, then against us, then for us, with nothing from the future."""

import msgspec

from engine.core.config import MINUTE, SECOND, PaperModel
from engine.core.events import OrderCanceled
from engine.core.paper import PaperBroker
from engine.core.words import TimeInForce
from tests.core.test_paper import LATENCY, T0, D, bar, broker, fills, limit, made, market, placed, taken
from tests.core.test_paper_stops import stop

EVEN = PaperModel(
    latency_ns_min=LATENCY, latency_ns_max=LATENCY, slippage_min=D("0.01"), slippage_max=D("0.01")
)  # slippage of exactly one per cent


def long(qty: str = "1", model: PaperModel = EVEN) -> PaperBroker:
    """A broker that knows nothing but bars, with `qty` bought at the open of bar 0."""
    desk = broker(model=model)
    desk.on_market(bar(-1, "100", "100", "100", "100"))
    placed(desk, market(qty, "in"), T0)
    assert fills(desk.on_market(bar(0, "100", "100", "100", "100")))
    return desk


def protected(qty: str = "1", model: PaperModel = EVEN) -> PaperBroker:
    """`long` with a stop at 98 and a target at 103, both there before bar 1 opens."""
    desk = long(qty, model)
    placed(desk, stop(f"-{qty}", "98", name="stop", reduce_only=True), T0 + MINUTE)
    placed(desk, limit(f"-{qty}", "103", "target", reduce_only=True), T0 + MINUTE)
    return desk


def test_a_bar_that_holds_stop_and_target_is_a_loss() -> None:
    answers = protected().on_market(bar(1, "100", "104", "97", "103.5"))
    assert fills(answers) == [taken("-1", "97")]  # the stop at 98, one per cent against us, on the tick
    assert OrderCanceled("target", T0 + 2 * MINUTE, "reduce_only") in answers


def test_a_bar_that_reaches_the_target_alone_fills_it_at_its_price_once_the_price_went_through() -> None:
    desk = protected()
    assert fills(desk.on_market(bar(1, "100", "103", "99", "102"))) == []  # touched, not passed
    assert fills(desk.on_market(bar(2, "102", "103.5", "99", "102"))) == [made("-1", "103")]


def test_an_open_beyond_the_stop_fills_at_the_open() -> None:
    assert fills(protected().on_market(bar(1, "90", "104", "89", "103"))) == [taken("-1", "89")]


def test_a_stop_that_got_only_a_share_of_the_bar_leaves_nothing_to_the_target() -> None:
    desk = protected("10")
    answers = desk.on_market(bar(1, "100", "104", "97", "103.5", volume="20"))
    assert fills(answers) == [taken("-4", "97")]  # a fifth of the volume
    assert fills(desk.on_market(bar(2, "96", "97", "95", "96"))) == [taken("-6", "95")]


def test_a_short_is_the_mirror() -> None:
    desk = long("-1")
    placed(desk, stop("1", "102", name="stop", reduce_only=True), T0 + MINUTE)
    placed(desk, limit("1", "97", "target", reduce_only=True), T0 + MINUTE)
    assert fills(desk.on_market(bar(1, "100", "103", "96", "97"))) == [taken("1", "103.5")]


def test_an_order_that_came_while_a_bar_was_open_waits_for_the_next() -> None:
    desk = long()
    placed(desk, limit("-1", "103", "target", reduce_only=True), T0 + MINUTE + 30 * SECOND)
    assert fills(desk.on_market(bar(1, "100", "110", "99", "105"))) == []
    assert fills(desk.on_market(bar(2, "102", "110", "101", "105"))) == [made("-1", "103")]


def test_a_stop_limit_fired_within_a_bar_rests_from_the_next_on() -> None:
    desk = long()
    placed(desk, stop("-1", "98", price="99", name="stop", reduce_only=True), T0 + MINUTE)
    assert fills(desk.on_market(bar(1, "100", "101", "97", "98.5"))) == []  # at 98 a limit of 99 is not met
    assert fills(desk.on_market(bar(2, "98.5", "99.5", "98", "98.5"))) == [made("-1", "99")]


def test_touching_the_limit_fills_where_the_profile_says_so() -> None:
    desk = protected(model=msgspec.structs.replace(EVEN, touch_fills=True))
    assert fills(desk.on_market(bar(1, "100", "103", "99", "102"))) == [made("-1", "103")]


def test_what_arrives_with_the_bar_may_rest_and_fill_in_it() -> None:
    desk = broker(model=EVEN)
    desk.on_market(bar(0, "100", "100", "100", "100"))
    placed(desk, limit("1", "99", tif=TimeInForce.POST_ONLY), T0 + MINUTE)
    assert fills(desk.on_market(bar(1, "100", "101", "98.5", "100"))) == [made("1", "99")]
