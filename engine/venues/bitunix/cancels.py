"""Cancels on their way: what waits for its turn in the same symbol goes in one call.

The venue takes few calls a second, and each may name many orders. So a kill of fifty orders is a call or two a symbol,
not fifty.
"""

import asyncio
from typing import Any, Final

from engine.core.facts import Cancel
from engine.venues.bitunix import wire
from engine.venues.bitunix.rest import Rest
from engine.venues.bitunix.wire import CancelFailure
from engine.venues.errors import UnknownOutcome, VenueError

PATH: Final = "/trade/cancel_orders"
ORDERS_MAX: Final = 10  # in one call


class _Call:
    """One call that has not left: its orders, each with what it waits for."""

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.orders: dict[str, asyncio.Future[CancelFailure | None]] = {}

    def body(self) -> dict[str, Any]:
        return {"symbol": self.symbol, "orderList": [{"clientId": order_id} for order_id in self.orders]}


class Cancels:
    """The cancels of one account."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest
        self._waiting: dict[str, _Call] = {}

    async def send(self, order: Cancel) -> CancelFailure | None:
        """Ask for an order's end; what the venue says against it, or None. Raises `VenueError`."""
        call = self._waiting.get(order.symbol)
        if call is None or (len(call.orders) >= ORDERS_MAX and order.order_id not in call.orders):
            call = self._waiting[order.symbol] = _Call(order.symbol)
        answer = call.orders.get(order.order_id)
        if answer is not None:
            return await asyncio.shield(answer)
        leads = not call.orders
        answer = call.orders[order.order_id] = asyncio.get_running_loop().create_future()
        if leads:
            await self._carry(call)
        return await answer

    async def _carry(self, call: _Call) -> None:
        """Make the call, with all that have joined it when its turn comes, and tell each what became of it."""

        def leaving() -> dict[str, Any]:
            if self._waiting.get(call.symbol) is call:
                del self._waiting[call.symbol]
            return call.body()

        error: VenueError = UnknownOutcome("the call was given up")
        reply = None
        try:
            await asyncio.sleep(
                0
            )  # what is asked for in the same breath joins, also where there is no turn to wait for
            reply = wire.read(wire.CANCELED, await self._rest.post(PATH, leaving), "cancel")
        except VenueError as problem:
            error = problem
        finally:
            if self._waiting.get(call.symbol) is call:
                del self._waiting[call.symbol]
            for order_id, answer in call.orders.items():
                if answer.done():
                    continue
                if reply is None:
                    answer.set_exception(error)
                    answer.exception()  # it may be that nobody waits any more
                else:
                    answer.set_result(_failure(reply, order_id, alone=len(call.orders) == 1))


def _failure(reply: wire.CancelReply, order_id: str, *, alone: bool) -> CancelFailure | None:
    """What the reply says against an order; of one that is alone, also what names no order."""
    return next((failure for failure in reply.failed if alone or failure.client_id == order_id), None)
