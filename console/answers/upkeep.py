"""Answers of what is done around a desk."""

from typing import Any

import msgspec

from console.answers.base import Answer


class GoodConfig(Answer, frozen=True):
    good: bool
    env: str
    tree: str
    config_hash: str


class ConfigInForce(Answer, frozen=True):
    """Every value by section, and where each came from."""

    env: str
    config_hash: str
    values: dict[str, Any]
    origins: dict[str, str]


class Finding(Answer, frozen=True):
    """`verdict` is ok, warn, FAIL, or fixed."""

    name: str
    verdict: str
    text: str


class Cleaned(Answer, frozen=True):
    removed: list[str]
    would_remove: list[str]
    bytes: int


class Completion(Answer, frozen=True):
    shell: str
    script: str


class Retried(Answer, frozen=True):
    """Letters by id."""

    done: list[str]
    failed: list[str]


class Discarded(Answer, frozen=True):
    discarded: str


class FactLine(msgspec.Struct, frozen=True):
    """What `replay --from` prints before its end, one a line: a fact, by its type, after input `seq`."""

    seq: int
    type: str
    at_ns: int


class Ports(msgspec.Struct, frozen=True):
    """The first line of `venue`."""

    http: int
    ws: int
