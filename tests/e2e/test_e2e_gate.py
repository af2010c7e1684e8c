"""The live gate on a live desk, with the built-in venue standing in for a real one: orders leave by its leave alone."""

import datetime
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from console.answers.catalogue import problem
from engine.core import money
from engine.core.times import DAY
from engine.review.evidence import Files
from engine.review.protocol import verdict
from engine.review.protocols import PROTOCOLS
from engine.session.clock import WallClock
from engine.session.home import Home
from store.keys import DeskKey
from store.verdicts import Statement, signed
from tests.e2e.shell import EAGER, RunningDesk, ask
from tests.review.proving import good

pytestmark = pytest.mark.e2e

STAND_IN = ("--env", "live", "--venue", "sim", "--broker", "venue", "--symbols", "DOGEUSDT")
ENABLED = {"NIGHTDESK_DRY_RUN": "false", "NIGHTDESK_LIVE_TRADING_ENABLED": "true"}
WEIGHED = {"NIGHTDESK_VENUE": "sim", "NIGHTDESK_SYMBOLS": "DOGEUSDT", "NIGHTDESK_STRATEGY": EAGER[1], **ENABLED}
"""The configuration of the runs below, for commands that have no such options."""


def gate(home: Path) -> dict[str, Any]:
    told: dict[str, Any] = ask(home, "gate", "--env", "live", "--json", **WEIGHED).json
    return told


def confirmed(root: Path) -> Home:
    home = Home.at(root, "live")
    home.create()
    today = datetime.datetime.now(tz=datetime.UTC).date()
    home.live_confirmation.write_text(f"confirmed {today} by the test\n")
    return home


def lived(root: Path, seconds: int = 5) -> dict[str, Any]:
    """A live desk that wants to trade at every quote; its report."""
    desk = RunningDesk(root, *STAND_IN, *EAGER, "--duration", f"{seconds}s", **ENABLED)
    desk.home = Home.at(root, "live")
    try:
        assert desk.ended() == 0, desk.said
        assert "stands in for a real one" in desk.said
        return desk.report
    finally:
        desk.clean_up()


def test_without_evidence_no_live_order_leaves_and_every_refusal_is_on_record(tmp_path: Path) -> None:
    confirmed(tmp_path)
    report = lived(tmp_path)
    assert (report["orders_submitted"], report["fills_count"]) == (0, 0)
    assert report["signal_reasons"].keys() == {"gate_denied"} and report["signals"]["total"] > 0
    told = ask(tmp_path, "audit", "query", "--env", "live", "--kind", "gate", "--json")
    assert json.loads(told.out.splitlines()[0])["body"]["level"] == "DENIED"


@pytest.mark.sim
def test_a_bypass_is_asked_for_with_a_reason_and_lets_one_euro_through(tmp_path: Path) -> None:
    confirmed(tmp_path)
    for words, code in [
        (("--bypass", "16m", "--reason", "x"), 2),
        (("--bypass", "10m"), 2),
        (("--env", "paper", "--bypass", "10m", "--reason", "x"), 2),
    ]:
        assert ask(tmp_path, "gate", *(("--env", "live") if "--env" not in words else ()), *words).code == code
    assert ask(tmp_path, "gate", "--env", "live", "--bypass", "10m", "--reason", "a drill").code == 0
    told = gate(tmp_path)
    assert (told["level"], told["bypassed"], told["cap"], told["allows_live"]) == ("LIMITED", True, "1", True)
    report = lived(tmp_path)
    assert report["orders_submitted"] > 0 and "gate_denied" not in report["signal_reasons"]
    changes = ask(tmp_path, "audit", "query", "--env", "live", "--kind", "order_changed", "--limit", "1000", "--json")
    sent = {abs(json.loads(line)["body"]["qty"]) for line in changes.out.splitlines()}
    assert max(sent) <= money.parse("7"), "dogecoins of one dollar"
    alerts = (Home.at(tmp_path, "live").alerts).read_text()
    assert "gate_bypassed" in alerts and "a drill" in alerts


def evidence(home: Path, file: Path, **changes: Any) -> DeskKey:
    """A real pass of three days by another desk, bound to what is current here."""
    private = Ed25519PrivateKey.generate()
    found = verdict(PROTOCOLS["72h"], good("72h"))
    found = msgspec.structs.replace(found, **{"fingerprints": gate(home)["current"], **changes})
    statement = Statement("paper", "paper", WallClock().now_ns() - DAY, found, Files())
    file.write_bytes(msgspec.json.encode(signed(statement, DeskKey(private))))
    trusted = Home.at(home, "live").dir / "keys" / "trusted"
    trusted.mkdir(parents=True, exist_ok=True)
    pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (trusted / "paper.pem").write_bytes(pem)
    return DeskKey(private)


def stage(home: Path, *words: str) -> Any:
    return ask(home, "progressive", *STAND_IN[:4], *STAND_IN[6:], *EAGER, *words, "--json", **ENABLED)


@pytest.mark.sim
def test_a_stage_without_trades_is_not_passed_and_takes_the_level_back(tmp_path: Path) -> None:
    """One euro is less than the venue's smallest order: the stage trades nothing, and so it shows nothing."""
    confirmed(tmp_path)
    refused = stage(tmp_path, "--duration", "5s")
    assert refused.code == 5 and "DENIED" in refused.json["error"]
    evidence(tmp_path, file := tmp_path / "72h.json")
    assert ask(tmp_path, "gate", "--env", "live", "--admit", str(file), "--reason", "seen").code == 0
    skipped = stage(tmp_path, "--stage", "3", "--duration", "5s")
    assert skipped.code == 2 and "the next stage is 1" in skipped.json["error"]
    ended = stage(tmp_path, "--duration", "5s")
    assert ended.code == 5 and not problem("progressive", ended.out), ended.err
    told = ended.json
    assert (told["stage"], told["passed"], told["stand_in"]) == (1, False, True)
    assert {"round_trips"} <= set(told["failed"]) and "cap_held" not in told["failed"]
    assert gate(tmp_path)["level"] == "PAPER_ONLY" and "validate again" in gate(tmp_path)["reasons"][0]
    assert stage(tmp_path, "--duration", "5s").code == 5
