"""What an operator might look into: rules over the figures of past trades, each with the numbers it stands on.

Advice is text for people. Nothing here reaches a configuration, and a strategy under validation must not be changed at
all. A rule that has too small a sample says nothing, and the slices of a breakdown share one chance in twenty to be
wrong between them (Bonferroni), because the worst of many always looks bad.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from statistics import NormalDist
from typing import Any, Final

import msgspec

from engine.core import money
from engine.core.words import TERMINAL_STATE, ExitReason, ReasonCode, TerminalState
from engine.review.analysis import Breakdown, Slice
from engine.review.performance import Performance
from engine.review.proportions import wilson

SAMPLE_MIN: Final = 20
ADVISORY: Final = (
    "Advisory: nothing here is applied by the program, and nothing may be changed while a validation is under way."
)
_CHANCE: Final = 0.05
_COSTS_MAX: Final = money.SCALE // 2
EXECUTED: Final = TerminalState.EXECUTED
_HALF: Final = money.SCALE // 2
_SLICED: Final = ("phase", "regime", "strategy", "symbol", "hour")


class Advice(msgspec.Struct, frozen=True):
    """One recommendation. `sample` is how many trades, orders or signals it stands on, `numbers` what they showed."""

    rule: str
    about: str
    text: str
    sample: int
    numbers: Mapping[str, str]


def advise(
    found: Sequence[Breakdown], performance: Performance, reasons: Mapping[str, int]
) -> tuple[list[Advice], list[str]]:
    """What can be recommended, and which rules said nothing because they saw too little, a sentence each.

    `reasons` counts the signals that ended by reason code.
    """
    trades, signals = performance.trades.trades, sum(reasons.values())
    silent = []
    if trades < SAMPLE_MIN:
        silent.append(
            f"{trades} trades: below {SAMPLE_MIN} nothing is said of where they won or lost, or what they cost"
        )
    if signals < SAMPLE_MIN:
        silent.append(f"{signals} signals: below {SAMPLE_MIN} nothing is said of why they were refused")
    rules = (_losing(found), _costs(performance), _stops(found, trades), _fills(performance), _refused(reasons))
    return [one for rule in rules for one in rule], silent


def _losing(found: Sequence[Breakdown]) -> Iterator[Advice]:
    for breakdown in found:
        if breakdown.by not in _SLICED:
            continue
        large = [one for one in breakdown.slices if one.trades >= SAMPLE_MIN]
        z = NormalDist().inv_cdf(1 - _CHANCE / (2 * len(large))) if large else 0.0
        for one in large:
            mean, margin = _mean(one, z)
            if mean + margin < 0:
                amounts = {"expectancy": mean, "low": mean - margin, "high": mean + margin}
                numbers = {name: money.text(round(value)) for name, value in amounts.items()}
                text = (
                    f"The trades of {breakdown.by} {one.key} lost {money.text(-round(mean), 2)} each on average, and "
                    "by more than chance explains: look at whether they are wanted."
                )
                yield Advice("losing_slice", f"{breakdown.by} {one.key}", text, one.trades, numbers)


def _mean(of: Slice, z: float) -> tuple[float, float]:
    """Mean result of a trade and the half width of its interval, in units of 1e-8."""
    mean = math.fsum(of.results) / of.trades
    variance = math.fsum((result - mean) ** 2 for result in of.results) / (of.trades - 1)
    return mean, z * math.sqrt(variance / of.trades)


def _costs(performance: Performance) -> Iterator[Advice]:
    of = performance.trades
    costs, before = of.fees + of.funding, of.net_profit + of.fees + of.funding
    if of.trades < SAMPLE_MIN or costs <= 0 or costs <= money.mul(max(before, 0), _COSTS_MAX):
        return
    numbers = {"profit_before_costs": money.text(before), "costs": money.text(costs)}
    share = f"{money.text(money.div(costs, before) * 100, 0)} % of" if before > 0 else "more than all of"
    text = f"Fees and funding took {share} what the trades made before them: fewer or larger moves would have to pay."
    yield Advice("costs", "all trades", text, of.trades, numbers)


def _stops(found: Sequence[Breakdown], trades: int) -> Iterator[Advice]:
    exits = next(one for one in found if one.by == "exit_reason")
    stopped = next((one.trades for one in exits.slices if one.key == ExitReason.SL.value), 0)
    interval = wilson(stopped, trades)
    if trades < SAMPLE_MIN or interval is None or interval.low <= _HALF:
        return
    numbers = {"share": money.text(money.div(stopped, trades)), "low": money.text(interval.low)}
    text = "More than half of the trades ended at their stop: look at the distance of stops and the moment of entries."
    yield Advice("stops", "exit_reason SL", text, trades, numbers | {"high": money.text(interval.high)})


def _fills(performance: Performance) -> Iterator[Advice]:
    worst = performance.profiles.get("pessimistic")
    slipped = worst.slippage if worst is not None else None
    if slipped is None or slipped.fills < SAMPLE_MIN or slipped.mean <= 0:
        return
    text = "Fills were worse than the pessimistic execution profile on average: results under it are not a lower bound."
    yield Advice("fills", "execution profile", text, slipped.fills, {"mean": money.text(slipped.mean)})


def _refused(reasons: Mapping[str, int]) -> Iterator[Advice]:
    signals = sum(reasons.values())
    refused = Counter(
        {code: count for code, count in reasons.items() if TERMINAL_STATE[ReasonCode(code)] is not EXECUTED}
    )
    for code, count in refused.most_common(1) if signals >= SAMPLE_MIN else ():
        interval = wilson(count, signals)
        if interval is not None and interval.low > _HALF:
            numbers = {"refused": str(count), "low": money.text(interval.low)}
            text = f"Most signals were refused for one reason, {code}: look at whether they are worth raising."
            yield Advice("refused", f"reason {code}", text, signals, numbers)


def told(found: tuple[list[Advice], list[str]]) -> dict[str, Any]:
    """Plain JSON values."""
    return {
        "advisory": ADVISORY,
        "recommendations": [msgspec.to_builtins(one) for one in found[0]],
        "too_few": found[1],
    }
