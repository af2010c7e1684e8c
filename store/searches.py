"""A search among the journal's rows, as a statement that runs on an index whatever is asked. Pure: text and values.

A kind, a symbol or an id is looked up in its index, in the order of rows. With nothing but a span of time the rows come
in the order of time, and those of one moment in the order of rows; a page then goes on from a moment and a row.
"""

from typing import Final, NamedTuple

import msgspec

from store.statements import has, moment, pattern, texts

NEWEST: Final = 2**63 - 1
_ROWS: Final = (
    "SELECT j.id, j.seq, r.run_id, j.kind, j.at_ns, j.symbol, j.ref, j.body FROM journal AS j "
    "LEFT JOIN runs AS r ON r.run = j.run"
)
# Whatever an id stands for, with the orders, fills and trades that followed from it.
_FAMILY: Final = (
    "SELECT ? UNION SELECT order_id FROM orders WHERE signal_id = ? "
    "UNION SELECT fill_id FROM fills WHERE signal_id = ? UNION SELECT trade_id FROM trades WHERE signal_id = ? "
    "UNION SELECT fill_id FROM fills WHERE order_id = ?"
)
# The empty text is excluded in so many words: only then does SQLite use the index, which leaves it out.
_BY_ID: Final = f"j.ref IN ({_FAMILY}) AND j.ref <> ''"
_BY_SYMBOL: Final = "j.symbol = ? AND j.symbol <> ''"
_BY_KIND: Final = "j.kind = ?"
_TEXT: Final = texts("j.kind", "j.symbol", "j.ref", "r.run_id", "j.body", moment("j.at_ns"))
NOT_BLOCKS: Final = "j.kind <> 'block'"


class Search(msgspec.Struct, frozen=True):
    """What is looked for; an empty text asks for nothing.

    Attributes:
        any_id: Of a signal, order, fill or trade, or any other `ref`: its rows, and those of what followed from it.
        since_ns, until_ns: From here, included, to there, not included.
        rows: First and last row that may be found, both included.
        find: Words, each of which stands somewhere in a row, in any case.
        after: Rows behind this one, oldest first; None: the rows before `before`, newest first.
    """

    kind: str = ""
    symbol: str = ""
    any_id: str = ""
    since_ns: int = 0
    until_ns: int = NEWEST
    rows: tuple[int, int] = (0, NEWEST)
    find: str = ""
    before: int = NEWEST
    after: int | None = None
    limit: int = 100

    @property
    def is_by_time(self) -> bool:
        """Whether a span of time is all there is to go by."""
        return self.has_span and not (self.any_id or self.symbol or self.kind)

    @property
    def has_span(self) -> bool:
        return bool(self.since_ns) or self.until_ns != NEWEST


class Statement(NamedTuple):
    sql: str
    values: tuple[object, ...]


def statement(search: Search, page_ns: int | None = None) -> Statement:
    """The statement for a search; `page_ns` is the time of the row its page goes on from, needed only by time."""
    filters: list[tuple[str, tuple[object, ...]]] = []
    if search.any_id:
        filters.append((_BY_ID, (search.any_id,) * 5))
    if search.symbol:
        filters.append((_BY_SYMBOL, (search.symbol,)))
    filters.append((_BY_KIND, (search.kind,)) if search.kind else (NOT_BLOCKS, ()))
    filters.extend((has(_TEXT, word), (pattern(word),)) for word in search.find.split())
    if search.has_span:
        filters.append(("j.at_ns >= ? AND j.at_ns < ?", (search.since_ns, search.until_ns)))
    oldest_first = search.after is not None
    sign, direction = (">", "ASC") if oldest_first else ("<", "DESC")
    page = search.after if search.after is not None else search.before
    if search.is_by_time:
        # The plus keeps SQLite from walking the whole journal by its id.
        order = f"j.at_ns {direction}, j.id {direction}"
        filters.append(("+j.id BETWEEN ? AND ?", search.rows))
        if page_ns is not None:
            filters.append((f"(j.at_ns, j.id) {sign} (?, ?)", (page_ns, page)))
    else:
        order = f"j.id {direction}"
        first, last = search.rows
        if oldest_first:
            first = max(first, page + 1)
        else:
            last = min(last, page - 1)
        filters.append(("j.id BETWEEN ? AND ?", (first, last)))
    where = " AND ".join(sql for sql, _ in filters)
    values = tuple(value for _, values in filters for value in values)
    return Statement(f"{_ROWS} WHERE {where} ORDER BY {order} LIMIT ?", (*values, search.limit))
