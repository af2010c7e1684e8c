"""The margin that is free: asked of the paper broker, heard from a venue's, and unknown denies."""

import pytest

from engine.core.config import MINUTE, SECOND, Limits, Sizing
from engine.core.engine import Engine
from engine.core.events import BalanceRead, Fill, OrderAccepted, Role, RunStarted
from engine.core.facts import SignalEnded, SignalJudged, Submit
from engine.core.paper import PaperBroker
from engine.core.strategy import Proposal
from engine.core.words import ReasonCode, Side
from tests.rig import SYMBOL, Rig, Scripted, d, instrument


def wish(rig: Rig, symbol: str = SYMBOL) -> ReasonCode | None:
    """Propose without a word of the broker's before; why the entry was refused, None if it was sent."""
    before = len(rig.of(SignalEnded))
    rig.strategy.wishes = [Proposal(symbol, Side.LONG, 0, d(99), d(103), "because")]
    rig.quote("100", "100.1", symbol=symbol)
    ended = rig.of(SignalEnded)[before:]
    return ended[0].reason_code if ended else None


def measured(rig: Rig, name: str) -> tuple[int, int]:
    """Value and limit of a rule at the newest signal."""
    (found,) = (check for check in rig.of(SignalJudged)[-1].checks if check.rule == name)
    return found.value, found.limit


def test_without_a_word_of_the_broker_nothing_is_entered() -> None:
    rig = Rig(paper=False)
    assert wish(rig) is ReasonCode.MARGIN
    assert rig.of(SignalEnded)[-1].text.startswith("the account's balance is unknown")
    rig.balance()
    assert wish(rig) is None


@pytest.mark.parametrize(("age_ns", "code"), [(MINUTE, None), (MINUTE + 1, ReasonCode.MARGIN)])
def test_an_old_word_is_none(age_ns: int, code: ReasonCode | None) -> None:
    rig = Rig(paper=False)
    rig.balance()
    rig.now_ns += age_ns - SECOND
    assert wish(rig) is code


@pytest.mark.parametrize(("free", "code"), [("45.51", None), ("45.4", ReasonCode.MARGIN)])
def test_the_venues_own_figure_decides(free: str, code: ReasonCode | None) -> None:
    rig = Rig(paper=False)  # about 9.09 units at 100.1, a twentieth of it bound
    rig.balance(free)
    assert wish(rig) is code
    assert measured(rig, "margin")[1] == d(free)


def test_what_was_entered_since_the_broker_was_heard_is_not_free() -> None:
    rig = Rig(("BTCUSDT", "ETHUSDT"), paper=False)
    rig.balance("60")
    assert wish(rig) is None
    needed, _ = measured(rig, "margin")
    assert wish(rig, "ETHUSDT") is ReasonCode.MARGIN
    assert measured(rig, "margin") == (needed, d(60) - needed)


def test_an_entry_the_broker_has_not_acknowledged_may_not_be_in_its_figure() -> None:
    rig = Rig(("BTCUSDT", "ETHUSDT"), paper=False)
    rig.balance("60")
    assert wish(rig) is None
    needed, _ = measured(rig, "margin")
    rig.balance("60")
    assert wish(rig, "ETHUSDT") is ReasonCode.MARGIN
    (entry,) = rig.of(Submit)
    rig.send(OrderAccepted(entry.order_id, rig.now_ns))
    rig.send(Fill("f1", entry.order_id, SYMBOL, rig.now_ns, rig.now_ns, entry.qty, d("100.1"), 0, Role.TAKER))
    rig.balance("60")
    assert wish(rig, "ETHUSDT") is None
    assert measured(rig, "margin") == (needed, d(60))


def test_a_run_begins_without_the_figure_of_the_one_before() -> None:
    rig = Rig(paper=False)
    rig.balance()
    rig.send(RunStarted(rig.now_ns, "run2", rig.config))
    assert rig.engine.state.balance is None


def test_the_figure_survives_a_restart_of_the_process() -> None:
    rig = Rig(paper=False)
    rig.balance("77")
    again = Engine(lambda _: (Scripted(),), rig.engine.snapshot())
    assert again.trading.account.free_margin() == (d(77), 0)


def test_the_paper_broker_is_asked_once_for_each_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    rig, asked = Rig(), list[int]()
    told = PaperBroker.free_margin

    def counted(broker: PaperBroker) -> int:
        asked.append(1)
        return told(broker)

    monkeypatch.setattr(PaperBroker, "free_margin", counted)
    assert wish(rig) is None
    assert len(asked) == 1
    needed, free = measured(rig, "margin")
    assert (needed, free) == (d("9.09") * 1001 // 10 // 20, d(10_000))


def test_the_paper_brokers_own_books_say_what_is_free() -> None:
    rig = Rig(("BTCUSDT", "ETHUSDT"))
    rig.enter()
    assert rig.engine.paper is not None
    rig.engine.paper.state.ledger.cash -= d(9_925)
    assert wish(rig, "ETHUSDT") is ReasonCode.MARGIN
    assert measured(rig, "margin")[1] == rig.engine.paper.free_margin() < d(45)


def test_an_instrument_of_less_leverage_binds_more() -> None:
    listed = instrument(leverage_max=d(2))
    rig = Rig(instruments=(listed,))
    assert wish(rig) is None
    assert measured(rig, "margin")[0] == d("9.09") * 1001 // 10 // 2


@pytest.mark.parametrize("free", ["-1", "0"])
def test_no_free_margin_is_none(free: str) -> None:
    rig = Rig(paper=False, limits=Limits(), sizing=Sizing(risk_per_trade=d("0.01"), notional_max=d(400)))
    rig.send(BalanceRead(rig.now_ns, d(100), d(free), "test"))
    assert wish(rig) is ReasonCode.MARGIN
