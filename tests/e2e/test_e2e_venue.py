"""A desk on a venue that somebody else runs: it is used where the configuration names it, and outlived."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import StartDesk
from tests.e2e.shell import EAGER, ROOT, ask, command, environment
from tests.e2e.test_e2e_crash import TWO

pytestmark = pytest.mark.e2e


class Venue:
    def __init__(self, home: Path) -> None:
        self.process = subprocess.Popen(
            command(home, "venue", "--port", "0"),
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        assert self.process.stdout is not None
        said = json.loads(self.process.stdout.readline())
        self.given = {
            "NIGHTDESK_SIM_REST_URL": f"http://127.0.0.1:{said['http']}",
            "NIGHTDESK_SIM_PUBLIC_URL": f"ws://127.0.0.1:{said['ws']}/public/",
            "NIGHTDESK_SIM_PRIVATE_URL": f"ws://127.0.0.1:{said['ws']}/private/",
        }

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[Venue]:
    found = Venue(tmp_path)
    yield found
    found.end()


def test_a_desk_trades_on_the_venue_it_is_told_of_and_leaves_it_running(
    start: StartDesk, venue: Venue, tmp_path: Path
) -> None:
    desk = start(*EAGER, *TWO, **venue.given)
    status = desk.until_status(lambda status: status["state"] == "RUNNING" and status["positions"])
    assert status["source"] == f"venue at {venue.given['NIGHTDESK_SIM_REST_URL']}"
    assert desk.children() == []
    venue.end()
    desk.until_status(lambda status: not status["healthy"])
    assert ask(tmp_path, "stop").code == 0
    assert desk.ended() in (0, 1), desk.said


@pytest.mark.parametrize("words", [("--speed", "60"), ("--data", "README.md")])
def test_what_belongs_to_the_venue_is_refused(tmp_path: Path, venue: Venue, words: tuple[str, ...]) -> None:
    refused = ask(tmp_path, "run", "--headless", "--duration", "1s", *words, **venue.given)
    assert refused.code == 2 and "nightdesk venue" in refused.err


def test_half_an_address_is_refused(tmp_path: Path) -> None:
    refused = ask(tmp_path, "run", "--headless", "--duration", "1s", NIGHTDESK_SIM_REST_URL="http://127.0.0.1:1")
    assert refused.code == 2 and "belong together" in refused.err
