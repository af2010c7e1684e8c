"""The parts of the summary page that judge: both verdicts, the ratios with their errors, where the result came from."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from engine.core import money
from engine.core.profiles import PESSIMISTIC
from engine.review.advice import ADVISORY
from engine.review.analysis import Breakdown, Slice
from engine.review.bars import signed_bar
from engine.review.chart import grouped
from engine.review.measure import Interval, Measure
from engine.review.metrics import average
from engine.review.performance import Performance
from engine.review.pieces import NONE, esc, pairs, percent, section, signed, span, table
from engine.review.returns import ReturnFigures
from engine.review.reviewed import Review
from engine.review.verdicts import Economics

SLICES_SHOWN: Final = 24
EXITS: Final = "exit_reason"
_TONES: Final = {Economics.PROFIT.value: "good", Economics.LOSS.value: "bad"}
_TITLES: Final = {
    "phase": "By market phase",
    "regime": "By regime",
    "strategy": "By strategy",
    EXITS: "How trades ended",
    "symbol": "By symbol",
    "hour": "By hour of entry (UTC)",
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
_SECOND_NS: Final = 1_000_000_000


def verdicts(found: Mapping[str, Any]) -> str:
    """Both verdicts side by side, each with what it stands on."""
    return f'<div class="two">{_reliability(found["reliability"])}{_economics(found["economics"])}</div>'


def _reliability(found: Mapping[str, Any]) -> str:
    passed = found["verdict"] == "pass"
    rows = "".join(
        f'<tr><th><span class="{"good" if check["good"] else "bad"}">{"yes" if check["good"] else "NO"}</span> '
        f"{esc(check['question'])}</th><td>{esc(check['found'])}</td></tr>"
        for check in found["checks"]
    )
    lead = f'<p class="lead"><b class="{"good" if passed else "bad"}">{"Pass" if passed else "Fail"}</b></p>'
    return section("Reliability of the desk", f"{lead}<table><tbody>{rows}</tbody></table>")


def _economics(found: Mapping[str, Any]) -> str:
    verdict = found["verdict"]
    warning = '<p class="warn">A simulated market: whatever it shows, it shows of the simulation.</p>'
    interval = found["win_rate_interval"]
    hit = NONE if interval is None else f"{_share(interval['low'])} to {_share(interval['high'])}"
    body = (
        f'<p class="lead"><b class="{_TONES.get(verdict, "warn")}">{esc(verdict[:1].upper() + verdict[1:])}</b></p>'
        f"<p>{esc(found['statement'])}</p>{warning if found['simulated'] else ''}"
    )
    rows = [
        ("Taken on", "pessimistic fills" if found["profile"] == PESSIMISTIC else "the desk's own fills"),
        ("Probability that the Sharpe ratio is above 0", _share(found["sharpe_probability"])),
        ("Hit rate, 95 % interval", hit),
    ]
    return section("Economics of the strategy", body + pairs(rows))


def ratios(of: Performance) -> str:
    """The ratios of daily returns, as filled and under pessimistic fills; a dash where there is none, and why."""
    worse = of.daily_pessimistic
    rows = [
        [name, *(_of(daily, field, how) for daily in (of.daily, worse))]
        for name, field, how in (
            ("Sharpe ratio", "sharpe", _two),
            ("Its standard error", "sharpe_error", _two),
            ("Of the newest 20 days", "sharpe_rolling", _two),
            ("Days needed to show a profit at 95 %", "track_record_days", _days),
            ("Sortino ratio", "sortino", _two),
            ("Calmar ratio", "calmar", _two),
            ("Volatility a year", "volatility", _percent),
        )
    ]
    falls = (of.drawdown, of.drawdown_pessimistic)
    rows.append(["Largest drawdown", *(NONE if one is None else percent(one.depth) for one in falls)])
    longest = (NONE if one is None else span(one.longest_ns / _SECOND_NS) for one in falls)
    rows.append(["Longest time below a peak", *longest])
    why = f'<p class="small quiet">{esc(of.daily.sharpe.why)}</p>' if of.daily.sharpe.why else ""
    return section(f"Returns of {of.daily.days} days", table(["", "As filled", "Pessimistic"], rows, texts=1) + why)


def held(of: Performance) -> str:
    """What was in the market, for how long, and how the fills compare with the model's."""
    rows = [
        ("In the market", _percent(of.holding.exposure_time)),
        ("Exposure, mean and largest", f"{_percent(of.holding.exposure_mean)}, {_percent(of.holding.exposure_max)}"),
        ("Turnover a day", _two(of.holding.turnover)),
        ("Largest share of a symbol", _percent(of.holding.concentration)),
        ("Hit rate, 95 % interval", _interval(of.win_rate_interval)),
        ("The same, exact", _interval(of.win_rate_exact)),
        ("Trades a day", _two(of.trades_a_day)),
    ]
    for name, profile in of.profiles.items():
        slipped = profile.slippage
        told = NONE if slipped is None else f"{percent(slipped.mean)} mean, {profile.worse} of {slipped.fills} worse"
        rows.append((f"Fills against {esc(name)} ones", told))
    return section("What was held and traded", pairs(rows))


def exits(found: Sequence[Breakdown]) -> str:
    """What each way out of a trade brought."""
    by_exit = next(one for one in found if one.by == EXITS)
    return (
        _breakdown(by_exit) if by_exit.slices else section(_TITLES[EXITS], '<p class="quiet">No trade was closed.</p>')
    )


def breakdowns(found: Sequence[Breakdown]) -> str:
    """Every other breakdown; that its slices sum to the whole is said below each."""
    parts = [_breakdown(one) for one in found if one.slices and one.by != EXITS]
    return "".join(f'<div class="two">{"".join(parts[n : n + 2])}</div>' for n in range(0, len(parts), 2))


def _breakdown(found: Breakdown) -> str:
    largest = max(abs(part.pnl) for part in found.slices)
    rows = "".join(_row(part, largest) for part in found.slices[:SLICES_SHOWN])
    more = len(found.slices) - SLICES_SHOWN
    note = f'<p class="small quiet">{more} more are in report.json.</p>' if more > 0 else ""
    whole = '<p class="small good">sums to the whole</p>'
    if found.difference:
        whole = f'<p class="small bad">{esc("; ".join(found.difference))}</p>'
    names = "".join(f'<th class="n">{name}</th>' for name in ("P&amp;L", "Each", "Won"))
    head = f"<thead><tr><th></th><th></th>{names}</tr></thead>"
    return section(_TITLES[found.by], f"<table>{head}<tbody>{rows}</tbody></table>{note}{whole}")


def _row(part: Slice, largest: int) -> str:
    each = average(part.results) or 0
    kind = "good" if part.pnl > 0 else "bad" if part.pnl < 0 else ""
    bar = f"<td>{signed_bar(part.pnl, largest)}</td>"
    figures = f'<td class="n {kind}">{signed(part.pnl)}</td><td class="n">{signed(each)}</td>'
    won = f'<td class="n">{part.wins} of {part.trades}</td>'
    return f"<tr><th>{_EXITS.get(part.key, esc(part.key))}</th>{bar}{figures}{won}</tr>"


def recommendations(of: Review) -> str:
    """What an operator might look into, with what it stands on; and what was not said."""
    found, silent = of.advice
    items = "".join(
        f"<li>{esc(one.text)} <span class=quiet>({esc(one.about)}; {one.sample} seen; "
        f"{esc(', '.join(f'{name} {number}' for name, number in one.numbers.items()))})</span></li>"
        for one in found
    )
    body = f"<ul>{items}</ul>" if items else '<p class="quiet">None.</p>'
    quiet = "".join(f'<p class="small quiet">{esc(text)}.</p>' for text in silent)
    return section("Recommendations", f'{body}{quiet}<p class="small warn">{ADVISORY}</p>')


def _of(daily: ReturnFigures | None, field: str, how: Any) -> str:
    return NONE if daily is None else str(how(getattr(daily, field)))


def _two(of: Measure) -> str:
    return NONE if of.value is None else grouped(of.value)


def _days(of: Measure) -> str:
    return NONE if of.value is None else f"{-(-of.value // money.SCALE):,}"


def _percent(of: Measure) -> str:
    return percent(of.value)


def _share(text: str | None) -> str:
    return percent(None if text is None else money.parse(text))


def _interval(of: Interval | None) -> str:
    return NONE if of is None else f"{percent(of.low)} to {percent(of.high)}"
