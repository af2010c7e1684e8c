"""Orders, fills and trades: three lists on one page. Opened, the story of the signal behind the row."""

from collections.abc import Sequence
from typing import Any

import msgspec

from console.pages.base import Hint
from console.pages.listing import Detail, Listing
from console.pages.signals import short_id
from console.pages.story import story
from console.table import Column
from console.text import Span, Tone, moment, price, quantity, signed, timer, toned
from engine.core import money
from engine.core.words import OrderState
from store.queries import Queries
from store.records import FillRecord, OrderRecord, TradeRecord

LATER = "(later)"  # of an order of a recorded run: what became of it, the run has not come to
PARTS = ("Orders", "Fills", "Trades")


class BlotterPage(Listing[Any]):
    name = "Orders"
    says = "Orders, fills and trades; s sorts trades by what they brought."

    def __init__(self) -> None:
        super().__init__()
        self._part = 0
        self._worst_first = False

    @property
    def noun(self) -> str:  # type: ignore[override]
        return PARTS[self._part].lower()

    def title(self) -> str:
        worst = ", the greatest loss first" if not self.is_by_row() else ""
        return "  ".join(f"[{part}]" if at == self._part else part for at, part in enumerate(PARTS)) + worst

    def question(self) -> tuple[object, ...]:
        return (*super().question(), self._part, self._worst_first)

    def is_by_row(self) -> bool:
        return not (self._worst_first and PARTS[self._part] == "Trades")

    def hints(self) -> tuple[Hint, ...]:
        hints = super().hints()
        if self.is_typing or self._opened is not None:
            return hints
        sort = (Hint("s", "Worst first", "Trades by what they brought, or by time again."),)
        return (
            *hints[:2],
            Hint("Tab", "Next list", "Orders, fills, trades."),
            *(sort if PARTS[self._part] == "Trades" else ()),
            *hints[2:],
        )

    def press(self, key: str, character: str | None) -> bool:
        if self.is_typing or self._opened is not None:
            return super().press(key, character)
        match key:
            case "tab":
                self._turn_to(self._part + 1)
            case "shift+tab":
                self._turn_to(self._part - 1)
            case "s" | "S" if PARTS[self._part] == "Trades":
                self._worst_first = not self._worst_first
                self.look_for(self.find)
            case _:
                return super().press(key, character)
        return True

    def _turn_to(self, part: int) -> None:
        self._part = part % len(PARTS)
        self.rows = []
        self.look_for(self.find)

    async def fetch(self, queries: Queries, limit: int, before: int) -> list[Any]:
        match PARTS[self._part]:
            case "Orders":
                return await queries.orders(limit, before, self.wanted)
            case "Fills":
                return await queries.fills(limit, before, self.wanted)
            case _:
                return await queries.trades(limit, before, self.wanted, worst_first=self._worst_first)

    async def describe(self, queries: Queries, row: Any) -> Detail | None:
        return await story(queries, row.signal_id)

    def as_of(self, row: Any, then_ns: int) -> Any:
        if not isinstance(row, OrderRecord) or row.updated_ns <= then_ns:
            return row
        return msgspec.structs.replace(row, state=LATER, filled_qty=0, average_price=0, reason_code="", text="")

    def columns(self, width: int) -> Sequence[Column[Any]]:
        return (_ORDERS, _FILLS, _TRADES)[self._part]


_GOOD = (OrderState.FILLED, OrderState.PARTIALLY_FILLED)
_BAD = (OrderState.REJECTED, OrderState.UNKNOWN)


def _state(order: OrderRecord) -> Span:
    tone = Tone.GOOD if order.state in _GOOD else Tone.BAD if order.state in _BAD else Tone.PLAIN
    return Span(f"x {order.state}" if tone is Tone.BAD else order.state, tone)


def _side(qty: int) -> Span:
    return Span("BUY" if qty > 0 else "SELL")


def _price(order: OrderRecord) -> Span:
    at = order.price or order.stop_price
    return Span(price(at) if at else "market")


_ORDERS = (
    Column[OrderRecord]("Time", 14, lambda o: Span(moment(o.placed_ns), Tone.DIM), 2),
    Column[OrderRecord]("Symbol", 9, lambda o: Span(o.symbol, Tone.STRONG), 0),
    Column[OrderRecord]("Side", 4, lambda o: _side(o.qty), 3),
    Column[OrderRecord]("For", 11, lambda o: Span(o.purpose.lower()), 4),
    Column[OrderRecord]("State", 17, _state, 1),
    Column[OrderRecord]("Qty", 10, lambda o: Span(quantity(o.qty, 10)), 5, right=True),
    Column[OrderRecord]("Filled", 10, lambda o: Span(quantity(o.filled_qty, 10)), 7, right=True),
    Column[OrderRecord]("Price", 10, _price, 6, right=True),
    Column[OrderRecord]("Average", 10, lambda o: Span(price(o.average_price)), 9, right=True),
    Column[OrderRecord]("Id", 11, lambda o: short_id(o.order_id), 10),
    Column[OrderRecord]("Why", 12, lambda o: Span(o.text or o.reason_code, Tone.DIM), 8, grows=True),
)


def _slip(fill: FillRecord) -> Span:
    """How much worse than the price it was decided at, in basis points of it; better is negative."""
    if fill.slippage is None or not fill.expected:
        return Span("-", Tone.DIM)
    points = money.div(fill.slippage, fill.expected) * 10_000
    return Span(f"{money.text(points, 1)} bp", toned(-points))


_FILLS = (
    Column[FillRecord]("Time", 14, lambda f: Span(moment(f.filled_ns), Tone.DIM), 2),
    Column[FillRecord]("Symbol", 9, lambda f: Span(f.symbol, Tone.STRONG), 0),
    Column[FillRecord]("Side", 4, lambda f: _side(f.qty), 3),
    Column[FillRecord]("For", 11, lambda f: Span(f.purpose.lower()), 6),
    Column[FillRecord]("Qty", 10, lambda f: Span(quantity(f.qty, 10)), 1, right=True),
    Column[FillRecord]("Price", 10, lambda f: Span(price(f.price)), 4, right=True),
    Column[FillRecord]("As", 5, lambda f: Span(f.role.lower(), Tone.DIM), 7),
    Column[FillRecord]("Fee", 8, lambda f: Span(money.text(f.fee, 4), Tone.DIM), 8, right=True),
    Column[FillRecord]("Slippage", 9, _slip, 9, right=True),
    Column[FillRecord]("Realized", 10, lambda f: Span(signed(f.realized), toned(f.realized)), 5, right=True),
    Column[FillRecord]("Order", 11, lambda f: short_id(f.order_id), 10, grows=True),
)
_TRADES = (
    Column[TradeRecord]("Closed", 14, lambda t: Span(moment(t.exit_ns), Tone.DIM), 2),
    Column[TradeRecord]("Symbol", 9, lambda t: Span(t.symbol, Tone.STRONG), 0),
    Column[TradeRecord]("Side", 5, lambda t: Span(t.side), 4),
    Column[TradeRecord]("P&L", 10, lambda t: Span(signed(t.pnl), toned(t.pnl)), 1, right=True),
    Column[TradeRecord]("Closed by", 14, lambda t: Span(t.exit_reason.lower()), 3),
    Column[TradeRecord]("Qty", 10, lambda t: Span(quantity(t.qty, 10)), 7, right=True),
    Column[TradeRecord]("Entry", 10, lambda t: Span(price(t.entry_price)), 6, right=True),
    Column[TradeRecord]("Exit", 10, lambda t: Span(price(t.exit_price)), 8, right=True),
    Column[TradeRecord]("Held", 11, lambda t: Span(timer(t.duration_ns), Tone.DIM), 5),
    Column[TradeRecord]("Fees", 8, lambda t: Span(money.text(t.fees, 4), Tone.DIM), 9, right=True),
    Column[TradeRecord]("Phase", 10, lambda t: Span(t.phase, Tone.DIM), 11),
    Column[TradeRecord]("Strategy", 12, lambda t: Span(t.strategy_id, Tone.DIM), 10, grows=True),
)
