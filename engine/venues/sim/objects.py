"""The account objects of the wire: orders, trades, positions, balances, as REST says them and as sockets push them."""

from engine.core import money
from engine.core.words import OrderKind
from engine.venues.sim import wire
from engine.venues.sim.accounts import LEVERAGE_DEFAULT, Account, Status, VenueOrder, VenueTrade
from engine.venues.sim.wire import MS

Record = dict[str, object]


def side_of(qty: int) -> str:
    return "BUY" if qty > 0 else "SELL"


def order(order: VenueOrder) -> Record:
    """An order in a REST reply. A market order's price is the word "market", as on the wire."""
    return {
        "orderId": order.order_id,
        "qty": money.text(abs(order.qty)),
        "tradeQty": money.text(abs(order.filled)),
        "price": "market" if order.kind is OrderKind.MARKET else money.text(order.price),
        "symbol": order.symbol,
        "positionMode": "ONE_WAY",
        "marginMode": "CROSS",
        "leverage": order.leverage,
        "side": side_of(order.qty),
        "orderType": order.kind.value,
        "effect": order.effect.value,
        "clientId": order.client_id,
        "reduceOnly": order.reduce_only,
        "status": order.status.value,
        "avgPrice": _average(order),
        "fee": money.text(order.fee),
        "realizedPNL": money.text(order.realized),
        "tpPrice": None,
        "tpStopType": None,
        "tpOrderType": None,
        "tpOrderPrice": None,
        "slPrice": None,
        "slStopType": None,
        "slOrderType": None,
        "slOrderPrice": None,
        "ctime": order.created_ns // MS,
        "mtime": order.changed_ns // MS,
    }


def trade(trade: VenueTrade) -> Record:
    """A fill in a REST reply, with the fields the venue leaves empty left empty."""
    return {
        "tradeId": trade.trade_id,
        "orderId": trade.order.order_id,
        "marginCoin": None,
        "symbol": trade.order.symbol,
        "qty": money.text(abs(trade.qty)),
        "positionMode": "ONE_WAY",
        "marginMode": "CROSS",
        "leverage": trade.order.leverage,
        "price": money.text(trade.price),
        "side": side_of(trade.qty),
        "orderType": trade.order.kind.value,
        "effect": None,
        "clientId": trade.order.client_id or None,
        "reduceOnly": trade.order.reduce_only,
        "status": None,
        "fee": money.text(trade.fee),
        "realizedPNL": money.text(trade.realized),
        "ctime": str(trade.at_ns // MS),
        "roleType": trade.role.value,
    }


def position(account: Account, symbol: str) -> Record:
    """An open position in a REST reply."""
    held, note = account.books.positions[symbol], account.notes[symbol]
    margin = account.margin(symbol)
    return {
        "positionId": note.position_id,
        "symbol": symbol,
        "qty": money.text(abs(held.qty)),
        "entryValue": money.text(abs(held.cost)),
        "side": side_of(held.qty),
        "positionMode": "ONE_WAY",
        "marginMode": "CROSS",
        "leverage": account.leverage.get(symbol, LEVERAGE_DEFAULT),
        "fees": money.text(note.fees),
        "funding": money.text(-note.funding),
        "realizedPNL": money.text(note.realized),
        "margin": money.text(margin),
        "unrealizedPNL": money.text(account.unrealized(symbol)),
        "liqPrice": "0",
        "marginRate": "0",
        "avgOpenPrice": money.text(money.div(abs(held.cost), abs(held.qty))),
        "ctime": str(note.opened_ns // MS),
        "mtime": str(note.changed_ns // MS),
    }


def balance(account: Account) -> Record:
    """The account in a REST reply: one object, as on the wire, where the documentation says a list."""
    symbols = account.books.positions
    available = money.text(account.available())
    return {
        "marginCoin": "USDT",
        "available": available,
        "frozen": money.text(account.frozen()),
        "margin": money.text(sum(account.margin(symbol) for symbol in symbols)),
        "transfer": available,
        "positionMode": "ONE_WAY",
        "crossUnrealizedPNL": money.text(sum(account.unrealized(symbol) for symbol in symbols)),
        "isolationUnrealizedPNL": "0",
        "bonus": "0",
    }


def pushes(account: Account, ts_ms: int) -> list[bytes]:
    """Take the account's pushes as framed messages; `data` is one object in each, as on the wire."""
    taken, account.pushes = account.pushes, []
    messages = []
    for channel, subject in taken:
        match subject:
            case VenueOrder():
                data = _order_push(subject)
            case "":
                data = _balance_push(account)
            case symbol:
                data = _position_push(account, symbol, ts_ms)
        messages.append(wire.message({"ch": channel, "ts": ts_ms, "data": data}))
    return messages


def _order_push(order: VenueOrder) -> Record:
    event = {Status.INIT: "CREATE", Status.NEW: "CREATE", Status.PART_FILLED: "UPDATE"}.get(order.status, "CLOSE")
    return {
        "event": event,
        "orderId": order.order_id,
        "clientId": order.client_id,
        "symbol": order.symbol,
        "positionType": "CROSS",
        "positionMode": "ONE_WAY",
        "side": side_of(order.qty).capitalize(),
        "effect": order.effect.value,
        "type": order.kind.value.capitalize(),
        "qty": money.text(abs(order.qty)),
        "reductionOnly": order.reduce_only,
        "price": money.text(order.price),
        "ctime": wire.iso(order.created_ns, nanos=True),
        "mtime": wire.iso(order.changed_ns, nanos=True),
        "leverage": str(order.leverage),
        "orderStatus": order.status.value,
        "dealAmount": money.text(abs(order.filled)),
        "averagePrice": _average(order),
        "fee": money.text(order.fee),
    }


def _position_push(account: Account, symbol: str, ts_ms: int) -> Record:
    note, held = account.notes.get(symbol), account.books.positions.get(symbol)
    if note is None or held is None:
        return {"event": "CLOSE", "symbol": symbol, "qty": "0", "positionMode": "ONE_WAY", "marginMode": "CROSS"}
    return {
        "event": "OPEN" if note.opened_ns == note.changed_ns else "UPDATE",
        "positionId": note.position_id,
        "marginMode": "CROSS",
        "positionMode": "ONE_WAY",
        "side": "LONG" if held.qty > 0 else "SHORT",
        "leverage": str(account.leverage.get(symbol, LEVERAGE_DEFAULT)),
        "margin": money.text(account.margin(symbol)),
        "ctime": wire.iso(note.opened_ns, nanos=True),
        "qty": money.text(abs(held.qty)),
        "entryValue": money.text(abs(held.cost)),
        "symbol": symbol,
        "realizedPNL": money.text(note.realized),
        "unrealizedPNL": money.text(account.unrealized(symbol)),
        "funding": money.text(-note.funding),
        "fee": money.text(note.fees),
    }


def _balance_push(account: Account) -> Record:
    frozen = money.text(account.frozen())
    margin = money.text(sum(account.margin(symbol) for symbol in account.books.positions))
    return {
        "coin": "USDT",
        "available": money.text(account.available()),
        "frozen": frozen,
        "isolationFrozen": "0",
        "crossFrozen": frozen,
        "margin": margin,
        "isolationMargin": "0",
        "crossMargin": margin,
        "expMoney": "0",
    }


def _average(order: VenueOrder) -> str:
    return money.text(money.div(order.paid, abs(order.filled))) if order.filled else "0"
