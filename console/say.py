"""What a command prints: JSON for scripts, aligned plain text when piped, a little colour on a terminal.

Text from outside the program has passed `engine.core.clean.clean` or passes it here; nothing is parsed as markup.
"""

import json
import shutil
import sys
import textwrap
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from engine.core.clean import clean

Rows = Sequence[tuple[str, str]]
LAST_COLUMN_MIN: Final = 20  # narrower than that, a line is left to the terminal


def as_json(value: Any) -> None:
    """One JSON value on one line."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, separators=(", ", ": ")) + "\n")


def line(text: str) -> None:
    sys.stdout.write(text + "\n")


def aside(text: str) -> None:
    """A remark that is not the answer: standard error, so that a pipe carries answers alone."""
    sys.stderr.write(text + "\n")


def pairs(title: str, rows: Rows) -> None:
    """A titled list of names and values."""
    width = max((len(name) for name, _ in rows), default=0)
    if sys.stdout.isatty():
        _styled(title, [(name.ljust(width), value) for name, value in rows])
        return
    line(title)
    for name, value in rows:
        line(f"  {name.ljust(width)}  {value}")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns as wide as their widest cell; nothing but the head where there are no rows.

    On a terminal the last column wraps below itself, where enough of the width is left to it.
    """
    cells = [tuple(head), *(tuple(clean(cell) for cell in row) for row in rows)]
    widths = [max(len(row[index]) for row in cells) for index in range(len(head))]
    indent = sum(widths[:-1]) + 2 * (len(widths) - 1)
    left = shutil.get_terminal_size().columns - indent if sys.stdout.isatty() else 0
    for *cells_before, last in cells:
        before = "".join(cell.ljust(width) + "  " for cell, width in zip(cells_before, widths[:-1], strict=True))
        parts = textwrap.wrap(last, left, break_on_hyphens=False) if left >= LAST_COLUMN_MIN else [last]
        line((before + "".join(parts[:1])).rstrip())
        for part in parts[1:]:
            line(" " * indent + part)


def utc(at_ns: int) -> str:
    """`2026-11-21 07:08:22` in UTC; a dash for no time."""
    if not at_ns:
        return "-"
    return datetime.fromtimestamp(at_ns // 1_000_000_000, tz=UTC).strftime("%Y-%m-%d %H:%M:%S")


def span(seconds: float) -> str:
    """`1d 02:03:04`."""
    whole = int(seconds)
    days, rest = divmod(whole, 86_400)
    clock = f"{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}"
    return f"{days}d {clock}" if days else clock


def receipt(answer: Mapping[str, Any], text: str, *, json_wanted: bool) -> None:
    """The answer to an act: the mapping for scripts, the sentence for people."""
    as_json(dict(answer)) if json_wanted else line(text)


def _styled(title: str, rows: Rows) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, markup=False, emoji=False)
    console.print(Text(title, style="bold"))
    for name, value in rows:
        console.print(Text.assemble(("  " + name + "  ", "dim"), value), soft_wrap=True)
