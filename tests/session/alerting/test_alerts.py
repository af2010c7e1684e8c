"""Alerts reach people, keep nothing waiting, and none is lost: over real sockets of this machine."""

import json
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.core.config import MINUTE
from engine.core.words import AlertKind, Severity
from engine.session.alerting import alerts as module
from engine.session.alerting.alerts import Alerts
from engine.session.alerting.kinds import KINDS
from engine.session.alerting.notices import PERHAPS_TWICE, Sender
from engine.session.alerting.record import AlertLine, DeliveryLine, read_lines, unfinished
from engine.session.clock import WallClock
from engine.session.dead_letters import LetterState
from tests.session.alerting.post import Box, Web, channel
from tests.steady import PATIENCE

SENDER = Sender("PAPER", "desk-1", "host-1")
CRITICAL, WARNING, INFO = AlertKind.KILL, AlertKind.STUCK_ORDER, AlertKind.STOP_PASSED
Make = Callable[..., Alerts]


@pytest.fixture
def box() -> Box:
    return Box()


@pytest.fixture
def web() -> Iterator[Web]:
    with Web() as server:
        yield server


@pytest.fixture
def make(tmp_path: Path, box: Box) -> Iterator[Make]:
    """Makes alerts that are started, and are closed when the test has not done it."""
    made: list[Alerts] = []

    def start(*channels: Any, replayed: Any = (), **options: Any) -> Alerts:
        path = tmp_path / "alerts.jsonl"
        alerts = Alerts(path, SENDER, "run-1", WallClock(), box, channels, **({"wait_s": 0.01} | options))
        alerts.start(replayed)
        made.append(alerts)
        return alerts

    yield start
    for alerts in made:
        alerts.close(0.5)


def until(met: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def lines(tmp_path: Path) -> list[AlertLine]:
    return [line for line in read_lines(tmp_path / "alerts.jsonl") if isinstance(line, AlertLine)]


def outcomes(tmp_path: Path) -> list[tuple[str, int]]:
    found = [line for line in read_lines(tmp_path / "alerts.jsonl") if isinstance(line, DeliveryLine)]
    return [(line.outcome, len(line.alerts)) for line in found]


def test_an_alert_says_mode_desk_run_time_what_happened_what_was_done_and_what_to_do(
    make: Make, web: Web, tmp_path: Path
) -> None:
    alerts = make(channel(web.hook()))
    alerts.write_alert(AlertKind.BREAKER, "daily loss: 51 >= 50", at_ns=1_767_225_600_000_000_000)
    (body,) = web.bodies(1)
    words = KINDS[AlertKind.BREAKER]
    assert body["title"] == "[PAPER] CRITICAL: circuit breaker tripped (desk-1 on host-1)"
    assert body["type"] == "failure"
    happened, did, todo, place = body["message"].split("\n")
    assert happened == "What happened: circuit breaker tripped: daily loss: 51 >= 50"
    assert (did, todo) == (f"The desk: {words.did}.", f"You: {words.todo}.")
    assert place.startswith("PAPER desk desk-1 on host-1, run run-1, 2026-01-01 00:00:00 UTC, alert ")
    alerts.close()
    assert outcomes(tmp_path) == [("sent", 1)]


def test_without_any_channel_there_is_the_file_alone(make: Make, tmp_path: Path, box: Box) -> None:
    alerts = make()
    alerts.write_alert(CRITICAL, "enough")
    alerts.close()
    (line,) = lines(tmp_path)
    assert (line.notice.text, line.channels, line.severity) == ("enough", (), Severity.CRITICAL)
    assert (tmp_path / "alerts.jsonl").stat().st_mode & 0o077 == 0
    raw = json.loads((tmp_path / "alerts.jsonl").read_text().splitlines()[0])
    assert (raw["type"], raw["notice"]["sender"]["mode"], raw["title"]) == ("alert", "PAPER", "kill switch")
    assert not box.kept


def test_each_channel_is_told_its_severities_alone(make: Make, web: Web) -> None:
    with Web() as pager:
        alerts = make(channel(web.hook()), channel(pager.hook(), "pager", [Severity.CRITICAL]))
        for kind in (INFO, WARNING, CRITICAL):
            alerts.write_alert(kind, "x")
        assert len(web.bodies(3)) == 3
        alerts.close()
        assert [body["type"] for body in pager.bodies(1)] == ["failure"]


def test_the_same_alert_again_is_counted_and_told_once_with_the_number(make: Make, web: Web, tmp_path: Path) -> None:
    """FS-22."""
    alerts = make(channel(web.hook()), repeat_ns=300_000_000)
    for n in range(13):
        alerts.write_alert(WARNING, f"BTCUSDT 20260101-000000-{n}-1 has waited")
    first, again = web.bodies(2)
    assert "more like it" not in first["message"]
    assert "and 12 more like it" in again["message"]
    alerts.close()
    assert len(web.arrived) == 2
    assert sum(line.folded for line in lines(tmp_path)) == 12, "each is in the file all the same"


def test_another_symbol_or_kind_is_another_alert_and_a_kill_is_never_only_counted(make: Make, web: Web) -> None:
    alerts = make(channel(web.hook()))
    for kind, text in ((WARNING, "BTCUSDT waits"), (WARNING, "ETHUSDT waits"), (INFO, "BTCUSDT waits")):
        alerts.write_alert(kind, text)
    alerts.write_alert(CRITICAL, "by ann")
    alerts.write_alert(CRITICAL, "by ann", at_ns=1)
    assert len(web.bodies(5)) == 5


def test_what_was_only_counted_is_told_at_the_end_of_a_run(make: Make, web: Web) -> None:
    alerts = make(channel(web.hook()), repeat_ns=60 * MINUTE)
    for _ in range(3):
        alerts.write_alert(WARNING, "x")
    alerts.close()
    assert ["and 2 more like it" in body["message"] for body in web.bodies(2)] == [False, True]


def test_beyond_the_rate_of_a_channel_the_rest_goes_together_and_what_is_critical_does_not_wait(
    make: Make, web: Web
) -> None:
    """FS-22."""
    web.delay_s = 0.1
    alerts = make(channel(web.hook(), rate_per_minute=2))
    texts = [f"symbol{chr(97 + n % 26)}{'x' * (n // 26)} waits" for n in range(30)]
    for text in texts:
        alerts.write_alert(WARNING, text)
    alerts.write_alert(CRITICAL, "enough")
    alerts.close()
    titles = [body["title"] for body in web.bodies(2)]
    assert "[PAPER] CRITICAL: kill switch (desk-1 on host-1)" in titles[:2], "first but for what was under way"
    assert len(titles) <= 8, "of thirty-one"
    together = "".join(body["message"] for body in web.bodies(2))
    left = [text for text in texts if text not in together]
    assert not left or "more: alerts.jsonl on host-1 has them all" in together


def test_a_failed_delivery_is_tried_again(make: Make, web: Web, tmp_path: Path, box: Box) -> None:
    web.status = 503
    alerts = make(channel(web.hook()), wait_s=0.2)
    alerts.write_alert(CRITICAL, "enough")
    web.wait(1)
    web.status = 200
    assert len(web.bodies(2)) == 1
    alerts.close()
    assert outcomes(tmp_path) == [("sent", 1)]
    assert not box.kept


def test_what_fails_for_good_waits_as_a_letter_with_its_cause_and_other_channels_are_told(
    make: Make, web: Web, tmp_path: Path, box: Box
) -> None:
    web.status = 401
    with Web() as other:
        alerts = make(channel(web.hook()), channel(other.hook(), "other"))
        alerts.write_alert(CRITICAL, "enough")
        titles = [body["title"] for body in other.bodies(2)]
        assert any("does not answer" in title for title in titles)
        alerts.close()
        assert len(web.arrived) == 3
    (letter,) = box.letters()
    assert (letter.operation, letter.state, letter.attempts) == ("alert", LetterState.WAITING, 3)
    assert "401" in letter.text
    assert ("kept", 1) in outcomes(tmp_path)
    assert not unfinished(read_lines(tmp_path / "alerts.jsonl"))


def test_letters_go_out_in_one_message_once_the_channel_answers_again(make: Make, web: Web, box: Box) -> None:
    web.status = 500
    alerts = make(channel(web.hook()), wait_s=0.0)
    for symbol in "abc":
        alerts.write_alert(WARNING, f"{symbol} waits")
    web.wait(5)
    while len(box.letters()) < 3:
        time.sleep(0.01)
    web.status = 200
    alerts.write_alert(CRITICAL, "enough")
    now, before = web.bodies(7)
    assert "kill switch" in now["title"]
    assert "3 alerts" in before["title"]
    alerts.close()
    assert set(box.states()) == {LetterState.DONE}


def test_letters_of_an_earlier_run_go_out_at_the_start(make: Make, web: Web, box: Box) -> None:
    web.status = 500
    alerts = make(channel(web.hook()))
    alerts.write_alert(CRITICAL, "enough")
    alerts.close()
    assert box.states() == [LetterState.WAITING]
    web.status = 200
    web.arrived.clear()
    make(channel(web.hook()))
    (body,) = web.bodies(1)
    assert "kill switch" in body["title"]


def test_a_dead_address_and_a_hundred_alerts_keep_nobody_waiting_and_lose_none(
    make: Make, tmp_path: Path, box: Box
) -> None:
    alerts = make(channel("json://127.0.0.1:1/hook"))
    slowest = 0.0
    for n in range(100):
        began = time.perf_counter()
        alerts.write_alert(WARNING, f"symbol{chr(97 + n % 26)}{'x' * (n // 26)} waits")
        slowest = max(slowest, time.perf_counter() - began)
    alerts.close(60)
    assert slowest < 5  # what it takes is measured in benchmarks/alerts.py
    raised = [
        line for line in lines(tmp_path) if line.notice.kind is WARNING
    ]  # one more may say that the channel is down
    assert len(box.letters()) == len(raised) == 100


def test_an_address_that_never_answers_delays_no_other_channel(make: Make, web: Web) -> None:
    with Web() as black_hole:
        black_hole.delay_s = 20
        alerts = make(channel(black_hole.hook(), "hole"), channel(web.hook()))
        began = time.monotonic()
        for n in range(10):
            alerts.write_alert(CRITICAL, f"number {n}", at_ns=n + 1)
        web.wait(10)
        assert time.monotonic() - began < 15
        black_hole.delay_s = 0


def test_a_critical_alert_nobody_answers_is_told_again_until_somebody_does(make: Make, web: Web) -> None:
    """FO-17: to whoever is told what is critical, and in the end to the desk."""
    paused: list[str] = []
    alerts = make(channel(web.hook()), remind_ns=50_000_000, pause_ns=1, on_unanswered=paused.append)
    alerts.write_alert(AlertKind.MEMORY, "more than 1500 MB")
    bodies = web.bodies(3)
    assert [body["type"] for body in bodies] == ["failure"] * 3
    assert "nobody has answered" in bodies[2]["title"] and "more than 1500 MB" in bodies[2]["message"]
    assert len(paused) == 1 and "more than 1500 MB" in paused[0]
    assert any("critical alert unanswered for" in text for text in alerts.troubles())
    alerts.answered()
    assert alerts.troubles() == ()


def test_a_channel_that_does_not_answer_is_a_trouble_until_something_arrives(make: Make, web: Web) -> None:
    web.status = 500
    alerts = make(channel(web.hook()))
    alerts.write_alert(WARNING, "BTCUSDT waits")
    web.wait(3)
    until(lambda: bool(alerts.troubles()))
    assert alerts.troubles()[0].startswith("alerts do not reach hook (json): ")
    web.status = 200
    alerts.write_alert(WARNING, "ETHUSDT waits")
    until(lambda: not alerts.troubles())


def test_a_full_queue_drops_lesser_alerts_first_counts_them_and_says_so(
    make: Make, web: Web, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """FS-22."""
    monkeypatch.setattr(module, "INBOX_MAX", 5)
    alerts = Alerts(tmp_path / "a.jsonl", SENDER, "run-1", WallClock(), Box(), [channel(web.hook())])
    for symbol in "abcdefgh":
        alerts.write_alert(WARNING, f"{symbol} waits")
    for n in range(3):
        alerts.write_alert(CRITICAL, f"{n}", at_ns=n + 1)
    alerts.start()
    bodies = web.bodies(6)
    alerts.close()
    assert [body["type"] for body in bodies].count("failure") == 3
    (told,) = [body["message"] for body in bodies if "were dropped" in body["title"]]
    assert "6 alerts more than the queues hold" in told


def test_an_alert_under_way_when_the_desk_dies_is_told_again_and_says_so(make: Make, tmp_path: Path) -> None:
    with Web() as black_hole:
        black_hole.delay_s = 2
        alerts = make(channel(black_hole.hook()))
        alerts.write_alert(CRITICAL, "enough")
        while not lines(tmp_path):
            time.sleep(0.01)
        alerts.close(0.1)  # as a crash would: nothing of what became of it is on record
        assert len(unfinished(read_lines(tmp_path / "alerts.jsonl"))) == 1
    with Web() as web:
        make(channel(web.hook()))
        (body,) = web.bodies(1)
        assert PERHAPS_TWICE in body["message"]


def test_what_the_last_events_of_a_dead_run_decided_is_told_unless_it_was(make: Make, web: Web, tmp_path: Path) -> None:
    alerts = make(channel(web.hook()))
    alerts.write_alert(CRITICAL, "told", at_ns=7)
    web.wait(1)
    alerts.close()
    replayed = [("run-1", CRITICAL, "told", 7), ("run-1", CRITICAL, "untold", 8)]
    make(channel(web.hook()), replayed=replayed)
    bodies = web.bodies(2)
    assert ["untold" in body["message"] for body in bodies] == [False, True]
    assert PERHAPS_TWICE in bodies[1]["message"]


def test_what_a_broken_journal_cannot_keep_as_a_letter_stays_open_in_the_file(
    make: Make, tmp_path: Path, box: Box
) -> None:
    box.broken = True
    alerts = make(channel("json://127.0.0.1:1/hook"))
    alerts.write_alert(CRITICAL, "enough")
    alerts.close()
    assert len(unfinished(read_lines(tmp_path / "alerts.jsonl"))) == 1
    box.broken = False
    with Web() as web:
        make(channel(web.hook()))
        web.bodies(1)


def test_the_end_of_a_run_is_bounded_and_what_waits_then_becomes_letters(make: Make, tmp_path: Path, box: Box) -> None:
    with Web() as black_hole:
        black_hole.delay_s = 20
        alerts = make(channel(black_hole.hook()))
        for n in range(5):
            alerts.write_alert(CRITICAL, f"{n}", at_ns=n + 1)
        while len(lines(tmp_path)) < 5:
            time.sleep(0.01)
        began = time.monotonic()
        alerts.close(0.5)
        assert time.monotonic() - began < 15
        assert len(box.letters()) == 4
        assert len(unfinished(read_lines(tmp_path / "alerts.jsonl"))) == 1
        black_hole.delay_s = 0


def test_last_words_are_on_the_disk_and_delivered_before_they_return(make: Make, web: Web, tmp_path: Path) -> None:
    alerts = make(channel(web.hook()))
    alerts.last_words(AlertKind.WATCHDOG_FATAL, "frozen for 30 s")
    assert len(web.arrived) == 1
    assert lines(tmp_path)[0].notice.kind is AlertKind.WATCHDOG_FATAL


def test_a_file_that_takes_no_lines_keeps_no_alert_from_going_out(
    web: Web, box: Box, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    alerts = Alerts(tmp_path / "none" / "alerts.jsonl", SENDER, "run-1", WallClock(), box, [channel(web.hook())])
    with caplog.at_level(logging.ERROR):
        alerts.start()
        alerts.write_alert(CRITICAL, "enough")
        web.bodies(1)
        alerts.close()
    assert alerts.lost >= 2
    assert [record.message for record in caplog.records if "takes no more lines" in record.message]


def test_signed_heads_go_out_at_intervals_and_at_the_end_where_they_are_wanted(make: Make, web: Web) -> None:
    heads = iter(range(100))
    alerts = make(
        channel(web.hook()),
        sign_head=lambda: msgspec.json.encode({"row": next(heads), "hash": "ab" * 32, "key": "cd" * 32}).decode(),
        heads_every_ns=200_000_000,
    )
    web.wait(2)
    alerts.close()
    told = [body["message"].split("\n")[0] for body in web.bodies(3)]
    sent = [json.loads(text.partition("journal: ")[2])["row"] for text in told]
    assert sent == list(range(len(sent)))
    assert len(sent) >= 3


def test_a_torn_or_foreign_line_costs_that_line_alone(tmp_path: Path) -> None:
    path = tmp_path / "alerts.jsonl"
    path.write_text('{"type":"other"}\nnot json\n')
    assert read_lines(path) == []
    assert read_lines(tmp_path / "none") == []


def test_the_file_is_turned_over_when_it_is_large_and_both_are_read(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine.session.alerting import record

    monkeypatch.setattr(record, "SIZE_MAX", 1_000)
    alerts = make()
    for n in range(4):
        alerts.write_alert(CRITICAL, f"{n}", at_ns=n + 1)
    alerts.close()
    assert (tmp_path / "alerts.jsonl.1").exists()
    assert len(record.Record(tmp_path / "alerts.jsonl").lines()) == 4
