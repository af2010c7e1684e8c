"""Go or no-go: every input must be GO, what was not run is said to be; and the evidence of the controls exists."""

from typing import Any

import msgspec
import pytest

from console.answers.page import commands
from console.cli import program
from engine.core.times import DAY
from engine.review.certificate import Certificate, Finding, Input, Seen, certificate, inputs
from engine.review.controls import CONTROLS, Standing, counts
from engine.review.evidence import Fingerprints
from engine.review.live_gate import Proof, Record
from engine.session.program import ROOT
from store.rows import PROJECTED

NOW, EXPIRY = 20_454 * DAY, 30 * DAY
PRINTS = Fingerprints("c", "f", "s", "d")
REAL: tuple[Input, ...] = ()


def proof(protocol: str, **changes: Any) -> Proof:
    return msgspec.structs.replace(Proof(f"{protocol}-1", protocol, True, True, NOW - DAY, PRINTS), **changes)


WHOLE = Record((proof("72h"), proof("audit")), stage=3)
SEEN = Seen(("72h-1", True), "PASS")
NAMES = ("72-hour", "stages", "audit", "error handling", "safety", "performance", "critical gaps", "end to end")


def found(record: Record = WHOLE, seen: Seen = SEEN) -> dict[str, Input]:
    told = inputs(record, seen, PRINTS, NOW, EXPIRY)
    return {name: next(one for one in told if one.name.startswith(name)) for name in NAMES}


def made(told: tuple[Input, ...]) -> Certificate:
    return certificate(told, "paper", "1", NOW, PRINTS, dict(counts()))


def test_with_everything_shown_only_the_real_venue_is_left_and_it_stays_a_no_go() -> None:
    told = found()
    assert {name for name, one in told.items() if one.finding is not Finding.GO} == {"end to end"}
    whole = made(tuple(told.values()))
    assert (whole.go, whole.not_run) == (False, ("end to end on the real venue",))
    assert made(tuple(one for name, one in told.items() if name != "end to end")).go


@pytest.mark.parametrize(
    ("spoilt", "name", "finding"),
    [
        ({"record": Record()}, "72-hour", Finding.NOT_RUN),
        ({"record": Record((proof("72h", passed=False),))}, "72-hour", Finding.NO_GO),
        ({"record": Record((proof("72h", real=False),))}, "72-hour", Finding.NO_GO),
        ({"record": Record((proof("72h", judged_ns=NOW - EXPIRY),))}, "72-hour", Finding.NO_GO),
        ({"record": Record((proof("72h", is_genuine=False),))}, "72-hour", Finding.NO_GO),
        ({"record": Record((proof("72h", is_trusted=False),))}, "72-hour", Finding.NO_GO),
        ({"record": msgspec.structs.replace(WHOLE, tampered="a row")}, "72-hour", Finding.NO_GO),
        ({"record": Record((proof("72h"),))}, "audit", Finding.NOT_RUN),
        ({"record": Record()}, "stages", Finding.NOT_RUN),
        ({"record": msgspec.structs.replace(WHOLE, stage=2)}, "stages", Finding.NO_GO),
        ({"seen": Seen(None, "PASS")}, "error handling", Finding.NOT_RUN),
        ({"seen": Seen(("x", False), "PASS")}, "error handling", Finding.NO_GO),
        ({"seen": Seen(("x", True), "")}, "performance", Finding.NOT_RUN),
        ({"seen": Seen(("x", True), "FAIL")}, "performance", Finding.NO_GO),
        ({"seen": Seen(("x", True), "PASS", ("disk: full",))}, "safety", Finding.NO_GO),
        ({"seen": Seen(("x", True), "PASS", (), ("C1",))}, "critical gaps", Finding.NO_GO),
    ],
)
def test_what_is_missing_is_named_and_makes_it_a_no_go(spoilt: dict[str, Any], name: str, finding: Finding) -> None:
    told = found(**spoilt)
    assert told[name].finding is finding
    assert not made(tuple(one for key, one in told.items() if key != "end to end")).go


@pytest.mark.parametrize("name", ["code", "configuration", "strategy", "data"])
def test_drift_is_a_no_go_by_its_name(name: str) -> None:
    other = msgspec.structs.replace(PRINTS, **{name: "x"})
    told = found(Record((proof("72h", fingerprints=other),)))["72-hour"]
    assert told.finding is Finding.NO_GO and name in told.text


def test_there_are_forty_six_controls_each_shown_open_or_not_applicable_for_a_reason() -> None:
    assert [one.id for one in CONTROLS] == [f"C-{n:02}" for n in range(1, 47)]
    assert sum(counts().values()) == 46
    for one in CONTROLS:
        assert one.links and one.name and one.asks
        assert bool(one.why) is (one.standing is not Standing.SHOWN), one.id


def test_everything_a_control_leads_to_exists() -> None:
    words = {path for path, _ in commands("", program())}
    tables = {*PROJECTED, "signed_heads"}
    for one in CONTROLS:
        for link in one.links:
            kind, _, name = link.partition(" ")
            there = name in {"table": tables, "command": words}[kind] if name else (ROOT / link).is_file()
            assert there, (one.id, link)


def test_the_word_is_never_used() -> None:
    texts = [" ".join((one.name, one.asks, one.why)) for one in CONTROLS]
    assert not [text for text in texts if "complian" in text.lower()]
