"""`summary.html`: one run on one page, for a person. Self-contained: no script, no font, no request to anywhere.

Built from the content of `final_report.json` and the run's trades and equity marks, so that it can be made again from
stored data. Every text is cleaned and escaped; gain and loss differ by sign as well as by colour.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from engine.core import money
from engine.core.facts import TradeClosed
from engine.core.view import refusals
from engine.core.words import TerminalState
from engine.review import page_verdicts
from engine.review.bars import trade_chart
from engine.review.chart import equity_chart, grouped
from engine.review.metrics import Summary
from engine.review.moments import instant
from engine.review.pieces import (
    NONE,
    amount,
    esc,
    or_none,
    pairs,
    percent,
    ratio,
    section,
    share,
    signed,
    signed_or_none,
    signed_text,
    slippage,
    span,
    span_or_none,
    table,
    time,
    tone,
)
from engine.review.report import RunStatus
from engine.review.reviewed import Review
from engine.review.sheet import SHEET

TRADES_SHOWN_MAX: Final = 200
_ENDED: Final = {
    RunStatus.SUCCESS.value: ("good", "Ended in order"),
    RunStatus.SAFETY_STOP.value: ("warn", "Stopped itself for safety"),
    RunStatus.FAILED.value: ("bad", "Failed"),
}
_OUTCOMES: Final = {
    TerminalState.EXECUTED: "Executed",
    TerminalState.REJECTED_BY_CORRELATION: "Rejected: correlation",
    TerminalState.REJECTED_BY_HEAT: "Rejected: heat, exposure or positions",
    TerminalState.REJECTED_BY_CIRCUIT_BREAKER: "Rejected: breaker or block",
    TerminalState.REJECTED_BY_SIZING: "Rejected: sizing",
    TerminalState.REJECTED_BY_BROKER: "Rejected: broker, pace or unfilled",
}


def summary_page(of: Review) -> str:
    """The whole page of a run."""
    report, figures, trades = of.report, of.performance.trades, of.trades
    parts = [
        _header(report),
        _cards(report, figures),
        page_verdicts.verdicts(of.verdicts),
        section("Equity and drawdown", equity_chart(of.marks, money.parse(report["starting_equity"]))),
        section("Results of trades", trade_chart(trades)),
        f'<div class="two">{_signals(report)}{_identity(report)}</div>',
        f'<div class="two">{_trading(report, figures)}{page_verdicts.exits(of.breakdowns)}</div>',
        f'<div class="two">{page_verdicts.ratios(of.performance)}{page_verdicts.held(of.performance)}</div>',
        page_verdicts.breakdowns(of.breakdowns),
        page_verdicts.recommendations(of),
        f'<div class="two">{_regimes(report["conditions"])}{_phases(report["conditions"])}</div>',
        _transitions(report["conditions"]),
        _strategies(report["strategies"]),
        _positions(report["positions_open"]),
        _trades(trades),
        f'<div class="two">{_health(report)}{_data(report)}</div>',
        _problems(report["problems"]),
        _provenance(report),
    ]
    title = f"{esc(report['env']).upper()} run {esc(report['run_id'])}"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>Nightdesk: {title}</title><style>{SHEET}</style></head>\n<body><main>\n"
        + "\n".join(part for part in parts if part)
        + "\n</main></body></html>\n"
    )


# --- the parts of the page ---


def _header(report: Mapping[str, Any]) -> str:
    env = esc(report["env"])
    tone, word = _ENDED.get(report["status"], ("bad", "Failed"))
    times = f"{time(report['started_at'])} to {time(report['ended_at'])} UTC"
    return (
        f'<header><h1>Run {esc(report["run_id"])}</h1><span class="badge {"live" if env == "live" else "paper"}">'
        f"{env.upper()}</span></header>"
        f'<p class="lead"><b class="{tone}">{word}</b>: {esc(report["reason"])}, exit code {report["exit_code"]}, '
        f"after {span(report['duration_seconds'])}.</p>"
        f"{''.join(_halt(halt) for halt in report['halts'])}"
        f'<p class="quiet">{times} · {esc(report["venue"])} ({esc(report["source"])}), {esc(report["broker"])} broker, '
        f"{esc(report['clock'])} clock, seed {report['seed']}</p>"
        f'<p class="quiet">{_paper_period(report.get("paper_period"))}{_worth(report)}</p>'
    )


def _halt(halt: Mapping[str, Any]) -> str:
    since, lifted = time(halt["since"]), esc(halt["lifted_by"])
    return (
        f'<p class="bad">Halted by {esc(halt["breaker"])}: {esc(halt["text"])} since {since}; lifted by {lifted}.</p>'
    )


def _paper_period(period: Mapping[str, Any] | None) -> str:
    if period is None:
        return ""
    days = "of unknown length" if period["days"] is None else f"trading day {period['days']}"
    return f"Paper period since {esc(period['start'])}, {days}. "


def _worth(report: Mapping[str, Any]) -> str:
    """What the run can be evidence of, said before anybody reads a figure."""
    if report["env"] == "live":
        return "A live run: real orders, real money."
    if report["clock"] != "wall" or report["venue"] == "sim":
        return "A simulated market: this run says nothing about profit with real money."
    return "A paper run on live market data: fills are modelled, and real ones may be worse."


def _cards(report: Mapping[str, Any], figures: Summary) -> str:
    net, start = money.parse(report["net_pnl"]), money.parse(report["starting_equity"])
    share = f"{signed(money.div(net, start) * 100)} % of {grouped(start)}" if start > 0 else ""
    signals = report["signals"]
    cards = [
        ("Net P&amp;L", signed(net), tone(net), share),
        ("Ending equity", amount(report["ending_equity"]), "", f"unrealized {signed_text(report['unrealized_end'])}"),
        ("Max drawdown", percent(figures.max_drawdown), "", "from the peak, at the marks"),
        ("Trades", str(report["trades"]), "", f"{percent(figures.win_rate)} won" if figures.trades else "none closed"),
        ("Signals", str(signals["total"]), "", f"{signals['EXECUTED']} executed"),
        ("Errors", str(report["error_count"]), "bad" if report["error_count"] else "", _autonomous(report)),
    ]
    shown = (
        f'<div><span>{name}</span><b class="{tone}">{value}</b><span>{note}</span></div>'
        for name, value, tone, note in cards
    )
    return f'<div class="cards">{"".join(shown)}</div>'


def _autonomous(report: Mapping[str, Any]) -> str:
    return "no operator acted" if report["autonomous"] else "an operator acted"


def _signals(report: Mapping[str, Any]) -> str:
    counts = {label: report["signals"][state] for state, label in _OUTCOMES.items()}
    counts["In flight"] = report["signals_in_flight"]
    most = max(*counts.values(), 1)
    rows = [
        f'<tr><th>{label}</th><td class="bar"><i{"" if count else " class=none"} '
        f'style="width:{count * 100 // most}%"></i></td><td class="n">{count}</td></tr>'
        for label, count in counts.items()
    ]
    rows.append(f'<tr class="sum"><th>Raised</th><td></td><td class="n">{report["signals"]["total"]}</td></tr>')
    refused = refusals(report["signal_reasons"])
    told = ", ".join(f"{esc(code)} {count}" for code, count in refused)
    why = f'<p class="small quiet">Refused by: {told}.</p>' if refused else ""
    return section("How signals ended", f"<table><tbody>{''.join(rows)}</tbody></table>{why}")


def _identity(report: Mapping[str, Any]) -> str:
    identity = report["identity"]
    rows = [
        ("Realized, before costs", signed_text(report["realized_pnl"])),
        ("Change of unrealized", signed_text(identity["unrealized_change"])),
        ("Fees", signed(-money.parse(report["fees_total"]))),
        ("Funding", signed(-money.parse(report["funding_total"]))),
    ]
    holds = "adds up to the last digit" if identity["holds"] else f"{esc(identity['difference'])} unexplained"
    tone = "good" if identity["holds"] else "bad"
    body = "".join(f'<tr><th>{name}</th><td class="n">{value}</td></tr>' for name, value in rows)
    body += f'<tr class="sum"><th>Net P&amp;L</th><td class="n">{signed_text(report["net_pnl"])}</td></tr>'
    return section(
        "Where the result comes from",
        f'<table><tbody>{body}</tbody></table><p class="small {tone}">{holds}</p>'
        f'<p class="small quiet">Band over execution profiles: {_band(report)}</p>',
    )


def _band(report: Mapping[str, Any]) -> str:
    """The lowest and highest of the run's own result and those of worse and better fills, which are named beside."""
    band = report["net_pnl_band"]
    if band["lowest"] is None:
        return "not measured"
    lowest, highest, worse, better = (
        signed_text(band[name]) for name in ("lowest", "highest", "pessimistic", "optimistic")
    )
    return f"{lowest} to {highest} (pessimistic fills {worse}, optimistic {better})"


def _trading(report: Mapping[str, Any], figures: Summary) -> str:
    return section(
        "Trading",
        pairs(
            [
                (
                    "Orders, fills, rejects",
                    f"{report['orders_submitted']}, {report['fills_count']}, {report['rejects_count']}",
                ),
                ("Reject rate, stuck orders", f"{share(report['reject_rate'])}, {report['stuck_orders']}"),
                ("Slippage, mean and 95 %", slippage(report["slippage"])),
                ("Won, lost", f"{figures.wins}, {figures.losses}"),
                ("Profit factor", ratio(figures.profit_factor)),
                ("Average trade", signed_or_none(figures.expectancy)),
                ("Average win, loss", f"{or_none(figures.average_win)}, {or_none(figures.average_loss)}"),
                ("Best, worst", f"{signed_or_none(figures.best)}, {signed_or_none(figures.worst)}"),
                ("Average time in a trade", span_or_none(figures.average_duration_ns)),
                ("Sharpe ratio (daily, annualized)", ratio(figures.sharpe)),
            ]
        ),
    )


def _regimes(conditions: Mapping[str, Any]) -> str:
    spikes, crossings = len(conditions["exposure_spikes"]), conditions["crossings_within_hysteresis"]
    noted = f"{conditions['transitions_count']} transitions, {crossings} crossings within the hysteresis, "
    tone = "bad" if spikes else "quiet"
    spiked = f'<span class="{tone}">{spikes} rises of exposure after a transition</span>'
    return section("Regimes", f'{_lasting(conditions["regimes"])}<p class="small quiet">{noted}{spiked}</p>')


def _phases(conditions: Mapping[str, Any]) -> str:
    note = '<p class="small quiet">Share of the time of all symbols together.</p>'
    return section("Market phases", _lasting(conditions["market_phases"]) + note)


def _lasting(states: Mapping[str, Mapping[str, Any]]) -> str:
    """How long each state lasted, as bars; the shares are decimal text or null."""
    rows = []
    for state, held in states.items():
        share = money.parse(held["share"] or "0")
        kind = "" if share else " class=none"
        bar = f'<i{kind} style="width:{share * 100 // money.SCALE}%"></i>'
        told = percent(share) if held["share"] is not None else NONE
        rows.append(f'<tr><th>{esc(state)}</th><td class="bar">{bar}</td><td class="n">{told}</td></tr>')
    return f"<table><tbody>{''.join(rows)}</tbody></table>"


def _transitions(conditions: Mapping[str, Any]) -> str:
    if not conditions["transitions"]:
        return ""
    rows = [
        [
            time(t["at"]),
            f"{esc(t['previous'])} → {esc(t['regime'])}",
            esc(t["source"]) + (" (simulated)" if t["simulated"] else ""),
            esc(t["level"]),
            f"{percent(money.parse(t['heat_limit_before']))} → {percent(money.parse(t['heat_limit']))}",
            amount(t["exposure"]),
        ]
        for t in reversed(conditions["transitions"])
    ]
    columns = ["At (UTC)", "Regime", "Index", "Level", "Heat limit", "Gross exposure"]
    return section("Regime transitions", table(columns, rows, texts=3))


def _strategies(strategies: Sequence[Mapping[str, Any]]) -> str:
    if not strategies:
        return ""
    rows = [
        [esc(s["strategy_id"]), esc(s["kind"]), esc(", ".join(s["regimes"])), esc(s["weight"]), str(s["switches"])]
        for s in strategies
    ]
    return section("Strategies", table(["Strategy", "Kind", "Enters in", "Weight", "Switches"], rows, texts=3))


def _positions(positions: Sequence[Mapping[str, Any]]) -> str:
    if not positions:
        return ""
    rows = [
        [esc(p["symbol"]), esc(p["side"]), esc(p["qty"]), esc(p["entry"]), esc(p["mark"]), signed_text(p["unrealized"])]
        for p in positions
    ]
    return section("Left open", table(["Symbol", "Side", "Quantity", "Entry", "Mark", "Unrealized"], rows, texts=2))


def _trades(trades: Sequence[TradeClosed]) -> str:
    newest = list(reversed(trades[-TRADES_SHOWN_MAX:]))
    if not newest:
        return ""
    rows = [
        [
            time(instant(t.at_ns)),
            esc(t.symbol),
            esc(t.side.value),
            esc(t.strategy_id),
            esc(t.exit_reason.value),
            money.text(t.qty),
            money.text(t.entry_price),
            money.text(t.exit_price),
            grouped(t.fees),
            f'<span class="{tone(t.pnl)}">{signed(t.pnl)}</span>',
        ]
        for t in newest
    ]
    columns = [
        "Closed (UTC)",
        "Symbol",
        "Side",
        "Strategy",
        "Exit",
        "Quantity",
        "Entry",
        "Exit price",
        "Fees",
        "P&amp;L",
    ]
    more = f", newest {len(newest)} of {len(trades)}" if len(trades) > len(newest) else ""
    return section(f"Closed trades{more}", table(columns, rows, texts=5))


def _health(report: Mapping[str, Any]) -> str:
    beat, lag, tick = report["heartbeat"], report["loop_lag_ms"], report["tick_to_decision_us"]
    return section(
        "How the desk ran",
        pairs(
            [
                ("Heartbeats", f"{beat['count']}, largest gap {beat['max_gap_seconds']:g} s"),
                ("Loop lag p50, p99, max", f"{lag['p50']:g}, {lag['p99']:g}, {lag['max']:g} ms"),
                ("Tick to decision p50, p99", f"{tick['p50']}, {tick['p99']} µs" if tick["max"] else "not measured"),
                ("Commit p99", f"{report['commit_ms']['p99']:g} ms" if report["commit_ms"] else "not measured"),
                ("Peak memory", f"{report['rss_mb_peak']:g} MB"),
                ("Log lines lost", str(report["lost_lines"])),
            ]
        ),
    )


def _data(report: Mapping[str, Any]) -> str:
    return section(
        "What the market gave",
        pairs(
            [
                ("Market events", f"{report['iterations']:,}"),
                ("Ticks conflated", str(report["dropped_ticks"])),
                ("Gaps", str(report["gap_count"])),
                ("Silences", str(report["stale_events"])),
                ("Frames and rows refused", str(report["data_rejects"])),
            ]
        )
        + "".join(
            f'<p class="small quiet">Refused {one["count"]}: {esc(one["cause"])}, first at {esc(one["first"])}.</p>'
            for one in report["data_refused"]
        ),
    )


def _problems(problems: Sequence[str]) -> str:
    if not problems:
        return section("Problems", '<p class="good">None: the figures agree with each other.</p>')
    return section("Problems", f'<ul class="bad">{"".join(f"<li>{esc(text)}</li>" for text in problems)}</ul>')


def _provenance(report: Mapping[str, Any]) -> str:
    signed = report["journal_signed"]
    return section(
        "Provenance",
        pairs(
            [
                ("Version", esc(report["version"])),
                ("Configuration", f"<code>{esc(report['config_hash'])}</code>"),
                ("Decisions", f"<code>{esc(report['decision_hash'])}</code>"),
                ("Journal", f"{report['journal_rows']:,} rows, head <code>{esc(report['journal_head'])}</code>"),
                ("Signed with", f"<code>{esc(signed['key'])}</code>" if signed else "not signed"),
            ],
            number=False,
        )
        + '<p class="small quiet">The journal as this page was written. What is recorded later, this report first, '
        "moves the head on: <code>nightdesk audit verify</code> shows a later one.</p>",
    )
