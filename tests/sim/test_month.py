"""A month of eight recorded symbols through the whole desk, as a user runs it: process, journal, report, replay."""

from pathlib import Path

import pytest

from engine.review.report import check
from tests.e2e.shell import SHARED, RunningDesk, ask, summary

KLINES = SHARED / "crypto" / "binance_um_klines_1m_2025-05"
MONTH_SECONDS = 29 * 86_400

recorded = pytest.mark.skipif(not SHARED.is_dir(), reason=f"no shared recordings in {SHARED}")


@recorded
@pytest.mark.sim
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("strategy", ["trend", "reversion"])
def test_a_month_ends_with_figures_that_agree_and_a_journal_that_replays(tmp_path: Path, strategy: str) -> None:
    desk = RunningDesk(tmp_path, "--data", str(KLINES), "--speed", "max", "--strategy", strategy)
    try:
        assert desk.ended(1_200) == 0, desk.said
    finally:
        desk.clean_up()
    report = desk.report
    print(f"{strategy}: net {report['net_pnl']}, {report['trades']} trades, {report['signals']}")
    assert (report["reason"], report["status"], report["problems"]) == ("data_complete", "success", [])
    assert (report["dropped_ticks"], report["error_count"], report["data_rejects"]) == (0, 0, 0)
    assert report["duration_seconds"] >= MONTH_SECONDS
    assert report["trades"] >= 100
    assert report["signals"]["total"] == sum(count for state, count in report["signals"].items() if state != "total")
    assert check(report, summary(desk.home)) == []
    assert ask(tmp_path, "audit", "verify").code == 0
    replayed = ask(tmp_path, "replay", "latest", "--verify", "--json")
    assert (replayed.code, replayed.json["same"]) == (0, True)
