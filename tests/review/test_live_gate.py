"""The live gate: one truth table over evidence, age, drift, hands and stages. What is unknown denies."""

from typing import Any

import msgspec
import pytest

from engine.core import money
from engine.core.times import DAY
from engine.review.evidence import Fingerprints
from engine.review.live_gate import (
    BYPASS_CAP,
    STAGES,
    Bypass,
    Level,
    Proof,
    Record,
    Standing,
    weigh,
)

NOW = 20_454 * DAY
EXPIRY = 30 * DAY
PRINTS = Fingerprints("c", "f", "s", "d")
MET = {"live_trading_enabled is false": True, "the venue's credentials are missing": True}


def proof(protocol: str = "72h", **changes: Any) -> Proof:
    found = Proof(f"{protocol}-1", protocol, True, True, NOW - DAY, PRINTS)
    return msgspec.structs.replace(found, **changes)


def standing(record: Record, now_ns: int = NOW, **conditions: bool) -> Standing:
    return weigh(record, PRINTS, {**MET, **conditions}, now_ns, EXPIRY)


WHOLE = Record((proof(), proof("audit")), stage=3, certified_until_ns=NOW + 2 * EXPIRY)


def changed(**changes: Any) -> Record:
    """All of it, but the three days otherwise."""
    return msgspec.structs.replace(WHOLE, proofs=(proof(**changes), proof("audit")))


TABLE: dict[str, tuple[Record, Level, str]] = {
    "nothing": (Record(), Level.DENIED, "no 72-hour validation"),
    "other protocols alone": (Record((proof("autonomy"), proof("week"), proof("audit"))), Level.DENIED, "no 72-hour"),
    "failed": (changed(passed=False), Level.DENIED, "failed"),
    "a later failure": (msgspec.structs.replace(WHOLE, proofs=(proof(), proof(passed=False))), Level.DENIED, "failed"),
    "tampered verdict": (changed(is_genuine=False), Level.DENIED, "tampered"),
    "tampered record": (msgspec.structs.replace(WHOLE, tampered="row 9 is another"), Level.DENIED, "row 9"),
    "foreign": (changed(is_trusted=False), Level.DENIED, "foreign"),
    "expired": (changed(judged_ns=NOW - EXPIRY), Level.DENIED, "stale"),
    "from the future": (changed(judged_ns=NOW + 1), Level.DENIED, "stale"),
    "rehearsal": (changed(real=False), Level.PAPER_ONLY, "rehearsal"),
    "real": (Record((proof(),)), Level.LIMITED, "stage 1 of 3"),
    "a failed stage": (msgspec.structs.replace(WHOLE, rolled_back=2), Level.PAPER_ONLY, "stage 2 failed"),
    "no last stage": (msgspec.structs.replace(WHOLE, stage=2), Level.LIMITED, "stage 3 of 3"),
    "no audit": (msgspec.structs.replace(WHOLE, proofs=(proof(),)), Level.LIMITED, "no audit"),
    "audit failed": (
        msgspec.structs.replace(WHOLE, proofs=(proof(), proof("audit", passed=False))),
        Level.LIMITED,
        "audit-1 failed",
    ),
    "audit rehearsed": (
        msgspec.structs.replace(WHOLE, proofs=(proof(), proof("audit", real=False))),
        Level.LIMITED,
        "the audit was a rehearsal",
    ),
    "audit stale": (
        msgspec.structs.replace(WHOLE, proofs=(proof(), proof("audit", judged_ns=NOW - EXPIRY))),
        Level.LIMITED,
        "audit-1 is stale",
    ),
    "no certificate": (msgspec.structs.replace(WHOLE, certified_until_ns=NOW), Level.LIMITED, "no certificate"),
}


@pytest.mark.parametrize("case", TABLE)
def test_a_level_has_its_rule_and_says_why_it_is_no_higher(case: str) -> None:
    record, level, reason = TABLE[case]
    found = standing(record)
    assert found.level is level and any(reason in text for text in found.reasons), found
    assert found.allows is (level is Level.LIMITED)


def test_all_of_it_is_full_without_a_cap() -> None:
    found = standing(WHOLE)
    assert (found.level, found.cap, found.reasons, found.allows) == (Level.FULL, None, (), True)
    assert found.expires_ns == NOW - DAY + EXPIRY and found.evidence == ("72h-1", "audit-1")


@pytest.mark.parametrize("name", ["code", "configuration", "strategy", "data"])
def test_any_drift_makes_it_stale_and_is_named(name: str) -> None:
    found = standing(changed(fingerprints=msgspec.structs.replace(PRINTS, **{name: "other"})))
    assert found.level is Level.DENIED and name in found.reasons[0]


def test_a_fingerprint_nobody_knows_is_drift() -> None:
    unknown = msgspec.structs.replace(PRINTS, code="")
    found = weigh(changed(fingerprints=unknown), unknown, MET, NOW, EXPIRY)
    assert found.level is Level.DENIED


def test_it_holds_to_the_last_nanosecond_of_its_expiry_and_not_beyond() -> None:
    record = Record((proof(judged_ns=NOW),))
    assert standing(record, NOW + EXPIRY - 1).level is Level.LIMITED
    assert standing(record, NOW + EXPIRY).level is Level.DENIED


@pytest.mark.parametrize(("stage", "euros"), [(0, 1), (1, 10), (2, 100), (3, 100)])
def test_limited_is_capped_by_the_stage(stage: int, euros: int) -> None:
    assert standing(Record((proof(),), stage=stage)).cap == euros * money.SCALE
    assert STAGES == (1, 10, 100)


@pytest.mark.parametrize("condition", MET)
def test_each_condition_that_is_not_met_holds_every_live_order_by_its_name(condition: str) -> None:
    found = standing(WHOLE, **{condition: False})
    assert (found.level, found.allows, found.missing) == (Level.FULL, False, (condition,))
    assert condition in found.told()["reasons"]


def test_a_bypass_is_timed_capped_and_named_and_lifts_nothing_else() -> None:
    bypass = Bypass("ann", "the venue moved", NOW + DAY // 96)
    found = standing(Record(bypass=bypass))
    assert (found.level, found.cap, found.bypassed, found.allows) == (Level.LIMITED, BYPASS_CAP, True, True)
    assert "ann" in found.reasons[0] and "the venue moved" in found.reasons[0]
    assert found.expires_ns == bypass.until_ns
    assert standing(Record(bypass=bypass), bypass.until_ns).level is Level.DENIED
    assert not standing(Record(bypass=bypass), **{next(iter(MET)): False}).allows
    assert standing(Record(bypass=bypass, tampered="a row")).level is Level.DENIED


def test_a_bypass_lowers_nothing() -> None:
    bypass = Bypass("ann", "why not", NOW + DAY)
    assert standing(msgspec.structs.replace(WHOLE, bypass=bypass)).level is Level.FULL
