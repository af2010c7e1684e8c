"""Exactly the changed cells, in as few bytes as they take.

Textual's compositor knows which cells are dirty, but sends each run of them from the left edge of its widget, and names
both colours of every piece anew. Here a run begins where it begins, and only what differs from the last piece of the
frame is named. Over a slow line this is the difference between a live screen and a queue. It rests on private names of
Textual, hence the pin below version 9 and the tests that replay the output on an emulated screen.
"""

from typing import Any

from rich.color import ColorSystem
from rich.console import Console
from rich.style import Style
from textual._compositor import ChopsUpdate, Compositor
from textual.screen import ModalScreen, Screen, ScreenResultType
from textual.strip import Strip

RESET = "\x1b[0m"


class Pen:
    """The terminal's current style, and the shortest way to the next one."""

    def __init__(self, system: ColorSystem) -> None:
        self._system = system
        self._style: Style | None = None

    def turn_to(self, style: Style) -> str:
        """The escape sequence from the last style to `style`; empty when they look the same."""
        last, self._style = self._style, style
        if last is not None and last == style:
            return ""
        plain = last is not None and not last._attributes and not style._attributes
        if plain and last is not None and last.bgcolor == style.bgcolor and style.color is not None:
            return f"\x1b[{';'.join(style.color.downgrade(self._system).get_ansi_codes())}m"
        codes = Strip.render_ansi(style, self._system)
        return f"\x1b[0;{codes}m" if codes else RESET


class ExactUpdate(ChopsUpdate):
    """An update of spans that sends those spans and nothing beside them."""

    def render_segments(self, console: Console) -> str:
        pen = Pen(console._color_system or ColorSystem.TRUECOLOR)
        sent: list[str] = []
        for y, first, last in self.spans:
            for end, (x, strip) in zip(self.chop_ends[y], self.chops[y].items(), strict=False):
                if strip is None or x >= last or end <= first:
                    continue
                sent.append(f"\x1b[{y + 1};{max(x, first) + 1}H")
                for text, style, control in strip.crop(max(first - x, 0), min(last, end) - x):
                    if not control:
                        sent.append(pen.turn_to(style or Style.null()))
                        sent.append(text)
        sent.append(RESET)
        return "".join(sent)


class ExactCompositor(Compositor):
    """Textual's compositor, except for the bytes it sends."""

    def render_partial_update(self) -> ChopsUpdate | None:
        update = super().render_partial_update()
        return None if update is None else ExactUpdate(update.chops, update.spans, update.chop_ends)

    def render_full_update(self, simplify: bool = False) -> Any:
        if simplify:
            return super().render_full_update(simplify=True)  # an export to SVG, not a terminal
        self._dirty_regions.clear()
        chops = self._render_chops(self.size.region, lambda y: True)
        spans = [(y, 0, self.size.width) for y in range(self.size.height)]
        return ExactUpdate(chops, spans, [cuts[1:] for cuts in self.cuts])


class ExactScreen(Screen[ScreenResultType], inherit_bindings=False):
    """A screen that sends only what changed."""

    def __init__(self) -> None:
        super().__init__()
        self._compositor = ExactCompositor()


class ExactModalScreen(ModalScreen[ScreenResultType], inherit_bindings=False):
    """A modal screen that sends only what changed."""

    def __init__(self) -> None:
        super().__init__()
        self._compositor = ExactCompositor()
