"""The control endpoint over real sockets: in this process, and as the desk's child."""

import asyncio
import contextlib
import json
import logging
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from engine.core.events import Act
from engine.session.api import server
from engine.session.api.acting import Actor
from engine.session.api.client import BadAddress, NotObeyed, NotSent, send
from engine.session.api.polling import Poller
from engine.session.api.process import ApiProcess
from engine.session.api.server import PATH, Endpoint
from engine.session.api.settings import ApiSettings
from engine.session.api.signing import Nonces, SignedCommand, Verifier, sign
from engine.session.clock import WallClock
from engine.session.home import Home
from engine.session.secret import Secret
from tests.session.desk_double import FakeDesk, a_view, killed, serving

FORGED = "not signed with this desk's control key, or changed on its way: nothing was done"
KEY = Secret("fedcba9876543210" * 4)
CLOCK = WallClock()


def command(act: str = "kill", reason: str = "", *, key: Secret = KEY, desk: str = "paper") -> SignedCommand:
    return sign(key, act, desk, reason, CLOCK.now_ns())


def actor_of(home: Home) -> Actor:
    nonces = Nonces(home.nonces, CLOCK.now_ns(), 60)
    return Actor(home, Verifier(KEY, "paper", nonces), nonces, CLOCK)


@asynccontextmanager
async def listening(tmp_path: Path, desk: FakeDesk, forged: list[int] | None = None) -> AsyncIterator[tuple[str, Home]]:
    async with serving(tmp_path, desk) as (home, _):
        endpoint = Endpoint(actor_of(home), CLOCK, forged.append if forged is not None else lambda _: None)
        port = await endpoint.start("127.0.0.1", 0, None)
        try:
            yield f"http://127.0.0.1:{port}", home
        finally:
            await endpoint.close()


async def until(condition: Any) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def post(url: str, body: bytes, **headers: str) -> tuple[int, dict[str, Any]]:
    told = {"Content-Type": "application/json", **headers}
    async with aiohttp.ClientSession() as session, session.post(url + PATH, data=body, headers=told) as answer:
        return answer.status, json.loads(await answer.read())


async def test_a_signed_kill_reaches_the_desk_with_whence_and_why(tmp_path: Path, patient_kill: None) -> None:
    desk = FakeDesk(a_view())
    async with listening(tmp_path, desk) as (url, _):
        answer = await asyncio.to_thread(send, url, command("kill", "the feed is wrong"))
    (asked,) = desk.asked
    assert (asked.act, asked.source, asked.reason) == (Act.KILL, "api", "the feed is wrong, from 127.0.0.1")
    assert (answer["accepted"], answer["by"], answer["text"]) == (True, "socket", "kill done")


@pytest.mark.parametrize("act", ["pause", "flatten"])
async def test_what_makes_the_desk_safer_may_be_asked(tmp_path: Path, act: str) -> None:
    desk = FakeDesk(a_view())
    async with listening(tmp_path, desk) as (url, _):
        assert (await asyncio.to_thread(send, url, command(act)))["accepted"]
    assert [asked.act for asked in desk.asked] == [act]


@pytest.mark.parametrize("act", ["resume", "rearm", "reset-breaker", "cancel-all", "stop"])
async def test_nothing_else_may(tmp_path: Path, act: str) -> None:
    """FS-21: the key that kills lifts nothing."""
    desk = FakeDesk(killed())
    async with listening(tmp_path, desk) as (url, _):
        with pytest.raises(NotObeyed, match="only kill, pause, flatten, status"):
            await asyncio.to_thread(send, url, command(act))
    assert (desk.asked, desk.stops) == ([], [])


async def test_the_status_comes_without_the_token_that_clears_a_kill(tmp_path: Path) -> None:
    async with listening(tmp_path, FakeDesk(killed())) as (url, _):
        found = await asyncio.to_thread(send, url, command("status"))
    assert (found["state"], found["kill_latched"]) == ("RUNNING", True)
    assert "rearm_token" not in found


async def test_the_same_command_twice_is_obeyed_once(tmp_path: Path) -> None:
    """FS-02."""
    desk, told = FakeDesk(a_view()), msgspec.json.encode(command("pause"))
    async with listening(tmp_path, desk) as (url, _):
        answers = await asyncio.gather(*(post(url, told) for _ in range(8)))
    assert sorted(status for status, _ in answers) == [200] + [409] * 7
    assert len(desk.asked) == 1


@pytest.mark.parametrize(
    ("told", "headers", "status", "code"),
    [
        (lambda: msgspec.Raw(b"{}"), {}, 400, "malformed"),
        (lambda: msgspec.Raw(b"{" * 5000), {}, 413, "too_large"),
        (lambda: command(key=Secret("x" * 64)), {}, 401, "not_authenticated"),
        (lambda: command(desk="live"), {}, 403, "wrong_desk"),
        (lambda: sign(KEY, "kill", "paper", "", 10**18), {}, 401, "not_fresh"),
        (command, {"Content-Type": "text/plain"}, 400, "malformed"),
        (command, {"Host": "desk.evil.example"}, 403, "not_allowed"),
    ],
    ids=["no command", "too long", "another key", "another desk", "long ago", "no JSON", "another host"],
)
async def test_what_is_refused_says_why_and_moves_nothing(
    tmp_path: Path, told: Callable[[], object], headers: dict[str, str], status: int, code: str
) -> None:
    """FS-01, FS-08."""
    desk = FakeDesk(a_view())
    async with listening(tmp_path, desk) as (url, home):
        found, answer = await post(url, msgspec.json.encode(told()), **headers)
        assert not home.kill_file.exists()
    assert (found, answer["error"]) == (status, code)
    assert desk.asked == []


async def test_a_body_without_a_length_is_cut_off_too(tmp_path: Path) -> None:
    """FS-09."""

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * 1000

    async with (
        listening(tmp_path, FakeDesk(a_view())) as (url, _),
        aiohttp.ClientSession() as session,
        session.post(url + PATH, data=endless(), headers={"Content-Type": "application/json"}) as answer,
    ):
        assert answer.status == 413


async def test_other_methods_and_paths_are_no_endpoint(tmp_path: Path) -> None:
    """FS-08."""
    async with listening(tmp_path, FakeDesk(a_view())) as (url, _), aiohttp.ClientSession() as session:
        for method, path in (("GET", PATH), ("OPTIONS", PATH), ("POST", "/"), ("POST", "/v1/command/../status")):
            async with session.request(method, url + path, json={}) as answer:
                assert answer.status == 400
                assert "Access-Control-Allow-Origin" not in answer.headers


async def test_a_burst_of_forgeries_is_logged_once_and_holds_up_no_valid_kill(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """FS-03, FS-01: and every one of them is counted."""
    caplog.set_level(logging.WARNING, "control")
    desk, forged = FakeDesk(a_view()), msgspec.json.encode(command(key=Secret("x" * 64)))
    counted: list[int] = []
    async with listening(tmp_path, desk, counted) as (url, _):
        statuses = [(await post(url, forged))[0] for _ in range(30)]
        assert (statuses[0], statuses[-1]) == (401, 429)
        assert (await asyncio.to_thread(send, url, command("kill")))["accepted"]
        await until(lambda: sum(counted) == 30)
    refusals = [record for record in caplog.records if record.name == "control"]
    assert [record.getMessage() for record in refusals] == [
        "refused 1 unsigned or forged commands, the newest from 127.0.0.1: "
        "not signed with this desk's control key, or changed on its way: nothing was done"
    ]


async def test_whoever_holds_connections_open_gives_way_to_the_newest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FS-09."""
    monkeypatch.setattr(server, "CONNECTION_SECONDS", 600.0)
    monkeypatch.setattr(server, "CONNECTIONS_MAX", 64)
    desk = FakeDesk(a_view())
    async with listening(tmp_path, desk) as (url, _):
        port = int(url.rsplit(":", 1)[1])
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(128)]
        assert (await asyncio.to_thread(send, url, command("kill")))["accepted"]
        first, last = held[0][0], held[-1][0]
        with contextlib.suppress(ConnectionError):
            assert await asyncio.wait_for(first.read(), 30) == b""  # cut
        assert not last.at_eof()
        for _, writer in held:
            writer.transport.abort()


@asynccontextmanager
async def cutting(url: str, *, heard: bool) -> AsyncIterator[str]:
    """In front of the endpoint: cuts the first connection, before or after the endpoint has heard what it brought."""
    first = True

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal first
        cut, first = first, False
        asked = await reader.readuntil(b"}")
        if not cut or heard:
            there, to = await asyncio.open_connection("127.0.0.1", int(url.rsplit(":", 1)[1]))
            to.write(re.sub(rb"Host: \S+", b"Host: " + url.removeprefix("http://").encode(), asked))
            answer = await there.read()
            to.transport.abort()
            if not cut:
                writer.write(answer)
                await writer.drain()
        writer.close()

    between = await asyncio.start_server(pass_on, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{between.sockets[0].getsockname()[1]}"
    finally:
        between.close()


@pytest.mark.parametrize("heard", [False, True])
async def test_a_command_whose_connection_was_cut_is_sent_again_and_obeyed_once(tmp_path: Path, heard: bool) -> None:
    desk = FakeDesk(a_view())
    async with listening(tmp_path, desk) as (url, _), cutting(url, heard=heard) as between:
        answer = await asyncio.to_thread(send, between, command("kill"))
    assert answer["accepted"]
    assert len(desk.asked) == 1


async def test_a_connection_that_says_nothing_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "CONNECTION_SECONDS", 0.2)
    async with listening(tmp_path, FakeDesk(a_view())) as (url, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rsplit(":", 1)[1]))
        writer.write(b"POST /v1/command HTTP/1.1\r\nHost: x")
        with contextlib.suppress(ConnectionError):
            assert await asyncio.wait_for(reader.read(), 30) == b""
        writer.transport.abort()


async def test_a_desk_that_does_not_answer_is_killed_by_its_file(tmp_path: Path) -> None:
    home = Home.at(tmp_path, "paper")
    home.create()
    endpoint = Endpoint(actor_of(home), CLOCK)
    url = f"http://127.0.0.1:{await endpoint.start('127.0.0.1', 0, None)}"
    try:
        answer = await asyncio.to_thread(send, url, command("kill", "lost the line"))
        assert (answer["by"], answer["accepted"]) == ("file", False)
        assert "lost the line, from 127.0.0.1" in home.kill_file.read_text()
        with pytest.raises(NotObeyed, match="no desk is running"):
            await asyncio.to_thread(send, url, command("pause"))
    finally:
        await endpoint.close()


def test_what_cannot_be_sent_says_why() -> None:
    for url, why in (("desk:8787", "such as https"), ("http://desk.example:1", "must be https")):
        with pytest.raises(BadAddress, match=why):
            send(url, command())
    with pytest.raises(NotSent, match=r"no answer from 127\.0\.0\.1:1: .*is it the desk"):
        send("http://127.0.0.1:1", command())


async def test_https_to_an_endpoint_without_a_certificate_names_the_cure(tmp_path: Path) -> None:
    async with listening(tmp_path, FakeDesk(a_view())) as (url, _):
        with pytest.raises(NotSent, match="is it http://"):
            await asyncio.to_thread(send, url.replace("http", "https"), command())


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate of 127.0.0.1 that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "desk")])
    begin = datetime.fromtimestamp(CLOCK.now_ns() // 10**9, UTC) - timedelta(hours=1)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    paths = tmp_path / "desk.pem", tmp_path / "desk.key"
    paths[0].write_bytes(made.public_bytes(Encoding.PEM))
    paths[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return paths


async def test_with_a_certificate_it_is_https_and_only_for_who_knows_it(
    tmp_path: Path, certificate: tuple[Path, Path]
) -> None:
    desk = FakeDesk(a_view())
    async with serving(tmp_path, desk) as (home, _):
        api = ApiProcess(ApiSettings(KEY, "127.0.0.1", 0, str(certificate[0]), str(certificate[1])), home)
        api.start()
        await until(lambda: api.port)
        url = f"https://127.0.0.1:{api.port}"
        with pytest.raises(NotSent, match="self-signed certificate"):
            await asyncio.to_thread(send, url, command())
        with pytest.raises(NotSent):
            await asyncio.to_thread(send, url.replace("https", "http"), command())
        assert (await asyncio.to_thread(send, url, command(), certificate[0]))["accepted"]
        await api.close()
    assert len(desk.asked) == 1


# --- the polled address ---


@asynccontextmanager
async def web_page(bodies: list[tuple[int, bytes]]) -> AsyncIterator[tuple[str, list[str]]]:
    """A page that answers with one of `bodies` after the other, then with the last for ever."""
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        status, body = bodies[min(len(asked), len(bodies)) - 1]
        return web.Response(status=status, body=body)

    app = web.Application()
    app.router.add_get("/", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert runner.addresses
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/", asked
    finally:
        await runner.cleanup()


async def test_a_command_left_at_the_polled_address_is_obeyed_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "control")
    desk = FakeDesk(a_view())
    left = msgspec.json.encode(command("kill", "from afar"))
    forged = msgspec.json.encode(command("kill", key=Secret("x" * 64)))
    pages = [(404, b""), (500, b""), (500, b""), (200, b""), (200, forged), (200, forged), (200, left + b"\n")]
    async with serving(tmp_path, desk) as (home, _), web_page(pages) as (url, asked):
        counted: list[int] = []
        polling = asyncio.create_task(Poller(actor_of(home), url, 0.01, counted.append).run())
        await until(lambda: len(asked) >= 12)
        polling.cancel()
    (request,) = desk.asked
    assert (request.act, request.source, request.reason) == (Act.KILL, "webhook", "from afar, from the polled address")
    told = [record.getMessage() for record in caplog.records if record.name == "control"]
    assert [text for text in told if "polled address" in text][:3] == [
        "the polled address cannot be read: it answers with status 500",
        "the polled address can be read again",
        f"refused what is at the polled address: {FORGED}",
    ]
    assert sum("refused" in text for text in told) == 1
    assert counted == [1]


async def test_an_address_that_cannot_be_reached_is_told_without_its_name(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(tmp_path, FakeDesk(a_view())) as (home, _):
        poller = Poller(actor_of(home), "http://127.0.0.1:1/secret-path", 0.01)
        async with aiohttp.ClientSession() as session:
            await poller._ask(session)
            await poller._ask(session)
    told = [record.getMessage() for record in caplog.records if record.name == "control"]
    assert told == ["the polled address cannot be read: ClientConnectorError"]


# --- as a child of the desk ---


async def test_the_child_serves_is_started_again_and_ends_with_the_desk(tmp_path: Path) -> None:
    desk = FakeDesk(a_view())
    async with serving(tmp_path, desk) as (home, _):
        api = ApiProcess(ApiSettings(KEY, "127.0.0.1"), home)
        api.start()
        await until(lambda: api.port)
        first, process = api.port, api._process
        assert process is not None
        spent = command("pause")
        assert (await asyncio.to_thread(send, f"http://127.0.0.1:{first}", spent))["accepted"]
        with pytest.raises(NotObeyed, match="control key"):
            await asyncio.to_thread(send, f"http://127.0.0.1:{first}", command(key=Secret("x" * 64)))
        await until(lambda: api.forged == 1)
        process.kill()
        await until(lambda: api._process is not process and api.port)
        with pytest.raises(NotObeyed, match="obeyed already"):
            await asyncio.to_thread(send, f"http://127.0.0.1:{api.port}", spent)
        assert (await asyncio.to_thread(send, f"http://127.0.0.1:{api.port}", command("kill")))["accepted"]
        again = api._process
        await api.close()
        assert again is not None and again.returncode == 0
    assert [asked.act for asked in desk.asked] == [Act.PAUSE, Act.KILL]


async def test_a_port_that_is_taken_is_said_and_tried_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with serving(tmp_path, FakeDesk(a_view())) as (home, _), web_page([(200, b"")]) as (url, _):
        api = ApiProcess(ApiSettings(KEY, "127.0.0.1", int(url.rstrip("/").rsplit(":", 1)[1])), home)
        api.start()
        await until(lambda: "cannot be opened" in api.problem)
        assert api.port == 0
        await api.close()
    assert any("address already in use" in record.getMessage() for record in caplog.records)
