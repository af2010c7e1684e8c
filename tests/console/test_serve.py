"""The console in a browser: a page is an attached console behind the guard."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import psutil
import pytest
from aiohttp import web

from console.web.guard import Guard
from engine.core.events import Act
from engine.session.home import Home
from tests.e2e.shell import until
from tests.session.desk_double import FakeDesk, a_view, serving_in_a_thread
from tests.steady import PATIENCE

pytest.importorskip("textual_serve", reason="textual-serve is optional: pip install 'nightdesk[web]'")
from console.web.server import GuardedServer, console_command

TOKEN = "an-unguessable-token"
CHROMIUM = shutil.which("chromium")


@pytest.fixture
def desk(tmp_path: Path) -> FakeDesk:
    return FakeDesk(a_view())


@pytest.fixture(params=["viewer", "operator"])
async def address(request: pytest.FixtureRequest, tmp_path: Path, desk: FakeDesk) -> AsyncIterator[str]:
    """Where a console on the desk is served."""
    with serving_in_a_thread(tmp_path, desk) as home:
        command = console_command(home.root, home.env, operator=request.param == "operator")
        runner = web.AppRunner(await GuardedServer(command, Guard(TOKEN, 1)).make_app(), shutdown_timeout=1.0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        await runner.cleanup()
        await asyncio.to_thread(until, lambda: not consoles())


def consoles() -> list[psutil.Process]:
    """The consoles this process has started, as far as they still run."""
    children = psutil.Process().children()
    return [child for child in children if child.is_running() and "console.web.child" in " ".join(child.cmdline())]


async def shown(socket: aiohttp.ClientWebSocketResponse, text: bytes) -> None:
    """Read until the screen has been sent `text`."""
    seen = b""
    async with asyncio.timeout(PATIENCE):
        while text not in seen:
            message = await socket.receive()
            assert message.type in (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT), (message, seen)
            seen += message.data if isinstance(message.data, bytes) else b""


async def test_a_page_shows_the_desk_and_its_keys_do_what_its_seat_may(
    address: str, desk: FakeDesk, request: pytest.FixtureRequest
) -> None:
    acts = "operator" in request.node.name
    headers = {"Cookie": f"nightdesk-1={TOKEN}"}
    async with aiohttp.ClientSession() as session:
        async with session.get(address, headers=headers) as page:
            assert page.status == 200 and "Nightdesk" in await page.text()
        async with session.ws_connect(f"{address}/ws?width=100&height=30", origin=address, headers=headers) as socket:
            await shown(socket, b" PAPER ")
            await socket.send_json(["stdin", "p"])
            await shown(socket, b"in force" if acts else b"watching only")
    assert [asked.act for asked in desk.asked] == ([Act.PAUSE] if acts else [])


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
@pytest.mark.parametrize("address", ["viewer"], indirect=True)
async def test_a_browser_opens_the_console(address: str, tmp_path: Path, desk: FakeDesk) -> None:
    looked = 0
    view = desk.view

    def counted() -> object:
        nonlocal looked
        looked += 1
        return view()

    desk.view = counted  # type: ignore[assignment,method-assign]
    assert CHROMIUM is not None
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
    command += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", "--remote-debugging-port=0", f"{address}/?token={TOKEN}"]
    browser = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        await asyncio.to_thread(until, lambda: looked > 3)  # somebody watches the desk
    finally:
        browser.kill()
        await browser.wait()


def test_a_home_with_a_blank_is_one_word(tmp_path: Path) -> None:
    command = console_command(Home.at(tmp_path / "my desk", "paper").root, "paper", operator=False)
    assert f"'{tmp_path}/my desk' paper viewer" in command
