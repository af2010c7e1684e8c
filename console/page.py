"""The desk on one page: every panel in its place, for any size of screen, as plain lines.

Pure: a view and a size in, exactly `height` lines of exactly `width` cells out. The left column holds what is traded,
the right one how safe it is. Small screens lose columns and rows, never a panel that says whether the desk is safe.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from console.actions import footer
from console.panels import breakers, equity, events, heartbeat, heat, market, orders, positions, signals
from console.panels.status import head_lines, status_line, why_lines
from console.seat import Seat
from console.text import BLANK, OVER, Line, Seen, Span, Tone, cut_line, noted, wrap
from engine.core.breaker_table import BREAKERS

WIDTH_MIN: Final = 80
HEIGHT_MIN: Final = 24
AIRY: Final = 38  # screen rows from which a blank line sets the head apart
ROOMY: Final = 34  # body rows from which panels stand apart and the extra ones appear

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


_LEFT: Final = (
    Panel(positions.title, positions.rows, least=4, share=4),
    Panel(signals.title, signals.rows, least=7, share=3),
)
_LEFT_ROOMY: Final = (
    Panel(positions.title, positions.rows, least=8, share=2),
    Panel(orders.title, orders.rows, least=4, most=9),
    Panel(signals.title, signals.rows, least=9, share=3),
    Panel(events.title, events.rows, least=4, share=2),
)
BREAKER_ROWS: Final = 1 + len(BREAKERS)  # with its title: on no screen may one drop off
_RIGHT: Final = (
    Panel(heat.title, heat.rows, least=2),
    Panel(breakers.title, breakers.rows, least=BREAKER_ROWS, share=100),
    Panel(heartbeat.title, heartbeat.rows, least=1, share=3),
)
_RIGHT_ROOMY: Final = (
    Panel(equity.title, equity.rows, least=6, most=6),
    Panel(heat.title, heat.rows, least=3, most=9),
    Panel(breakers.title, breakers.rows, least=BREAKER_ROWS, share=100),
    Panel(market.title, market.rows, least=0, most=4, share=6),
    Panel(heartbeat.title, heartbeat.rows, least=5, share=3),
)


def desk_page(
    seen: Seen | None, width: int, height: int, notice: Span | None = None, seat: Seat = Seat.OWNER
) -> list[Line]:
    """The whole screen. Without a view yet it says so; below 80x24 it keeps to what must never be missed."""
    if width < WIDTH_MIN or height < HEIGHT_MIN:
        lines = _small(seen, width, height, notice)
    elif seen is None:
        lines = [(Span(" Nightdesk", Tone.TITLE),), BLANK, *_waiting(notice, width)]
    else:
        head = [*head_lines(seen, width), *noted(notice, width)]
        if height >= AIRY:
            head.append(BLANK)
        lines = [*head, *_body(seen, width, height - len(head) - 1)]
    lines = [
        *lines[: height - 1],
        *[BLANK] * (height - 1 - len(lines)),
        footer(width, _seat(seen, seat)),
    ]
    return [cut_line(line, width) for line in lines[-height:]]


def _seat(seen: Seen | None, seat: Seat) -> Seat:
    """Whose keys are shown: what has ended can only be left."""
    if seen is None:
        return seat
    return Seat.OPERATOR if seen.view.phase in OVER and seen.seat is Seat.OWNER else seen.seat


def _waiting(notice: Span | None, width: int) -> list[Line]:
    return [(Span(" ~ waiting for the desk's first word", Tone.WARN),), *noted(notice, width)]


def _small(seen: Seen | None, width: int, height: int, notice: Span | None) -> list[Line]:
    """The page of a screen that is too small: the state, the blocks, and the keys that still work."""
    lines: list[Line] = []
    if seen is None:
        lines.extend(_waiting(notice, width))
    else:
        lines.append(status_line(seen, width))
        lines.extend(noted(notice, width))
        lines.extend(why_lines(seen, width))
    need = f"This screen is {width}x{height}; the desk needs {WIDTH_MIN}x{HEIGHT_MIN}. Keys work: p pauses, K kills."
    lines.extend((Span(f" {text}", Tone.DIM),) for text in wrap(need, max(width - 2, 1)))
    return lines


def _body(seen: Seen, width: int, height: int) -> list[Line]:
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
            lines.extend([panel.title(seen, width), *content[: size - 1]])
            lines.extend([BLANK] * (size - 1 - len(content)))
    return [*lines, *[BLANK] * (height - len(lines))][:height]


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
