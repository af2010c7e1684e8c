"""The one place that knows apprise: an address, what service it is of, and one message to it.

apprise is imported with the first address and not before: it and its services take about a second and 40 MB. Its log
lines may quote an address, so none of them goes further than the cause of a failure, and that without secrets.
"""

import logging
import re
import threading
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from engine.core.words import Severity
from engine.session.errors import SessionError
from engine.session.scrub import Scrubber
from engine.session.secret import Secret

TIMEOUT_SECONDS: Final = 4.0
APP: Final = "Nightdesk"
_PLAIN: Final = {"http": "json", "https": "jsons"}
"""An address of the web that apprise does not know as a service's is a webhook that takes JSON."""
_WEB: Final = frozenset({*_PLAIN, "json", "jsons", "form", "forms", "xml", "xmls", "mailto", "mailtos"})
"""Elsewhere the host of an address may be a token."""
_TYPES: Final = {Severity.INFO: "info", Severity.WARNING: "warning", Severity.CRITICAL: "failure"}
_LOOKS_SECRET: Final = re.compile(r"[A-Z0-9]|.{20}")


class NotUnderstood(SessionError):
    """An address is of no service apprise knows. The message does not quote it."""


class NotDelivered(SessionError):
    """A message did not arrive, or nobody knows; the message says what the service or the network answered."""


class Service:
    """One address messages can go to. Not for two threads at once.

    Attributes:
        name: The service, as `slack`, `e-mail`, `json`.
    """

    def __init__(self, url: Secret) -> None:
        self._plugin = _plugin(url.reveal())
        self._scrubber = Scrubber(secret_parts(url))
        self.name = re.sub(r"[^a-z0-9]+", "-", str(self._plugin.service_name).lower()).strip("-")

    def send(self, title: str, body: str, severity: Severity) -> None:
        """Deliver one message, within a few seconds.

        Raises:
            NotDelivered: it was refused or lost, with the cause.
        """
        import apprise

        with _Heard() as heard:
            try:
                arrived = self._plugin.notify(
                    title=title,
                    body=body,
                    notify_type=apprise.NotifyType(_TYPES[severity]),
                    body_format=apprise.NotifyFormat.TEXT,
                )
            except Exception as error:  # whatever a service's code raises is a message that did not arrive
                raise NotDelivered(self._scrubber.text(f"{type(error).__name__}: {error}", 200)) from None
        if not arrived:
            cause = "; ".join(dict.fromkeys(heard.lines)) or "the service gave no reason"
            raise NotDelivered(self._scrubber.text(cause, 300))


def secret_parts(url: Secret) -> list[Secret]:
    """The address and every piece of it that may be a token or a password."""
    whole = url.reveal()
    parts = urlsplit(whole)
    found = {whole, parts.password or ""}
    pieces = [*parts.path.split("/"), *re.split(r"[&=]", parts.query), parts.fragment, parts.username or ""]
    if parts.scheme not in _WEB:
        pieces += [parts.netloc.rpartition("@")[2]]
    found |= {piece for piece in pieces if _LOOKS_SECRET.search(piece)}
    return [Secret(piece) for each in sorted(found) if each for piece in {each, unquote(each)}]


class _Heard:
    """What apprise logs on this thread meanwhile, from warnings on; nothing of it goes further."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __enter__(self) -> "_Heard":
        _EARS.hearing.lines = self.lines
        return self

    def __exit__(self, *_: object) -> None:
        _EARS.hearing.lines = None


class _Ears(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.hearing = threading.local()

    def emit(self, record: logging.LogRecord) -> None:
        lines = getattr(self.hearing, "lines", None)
        if lines is not None:
            lines.append(record.getMessage())


_EARS: Final = _Ears()


def _plugin(url: str) -> Any:
    import apprise

    log = logging.getLogger("apprise")
    log.propagate, log.handlers = False, [_EARS]
    asset = apprise.AppriseAsset(
        app_id=APP, app_desc=APP, app_url="", image_url_mask="", image_url_logo="", image_path_mask=""
    )
    scheme = urlsplit(url).scheme.lower()
    candidates = [url, _PLAIN[scheme] + url[len(scheme) :]] if scheme in _PLAIN else [url]
    with _Heard():
        for candidate in candidates:
            found = apprise.Apprise.instantiate(candidate, asset=asset, suppress_exceptions=True)
            if isinstance(found, apprise.NotifyBase):
                found.socket_connect_timeout = found.socket_read_timeout = TIMEOUT_SECONDS
                found.request_rate_per_sec = 0  # the channel's own rate holds, and a critical alert does not wait
                return found
    raise NotUnderstood("is no address apprise understands; docs/alerts.md has one of each kind")
