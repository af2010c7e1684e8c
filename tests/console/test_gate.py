"""The live gate on the command line: evidence admitted by hand, stale by any drift; certificates; refused protocols."""

import datetime
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from engine.core.times import DAY
from engine.review.evidence import Files
from engine.review.protocol import verdict
from engine.review.protocols import PROTOCOLS
from engine.session.clock import WallClock
from engine.session.home import Home
from store.keys import DeskKey
from store.verdicts import Statement, signed
from tests.console.conftest import Nightdesk
from tests.review.proving import good

SET = {
    "NIGHTDESK_VENUE": "sim",
    "NIGHTDESK_SYMBOLS": "DOGEUSDT",
    "NIGHTDESK_DRY_RUN": "false",
    "NIGHTDESK_LIVE_TRADING_ENABLED": "true",
}
LIVE = ("--env", "live")


@pytest.fixture
def live(nowhere: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A live desk that was confirmed and has not run, everything beside the evidence as it must be."""
    for name, value in SET.items():
        monkeypatch.setenv(name, value)
    home = Home.at(tmp_path, "live")
    home.create()
    today = datetime.datetime.now(tz=datetime.UTC).date()
    home.live_confirmation.write_text(f"confirmed {today} by the test\n")
    return home


def gate(nightdesk: Nightdesk) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(nightdesk("gate", *LIVE, "--json")[1])
    return told


def evidence(nightdesk: Nightdesk, home: Home, file: Path) -> Path:
    """A real pass of three days by another desk, bound to what is current here, in `file`; its trusted key's file."""
    private = Ed25519PrivateKey.generate()
    found = verdict(PROTOCOLS["72h"], good("72h"))
    found = msgspec.structs.replace(found, fingerprints=gate(nightdesk)["current"])
    statement = Statement("paper", "paper", WallClock().now_ns() - DAY, found, Files())
    file.write_bytes(msgspec.json.encode(signed(statement, DeskKey(private))))
    trusted = home.dir / "keys" / "trusted" / "paper.pem"
    trusted.parent.mkdir(parents=True)
    trusted.write_bytes(private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return trusted


def test_evidence_is_admitted_by_hand_from_a_trusted_key_and_word_for_word(
    nightdesk: Nightdesk, live: Home, tmp_path: Path
) -> None:
    assert gate(nightdesk)["level"] == "DENIED"
    file = tmp_path / "72h.json"
    trusted = evidence(nightdesk, live, file)
    admit = ("gate", *LIVE, "--admit", str(file))
    assert nightdesk(*admit)[0] == 2, "without a reason"
    pem, text = trusted.read_bytes(), file.read_text()
    trusted.unlink()
    code, _, err = nightdesk(*admit, "--reason", "seen")
    assert code == 5 and "foreign" in err
    trusted.write_bytes(pem)
    file.write_text(text.replace("72h-1", "72h-2"))
    code, _, err = nightdesk(*admit, "--reason", "seen")
    assert code == 5 and "signature" in err
    file.write_text("{}")
    assert nightdesk(*admit, "--reason", "seen")[0] == 2
    assert gate(nightdesk)["level"] == "DENIED", "nothing of this was admitted"
    file.write_text(text)
    assert nightdesk(*admit, "--reason", "seen", "--json")[0] == 0
    told = gate(nightdesk)
    assert (told["level"], told["cap"], told["allows_live"], told["evidence"]) == ("LIMITED", "1", True, ["72h-1"])


def test_any_drift_denies_and_each_condition_holds_every_order(
    nightdesk: Nightdesk, live: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evidence(nightdesk, live, file := tmp_path / "72h.json")
    assert nightdesk("gate", *LIVE, "--admit", str(file), "--reason", "seen")[0] == 0
    assert gate(nightdesk)["allows_live"]
    for changed, variable, value in [
        ("configuration", "NIGHTDESK_RISK_POSITIONS_MAX", "2"),
        ("data", "NIGHTDESK_SEED", "8"),
        ("strategy", "NIGHTDESK_STRATEGY", "trend"),
    ]:
        with monkeypatch.context() as other:
            other.setenv(variable, value)
            told = gate(nightdesk)
        assert told["level"] == "DENIED" and changed in told["reasons"][0], told
    for variable in ("NIGHTDESK_DRY_RUN", "NIGHTDESK_LIVE_TRADING_ENABLED"):
        with monkeypatch.context() as without:
            without.delenv(variable)
            told = gate(nightdesk)
        assert told["level"] == "LIMITED" and not told["allows_live"] and "desk.toml" in told["reasons"][-1]
    for text in ("", "confirmed 2020-01-01 by me", "confirmed soon by me", "yes"):
        live.live_confirmation.write_text(text)
        assert not gate(nightdesk)["allows_live"], text
    live.live_confirmation.unlink()
    assert not gate(nightdesk)["allows_live"]


def test_a_bypass_needs_a_reason_a_live_desk_and_an_end(nightdesk: Nightdesk, live: Home) -> None:
    for words in [
        (*LIVE, "--bypass", "16m", "--reason", "x"),
        (*LIVE, "--bypass", "0s", "--reason", "x"),
        (*LIVE, "--bypass", "soon", "--reason", "x"),
        (*LIVE, "--bypass", "10m"),
        ("--env", "paper", "--bypass", "10m", "--reason", "x"),
        (*LIVE, "--bypass", "10m", "--admit", "x", "--reason", "x"),
    ]:
        assert nightdesk("gate", *words)[0] == 2, words
    assert nightdesk("gate", *LIVE, "--bypass", "10m", "--reason", "a trial", "--json")[0] == 0
    told = gate(nightdesk)
    assert (told["level"], told["bypassed"], told["cap"], told["allows_live"]) == ("LIMITED", True, "1", True)
    assert "a trial" in told["reasons"][0]


def test_paper_is_never_held(nightdesk: Nightdesk) -> None:
    code, out, _ = nightdesk("gate", "--json")
    told = json.loads(out)
    assert (code, told["env"], told["level"], told["allows_live"]) == (0, "paper", "DENIED", False)
    assert any("the environment is paper" in reason for reason in told["reasons"])


def test_a_certificate_lists_what_was_not_run_and_shows_when_it_was_altered(nightdesk: Nightdesk) -> None:
    code, out, err = nightdesk("certify", "--json")
    told = json.loads(out)
    assert code == 5 and not told["go"], err
    assert {"72-hour validation", "end to end on the real venue"} <= set(told["not_run"])
    file = Path(told["file"])
    assert "NOT RUN" in file.with_suffix(".md").read_text()
    assert nightdesk("certify", "--verify", str(file))[0] == 0
    file.write_text(file.read_text().replace('\\"go\\":false', '\\"go\\":true'))
    code, out, _ = nightdesk("certify", "--verify", str(file), "--json")
    assert code == 5 and json.loads(out)["go"] and not json.loads(out)["genuine"]
    code, out, _ = nightdesk("certify", "--controls", "--json")
    assert code == 0 and all(link["found"] for one in json.loads(out) for link in one["evidence"])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("audit", "--days", "13"), "14 to 30"),
        (("audit", "--days", "31"), "14 to 30"),
        (("72h", "--speed", "0"), "--speed"),
        (("72h", "--faults"), "--speed max"),
        (("check",), "no protocol"),
    ],
)
def test_a_protocol_that_cannot_be_is_refused_before_anything_is_touched(
    nightdesk: Nightdesk, home: Home, words: tuple[str, ...], says: str
) -> None:
    code, _, err = nightdesk("validate", *words)
    assert code == 2 and says in err and not home.database.exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--duration", "5s"), "--env live"),
        ((*LIVE,), "--duration"),
        ((*LIVE, "--duration", "5s", "--stage", "2"), "the next stage is 1"),
    ],
)
def test_a_stage_that_cannot_be_is_refused(nightdesk: Nightdesk, words: tuple[str, ...], says: str) -> None:
    code, _, err = nightdesk("progressive", *words)
    assert code == 2 and says in err
