"""The runs of a desk, newest first: runs."""

import json
from typing import Any

import msgspec

from console import say
from console.commands.books import ask
from console.commands.where import Where
from console.exits import Exit
from engine.session.lock import holder
from store.records import RunRecord

SECOND_NS = 1_000_000_000
RUNNING = "running"
UNENDED = "did not end in order"


class Run(msgspec.Struct, frozen=True):
    """One start of the desk. What only its final report knows is None where there is none.

    Attributes:
        started_ns, ended_ns: On the run's own clock: of a market that is played, that market's time.
        seconds: From start to end; None while it runs and where it did not end in order.
        reason: Why it ended, or that it has not.
        trades: Closed round trips.
        net_pnl: After fees and funding, in the account's currency.
    """

    run_id: str
    started_ns: int
    ended_ns: int | None
    seconds: float | None
    reason: str
    exit_code: int | None = None
    trades: int | None = None
    net_pnl: str | None = None


def runs(where: Where, limit: int) -> Exit:
    """Print the newest `limit` runs."""
    running = holder(where.home.lock)
    found = [_run(each, running.run_id if running else "") for each in ask(where, lambda queries: queries.runs(limit))]
    if where.json:
        say.as_json([msgspec.to_builtins(each) for each in found])
        return Exit.DONE
    head = ("run (by start, UTC)", "length", "exit", "trades", "net P&L", "reason")
    say.table(head, [_row(each) for each in found])
    return Exit.DONE


def _run(record: RunRecord, running: str) -> Run:
    ended = record.ended_ns
    seconds = None if ended is None else (ended - record.started_ns) / SECOND_NS
    if record.report is None:
        reason = RUNNING if record.run_id == running else record.phase.lower() if ended is not None else UNENDED
        return Run(record.run_id, record.started_ns, ended, seconds, reason)
    report: dict[str, Any] = json.loads(record.report)
    told = {name: report.get(name) for name in ("exit_code", "trades", "net_pnl")}
    reason = str(report.get("reason", record.phase.lower()))
    return Run(record.run_id, record.started_ns, ended, seconds, reason, **told)


def _row(run: Run) -> tuple[str, ...]:
    length = "-" if run.seconds is None else say.span(run.seconds)
    figures = ("-" if value is None else str(value) for value in (run.exit_code, run.trades, run.net_pnl))
    return (run.run_id, length, *figures, run.reason)
