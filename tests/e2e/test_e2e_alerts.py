"""Alerts of real desks: what arrives of a run, of one that is killed, and that no address is in anything it leaves."""

import json
from pathlib import Path

import pytest

from tests.e2e.conftest import StartDesk
from tests.e2e.shell import ask, until
from tests.session.alerting.post import Web

pytestmark = pytest.mark.e2e

TOKEN = "Canary0123456789TokenTok"


def test_alerts_of_a_run_arrive_also_of_one_that_was_killed_and_no_address_leaks(
    tmp_path: Path, start: StartDesk
) -> None:
    with Web() as web:
        given = {
            "WEBHOOK_URL": f"{web.url}/{TOKEN}",
            "NIGHTDESK_ALERT_URLS": f"json://ann:{TOKEN}@127.0.0.1:1/{TOKEN}",
            "NIGHTDESK_ALERT_PING_URL": f"{web.url}/ping/{TOKEN}",
            "NIGHTDESK_ALERTS_PING_EVERY": "1s",
            "NIGHTDESK_ALERTS_HEADS_EVERY": "1h",
        }

        def titles() -> list[str]:
            return [body["title"] for path, body, _ in web.wait(0) if "ping" not in path]

        desk = start("--symbols", "BTCUSDT", **given)
        until(lambda: any("run started" in title for title in titles()), lambda: desk.said, 60)
        until(lambda: any("ping" in path for path, _, _ in web.wait(0)), lambda: desk.said, 60)
        until(lambda: any("does not answer" in title for title in titles()), lambda: desk.said, 60)
        desk.process.kill()
        desk.process.wait()
        again = start("--symbols", "BTCUSDT", "--duration", "3s", **given)
        assert again.process.wait(90) == 0
        told = titles()
    assert all(title.startswith("[PAPER] ") for title in told)
    assert any("ended without saying goodbye" in title for title in told)
    assert any("run ended" in title for title in told)
    assert any("signed head" in title for title in told)
    listed = ask(tmp_path, "dead-letters", "list", "--json")
    assert any(letter["operation"] == "alert" for letter in json.loads(listed.out))
    for path in tmp_path.rglob("*"):
        if path.is_file() and not path.is_symlink():
            assert TOKEN.encode() not in path.read_bytes(), path
    assert TOKEN not in desk.said + again.said + listed.out


@pytest.mark.sim
def test_a_slow_and_a_frozen_desk_are_told_to_people(start: StartDesk) -> None:
    """FP-07, FT-11: the one ends in order, the other hard; what froze is told, and the next start tells it died."""
    with Web() as web:

        def told(words: str) -> bool:
            return any(words in body["title"] for _, body, _ in web.wait(0))

        slow = start("--strategy", "tests.e2e.eager:Late", "--symbols", "BTCUSDT", WEBHOOK_URL=web.url)
        assert slow.ended() == 1
        assert slow.report["reason"] == "watchdog"
        assert told("event loop late")
        frozen = start("--strategy", "tests.e2e.eager:Frozen", "--symbols", "BTCUSDT", WEBHOOK_URL=web.url)
        assert frozen.ended() == 1
        assert told("the desk froze and ended itself")
        again = start("--symbols", "BTCUSDT", "--duration", "2s", WEBHOOK_URL=web.url)
        assert again.ended() == 0
        assert told("ended without saying goodbye")
