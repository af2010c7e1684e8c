"""Commands on their way: sent once, never waited for, always told."""

import threading

import pytest

from console.errands import Errands
from console.text import Tone
from engine.core.events import Act
from engine.core.view import CommandReceipt
from tests.console.sample_desk import ScriptedDesk
from tests.steady import PATIENCE

MS = 1_000_000


class Watch:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.ns = 0

    def __call__(self) -> int:
        return self.ns


class KillFile:
    """The kill file's writer, which tells when it was called."""

    def __init__(self, error: OSError | None = None) -> None:
        self.calls = 0
        self.written = threading.Event()
        self._error = error

    def __call__(self) -> str:
        self.calls += 1
        if self._error is not None:
            raise self._error
        return "/desk/KILL_SWITCH"


class Bench:
    """Errands on a scripted desk with a watch and a kill file."""

    def __init__(self, kill_file: KillFile | None = None) -> None:
        self.desk, self.watch, self.kill_file = ScriptedDesk(), Watch(), kill_file or KillFile()
        self.errands = Errands(self.desk, self.watch, "anna", self.kill_file, self.kill_file.written.set)

    def said(self, after_ms: int = 0) -> str:
        self.watch.ns += after_ms * MS
        self.errands.look_in()
        notice = self.errands.notice()
        return notice.text if notice else ""

    def receive(self, receipt: CommandReceipt, at: int = -1) -> None:
        self.desk.answers[at].set_result(receipt)


def test_a_command_goes_out_at_once_with_who_and_why() -> None:
    bench = Bench()
    bench.errands.send(Act.PAUSE, "operator pressed p")
    (request,) = bench.desk.commands
    assert (request.act, request.source, request.actor, request.reason) == (
        Act.PAUSE,
        "tui",
        "anna",
        "operator pressed p",
    )
    assert bench.said() == "~ pause sent, waiting for the desk"


def test_a_command_under_way_is_not_sent_again() -> None:
    bench = Bench()
    for _ in range(5):
        bench.errands.send(Act.PAUSE, "")
    assert bench.desk.acts == ["pause"]
    bench.receive(CommandReceipt(True, "paused"))
    bench.errands.send(Act.PAUSE, "")
    assert bench.desk.acts == ["pause", "pause"]


def test_the_receipt_is_told_with_its_times_and_then_fades() -> None:
    bench = Bench()
    bench.errands.send(Act.PAUSE, "")
    bench.watch.ns += 12 * MS
    bench.receive(CommandReceipt(True, "entries paused", took_us=430))
    assert bench.said() == "ok pause in force in 0.4 ms, receipt after 12 ms: entries paused"
    assert bench.said(after_ms=11_000).startswith("ok pause")
    assert bench.said(after_ms=2_000) == ""


def test_a_refusal_is_told_with_its_reason() -> None:
    bench = Bench()
    bench.errands.send(Act.RESUME, "")
    bench.receive(CommandReceipt(False, "the kill switch is latched"))
    assert bench.said() == "x resume refused: the kill switch is latched"


def test_after_two_seconds_without_receipt_it_says_so() -> None:
    bench = Bench()
    bench.errands.send(Act.PAUSE, "")
    assert bench.said(after_ms=1_999).startswith("~")
    assert bench.said(after_ms=1_001) == "! pause: no receipt for 3s; K kills even then"


def test_a_kill_without_receipt_goes_by_the_kill_file_after_250_ms() -> None:
    bench = Bench()
    bench.errands.send(Act.KILL, "")
    assert bench.said(after_ms=249) == "~ kill sent, waiting for the desk"
    assert bench.kill_file.calls == 0
    assert bench.said(after_ms=1).startswith("! kill: no receipt within 250 ms; ")
    assert bench.kill_file.written.wait(PATIENCE)
    assert bench.said(after_ms=1000) == "! kill: no receipt within 250 ms; kill file written: /desk/KILL_SWITCH"
    assert bench.kill_file.calls == 1
    bench.receive(CommandReceipt(True, "killed", took_us=900))
    assert bench.said() == (
        "ok kill in force in 0.9 ms, receipt after 1250 ms: killed; kill file written: /desk/KILL_SWITCH"
    )


def test_a_kill_the_desk_cannot_take_goes_by_the_kill_file_at_once() -> None:
    bench = Bench()
    bench.desk.broken = True
    bench.errands.send(Act.KILL, "")
    assert bench.kill_file.written.wait(PATIENCE)
    assert bench.said() == "x kill not delivered: the socket is gone; kill file written: /desk/KILL_SWITCH"


def test_a_kill_file_that_cannot_be_written_is_said() -> None:
    bench = Bench(KillFile(OSError("disk full")))
    bench.errands.send(Act.KILL, "")
    bench.said(after_ms=300)
    assert bench.kill_file.written.wait(PATIENCE)
    assert "kill file NOT written: disk full" in bench.said()


def test_a_kill_stays_on_the_screen_and_names_what_is_not_confirmed() -> None:
    """FV-22, FO-04."""
    bench = Bench()
    bench.errands.send(Act.KILL, "")
    bench.receive(CommandReceipt(True, "killed", took_us=2_150, unconfirmed=("r1-1", "r1-2", "r1-3", "r1-4")))
    expected = (
        "! 4 orders NOT confirmed cancelled: r1-1, r1-2, r1-3; kill in force in 2.1 ms, receipt after 0 ms: killed"
    )
    assert bench.said() == expected
    assert bench.said(after_ms=3_600_000) == expected
    notice = bench.errands.notice()
    assert notice is not None
    assert notice.tone is Tone.ALARM
    assert bench.errands.killed


@pytest.mark.parametrize("how", ["cancelled", "failed"])
def test_a_command_that_is_dropped_is_told_as_not_delivered(how: str) -> None:
    bench = Bench()
    bench.errands.send(Act.PAUSE, "")
    if how == "cancelled":
        bench.desk.answers[0].cancel()
        assert bench.said() == "x pause not delivered: the desk dropped it"
    else:
        bench.desk.answers[0].set_exception(RuntimeError("journal\x1b[2J gone"))
        assert bench.said() == "x pause not delivered: journal gone"


def test_a_remark_covers_older_news_for_a_while() -> None:
    bench = Bench()
    bench.errands.send(Act.KILL, "")
    bench.receive(CommandReceipt(True, "killed"))
    bench.errands.remark("! ctrl+c does nothing here")
    assert bench.said() == "! ctrl+c does nothing here"
    assert bench.said(after_ms=12_000).startswith("ok kill")
