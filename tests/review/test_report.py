"""A report says what the books say, to the last digit, and says so when something does not add up."""

from typing import Any

import msgspec
import pytest

from engine.core import money
from engine.core.view import PositionView
from engine.core.words import Side, TerminalState
from engine.review.moments import instant
from engine.review.report import Percentiles, RunFigures, check, final_report, problems, status_of

CONTRACT = {
    "run_id",
    "env",
    "venue",
    "broker",
    "source",
    "clock",
    "seed",
    "started_at",
    "ended_at",
    "duration_seconds",
    "iterations",
    "status",
    "reason",
    "exit_code",
    "error_count",
    "autonomous",
    "starting_equity",
    "ending_equity",
    "net_pnl",
    "net_pnl_band",
    "realized_pnl",
    "fees_total",
    "funding_total",
    "trades",
    "orders_submitted",
    "fills_count",
    "rejects_count",
    "signals",
    "signals_in_flight",
    "decision_hash",
    "journal_head",
    "journal_rows",
    "heartbeat",
    "loop_lag_ms",
    "tick_to_decision_us",
    "rss_mb_peak",
    "dropped_ticks",
    "gap_count",
    "stale_events",
}


def d(text: str) -> int:
    return money.parse(text)


def figures(**changes: Any) -> RunFigures:
    """Bought 0.5 at 100 and sold 0.3 at 110, worked out by hand:

    realized 0.3 x 10 = 3; 0.2 left, marked at 98: unrealized -0.4 (it was +0.15 on an older position, since closed
    and part of the realized 3); fees 0.0415; funding received 0.005. So net = 3 - 0.4 - 0.15 - 0.0415 + 0.005 = 2.4135.
    """
    held = PositionView("BTCUSDT", Side.LONG, d("0.2"), d("100"), d("98"), d("-0.4"), d("95"), d("120"), 1, 1, "trend")
    plain = RunFigures(
        run_id="20261121-070822",
        env="paper",
        venue="sim",
        broker="paper",
        source="generated",
        clock="wall",
        seed=7,
        version="0.1.0",
        config_hash="ab" * 32,
        started_ns=1_795_244_902_123_456_789,
        ended_ns=1_795_244_962_123_456_789,
        duration_ns=60_001_500_000,
        reason="duration_complete",
        exit_code=0,
        error_count=1,
        autonomous=True,
        starting_equity=d("10000"),
        ending_equity=d("10002.4135"),
        starting_unrealized=d("0.15"),
        ending_unrealized=d("-0.4"),
        realized=d("3"),
        fees=d("0.0415"),
        funding=d("-0.005"),
        trades=1,
        orders=4,
        fills=3,
        rejects=1,
        signals_total=4,
        signals_in_flight=1,
        signals={"EXECUTED": 2, "REJECTED_BY_HEAT": 1},
        market_events=1234,
        decision_hash="cd" * 32,
        journal_head="ef" * 32,
        journal_rows=99,
        heartbeat_count=60,
        heartbeat_max_gap_ns=1_004_000_000,
        loop_lag_us=Percentiles(120, 400, 900, 2_500),
        tick_to_decision_us=Percentiles(4, 9, 17, 300),
        rss_bytes_peak=84_250_000,
        dropped_ticks=0,
        gap_count=2,
        stale_events=3,
        positions=(held,),
    )
    return msgspec.structs.replace(plain, **changes)


class Rows(msgspec.Struct):
    """What the database would say of `figures()`."""

    starting_equity: int = d("10000")
    equity: int = d("10002.4135")
    realized: int = d("3")
    fees: int = d("0.0415")
    funding: int = d("-0.005")
    trades: int = 1
    orders: int = 4
    orders_rejected: int = 1
    fills: int = 3
    errors: int = 1
    signals_total: int = 4
    signals_in_flight: int = 1
    signals: dict[str, int] = msgspec.field(default_factory=lambda: {"EXECUTED": 2, "REJECTED_BY_HEAT": 1})


def test_the_report_has_every_key_others_rely_on() -> None:
    report = final_report(figures())
    assert report.keys() >= CONTRACT
    assert report["signals"].keys() == {"total", *(state.value for state in TerminalState)}
    assert report["heartbeat"].keys() >= {"count", "max_gap_seconds"}
    assert report["loop_lag_ms"].keys() >= {"p50", "p99", "max"}
    assert report["tick_to_decision_us"].keys() >= {"p50", "p99"}


def test_the_figures_worked_out_by_hand_are_reported_to_the_last_digit() -> None:
    report = final_report(figures())
    assert report["net_pnl"] == "2.4135"
    assert report["identity"] == {
        "rule": "net_pnl = realized_pnl + unrealized_change - fees_total - funding_total",
        "unrealized_change": "-0.55",
        "explained_pnl": "2.4135",
        "difference": "0",
        "holds": True,
    }
    assert report["problems"] == []
    assert (report["fees_total"], report["funding_total"]) == ("0.0415", "-0.005")
    assert report["positions_open"][0]["unrealized"] == "-0.4"


def test_money_is_text_and_measures_are_numbers() -> None:
    report = msgspec.json.decode(msgspec.json.encode(final_report(figures())))
    assert report["starting_equity"] == "10000"
    assert report["duration_seconds"] == 60.002
    assert report["loop_lag_ms"] == {"p50": 0.12, "p95": 0.4, "p99": 0.9, "max": 2.5}
    assert report["tick_to_decision_us"]["p99"] == 17
    assert report["rss_mb_peak"] == 84.2
    assert report["started_at"] == "2026-11-21T07:08:22.123456Z"


def test_what_was_not_measured_is_null_and_not_zero() -> None:
    report = final_report(figures())
    assert report["commit_ms"] is None
    assert report["order_to_fill_ms"] is None
    assert report["heartbeat"]["late_ms"] is None
    assert report["rss_mb_last"] is None


def test_a_single_missing_unit_breaks_the_identity_and_is_told() -> None:
    report = final_report(figures(fees=d("0.0415") + 1))
    assert report["identity"]["holds"] is False
    assert report["identity"]["difference"] == "0.00000001"
    assert "0.00000001 unexplained" in report["problems"][0]


def test_a_loss_is_reported_as_it_is() -> None:
    report = final_report(figures(ending_equity=d("9990"), ending_unrealized=0, realized=d("-9.8135"), positions=()))
    assert report["net_pnl"] == "-10"
    assert report["identity"]["holds"] is True


def test_signals_that_are_lost_or_of_no_known_state_are_told() -> None:
    assert problems(figures(signals_total=5)) == ["5 signals were raised, 4 are accounted for"]
    assert "do not exist: MAYBE" in problems(figures(signals={"EXECUTED": 3, "MAYBE": 1}))[0]


def test_the_band_is_null_until_there_are_profiles_and_text_then() -> None:
    assert set(final_report(figures())["net_pnl_band"].values()) == {None}
    net = figures().net_pnl
    told = figures(net_pnl_pessimistic=net - d("1.5"), net_pnl_optimistic=net + d("4"))
    worse, better = money.text(net - d("1.5")), money.text(net + d("4"))
    assert final_report(told)["net_pnl_band"] == {
        "pessimistic": worse,
        "optimistic": better,
        "lowest": worse,
        "highest": better,
    }


def test_a_band_whose_profiles_are_turned_over_is_still_told_from_lowest_to_highest() -> None:
    net = figures().net_pnl
    told = final_report(figures(net_pnl_pessimistic=net + d("2"), net_pnl_optimistic=net + d("1")))["net_pnl_band"]
    assert (told["lowest"], told["highest"]) == (money.text(net), money.text(net + d("2")))


@pytest.mark.parametrize(
    ("reason", "exit_code", "status"),
    [
        ("duration_complete", 0, "success"),
        ("data_complete", 0, "success"),
        ("operator", 0, "success"),
        ("SIGTERM", 0, "success"),
        ("kill_switch", 0, "success"),
        ("kill_switch", 1, "failed"),
        ("circuit_breaker", 1, "safety_stop"),
        ("max_errors", 1, "safety_stop"),
        ("stale_data", 1, "safety_stop"),
        ("memory", 1, "safety_stop"),
        ("watchdog", 1, "safety_stop"),
        ("task_failed:heartbeat_task", 1, "failed"),
        ("start_failed", 1, "failed"),
        ("error", 1, "failed"),
    ],
)
def test_the_status_follows_the_exit_code_and_the_reason(reason: str, exit_code: int, status: str) -> None:
    assert status_of(reason, exit_code) == status


def test_problems_of_the_ending_come_before_those_of_the_figures() -> None:
    report = final_report(figures(signals_total=9, problems=("closing the feed: TimeoutError()",)))
    assert report["problems"] == ["closing the feed: TimeoutError()", "9 signals were raised, 4 are accounted for"]


def test_a_report_that_agrees_with_the_rows_passes() -> None:
    assert check(msgspec.json.decode(msgspec.json.encode(final_report(figures()))), Rows()) == []


def test_one_digit_of_difference_to_the_rows_is_found() -> None:
    found = check(final_report(figures()), Rows(fees=d("0.0415") + 1, trades=2, signals={"EXECUTED": 3}))
    assert found == [
        "fees_total: the report says '0.0415', the rows give '0.04150001'",
        "trades: the report says 1, the rows give 2",
        "signals.EXECUTED: the report says 2, the rows give 3",
        "signals.REJECTED_BY_HEAT: the report says 1, the rows give 0",
    ]


def test_a_damaged_report_differs_instead_of_raising() -> None:
    assert len(check({"signals": "none"}, Rows())) == 19


def test_an_instant_has_microseconds_and_never_is_null() -> None:
    assert instant(1_000) == "1970-01-01T00:00:00.000001Z"
    assert instant(0) is None


def test_a_ledger_that_does_not_balance_or_agree_is_a_problem() -> None:
    balanced = figures(ledger={"cash": 5, "capital": -5}, ledger_equity=figures().ending_equity)
    assert problems(balanced) == []
    assert final_report(balanced)["ledger"]["sum"] == "0"
    assert "sum to 0.00000001" in problems(figures(ledger={"cash": 6, "capital": -5}))[0]
    assert "the ledger has 1" in problems(figures(ledger_equity=d("1")))[0]
    assert "did not agree: cash" in problems(figures(ledger_difference="cash"))[0]
