"""Several trading days of a desk told as one, whatever runs they were lived in: from their artifacts and their facts.

The days are the artifacts as the journal gives them, so that every figure here is one of the database. Reliability is
what the days say of the desk, economics what all their returns and trades can show together.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from engine.core import money
from engine.review import advice, analysis, performance
from engine.review.advice import ADVISORY, Advice, advise
from engine.review.analysis import Breakdown, breakdowns
from engine.review.essay import breakdown
from engine.review.performance import Performance, Performing
from engine.review.text import bullets, incidents, plain, table
from engine.review.verdicts import economics, statement


class Period(msgspec.Struct, frozen=True):
    """Days and what they came to.

    Attributes:
        days: Artifacts, oldest first; at least one.
        unsealed: What is wrong with files and seals of days that are over, a sentence each.
    """

    env: str
    days: Sequence[Mapping[str, Any]]
    runs: Sequence[str]
    performance: Performance
    breakdowns: Sequence[Breakdown]
    advice: tuple[list[Advice], list[str]]
    unsealed: Sequence[str]


def period(
    env: str, days: Sequence[Mapping[str, Any]], runs: Sequence[str], performing: Performing, unsealed: Sequence[str]
) -> Period:
    """What these days came to."""
    figures, found = performing.figures(), breakdowns(performing.trades)
    return Period(env, days, runs, figures, found, advise(found, figures, performing.reasons), unsealed)


def failures(of: Period) -> list[str]:
    """What speaks against the desk's reliability in these days, a sentence each; empty: nothing."""
    found = list(of.unsealed)
    for day in of.days:
        name = day["day"]
        found += [f"{name}: {problem}" for problem in day["problems"]]
        if day["system"]["errors"]:
            found.append(f"{name}: {day['system']['errors']} errors")
        if day["state"] == "over" and day["system"]["runtime_seconds"] == 0:
            found.append(f"{name}: the desk did not run")
        zero = day["zero_trade_day"]
        if zero and not (zero["pnl_unchanged"] and zero["no_fees"] and zero["positions_unchanged"]):
            found.append(f"{name}: something was booked on a day without trades")
    return found


def told(of: Period) -> dict[str, Any]:
    """Plain JSON values."""
    against = failures(of)
    shown, _ = economics(of.performance)
    return {
        "env": of.env,
        "first_day": of.days[0]["day"],
        "last_day": of.days[-1]["day"],
        "runs": list(of.runs),
        "reliability": {"verdict": "fail" if against else "pass", "against": against},
        "economics": {"verdict": shown.value, "statement": statement(of.performance)},
        "days": [_day(day) for day in of.days],
        "performance": performance.told(of.performance),
        "breakdowns": analysis.told(of.breakdowns),
        "advice": advice.told(of.advice),
    }


def _day(day: Mapping[str, Any]) -> dict[str, Any]:
    zero = day["zero_trade_day"]
    return {
        "day": day["day"],
        "state": day["state"],
        "late": day["late"],
        "trades": day["trades"]["closed"],
        "net_pnl": day["equity"]["net_pnl"],
        "zero_trade_reason": zero["reason"] if zero else None,
        "breakers": day["risk"]["circuit_breakers"]["observation"],
        "transitions": day["market_regime"]["observation"],
        "incidents": day["incidents_count"],
    }


def essay(of: Period) -> str:
    """The same as a text, in seven parts."""
    parts = [
        f"# {of.env.upper()} desk, {of.days[0]['day']} to {of.days[-1]['day']}",
        _origin(of),
        "## Timeline summary\n\n" + _timeline(of),
        "## Daily trade counts\n\n" + _counts(of),
        "## Regime distribution\n\n" + _regimes(of),
        "## P&L summary\n\n" + _result(of) + "\n\n" + "\n\n".join(map(breakdown, of.breakdowns)),
        "## Risk events\n\n" + bullets(incidents(_incidents(of, "pause", "anomaly"))),
        "## Operational issues\n\n" + _issues(of),
        "## Honest assessment\n\n" + _assessment(of),
    ]
    return "\n\n".join(parts) + "\n"


def _origin(of: Period) -> str:
    """What the days were made with, each value once."""
    names = ("venue", "source", "broker", "clock", "version", "gate_level")
    given = {name: ", ".join(dict.fromkeys(day["given"].get(name, "unknown") for day in of.days)) for name in names}
    rows = [(name.replace("_", " ").capitalize(), value) for name, value in given.items()]
    return table(("", ""), [*rows, ("Runs", ", ".join(of.runs))])


def _timeline(of: Period) -> str:
    over = [day for day in of.days if day["state"] == "over"]
    rows = [
        ("Trading days", f"{len(of.days)}, {len(over)} over"),
        ("Told late", ", ".join(day["day"] for day in of.days if day["late"]) or "none"),
        ("Share of the time running", of.performance.uptime.text or of.performance.uptime.why),
        ("Starts", str(of.performance.starts)),
        ("Acts of an operator", str(sum(day["system"]["operator_acts"] for day in of.days))),
    ]
    return table(("", ""), rows)


def _counts(of: Period) -> str:
    rows = [
        (one["day"], str(one["trades"]), one["net_pnl"], one["zero_trade_reason"] or "", "late" if one["late"] else "")
        for one in map(_day, of.days)
    ]
    zero = [f"{one['day']}: {one['zero_trade_reason']}" for one in map(_day, of.days) if one["zero_trade_reason"]]
    head = ("Day", "Trades closed", "Net P&L", "Why none", "")
    return table(head, rows) + "\n\nDays without trades:\n\n" + bullets(zero)


def _regimes(of: Period) -> str:
    parts = []
    for title, part in (("Regime", "market_regime"), ("Market phase", "market_phases")):
        seconds: Counter[str] = Counter()
        for day in of.days:
            seconds.update(day[part]["seconds"])
        whole = sum(seconds.values())
        shares = {name: f"{100 * held / whole:.1f} %" if whole else "–" for name, held in seconds.items()}
        rows = [(name, f"{held:.0f} s", shares[name]) for name, held in sorted(seconds.items())]
        parts.append(table((title, "Time", "Share"), rows))
    observed = sum(day["market_regime"]["transitions_observed"] for day in of.days)
    simulated = sum(day["market_regime"]["transitions_simulated"] for day in of.days)
    told_of = f"{observed} observed" if observed else "not observed"
    return "\n\n".join([*parts, f"Regime transitions: {told_of}; {simulated} simulated, which do not count."])


def _result(of: Period) -> str:
    def total(name: str) -> str:
        return money.text(sum(money.parse(day["equity"][name]) for day in of.days))

    rows = [
        ("Opening equity", of.days[0]["equity"]["opening"]),
        ("Closing equity", of.days[-1]["equity"]["closing"]),
        ("Net P&L", total("net_pnl")),
        ("Realized, before costs", total("realized_pnl")),
        ("Fees", total("fees")),
        ("Funding", total("funding")),
        ("Trades", f"{of.performance.trades.trades}, {of.performance.trades.wins} won"),
        ("Largest drawdown", "–" if of.performance.drawdown is None else money.text(of.performance.drawdown.depth)),
    ]
    return table(("", ""), rows)


def _issues(of: Period) -> str:
    return bullets([*incidents(_incidents(of, "reconciliation", "rejection")), *failures(of)])


def _incidents(of: Period, *classes: str) -> list[Mapping[str, str]]:
    return [one for day in of.days for one in day["incidents"] if one["class"] in classes]


def _assessment(of: Period) -> str:
    against, (shown, _) = failures(of), economics(of.performance)
    trips = sum(len(day["risk"]["circuit_breakers"]["trips"]) for day in of.days)
    found, silent = of.advice
    parts = [
        f"**Reliability of the desk: {'fail' if against else 'pass'}.** "
        + (f"{len(against)} things speak against it, above." if against else "Nothing here speaks against it."),
        f"Circuit breakers: {f'tripped {trips} times' if trips else 'not observed'}.",
        f"**Economics of the strategy: {shown.value}.** {plain(statement(of.performance))}",
        "Recommendations:",
        bullets([f"{one.text} ({one.about}, {one.sample} seen)" for one in found]),
        *silent,
        ADVISORY,
    ]
    return "\n\n".join(parts)
