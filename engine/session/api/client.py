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
    try:
        with opener.open(request, timeout=CALL_SECONDS) as answer:
            return _object(answer.read(_ANSWER_BYTES_MAX))
    except urllib.error.HTTPError as refused:
        said = _object(refused.read(_ANSWER_BYTES_MAX))
        raise NotObeyed(str(said.get("text") or f"the endpoint answered {refused.code}")) from refused
    except OSError as failure:
        why = getattr(failure, "reason", failure)
        if isinstance(why, ssl.SSLError) and why.reason == "WRONG_VERSION_NUMBER":
            why = "it does not speak TLS; is it http://?"
        raise NotSent(
            f"no answer from {parts.netloc}: {why}; is it the desk's control.http, and reachable?"
        ) from failure


def _object(body: bytes) -> dict[str, Any]:
    try:
        said = json.loads(body)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
