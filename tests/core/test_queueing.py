"""Two rules for what left the queue without trading: all of it behind us, or in proportion before us."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from engine.core.config import SECOND, QueueRule
from engine.core.events import Fill
from engine.core.facts import Submit
from engine.core.liquidity import UNKNOWN_QUEUE
from engine.core.queueing import join, seen, served
from engine.core.words import OrderKind, TimeInForce
from engine.core.working import WorkingOrder
from tests.core.test_paper import MODEL, T0, book, broker, fills, limit, made, placed, quote, trade

PROPORTIONAL = msgspec.structs.replace(MODEL, queue=QueueRule.PROPORTIONAL)


def order() -> WorkingOrder:
    return WorkingOrder(Submit("l", "COIN", 100, OrderKind.LIMIT, TimeInForce.GTC, 100, False), 1, 0)


def in_queue(ahead: int, shown: int) -> WorkingOrder:
    working = order()
    join(working, shown)
    working.ahead = ahead
    return working


def test_an_order_joins_behind_what_is_displayed() -> None:
    working = in_queue(50, 50)
    assert (working.ahead, working.shown, working.traded) == (50, 50, 0)


def test_trades_serve_the_queue_before_the_order() -> None:
    working = in_queue(50, 50)
    assert served(working, 30, 30) == 0 and working.ahead == 20
    assert served(working, 30, 30) == 10 and working.ahead == 0


def test_what_is_cancelled_leaves_in_proportion() -> None:
    working = in_queue(30, 100)  # 30 before us, 70 behind
    seen(working, 50)
    assert working.ahead == 15
    seen(working, 50)
    assert working.ahead == 15


def test_what_traded_is_not_cancelled_as_well() -> None:
    working = in_queue(30, 100)
    served(working, 10, 10)
    seen(working, 90)
    assert working.ahead == 20
    served(working, 10, 10)
    seen(working, 40)  # 10 traded, 40 of the 80 that were left are gone: half of the 10 before us
    assert working.ahead == 5


def test_what_joins_later_stands_behind() -> None:
    working = in_queue(30, 30)
    seen(working, 100)
    assert working.ahead == 30
    seen(working, 50)
    assert working.ahead == 15


def test_a_level_that_empties_leaves_nobody_before_us_and_one_out_of_sight_changes_nothing() -> None:
    working = in_queue(30, 100)
    seen(working, UNKNOWN_QUEUE)
    assert working.ahead == 30
    seen(working, 0)
    assert working.ahead == 0


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 200)), max_size=40))
def test_proportional_never_waits_longer_than_behind_and_never_below_zero(steps: list[tuple[bool, int]]) -> None:
    behind, proportional = in_queue(100, 100), in_queue(100, 100)
    for trades, qty in steps:
        if trades:
            assert served(proportional, qty, qty) >= served(behind, qty, qty)
        else:
            seen(proportional, qty)
        assert 0 <= proportional.ahead <= behind.ahead


def test_size_that_disappears_moves_us_forward_only_under_the_proportional_rule() -> None:
    def filled(model_queue: QueueRule) -> list[Fill]:
        desk = broker(model=msgspec.structs.replace(MODEL, queue=model_queue))
        desk.on_market(book(T0, "100:8 99:1", "101:5"))
        placed(desk, limit("2", "100"))
        desk.on_market(book(T0 + SECOND, "100:4 99:1", "101:5"))  # half of what was before us is gone
        return [a for a in desk.on_market(trade(T0 + 2 * SECOND, "100", "5", -1)) if isinstance(a, Fill)]

    assert filled(QueueRule.BEHIND) == []
    assert fills(list(filled(QueueRule.PROPORTIONAL))) == [made("1", "100")]


def test_a_quote_at_our_price_shows_the_queue_and_one_better_than_ours_does_not() -> None:
    desk = broker(model=PROPORTIONAL)
    desk.on_market(quote(T0, bid_qty="8"))
    placed(desk, limit("2", "100"))
    desk.on_market(quote(T0 + SECOND, bid="100.5", bid_qty="1"))
    assert desk.state.working["COIN"]["l"].ahead == 8 * 100_000_000
    desk.on_market(quote(T0 + 2 * SECOND, bid_qty="2"))
    assert desk.state.working["COIN"]["l"].ahead == 2 * 100_000_000
