"""Two verdicts on a run, kept apart: whether the desk is to be relied on, and what its result says of the strategy.

A reliable desk may run a losing strategy, and a winning one may have run on luck. Reliability is a list of questions
that the record answers with yes or no. Economics is taken on the pessimistic execution profile where there is one, and
says before all else how little a sample of this size can show.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, Final, NamedTuple

from engine.core import money
from engine.core.profiles import PESSIMISTIC
from engine.review.measure import Measure
from engine.review.performance import Performance, interval_told
from engine.review.returns import CONFIDENCE, ReturnFigures
from engine.review.running import heartbeat_regularity

CONFIDENT: Final = round(CONFIDENCE * money.SCALE)
REGULAR_MIN: Final = 99_000_000


class Economics(StrEnum):
    """What the sample shows of the strategy."""

    UNKNOWN = "unknown"  # not even a ratio can be had
    NOTHING = "shows nothing"  # it may be chance
    PROFIT = "shows a profit"  # beyond chance at 95 %, on the pessimistic profile, if the days to come are like these
    LOSS = "shows a loss"


class Check(NamedTuple):
    """One question about the desk, what was found, and whether that is good."""

    name: str
    question: str
    found: str
    good: bool


def reliability(report: Mapping[str, Any]) -> list[Check]:
    """The questions to a finished run, by its `final_report`."""
    return list(_checks(report))


def _checks(report: Mapping[str, Any]) -> Iterator[Check]:
    signals = report["signals"]
    ended = sum(count for state, count in signals.items() if state != "total") + report["signals_in_flight"]
    problems, gap = report["problems"], report["heartbeat"]["max_gap_seconds"]
    yield Check("ended", "Did it end in order?", report["reason"], report["exit_code"] == 0)
    yield Check("errors", "Was it without errors?", f"{report['error_count']} errors", not report["error_count"])
    yield Check(
        "books", "Do its books agree with each other?", "; ".join(problems) or "to the last digit", not problems
    )
    explained = report["identity"]["holds"]
    left = "nothing is left over" if explained else f"{report['identity']['difference']} is not"
    yield Check("result", "Is the whole result explained?", left, explained)
    told = f"{ended} of {signals['total']} accounted for"
    yield Check("signals", "Did every signal end once, with a reason?", told, ended == signals["total"])
    yield Check("heartbeat", "Was it never silent for 5 seconds?", f"longest gap {gap:g} s", gap <= 5)
    if report["clock"] == "wall":
        beats = heartbeat_regularity(report["heartbeat"]["count"], round(report["duration_seconds"] * 1e9))
        share = beats.why if beats.value is None else f"{money.text(beats.value * 100, 2)} % of the seconds"
        yield Check("regular", "Did its heart beat each second?", share, (beats.value or 0) >= REGULAR_MIN)
    lost = report["lost_lines"]
    yield Check(
        "record", "Is the record whole and signed?", _record(report), not lost and bool(report["journal_signed"])
    )


def _record(report: Mapping[str, Any]) -> str:
    signed = "signed" if report["journal_signed"] else "not signed"
    return f"{report['journal_rows']} rows, {signed}, {report['lost_lines']} log lines lost"


def economics(of: Performance) -> tuple[Economics, ReturnFigures]:
    """What the sample shows, and the figures it was judged by: the pessimistic ones where there are any."""
    daily = of.daily_pessimistic or of.daily
    sure = daily.sharpe_probability.value
    if daily.sharpe.value is None or sure is None:
        return Economics.UNKNOWN, daily
    if sure >= CONFIDENT:
        return Economics.PROFIT, daily
    return (Economics.LOSS if sure <= money.SCALE - CONFIDENT else Economics.NOTHING), daily


def statement(of: Performance) -> str:
    """What the sample can show, in words, before anybody reads a ratio."""
    shown, daily = economics(of)
    days, trades = daily.days, of.trades.trades
    sample = f"{_count(days, 'daily return')} and {_count(trades, 'trade')}"
    if shown is Economics.UNKNOWN:
        why = daily.sharpe.why or daily.sharpe_probability.why
        return f"{sample}: too little to say anything of the strategy ({why})."
    error = _two(daily.sharpe_error)
    ratio = f"a Sharpe ratio of {_two(daily.sharpe)} with a standard error of {error}"
    needed = daily.track_record_days.value
    if shown is Economics.PROFIT:
        return f"{sample} show {ratio}: a profit beyond chance at 95 %, if the days to come are like these."
    if shown is Economics.LOSS:
        return f"{sample} show {ratio}: a loss beyond chance at 95 %."
    if needed is None:
        return f"{sample} show {ratio}: it did not earn, and that may be chance."
    return (
        f"{sample} show {ratio}: it may be chance. It would take {-(-needed // money.SCALE):,} days like these to say "
        "at 95 % that there is any profit."
    )


def told(report: Mapping[str, Any], of: Performance) -> dict[str, Any]:
    """Both verdicts: plain JSON values."""
    checks = reliability(report)
    shown, daily = economics(of)
    profile = PESSIMISTIC if of.daily_pessimistic else "own"
    simulated = report["clock"] != "wall" or report["venue"] == "sim"
    return {
        "reliability": {
            "verdict": "pass" if all(check.good for check in checks) else "fail",
            "checks": [check._asdict() for check in checks],
        },
        "economics": {
            "verdict": shown.value,
            "statement": statement(of),
            "profile": profile,
            "simulated": simulated,
            "sharpe": daily.sharpe.text,
            "sharpe_error": daily.sharpe_error.text,
            "sharpe_probability": daily.sharpe_probability.text,
            "track_record_days": daily.track_record_days.text,
            "days": daily.days,
            "trades": of.trades.trades,
            "win_rate_interval": interval_told(of.win_rate_interval),
        },
    }


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _two(of: Measure) -> str:
    return "unknown" if of.value is None else money.text(of.value, 2)
