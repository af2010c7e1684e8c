"""The live gate's rules: what the evidence allows live orders, level by level, and nothing about paper ever.

    DENIED      no 72-hour validation, or one that failed, is stale, was tampered with, or is another desk's
    PAPER_ONLY  it passed, but as a rehearsal: it shows that the desk works, and nothing about a real market; or a stage
                failed since
    LIMITED     it passed in real time on a real market, unattended: positions up to the stage's cap
    FULL        LIMITED, the last stage passed, a sound audit, and a certificate that says GO

Evidence counts for `expiry`, and only for the code, the configuration, the strategy and the source of data it was made
with. The newest verdict on a protocol is the one that counts, so a failure lowers the level by itself; evidence and
stages are admitted by a person. What is not known denies.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

import msgspec

from engine.core import money
from engine.review.evidence import Fingerprints
from engine.review.moments import instant

STAGES: Final = (1, 10, 100)
"""The caps of a position in the three stages, in euros; a euro counts as one dollar, which is the more careful."""
BYPASS_CAP: Final = STAGES[0] * money.SCALE
BYPASS_NS_MAX: Final = 900_000_000_000
THREE_DAYS: Final = "72h"
AUDIT: Final = "audit"


class Level(StrEnum):
    """What live orders may do."""

    DENIED = "DENIED"
    PAPER_ONLY = "PAPER_ONLY"
    LIMITED = "LIMITED"
    FULL = "FULL"


class Proof(msgspec.Struct, frozen=True):
    """A verdict as the gate weighs it.

    Attributes:
        judged_ns: When the verdict was signed.
        is_genuine: Its signature holds, and the row it stands in is the one that was written.
        is_trusted: The key it was signed with is one this desk trusts.
    """

    protocol_id: str
    protocol: str
    passed: bool
    real: bool
    judged_ns: int
    fingerprints: Fingerprints
    is_genuine: bool = True
    is_trusted: bool = True


class Bypass(msgspec.Struct, frozen=True):
    """An emergency test of the live path without evidence: by whom, why, and until when."""

    actor: str
    reason: str
    until_ns: int


class Record(msgspec.Struct, frozen=True):
    """All the gate knows from the journal.

    Attributes:
        proofs: Oldest first.
        stage: How many stages were passed in this desk, none skipped; 0 to 3.
        rolled_back: The stage that failed since the newest 72-hour verdict; 0: none did.
        certified_until_ns: Until when the newest certificate says GO; 0: it does not.
        tampered: What does not hold in the record itself; empty: all of it does.
    """

    proofs: Sequence[Proof] = ()
    stage: int = 0
    rolled_back: int = 0
    certified_until_ns: int = 0
    bypass: Bypass | None = None
    tampered: str = ""


class Standing(msgspec.Struct, frozen=True):
    """What the gate decided, from what, and until when.

    Attributes:
        cap: Largest position, scaled dollars; 0: none at all. None: no cap but the desk's own limits.
        expires_ns: When it ceases to hold by itself; 0: it allows nothing that could cease.
        reasons: Why it is no higher, one sentence each; for FULL, what it rests on.
        missing: Conditions beside the evidence that are not met: one is enough to hold every live order.
    """

    level: Level
    cap: int | None
    expires_ns: int
    reasons: tuple[str, ...]
    missing: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    bypassed: bool = False

    @property
    def allows(self) -> bool:
        """Whether any live order may leave."""
        return self.level in (Level.LIMITED, Level.FULL) and not self.missing

    def told(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "level": self.level.value,
            "reasons": [*self.reasons, *self.missing],
            "allows_live": self.allows,
            "cap": None if self.cap is None else money.text(self.cap),
            "expires_at": instant(self.expires_ns) if self.expires_ns else None,
            "evidence": list(self.evidence),
            "bypassed": self.bypassed,
        }


def weigh(
    record: Record, current: Fingerprints, conditions: Mapping[str, bool], now_ns: int, expiry_ns: int
) -> Standing:
    """The standing now. `conditions`: each by the sentence that is said where it is not met."""
    missing = tuple(text for text, is_met in conditions.items() if not is_met)
    standing = _by_evidence(record, current, now_ns, expiry_ns)
    bypass = record.bypass
    if bypass is not None and now_ns < bypass.until_ns and not record.tampered and not standing.allows:
        why = f"bypassed by {bypass.actor} until {instant(bypass.until_ns)}: {bypass.reason}"
        standing = Standing(Level.LIMITED, BYPASS_CAP, bypass.until_ns, (why, *standing.reasons), bypassed=True)
    return msgspec.structs.replace(standing, missing=missing)


def _by_evidence(record: Record, current: Fingerprints, now_ns: int, expiry_ns: int) -> Standing:
    if record.tampered:
        return _denied(f"the record was tampered with: {record.tampered}")
    proof = newest(record.proofs, THREE_DAYS)
    if proof is None:
        return _denied("no 72-hour validation is on record")
    flaw = _flaw(proof, current, now_ns, expiry_ns)
    if flaw:
        return _denied(flaw)
    until_ns = proof.judged_ns + expiry_ns
    if not proof.real:
        why = f"{proof.protocol_id} was a rehearsal: it shows nothing of a real market"
        return Standing(Level.PAPER_ONLY, 0, until_ns, (why,), evidence=(proof.protocol_id,))
    if record.rolled_back:
        why = f"stage {record.rolled_back} failed since {proof.protocol_id}: validate again"
        return Standing(Level.PAPER_ONLY, 0, until_ns, (why,), evidence=(proof.protocol_id,))
    cap = STAGES[min(record.stage, len(STAGES) - 1)] * money.SCALE
    audit = newest(record.proofs, AUDIT)
    lacking = _lacking(record, audit, current, now_ns, expiry_ns)
    if lacking or audit is None:
        return Standing(Level.LIMITED, cap, until_ns, lacking, evidence=(proof.protocol_id,))
    both = (proof.protocol_id, audit.protocol_id)
    return Standing(Level.FULL, None, min(until_ns, audit.judged_ns + expiry_ns), (), evidence=both)


def newest(proofs: Sequence[Proof], protocol: str) -> Proof | None:
    """The newest verdict on a protocol: it alone counts."""
    return next((one for one in reversed(proofs) if one.protocol == protocol), None)


def _flaw(proof: Proof, current: Fingerprints, now_ns: int, expiry_ns: int) -> str:
    """Why a verdict is worth nothing; empty if it is worth what it says."""
    name = proof.protocol_id
    if not proof.is_genuine:
        return f"{name} was tampered with: its signature does not hold"
    if not proof.is_trusted:
        return f"{name} is foreign: it is signed with a key this desk does not trust"
    if not proof.passed:
        return f"{name} failed"
    drift = proof.fingerprints.drift(current)
    if drift:
        return f"{name} is stale: {', '.join(drift)} changed since"
    if not 0 <= now_ns - proof.judged_ns < expiry_ns:
        return f"{name} is stale: it was judged at {instant(proof.judged_ns)}"
    return ""


def _lacking(
    record: Record, audit: Proof | None, current: Fingerprints, now_ns: int, expiry_ns: int
) -> tuple[str, ...]:
    """What FULL still needs, each by name."""
    lacking = []
    if record.stage < len(STAGES):
        lacking.append(f"stage {record.stage + 1} of {len(STAGES)} (EUR {STAGES[record.stage]}) was not passed")
    flaw = _flaw(audit, current, now_ns, expiry_ns) if audit else "no audit is on record"
    if flaw or (audit is not None and not audit.real):
        lacking.append(flaw or "the audit was a rehearsal")
    if now_ns >= record.certified_until_ns:
        lacking.append("no certificate says GO")
    return tuple(lacking)


def _denied(why: str) -> Standing:
    return Standing(Level.DENIED, 0, 0, (why,))
