"""`report.md`: one run in words and plain tables, to be read anywhere and kept beside other papers."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from engine.core import money
from engine.core.config import DAY
from engine.core.facts import TradeClosed
from engine.review.advice import ADVISORY
from engine.review.analysis import Breakdown
from engine.review.metrics import average
from engine.review.moments import date_text
from engine.review.performance import Performance
from engine.review.reviewed import Review
from engine.review.text import NONE, bullets, incidents, plain, table

BASELINE: Final = (
    "No historical baseline was compared here: `nightdesk report --compare` sets this run beside another one, or "
    "beside the `report.json` of one on recorded data."
)


def essay(of: Review) -> str:
    """The whole text."""
    report = of.report
    parts = [
        f"# {report['env'].upper()} run {plain(report['run_id'])}",
        _origin(report),
        "## Timeline summary\n\n" + _timeline(report, of.performance),
        "## Daily trade counts\n\n" + _days(report, of.trades, of.performance),
        "## Regime distribution\n\n" + _regimes(report["conditions"]),
        "## P&L summary\n\n" + _result(report, of.performance) + "\n\n" + "\n\n".join(map(breakdown, of.breakdowns)),
        "## Risk events\n\n" + _risk(of),
        "## Operational issues\n\n" + _operation(of),
        "## Honest assessment\n\n" + _assessment(of),
    ]
    return "\n\n".join(parts) + "\n"


def _origin(report: Mapping[str, Any]) -> str:
    simulated = report["clock"] != "wall" or report["venue"] == "sim"
    what = "live, real money" if report["env"] == "live" else "a simulated market" if simulated else "paper"
    rows = [
        ("What it is", what),
        ("Data source", f"{report['venue']} ({report['source']}), {report['broker']} broker"),
        ("Clock", report["clock"]),
        ("Version", report["version"]),
        ("Configuration", report["config_hash"]),
        ("Program", report["program"]["fingerprint"] or "unknown"),
        ("Decisions", report["decision_hash"]),
    ]
    return table(("", ""), rows)


def _timeline(report: Mapping[str, Any], of: Performance) -> str:
    rows = [
        ("From", report["started_at"] or "never running"),
        ("To", report["ended_at"]),
        ("Running for", f"{report['duration_seconds']} s"),
        ("Ended", f"{report['reason']}, exit code {report['exit_code']}, {report['status']}"),
        ("Autonomous", "yes" if report["autonomous"] else "no: an operator acted"),
        ("Market events", str(report["iterations"])),
        ("Share of the time running", of.uptime.text or of.uptime.why),
    ]
    return table(("", ""), rows)


def _days(report: Mapping[str, Any], trades: Sequence[TradeClosed], of: Performance) -> str:
    """Every UTC day of the run with its closed trades; those without any stand below."""
    closed = Counter(trade.at_ns // DAY for trade in trades)
    days = range(of.begin_ns // DAY, of.end_ns // DAY + 1) if of.end_ns else range(0)
    rows = [(date_text(day), str(closed[day])) for day in days]
    empty = [date_text(day) for day in days if not closed[day]]
    why = ", ".join(empty) if empty else NONE
    return table(("Day", "Trades closed"), rows) + f"\n\nDays without a closed trade: {why}. Their artifacts say why."


def _regimes(conditions: Mapping[str, Any]) -> str:
    parts = []
    for title, states in (("Regime", conditions["regimes"]), ("Market phase", conditions["market_phases"])):
        rows = [(name, f"{held['seconds']} s", held["share"] or "–") for name, held in states.items()]
        parts.append(table((title, "Time", "Share"), rows))
    seen = [one for one in conditions["transitions"] if not one["simulated"]]
    observed = f"{len(seen)} observed" if seen else "not observed"
    told = f"Regime transitions: {conditions['transitions_count']} in all, of a real index: {observed}."
    return "\n\n".join([*parts, told])


def _result(report: Mapping[str, Any], of: Performance) -> str:
    band = report["net_pnl_band"]
    rows = [
        ("Starting equity", report["starting_equity"]),
        ("Ending equity", report["ending_equity"]),
        ("Net P&L", report["net_pnl"]),
        ("Net P&L, pessimistic fills", band["pessimistic"] or "not measured"),
        ("Realized, before costs", report["realized_pnl"]),
        ("Fees", report["fees_total"]),
        ("Funding", report["funding_total"]),
        ("Trades", f"{report['trades']}, {of.trades.wins} won"),
        ("Largest drawdown", "–" if of.drawdown is None else money.text(of.drawdown.depth)),
    ]
    return table(("", ""), rows)


def breakdown(found: Breakdown) -> str:
    """A breakdown as a table, and that it sums to the whole."""
    rows = [
        (one.key, str(one.trades), str(one.wins), money.text(one.pnl), money.text(average(one.results) or 0))
        for one in found.slices
    ]
    title = found.by.replace("_", " ").capitalize()
    holds = "They sum to the whole." if not found.difference else "; ".join(found.difference)
    return table((title, "Trades", "Won", "P&L", "Each"), rows) + f"\n\n{holds}"


def _risk(of: Review) -> str:
    report = of.report
    items = [f"halted by {one['breaker']}: {one['text']}, since {one['since']}" for one in report["halts"]]
    items += incidents(of.risks)
    refused = sum(count for state, count in report["signals"].items() if state.startswith("REJECTED"))
    told = f"Signals: {report['signals']['total']} raised, {report['signals']['EXECUTED']} executed, {refused} refused."
    return f"{told}\n\n{bullets(items)}"


def _operation(of: Review) -> str:
    report = of.report
    items = [f"{one['count']} × {one['where']}: {one['example']}" for one in report["errors"]]
    items += [*report["problems"], *incidents([one for one in of.issues if not one["text"].startswith("error in ")])]
    for name, what in (
        ("rejects_count", "orders refused by the broker"),
        ("stuck_orders", "orders that waited too long for an answer"),
        ("gap_count", "gaps in the data"),
        ("stale_events", "silences of the feed"),
        ("dropped_ticks", "ticks conflated"),
        ("lost_lines", "log lines lost"),
    ):
        items += [f"{report[name]} {what}"] if report[name] else []
    return bullets(items)


def _assessment(of: Review) -> str:
    desk, strategy = of.verdicts["reliability"], of.verdicts["economics"]
    failed = [check for check in desk["checks"] if not check["good"]]
    found, silent = of.advice
    parts = [
        f"**Reliability of the desk: {desk['verdict']}.** "
        + ("Every question was answered well." if not failed else "Not well answered:"),
        *([bullets([f"{check['question']} {check['found']}" for check in failed])] if failed else []),
        f"**Economics of the strategy: {strategy['verdict']}** (fills: {strategy['profile']}). "
        + plain(strategy["statement"]),
        *(
            ["The market was simulated: whatever it shows, it shows of the simulation."]
            if strategy["simulated"]
            else []
        ),
        BASELINE,
        "Recommendations:",
        bullets([f"{one.text} ({one.about}, {one.sample} seen)" for one in found]),
        *silent,
        ADVISORY,
    ]
    return "\n\n".join(parts)
