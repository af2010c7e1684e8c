"""A list of rows: what it reads and when, where its cursor stays, what a filter and an opened row do."""

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import pytest

from console.board import plain
from console.pages.blotter import BlotterPage
from console.pages.listing import AHEAD, PORTION, Detail, Listing
from console.pages.signals import SignalsPage
from console.table import Column
from console.text import SECOND, Seen, Span
from store.queries import Queries
from store.records import OrderRecord, SignalRecord
from tests.console import sample_desk as sample

NOTHING = cast(Queries, None)


class Row(NamedTuple):
    row: int
    text: str = ""


class Rows(Listing[Row]):
    """Rows in memory, asked for as from a database."""

    name = "Rows"

    def __init__(self, count: int) -> None:
        super().__init__()
        self.there = [Row(row, f"row {row}") for row in range(count, 0, -1)]
        self.asked: list[tuple[str, int]] = []

    async def fetch(self, queries: Queries, limit: int, before: int) -> list[Row]:
        self.asked.append((self.find, before))
        return [row for row in self.there if row.row < before and self.find in row.text][:limit]

    async def describe(self, queries: Queries, row: Row) -> Detail | None:
        return (lambda width: [(Span(f"line {at} of {row.text}"),) for at in range(100)]) if row.row % 2 else None

    def columns(self, width: int) -> Sequence[Column[Row]]:
        return (Column("Row", 6, lambda r: Span(str(r.row))), Column("Text", 20, lambda r: Span(r.text)))

    def add(self, count: int) -> None:
        newest = self.there[0].row
        self.there[:0] = [Row(row, f"row {row}") for row in range(newest + count, newest, -1)]


class Reader:
    """A console in miniature: it draws, and reads as long as the page wants to."""

    def __init__(self, page: Rows, height: int = 12) -> None:
        self.page, self.height, self.now_ns, self.rows = page, height, 10**12, 100
        self.shown = ""

    async def look(self, seconds: int = 0, rows: int = 0) -> str:
        self.now_ns += seconds * SECOND
        self.rows += rows
        seen = Seen(sample.changed(sample.BUSY, journal_rows=self.rows))
        self.draw(seen)
        for _ in range(50):
            if not self.page.wants(seen, self.now_ns):
                break
            await self.page.read(NOTHING, self.now_ns)
            self.draw(seen)
        else:
            pytest.fail("it never has enough")
        return self.shown

    def draw(self, seen: Seen) -> None:
        self.shown = plain(self.page.body(seen, 60, self.height))

    def press(self, *keys: str) -> None:
        for key in keys:
            assert self.page.press(key, key if len(key) == 1 else None), key

    @property
    def chosen(self) -> str:
        (line,) = (line for line in self.shown.splitlines() if line.startswith(">"))
        return line.split()[1]


async def test_the_newest_rows_come_first_and_more_only_as_somebody_looks() -> None:
    reader = Reader(Rows(1_000))
    assert "> 1000" in await reader.look()
    assert len(reader.page.rows) == PORTION
    reader.press("end")
    await reader.look()
    assert (reader.chosen, len(reader.page.rows)) == (str(1000 - PORTION + 1), 2 * PORTION)
    for _ in range(5):
        reader.press("end")
        await reader.look()
    assert reader.chosen == "1" and "1,000 of 1,000" in reader.shown
    before = len(reader.page.asked)
    await reader.look(seconds=5)
    assert len(reader.page.asked) == before, "nothing has happened, so nothing is read again"


async def test_at_the_head_the_newest_row_is_followed_and_elsewhere_the_cursor_stays_on_its_row() -> None:
    reader = Reader(Rows(500))
    await reader.look()
    reader.page.add(3)
    await reader.look(seconds=1, rows=1)
    assert reader.chosen == "503"
    reader.press(*["down"] * 20)
    await reader.look()
    assert reader.chosen == "483"
    reader.page.add(PORTION // 2)
    await reader.look(seconds=1, rows=1)
    assert reader.chosen == "483"
    rows = [row.row for row in reader.page.rows]
    assert rows == sorted(set(rows), reverse=True) and rows == list(range(rows[0], rows[-1] - 1, -1)), "no gap, no twin"


async def test_a_gap_that_one_portion_does_not_close_is_not_pasted_over() -> None:
    reader = Reader(Rows(500))
    await reader.look()
    reader.page.add(2 * PORTION)
    await reader.look(seconds=1, rows=1)
    rows = [row.row for row in reader.page.rows]
    assert rows == list(range(500 + 2 * PORTION, 500 + PORTION, -1))


async def test_the_newest_rows_are_read_again_at_most_once_a_second() -> None:
    reader = Reader(Rows(10))
    await reader.look()
    for _ in range(4):
        reader.now_ns += SECOND // 8
        await reader.look(rows=1)
    assert len(reader.page.asked) == 1
    await reader.look(seconds=1, rows=1)
    assert len(reader.page.asked) == 2


async def test_a_filter_is_asked_of_the_database_and_escape_clears_it() -> None:
    reader = Reader(Rows(1_000))
    await reader.look()
    reader.press("slash", "7", "7", "7")
    assert reader.page.is_typing
    await reader.look()
    assert reader.page.asked[-1][0] == "777" and [row.row for row in reader.page.rows] == [777]
    reader.press("enter")
    assert "filter 777" in await reader.look()
    reader.press("slash", "x")
    assert "no rows with '777x'" in await reader.look()
    reader.press("escape")
    await reader.look()
    assert reader.chosen == "1000" and "filter" not in reader.shown


async def test_a_row_opened_shows_all_there_is_and_escape_goes_back_to_it() -> None:
    reader = Reader(Rows(9))
    await reader.look()
    reader.press("enter")
    assert "line 0 of row 9" in await reader.look() and "more lines" in reader.shown
    reader.press("pagedown")
    assert "line 11 of row 9" in await reader.look()
    reader.press("end")
    assert "line 99 of row 9" in await reader.look() and "more lines" not in reader.shown
    reader.press("escape")
    await reader.look()
    reader.press("down", "enter")
    assert "Text  row 8" in await reader.look(), "a row with no story is told column by column"


async def test_what_keeps_it_from_reading_is_shown_and_tried_again() -> None:
    reader = Reader(Rows(3))
    reader.page.failed("the file may not be read", reader.now_ns)
    assert "x the file may not be read" in await reader.look()
    assert "> 3" in await reader.look(seconds=1) and "may not be read" not in reader.shown


async def test_a_page_that_is_left_keeps_nothing() -> None:
    reader = Reader(Rows(300))
    await reader.look()
    reader.press(*["pagedown"] * 3, "enter")
    reader.page.leave()
    assert not reader.page.rows
    await reader.look()
    assert reader.chosen == "300"


def test_it_reads_ahead_of_the_cursor() -> None:
    assert 0 < AHEAD < PORTION


@pytest.mark.parametrize("key", ["p", "r", "q", "K", "question_mark", "1"])
async def test_keys_of_the_desk_are_left_to_it(key: str) -> None:
    reader = Reader(Rows(3))
    await reader.look()
    assert not reader.page.press(key, key if len(key) == 1 else None)
    reader.press("enter")
    await reader.look()
    assert not reader.page.press(key, key if len(key) == 1 else None)


def test_typing_takes_letters_for_text() -> None:
    page: Any = Rows(3)
    assert page.press("slash", "/")
    for key in "pqr1":
        assert page.press(key, key)
    assert page.find == "pqr1" and page.press("backspace", None) and page.find == "pqr"
    assert page.press("ctrl+u", None) and not page.find


async def test_of_a_recorded_run_only_what_had_happened_is_shown() -> None:
    page = Rows(1_000)
    at_500 = Seen(sample.changed(sample.BUSY, journal_rows=500, replay=sample.REPLAY))
    page.body(at_500, 60, 12)
    await page.read(NOTHING, 0)
    assert page.rows[0].row == 500
    page.body(Seen(sample.changed(sample.BUSY, journal_rows=100, replay=sample.REPLAY)), 60, 12)
    await page.read(NOTHING, 10 * SECOND)
    assert page.rows[0].row == 100, "and less again where one goes back"


def test_what_ended_later_is_shown_as_it_stood() -> None:
    signal = SignalRecord(
        *(
            7,
            "s1",
            100,
            "trend",
            "BTCUSDT",
            "LONG",
            1,
            1,
            1,
            "why",
            "EXECUTED",
            "filled",
            "filled",
            0,
            0,
            1,
            200,
            "",
            "",
        )
    )
    signals, orders = SignalsPage(), BlotterPage()
    assert signals.as_of(signal, 150).state is None and signals.as_of(signal, 200).state == "EXECUTED"
    order = OrderRecord(
        *(7, "o1", "s1", 100, 200, "BTCUSDT", "ENTRY", "LIMIT", 5, 1, 0, "FILLED", 5, 1, "", ""),
    )
    assert (orders.as_of(order, 150).state, orders.as_of(order, 150).filled_qty) == ("(later)", 0)
    assert orders.as_of(order, 200) is order


async def test_today_and_yesterday_are_days_of_the_desk() -> None:
    reader = Reader(Rows(3))
    await reader.look()
    reader.page.look_for("yesterday BTC today")
    assert reader.page.wanted == "2026-01-04 btc 2026-01-05"
