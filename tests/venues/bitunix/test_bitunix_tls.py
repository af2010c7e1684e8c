"""A venue behind TLS on loopback: one certificate is right, and every other is refused by name, again and again."""

import asyncio
import datetime
import ipaddress
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from websockets.asyncio.server import ServerConnection, serve

from engine.venues.bitunix.link import Link, LinkTimes
from engine.venues.bitunix.rest import Rest
from engine.venues.errors import CertificateRefused, VenueGone, is_retryable
from tests.venues.bitunix.fakevenue import SetClock

NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)
HERE = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
FLAWS = {
    "expired": "certificate has expired",
    "wrong name": "IP address mismatch, certificate is not valid for '127.0.0.1'",
    "unknown issuer": "unable to get local issuer certificate",
    "self-signed": "self-signed certificate",
}


class Signed(NamedTuple):
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def signed(name: str, by: Signed | None, *, ended: bool = False, at: x509.GeneralName = HERE) -> Signed:
    """A certificate for `at`, signed by `by` or by itself; one without an issuer may sign others."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer = by.certificate.subject if by else subject
    made = (
        x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(NOW - 9 * DAY)
        .not_valid_after(NOW - DAY if ended else NOW + DAY)
        .add_extension(x509.BasicConstraints(ca=by is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([at]), critical=False)
    )
    return Signed(made.sign((by.key if by else key), hashes.SHA256()), key)


def pem(one: Signed) -> bytes:
    return one.certificate.public_bytes(serialization.Encoding.PEM)


@pytest.fixture
def issuer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Signed:
    """The one issuer this machine trusts."""
    ours = signed("an issuer", None)
    file = tmp_path / "trusted.pem"
    file.write_bytes(pem(ours))
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    monkeypatch.setattr("aiohttp.connector._SSL_CONTEXT_VERIFIED", ssl.create_default_context())  # made at its import
    return ours


def of_kind(kind: str, issuer: Signed) -> Signed:
    match kind:
        case "right":
            return signed("venue", issuer)
        case "expired":
            return signed("venue", issuer, ended=True)
        case "wrong name":
            return signed("venue", issuer, at=x509.DNSName("venue.example"))
        case "unknown issuer":
            return signed("venue", signed("somebody", None))
        case _:
            return signed("venue", None)


class Secure:
    """A venue of which every connection has to be encrypted. `asked` counts what got through, on either side."""

    def __init__(self) -> None:
        self.rest_url = self.ws_url = ""
        self.asked = 0

    async def answer(self, request: web.Request) -> web.Response:
        self.asked += 1
        return web.json_response({"code": 0, "data": "here", "msg": "Success"})

    async def greet(self, connection: ServerConnection) -> None:
        self.asked += 1
        await connection.send('{"op":"connect","data":{"result":true}}')
        await connection.wait_closed()


@asynccontextmanager
async def secure(shown: Signed, folder: Path) -> AsyncIterator[Secure]:
    key = shown.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = folder / "venue.pem"
    file.write_bytes(pem(shown) + key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    venue, app = Secure(), web.Application()
    app.router.add_route("*", "/{path:.*}", venue.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    quiet = logging.getLogger("handshakes")
    quiet.setLevel(logging.CRITICAL)
    async with serve(venue.greet, "127.0.0.1", 0, ssl=context, compression=None, logger=quiet) as server:
        venue.rest_url = f"https://127.0.0.1:{runner.addresses[0][1]}"
        venue.ws_url = f"wss://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
        try:
            yield venue
        finally:
            await runner.cleanup()


async def nothing(_: Link) -> None:
    """No greeting of ours."""


def link_to(venue: Secure) -> Link:
    room = asyncio.Event()
    room.set()
    times = LinkTimes(window_s=0.2, backoff_s=(0.01, 0.02))
    return Link(
        venue.ws_url,
        SetClock(),
        greet=nothing,
        on_frame=lambda _raw, _at: True,
        on_down=lambda _why: None,
        times=times,
        room=room,
    )


async def test_the_right_certificate_is_taken(issuer: Signed, tmp_path: Path) -> None:
    async with secure(of_kind("right", issuer), tmp_path) as venue:
        rest, link = Rest(venue.rest_url, SetClock()), link_to(venue)
        assert await rest.get("/market/tickers") == "here"
        await link.open()
        await link.close()
        await rest.close()
        assert venue.asked == 2


@pytest.mark.parametrize("kind", FLAWS)
async def test_a_bad_certificate_is_refused_by_name_and_nothing_is_sent(
    kind: str, issuer: Signed, tmp_path: Path
) -> None:
    """FN-09."""
    async with secure(of_kind(kind, issuer), tmp_path) as venue:
        rest, link = Rest(venue.rest_url, SetClock()), link_to(venue)
        with pytest.raises(CertificateRefused, match=FLAWS[kind]) as refused:
            await rest.get("/market/tickers", attempts=3)
        assert not is_retryable(refused.value)
        with pytest.raises(CertificateRefused, match=FLAWS[kind]):
            await link.open()
        await rest.close()
        assert venue.asked == 0


async def test_a_certificate_that_goes_bad_is_checked_at_every_attempt_until_the_window_is_over(
    issuer: Signed, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """FN-09."""
    async with secure(of_kind("right", issuer), tmp_path) as good:
        link = link_to(good)
        await link.open()
        async with secure(of_kind("expired", issuer), tmp_path) as venue:
            link._url = venue.ws_url
            await link.drop("for the test")
            with pytest.raises(VenueGone, match="certificate has expired"), caplog.at_level(logging.WARNING):
                await link.run()
            assert venue.asked == 0
        await link.close()
    told = [record for record in caplog.records if "certificate is refused" in record.getMessage()]
    assert len(told) >= 2, "each attempt was a whole one"


async def test_no_variable_turns_the_check_off_or_leads_through_a_proxy(
    issuer: Signed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FS-17: which authorities are trusted is the system's to say (SSL_CERT_FILE), and nothing else is."""
    stranger = signed("somebody", None)
    (tmp_path / "stranger.pem").write_bytes(pem(stranger))
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AIOHTTP_CA_BUNDLE"):
        monkeypatch.setenv(name, str(tmp_path / "stranger.pem"))
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "WSS_PROXY", "ALL_PROXY", "SOCKS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
        monkeypatch.setenv(name.lower(), "http://127.0.0.1:1")
    for name, value in (("PYTHONHTTPSVERIFY", "0"), ("NODE_TLS_REJECT_UNAUTHORIZED", "0"), ("NO_PROXY", "")):
        monkeypatch.setenv(name, value)
    async with secure(signed("venue", stranger), tmp_path) as venue:
        rest, link = Rest(venue.rest_url, SetClock()), link_to(venue)
        for asked in (rest.get("/market/tickers", attempts=1), link.open()):
            with pytest.raises(CertificateRefused, match="unable to get local issuer"):
                await asked
        await rest.close()
        assert venue.asked == 0
    async with secure(of_kind("right", issuer), tmp_path) as venue:
        rest, link = Rest(venue.rest_url, SetClock()), link_to(venue)
        assert await rest.get("/market/tickers") == "here"
        await link.open()
        await link.close()
        await rest.close()
