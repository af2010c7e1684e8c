"""Orders on their way out: the gate is asked last, when nothing is waited for any more."""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from engine.core.events import OrderRefused
from engine.core.facts import AnyEffect, Cancel, Submit
from engine.core.words import OrderKind, ReasonCode, TimeInForce
from engine.session.clock import VirtualClock
from engine.session.gate import Gate
from engine.session.lanes import Lane
from engine.session.tasks import Tasks
from engine.session.work import WorkLog
from engine.venues.errors import HeldBack


class SlowVenue:
    """Answers a submit once `answers` is set; asks whether it may leave before it does anything."""

    def __init__(self) -> None:
        self.answers = asyncio.Event()
        self.called: list[str] = []

    async def submit(self, order: Submit, passes: Callable[[Submit], bool]) -> list[Any]:
        if not passes(order):
            raise HeldBack
        self.called.append(order.order_id)
        await self.answers.wait()
        return []

    async def cancel(self, order: Cancel) -> list[Any]:
        self.called.append(f"cancel {order.order_id}")
        return []


def order(order_id: str, *, reduce_only: bool = False) -> Submit:
    return Submit(order_id, "BTCUSDT", 1, OrderKind.MARKET, TimeInForce.GTC, 0, reduce_only)


@pytest.mark.parametrize(
    ("is_recorded", "close", "code"),
    [
        (False, Gate.slam, ReasonCode.KILLED),
        (False, lambda gate: gate.follow(blocked=True), ReasonCode.PAUSED),
        (True, lambda gate: gate.follow(blocked=True), ReasonCode.JOURNAL),
    ],
    ids=["kill", "pause", "journal"],
)
async def test_an_entry_behind_a_slow_call_is_refused_if_the_gate_has_closed_meanwhile(
    is_recorded: bool, close: Callable[[Gate], None], code: ReasonCode
) -> None:
    venue, gate, inbox = SlowVenue(), Gate(), list[Any]()
    gate.follow(blocked=False)
    shell: Any = SimpleNamespace(
        gate=gate,
        inbox=SimpleNamespace(put_first=inbox.append),
        emergency=SimpleNamespace(is_on=is_recorded),
    )
    plan: Any = SimpleNamespace(broker=venue, clock=VirtualClock(7), live=None)
    tasks = Tasks.__new__(Tasks)
    tasks._plan, tasks._shell, tasks._work = plan, shell, WorkLog(plan.clock)
    tasks._lanes = defaultdict(Lane)
    async with asyncio.TaskGroup() as group:
        sent: list[AnyEffect] = [
            order("first"),
            order("entry"),
            order("exit", reduce_only=True),
            Cancel("first", "BTCUSDT"),
        ]
        tasks._send(sent, group)
        await asyncio.sleep(0)
        close(gate)
        venue.answers.set()
    assert venue.called == ["first", "exit", "cancel first"]
    (refused,) = inbox
    assert isinstance(refused, OrderRefused)
    assert (refused.client_order_id, refused.code) == ("entry", code.value)


async def test_the_live_gate_is_asked_for_every_order_that_adds_risk_and_its_refusal_goes_on_record() -> None:
    venue, gate, inbox, asked = SlowVenue(), Gate(), list[Any](), list[tuple[str, int, int, int]]()
    gate.follow(blocked=False)
    venue.answers.set()

    def refusal(sent: Submit, price: int, held: int, now_ns: int) -> str:
        asked.append((sent.order_id, price, held, now_ns))
        return "" if sent.order_id == "first" or sent.reduce_only else "its evidence has ended"

    state = SimpleNamespace(
        symbols={"BTCUSDT": SimpleNamespace(last=100)}, positions={"BTCUSDT": SimpleNamespace(qty=5)}
    )
    shell: Any = SimpleNamespace(
        gate=gate,
        inbox=SimpleNamespace(put_first=inbox.append),
        emergency=SimpleNamespace(is_on=False),
        runner=SimpleNamespace(engine=SimpleNamespace(state=state)),
    )
    live = SimpleNamespace(refusal=refusal)
    plan: Any = SimpleNamespace(broker=venue, clock=VirtualClock(7), live=live)
    tasks = Tasks.__new__(Tasks)
    tasks._plan, tasks._shell, tasks._work = plan, shell, WorkLog(plan.clock)
    tasks._lanes = defaultdict(Lane)
    async with asyncio.TaskGroup() as group:
        tasks._send([order("first"), order("entry"), order("exit", reduce_only=True)], group)
    assert venue.called == ["first", "exit"]
    assert asked == [(name, 100, 5, 7) for name in ("first", "entry", "exit")]
    (refused,) = inbox
    assert isinstance(refused, OrderRefused)
    assert (refused.client_order_id, refused.code) == ("entry", ReasonCode.GATE_DENIED.value)
    assert refused.text == "its evidence has ended"


async def test_cancels_that_follow_each_other_go_together_and_overtake_nothing() -> None:
    """FV-22: fifty cancels are not fifty round trips."""
    going, gone, order_of_end = list[str](), asyncio.Event(), list[str]()

    async def call(name: str, before: list[asyncio.Task[None]]) -> None:
        if before:
            await asyncio.wait(before)
        going.append(name)
        await gone.wait()
        order_of_end.append(name)

    lane = Lane()
    async with asyncio.TaskGroup() as group:
        for name in ("submit", "cancel 1", "cancel 2", "query", "cancel 3"):
            before = lane.enter(cancels=name.startswith("cancel"))
            lane.add(group.create_task(call(name, before)))
        await asyncio.sleep(0)
        assert going == ["submit"]
        gone.set()
    assert going == ["submit", "cancel 1", "cancel 2", "query", "cancel 3"]
    assert order_of_end.index("query") > max(order_of_end.index(name) for name in ("cancel 1", "cancel 2"))
