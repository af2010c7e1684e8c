"""Each trading day leaves its artifact, sealed once it is over; the database gives the same bytes again."""

import csv
import json
import sqlite3
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from engine.core import money
from engine.core.config import DAY, MINUTE, SECOND
from engine.review.daily import seal, text_of
from engine.review.daily_metrics import METRICS
from engine.session.clock import VirtualClock
from engine.session.days import Days, SealBroken
from engine.session.plan import Policy
from store.days import read_days, read_seals
from store.desk import open_store
from tests.rig import START_NS
from tests.session.deskrig import DeskRig

MIDNIGHT_NS = START_NS + DAY  # 2026-01-02
RUN_SECONDS = 420
DATES = "[0-9]*-[0-9]*-[0-9]*.json"


def lived(rig: DeskRig, midnight_ns: int, **policy: Any) -> None:
    """A run from four minutes before a midnight (UTC) to three after it."""
    rig.begins_ns = midnight_ns - 4 * MINUTE
    code, report = rig.run(RUN_SECONDS, policy=Policy(duration_ns=RUN_SECONDS * SECOND, **policy))
    assert (code, report["problems"]) == (0, [])


def days_in(rig: DeskRig) -> dict[str, dict[str, Any]]:
    return {path.stem: json.loads(path.read_text()) for path in sorted(rig.home.artifacts.glob(DATES))}


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> DeskRig:
    """A desk with two midnights behind it; nobody was there on the two days in between."""
    rig = DeskRig(tmp_path_factory.mktemp("desk"))
    lived(rig, MIDNIGHT_NS, checkpoint_ns=1)
    assert set(read_seals(rig.home.database)) == {"2026-01-01"}
    assert days_in(rig)["2026-01-02"]["state"] == "open"
    lived(rig, MIDNIGHT_NS + 4 * DAY)
    return rig


def test_every_day_has_its_artifact_and_all_that_are_over_are_sealed(rig: DeskRig) -> None:
    days = days_in(rig)
    assert list(days) == [f"2026-01-0{n}" for n in range(1, 7)]
    seals = read_seals(rig.home.database)
    assert list(seals) == [f"2026-01-0{n}" for n in range(1, 6)]
    for name, sealed in seals.items():
        assert seal((rig.home.artifacts / f"{name}.json").read_bytes()) == sealed.sha256
        assert days[name]["state"] == "over" and days[name]["gate_level"] == sealed.given["gate_level"] == "DENIED"
    assert [name for name, day in days.items() if day["late"]] == ["2026-01-02", "2026-01-03", "2026-01-04"]
    assert all(day["problems"] == [] for day in days.values())


def test_days_without_trades_say_why(rig: DeskRig) -> None:
    days = days_in(rig)
    missed = days["2026-01-03"]["zero_trade_day"]
    assert missed["reason"] == "System paused"
    assert missed["pnl_unchanged"] and missed["no_fees"] and missed["positions_unchanged"]
    assert days["2026-01-03"]["system"]["runtime_seconds"] == 0
    assert days["2026-01-01"]["zero_trade_day"] is None and days["2026-01-06"]["zero_trade_day"] is None


def test_every_figure_of_a_day_is_what_its_rows_come_to(rig: DeskRig) -> None:
    with closing(sqlite3.connect(rig.home.database)) as db:
        traded = 0
        for name, told in days_in(rig).items():
            within = tuple(told["journal"].values())
            if within[0] == within[1]:
                continue  # missed

            def total(sql: str, within: tuple[Any, ...] = within) -> str:
                amounts = [money.parse(amount) for (amount,) in db.execute(f"{sql} WHERE row > ? AND row <= ?", within)]
                return money.text(sum(amounts))

            def count(sql: str, within: tuple[Any, ...] = within) -> int:
                (found,) = db.execute(f"SELECT count(*) FROM {sql} AND row > ? AND row <= ?", within).fetchone()
                return int(found)

            assert told["equity"]["realized_pnl"] == total("SELECT realized FROM fills")
            assert told["equity"]["fees"] == total("SELECT fee FROM fills")
            assert told["equity"]["funding"] == total("SELECT amount FROM funding")
            assert told["trades"]["fills"] == count("fills WHERE 1")
            assert told["trades"]["placed"] == count("orders WHERE 1")
            assert told["trades"]["closed"] == count("trades WHERE 1") == len(told["trades"]["list"])
            assert told["trades"]["wins"] == count("trades WHERE pnl_e8 > 0")
            signals = told["signals"]
            assert signals["raw"] == count("signals WHERE 1")
            assert signals["executed"] == count("outcomes WHERE state = 'EXECUTED'")
            for state, found in signals["rejected"].items():
                assert found == count(f"outcomes WHERE state = '{state}'")
            accounted = signals["executed"] + sum(signals["rejected"].values()) + signals["in_flight_after"]
            assert signals["raw"] + signals["in_flight_before"] == accounted, name
            assert sum(signals["rejected_for"].values()) == signals["rejected_count"] == len(signals["rejections"])
            traded += told["trades"]["closed"]
        assert traded > 0


def test_the_days_join_without_a_gap(rig: DeskRig) -> None:
    days = list(days_in(rig).values())
    for before, after in pairwise(days):
        assert before["equity"]["closing"] == after["equity"]["opening"]
        assert before["signals"]["in_flight_after"] == after["signals"]["in_flight_before"]


def test_the_database_gives_the_same_bytes_again(rig: DeskRig) -> None:
    for name, sealed in read_seals(rig.home.database).items():
        (told,) = read_days(rig.home.database, "paper", sealed.given, only=name)
        assert text_of(told) == (rig.home.artifacts / f"{name}.json").read_bytes()


def test_the_metrics_have_a_row_for_each_day_that_is_over(rig: DeskRig) -> None:
    with (rig.home.artifacts / "metrics.csv").open() as file:
        head, *rows = csv.reader(file)
    assert head == ["date", *METRICS] and len(METRICS) == 13
    assert [row[0] for row in rows] == [f"2026-01-0{n}" for n in range(1, 6)]
    told = days_in(rig)
    assert all(row[1] == told[row[0]]["metrics"]["daily_return"] for row in rows)
    assert dict(zip(head, rows[2], strict=True))["runtime_stability"] == "0"
    assert "## Broker rejections" in (rig.home.artifacts / "incidents.md").read_text()


class _Book:
    """The rig's own database, nothing of which is sealed here."""

    def __init__(self, rig: DeskRig) -> None:
        self._store = open_store(rig.home.database, "paper", VirtualClock(START_NS))
        self.days, self.seals, self.record_seal = self._store.days, self._store.seals, self._store.record_seal
        self.close = self._store.close


def test_a_sealed_day_is_left_alone_and_a_lost_one_comes_again(tmp_path: Path) -> None:
    rig = DeskRig(tmp_path)
    lived(rig, MIDNIGHT_NS)
    path = rig.home.artifacts / "2026-01-01.json"
    told = path.read_bytes()
    with closing(_Book(rig)) as book:
        with pytest.raises(Exception, match="UNIQUE"):
            book.record_seal("2026-01-01", "0" * 64, {}).result()
        path.write_text("mine\n")
        Days(book, rig.home.artifacts, {"gate_level": "FULL"}).write()
        assert path.read_text() == "mine\n"
        path.unlink()
        Days(book, rig.home.artifacts, {"gate_level": "FULL"}).write()
        assert path.read_bytes() == told
        path.unlink()
    with closing(sqlite3.connect(rig.home.database)) as db:
        db.execute("UPDATE artifacts SET sha256 = ?", ("0" * 64,))
        db.commit()
    with closing(_Book(rig)) as book, pytest.raises(SealBroken, match="2026-01-01"):
        Days(book, rig.home.artifacts, {"gate_level": "DENIED"}).write()
    assert not path.exists()


def test_something_else_in_an_artifacts_place_stops_nothing(tmp_path: Path) -> None:
    rig = DeskRig(tmp_path)
    lived(rig, MIDNIGHT_NS)
    for text in ("mine\n", "[]", '{"day": 1}'):
        (rig.home.artifacts / "2026-01-01.json").write_text(text)
        assert rig.run(60)[0] == 0
    assert (rig.home.artifacts / "metrics.csv").read_text().count("\n") == 1
    assert (rig.home.artifacts / "2026-01-02.json").read_text() != text


def test_a_day_that_cannot_be_written_is_a_problem_of_its_run_and_the_next_writes_it(tmp_path: Path) -> None:
    rig = DeskRig(tmp_path)
    rig.home.artifacts.rmdir()
    rig.home.artifacts.write_text("in the way")
    rig.begins_ns = MIDNIGHT_NS - 4 * MINUTE
    code, report = rig.run(RUN_SECONDS)
    assert code == 1
    assert [text for text in report["problems"] if text.startswith("the artifact of the day could not be written")]
    assert read_seals(rig.home.database) == {}
    rig.home.artifacts.unlink()
    rig.home.artifacts.mkdir()
    assert rig.run(60)[0] == 0
    assert list(days_in(rig)) == ["2026-01-01", "2026-01-02"]
    assert list(read_seals(rig.home.database)) == ["2026-01-01"]
