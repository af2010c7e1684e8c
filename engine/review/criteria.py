"""What the criteria of the protocols measure, each a pure function of the evidence.

A measure says what it found as text and leads to it: `journal row N`, or the table it counted. It answers None where
nothing was seen that could pass or fail.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from engine.core import money
from engine.core.config import DAY
from engine.core.times import stretch
from engine.review import metrics, returns
from engine.review.drawdown import max_drawdown
from engine.review.evidence import DaySeen, Evidence, Happening
from engine.review.moments import date_text
from engine.review.proportions import wilson
from engine.review.protocol import Measured

HOUR_NS: Final = 3_600_000_000_000
HOURS_A_YEAR: Final = 24 * returns.CONTINUOUS_DAYS
BEATS_A_SECOND_MIN: Final = 0.8

Measure = Callable[[Evidence], Measured]


# --- what must not have happened ---


def none_of(name: str, table: str, most: int = 0) -> Measure:
    """At most `most` happenings of the evidence's field `name`; nothing is told before the first run began."""

    def measure(evidence: Evidence) -> Measured:
        found: Sequence[Happening] = getattr(evidence, name)
        if not evidence.started_ns:
            return Measured(None, "no run has begun")
        first = f": {found[0].text}" if found else ""
        where = f"journal row {found[0].row}" if found else f"table {table}"
        return Measured(len(found) <= most, f"{len(found)}{first}", where)

    return measure


def errors(per_day: bool = False) -> Measure:
    """Errors counted, against the limit of a day, times the days begun where the protocol lasts several."""

    def measure(evidence: Evidence) -> Measured:
        days = max(1, -(-evidence.terms.length_ns // DAY)) if per_day else 1
        return none_of("errors", "errors", days * evidence.terms.thresholds.errors_max_per_day)(evidence)

    return measure


def literal(phrase: str, *, wanted: bool = False) -> Measure:
    """Whether a fixed phrase stands in the log since the start."""

    def measure(evidence: Evidence) -> Measured:
        if evidence.files is None:
            return Measured(None, "the log was not read yet")
        count = evidence.files.literals.get(phrase, 0)
        return Measured(bool(count) == wanted, f"{count} times", "logs/system.jsonl")

    return measure


# --- what every run must have left ---


def of_report(name: str, holds: Callable[[Any], bool], show: Callable[[Any], str] = str) -> Measure:
    """A figure of every final report; a run without one fails once the next has begun."""

    def measure(evidence: Evidence) -> Measured:
        reports = _reports(evidence)
        if isinstance(reports, Measured):
            return reports
        values = [report.get(name) for report in reports]
        bad = [value for value in values if value is None or not holds(value)]
        return Measured(not bad, show((bad or values)[-1]), "table runs, column report")

    return measure


def duration(evidence: Evidence) -> Measured:
    """How long the runs have lasted, the pauses between them included."""
    if not evidence.started_ns:
        return Measured(None, "no run has begun")
    report = evidence.report if len(evidence.runs) == 1 else None
    lasted_ns = int(float(report["duration_seconds"]) * 1e9) if report else evidence.elapsed_ns
    enough = lasted_ns >= evidence.terms.length_ns
    return Measured(True if enough else None if report is None and not evidence.files else False, stretch(lasted_ns))


def ended_in_order(evidence: Evidence) -> Measured:
    """Every run ended with its report and exit code 0."""
    return of_report("exit_code", lambda code: code == 0, lambda code: f"exit code {code}")(evidence)


def no_crash(evidence: Evidence) -> Measured:
    """No run ended without its report, but the one that runs."""
    if not evidence.started_ns:
        return Measured(None, "no run has begun")
    finished = evidence.runs if evidence.files else evidence.runs[:-1]
    crashed = [run for run in finished if run.report is None]
    return Measured(
        not crashed if finished or len(evidence.runs) == 1 else None,
        f"{len(crashed)} of {len(evidence.runs)} runs",
        f"journal row {crashed[0].first_row}" if crashed else "table runs",
    )


def file_of(*names: str) -> Measure:
    """Every run's folder holds these files."""

    def measure(evidence: Evidence) -> Measured:
        if evidence.files is None:
            return Measured(None, "the folders were not looked at yet")
        missing = [f"{run}/{name}" for run, there in evidence.files.runs.items() for name in names if name not in there]
        seen = bool(evidence.files.runs)
        return Measured(seen and not missing, ", ".join(missing) + " missing" if missing else ", ".join(names))

    return measure


def beats(limit_s: float) -> Measure:
    """The longest pause between two heartbeats of a run."""
    return of_report(
        "heartbeat",
        lambda beat: beat["count"] > 0 and beat["max_gap_seconds"] <= limit_s,
        lambda beat: f"{beat['max_gap_seconds']} s at most, {beat['count']} beats",
    )


def regular(evidence: Evidence) -> Measured:
    """About one heartbeat a second; where time is a market's, that there were any."""

    def holds(report: Mapping[str, Any]) -> bool:
        count = int(report["heartbeat"]["count"])
        wanted = float(report["duration_seconds"]) * BEATS_A_SECOND_MIN if report["clock"] == "wall" else 1
        return count >= wanted

    reports = _reports(evidence)
    if isinstance(reports, Measured):
        return reports
    last = reports[-1]
    text = f"{last['heartbeat']['count']} in {last['duration_seconds']:.0f} s"
    return Measured(all(map(holds, reports)), text, "table runs, column report")


def memory(name: str) -> Measure:
    """Resident memory by the reports, in megabytes."""

    def measure(evidence: Evidence) -> Measured:
        limit = evidence.terms.thresholds.memory_max_bytes / 1_000_000
        return of_report(name, lambda megabytes: megabytes < limit, lambda megabytes: f"{megabytes} MB")(evidence)

    return measure


def net_is_the_difference(evidence: Evidence) -> Measured:
    """net_pnl = ending - starting equity, to the last digit."""
    reports = _reports(evidence)
    if isinstance(reports, Measured):
        return reports
    last = reports[-1]
    sums = [(_money(r, "ending_equity") - _money(r, "starting_equity"), _money(r, "net_pnl")) for r in reports]
    good = all(difference == net for difference, net in sums)
    return Measured(good, f"{last.get('net_pnl')} = {last.get('ending_equity')} - {last.get('starting_equity')}")


def no_secrets(evidence: Evidence) -> Measured:
    """No secret stands in any output."""
    if evidence.files is None:
        return Measured(None, "the outputs were not read yet")
    return Measured(not evidence.files.leaks, ", ".join(evidence.files.leaks) or "none found")


# --- the desk over days ---


def uptime(evidence: Evidence) -> Measured:
    """The part of the time since the start in which a run lived."""
    if not evidence.elapsed_ns:
        return Measured(None, "nothing has run yet")
    down_ns = sum(evidence.outages_ns)
    share = money.SCALE - money.div(down_ns, evidence.elapsed_ns)
    return Measured(share >= evidence.terms.thresholds.uptime_min, f"{_percent(share)}, {stretch(down_ns)} down")


def outages(evidence: Evidence) -> Measured:
    """Each pause between two runs within its limit, and no more of them than allowed."""
    if not evidence.started_ns:
        return Measured(None, "no run has begun")
    limits, found = evidence.terms.thresholds, evidence.outages_ns
    good = len(found) <= limits.outages_max and max(found, default=0) <= limits.outage_max_ns
    return Measured(good, f"{len(found)}, {stretch(max(found, default=0))} the longest", "table runs")


def whole_time(evidence: Evidence) -> Measured:
    """The protocol lasted as long as it was to."""
    if not evidence.started_ns:
        return Measured(None, "no run has begun")
    return Measured(True if evidence.is_over else False if evidence.files else None, stretch(evidence.elapsed_ns))


def proven(evidence: Evidence) -> Measured:
    """The journal's chain and signatures hold."""
    if evidence.faults is None:
        return Measured(None, "not verified yet")
    return Measured(not evidence.faults, evidence.faults[0] if evidence.faults else "chain and signatures hold")


def same_code(evidence: Evidence) -> Measured:
    """Every run had the program that was fixed, and it was not replaced meanwhile."""
    if not evidence.runs:
        return Measured(None, "no run has begun")
    reports = [run.report["program"] for run in evidence.runs if run.report]
    others = [program for program in reports if program["fingerprint"] != evidence.terms.fingerprints.code]
    replaced = [name for program in reports for name in program["replaced"]]
    text = f"{len(others)} runs of another program" + (f", {replaced[0]} was replaced" if replaced else "")
    return Measured(not others and not replaced, text, "table runs, column report")


def same_parameters(evidence: Evidence) -> Measured:
    """All runs had one configuration."""
    hashes = {run.config_hash for run in evidence.runs}
    return Measured(len(hashes) == 1 if hashes else None, f"{len(hashes)} configurations", "table runs")


def unchanged(evidence: Evidence) -> Measured:
    """Code and configuration of every run are those that were fixed."""
    parameters, code = same_parameters(evidence), same_code(evidence)
    return code if parameters.passed else parameters


def autonomous(evidence: Evidence) -> Measured:
    """Nobody acted on the desk."""
    return none_of("acts", "operator_acts")(evidence)


def honest(evidence: Evidence) -> Measured:
    """Every report says what the rows of the database say, and adds up."""
    reports = _reports(evidence)
    if isinstance(reports, Measured):
        return reports
    wrong = [text for run in evidence.runs for text in run.differences]
    wrong += [str(problem) for report in reports for problem in report.get("problems", ())]
    return Measured(not wrong, wrong[0] if wrong else f"net {reports[-1].get('net_pnl')}, as the rows have it")


# --- the strategy ---


def drawdown(evidence: Evidence) -> Measured:
    """Largest fall of equity from its peak, under the pessimistic execution profile where there is one."""
    found = max_drawdown(_pessimistic(evidence))
    if found is None:
        return Measured(None, "no equity was marked yet")
    return Measured(found <= evidence.terms.thresholds.drawdown_max, _percent(found), "table equity_marks")


def frequency(evidence: Evidence) -> Measured:
    """Closed round trips."""
    count, enough = len(evidence.trades), evidence.terms.thresholds.trades_min
    open_still = None if count < enough and not evidence.files else False
    return Measured(True if count >= enough else open_still, str(count), "table trades")


def win_rate(evidence: Evidence) -> Measured:
    """Won round trips over all, with the interval in which the true rate lies at 95 %."""
    results = [trade.pnl for trade in evidence.trades]
    found = metrics.win_rate(results)
    interval = wilson(sum(result > 0 for result in results), len(results))
    if found is None or interval is None:
        return Measured(None, "no trade was closed")
    good = found >= evidence.terms.thresholds.win_rate_min
    return Measured(
        good, f"{_percent(found)} (95 %: {_percent(interval.low)} to {_percent(interval.high)})", "table trades"
    )


def sharpe(evidence: Evidence) -> Measured:
    """Sharpe ratio of hourly returns, annualized, beside its standard error and the time it takes to show anything.

    Days are too few for a protocol of three.
    """
    opening = _pessimistic(evidence)[:1]
    closing = dict(zip((mark.at_ns // HOUR_NS for mark in evidence.marks), _pessimistic(evidence), strict=True))
    hourly = returns.daily_returns([*opening, *closing.values()])
    ratio, error = returns.sharpe(hourly, HOURS_A_YEAR), returns.sharpe_error(hourly, HOURS_A_YEAR)
    if ratio.value is None or error.value is None:
        return Measured(None, ratio.why or error.why)
    hours = returns.track_record_min(hourly)
    shown = f"{-(-hours.value // (24 * money.SCALE))} days would show it is above 0" if hours.value else hours.why
    text = f"{ratio.value / money.SCALE:.2f} +- {error.value / money.SCALE:.2f}; {shown}"
    return Measured(ratio.value >= evidence.terms.thresholds.sharpe_min, text, "table equity_marks")


# --- the audit ---


def every_day(evidence: Evidence) -> Measured:
    """A run lived on every scheduled trading day so far, and the protocol has as many of them as it needs."""
    if not evidence.days:
        return Measured(None, "no day is over yet")
    seen = {day.day for day in evidence.days if day.marks}
    due = [day for day in evidence.terms.days if day <= max(seen, default=0)]
    missed = [day for day in due if day not in seen]
    if missed:
        return Measured(False, f"{date_text(missed[0])} was missed", "table days")
    enough = bool(due) and len(due) >= len(evidence.terms.days)
    return Measured(
        True if enough else False if evidence.files else None, f"{len(due)} of {len(evidence.terms.days)} days"
    )


def artifacts(evidence: Evidence) -> Measured:
    """There is a daily artifact for every day the desk lived through, with the bytes that were sealed."""
    if evidence.files is None:
        return Measured(None, "the folder was not looked at yet")
    lived = [date_text(day.day) for day in _scheduled(evidence)]
    missing = [day for day in lived if evidence.files.days.get(day, "none") != evidence.seals.get(day)]
    text = f"{missing[0]} has none that is sealed" if missing else f"{len(lived)} of {len(lived)} days"
    return Measured(bool(lived) and not missing, text, "artifacts/")


def zero_days(evidence: Evidence) -> Measured:
    """Every day without a trade is documented: its artifact says why."""
    if evidence.files is None:
        return Measured(None, "the folder was not looked at yet")
    empty = [date_text(day.day) for day in _scheduled(evidence) if not day.fills]
    silent = [day for day in empty if not evidence.files.told.get(day, False)]
    return Measured(
        not silent, f"{silent[0]} says nothing" if silent else f"{len(empty)} such days, all documented", "artifacts/"
    )


def no_open_mismatch(evidence: Evidence) -> Measured:
    """Both books agree in the end; what was found and settled is told."""
    found = none_of("mismatches", "discrepancies")(evidence)
    return found._replace(value=f"{found.value} open of {evidence.mismatches_ever}") if found.passed else found


def _scheduled(evidence: Evidence) -> list[DaySeen]:
    """The days lived through that were scheduled; the moments after the last one belong to no day of the protocol."""
    return [day for day in evidence.days if day.day in evidence.terms.days]


def _reports(evidence: Evidence) -> list[Mapping[str, Any]] | Measured:
    """The final reports of all runs that came to trade; a measure that says why not, where there is none to judge."""
    if not evidence.runs:
        return Measured(None, "no run has begun")
    reports = [run.report for run in evidence.runs if run.report is not None]
    if not reports:
        return Measured(None, "no run has ended in order")
    return reports


def _pessimistic(evidence: Evidence) -> list[int]:
    return [mark.equity if mark.pessimistic is None else mark.pessimistic for mark in evidence.marks]


def _money(report: Mapping[str, Any], name: str) -> int:
    return money.parse(str(report.get(name, "0")))


def _percent(ratio: int) -> str:
    return f"{ratio * 100 / money.SCALE:.2f} %"
