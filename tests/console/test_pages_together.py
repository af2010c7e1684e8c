"""Every page in every state of a desk, and its keys in a console: what its footer names is what they do."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from console.board import plain
from console.page import desk_page
from console.pages import PAGE_NAMES, all_pages
from console.pages.base import Page, Source
from console.pages.listing import Listing
from console.text import Seen
from engine.session.home import Home
from tests.console import sample_desk as sample
from tests.console.sample_desk import ScriptedDesk
from tests.console.small_books import Sitting, make, make_files
from tests.console.test_console_app import Driven
from tests.console.test_console_page import assert_exact

FRAMES = 3  # a page reads its rows in one, what is opened in another
STATES = {  # by what the head must say whichever page is shown
    "ok RUNNING": Seen(sample.BUSY),
    "LIVE": Seen(sample.changed(sample.BUSY, env="live")),
    "x HALTED": Seen(sample.BLOCKED),
    "PAUSED": Seen(sample.changed(sample.BUSY, blocks=(sample.OPERATOR,))),
    "KILLED": Seen(sample.KILLED),
    "STALE": Seen(sample.BUSY, 9 * sample.SECOND),
    "SEEDING": Seen(sample.EMPTY),
    "REPLAY": Seen(sample.changed(sample.BUSY, replay=sample.REPLAY)),
}


@pytest.fixture
def books(tmp_path: Path) -> Path:
    store = make(tmp_path)
    store.close()
    return store.path


@pytest.fixture
def files(tmp_path: Path) -> Home:
    return make_files(tmp_path)


def page_named(name: str) -> Page:
    return next(page for page in all_pages() if page.name == name)


@pytest.mark.parametrize("name", PAGE_NAMES)
async def test_the_state_of_the_desk_stands_above_every_page(books: Path, files: Home, name: str) -> None:
    page = page_named(name)
    await Sitting(page, files if page.source is Source.FILES else books).look()
    for word, seen in STATES.items():
        for size in ((80, 24), (120, 40)):
            lines = desk_page(seen, *size, page=page)
            assert_exact(lines, *size)
            assert word in plain(lines[:5]), (word, size)


class Turned:
    """A console on real books, turned to a page."""

    def __init__(self, console: Driven) -> None:
        self._console = console

    async def keys(self, *keys: str) -> str:
        """Press; then a few frames, each with what the page reads."""
        await self._console.press(*keys)
        for _ in range(FRAMES):
            await self._console.after(250)
            if self._console.app._reading is not None:
                await self._console.app._reading
        await self._console.after(250)
        return self._console.shown

    @property
    def page(self) -> Page:
        return self._console.app._desk_screen.page


@asynccontextmanager
async def turned_to(name: str, books: Path, files: Home) -> AsyncIterator[Turned]:
    desk = ScriptedDesk(sample.BUSY)
    async with Driven(desk, books=books, files=files).open(120, 40) as console:
        turned = Turned(console)
        await turned.keys(str(PAGE_NAMES.index(name) + 1))
        yield turned
        assert desk.commands == [], "no key of a page commands the desk"


async def test_the_number_keys_turn_to_the_pages_in_their_order(books: Path, files: Home) -> None:
    async with turned_to("Desk", books, files) as turned:
        for number, name in enumerate(PAGE_NAMES, 1):
            await turned.keys(str(number))
            assert turned.page.name == name
        await turned.keys("escape")
        assert turned.page.name == "Desk"


LISTS = [page.name for page in all_pages() if isinstance(page, Listing)]


@pytest.mark.parametrize("name", LISTS)
async def test_a_list_filters_opens_and_goes_back(books: Path, files: Home, name: str) -> None:
    async with turned_to(name, books, files) as turned:
        page = turned.page
        assert isinstance(page, Listing) and len(page.rows) > 0
        whole = list(page.rows)
        assert {"Enter", "/"} <= {hint.key for hint in page.hints()}
        shown = await turned.keys("slash", *"zzz1p")
        assert "zzz1p" in shown and page.rows == [] and page.is_typing, "letters and numbers are text here"
        await turned.keys("escape")
        assert page.rows == whole and not turned.page.is_typing
        opened = await turned.keys("enter")
        assert [hint.key for hint in page.hints()] == ["Esc", "↑↓"] and "reading" not in opened
        await turned.keys("escape")
        assert turned.page is page and "Enter" in {hint.key for hint in page.hints()}
        await turned.keys("escape")
        assert turned.page.name == "Desk"


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("Orders", ["[Orders]", "[Fills]", "[Trades]"]),
        ("Performance", ["[this run]", "[today]", "[7 days]", "[everything]"]),
        ("Log", ["[Desk]", "[This run]"]),
    ],
)
async def test_tab_goes_round_and_shift_tab_back(books: Path, files: Home, name: str, parts: list[str]) -> None:
    async with turned_to(name, books, files) as turned:
        assert "Tab" in {hint.key for hint in turned.page.hints()}
        for part in [*parts[1:], parts[0]]:
            assert part in await turned.keys("tab")
        assert parts[-1] in await turned.keys("shift+tab")


@pytest.mark.parametrize("name", PAGE_NAMES)
async def test_a_kill_is_asked_for_on_every_page(books: Path, files: Home, name: str) -> None:
    async with turned_to(name, books, files) as turned:
        await turned.keys("slash")
        assert "Cancel" in await turned.keys("K")


async def test_without_books_a_page_says_so() -> None:
    for key, words in (("2", "no database to look into"), ("5", "no database"), ("8", "no folder to look into")):
        async with Driven(ScriptedDesk()).open() as console:
            assert words in await Turned(console).keys(key)
