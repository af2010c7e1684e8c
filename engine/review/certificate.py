"""Go or no-go: what has to be so before a desk may go near real money, each GO, NO-GO, or NOT RUN.

Nothing is assumed: what is not on record was not run, and one input that is not GO makes the whole a NO-GO.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

import msgspec

from engine.review.evidence import Fingerprints
from engine.review.live_gate import AUDIT, STAGES, THREE_DAYS, Proof, Record, newest

VALID_NS: Final = 30 * 86_400_000_000_000


class Finding(StrEnum):
    GO = "GO"
    NO_GO = "NO-GO"
    NOT_RUN = "NOT RUN"


class Input(msgspec.Struct, frozen=True):
    """One thing that has to be so, and what was found. `evidence` leads to it."""

    name: str
    finding: Finding
    text: str
    evidence: str = ""


class Seen(msgspec.Struct, frozen=True):
    """What is looked at beside the gate's record.

    Attributes:
        faults: Of the newest protocol that broke things on purpose, its id and whether all were dealt with; None: none.
        economics: The economics verdict of the newest three days; empty: there is none.
        failing: What `doctor` finds wrong, a sentence each.
        gaps: Of the critical gaps, those whose tests are not there.
    """

    faults: tuple[str, bool] | None = None
    economics: str = ""
    failing: Sequence[str] = ()
    gaps: Sequence[str] = ()


class Certificate(msgspec.Struct, frozen=True):
    """What is signed. `go` only if every input is."""

    schema: int
    env: str
    version: str
    issued_ns: int
    expires_ns: int
    go: bool
    inputs: tuple[Input, ...]
    not_run: tuple[str, ...]
    controls: dict[str, int]
    fingerprints: dict[str, str]


def inputs(record: Record, seen: Seen, current: Fingerprints, now_ns: int, expiry_ns: int) -> tuple[Input, ...]:
    """Every input of the decision."""
    return (
        _protocol("72-hour validation", THREE_DAYS, record, current, now_ns, expiry_ns),
        _stages(record),
        _protocol("audit of trading days", AUDIT, record, current, now_ns, expiry_ns),
        _faults(seen),
        _safety(seen),
        _performance(seen),
        Input("critical gaps closed", Finding.NO_GO, f"no test of {', '.join(seen.gaps)}")
        if seen.gaps
        else Input("critical gaps closed", Finding.GO, "the tests that hold them are there"),
        Input("end to end on the real venue", Finding.NOT_RUN, "this version reaches no venue but its own"),
    )


def certificate(
    found: Sequence[Input], env: str, version: str, now_ns: int, current: Fingerprints, controls: dict[str, int]
) -> Certificate:
    """The certificate that these inputs make."""
    return Certificate(
        schema=1,
        env=env,
        version=version,
        issued_ns=now_ns,
        expires_ns=now_ns + VALID_NS,
        go=all(one.finding is Finding.GO for one in found),
        inputs=tuple(found),
        not_run=tuple(one.name for one in found if one.finding is Finding.NOT_RUN),
        controls=controls,
        fingerprints=msgspec.structs.asdict(current),
    )


def _protocol(name: str, protocol: str, record: Record, current: Fingerprints, now_ns: int, expiry_ns: int) -> Input:
    proof = newest(record.proofs, protocol)
    if record.tampered:
        return Input(name, Finding.NO_GO, f"the record was tampered with: {record.tampered}")
    if proof is None:
        return Input(name, Finding.NOT_RUN, "no verdict is on record")
    wrong = _wrong(proof, current, now_ns, expiry_ns)
    return Input(name, Finding.NO_GO if wrong else Finding.GO, wrong or "passed", proof.protocol_id)


def _wrong(proof: Proof, current: Fingerprints, now_ns: int, expiry_ns: int) -> str:
    """Why a verdict does not count for a go."""
    drift = proof.fingerprints.drift(current)
    if not (proof.is_genuine and proof.is_trusted):
        return "its signature is not one this desk trusts"
    if not proof.passed:
        return "failed"
    if not proof.real:
        return "simulated: a rehearsal"
    if drift:
        return f"stale: {', '.join(drift)} changed since"
    return "" if 0 <= now_ns - proof.judged_ns < expiry_ns else "stale: too old"


def _stages(record: Record) -> Input:
    name = "stages of 1, 10 and 100 euros"
    if record.stage == len(STAGES):
        return Input(name, Finding.GO, "all passed", "table gate_records")
    if not record.stage:
        return Input(name, Finding.NOT_RUN, "no stage was passed")
    return Input(name, Finding.NO_GO, f"{record.stage} of {len(STAGES)} passed", "table gate_records")


def _faults(seen: Seen) -> Input:
    name = "error handling"
    if seen.faults is None:
        return Input(name, Finding.NOT_RUN, "no protocol with --faults has ended")
    protocol_id, passed = seen.faults
    text = "every injected fault was dealt with" if passed else "a fault was not dealt with"
    return Input(name, Finding.GO if passed else Finding.NO_GO, text, protocol_id)


def _safety(seen: Seen) -> Input:
    if seen.failing:
        return Input("safety systems", Finding.NO_GO, "; ".join(seen.failing))
    return Input("safety systems", Finding.GO, "doctor finds nothing wrong")


def _performance(seen: Seen) -> Input:
    name = "performance within its limits"
    if not seen.economics:
        return Input(name, Finding.NOT_RUN, "no 72-hour verdict is on record")
    return Input(name, Finding.GO if seen.economics == "PASS" else Finding.NO_GO, f"economics {seen.economics}")
