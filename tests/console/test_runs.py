"""The list of runs: one that ended with a report, one that died, one that goes on."""

import json

import pytest

from engine.core.facts import AnyFact, PhaseChanged
from engine.session.clock import WallClock
from engine.session.home import Home
from engine.session.lock import DeskLock, Holder
from store.desk import open_store
from tests.console.conftest import Nightdesk
from tests.store.making import T0, batch, run_started

MINUTE_NS = 60_000_000_000


@pytest.fixture
def three(home: Home) -> None:
    home.create()
    store = open_store(home.database, "paper", WallClock(), threaded=False)
    end: list[tuple[int, AnyFact]] = [(1, PhaseChanged(T0 + 90 * MINUTE_NS, "RUNNING", "COMPLETED", "duration"))]
    store.journal.commit(batch(1, [run_started("run-1")], end, "run-1")).result()
    report = {"reason": "duration", "exit_code": 0, "trades": 5, "net_pnl": "-1.25"}
    store.record_report("run-1", json.dumps(report)).result()
    store.journal.commit(batch(2, [run_started("run-2")], (), "run-2")).result()
    store.journal.commit(batch(3, [run_started("run-3")], (), "run-3")).result()
    store.close()


def test_runs_are_listed_newest_first_with_what_became_of_them(nightdesk: Nightdesk, home: Home, three: None) -> None:
    lock = DeskLock.acquire(home.lock, Holder(pid=7, started_ns=1, run_id="run-3"))
    try:
        code, out, _ = nightdesk("runs", "--json")
    finally:
        lock.release()
    newest, dead, ended = json.loads(out)
    assert code == 0
    assert ended | {"started_ns": 0} == {
        "run_id": "run-1",
        "started_ns": 0,
        "ended_ns": T0 + 90 * MINUTE_NS,
        "seconds": (T0 + 90 * MINUTE_NS - ended["started_ns"]) / 1e9,
        "reason": "duration",
        "exit_code": 0,
        "trades": 5,
        "net_pnl": "-1.25",
    }
    assert (dead["run_id"], dead["reason"], dead["seconds"]) == ("run-2", "did not end in order", None)
    assert (newest["run_id"], newest["reason"], newest["exit_code"]) == ("run-3", "running", None)


def test_runs_are_a_table_for_people_and_as_many_as_asked(nightdesk: Nightdesk, three: None) -> None:
    code, out, _ = nightdesk("runs")
    assert code == 0 and len(out.splitlines()) == 4
    assert out.splitlines()[3].split()[:1] == ["run-1"] and out.splitlines()[3].endswith(
        "0     5       -1.25    duration"
    )
    assert [each["run_id"] for each in json.loads(nightdesk("runs", "--limit", "1", "--json")[1])] == ["run-3"]
    assert nightdesk("runs", "--limit", "0")[0] == 2


def test_no_books_have_no_runs(nightdesk: Nightdesk) -> None:
    assert nightdesk("runs")[0] == 2
