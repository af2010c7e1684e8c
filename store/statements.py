"""Every statement the queries send, by name. Lists take (before row, limit); those on a run take its number."""

from collections.abc import Sequence
from typing import Final, NamedTuple


class Listed(NamedTuple):
    """A list that can be searched: what it selects, the column of its rows, and what its words are looked for in."""

    select: str
    row: str
    text: str


def listed(of: Listed, words: Sequence[str], order: str = "") -> str:
    """The statement for a page of a list: takes the row it ends before, each word as a pattern, and a limit.

    Newest first, or by `order`, a column, the smallest first.
    """
    found = "".join(f" AND {has(of.text, word)}" for word in words)
    by = f"CAST({order} AS REAL), " if order else ""
    return f"{of.select} WHERE {of.row} < ?{found} ORDER BY {by}{of.row} DESC LIMIT ?"


def has(text: str, word: str) -> str:
    """A condition that takes the word's pattern: that the text has it or, of a word behind a `!`, that it has not."""
    return f"{text} {'NOT ' if is_barred(word) else ''}LIKE ? ESCAPE '\\'"


def is_barred(word: str) -> bool:
    """Whether a word names what must not be there."""
    return word.startswith("!") and len(word) > 1


def pattern(word: str) -> str:
    """A word as LIKE takes it, anywhere in a text and in any case."""
    word = word[1:] if is_barred(word) else word
    for sign in "\\%_":
        word = word.replace(sign, "\\" + sign)
    return f"%{word}%"


def moment(column: str) -> str:
    return f"strftime('%Y-%m-%d %H:%M:%S', {column} / 1000000000, 'unixepoch')"


def texts(*columns: str) -> str:
    return "(" + " || ' ' || ".join(f"coalesce({column}, '')" for column in columns) + ")"


RUNS: Final = (
    "SELECT run, run_id, mode, started_ns, ended_ns, phase, seed, config_hash, report FROM runs WHERE run < ? "
    "ORDER BY run DESC LIMIT ?"
)
RUN: Final = (
    "SELECT run, run_id, mode, started_ns, ended_ns, phase, seed, config_hash, report FROM runs WHERE run_id = ?"
)
SIGNALS: Final = Listed(
    "SELECT s.row, s.signal_id, s.raised_ns, s.strategy_id, s.symbol, s.side, s.entry, s.stop, s.target, s.text, "
    "o.state, o.reason_code, o.text, o.value, o.limit_value, o.filled_qty, o.ended_ns, s.phase, s.regime "
    "FROM signals AS s LEFT JOIN outcomes AS o ON o.signal_id = s.signal_id",
    "s.row",
    texts(
        *("s.symbol", "s.strategy_id", "s.side", "s.signal_id", "o.state", "o.reason_code"),
        *("coalesce(o.text, s.text)", "s.phase", "s.regime", moment("s.raised_ns")),
    ),
)
ORDERS: Final = Listed(
    "SELECT row, order_id, signal_id, placed_ns, updated_ns, symbol, purpose, kind, qty, price, stop_price, state, "
    "filled_qty, average_price, reason_code, text FROM orders",
    "row",
    texts("symbol", "order_id", "signal_id", "purpose", "kind", "state", "reason_code", "text", moment("placed_ns")),
)
FILLS: Final = Listed(
    "SELECT row, fill_id, order_id, signal_id, filled_ns, symbol, purpose, qty, price, fee, role, realized, expected, "
    "slippage, late FROM fills",
    "row",
    texts("symbol", "fill_id", "order_id", "signal_id", "purpose", "role", moment("filled_ns")),
)
TRADES: Final = Listed(
    "SELECT row, trade_id, signal_id, strategy_id, symbol, side, qty, entry_price, exit_price, entry_ns, exit_ns, "
    "duration_ns, pnl, fees, funding, exit_reason, phase, regime FROM trades",
    "row",
    texts("symbol", "trade_id", "strategy_id", "side", "exit_reason", "phase", "regime", moment("exit_ns")),
)
CLOSED: Final = f"{TRADES.select} WHERE row BETWEEN ? AND ? ORDER BY row LIMIT ?"
CLOSED_FIRST: Final = "SELECT row FROM trades WHERE row <= ? ORDER BY row DESC LIMIT 1 OFFSET ?"
DEALS: Final = (  # takes (first row, last row) for each of the two, and a limit
    "SELECT row, '' AS profile, order_id, qty, price, slippage FROM fills WHERE row BETWEEN ? AND ? UNION ALL "
    "SELECT row, profile, order_id, qty, price, NULL FROM shadow_fills WHERE row BETWEEN ? AND ? ORDER BY row LIMIT ?"
)
DEALS_FIRST: Final = "SELECT row FROM fills WHERE row <= ? ORDER BY row DESC LIMIT 1 OFFSET ?"
MARKS: Final = (
    "SELECT row, at_ns, equity, cash, unrealized, realized, fees, funding, exposure, heat, drawdown, regime, "
    "volatility, phases FROM equity_marks WHERE row < ? ORDER BY row DESC LIMIT ?"
)
FIRST_MARK_NS: Final = "SELECT at_ns FROM equity_marks WHERE row >= ? ORDER BY row LIMIT 1"
LAST_MARK_NS: Final = "SELECT at_ns FROM equity_marks WHERE row <= ? ORDER BY row DESC LIMIT 1"
EQUITY: Final = (  # takes (last moment, step, number of steps, first moment, first row, last row)
    "SELECT row, at_ns, equity, nullif(equity_pessimistic, ''), nullif(equity_optimistic, '') FROM equity_marks "
    "WHERE row IN (WITH RECURSIVE steps (at) AS (SELECT ? UNION ALL SELECT at - ? FROM steps LIMIT ?) "
    "SELECT (SELECT row FROM equity_marks WHERE at_ns <= max(steps.at, ?) ORDER BY at_ns DESC, row DESC LIMIT 1) "
    "FROM steps) AND row BETWEEN ? AND ? ORDER BY row"
)
ROW_SINCE: Final = (  # the row behind the last where nothing happened since
    "SELECT coalesce((SELECT id FROM journal WHERE kind <> 'block' AND at_ns >= ? ORDER BY at_ns, id LIMIT 1), "
    "(SELECT max(id) + 1 FROM journal), 1)"
)
VERDICTS: Final = "SELECT row, at_ns, protocol_id, passed, body FROM verdicts WHERE row < ? ORDER BY row DESC LIMIT ?"
POSITIONS: Final = (
    "SELECT symbol, side, qty, entry_price, cost, opened_ns, updated_ns, signal_id, strategy_id FROM open_positions "
    "ORDER BY symbol"
)
DAYS: Final = (
    "SELECT day, mode, trades, wins, losses, pnl, fees, best_trade, worst_trade FROM daily_performance ORDER BY day"
)
SIGNAL_OF: Final = (
    "SELECT signal_id FROM signals WHERE signal_id = ? UNION SELECT signal_id FROM orders WHERE order_id = ? "
    "UNION SELECT signal_id FROM fills WHERE fill_id = ? UNION SELECT signal_id FROM trades WHERE trade_id = ?"
)
TRACE: Final = (
    "SELECT row, part, at_ns, what, id, parent_id, symbol, state, qty, price, value, limit_value, fee, amount, "
    "iif(what = 'outcome', (SELECT iif(o.reason_code = o.text, '', o.reason_code || ': ') FROM outcomes AS o "
    "WHERE o.signal_id = id), '') || text "
    "FROM signal_trace WHERE signal_id = ? ORDER BY row, part"
)
RUN_ROWS: Final = "SELECT first_row, (SELECT min(first_row) FROM runs WHERE run > ?) FROM runs WHERE run = ?"
TIME_OF: Final = "SELECT at_ns FROM journal WHERE id = ?"
RUN_MARK: Final = "SELECT equity FROM equity_marks WHERE run = ? ORDER BY row DESC LIMIT 1"
RUN_FIRST_MARK: Final = "SELECT equity FROM equity_marks WHERE run = ? ORDER BY row LIMIT 1"
RUN_FILLS: Final = "SELECT fee, realized FROM fills WHERE run = ? ORDER BY row"
RUN_TRADES: Final = "SELECT pnl FROM trades WHERE run = ? ORDER BY row"
RUN_FUNDING: Final = "SELECT amount FROM funding WHERE run = ? ORDER BY row"
RUN_OUTCOMES: Final = (
    "SELECT o.state, count(*) FROM signals AS s JOIN outcomes AS o ON o.signal_id = s.signal_id WHERE s.run = ? "
    "GROUP BY o.state"
)
ERROR_KINDS: Final = (
    "SELECT e.row, e.fingerprint, e.place, e.text, kinds.count, kinds.first_ns, kinds.last_ns FROM "
    "(SELECT min(row) AS row, count(*) AS count, min(at_ns) AS first_ns, max(at_ns) AS last_ns FROM errors "
    "GROUP BY fingerprint) AS kinds JOIN errors AS e "
    "ON e.row = kinds.row ORDER BY kinds.count DESC, e.row LIMIT ?"
)
RUN_ERROR_KINDS: Final = (
    "SELECT e.row, e.fingerprint, e.place, e.text, kinds.count, kinds.first_ns, kinds.last_ns FROM "
    "(SELECT min(row) AS row, count(*) AS count, min(at_ns) AS first_ns, max(at_ns) AS last_ns FROM errors "
    "WHERE run = ? GROUP BY fingerprint) AS kinds JOIN errors AS e "
    "ON e.row = kinds.row ORDER BY kinds.count DESC, e.row LIMIT ?"
)
RUN_COUNTS: Final = (
    "SELECT (SELECT count(*) FROM orders WHERE run = ?), "
    "(SELECT count(*) FROM orders WHERE run = ? AND state = 'REJECTED' "
    "AND reason_code NOT IN ('', 'kill', 'journal')), "
    "(SELECT count(*) FROM errors WHERE run = ?), (SELECT count(*) FROM signals WHERE run = ?)"
)
