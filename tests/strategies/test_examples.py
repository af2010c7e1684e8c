"""The two examples: what they propose on fixed data, when they leave, how often they ask."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from engine.core import money
from engine.core.config import MINUTE, SECOND
from engine.core.events import Bar, Quote
from engine.core.money import parse as D
from engine.core.strategy import ExitWish, Proposal
from engine.core.words import Side
from engine.strategies import make, spec
from engine.strategies.base import Bracket, Window, bracketed, resting_price, true_range
from engine.strategies.reversion import Reversion
from engine.strategies.trend import Trend

T0 = 1_700_000_040 * SECOND
TICK = D("0.01")


class Desk:
    """What a strategy may look at: the newest quote, and whether the symbol is taken."""

    def __init__(self) -> None:
        self.busy = False
        self.last: Quote | None = None

    def quote(self, symbol: str) -> Quote | None:
        return self.last

    def tick(self, symbol: str) -> int:
        return TICK

    def is_busy(self, symbol: str) -> bool:
        return self.busy


def bar(number: int, close: str, high: str = "", low: str = "", span_ns: int = MINUTE, backfilled: bool = False) -> Bar:
    price = D(close)
    top, bottom = D(high) if high else price + D("0.1"), D(low) if low else price - D("0.1")
    start = T0 + number * span_ns
    return Bar("AAA", start + span_ns, start, span_ns, price, top, bottom, price, D("5"), backfilled)


def quote(at_ns: int, bid: str, ask: str) -> Quote:
    return Quote("AAA", at_ns, at_ns, D(bid), D(ask), D("1"), D("1"))


def reversion(**params: int) -> Reversion:
    made: object = make(spec("r", "reversion", {"average_bars": 5, "band_percent": 200, **params}, ["AAA"]))
    assert isinstance(made, Reversion)
    return made


def seeded(strategy: Reversion, desk: Desk, close: str = "100") -> Reversion:
    """Five bars at `close` with a true range of 0.2: the band is 0.4 around it."""
    for number in range(5):
        assert strategy.on_bar(bar(number, close, backfilled=True), desk) == ()
    return strategy


NOW = T0 + 5 * MINUTE


# --- reversion ---


def test_below_the_band_it_rests_a_buy_just_behind_the_touch_with_stop_and_target() -> None:
    wishes = seeded(reversion(), Desk()).on_quote(quote(NOW, "99.60", "99.64"), Desk())
    assert list(wishes) == [
        Proposal(
            "AAA",
            Side.LONG,
            entry=D("99.59"),
            stop=D("97.99"),
            target=D("101.29"),
            text="41.0 bp below the average of 5 bars",
            hold_ns=240 * MINUTE,
        )
    ]


def test_above_the_band_it_rests_a_sell_just_behind_the_ask() -> None:
    (wish,) = seeded(reversion(), Desk()).on_quote(quote(NOW, "100.40", "100.41"), Desk())
    assert isinstance(wish, Proposal)
    assert (wish.side, wish.entry) == (Side.SHORT, D("100.43"))
    assert wish.target < wish.entry < wish.stop


def test_inside_the_band_and_before_enough_bars_it_wishes_nothing() -> None:
    strategy = reversion()
    assert strategy.on_quote(quote(T0, "1", "1.01"), Desk()) == ()
    seeded(strategy, Desk())
    assert strategy.on_quote(quote(NOW, "99.61", "99.62"), Desk()) == ()
    assert strategy.on_quote(quote(NOW, "100.38", "100.39"), Desk()) == ()


def asked_at(strategy: Reversion, desk: Desk, seconds: int, busy: range = range(0)) -> list[int]:
    """The seconds at which it proposes while the price stays outside the band and the desk is busy during `busy`."""
    asked = []
    for second in range(seconds):
        desk.busy = second in busy
        if strategy.on_quote(quote(NOW + second * SECOND, "99.5", "99.51"), desk):
            asked.append(second)
    return asked


def test_what_leads_to_nothing_is_proposed_again_at_once_and_then_after_a_pause_that_doubles() -> None:
    strategy = seeded(reversion(retry_minutes=2), Desk())
    assert asked_at(strategy, Desk(), 1_500) == [0, 41, 41 + 160, 41 + 160 + 280, 41 + 160 + 280 + 520]


def test_the_pause_never_grows_beyond_the_rest_after_a_position() -> None:
    strategy = seeded(reversion(retry_minutes=2, rest_minutes=3), Desk())
    assert asked_at(strategy, Desk(), 1_500)[3:] == [421, 641, 861, 1081, 1301]


def test_after_a_position_it_rests_longer() -> None:
    strategy = seeded(reversion(rest_minutes=20), Desk())
    assert asked_at(strategy, Desk(), 1_330, busy=range(1, 90)) == [0, 100 + 20 * 60]


def test_while_the_symbol_is_taken_it_proposes_nothing() -> None:
    desk = Desk()
    desk.busy = True
    assert seeded(reversion(), desk).on_quote(quote(NOW, "99", "99.01"), desk) == ()


@pytest.mark.parametrize(
    ("bid", "leaves"),
    [("99.80", False), ("99.99", False), ("100.00", True), ("100.50", True)],
)
def test_it_leaves_a_long_once_price_is_back_at_the_average_and_has_paid_the_costs(bid: str, leaves: bool) -> None:
    desk, strategy = Desk(), seeded(reversion(gain_bp=25), Desk())
    strategy.on_quote(quote(NOW, "99.60", "99.61"), desk)  # entry 99.59, paid at 99.839
    ask = money.text(D(bid) + TICK)
    wishes = strategy.on_quote(quote(NOW + SECOND, bid, ask), desk)
    assert list(wishes) == ([ExitWish("AAA", "back at the average")] if leaves else [])


def test_being_back_at_the_average_without_having_paid_the_costs_is_no_reason_to_leave() -> None:
    desk, strategy = Desk(), seeded(reversion(gain_bp=100), Desk())
    strategy.on_quote(quote(NOW, "100.40", "100.41"), desk)  # short at 100.43, paid at 99.4257
    assert strategy.on_quote(quote(NOW + SECOND, "99.5", "99.51"), desk) == ()
    assert strategy.on_quote(quote(NOW + SECOND, "99.3", "99.31"), desk) == (ExitWish("AAA", "back at the average"),)


# --- trend ---


def trend(**params: int) -> Trend:
    small = {"span_seconds": 60, "fast_bars": 2, "slow_bars": 4, "breakout_bars": 3}
    made: object = make(spec("t", "trend", {**small, **params}, ["AAA"]))
    assert isinstance(made, Trend)
    return made


CLOSES = ["100", "100", "100", "100.05", "100.3", "100.6", "99.2", "98.9"]


def wishes_on(strategy: Trend, desk: Desk, closes: Sequence[str]) -> dict[int, Any]:
    found = {}
    for number, close in enumerate(closes):
        desk.last = quote(T0 + number * MINUTE, close, money.text(D(close) + TICK))
        wishes = strategy.on_bar(bar(number, close), desk)
        if wishes:
            (found[number],) = wishes
    return found


def test_fixed_bars_give_a_fixed_list_of_proposals() -> None:
    found = wishes_on(trend(rest_minutes=1), Desk(), CLOSES)
    assert {number: (wish.side, wish.entry) for number, wish in found.items()} == {
        4: (Side.LONG, D("100.3")),
        5: (Side.LONG, D("100.6")),
        6: (Side.SHORT, D("99.21")),
        7: (Side.SHORT, D("98.91")),
    }
    assert found[4] == Proposal(
        "AAA",
        Side.LONG,
        entry=D("100.3"),
        stop=D("98.69"),
        target=D("102.01"),
        text="closed above the high of 3 bars, averages agree",
        hold_ns=240 * MINUTE,
    )


def test_it_proposes_again_only_after_its_rest() -> None:
    assert list(wishes_on(trend(rest_minutes=2), Desk(), CLOSES)) == [4, 6]


def test_backfilled_bars_and_taken_symbols_lead_to_no_proposal() -> None:
    desk, strategy = Desk(), trend()
    assert not any(strategy.on_bar(bar(n, close, backfilled=True), desk) for n, close in enumerate(CLOSES[:5]))
    desk.busy = True
    assert wishes_on(trend(), desk, CLOSES) == {}


def test_without_quotes_it_rests_at_the_close() -> None:
    strategy, found = trend(), list[Proposal | ExitWish]()
    for number, close in enumerate(CLOSES):
        found += strategy.on_bar(bar(number, close), Desk())
    assert isinstance(found[0], Proposal) and found[0].entry == D("100.3")


def test_its_state_decoded_from_a_snapshot_goes_on_the_same() -> None:
    straight, desk = trend(rest_minutes=1), Desk()
    expected = wishes_on(straight, desk, CLOSES)
    first = trend(rest_minutes=1)
    wishes_on(first, desk, CLOSES[:4])
    second = trend(rest_minutes=1)
    second.state = msgspec.msgpack.decode(msgspec.msgpack.encode(first.state), type=type(first.state))
    found = {}
    for number in range(4, len(CLOSES)):
        desk.last = quote(T0, CLOSES[number], money.text(D(CLOSES[number]) + TICK))
        (found[number],) = second.on_bar(bar(number, CLOSES[number]), desk)
    assert found == expected


# --- shared pieces ---


def test_a_window_keeps_the_newest_values_and_their_sum() -> None:
    window = Window(3)
    for value in (5, 7, 9, 10):
        assert window.is_full is (len(window.values) == 3)
        window.add(value)
    assert (window.values, window.total, window.mean, window.is_full) == ([7, 9, 10], 26, 8, True)


def test_the_true_range_includes_the_gap_from_the_close_before() -> None:
    assert true_range(bar(0, "100", "101", "99"), 0) == D("2")
    assert true_range(bar(0, "100", "101", "99"), D("97")) == D("4")
    assert true_range(bar(0, "100", "101", "99"), D("104")) == D("5")


def test_a_resting_price_is_the_touch_or_behind_it_and_never_takes() -> None:
    here = quote(T0, "100.00", "100.03")
    assert resting_price(here, Side.LONG, TICK) == D("100.00") and resting_price(here, Side.SHORT, TICK) == D("100.03")
    assert resting_price(here, Side.LONG, TICK, 2) == D("99.98")
    assert resting_price(here, Side.SHORT, TICK, 2) == D("100.06")  # 100.050006, up to the tick


@pytest.mark.parametrize("entry", ["0.03", "0.17", "1.23", "100.01", "61234.56"])
@pytest.mark.parametrize("side", list(Side))
def test_reward_never_falls_below_risk_whatever_the_tick_rounds(entry: str, side: Side) -> None:
    wish = bracketed("AAA", side, D(entry), TICK, Bracket(stop_bp=100, target_bp=100), "")
    risk, reward = side.sign * (wish.entry - wish.stop), side.sign * (wish.target - wish.entry)
    assert 0 < risk <= reward
    assert wish.stop % TICK == wish.target % TICK == 0
