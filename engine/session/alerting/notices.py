"""An alert as people read it: what happened, what the desk did by itself, what to do, and which desk said so when."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

import msgspec

from engine.core.clean import clean
from engine.core.words import AlertKind, Severity
from engine.review.moments import instant
from engine.session.alerting.kinds import KINDS

TEXT_LENGTH_MAX: Final = 1_000
DIGEST_LINES_MAX: Final = 20
PERHAPS_TWICE: Final = "(perhaps told twice: the desk ended before it knew whether this had arrived)"


class Sender(msgspec.Struct, frozen=True):
    """Which desk speaks: `mode` is PAPER or LIVE, `desk` its name."""

    mode: str
    desk: str
    host: str


class Notice(msgspec.Struct, frozen=True):
    """One alert. The same event makes the same `alert_id`, also in a replay; `more` were like it and are only counted.

    Attributes:
        again: It was handed to a channel before, and nobody knows whether it arrived.
    """

    alert_id: str
    at_ns: int
    kind: AlertKind
    run_id: str
    text: str
    sender: Sender
    severity: Severity
    more: int = 0
    again: bool = False


def compose(
    kind: AlertKind, text: str, at_ns: int, run_id: str, sender: Sender, severity: Severity | None = None
) -> Notice:
    """The notice of one alert; `text` says what happened. Its severity is that of its kind, if no other is given."""
    said = clean(text, TEXT_LENGTH_MAX)
    digest = blake2b(f"{kind} {at_ns} {run_id} {said}".encode(), digest_size=6).hexdigest()
    return Notice(digest, at_ns, kind, run_id, said, sender, severity or KINDS[kind].severity)


def headline(notice: Notice) -> str:
    """`[PAPER] CRITICAL: kill switch (desk-1 on host-1)`."""
    words, sender = KINDS[notice.kind], notice.sender
    return f"[{sender.mode}] {notice.severity}: {words.title} ({sender.desk} on {sender.host})"


def body(notice: Notice) -> str:
    """Every alert says all of this, a line each."""
    words, sender = KINDS[notice.kind], notice.sender
    lines = [f"What happened: {_happened(notice)}", f"The desk: {words.did}.", f"You: {words.todo}."]
    if notice.again:
        lines.append(PERHAPS_TWICE)
    place = f"{sender.mode} desk {sender.desk} on {sender.host}, run {notice.run_id or 'none'}"
    lines.append(f"{place}, {_utc(notice.at_ns)}, alert {notice.alert_id}")
    return "\n".join(lines)


def message(notices: Sequence[Notice]) -> tuple[str, str, Severity]:
    """Headline, body and severity of what is told at once: one alert, or several together in a digest."""
    gravest = max((notice.severity for notice in notices), key=list(Severity).index)
    title, text = (headline(notices[0]), body(notices[0])) if len(notices) == 1 else _digest(notices, gravest)
    return title, text, gravest


def _digest(notices: Sequence[Notice], gravest: Severity) -> tuple[str, str]:
    first = notices[0]
    title = f"[{first.sender.mode}] {gravest}: {len(notices)} alerts ({first.sender.desk} on {first.sender.host})"
    lines = [f"{_utc(n.at_ns)} {n.severity} {KINDS[n.kind].title}: {_happened(n)}" for n in notices[:DIGEST_LINES_MAX]]
    if len(notices) > DIGEST_LINES_MAX:
        lines.append(f"and {len(notices) - DIGEST_LINES_MAX} more: alerts.jsonl on {first.sender.host} has them all")
    lines.append(f"{first.sender.mode} desk {first.sender.desk} on {first.sender.host}, run {first.run_id or 'none'}")
    return title, "\n".join(lines)


def _utc(at_ns: int) -> str:
    """`2026-11-21 07:08:22 UTC`."""
    return f"{(instant(at_ns) or '')[:19].replace('T', ' ')} UTC"


def _happened(notice: Notice) -> str:
    words = KINDS[notice.kind]
    said = f"{words.title}: {notice.text}" if notice.text else words.title
    return f"{said}, and {notice.more} more like it" if notice.more else said
