"""A desk stopped from another machine: signed commands to its control endpoint, real processes on both sides."""

import re
import signal
import socket
import sqlite3
import urllib.request
from pathlib import Path

import pytest

from console.answers.catalogue import problem
from tests.e2e.conftest import StartDesk
from tests.e2e.shell import EAGER, RunningDesk, ask

pytestmark = pytest.mark.e2e

KEY = "5ca1ab1e" * 8
CONTROL = {"NIGHTDESK_CONTROL_HTTP": "127.0.0.1:0", "NIGHTDESK_CONTROL_KEY": KEY}


def endpoint(desk: RunningDesk) -> str:
    """Where the desk listens, as its log says."""
    told = re.compile(r"signed commands are taken at 127\.0\.0\.1 port (\d+)")
    found = desk.until(lambda: told.search(desk.home.system_log.read_text()) if desk.home.system_log.exists() else None)
    return f"http://127.0.0.1:{found[1]}"


def remote(desk: RunningDesk, *words: str, key: str = KEY) -> tuple[int, str]:
    answer = ask(desk.home.root, "remote", *words, "--url", endpoint(desk), NIGHTDESK_CONTROL_KEY=key)
    return answer.code, answer.out + answer.err


def killed_by(desk: RunningDesk) -> list[tuple[str, ...]]:
    connection = sqlite3.connect(f"file:{desk.home.database}?mode=ro", uri=True)
    try:
        return connection.execute("SELECT source, text FROM operator_acts WHERE act = 'kill'").fetchall()
    finally:
        connection.close()


def test_a_signed_kill_from_elsewhere_ends_the_run_and_the_key_is_nowhere(start: StartDesk, tmp_path: Path) -> None:
    desk = start(*EAGER, **CONTROL)
    desk.until_running()
    code, said = remote(desk, "status")
    assert code == 0 and "RUNNING" in said, said
    for act in ("status", "pause"):
        code, said = remote(desk, act, "--json")
        assert code == 0 and not problem(f"remote {act}", said), said
    code, said = remote(desk, "kill", key="0" * 64)
    assert code == 1 and "control key" in said, said
    desk.until_status(lambda status: "not signed with the control key: 1" in " ".join(status["warnings"]))
    code, said = remote(desk, "kill", "--reason", "the feed is wrong")
    assert code == 0, said
    assert desk.ended() == 0
    assert desk.report["reason"] == "kill_switch"
    if "kill file written" not in said:  # as where the machine is too busy for an answer within a quarter of a second
        ((source, text),) = killed_by(desk)
        assert said.startswith("killed") and source == "api" and "the feed is wrong, from 127.0.0.1" in text
    for path in (path for path in tmp_path.rglob("*") if path.is_file()):
        assert KEY.encode() not in path.read_bytes(), path
    assert KEY not in desk.said


def test_a_desk_whose_loop_stands_still_is_killed_from_elsewhere_by_the_file(start: StartDesk) -> None:
    desk = start(*EAGER, **CONTROL)
    desk.until_running()
    endpoint(desk)
    desk.signal(signal.SIGSTOP)
    code, said = remote(desk, "kill", "--reason", "it hangs")
    assert code == 0 and "kill file written" in said, said
    assert "it hangs" in desk.home.kill_file.read_text()
    desk.signal(signal.SIGCONT)
    assert desk.ended() == 0
    assert desk.report["reason"] == "kill_switch"


def test_the_metrics_are_the_databases_own_figures(start: StartDesk) -> None:
    desk = start(*EAGER, NIGHTDESK_CONTROL_METRICS="127.0.0.1:0")
    desk.until_running()
    told = re.compile(r"metrics are served at (http://127\.0\.0\.1:\d+/metrics)")
    found = told.search(desk.home.system_log.read_text())
    assert found is not None

    def scraped(name: str) -> int:
        with urllib.request.urlopen(found[1], timeout=30) as answer:
            return int(float(re.search(rf"(?m)^paper_{name} (\S+)$", answer.read().decode())[1]))  # type: ignore[index]

    def rows(table: str) -> int:
        connection = sqlite3.connect(f"file:{desk.home.database}?mode=ro", uri=True)
        try:
            return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
        finally:
            connection.close()

    desk.until(lambda: rows("fills") >= 3)
    assert ask(desk.home.root, "pause").code == 0
    desk.until(lambda: scraped("fills_total") == rows("fills") and scraped("working_orders") == 0)
    assert scraped("orders_total") == rows("orders")
    assert scraped(r'blocked\{reason="operator"\}') == 1
    assert ask(desk.home.root, "stop").code == 0
    assert desk.ended() == 0


def test_a_desk_whose_endpoint_cannot_be_opened_is_not_healthy_until_it_can(start: StartDesk) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        at = f"127.0.0.1:{taken.getsockname()[1]}"
        desk = start(*EAGER, NIGHTDESK_CONTROL_HTTP=at, NIGHTDESK_CONTROL_KEY=KEY)
        status = desk.until_status(lambda status: any("signed command" in text for text in status["unhealthy"]))
        assert "address already in use" in " ".join(status["unhealthy"])
    desk.until_status(lambda status: not any("signed command" in text for text in status["unhealthy"]))
    assert remote(desk, "kill")[0] == 0
    assert desk.ended() == 0
