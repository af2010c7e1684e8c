"""What the breakers measure: each value beside its limit, and the edges of what counts."""

import pytest

from engine.core import money
from engine.core.breaker_gauges import Gauge
from engine.core.breaker_table import BREAKERS, SLIPPAGE_ORDERS
from engine.core.config import HOUR, MINUTE, SECOND, PaperModel
from engine.core.events import FeedChanged, FeedHealth, Fill, Role
from engine.core.state import TakerOrder
from engine.core.words import BreakerName
from tests.core.breaker_rig import ROOMY, errors, pass_time, slipped, tripped
from tests.rig import SYMBOL, Rig, d

B = BreakerName


def test_every_breaker_has_its_gauge_in_the_order_of_the_table() -> None:
    gauges = Rig().engine.breakers.gauges
    assert [gauge.name for gauge in gauges.all()] == [spec.name for spec in BREAKERS]
    assert [(gauge.label, gauge.unit) for gauge in gauges.all()] == [(spec.label, spec.unit) for spec in BREAKERS]
    assert gauges.all() == tuple(gauges.of(spec.name) for spec in BREAKERS)
    assert not any(gauge.reached for gauge in gauges.all())


@pytest.mark.parametrize(
    ("name", "value", "limit", "text"),
    [
        (B.CONSECUTIVE_LOSSES, 0, d(5), "0 >= 5"),
        (B.DAILY_LOSS, 0, d(50), "0.00 >= 50.00"),
        (B.DAILY_DRAWDOWN, 0, d("0.05"), "0% >= 5%"),
        (B.TOTAL_DRAWDOWN, 0, d("0.1"), "0% >= 10%"),
        (B.ERRORS, 0, d(20), "0 >= 20"),
        (B.ERROR_RATE, 0, d(10), "0 >= 10"),
        (B.FEED_HEALTH, 0, d(5), "0 >= 5"),
        (B.VENUE_REFUSALS, 0, d(5), "0 >= 5"),
        (B.SLIPPAGE, 0, d("0.00525"), "0% >= 0.525%"),
        (B.PHASE_UNKNOWN, 0, d(1), "0 >= 1"),
        (B.HEAT, 0, d("0.01"), "0% >= 1%"),
    ],
)
def test_a_quiet_desk_measures_nothing(name: B, value: int, limit: int, text: str) -> None:
    gauge = Rig().engine.breakers.gauges.of(name)
    assert (gauge.value, gauge.limit, gauge.text) == (value, limit, text)


def test_an_outage_is_counted_until_its_length_is_nearer_to_its_limit() -> None:
    rig = Rig()
    rig.send(FeedChanged("", rig.now_ns, FeedHealth.DOWN, 0, "gone"))
    gauge = rig.engine.breakers.gauges.of
    pass_time(rig, 2 * MINUTE)
    assert gauge(B.FEED_HEALTH) == Gauge(B.FEED_HEALTH, "feed outages", d(1), d(5), "count"), "a fifth either way"
    pass_time(rig, SECOND)
    assert gauge(B.FEED_HEALTH) == Gauge(B.FEED_HEALTH, "feed outages", d(121), d(600), "seconds")
    rig.send(FeedChanged("", rig.now_ns, FeedHealth.LIVE, 0))
    assert gauge(B.FEED_HEALTH) == Gauge(B.FEED_HEALTH, "feed outages", d(1), d(5), "count"), "it is over"


@pytest.mark.parametrize(
    ("peak", "equity", "fall"),
    [
        (-1, -2, 0),
        (0, -1, 0),
        (1, 0, d(1)),
        (d(100), d(95), d("0.05")),
        (d(100), d(101), 0),
        (d(100), -d(50), d("1.5")),
    ],
)
def test_a_drawdown_is_a_share_of_a_peak_above_zero(peak: int, equity: int, fall: int) -> None:
    rig = Rig()
    rig.engine.state.day_peak_equity = rig.engine.state.peak_equity = peak
    rig.engine.state.cash = equity
    assert rig.engine.breakers.gauges.of(B.DAILY_DRAWDOWN).value == fall
    assert rig.engine.breakers.gauges.of(B.TOTAL_DRAWDOWN).value == fall


def test_what_happened_exactly_an_hour_ago_counts_no_longer() -> None:
    rig = Rig()
    errors(rig, 3, 0)
    pass_time(rig, HOUR - 1)
    assert rig.engine.breakers.gauges.of(B.ERROR_RATE).value == d(3)
    pass_time(rig, 1)
    assert rig.engine.breakers.gauges.of(B.ERROR_RATE).value == 0


def takers(slip: int, count: int = SLIPPAGE_ORDERS) -> dict[str, TakerOrder]:
    """So many orders for one unit, each so much worse than the 1.00 expected."""
    return {f"o{n}": TakerOrder(d(1), d(1), d(1) + slip) for n in range(count)}


def test_orders_filled_better_than_expected_are_no_slippage() -> None:
    rig = Rig()
    rig.engine.state.recent.takers = takers(-1)
    assert rig.engine.breakers.gauges.of(B.SLIPPAGE).value == 0
    rig.engine.state.recent.takers = takers(d("0.001"), SLIPPAGE_ORDERS - 1)
    assert rig.engine.breakers.gauges.of(B.SLIPPAGE).value == 0, "one order more is needed to say anything"
    rig.engine.state.recent.takers = takers(d("0.001"))
    assert rig.engine.breakers.gauges.of(B.SLIPPAGE).value == d("0.001")


def test_what_an_order_got_as_a_taker_adds_up_and_the_oldest_order_is_forgotten() -> None:
    rig = Rig(paper=False, limits=ROOMY)
    rig.propose()
    (order,) = rig.engine.state.orders.values()
    recent = rig.engine.state.recent
    recent.takers = takers(0)
    for n, (qty, price) in enumerate(((3, "100.2"), (4, "100.3"))):
        rig.send(Fill(f"f{n}", order.order_id, SYMBOL, rig.now_ns, 0, d(qty), d(price), 0, Role.TAKER))
    assert recent.takers.pop(order.order_id) == TakerOrder(order.expected, d(7), d("701.8"))
    assert list(recent.takers) == [f"o{n}" for n in range(1, SLIPPAGE_ORDERS)]
    order.expected = 0
    rig.send(Fill("f9", order.order_id, SYMBOL, rig.now_ns, 0, d(1), d(100), 0, Role.TAKER))
    assert order.order_id not in recent.takers, "nothing was expected of it"


def test_where_the_model_expects_no_slippage_the_least_of_it_trips() -> None:
    rig = Rig(paper=False, limits=ROOMY, model=PaperModel(slippage_min=0, slippage_max=0))
    assert rig.engine.breakers.gauges.of(B.SLIPPAGE).limit == 1
    slipped(rig, SLIPPAGE_ORDERS, "0")
    assert not tripped(rig)
    rig.engine.state.recent.takers = takers(1)
    rig.engine.breakers.check(B.SLIPPAGE)
    assert tripped(rig) == [B.SLIPPAGE]


@pytest.mark.parametrize("symbols", [("BTCUSDT",), ("BTCUSDT", "ETHUSDT"), ("BTCUSDT", "ETHUSDT", "SOLUSDT")])
def test_the_phase_is_unknown_where_it_is_of_all_symbols(symbols: tuple[str, ...]) -> None:
    rig = Rig(symbols)
    gauge = rig.engine.breakers.gauges.of
    for count, known in enumerate(rig.engine.state.symbols.values(), start=1):
        assert not gauge(B.PHASE_UNKNOWN).reached
        known.window = type(known.window)()
        assert gauge(B.PHASE_UNKNOWN).value == d(count)
    assert gauge(B.PHASE_UNKNOWN).limit == len(symbols) * money.SCALE
    assert gauge(B.PHASE_UNKNOWN).reached


@pytest.mark.parametrize(("equity", "limit"), [("600", "30"), ("999.99", "49.9995"), ("1000", "50"), ("10000", "50")])
def test_the_daily_loss_is_limited_by_the_amount_or_the_share_whichever_is_smaller(equity: str, limit: str) -> None:
    assert Rig(starting_equity=d(equity)).engine.breakers.gauges.daily_loss_limit() == d(limit)
