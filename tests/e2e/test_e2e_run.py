"""A headless run from its start to its report, on the generated market through the real venue process."""

import json
import stat
from pathlib import Path
from typing import Any

import psutil
import pytest

from engine.core.words import TerminalState
from engine.review.report import check
from engine.session.stream import NAMES
from tests.e2e.conftest import StartDesk
from tests.e2e.shell import EAGER, FIVE, RunningDesk, ask, summary
from tests.steady import PATIENCE

pytestmark = pytest.mark.e2e

REPORT: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("run_id", "env", "venue", "broker", "source", "clock", "started_at", "ended_at"), str),
    **dict.fromkeys(("status", "reason", "decision_hash", "journal_head"), str),
    **dict.fromkeys(
        ("starting_equity", "ending_equity", "net_pnl", "realized_pnl", "fees_total", "funding_total"), str
    ),
    **dict.fromkeys(("seed", "iterations", "exit_code", "error_count", "trades", "orders_submitted"), int),
    **dict.fromkeys(("fills_count", "rejects_count", "signals_in_flight", "journal_rows"), int),
    **dict.fromkeys(("dropped_ticks", "gap_count", "stale_events"), int),
    **dict.fromkeys(("duration_seconds", "rss_mb_peak"), (int, float)),
    "autonomous": bool,
    **dict.fromkeys(("net_pnl_band", "signals", "heartbeat", "loop_lag_ms", "tick_to_decision_us"), dict),
}
"""Every field others rely on, and what it is."""

INSIDE = {
    "net_pnl_band": {"pessimistic", "optimistic", "lowest", "highest"},
    "heartbeat": {"count", "max_gap_seconds"},
    "loop_lag_ms": {"p50", "p99", "max"},
    "tick_to_decision_us": {"p50", "p99"},
}

FILES = {
    *("config_snapshot.json", "events.jsonl", "session.log", "state.json", "metrics.json"),
    *("metrics.csv", "final_report.json", "summary.html", "report.md", "report.json", "stacks.txt"),
}


def assert_report_is_whole(report: dict[str, Any]) -> None:
    for name, kind in REPORT.items():
        assert isinstance(report.get(name), kind), f"{name}: {report.get(name)!r}"
    for name, keys in INSIDE.items():
        assert keys <= report[name].keys()
    assert report["signals"].keys() == {"total", *TerminalState}


def assert_files_are_private(desk: RunningDesk) -> None:
    assert {path.name for path in desk.folder.path.iterdir()} == FILES
    for path in desk.home.dir.rglob("*"):
        mode = stat.S_IMODE(path.lstat().st_mode)
        if not path.is_symlink():
            assert mode == (0o700 if path.is_dir() else 0o600), f"{path}: {mode:o}"


def assert_stream_is_gapless(desk: RunningDesk) -> None:
    events = desk.events()
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert {event["event"] for event in events} <= set(NAMES)
    assert {event["mode"] for event in events} == {"PAPER"}
    assert events[0]["event"] == "SYSTEM_STARTUP"
    assert events[-1]["event"] == "SYSTEM_SHUTDOWN"


def test_a_run_of_five_seconds_leaves_everything_it_promises(start: StartDesk) -> None:
    desk = start("--duration", "5s", *EAGER)
    desk.until_said("RUNNING")
    children = desk.children()
    assert any("engine.venues.sim" in " ".join(child.cmdline()) for child in children)
    assert desk.ended() == 0

    lines = [line for line in desk.out.splitlines() if " PAPER " in line]
    assert len(lines) >= 5
    assert all(len(line) <= 200 for line in lines)
    report = desk.report
    assert f"report: {desk.folder.final_report}" in desk.out
    assert_report_is_whole(report)
    assert (report["status"], report["reason"], report["exit_code"]) == ("success", "duration_complete", 0)
    assert (report["env"], report["clock"], report["source"]) == ("paper", "wall", "generated")
    assert 5 <= report["duration_seconds"] < PATIENCE
    assert report["trades"] > 0
    assert report["problems"] == []
    assert check(report, summary(desk.home)) == []

    assert not desk.home.lock.exists()
    assert not desk.home.socket.exists()
    assert not any(psutil.pid_exists(child.pid) for child in children)
    assert_files_are_private(desk)
    assert_stream_is_gapless(desk)
    told = [event["event"] for event in desk.events()]
    assert told.count("ExecutionFill") == report["fills_count"]
    assert told.count("ExecutionExit") == report["trades"]
    assert told.count("OrderSubmitted") == report["orders_submitted"]
    for line in desk.home.system_log.read_text().splitlines():
        assert {"timestamp", "level", "component", "message"} <= json.loads(line).keys()


def test_a_finished_run_replays_and_verifies(start: StartDesk, tmp_path: Path) -> None:
    desk = start("--duration", "2m", "--speed", "60", *EAGER, *FIVE)
    assert desk.ended() == 0
    report = desk.report
    assert report["clock"] == "scaled"
    assert 120 <= report["duration_seconds"] < 60 * PATIENCE
    replayed = ask(tmp_path, "replay", "latest", "--verify", "--json")
    assert replayed.code == 0
    assert replayed.json["same"]
    assert replayed.json["decision_hash"] == report["decision_hash"]
    assert replayed.json["equity"] == report["ending_equity"]
    assert ask(tmp_path, "audit", "verify").code == 0


def test_the_venues_own_broker_fills_and_the_books_agree(start: StartDesk, tmp_path: Path) -> None:
    desk = start("--broker", "venue", *EAGER, *FIVE)
    desk.until_status(lambda status: status["positions"])
    assert ask(tmp_path, "stop").code == 0
    assert desk.ended() == 0
    report = desk.report
    assert report["broker"] == "venue"
    assert report["trades"] > 0
    assert report["error_count"] == 0
    assert report["problems"] == []
    assert check(report, summary(desk.home)) == []


def test_json_is_the_only_answer_when_asked_for(start: StartDesk) -> None:
    desk = start("--duration", "1m", "--speed", "max", "--json")
    assert desk.ended() == 0
    assert json.loads(desk.out) == desk.report
