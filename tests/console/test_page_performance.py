"""The performance page: the reports' own figures of the chosen span, read again only when something happened."""

import re
from pathlib import Path

import pytest

from console.figures import Ledger
from console.pages.performance import PerformancePage
from console.panels.performance import arranged
from console.text import width_of
from engine.core.money import parse
from store.queries import open_queries
from store.searches import NEWEST
from tests.console import sample_desk as sample
from tests.console.small_books import FIRST_RUN, NEXT, RUN, Sitting, make, trade
from tests.store.making import batch


@pytest.fixture
def books(tmp_path: Path) -> Path:
    store = make(tmp_path)
    store.close()
    return store.path


def entry(shown: str, name: str) -> str:
    """What stands behind a name on the right."""
    found = re.search(rf"{name}\s{{2,}}(.+)$|{name} (\S.+)$", shown, re.MULTILINE)
    assert found, f"{name} is not in\n{shown}"
    return (found[1] or found[2]).strip()


async def test_the_figures_are_those_of_the_span(books: Path) -> None:
    sitting = Sitting(PerformancePage(), books)
    shown = await sitting.look()
    assert "[this run]" in shown
    assert entry(shown, "Won, lost") == "2, 2"
    assert entry(shown, "Win rate") == "50.0 % (15.0-85.0)"
    assert entry(shown, "Net profit") == "+3.00" and entry(shown, "Average ") == "+0.75"
    assert entry(shown, "Average win") == "+4.50" and entry(shown, "Average loss") == "-3.00"
    assert entry(shown, "Profit factor") == "1.50" and entry(shown, "Fees") == "9.60"
    assert entry(shown, "Held on average") == "01:00:00"
    everything = await sitting.press("shift+tab")
    assert "[everything]" in everything and entry(everything, "Won, lost") == "3, 2"
    today = await sitting.press("shift+tab", "shift+tab")
    assert "[today]" in today and entry(today, "Won, lost") == "2, 2"


async def test_exits_are_bars_and_phases_and_strategies_have_their_rows(books: Path) -> None:
    shown = await Sitting(PerformancePage(), books).look()
    assert re.search(r"sl +█+░+ +2 +-6\.00", shown) and re.search(r"strategy +█+░+ +1 +\+3\.00", shown)
    assert re.search(r"SIDEWAYS +3 +67 % +\+4\.50", shown) and re.search(r"TREND_UP +1 +0 % +-1\.50", shown)
    assert re.search(r"reversion +3 +67 % +\+4\.50", shown) and re.search(r"^trend +1 +0 %", shown, re.MULTILINE)


async def test_paper_stands_beside_what_was_expected_of_it(books: Path) -> None:
    shown = await Sitting(PerformancePage(), books, size=(160, 60)).look()
    assert entry(shown, "Result") == "+3.00"
    assert entry(shown, "Pessimistic") == "-5.00" and entry(shown, "Optimistic") == "+5.00"
    assert entry(shown, "Between") == "-5.00 and +5.00"
    assert entry(shown, "Slippage") == "+2.5 bp mean, p95 +4.0, worst +4.0"
    assert entry(shown, "vs pessimistic").startswith("-1.0 bp mean")
    assert "0 of 4 worse" in shown


async def test_the_curves_show_where_equity_was_and_how_far_it_fell(books: Path) -> None:
    shown = await Sitting(PerformancePage(), books).look()
    assert "10,015.00  +3.00" in shown and "10,017.01 " in shown and "10,006.99 " in shown
    assert "at most 0.04 %" in shown and "0.10 %" in shown


async def test_without_a_trade_it_says_so(tmp_path: Path) -> None:
    store = make(tmp_path, traded=False)
    store.close()
    shown = await Sitting(PerformancePage(), store.path).look()
    assert "no trades yet" in shown and "nothing to compare" in shown


async def test_it_reads_again_only_after_something_happened_and_then_only_what_is_new(tmp_path: Path) -> None:
    store = make(tmp_path)
    sitting = Sitting(PerformancePage(), store.path)
    await sitting.look()
    await sitting.look(seconds=60)
    assert sitting.reads == 1
    await sitting.look(seconds=1, rows=1)
    await sitting.look(seconds=1)
    assert sitting.reads == 2, "the rows moved, but not a trade came"
    before = sitting.draw()
    store.journal.commit(batch(3, 1, [(3, fact) for fact in trade(NEXT)], RUN)).result()
    shown = await sitting.look(seconds=5, rows=4)
    store.close()
    assert entry(shown, "Won, lost") == "3, 2" and sitting.draw() != before


async def test_a_new_run_is_a_new_span(books: Path) -> None:
    sitting = Sitting(PerformancePage(), books, sample.changed(sample.BUSY, run_id=FIRST_RUN))
    assert entry(await sitting.look(), "Won, lost") == "1, 0"
    sitting.view = sample.BUSY
    assert entry(await sitting.look(), "Won, lost") == "2, 2"


async def test_what_keeps_it_from_reading_is_shown_and_tried_again(books: Path) -> None:
    sitting = Sitting(PerformancePage(), books)
    sitting.page.failed("the file may not be read", 10**12)
    assert "x the file may not be read" in await sitting.look()
    assert entry(await sitting.look(seconds=5), "Won, lost") == "2, 2"


@pytest.mark.parametrize("size", [(80, 18), (120, 34), (160, 42), (240, 54)])
async def test_it_fits_its_screen_and_what_does_not_is_scrolled_to(books: Path, size: tuple[int, int]) -> None:
    sitting = Sitting(PerformancePage(), books, size=size)
    shown = await sitting.look()
    lines = sitting.draw()
    assert len(lines) <= size[1] and max(map(width_of, lines)) <= size[0]
    hidden = "more lines" in shown
    assert hidden == (size == (80, 18)) == ("reversion" not in shown)
    assert "reversion" in await sitting.press("end")
    assert [hint.key for hint in sitting.page.hints()] == (["Tab", "↑↓"] if hidden else ["Tab"])
    assert (await sitting.press("home")) == shown


async def test_what_is_left_out_is_said(books: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.figures.TRADES_MAX", 2)
    async with open_queries(books) as queries:
        ledger = Ledger(await queries.rows_of())
        await ledger.read(queries, NEWEST)
    figures = ledger.figures()
    assert figures.trades.trades == 2 and figures.trades.net_profit == parse("1.5") and figures.is_cut
    assert "only the newest" in "".join(span.text for line in arranged(figures, 100, 40) for span in line)


async def test_a_page_that_is_left_keeps_nothing(books: Path) -> None:
    sitting = Sitting(PerformancePage(), books)
    shown = await sitting.look()
    sitting.page.leave()
    assert "reading the trades" in "".join(span.text for line in sitting.draw() for span in line)
    assert await sitting.look() == shown
