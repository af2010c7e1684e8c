"""The channels of a desk: each an address, what goes there, and where the address was found.

Addresses come from the environment, `.env`, or files of one user (0600); whatever is wrong with one is told by the
place it was found in and never by its text.
"""

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from engine.core.words import Severity
from engine.session.alerting.services import NotUnderstood, Service, secret_parts
from engine.session.alerting.settings import AlertsFile
from engine.session.dotenv import PREFIX, Problem
from engine.session.layers import Settled, Sources
from engine.session.secret import Secret

URLS: Final = f"{PREFIX}ALERT_URLS"
URLS_FILE: Final = f"{PREFIX}ALERT_URLS_FILE"
PING_URL: Final = f"{PREFIX}ALERT_PING_URL"
WEBHOOK: Final = "WEBHOOK_URL"
VARIABLES: Final = {
    URLS: "addresses of alert channels, separated by blanks; docs/alerts.md",
    URLS_FILE: "a file with such addresses, one a line, that only its owner can read",
    PING_URL: "an address that is called while the desk is healthy; its silence is the alarm",
}
PAGERS: Final = frozenset({"pager-duty", "opsgenie", "splunk-on-call", "victorops", "squadcast", "pagertree", "spike"})
"""Services that wake people."""
FILE_BYTES_MAX: Final = 100_000
CHANNELS_MAX: Final = 16


@dataclass(frozen=True, slots=True)
class Channel:
    """Somewhere alerts go. `place` says where its address was found."""

    name: str
    place: str
    service: str
    severities: tuple[Severity, ...]
    rate_per_minute: int
    url: Secret = field(repr=False)


@dataclass(frozen=True, slots=True)
class Outside:
    """Whom the desk tells: its channels, and the address that is called while it is healthy."""

    channels: tuple[Channel, ...] = ()
    ping_url: Secret | None = None

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """What no output may show."""
        urls = [channel.url for channel in self.channels] + ([self.ping_url] if self.ping_url else [])
        return tuple(part for url in urls for part in secret_parts(url))


class _Found(NamedTuple):
    """An address: the name its channel is to have (empty: that of its service), and where it was found."""

    name: str
    place: str
    url: str


def find_outside(alerts: Settled[AlertsFile], sources: Sources, problems: list[Problem]) -> Outside:
    """Every channel there is an address for; what is wrong is added to `problems`, without the address."""
    file = alerts.file
    if file is None:
        return Outside()
    channels: dict[str, Channel] = {}
    for found in _addresses(alerts, file, sources, problems):
        try:
            service = Service(Secret(found.url)).name
        except NotUnderstood as refused:
            problems.append(Problem(found.place, "", None, str(refused)))
            continue
        name = found.name or _free(service, channels)
        asked = file.channels.get(found.name)
        usual = (Severity.CRITICAL,) if service in PAGERS else tuple(Severity)
        channels[name] = Channel(
            name=name,
            place=found.place,
            service=service,
            severities=asked.severities if asked and asked.severities else usual,
            rate_per_minute=(asked.rate_per_minute if asked else None) or file.rate_per_minute,
            url=Secret(found.url),
        )
    if len(channels) > CHANNELS_MAX:
        problems.append(alerts.problem("channels", f"there are {len(channels)}; at most {CHANNELS_MAX} can be"))
    ping_url = _ping_url(sources, problems)
    if any(
        _is_dotenv(name, sources)
        for name in (URLS, WEBHOOK, PING_URL, *(c.url_variable for c in file.channels.values()))
    ):
        _refuse_open(Path(sources.dotenv_name), problems)
    return Outside(tuple(channels.values()), ping_url)


def _addresses(
    alerts: Settled[AlertsFile], file: AlertsFile, sources: Sources, problems: list[Problem]
) -> Iterator[_Found]:
    place, text = _variable(URLS, sources)
    yield from (_Found("", f"{place}, number {n}", url) for n, url in enumerate(text.split(), start=1))
    place, path = _variable(URLS_FILE, sources)
    if path:
        yield from (_Found("", f"{path}, line {n}", url) for n, url in _lines(path, place, problems))
    place, text = _variable(WEBHOOK, sources)
    if text:
        yield _Found("webhook", place, text.strip())
    for name, channel in file.channels.items():
        if channel.url_file:
            wanted = f"{alerts.section.path}: channels.{name}.url_file"
            yield from (
                _Found(name, f"{channel.url_file}, line {n}", url)
                for n, url in _lines(channel.url_file, wanted, problems)[:1]
            )
            continue
        place, text = _variable(channel.url_variable, sources)
        if text:
            yield _Found(name, place, text.strip())
        else:
            problems.append(alerts.problem("channels", f"{name} has no address: {channel.url_variable} is not set"))


def _variable(name: str, sources: Sources) -> tuple[str, str]:
    """Where a variable was found, and its text; empty if it is not set."""
    if sources.variables.get(name, ""):
        return f"environment {name}", sources.variables[name]
    return f"{sources.dotenv_name} {name}", sources.dotenv.get(name, "")


def _is_dotenv(name: str, sources: Sources) -> bool:
    return bool(sources.dotenv.get(name)) and not sources.variables.get(name)


def _refuse_open(path: Path, problems: list[Problem]) -> None:
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        problems.append(Problem(str(path), "", None, f"holds an address and others can read it: chmod 600 {path}"))


def _lines(path: str, wanted: str, problems: list[Problem]) -> list[tuple[int, str]]:
    """The addresses in a file, with the numbers of their lines; a file that others can read is refused unread."""
    try:
        with Path(path).expanduser().open("rb") as file:
            info = os.fstat(file.fileno())
            if stat.S_IMODE(info.st_mode) & 0o077 or info.st_uid != os.getuid():
                problems.append(Problem(wanted, "", None, f"{path} must belong to you and to nobody else: chmod 600"))
                return []
            text = file.read(FILE_BYTES_MAX).decode()
    except (OSError, UnicodeDecodeError) as refused:
        why = refused.strerror if isinstance(refused, OSError) else "it is not UTF-8 text"
        problems.append(Problem(wanted, "", None, f"{path} cannot be read: {why}"))
        return []
    lines = [(n, line.strip()) for n, line in enumerate(text.splitlines(), start=1)]
    found = [(n, line) for n, line in lines if line and not line.startswith("#")]
    if not found:
        problems.append(Problem(wanted, "", None, f"{path} holds no address"))
    return found


def _free(service: str, taken: Mapping[str, Channel]) -> str:
    numbers = (f"{service}-{n}" for n in range(2, CHANNELS_MAX + 100))
    return next(name for name in (service, *numbers) if name not in taken)


def _ping_url(sources: Sources, problems: list[Problem]) -> Secret | None:
    place, text = _variable(PING_URL, sources)
    if not text:
        return None
    if not text.startswith(("https://", "http://")):
        problems.append(Problem(place, "", None, "must be an http or https address"))
        return None
    return Secret(text.strip())
