"""Alert channels: alert test, alert list; and how a waiting alert is delivered by hand."""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from console import say
from console.commands.settings import read
from console.commands.where import Where
from console.exits import Exit, Quit
from engine.core.words import AlertKind, Severity
from engine.session.alerting.channels import Channel
from engine.session.alerting.notices import compose, message
from engine.session.alerting.record import DeliveryLine, Record
from engine.session.alerting.services import NotDelivered, Service
from engine.session.clock import WallClock
from engine.session.config import Config
from engine.session.dead_letters import AlertPayload, LetterState, Operation
from engine.session.lock import holder
from engine.session.telling import sender_of
from store.database import holds_desk
from store.letters import read_letters

CURES: Final = (
    (("401", "403", "uthor", "token", "credential"), "the token or password is wrong or revoked: make a new one"),
    (("404", "410", "not found"), "the address does not exist any more: make a new one"),
    (("429", "rate"), "too many messages for the service: wait, or lower rate_per_minute"),
    (("400", "bad request"), "the service refused the message: compare the address with its example in docs/alerts.md"),
    (("500", "502", "503", "504"), "the service has trouble of its own: try again later"),
    (
        ("onnection", "imeout", "timed out", "resolve"),
        "it cannot be reached: name, network, proxy, firewall?",
    ),
)
NO_CURE: Final = "see docs/alerts.md for this service"


class Tried(msgspec.Struct):
    """What came of a test on one channel. `sent` is None where the channel is not told of that severity."""

    channel: str
    service: str
    severity: str
    sent: bool | None
    milliseconds: int = 0
    cause: str = ""
    cure: str = ""


class Known(msgspec.Struct):
    """A channel as `alert list` shows it."""

    channel: str
    service: str
    place: str
    severities: tuple[str, ...]
    rate_per_minute: int
    last_sent: str = "-"
    last_failed: str = "-"
    failure: str = ""
    letters: int = 0


def test(where: Where, channel: str, severity: str) -> Exit:
    """Send a test alert through every channel, or one; exit code 1 if one did not take it."""
    config = read(where, None)
    wanted = _severity(severity)
    chosen = _chosen(config.outside.channels, channel)
    tried = [_try(where, config, each, wanted) for each in chosen]
    if where.json:
        say.as_json([msgspec.to_builtins(one) for one in tried])
    else:
        say.table(("channel", "service", "severity", "result", "took", "why, and what helps"), list(map(_row, tried)))
    return Exit.ERROR if any(one.sent is False for one in tried) else Exit.DONE


def show(where: Where) -> Exit:
    """Print the channels, without their addresses."""
    channels = read(where, None).outside.channels
    known = {one.name: _known(one) for one in channels}
    for line in Record(where.home.alerts).lines():
        if isinstance(line, DeliveryLine) and line.channel in known:
            one = known[line.channel]
            if line.outcome == "sent":
                one.last_sent = say.utc(line.at_ns)
            else:
                one.last_failed, one.failure = say.utc(line.at_ns), line.text
    for name in _waiting(where):
        if name in known:
            known[name].letters += 1
    if where.json:
        say.as_json([msgspec.to_builtins(one) for one in known.values()])
    elif not known:
        say.line(f"no channels: alerts go to {where.home.alerts} alone; docs/alerts.md says how to add one")
    else:
        head = ("channel", "service", "from", "severities", "a minute", "last sent (UTC)", "last failed", "kept", "why")
        say.table(head, [_known_row(one) for one in known.values()])
    return Exit.DONE


def carrier(where: Where) -> Callable[[str], None]:
    """Delivers a letter's alert; the configuration is read with the first one. Raises what keeps it from arriving."""
    channels: dict[str, Channel] = {}

    def carry(payload: str) -> None:
        wanted = msgspec.json.decode(payload, type=AlertPayload)
        if not channels:
            channels.update((channel.name, channel) for channel in read(where, None).outside.channels)
        if wanted.channel not in channels:
            raise NotDelivered(f"there is no channel {wanted.channel} any more; discard the letter")
        Service(channels[wanted.channel].url).send(*message([wanted.notice]))

    return carry


def _try(where: Where, config: Config, channel: Channel, wanted: Severity | None) -> Tried:
    severity = wanted or channel.severities[0]
    tried = Tried(channel.name, channel.service, severity.value.lower(), None)
    if severity not in channel.severities:
        tried.cause = f"not told of {tried.severity}: its severities are {', '.join(_words(channel))}"
        return tried
    clock = WallClock()
    sender = sender_of(config.env, config.alerts.desk_name, where.home.root.name)
    notice = compose(AlertKind.TEST, f"of channel {channel.name}", clock.now_ns(), "", sender, severity)
    began_ns = clock.mono_ns()
    try:
        Service(channel.url).send(*message([notice]))
        tried.sent = True
    except NotDelivered as error:
        tried.sent, tried.cause = False, str(error)
        tried.cure = next((cure for words, cure in CURES if any(word in tried.cause for word in words)), NO_CURE)
    tried.milliseconds = (clock.mono_ns() - began_ns) // 1_000_000
    if where.home.dir.is_dir() and holder(where.home.lock) is None:  # a running desk writes its file alone
        record = Record(where.home.alerts)
        record.ended(clock.now_ns(), channel.name, "sent" if tried.sent else "dropped", [notice], tried.cause)
        record.close()
    return tried


def _severity(text: str) -> Severity | None:
    known: Mapping[str, Severity] = {severity.value.lower(): severity for severity in Severity}
    if text and text.lower() not in known:
        raise Quit(Exit.USAGE, f"--severity {text}: must be one of {', '.join(known)}")
    return known.get(text.lower())


def _chosen(channels: tuple[Channel, ...], name: str) -> tuple[Channel, ...]:
    if not channels:
        raise Quit(Exit.USAGE, "no alert channel is configured; docs/alerts.md says how to add one")
    found = tuple(channel for channel in channels if name in ("", channel.name))
    if not found:
        raise Quit(Exit.USAGE, f"no channel {name!r}; there are {', '.join(channel.name for channel in channels)}")
    return found


def _waiting(where: Where) -> list[str]:
    """The channel of every alert that waits as a dead letter."""
    if not holds_desk(where.home.database):
        return []
    letters = read_letters(where.home.database)
    waiting = [one for one in letters if one.state is LetterState.WAITING and one.operation == Operation.ALERT]
    return [msgspec.json.decode(one.payload, type=AlertPayload).channel for one in waiting]


def _known(channel: Channel) -> Known:
    return Known(channel.name, channel.service, channel.place, _words(channel), channel.rate_per_minute)


def _words(channel: Channel) -> tuple[str, ...]:
    return tuple(severity.value.lower() for severity in channel.severities)


def _row(one: Tried) -> tuple[str, ...]:
    result = {True: "ok", False: "FAILED", None: "skipped"}[one.sent]
    why = "; ".join(filter(None, (one.cause, one.cure)))
    return one.channel, one.service, one.severity, result, f"{one.milliseconds} ms", why


def _known_row(one: Known) -> tuple[str, ...]:
    first = (one.channel, one.service, one.place, ",".join(one.severities), str(one.rate_per_minute))
    return *first, one.last_sent, one.last_failed, str(one.letters), one.failure
