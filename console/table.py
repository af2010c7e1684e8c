"""Columns of text: the widest set that fits, the most important first to stay."""

from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

from console.text import Line, Span, Tone, fit

Row = TypeVar("Row")


class Column(NamedTuple, Generic[Row]):
    """One column: `rank` 0 stays longest; a column that `grows` takes the width that is left over."""

    title: str
    width: int
    cell: Callable[[Row], Span]
    rank: int = 0
    right: bool = False
    grows: bool = False


def table(columns: Sequence[Column[Row]], rows: Sequence[Row], width: int) -> list[Line]:
    """A header and one line for each row, each `width` cells or less, columns one blank apart."""
    chosen = _fitting(columns, width)
    spare = width - sum(column.width for column in chosen) - (len(chosen) - 1)
    widths = [column.width + (spare if column.grows else 0) for column in chosen]
    lines = [_line([Span(column.title, Tone.DIM) for column in chosen], chosen, widths)]
    lines.extend(_line([column.cell(row) for column in chosen], chosen, widths) for row in rows)
    return lines


def _fitting(columns: Sequence[Column[Row]], width: int) -> list[Column[Row]]:
    kept: set[int] = set()
    used = -1
    for index in sorted(range(len(columns)), key=lambda index: columns[index].rank):
        if used + 1 + columns[index].width > width:
            break
        used += 1 + columns[index].width
        kept.add(index)
    return [column for index, column in enumerate(columns) if index in kept]


def _line(cells: Sequence[Span], columns: Sequence[Column[Row]], widths: Sequence[int]) -> Line:
    line: list[Span] = []
    for cell, column, size in zip(cells, columns, widths, strict=True):
        if line:
            line.append(Span(" "))
        line.append(Span(fit(cell.text, size, right=column.right), cell.tone))
    return tuple(line)
