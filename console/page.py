"""The whole screen as plain lines: the head that every page has, the page below it, and the keys.

Pure: a view, a size and a page in, exactly `height` lines of exactly `width` cells out.
"""

from collections.abc import Sequence
from typing import Final

from console.actions import footer
from console.pages import PAGE_NAMES
from console.pages.base import Page
from console.pages.desk import DeskPage
from console.panels.status import head_lines, status_line, why_lines
from console.seat import Seat
from console.text import BLANK, OVER, Line, Seen, Span, Tone, cut_line, noted, wrap

WIDTH_MIN: Final = 80
HEIGHT_MIN: Final = 24
AIRY: Final = 38  # screen rows from which a blank line, or the names of the pages, set the head apart
PAGES_HINT: Final = ("1-8", "Pages")
REARM_HINT: Final = ("a", "Re-arm…")


def desk_page(
    seen: Seen | None,
    width: int,
    height: int,
    notice: Span | None = None,
    seat: Seat = Seat.OWNER,
    *,
    page: Page | None = None,
    names: Sequence[str] = PAGE_NAMES,
) -> list[Line]:
    """The whole screen. Without a view yet it says so; below 80x24 it keeps to what must never be missed.

    `page` is what stands below the head, by itself the desk's panels; `names` are those of all pages, in their order.
    """
    page = page or DeskPage()
    hints: list[tuple[str, str]] = [PAGES_HINT] if names else []
    if width < WIDTH_MIN or height < HEIGHT_MIN:
        lines = _small(seen, width, height, notice)
    elif seen is None:
        lines = [(Span(" Nightdesk", Tone.TITLE),), BLANK, *_waiting(notice, width)]
    else:
        head = [*head_lines(seen, width), *noted(notice, width)]
        if height >= AIRY:
            head.append(_tabs(names, page.name) if names else BLANK)
        lines = [*head, *page.body(seen, width, height - len(head) - 1)]
        own = [(hint.key, hint.label) for hint in page.hints()]
        hints = [*own, *hints] if page.is_typing else [*hints, *own]
        if seen.view.kill_latched and seen.seat.acts:
            hints.insert(0, REARM_HINT)
    lines = [
        *lines[: height - 1],
        *[BLANK] * (height - 1 - len(lines)),
        footer(width, _seat(seen, seat), hints),
    ]
    return [cut_line(line, width) for line in lines[-height:]]


def _tabs(names: Sequence[str], chosen: str) -> Line:
    spans: list[Span] = [Span(" ")]
    for key, name in enumerate(names, 1):
        is_chosen = name == chosen
        spans.append(Span(f" {key} {name} ", Tone.CHOSEN if is_chosen else Tone.DIM))
    return tuple(spans)


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
