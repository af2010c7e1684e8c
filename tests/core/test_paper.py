"""The paper broker's rules, each on a small market with exact figures. Coins and dollars, scaled by `D`."""

import msgspec
import pytest

from engine.core.config import MINUTE, SECOND, Instrument, PaperModel
from engine.core.events import (
    Bar,
    Book,
    BrokerEvent,
    CancelRefused,
    Fill,
    OrderAccepted,
    OrderCanceled,
    OrderRefused,
    Quote,
    Role,
    Trade,
)
from engine.core.facts import Cancel, Submit
from engine.core.money import SCALE, parse
from engine.core.paper import PaperBroker
from engine.core.paper_state import KNOWN_KEPT, PaperState, opening_state
from engine.core.words import OrderKind, TimeInForce

D = parse
T0 = 1_700_000_000 * SECOND
LATENCY = 100_000_000
MODEL = PaperModel(latency_ns_min=LATENCY, latency_ns_max=LATENCY)
COIN = Instrument("COIN", tick=D("0.5"), lot=D("0.01"), min_qty=D("0.02"), max_qty=D("1000"), min_notional=D("5"))
NOTE = Instrument("NOTE", D("0.5"), D("0.01"), D("0.01"), D("1000"), multiplier=100 * SCALE)


def broker(cash: str = "10000", seed: int = 1, model: PaperModel = MODEL) -> PaperBroker:
    return PaperBroker({"COIN": COIN, "NOTE": NOTE}, model, seed, opening_state(D(cash)))


def quote(at_ns: int, bid: str = "100", ask: str = "101", bid_qty: str = "5", ask_qty: str = "5") -> Quote:
    return Quote("COIN", at_ns, at_ns, D(bid), D(ask), D(bid_qty), D(ask_qty))


def book(at_ns: int, bids: str, asks: str) -> Book:
    """`bids` and `asks` like "100:5 99:3"."""
    return Book("COIN", at_ns, at_ns, _levels(bids), _levels(asks))


def _levels(text: str) -> tuple[tuple[int, int], ...]:
    return tuple((D(price), D(qty)) for price, qty in (level.split(":") for level in text.split()))


def trade(at_ns: int, price: str, qty: str, side: int = 0) -> Trade:
    return Trade("COIN", at_ns, at_ns, D(price), D(qty), side)


def bar(number: int, o: str, high: str, low: str, c: str, volume: str = "100") -> Bar:
    start = T0 + number * MINUTE
    return Bar("COIN", start + MINUTE, start, MINUTE, D(o), D(high), D(low), D(c), D(volume))


def market(qty: str, name: str = "m", reduce_only: bool = False, tif: TimeInForce = TimeInForce.GTC) -> Submit:
    return Submit(name, "COIN", D(qty), OrderKind.MARKET, tif, 0, reduce_only)


def limit(
    qty: str, price: str, name: str = "l", tif: TimeInForce = TimeInForce.GTC, reduce_only: bool = False
) -> Submit:
    return Submit(name, "COIN", D(qty), OrderKind.LIMIT, tif, D(price), reduce_only)


def fills(answers: list[BrokerEvent]) -> list[tuple[int, int, Role]]:
    return [(a.qty, a.price, a.role) for a in answers if isinstance(a, Fill)]


def taken(qty: str, price: str) -> tuple[int, int, Role]:
    return D(qty), D(price), Role.TAKER


def made(qty: str, price: str) -> tuple[int, int, Role]:
    return D(qty), D(price), Role.MAKER


def placed(desk: PaperBroker, order: Submit, at_ns: int = T0) -> list[BrokerEvent]:
    """Send `order` and let it arrive."""
    desk.submit(order, at_ns)
    return desk.advance(at_ns + LATENCY)


# --- latency ---


def test_an_order_takes_effect_its_latency_after_it_was_sent_and_not_before() -> None:
    desk = broker()
    desk.on_market(quote(T0))
    desk.submit(market("1"), T0)
    assert desk.next_due_ns == T0 + LATENCY
    assert desk.advance(T0 + LATENCY - 1) == []
    accepted, fill = desk.advance(T0 + LATENCY)
    assert accepted == OrderAccepted("m", T0 + LATENCY, "paper-1")
    assert isinstance(fill, Fill) and fill.at_ns == T0 + LATENCY
    assert desk.next_due_ns == 0


def test_an_order_due_before_an_event_meets_the_market_as_it_was_before_it() -> None:
    desk = broker()
    desk.on_market(quote(T0))
    desk.submit(market("1"), T0)
    answers = desk.on_market(quote(T0 + SECOND, bid="110", ask="111"))
    assert fills(answers) == [taken("1", "101")]
    assert answers[0].at_ns == T0 + LATENCY


def test_an_order_still_on_its_way_meets_the_market_as_it_is_when_it_arrives() -> None:
    desk = broker()
    desk.on_market(quote(T0))
    desk.submit(market("1"), T0)
    assert desk.on_market(quote(T0 + LATENCY // 2, bid="110", ask="111")) == []
    assert fills(desk.advance(T0 + SECOND)) == [taken("1", "111")]


def test_latency_is_drawn_within_its_bounds_and_repeats_for_the_same_seed() -> None:
    def dues(seed: int) -> list[int]:
        desk, found = broker(seed=seed, model=PaperModel()), []
        for number in range(200):
            desk.submit(market("1", name=f"m{number}"), T0)
            found.append(desk.state.pending)
        return sorted(arrival.due_ns - T0 for arrival in found[-1])

    assert dues(7) == dues(7) != dues(8)
    assert 60_000_000 <= dues(7)[0] < 65_000_000 < 135_000_000 < dues(7)[-1] <= 140_000_000


def test_a_cancel_never_overtakes_the_submit_of_its_order() -> None:
    for seed in range(20):
        desk = broker(seed=seed, model=PaperModel())
        desk.on_market(quote(T0))
        desk.submit(limit("1", "99"), T0)
        desk.cancel(Cancel("l", "COIN"), T0)
        accepted, canceled = desk.advance(T0 + SECOND)
        assert isinstance(accepted, OrderAccepted)
        assert isinstance(canceled, OrderCanceled) and canceled.reason == "requested"


def test_a_fill_between_a_cancel_sent_and_its_arrival_counts_and_the_cancel_is_refused() -> None:
    desk = broker()
    desk.on_market(quote(T0))
    placed(desk, limit("1", "100.5"))
    desk.cancel(Cancel("l", "COIN"), T0 + SECOND)
    assert fills(desk.on_market(trade(T0 + SECOND + 1, "100", "3"))) == [made("1", "100.5")]
    (refused,) = desk.advance(T0 + 2 * SECOND)
    assert refused == CancelRefused("l", T0 + SECOND + LATENCY, "unknown_order", "no such working order")


# --- takers ---


def test_a_market_order_walks_the_book_and_pays_the_taker_fee_on_each_level() -> None:
    desk = broker()
    desk.on_market(book(T0, "100:1", "101:1 102:2 104:9"))
    answers = placed(desk, market("4"))
    assert fills(answers) == [taken("1", "101"), taken("2", "102"), taken("1", "104")]
    assert [a.fee for a in answers if isinstance(a, Fill)] == [D("0.101"), D("0.204"), D("0.104")]
    assert [a.fill_id for a in answers if isinstance(a, Fill)] == ["m:1", "m:2", "m:3"]
    assert {a.slippage_source for a in answers if isinstance(a, Fill)} == {"book"}
    assert desk.state.ledger.cash == D("10000") - D("101") - D("204") - D("104") - D("0.409")


def test_a_seller_walks_the_bids() -> None:
    desk = broker()
    desk.on_market(book(T0, "100:1 99:5", "101:1"))
    assert fills(placed(desk, market("-2"))) == [taken("-1", "100"), taken("-1", "99")]


def test_what_the_book_does_not_show_is_not_filled_until_a_newer_book_shows_it() -> None:
    desk = broker()
    desk.on_market(book(T0, "100:1", "101:1 102:2"))
    assert fills(placed(desk, market("5"))) == [taken("1", "101"), taken("2", "102")]
    assert desk.on_market(trade(T0 + SECOND, "102", "50")) == []
    assert fills(desk.on_market(book(T0 + 2 * SECOND, "100:1", "103:9"))) == [taken("2", "103")]
    assert desk.state.working == {}


def test_own_consumption_is_remembered_until_the_book_is_replaced() -> None:
    desk = broker()
    desk.on_market(book(T0, "100:1", "101:2 102:2"))
    assert fills(placed(desk, market("1.5", "a"))) == [taken("1.5", "101")]
    assert fills(placed(desk, market("1.5", "b"), T0 + 1)) == [taken("0.5", "101"), taken("1", "102")]
    desk.on_market(book(T0 + SECOND, "100:1", "101:2 102:2"))
    assert fills(placed(desk, market("1.5", "c"), T0 + SECOND)) == [taken("1.5", "101")]


def test_with_only_a_quote_the_displayed_size_fills_and_the_rest_waits_for_the_next_quote() -> None:
    desk = broker()
    desk.on_market(quote(T0, ask_qty="2"))
    assert fills(placed(desk, market("5"))) == [taken("2", "101")]
    assert fills(desk.on_market(quote(T0 + SECOND, ask="103", ask_qty="2"))) == [taken("2", "103")]
    assert fills(desk.on_market(quote(T0 + 2 * SECOND, ask="102", ask_qty="2"))) == [taken("1", "102")]


def test_a_quote_newer_than_the_book_replaces_its_levels_up_to_the_touch() -> None:
    desk = broker()
    desk.on_market(book(T0, "100:1", "101:5 102:5 103:5"))
    desk.on_market(quote(T0 + 1, bid="100", ask="102", ask_qty="1"))
    assert fills(placed(desk, market("3"), T0 + 1)) == [taken("1", "102"), taken("2", "103")]


def test_a_quote_renews_the_touch_and_nothing_deeper() -> None:
    desk = broker()
    desk.on_market(book(T0, "100:1", "101:1 102:1"))
    placed(desk, market("2", "a"))
    desk.on_market(quote(T0 + SECOND, ask="101", ask_qty="1"))
    assert fills(placed(desk, market("2", "b"), T0 + SECOND)) == [taken("1", "101")]


def test_without_a_book_what_was_taken_is_forgotten_with_the_next_quote() -> None:
    desk = broker()
    desk.on_market(quote(T0, ask="101", ask_qty="2"))
    placed(desk, market("2", "a"))
    assert desk.state.taken.of
    desk.on_market(quote(T0 + SECOND, bid="98", ask="99", ask_qty="2"))
    assert desk.state.taken.of == {}


def test_a_market_order_without_a_fresh_price_waits_for_one() -> None:
    desk = broker()
    desk.on_market(quote(T0))
    late = T0 + 16 * SECOND
    assert fills(placed(desk, market("1"), late)) == []
    assert fills(desk.on_market(quote(late + SECOND, bid="90", ask="91"))) == [taken("1", "91")]


def test_an_ioc_order_takes_what_is_there_and_cancels_the_rest() -> None:
    desk = broker()
    desk.on_market(book(T0, "100:1", "101:1 102:2"))
    answers = placed(desk, limit("5", "101", tif=TimeInForce.IOC))
    assert fills(answers) == [taken("1", "101")]
    assert answers[-1] == OrderCanceled("l", T0 + LATENCY, "ioc")
    assert isinstance(placed(desk, market("9", "m", tif=TimeInForce.IOC), T0 + 1)[-1], OrderCanceled)


def test_a_marketable_limit_takes_up_to_its_price_and_rests_with_what_is_left() -> None:
    desk = broker()
    desk.on_market(book(T0, "100:1", "101:1 102:2"))
    assert fills(placed(desk, limit("3", "101"))) == [taken("1", "101")]
    assert desk.state.working["COIN"]["l"].ahead == 0
    assert fills(desk.on_market(trade(T0 + SECOND, "101", "1.5", -1))) == [made("1.5", "101")]


def test_in_a_locked_market_a_taker_pays_its_price_and_a_post_only_order_at_it_would_take() -> None:
    desk = broker()
    desk.on_market(quote(T0, bid="100", ask="100"))
    assert fills(placed(desk, market("0.5"))) == [taken("0.5", "100")]
    cancelled = OrderCanceled("l", T0 + LATENCY, "post_only")
    assert placed(desk, limit("1", "100", tif=TimeInForce.POST_ONLY))[-1] == cancelled
    placed(desk, limit("1", "99.5", "rests", TimeInForce.POST_ONLY))
    assert fills(desk.on_market(quote(T0 + SECOND, bid="99.5", ask="99.5", ask_qty="50"))) == [made("1", "99.5")]


def test_a_post_only_order_that_would_take_is_cancelled() -> None:
    desk = broker()
    desk.on_market(quote(T0))
    answers = placed(desk, limit("1", "101", tif=TimeInForce.POST_ONLY))
    assert answers == [OrderAccepted("l", T0 + LATENCY, "paper-1"), OrderCanceled("l", T0 + LATENCY, "post_only")]
    assert desk.state.working == {}


# --- resting orders ---


def test_a_resting_order_waits_behind_the_size_displayed_at_its_price() -> None:
    desk = broker()
    desk.on_market(quote(T0, bid_qty="5"))
    placed(desk, limit("2", "100", tif=TimeInForce.POST_ONLY))
    assert desk.on_market(trade(T0 + SECOND, "100", "4", -1)) == []
    answers = desk.on_market(trade(T0 + 2 * SECOND, "100", "2.5", -1))
    assert fills(answers) == [made("1.5", "100")]
    assert [a.fee for a in answers if isinstance(a, Fill)] == [D("0.075")]
    assert fills(desk.on_market(trade(T0 + 3 * SECOND, "100", "9", -1))) == [made("0.5", "100")]


def test_buyers_at_the_own_bid_move_no_queue_and_trades_above_it_neither() -> None:
    desk = broker()
    desk.on_market(quote(T0, bid_qty="1"))
    placed(desk, limit("2", "100"))
    assert desk.on_market(trade(T0 + SECOND, "100", "9", 1)) == []
    assert desk.on_market(trade(T0 + SECOND, "100.5", "9", -1)) == []
    assert desk.state.working["COIN"]["l"].ahead == D("1")


def test_a_trade_through_the_price_fills_whatever_the_queue_but_no_more_than_traded() -> None:
    desk = broker()
    desk.on_market(quote(T0, bid_qty="500"))
    placed(desk, limit("2", "100"))
    assert fills(desk.on_market(trade(T0 + SECOND, "99.5", "0.5", -1))) == [made("0.5", "100")]
    assert fills(desk.on_market(trade(T0 + SECOND, "99.5", "50", -1))) == [made("1.5", "100")]


def test_own_orders_share_one_trade_best_price_first() -> None:
    desk = broker()
    desk.on_market(quote(T0))
    placed(desk, limit("2", "99", "low"))
    placed(desk, limit("2", "99.5", "high"), T0 + 1)
    answers = desk.on_market(trade(T0 + SECOND, "98", "3"))
    assert [(a.client_order_id, a.qty) for a in answers if isinstance(a, Fill)] == [("high", D("2")), ("low", D("1"))]


def test_an_order_deeper_than_the_visible_levels_learns_its_queue_when_its_price_is_shown() -> None:
    desk = broker()
    desk.on_market(quote(T0))
    placed(desk, limit("1", "99"))
    assert desk.on_market(trade(T0 + SECOND, "99", "50", -1)) == []  # nobody knows who was first at 99
    desk.on_market(quote(T0 + 2 * SECOND, bid="99", bid_qty="3"))
    assert desk.on_market(trade(T0 + 3 * SECOND, "99", "3", -1)) == []
    assert fills(desk.on_market(trade(T0 + 4 * SECOND, "99", "1", -1))) == [made("1", "99")]


def test_with_quotes_only_a_resting_order_fills_once_the_other_side_reaches_its_price() -> None:
    desk = broker()
    desk.on_market(quote(T0))
    placed(desk, limit("2", "100"))
    assert desk.on_market(quote(T0 + SECOND, bid="99", ask="100.5")) == []
    assert fills(desk.on_market(quote(T0 + 2 * SECOND, bid="99", ask="100", ask_qty="0.5"))) == [made("0.5", "100")]
    assert fills(desk.on_market(quote(T0 + 3 * SECOND, bid="98", ask="98.5"))) == [made("1.5", "100")]


def test_a_resting_sell_is_the_mirror_of_a_buy() -> None:
    desk = broker()
    desk.on_market(quote(T0, ask_qty="1"))
    placed(desk, limit("-2", "101"))
    assert fills(desk.on_market(trade(T0 + SECOND, "101", "1.5", 1))) == [made("-0.5", "101")]
    assert fills(desk.on_market(trade(T0 + SECOND, "101.5", "9", 1))) == [made("-1.5", "101")]


# --- bars and bare trades ---


def test_with_bars_only_a_market_order_fills_at_the_next_open_with_adverse_slippage() -> None:
    desk = broker()
    desk.on_market(bar(0, "100", "101", "99", "100"))
    assert fills(placed(desk, market("2"), T0 + MINUTE)) == []
    ((qty, price, role),) = fills(desk.on_market(bar(1, "200", "230", "100", "210")))
    assert (qty, role) == (D("2"), Role.TAKER)
    assert D("200.1") <= price <= D("200.6") + COIN.tick and price % COIN.tick == 0


def test_slippage_stays_within_its_bounds_is_always_adverse_and_repeats() -> None:
    fine = Instrument("COIN", tick=1, lot=D("0.01"), min_qty=D("0.01"), max_qty=D("1000"))

    def prices(side: int, seed: int) -> list[int]:
        desk = PaperBroker({"COIN": fine}, MODEL, seed, opening_state(D("100000000")))
        desk.on_market(bar(0, "100", "101", "99", "100"))
        for number in range(300):
            placed(desk, market(str(side), f"m{number}"), T0 + MINUTE)
        return [price for _, price, _ in fills(desk.on_market(bar(1, "100", "101", "99", "100", "100000")))]

    bought, sold = prices(1, 3), prices(-1, 3)
    assert len(bought) == 300
    assert D("100.05") <= min(bought) < D("100.06") and D("100.29") < max(bought) <= D("100.3")
    assert D("99.7") <= min(sold) and max(sold) <= D("99.95")
    assert prices(1, 3) == bought != prices(1, 4)


def test_a_bar_fills_at_most_a_fifth_of_its_volume() -> None:
    desk = broker()
    desk.on_market(bar(0, "100", "101", "99", "100"))
    placed(desk, market("3", "a"), T0 + MINUTE)
    placed(desk, market("3", "b"), T0 + MINUTE)
    assert [qty for qty, _, _ in fills(desk.on_market(bar(1, "100", "101", "99", "100", "20")))] == [D("3"), D("1")]
    assert [qty for qty, _, _ in fills(desk.on_market(bar(2, "100", "101", "99", "100", "20")))] == [D("2")]


def test_a_resting_order_fills_from_a_bar_only_strictly_through_its_price_and_at_its_price() -> None:
    desk = broker()
    desk.on_market(bar(0, "100", "101", "99", "100"))
    placed(desk, limit("1", "95", tif=TimeInForce.POST_ONLY), T0 + MINUTE)
    assert desk.on_market(bar(1, "100", "101", "95", "96")) == []
    answers = desk.on_market(bar(2, "90", "97", "89", "96"))  # gapped better: still the limit price
    assert fills(answers) == [made("1", "95")]
    assert [a.slippage_source for a in answers if isinstance(a, Fill)] == ["static"]


def test_no_bar_fills_an_order_that_was_placed_while_it_was_open() -> None:
    desk = broker()
    desk.on_market(bar(0, "100", "101", "99", "100"))
    placed(desk, limit("1", "99.5", "l"), T0 + MINUTE + 30 * SECOND)
    placed(desk, market("1", "m"), T0 + MINUTE + 30 * SECOND)
    assert desk.on_market(bar(1, "100", "101", "90", "100")) == []
    assert len(fills(desk.on_market(bar(2, "100", "101", "90", "100")))) == 2


def test_a_post_only_order_is_cancelled_when_the_next_bar_opens_through_its_price() -> None:
    desk = broker()
    desk.on_market(bar(0, "100", "101", "99", "100"))
    placed(desk, limit("1", "99", tif=TimeInForce.POST_ONLY), T0 + MINUTE)
    assert desk.on_market(bar(1, "98", "99", "97", "98")) == [OrderCanceled("l", T0 + 2 * MINUTE, "post_only")]


def test_bars_fill_nothing_while_quotes_are_live_and_backfilled_bars_never_do() -> None:
    desk = broker()
    desk.on_market(quote(T0 + MINUTE, bid="100", ask="101"))
    placed(desk, limit("1", "95"), T0 + MINUTE)
    desk.on_market(quote(T0 + MINUTE + 30 * SECOND, bid="100", ask="101"))
    assert desk.on_market(bar(1, "100", "101", "90", "100")) == []
    assert desk.on_market(msgspec.structs.replace(bar(5, "100", "101", "90", "100"), backfilled=True)) == []
    assert fills(desk.on_market(bar(5, "100", "101", "90", "100"))) == [made("1", "95")]


def test_with_trades_only_a_market_order_fills_at_the_next_trade_with_slippage_and_a_share_of_it() -> None:
    desk = broker()
    desk.on_market(trade(T0, "100", "5"))
    assert fills(placed(desk, market("2"))) == []
    ((qty, price, role),) = fills(desk.on_market(trade(T0 + SECOND, "100", "5")))
    assert (qty, role) == (D("1"), Role.TAKER) and price >= D("100.05")


# --- reduce-only ---


def test_a_reduce_only_order_is_clipped_to_the_position_and_then_cancelled() -> None:
    desk = broker()
    desk.on_market(quote(T0, bid_qty="50"))
    placed(desk, market("2", "in"))
    answers = placed(desk, market("-5", "out", reduce_only=True), T0 + 1)
    assert fills(answers) == [taken("-2", "100")]
    assert answers[-1] == OrderCanceled("out", T0 + 1 + LATENCY, "reduce_only")
    assert desk.state.ledger.positions == {}


def test_a_reduce_only_order_without_a_position_or_on_its_side_is_cancelled_at_once() -> None:
    desk = broker()
    desk.on_market(quote(T0))
    assert placed(desk, market("-1", "a", reduce_only=True))[-1] == OrderCanceled("a", T0 + LATENCY, "reduce_only")
    placed(desk, market("1", "in"), T0 + 1)
    assert isinstance(placed(desk, market("1", "b", reduce_only=True), T0 + 2)[-1], OrderCanceled)


def test_a_resting_target_is_cancelled_when_the_stop_has_closed_the_position() -> None:
    desk = broker()
    desk.on_market(quote(T0))
    placed(desk, market("2", "in"))
    placed(desk, limit("-2", "105", "target", reduce_only=True), T0 + 1)
    answers = placed(desk, market("-2", "stop", reduce_only=True), T0 + 2)
    assert answers[-1] == OrderCanceled("target", T0 + 2 + LATENCY, "reduce_only")
    assert desk.state.working == {}


# --- refusals ---


@pytest.mark.parametrize(
    ("order", "code"),
    [
        (Submit("x", "WHAT", D("1"), OrderKind.MARKET, TimeInForce.GTC, 0, False), "symbol_not_allowed"),
        (market("0"), "zero_size"),
        (market("1.005"), "venue_refused"),
        (market("0.01"), "below_min_qty"),
        (market("1000.01"), "above_max_qty"),
        (limit("1", "100.25"), "venue_refused"),
        (limit("1", "-5"), "venue_refused"),
        (limit("0.04", "100"), "below_min_notional"),
        (market("1", tif=TimeInForce.POST_ONLY), "venue_refused"),
    ],
)
def test_an_order_the_venue_would_not_take_is_refused_with_its_code(order: Submit, code: str) -> None:
    desk = broker()
    desk.on_market(quote(T0))
    (refused,) = placed(desk, order)
    assert isinstance(refused, OrderRefused) and refused.code == code
    assert desk.state.working == {}


def test_the_smallest_sizes_pass_and_reduce_only_orders_are_exempt_from_them() -> None:
    desk = broker()
    desk.on_market(quote(T0))
    assert isinstance(placed(desk, limit("0.05", "100", "a"))[0], OrderAccepted)
    placed(desk, market("1", "in"))
    assert fills(placed(desk, market("-0.01", "out", reduce_only=True), T0 + 1)) == [taken("-0.01", "100")]


def test_a_symbol_without_any_price_is_refused() -> None:
    (refused,) = placed(broker(), market("1"))
    assert isinstance(refused, OrderRefused) and refused.code == "no_price"


def test_an_order_id_that_is_known_gets_its_first_answer_again_and_nothing_else() -> None:
    desk = broker()
    desk.on_market(quote(T0))
    placed(desk, limit("1", "99"))
    assert placed(desk, limit("5", "101"), T0 + 1) == [OrderAccepted("l", T0 + 1 + LATENCY, "paper-1")]
    assert desk.state.working["COIN"]["l"].order == limit("1", "99")
    placed(desk, limit("0", "99", "bad"), T0 + 2)
    (refused,) = placed(desk, limit("1", "99", "bad"), T0 + 3)
    assert isinstance(refused, OrderRefused) and refused.code == "duplicate"


def test_the_newest_thousand_order_ids_are_remembered() -> None:
    desk = broker()
    desk.on_market(quote(T0))
    for number in range(KNOWN_KEPT + 1):
        placed(desk, limit("0", "99", f"o{number}"), T0)
    assert len(desk.state.known) == KNOWN_KEPT and "o0" not in desk.state.known


def test_exposure_may_reach_twenty_times_equity_and_not_pass_it() -> None:
    desk = broker(cash="1000")
    desk.on_market(quote(T0, bid="100", ask="100.5"))
    assert isinstance(placed(desk, limit("150", "100", "a"))[0], OrderAccepted)
    assert isinstance(placed(desk, limit("-49", "101", "b"), T0 + 1)[0], OrderAccepted)  # 15,000 + 4,949 of 20,000
    desk = broker(cash="1000")
    desk.on_market(quote(T0, bid="100", ask="100.5"))
    assert isinstance(placed(desk, limit("200", "100", "a"))[0], OrderAccepted)
    (refused,) = placed(desk, limit("0.05", "100", "b"), T0 + 1)
    assert isinstance(refused, OrderRefused) and refused.code == "insufficient_margin"


def test_closing_a_position_needs_no_margin() -> None:
    desk = broker(cash="1000")
    desk.on_market(quote(T0, bid="100", ask="100", ask_qty="500", bid_qty="500"))
    placed(desk, limit("199", "100", "in"))
    assert fills(placed(desk, market("-199", "out"), T0 + 1)) == [taken("-199", "100")]


# --- the ledger ---


def test_reversing_through_flat_closes_at_cost_and_opens_at_the_new_price() -> None:
    desk = broker()
    desk.on_market(quote(T0, bid="100", ask="100"))
    placed(desk, market("1", "a"))
    desk.on_market(quote(T0 + SECOND, bid="120", ask="120"))
    placed(desk, market("-1.5", "b"), T0 + SECOND)
    ledger = desk.state.ledger
    assert (ledger.positions["COIN"].qty, ledger.positions["COIN"].cost) == (D("-0.5"), D("-60"))
    assert ledger.fees == D("0.1") + D("0.18")
    assert ledger.wallet() == D("10000") + D("20") - D("0.28")
    desk.on_market(quote(T0 + 2 * SECOND, bid="110", ask="110"))
    assert desk.equity() == ledger.wallet() + D("5")


def test_closing_a_part_leaves_the_average_price_of_the_rest() -> None:
    desk = broker()
    desk.on_market(book(T0, "99:9", "100:1 103:2"))
    placed(desk, market("3", "a"))
    placed(desk, market("-1", "b"), T0 + 1)
    position = desk.state.ledger.positions["COIN"]
    assert (position.qty, position.cost) == (D("2"), D("204"))


@pytest.mark.parametrize("source", ["config", "venue"])
def test_both_roles_pay_the_fee_of_their_role_and_every_fill_says_whose_fees_these_are(source: str) -> None:
    coin = msgspec.structs.replace(COIN, maker_fee=D("0.0002"), taker_fee=D("0.0006"), fee_source=source)
    desk = PaperBroker({"COIN": coin}, MODEL, 1, opening_state(D("10000")))
    desk.on_market(quote(T0))
    (_, taker) = placed(desk, market("2"))
    placed(desk, limit("2", "100", "rest"), T0 + 1)
    (maker,) = desk.on_market(trade(T0 + SECOND, "99.5", "9", -1))
    assert isinstance(taker, Fill) and isinstance(maker, Fill)
    assert (taker.fee, maker.fee) == (D("0.1212"), D("0.04"))  # 0.06 % of 202, 0.02 % of 200
    assert (taker.fee_source, maker.fee_source) == (source, source)


def test_a_multiplier_counts_in_notional_fee_and_result() -> None:
    desk = broker()
    desk.on_market(Quote("NOTE", T0, T0, D("2"), D("2"), D("9"), D("9")))
    order = Submit("n", "NOTE", D("3"), OrderKind.MARKET, TimeInForce.GTC, 0, False)
    (_, fill) = placed(desk, order)
    assert isinstance(fill, Fill) and fill.fee == D("0.6")
    desk.on_market(Quote("NOTE", T0 + SECOND, T0, D("3"), D("3"), D("9"), D("9")))
    assert desk.equity() == D("10000") + D("300") - D("0.6")


def test_longs_pay_positive_funding_and_shorts_receive_it() -> None:
    for qty, paid in (("2", D("0.02")), ("-2", D("-0.02"))):
        desk = broker()
        desk.on_market(quote(T0, bid="100", ask="100"))
        placed(desk, market(qty))
        before = desk.state.ledger.cash
        assert desk.on_funding("COIN", D("0.0001"), D("100")) == paid
        assert desk.state.ledger.cash == before - paid and desk.state.ledger.funding == paid


# --- memory ---


def test_a_snapshot_of_before_the_profiles_still_decodes() -> None:
    old = {
        "ledger": {"cash": D("90"), "fees": 1, "funding": 2, "positions": {"COIN": {"qty": D("1"), "cost": D("9")}}},
        "market": {"quotes": {}, "books": {}, "trades": {}, "bars": {}, "consumed": {"COIN": {D("101"): D("2")}}},
        "working": {"COIN": {"l": {"order": limit("1", "99"), "number": 1, "arrived_ns": T0, "met": True, "ahead": 5}}},
        "pending": [{"due_ns": T0, "number": 2, "submit": market("1"), "cancel": None}],
        "submitted": 2,
    }
    state = msgspec.msgpack.decode(msgspec.msgpack.encode(old), type=PaperState)
    assert (state.ledger.qty("COIN"), state.submitted, state.shadows) == (D("1"), 2, {})
    assert state.working["COIN"]["l"].ahead == 5 and state.pending[0].submit == market("1")


def test_a_snapshot_in_the_middle_goes_on_exactly_where_it_was() -> None:
    events: list[Quote | Trade | Book] = [
        book(T0 + SECOND, "100:2 99:1", "101:1 102:1"),
        trade(T0 + 2 * SECOND, "100", "3", -1),
        quote(T0 + 3 * SECOND, bid="99", ask="99.5", ask_qty="1"),
        trade(T0 + 4 * SECOND, "98.5", "1", -1),
    ]

    def busy() -> PaperBroker:
        desk = broker(model=PaperModel())
        desk.on_market(quote(T0))
        desk.submit(limit("4", "100", "rest"), T0)
        desk.submit(market("3", "take"), T0 + SECOND)
        return desk

    straight = busy()
    expected = [straight.on_market(event) for event in events]
    for cut in range(len(events)):
        desk = busy()
        seen = [desk.on_market(event) for event in events[:cut]]
        raw = msgspec.msgpack.encode(desk.state)
        instruments = {"COIN": COIN, "NOTE": NOTE}
        again = PaperBroker(instruments, PaperModel(), 1, msgspec.msgpack.decode(raw, type=PaperState))
        assert again.next_due_ns == desk.next_due_ns
        assert seen + [again.on_market(event) for event in events[cut:]] == expected
        assert again.state == straight.state
