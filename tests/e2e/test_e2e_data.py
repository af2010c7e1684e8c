"""The same input again, other seeds, and recorded markets: the figures repeat, and report and database agree."""

from pathlib import Path

import pytest

from engine.review.report import check
from tests.e2e.conftest import StartDesk
from tests.e2e.shell import EAGER, SHARED, RunningDesk, ask, summary

pytestmark = pytest.mark.e2e

recorded = pytest.mark.skipif(not SHARED.is_dir(), reason=f"no shared recordings in {SHARED}")

KLINES = SHARED / "crypto" / "binance_um_klines_1m_2025-05"
QUOTES = SHARED / "crypto" / "gemini_l1_2021-07-01"
CAPTURE = SHARED / "crypto" / "binance_wire" / "um_ethusdt_20240718.txt.gz"


def assert_figures_agree(desk: RunningDesk) -> None:
    """Report and rows to the last digit, and the journal's replay with both."""
    report = desk.report
    assert report["problems"] == []
    assert check(report, summary(desk.home)) == []
    replayed = ask(desk.home.root, "replay", "latest", "--verify", "--json")
    assert (replayed.code, replayed.json["same"]) == (0, True)
    assert replayed.json["decision_hash"] == report["decision_hash"]


def run(home: Path, *words: str, **variables: str) -> RunningDesk:
    """A run in a home of its own, to its end."""
    desk = RunningDesk(home, *words, **variables)
    try:
        assert desk.ended() == 0, desk.said
    finally:
        desk.clean_up()
    return desk


def test_the_same_seed_decides_the_same_and_another_seed_otherwise(tmp_path: Path) -> None:
    asked = ("--speed", "max", "--duration", "15m")
    first, again, other = (
        run(tmp_path / name, *asked, "--seed", seed) for name, seed in (("first", "3"), ("again", "3"), ("other", "4"))
    )
    assert first.report["trades"] > 0
    assert first.report["clock"] == "virtual"
    for same in ("decision_hash", "net_pnl", "signals", "iterations", "orders_submitted"):
        assert first.report[same] == again.report[same]
    assert first.report["decision_hash"] != other.report["decision_hash"]
    assert_figures_agree(first)


@recorded
def test_recorded_bars_of_eight_symbols_at_full_speed(tmp_path: Path) -> None:
    asked = ("--data", str(KLINES), "--speed", "max", "--duration", "3h")
    first, again = run(tmp_path / "first", *asked), run(tmp_path / "again", *asked)
    report = first.report
    assert report["trades"] > 0
    assert report["iterations"] > 20_000
    assert (report["dropped_ticks"], report["error_count"], report["data_rejects"]) == (0, 0, 0)
    assert report["decision_hash"] == again.report["decision_hash"]
    assert_figures_agree(first)


@recorded
def test_recorded_quotes_and_trades_at_full_speed(start: StartDesk) -> None:
    desk = start("--data", str(QUOTES), "--speed", "max", "--duration", "1h", *EAGER)
    assert desk.ended() == 0
    assert desk.report["trades"] > 0
    assert desk.report["error_count"] == 0
    assert_figures_agree(desk)


@recorded
def test_a_raw_socket_capture_plays_to_its_end(start: StartDesk) -> None:
    asked = ("--data", str(CAPTURE), "--speed", "max", "--strategy", "reversion-seconds")
    desk = start(*asked, NIGHTDESK_BAR="1s")
    assert desk.ended() == 0
    assert desk.report["reason"] == "data_complete"
    assert desk.report["iterations"] > 10_000
    assert desk.report["trades"] > 0
    assert_figures_agree(desk)


@pytest.mark.parametrize("speed", ["max", pytest.param("300", marks=pytest.mark.sim)])
def test_refused_rows_are_told_by_cause_with_the_place_of_the_first(tmp_path: Path, speed: str) -> None:
    """In process and over the sockets, where the venue is another process."""
    lines = ["ts_ms,open,high,low,close,volume"]
    for row in range(170):
        close = "lost" if row in (145, 150) else "0" if row == 148 else "100.5"
        lines.append(f"{1_746_372_780_000 + row * 60_000},100.5,106.5,99.5,{close},12.5")
    data = tmp_path / "BTCUSDT.csv"
    data.write_text("\n".join(lines) + "\n")
    report = run(tmp_path / "home", "--data", str(data), "--speed", speed, "--duration", "30m").report
    rows = [refused for refused in report["data_refused"] if str(data) in refused["first"]]
    assert rows == [
        {"cause": "close is not an exact decimal with at most 8 places", "count": 2, "first": f"{data}:147:5"},
        {"cause": "close is zero", "count": 1, "first": f"{data}:150:5"},
    ]
    assert report["data_rejects"] == sum(refused["count"] for refused in report["data_refused"])


@recorded
@pytest.mark.parametrize("data", [KLINES, QUOTES], ids=lambda path: path.name)
def test_recorded_data_over_real_sockets_at_sixty_times_its_pace(start: StartDesk, data: Path) -> None:
    desk = start("--data", str(data), "--speed", "60", *EAGER)
    desk.until_status(lambda status: status["elapsed_seconds"] >= 120 and status["signals"]["EXECUTED"])
    assert ask(desk.home.root, "stop").code == 0
    assert desk.ended() == 0
    report = desk.report
    assert report["clock"] == "scaled"
    assert report["trades"] > 0
    assert report["duration_seconds"] >= 120
    assert_figures_agree(desk)


@pytest.mark.sim
@recorded
def test_a_raw_socket_capture_over_real_sockets(start: StartDesk) -> None:
    desk = start("--data", str(CAPTURE), "--speed", "20", *EAGER, NIGHTDESK_BAR="1s")
    assert desk.ended() == 0
    assert desk.report["reason"] == "data_complete"
    assert desk.report["trades"] > 0
    assert desk.report["iterations"] > 100
    assert_figures_agree(desk)
