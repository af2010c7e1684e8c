"""`alerts.toml`: whom the desk tells what. Addresses are secrets and never stand in it."""

import json
import re
from typing import Annotated, ClassVar, Final, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, field_validator

from engine.core.config import HOUR, MINUTE, SECOND
from engine.core.words import Severity
from engine.session.fields import Count, Duration, duration_text, parse_duration
from engine.session.layers import FileModel

OFF: Final = "off"
NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")


def _duration_or_off(raw: object) -> int | None:
    return None if raw in (None, OFF) else parse_duration(raw)


DurationOrOff = Annotated[
    int | None, BeforeValidator(_duration_or_off), PlainSerializer(lambda ns: OFF if ns is None else duration_text(ns))
]


def _severities(raw: object) -> tuple[Severity, ...]:
    words = raw.split(",") if isinstance(raw, str) else raw
    known = {severity.value.lower(): severity for severity in Severity}
    named = [str(word).strip().lower() for word in words] if isinstance(words, list | tuple) else []
    if not named or not set(named) <= set(known):
        raise ValueError(f"must be a list of {', '.join(known)}")
    return tuple(dict.fromkeys(known[word] for word in named))


Severities = Annotated[
    tuple[Severity, ...],
    BeforeValidator(_severities),
    PlainSerializer(lambda found: [severity.value.lower() for severity in found]),
]


class ChannelFile(FileModel):
    """One channel: where its address is found, and what goes there. Pagers are told what is critical, others all."""

    url_variable: str = Field(default="", pattern=r"^([A-Z][A-Z0-9_]{0,63})?$")
    url_file: str = Field(default="", max_length=1000)
    severities: Severities | None = None
    rate_per_minute: Count | None = None


def _channels(raw: object) -> object:
    """A variable or an option says it as JSON."""
    try:
        return json.loads(raw) if isinstance(raw, str) else raw
    except json.JSONDecodeError:
        raise ValueError('must be like {"ops": {"url_variable": "OPS_SLACK_URL"}}') from None


class AlertsFile(FileModel):
    """`alerts.toml`. No problem with it quotes what stands there: an address may have been written by mistake."""

    quoted: ClassVar[bool] = False

    env: Literal["paper", "live"]
    desk_name: str = Field(default="", max_length=40)
    repeat_window: Duration = 5 * MINUTE
    rate_per_minute: Count = 10
    heads_every: DurationOrOff = None
    remind_every: DurationOrOff = HOUR
    pause_unanswered: DurationOrOff = None
    ping_every: Duration = 60 * SECOND
    ping_style: Literal["plain", "healthchecks"] = "plain"
    channels: Annotated[dict[str, ChannelFile], BeforeValidator(_channels)] = Field(default_factory=dict)

    @field_validator("channels")
    @classmethod
    def _named(cls, channels: dict[str, ChannelFile]) -> dict[str, ChannelFile]:
        for name, channel in channels.items():
            if not NAME.fullmatch(name):
                raise ValueError("a channel's name is made of small letters, digits, _ and -")
            if bool(channel.url_variable) is bool(channel.url_file):
                raise ValueError(f"{name} needs url_variable or url_file, and not both")
        return channels
