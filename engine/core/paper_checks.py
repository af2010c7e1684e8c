"""What the paper broker refuses when an order or an amend arrives, and why. The first reason wins."""

from collections.abc import Mapping

import msgspec

from engine.core import money
from engine.core.config import Instrument
from engine.core.facts import Amend, Submit
from engine.core.liquidity import MarketMemory
from engine.core.margin import bound, initial
from engine.core.paper_ledger import notional
from engine.core.paper_state import PaperAccount
from engine.core.words import OrderKind, ReasonCode, TimeInForce
from engine.core.working import WorkingOrder

No = tuple[ReasonCode, str]


def refusal(
    order: Submit, instruments: Mapping[str, Instrument], account: PaperAccount, market: MarketMemory
) -> No | None:
    """Why `order` is refused, or None if it may work."""
    instrument = instruments.get(order.symbol)
    if instrument is None:
        return ReasonCode.SYMBOL_NOT_ALLOWED, f"{order.symbol} is not traded here"
    return _form_refusal(order, instrument) or _value_refusal(order, instruments, account, market)


def amend_refusal(
    working: WorkingOrder,
    amend: Amend,
    instruments: Mapping[str, Instrument],
    account: PaperAccount,
    market: MarketMemory,
) -> No | None:
    """Why a working order cannot become what `amend` asks, or None if it can."""
    if amend.qty * working.sign <= abs(working.filled):
        return (
            ReasonCode.VENUE_REFUSED,
            f"{money.text(abs(working.filled))} are filled already; cancel the rest instead",
        )
    if working.fired and amend.stop_price != working.order.stop_price:
        return ReasonCode.VENUE_REFUSED, "its stop was reached already"
    wanted = amended(working.order, amend)
    rest = msgspec.structs.replace(wanted, qty=wanted.qty - working.filled)
    no = _form_refusal(wanted, instruments[amend.symbol])
    return no or _value_refusal(rest, instruments, account, market)


def amended(order: Submit, amend: Amend) -> Submit:
    """The order as `amend` wants it."""
    return msgspec.structs.replace(order, qty=amend.qty, price=amend.price, stop_price=amend.stop_price)


def _form_refusal(order: Submit, instrument: Instrument) -> No | None:
    """What is wrong with the order itself: its quantity, its price, its kind."""
    qty = abs(order.qty)
    if qty == 0:
        return ReasonCode.ZERO_SIZE, "quantity is zero"
    if qty % instrument.lot:
        return ReasonCode.VENUE_REFUSED, f"quantity {money.text(qty)} is no multiple of {money.text(instrument.lot)}"
    if qty > instrument.max_qty:
        return ReasonCode.ABOVE_MAX_QTY, f"quantity {money.text(qty)} is above {money.text(instrument.max_qty)}"
    if qty < instrument.min_qty and not order.reduce_only:
        return ReasonCode.BELOW_MIN_QTY, f"quantity {money.text(qty)} is below {money.text(instrument.min_qty)}"
    return _price_refusal(order, instrument)


def _price_refusal(order: Submit, instrument: Instrument) -> No | None:
    """What is wrong with the prices of an order of its kind."""
    resting = order.kind in (OrderKind.LIMIT, OrderKind.STOP_LIMIT)
    stops = order.kind in (OrderKind.STOP, OrderKind.STOP_LIMIT)
    if not resting and (order.price != 0 or order.tif is TimeInForce.POST_ONLY):
        return ReasonCode.VENUE_REFUSED, "a market order has no price and cannot be post-only"
    if not stops and order.stop_price != 0:
        return ReasonCode.VENUE_REFUSED, "only a stop order has a stop price"
    for price in (order.price,) * resting + (order.stop_price,) * stops:
        if price <= 0 or price % instrument.tick:
            text = f"price {money.text(price)} is no positive multiple of {money.text(instrument.tick)}"
            return ReasonCode.VENUE_REFUSED, text
    return None


def _value_refusal(
    order: Submit, instruments: Mapping[str, Instrument], account: PaperAccount, market: MarketMemory
) -> No | None:
    """Whether the order is worth its trouble and the account can carry it; what lessens a position always may."""
    if order.reduce_only:
        return None
    instrument = instruments[order.symbol]
    price = order.price or order.stop_price or market.mark(order.symbol)
    if price == 0:
        return ReasonCode.NO_PRICE, f"no price is known for {order.symbol}"
    value = abs(notional(instrument, order.qty, price))
    if value < instrument.min_notional:
        text = f"notional {money.text(value)} is below {money.text(instrument.min_notional)}"
        return ReasonCode.BELOW_MIN_NOTIONAL, text
    held = account.ledger.qty(order.symbol)
    added = abs(held + order.qty) - abs(held)
    if added <= 0:
        return None  # getting out stays possible
    needed = initial(instrument, added, price)
    needed += bound(instruments, account.ledger, account.working, market.mark, but_for=order.order_id)
    equity = account.ledger.equity(instruments, market.mark)
    if needed > equity:
        return ReasonCode.MARGIN, f"margin {money.text(needed)} would pass the equity {money.text(equity)}"
    return None
