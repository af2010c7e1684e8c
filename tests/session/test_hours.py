"""The hours a run goes by: learnt from its instruments, kept by its session, told in its report and status."""

from datetime import date
from pathlib import Path

import msgspec
import pytest

from engine.core.calendar import Calendar
from engine.core.config import HOUR, SECOND, Instrument
from engine.core.times import DAY
from engine.session.hours import Hours
from engine.session.status import status_json
from engine.venues.calendars import day_of
from tests.rig import START_NS, instrument
from tests.session.deskrig import DeskRig
from tests.session.toymarket import ToyMarket


def share(symbol: str = "SPY") -> Instrument:
    return msgspec.structs.replace(instrument(symbol), calendar="NYSE")


def test_a_round_the_clock_desk_needs_no_calendar_and_never_rests() -> None:
    hours = Hours(None)
    assert hours.learn([instrument()], START_NS) == ()
    assert not hours.rest(START_NS)


def test_a_desk_on_shares_rests_when_new_york_does() -> None:
    hours = Hours(None)
    assert not hours.rest(START_NS), "nothing is known yet"
    (calendar,) = hours.learn([share(), share("QQQ")], START_NS)
    assert calendar.name == "NYSE"
    assert hours.rest(START_NS), "New Year's Day"
    assert not hours.rest(START_NS + DAY + 15 * HOUR)
    assert calendar.sessions[-1][1] > START_NS + 395 * DAY, "known for more than a year"


def test_a_mixed_desk_never_rests() -> None:
    hours = Hours(None)
    hours.learn([share(), instrument()], START_NS)
    assert not hours.rest(START_NS)


def test_the_calendar_begins_before_the_paper_period() -> None:
    start = date(2024, 3, 1)
    hours = Hours(start)
    (calendar,) = hours.learn([share()], START_NS)
    assert hours.paper_start_day == day_of(start)
    assert calendar.scheduled(day_of(start), day_of(date(2024, 3, 8))) == [
        day_of(date(2024, 3, d)) for d in (1, 4, 5, 6, 7, 8)
    ]


@pytest.mark.parametrize(("start", "warned"), [(date(2026, 1, 1), False), (date(2026, 1, 2), True), (None, False)])
def test_a_paper_period_that_lies_ahead_is_warned_of(start: date | None, warned: bool) -> None:
    warnings = Hours(start).warnings(START_NS)
    assert bool(warnings) is warned
    assert not warned or "2026-01-02 lies in the future" in warnings[0]


CLOSES_NS = START_NS + 388 * SECOND
CLOSING = Calendar("NYSE", ((START_NS - HOUR, CLOSES_NS), (START_NS + DAY, START_NS + DAY + 6 * HOUR)))


def test_a_session_that_ends_in_a_closed_market_leaves_its_positions_and_is_no_failure(tmp_path: Path) -> None:
    rig = DeskRig(tmp_path)
    shares = tuple(msgspec.structs.replace(i, calendar="NYSE") for i in ToyMarket(rig.symbols).instruments)
    code, report = rig.run(600, instruments=shares, calendars=(CLOSING,))
    assert report["positions_open"], "the toy market is low when it closes"
    assert (code, report["error_count"], report["problems"]) == (0, 0, [])
    log = (rig.home.system_log).read_text()
    assert "stay open because their market is closed" in log


def test_the_paper_period_is_told_by_report_and_status(tmp_path: Path) -> None:
    rig = DeskRig(tmp_path)
    rig.paper_start_day = START_NS // DAY - 9
    _, report = rig.run(seconds=60)
    assert report["paper_period"] == {"start": "2025-12-23", "days": 10}
    view = rig.session.view()
    assert view is not None
    assert status_json(view)["paper_period"] == {"start": "2025-12-23", "days": 10}
    page = (rig.session.plan.folder.path / "summary.html").read_text()
    assert "Paper period since 2025-12-23, trading day 10." in page


def test_a_paper_period_that_lies_ahead_has_no_days(tmp_path: Path) -> None:
    rig = DeskRig(tmp_path)
    rig.paper_start_day = START_NS // DAY + 3
    _, report = rig.run(seconds=60)
    assert report["paper_period"] == {"start": "2026-01-04", "days": 0}
