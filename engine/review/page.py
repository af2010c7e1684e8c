"""`summary.html`: one run on one page, for a person. Self-contained: no script, no font, no request to anywhere.

Built from the content of `final_report.json` and the run's trades and equity marks, so that it can be made again from
stored data. Every text is cleaned and escaped; gain and loss differ by sign as well as by colour.
"""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any, Final

from engine.core import money
from engine.core.clean import clean
from engine.core.facts import EquityMarked, TradeClosed
from engine.core.view import refusals
from engine.core.words import TerminalState
from engine.review.chart import equity_chart, grouped
from engine.review.metrics import Summary
from engine.review.moments import instant
from engine.review.report import RunStatus
from engine.review.sheet import SHEET

TRADES_SHOWN_MAX: Final = 200
_SECOND_NS: Final = 1_000_000_000
_NONE: Final = "–"
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
_EXITS: Final = {
    "SL": "Stop",
    "TP": "Target",
    "TIME": "Time over",
    "STRATEGY": "Strategy's wish",
    "FORCE_CLOSE": "Closed by the operator",
    "KILL": "Kill",
    "SHUTDOWN": "End of the session",
    "LOSS_LIMIT": "Loss limit",
    "LIQUIDATION": "Liquidated by the broker",
}


def summary_page(
    report: Mapping[str, Any], figures: Summary, marks: Sequence[EquityMarked], trades: Sequence[TradeClosed]
) -> str:
    """The whole page. `report` is a complete `final_report`; `marks` and `trades` are the run's, oldest first."""
    parts = [
        _header(report),
        _cards(report, figures),
        _section("Equity", equity_chart(marks, money.parse(report["starting_equity"]))),
        f'<div class="two">{_signals(report)}{_identity(report)}</div>',
        f'<div class="two">{_trading(report, figures)}{_exits(figures)}</div>',
        f'<div class="two">{_regimes(report["conditions"])}{_phases(report["conditions"])}</div>',
        _transitions(report["conditions"]),
        _strategies(report["strategies"]),
        _positions(report["positions_open"]),
        _trades(trades),
        f'<div class="two">{_health(report)}{_data(report)}</div>',
        _problems(report["problems"]),
        _provenance(report),
    ]
    title = f"{_e(report['env']).upper()} run {_e(report['run_id'])}"
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
    env = _e(report["env"])
    tone, word = _ENDED.get(report["status"], ("bad", "Failed"))
    times = f"{_time(report['started_at'])} to {_time(report['ended_at'])} UTC"
    return (
        f'<header><h1>Run {_e(report["run_id"])}</h1><span class="badge {"live" if env == "live" else "paper"}">'
        f"{env.upper()}</span></header>"
        f'<p class="lead"><b class="{tone}">{word}</b>: {_e(report["reason"])}, exit code {report["exit_code"]}, '
        f"after {_span(report['duration_seconds'])}.</p>"
        f"{''.join(_halt(halt) for halt in report['halts'])}"
        f'<p class="quiet">{times} · {_e(report["venue"])} ({_e(report["source"])}), {_e(report["broker"])} broker, '
        f"{_e(report['clock'])} clock, seed {report['seed']}</p>"
        f'<p class="quiet">{_paper_period(report.get("paper_period"))}{_worth(report)}</p>'
    )


def _halt(halt: Mapping[str, Any]) -> str:
    since, lifted = _time(halt["since"]), _e(halt["lifted_by"])
    return f'<p class="bad">Halted by {_e(halt["breaker"])}: {_e(halt["text"])} since {since}; lifted by {lifted}.</p>'


def _paper_period(period: Mapping[str, Any] | None) -> str:
    if period is None:
        return ""
    days = "of unknown length" if period["days"] is None else f"trading day {period['days']}"
    return f"Paper period since {_e(period['start'])}, {days}. "


def _worth(report: Mapping[str, Any]) -> str:
    """What the run can be evidence of, said before anybody reads a figure."""
    if report["env"] == "live":
        return "A live run: real orders, real money."
    if report["clock"] != "wall" or report["venue"] == "sim":
        return "A simulated market: this run says nothing about profit with real money."
    return "A paper run on live market data: fills are modelled, and real ones may be worse."


def _cards(report: Mapping[str, Any], figures: Summary) -> str:
    net, start = money.parse(report["net_pnl"]), money.parse(report["starting_equity"])
    share = f"{_signed(money.div(net, start) * 100)} % of {grouped(start)}" if start > 0 else ""
    signals = report["signals"]
    cards = [
        ("Net P&amp;L", _signed(net), _tone(net), share),
        ("Ending equity", _money(report["ending_equity"]), "", f"unrealized {_signed_text(report['unrealized_end'])}"),
        ("Max drawdown", _percent(figures.max_drawdown), "", "from the peak, at the marks"),
        ("Trades", str(report["trades"]), "", f"{_percent(figures.win_rate)} won" if figures.trades else "none closed"),
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
    told = ", ".join(f"{_e(code)} {count}" for code, count in refused)
    why = f'<p class="small quiet">Refused by: {told}.</p>' if refused else ""
    return _section("How signals ended", f"<table><tbody>{''.join(rows)}</tbody></table>{why}")


def _identity(report: Mapping[str, Any]) -> str:
    identity = report["identity"]
    rows = [
        ("Realized, before costs", _signed_text(report["realized_pnl"])),
        ("Change of unrealized", _signed_text(identity["unrealized_change"])),
        ("Fees", _signed(-money.parse(report["fees_total"]))),
        ("Funding", _signed(-money.parse(report["funding_total"]))),
    ]
    holds = "adds up to the last digit" if identity["holds"] else f"{_e(identity['difference'])} unexplained"
    tone = "good" if identity["holds"] else "bad"
    body = "".join(f'<tr><th>{name}</th><td class="n">{value}</td></tr>' for name, value in rows)
    body += f'<tr class="sum"><th>Net P&amp;L</th><td class="n">{_signed_text(report["net_pnl"])}</td></tr>'
    return _section(
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
        _signed_text(band[name]) for name in ("lowest", "highest", "pessimistic", "optimistic")
    )
    return f"{lowest} to {highest} (pessimistic fills {worse}, optimistic {better})"


def _trading(report: Mapping[str, Any], figures: Summary) -> str:
    return _section(
        "Trading",
        _pairs(
            [
                (
                    "Orders, fills, rejects",
                    f"{report['orders_submitted']}, {report['fills_count']}, {report['rejects_count']}",
                ),
                ("Reject rate, stuck orders", f"{_share(report['reject_rate'])}, {report['stuck_orders']}"),
                ("Slippage, mean and 95 %", _slippage(report["slippage"])),
                ("Won, lost", f"{figures.wins}, {figures.losses}"),
                ("Profit factor", _ratio(figures.profit_factor)),
                ("Average trade", _signed_or_none(figures.expectancy)),
                ("Average win, loss", f"{_or_none(figures.average_win)}, {_or_none(figures.average_loss)}"),
                ("Best, worst", f"{_signed_or_none(figures.best)}, {_signed_or_none(figures.worst)}"),
                ("Average time in a trade", _span_or_none(figures.average_duration_ns)),
                ("Sharpe ratio (daily, annualized)", _ratio(figures.sharpe)),
            ]
        ),
    )


def _exits(figures: Summary) -> str:
    if not figures.exit_reasons:
        return _section("How trades ended", '<p class="quiet">No trade was closed.</p>')
    most = max(figures.exit_reasons.values())
    rows = "".join(
        f"<tr><th>{_EXITS.get(reason, _e(reason))}</th>"
        f'<td class="bar"><i style="width:{count * 100 // most}%"></i></td><td class="n">{count}</td></tr>'
        for reason, count in figures.exit_reasons.items()
    )
    return _section("How trades ended", f"<table><tbody>{rows}</tbody></table>")


def _regimes(conditions: Mapping[str, Any]) -> str:
    spikes, crossings = len(conditions["exposure_spikes"]), conditions["crossings_within_hysteresis"]
    noted = f"{conditions['transitions_count']} transitions, {crossings} crossings within the hysteresis, "
    tone = "bad" if spikes else "quiet"
    spiked = f'<span class="{tone}">{spikes} rises of exposure after a transition</span>'
    return _section("Regimes", f'{_lasting(conditions["regimes"])}<p class="small quiet">{noted}{spiked}</p>')


def _phases(conditions: Mapping[str, Any]) -> str:
    note = '<p class="small quiet">Share of the time of all symbols together.</p>'
    return _section("Market phases", _lasting(conditions["market_phases"]) + note)


def _lasting(states: Mapping[str, Mapping[str, Any]]) -> str:
    """How long each state lasted, as bars; the shares are decimal text or null."""
    rows = []
    for state, held in states.items():
        share = money.parse(held["share"] or "0")
        kind = "" if share else " class=none"
        bar = f'<i{kind} style="width:{share * 100 // money.SCALE}%"></i>'
        told = _percent(share) if held["share"] is not None else _NONE
        rows.append(f'<tr><th>{_e(state)}</th><td class="bar">{bar}</td><td class="n">{told}</td></tr>')
    return f"<table><tbody>{''.join(rows)}</tbody></table>"


def _transitions(conditions: Mapping[str, Any]) -> str:
    if not conditions["transitions"]:
        return ""
    rows = [
        [
            _time(t["at"]),
            f"{_e(t['previous'])} → {_e(t['regime'])}",
            _e(t["source"]) + (" (simulated)" if t["simulated"] else ""),
            _e(t["level"]),
            f"{_percent(money.parse(t['heat_limit_before']))} → {_percent(money.parse(t['heat_limit']))}",
            _money(t["exposure"]),
        ]
        for t in reversed(conditions["transitions"])
    ]
    columns = ["At (UTC)", "Regime", "Index", "Level", "Heat limit", "Gross exposure"]
    return _section("Regime transitions", _table(columns, rows, texts=3))


def _strategies(strategies: Sequence[Mapping[str, Any]]) -> str:
    if not strategies:
        return ""
    rows = [
        [_e(s["strategy_id"]), _e(s["kind"]), _e(", ".join(s["regimes"])), _e(s["weight"]), str(s["switches"])]
        for s in strategies
    ]
    return _section("Strategies", _table(["Strategy", "Kind", "Enters in", "Weight", "Switches"], rows, texts=3))


def _positions(positions: Sequence[Mapping[str, Any]]) -> str:
    if not positions:
        return ""
    rows = [
        [_e(p["symbol"]), _e(p["side"]), _e(p["qty"]), _e(p["entry"]), _e(p["mark"]), _signed_text(p["unrealized"])]
        for p in positions
    ]
    return _section("Left open", _table(["Symbol", "Side", "Quantity", "Entry", "Mark", "Unrealized"], rows, texts=2))


def _trades(trades: Sequence[TradeClosed]) -> str:
    newest = list(reversed(trades[-TRADES_SHOWN_MAX:]))
    if not newest:
        return ""
    rows = [
        [
            _time(instant(t.at_ns)),
            _e(t.symbol),
            _e(t.side.value),
            _e(t.strategy_id),
            _e(t.exit_reason.value),
            money.text(t.qty),
            money.text(t.entry_price),
            money.text(t.exit_price),
            grouped(t.fees),
            f'<span class="{_tone(t.pnl)}">{_signed(t.pnl)}</span>',
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
    return _section(f"Closed trades{more}", _table(columns, rows, texts=5))


def _health(report: Mapping[str, Any]) -> str:
    beat, lag, tick = report["heartbeat"], report["loop_lag_ms"], report["tick_to_decision_us"]
    return _section(
        "How the desk ran",
        _pairs(
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
    return _section(
        "What the market gave",
        _pairs(
            [
                ("Market events", f"{report['iterations']:,}"),
                ("Ticks conflated", str(report["dropped_ticks"])),
                ("Gaps", str(report["gap_count"])),
                ("Silences", str(report["stale_events"])),
                ("Frames and rows refused", str(report["data_rejects"])),
            ]
        )
        + "".join(
            f'<p class="small quiet">Refused {one["count"]}: {_e(one["cause"])}, first at {_e(one["first"])}.</p>'
            for one in report["data_refused"]
        ),
    )


def _problems(problems: Sequence[str]) -> str:
    if not problems:
        return _section("Problems", '<p class="good">None: the figures agree with each other.</p>')
    return _section("Problems", f'<ul class="bad">{"".join(f"<li>{_e(text)}</li>" for text in problems)}</ul>')


def _provenance(report: Mapping[str, Any]) -> str:
    signed = report["journal_signed"]
    return _section(
        "Provenance",
        _pairs(
            [
                ("Version", _e(report["version"])),
                ("Configuration", f"<code>{_e(report['config_hash'])}</code>"),
                ("Decisions", f"<code>{_e(report['decision_hash'])}</code>"),
                ("Journal", f"{report['journal_rows']:,} rows, head <code>{_e(report['journal_head'])}</code>"),
                ("Signed with", f"<code>{_e(signed['key'])}</code>" if signed else "not signed"),
            ],
            number=False,
        )
        + '<p class="small quiet">The journal as this page was written. What is recorded later, this report first, '
        "moves the head on: <code>nightdesk audit verify</code> shows a later one.</p>",
    )


# --- pieces ---


def _section(title: str, body: str) -> str:
    return f"<section><h2>{title}</h2>{body}</section>"


def _pairs(pairs: Iterable[tuple[str, str]], *, number: bool = True) -> str:
    kind = ' class="n"' if number else ""
    rows = "".join(f"<tr><th>{name}</th><td{kind}>{value}</td></tr>" for name, value in pairs)
    return f"<table><tbody>{rows}</tbody></table>"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]], texts: int) -> str:
    """A table whose first `texts` columns are words and whose others are numbers; cells are HTML already."""
    kinds = ["" if n < texts else ' class="n"' for n in range(len(columns))]
    head = "".join(f"<th{kind}>{name}</th>" for kind, name in zip(kinds, columns, strict=True))
    body = "".join(
        "<tr>" + "".join(f"<td{kind}>{cell}</td>" for kind, cell in zip(kinds, row, strict=True)) + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _e(value: object) -> str:
    return escape(clean(str(value)))


def _time(stamp: str | None) -> str:
    return _e(stamp)[:19].replace("T", " ") if stamp else _NONE


def _tone(value: int) -> str:
    return "good" if value > 0 else "bad" if value < 0 else ""


def _signed(value: int) -> str:
    shown = grouped(value)
    return shown if not value or shown.startswith("−") else f"+{shown}"


def _signed_text(amount: str) -> str:
    return _signed(money.parse(amount))


def _signed_or_none(value: int | None) -> str:
    return _NONE if value is None else _signed(value)


def _or_none(value: int | None) -> str:
    return _NONE if value is None else grouped(value)


def _money(amount: str) -> str:
    return grouped(money.parse(amount))


def _ratio(value: int | None) -> str:
    return _NONE if value is None else grouped(value)


def _percent(fraction: int | None) -> str:
    return _NONE if fraction is None else f"{money.text(fraction * 100, 2)} %"


def _share(fraction: str | None) -> str:
    return _percent(None if fraction is None else money.parse(fraction))


def _slippage(slipped: Mapping[str, Any] | None) -> str:
    return "none measured" if slipped is None else f"{_share(slipped['mean'])}, {_share(slipped['p95'])}"


def _span_or_none(ns: int | None) -> str:
    return _NONE if ns is None else _span(ns / _SECOND_NS)


def _span(seconds: float) -> str:
    whole = int(seconds)
    days, rest = divmod(whole, 86_400)
    clock = f"{rest // 3600}:{rest % 3600 // 60:02d}:{rest % 60:02d}"
    if days:
        return f"{days} d {clock}"
    return clock if whole >= 60 else f"{seconds:.1f} s"
