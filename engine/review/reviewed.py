"""One run looked back on: its report, all its figures, where they came from, and both verdicts."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from engine.core.facts import EquityMarked, TradeClosed
from engine.review import advice, analysis, performance, verdicts
from engine.review.advice import Advice, advise
from engine.review.analysis import Breakdown, breakdowns
from engine.review.performance import Performance, Performing


class Review(msgspec.Struct, frozen=True):
    """A run. `report` is a complete `final_report`; `marks` and `trades` are the run's, oldest first.

    Attributes:
        advice: Recommendations, and which rules saw too little.
        verdicts: Both, as JSON values.
        risks: Limits that were reached and stops; `issues` all other incidents.
    """

    report: Mapping[str, Any]
    performance: Performance
    breakdowns: Sequence[Breakdown]
    advice: tuple[list[Advice], list[str]]
    verdicts: Mapping[str, Any]
    marks: Sequence[EquityMarked]
    trades: Sequence[TradeClosed]
    risks: Sequence[Mapping[str, str]]
    issues: Sequence[Mapping[str, str]]


def review(report: Mapping[str, Any], performing: Performing) -> Review:
    """Everything that is told of a run, from its report and its facts."""
    figures = performing.figures()
    found = breakdowns(performing.trades)
    return Review(
        report=report,
        performance=figures,
        breakdowns=found,
        advice=advise(found, figures, performing.reasons),
        verdicts=verdicts.told(report, figures),
        marks=performing.marks,
        trades=performing.trades,
        risks=performing.risks.all,
        issues=performing.issues.all,
    )


def told(of: Review) -> dict[str, Any]:
    """The content of `report.json`: plain JSON values, the run's own report last."""
    return {
        "run_id": of.report["run_id"],
        "env": of.report["env"],
        "verdicts": dict(of.verdicts),
        "performance": performance.told(of.performance),
        "breakdowns": analysis.told(of.breakdowns),
        "advice": advice.told(of.advice),
        "risk_events": [dict(one) for one in of.risks],
        "issues": [dict(one) for one in of.issues],
        "report": dict(of.report),
    }
