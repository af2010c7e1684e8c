"""What is open, what it is worth, and how far its stop is."""

from console.table import Column, table
from console.text import (
    BLANK,
    SECOND,
    Line,
    Seen,
    Span,
    Tone,
    heading,
    percent,
    price,
    quantity,
    signed,
    toned,
)
from engine.core import money
from engine.core.view import PositionView
from engine.core.words import Purpose


def title(seen: Seen, width: int) -> Line:
    view = seen.view
    held = str(len(view.positions))
    entering = len({o.symbol for o in view.orders if o.purpose == Purpose.ENTRY} - {p.symbol for p in view.positions})
    held += f" + {entering} entering" if entering else ""
    of_max = f"{held} of {view.positions_max}" if view.positions_max else f"{held} open"
    gain = Span(signed(view.unrealized), toned(view.unrealized))
    return heading("Positions", (Span(f"{of_max}  P&L ", Tone.DIM), gain), width)


def rows(seen: Seen, width: int) -> list[Line]:
    """A line for each open position, oldest first, so that no line moves by itself; one quiet line for none."""
    positions = sorted(seen.view.positions, key=lambda position: (position.opened_ns, position.symbol))
    if not positions:
        return [(Span("no open position", Tone.DIM),), BLANK]
    return table(_columns(seen.now_ns), positions, width)


def _columns(now_ns: int) -> list[Column[PositionView]]:
    return [
        Column("Symbol", 8, lambda p: Span(p.symbol, Tone.STRONG), 0, grows=True),
        Column("Side", 5, lambda p: Span(p.side.value), 1),
        Column("Qty", 7, lambda p: Span(quantity(p.qty, 7)), 3, right=True),
        Column("Entry", 8, lambda p: Span(price(p.entry)), 5, right=True),
        Column("Mark", 8, lambda p: Span(price(p.mark)), 4, right=True),
        Column("P&L", 8, lambda p: Span(signed(p.unrealized), toned(p.unrealized)), 2, right=True),
        Column("Stop", 8, lambda p: Span(price(p.stop)), 6, right=True),
        Column("To stop", 7, _to_stop, 7, right=True),
        Column("Target", 8, lambda p: Span(price(p.target)), 9, right=True),
        Column("Heat", 7, lambda p: Span(percent(p.heat)), 8, right=True),
        Column("Open", 6, lambda p: Span(_minutes(now_ns - p.opened_ns), Tone.DIM), 10, right=True),
        Column("Strategy", 12, lambda p: Span(p.strategy_id, Tone.DIM), 11),
    ]


def _to_stop(position: PositionView) -> Span:
    """How far the mark is from the stop, as a share of the mark."""
    if not position.stop or not position.mark:
        return Span("none", Tone.WARN)
    distance = money.div((position.mark - position.stop) * position.side.sign, position.mark)
    return Span(percent(distance), Tone.BAD if distance <= 0 else Tone.PLAIN)


def _minutes(ns: int) -> str:
    """An age that changes once a minute, so that it costs nothing to show."""
    minutes = max(ns, 0) // (60 * SECOND)
    if minutes < 60:
        return f"{minutes}m" if minutes else "<1m"
    return f"{minutes // 60}h{minutes % 60:02d}m" if minutes < 1440 else f"{minutes // 1440}d{minutes // 60 % 24:02d}h"
