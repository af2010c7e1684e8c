"""The venue's own broker: signed calls to place, cancel and ask, and a private socket that hints at changes.

No call raises for what the venue says, and none that changes something is sent twice: a definite answer becomes its
event, anything else `OutcomeUnknown`, to be settled by `query`. Pushes carry no fill ids, so a push only triggers a
look at the order; a sweep looks at every open order from time to time as well, because pushes can be lost.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from pydantic import ValidationError

from engine.core.events import (
    AccountRead,
    BalanceRead,
    BookOrder,
    BookPosition,
    BrokerEvent,
    BrokerNews,
    BrokerReconnected,
    CancelRefused,
    DataRejected,
    OrderAccepted,
    OrderMissing,
    OrderRefused,
    OutcomeUnknown,
)
from engine.core.facts import Cancel, Query, Submit
from engine.venues.bitunix import codes, wire
from engine.venues.bitunix.cancels import Cancels
from engine.venues.bitunix.link import Link, LinkTimes
from engine.venues.bitunix.orders import Orders, Tracked, order_body
from engine.venues.bitunix.outbox import Outbox, Tasks
from engine.venues.bitunix.rest import Clock, LiveToken, Rest, demand_loopback
from engine.venues.bitunix.signing import Credentials
from engine.venues.errors import (
    AuthFailed,
    DuplicateClientId,
    HeldBack,
    OrderNotFound,
    RateLimited,
    RuleRefused,
    UnknownOutcome,
    VenueError,
    is_definite,
    reason_code,
)

PAGE_MAX: Final = 100
QUERY_TRIES: Final = 5
PRIVATE_CHANNELS: Final = ("order", "position", "balance")


@dataclass(frozen=True, slots=True)
class BrokerSettings:
    """How a broker behaves. Wall seconds.

    Attributes:
        settle_s: A submit without an answer may still be on its way this long; only then does "not found" count.
        late_s: An order that was not found is looked for this much longer: a slow venue may still take a request in.
        sweep_s: Between looks at every open order; those with a cancel on its way are looked at four times as often.
        retry_s: The first wait between looks that failed; it doubles.
    """

    timeout_s: float = 10.0
    ping_s: float = 15.0
    pong_s: float = 10.0
    window_s: float = 600.0
    backoff_s: tuple[float, float] = (0.5, 15.0)
    settle_s: float = 5.0
    late_s: float = 120.0
    sweep_s: float = 8.0
    retry_s: float = 0.5


class VenueAccount(NamedTuple):
    """The margin account, in account currency, scaled."""

    available: int
    frozen: int
    margin: int
    unrealized: int


class BitunixBroker:
    """One account's broker.

    Args:
        live: Needed for any host but this machine; without it, `LiveForbidden` is raised here.
        on_rejected: Told of private frames that cannot be read.
    """

    def __init__(
        self,
        rest_url: str,
        ws_url: str,
        credentials: Credentials,
        clock: Clock,
        *,
        live: LiveToken | None = None,
        settings: BrokerSettings | None = None,
        on_rejected: Callable[[DataRejected], None] = lambda _: None,
    ) -> None:
        demand_loopback(ws_url, live)
        self._settings = settings = settings or BrokerSettings()
        self._clock = clock
        self._on_rejected = on_rejected
        self._rest = Rest(rest_url, clock, credentials=credentials, live=live, timeout_s=settings.timeout_s)
        self._cancels = Cancels(self._rest)
        self._orders = Orders()
        self._outbox: Outbox[BrokerNews] = Outbox()
        self._tasks = Tasks(self._outbox)
        self._hinted: dict[str, None] = {}
        self._hint = asyncio.Event()
        self._began_s = 0.0
        self._greeted = False
        self._link = Link(
            ws_url.rstrip("/") + "/private/",
            clock,
            greet=self._greet,
            on_frame=self._on_frame,
            on_down=lambda _why: None,  # the sweep goes on meanwhile, and the next greeting looks at everything
            times=LinkTimes(
                timeout_s=settings.timeout_s,
                ping_s=settings.ping_s,
                pong_s=settings.pong_s,
                window_s=settings.window_s,
                backoff_s=settings.backoff_s,
            ),
            room=self._outbox.room,
        )

    async def connect(self) -> None:
        """Check the account, log in and listen.

        Raises:
            RuleRefused: the account is in HEDGE mode, where a side names the position and not the trade.
            VenueError: anything else; then nothing is left open.
        """
        self._began_s = _now_s()
        try:
            row = await self._account_row()
            if row.position_mode != "ONE_WAY":
                raise RuleRefused(f"the account is in {row.position_mode} position mode; it must be ONE_WAY")
            await self._link.open()
        except VenueError:
            await self.close()
            raise
        self._start(self._link.run(), "broker: read")
        self._start(self._look_at_hinted(), "broker: look")
        self._start(self._sweep(), "broker: sweep")

    def events(self) -> AsyncIterator[Sequence[BrokerNews]]:
        """Fills and ends of our orders as they are found. Raises `VenueGone` or `AuthFailed` at the end."""
        return self._outbox.groups()

    async def close(self) -> None:
        """Stop listening; working orders stay at the venue."""
        await self._tasks.stop()
        await self._link.close()
        await self._rest.close()
        self._outbox.end()

    # --- what changes something: sent once ---

    async def submit(self, order: Submit, passes: Callable[[Submit], bool]) -> Sequence[BrokerEvent]:
        """Place an order under its own id. One event; after a duplicate id, all the venue knows of that order."""
        tracked = self._orders.track(order.order_id, order.symbol)
        try:
            reply = await self._rest.post("/trade/place_order", order_body(order), lambda: passes(order))
            placed = wire.read(wire.PLACED, reply, "order")
        except HeldBack:
            self._orders.drop(tracked)
            raise
        except DuplicateClientId:
            return await self.query(Query(order.order_id, order.symbol))
        except VenueError as problem:
            if is_definite(problem):
                self._orders.drop(tracked)
                code = reason_code(problem).value
                return [OrderRefused(order.order_id, self._clock.now_ns(), code, str(problem))]
            return [self._unknown(tracked, problem)]
        tracked.venue_id, tracked.accepted = placed.order_id, True
        return [OrderAccepted(order.order_id, self._clock.now_ns(), placed.order_id)]

    async def cancel(self, order: Cancel) -> Sequence[BrokerEvent]:
        """Ask for an order's end. Nothing yet when the venue takes the request: `events` brings the end itself."""
        tracked = self._orders.track(order.order_id, order.symbol)
        tracked.cancel_sent = True
        try:
            failure = await self._cancels.send(order)
        except OrderNotFound as problem:
            return await self._after_refused_cancel(tracked, problem)
        except VenueError as problem:
            if is_definite(problem):
                tracked.cancel_sent = False
                return [self._cancel_refused(tracked, problem)]
            return [self._unknown(tracked, problem)]
        if failure is not None:
            return await self._after_refused_cancel(tracked, codes.by_code(failure.code, failure.text))
        self._look_at(tracked)
        return []

    # --- what only asks ---

    async def query(self, order: Query) -> Sequence[BrokerEvent]:
        """All the venue knows of the order; `OrderMissing` when it certainly has none; `OutcomeUnknown` when unasked.

        Takes as long as it needs to be sure: a submit may still be on its way when the first look finds nothing.
        """
        tracked = self._orders.track(order.order_id, order.symbol)
        wait_s = self._settings.retry_s
        problem: VenueError = UnknownOutcome("not asked")
        for left in reversed(range(QUERY_TRIES)):
            try:
                events = await self._told(tracked, everything=True)
                if not left or not isinstance(events[-1], OutcomeUnknown):
                    return events
            except OrderNotFound as missing:
                problem = missing
                if self._unsettled_s(tracked) <= 0:
                    tracked.missing_s = _now_s()
                    return [OrderMissing(order.order_id, self._clock.now_ns())]
            except VenueError as failed:
                problem = failed
            if left:
                wished_s = problem.retry_after_s if isinstance(problem, RateLimited) else None
                await asyncio.sleep(max(wait_s, self._unsettled_s(tracked), wished_s or 0.0))
                wait_s *= 2
        return [self._unknown(tracked, problem)]

    async def account(self) -> VenueAccount:
        """The margin account. Raises `VenueError`."""
        row = await self._account_row()
        return VenueAccount(row.available, row.frozen, row.margin, row.cross_unrealized + row.isolated_unrealized)

    async def balance(self) -> BalanceRead:
        """The account for the core, as of when it was asked for. Raises `VenueError`.

        `available` is what new orders may bind, open losses taken off already; open profits are in the equity alone.
        """
        at_ns, told = self._clock.now_ns(), await self.account()
        equity = told.available + told.frozen + told.margin + max(0, told.unrealized)
        return BalanceRead(at_ns, equity, told.available, "bitunix")

    async def positions(self) -> list[BookPosition]:
        """All open positions. Raises `VenueError`."""
        data = await self._rest.get("/position/get_pending_positions", signed=True, attempts=3)
        rows = wire.read(wire.POSITIONS, data or [], "positions")
        return [BookPosition(row.symbol, row.signed_qty, row.entry_price) for row in rows if row.qty]

    async def open_orders(self) -> list[BookOrder]:
        """All working orders of the account, also such as are not ours. Raises `VenueError`."""
        rows = await self._order_rows("/trade/get_pending_orders", {})
        return [_venue_order(row) for row in rows]

    async def books(self, trigger: str) -> AccountRead:
        """The account as the venue has it: positions, working orders, and cash while no position is open.

        Raises `VenueError`.
        """
        asked_ns = self._clock.now_ns()
        orders, positions, row = await self.open_orders(), await self.positions(), await self._account_row()
        cash = None if positions else row.available + row.frozen + row.margin
        at_ns = self._clock.now_ns()
        return AccountRead(at_ns, asked_ns, "bitunix", trigger, tuple(positions), tuple(orders), cash)

    # --- looking at one order ---

    async def _told(self, tracked: Tracked, *, everything: bool) -> list[BrokerEvent]:
        """Look at the order and tell what is new, or all. Raises `OrderNotFound` when no list has it either."""
        row = await self._order_row(tracked)
        fills: list[wire.FillRow] = []
        if tracked.lacks_fills(row) or (everything and row.filled_qty):
            fills = await self._fill_rows(row)
        events = tracked.tell(row, fills, self._clock.now_ns(), everything=everything)
        tracked.unknown_s = None
        return events

    async def _order_row(self, tracked: Tracked) -> wire.OrderRow:
        params = {"clientId": tracked.client_id}
        try:
            data = await self._rest.get("/trade/get_order_detail", params, signed=True, is_evidence=True)
            return wire.read(wire.ORDER, data, "order")
        except OrderNotFound:
            params |= {"symbol": tracked.symbol}
            for path in ("/trade/get_pending_orders", "/trade/get_history_orders"):
                for row in await self._order_rows(path, params):
                    if row.client_id == tracked.client_id:
                        return row
            raise

    async def _order_rows(self, path: str, params: dict[str, str]) -> list[wire.OrderRow]:
        rows: list[wire.OrderRow] = []
        while True:
            page = {**params, "limit": str(PAGE_MAX), "skip": str(len(rows))}
            data = await self._rest.get(path, page, signed=True, attempts=3, is_evidence=True)
            found = wire.read(wire.ORDERS, data, "orders").orders
            rows += found
            if len(found) < PAGE_MAX:
                return rows

    async def _fill_rows(self, row: wire.OrderRow) -> list[wire.FillRow]:
        fills: dict[str, wire.FillRow] = {}
        skip = 0
        while True:
            params = {"symbol": row.symbol, "orderId": row.order_id, "limit": str(PAGE_MAX), "skip": str(skip)}
            path = "/trade/get_history_trades"
            data = await self._rest.get(path, params, signed=True, attempts=3, is_evidence=True)
            found = wire.read(wire.FILLS, data, "fills").fills
            fills |= {fill.trade_id: fill for fill in found if fill.order_id == row.order_id}
            skip += len(found)
            if len(found) < PAGE_MAX:
                return list(fills.values())

    async def _account_row(self) -> wire.AccountRow:
        data = await self._rest.get("/account", {"marginCoin": "USDT"}, signed=True, attempts=3)
        return wire.read(wire.ACCOUNT, wire.one(data), "account")

    async def _after_refused_cancel(self, tracked: Tracked, problem: VenueError) -> Sequence[BrokerEvent]:
        """What became of an order the venue would not cancel: ended, unknown there, or still working."""
        events = list(await self.query(Query(tracked.client_id, tracked.symbol)))
        if tracked.accepted and not tracked.ended and not isinstance(events[-1], OutcomeUnknown | OrderMissing):
            tracked.cancel_sent = False
            events.append(self._cancel_refused(tracked, problem))
        return events

    def _cancel_refused(self, tracked: Tracked, problem: VenueError) -> CancelRefused:
        code = reason_code(problem).value
        return CancelRefused(tracked.client_id, self._clock.now_ns(), code, str(problem))

    def _unknown(self, tracked: Tracked, problem: VenueError) -> OutcomeUnknown:
        tracked.unknown_s = _now_s()
        return OutcomeUnknown(tracked.client_id, self._clock.now_ns(), str(problem))

    def _unsettled_s(self, tracked: Tracked) -> float:
        """How long "not found" does not count yet; an order of an earlier run counts from our start."""
        since_s = tracked.unknown_s if tracked.unknown_s is not None else self._began_s
        return since_s + self._settings.settle_s - _now_s()

    # --- the private socket ---

    async def _greet(self, link: Link) -> None:
        """Log in, ask for what may or may not have to be asked for, and look at all that may have changed meanwhile."""
        await link.send({"op": "login", "args": [self._rest.login()]})
        await link.send({"op": "subscribe", "args": [{"ch": channel} for channel in PRIVATE_CHANNELS]})
        for tracked in self._orders.open():
            self._look_at(tracked)
        if self._greeted:
            self._outbox.put([BrokerReconnected(self._clock.now_ns())])
        self._greeted = True

    def _on_frame(self, raw: bytes, at_ns: int) -> bool:
        try:
            frame = wire.PUSH.validate_json(raw)
            pushes = wire.ORDER_PUSH.validate_python(wire.many(frame.data)) if frame.ch == "order" else []
        except ValidationError as problem:
            return self._on_control(raw, at_ns, problem)
        for push in pushes:
            tracked = self._orders.find(push.client_id, push.order_id)
            if tracked is not None:
                self._look_at(tracked)
        return True

    def _on_control(self, raw: bytes, at_ns: int, problem: ValidationError) -> bool:
        try:
            control = wire.CONTROL.validate_json(raw)
        except ValidationError:
            self._on_rejected(DataRejected("", at_ns, wire.first_problem(problem), "private"))
            return False
        if control.op == "login" and control.is_refusal:
            raise AuthFailed(control.text)
        return False

    def _look_at(self, tracked: Tracked) -> None:
        self._hinted[tracked.client_id] = None
        self._hint.set()

    async def _look_at_hinted(self) -> None:
        while True:
            await self._hint.wait()
            if not self._hinted:
                self._hint.clear()
                continue
            client_id = next(iter(self._hinted))
            del self._hinted[client_id]
            tracked = self._orders.find(client_id, "")
            if tracked is not None:
                await self._look(tracked)

    async def _look(self, tracked: Tracked) -> None:
        """Tell what is new about one order; what cannot be found out now is found out by the sweep."""
        try:
            self._outbox.put(await self._told(tracked, everything=False))
        except OrderNotFound as problem:
            if tracked.accepted and not tracked.ended and tracked.unknown_s is None:
                self._outbox.put([self._unknown(tracked, problem)])  # it was there: the core will ask and be told
            elif tracked.missing_s is None and self._unsettled_s(tracked) <= 0:
                tracked.missing_s = _now_s()  # nobody may ever ask, and it is not to be looked for for ever
        except AuthFailed:
            raise
        except VenueError as problem:
            self._on_rejected(DataRejected(tracked.symbol, self._clock.now_ns(), str(problem), "order look-up"))

    async def _sweep(self) -> None:
        quarter = 0
        while True:
            await asyncio.sleep(self._settings.sweep_s / 4)
            quarter = (quarter + 1) % 4
            for tracked in self._orders.open():
                if tracked.missing_s is not None and _now_s() - tracked.missing_s > self._settings.late_s:
                    self._orders.drop(tracked)
                elif quarter == 0 or tracked.cancel_sent:
                    self._look_at(tracked)

    def _start(self, work: Coroutine[Any, Any, None], name: str) -> None:
        self._tasks.add(asyncio.create_task(work, name=name))


def _venue_order(row: wire.OrderRow) -> BookOrder:
    sign = 1 if row.side == "BUY" else -1
    return BookOrder(row.client_id, row.order_id, row.symbol, sign * row.qty, sign * row.filled_qty)


def _now_s() -> float:
    return asyncio.get_running_loop().time()
