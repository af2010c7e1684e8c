"""Answers to acts, from `pause` to `stop`."""

from console.answers.base import Answer
from console.answers.status import Discrepancy
from console.commands.drill import Drilled


class Receipt(Answer, frozen=True):
    """What the desk says to an act. `unconfirmed`: orders not yet confirmed as cancelled."""

    act: str
    accepted: bool
    by: str
    text: str
    took_us: int
    unconfirmed: list[str]


class KillFile(Answer, frozen=True):
    """A kill by the kill file, where no desk answered. `running`: one is alive and will read it."""

    act: str
    accepted: bool
    by: str
    file: str
    running: bool
    text: str


class Latch(Answer, frozen=True, omit_defaults=True):
    """`rearm` without a token: whether the kill switch is latched, and what clears it."""

    latched: bool
    token: str = ""


class Reconciled(Answer, frozen=True):
    act: str
    accepted: bool
    compared_at: str | None
    agreed_at: str | None
    clean: bool
    discrepancies: list[Discrepancy]
    text: str


class StopReceipt(Answer, frozen=True):
    """`stopped` is false where nobody waited for the end."""

    act: str
    accepted: bool
    stopped: bool
    text: str
    reason: str


class RemoteReceipt(Answer, frozen=True):
    act: str
    accepted: bool
    text: str
    took_us: int


class Drill(Answer, frozen=True):
    drills: list[Drilled]
    passed: bool
