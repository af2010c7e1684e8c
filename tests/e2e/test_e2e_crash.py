"""A desk killed in the middle of its work: what it remembers afterwards is what it did, no more, no less."""

import asyncio
import json
import random
import time
from collections import Counter
from pathlib import Path

import pytest

from engine.core import money
from engine.core.engine import Engine
from engine.core.orders import ENDED
from engine.review.replay import replay
from engine.review.report import check
from engine.session.home import Home
from engine.strategies import make_all
from store.database import reading
from store.inputs import Inputs
from store.queries import PAGE_MAX, open_queries
from store.records import FillRecord, OrderRecord, RunRecord, SignalRecord
from store.recovery import recover, run_facts, run_inputs, verify_file
from tests.e2e.conftest import StartDesk
from tests.e2e.shell import EAGER, RunningDesk, ask, summary

pytestmark = pytest.mark.e2e

ROUNDS = 5
TWO = ("--symbols", "BTCUSDT,ETHUSDT")  # few, so that the entries allowed in a minute last for all rounds
CAPITAL = money.parse("10000")


class Books:
    """All rows a desk has written, over all its runs."""

    def __init__(self, home: Home) -> None:
        self.runs: list[RunRecord] = []
        self.orders: list[OrderRecord] = []
        self.fills: list[FillRecord] = []
        self.signals: list[SignalRecord] = []
        asyncio.run(self._read(home.database))

    async def _read(self, path: Path) -> None:
        async with open_queries(path) as queries:
            self.runs = await queries.runs()
            self.orders = await queries.orders(PAGE_MAX)
            self.fills = await queries.fills(PAGE_MAX)
            self.signals = await queries.signals(PAGE_MAX)
        assert max(len(self.orders), len(self.fills)) < PAGE_MAX

    def held(self) -> dict[str, int]:
        """What the fills add up to, symbol by symbol."""
        total: Counter[str] = Counter()
        for fill in self.fills:
            total[fill.symbol] += fill.qty
        return {symbol: qty for symbol, qty in total.items() if qty}


def restored(home: Home) -> Engine:
    """The core as a start would find it: newest snapshot, then the inputs after it."""
    with reading(home.database) as connection:
        found = recover(connection, home.database)
        engine = Engine(make_all, found.snapshot)
        for event in found.tail:
            engine.handle(event)
    return engine


def replayed(home: Home) -> Engine:
    """The core from nothing but the inputs of all runs."""
    engine = Engine(make_all)
    for _, event in Inputs(home.database, 0):
        engine.handle(event)
    return engine


def told_fills(home: Home) -> list[str]:
    """The fills the event streams have told of, a torn last line left out."""
    found = []
    for path in sorted(home.runs.glob("2*/events.jsonl")):
        text = path.read_text()
        for line in text[: text.rfind("\n") + 1].splitlines():
            event = json.loads(line)
            if event["event"] == "ExecutionFill":
                found.append(event["fill_id"])
    return found


def assert_memory_is_whole(home: Home) -> None:
    """Nothing lost, nothing doubled, and both ways of remembering lead to the same desk."""
    checked = verify_file(home.database)
    assert checked.is_good, checked.bad
    engine = restored(home)
    assert engine.state_hash() == replayed(home).state_hash()
    books = Books(home)
    ids = [fill.fill_id for fill in books.fills]
    assert len(ids) == len(set(ids))
    assert set(told_fills(home)) <= set(ids)
    if not books.runs:
        return
    assert {symbol: p.qty for symbol, p in engine.state.positions.items() if p.qty} == books.held()
    assert engine.paper is not None
    assert {symbol: p.qty for symbol, p in engine.paper.state.ledger.positions.items() if p.qty} == books.held()
    filled: Counter[str] = Counter()
    for fill in books.fills:
        filled[fill.order_id] += fill.qty
    assert {order.order_id: order.filled_qty for order in books.orders if order.filled_qty} == dict(filled)
    assert {order.order_id for order in books.orders if order.state not in ENDED} == set(engine.state.orders)


def assert_all_is_settled(desk: RunningDesk) -> None:
    """After an orderly end: flat, nothing working, every signal ended, and the money explained to the last digit."""
    books = Books(desk.home)
    assert books.held() == {}
    assert {order.state for order in books.orders} <= ENDED
    assert all(signal.state for signal in books.signals)
    made = sum(fill.realized - fill.fee for fill in books.fills)
    made -= sum(summary(desk.home, run.run_id).funding for run in books.runs)
    assert money.parse(desk.report["ending_equity"]) == CAPITAL + made
    assert check(desk.report, summary(desk.home)) == []


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.sim) for seed in range(2, 21))])
def test_a_desk_killed_at_any_moment_goes_on_where_it_was(start: StartDesk, tmp_path: Path, seed: int) -> None:
    """FP-01, FV-03: ten kills in `make test`, a hundred with `make sim`."""
    moments = random.Random(seed)
    for _ in range(ROUNDS):
        desk = start(*EAGER, *TWO, NIGHTDESK_CRASHES_MAX="0")
        desk.until(desk.home.socket.exists)
        time.sleep(moments.uniform(0, 1.2))  # history is being seeded, then the desk trades
        desk.kill_9()
        desk.home.socket.unlink()  # what the dead desk left, so that the next round waits for its own
        assert_memory_is_whole(desk.home)
    desk = start(*EAGER, *TWO, NIGHTDESK_CRASHES_MAX="0")
    desk.until_running()
    desk.until(
        lambda: len(Books(desk.home).fills) >= 2
    )  # by now the losses of earlier rounds may have tripped a breaker
    assert ask(tmp_path, "stop").code == 0
    assert desk.ended() == 0
    assert_memory_is_whole(desk.home)
    assert_all_is_settled(desk)
    assert not desk.home.lock.exists()
    for run in Books(desk.home).runs:
        start_state, inputs = run_inputs(desk.home.database, run.run_id)
        assert start_state is not None
        again = replay(make_all, start_state.state, inputs, run_facts(desk.home.database, run.run_id))
        assert again.difference is None
    assert ask(tmp_path, "replay", "latest", "--verify").code == 0
    assert ask(tmp_path, "audit", "verify").code == 0
