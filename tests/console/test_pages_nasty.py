"""No text from outside can harm any page: not its size, not the terminal. `make sim` runs the full count."""

import unicodedata
from pathlib import Path
from typing import Any

import msgspec
import pytest

from console.board import plain
from console.logbook import LogLine, structured
from console.page import desk_page
from console.pages import PAGE_NAMES, all_pages
from console.pages.audit import fact_lines
from console.pages.base import Page, Source
from console.pages.listing import Detail, Listing
from console.pages.log import record_lines
from console.pages.performance import PerformancePage
from console.pages.story import story_lines
from console.pages.validation import ValidationPage
from console.text import Seen, Span, width_of
from engine.core.view import DeskView
from engine.session.home import Home
from store.queries import open_queries
from store.records import EventRecord, TraceRecord
from tests.console import sample_desk as sample
from tests.console.nasty import BARRED, Strings, filled
from tests.console.small_books import RUN, Sitting, make, make_files
from tests.console.test_page_validation import UNDER_WAY, judge
from tests.console.test_pages_risk import PROBES

SIZES = ((80, 24), (120, 40), (160, 48), (240, 60), (60, 20), (20, 6))
KEPT = ("env", "signals", "clock")  # words of a closed set
NUMBERS = ("qty", "price", "value", "limit_value", "fee", "amount", "what")  # the desk's own, as decimal text


@pytest.fixture
def books(tmp_path: Path) -> Path:
    store = make(tmp_path)
    store.close()
    judge(store.path, 9_001, "72h-20260101-000000", passed=False)
    return store.path


def evil_view(text: Strings) -> DeskView:
    view = sample.changed(sample.BLOCKED, protocol=UNDER_WAY, probes=PROBES)
    evil: DeskView = filled(view, text)
    return msgspec.structs.replace(evil, **{name: getattr(view, name) for name in KEPT})


def assert_harmless(page: Page, view: DeskView, size: tuple[int, int], text: Strings) -> None:
    lines = desk_page(Seen(view), *size, Span(text()), page=page)
    assert len(lines) == size[1] and {width_of(line) for line in lines} == {size[0]}
    for number, line in enumerate(lines):
        harm = {char for span in line for char in span.text if unicodedata.category(char) in BARRED}
        assert not harm, f"{harm} in line {number}: {plain([line])!r}"


def poison(page: Page, text: Strings) -> None:
    """Put evil texts into everything the page has read."""
    if isinstance(page, Listing):
        page.rows = [filled(row, text) for row in page.rows * (40 // max(len(page.rows), 1) + 1)][:40]
        page.find = text()
        page._asked = page.question()
    elif isinstance(page, PerformancePage):
        page._figures, page._drawn_for = filled(page._figures, text), None
    elif isinstance(page, ValidationPage):
        page._ended = filled(page._ended, text)


@pytest.mark.parametrize("count", [1_500, pytest.param(100_000, marks=pytest.mark.sim)])
@pytest.mark.parametrize("name", PAGE_NAMES)
async def test_no_text_harms_a_page(books: Path, tmp_path: Path, name: str, count: int) -> None:
    page = next(page for page in all_pages() if page.name == name)
    source: Path | Home = make_files(tmp_path) if page.source is Source.FILES else books
    await Sitting(page, source).look()
    text = Strings(count)
    frame = 0
    while text.count < count:
        poison(page, text)
        assert_harmless(page, evil_view(text), SIZES[frame % len(SIZES)], text)
        frame += 1
    page.failed(text(), 1)
    assert_harmless(page, evil_view(text), SIZES[0], text)


@pytest.mark.parametrize("count", [1_500, pytest.param(100_000, marks=pytest.mark.sim)])
@pytest.mark.parametrize("kind", ["signal", "fact", "line"])
async def test_no_text_harms_a_row_that_is_opened(books: Path, kind: str, count: int) -> None:
    text = Strings(count)
    page = next(page for page in all_pages() if page.name == "Audit")
    await Sitting(page, books).look()
    async with open_queries(books) as queries:
        steps = await queries.trace(f"{RUN}-1001-1")
        events = await queries.events(limit=5)
    assert isinstance(page, Listing) and steps and events
    page._opened = events[0]
    frame = 0
    while text.count < count:
        page._detail = _evil_detail(kind, steps, events, text)
        assert_harmless(page, sample.BUSY, SIZES[frame % len(SIZES)], text)
        frame += 1


def _evil_detail(kind: str, steps: list[TraceRecord], events: list[EventRecord], text: Strings) -> Detail:
    if kind == "signal":
        told = [_but(NUMBERS, step, text) for step in steps]
        return lambda width: story_lines(told, width)
    if kind == "fact":
        event = filled(events[text.count % len(events)], text)
        if text.count % 2:
            body = msgspec.json.encode({_encodable(text()): _encodable(text()) for _ in range(9)}).decode()
            event = msgspec.structs.replace(event, body=body)
        return lambda width: fact_lines(event, width)
    line: LogLine = filled(structured(1, b'{"timestamp":"2026-01-05T12:00:00Z"}'), text)
    line = line._replace(meta={text(): [text(), {_encodable(text()): _encodable(text())}] for _ in range(9)})
    return lambda width: record_lines(line, width)


def _but(kept: tuple[str, ...], record: Any, text: Strings) -> Any:
    return msgspec.structs.replace(filled(record, text), **{name: getattr(record, name) for name in kept})


def _encodable(text: str) -> str:
    return text.encode(errors="replace").decode()
