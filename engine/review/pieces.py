"""What the pages of a report are put together from: sections, tables, and figures as people read them.

Cells are HTML; whatever is not a number of ours passes `esc` first.
"""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any, Final

from engine.core import money
from engine.core.clean import clean
from engine.review.chart import grouped

NONE: Final = "–"
_SECOND_NS: Final = 1_000_000_000


def section(title: str, body: str) -> str:
    return f"<section><h2>{title}</h2>{body}</section>"


def pairs(pairs: Iterable[tuple[str, str]], *, number: bool = True) -> str:
    kind = ' class="n"' if number else ""
    rows = "".join(f"<tr><th>{name}</th><td{kind}>{value}</td></tr>" for name, value in pairs)
    return f"<table><tbody>{rows}</tbody></table>"


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], texts: int) -> str:
    """A table whose first `texts` columns are words (or a time) and whose others are numbers; cells are HTML."""
    kinds = ["" if n < texts else ' class="n"' for n in range(len(columns))]
    if "UTC" in columns[0]:
        kinds[0] = ' class="at"'
    head = "".join(f"<th{kind}>{name}</th>" for kind, name in zip(kinds, columns, strict=True))
    body = "".join(
        "<tr>" + "".join(f"<td{kind}>{cell}</td>" for kind, cell in zip(kinds, row, strict=True)) + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def esc(value: object) -> str:
    return escape(clean(str(value)))


def time(stamp: str | None) -> str:
    return esc(stamp)[:19].replace("T", " ") if stamp else NONE


def tone(value: int) -> str:
    return "good" if value > 0 else "bad" if value < 0 else ""


def signed(value: int) -> str:
    shown = grouped(value)
    return shown if not value or shown.startswith("−") else f"+{shown}"


def signed_text(amount: str) -> str:
    return signed(money.parse(amount))


def signed_or_none(value: int | None) -> str:
    return NONE if value is None else signed(value)


def or_none(value: int | None) -> str:
    return NONE if value is None else grouped(value)


def amount(text: str) -> str:
    return grouped(money.parse(text))


def ratio(value: int | None) -> str:
    return NONE if value is None else grouped(value)


def percent(fraction: int | None) -> str:
    return NONE if fraction is None else f"{money.text(fraction * 100, 2)} %"


def share(fraction: str | None) -> str:
    return percent(None if fraction is None else money.parse(fraction))


def slippage(slipped: Mapping[str, Any] | None) -> str:
    return "none measured" if slipped is None else f"{share(slipped['mean'])}, {share(slipped['p95'])}"


def span_or_none(ns: int | None) -> str:
    return NONE if ns is None else span(ns / _SECOND_NS)


def span(seconds: float) -> str:
    whole = int(seconds)
    days, rest = divmod(whole, 86_400)
    clock = f"{rest // 3600}:{rest % 3600 // 60:02d}:{rest % 60:02d}"
    if days:
        return f"{days} d {clock}"
    return clock if whole >= 60 else f"{seconds:.1f} s"
