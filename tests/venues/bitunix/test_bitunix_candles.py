"""Minutes close once, in order, and holes are refilled before what came after them."""

from hypothesis import given
from hypothesis import strategies as st

from engine.core.config import MINUTE, SECOND
from engine.core.events import Bar, DataRejected, GapDetected
from engine.core.money import SCALE
from engine.venues.bitunix.candles import BarEvent, Candles
from engine.venues.bitunix.frames import Kline
from tests.venues.bitunix.fakevenue import T0_NS


def push(minute: int, second: float = 0.0, close: int = 100, volume: int = 5, open_: int | None = None) -> Kline:
    """A push of a minute after T0, received as it was stamped."""
    at_ns = T0_NS + minute * MINUTE + int(second * SECOND)
    open_ = (100 + minute) if open_ is None else open_
    high, low = max(open_, close) * SCALE, min(open_, close) * SCALE
    return Kline("BTCUSDT", at_ns, at_ns, open_ * SCALE, high, low, close * SCALE, volume * SCALE)


def bar(minute: int, close: int = 100, *, backfilled: bool = False) -> Bar:
    start, open_ = T0_NS + minute * MINUTE, 100 + minute
    high, low = max(open_, close) * SCALE, min(open_, close) * SCALE
    return Bar("BTCUSDT", 0, start, MINUTE, open_ * SCALE, high, low, close * SCALE, 5 * SCALE, backfilled)


def minutes(events: list[BarEvent]) -> list[tuple[int, bool]]:
    """The bars among events: (minute after T0, backfilled)."""
    return [((event.start_ns - T0_NS) // MINUTE, event.backfilled) for event in events if isinstance(event, Bar)]


def test_a_minute_closes_with_its_last_state_when_a_later_one_begins() -> None:
    candles = Candles("BTCUSDT")
    assert candles.update(push(0, 1)) == candles.update(push(0, 59.9, close=103, volume=9)) == []
    (closed,) = candles.update(push(1, 0.4))
    high, low, volume = 103 * SCALE, 100 * SCALE, 9 * SCALE
    assert closed == Bar("BTCUSDT", push(1, 0.4).at_ns, T0_NS, MINUTE, low, high, low, high, volume)


def test_a_push_stamped_just_after_the_end_still_belongs_to_the_old_minute_if_it_grew_out_of_it() -> None:
    candles = Candles("BTCUSDT")
    candles.update(push(0, 59))
    assert candles.update(push(1, 0.1, open_=100, close=104, volume=8)) == []
    (closed,) = candles.update(push(1, 0.6))
    assert isinstance(closed, Bar)
    assert (closed.start_ns, closed.close) == (T0_NS, 104 * SCALE)


def test_a_venue_that_repeats_the_old_minute_does_not_begin_a_new_one() -> None:
    candles = Candles("BTCUSDT")
    candles.update(push(0, 59))
    repeated = push(1, 20, open_=100)
    assert candles.update(repeated) == []
    (closed,) = candles.tick(T0_NS + MINUTE + 30 * SECOND, 0.0, 0.0, heard_ns=repeated.at_ns)
    assert minutes([closed]) == [(0, False)]
    assert candles.update(repeated._replace(ts_ns=repeated.ts_ns + SECOND)) == []
    assert candles.update(push(0, 59.999)) == []  # the final push, once more
    assert candles.update(push(1, 30)) == []
    assert minutes(candles.update(push(2))) == [(1, False)]


def test_a_flat_minute_without_trades_is_a_minute_of_its_own() -> None:
    candles = Candles("BTCUSDT")
    for minute in range(3):
        for second in (0.5, 30, 59):
            closed = candles.update(push(minute, second, open_=100, volume=0))
    assert minutes(closed) == []
    assert minutes(candles.update(push(3, 0.5, open_=100, volume=0))) == []
    assert minutes(candles.update(push(3, 1.5, open_=100, volume=0))) == [(2, False)]


def test_a_timer_closes_the_minute_after_the_grace_if_the_symbol_is_heard_from() -> None:
    candles = Candles("BTCUSDT")
    candles.update(push(0, 59))
    end = T0_NS + MINUTE
    assert candles.tick(end - 1, 10.0, 2.0, end) == []
    assert candles.tick(end, 11.0, 2.0, end) == []
    assert candles.tick(end + SECOND, 12.9, 2.0, end) == []
    assert candles.tick(end + 2 * SECOND, 13.0, 2.0, end - 1) == []  # silent since before the end: perhaps cut off
    assert minutes(candles.tick(end + 2 * SECOND, 13.0, 2.0, end)) == [(0, False)]


def test_a_candle_of_a_closed_minute_is_refused() -> None:
    candles = Candles("BTCUSDT")
    candles.update(push(0))
    candles.update(push(1))
    (refused,) = candles.update(push(0, 30, close=105))
    assert isinstance(refused, DataRejected)


def test_a_candle_older_than_the_one_before_it_is_refused() -> None:
    """FT-07."""
    candles = Candles("BTCUSDT")
    candles.update(push(0, 30, close=105))
    (refused,) = candles.update(push(0, 29))
    assert isinstance(refused, DataRejected)
    assert candles.update(push(1))[0].close == 105 * SCALE  # type: ignore[union-attr]


def test_live_bars_follow_history_without_overlap() -> None:
    candles = Candles("BTCUSDT")
    candles.update(push(1, 10))
    candles.seeded(bar(1))
    assert candles.update(push(2, 1)) == []
    assert minutes(candles.update(push(3))) == [(2, False)]


def test_a_hole_is_announced_once_and_filled_before_what_follows() -> None:
    candles = Candles("BTCUSDT")
    candles.seeded(bar(0))
    announced = candles.update(push(3, 5))
    assert announced == [
        GapDetected("BTCUSDT", push(3, 5).at_ns, 2, T0_NS, T0_NS + 3 * MINUTE),
    ]
    assert candles.wanted == (T0_NS + MINUTE, T0_NS + 3 * MINUTE)
    assert candles.update(push(4)) == candles.update(push(5)) == []  # 3 and 4 wait
    late = T0_NS + 6 * MINUTE
    filled = candles.refilled([bar(minute, backfilled=True) for minute in range(6)], late)
    assert minutes(filled) == [(1, True), (2, True), (3, False), (4, False)]
    assert [event.at_ns for event in filled[2:]] == [late, late]
    assert minutes(candles.update(push(6))) == [(5, False)]


def test_a_hole_that_could_not_be_filled_grows_and_is_asked_for_again_with_the_next_minute() -> None:
    candles = Candles("BTCUSDT")
    candles.seeded(bar(0))
    candles.update(push(2))
    candles.refill_failed()
    assert candles.update(push(3)) == []  # said once; the bar of minute 2 waits for the ones before it
    assert candles.wanted == (T0_NS + MINUTE, T0_NS + 3 * MINUTE)
    filled = candles.refilled([bar(minute, backfilled=True) for minute in (1, 2)], T0_NS + 3 * MINUTE)
    assert minutes(filled) == [(1, True), (2, True)]
    assert minutes(candles.update(push(4))) == [(3, False)]


def test_minutes_the_venue_does_not_have_are_named_and_passed_over() -> None:
    candles = Candles("BTCUSDT")
    candles.seeded(bar(0))
    candles.update(push(4))
    filled = candles.refilled([bar(2, backfilled=True)], T0_NS)
    assert minutes(filled) == [(2, True)]
    assert [event.count for event in filled if isinstance(event, DataRejected)] == [2]
    assert minutes(candles.update(push(5))) == [(4, False)]


def test_a_minute_interrupted_by_a_lost_connection_comes_from_the_refill() -> None:
    candles = Candles("BTCUSDT")
    candles.seeded(bar(0))
    candles.update(push(1, 40))
    candles.interrupted()
    (gap,) = candles.update(push(2, 10))
    assert isinstance(gap, GapDetected) and gap.missing == 1


def test_a_connection_back_within_the_minute_loses_nothing() -> None:
    candles = Candles("BTCUSDT")
    candles.seeded(bar(0))
    candles.update(push(1, 20))
    candles.interrupted()
    assert candles.update(push(1, 40)) == []
    assert minutes(candles.update(push(2))) == [(1, False)]


STEPS = st.lists(
    st.tuples(st.integers(0, 3), st.floats(0, 59.9), st.sampled_from(["push", "tick", "cut", "fill", "fail"])),
    max_size=40,
)


@given(STEPS)
def test_whatever_happens_bars_leave_in_order_once_and_without_holes(steps: list[tuple[int, float, str]]) -> None:
    candles, minute, out = Candles("BTCUSDT"), 0, []
    candles.seeded(bar(-1))
    for forward, second, what in steps:
        minute += forward
        now = T0_NS + minute * MINUTE + int(second * SECOND)
        match what:
            case "push":
                out += candles.update(push(minute, second))
            case "tick":
                out += candles.tick(now, float(minute), 0.0, now)
            case "cut":
                candles.interrupted()
            case "fill":
                out += candles.refilled([bar(at, backfilled=True) for at in range(minute)], now)
            case "fail":
                candles.refill_failed()
    starts = [at for at, _ in minutes(out)]
    assert starts == list(range(len(starts)))
