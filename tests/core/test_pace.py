"""How fast the desk may go: what counts, for how long, and that an exit is never held back."""

import pytest

from engine.core.config import MINUTE, SECOND, Limits, Sizing
from engine.core.engine import Engine
from engine.core.events import Act
from engine.core.facts import OrderChanged, SignalEnded
from engine.core.pace import Pace, Sent
from engine.core.words import OrderKind, Purpose, ReasonCode, Side
from tests.rig import SYMBOL, Rig, Scripted, d

SMALL = Sizing(risk_per_trade=d(1), notional_max=d(100))


def codes(rig: Rig) -> list[ReasonCode]:
    return [ended.reason_code for ended in rig.of(SignalEnded)]


def orders(rig: Rig, *purposes: Purpose) -> int:
    sent = [change for change in rig.of(OrderChanged) if change.previous == "NEW"]
    return sum(change.purpose in purposes for change in sent)


def rested(rig: Rig, count: int) -> None:
    """So many entries, a second apart, each at a price of its own, taken back at once."""
    for n in range(count):
        rig.propose(entry=f"{99.9 - n / 10:.1f}", stop="95", target="120")
        rig.command(Act.PAUSE, "next")
        rig.quote("100", "100.1", seconds=0.5)
        rig.command(Act.RESUME, "next")


def test_the_eleventh_entry_within_a_minute_is_refused_and_the_next_after_it_passes() -> None:
    rig = Rig(sizing=SMALL)
    rested(rig, 10)
    assert ReasonCode.RATE_LIMIT not in codes(rig)
    rig.propose(entry="98.5", stop="95", target="120")
    assert codes(rig)[-1] is ReasonCode.RATE_LIMIT
    rig.now_ns += MINUTE
    rig.propose(entry="98.4", stop="95", target="120")
    assert orders(rig, Purpose.ENTRY) == 11


def test_an_exit_that_closes_counts_and_passes() -> None:
    rig = Rig(sizing=SMALL)
    rig.enter()
    rested_before = rig.engine.state.pace.orders(rig.now_ns)
    rig.engine.state.pace.orders_ns += [rig.now_ns] * 20
    rig.command(Act.FLATTEN)
    rig.quote("100", "100.1")
    assert not rig.engine.state.positions
    assert rig.engine.state.pace.orders(rig.now_ns) == rested_before + 21


def test_a_resting_stop_and_target_are_messages_and_no_orders_of_the_limit() -> None:
    rig = Rig(sizing=SMALL)
    rig.enter()
    pace, now_ns = rig.engine.state.pace, rig.now_ns
    assert (pace.orders(now_ns), pace.messages(now_ns)) == (1, 3)


def test_submits_cancels_and_amends_are_messages() -> None:
    rig = Rig(sizing=SMALL)
    rig.propose(qty="0.4")
    rig.quote("100", "100.1", qty="0.1")
    kinds = {change.kind for change in rig.of(OrderChanged)}
    assert OrderKind.STOP in kinds
    before = rig.engine.state.pace.messages(rig.now_ns)
    rig.command(Act.CANCEL_ALL, "clear")
    assert rig.engine.state.pace.messages(rig.now_ns) > before


@pytest.mark.parametrize(("messages", "code"), [(119, None), (120, ReasonCode.MESSAGE_RATE)])
def test_entries_wait_while_too_many_messages_were_sent(messages: int, code: ReasonCode | None) -> None:
    rig = Rig()
    rig.engine.state.pace.messages_ns += [rig.now_ns] * messages
    rig.propose()
    assert codes(rig) == ([code] if code else [])


def test_an_exit_passes_however_many_messages_were_sent() -> None:
    rig = Rig()
    rig.enter()
    rig.engine.state.pace.messages_ns += [rig.now_ns] * 500
    rig.quote("98", "98.1")
    rig.quote("98", "98.1")
    assert not rig.engine.state.positions


def test_the_minute_slides() -> None:
    pace = Pace()
    pace.message(0, is_order=True)
    pace.message(30 * SECOND)
    assert [pace.messages(at) for at in (MINUTE - 1, MINUTE, MINUTE + 30 * SECOND)] == [2, 1, 0]
    assert [pace.orders(at) for at in (MINUTE - 1, MINUTE)] == [1, 0]
    pace.message(2 * MINUTE)
    assert pace.messages_ns == [2 * MINUTE], "what has no bearing is forgotten"


# --- repeats ---


def again_after(seconds: float, **changes: str) -> Rig:
    """An entry that was taken back, and the same one, or one with `changes`, so much later."""
    rig = Rig(("BTCUSDT", "ETHUSDT"), sizing=SMALL)
    rig.strategy.wishes = []
    rig.propose(entry="99.5")
    sent_ns = rig.now_ns
    rig.command(Act.PAUSE, "taken back")
    rig.quote("100", "100.1", seconds=0.5)
    rig.command(Act.RESUME, "on")
    rig.now_ns = sent_ns + int(seconds * SECOND) - SECOND
    rig._proposed = ("", Side.LONG, "")
    rig.propose(**{"entry": "99.5", **changes})
    return rig


@pytest.mark.parametrize(("seconds", "refused"), [(9.9, True), (10, False)])
def test_the_same_entry_is_no_mistake_ten_seconds_later(seconds: float, refused: bool) -> None:
    rig = again_after(seconds)
    assert (codes(rig)[-1] is ReasonCode.DUPLICATE) is refused
    if refused:
        assert rig.of(SignalEnded)[-1].text == "the same entry was sent 9.9 s ago, 10.0 s have to pass"


@pytest.mark.parametrize("changes", [{"entry": "99.4"}, {"symbol": "ETHUSDT"}])
def test_another_price_or_symbol_is_another_entry(changes: dict[str, str]) -> None:
    assert ReasonCode.DUPLICATE not in codes(again_after(5, **changes))


def test_the_repeat_is_known_by_strategy_symbol_side_and_price() -> None:
    pace, sent = Pace(), Sent(100, "trend", SYMBOL, Side.LONG, d(100))
    pace.entered(sent, 1_000)
    others = (
        Sent(200, "other", SYMBOL, Side.LONG, d(100)),
        Sent(200, "trend", "ETHUSDT", Side.LONG, d(100)),
        Sent(200, "trend", SYMBOL, Side.SHORT, d(100)),
        Sent(200, "trend", SYMBOL, Side.LONG, d(101)),
    )
    assert [pace.since_same(other, 1_000) for other in others] == [1_000] * 4
    assert pace.since_same(Sent(200, "trend", SYMBOL, Side.LONG, d(100)), 1_000) == 100
    assert pace.since_same(Sent(5_000, "trend", SYMBOL, Side.LONG, d(100)), 1_000) == 1_000
    pace.entered(Sent(1_100, "trend", SYMBOL, Side.SHORT, d(100)), 1_000)
    assert len(pace.entries) == 1, "what has no bearing is forgotten"


def test_the_pace_survives_a_restart() -> None:
    rig = Rig(sizing=SMALL, limits=Limits(orders_per_minute_max=1))
    rig.enter()
    rig.engine = Engine(lambda _: (Scripted(),), rig.engine.snapshot())
    assert rig.engine.state.pace.orders(rig.now_ns) == 1
    assert len(rig.engine.state.pace.entries) == 1
