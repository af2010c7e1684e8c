"""The desk on one page: every panel in its place, for any size of screen.

Pure: a view and a size in, lines out. The left column holds what is traded, the right one how safe it is. Small screens
lose columns and rows, never a panel that says whether the desk is safe.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from console.pages.base import Page
from console.panels import breakers, equity, events, heartbeat, heat, market, orders, positions, signals
from console.text import BLANK, Line, Seen, Span, Tone, cut_line
from engine.core.breaker_table import BREAKERS

ROOMY: Final = 33  # body rows from which panels stand apart and the extra ones appear

Title = Callable[[Seen, int], Line]
Rows = Callable[[Seen, int], list[Line]]


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel's place in its column: at least `least` rows (0: may be left out), at most `most`, growing by `share`."""

    title: Title
    rows: Rows
    least: int
    most: int = 1_000
    share: int = 1
    more: str = ""  # said in the last row where rows are left out: where they are


_LEFT: Final = (
    Panel(positions.title, positions.rows, least=4, share=4, more="a larger screen"),
    Panel(signals.title, signals.rows, least=7, share=3),
)
_LEFT_ROOMY: Final = (
    Panel(positions.title, positions.rows, least=8, share=2, more="a larger screen"),
    Panel(orders.title, orders.rows, least=4, most=9, more="3 Orders"),
    Panel(signals.title, signals.rows, least=9, share=3),
    Panel(events.title, events.rows, least=4, share=2),
)
BREAKER_ROWS: Final = 1 + len(BREAKERS)  # with its title: on no screen may one drop off
_RIGHT: Final = (
    Panel(heat.title, heat.rows, least=2, more="4 Risk"),
    Panel(breakers.title, breakers.rows, least=BREAKER_ROWS, share=100),
    Panel(heartbeat.title, heartbeat.rows, least=1, share=3),
)
_RIGHT_ROOMY: Final = (
    Panel(equity.title, equity.rows, least=6, most=6),
    Panel(heat.title, heat.rows, least=3, most=9, more="4 Risk"),
    Panel(breakers.title, breakers.rows, least=BREAKER_ROWS, share=100),
    Panel(market.title, market.rows, least=0, most=4, share=6),
    Panel(heartbeat.title, heartbeat.rows, least=5, share=3),
)


class DeskPage(Page):
    name = "Desk"
    says = "What is held, how safe it is, how signals end, and what happened last."

    def body(self, seen: Seen, width: int, height: int) -> list[Line]:
        return desk_body(seen, width, height)


def desk_body(seen: Seen, width: int, height: int) -> list[Line]:
    """All panels in `height` lines."""
    roomy = height >= ROOMY
    margin = 1 if width >= 100 else 0
    gap = 3 if width >= 100 else 2
    right_width = max(29, min(62, width * 36 // 100))
    left_width = width - right_width - gap - 2 * margin
    left = _column(seen, _LEFT_ROOMY if roomy else _LEFT, left_width, height, roomy)
    right = _column(seen, _RIGHT_ROOMY if roomy else _RIGHT, right_width, height, roomy)
    edge, between = Span(" " * margin), Span(" " * gap)
    return [
        (edge, *cut_line(one, left_width), between, *cut_line(other, right_width), edge)
        for one, other in zip(left, right, strict=True)
    ]


def _column(seen: Seen, panels: Sequence[Panel], width: int, height: int, apart: bool) -> list[Line]:
    """`panels` below each other in exactly `height` lines."""
    contents = [panel.rows(seen, width) for panel in panels]
    spacers = len(panels) - 1 if apart else 0
    heights = allot(height - spacers, panels, [len(content) + 1 for content in contents])
    lines: list[Line] = []
    for panel, content, size in zip(panels, contents, heights, strict=True):
        if size:
            lines.extend([BLANK] if apart and lines else [])
            lines.extend([panel.title(seen, width), *_cut(content, size - 1, panel.more)])
            lines.extend([BLANK] * (size - 1 - len(content)))
    return [*lines, *[BLANK] * (height - len(lines))][:height]


def _cut(content: list[Line], rows: int, more: str) -> list[Line]:
    """The first rows; where some are left out that belong together, how many."""
    left = len(content) - rows
    if left <= 0 or not more or rows < 2:
        return content[:rows]
    return [*content[: rows - 1], (Span(f"↓ {left + 1} more: {more}", Tone.DIM),)]


def allot(height: int, panels: Sequence[Panel], wanted: Sequence[int]) -> list[int]:
    """How many rows each panel gets: first its least, in order, then a row at a time to the one furthest behind."""
    most = [min(want, panel.most) for panel, want in zip(panels, wanted, strict=True)]
    given = [0] * len(panels)
    for at, panel in enumerate(panels):
        given[at] = min(panel.least, most[at], height - sum(given))
    for _ in range(height - sum(given)):
        growing = [at for at in range(len(panels)) if given[at] < most[at]]
        if not growing:
            break
        given[min(growing, key=lambda at: (given[at] - panels[at].least) * 12 // panels[at].share)] += 1
    return given
