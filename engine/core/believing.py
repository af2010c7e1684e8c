"""Which fills cannot be. What makes no sense is neither booked nor lost: it is held apart until a person settles it.

Only what a venue says is judged by its price: the paper broker fills at prices the desk has taken itself.
"""

from collections.abc import Iterable
from typing import Final

from engine.core import money
from engine.core.events import Fill
from engine.core.orders import Order

PRICE_FACTOR: Final = 2
"""A price more than so many times another, or less than that part of it, is not believed on its own."""


def is_far(price: int, known: int) -> bool:
    """Whether `price` is out of all proportion to a `known` one. Both above zero."""
    return price > known * PRICE_FACTOR or price * PRICE_FACTOR < known


def senseless(fill: Fill, order: Order) -> str:
    """Why no book can hold `fill` as one of `order`; empty if one can."""
    if fill.symbol != order.symbol:
        return f"it is in {fill.symbol}, the order in {order.symbol}"
    if fill.qty * order.qty <= 0:
        return f"its quantity is {money.text(fill.qty)}, the order's {money.text(order.qty)}"
    if fill.price <= 0:
        return f"its price is {money.text(fill.price)}"
    return ""


def incredible(fill: Fill, order: Order, prices: Iterable[int]) -> str:
    """Why `fill` can hardly be true, beside what its order asked and the `prices` known (0: unknown); empty if it may.

    One price that it is near is enough. Where none is known it cannot be judged by its price.
    """
    filled = order.filled_qty + fill.qty
    if abs(filled) > order.largest_qty:
        return f"it makes {money.text(abs(filled))} filled of {money.text(order.largest_qty)} ordered"
    known = [price for price in prices if price > 0]
    if known and all(is_far(fill.price, price) for price in known):
        return f"its price is {money.text(fill.price)}, the market's {money.text(known[0])}"
    return ""
