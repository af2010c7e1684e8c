"""The words in the logs: the tokens other programs look for, and one line that says how the desk is."""

import logging
from typing import Any

import msgspec
import pytest

from engine.core.config import SECOND
from engine.core.events import FeedHealth, SessionPhase
from engine.core.facts import (
    AnyFact,
    BreakerChanged,
    EquityMarked,
    ErrorCounted,
    FeedNoted,
    KillChanged,
    PhaseChanged,
    TradeClosed,
)
from engine.core.view import BlockView, DeskView, FeedView, HeartbeatView, NoteView
from engine.core.words import BreakerName, ExitReason, Side, TerminalState
from engine.session import lines
from engine.session.lines import closing_lines, event_line, log_line, overflow_line, status_line
from engine.session.viewing import Progress, RunFacts, desk_view
from tests.rig import START_NS, Rig, d


def view(**changes: Any) -> DeskView:
    """A desk an hour into ninety minutes, two signals ended, 12.34 up."""
    rig = Rig()
    run = RunFacts("paper", "run1", "sim", "paper", "generated", "wall", 7, 1, 5400 * SECOND)
    beat = HeartbeatView(count=3600, last_ns=START_NS - 400_000_000)
    plain = desk_view(rig.engine, run, Progress(START_NS, START_NS, 3661 * SECOND, "", beat, (), 1, "ab"))
    settled = {
        "equity": d("10012.34"),
        "heat": d("0.0031"),
        "signals": {state.value: 0 for state in TerminalState} | {"EXECUTED": 1, "REJECTED_BY_HEAT": 1},
        "signal_reasons": {"filled": 1, "max_positions": 1},
        "signals_total": 3,
        "signals_in_flight": 1,
        "feeds": (FeedView("BTCUSDT", FeedHealth.LIVE, START_NS - 1_250_000_000, d("100"), d("100.1")),),
    }
    return msgspec.structs.replace(plain, **(settled | changes))


def block(reason: str) -> BlockView:
    return BlockView(reason, "why", "how", START_NS)


def test_the_status_line_says_how_the_desk_is() -> None:
    assert status_line(view()) == (
        "00:00:00Z PAPER RUNNING 1:01:01/1:30:00 | equity 10012.34 +12.34 pos 0 heat 0.31/1.00% open "
        "| beat 0.4s feed 1.2s | 3 signals: 1 executed, 1 in flight, 1 max_positions"
    )


def test_the_status_line_is_always_one_line_of_at_most_200_printable_characters() -> None:
    hostile = view(
        equity=d("-123456789012.34"),
        elapsed_ns=400 * 24 * 3600 * SECOND,
        blocks=tuple(block(f"rea\x1b[2Json_{n}_{'x' * 50}\n") for n in range(9)),
        signals={state.value: 99_999 for state in TerminalState},
        signals_total=599_994,
    )
    line = status_line(hostile)
    assert len(line) <= 200
    assert line.isprintable()
    assert "-123456789012.34" in line
    assert "blocked reason_0" in line


def test_the_status_line_names_what_blocks_entries() -> None:
    line = status_line(view(blocks=(block("kill"), block("operator"), block("breaker"), block("stale_data"))))
    assert " blocked kill,operator,breaker+1 |" in line


def test_refusals_are_counted_by_reason_and_those_without_room_as_other() -> None:
    many = {"EXECUTED": 18, "REJECTED_BY_HEAT": 44, "REJECTED_BY_BROKER": 9}
    causes = {"filled": 18, "heat": 2, "cancelled_unfilled": 6, "rate_limit_exceeded": 3, "max_positions": 42}
    told = view(signals=many, signal_reasons=causes, signals_total=71, signals_in_flight=0)
    line = status_line(msgspec.structs.replace(told, clock="virtual", duration_ns=0))
    assert line.endswith("42 max_positions, 6 cancelled_unfilled, 3 rate_limit_exceeded, 2 heat")
    short = status_line(view(signals=many, signal_reasons=causes, signals_total=71, duration_ns=10**15))
    assert short.endswith("| 71 signals: 18 executed, 1 in flight, 42 max_positions, 11 other")
    unnamed = status_line(view(signals=many, signals_total=71, signals_in_flight=0, signal_reasons={}))
    assert unnamed.endswith("| 71 signals: 18 executed, 53 refused")


def test_a_refusal_under_a_kill_is_told_as_kill() -> None:
    killed = view(signals={"REJECTED_BY_CIRCUIT_BREAKER": 13}, signal_reasons={"kill": 13}, signals_total=13)
    assert status_line(killed).endswith("13 kill")


def test_the_last_words_of_a_run_say_what_still_stops_the_desk() -> None:
    assert closing_lines(view(phase_text="duration_complete")) == [
        "duration_complete: 0 trades, net P&L 12.34, equity 10012.34"
    ]
    (banded,) = closing_lines(view(net_pnl_pessimistic=1_500_000_000, net_pnl_optimistic=1_400_000_000))
    assert "net P&L 12.34 (12.34 to 15.00 over execution profiles)" in banded, "worse fills were the better ones here"
    plain = view().breakers
    loss = msgspec.structs.replace(
        next(one for one in plain if one.name == "daily_loss"),
        **{"tripped": True, "text": "50.12 >= 50.00", "since_ns": START_NS, "lifts": "the next trading day"},
    )
    soft = msgspec.structs.replace(next(one for one in plain if one.name == "phase_unknown"), tripped=True)
    halted = closing_lines(view(breakers=(loss, soft), kill_latched=True))
    assert halted[1:] == [
        "HALTED by daily_loss: 50.12 >= 50.00 since 2026-01-01 00:00:00Z; lifted by the next trading day",
        "KILLED: the kill is latched, also over restarts; nightdesk rearm shows how to clear it",
    ]


def test_before_the_first_data_ages_are_never_and_a_run_without_end_has_no_duration() -> None:
    line = status_line(
        view(feeds=(), heartbeat=HeartbeatView(), duration_ns=0, phase=SessionPhase.SEEDING_HISTORY, elapsed_ns=0)
    )
    assert "PAPER SEEDING_HISTORY 0:00:00 |" in line
    assert "beat never feed never" in line


def test_the_age_of_a_beat_is_shown_only_where_time_is_the_walls() -> None:
    assert "| feed 1.2s |" in status_line(view(clock="virtual"))


@pytest.mark.parametrize(
    ("fact", "level", "start"),
    [
        (
            BreakerChanged(1, BreakerName.DAILY_LOSS, True, d("50"), d("50"), "50 >= 50", "halt_day"),
            logging.WARNING,
            "CIRCUIT BREAKER TRIPPED daily_loss: 50 >= 50",
        ),
        (FeedNoted(1, "BTCUSDT", "GAP_DETECTED", "3 bars missing", 3), logging.WARNING, "GAP_DETECTED BTCUSDT 3 bars"),
        (FeedNoted(1, "BTCUSDT", "ORDER_BOOK_STALE", "silent", 3), logging.WARNING, "ORDER_BOOK_STALE BTCUSDT silent"),
        (FeedNoted(1, "BTCUSDT", "FEED_LIVE", "back", 3), logging.INFO, "FEED_LIVE BTCUSDT back"),
        (KillChanged(1, True, "file", "nightdesk", "because"), logging.WARNING, "KILLED by file"),
    ],
)
def test_a_fact_is_logged_under_its_token(fact: AnyFact, level: int, start: str) -> None:
    line = log_line(7, fact)
    assert line is not None
    assert line.level == level
    assert line.message.startswith(start)
    assert line.meta["seq"] == 7


def test_small_facts_and_errors_already_logged_are_left_out() -> None:
    assert log_line(1, EquityMarked(1, 0, 0, 0, 0, 0, 0, 0, 0, 0)) is None
    assert log_line(1, ErrorCounted(1, "feed", "text", "f")) is None
    assert log_line(1, PhaseChanged(1, "RUNNING", "SHUTTING_DOWN", "over")) is None


def test_a_log_line_carries_its_symbol_and_reaches_the_log(caplog: pytest.LogCaptureFixture) -> None:
    fact = TradeClosed(
        *(1, "t", "s", "trend", "ETHUSDT", Side.LONG, d("1"), d("1"), d("2"), 0, d("1"), 0, 0),
        *(ExitReason.TP, "UP", "UNKNOWN"),
    )
    line = log_line(1, fact)
    assert line is not None
    with caplog.at_level(logging.INFO):
        line.write()
    assert caplog.records[0].message == "ETHUSDT LONG closed by TP: 1.00"
    assert caplog.records[0].__dict__["meta"]["symbol"] == "ETHUSDT"


def test_an_overflow_says_how_many_ticks() -> None:
    line = overflow_line(12, 40)
    assert line.message == "QUEUE_OVERFLOW: 12 ticks conflated"
    assert line.meta == {"dropped": 12, "total": 40}


def test_an_event_for_people_is_one_clean_line() -> None:
    told = NoteView(1, START_NS, "warning", "feed", "said\x1b[2J\nso")
    assert event_line(told) == "2026-01-01 00:00:00Z WARNING feed: said so"


def test_the_tokens_are_the_ones_agreed_on() -> None:
    assert lines.TOKENS == (
        "GRACEFUL SHUTDOWN INITIATED",
        "CIRCUIT BREAKER TRIPPED",
        "GAP_DETECTED",
        "ORDER_BOOK_STALE",
        "QUEUE_OVERFLOW",
        "WATCHDOG_FATAL: Main loop frozen",
        "CRITICAL: Memory Limit Exceeded",
        "Failed to load state",
    )
