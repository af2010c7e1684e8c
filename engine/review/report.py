"""The final report of one run: every figure others rely on, computed from exact sums, and checked against the books.

`RunFigures` is filled by the session from the core's tally and its own gauges; `final_report` turns it into the
content of `final_report.json`. `problems` and `check` say what does not add up, in words; an honest report with a
problem is written all the same. Money leaves here as decimal text, never as a float.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Final, Protocol

import msgspec

from engine.core import money
from engine.core.config import StrategySpec
from engine.core.profiles import band
from engine.core.view import BreakerView, ErrorView, PositionView, RefusedView
from engine.core.words import TerminalState
from engine.review import dealing
from engine.review.conditions import ConditionFigures, strategies_told, told
from engine.review.dealing import DealingFigures, reject_rate
from engine.review.moments import date_text, instant

SCHEMA: Final = 1
"""Version of the report's shape; raised when a key changes its meaning."""

SAFETY_STOPS: Final = frozenset(
    {"circuit_breaker", "max_errors", "stale_data", "feed_lost", "watchdog", "memory", "lock_lost", "journal_failed"}
)
"""Reasons for which the desk ends itself to keep its owner from harm."""

_SECOND_NS: Final = 1_000_000_000


class RunStatus(StrEnum):
    """How a run ended, in one word. SUCCESS and nothing else goes with exit code 0."""

    SUCCESS = "success"  # its time or data was over, an operator stopped it, or a kill shut down cleanly
    SAFETY_STOP = "safety_stop"  # the desk stopped itself: breaker, stale data, watchdog, memory …
    FAILED = "failed"  # an error, or a start that could not be made good


class Percentiles(msgspec.Struct, frozen=True):
    """A distribution in four integers, in the unit its field names; all 0 without samples."""

    p50: int = 0
    p95: int = 0
    p99: int = 0
    max: int = 0


class RunFigures(msgspec.Struct, frozen=True, kw_only=True):
    """All that a report is made of. Money scaled, times in nanoseconds, `_us` in microseconds. None: not measured.

    Attributes:
        duration_ns: From RUNNING to the end on the session's clock; 0 if RUNNING was never reached.
        autonomous: No operator acted during the run.
        starting_equity: Equity when the run began, open positions at their marks included.
        starting_unrealized: The part of it that was unrealized.
        realized: Of the run's fills, before fees and funding.
        fees: Paid by the run's fills; rebates count negative.
        funding: Paid on positions during the run; negative when more was received.
        signals: Of the run's signals, how many ended in each terminal state.
        signal_reasons: The same signals by reason code.
        halts: Circuit breakers that were tripped at the end.
        data_refused: The frames and rows of `data_rejects` by cause.
        errors: The errors of `error_count` by fingerprint.
        positions: Left open at the end.
        strategies: Those of the run, as they were configured.
        conditions: Regimes and market phases it met.
        dealing: Orders by day, slippage.
        ledger: The double entry's accounts by name at the end; they sum to zero.
        ledger_equity: Equity by the ledger; None where it was not kept.
        ledger_difference: What it found in the desk's books, in words; empty if nothing.
        net_pnl_pessimistic: Net profit under the pessimistic execution profile; None while there is none, and then the
            band in the report is null: a missing band is never replaced by the plain figure.
        net_pnl_optimistic: The same under the optimistic profile.
        paper_start_day: First day of the paper period, since 1970; None: none was set.
        paper_days: Trading days from it to the end of the run, both included; None: they cannot be told.
        program: Fingerprint of the files it was started from; empty: not known.
        program_replaced: Those of them that were other ones at the end.
        unpinned: Libraries of other versions than the program was tried with.
        lost_lines: Log and event lines that could not be written.
        outage_ns: How long the paper desk was away before the run with something in the market; 0: not at all.
        outage_fills: What the bars of that time filled.
        problems: What went wrong while the run was being ended, for people.
    """

    run_id: str
    env: str
    venue: str
    broker: str
    source: str
    clock: str
    seed: int
    version: str
    config_hash: str
    started_ns: int
    ended_ns: int
    duration_ns: int
    reason: str
    exit_code: int
    error_count: int
    autonomous: bool
    starting_equity: int
    ending_equity: int
    starting_unrealized: int
    ending_unrealized: int
    realized: int
    fees: int
    funding: int
    trades: int
    orders: int
    fills: int
    rejects: int
    signals_total: int
    signals_in_flight: int
    signals: Mapping[str, int]
    market_events: int
    decision_hash: str
    journal_head: str
    journal_rows: int
    heartbeat_count: int
    heartbeat_max_gap_ns: int
    loop_lag_us: Percentiles
    tick_to_decision_us: Percentiles
    rss_bytes_peak: int
    dropped_ticks: int
    gap_count: int
    stale_events: int
    heartbeat_late_us: Percentiles | None = None
    commit_us: Percentiles | None = None
    order_to_fill_us: Percentiles | None = None
    rss_bytes_last: int | None = None
    rss_bytes_hour: int | None = None
    descriptors: int = 0
    descriptors_hour: int | None = None
    threads: int = 0
    unhealthy_beats: int = 0
    signal_reasons: Mapping[str, int] = {}
    program: str = ""
    program_replaced: tuple[str, ...] = ()
    unpinned: tuple[str, ...] = ()
    journal_signed: Mapping[str, Any] | None = None
    data_rejects: int = 0
    data_refused: tuple[RefusedView, ...] = ()
    errors: tuple[ErrorView, ...] = ()
    halts: tuple[BreakerView, ...] = ()
    positions: tuple[PositionView, ...] = ()
    strategies: tuple[StrategySpec, ...] = ()
    conditions: ConditionFigures = ConditionFigures()
    dealing: DealingFigures = DealingFigures()
    ledger: Mapping[str, int] = {}
    ledger_equity: int | None = None
    ledger_difference: str = ""
    net_pnl_pessimistic: int | None = None
    net_pnl_optimistic: int | None = None
    paper_start_day: int | None = None
    paper_days: int | None = None
    lost_lines: int = 0
    outage_ns: int = 0
    outage_fills: int = 0
    problems: tuple[str, ...] = ()

    @property
    def net_pnl(self) -> int:
        return self.ending_equity - self.starting_equity

    @property
    def explained_pnl(self) -> int:
        """What the books say the run made: realized, plus the change of unrealized, less fees and funding."""
        return self.realized + self.ending_unrealized - self.starting_unrealized - self.fees - self.funding


class Totals(Protocol):
    """The same run in figures computed from the rows of the database, each by itself; `store`'s `RunSummary` is one."""

    @property
    def starting_equity(self) -> int: ...
    @property
    def equity(self) -> int: ...
    @property
    def realized(self) -> int: ...
    @property
    def fees(self) -> int: ...
    @property
    def funding(self) -> int: ...
    @property
    def trades(self) -> int: ...
    @property
    def orders(self) -> int: ...
    @property
    def orders_rejected(self) -> int: ...
    @property
    def fills(self) -> int: ...
    @property
    def errors(self) -> int: ...
    @property
    def signals_total(self) -> int: ...
    @property
    def signals_in_flight(self) -> int: ...
    @property
    def signals(self) -> Mapping[str, int]: ...


def status_of(reason: str, exit_code: int) -> RunStatus:
    """The run's status by its exit code and reason (a reason may carry a detail after a colon)."""
    if exit_code == 0:
        return RunStatus.SUCCESS
    return RunStatus.SAFETY_STOP if reason.partition(":")[0] in SAFETY_STOPS else RunStatus.FAILED


def final_report(f: RunFigures) -> dict[str, Any]:
    """The content of `final_report.json`: plain JSON values, keys in reading order."""
    return {
        "schema": SCHEMA,
        **_origin(f),
        **_ending(f),
        **_result(f),
        **_activity(f),
        "conditions": told(f.conditions),
        "strategies": strategies_told(f.strategies, f.conditions.switches),
        **_evidence(f),
        **_health(f),
        "problems": [*f.problems, *problems(f)],
    }


def problems(f: RunFigures) -> list[str]:
    """What in the figures contradicts itself, one sentence each; empty when everything adds up."""
    found = []
    if f.net_pnl != f.explained_pnl:
        found.append(
            f"net_pnl {money.text(f.net_pnl)} is not realized + unrealized change - fees - funding "
            f"= {money.text(f.explained_pnl)}: {money.text(f.net_pnl - f.explained_pnl)} unexplained"
        )
    accounted = sum(_six(f.signals).values()) + f.signals_in_flight
    if f.signals_total != accounted:
        found.append(f"{f.signals_total} signals were raised, {accounted} are accounted for")
    if total := sum(f.ledger.values()):
        found.append(f"the ledger's accounts sum to {money.text(total)} and not to zero")
    if f.ledger_equity is not None and f.ledger_equity != f.ending_equity:
        found.append(f"equity is {money.text(f.ending_equity)}, the ledger has {money.text(f.ledger_equity)}")
    if f.ledger_difference:
        found.append(f"the desk's books and its ledger did not agree: {f.ledger_difference}")
    strange = sorted(set(f.signals) - {state.value for state in TerminalState})
    if strange:
        found.append(f"signals ended in states that do not exist: {', '.join(strange)}")
    return found


def check(report: Mapping[str, Any], rows: Totals) -> list[str]:
    """Where a report and the database differ, one sentence each; they agree to the last digit or not at all.

    `report` is the decoded content of `final_report.json`. A key that is missing counts as a difference.
    """
    signals = {"total": rows.signals_total, **_six(rows.signals)}
    expected: dict[str, Any] = {
        "starting_equity": money.text(rows.starting_equity),
        "ending_equity": money.text(rows.equity),
        "net_pnl": money.text(rows.equity - rows.starting_equity),
        "realized_pnl": money.text(rows.realized),
        "fees_total": money.text(rows.fees),
        "funding_total": money.text(rows.funding),
        "trades": rows.trades,
        "orders_submitted": rows.orders,
        "fills_count": rows.fills,
        "rejects_count": rows.orders_rejected,
        "error_count": rows.errors,
        "signals_in_flight": rows.signals_in_flight,
    }
    found = [
        f"{key}: the report says {report.get(key)!r}, the rows give {value!r}"
        for key, value in expected.items()
        if report.get(key) != value
    ]
    told = report.get("signals")
    told = told if isinstance(told, Mapping) else {}
    for key, value in signals.items():
        if told.get(key) != value:
            found.append(f"signals.{key}: the report says {told.get(key)!r}, the rows give {value!r}")
    return found


# --- the parts of the report ---


def _origin(f: RunFigures) -> dict[str, Any]:
    return {
        "run_id": f.run_id,
        "env": f.env,
        "venue": f.venue,
        "broker": f.broker,
        "source": f.source,
        "clock": f.clock,
        "seed": f.seed,
        "version": f.version,
        "config_hash": f.config_hash,
        "paper_period": _paper_period(f),
    }


def _paper_period(f: RunFigures) -> dict[str, Any] | None:
    """The first day of the paper period and the trading days from it to this run's last; None where none was set."""
    if f.paper_start_day is None:
        return None
    return {"start": date_text(f.paper_start_day), "days": f.paper_days}


def _ending(f: RunFigures) -> dict[str, Any]:
    return {
        "started_at": instant(f.started_ns),
        "ended_at": instant(f.ended_ns),
        "duration_seconds": round(f.duration_ns / _SECOND_NS, 3),
        "iterations": f.market_events,
        "status": status_of(f.reason, f.exit_code).value,
        "reason": f.reason,
        "exit_code": f.exit_code,
        "error_count": f.error_count,
        "autonomous": f.autonomous,
        "errors": errors_json(f.errors),
        "halts": [
            {"breaker": one.name, "text": one.text, "since": instant(one.since_ns), "lifted_by": one.lifts}
            for one in f.halts
        ],
    }


def errors_json(kinds: Sequence[ErrorView]) -> list[dict[str, Any]]:
    """Errors by fingerprint, the most frequent first, each with the first one as its example."""
    return [
        {
            "fingerprint": one.fingerprint,
            "where": one.where,
            "example": one.text,
            "count": one.count,
            "first": instant(one.first_ns),
            "last": instant(one.last_ns),
        }
        for one in kinds
    ]


def band_json(own: int, pessimistic: int | None, optimistic: int | None) -> dict[str, str | None]:
    """A run's result under each execution profile, and the lowest and highest of these and its own."""
    lowest, highest = band(own, pessimistic, optimistic) or (None, None)
    return {
        "pessimistic": _text(pessimistic),
        "optimistic": _text(optimistic),
        "lowest": _text(lowest),
        "highest": _text(highest),
    }


def _result(f: RunFigures) -> dict[str, Any]:
    change = f.ending_unrealized - f.starting_unrealized
    return {
        "starting_equity": money.text(f.starting_equity),
        "ending_equity": money.text(f.ending_equity),
        "net_pnl": money.text(f.net_pnl),
        "net_pnl_band": band_json(f.net_pnl, f.net_pnl_pessimistic, f.net_pnl_optimistic),
        "realized_pnl": money.text(f.realized),
        "fees_total": money.text(f.fees),
        "funding_total": money.text(f.funding),
        "unrealized_start": money.text(f.starting_unrealized),
        "unrealized_end": money.text(f.ending_unrealized),
        "identity": {
            "rule": "net_pnl = realized_pnl + unrealized_change - fees_total - funding_total",
            "unrealized_change": money.text(change),
            "explained_pnl": money.text(f.explained_pnl),
            "difference": money.text(f.net_pnl - f.explained_pnl),
            "holds": f.net_pnl == f.explained_pnl,
        },
        "ledger": {
            "accounts": {account: money.text(amount) for account, amount in f.ledger.items()},
            "sum": money.text(sum(f.ledger.values())),
            "equity": _text(f.ledger_equity),
            "difference": f.ledger_difference or None,
        },
        "positions_open": [_position(position) for position in f.positions],
    }


def _activity(f: RunFigures) -> dict[str, Any]:
    return {
        "trades": f.trades,
        "orders_submitted": f.orders,
        "fills_count": f.fills,
        "rejects_count": f.rejects,
        "reject_rate": reject_rate(f.orders, f.rejects),
        **dealing.told(f.dealing),
        "signals": {"total": f.signals_total, **_six(f.signals)},
        "signals_in_flight": f.signals_in_flight,
        "signal_reasons": dict(sorted(f.signal_reasons.items(), key=lambda one: (-one[1], one[0]))),
    }


def _evidence(f: RunFigures) -> dict[str, Any]:
    return {
        "decision_hash": f.decision_hash,
        "journal_head": f.journal_head,
        "journal_rows": f.journal_rows,
        "journal_signed": f.journal_signed,
        "program": {
            "fingerprint": f.program or None,
            "replaced": list(f.program_replaced),
            "unpinned": list(f.unpinned),
        },
    }


def _health(f: RunFigures) -> dict[str, Any]:
    return {
        "heartbeat": {
            "count": f.heartbeat_count,
            "max_gap_seconds": round(f.heartbeat_max_gap_ns / _SECOND_NS, 3),
            "late_ms": _milliseconds(f.heartbeat_late_us),
            "unhealthy": f.unhealthy_beats,
        },
        "loop_lag_ms": _milliseconds(f.loop_lag_us),
        "tick_to_decision_us": msgspec.structs.asdict(f.tick_to_decision_us),
        "commit_ms": _milliseconds(f.commit_us),
        "order_to_fill_ms": _milliseconds(f.order_to_fill_us),
        "rss_mb_peak": _megabytes(f.rss_bytes_peak),
        "rss_mb_last": _megabytes(f.rss_bytes_last),
        "rss_mb_per_hour": _megabytes(f.rss_bytes_hour),
        "descriptors": f.descriptors,
        "descriptors_per_hour": f.descriptors_hour,
        "threads": f.threads,
        "dropped_ticks": f.dropped_ticks,
        "gap_count": f.gap_count,
        "stale_events": f.stale_events,
        "data_rejects": f.data_rejects,
        "data_refused": [msgspec.structs.asdict(refused) for refused in f.data_refused],
        "lost_lines": f.lost_lines,
        "outage_gap": {"seconds": round(f.outage_ns / _SECOND_NS, 3), "fills": f.outage_fills} if f.outage_ns else None,
    }


def _position(p: PositionView) -> dict[str, Any]:
    return {
        "symbol": p.symbol,
        "side": p.side.value,
        "qty": money.text(p.qty),
        "entry": money.text(p.entry),
        "mark": money.text(p.mark),
        "unrealized": money.text(p.unrealized),
        "strategy_id": p.strategy_id,
    }


def _six(signals: Mapping[str, int]) -> dict[str, int]:
    return {state.value: signals.get(state.value, 0) for state in TerminalState}


def _milliseconds(us: Percentiles | None) -> dict[str, float] | None:
    return None if us is None else {name: value / 1_000 for name, value in msgspec.structs.asdict(us).items()}


def _megabytes(size: int | None) -> float | None:
    return None if size is None else round(size / 1_000_000, 1)


def _text(amount: int | None) -> str | None:
    return None if amount is None else money.text(amount)
