"""Three days and a month of the whole desk on the virtual clock: only the record grows, and it holds."""

import json
from itertools import pairwise
from pathlib import Path

import pytest

from benchmarks.long import Left, asked, live_through
from engine.session.files import BUFFER_BYTES_MAX, PART_BYTES
from engine.session.home import Home
from engine.session.logs import KEPT, SIZE_MAX

HOURS_OF_A_MONTH = 720


@pytest.mark.sim
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize(
    ("hours", "words"), [(72, ()), (HOURS_OF_A_MONTH, ("--symbols", "BTCUSDT"))], ids=["72 hours", "a month"]
)
def test_days_without_anybody_leave_a_desk_as_it_was_and_a_record_that_holds(
    tmp_path: Path, hours: int, words: tuple[str, ...]
) -> None:
    left = live_through(tmp_path, hours, *words)
    _check_the_end(left, hours)
    _check_what_grows(left)
    _check_weeks(tmp_path, hours)
    for command in (("audit", "verify"), ("replay", "latest", "--verify")):
        assert asked(tmp_path, *command)[0] == 0, command


def _check_the_end(left: Left, hours: int) -> None:
    report = left.report
    assert (left.exit_code, report["reason"], report["problems"]) == (0, "duration_complete", [])
    assert (report["error_count"], report["lost_lines"], report["dropped_ticks"], report["data_rejects"]) == (0,) * 4
    assert report["duration_seconds"] >= hours * 3_600 - 1, "it ends with the market's last event before its time"
    assert report["trades"] > 0
    assert left.days == left.calendar, "a roll each day"
    assert len(left.days) >= hours / 24


def _check_what_grows(left: Left) -> None:
    """Memory and descriptors do not; files are put aside and packed, and the journal keeps to its bytes an event."""
    assert max(sample.rss for sample in left.samples) < 500e6
    assert left.an_hour(lambda sample: sample.rss) < 0.5e6
    assert abs(left.an_hour(lambda sample: sample.descriptors)) < 0.05
    assert abs(left.an_hour(lambda sample: sample.threads)) < 0.05
    assert left.market <= 25 * left.report["iterations"]
    assert left.longest <= PART_BYTES + BUFFER_BYTES_MAX
    assert left.parts >= left.stream // (PART_BYTES + BUFFER_BYTES_MAX)
    assert left.log_files <= KEPT + 1
    assert left.logs <= (KEPT + 1) * SIZE_MAX


def _check_weeks(folder: Path, hours: int) -> None:
    """From Thursday, the first of January: a summary each Monday, each beginning where the one before ended."""
    weeks = [json.loads(path.read_text()) for path in sorted(Home.at(folder, "paper").artifacts.glob("*-W*"))]
    assert [week["week"] for week in weeks] == [f"2026-W{number:02d}" for number in range(1, 1 + (hours + 72) // 168)]
    for before, week in pairwise(weeks):
        assert (week["starting_equity"], len(week["days"]), week["problems"]) == (before["ending_equity"], 7, [])
        assert week["journal"]["first_row"] == before["journal"]["last_row"]
