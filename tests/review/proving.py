"""Evidence of protocols that were lived through without a fault, for tests to spoil."""

from typing import Any

import msgspec

from engine.core import money
from engine.core.times import DAY, HOUR, MINUTE, SECOND
from engine.review.evidence import (
    DaySeen,
    Evidence,
    Files,
    Fingerprints,
    Happening,
    MarkSeen,
    RunSeen,
    Terms,
    Thresholds,
    TradeSeen,
)
from engine.review.moments import date_text
from engine.review.protocol import sentences
from engine.review.protocols import GRACEFUL, LITERALS, PROTOCOLS

T0 = 20_454 * DAY
RUN = "20260101-000000"
CODE = "c" * 64
LEFT = ("final_report.json", "state.json", "summary.html")
SOMETHING = (Happening(7, T0, "something"),)


def terms(name: str, **changes: Any) -> Terms:
    protocol = PROTOCOLS[name]
    days = tuple(range(T0 // DAY, T0 // DAY + 16)) if protocol.days else ()
    fixed = Terms(
        protocol_id=f"{name}-1",
        protocol=name,
        env="paper",
        begun_ns=T0,
        length_ns=protocol.length_ns,
        clock="wall",
        speed="1",
        source="venue at https://example.org",
        seed=7,
        rehearsal=(),
        faults=(),
        fingerprints=Fingerprints(CODE, "f" * 64, "5" * 64, "d" * 64),
        thresholds=Thresholds(),
        criteria=sentences(protocol, Thresholds()),
        days=days,
    )
    return msgspec.structs.replace(fixed, **changes)


def report(seconds: float, **changes: Any) -> dict[str, Any]:
    return {
        "clock": "wall",
        "exit_code": 0,
        "reason": "duration_complete",
        "autonomous": True,
        "duration_seconds": seconds,
        "heartbeat": {"count": int(seconds), "max_gap_seconds": 1.2},
        "rss_mb_last": 90.0,
        "rss_mb_peak": 120.0,
        "starting_equity": "10000",
        "ending_equity": "10001.5",
        "net_pnl": "1.5",
        "program": {"fingerprint": CODE, "replaced": []},
        "problems": [],
    } | changes


def run_seen(name: str, **changes: Any) -> RunSeen:
    length_ns = PROTOCOLS[name].length_ns
    seen = RunSeen(RUN, 5, "h" * 64, T0, T0 + length_ns, report(length_ns / SECOND))
    return msgspec.structs.replace(seen, **changes)


def good(name: str, **changes: Any) -> Evidence:
    """A protocol that passes: it lasted, it traded a little, and nothing happened."""
    length_ns, step_ns = PROTOCOLS[name].length_ns, HOUR if PROTOCOLS[name].length_ns > DAY else MINUTE
    numbers = [T0 // DAY + n for n in range(16)] if PROTOCOLS[name].days else []
    steps = range(0, length_ns, step_ns)
    equity = [10_000 * money.SCALE + n * money.SCALE // (50 if n % 3 else 60) for n in range(len(steps))]
    dates = [date_text(day) or "" for day in numbers]
    whole = Evidence(
        terms=terms(name),
        first_row=2,
        last_row=900,
        runs=(run_seen(name),),
        trades=[TradeSeen(T0 + n * MINUTE, (1 if n % 2 else -1) * money.SCALE, 100 + n) for n in range(12)],
        marks=[MarkSeen(T0 + at, value, value) for at, value in zip(steps, equity, strict=True)],
        days=[DaySeen(day, 1_440, 5, 0 if day % 5 == 0 else 2) for day in numbers],
        signals=80,
        seals=dict.fromkeys(dates, "0" * 64),
        faults=(),
        files=Files(
            runs={RUN: dict.fromkeys(LEFT, "0" * 64)},
            literals={phrase: int(phrase == GRACEFUL) for phrase in LITERALS},
            days=dict.fromkeys(dates, "0" * 64),
            told=dict.fromkeys(dates, True),
        ),
    )
    return msgspec.structs.replace(whole, **changes)


def with_report(name: str, **changes: Any) -> dict[str, Any]:
    """The change that gives the one run another report."""
    length_ns = PROTOCOLS[name].length_ns
    return {"runs": (run_seen(name, report=report(length_ns / SECOND, **changes)),)}


def with_files(name: str, **changes: Any) -> dict[str, Any]:
    """The change that gives the runs other files."""
    files = good(name).files
    assert files is not None
    return {"files": msgspec.structs.replace(files, **changes)}
