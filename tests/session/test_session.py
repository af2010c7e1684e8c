"""Whole runs on virtual time: the lifecycle, the report, restarts, kills and what is left behind."""

import asyncio
import json
import re
import sqlite3
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.core import money
from engine.core.config import DAY, MINUTE, SECOND
from engine.core.events import Act, FeedEvent, SessionPhase
from engine.review.replay import replay
from engine.session.clock import WallClock
from engine.session.ending import Ending
from engine.session.failed_start import failed_start
from engine.session.plan import Policy
from engine.session.ports import CommandRequest, SignedHead
from engine.session.session import Session
from engine.session.tasks import BATCHES_AHEAD, Tasks
from store.audit import Held, proof
from store.database import open_reader
from store.desk import Store, open_store
from store.heads import heads_path, read_heads
from store.queries import open_queries
from store.recovery import UnknownRun, run_facts, run_inputs
from tests.rig import START_NS
from tests.session.deskrig import DeskRig, Eager
from tests.session.toymarket import ToyMarket


def rows(rig: DeskRig, sql: str) -> list[Any]:
    connection = sqlite3.connect(f"file:{rig.home.database}?mode=ro", uri=True)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def outage(rig: DeskRig) -> str:
    """What the desk said of the time it was away."""
    ((text,),) = rows(rig, "SELECT text FROM feed_notes WHERE kind = 'OUTAGE_GAP'")
    return str(text)


async def until_positions(session: Session) -> None:
    """Until the desk shows an open position. A view is polled, as a console polls it."""
    while (view := session.view()) is None or not view.positions:  # noqa: ASYNC110
        await asyncio.sleep(0)


def test_a_run_goes_through_the_drawn_phases_and_ends_with_its_report(tmp_path: Path) -> None:
    rig = DeskRig(tmp_path)
    code, report = rig.run(600)
    assert code == 0
    assert (report["status"], report["reason"]) == ("success", "duration_complete")
    assert report["duration_seconds"] == pytest.approx(600, abs=2)
    assert report["trades"] > 0
    assert report["problems"] == []
    phases = [
        json.loads(body) for (body,) in rows(rig, "SELECT body FROM journal WHERE kind = 'phase_changed' ORDER BY id")
    ]
    assert [(p["previous"], p["phase"]) for p in phases] == [
        ("INITIALIZING", "SEEDING_HISTORY"),
        ("SEEDING_HISTORY", "RUNNING"),
        ("RUNNING", "SHUTTING_DOWN"),
        ("SHUTTING_DOWN", "COMPLETED"),
    ]
    assert not rig.home.lock.exists()


def test_the_report_says_to_the_last_digit_what_the_database_says(tmp_path: Path) -> None:
    rig = DeskRig(tmp_path)
    _, report = rig.run(1200)
    run = report["run_id"]
    fills = rows(rig, "SELECT fee, realized FROM fills")
    assert money.text(sum(money.parse(fee) for fee, _ in fills)) == report["fees_total"]
    assert money.text(sum(money.parse(realized) for _, realized in fills)) == report["realized_pnl"]
    assert len(fills) == report["fills_count"]
    trades = rows(rig, "SELECT pnl FROM trades")
    assert len(trades) == report["trades"]
    assert report["positions_open"] == []
    assert money.text(sum(money.parse(pnl) for (pnl,) in trades)) == report["net_pnl"]
    assert run in str(rows(rig, "SELECT * FROM runs"))


def test_the_band_of_the_report_is_what_the_shadow_books_made_of_the_run(tmp_path: Path) -> None:
    rig = DeskRig(tmp_path / "beside")
    _, report = rig.run(1200, shadows=True)
    for profile in ("pessimistic", "optimistic"):
        marks = [money.parse(text) for (text,) in rows(rig, f"SELECT equity_{profile} FROM equity_marks ORDER BY row")]
        assert report["net_pnl_band"][profile] == money.text(marks[-1] - marks[0])
        paid = rows(rig, f"SELECT fee FROM shadow_fills WHERE profile = '{profile}'")
        assert len(paid) >= report["trades"] > 0
    _, plain = DeskRig(tmp_path / "plain").run(1200)
    assert plain["decision_hash"] == report["decision_hash"]
    assert set(plain["net_pnl_band"].values()) == {None}


def test_orders_at_market_fill_within_three_hundred_milliseconds(tmp_path: Path) -> None:
    _, report = DeskRig(tmp_path).run(1200)
    assert 0 < report["order_to_fill_ms"]["p50"] <= report["order_to_fill_ms"]["p95"] < 300


def test_positions_are_closed_at_the_end_with_reason_shutdown_unless_they_are_to_be_kept(tmp_path: Path) -> None:
    closing, keeping = DeskRig(tmp_path / "a"), DeskRig(tmp_path / "b")
    _, closed = closing.run(390)
    _, kept = keeping.run(390, policy=Policy(duration_ns=390 * 10**9, keep_positions=True))
    assert closed["positions_open"] == []
    assert ("SHUTDOWN",) in rows(closing, "SELECT DISTINCT exit_reason FROM trades")
    assert kept["positions_open"] != []


def test_the_same_input_and_seed_give_the_same_decision_hash_and_another_seed_another(tmp_path: Path) -> None:
    hashes = [
        DeskRig(tmp_path / name).run(600, seed=seed)[1]["decision_hash"]
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    ]
    assert hashes[0] == hashes[1] != hashes[2]


def test_a_run_replays_from_its_journal_decision_for_decision(tmp_path: Path) -> None:
    rig = DeskRig(tmp_path)
    rig.run(400)
    _, report = rig.run(900)
    store = open_store(rig.home.database, "paper", WallClock())
    try:
        start, inputs = store.run_inputs(report["run_id"])
        assert start is not None
        outcome = replay(lambda core: (Eager(rig.symbols),), start.state, inputs, store.run_facts(report["run_id"]))
        assert store.verify().bad is None
    finally:
        store.close()
    assert outcome.difference is None
    assert outcome.facts > 100
    assert outcome.decision_hash == report["decision_hash"]


def test_a_run_that_ended_with_its_first_event_replays_too(tmp_path: Path) -> None:
    """FP-01."""
    rig = DeskRig(tmp_path)
    _, report = rig.run(60)
    start, inputs = run_inputs(rig.home.database, report["run_id"])
    assert start is not None
    recorded = list(run_facts(rig.home.database, report["run_id"]))
    begun = [(seq, fact) for seq, fact in recorded if seq <= start.seq]
    make = rig.session.plan.make_strategies
    assert begun
    assert replay(make, start.state, (), begun).difference is None
    assert replay(make, start.state, (), recorded).difference is not None
    assert replay(make, start.state, inputs, recorded).difference is None


def test_every_run_ends_signed_and_its_report_holds_a_head_of_the_journal(tmp_path: Path) -> None:
    rig = DeskRig(tmp_path)
    reports = [rig.run(7_300)[1], rig.run(400)[1]]
    heads = [msgspec.convert(report["journal_signed"], SignedHead) for report in reports]
    assert [(head.row, head.hash) for head in heads] == [(r["journal_rows"], r["journal_head"]) for r in reports]
    assert [head.run_id for head in heads] == [report["run_id"] for report in reports]
    found = proof(rig.home.database, Held(heads))
    assert found.is_good and (found.held, found.unsigned_rows) == (2, 0)
    causes = [head.cause for head in read_heads(heads_path(rig.home.database))]
    assert causes[0] == "hour"  # and at the second hour too, if a batch closed after it
    assert [cause for cause in causes if cause != "hour"] == ["report", "close", "report", "close"]


def test_the_books_go_on_over_a_restart_and_nothing_is_booked_twice(tmp_path: Path) -> None:
    """FP-28."""
    rig = DeskRig(tmp_path)
    _, first = rig.run(400)
    _, second = rig.run(400)
    assert second["starting_equity"] == first["ending_equity"]
    assert len(rows(rig, "SELECT DISTINCT fill_id FROM fills")) == first["fills_count"] + second["fills_count"]


def test_a_paper_desk_that_was_away_for_long_is_told_of_every_minute(tmp_path: Path) -> None:
    rig = DeskRig(tmp_path, ("BTCUSDT",))
    rig.run(400, policy=Policy(duration_ns=400 * SECOND, keep_positions=True))
    assert rows(rig, "SELECT symbol FROM positions")
    rig.begins_ns += 5 * DAY
    rig.run(10)
    told = outage(rig)
    counted = re.search(r"; (\d+) bars of that time made", told)
    assert counted is not None
    assert int(counted[1]) >= 5 * DAY // MINUTE
    assert "no bar tells" not in told


def test_after_more_than_a_week_away_the_operator_has_to_look(tmp_path: Path) -> None:
    rig = DeskRig(tmp_path, ("BTCUSDT",))
    rig.run(400, policy=Policy(duration_ns=400 * SECOND, keep_positions=True))
    rig.begins_ns += 9 * DAY
    _, report = rig.run(300)
    assert re.search(r"of \S+ no bar tells", outage(rig))
    assert not report["signals"]["EXECUTED"]


def test_too_little_history_ends_the_start_with_a_sentence_and_exit_code_one(tmp_path: Path) -> None:
    """FA-14."""

    class Young(ToyMarket):
        def history(self, symbol: str, span_ns: int, end_ns: int, count: int) -> list[Any]:
            return super().history(symbol, span_ns, end_ns, 99)

    rig = DeskRig(tmp_path)
    code, report = rig.run(60, source=Young(("BTCUSDT", "ETHUSDT")))
    assert code == 1
    assert (report["status"], report["reason"], report["orders_submitted"]) == ("failed", "start_failed", 0)
    failed = failed_start(rig.home)
    assert failed is not None and "bars of history" in failed.text


def test_kill_in_the_middle_ends_the_run_flat_and_latches_over_the_next_start(tmp_path: Path) -> None:
    async def kill_soon(session: Session) -> None:
        await until_positions(session)
        receipt = await asyncio.wrap_future(session.command(CommandRequest(Act.KILL, "cli", "tester", "enough")))
        assert receipt.accepted

    rig = DeskRig(tmp_path)
    code, report = rig.run(1_000_000, meddle=kill_soon)
    assert (code, report["reason"], report["positions_open"], report["autonomous"]) == (0, "kill_switch", [], False)
    code, report = rig.run(300)
    assert code == 0
    assert report["orders_submitted"] == 0
    assert report["signals"]["REJECTED_BY_CIRCUIT_BREAKER"] == report["signals"]["total"] > 0


def test_two_consoles_that_contend_are_served_one_by_one_and_a_kill_wins(tmp_path: Path) -> None:
    """FO-12. Each has a thread of its own; every command is on record with whose it was, in the order it counted."""
    each = 20

    def console(session: Session, source: str, act: Act) -> list[bool]:
        requests = [CommandRequest(act, source, "tester", f"{source} {n}") for n in range(each)]
        return [session.command(request).result(30).accepted for request in requests]

    async def contend(session: Session) -> None:
        while session.view() is None:  # noqa: ASYNC110
            await asyncio.sleep(0)
        answers = await asyncio.gather(
            asyncio.to_thread(console, session, "one", Act.PAUSE),
            asyncio.to_thread(console, session, "two", Act.RESUME),
        )
        assert [len(answer) for answer in answers] == [each, each]
        kill, resume = (
            session.command(CommandRequest(act, source, "tester", "the last word"))
            for act, source in ((Act.KILL, "one"), (Act.RESUME, "two"))
        )
        assert (await asyncio.wrap_future(kill)).accepted
        await asyncio.wrap_future(resume)

    rig = DeskRig(tmp_path)
    code, report = rig.run(1_000_000, meddle=contend)
    assert (code, report["reason"], report["positions_open"]) == (0, "kill_switch", [])
    told = rows(rig, "SELECT source, act FROM operator_acts WHERE source IN ('one', 'two') ORDER BY row")
    assert [act for source, act in told if source == "one"] == ["pause"] * each + ["kill"]
    assert [act for source, act in told if source == "two"] == ["resume"] * (each + 1)
    store = open_store(rig.home.database, "paper", WallClock())
    assert store.recovered.kill_latched
    store.close()


def test_a_kill_that_keeps_positions_leaves_their_stops_and_waits_for_nothing(tmp_path: Path) -> None:
    async def kill_soon(session: Session) -> None:
        await until_positions(session)
        await asyncio.wrap_future(session.command(CommandRequest(Act.KILL, "cli", "tester", "enough")))

    rig = DeskRig(tmp_path)
    rig.run(390, policy=Policy(duration_ns=390 * 10**9, keep_positions=True))
    code, report = rig.run(1_000_000, meddle=kill_soon, kill_closes=False)
    assert (code, report["reason"]) == (0, "kill_switch")
    held = {position["symbol"] for position in report["positions_open"]}
    working = rows(rig, "SELECT symbol, purpose FROM orders WHERE state IN ('SUBMITTED', 'ACCEPTED')")
    assert held and {symbol for symbol, purpose in working if purpose == "STOP"} == held, "the newest may be on its way"
    assert not [purpose for _, purpose in working if purpose == "ENTRY"]


def test_an_operators_stop_ends_the_run_in_order(tmp_path: Path) -> None:
    async def stop(session: Session) -> None:
        await until_positions(session)
        session.stop("operator_stop")

    rig = DeskRig(tmp_path)
    code, report = rig.run(1_000_000, meddle=stop)
    assert (code, report["status"], report["reason"], report["positions_open"]) == (0, "success", "operator_stop", [])


def test_a_task_that_fails_ends_the_session_in_order_with_exit_code_one(tmp_path: Path) -> None:
    """FP-10."""

    class Broken(ToyMarket):
        def events(self, from_ns: int) -> Any:
            for count, chunk in enumerate(super().events(from_ns)):
                if count == 200:
                    raise RuntimeError("the market broke")
                yield chunk

    rig = DeskRig(tmp_path)
    code, report = rig.run(600, source=Broken(("BTCUSDT", "ETHUSDT")))
    assert (code, report["reason"]) == (1, "task_failed:market_data_task")
    assert report["error_count"] == 1
    assert report["positions_open"] == []
    assert [error["count"] for error in report["errors"]] == [1], "one failure is one error"


def test_errors_are_counted_by_fingerprint_in_the_report_and_the_database(tmp_path: Path) -> None:
    async def meddle(session: Session) -> None:
        while session._shell is None or session._shell.phase is not SessionPhase.RUNNING:  # noqa: ASYNC110
            await asyncio.sleep(0)
        assert session._shell is not None
        for seconds in (1, 2, 3):
            session._shell.error("somewhere", f"late by {seconds} s", ValueError())
        session._shell.count_error("elsewhere", "late by 4 s")

    rig = DeskRig(tmp_path)
    _, report = rig.run(600, meddle=meddle)
    assert report["error_count"] == 4
    assert [(one["count"], one["fingerprint"], one["example"]) for one in report["errors"]] == [
        (3, "ValueError at somewhere: late by # s", "late by 1 s"),
        (1, "error at elsewhere: late by # s", "late by 4 s"),
    ]

    async def counted() -> list[tuple[int, str]]:
        async with open_queries(rig.home.database) as queries:
            everything, run = await queries.errors(), await queries.errors(report["run_id"])
            assert everything == run
            with pytest.raises(UnknownRun):
                await queries.errors("no such run")
            return [(kind.count, kind.fingerprint) for kind in run]

    assert asyncio.run(counted()) == [(one["count"], one["fingerprint"]) for one in report["errors"]]


@pytest.mark.parametrize("when", ["as it is cancelled", "while the positions are closed"])
def test_a_task_that_fails_while_the_session_ends_is_told_and_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    name = "funding" if when == "as it is cancelled" else "execution"

    async def failing(_: Any) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise RuntimeError("it broke at the end")

    monkeypatch.setattr(Tasks, name, failing)
    code, report = DeskRig(tmp_path).run(300)
    assert code == 1
    assert f"{name}_task: RuntimeError('it broke at the end')" in report["problems"]


def test_data_that_ends_before_the_duration_ends_the_run(tmp_path: Path) -> None:
    rig = DeskRig(tmp_path)
    code, report = rig.run(10_000, source=ToyMarket(rig.symbols, 200))
    assert (code, report["reason"]) == (0, "data_complete")


def test_a_market_that_begins_before_the_books_end_is_refused(tmp_path: Path) -> None:
    rig = DeskRig(tmp_path)
    rig.run(300)
    rig.begins_ns = START_NS
    with pytest.raises(FileNotFoundError):  # no report: the run never began
        rig.run(300)
    assert rig.session.exit_code == 1
    assert "--home" in rig.session.failure


def test_the_reader_finds_the_report_in_the_database_too(tmp_path: Path) -> None:
    rig = DeskRig(tmp_path)
    _, report = rig.run(120)
    with open_reader(rig.home.database) as connection:
        (stored,) = connection.execute("SELECT report FROM runs ORDER BY rowid DESC LIMIT 1").fetchone()
    connection.close()
    assert json.loads(stored)["decision_hash"] == report["decision_hash"]


def test_a_core_that_raises_ends_the_run_and_the_next_start_rebuilds_it_from_the_journal(tmp_path: Path) -> None:
    class Poisoned(ToyMarket):
        """After a while a quote arrives that no adapter would let through."""

        def events(self, from_ns: int) -> Any:
            for count, chunk in enumerate(super().events(from_ns)):
                yield [msgspec.structs.replace(chunk[0], bid="?"), *chunk[1:]] if count == 300 else chunk

    rig = DeskRig(tmp_path)
    code, report = rig.run(900, source=Poisoned(rig.symbols, 1000))
    assert (code, report["reason"], report["status"]) == (1, "core_failed", "failed")
    assert any("not durable" in problem for problem in report["problems"])
    assert rows(rig, "SELECT count(*) FROM journal")[0][0] > 0
    code, report = rig.run(300)
    assert (code, report["problems"]) == (0, [])


def test_a_run_that_leaves_out_the_symbol_of_an_open_position_is_refused(tmp_path: Path) -> None:
    rig = DeskRig(tmp_path)
    _, report = rig.run(390, policy=Policy(duration_ns=390 * 10**9, keep_positions=True))
    held = [position["symbol"] for position in report["positions_open"]]
    rig.symbols = ("SOLUSDT",)
    with pytest.raises(FileNotFoundError):  # no report: the run never began
        rig.run(60)
    assert rig.session.exit_code == 1
    assert held and all(symbol in rig.session.failure for symbol in held)


def test_a_full_memory_ends_the_run_in_order(tmp_path: Path) -> None:
    """FP-14."""
    rig = DeskRig(tmp_path)
    code, report = rig.run(9_000, policy=Policy(duration_ns=9_000 * SECOND, memory_max_bytes=1))
    assert (code, report["reason"]) == (1, "memory")
    assert report["positions_open"] == []
    assert "CRITICAL: Memory Limit Exceeded" in rig.home.system_log.read_text()


def test_a_step_of_the_end_that_hangs_is_named_and_skips_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FP-21."""

    async def hangs(_: Ending) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(Ending, "_await_fills", hangs)
    monkeypatch.setattr("engine.session.ending.STEP_SECONDS", 2.0)
    rig = DeskRig(tmp_path)
    code, report = rig.run(600)
    assert code == 1
    assert any(problem.startswith("wait for pending fills: TimeoutError") for problem in report["problems"])
    assert report["positions_open"] == []


class AheadOf(ToyMarket):
    """A market whose journal hangs for a second, until that was enough to be ahead of the disk; notes how far."""

    def __init__(self, rig: DeskRig) -> None:
        super().__init__(rig.symbols, 60_000)
        self._rig = rig
        self.ahead: list[int] = []
        self._hang: Future[None] | None = None

    def events(self, from_ns: int) -> Iterator[Sequence[FeedEvent]]:
        for number, chunk in enumerate(super().events(from_ns)):
            shell, store = self._rig.session._shell, self._rig.session.plan.store
            assert shell is not None and isinstance(store, Store)
            self.ahead.append(shell.in_flight)
            if number >= 10 and shell.in_flight == 0:
                if max(self.ahead) >= BATCHES_AHEAD:
                    self._rig.session.stop("the disk has caught up")
                elif self._hang is None or self._hang.done():
                    self._hang = store.journal.perform(lambda: time.sleep(1))
            yield chunk


def test_a_market_on_virtual_time_waits_for_a_slow_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is decided and not yet durable stays bounded, however slow the disk."""
    for part in ("shell", "tasks"):
        monkeypatch.setattr(f"engine.session.{part}.BATCH_EVENTS_MAX", 64)
    rig = DeskRig(tmp_path)
    market = AheadOf(rig)
    code, report = rig.run(60_000, source=market)
    assert (code, report["reason"]) == (0, "the disk has caught up")
    assert max(market.ahead) <= BATCHES_AHEAD + 1
