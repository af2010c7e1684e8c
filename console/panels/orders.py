"""What works in the market now."""

from console.table import Column, table
from console.text import Line, Seen, Span, Tone, clock, heading, percent, price, quantity
from engine.core import money
from engine.core.view import OrderView


def title(seen: Seen, width: int) -> Line:
    return heading("Working orders", (Span(str(len(seen.view.orders)), Tone.DIM),), width)


def rows(seen: Seen, width: int) -> list[Line]:
    orders = sorted(seen.view.orders, key=lambda order: (-order.placed_ns, order.order_id))
    if not orders:
        return [(Span("no working order", Tone.DIM),)]
    return table(_COLUMNS, orders, width)


def _filled(order: OrderView) -> Span:
    if not order.filled_qty or not order.qty:
        return Span("-", Tone.DIM)
    return Span(percent(money.div(order.filled_qty, order.qty), 0))


def _price(order: OrderView) -> Span:
    """The limit, or where a stop order fires."""
    shown = order.price or order.stop_price
    return Span(price(shown) if shown else "market")


def _state(order: OrderView) -> Span:
    if order.stuck:
        return Span(f"stuck {order.state}", Tone.BAD)
    return Span(order.state, Tone.BAD if order.state == "UNKNOWN" else Tone.PLAIN)


_COLUMNS: list[Column[OrderView]] = [
    Column("Placed", 8, lambda o: Span(clock(o.placed_ns), Tone.DIM), 6),
    Column("Symbol", 8, lambda o: Span(o.symbol, Tone.STRONG), 0, grows=True),
    Column("For", 6, lambda o: Span(o.purpose), 3),
    Column("Side", 4, lambda o: Span("BUY" if o.qty > 0 else "SELL"), 1),
    Column("Qty", 7, lambda o: Span(quantity(o.qty, 7)), 4, right=True),
    Column("Price", 8, _price, 5, right=True),
    Column("Filled", 6, _filled, 7, right=True),
    Column("State", 16, _state, 2),
    Column("Id", 20, lambda o: Span(o.order_id, Tone.DIM), 8),
]
