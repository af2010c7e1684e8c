"""`nightdesk alert`: what came of a test on every channel, and the channels without their addresses."""

import json
from pathlib import Path

import msgspec
import pytest

from console.answers.catalogue import problem
from console.cli import main
from console.exits import Exit
from engine.core.words import AlertKind
from engine.session.alerting.notices import Sender, compose
from engine.session.clock import VirtualClock
from engine.session.dead_letters import AlertPayload, DeadLetters, LetterState, Operation
from engine.session.home import Home
from store.desk import open_store
from store.letters import read_letters
from tests.session.alerting.post import Web
from tests.store.making import T0, batch, run_started

TOKEN = "Canary0123456789Token"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("NIGHTDESK_ALERT_URLS", "WEBHOOK_URL", "NIGHTDESK_HOME", "NIGHTDESK_ENV"):
        monkeypatch.delenv(name, raising=False)


def test_a_test_alert_goes_through_every_channel_and_each_failure_has_its_cause_and_cure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Web() as web, Web(401) as locked:
        urls = f"{web.hook(TOKEN)} {locked.hook(TOKEN)} json://127.0.0.1:1/{TOKEN}"
        monkeypatch.setenv("NIGHTDESK_ALERT_URLS", urls)
        assert main(["alert", "test", "--json"]) == Exit.ERROR
        out = capsys.readouterr().out
        assert not problem("alert test", out)
        told = json.loads(out)
        (body,) = web.bodies(1)
    assert body["title"].startswith("[PAPER] INFO: test alert (")
    assert [(one["channel"], one["sent"]) for one in told] == [("json", True), ("json-2", False), ("json-3", False)]
    assert "401" in told[1]["cause"]
    assert "make a new one" in told[1]["cure"]
    assert "cannot be reached" in told[2]["cure"]
    assert main(["alert", "test"]) == Exit.ERROR
    shown = capsys.readouterr()
    assert "FAILED" in shown.out
    assert TOKEN not in json.dumps(told) + shown.out + shown.err


def test_one_channel_and_one_severity_can_be_tried(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Web() as web:
        monkeypatch.setenv("WEBHOOK_URL", f"{web.url}/{TOKEN}")
        assert main(["alert", "test", "--channel", "webhook", "--severity", "critical"]) == Exit.DONE
        assert web.bodies(1)[0]["type"] == "failure"
        assert main(["alert", "test", "--channel", "nobody"]) == Exit.USAGE
        assert "there are webhook" in capsys.readouterr().err
        assert main(["alert", "test", "--severity", "loud"]) == Exit.USAGE


def test_a_channel_that_is_not_told_of_a_severity_is_skipped_and_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NIGHTDESK_ALERT_URLS", f"pagerduty://{TOKEN}@ApiKey0123456789")
    assert main(["alert", "test", "--severity", "warning", "--json"]) == Exit.DONE
    (told,) = json.loads(capsys.readouterr().out)
    assert (told["sent"], told["cause"]) == (None, "not told of warning: its severities are critical")


def test_without_a_channel_there_is_nothing_to_test(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["alert", "test"]) == Exit.USAGE
    assert "no alert channel is configured" in capsys.readouterr().err
    assert main(["alert", "list"]) == Exit.DONE
    assert "alerts.jsonl alone" in capsys.readouterr().out


def test_the_list_shows_severities_last_success_last_failure_and_what_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = Home.at(tmp_path / ".nightdesk", "paper")
    home.create()
    letter(home)
    with Web() as web:
        monkeypatch.setenv("WEBHOOK_URL", f"{web.url}/{TOKEN}")
        main(["alert", "test"])
        web.status = 403
        main(["alert", "test"])
    capsys.readouterr()
    assert main(["alert", "list", "--json"]) == Exit.DONE
    (known,) = json.loads(capsys.readouterr().out)
    assert (known["channel"], known["place"], known["letters"]) == ("webhook", "environment WEBHOOK_URL", 1)
    assert known["last_sent"].startswith("20")
    assert known["last_failed"].startswith("20")
    assert "403" in known["failure"]
    assert main(["alert", "list"]) == Exit.DONE
    assert TOKEN not in capsys.readouterr().out + json.dumps(known)


def letter(home: Home) -> str:
    """A desk with one alert that waits for the channel `webhook`; the id of its letter."""

    clock = VirtualClock(T0)
    store = open_store(home.database, "paper", clock)
    store.journal.commit(batch(1, [run_started()])).result()
    notice = compose(AlertKind.KILL, "enough", T0, "run-1", Sender("PAPER", "desk", "host"))
    letters = DeadLetters(store, clock, {}, lambda *_: None)

    payload = msgspec.json.encode(AlertPayload("webhook", notice)).decode()
    letters.keep(Operation.ALERT, payload, OSError("no network"))
    (kept,) = letters.waiting()
    store.close()
    return kept.letter_id


def test_a_waiting_alert_is_delivered_by_hand_once_its_channel_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = Home.at(tmp_path / ".nightdesk", "paper")
    home.create()
    letter(home)
    assert main(["dead-letters", "retry"]) == Exit.ERROR
    assert "there is no channel webhook" in capsys.readouterr().err
    with Web() as web:
        monkeypatch.setenv("WEBHOOK_URL", f"{web.url}/{TOKEN}")
        assert main(["dead-letters", "retry"]) == Exit.DONE
        assert "kill switch" in web.bodies(1)[0]["title"]
    assert [one.state for one in read_letters(home.database)] == [LetterState.DONE]


def test_an_address_that_is_not_understood_is_refused_by_its_place(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NIGHTDESK_ALERT_URLS", f"nonsense://{TOKEN}")
    for command in (["run", "--duration", "1s"], ["config", "check"], ["alert", "list"]):
        assert main(command) == Exit.USAGE
        said = capsys.readouterr()
        assert "environment NIGHTDESK_ALERT_URLS, number 1: is no address apprise understands" in said.err
        assert TOKEN not in said.out + said.err
