"""Answers that look back: `report`, `analyze`."""

from typing import Any

from console.answers.base import Answer
from console.answers.record import Report


class VerdictCheck(Answer, frozen=True):
    name: str
    question: str
    found: str
    good: bool


class Reliability(Answer, frozen=True):
    """Of the desk: pass or fail, and the questions it stands on."""

    verdict: str
    checks: list[VerdictCheck]


class EconomicsTold(Answer, frozen=True):
    """Of the strategy: `unknown`, `shows nothing`, `shows a profit` or `shows a loss`.

    `profile`: whose fills it is taken on, `pessimistic` or the desk's `own`.
    """

    verdict: str
    statement: str
    profile: str
    simulated: bool
    sharpe: str | None
    sharpe_error: str | None
    sharpe_probability: str | None
    track_record_days: str | None
    days: int
    trades: int
    win_rate_interval: dict[str, str] | None


class Verdicts(Answer, frozen=True):
    reliability: Reliability
    economics: EconomicsTold


class Figures(Answer, frozen=True):
    """All figures of a span of time by subject: docs/measures.md. `undefined` says why one is null."""

    begin: str | None
    end: str | None
    trades: dict[str, Any]
    returns: dict[str, Any]
    returns_pessimistic: dict[str, Any] | None
    drawdown: dict[str, Any] | None
    drawdown_pessimistic: dict[str, Any] | None
    holding: dict[str, Any]
    running: dict[str, Any]
    fills_against_profiles: dict[str, Any]


class Sliced(Answer, frozen=True):
    """The trades of one key."""

    key: str
    trades: int
    wins: int
    pnl: str
    fees: str
    funding: str
    expectancy: str | None
    win_rate: str | None
    profit_factor: str | None


class SlicedBy(Answer, frozen=True):
    """A breakdown. `difference`: where it does not sum to the whole."""

    slices: list[Sliced]
    conserved: bool
    difference: list[str]


class Recommendation(Answer, frozen=True):
    rule: str
    about: str
    text: str
    sample: int
    numbers: dict[str, str]


class AdviceTold(Answer, frozen=True):
    """`too_few`: what was not said, because too little was seen."""

    advisory: str
    recommendations: list[Recommendation]
    too_few: list[str]


class Reviewed(Answer, frozen=True):
    """`report RUN`, and `report.json` in the run's folder."""

    run_id: str
    env: str
    verdicts: Verdicts
    performance: Figures
    breakdowns: dict[str, SlicedBy]
    advice: AdviceTold
    risk_events: list[dict[str, str]]
    issues: list[dict[str, str]]
    report: Report


class Analyzed(Answer, frozen=True):
    runs: list[str]
    since: str | None
    until: str | None
    performance: Figures
    breakdowns: dict[str, SlicedBy]
    advice: AdviceTold


class DayTold(Answer, frozen=True):
    """One day of several: `breakers` and `transitions` say how many were observed, or that none was."""

    day: str
    state: str
    late: bool
    trades: int
    net_pnl: str
    zero_trade_reason: str | None
    breakers: str
    transitions: str
    incidents: int


class PeriodTold(Answer, frozen=True):
    """`report --since`: days as one. `reliability` has `verdict` and, in `against`, what speaks against it."""

    env: str
    first_day: str
    last_day: str
    runs: list[str]
    reliability: dict[str, Any]
    economics: dict[str, str]
    days: list[DayTold]
    performance: Figures
    breakdowns: dict[str, SlicedBy]
    advice: AdviceTold
