"""The files of a run's folder that are written once: the configuration at the start, the results at the end.

Each is replaced in one step and belongs to its owner alone. A file that cannot be written is named in the answer and
stops no other. Report and page can be made again from the database; `state.json` is never read back.
"""

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from engine.core import money
from engine.core.facts import EquityMarked
from engine.core.view import DeskView
from engine.review.essay import essay
from engine.review.moments import instant
from engine.review.page import summary_page
from engine.review.performance import Performing
from engine.review.reviewed import Review, review, told
from engine.session.files import replace_file
from engine.session.home import RunFolder
from engine.session.scrub import NOTHING_KNOWN, Scrubber
from engine.session.status import status_json

ROWS_MAX: Final = 10_000
MARK_FIELDS: Final = ("equity", "cash", "unrealized", "realized", "fees", "funding", "exposure", "heat", "drawdown")
SHADOW_FIELDS: Final = ("equity_pessimistic", "equity_optimistic")
COLUMNS: Final = ("at", *MARK_FIELDS, *SHADOW_FIELDS)


class Results(msgspec.Struct, frozen=True):
    """What a finished run leaves in its folder. `report` is a `final_report`, `performing` has the run's facts."""

    report: Mapping[str, Any]
    performing: Performing
    view: DeskView | None = None


def write_start(folder: RunFolder, snapshot: Mapping[str, Any], scrubber: Scrubber = NOTHING_KNOWN) -> list[str]:
    """Write `config_snapshot.json`; problems in words, none if all is well."""
    return _write_each([(folder.config_snapshot, lambda: _json(scrubber.value(snapshot)))])


def write_end(folder: RunFolder, results: Results, scrubber: Scrubber = NOTHING_KNOWN) -> list[str]:
    """Write everything a finished run leaves, the report first; problems in words, none if all is well."""
    report, marks = scrubber.value(results.report), results.performing.marks
    rows = metric_rows(marks)
    files: list[tuple[Path, Callable[[], bytes]]] = [
        (folder.final_report, lambda: _json(report)),
        (folder.metrics_json, lambda: _json(metrics(report, rows, len(marks)))),
        (folder.metrics_csv, lambda: _csv(rows)),
        *review_files(folder, lambda: review(report, results.performing)),
    ]
    view = results.view
    if view is not None:
        files.append((folder.state, lambda: _json(scrubber.value(status_json(view)))))
    return _write_each(files)


def write_review(folder: RunFolder, of: Review) -> list[str]:
    """Write `summary.html`, `report.md` and `report.json` anew; problems in words, none if all is well."""
    return _write_each(review_files(folder, lambda: of))


def review_files(folder: RunFolder, of: Callable[[], Review]) -> list[tuple[Path, Callable[[], bytes]]]:
    """What is told of a run for people, and how each file is made."""
    return [
        (folder.summary, lambda: summary_page(of()).encode()),
        (folder.essay, lambda: essay(of()).encode()),
        (folder.review, lambda: _json(told(of()))),
    ]


def metrics(report: Mapping[str, Any], rows: Sequence[Sequence[str]], marks: int) -> dict[str, Any]:
    """The content of `metrics.json`: the run's figures by subject, and its equity marks as `rows` under `columns`.

    `thinning` says how many marks there were and how many are kept; it is never silent.
    """
    wanted = ("starting_equity", "ending_equity", "net_pnl", "net_pnl_band", "fees_total")
    return {
        "run_id": report["run_id"],
        "env": report["env"],
        "latency": {
            "tick_to_strategy_ms": {name: us / 1_000 for name, us in report["tick_to_decision_us"].items()},
            "order_to_fill_ms": report["order_to_fill_ms"],
        },
        "data_quality": {name: report[name] for name in ("dropped_ticks", "gap_count", "stale_events")},
        "execution": {name: report[name] for name in ("orders_submitted", "fills_count", "rejects_count")},
        "performance": {
            "rss_mb_peak": report["rss_mb_peak"],
            "iterations": report["iterations"],
            "heartbeat_regularity": report["heartbeat"],
        },
        "pnl": {name: report[name] for name in wanted},
        "thinning": {"marks": marks, "kept": len(rows)},
        "columns": list(COLUMNS),
        "rows": rows,
    }


def metric_rows(marks: Sequence[EquityMarked], rows_max: int = ROWS_MAX) -> list[list[str]]:
    """The marks as text, `COLUMNS` each, empty where there is nothing.

    Of more than `rows_max` every n-th is kept, and always the last.
    """
    step = max(1, -(-(len(marks) - 1) // max(rows_max - 1, 1)))
    kept = list(marks[::step])
    if marks and kept[-1] is not marks[-1]:
        kept.append(marks[-1])
    return [[instant(mark.at_ns) or "", *map(_text, _amounts(mark))] for mark in kept]


def _amounts(mark: EquityMarked) -> list[int | None]:
    return [getattr(mark, name) for name in (*MARK_FIELDS, *SHADOW_FIELDS)]


def _text(amount: int | None) -> str:
    return "" if amount is None else money.text(amount)


def _json(value: object) -> bytes:
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def _csv(rows: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    return text.getvalue().encode()


def _write_each(files: Sequence[tuple[Path, Callable[[], bytes]]]) -> list[str]:
    problems = []
    for path, make in files:
        try:
            replace_file(path, make())
        except Exception as error:  # whatever is wrong with one file, the others are still wanted
            problems.append(f"{path.name} could not be written: {error!r}")
    return problems
