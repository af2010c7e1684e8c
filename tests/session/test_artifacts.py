"""What a run leaves in its folder: whole files of its owner, each for itself, the same figures in all of them."""

import csv
import json
import stat
from pathlib import Path
from typing import Any

import pytest

from engine.core.config import MINUTE
from engine.core.facts import EquityMarked, Fact
from engine.core.view import HeartbeatView
from engine.review.performance import Performing
from engine.review.report import Percentiles, RunFigures, final_report
from engine.session.artifacts import COLUMNS, Results, metric_rows, write_end, write_start
from engine.session.home import RunFolder
from engine.session.scrub import Scrubber
from engine.session.viewing import Progress, RunFacts, desk_view
from tests.rig import START_NS, Rig, d

CANARY = "canary-7f3a9b2c1d"


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path)


def results(**changes: Any) -> Results:
    """A real little run: in at 100.1, out through the stop, with its own facts."""
    rig = Rig()
    rig.enter()
    rig.quote("98", "98.1")
    rig.quote("98", "98.1")
    tally = rig.engine.state.tally
    run = RunFacts("paper", "run1", "sim", "paper", "generated", "wall", 7, 1, 0)
    view = desk_view(rig.engine, run, Progress(rig.now_ns, START_NS, MINUTE, "", HeartbeatView(), (), 9, "ab"))
    figures: dict[str, Any] = {
        **{"run_id": "run1", "env": "paper", "venue": "sim", "broker": "paper", "source": "generated", "clock": "wall"},
        **{"seed": 7, "version": "0.1.0", "config_hash": "ab", "started_ns": START_NS, "ended_ns": rig.now_ns},
        **{"duration_ns": MINUTE, "reason": "duration_complete", "exit_code": 0, "error_count": tally.errors},
        **{"autonomous": True, "starting_equity": tally.starting_equity, "ending_equity": view.equity},
        **{"starting_unrealized": 0, "ending_unrealized": view.unrealized, "realized": tally.realized},
        **{"fees": tally.fees, "funding": tally.funding, "trades": tally.trades, "orders": tally.orders},
        **{"fills": tally.fills, "rejects": tally.rejects, "signals_total": tally.signals, "signals_in_flight": 0},
        **{"signals": tally.ended, "market_events": tally.market_events, "decision_hash": rig.engine.decision_hash},
        **{"journal_head": "ef", "journal_rows": 9, "heartbeat_count": 60, "heartbeat_max_gap_ns": 10**9},
        **{"loop_lag_us": Percentiles(100, 200, 300, 400), "tick_to_decision_us": Percentiles(4, 8, 16, 99)},
        **{"rss_bytes_peak": 50_000_000, "dropped_ticks": 0, "gap_count": 0, "stale_events": 0},
    }
    report = final_report(RunFigures(**(figures | changes)))
    performing = Performing()
    for fact in rig.of(Fact):
        performing.take(fact)
    return Results(report, performing, view)


def test_a_finished_run_leaves_all_its_files_for_its_owner_alone(folder: RunFolder) -> None:
    assert write_start(folder, {"env": "paper", "config_hash": "ab"}) == []
    assert write_end(folder, results()) == []
    names = {"config_snapshot.json", "final_report.json", "metrics.json", "metrics.csv", "summary.html", "state.json"}
    names |= {"report.md", "report.json"}
    assert {path.name for path in folder.path.iterdir()} == names
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.path.iterdir()} == {0o600}


def test_every_file_tells_the_same_figures(folder: RunFolder) -> None:
    told = results()
    write_end(folder, told)
    report = json.loads(folder.final_report.read_text())
    assert report == told.report
    assert report["problems"] == []
    assert report["trades"] == 1
    metrics = json.loads(folder.metrics_json.read_text())
    assert metrics["pnl"]["net_pnl"] == report["net_pnl"]
    assert metrics["execution"]["fills_count"] == report["fills_count"]
    assert metrics["latency"]["tick_to_strategy_ms"]["p50"] == 0.004
    assert metrics.keys() >= {"latency", "data_quality", "execution", "performance", "pnl"}
    state = json.loads(folder.state.read_text())
    assert state["equity"] == report["ending_equity"] == metrics["rows"][-1][1]
    with folder.metrics_csv.open() as file:
        columns, *rows = csv.reader(file)
    assert columns == metrics["columns"] == list(COLUMNS)
    assert rows == metrics["rows"]
    assert "Stop" in folder.summary.read_text()


def test_a_file_that_cannot_be_written_stops_no_other(folder: RunFolder) -> None:
    folder.metrics_json.mkdir()
    problems = write_end(folder, results())
    assert len(problems) == 1
    assert problems[0].startswith("metrics.json could not be written")
    assert folder.summary.exists()
    assert folder.state.exists()
    assert not [path for path in folder.path.iterdir() if path.name.startswith(".")]


def test_a_folder_that_is_gone_is_said_for_every_file(tmp_path: Path) -> None:
    """FD-17."""
    assert len(write_end(RunFolder(tmp_path / "gone"), results())) == 7
    assert len(write_start(RunFolder(tmp_path / "gone"), {})) == 1


def test_no_secret_gets_into_any_file(folder: RunFolder) -> None:
    """FS-04."""
    scrubber = Scrubber([CANARY])
    write_start(folder, {"values": {"url": f"https://h/{CANARY}", "api_key": "abc"}}, scrubber)
    write_end(folder, results(reason=f"failed: {CANARY}", problems=(f"closing: {CANARY}",), venue=CANARY), scrubber)
    for path in folder.path.iterdir():
        assert CANARY not in path.read_text(), path.name
    assert json.loads(folder.config_snapshot.read_text())["values"] == {"url": "https://h/***", "api_key": "***"}


def test_without_a_view_there_is_no_state_and_no_problem(folder: RunFolder) -> None:
    told = results()
    assert write_end(folder, Results(told.report, told.performing)) == []
    assert not folder.state.exists()


@pytest.mark.parametrize(
    ("marks", "rows_max", "kept"), [(0, 10, 0), (1, 10, 1), (10, 10, 10), (11, 10, 6), (9999, 10, 10)]
)
def test_many_marks_are_thinned_and_the_last_is_always_kept(marks: int, rows_max: int, kept: int) -> None:
    told = [EquityMarked(START_NS + n, n, 0, 0, 0, 0, 0, 0, 0, 0) for n in range(marks)]
    rows = metric_rows(told, rows_max)
    assert len(rows) == kept <= rows_max
    if marks:
        assert d(rows[0][1]) == 0
        assert d(rows[-1][1]) == marks - 1
