"""Reading the desk's memory from elsewhere: the console, the command line, exports. Never blocks the desk.

    async with open_queries(path) as queries:
        summary = await queries.run_summary()

Lists come newest first, at most `limit` (up to `PAGE_MAX`) at a time; the next page is asked for with `before` set to
the last record's `row`. `find` keeps what has every word of it somewhere, in any case: a symbol, a reason, an id, a day
as 2026-11-20; and of a word behind a `!`, what has it nowhere. Every query has two seconds, because a reader left open
keeps the WAL from shrinking.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeVar, get_args, get_origin, get_type_hints

import aiosqlite

from engine.core import money
from engine.core.words import TerminalState
from store import statements
from store.database import BUSY_MS, open_reader
from store.errors import StoreError, translated
from store.records import (
    DayRecord,
    DealRecord,
    EquityRecord,
    ErrorRecord,
    EventRecord,
    FillRecord,
    MarkRecord,
    Money,
    OrderRecord,
    PositionRecord,
    Record,
    RunRecord,
    RunSummary,
    SignalRecord,
    TraceRecord,
    TradeRecord,
    VerdictRecord,
)
from store.recovery import UnknownRun
from store.searches import NEWEST, Search, statement

PAGE_MAX: Final = 1_000
READ_SECONDS_MAX: Final = 2.0

R = TypeVar("R", bound=Record)


class QueryTooLong(StoreError):
    """A query was stopped because it held the database for too long; ask for less."""

    def __init__(self) -> None:
        super().__init__(f"the query took longer than {READ_SECONDS_MAX:g} s and was stopped")


@asynccontextmanager
async def open_queries(path: Path) -> AsyncIterator["Queries"]:
    """Queries on the database at `path`, closed at the end whatever happens: left open, it would hang the process.

    Raises:
        Unwritable: there is no such file, or it may not be read.
    """
    open_reader(path).close()  # says what is wrong; when aiosqlite itself fails to open, its thread outlives the loop
    uri = f"{path.resolve().as_uri()}?mode=ro"
    try:
        async with aiosqlite.connect(uri, uri=True, timeout=BUSY_MS / 1000, isolation_level=None) as connection:
            await connection.execute_fetchall("PRAGMA query_only = 1")
            yield Queries(connection)
    except sqlite3.Error as error:
        raise translated(error, str(path)) from error


class Queries:
    """The documented questions. Each runs on an index."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._db = connection
        self._one_moment = asyncio.Lock()

    async def runs(self, limit: int = 100, before: int = NEWEST) -> list[RunRecord]:
        """`before` is a run's number here."""
        return await self._list(RunRecord, statements.RUNS, before, _capped(limit))

    async def run(self, run_id: str = "") -> RunRecord:
        """A run, or the newest. Raises UnknownRun."""
        found = await self._list(RunRecord, statements.RUN, run_id) if run_id else await self.runs(1)
        if not found:
            raise UnknownRun(run_id)
        return found[0]

    async def signals(self, limit: int = 50, before: int = NEWEST, find: str = "") -> list[SignalRecord]:
        return await self._page(SignalRecord, statements.SIGNALS, limit, before, find)

    async def orders(self, limit: int = 50, before: int = NEWEST, find: str = "") -> list[OrderRecord]:
        return await self._page(OrderRecord, statements.ORDERS, limit, before, find)

    async def fills(self, limit: int = 50, before: int = NEWEST, find: str = "") -> list[FillRecord]:
        return await self._page(FillRecord, statements.FILLS, limit, before, find)

    async def trades(
        self, limit: int = 50, before: int = NEWEST, find: str = "", *, worst_first: bool = False
    ) -> list[TradeRecord]:
        """`worst_first`: by what they brought, the greatest loss first."""
        order = "pnl" if worst_first else ""
        return await self._page(TradeRecord, statements.TRADES, limit, before, find, order)

    async def marks(self, limit: int = 120, before: int = NEWEST) -> list[MarkRecord]:
        """The account as it was marked."""
        return await self._list(MarkRecord, statements.MARKS, before, _capped(limit))

    async def rows_of(self, run_id: str = "", since_ns: int = 0) -> tuple[int, int]:
        """First and last journal row of a run, or of all that happened since a moment, what is still to come included.

        Raises:
            UnknownRun: there is no such run.
        """
        if run_id:
            return await self._rows_of_run(run_id)
        if not since_ns:
            return 0, NEWEST
        ((first,),) = await self._rows(statements.ROW_SINCE, since_ns)
        return int(first), NEWEST

    async def equity(self, rows: tuple[int, int], points: int) -> list[EquityRecord]:
        """Up to `points` marks between two journal rows, evenly apart in time, oldest first; the newest among them."""
        first = await self._rows(statements.FIRST_MARK_NS, rows[0])
        last = await self._rows(statements.LAST_MARK_NS, rows[1])
        if not first or not last:
            return []
        first_ns, last_ns = int(first[0][0]), int(last[0][0])
        points = max(2, min(points, PAGE_MAX))
        step_ns = max(-(-(last_ns - first_ns) // (points - 1)), 1)
        return await self._list(EquityRecord, statements.EQUITY, last_ns, step_ns, points, first_ns, *rows)

    async def closed(self, rows: tuple[int, int], most: int) -> list[TradeRecord]:
        """The newest `most` trades closed between two journal rows, oldest first."""
        first = await self._first_of(statements.CLOSED_FIRST, rows, most)
        found: list[TradeRecord] = []
        while page := await self._list(TradeRecord, statements.CLOSED, first, rows[1], PAGE_MAX):
            found += page
            first = page[-1].row + 1
        return found

    async def deals(self, rows: tuple[int, int], most: int) -> list[DealRecord]:
        """The newest `most` fills between two journal rows with those of the shadow books meanwhile, oldest first."""
        first = await self._first_of(statements.DEALS_FIRST, rows, most)
        found: list[DealRecord] = []
        while page := await self._list(DealRecord, statements.DEALS, *(first, rows[1]) * 2, PAGE_MAX):
            found += page
            first = page[-1].row + 1
        return found

    async def _first_of(self, sql: str, rows: tuple[int, int], most: int) -> int:
        """The first row of the newest `most` between two."""
        found = await self._rows(sql, rows[1], most - 1)
        return max(rows[0], int(found[0][0])) if found else rows[0]

    async def positions(self) -> list[PositionRecord]:
        return await self._list(PositionRecord, statements.POSITIONS)

    async def days(self) -> list[DayRecord]:
        """Daily performance, oldest first."""
        return await self._list(DayRecord, statements.DAYS)

    async def verdicts(self, limit: int = 20, before: int = NEWEST) -> list[VerdictRecord]:
        return await self._list(VerdictRecord, statements.VERDICTS, before, _capped(limit))

    async def errors(self, run_id: str = "", limit: int = 100) -> list[ErrorRecord]:
        """Errors by fingerprint, the most frequent first, of a run or of all. Raises UnknownRun."""
        if not run_id:
            return await self._list(ErrorRecord, statements.ERROR_KINDS, _capped(limit))
        run = await self.run(run_id)
        return await self._list(ErrorRecord, statements.RUN_ERROR_KINDS, run.run, _capped(limit))

    async def trace(self, any_id: str) -> list[TraceRecord]:
        """All that belongs to the signal behind an id of a signal, order, fill or trade, in the order it happened."""
        found: dict[tuple[int, int], TraceRecord] = {}
        for (signal_id,) in await self._rows(statements.SIGNAL_OF, any_id, any_id, any_id, any_id):
            steps = await self._list(TraceRecord, statements.TRACE, signal_id)
            found |= {(step.row, step.part): step for step in steps}
        return [found[place] for place in sorted(found)]

    async def events(
        self,
        *,
        kind: str = "",
        symbol: str = "",
        any_id: str = "",
        run_id: str = "",
        since_ns: int = 0,
        until_ns: int = NEWEST,
        find: str = "",
        limit: int = 100,
        before: int = NEWEST,
        after: int | None = None,
    ) -> list[EventRecord]:
        """Journal rows without the blocks of inputs, newest first; with `after`, the rows behind it, oldest first.

        `any_id` also finds what followed from it; `since_ns` is included, `until_ns` is not.

        Raises:
            UnknownRun: there is no such run.
        """
        rows = await self._rows_of_run(run_id) if run_id else (0, NEWEST)
        search = Search(kind, symbol, any_id, since_ns, until_ns, rows, find, before, after, _capped(limit))
        page = after if after is not None else before
        page_ns = await self._time_of(page) if search.is_by_time else None
        sql, values = statement(search, page_ns)
        return await self._list(EventRecord, sql, *values)

    async def _rows_of_run(self, run_id: str) -> tuple[int, int]:
        """First and last journal row of a run."""
        run = await self.run(run_id)
        (first, following), *_ = await self._rows(statements.RUN_ROWS, run.run, run.run)
        return first, (following - 1 if following else NEWEST)

    async def _time_of(self, row: int) -> int | None:
        found = await self._rows(statements.TIME_OF, row)
        return int(found[0][0]) if found else None

    async def run_summary(self, run_id: str = "") -> RunSummary:
        """The figures of a run, or of the newest, computed from its rows at one moment. Raises UnknownRun."""
        async with self._one_moment:
            await self._rows("BEGIN")
            try:
                return await self._sum_up(await self.run(run_id))
            finally:
                await self._rows("ROLLBACK")

    async def _sum_up(self, run: RunRecord) -> RunSummary:
        starting, equity = await self._equity(run.run)
        fills = await self._rows(statements.RUN_FILLS, run.run)
        trades = [money.parse(pnl) for (pnl,) in await self._rows(statements.RUN_TRADES, run.run)]
        funding = await self._rows(statements.RUN_FUNDING, run.run)
        ended = dict(await self._rows(statements.RUN_OUTCOMES, run.run))
        (orders, rejected, errors, raised), *_ = await self._rows(statements.RUN_COUNTS, *(run.run,) * 4)
        return RunSummary(
            run_id=run.run_id,
            mode=run.mode,
            phase=run.phase,
            started_ns=run.started_ns,
            ended_ns=run.ended_ns,
            starting_equity=starting,
            equity=equity,
            realized=sum(money.parse(realized) for _, realized in fills),
            fees=sum(money.parse(fee) for fee, _ in fills),
            funding=sum(money.parse(amount) for (amount,) in funding),
            trades=len(trades),
            wins=sum(pnl > 0 for pnl in trades),
            trades_pnl=sum(trades),
            orders=orders,
            orders_rejected=rejected,
            fills=len(fills),
            errors=errors,
            signals_total=raised,
            signals_in_flight=raised - sum(ended.values()),
            signals={state.value: ended.get(state.value, 0) for state in TerminalState},
        )

    async def _equity(self, run: int) -> tuple[int, int]:
        """Equity at the first and at the newest mark of a run."""
        first = await self._rows(statements.RUN_FIRST_MARK, run)
        newest = await self._rows(statements.RUN_MARK, run)
        if not first or not newest:
            return 0, 0  # the run never began
        return money.parse(first[0][0]), money.parse(newest[0][0])

    async def _page(
        self, kind: type[R], listed: statements.Listed, limit: int, before: int, find: str, order: str = ""
    ) -> list[R]:
        words = find.split()
        patterns = [statements.pattern(word) for word in words]
        return await self._list(kind, statements.listed(listed, words, order), before, *patterns, _capped(limit))

    async def _list(self, kind: type[R], sql: str, *values: object) -> list[R]:
        parses = _parsers(kind)
        rows = await self._rows(sql, *values)
        return [kind(*map(_parsed, row, parses)) for row in rows]

    async def _rows(self, sql: str, *values: object) -> list[Any]:
        try:
            async with asyncio.timeout(READ_SECONDS_MAX):
                rows: Iterable[Any] = await self._db.execute_fetchall(sql, values)
                return list(rows)
        except TimeoutError:
            await self._db.interrupt()  # it still runs on its thread
            raise QueryTooLong from None


def _capped(limit: int) -> int:
    return max(0, min(limit, PAGE_MAX))


def _parsed(value: Any, is_money: bool) -> Any:
    return money.parse(value) if is_money and value is not None else value


@cache
def _parsers(kind: type[Record]) -> tuple[bool, ...]:
    """For each field of a record: is it money?"""
    return tuple(_is_money(hint) for hint in get_type_hints(kind, include_extras=True).values())


def _is_money(hint: Any) -> bool:
    return hint == Money or (get_origin(hint) is not None and Money in get_args(hint))
