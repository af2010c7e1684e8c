"""What the venue says of our orders, turned into the core's events. Pure: rows in, events out, each told once.

An order's state and its fills come from two calls, so they can disagree for a moment: an end is told only when all the
fills it speaks of have been told before it.
"""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from engine.core import money
from engine.core.clean import clean
from engine.core.events import (
    BrokerEvent,
    Fill,
    OrderAccepted,
    OrderCanceled,
    OrderExpired,
    OutcomeUnknown,
    Role,
)
from engine.core.facts import Submit
from engine.core.words import OrderKind
from engine.venues.bitunix.wire import MS, FillRow, OrderRow

WORKING: Final = frozenset({"INIT", "NEW", "PART_FILLED"})
CANCELED: Final = frozenset({"CANCELED", "SYSTEM_CANCELED", "PART_FILLED_CANCELED", "REJECTED", "FAILED"})
KNOWN: Final = WORKING | CANCELED | {"FILLED", "EXPIRED"}
ORDERS_KEPT: Final = 2_000  # ended orders whose late fills are still recognised


@dataclass(slots=True)
class Tracked:
    """One of our orders, and what the core has been told of it.

    Attributes:
        unknown_s: Transport time at which a call about it ended without an answer; None: never.
        missing_s: Transport time at which it was not found and told to be missing; None: never, or found after all.
        told: Quantity of each fill told, by trade id.
        odd_status: A status we do not know and have told of.
    """

    client_id: str
    symbol: str
    venue_id: str = ""
    unknown_s: float | None = None
    missing_s: float | None = None
    cancel_sent: bool = False
    accepted: bool = False
    ended: bool = False
    told: dict[str, int] = field(default_factory=dict)
    odd_status: str = ""

    @property
    def told_qty(self) -> int:
        return sum(self.told.values())

    def lacks_fills(self, row: OrderRow) -> bool:
        """True if the venue has filled more than the core knows."""
        return row.filled_qty > self.told_qty

    def tell(self, row: OrderRow, fills: Sequence[FillRow], at_ns: int, *, everything: bool) -> list[BrokerEvent]:
        """The order as the venue has it. `everything`: also what was told before; the core books a fill once."""
        self.venue_id, self.missing_s = row.order_id, None
        events: list[BrokerEvent] = []
        if row.status in KNOWN and (everything or not self.accepted):
            events.append(OrderAccepted(self.client_id, at_ns, row.order_id))
            self.accepted = True
        for fill in sorted(fills, key=lambda one: (one.time, one.trade_id)):
            if fill.trade_id not in self.told or everything:
                events.append(self._fill(fill, at_ns))
            self.told[fill.trade_id] = fill.qty
        if row.status not in KNOWN or (row.status == "FILLED" and row.filled_qty != row.qty):
            events += self._odd(row, at_ns, everything=everything)
        elif not self.lacks_fills(row) and (everything or not self.ended):
            events += self._end(row, at_ns)
        return events

    def _fill(self, fill: FillRow, at_ns: int) -> Fill:
        return Fill(
            fill_id=fill.trade_id,
            client_order_id=self.client_id,
            symbol=fill.symbol,
            at_ns=at_ns,
            venue_ns=fill.time * MS,
            qty=fill.qty if fill.side == "BUY" else -fill.qty,
            price=fill.price,
            fee=fill.fee,
            role=Role.MAKER if fill.role == "MAKER" else Role.TAKER,
            fee_source="venue",
        )

    def _end(self, row: OrderRow, at_ns: int) -> list[BrokerEvent]:
        if row.status in WORKING:
            return []
        self.ended = True
        if row.status in CANCELED:
            return [OrderCanceled(self.client_id, at_ns, self._cancel_reason(row))]
        if row.status == "EXPIRED":
            return [OrderExpired(self.client_id, at_ns)]
        return []  # filled: its fills have said so

    def _odd(self, row: OrderRow, at_ns: int, *, everything: bool) -> list[BrokerEvent]:
        """A state that makes no sense to us is not guessed at."""
        if self.odd_status == row.status and not everything:
            return []
        self.odd_status = row.status
        filled = f"{money.text(row.filled_qty)} of {money.text(row.qty)} filled"
        return [OutcomeUnknown(self.client_id, at_ns, f"the venue calls the order {clean(row.status, 40)!r}, {filled}")]

    def _cancel_reason(self, row: OrderRow) -> str:
        if self.cancel_sent:
            return "requested"
        if row.effect == "POST_ONLY" and row.filled_qty == 0:
            return "post_only"
        return "ioc" if row.effect in ("IOC", "FOK") else "venue"


class Orders:
    """Our orders by client id and by the venue's id; the oldest ended ones are forgotten past a bound."""

    def __init__(self) -> None:
        self._by_client: OrderedDict[str, Tracked] = OrderedDict()

    def track(self, client_id: str, symbol: str) -> Tracked:
        """The order of this client id, known from now on."""
        tracked = self._by_client.get(client_id)
        if tracked is None:
            tracked = self._by_client[client_id] = Tracked(client_id, symbol)
            self._forget()
        return tracked

    def find(self, client_id: str, venue_id: str) -> Tracked | None:
        """One of ours by either id; None if neither is known."""
        tracked = self._by_client.get(client_id)
        if tracked is None and venue_id:
            tracked = next((one for one in self._by_client.values() if one.venue_id == venue_id), None)
        return tracked

    def drop(self, tracked: Tracked) -> None:
        """The venue certainly does not have it."""
        self._by_client.pop(tracked.client_id, None)

    def open(self) -> Iterator[Tracked]:
        """Those that may still change, oldest first."""
        return iter([tracked for tracked in self._by_client.values() if not tracked.ended])

    def _forget(self) -> None:
        surplus = len(self._by_client) - ORDERS_KEPT
        ended = [tracked.client_id for tracked in self._by_client.values() if tracked.ended]
        for client_id in ended[: max(surplus, 0)]:
            del self._by_client[client_id]


def order_body(order: Submit) -> dict[str, str | bool]:
    """The body of a submit. In ONE_WAY mode the side is the trade's, and a close is marked reduce-only."""
    body: dict[str, str | bool] = {
        "symbol": order.symbol,
        "qty": money.text(abs(order.qty)),
        "side": "BUY" if order.qty > 0 else "SELL",
        "orderType": order.kind.value,
        "clientId": order.order_id,
        "reduceOnly": order.reduce_only,
    }
    if order.kind is OrderKind.LIMIT:
        body |= {"price": money.text(order.price), "effect": order.tif.value}
    return body
