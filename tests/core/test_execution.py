"""What a taker pays and gets: slippage within its bounds and against it, and no more than its share of a level."""

from collections.abc import Iterator

import msgspec
import pytest

from engine.core import money
from engine.core.config import SECOND, PaperModel
from engine.core.events import Book, Quote
from engine.core.execution import Execution
from engine.core.facts import Submit
from engine.core.liquidity import MarketMemory
from engine.core.paper_ledger import PaperLedger
from engine.core.paper_state import PaperAccount
from engine.core.profiles import OPTIMISTIC, PESSIMISTIC, optimistic, pessimistic
from engine.core.words import OrderKind, TimeInForce
from engine.core.working import WorkingOrder
from tests.rig import START_NS, SYMBOL, d, instrument

ORDERS = 10_000
PRICE = d(50_000)
TICK = d("0.01")
BASE = PaperModel()


def execution(model: PaperModel = BASE, profile: str = "", tick: int = TICK) -> Execution:
    """The execution of one account that has seen nothing yet."""
    instruments = {SYMBOL: instrument(tick=tick)}
    return Execution(instruments, model, 7, MarketMemory(), PaperAccount(PaperLedger(0)), profile)


def slips(made: Execution, sign: int) -> Iterator[int]:
    """How far each of many orders slips from `PRICE` (above zero: up)."""
    for number in range(1, ORDERS + 1):
        order = Submit(f"o{number}", SYMBOL, sign * d(1), OrderKind.MARKET, TimeInForce.IOC, 0, False)
        yield made.slipped(WorkingOrder(order, number, START_NS), PRICE) - PRICE


@pytest.mark.parametrize("sign", [1, -1])
def test_every_slip_is_against_the_taker_on_the_tick_and_within_the_models_bounds(sign: int) -> None:
    drawn = [sign * slip for slip in slips(execution(), sign)]
    assert min(drawn) >= d(25), "0.05 %"
    assert max(drawn) <= d(150), "0.30 %"
    assert all(slip % TICK == 0 for slip in drawn)
    assert min(drawn) < d("25.1")
    assert max(drawn) > d("149.9")
    assert abs(sum(drawn) // ORDERS - d("87.5")) < d(1), "the middle of the two"


@pytest.mark.parametrize("sign", [1, -1])
def test_a_slip_is_rounded_to_the_next_tick_against_the_taker(sign: int) -> None:
    exact = PaperModel(slippage_min=d("0.001"), slippage_max=d("0.001"))
    assert {sign * slip for slip in slips(execution(exact, tick=d(40)), sign)} == {d(80)}, "50 would be no price"


def test_a_seller_gets_a_tick_at_least() -> None:
    order = Submit("o", SYMBOL, -d(1), OrderKind.MARKET, TimeInForce.IOC, 0, False)
    assert execution(tick=d(1)).slipped(WorkingOrder(order, 1, START_NS), d(1)) == d(1)


@pytest.mark.parametrize("sign", [1, -1])
def test_the_pessimistic_profile_slips_most_and_the_optimistic_least(sign: int) -> None:
    worse = [sign * slip for slip in slips(execution(pessimistic(BASE), PESSIMISTIC), sign)]
    base = [sign * slip for slip in slips(execution(), sign)]
    better = [sign * slip for slip in slips(execution(optimistic(BASE), OPTIMISTIC), sign)]
    assert min(worse) >= d("87.5") >= max(better), "order by order, whatever was drawn"
    assert sum(better) < sum(base) < sum(worse)


def test_the_slip_of_an_order_is_its_own_and_the_same_every_time() -> None:
    assert list(slips(execution(), 1)) == list(slips(execution(), 1))
    assert len(set(slips(execution(), 1))) > 5_000
    assert list(slips(execution(), 1)) != list(slips(execution(profile=PESSIMISTIC), 1)), "a profile has its own stream"


# --- size ---


@pytest.mark.parametrize("share", ["0.2", "0.5", "1"])
@pytest.mark.parametrize(("sign", "levels"), [(1, [("101", "4"), ("102", "8")]), (-1, [("99", "6"), ("98", "10")])])
def test_of_each_level_the_share_may_be_taken_once(share: str, sign: int, levels: list[tuple[str, str]]) -> None:
    made = execution(msgspec.structs.replace(BASE, displayed_max=d(share)))
    made.market.books[SYMBOL] = Book(
        SYMBOL, START_NS, START_NS, ((d(99), d(6)), (d(98), d(10))), ((d(101), d(4)), (d(102), d(8)))
    )
    shown = [(d(price), money.mul(d(qty), d(share))) for price, qty in levels]
    assert made.ladder(SYMBOL, sign, START_NS) == shown
    (price, qty), deeper = shown
    made.account.taken.take(SYMBOL, sign, price, qty - d("0.001"))
    assert made.ladder(SYMBOL, sign, START_NS) == [(price, d("0.001")), deeper]
    made.account.taken.take(SYMBOL, sign, price, d("0.001"))
    assert made.ladder(SYMBOL, sign, START_NS) == [deeper]
    assert made.ladder(SYMBOL, -sign, START_NS) is not None


def test_without_a_fresh_quote_or_book_nothing_is_displayed() -> None:
    made = execution()
    assert made.ladder(SYMBOL, 1, START_NS) is None
    made.market.quotes[SYMBOL] = Quote(SYMBOL, START_NS, START_NS, d(99), d(101), d(1), d(2))
    assert made.ladder(SYMBOL, 1, START_NS) == [(d(101), d(2))]
    assert made.ladder(SYMBOL, -1, START_NS) == [(d(99), d(1))]
    assert made.ladder(SYMBOL, 1, START_NS + 15 * SECOND) is not None
    assert made.ladder(SYMBOL, 1, START_NS + 15 * SECOND + 1) is None
