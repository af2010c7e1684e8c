"""The browser's door: nobody comes in without the token, by a foreign name, or from a foreign page."""

import logging
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from console.web.guard import Guard, Stranger
from tests.console.conftest import Nightdesk
from tests.session.desk_double import FakeDesk, a_view, serving_in_a_thread

TOKEN = "an-unguessable-token"


class Door:
    """A guarded site with a page and a socket, on a port of its own."""

    def __init__(self, guard: Guard, port: int, session: aiohttp.ClientSession) -> None:
        self.guard, self.port, self.session = guard, port, session
        self.home = f"http://127.0.0.1:{port}"

    async def get(self, path: str = "/", **kwargs: Any) -> tuple[int, str]:
        async with self.session.get(self.home + path, allow_redirects=False, **kwargs) as answer:
            return answer.status, await answer.text()

    def known(self, value: str = TOKEN) -> dict[str, str]:
        return {self.guard.cookie: value}


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    async def page(request: web.Request) -> web.Response:
        return web.Response(text="inside")

    async def socket(request: web.Request) -> web.WebSocketResponse:
        answer = web.WebSocketResponse()
        await answer.prepare(request)
        await answer.send_str("inside")
        await answer.close()
        return answer

    guard = Guard(TOKEN, 8765)
    app = web.Application(middlewares=[guard.middleware()])
    app.add_routes([web.get("/", page), web.get("/static/x", page), web.get("/ws", socket)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield Door(guard, runner.addresses[0][1], session)
    await runner.cleanup()


@pytest.mark.parametrize("path", ["/", "/static/x", "/ws", "/nothing-here"])
async def test_without_the_token_nothing_is_told_not_even_what_there_is(
    door: Door, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "serve")
    headers = {"Origin": door.home}
    for cookies in ({}, door.known("wrong"), door.known(TOKEN + "x"), door.known(""), {"nightdesk-1": TOKEN}):
        status, text = await door.get(path, cookies=cookies, headers=headers)
        assert (status, "inside" in text) == (403, False)
    assert door.guard.refused == {Stranger.TOKEN: 5}
    assert len(caplog.records) == 5 and TOKEN not in caplog.text


async def test_the_token_in_the_address_becomes_a_cookie_no_script_can_read(door: Door) -> None:
    async with door.session.get(f"{door.home}/?token={TOKEN}", allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, "/")
        cookie = answer.headers["Set-Cookie"]
        assert TOKEN in cookie and "HttpOnly" in cookie and "SameSite=Strict" in cookie
        assert answer.headers["Cache-Control"] == "no-store" and answer.headers["Referrer-Policy"] == "no-referrer"
    assert await door.get(cookies=door.known()) == (200, "inside")
    assert (await door.get(f"/?token={TOKEN}x"))[0] == 403
    assert (await door.get(f"/static/x?token={TOKEN}"))[0] == 403, "only the entrance takes it from an address"


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8765", "127.0.0.1.evil.example", "10.0.0.7", ""])
async def test_a_foreign_name_for_this_machine_is_refused_whatever_it_knows(door: Door, host: str) -> None:
    status, _ = await door.get(cookies=door.known(), headers={"Host": host})
    assert status in (400, 403)


@pytest.mark.parametrize("host", ["localhost", "localhost:9000", "127.0.0.1:1", "[::1]:8765"])
async def test_this_machines_own_names_do_also_behind_a_tunnel(door: Door, host: str) -> None:
    assert (await door.get(cookies=door.known(), headers={"Host": host}))[0] == 200
    own = {"Host": host, "Origin": f"http://{host}"}
    assert (await door.get(cookies=door.known(), headers=own))[0] == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "http://127.0.0.1:1", "https://localhost", "null"])
async def test_a_foreign_page_may_not_call(door: Door, origin: str) -> None:
    for path in ("/", "/ws"):
        assert (await door.get(path, cookies=door.known(), headers={"Origin": origin}))[0] == 403
    assert door.guard.refused == {Stranger.ORIGIN: 2}


async def test_the_socket_opens_for_our_own_page_alone(door: Door) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await door.session.ws_connect(f"{door.home}/ws", headers={"Cookie": f"{door.guard.cookie}={TOKEN}"})
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await door.session.ws_connect(f"{door.home}/ws", origin=door.home)
    headers = {"Cookie": f"{door.guard.cookie}={TOKEN}"}
    async with door.session.ws_connect(f"{door.home}/ws", origin=door.home, headers=headers) as socket:
        assert await socket.receive_str() == "inside"
    assert door.guard.refused == {Stranger.ORIGIN: 1, Stranger.TOKEN: 1}


async def test_a_page_is_shown_in_no_frame_and_loads_nothing_from_elsewhere(door: Door) -> None:
    async with door.session.get(door.home, cookies=door.known()) as answer:
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "http" not in policy
        assert answer.headers["X-Frame-Options"] == "DENY"


def test_without_the_library_it_is_said_how_to_get_it(
    nightdesk: Nightdesk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("textual_serve", "textual_serve.server", "console.web.server"):
        monkeypatch.setitem(sys.modules, name, None)
    with serving_in_a_thread(tmp_path, FakeDesk(a_view())):
        code, _, told = nightdesk("serve")
    assert code == 1 and "pip install 'nightdesk[web]'" in told


@pytest.mark.parametrize("port", ["-1", "65536"])
def test_a_port_is_a_port(nightdesk: Nightdesk, port: str) -> None:
    code, _, told = nightdesk("serve", f"--port={port}")
    assert code == 2 and "between 0 (any free one) and 65535" in told
