"""What systemd hears of a desk, over a real datagram socket."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.core.events import SessionPhase
from engine.session.supervisor import VARIABLE, Supervisor
from tests.session.deskrig import DeskRig


class Systemd:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        self._socket.setblocking(False)

    def heard(self) -> list[str]:
        found = []
        while True:
            try:
                found.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                return found

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "notify") if request.param == "path" else f"@nightdesk-test-{os.getpid()}"


@pytest.fixture
def systemd(address: str) -> Iterator[Systemd]:
    found = Systemd(address)
    yield found
    found.close()


def test_ready_is_said_when_the_desk_runs_and_not_before(systemd: Systemd, address: str) -> None:
    supervisor = Supervisor({VARIABLE: address})
    for phase in (SessionPhase.INITIALIZING, SessionPhase.SEEDING_HISTORY):
        supervisor.entered(phase)
    assert systemd.heard() == ["EXTEND_TIMEOUT_USEC=120000000"] * 2
    supervisor.entered(SessionPhase.RUNNING)
    supervisor.beat("equity 10000\n\x1b[2J")
    supervisor.entered(SessionPhase.SHUTTING_DOWN)
    supervisor.close()
    ready, beat, stopping = systemd.heard()
    assert (ready, stopping) == ("READY=1", "STOPPING=1")
    assert beat.startswith("WATCHDOG=1\nSTATUS=equity 10000") and "\x1b" not in beat
    assert beat.count("\n") == 1


def test_a_supervisor_that_is_gone_or_deaf_stops_nothing(tmp_path: Path) -> None:
    Supervisor({}).beat("alone")
    lonely = Supervisor({VARIABLE: str(tmp_path / "nobody")})
    lonely.entered(SessionPhase.RUNNING)
    lonely.close()
    deaf = Systemd(str(tmp_path / "deaf"))
    supervisor = Supervisor({VARIABLE: str(tmp_path / "deaf")})
    for _ in range(5_000):  # far beyond what its queue takes
        supervisor.beat("x" * 200)
    supervisor.close()
    deaf.close()


def test_the_children_of_this_process_are_not_given_the_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    systemd = Systemd(str(tmp_path / "notify"))
    monkeypatch.setenv(VARIABLE, str(tmp_path / "notify"))
    supervisor = Supervisor.of_this_process()
    assert VARIABLE not in os.environ
    supervisor.beat("well")
    supervisor.close()
    assert systemd.heard() == ["WATCHDOG=1\nSTATUS=well"]
    systemd.close()


def test_a_whole_run_is_told(tmp_path: Path) -> None:
    systemd = Systemd(str(tmp_path / "notify"))
    rig = DeskRig(tmp_path / "home")
    rig.supervisor = Supervisor({VARIABLE: str(tmp_path / "notify")})
    rig.run(300)
    heard = systemd.heard()
    systemd.close()
    assert heard[0].startswith("EXTEND_TIMEOUT_USEC=")
    assert heard.index("READY=1") < heard.index("STOPPING=1")
    beats = [text for text in heard if text.startswith("WATCHDOG=1")]
    assert beats and "PAPER RUNNING" in beats[0]
