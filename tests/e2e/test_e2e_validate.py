"""Validation protocols as a user runs them: to their verdict, cut off and gone on with, and judged again."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from console.answers.catalogue import problem
from engine.session.home import Home
from store.verdicts import SignedStatement, protocols
from tests.e2e.shell import RunningDesk, ask

pytestmark = pytest.mark.e2e

AT_ONCE = ("--speed", "max")


def criteria(verdict: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {one["id"]: (one["state"], one["measured"]) for one in verdict["criteria"]}


def test_ten_minutes_end_in_a_signed_verdict_that_the_database_says_again(tmp_path: Path) -> None:
    done = ask(tmp_path, "validate", "autonomy", *AT_ONCE, "--json")
    assert done.code == 0 and not problem("validate autonomy", done.out), done.err
    told = json.loads(done.out)
    assert (told["passed"], told["reliability"], told["economics"], told["score"]) == (
        True,
        "PASS",
        "NOT_JUDGED",
        "10/10",
    )
    assert not told["real"] and len(told["rehearsal"]) == 2
    home = Home.at(tmp_path, "paper")
    (file,) = home.evidence.iterdir()
    said = SignedStatement(**json.loads(file.read_text()))
    assert said.is_genuine and said.said.verdict.protocol_id == told["protocol_id"]
    again = ask(tmp_path, "validate", "check", "--json")
    assert again.code == 0 and criteria(json.loads(again.out)) == criteria(told)
    assert ask(tmp_path, "status", "--json").json["protocol"] is None
    assert ask(tmp_path, "audit", "verify").code == 0

    with closing(sqlite3.connect(home.database)) as connection, connection:
        connection.execute("UPDATE runs SET report = json_replace(report, '$.net_pnl', '9000')")
    edited = ask(tmp_path, "validate", "check", "--json")
    assert edited.code == 5
    assert any("point_9" in text for text in edited.json["differences"]), edited.out


@pytest.fixture
def three_days(tmp_path: Path) -> Iterator[RunningDesk]:
    desk = RunningDesk(tmp_path, *AT_ONCE, verb=("validate", "72h"))  # of all symbols: half a minute to be seen in
    yield desk
    desk.clean_up()


def test_a_protocol_that_is_killed_goes_on_under_its_terms_and_under_no_others(
    tmp_path: Path, three_days: RunningDesk
) -> None:
    same = AT_ONCE
    running = three_days.until_status(lambda status: status["protocol"] and status["elapsed_seconds"] > 3_600)
    shown = running["protocol"]
    assert (shown["name"], shown["day"], shown["days"]) == ("72h", 1, 3)
    assert shown["rehearsal"] and {one["state"] for one in shown["criteria"]} <= {"OPEN", "PASS", "FAIL"}
    three_days.kill_9()
    stopped = ask(tmp_path, "status", "--json")
    assert stopped.code == 4 and stopped.json["protocol"]["protocol_id"] == shown["protocol_id"]
    lived = stopped.json["protocol"]["elapsed_seconds"]
    assert lived > 3_000

    for words, changed in [
        (("week", *same), "protocol"),
        (("72h", *same, "--seed", "9"), "data"),
        (("72h", *AT_ONCE, "--symbols", "BTCUSDT"), "configuration"),
    ]:
        other = ask(tmp_path, "validate", *words)
        assert other.code == 1 and changed in other.err and "--restart" in other.err

    again = RunningDesk(tmp_path, *same, verb=("validate", "72h"))
    try:
        again.until_said("goes on")
        status = again.until_status(lambda status: status["protocol"] and status["protocol"]["outages"] == 1)
        assert status["protocol"]["protocol_id"] == shown["protocol_id"]
        assert status["protocol"]["elapsed_seconds"] >= lived
        assert ask(tmp_path, "stop").code == 0
        assert again.ended() == 0
        assert "is not over" in again.said
    finally:
        again.clean_up()
    assert [begun.verdict_row for begun in protocols(again.home.database)] == [0]


def test_an_autonomy_run_that_is_killed_has_crashed(tmp_path: Path) -> None:
    desk = RunningDesk(tmp_path, "--speed", "10", verb=("validate", "autonomy"))
    try:
        desk.until_running()
    finally:
        desk.clean_up()
    judged = ask(tmp_path, "validate", "autonomy", "--speed", "10", "--json")
    assert judged.code == 5 and {"crash", "no_crash", "full_duration"} <= set(judged.json["failed"])
