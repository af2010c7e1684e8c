"""Whatever a venue answers, in whatever order: the core does not raise, and the books stay whole."""

from hypothesis import example, given
from hypothesis import strategies as st

from engine.core.config import SECOND
from engine.core.events import (
    Act,
    BrokerEvent,
    CancelRefused,
    Fill,
    OrderAccepted,
    OrderCanceled,
    OrderExpired,
    OrderMissing,
    OrderRefused,
    OutcomeUnknown,
    Role,
    Wake,
)
from engine.core.facts import FillBooked, SignalEnded, Submit
from engine.core.words import BlockReason, OrderState
from tests.rig import SYMBOL, Rig, d

ANSWERS = st.sampled_from(
    ["accept", "refuse", "cancel", "expire", "cancel_refused", "unknown", "missing", "fill", "again", "wake", "ask"]
)


def answer(rig: Rig, kind: str, order: Submit, count: int) -> None:
    """Send one answer about `order`, or let time or an operator act."""
    at, who = rig.now_ns, order.order_id
    tenth = order.qty // 10
    if kind == "wake":
        rig.now_ns += 31 * SECOND
        rig.send(Wake(rig.now_ns))
        return
    if kind == "ask":
        rig.command(Act.CANCEL_ALL)
        return
    number = count if kind == "fill" else max(0, count - 1)
    told: dict[str, BrokerEvent] = {
        "accept": OrderAccepted(who, at, "v1"),
        "refuse": OrderRefused(who, at, "venue_refused", "no"),
        "cancel": OrderCanceled(who, at),
        "expire": OrderExpired(who, at),
        "cancel_refused": CancelRefused(who, at, "unknown_order"),
        "unknown": OutcomeUnknown(who, at, "timeout"),
        "missing": OrderMissing(who, at),
    }
    rig.send(told.get(kind) or Fill(f"f{number}", who, SYMBOL, at, at, tenth, d(100), 0, Role.MAKER))


@given(st.lists(ANSWERS, max_size=14))
@example(["accept", "missing"])
@example(["unknown", "accept", "missing", "missing"])
@example(["accept", "fill", "refuse", "fill"])
def test_no_order_of_answers_makes_the_core_raise_or_lose_a_fill(kinds: list[str]) -> None:
    rig = Rig(paper=False)
    rig.propose(entry="99.5")
    (entry,) = rig.of(Submit)
    for count, kind in enumerate(kinds):
        answer(rig, kind, entry, count)
        state = rig.engine.state
        booked = rig.of(FillBooked)
        assert len({fill.fill_id for fill in booked}) == len(booked)
        assert sum(fill.qty for fill in booked) == sum(position.qty for position in state.positions.values())
        assert len(rig.of(SignalEnded)) + len(state.live_signals) == 1
        unknown = any(order.state is OrderState.UNKNOWN for order in state.orders.values())
        assert unknown == (BlockReason.UNKNOWN_ORDER in state.blocks)
