"""Each week that is over leaves its summary, an event and an alert, once, and the database gives the same again."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from engine.core import money
from engine.core.config import DAY, MINUTE, SECOND
from engine.core.words import AlertKind
from engine.session.plan import Policy
from engine.session.weeks import Weeks
from store.weeks import read_weeks
from tests.rig import START_NS
from tests.session.deskrig import DeskRig

MONDAY_NS = START_NS + 4 * DAY  # 2026-01-05
RUN_SECONDS = 420


def lived(rig: DeskRig, monday_ns: int, **policy: Any) -> None:
    """A run from four minutes before a Monday (UTC) to three after its beginning."""
    rig.begins_ns = monday_ns - 4 * MINUTE
    code, report = rig.run(RUN_SECONDS, policy=Policy(duration_ns=RUN_SECONDS * SECOND, **policy))
    assert (code, report["problems"]) == (0, [])


def weeks_in(rig: DeskRig) -> dict[str, dict[str, Any]]:
    return {path.stem: json.loads(path.read_text()) for path in sorted(rig.home.artifacts.glob("*-W*"))}


def events_of(rig: DeskRig) -> list[dict[str, Any]]:
    lines = rig.session.plan.folder.events.read_text().splitlines()
    return [event for event in map(json.loads, lines) if event["event"] == "WeekEnded"]


def alerts_of(rig: DeskRig) -> list[str]:
    lines = map(json.loads, rig.home.alerts.read_text().splitlines())
    told = [line["notice"] for line in lines if line["type"] == "alert"]
    return [notice["text"] for notice in told if notice["kind"] == AlertKind.WEEK_ENDED]


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> DeskRig:
    """A desk with two weeks behind it, the first written while it ran; nobody was there in the fourth."""
    rig = DeskRig(tmp_path_factory.mktemp("desk"))
    lived(rig, MONDAY_NS, checkpoint_ns=1)
    assert [event["week"] for event in events_of(rig)] == ["2026-W01"]
    lived(rig, MONDAY_NS + 14 * DAY)
    return rig


def test_a_week_is_told_once_in_a_file_an_event_and_an_alert(rig: DeskRig) -> None:
    weeks = weeks_in(rig)
    assert list(weeks) == ["2026-W01", "2026-W02", "2026-W03"]
    assert [event["week"] for event in events_of(rig)] == ["2026-W02", "2026-W03"]
    assert [text.split()[0] for text in alerts_of(rig)] == list(weeks)
    for event in events_of(rig):
        told = weeks[event["week"]]
        assert all(event[name] == told[name] for name in ("net_pnl", "ending_equity", "trades", "first_day"))
    assert weeks["2026-W03"]["runs_begun"] == 1
    assert weeks["2026-W02"]["last_day"] == "2026-01-05", "the last day anybody was there"


def test_every_figure_of_a_week_is_what_its_rows_come_to(rig: DeskRig) -> None:
    with closing(sqlite3.connect(rig.home.database)) as db:
        for told in weeks_in(rig).values():
            within = tuple(told["journal"].values())

            def total(sql: str, within: tuple[Any, ...] = within) -> str:
                amounts = [money.parse(amount) for (amount,) in db.execute(f"{sql} WHERE row > ? AND row <= ?", within)]
                return money.text(sum(amounts))

            def count(sql: str, within: tuple[Any, ...] = within) -> int:
                (found,) = db.execute(f"SELECT count(*) FROM {sql} AND row > ? AND row <= ?", within).fetchone()
                return int(found)

            equity = dict(db.execute("SELECT row, opening_equity FROM days").fetchall())
            began, over = equity[within[0]], equity[within[1]]
            assert (told["starting_equity"], told["ending_equity"]) == (began, over)
            assert told["net_pnl"] == money.text(money.parse(over) - money.parse(began))
            assert told["net_pnl"] == total("SELECT ended_pnl FROM days")
            assert told["realized_pnl"] == total("SELECT realized FROM fills")
            assert told["fees_total"] == total("SELECT fee FROM fills")
            assert told["funding_total"] == total("SELECT amount FROM funding")
            assert told["fills_count"] == count("fills WHERE 1")
            assert told["trades"] == count("trades WHERE 1")
            assert told["wins"] == count("trades WHERE pnl_e8 > 0")
            assert told["signals"]["raised"] == count("signals WHERE 1")
            for state in ("EXECUTED", "REJECTED_BY_HEAT", "REJECTED_BY_BROKER"):
                assert told["signals"][state] == count(f"outcomes WHERE state = '{state}'")
            assert told["error_count"] == count("errors WHERE 1") == 0
            assert told["problems"] == []
        assert sum(told["trades"] for told in weeks_in(rig).values()) > 0


def test_the_database_gives_the_same_files_again(rig: DeskRig, tmp_path: Path) -> None:
    class Book:
        def weeks(self, known: object) -> list[dict[str, Any]]:
            assert known == set()
            return read_weeks(rig.home.database, "paper")

    Weeks(Book(), tmp_path).write()
    kept = {path.name: path.read_bytes() for path in rig.home.artifacts.glob("*-W*")}
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == kept


def test_a_file_that_was_lost_is_written_by_the_next_run_and_the_others_are_left_alone(tmp_path: Path) -> None:
    rig = DeskRig(tmp_path)
    lived(rig, MONDAY_NS)
    (lost,) = rig.home.artifacts.glob("*-W*")
    told = lost.read_bytes()
    lost.unlink()
    rig.begins_ns = MONDAY_NS + 3600 * SECOND
    assert rig.run(60)[0] == 0
    assert lost.read_bytes() == told
    lost.write_text("mine\n")
    assert rig.run(60)[0] == 0
    assert lost.read_text() == "mine\n"


def test_a_summary_that_cannot_be_written_is_a_problem_of_its_run_and_the_next_writes_it(tmp_path: Path) -> None:
    rig = DeskRig(tmp_path)
    rig.home.artifacts.rmdir()
    rig.home.artifacts.write_text("in the way")
    rig.begins_ns = MONDAY_NS - 4 * MINUTE
    code, report = rig.run(RUN_SECONDS)
    assert code == 1
    assert [text for text in report["problems"] if text.startswith("the summary of the week could not be written")]
    rig.home.artifacts.unlink()
    rig.home.artifacts.mkdir()
    assert rig.run(60)[0] == 0
    assert list(weeks_in(rig)) == ["2026-W01"]
