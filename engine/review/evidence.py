"""What a validation protocol is judged by: the terms fixed before its start, and what the desk's record says since.

Plain values, gathered elsewhere from the journal's tables and the files of the runs. Money and ratios are scaled
integers, times nanoseconds of the desk's clock. What is None was not seen, and what was not seen does not pass.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import msgspec


class Thresholds(msgspec.Struct, frozen=True):
    """The numbers a protocol is judged by. Ratios and money scaled, times in nanoseconds."""

    uptime_min: int = 99_000_000
    errors_max_per_day: int = 5
    drawdown_max: int = 10_000_000
    trades_min: int = 10
    win_rate_min: int = 40_000_000
    sharpe_min: int = 0
    outage_max_ns: int = 300_000_000_000
    outages_max: int = 3
    memory_max_bytes: int = 500_000_000


class Fingerprints(msgspec.Struct, frozen=True):
    """What a result is worth something for: any other code, configuration, strategy or data is another desk."""

    code: str
    configuration: str
    strategy: str
    data: str

    def drift(self, other: "Fingerprints") -> tuple[str, ...]:
        """The names of what differs."""
        mine, theirs = msgspec.structs.asdict(self), msgspec.structs.asdict(other)
        return tuple(name for name in mine if not mine[name] or mine[name] != theirs[name])


class Injected(msgspec.Struct, frozen=True):
    """A fault on purpose: its kind, when it begins after the protocol's start, and how long it lasts."""

    kind: str
    from_ns: int
    for_ns: int


class Terms(msgspec.Struct, frozen=True):
    """All that was fixed before a protocol started.

    Attributes:
        begun_ns: When, by the machine's clock; the desk's own may be a market's.
        rehearsal: Why the result can never unlock live trading; empty: nothing speaks against it.
        criteria: Each criterion by id, as the sentence it will be judged by.
        days: Scheduled trading days since 1970 from the start on, where the protocol counts days.
    """

    protocol_id: str
    protocol: str
    env: str
    begun_ns: int
    length_ns: int
    clock: str
    speed: str
    source: str
    seed: int
    rehearsal: tuple[str, ...]
    faults: tuple[Injected, ...]
    fingerprints: Fingerprints
    thresholds: Thresholds
    criteria: Mapping[str, str]
    days: tuple[int, ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256 over all of it, hex."""
        canonical = json.dumps(msgspec.to_builtins(self), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()


class RunSeen(msgspec.Struct, frozen=True):
    """One run inside the protocol. `running_ns` 0: it never came so far; `last_ns`: the newest thing on record.

    Attributes:
        report: Its final report; None: it did not end in order.
        differences: Where the report and the rows of the database differ, in words.
    """

    run_id: str
    first_row: int
    config_hash: str
    running_ns: int
    last_ns: int
    report: Mapping[str, Any] | None = None
    differences: tuple[str, ...] = ()


class TradeSeen(msgspec.Struct, frozen=True):
    at_ns: int
    pnl: int
    row: int


class MarkSeen(msgspec.Struct, frozen=True):
    """The account as it was marked; `pessimistic` is its equity under that execution profile, None without one."""

    at_ns: int
    equity: int
    pessimistic: int | None


class Happening(msgspec.Struct, frozen=True):
    """Something on record that a criterion looks for: where, when, and in words."""

    row: int
    at_ns: int
    text: str


class DaySeen(msgspec.Struct, frozen=True):
    """A trading day the desk lived through: how often the account was marked, signals raised, fills booked."""

    day: int
    marks: int
    signals: int
    fills: int


class Files(msgspec.Struct, frozen=True):
    """What the runs left beside the database, counted and hashed when they were judged.

    Attributes:
        runs: By run, the SHA-256 of each of its files.
        literals: How often each of the fixed phrases stands in the log since the protocol began.
        leaks: Files in which a secret stands.
        days: By date, the SHA-256 of the daily artifact.
        told: By date, whether the artifact tells why there was no trade.
    """

    runs: Mapping[str, Mapping[str, str]] = {}
    literals: Mapping[str, int] = {}
    leaks: tuple[str, ...] = ()
    days: Mapping[str, str] = {}
    told: Mapping[str, bool] = {}


class Evidence(msgspec.Struct, frozen=True):
    """The record of one protocol, from the row of its terms to the newest or to its verdict.

    Attributes:
        faults: What does not hold in the journal's proof; None: it was not verified.
        unended: Signals that never ended; `unexplained` ended without a reason, `untraced` filled without their order.
        unintended: Fills that follow from no signal and no command.
        above_heat, disobeyed, spikes: Heat above its limit, entries under a tripped breaker, exposure after a regime
            change.
        mismatches: Discrepancies between the books that stand still; `mismatches_ever` counts those there were.
        seals: By date, the SHA-256 a daily artifact was sealed with.
        notes: What was noticed of the data, its kind as text.
        files: None while nobody has looked.
    """

    terms: Terms
    first_row: int
    last_row: int
    runs: Sequence[RunSeen] = ()
    trades: Sequence[TradeSeen] = ()
    marks: Sequence[MarkSeen] = ()
    days: Sequence[DaySeen] = ()
    signals: int = 0
    unended: Sequence[Happening] = ()
    unexplained: Sequence[Happening] = ()
    untraced: Sequence[Happening] = ()
    unintended: Sequence[Happening] = ()
    above_heat: Sequence[Happening] = ()
    disobeyed: Sequence[Happening] = ()
    spikes: Sequence[Happening] = ()
    errors: Sequence[Happening] = ()
    breakers: Sequence[Happening] = ()
    stale: Sequence[Happening] = ()
    gaps: Sequence[Happening] = ()
    kills: Sequence[Happening] = ()
    acts: Sequence[Happening] = ()
    mismatches: Sequence[Happening] = ()
    mismatches_ever: int = 0
    regimes: Sequence[Happening] = ()
    notes: Sequence[Happening] = ()
    seals: Mapping[str, str] = {}
    faults: tuple[str, ...] | None = None
    files: Files | None = None

    @property
    def started_ns(self) -> int:
        """When the first run began to trade; 0: none has."""
        return next((run.running_ns for run in self.runs if run.running_ns), 0)

    @property
    def now_ns(self) -> int:
        return max((run.last_ns for run in self.runs if run.running_ns), default=0)

    @property
    def elapsed_ns(self) -> int:
        return self.now_ns - self.started_ns if self.started_ns else 0

    @property
    def is_over(self) -> bool:
        return self.elapsed_ns >= self.terms.length_ns - END_MARGIN_NS

    @property
    def report(self) -> Mapping[str, Any] | None:
        """That of the newest run."""
        return self.runs[-1].report if self.runs else None

    @property
    def outages_ns(self) -> tuple[int, ...]:
        """How long each pause between two runs was."""
        lived = [run for run in self.runs if run.running_ns]
        return tuple(max(after.running_ns - before.last_ns, 0) for before, after in pairwise(lived))


END_MARGIN_NS = 1_000_000_000
"""A run ends with the event that reaches its end, or the one before it."""
