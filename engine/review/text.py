"""Plain Markdown: tables and lists of text that may come from outside."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from engine.core.clean import clean

LISTED_MAX: Final = 100
NONE: Final = "none"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return "\n".join([*lines, *(f"| {' | '.join(plain(cell) for cell in row)} |" for row in rows)])


def bullets(items: Sequence[str]) -> str:
    return "\n".join(f"- {plain(item)}" for item in items) if items else NONE


def incidents(found: Sequence[Mapping[str, str]]) -> list[str]:
    """A line for each incident, at most `LISTED_MAX`, and how many there are beyond."""
    more = [f"and {len(found) - LISTED_MAX} more"] if len(found) > LISTED_MAX else []
    return [f"{one['at'][:19].replace('T', ' ')} UTC: {one['text']}" for one in found[:LISTED_MAX]] + more


def plain(text: object) -> str:
    """Text on one line, without markup."""
    line = " ".join(clean(str(text)).split())
    for mark in "\\`*_[]|<>":
        line = line.replace(mark, f"\\{mark}")
    return line
