"""A run told again from the record, a day checked against its seal, two runs side by side: report."""

import json
from collections.abc import Mapping
from itertools import zip_longest
from typing import Any, Final

import msgspec

from console import say
from console.commands.books import ask, books_of
from console.commands.where import Where
from console.exits import Exit, Quit
from engine.core import money
from engine.review.daily import seal, text_of
from engine.review.essay import essay
from engine.review.performance import KINDS, Performing
from engine.review.reviewed import Review, review, told
from engine.session.artifacts import write_review
from engine.session.days import OVER
from store.days import read_days, read_seals
from store.recovery import UnknownRun
from store.spans import read_span

LATEST: Final = "latest"
_DATE_LENGTH: Final = len("2026-01-31")
_PARITY_SHOWN: Final = 200
_VERDICTS: Final = {
    True: "the journal gives the same bytes again",
    False: "the day is on: it is sealed once it is over",
}


class Day(msgspec.Struct, frozen=True):
    """A day's artifact as the journal gives it, held against its file and its seal.

    Attributes:
        sealed: When it was sealed (UTC ns); None: it is not, and only file and journal are compared.
        same: Of a day that is over: the journal gives the very bytes of the file, and they are those that were sealed.
    """

    day: str
    state: str
    sha256: str
    sealed: int | None
    same: bool
    difference: str
    artifact: dict[str, Any]


def report(where: Where, what: str, *, verify: bool) -> Exit:
    """Write the pages of a run anew and say what they say; or, for a date, the artifact of that day."""
    if len(what) == _DATE_LENGTH and what.count("-") == 2:
        return _day(where, what, verify=verify)
    if verify:
        raise Quit(Exit.USAGE, "--verify takes a day, as 2026-01-31; `replay RUN --verify` checks a run")
    found = reviewed(where, what)
    folder = where.home.run(found.report["run_id"])
    problems = write_review(folder, found) if folder.path.is_dir() else [f"{folder.path} is gone: nothing was written"]
    for problem in problems:
        say.aside(problem)
    if where.json:
        say.as_json(told(found))
    else:
        say.line(essay(found).rstrip())
    return Exit.ERROR if problems else Exit.DONE


def reviewed(where: Where, what: str) -> Review:
    """A run that ended, from the record alone. Raises Quit where there is none, or it left no report."""
    path = books_of(where)
    try:
        run = ask(where, lambda queries: queries.run("" if what == LATEST else what))
    except UnknownRun as unknown:
        raise Quit(Exit.USAGE, str(unknown)) from unknown
    if run.report is None:
        text = (
            f"run {run.run_id} left no report: it runs, or was cut off; `analyze {run.run_id}` has its figures so far"
        )
        raise Quit(Exit.USAGE, text)
    span = read_span(path, KINDS, (run.run_id,))
    return review(json.loads(run.report), Performing(span.calendar, held=span.held).take_all(span.facts))


# --- a day ---


def _day(where: Where, name: str, *, verify: bool) -> Exit:
    path, file = books_of(where), where.home.artifacts / f"{name}.json"
    sealed = read_seals(path).get(name)
    written = file.read_bytes() if file.exists() else b""
    given = sealed.given if sealed is not None else _given(written)
    days = list(read_days(path, where.home.env, given, only=name))
    if not days:
        raise Quit(Exit.USAGE, f"the journal knows no day {name}, or its rows are archived")
    text = text_of(days[0])
    is_on = days[0]["state"] != OVER  # what its file says was so when a run ended, and goes on
    difference = "" if is_on else _difference(text, written, sealed.sha256 if sealed is not None else None)
    found = Day(
        name,
        days[0]["state"],
        seal(text),
        sealed.at_ns if sealed else None,
        not difference and not is_on,
        difference,
        days[0],
    )
    if where.json:
        say.as_json(msgspec.to_builtins(found))
    elif verify:
        say.pairs(f"artifact of {name}", _day_rows(found))
    else:
        say.line(text.decode().rstrip())
    return Exit.FAILED_CHECK if verify and difference else Exit.DONE


def _given(written: bytes) -> Mapping[str, str]:
    """What the file of a day that is not sealed says it was made with."""
    try:
        return dict(json.loads(written)["given"])
    except (ValueError, KeyError, TypeError):
        return {"gate_level": "unknown"}


def _difference(text: bytes, written: bytes, sealed: str | None) -> str:
    if not written:
        return "there is no file"
    if sealed is not None and seal(written) != sealed:
        return "the file is not the one that was sealed"
    if sealed is not None and seal(text) != sealed:
        return "the journal does not give what was sealed"
    return "" if text == written else "the journal gives another text than the file"


def _day_rows(found: Day) -> list[tuple[str, str]]:
    return [
        ("state", found.state),
        ("sha256", found.sha256),
        ("sealed", say.utc(found.sealed) if found.sealed else "no"),
        ("verdict", found.difference or _VERDICTS[found.state == OVER]),
    ]


# --- two runs ---


class Compared(msgspec.Struct, frozen=True):
    """One figure of two runs; `difference` is the second less the first, None where there is none to be had."""

    figure: str
    first: str | None
    second: str | None
    difference: str | None


class Parted(msgspec.Struct, frozen=True):
    """A trade that two runs do not have alike: the n-th of its symbol, as `field: first against second`."""

    symbol: str
    number: int
    text: str


class Comparison(msgspec.Struct, frozen=True):
    """Two runs side by side. `trades_alike` of both runs' trades are the same; `parted` are those that are not."""

    runs: tuple[str, str]
    same_decisions: bool
    figures: list[Compared]
    trades_alike: int
    parted: list[Parted]


def compare(where: Where, first: str, second: str) -> Exit:
    """Print two runs side by side, with what differs."""
    one, other = reviewed(where, first), reviewed(where, second)
    found = comparison(one, other)
    if where.json:
        say.as_json(msgspec.to_builtins(found))
        return Exit.DONE
    rows = [(row.figure, row.first or "–", row.second or "–", row.difference or "") for row in found.figures]
    say.table(("figure", *found.runs, "difference"), rows)
    say.line("")
    alike = "the same" if found.same_decisions else "not the same"
    say.line(f"decisions: {alike}; {found.trades_alike} trades alike, {len(found.parted)} not")
    for part in found.parted[:_PARITY_SHOWN]:
        say.line(f"  {part.symbol} {part.number}: {part.text}")
    return Exit.DONE


def comparison(one: Review, other: Review) -> Comparison:
    """Both runs' figures, and their trades paired by symbol and order."""
    mine, theirs = _figures(one), _figures(other)
    rows = [Compared(name, mine[name], theirs[name], _less(mine[name], theirs[name])) for name in mine]
    alike, parted = _parity(one, other)
    hashes = {review.report["decision_hash"] for review in (one, other)}
    return Comparison((one.report["run_id"], other.report["run_id"]), len(hashes) == 1, rows, alike, parted)


_REPORTED: Final = (
    *("duration_seconds", "iterations", "starting_equity", "ending_equity", "net_pnl", "realized_pnl", "fees_total"),
    *("funding_total", "trades", "orders_submitted", "fills_count", "rejects_count", "reject_rate", "error_count"),
)


def _figures(of: Review) -> dict[str, str | None]:
    report, performance = of.report, told(of)["performance"]
    rows = {name: _text(report[name]) for name in _REPORTED}
    rows["net_pnl_pessimistic"] = report["net_pnl_band"]["pessimistic"]
    rows |= {f"signals {state}": _text(count) for state, count in report["signals"].items()}
    slipped = report["slippage"]
    rows["slippage_mean"] = None if slipped is None else slipped["mean"]
    for part, names in (
        ("trades", ("win_rate", "profit_factor", "expectancy", "average_duration_seconds")),
        ("returns", ("sharpe", "sharpe_error", "sortino", "volatility")),
        ("holding", ("exposure_time", "exposure_mean", "turnover", "heat_max")),
        ("drawdown", ("depth",)),
    ):
        found = performance[part] or {}
        rows |= {("drawdown" if name == "depth" else name): _text(found.get(name)) for name in names}
    return rows


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _less(first: str | None, second: str | None) -> str | None:
    if first is None or second is None:
        return None
    return money.text(money.parse(second) - money.parse(first))


_PAIRED: Final = ("side", "qty", "entry_price", "exit_price", "exit_reason", "fees", "pnl")


def _parity(one: Review, other: Review) -> tuple[int, list[Parted]]:
    """The n-th trade of a symbol in one run beside the n-th in the other."""
    alike, parted = 0, []
    symbols = dict.fromkeys(trade.symbol for of in (one, other) for trade in of.trades)
    for symbol in symbols:
        mine, theirs = ([trade for trade in of.trades if trade.symbol == symbol] for of in (one, other))
        for number, (first, second) in enumerate(zip_longest(mine, theirs), start=1):
            if first is None or second is None:
                parted.append(Parted(symbol, number, f"only in the {'second' if first is None else 'first'} run"))
                continue
            unlike = [name for name in _PAIRED if getattr(first, name) != getattr(second, name)]
            told_of = ", ".join(f"{name} {_shown(first, name)} against {_shown(second, name)}" for name in unlike)
            if unlike:
                parted.append(Parted(symbol, number, told_of))
            else:
                alike += 1
    return alike, parted


def _shown(trade: object, name: str) -> str:
    value = getattr(trade, name)
    return money.text(value) if isinstance(value, int) else str(value)
