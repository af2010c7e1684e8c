"""Asking and acting from another shell, through the control socket."""

import json
from pathlib import Path

import pytest

from tests.e2e.conftest import StartDesk
from tests.e2e.shell import SPREAD, ask

pytestmark = pytest.mark.e2e

STATUS = {
    *("state", "env", "run_id", "pid", "elapsed_seconds", "kill_latched", "blocks", "equity", "heat"),
    *("positions", "breakers", "signals", "heartbeat", "feed_age_seconds", "gate_level"),
}


def test_an_operator_watches_pauses_resumes_and_stops_from_another_shell(start: StartDesk, tmp_path: Path) -> None:
    desk = start(*SPREAD)
    desk.until_status(lambda status: status["state"] == "RUNNING" and status["positions"])
    found = ask(tmp_path, "status", "--json").json
    assert found.keys() >= STATUS
    assert (found["env"], found["pid"], found["kill_latched"]) == ("paper", desk.process.pid, False)
    assert found["heat"].keys() >= {"value", "limit"}
    assert ask(tmp_path, "status").out.startswith("PAPER  RUNNING")

    paused = ask(tmp_path, "pause", "--reason", "a look around", "--json")
    assert (paused.code, paused.json["act"], paused.json["accepted"]) == (0, "pause", True)
    blocks = desk.status()["blocks"]
    assert [block["reason"] for block in blocks] == ["operator"]
    assert "resume" in blocks[0]["lifts"]
    assert desk.status()["positions"]

    resumed = ask(tmp_path, "resume", "--json")
    assert (resumed.code, resumed.json["accepted"]) == (0, True)
    assert desk.status()["blocks"] == []

    lines = ask(tmp_path, "audit", "query", "--kind", "operator_acted", "--json").out.splitlines()
    acts = [json.loads(line) for line in lines]
    assert [act["body"]["act"] for act in acts] == ["resume", "pause"]
    assert "a look around" in acts[1]["body"]["text"]

    stopped = ask(tmp_path, "stop", "--json")
    assert (stopped.code, stopped.json["stopped"]) == (0, True)
    assert desk.ended() == 0
    assert (desk.report["reason"], desk.report["autonomous"]) == ("operator_stop", False)
    assert desk.report["positions_open"] == []


def test_a_second_start_is_refused_and_touches_nothing(start: StartDesk, tmp_path: Path) -> None:
    desk = start()
    desk.until_running()
    folders = sorted(path for path in desk.home.dir.rglob("*") if path.is_dir())
    link, lock = desk.home.latest.readlink(), desk.home.lock.read_bytes()
    second = ask(tmp_path, "run", "--headless", "--duration", "1h")
    assert second.code == 3
    assert "already_running" in second.err
    assert sorted(path for path in desk.home.dir.rglob("*") if path.is_dir()) == folders
    assert (desk.home.latest.readlink(), desk.home.lock.read_bytes()) == (link, lock)
    assert desk.status()["state"] == "RUNNING"
    assert ask(tmp_path, "stop").code == 0


@pytest.mark.parametrize("words", [("status",), ("pause",), ("resume",), ("stop",), ("flatten",)])
def test_without_a_desk_there_is_nothing_to_ask(tmp_path: Path, words: tuple[str, ...]) -> None:
    answer = ask(tmp_path, *words, "--json")
    assert answer.code == 4
    if words == ("status",):
        assert (answer.json["state"], answer.json["kill_latched"]) == ("STOPPED", False)
    else:
        assert answer.json["exit_code"] == 4
    assert not list(tmp_path.iterdir())
