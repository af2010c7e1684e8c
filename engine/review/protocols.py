"""The four protocols: ten minutes alone, three days, a week, and an audit of trading days."""

from collections.abc import Callable
from typing import Final

from engine.core import money
from engine.core.config import DAY, MINUTE
from engine.core.times import stretch
from engine.review import criteria
from engine.review.evidence import Thresholds
from engine.review.protocol import About, Criterion, Protocol

SUCCESS: Final = "success"
FAILURE: Final = "failure"
RUBRIC: Final = "rubric"
CASES: Final = "cases"
ALL: Final = "all"

GRACEFUL: Final = "GRACEFUL SHUTDOWN INITIATED"
MEMORY: Final = "CRITICAL: Memory Limit Exceeded"
FROZEN: Final = "WATCHDOG_FATAL: Main loop frozen"
NOT_LOADED: Final = "Failed to load state"
LITERALS: Final = (GRACEFUL, MEMORY, FROZEN, NOT_LOADED)
"""The phrases a protocol looks for in the log."""

AUTONOMY_NS: Final = 10 * MINUTE
AUDIT_DAYS: Final = (14, 30)
AUDIT_DAYS_USUAL: Final = 16
_Limit = Callable[[Thresholds], str]
_ON: Final = About.RELIABILITY
_GAP_S: Final = 5.0


def _is(text: str) -> _Limit:
    return lambda _: text


def _errors(limits: Thresholds) -> str:
    return f"at most {limits.errors_max_per_day}"


def _errors_daily(days: int) -> _Limit:
    return lambda limits: f"at most {days * limits.errors_max_per_day}"


def _memory(limits: Thresholds) -> str:
    return f"below {limits.memory_max_bytes // 1_000_000} MB"


def _autonomy() -> tuple[Criterion, ...]:
    """Nine of success, seven of failure, ten points of a rubric, and the test cases a run can show."""
    c = criteria
    return (
        Criterion("full_duration", "The run lasts its whole time", SUCCESS, _ON, _is("10m"), c.duration),
        Criterion("no_crash", "It does not crash", SUCCESS, _ON, _is("exit code 0"), c.ended_in_order),
        Criterion("few_errors", "Errors are few", SUCCESS, _ON, _errors, c.errors()),
        Criterion(
            "data_continuity",
            "The data has no gap",
            SUCCESS,
            _ON,
            _is("none (told, not required)"),
            c.none_of("gaps", "feed_notes"),
            decides=False,
        ),
        Criterion(
            "heartbeat", "A heartbeat comes about every second", SUCCESS, _ON, _is("0.8 a second or more"), c.regular
        ),
        Criterion(
            "state_exported",
            "The state is exported at the end",
            SUCCESS,
            _ON,
            _is("state.json"),
            c.file_of("state.json"),
        ),
        Criterion("final_memory", "Memory is bounded at the end", SUCCESS, _ON, _memory, c.memory("rss_mb_last")),
        Criterion("graceful", "The end is in order", SUCCESS, _ON, _is(GRACEFUL), c.literal(GRACEFUL, wanted=True)),
        Criterion("summary", "The summary is written", SUCCESS, _ON, _is("summary.html"), c.file_of("summary.html")),
        Criterion("crash", "A crash before the end", FAILURE, _ON, _is("none"), c.no_crash),
        Criterion("memory_exceeded", "The memory limit is exceeded", FAILURE, _ON, _is("never"), c.literal(MEMORY)),
        Criterion("frozen", "The main loop freezes", FAILURE, _ON, _is("never"), c.literal(FROZEN)),
        Criterion(
            "breaker", "A circuit breaker trips", FAILURE, _ON, _is("none"), c.none_of("breakers", "breaker_changes")
        ),
        Criterion("stale", "The order book goes stale", FAILURE, _ON, _is("never"), c.none_of("stale", "feed_notes")),
        Criterion("many_errors", "There are too many errors", FAILURE, _ON, _errors, c.errors()),
        Criterion("not_loaded", "The state cannot be loaded", FAILURE, _ON, _is("never"), c.literal(NOT_LOADED)),
        Criterion("point_1", "Duration", RUBRIC, _ON, _is("10m or more"), c.duration),
        Criterion("point_2", "Exit code", RUBRIC, _ON, _is("0"), c.ended_in_order),
        Criterion("point_3", "Errors", RUBRIC, _ON, _errors, c.errors()),
        Criterion(
            "point_4", "Longest pause between heartbeats", RUBRIC, _ON, _is("5 s"), c.beats(_GAP_S), may_miss=True
        ),
        Criterion("point_5", "State file", RUBRIC, _ON, _is("state.json"), c.file_of("state.json")),
        Criterion("point_6", "Graceful end", RUBRIC, _ON, _is(GRACEFUL), c.literal(GRACEFUL, wanted=True)),
        Criterion("point_7", "Peak memory", RUBRIC, _ON, _memory, c.memory("rss_mb_peak")),
        Criterion(
            "point_8",
            "Summary and report",
            RUBRIC,
            _ON,
            _is("summary.html, final_report.json"),
            c.file_of("summary.html", "final_report.json"),
        ),
        Criterion("point_9", "Net P&L adds up", RUBRIC, _ON, _is("ending - starting"), c.net_is_the_difference),
        Criterion("point_10", "No secret in any output", RUBRIC, _ON, _is("none"), c.no_secrets),
        Criterion(
            "TC-01", "The run has no error at all", CASES, _ON, _is("0"), c.none_of("errors", "errors"), decides=False
        ),
    )


def _integrity() -> tuple[Criterion, ...]:
    """What every protocol of days asks of the record."""
    c = criteria
    return (
        Criterion("signals_kept", "No signal is lost", ALL, _ON, _is("all ended"), c.none_of("unended", "signals")),
        Criterion("no_open_mismatch", "Books and broker agree", ALL, _ON, _is("none open"), c.no_open_mismatch),
        Criterion("unchanged", "Code and configuration stay", ALL, _ON, _is("as fixed"), c.unchanged),
        Criterion("autonomous", "Nobody intervenes", ALL, _ON, _is("no act"), c.autonomous),
        Criterion("honest", "The reports say what the rows say", ALL, _ON, _is("no difference"), c.honest),
        Criterion("journal_proven", "The journal is as it was written", ALL, _ON, _is("proven"), c.proven),
    )


def _lasting(length_ns: int) -> tuple[Criterion, ...]:
    c = criteria
    return (
        Criterion("whole_time", "It lasts its whole time", ALL, _ON, _is(stretch(length_ns)), c.whole_time),
        Criterion(
            "uptime", "The desk is up", ALL, _ON, lambda t: f"{t.uptime_min * 100 // money.SCALE} % or more", c.uptime
        ),
        Criterion(
            "outages",
            "Pauses are few and short",
            ALL,
            _ON,
            lambda t: f"at most {t.outages_max}, each within {stretch(t.outage_max_ns)}",
            c.outages,
        ),
    )


def _three_days() -> tuple[Criterion, ...]:
    c, pnl = criteria, About.ECONOMICS
    return (
        *_lasting(3 * DAY),
        Criterion("errors", "Errors are few", ALL, _ON, _errors_daily(3), c.errors(per_day=True)),
        Criterion(
            "no_kill", "The kill switch stays untouched", ALL, _ON, _is("none"), c.none_of("kills", "kill_changes")
        ),
        *_integrity(),
        Criterion(
            "drawdown",
            "Equity falls little from its peak",
            ALL,
            pnl,
            lambda t: f"at most {t.drawdown_max * 100 // money.SCALE} %",
            c.drawdown,
        ),
        Criterion("frequency", "It trades", ALL, pnl, lambda t: f"{t.trades_min} round trips or more", c.frequency),
        Criterion(
            "win_rate",
            "Trades are won",
            ALL,
            pnl,
            lambda t: f"{t.win_rate_min * 100 // money.SCALE} % or more",
            c.win_rate,
        ),
        Criterion(
            "sharpe",
            "Return pays for its spread",
            ALL,
            pnl,
            lambda t: f"{t.sharpe_min / money.SCALE:.2f} or more",
            c.sharpe,
        ),
    )


def _week() -> tuple[Criterion, ...]:
    c = criteria
    return (
        *_lasting(7 * DAY),
        Criterion("no_error", "No error happens", ALL, _ON, _is("0"), c.none_of("errors", "errors")),
        Criterion("no_crash", "No run crashes", ALL, _ON, _is("none"), c.no_crash),
        *_integrity(),
    )


def _audit() -> tuple[Criterion, ...]:
    """All of fifteen: stability, risk discipline, observability, integrity, honesty. None is about profit."""
    c = criteria

    return (
        Criterion("every_day", "It runs on every scheduled day", "stability", _ON, _is("all days"), c.every_day),
        Criterion(
            "no_open_mismatch",
            "No mismatch with the broker stays unresolved",
            "stability",
            _ON,
            _is("none open"),
            c.no_open_mismatch,
        ),
        Criterion(
            "signals_kept",
            "No signal is lost in silence",
            "stability",
            _ON,
            _is("all ended"),
            c.none_of("unended", "signals"),
        ),
        Criterion(
            "no_unintended", "No trade is unintended", "stability", _ON, _is("none"), c.none_of("unintended", "fills")
        ),
        Criterion(
            "heat_kept",
            "Heat never exceeds its limit",
            "risk",
            _ON,
            _is("never"),
            c.none_of("above_heat", "heat_notes"),
        ),
        Criterion(
            "breakers_respected",
            "Breakers are respected",
            "risk",
            _ON,
            _is("no entry under one"),
            c.none_of("disobeyed", "orders"),
        ),
        Criterion(
            "no_spikes",
            "Exposure does not jump on a regime change",
            "risk",
            _ON,
            _is("never"),
            c.none_of("spikes", "exposure_spikes"),
        ),
        Criterion(
            "artifacts", "Every day leaves its artifact", "observability", _ON, _is("100 % of days"), c.artifacts
        ),
        Criterion(
            "traceable", "Every trade can be traced", "observability", _ON, _is("all"), c.none_of("untraced", "trades")
        ),
        Criterion(
            "reasons",
            "Every rejection has a reason",
            "observability",
            _ON,
            _is("all"),
            c.none_of("unexplained", "outcomes"),
        ),
        Criterion(
            "no_parameter_change",
            "No parameter changes",
            "integrity",
            _ON,
            _is("one configuration"),
            c.same_parameters,
        ),
        Criterion(
            "no_tuning", "Nothing is tuned: code and strategy stay", "integrity", _ON, _is("as fixed"), c.same_code
        ),
        Criterion("no_override", "Nobody overrides the desk", "integrity", _ON, _is("no act"), c.autonomous),
        Criterion("honest", "Performance is reported unchanged", "honesty", _ON, _is("no difference"), c.honest),
        Criterion("zero_days", "Days without a trade are documented", "honesty", _ON, _is("all"), c.zero_days),
    )


PROTOCOLS: Final = {
    each.name: each
    for each in (
        Protocol("autonomy", AUTONOMY_NS, _autonomy(), resumes=False),
        Protocol("72h", 3 * DAY, _three_days()),
        Protocol("week", 7 * DAY, _week()),
        Protocol("audit", AUDIT_DAYS_USUAL * DAY, _audit(), days=AUDIT_DAYS),
    )
}
