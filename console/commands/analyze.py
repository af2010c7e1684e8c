"""Where results came from, over one run, several or all, and what might be looked into: analyze."""

from collections.abc import Sequence
from typing import Any, Final

from console import say
from console.commands.books import books_of, moment_ns
from console.commands.where import Where
from console.exits import Exit, Quit
from engine.core import money
from engine.review import advice, analysis, performance
from engine.review.advice import advise
from engine.review.analysis import breakdowns
from engine.review.moments import instant
from engine.review.performance import KINDS, Performing
from store.recovery import UnknownRun
from store.spans import read_span

LATEST: Final = "latest"


def analyze(where: Where, runs: Sequence[str], *, since: str, until: str) -> Exit:
    """Print the breakdowns and the advice; exit code 5 if a breakdown does not sum to the whole."""
    path = books_of(where)
    since_ns, until_ns = moment_ns(since) if since else 0, moment_ns(until) if until else 2**62
    try:
        span = read_span(path, KINDS, [_named(where, run) for run in runs], since_ns, until_ns)
    except UnknownRun as unknown:
        raise Quit(Exit.USAGE, str(unknown)) from unknown
    # What was held where a part of a run begins is not known here; of whole runs it is.
    performing = Performing(span.calendar, held=frozenset() if since else span.held).take_all(span.facts)
    figures, found = performing.figures(), breakdowns(performing.trades)
    answer = {
        "runs": list(span.run_ids),
        "since": instant(since_ns) if since else None,
        "until": instant(until_ns) if until else None,
        "performance": performance.told(figures),
        "breakdowns": analysis.told(found),
        "advice": advice.told(advise(found, figures, performing.reasons)),
    }
    if where.json:
        say.as_json(answer)
    else:
        _show(answer)
    return Exit.FAILED_CHECK if any(one.difference for one in found) else Exit.DONE


def _named(where: Where, run: str) -> str:
    if run != LATEST:
        return run
    try:
        return where.home.latest.readlink().name
    except OSError:
        raise Quit(Exit.USAGE, f"there is no {where.home.latest}; name the run") from None


def _show(answer: dict[str, Any]) -> None:
    trades, returns = answer["performance"]["trades"], answer["performance"]["returns"]
    interval = trades["win_rate_interval"]
    hit = f" ({_percent(interval['low'])} to {_percent(interval['high'])})" if interval else ""
    rows = [
        ("runs", f"{len(answer['runs'])}: {', '.join(answer['runs'][-3:])}"),
        (
            "trades",
            f"{trades['trades']}, net {trades['net_profit']}, fees {trades['fees']}, funding {trades['funding']}",
        ),
        ("won", f"{trades['wins']}, {_percent(trades['win_rate'])}{hit}"),
        ("profit factor", trades["profit_factor"] or trades["undefined"]["profit_factor"]),
        ("Sharpe ratio", _with_error(returns)),
    ]
    say.pairs("analysis", rows)
    for name, found in answer["breakdowns"].items():
        say.line("")
        head = (name.replace("_", " "), "trades", "won", "P&L", "each", "fees", "funding")
        parts = found["slices"]
        cells = [
            (
                one["key"],
                str(one["trades"]),
                str(one["wins"]),
                one["pnl"],
                one["expectancy"],
                one["fees"],
                one["funding"],
            )
            for one in parts
        ]
        whole = sum(money.parse(one["pnl"]) for one in parts)
        cells.append(("all", str(sum(one["trades"] for one in parts)), "", money.text(whole), "", "", ""))
        say.table(head, cells)
        say.line(
            "sums to the whole"
            if found["conserved"]
            else "DOES NOT sum to the whole: " + "; ".join(found["difference"])
        )
    say.line("")
    for one in answer["advice"]["recommendations"]:
        numbers = ", ".join(f"{name} {number}" for name, number in one["numbers"].items())
        say.line(f"- {one['text']} ({one['about']}; {one['sample']} seen; {numbers})")
    for text in answer["advice"]["too_few"]:
        say.line(f"- {text}")
    say.line(answer["advice"]["advisory"])


def _with_error(returns: dict[str, Any]) -> str:
    if returns["sharpe"] is None:
        return str(returns["undefined"]["sharpe"])
    return f"{returns['sharpe']}, standard error {returns['sharpe_error']}, {returns['days']} daily returns"


def _percent(share: str | None) -> str:
    return "–" if share is None else f"{money.text(money.parse(share) * 100, 1)} %"
