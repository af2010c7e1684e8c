"""The equity curve in one colour: its shape says enough, and one colour costs a slow line least."""

from collections.abc import Sequence

from console.text import Line, Seen, Span, Tone, amount, fit, heading, percent, signed, toned, width_of
from engine.core.profiles import band
from engine.core.view import DeskView

STEPS = " ▁▂▃▄▅▆▇█"
HEIGHT = 3
NAME_WIDTH = 10  # of the heading before what stands at its right end


def title(seen: Seen, width: int) -> Line:
    view = seen.view
    change = view.equity - view.starting_equity
    shown: Line = (Span(amount(view.equity) + "  "), Span(signed(change), toned(change)))
    banded = (*shown, *_band(view))
    return heading("Equity", banded if width_of(banded) + NAME_WIDTH <= width else shown, width)


def _band(view: DeskView) -> Line:
    """Between which the change lies when orders are filled worse or better."""
    between = band(view.equity - view.starting_equity, view.net_pnl_pessimistic, view.net_pnl_optimistic)
    if between is None:
        return ()
    lowest, highest = between
    return (Span(f" ({signed(lowest)} to {signed(highest)})", Tone.DIM),)


def rows(seen: Seen, width: int) -> list[Line]:
    view = seen.view
    lines: list[Line] = [(Span(row, Tone.BAR),) for row in spark(view.equity_curve, width, HEIGHT)]
    won = f"{view.trades:,} trades, {view.wins * 100 // view.trades} % won" if view.trades else "no trade yet"
    lines.append((Span(fit(f"{won}, fees {amount(view.fees)}", width), Tone.DIM),))
    lines.append((Span(fit(f"realized {signed(view.realized)}, drawdown {percent(view.drawdown)}", width), Tone.DIM),))
    return lines


def spark(values: Sequence[int], width: int, height: int) -> list[str]:
    """`values` (oldest first) as columns of eighths between their lowest and highest; the newest at the right end."""
    values = values[-width:]
    low, high = (min(values), max(values)) if values else (0, 0)
    steps = height * 8
    levels = [1 + (value - low) * (steps - 1) // (high - low) if high > low else 1 for value in values]
    lines = []
    for row in reversed(range(height)):
        cells = "".join(STEPS[min(max(level - 8 * row, 0), 8)] for level in levels)
        lines.append(cells.rjust(width))
    return lines
