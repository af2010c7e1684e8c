"""How each tone looks: on a terminal with many colours, with sixteen, and with none.

No state is told by colour alone (every one has a word and a sign), so each palette is complete by itself. Without
colour, alarms are the loudest thing on the screen instead of the faintest.
"""

from collections.abc import Mapping
from typing import Final

from rich.console import Console
from rich.style import Style

from console.board import Palette
from console.text import Tone

BACKGROUND: Final = "#10151c"

_NIGHT: Final = {
    Tone.PLAIN: "#c6d0da",
    Tone.DIM: "#7f8c99",
    Tone.STRONG: "bold #e8eef4",
    Tone.TITLE: "bold #9ecbff",
    Tone.RULE: "#33404d",
    Tone.GOOD: "#7ccf94",
    Tone.WARN: "#e8b64c",
    Tone.BAD: "#ff7a70",
    Tone.ALARM: "bold #10151c on #ff7a70",
    Tone.KEY: "bold #10151c on #8fa3b8",
    Tone.BAR: "#5f9fd8",
    Tone.PAPER: "bold #06231f on #5fc9b4",
    Tone.LIVE: "bold #ffffff on #c22f2f",
    Tone.REPLAY: "bold #10151c on #b79ce0",
    Tone.CHOSEN: "bold #10151c on #c6d0da",
}
_SIXTEEN: Final = {
    Tone.PLAIN: "default",
    Tone.DIM: "bright_black",
    Tone.STRONG: "bold",
    Tone.TITLE: "bold cyan",
    Tone.RULE: "bright_black",
    Tone.GOOD: "green",
    Tone.WARN: "yellow",
    Tone.BAD: "red",
    Tone.ALARM: "bold reverse red",
    Tone.KEY: "reverse",
    Tone.BAR: "blue",
    Tone.PAPER: "bold black on cyan",
    Tone.LIVE: "bold white on red",
    Tone.REPLAY: "bold black on magenta",
    Tone.CHOSEN: "bold reverse",
}
_NONE: Final = {
    Tone.PLAIN: "none",
    Tone.DIM: "none",
    Tone.STRONG: "bold",
    Tone.TITLE: "bold",
    Tone.RULE: "dim",
    Tone.GOOD: "none",
    Tone.WARN: "bold",
    Tone.BAD: "bold",
    Tone.ALARM: "bold reverse",
    Tone.KEY: "reverse",
    Tone.BAR: "none",
    Tone.PAPER: "reverse",
    Tone.LIVE: "bold reverse",
    Tone.REPLAY: "reverse",
    Tone.CHOSEN: "bold reverse",
}


def palette_for(environ: Mapping[str, str]) -> tuple[Palette, bool]:
    """The palette for a terminal described by its environment, and whether it keeps the terminal's own colours."""
    if environ.get("NO_COLOR"):
        return _styles(_NONE), True
    system = Console(force_terminal=True, _environ=environ).color_system
    if system in ("truecolor", "256"):
        on_night = {tone: f"{look} on {BACKGROUND}" if " on " not in look else look for tone, look in _NIGHT.items()}
        return _styles(on_night), False
    return _styles(_SIXTEEN if system else _NONE), True


def _styles(looks: Mapping[Tone, str]) -> Palette:
    return {tone: Style.parse(look) for tone, look in looks.items()}
