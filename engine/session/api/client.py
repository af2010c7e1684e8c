"""Sending a signed command to a desk's control endpoint. Blocking, for the command line."""

import json
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from engine.session.api.server import PATH
from engine.session.api.signing import SignedCommand
from engine.session.errors import SessionError
from engine.session.settings import is_loopback

CALL_SECONDS: Final = 10.0
TRIES: Final = (
    5  # an endpoint under a flood may cut a connection; the same command can be sent again, it is obeyed once
)
_ANSWER_BYTES_MAX: Final = 1_000_000


class NotSent(SessionError):
    """The command did not reach a desk, or no answer came back: whether it was obeyed is not known."""


class BadAddress(SessionError):
    """No desk can be meant by it."""


class NotObeyed(SessionError):
    """The endpoint answered no."""


def send(url: str, command: SignedCommand, authority: Path | None = None) -> dict[str, Any]:
    """Send `command` to the endpoint at `url` (https beyond this machine); its answer.

    `authority` is a PEM file to know the endpoint's certificate by, in place of the system's authorities.

    Raises:
        BadAddress, NotSent, NotObeyed: each names the cause and what to do.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadAddress(f"{url}: must be an address such as https://desk.example:8787")
    if parts.scheme == "http" and not is_loopback(url):
        raise BadAddress(f"{url}: beyond this machine it must be https")
    context = ssl.create_default_context(cafile=authority) if parts.scheme == "https" else None
    request = urllib.request.Request(
        f"{parts.scheme}://{parts.netloc}{PATH}",
        msgspec.json.encode(command),
        {"Content-Type": "application/json"},
        method="POST",
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    for attempt in range(TRIES):
        try:
            return _answer(opener, request, parts.netloc, again=attempt > 0)
        except ConnectionError:
            if attempt == TRIES - 1:
                raise NotSent(f"{parts.netloc} cut the connection {TRIES} times; is it under a flood?") from None
    raise AssertionError("the last attempt returns or raises")


def _answer(
    opener: urllib.request.OpenerDirector, request: urllib.request.Request, netloc: str, *, again: bool
) -> dict[str, Any]:
    """One attempt. Raises ConnectionError where the connection was cut: whether the command arrived is not known."""
    try:
        with opener.open(request, timeout=CALL_SECONDS) as answer:
            return _object(answer.read(_ANSWER_BYTES_MAX))
    except urllib.error.HTTPError as refused:
        said = _object(refused.read(_ANSWER_BYTES_MAX))
        if again and said.get("error") == "repeated":
            return {"accepted": True, "text": "obeyed; the first answer was lost"}
        raise NotObeyed(str(said.get("text") or f"the endpoint answered {refused.code}")) from refused
    except OSError as failure:
        why = getattr(failure, "reason", failure)
        if isinstance(why, ConnectionResetError | BrokenPipeError):
            raise ConnectionError(str(why)) from failure
        if isinstance(why, ssl.SSLError) and why.reason == "WRONG_VERSION_NUMBER":
            why = "it does not speak TLS; is it http://?"
        raise NotSent(f"no answer from {netloc}: {why}; is it the desk's control.http, and reachable?") from failure


def _object(body: bytes) -> dict[str, Any]:
    try:
        said = json.loads(body)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
