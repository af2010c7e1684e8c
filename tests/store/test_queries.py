"""Queries: exact figures, newest first, on an index, and never in the desk's way."""

import asyncio
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import msgspec
import pytest

from console.say import utc
from engine.core.facts import AnyFact, EquityMarked
from engine.core.money import parse
from engine.core.times import MINUTE
from engine.core.words import ReasonCode, TerminalState
from store import queries, statements
from store.desk import Store
from store.errors import Unwritable
from store.queries import PAGE_MAX, QueryTooLong, open_queries
from store.records import EventRecord
from store.recovery import UnknownRun
from store.searches import NEWEST, Search, statement
from tests.steady import PATIENCE
from tests.store.making import T0, batch, desk, ended, mark, one_of_each, order, raised, round_trip, run_started, trade


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A desk with one traded run, then a second one with a rejected signal and one in flight."""
    store = desk(tmp_path)
    store.journal.commit(batch(1, [run_started()], [(1, mark("10000")), *one_of_each(1)], snapshot=b"s")).result()
    no = ended("s2", TerminalState.REJECTED_BY_HEAT, ReasonCode.HEAT, "4.1 % of 4 %", "ETHUSDT")
    facts: list[tuple[int, AnyFact]] = [
        (2, mark("10197.6")),
        (2, raised("s2", "ETHUSDT", T0 + 70)),
        (2, no),
        (3, raised("s3")),
        (3, order("o3", signal_id="s3")),
    ]
    store.journal.commit(batch(2, 9, [*facts, (4, mark("10200"))], "run-2")).result()
    yield store
    store.close()


async def test_a_run_is_summed_up_from_its_rows(store: Store) -> None:
    async with open_queries(store.path) as reader:
        first, second = await reader.run_summary("run-1"), await reader.run_summary()
    assert (first.starting_equity, first.equity, first.net_pnl) == (parse("10000"), parse("10197.6"), parse("197.6"))
    assert (first.fees, first.realized, first.funding) == (parse("4.8"), parse("200"), parse("1.2"))
    assert (first.trades, first.wins, first.trades_pnl, first.fills) == (1, 1, parse("197.6"), 4)
    assert (first.signals_total, first.signals["EXECUTED"], first.signals_in_flight) == (1, 1, 0)
    assert second.run_id == "run-2"
    assert (second.starting_equity, second.equity) == (parse("10197.6"), parse("10200"))
    assert (second.signals_total, second.signals["REJECTED_BY_HEAT"], second.signals_in_flight) == (2, 1, 1)
    assert list(second.signals) == [state.value for state in TerminalState]
    assert (second.orders, second.errors, second.mode, second.phase) == (1, 0, "PAPER", "")


async def test_lists_come_newest_first_page_by_page(store: Store) -> None:
    async with open_queries(store.path) as reader:
        assert [signal.signal_id for signal in await reader.signals()] == ["s3", "s2", "s1"]
        page = await reader.signals(2)
        assert [signal.signal_id for signal in await reader.signals(2, before=page[-1].row)] == ["s1"]
        assert page[1].state == "REJECTED_BY_HEAT"
        assert (page[1].value, page[1].limit_value, page[0].state) == (parse("0.5"), parse("1"), None)
        assert [order.order_id for order in await reader.orders()] == ["o3", "o1"]
        assert [fill.fill_id for fill in await reader.fills(3)] == ["f9", "f3", "f2"]
        assert [trade.pnl for trade in await reader.trades()] == [parse("197.6")]
        assert [mark.equity for mark in await reader.marks(2)] == [parse("10200"), parse("10197.6")]
        assert [run.run_id for run in await reader.runs()] == ["run-2", "run-1"]
        assert [(held.side, held.qty) for held in await reader.positions()] == [("SHORT", parse("-0.3"))]
        assert [day.pnl for day in await reader.days()] == [parse("197.6")]


def at(fact: EquityMarked, at_ns: int) -> EquityMarked:
    return msgspec.structs.replace(fact, at_ns=at_ns)


async def test_equity_is_sampled_evenly_in_time_and_the_newest_mark_is_always_there(tmp_path: Path) -> None:
    store = desk(tmp_path)
    marks = [
        at(mark(str(10_000 + minute)), T0 + minute * MINUTE) for minute in range(500) if minute not in range(90, 400)
    ]
    store.journal.commit(batch(1, [run_started()], [(1, one) for one in marks])).result()
    async with open_queries(store.path) as reader:
        rows = await reader.rows_of("run-1")
        every = await reader.equity(rows, 500)
        few = await reader.equity(rows, 11)
        late = await reader.equity(await reader.rows_of(since_ns=T0 + 450 * MINUTE), 500)
        assert await reader.equity((10**6, 10**7), 50) == []
    store.close()
    assert [one.at_ns for one in every] == [one.at_ns for one in marks]
    assert [(one.at_ns - T0) // MINUTE for one in few] == [0, 49, 89, 449, 499]
    assert [one.equity for one in late] == [parse(str(10_000 + minute)) for minute in range(450, 500)]


async def test_trades_and_deals_of_a_span_come_oldest_first_the_newest_kept(store: Store) -> None:
    async with open_queries(store.path) as reader:
        everything = await reader.rows_of()
        first, second = await reader.rows_of("run-1"), await reader.rows_of("run-2")
        assert [one.trade_id for one in await reader.closed(first, 10)] == ["t1"]
        assert await reader.closed(second, 10) == []
        assert await reader.closed(await reader.rows_of(since_ns=T0 + 10**15), 10) == []
        deals = await reader.deals(everything, 10)
        assert [(one.profile, one.order_id) for one in deals] == [
            *(("", "o1"), ("", "o1"), ("", "o2"), ("optimistic", "o1"), ("", "o9"))
        ]
        assert [one.order_id for one in await reader.deals(everything, 1) if not one.profile] == ["o9"]


async def test_a_word_behind_a_mark_leaves_out_what_has_it(store: Store) -> None:
    async with open_queries(store.path) as reader:
        assert [one.signal_id for one in await reader.signals(find="!ETHUSDT")] == ["s3", "s1"]
        assert [one.signal_id for one in await reader.signals(find="btcusdt !executed")] == ["s3"]
        kinds = {one.kind for one in await reader.events(find="!signal_raised s1")}
        assert "signal_raised" not in kinds and "signal_ended" in kinds
        assert await reader.signals(find="!") == []


async def test_events_are_found_by_kind_symbol_id_and_time(store: Store) -> None:
    async with open_queries(store.path) as reader:
        assert [event.ref for event in await reader.events(kind="signal_raised")] == ["s3", "s2", "s1"]
        assert {event.symbol for event in await reader.events(symbol="ETHUSDT")} == {"ETHUSDT"}
        assert [event.kind for event in await reader.events(any_id="s2")] == ["signal_ended", "signal_raised"]
        assert [event.ref for event in await reader.events(since_ns=T0 + 70, until_ns=T0 + 71)] == ["s2"]
        assert [event.ref for event in await reader.events(kind="signal_raised", since_ns=T0 + 1)] == ["s2"]
        everything = await reader.events(limit=1_000)
        assert all(event.kind != "block" for event in everything)
        paged = []
        before = 2**62
        while page := await reader.events(limit=4, before=before):
            paged += page
            before = page[-1].id
        assert paged == everything
        assert everything[-1].run_id == "run-1"


@pytest.mark.parametrize("any_id", ["s1", "o1", "f2", "t1"])
async def test_any_id_leads_to_the_whole_story(store: Store, any_id: str) -> None:
    async with open_queries(store.path) as reader:
        story = await reader.trace(any_id)
        assert await reader.trace("nothing") == []
    checks = [step for step in story if step.what == "check"]
    assert [(step.part, step.state) for step in checks] == [(n + 1, "passed") for n in range(len(checks))] != []
    told = [step.what for step in story if step.what != "check"]
    assert told[:10] == ["signal", "order", *("fill", "position") * 2, "outcome", "fill", "position", "trade"]
    (trade,) = [step for step in story if step.what == "trade"]
    assert (trade.amount, trade.fee) == ("197.6", "2.4")


async def test_the_story_names_the_reason_beside_its_sentence(store: Store) -> None:
    async with open_queries(store.path) as reader:
        ends = [step.text for name in ("s1", "s2") for step in await reader.trace(name) if step.what == "outcome"]
    assert ends == ["filled", "heat: 4.1 % of 4 %"]


async def test_an_unknown_run_and_a_missing_file_are_named(store: Store, tmp_path: Path) -> None:
    async with open_queries(store.path) as reader:
        with pytest.raises(UnknownRun, match="'run-5'"):
            await reader.run_summary("run-5")
    with pytest.raises(Unwritable, match=r"nowhere\.db"):
        async with open_queries(tmp_path / "nowhere.db"):
            pass


async def test_a_query_that_takes_too_long_is_stopped(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """FD-15."""
    endless = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n WHERE i < ?"
    async with open_queries(store.path) as reader:
        with monkeypatch.context() as hurry, pytest.raises(QueryTooLong):
            hurry.setattr(queries, "READ_SECONDS_MAX", 0.05)
            await reader._rows(endless, 10**15)
        assert len(await reader.runs()) == 2


async def test_a_reader_that_fails_or_is_cancelled_leaves_no_thread(store: Store) -> None:
    before = set(threading.enumerate())

    async def read_for_ever() -> None:
        async with open_queries(store.path):
            await asyncio.Event().wait()

    with pytest.raises(ZeroDivisionError):
        async with open_queries(store.path):
            raise ZeroDivisionError
    task = asyncio.create_task(read_for_ever())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    for thread in set(threading.enumerate()) - before:
        thread.join(PATIENCE)
        assert not thread.is_alive()


async def test_readers_never_lock_the_desk_nor_are_locked(tmp_path: Path) -> None:
    """FD-15."""
    store = desk(tmp_path, threaded=True)
    store.journal.commit(batch(1, 1, round_trip(1))).result()
    rounds = Counter[int]()
    written = 1

    def write() -> None:
        """Some hundred batches, and on until everybody has read a few times meanwhile."""
        nonlocal written
        while written < 301 or min(rounds[reader] for reader in range(3)) < 3:
            written += 1
            store.journal.commit(batch(written, 1, [(written, raised(f"n{written}"))])).result()

    async def read(number: int) -> None:
        async with open_queries(store.path) as reader:
            while writer.is_alive():
                summary = await reader.run_summary()
                assert summary.signals_in_flight == summary.signals_total - 1
                assert len(await reader.signals(PAGE_MAX)) >= min(summary.signals_total, PAGE_MAX)
                rounds[number] += 1

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    await asyncio.gather(*(read(number) for number in range(3)))
    assert store.journal.failure is None
    store.close()
    assert store.verify().inputs == written


LISTED = {name: sql for name, sql in vars(statements).items() if isinstance(sql, str) and sql.startswith("SELECT")}
SMALL = ("positions", "runs")  # at most a row a symbol or a start
COMPUTED = ("CONSTANT", "(subquery-3)", "signal_trace", "kinds", "steps")  # the plan's names for rows already found


def plan_of(store: Store, sql: str, values: Sequence[object]) -> list[str]:
    connection = sqlite3.connect(store.path)
    plan = [row[3] for row in connection.execute("EXPLAIN QUERY PLAN " + sql, values)]
    connection.close()
    return plan


def scans(plan: Sequence[str]) -> list[str]:
    found = [step for step in plan if step.startswith("SCAN") and "INDEX" not in step]
    return [step for step in found if step.split()[1] not in (*SMALL, *COMPUTED)]


@pytest.mark.parametrize("name", sorted(LISTED))
def test_every_query_runs_on_an_index(store: Store, name: str) -> None:
    plan = plan_of(store, LISTED[name], [1] * LISTED[name].count("?"))
    assert scans(plan) == [], plan


ASKED: dict[str, dict[str, Any]] = {
    "id": {"any_id": "s1"},
    "symbol": {"symbol": "BTCUSDT"},
    "kind": {"kind": "fill_booked"},
    "time": {"since_ns": T0, "until_ns": T0 + 9},
    "run": {"rows": (3, 90)},
}
WAYS = [(names, after) for n in range(6) for names in combinations(ASKED, n) for after in (None, 5)]


@pytest.mark.parametrize(("names", "after"), WAYS)
def test_every_search_runs_on_an_index(store: Store, names: tuple[str, ...], after: int | None) -> None:
    search = Search(after=after, **{key: value for name in names for key, value in ASKED[name].items()})
    sql, values = statement(search, T0)
    plan = plan_of(store, sql, values)
    assert scans(plan) == [], plan
    (journal,) = [step for step in plan if " j USING " in step or " j " in step]
    assert journal.startswith("SEARCH j USING"), plan
    wanted = [f"journal_by_{ {'id': 'ref'}.get(name, name) }" for name in ASKED if name in names and name != "run"]
    assert any(index in journal for index in (wanted or ["INTEGER PRIMARY KEY"])), plan
    if search.is_by_time:  # in the order of the index, so that a page costs a page
        assert not any("TEMP B-TREE FOR ORDER" in step for step in plan), plan


async def test_a_search_by_time_goes_on_page_by_page_in_both_directions(store: Store) -> None:
    async with open_queries(store.path) as reader:
        everything = await reader.events(since_ns=1, limit=1_000)
        assert [(e.at_ns, e.id) for e in everything] == sorted(((e.at_ns, e.id) for e in everything), reverse=True)
        paged: list[EventRecord] = []
        before = NEWEST
        while page := await reader.events(since_ns=1, limit=4, before=before):
            paged += page
            before = page[-1].id
        assert paged == everything
        paged, after = [], 0
        while page := await reader.events(since_ns=1, limit=4, after=after):
            paged += page
            after = page[-1].id
        assert paged == everything[::-1]


async def test_a_run_and_what_followed_from_an_id_are_found(store: Store) -> None:
    async with open_queries(store.path) as reader:
        second = await reader.events(run_id="run-2")
        assert {event.run_id for event in second} == {"run-2"}
        assert len(second) + len(await reader.events(run_id="run-1")) == len(await reader.events(limit=1_000))
        assert {event.ref for event in await reader.events(run_id="run-2", kind="signal_raised")} == {"s2", "s3"}
        with pytest.raises(UnknownRun):
            await reader.events(run_id="run-5")
        family = await reader.events(any_id="s1", after=0)
        assert {event.ref for event in family} == {"s1", "o1", "f1", "f2", "f3", "f9", "t1"}
        assert [event.id for event in family] == sorted(event.id for event in family)
        assert {event.ref for event in await reader.events(any_id="o1")} == {"o1", "f1", "f2"}
        assert {event.ref for event in await reader.events(any_id="f2")} == {"f2"}
        assert {event.ref for event in await reader.events(any_id="t1")} == {"t1"}
        assert [event.kind for event in await reader.events(any_id="s1", kind="trade_closed")] == ["trade_closed"]


@pytest.mark.parametrize(
    ("find", "found"),
    [
        ("", ["s3", "s2", "s1"]),
        ("eth", ["s2"]),
        ("rejected_by_heat", ["s2"]),
        ("4.1 % of", ["s2"]),
        ("ETHUSDT heat", ["s2"]),
        ("ethusdt filled", []),
        ("%", ["s2"]),
        ("s_", []),
        ("nothing' OR 1=1 --", []),
    ],
)
async def test_signals_are_found_by_every_word_of_what_is_asked(store: Store, find: str, found: list[str]) -> None:
    async with open_queries(store.path) as reader:
        assert [signal.signal_id for signal in await reader.signals(find=find)] == found


async def test_all_lists_are_found_by_symbol_and_by_day(store: Store) -> None:
    async with open_queries(store.path) as reader:
        for question in (reader.orders, reader.fills, reader.trades):
            every = await question()
            assert every and await question(find=every[0].symbol.lower())
            assert not await question(find="1999-12-31")
        (closed,) = await reader.trades()
        assert await reader.trades(find=utc(closed.exit_ns)[:10]) == [closed]
        assert {event.kind for event in await reader.events(find="s2 raised")} == {"signal_raised"}
        assert not await reader.events(find="no such thing")


async def test_the_worst_trade_comes_first_when_asked_for(tmp_path: Path) -> None:
    store = desk(tmp_path)
    trades = [(1, trade(f"t{at}", pnl)) for at, pnl in enumerate(("5", "-30.5", "100", "-4"))]
    store.journal.commit(batch(1, [run_started()], trades)).result()
    async with open_queries(store.path) as reader:
        worst = [trade.pnl for trade in await reader.trades(worst_first=True)]
    store.close()
    assert worst == [parse(pnl) for pnl in ("-30.5", "-4", "5", "100")]
