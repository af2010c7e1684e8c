"""Answers of what proves a desk: validation protocols, and the live gate."""

from console.answers.base import Answer
from engine.review.certificate import Input
from engine.review.protocol import Judged
from engine.review.stages import Check


class Validated(Answer, frozen=True):
    """A protocol's verdict. `differences`: where a later look at the record differs from what was signed."""

    schema: int
    protocol_id: str
    protocol: str
    env: str
    passed: bool
    reliability: str
    economics: str
    failed: list[str]
    exit: str
    digest: str
    rehearsal: list[str]
    real: bool
    elapsed_seconds: float
    days: int
    outages: int
    score: str
    criteria: list[Judged]
    fingerprints: dict[str, str]
    first_row: int
    last_row: int
    differences: list[str]


class Gate(Answer, frozen=True):
    """What the evidence allows live orders. `cap`: the largest position in dollars, null where there is none."""

    env: str
    level: str
    reasons: list[str]
    allows_live: bool
    cap: str | None
    expires_at: str | None
    evidence: list[str]
    bypassed: bool
    current: dict[str, str]


class Admitted(Answer, frozen=True):
    admitted: str
    passed: bool


class Bypassed(Answer, frozen=True):
    bypassed_until_ns: int
    actor: str


class Certified(Answer, frozen=True):
    """A certificate, and the file it was kept in."""

    schema: int
    env: str
    version: str
    issued_ns: int
    expires_ns: int
    go: bool
    inputs: list[Input]
    not_run: list[str]
    controls: dict[str, int]
    fingerprints: dict[str, str]
    file: str


class CertificateChecked(Answer, frozen=True):
    genuine: bool
    go: bool
    text: str


class ControlLink(Answer, frozen=True):
    """What a control leads to: a file and its hash, a table and its rows, a command."""

    link: str
    found: bool
    rows: int | None
    sha256: str | None


class ControlShown(Answer, frozen=True):
    """A control of regulated trading; `standing` is shown, open or not applicable."""

    id: str
    name: str
    asks: str
    standing: str
    why: str
    evidence: list[ControlLink]


class StageEnded(Answer, frozen=True):
    """A stage's end. `stand_in`: no real order was sent; `cap` in dollars."""

    stage: int
    cap: str
    passed: bool
    run_id: str
    stand_in: bool
    checks: list[Check]
    failed: list[str]
    next: str
