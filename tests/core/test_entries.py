"""A signal's way through the safety layers: what is recorded of it, and that it ends exactly once."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core import money
from engine.core.config import Limits, Sizing
from engine.core.correlation import Correlations
from engine.core.desk import Desk
from engine.core.engine import Engine
from engine.core.events import Act, PhaseEntered, RunStarted, SessionPhase
from engine.core.facts import (
    Alert,
    Check,
    ErrorCounted,
    OrderChanged,
    SignalEnded,
    SignalJudged,
    SignalRaised,
    TradeClosed,
)
from engine.core.limits import FLOORS
from engine.core.paper import PaperBroker
from engine.core.risk import RULES
from engine.core.strategy import Proposal
from engine.core.words import AlertKind, BreakerName, OrderState, Purpose, ReasonCode, Side, TerminalState
from tests.rig import Rig, Scripted, d, instrument


def test_every_signal_is_judged_between_being_raised_and_its_order() -> None:
    rig = Rig()
    out = rig.propose()
    kinds = [type(fact) for fact in out if isinstance(fact, SignalRaised | SignalJudged | SignalEnded | OrderChanged)]
    assert kinds == [SignalRaised, SignalJudged, OrderChanged]
    (judged,), (raised,) = rig.of(SignalJudged), rig.of(SignalRaised)
    assert judged.signal_id == raised.signal_id
    assert [check.rule for check in judged.checks] == [rule.name for rule in RULES]
    assert all(check.ok for check in judged.checks)


def test_a_refused_signal_is_judged_up_to_the_rule_that_refused() -> None:
    rig = Rig()
    rig.command(Act.PAUSE, "lunch")
    out = rig.propose()
    kinds = [type(fact) for fact in out if isinstance(fact, SignalRaised | SignalJudged | SignalEnded | OrderChanged)]
    assert kinds == [SignalRaised, SignalJudged, SignalEnded]
    (judged,), (ended,) = rig.of(SignalJudged), rig.of(SignalEnded)
    assert [check.rule for check in judged.checks] == ["kill", "breaker", "block"]
    assert not judged.checks[-1].ok
    assert (judged.checks[-1].value, judged.checks[-1].limit) == (ended.value, ended.limit)


def test_signals_are_counted_by_the_reason_they_ended_for() -> None:
    rig = Rig()
    rig.command(Act.PAUSE, "lunch")
    rig.propose()
    assert rig.engine.state.tally.ended[TerminalState.REJECTED_BY_CIRCUIT_BREAKER] == 1
    assert rig.engine.state.tally.reasons == {"paused": 1}
    rig.command(Act.KILL, "enough")
    rig.propose()
    assert rig.engine.state.tally.reasons == {"paused": 1, "kill": 1}


# --- every signal ends once ---


def broken(stage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let one stage of judging an entry raise."""

    def bug(*_: Any) -> Any:
        raise ZeroDivisionError("a \x1b[31mbug\x1b[0m")

    if stage in ("size", "loss_at_stop", "should_trade"):
        monkeypatch.setattr(f"engine.core.candidates.{stage}", bug)
    elif stage == "occupants":
        monkeypatch.setattr(Desk, "occupants", bug)
    elif stage == "correlation":
        monkeypatch.setattr(Correlations, "alike", bug)
    elif stage == "broker":
        monkeypatch.setattr(PaperBroker, "free_margin", bug)
    else:
        rules = tuple(msgspec.structs.replace(rule, measure=bug) if rule.name == stage else rule for rule in RULES)
        monkeypatch.setattr("engine.core.risk.RULES", rules)


@pytest.mark.parametrize(
    "stage",
    ["size", "loss_at_stop", "should_trade", "occupants", "correlation", "broker", *(rule.name for rule in RULES)],
)
def test_what_cannot_be_judged_is_refused_counted_and_told(stage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig()
    with monkeypatch.context() as patched:
        broken(stage, patched)
        rig.propose()
    (ended,) = rig.of(SignalEnded)
    assert (ended.reason_code, ended.state) == (ReasonCode.INTERNAL_ERROR, TerminalState.REJECTED_BY_BROKER)
    assert ended.text == "the safety layers failed: ZeroDivisionError: a bug"
    assert len(rig.of(SignalRaised)) == len(rig.of(SignalJudged)) == 1
    assert [error.where for error in rig.of(ErrorCounted)] == ["safety layers"]
    assert [alert.kind for alert in rig.of(Alert)] == [AlertKind.UNJUDGED_ENTRY]
    assert not rig.engine.state.orders
    assert not rig.engine.state.live_signals
    assert rig.engine.state.tally.errors == 1
    rig.propose()
    assert rig.engine.state.orders, "the next one is judged again"


def test_a_desk_that_cannot_judge_stops_entering_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig()
    broken("heat", monkeypatch)
    for _ in range(10):
        rig.propose()
    assert rig.engine.breakers.is_tripped(BreakerName.ERROR_RATE)


# --- what is known only in the engine ---


def last(rig: Rig) -> SignalEnded:
    return rig.of(SignalEnded)[-1]  # type: ignore[no-any-return]


def test_the_order_value_of_a_symbol_may_be_limited() -> None:
    rig = Rig(instruments=(instrument(max_notional=d(900)),))
    rig.propose()
    assert (last(rig).reason_code, last(rig).state) == (
        ReasonCode.ABOVE_MAX_NOTIONAL,
        TerminalState.REJECTED_BY_SIZING,
    )


@pytest.mark.parametrize(
    ("sizing", "said"),
    [
        ((d("3.69"), d(400)), "risk_per_trade_usd is 3.69 and would have to be 3.7"),
        ((d(10), d("99.99")), "entry_notional_max_usd is 99.99 and would have to be 100"),
        (
            (d(1), d(50)),
            "risk_per_trade_usd is 1 and would have to be 3.7, entry_notional_max_usd is 50 and would have to be 100",
        ),
    ],
)
def test_an_entry_below_one_lot_names_the_setting_and_what_would_do(sizing: tuple[int, int], said: str) -> None:
    share = instrument(lot=d(1), min_qty=d(1))
    rig = Rig(instruments=(share,), sizing=Sizing(*sizing))
    rig.propose(entry="100", stop="96.3", target="104")
    ended = rig.of(SignalEnded)[-1]
    assert (ended.reason_code, ended.text) == (ReasonCode.ZERO_SIZE, f"the size is below one lot of 1: {said}")
    told = dict(zip(("risk_per_trade", "notional_max"), (d("3.7"), d(100)), strict=True))
    enough = Rig(instruments=(share,), sizing=Sizing(**told))
    enough.propose(entry="100", stop="96.3", target="104")
    assert not enough.of(SignalEnded)


def test_net_exposure_counts_what_may_fill_in_the_same_direction_and_no_offset() -> None:
    symbols = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
    rig = Rig(symbols, limits=Limits(net_exposure_max=d("0.29")))
    rig.propose(entry="99.5")
    rig.propose(entry="100.5", stop="102", target="97", side=Side.SHORT, symbol="ETHUSDT")
    rig.propose(symbol="SOLUSDT")
    assert not rig.of(SignalEnded), "two LONGs of 2899.91 together; the SHORT may not fill and is no offset"
    limits = msgspec.structs.replace(rig.config.limits, net_exposure_max=d("0.289"))
    tight = Rig(symbols, limits=limits)
    tight.propose(entry="99.5")
    tight.propose(entry="100.5", stop="102", target="97", side=Side.SHORT, symbol="ETHUSDT")
    tight.propose(symbol="SOLUSDT")
    assert last(tight).reason_code is ReasonCode.EXPOSURE


def test_the_day_may_not_be_lost_by_its_stops() -> None:
    rig = Rig(("BTCUSDT", "ETHUSDT"), limits=Limits(daily_loss_max=d("24.5")))
    rig.enter()
    rig.propose(symbol="ETHUSDT")
    assert (last(rig).reason_code, last(rig).state) == (ReasonCode.DAY_RISK, TerminalState.REJECTED_BY_HEAT)
    assert last(rig).value > last(rig).limit
    roomy = Rig(("BTCUSDT", "ETHUSDT"), limits=Limits(daily_loss_max=d(25)))
    roomy.enter()
    roomy.propose(symbol="ETHUSDT")
    assert not [ended for ended in roomy.of(SignalEnded) if ended.state is not TerminalState.EXECUTED]


def test_symbols_that_move_alike_are_not_both_held_and_opposites_do_not_offset() -> None:
    both = tuple(instrument(symbol) for symbol in ("BTCUSDT", "ETHUSDT"))
    for side, stop, target, expected in (
        (Side.LONG, "99", "103", ReasonCode.CORRELATION),
        (Side.SHORT, "101", "97", None),
    ):
        rig = Rig(("BTCUSDT", "ETHUSDT"), instruments=both, limits=Limits(correlation_window=50))
        rig.enter()
        rig.propose(symbol="ETHUSDT", side=side, stop=stop, target=target)
        codes = [ended.reason_code for ended in rig.of(SignalEnded)]
        assert codes == ([ReasonCode.FILLED, expected] if expected else [ReasonCode.FILLED])


def test_too_short_a_history_counts_as_alike_within_a_group_only() -> None:
    both = tuple(instrument(symbol) for symbol in ("BTCUSDT", "ETHUSDT"))
    rig = Rig(("BTCUSDT", "ETHUSDT"), instruments=both)
    rig.enter()
    rig.propose(symbol="ETHUSDT")
    assert last(rig).reason_code is ReasonCode.CORRELATION_UNKNOWN
    assert last(rig).text == "the correlation with BTCUSDT is unknown: 59 of 100 returns"
    apart = Rig(("BTCUSDT", "ETHUSDT"))
    apart.enter()
    apart.propose(symbol="ETHUSDT")
    assert [ended.state for ended in apart.of(SignalEnded)] == [TerminalState.EXECUTED]


def test_correlations_survive_a_restart() -> None:
    both = tuple(instrument(symbol) for symbol in ("BTCUSDT", "ETHUSDT"))
    rig = Rig(("BTCUSDT", "ETHUSDT"), instruments=both, limits=Limits(correlation_window=50))
    again = Engine(lambda _: (Scripted(("BTCUSDT", "ETHUSDT")),), rig.engine.snapshot())
    beside = [("BTCUSDT", 1)]
    assert again.desk.correlations.alike("ETHUSDT", 1, beside) == rig.engine.desk.correlations.alike(
        "ETHUSDT", 1, beside
    )


# --- getting out ---


def strangled(rig: Rig) -> None:
    """A new run on the same books under limits no entry passes: every layer but the kill says no."""
    nothing = Limits(**{field: 10**18 if field in FLOORS else 1 for field in Limits.__struct_fields__})
    config = msgspec.structs.replace(
        rig.config,
        limits=msgspec.structs.replace(nothing, loss_per_trade_max=d(25)),
        instruments=tuple(msgspec.structs.replace(each, max_position_qty=1) for each in rig.config.instruments),
    )
    rig.send(RunStarted(rig.now_ns, "run2", config))
    rig.seed()
    rig.send(PhaseEntered(rig.now_ns, SessionPhase.SEEDING_HISTORY, SessionPhase.RUNNING))
    rig.engine.state.pace.messages_ns = [rig.now_ns] * 500
    rig.command(Act.PAUSE, "nothing more is entered")


@pytest.mark.parametrize("way", ["stop", "target", "flatten", "kill"])
def test_an_exit_passes_while_every_layer_says_no(way: str) -> None:
    rig = Rig(("BTCUSDT", "ETHUSDT"))
    rig.enter()
    strangled(rig)
    rig.quote("100", "100.1", qty="90")
    price = {"stop": "98.5", "target": "103.2"}.get(way, "100")
    if way in ("flatten", "kill"):
        rig.command(Act.FLATTEN if way == "flatten" else Act.KILL, "out")
    for _ in range(3):
        rig.quote(price, f"{float(price) + 0.1:.1f}", qty="90")
    assert not rig.engine.state.positions
    assert len(rig.of(TradeClosed)) == 1


@pytest.mark.parametrize("layer", range(6))
def test_the_layers_that_fail_there_do_fail(layer: int) -> None:
    """The exits above pass although an entry fails in each layer: here it is let through to it."""
    rig = Rig(("BTCUSDT", "ETHUSDT"))
    rig.enter()
    strangled(rig)
    broken_rules = {check.rule for check in failing(rig)}
    assert any(rule.layer == layer for rule in RULES if rule.name in broken_rules)


def failing(rig: Rig) -> list[Check]:
    """Every rule an entry in the second symbol breaks, the first refusal aside."""
    rig.quote("100", "100.1", symbol="ETHUSDT")
    rig.engine.state.killed = True
    wish = Proposal("ETHUSDT", Side.LONG, 0, d(99), d(99), "no")
    candidate = rig.engine.trading.entries._candidates.make("scripted", wish)
    seen = []
    for rule in RULES:
        value, limit, ok = rule.measure(candidate)
        if not ok:
            seen.append(Check(rule.layer, rule.name, value, limit, ok))
    return seen


# --- laws ---

MOVES = st.lists(
    st.tuples(
        st.sampled_from(("BTCUSDT", "ETHUSDT", "SOLUSDT")),
        st.sampled_from((Side.LONG, Side.SHORT)),
        st.integers(-30, 30),  # the price moves by so many tenths
        st.integers(1, 60),  # the stop is so many tenths away
        st.booleans(),  # whether an entry is proposed
        st.booleans(),  # whether it rests
    ),
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(MOVES)
def test_after_any_accepted_entry_heat_and_the_days_risk_are_within_their_limits(moves: list[Any]) -> None:
    symbols = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
    limits = Limits(heat_max=d("0.003"), duplicate_window_ns=1)
    rig = Rig(symbols, limits=limits, sizing=Sizing(risk_per_trade=d(12), notional_max=d(5_000)))
    prices = dict.fromkeys(symbols, 1000)
    entered = 0
    for symbol, side, moved, away, proposes, rests in moves:
        prices[symbol] = max(500, prices[symbol] + moved)
        bid, ask = prices[symbol], prices[symbol] + 1
        touch = ask if side is Side.LONG else bid
        entry = bid if side is Side.LONG else ask
        stop, target = touch - side.sign * (away + 1), touch + side.sign * (away + 9) * 2
        price, tenth = entry if rests else 0, d("0.1")
        wish = Proposal(symbol, side, price * tenth, stop * tenth, target * tenth, "because")
        rig.strategy.wishes = [wish] if proposes else []
        out = rig.quote(money.text(bid * tenth), money.text(ask * tenth), symbol=symbol)
        if any(
            isinstance(fact, OrderChanged) and fact.purpose is Purpose.ENTRY and not fact.filled_qty for fact in out
        ):
            sent = [f for f in out if isinstance(f, OrderChanged) and f.previous is OrderState.NEW]
            if any(f.purpose is Purpose.ENTRY for f in sent):
                entered += 1
                desk, state = rig.engine.desk, rig.engine.state
                assert desk.heat() <= desk.heat_limit()
                lost = state.day_base_equity - desk.equity
                assert lost + desk.stakes.standing().risk <= rig.engine.breakers.gauges.daily_loss_limit()
    assert rig.engine.state.tally.signals == sum(rig.engine.state.tally.ended.values()) + len(
        rig.engine.state.live_signals
    )
