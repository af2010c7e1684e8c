"""Texts as an enemy would write them, put into every field that holds words."""

import random
from collections.abc import Callable
from enum import Enum
from typing import Any, Final

import msgspec

KNOWN: Final = (
    *("[bold red]x[/] [@click=app.quit]y[/]", "[/]", "[link=file:///etc/passwd]z[/link]", "\\[", "$(reboot)"),
    *(
        "\x1b[2J\x1b[31mred",
        "\x1b]0;title\x07",
        "\x1b]52;c;aGk=\x07",
        "\x9b2J",
        "\x1b[6n",
        "\x1bP1$r\x1b\\",
        "\x18\x1a\x7f",
    ),
    *("\u202e123\u202c", "\u2066a\u2069", "\u200f\u200e", "\u061c", "a\u200bb\u200cc\u200dd\ufeff", "\u2060\u00ad"),
    *("a\r\nb\tc\x00", "\u2028\u2029\x85\v\f", "e" + "\u0301" * 60, "\u0e33" * 9, "\U000e0041", "\ud800\udfff"),
    *("市价" * 30, "👨\u200d👩\u200d👧" * 9, "🇩🇪" * 7, "ﷺ" * 5, "ｆｕｌｌ", "\u1160\u11a8" * 4, "\ufdfa"),
    *("z" * 5_000, "﹅ " * 900, "", " ", " " * 300, "-", "NaN", "null", "a" * 119 + "市", "%s %d {0}"),
)
BARRED: Final = frozenset({"Cc", "Cf", "Cs", "Mn", "Me", "Zl", "Zp"})


class Strings:
    """Known evils and random ones, for ever; `count` of them were given."""

    def __init__(self, seed: int) -> None:
        self._draw = random.Random(seed)
        self.count = 0

    def __call__(self) -> str:
        self.count += 1
        draw, kind = self._draw, self._draw.random()
        if kind < 0.4:
            return draw.choice(KNOWN)
        if kind < 0.6:
            return draw.choice(KNOWN)[:40] + draw.choice(KNOWN)[:40]
        last = draw.choice((0x2FF, 0x2FFF, 0xFFFF, 0x10FFFF))
        return "".join(chr(draw.randint(0, last)) for _ in range(draw.randint(0, 60)))


def filled(value: Any, text: Callable[[], str]) -> Any:
    """The value with another text in every place that holds one. Words of a closed set stay."""
    match value:
        case Enum():
            return value
        case str():
            return text()
        case msgspec.Struct():
            return msgspec.structs.replace(
                value, **{name: filled(getattr(value, name), text) for name in value.__struct_fields__}
            )
        case tuple() if hasattr(value, "_fields"):
            return type(value)(*(filled(one, text) for one in value))
        case tuple() | list():
            return type(value)(filled(one, text) for one in value)
        case dict():
            return {filled(name, text): filled(one, text) for name, one in value.items()}
        case _:
            return value
