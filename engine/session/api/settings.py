"""What the control endpoint is told by the desk that starts it, and what it says back: JSON, a line each."""

from typing import Final

import msgspec

from engine.session.home import Home
from engine.session.secret import Secret

POLL_WINDOW_SECONDS: Final = 900
"""How old a signed command at a polled address may be: whoever puts it there need not be quick."""


class ApiSettings(msgspec.Struct, frozen=True):
    """Where to listen (`host` empty: nowhere), with which certificate, what to ask (`poll_url` empty: nothing)."""

    key: Secret
    host: str = ""
    port: int = 0
    certificate: str = ""
    private_key: str = ""
    poll_url: str = ""
    poll_seconds: float = 30.0


class Wish(msgspec.Struct, frozen=True):
    """The child's first line of input: the settings, with the key in the clear, and whose desk it is."""

    root: str
    env: str
    key: str
    host: str
    port: int
    certificate: str
    private_key: str
    poll_url: str
    poll_seconds: float


class Said(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line of the child's output. `port` is where it listens (0: nowhere); `level` and `text` are for the log.

    `forged` is how many commands more were refused because they were not signed with the key.
    """

    port: int | None = None
    level: str = ""
    text: str = ""
    forged: int = 0


def wish(settings: ApiSettings, home: Home) -> Wish:
    """What the child is told."""
    return Wish(
        str(home.root),
        home.env,
        settings.key.reveal(),
        settings.host,
        settings.port,
        settings.certificate,
        settings.private_key,
        settings.poll_url,
        settings.poll_seconds,
    )
