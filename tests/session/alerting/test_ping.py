"""The dead-man's ping: called while the desk is healthy and moves, and only then."""

from collections.abc import Callable, Iterator

import msgspec
import pytest

from engine.core.events import SessionPhase
from engine.core.view import DeskView, HeartbeatView
from engine.session.alerting.ping import Ping, Style
from engine.session.health import is_healthy
from engine.session.secret import Secret
from tests.console.sample_desk import BUSY
from tests.session.alerting.post import Web

TOKEN = "Canary0123456789TokenTok"


@pytest.fixture
def web() -> Iterator[Web]:
    with Web() as server:
        yield server


class Watched:
    """A desk that beats with every look, as long as it is `alive`."""

    def __init__(self, ills: tuple[str, ...] = ()) -> None:
        self.alive = True
        self.ills = ills
        self.beats = 0

    def view(self) -> DeskView:
        self.beats += self.alive
        beat = HeartbeatView(count=self.beats, unhealthy=self.ills)
        return msgspec.structs.replace(BUSY, phase=SessionPhase.RUNNING, heartbeat=beat)


def pinged(web: Web, view: Callable[[], DeskView | None], style: Style = "plain") -> Ping:
    ping = Ping(Secret(f"{web.url}/{TOKEN}"), 0.05, style, view)
    ping.start()
    return ping


def test_a_healthy_desk_is_pinged_again_and_again(web: Web) -> None:
    ping = pinged(web, Watched().view)
    assert {(path, body) for path, body, _ in web.wait(3)} == {(f"/{TOKEN}", "")}
    ping.stop(failed=False)


def test_a_desk_that_does_not_move_is_silent(web: Web) -> None:
    desk = Watched()
    ping = pinged(web, desk.view)
    web.wait(2)
    desk.alive = False
    with web.came:
        web.came.wait(0.2)
        before = len(web.arrived)
        web.came.wait(0.3)
        assert len(web.arrived) <= before
    ping.stop(failed=False)


def test_an_unhealthy_desk_is_silent_or_says_why_where_that_is_understood(web: Web) -> None:
    ping = pinged(web, Watched(("no data of BTCUSDT for 20s",)).view, "healthchecks")
    (start, *fails) = web.wait(3)
    assert start[0] == f"/{TOKEN}/start"
    assert {(path, body) for path, body, _ in fails} == {(f"/{TOKEN}/fail", "no data of BTCUSDT for 20s")}
    ping.stop(failed=False)
    web.arrived.clear()
    ping = pinged(web, Watched(("no data",)).view)
    with web.came:
        web.came.wait(0.3)
        assert not web.arrived
    ping.stop(failed=False)


def test_a_run_that_failed_says_so_at_once_and_one_that_ended_does_not(web: Web) -> None:
    for failed, last in ((True, "/fail"), (False, "")):
        web.arrived.clear()
        ping = pinged(web, Watched().view, "healthchecks")
        web.wait(2)
        ping.stop(failed)
        assert web.wait(2)[-1][0] == f"/{TOKEN}{last}"


def test_an_address_that_does_not_answer_is_told_once_without_its_text(caplog: pytest.LogCaptureFixture) -> None:
    ping = Ping(Secret(f"http://127.0.0.1:1/{TOKEN}"), 0.02, "plain", Watched().view)
    ping.start()
    while not caplog.records:
        pass
    ping.stop(failed=False)
    assert [record.message for record in caplog.records] == ["the ping is not heard: URLError"]


def test_health_is_what_the_heartbeat_says_of_a_session_that_is_alive() -> None:
    view = Watched().view()
    assert is_healthy(view) == (True, ())
    assert is_healthy(None) == (False, ("the desk shows nothing yet",))
    assert is_healthy(Watched(("blind", "mute")).view()) == (False, ("blind", "mute"))
    ended = msgspec.structs.replace(view, phase=SessionPhase.SHUTTING_DOWN)
    assert is_healthy(ended) == (False, ("the session is SHUTTING_DOWN",))
