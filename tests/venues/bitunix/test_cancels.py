"""Cancels: those that wait for their turn in a symbol go in one call, and each hears what became of its own."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, cast

import pytest

from engine.core.facts import Cancel
from engine.venues.bitunix.cancels import ORDERS_MAX, Cancels
from engine.venues.bitunix.rest import Rest
from engine.venues.errors import UnknownOutcome, VenueError


class Venue:
    """Takes a call when `turn` is set; says no to the orders in `refused`, or fails with `error`."""

    def __init__(self) -> None:
        self.turn = asyncio.Event()
        self.calls: list[tuple[str, list[str]]] = []
        self.refused: set[str] = set()
        self.error: VenueError | None = None

    async def post(self, path: str, body: Callable[[], Mapping[str, Any]]) -> Any:
        await self.turn.wait()
        asked = body()
        await asyncio.sleep(0)
        ids = [entry["clientId"] for entry in asked["orderList"]]
        self.calls.append((asked["symbol"], ids))
        if self.error is not None:
            raise self.error
        failed = [{"clientId": one, "errorCode": "20007", "errorMsg": "no"} for one in ids if one in self.refused]
        done = [{"orderId": f"v{one}", "clientId": one} for one in ids if one not in self.refused]
        return {"successList": done, "failureList": failed}


@pytest.fixture
def venue() -> Venue:
    return Venue()


@pytest.fixture
def cancels(venue: Venue) -> Cancels:
    return Cancels(cast(Rest, venue))


def ask(cancels: Cancels, *order_ids: str, symbol: str = "BTCUSDT") -> list["asyncio.Task[Any]"]:
    return [asyncio.ensure_future(cancels.send(Cancel(order_id, symbol))) for order_id in order_ids]


async def test_what_waits_for_its_turn_goes_in_one_call_a_symbol(venue: Venue, cancels: Cancels) -> None:
    asked = [*ask(cancels, "a1", "a2", "a3"), *ask(cancels, "b1", "b2", symbol="ETHUSDT")]
    await asyncio.sleep(0)
    venue.turn.set()
    assert await asyncio.gather(*asked) == [None] * 5
    assert sorted(venue.calls) == [("BTCUSDT", ["a1", "a2", "a3"]), ("ETHUSDT", ["b1", "b2"])]


async def test_what_is_asked_for_in_one_breath_goes_in_one_call_also_without_a_wait(
    venue: Venue, cancels: Cancels
) -> None:
    venue.turn.set()
    await asyncio.gather(*ask(cancels, "a1", "a2", "a3"))
    assert venue.calls == [("BTCUSDT", ["a1", "a2", "a3"])]


async def test_fifty_orders_of_five_symbols_take_five_calls(venue: Venue, cancels: Cancels) -> None:
    asked = [task for at in range(50) for task in ask(cancels, f"o{at}", symbol=f"S{at % 5}")]
    await asyncio.sleep(0)
    venue.turn.set()
    await asyncio.gather(*asked)
    assert len(venue.calls) == 5 and all(len(ids) == ORDERS_MAX for _, ids in venue.calls)


async def test_no_call_names_more_orders_than_it_may(venue: Venue, cancels: Cancels) -> None:
    asked = ask(cancels, *(f"o{at}" for at in range(ORDERS_MAX + 3)))
    await asyncio.sleep(0)
    venue.turn.set()
    await asyncio.gather(*asked)
    assert [len(ids) for _, ids in venue.calls] == [ORDERS_MAX, 3]


async def test_each_hears_of_its_own_order(venue: Venue, cancels: Cancels) -> None:
    venue.refused = {"a2"}
    asked = ask(cancels, "a1", "a2", "a3")
    await asyncio.sleep(0)
    venue.turn.set()
    first, second, third = await asyncio.gather(*asked)
    assert (first, third) == (None, None)
    assert second.client_id == "a2"


async def test_a_call_without_an_answer_is_unknown_for_all_of_them(venue: Venue, cancels: Cancels) -> None:
    venue.error = UnknownOutcome("reset")
    asked = ask(cancels, "a1", "a2")
    await asyncio.sleep(0)
    venue.turn.set()
    for found in await asyncio.gather(*asked, return_exceptions=True):
        assert isinstance(found, UnknownOutcome)


async def test_what_comes_after_a_call_has_left_gets_one_of_its_own(venue: Venue, cancels: Cancels) -> None:
    venue.turn.set()
    assert await asyncio.gather(*ask(cancels, "a1")) == [None]
    assert await asyncio.gather(*ask(cancels, "a1")) == [None]
    assert venue.calls == [("BTCUSDT", ["a1"])] * 2


async def test_the_same_order_twice_is_named_once(venue: Venue, cancels: Cancels) -> None:
    asked = ask(cancels, "a1", "a1")
    await asyncio.sleep(0)
    venue.turn.set()
    assert await asyncio.gather(*asked) == [None, None]
    assert venue.calls == [("BTCUSDT", ["a1"])]


async def test_who_leads_a_call_and_is_given_up_leaves_nobody_waiting(venue: Venue, cancels: Cancels) -> None:
    first, second = ask(cancels, "a1", "a2")
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(UnknownOutcome):
        await second
    venue.turn.set()
    assert await asyncio.gather(*ask(cancels, "a3")) == [None]
