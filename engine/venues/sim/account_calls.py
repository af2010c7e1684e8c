"""The REST calls on an account: orders, fills, positions, balance, settings. Every one of them is signed."""

from collections.abc import Callable, Mapping
from typing import Final

from engine.core import money
from engine.core.config import DAY, Instrument
from engine.core.words import OrderKind, TimeInForce
from engine.venues.sim import objects, wire
from engine.venues.sim.accounts import Ask, VenueOrder
from engine.venues.sim.faults import Faults
from engine.venues.sim.rest import Call, Lost, Route
from engine.venues.sim.wire import MS, Json, Refusal

PAGE_DEFAULT: Final = 10
PAGE_MAX: Final = 100
FAR_MS: Final = 10**14
KINDS: Final = {"LIMIT": OrderKind.LIMIT, "MARKET": OrderKind.MARKET}
"""What the venue calls the order types it has; it has no stop orders."""

CANCELED_KEPT_NS: Final = 3 * DAY
"""How long history shows orders that were cancelled without a fill."""


class AccountCalls:
    """What a key's owner may ask and do."""

    def __init__(self, instruments: Mapping[str, Instrument], faults: Faults, now_ns: Callable[[], int]) -> None:
        self._instruments = instruments
        self._faults = faults
        self._now_ns = now_ns

    def routes(self) -> dict[str, Route]:
        return {
            "/account": Route("GET", self.account, signed=True),
            "/account/change_leverage": Route("POST", self.change_leverage, signed=True),
            "/account/change_position_mode": Route("POST", self.change_position_mode, signed=True),
            "/position/get_pending_positions": Route("GET", self.positions, signed=True),
            "/trade/place_order": Route("POST", self.place_order, signed=True),
            "/trade/cancel_orders": Route("POST", self.cancel_orders, signed=True),
            "/trade/cancel_all_orders": Route("POST", self.cancel_all_orders, signed=True),
            "/trade/get_order_detail": Route("GET", self.order_detail, signed=True),
            "/trade/get_pending_orders": Route("GET", self.pending_orders, signed=True),
            "/trade/get_history_orders": Route("GET", self.history_orders, signed=True),
            "/trade/get_history_trades": Route("GET", self.history_trades, signed=True),
        }

    # --- account ---

    def account(self, call: Call) -> Json:
        if call.query.get("marginCoin") != "USDT":
            raise Refusal(10002)
        return objects.balance(call.owner())

    def positions(self, call: Call) -> Json:
        account, symbol = call.owner(), call.query.get("symbol", "")
        return [objects.position(account, held) for held in account.books.positions if symbol in ("", held)]

    def change_leverage(self, call: Call) -> Json:
        symbol, leverage = str(call.body.get("symbol", "")), wire.digits(call.body.get("leverage", ""))
        if leverage is None:
            raise Refusal(20005)
        call.owner().set_leverage(symbol, leverage)
        return [{"marginCoin": "USDT", "symbol": symbol, "leverage": leverage}]

    def change_position_mode(self, call: Call) -> Json:
        """Only ONE_WAY exists here; HEDGE is refused as a parameter."""
        if call.body.get("positionMode") != "ONE_WAY":
            raise Refusal(10002)
        if call.owner().books.positions:
            raise Refusal(20009)
        return [{"positionMode": "ONE_WAY"}]

    # --- orders ---

    def place_order(self, call: Call) -> Json:
        if self._faults.take("request_lost"):
            raise Lost
        if self._faults.take("reject_next"):
            raise Refusal(self._faults.reject_code)
        order = call.owner().place(self._ask(call.body), self._now_ns())
        if self._faults.take("reply_lost"):
            raise Lost
        return {"orderId": order.order_id, "clientId": order.client_id}

    def cancel_orders(self, call: Call) -> Json:
        """Each order by its id or the client's; what was not cancelled comes back with its own code."""
        listed = call.body.get("orderList")
        if not isinstance(listed, list) or not all(isinstance(entry, dict) for entry in listed):
            raise Refusal(10002)
        account = call.owner()
        done: list[dict[str, object]] = []
        failed: list[dict[str, object]] = []
        for entry in listed:
            ids = {name: str(entry.get(name, "") or "") for name in ("orderId", "clientId")}
            try:
                order = account.find(ids["orderId"], ids["clientId"])
                account.cancel(order, self._now_ns())
                done.append({"orderId": order.order_id, "clientId": order.client_id})
            except Refusal as refusal:
                failed.append({**ids, "errorMsg": str(refusal), "errorCode": str(refusal.code)})
        if self._faults.take("cancel_reply_lost"):
            raise Lost
        return {"successList": done, "failureList": failed}

    def cancel_all_orders(self, call: Call) -> Json:
        account, symbol = call.owner(), call.body.get("symbol")
        orders = [order for order in account.working.values() if symbol in (None, "", order.symbol)]
        for order in orders:
            account.cancel(order, self._now_ns())
        return {
            "successList": [{"orderId": order.order_id, "clientId": order.client_id} for order in orders],
            "failureList": [],
        }

    def order_detail(self, call: Call) -> Json:
        order_id, client_id = call.query.get("orderId", ""), call.query.get("clientId", "")
        if not order_id and not client_id:
            raise Refusal(10002)
        return objects.order(call.owner().find(order_id, client_id))

    def pending_orders(self, call: Call) -> Json:
        return self._page(call, [order for order in call.owner().working.values() if _matches(call, order)])

    def history_orders(self, call: Call) -> Json:
        oldest_ns = self._now_ns() - CANCELED_KEPT_NS
        ended = [
            order
            for order in call.owner().orders.values()
            if not order.works
            and (order.filled or order.changed_ns >= oldest_ns)
            and _matches(call, order)
            and _within(call, order.created_ns)
        ]
        return self._page(call, ended)

    def history_trades(self, call: Call) -> Json:
        order_id, symbol = call.query.get("orderId", ""), call.query.get("symbol", "")
        found = [
            trade
            for trade in call.owner().trades
            if order_id in ("", trade.order.order_id)
            and symbol in ("", trade.order.symbol)
            and _within(call, trade.at_ns)
        ]
        skip, limit = _paging(call)
        page = found[::-1][skip : skip + limit]
        return {"tradeList": [objects.trade(trade) for trade in page], "total": len(found)}

    def _page(self, call: Call, orders: list[VenueOrder]) -> Json:
        """Newest first, `skip` passed over, at most `limit`."""
        skip, limit = _paging(call)
        page = orders[::-1][skip : skip + limit]
        return {"orderList": [objects.order(order) for order in page], "total": len(orders)}

    def _ask(self, body: Mapping[str, object]) -> Ask:
        """The order a body describes. Raises `Refusal` 10002 for what is missing or malformed, 20001 for a symbol."""
        symbol, side = str(body.get("symbol", "")), body.get("side")
        if symbol not in self._instruments:
            raise Refusal(20001)
        if side not in ("BUY", "SELL") or body.get("tradeSide") not in (None, "", "OPEN", "CLOSE"):
            raise Refusal(10002)
        try:
            kind = KINDS[str(body.get("orderType", ""))]
            effect = TimeInForce(str(body.get("effect") or ("GTC" if kind is OrderKind.LIMIT else "IOC")))
            qty = money.parse(str(body.get("qty", "")))
            price = money.parse(str(body.get("price", ""))) if kind is OrderKind.LIMIT else 0
        except (KeyError, ValueError) as error:
            raise Refusal(10002) from error
        if qty <= 0 or (kind is OrderKind.LIMIT and price <= 0):
            raise Refusal(10002)
        return Ask(
            symbol,
            qty if side == "BUY" else -qty,
            price,
            kind,
            effect,
            body.get("reduceOnly") in (True, "true"),
            str(body.get("clientId") or ""),
        )


def _matches(call: Call, order: VenueOrder) -> bool:
    query = call.query
    return (
        query.get("symbol", "") in ("", order.symbol)
        and query.get("orderId", "") in ("", order.order_id)
        and query.get("clientId", "") in ("", order.client_id)
        and query.get("status", "") in ("", order.status.value)
    )


def _within(call: Call, at_ns: int) -> bool:
    return call.number("startTime", 0) * MS <= at_ns < (call.number("endTime", FAR_MS) + 1) * MS


def _paging(call: Call) -> tuple[int, int]:
    """(skip, limit) of a call."""
    return call.number("skip", 0), min(call.number("limit", PAGE_DEFAULT), PAGE_MAX)
