"""How each tone looks: on a terminal with many colours, with sixteen, and with none.

No state is told by colour alone (every one has a word and a sign), so each palette is complete by itself. Without
colour, alarms are the loudest thing on the screen instead of the faintest.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from rich.console import Console
from rich.style import Style

from console.board import Palette
from console.exits import Exit, Quit
from console.text import Tone

THEME_VARIABLE: Final = "NIGHTDESK_THEME"
TERMINAL: Final = "terminal"  # the sixteen colours it has been given by its owner


class Theme(NamedTuple):
    """Looks on a background, for a terminal with many colours."""

    background: str
    looks: Mapping[Tone, str]


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
_DAY: Final = {
    Tone.PLAIN: "#20262d",
    Tone.DIM: "#5c6773",
    Tone.STRONG: "bold #000000",
    Tone.TITLE: "bold #0b5cad",
    Tone.RULE: "#c3ccd6",
    Tone.GOOD: "#17702f",
    Tone.WARN: "#855300",
    Tone.BAD: "#b42318",
    Tone.ALARM: "bold #ffffff on #b42318",
    Tone.KEY: "bold #ffffff on #55636f",
    Tone.BAR: "#2f6fb0",
    Tone.PAPER: "bold #ffffff on #0a6f61",
    Tone.LIVE: "bold #ffffff on #b00020",
    Tone.REPLAY: "bold #ffffff on #6b3fa0",
    Tone.CHOSEN: "bold #ffffff on #20262d",
}
_CONTRAST: Final = {
    Tone.PLAIN: "#ffffff",
    Tone.DIM: "#d0d0d0",
    Tone.STRONG: "bold #ffffff",
    Tone.TITLE: "bold #ffff00",
    Tone.RULE: "#8a8a8a",
    Tone.GOOD: "bold #00ff5f",
    Tone.WARN: "bold #ffd700",
    Tone.BAD: "bold #ff8787",
    Tone.ALARM: "bold #000000 on #ff8787",
    Tone.KEY: "bold #000000 on #ffffff",
    Tone.BAR: "#5fd7ff",
    Tone.PAPER: "bold #000000 on #00ffd7",
    Tone.LIVE: "bold #ffffff on #a40000",
    Tone.REPLAY: "bold #000000 on #d7afff",
    Tone.CHOSEN: "bold #000000 on #ffff00",
}
THEMES: Final = {
    "night": Theme("#10151c", _NIGHT),
    "day": Theme("#f7f8fa", _DAY),
    "contrast": Theme("#000000", _CONTRAST),
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


class UnknownTheme(Quit):
    """No theme has this name."""

    def __init__(self, name: str) -> None:
        known = ", ".join((*THEMES, TERMINAL))
        super().__init__(Exit.USAGE, f"{THEME_VARIABLE}: no theme is called {name!r}; there are {known}")


def theme_of(environ: Mapping[str, str]) -> str:
    """The name of the theme asked for. Raises UnknownTheme."""
    name = environ.get(THEME_VARIABLE) or next(iter(THEMES))
    if name != TERMINAL and name not in THEMES:
        raise UnknownTheme(name)
    return name


def palette_for(environ: Mapping[str, str]) -> tuple[Palette, bool]:
    """The palette for a terminal described by its environment, and whether it keeps the terminal's own colours.

    Raises UnknownTheme.
    """
    name = theme_of(environ)
    if environ.get("NO_COLOR"):
        return _styles(_NONE), True
    system = Console(force_terminal=True, _environ=environ).color_system
    if name in THEMES and system in ("truecolor", "256"):
        return themed(name), False
    return _styles(_SIXTEEN if system else _NONE), True


def themed(name: str) -> Palette:
    """The palette of a theme, its background under every tone that has none of its own."""
    theme = THEMES[name]
    looks = theme.looks.items()
    return _styles({tone: look if " on " in look else f"{look} on {theme.background}" for tone, look in looks})


def _styles(looks: Mapping[Tone, str]) -> Palette:
    return {tone: Style.parse(look) for tone, look in looks.items()}
