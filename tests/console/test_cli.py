"""The command line: every command against a desk that runs, one that stopped, and none at all."""

import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from console.cli import arranged, main
from console.commands import acts, start
from console.exits import Quit
from console.options import RunOptions, parse_speed
from engine.core.config import HOUR
from engine.core.events import Act, Wake
from engine.core.facts import AnyFact, Check, ErrorCounted, SignalJudged, SignalRaised
from engine.core.money import parse
from engine.core.view import ErrorView, OrderView, RefusedView, RegimeView
from engine.core.words import Regime
from engine.session.clock import WallClock
from engine.session.config import SHIPPED, Config
from engine.session.dead_letters import DeadLetters, Operation
from engine.session.failed_start import forget_failed_start, keep_failed_start
from engine.session.home import Home
from engine.session.lock import DeskLock, Holder
from engine.session.ports import Batch
from engine.session.program import Program
from engine.session.status import rearm_token
from store.desk import open_store
from store.letters import read_letters as letters_of
from tests.console.conftest import Nightdesk
from tests.session.desk_double import NOW_NS, FakeDesk, a_view, killed, serving_in_a_thread
from tests.steady import PATIENCE
from tests.store.making import T0, batch, ended, raised, round_trip, run_started

REPO = Path(__file__).parents[2]
TOP = (
    *(
        "run",
        "attach",
        "serve",
        "status",
        "pause",
        "resume",
        "kill",
        "rearm",
        "flatten",
        "reset-breaker",
        "reconcile",
        "stop",
    ),
    *("explain", "errors", "replay", "runs", "doctor", "clean", "completion", "venue", "drill"),
    *("report", "analyze", "gate", "certify", "progressive"),
)
NESTED = (
    *(f"remote {act}" for act in ("kill", "pause", "flatten", "status", "sign", "key")),
    "alert ack",
    "alert test",
    "alert list",
    "dead-letters list",
    "dead-letters retry",
    "dead-letters discard",
    "audit verify",
    "audit head",
    "audit query",
    "audit export",
    "audit prune",
    "config check",
    "config show",
    *(f"validate {name}" for name in ("autonomy", "72h", "week", "audit", "check")),
)


pytestmark = pytest.mark.usefixtures("nowhere")

# --- the surface ---


@pytest.mark.parametrize("command", [*TOP, *NESTED])
def test_every_command_explains_itself_with_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command.split(), "--help"]) == 0
    out = capsys.readouterr().out
    assert "--home DIR" in out and "--json" in out and f"\n  nightdesk {command}" in out


def test_the_list_of_commands_is_complete(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    listed = re.findall(r"(?m)^  ([a-z-]+)  ", capsys.readouterr().out.partition("Commands:")[2])
    assert sorted(listed) == sorted([*TOP, "alert", "audit", "config", "dead-letters", "remote", "validate"])


@pytest.mark.parametrize(
    "written",
    [
        "--home H --env live --json audit verify",
        "audit --home H verify --env live --json",
        "audit verify --json --home=H --env=live",
    ],
)
def test_home_env_and_json_may_stand_anywhere(written: str) -> None:
    found = arranged(written.split())
    assert found[-2:] == ["audit", "verify"]
    assert set(found[:-2]) <= {"--home", "H", "--env", "live", "--json", "--home=H", "--env=live"}


def test_what_follows_two_dashes_is_left_alone() -> None:
    assert arranged(["explain", "--", "--json"]) == ["explain", "--", "--json"]


def test_several_paths_may_follow_data() -> None:
    assert arranged(["run", "--data", "a", "b", "--seed", "1", "--data", "c"]) == [
        "run", "--data", "a", "--data", "b", "--seed", "1", "--data", "c",
    ]  # fmt: skip


def test_an_option_without_its_value_is_named() -> None:
    with pytest.raises(Quit, match="--home needs a value"):
        arranged(["status", "--home"])


@pytest.mark.parametrize("arguments", [["nonsense"], ["run", "--nonsense"], ["--env", "prod", "status"], ["explain"]])
def test_wrong_usage_is_exit_code_2(arguments: list[str], nightdesk: Nightdesk) -> None:
    code, _, err = nightdesk(*arguments)
    assert code == 2 and err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nonsense"], "No such command 'nonsense'"),
        (["run", "--nonsense"], "No such option: --nonsense"),
        (["explain"], "Missing argument 'SIGNAL'"),
        (["run", "--seed", "many"], "Invalid value for '--seed'"),
        (["--env", "prod", "status"], "prod"),
        (["status", "--env"], "--env needs a value"),
    ],
)
def test_wrong_usage_is_json_too_where_json_is_wanted(arguments: list[str], said: str, nightdesk: Nightdesk) -> None:
    code, out, err = nightdesk(*arguments, "--json")
    told = json.loads(out)
    assert (code, told["exit_code"], err) == (2, 2, "")
    assert said in told["error"]


def test_it_says_which_version_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("nightdesk ")


def test_python_dash_m_console_is_the_same_program(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "console", "status", "--json", "--home", str(tmp_path)], capture_output=True, text=True
    )
    assert done.returncode == 4 and json.loads(done.stdout)["state"] == "STOPPED"


@pytest.mark.parametrize(
    "arguments", [["status"], ["kill"], ["config", "check"], ["audit", "verify"], ["doctor"], ["--help"]]
)
def test_no_command_but_the_console_loads_textual(arguments: list[str], tmp_path: Path) -> None:
    script = (
        "import sys; from console.cli import main; code = main(sys.argv[1:]); "
        "print(sorted(name for name in sys.modules if name.partition('.')[0] == 'textual'), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments, "--home", str(tmp_path)], capture_output=True, text=True
    )
    assert done.stderr.splitlines()[-1] == "[]"


# --- status ---


def test_without_a_desk_the_state_is_stopped_and_the_exit_code_4(nightdesk: Nightdesk, tmp_path: Path) -> None:
    code, out, _ = nightdesk("status", "--json")
    assert code == 4 and json.loads(out)["state"] == "STOPPED" and json.loads(out)["kill_latched"] is False
    assert not (tmp_path / "paper").exists()


def test_a_lock_left_by_a_dead_desk_is_stopped_too(nightdesk: Nightdesk, home: Home) -> None:
    home.create()
    home.lock.write_text('{"pid": 1, "run_id": "old"}')
    assert nightdesk("status")[0] == 4


def test_a_start_that_came_to_nothing_is_shown_until_another_is_tried(nightdesk: Nightdesk, home: Home) -> None:
    home.create()
    assert json.loads(nightdesk("status", "--json")[1])["failed_start"] is None
    keep_failed_start(home, NOW_NS, "no room on the disk")
    code, out, _ = nightdesk("status")
    assert code == 4 and re.search(r"(?m)^ *last start +failed at 20.*Z: no room on the disk$", out), out
    assert json.loads(nightdesk("status", "--json")[1])["failed_start"]["text"] == "no room on the disk"
    forget_failed_start(home)
    assert "last start" not in nightdesk("status")[1]


def test_a_running_desk_is_shown_in_json_and_in_words(nightdesk: Nightdesk, tmp_path: Path) -> None:
    with serving_in_a_thread(tmp_path, FakeDesk(a_view())):
        code, out, _ = nightdesk("--json", "status")
        assert code == 0 and json.loads(out)["equity"] == "9990.12345678"
        code, out, _ = nightdesk("status")
    assert code == 0 and out.startswith("PAPER  RUNNING  run 20261121-070822")
    for words in (
        "heat",
        "0.0002 of 0.01",
        "SHORT -0.00004 BTCUSDT",
        "operator: paused by ada",
        "4 raised, 3 executed",
    ):
        assert words in out


def test_status_names_what_refused_signals_by_the_rules_own_words(nightdesk: Nightdesk, tmp_path: Path) -> None:
    ended = {"EXECUTED": 3, "REJECTED_BY_HEAT": 22, "REJECTED_BY_CIRCUIT_BREAKER": 13}
    reasons = {"filled": 3, "kill": 13, "max_positions": 22}
    view = a_view(signals=ended, signal_reasons=reasons, signals_total=38, signals_in_flight=0)
    with serving_in_a_thread(tmp_path, FakeDesk(view)):
        out = nightdesk("status")[1]
        assert json.loads(nightdesk("--json", "status")[1])["signal_reasons"] == reasons
    assert "38 raised, 3 executed, 35 rejected, 0 in flight" in out
    assert re.search(r"rejected by +22 max_positions, 13 kill\n", out)


def test_status_names_what_data_was_refused_and_where_it_began(nightdesk: Nightdesk, tmp_path: Path) -> None:
    refused = RefusedView("crossed quote", 12, "/data/SPY.csv:553:7")
    with serving_in_a_thread(tmp_path, FakeDesk(a_view(data_refused=(refused,)))):
        out = nightdesk("status")[1]
        told = json.loads(nightdesk("--json", "status")[1])["data_refused"]
    assert re.search(r"data refused +12 crossed quote \(first: /data/SPY.csv:553:7\)\n", out)
    assert told == [{"cause": "crossed quote", "count": 12, "first": "/data/SPY.csv:553:7"}]


def test_status_names_the_most_frequent_errors(nightdesk: Nightdesk, tmp_path: Path) -> None:
    kinds = tuple(ErrorView(f"error at place {n}: gone", "place", "gone", 9 - n, NOW_NS, NOW_NS) for n in range(7))
    with serving_in_a_thread(tmp_path, FakeDesk(a_view(errors=kinds))):
        out = nightdesk("status")[1]
        told = json.loads(nightdesk("--json", "status")[1])["errors"]
    assert re.findall(r"error +(\d) error at place \d: gone\n", out) == ["9", "8", "7", "6", "5"]
    assert [one["count"] for one in told] == [9, 8, 7, 6, 5, 4, 3]


def test_errors_are_shown_by_fingerprint(nightdesk: Nightdesk, tmp_path: Path) -> None:
    home = Home.at(tmp_path, "paper")
    home.create()
    store = open_store(home.database, "paper", WallClock())
    facts = [(1, ErrorCounted(NOW_NS + n, "feed", f"late by {n} s", "error at feed: late by # s")) for n in range(3)]
    store.journal.commit(Batch("run-1", 1, [Wake(NOW_NS)], facts, NOW_NS)).result()
    store.close()
    code, out, _ = nightdesk("errors", "--run", "latest")
    assert code == 0
    assert re.search(r"\n3 .*error at feed: late by # s +late by 0 s\n", out)
    (kind,) = json.loads(nightdesk("--json", "errors")[1])
    assert (kind["count"], kind["first_ns"], kind["last_ns"]) == (3, NOW_NS, NOW_NS + 2)
    assert nightdesk("errors", "--run", "nope")[0] == 2


def test_status_names_the_regime_its_origin_and_who_may_not_enter(nightdesk: Nightdesk, tmp_path: Path) -> None:
    of_ns = NOW_NS - 3_661 * 10**9
    regime = RegimeView(Regime.CRISIS, parse("31.2"), of_ns, "file:vix.csv", False, of_ns, parse("0.4"), ("trend",))
    phases = {"BTCUSDT": "SIDEWAYS", "ETHUSDT": "VOLATILE", "SOLUSDT": "SIDEWAYS"}
    with serving_in_a_thread(tmp_path, FakeDesk(a_view(regime=regime, market_phases=phases))):
        told = json.loads(nightdesk("--json", "status")[1])
        _, out, _ = nightdesk("status")
    assert told["regime"] == {
        **{"regime": "CRISIS", "level": "31.2", "age_seconds": 3661.0, "of_ns": of_ns, "source": "file:vix.csv"},
        **{"simulated": False, "since_ns": of_ns, "heat_share": "0.4", "strategies_off": ["trend"]},
    }
    assert told["market_phases"] == phases
    assert "CRISIS  31.2 by file:vix.csv, 1h01m old, heat limit x0.4, not entering: trend" in out
    assert "SIDEWAYS: BTCUSDT, SOLUSDT  VOLATILE: ETHUSDT" in out


def test_status_names_stuck_orders_and_what_the_broker_rejected_today(nightdesk: Nightdesk, tmp_path: Path) -> None:
    stuck = OrderView("run-7-2", "BTCUSDT", "STOP", "SUBMITTED", -5, 0, 0, 1, stop_price=parse("60310"), stuck=True)
    with serving_in_a_thread(tmp_path, FakeDesk(a_view(orders=(stuck,), day_orders=8, day_rejects=1))):
        _, out, _ = nightdesk("status")
    assert "1 working; 8 sent today, 1 rejected (0.125)" in out
    assert "stuck order" in out and "run-7-2" in out


def test_status_says_that_no_index_is_read(nightdesk: Nightdesk, tmp_path: Path) -> None:
    with serving_in_a_thread(tmp_path, FakeDesk(a_view(regime=RegimeView(heat_share=parse("0.4"))))):
        assert "UNKNOWN  no value of any volatility index, heat limit x0.4" in nightdesk("status")[1]


def test_a_desk_that_is_starting_is_an_error_and_not_stopped(nightdesk: Nightdesk, tmp_path: Path) -> None:
    with serving_in_a_thread(tmp_path, FakeDesk()):
        code, _, err = nightdesk("status")
    assert (code, err) == (1, "nightdesk: the desk is starting\n")


def test_home_comes_from_the_environment_and_from_dotenv(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cwd" / ".env").write_text(f"NIGHTDESK_HOME={tmp_path / 'dot'}\nNIGHTDESK_ENV=live\n")
    write_kill = ["kill", "--json"]
    assert main(write_kill) == 4
    assert json.loads(capsys.readouterr().out)["file"] == str(tmp_path / "dot" / "live" / "KILL_SWITCH")
    monkeypatch.setenv("NIGHTDESK_HOME", str(tmp_path / "var"))
    assert main([*write_kill, "--env", "paper"]) == 4
    assert json.loads(capsys.readouterr().out)["file"] == str(tmp_path / "var" / "paper" / "KILL_SWITCH")


# --- acts ---


@pytest.mark.parametrize(
    ("words", "act", "subject"),
    [
        ("pause", Act.PAUSE, ""),
        ("resume", Act.RESUME, ""),
        ("flatten", Act.FLATTEN, ""),
        ("reset-breaker daily_loss", Act.RESET_BREAKER, "daily_loss"),
        ("kill", Act.KILL, ""),
    ],
)
def test_an_act_reaches_the_desk_with_its_reason(
    words: str, act: Act, subject: str, nightdesk: Nightdesk, tmp_path: Path, patient_kill: None
) -> None:
    desk = FakeDesk(a_view())
    with serving_in_a_thread(tmp_path, desk) as home:
        code, out, _ = nightdesk(*words.split(), "--reason", "because", "--json")
        assert not home.kill_file.exists()
    answer = json.loads(out)
    assert code == 0 and answer["accepted"] and answer["by"] == "socket" and answer["unconfirmed"] == ["o-1"]
    (asked,) = desk.asked
    assert (asked.act, asked.reason, asked.subject, asked.source) == (act, "because", subject, "cli")


def test_a_kill_names_its_latch_and_the_way_back(nightdesk: Nightdesk, tmp_path: Path, patient_kill: None) -> None:
    with serving_in_a_thread(tmp_path, FakeDesk(a_view())):
        out = nightdesk("kill")[1]
    assert "the kill is latched, also over restarts; nightdesk rearm shows how to clear it" in out


@pytest.mark.parametrize("words", ["pause", "resume", "flatten", "stop", "reset-breaker", "attach", "serve"])
def test_an_act_without_a_desk_is_exit_code_4(words: str, nightdesk: Nightdesk) -> None:
    code, _, err = nightdesk(words)
    assert code == 4 and "no desk is running" in err


def test_errors_are_json_where_json_is_wanted(nightdesk: Nightdesk) -> None:
    code, out, err = nightdesk("pause", "--json")
    assert json.loads(out)["exit_code"] == code == 4 and err == ""


def test_stop_waits_until_the_desk_has_ended(nightdesk: Nightdesk, tmp_path: Path) -> None:
    desk = FakeDesk(a_view())
    with serving_in_a_thread(tmp_path, desk) as home:
        code, out, _ = nightdesk("stop", "--keep-positions")
        assert not home.lock.exists()
    assert (code, out) == (0, "the desk has stopped\n") and desk.stops == [("operator_stop", True)]


# --- kill and rearm ---


def test_kill_writes_the_file_when_no_desk_runs(nightdesk: Nightdesk, home: Home) -> None:
    code, out, _ = nightdesk("kill", "--reason", "stray")
    assert code == 4 and "the next start refuses entries" in out
    assert "the kill is latched, also over restarts; nightdesk rearm shows how to clear it" in out
    assert home.kill_file.read_text() == "kill: stray\n"


def test_kill_writes_the_file_when_the_desk_does_not_answer(nightdesk: Nightdesk, home: Home) -> None:
    import socket

    home.create()
    lock = DeskLock.acquire(home.lock, Holder(os.getpid(), 0, "frozen", str(home.socket)))
    clock = WallClock()
    with socket.socket(socket.AF_UNIX) as frozen:
        frozen.bind(str(home.socket))
        frozen.listen()
        begun_ns = clock.mono_ns()
        code, out, _ = nightdesk("kill", "--json")
        took_ns = clock.mono_ns() - begun_ns
    lock.release()
    answer = json.loads(out)
    assert (code, answer["by"], answer["running"]) == (0, "file", True) and home.kill_file.exists()
    assert 250_000_000 <= took_ns < PATIENCE * 1e9


def test_kill_writes_the_file_when_the_desk_takes_it_and_gives_no_receipt(
    nightdesk: Nightdesk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, patient_kill: None
) -> None:
    monkeypatch.setattr("engine.session.remote.RECEIPT_SECONDS", -0.9)
    monkeypatch.setattr("engine.session.control.CLOSE_SECONDS", 0.05)
    with serving_in_a_thread(tmp_path, FakeDesk(a_view(), answers=False)) as home:
        code, out, _ = nightdesk("kill")
        assert code == 0 and "gave no receipt" in out and home.kill_file.exists()


def test_kill_works_with_a_configuration_nothing_else_would_start_with(nightdesk: Nightdesk, home: Home) -> None:
    Path(".env").write_text("NIGHTDESK_BITUNIX_SECRET=x\nNIGHTDESK_WHAT=1\n")
    Path(".env").chmod(0o644)
    assert nightdesk("kill")[0] == 4 and home.kill_file.exists()


def test_rearm_shows_the_token_and_then_takes_it(nightdesk: Nightdesk, tmp_path: Path) -> None:
    desk = FakeDesk(killed())
    with serving_in_a_thread(tmp_path, desk):
        code, out, _ = nightdesk("rearm")
        token = rearm_token("paper", NOW_NS - 7)
        assert code == 0 and f"--confirm {token}" in out and desk.asked == []
        assert nightdesk("rearm", "--confirm", token)[0] == 2  # a reason is part of it
        assert nightdesk("rearm", "--confirm", "wrong", "--reason", "x")[0] == 1
        assert nightdesk("rearm", "--confirm", token, "--reason", "checked")[0] == 0
    assert [(asked.act, asked.reason) for asked in desk.asked] == [(Act.REARM, "checked")]


def test_rearm_is_refused_while_the_kill_file_or_variable_stands(
    nightdesk: Nightdesk, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    nightdesk("kill")
    code, _, err = nightdesk("rearm", "--reason", "x", "--confirm", "y")
    assert code == 1 and "kill file" in err and "remove it first" in err
    home.kill_file.unlink()
    monkeypatch.setenv("NIGHTDESK_KILL_SWITCH", "TRUE")
    code, _, err = nightdesk("rearm")
    assert code == 1 and "NIGHTDESK_KILL_SWITCH" in err


def test_a_stopped_desk_is_rearmed_in_its_books(nightdesk: Nightdesk, home: Home) -> None:
    home.create()
    store = open_store(home.database, "paper", WallClock(), threaded=False)
    store.journal.latch(True, "kill").result()
    store.close()
    assert json.loads(nightdesk("status", "--json")[1])["kill_latched"] is True
    token = json.loads(nightdesk("rearm", "--json")[1])["token"]
    assert nightdesk("rearm", "--reason", "x", "--confirm", "00000000")[0] == 1
    assert json.loads(nightdesk("rearm", "--json")[1]) == {"latched": True, "token": token}
    assert nightdesk("rearm", "--reason", "checked", "--confirm", token)[0] == 0
    assert json.loads(nightdesk("status", "--json")[1])["kill_latched"] is False
    assert json.loads(nightdesk("rearm", "--json")[1]) == {"latched": False}
    rows = lines(nightdesk("audit", "query", "--kind", "rearm", "--json")[1])
    assert [row["body"]["text"] for row in rows] == ["cli: checked"]
    assert not home.lock.exists() and nightdesk("audit", "verify")[0] == 0


def test_a_latch_the_guard_wrote_by_itself_is_cleared_too(nightdesk: Nightdesk, home: Home) -> None:
    home.create()
    open_store(home.database, "paper", WallClock(), threaded=False).close()
    home.latch_file.write_text("frozen\n")
    token = json.loads(nightdesk("rearm", "--json")[1])["token"]
    assert nightdesk("rearm", "--reason", "checked", "--confirm", token)[0] == 0
    assert not home.latch_file.exists()


def test_rearm_with_nothing_latched_says_so(nightdesk: Nightdesk) -> None:
    assert nightdesk("rearm") == (0, "the kill switch is not latched\n", "")


def test_books_that_cannot_be_read_count_as_killed(nightdesk: Nightdesk, home: Home) -> None:
    home.create()
    home.database.write_bytes(b"not a database" * 1000)
    code, out, err = nightdesk("status", "--json")
    assert code == 4 and json.loads(out)["kill_latched"] is True and "counts as killed" in err


# --- run ---


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[Config, RunOptions]]]:
    """What `run` hands to the desk; the desk itself is replaced by one that ends at once with code 0."""
    import types

    calls: list[tuple[Config, RunOptions]] = []
    assemble = types.ModuleType("console.assemble")

    def run_desk(config: Config, options: RunOptions) -> int:
        calls.append((config, options))
        return 0

    assemble.run_desk = run_desk  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "console.assemble", assemble)
    yield calls


def test_run_without_anything_uses_the_shipped_paper_tree_and_implies_headless(
    nightdesk: Nightdesk, started: list[tuple[Config, RunOptions]], home: Home
) -> None:
    code, _, err = nightdesk("run")
    ((config, options),) = started
    assert code == 0 and err == "no terminal: running --headless\n"
    assert (options.env, options.home, options.venue, options.broker) == ("paper", home, "sim", "paper")
    assert options.headless and options.duration_ns is None and options.speed == 1 and options.data == ()
    assert options.symbols == config.desk.symbols and options.seed == config.desk.seed
    assert not home.dir.exists()


def test_every_option_of_run_arrives(
    nightdesk: Nightdesk, started: list[tuple[Config, RunOptions]], tmp_path: Path
) -> None:
    (tmp_path / "a.csv").touch()
    (tmp_path / "b.csv").touch()
    words = "run --venue sim --broker venue --symbols ETHUSDT,BTCUSDT --strategy trend --duration 72h --speed 60"
    more = ["--seed", "3", "--headless", "--keep-positions", "--json", "--data", str(tmp_path / "a.csv")]
    assert nightdesk(*words.split(), *more, str(tmp_path / "b.csv"))[0] == 0
    ((config, options),) = started
    assert options.symbols == ("ETHUSDT", "BTCUSDT") and options.data == (tmp_path / "a.csv", tmp_path / "b.csv")
    assert (options.broker, options.strategy, options.duration_ns) == ("venue", "trend", 72 * HOUR)
    assert (options.speed, options.seed, options.keep_positions, options.json) == (60, 3, True, True)
    assert config.origins["desk.duration"] == "--duration" and [s.id for s in config.strategies] == ["trend"]


def test_with_data_and_no_symbols_the_data_decides(
    nightdesk: Nightdesk, started: list[tuple[Config, RunOptions]], tmp_path: Path
) -> None:
    (tmp_path / "a.csv").touch()
    assert nightdesk("run", "--data", str(tmp_path / "a.csv"))[0] == 0
    assert nightdesk("run", "--data", str(tmp_path / "a.csv"), "--symbols", "PEPEUSDT")[0] == 0
    assert [options.symbols for _, options in started] == [(), ("PEPEUSDT",)]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("--duration 10", "--duration: duration"),
        ("--duration 0s", "above zero"),
        ("--speed 0", "--speed 0: must be 1"),
        ("--speed fast", "or max"),
        ("--speed 60 --venue bitunix", "runs in real time"),
        ("--symbols NOPE", "is not among the venue's allowed_symbols"),
        ("--symbols BTCUSDT,,", "holds an empty name"),
        ("--strategy nope", "no such strategy; there are default, trend, reversion"),
        ("--venue nope", "unknown venue"),
        ("--broker nope", "must be 'paper' or 'venue'"),
        ("--broker venue --speed max", "needs its sockets"),
        ("--seed -1", "--seed"),
        ("--data nowhere.csv also.csv", "also.csv: no such file or folder"),
        ("--data . --venue bitunix", "recorded data plays on the venue sim"),
        ("--config nowhere", "no configuration here"),
    ],
)
def test_a_run_that_cannot_be_is_refused_with_its_reason_and_leaves_no_trace(
    words: str, text: str, nightdesk: Nightdesk, started: list[tuple[Config, RunOptions]], home: Home
) -> None:
    Path("something").touch()
    code, _, err = nightdesk("run", *words.split())
    assert code == 2 and text in err and "Traceback" not in err
    assert started == [] and not home.dir.exists()


@pytest.mark.parametrize(
    ("file", "written"),
    [
        ("risk.toml", 'heat_max_percent = "2"'),
        ("risk.toml", "positions_max = true"),
        ("desk.toml", "dry_run = false"),
        ("desk.toml", 'env = "live"'),
        ("validation.toml", "expiry = 30"),
        ("venues/sim.toml", "alowed_symbols = []"),
    ],
)
def test_a_bad_configuration_is_exit_code_2_naming_file_key_and_rule(
    file: str, written: str, nightdesk: Nightdesk, started: list[tuple[Config, RunOptions]], tmp_path: Path, home: Home
) -> None:
    import shutil

    tree = Path(shutil.copytree(SHIPPED / "paper", tmp_path / "mine"))
    key = written.partition(" ")[0]
    text = re.sub(rf"(?m)^{key} = .*$", "", (tree / file).read_text())
    (tree / file).write_text(f"{text}\n{written}\n")
    code, _, err = nightdesk("run", "--config", str(tree))
    assert code == 2 and str(tree / file) in err and key in err
    assert started == [] and not home.dir.exists()


@pytest.mark.parametrize(("text", "speed"), [("1", 1), ("60", 60), ("max", "max")])
def test_a_speed_is_a_whole_number_or_max(text: str, speed: Any) -> None:
    assert parse_speed(text) == speed


def test_a_running_desk_keeps_a_second_one_out_with_exit_code_3(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    home.create()
    lock = DeskLock.acquire(home.lock, Holder(pid=7, run_id="first"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(start, "run", lambda *_, **__: DeskLock.acquire(home.lock, Holder()))
        assert main(["run"]) == 3
    lock.release()
    assert "already_running" in capsys.readouterr().err


def test_a_bug_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr(acts, "act", broken)
    with pytest.raises(ZeroDivisionError):
        main(["pause"])


# --- config ---


def test_config_check_and_show_name_tree_values_and_origins(nightdesk: Nightdesk) -> None:
    code, out, _ = nightdesk("config", "check", "--json", "--env", "live")
    assert code == 0 and json.loads(out)["tree"].endswith("config/live")
    code, out, _ = nightdesk("config", "show")
    assert code == 0
    assert re.search(r"(?m)^risk\.heat_max_percent +1 +/.*config/paper/risk\.toml$", out)
    assert re.search(r"(?m)^desk\.paper_start_date +- +default$", out)
    code, out, _ = nightdesk("config", "show", "--json")
    assert json.loads(out)["values"]["desk"]["symbols"][0] == "BTCUSDT"


def test_config_check_names_every_problem(nightdesk: Nightdesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTDESK_RISK_POSITIONS_MAX", "9")
    monkeypatch.setenv("NIGHTDESK_SYMBOLLS", "X")
    code, out, _ = nightdesk("config", "check", "--json")
    assert code == 2 and "2 problems" in json.loads(out)["error"]


# --- history ---


def test_audit_verify_is_good_and_then_finds_a_changed_row(nightdesk: Nightdesk, home: Home, a_run: str) -> None:
    code, out, _ = nightdesk("audit", "verify", "--json")
    assert code == 0 and json.loads(out)["good"] and json.loads(out)["inputs"] == 181
    connection = sqlite3.connect(home.database)
    for (trigger,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        connection.execute(f"DROP TRIGGER {trigger}")
    connection.execute("UPDATE journal SET at_ns = at_ns + 1 WHERE id = 2")
    connection.commit()
    connection.close()
    code, out, _ = nightdesk("audit", "verify")
    assert code == 5 and out.startswith("BAD: row 2")
    home.database.write_bytes(b"rubbish" * 4096)
    assert nightdesk("audit", "verify")[0] == 5


def test_a_head_that_was_kept_is_compared(nightdesk: Nightdesk, home: Home, a_run: str, tmp_path: Path) -> None:
    code, out, _ = nightdesk("audit", "head", "--json")
    head = json.loads(out)
    assert code == 0 and head["cause"] == "hour" and head["hash"] in nightdesk("audit", "head")[1]
    kept = tmp_path / "kept.jsonl"
    report = tmp_path / "report.json"
    kept.write_text(out)
    report.write_text(json.dumps({"journal_signed": head}))
    for path in (kept, report, home.database.with_name("heads.jsonl")):
        code, out, _ = nightdesk("audit", "verify", "--heads", str(path), "--head", head["hash"], "--json")
        assert code == 0 and json.loads(out)["held_heads"] == (3 if path.name == "heads.jsonl" else 2), out
    assert "2 that you hold" in nightdesk("audit", "verify", "--heads", str(kept), "--head", head["hash"])[1]
    code, out, _ = nightdesk("audit", "verify", "--head", "ab" * 32)
    assert code == 5 and out.startswith("BAD: the head given: no row has the hash abab")
    kept.write_text(json.dumps({**head, "row": 1}) + "\n")
    assert "its signature does not hold" in nightdesk("audit", "verify", "--heads", str(kept))[1]


def test_what_is_no_head_or_key_is_refused(nightdesk: Nightdesk, home: Home, a_run: str, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("{}")
    assert nightdesk("audit", "verify", "--head", "abc")[0] == 2
    for path, said in ((other, "there is no signed head in it"), (tmp_path / "none", "No such file")):
        code, _, err = nightdesk("audit", "verify", "--heads", str(path))
        assert code == 2 and said in err
    code, _, err = nightdesk("audit", "verify", "--key", str(other))
    assert code == 1 and "cannot be used as a key" in err
    home.database.with_name("heads.jsonl").write_text("rubbish\n")
    code, _, err = nightdesk("audit", "verify")
    assert code == 5 and "line 1 is no signed head" in err


def test_no_head_is_signed_before_anything_was_written(nightdesk: Nightdesk, home: Home) -> None:
    home.create()
    open_store(home.database, "paper", WallClock(), threaded=False).close()
    code, _, err = nightdesk("audit", "head")
    assert code == 1 and "no head is signed yet" in err


def lines(out: str) -> list[Any]:
    return [json.loads(line) for line in out.splitlines()]


def test_audit_query_filters_and_pages(nightdesk: Nightdesk, a_run: str) -> None:
    code, out, _ = nightdesk("audit", "query", "--json", "--limit", "2")
    newest = lines(out)
    assert code == 0 and len(newest) == 2 and newest[0]["id"] > newest[1]["id"]
    older = lines(nightdesk("audit", "query", "--json", "--before", str(newest[1]["id"]))[1])
    assert all(row["id"] < newest[1]["id"] for row in older)
    _, out, more = nightdesk("audit", "query", "--after", "3", "--limit", "2")
    assert [line.split()[0] for line in out.splitlines()[1:]] == ["4", "5"] and "--after 5" in more
    kinds = lines(nightdesk("audit", "query", "--kind", "equity_marked", "--json")[1])
    assert kinds and {row["kind"] for row in kinds} == {"equity_marked"}
    assert lines(nightdesk("audit", "query", "--kind", "equity_marked", "--run", "latest", "--json")[1]) == kinds
    assert {row["ref"] for row in lines(nightdesk("audit", "query", "--id", "20261121-070822", "--json")[1])} == {
        "20261121-070822"
    }
    assert "equity_marked" in nightdesk("audit", "query", "--since", "2026-11-21")[1]
    assert nightdesk("audit", "query", "--until", "2020-01-01T00:00:00Z", "--json")[1] == ""
    assert nightdesk("audit", "query", "--since", "yesterday")[0] == 2
    assert nightdesk("audit", "query", "--run", "never")[0] == 2
    assert nightdesk("audit", "query", "--before", "9", "--after", "2")[0] == 2
    code, _, said = nightdesk("audit", "query", "--kind", "equity_mark")
    assert (code, "did you mean equity_marked?" in said, "fill_booked" in said) == (2, True, True)


def test_the_record_is_exported_with_its_counts(nightdesk: Nightdesk, a_run: str, tmp_path: Path) -> None:
    code, out, _ = nightdesk("audit", "export", str(tmp_path / "out"), "--json")
    made = json.loads(out)
    assert code == 0 and made["left_out"]["inputs"] == "not asked for"
    assert (tmp_path / "out" / "equity_marks.csv").read_text().startswith('"row","run","mode","at_ns"')
    code, out, _ = nightdesk("audit", "export", str(tmp_path / "in"), "--format", "jsonl", "--table", "inputs")
    assert code == 0 and out.splitlines()[1].split() == ["inputs", "181", "inputs.jsonl"]
    assert "left out: snapshots" in out and "left out: trades (not asked for)" in out
    assert nightdesk("audit", "export", str(tmp_path / "x"), "--format", "xls")[0] == 2
    code, _, err = nightdesk("audit", "export", str(tmp_path / "x"), "--table", "none")
    assert code == 1 and "there is no table none" in err
    (tmp_path / "file").write_text("")
    assert "File exists" in nightdesk("audit", "export", str(tmp_path / "file"))[2]


def test_prune_says_what_it_would_do_and_needs_a_yes_and_a_desk_that_is_off(
    nightdesk: Nightdesk, home: Home, a_run: str
) -> None:
    assert nightdesk("audit", "prune")[0] == 2
    assert nightdesk("audit", "prune", "--before", "2030-01-01", "--older-than", "1d")[0] == 2
    assert nightdesk("audit", "prune", "--older-than", "soon")[0] == 2
    code, out, _ = nightdesk("audit", "prune", "--before", "2030-01-01")
    assert code == 0 and "to do it, add --yes" in out and "newest snapshots" in out
    assert "nothing to archive" in nightdesk("audit", "prune", "--before", "2020-01-01", "--yes")[1]
    lock = DeskLock.acquire(home.lock, Holder(1))
    assert nightdesk("audit", "prune", "--before", "2030-01-01", "--yes")[0] == 3
    lock.release()
    code, out, _ = nightdesk("audit", "prune", "--before", "2030-01-01", "--yes", "--json")
    done = json.loads(out)
    assert code == 0 and done["pruned"] and done["rows"] > 0 and not home.lock.exists()
    code, out, _ = nightdesk("audit", "verify", "--archive", done["archive"])
    assert code == 0 and "(checked)" in out
    assert f"rows up to {done['rows']} are archived" in nightdesk("audit", "query", "--limit", "1000")[2]
    code, out, _ = nightdesk("replay", "20261121-070822", "--verify", "--json")
    assert code == 0 and json.loads(out)["same"]  # from the state it began with, which is spared


def test_a_journal_that_is_not_good_is_never_pruned(nightdesk: Nightdesk, home: Home, a_run: str) -> None:
    connection = sqlite3.connect(home.database)
    connection.execute("DROP TRIGGER journal_is_never_changed")
    connection.execute("UPDATE journal SET at_ns = at_ns + 1 WHERE kind = 'head'")
    connection.commit()
    connection.close()
    code, _, err = nightdesk("audit", "prune", "--before", "2030-01-01", "--yes")
    assert code == 5 and "does not verify" in err
    assert not (home.dir / "archive").exists() and not home.lock.exists()


def test_explain_follows_a_signal_or_says_there_is_none(nightdesk: Nightdesk, home: Home) -> None:
    home.create()
    store = open_store(home.database, "paper", WallClock(), threaded=False)
    facts = round_trip(1)
    store.journal.commit(Batch("r", 1, [run_started("r")], facts, T0)).result()
    store.close()
    signal = next(fact.signal_id for _, fact in facts if isinstance(fact, SignalRaised))
    code, out, _ = nightdesk("explain", signal, "--json")
    assert code == 0 and {"signal", "order", "fill", "outcome"} <= {step["what"] for step in json.loads(out)}
    assert [step["text"] for step in json.loads(out) if step["what"] == "outcome"] == ["filled"]
    assert signal in nightdesk("explain", signal)[1]
    assert nightdesk("explain", "last", "--json")[1] == out
    code, _, err = nightdesk("explain", "nothing")
    assert code == 2 and "has the id 'nothing'" in err


def test_explain_shows_a_rule_that_has_no_limit_as_what_it_asks_for(nightdesk: Nightdesk, home: Home) -> None:
    home.create()
    store = open_store(home.database, "paper", WallClock(), threaded=False)
    checks = (Check(0, "kill", 0, 0, True), Check(1, "price_known", parse("60000"), 0, True))
    facts: list[tuple[int, AnyFact]] = [(1, raised()), (1, SignalJudged(T0, "s1", checks)), (1, ended())]
    store.journal.commit(Batch("r", 1, [run_started("r")], facts, T0)).result()
    store.close()
    out = nightdesk("explain", "s1")[1]
    assert re.search(r"(?m)^ *1 +price_known +60000 +above 0 +passed", out), out
    assert re.search(r"(?m)^ *0 +kill +0 +0 +passed", out), out


def test_the_end_of_an_id_explains_the_signal_of_the_newest_run_that_has_it(nightdesk: Nightdesk, home: Home) -> None:
    home.create()
    store = open_store(home.database, "paper", WallClock(), threaded=False)
    for number, (run, seqs) in enumerate([("20261120-100000", (7, 9)), ("20261121-100000", (9,))]):
        facts: list[tuple[int, AnyFact]] = [(seq, raised(f"{run}-{seq}-1")) for seq in seqs]
        store.journal.commit(Batch(run, number + 1, [run_started(run)], facts, T0 + number)).result()
    store.close()
    told = [nightdesk("explain", end, "--json")[1] for end in ("7-1", "9-1")]
    assert [json.loads(steps)[0]["id"] for steps in told] == ["20261120-100000-7-1", "20261121-100000-9-1"]
    assert nightdesk("explain", "8-1")[0] == 2


def test_a_run_replays_to_the_same_decisions(nightdesk: Nightdesk, a_run: str) -> None:
    code, out, _ = nightdesk("replay", "20261121-070822", "--verify", "--json")
    answer = json.loads(out)
    assert code == 0 and answer["same"] and answer["decision_hash"] == a_run and answer["events"] == 180
    code, out, _ = nightdesk("replay", "20261121-070822", "--from", "2026-11-21T09:00:00Z")
    assert code == 0 and "equity_marked" in out and "decision hash" in out


def test_a_replay_from_a_time_begins_with_the_state_kept_before_it(nightdesk: Nightdesk, a_run: str) -> None:
    answers = [
        json.loads(nightdesk("replay", "20261121-070822", "--verify", "--json", *since)[1])
        for since in ((), ("--from", "2026-11-21T09:30:00Z"), ("--from", "2026-11-21T08:00:00Z"))
    ]
    whole, late, early = answers
    assert all(answer["same"] for answer in answers)
    assert (late["decision_hash"], late["state_hash"]) == (whole["decision_hash"], whole["state_hash"])
    assert late["events"] < whole["events"] == early["events"]
    assert late["from"]["at_ns"] > whole["from"]["at_ns"] == early["from"]["at_ns"]
    assert f"row {late['from']['row']}" in nightdesk("replay", "20261121-070822", "--from", "2026-11-21T09:30:00Z")[1]


def test_a_replay_that_differs_is_exit_code_5_and_says_where(
    nightdesk: Nightdesk, a_run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from console.commands import replay
    from engine.core.facts import ErrorCounted
    from store.recovery import run_facts as real

    other = ErrorCounted(1, "here", "else", "f")

    def altered(*args: Any) -> Any:
        for index, (seq, fact) in enumerate(real(*args)):
            yield seq, other if index == 3 else fact

    monkeypatch.setattr(replay, "run_facts", altered)
    code, out, _ = nightdesk("replay", "20261121-070822", "--verify")
    assert code == 5 and "DIFFERS at input" in out
    assert re.search(r"  input     2026-11-21 .*  Quote  symbol=BTCUSDT", out)
    assert "  recorded* 1970-01-01 00:00:00  error_counted  where=here" in out and "  replayed* 2026" in out
    code, out, _ = nightdesk("replay", "20261121-070822", "--verify", "--json")
    told = json.loads(out)["difference"]
    assert told["recorded"][told["index"]]["type"] == "error_counted" != told["replayed"][told["index"]]["type"]
    assert told["event"]["type"] == "Quote"
    assert told["seq"] in [row["seq"] for row in told["rows"]]


def test_no_books_and_unknown_runs_are_exit_code_2(nightdesk: Nightdesk, home: Home) -> None:
    for words in (["audit", "verify"], ["audit", "query"], ["explain", "S"], ["replay", "R"]):
        code, _, err = nightdesk(*words)
        assert code == 2 and "no paper desk has run yet" in err
    home.create()
    open_store(home.database, "paper", WallClock(), threaded=False).close()
    assert nightdesk("replay", "R", "--verify")[0] == 2
    assert "name the run" in nightdesk("replay", "latest")[2]


# --- doctor ---


def test_warnings_are_shown_and_are_no_illness(nightdesk: Nightdesk, tmp_path: Path) -> None:
    silent = "alerts do not reach ops (slack): it answers 500"
    view = a_view()
    view = msgspec.structs.replace(view, heartbeat=msgspec.structs.replace(view.heartbeat, warnings=(silent,)))
    with serving_in_a_thread(tmp_path, FakeDesk(view)):
        code, out, _ = nightdesk("status", "--check")
        assert json.loads(nightdesk("--json", "status", "--check")[1])["warnings"] == [silent]
    assert code == 0 and re.search(rf"(?m)^ *warning +{re.escape(silent)}$", out), out


@pytest.mark.parametrize(
    ("alias", "named"),
    [(["dlq", "list"], ["dead-letters", "list"]), (["export", "out"], ["audit", "export", "out"])],
)
def test_other_names_of_commands_mean_the_same(
    nightdesk: Nightdesk, a_run: str, alias: list[str], named: list[str]
) -> None:
    assert nightdesk(*alias)[:2] == nightdesk(*named)[:2]
    assert arranged(["--json", *alias]) == ["--json", *named]


def test_the_doctor_finds_a_healthy_place_and_names_what_is_wrong(
    nightdesk: Nightdesk, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, _ = nightdesk("doctor", "--json")
    assert code == 0 and {row["name"] for row in json.loads(out)} >= {"python", "config", "disk", "lock", "books"}
    home.dir.mkdir(mode=0o755)
    home.dir.chmod(0o755)
    monkeypatch.setenv("NIGHTDESK_RISK_POSITIONS_MAX", "9")
    code, out, _ = nightdesk("doctor")
    assert code == 1 and "chmod 700" in out and "positions_max" in out
    monkeypatch.delenv("NIGHTDESK_RISK_POSITIONS_MAX")
    assert nightdesk("doctor", "--fix")[0] == 0


def test_the_doctor_says_when_the_environment_names_the_authorities(
    nightdesk: Nightdesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FS-17."""
    monkeypatch.setenv("SSL_CERT_FILE", "/somewhere.pem")
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    assert re.search(
        r"(?m)^ *authorities +ok +trusted are those of SSL_CERT_FILE=/somewhere.pem", nightdesk("doctor")[1]
    )
    monkeypatch.delenv("SSL_CERT_FILE")
    assert "authorities" not in nightdesk("doctor")[1]


def test_the_doctor_warns_of_a_clock_that_nothing_keeps_right(
    nightdesk: Nightdesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FT-08."""
    for text, verdict in (("nothing keeps it", "warn"), ("", "ok")):
        monkeypatch.setattr("console.commands.doctor.unkept_text", lambda text=text: text)
        told = json.loads(nightdesk("doctor", "--json")[1])
        assert [(f["verdict"], text in f["text"]) for f in told if f["name"] == "clock"] == [(verdict, True)]


def entered(home: Home, notionals: Sequence[str]) -> None:
    """Books in which entries of these notionals were filled."""
    home.create()
    store = open_store(home.database, "paper", WallClock(), threaded=False)
    store.journal.commit(batch(1, [run_started()])).result()
    for k, notional in enumerate(notionals):
        checks = (
            Check(4, "heat", parse("0.004"), parse("0.01"), True),
            Check(5, "order_notional", parse(notional), parse("200000"), True),
        )
        facts: list[AnyFact] = [raised(f"s{k}"), SignalJudged(T0, f"s{k}", checks), ended(f"s{k}")]
        store.journal.commit(batch(2 + k, facts=[(2 + k, fact) for fact in facts], inputs=1)).result()
    store.close()


def test_the_doctor_names_limits_that_are_far_looser_than_what_was_ever_used(
    nightdesk: Nightdesk, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FC-13: more than ten times, once a hundred entries say so."""

    def found() -> list[tuple[str, str]]:
        told = json.loads(nightdesk("doctor", "--json")[1])
        return [(finding["verdict"], finding["text"]) for finding in told if finding["name"] == "limits"]

    assert found() == []
    entered(home, ["400", "19999.99", "350.5"])
    assert found() == []
    monkeypatch.setattr("console.commands.doctor.ENTRIES_MIN", 3)
    ((verdict, text),) = found()
    assert verdict == "warn"
    assert text.startswith("order_notional_max_usd lets through 200000.00, 10 times the most that 3 entries since 2025")
    assert "took (19999.99)" in text
    monkeypatch.setenv("NIGHTDESK_RISK_ORDER_NOTIONAL_MAX_USD", "199999.90")
    assert [verdict for verdict, _ in found()] == ["ok"]


def test_the_doctor_compares_libraries_and_program_with_what_they_should_be(
    nightdesk: Nightdesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FS-15, FO-16."""

    def found(name: str) -> list[tuple[str, str]]:
        told = json.loads(nightdesk("doctor", "--json")[1])
        return [(finding["verdict"], finding["text"]) for finding in told if finding["name"] == name]

    assert [verdict for verdict, _ in found("libraries")] == ["ok"]
    monkeypatch.setattr("console.commands.doctor.unpinned", lambda: ("msgspec is version 0, …",))
    assert found("libraries") == [("warn", "msgspec is version 0, …")]
    assert found("program") == []  # no desk runs
    monkeypatch.setattr("engine.session.remote.status", lambda _: {"program": Program().fingerprint})
    assert [verdict for verdict, _ in found("program")] == ["ok"]
    monkeypatch.setattr("engine.session.remote.status", lambda _: {"program": "0" * 64})
    ((verdict, text),) = found("program")
    assert verdict == "warn" and "start it again" in text


@pytest.mark.parametrize(
    ("version", "verdict"), [((3, 40, 1), "warn"), ((3, 51, 2), "warn"), ((3, 51, 3), "ok"), ((3, 52, 0), "ok")]
)
def test_the_doctor_warns_of_an_sqlite_with_the_wal_reset_bug(
    nightdesk: Nightdesk, monkeypatch: pytest.MonkeyPatch, version: tuple[int, int, int], verdict: str
) -> None:
    """FD-22."""
    monkeypatch.setattr("sqlite3.sqlite_version_info", version)
    _, out, _ = nightdesk("doctor", "--json")
    findings = json.loads(out)
    (found,) = [finding for finding in findings if finding["name"] == "sqlite"]
    assert found["verdict"] == verdict
    assert ("WAL fault" in found["text"]) is (verdict == "warn")


def test_the_doctor_tells_a_damaged_database_a_wrong_env_and_a_latch(nightdesk: Nightdesk, home: Home) -> None:
    live = Home.at(home.root, "live")
    home.create()
    live.create()
    open_store(live.database, "live", WallClock(), threaded=False).close()
    live.database.rename(home.database)
    code, out, _ = nightdesk("doctor")
    assert code == 1 and "is stamped" in out
    home.database.write_bytes(b"rubbish" * 4096)
    home.latch_file.touch()
    code, out, _ = nightdesk("doctor")
    assert code == 1 and "latched" in out


# --- venue ---


def test_the_venue_refuses_what_it_cannot_serve(nightdesk: Nightdesk) -> None:
    assert nightdesk("venue", "--port", "70000")[0] == 2
    assert nightdesk("venue", "--speed", "0")[0] == 2
    assert nightdesk("venue", "--data", "nowhere")[0] == 2


def test_the_doctor_names_a_record_that_waits_to_be_read_back(nightdesk: Nightdesk, tmp_path: Path) -> None:
    home = Home.at(tmp_path, "paper")
    home.create()
    home.emergency.touch()
    assert "emergency record" not in nightdesk("doctor")[1]
    home.emergency.write_text("something\n")
    assert re.search(r"emergency record +warn +.*emergency\.jsonl waits for the next start", nightdesk("doctor")[1])


def test_dead_letters_are_listed_tried_again_and_discarded(nightdesk: Nightdesk, tmp_path: Path) -> None:
    home = Home.at(tmp_path, "paper")
    home.create()
    store = open_store(home.database, "paper", WallClock(), threaded=False)
    store.journal.commit(Batch("run-1", 1, [Wake(NOW_NS)], [], NOW_NS)).result()
    letters = DeadLetters(store, WallClock(), {}, lambda *_: None)
    letters.keep(Operation.BACKUP, "{}", OSError("no space left"))
    letters.keep(Operation.REPORT, '{"run_id":"run-1","path":"/nowhere"}', OSError("gone"))
    store.close()
    backup, report = (letter.letter_id for letter in letters_of(home.database))
    out = nightdesk("dead-letters", "list")[1]
    assert backup in out and "no space left" in out and report in out
    code, out, err = nightdesk("dead-letters", "retry")
    assert (code, out) == (1, "1 done, 1 failed again\n")
    assert "report failed" in err
    assert home.backup.exists()
    assert nightdesk("dead-letters", "discard", report)[0] == 2
    assert nightdesk("dead-letters", "discard", report, "--reason", "lost")[0] == 0
    assert nightdesk("dead-letters", "discard", report, "--reason", "lost")[0] == 2
    assert nightdesk("dead-letters", "list")[1] == "no dead letters\n"
    everything = json.loads(nightdesk("--json", "dead-letters", "list", "--all")[1])
    assert [one["state"] for one in everything] == ["DONE", "DISCARDED"]


def test_dead_letters_of_a_desk_that_runs_are_left_to_it(nightdesk: Nightdesk, tmp_path: Path) -> None:
    home = Home.at(tmp_path, "paper")
    home.create()
    open_store(home.database, "paper", WallClock()).close()
    lock = DeskLock.acquire(home.lock, Holder(1))
    try:
        assert nightdesk("dead-letters", "retry")[0] == 3
    finally:
        lock.release()
