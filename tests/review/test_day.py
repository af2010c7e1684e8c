"""A trading day from its facts: zero-trade days with their reasons, what was observed, every incident in its class."""

import json
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from engine.core.config import DAY, HOUR, MINUTE
from engine.core.facts import (
    AnyFact,
    BlockChanged,
    BreakerChanged,
    DayRolled,
    DiscrepancyChanged,
    EquityMarked,
    ErrorCounted,
    FeedNoted,
    FundingPaid,
    KillChanged,
    LossExceeded,
    OrderChanged,
    Reconciled,
    RegimeChanged,
    SignalEnded,
    SignalRaised,
)
from engine.core.words import (
    BlockReason,
    BreakerName,
    ExitReason,
    OrderKind,
    OrderState,
    Purpose,
    ReasonCode,
    Regime,
    Side,
    TerminalState,
    TimeInForce,
)
from engine.review.daily import artifact, seal, text_of
from engine.review.daily_metrics import METRICS, metrics_row
from engine.review.day import Carried, Day, DayRows, Held, due_ns, rows_of
from engine.review.incidents import TITLES, IncidentClass, Incidents, markdown
from tests.review.test_metrics import d, mark, trade
from tests.review.test_performance import fill, phase

TODAY = 20
T0 = TODAY * DAY
GIVEN = {"gate_level": "DENIED", "version": "1"}


def roll(day: int, at_ns: int = 0, equity: str = "1000", pnl: str = "0", **more: Any) -> DayRolled:
    ended_due_ns = day * DAY if day > TODAY else 0
    fact = DayRolled(at_ns or day * DAY, day, d(equity), d(pnl), day - 1, 0, 0, ended_due_ns)
    return msgspec.structs.replace(fact, **more)


def told(
    facts: Sequence[AnyFact], carried: Carried | None = None, over: DayRolled | None = None, **rows: Any
) -> dict[str, Any]:
    """The artifact of the day with these facts, RUNNING from the day before unless `carried` says otherwise."""
    end = over or roll(TODAY + 1)
    place = DayRows(TODAY, 1, 9, is_over=True)._replace(**rows)
    begun = carried or Carried(ran=True, first=d("1000"), closings=(d("1000"),), mark=mark(T0 - MINUTE, "1000"))
    day = Day(place, begun, due_ns(place, end))
    for fact in [roll(TODAY), *facts, *([end] if place.is_over else [])]:
        day.take(1, fact)
    answer: dict[str, Any] = json.loads(text_of(artifact(day, "paper", GIVEN)))
    return answer


def block(at_ns: int, active: bool, reason: BlockReason = BlockReason.OPERATOR) -> BlockChanged:
    return BlockChanged(at_ns, reason, active, "why", "resume")


def raised(at_ns: int, signal_id: str = "s1") -> SignalRaised:
    return SignalRaised(at_ns, signal_id, "trend", "BTCUSDT", Side.LONG, 0, d("1"), d("3"), "UP", "LOW", "x")


def ended(at_ns: int, state: TerminalState, code: ReasonCode, signal_id: str = "s1") -> SignalEnded:
    return SignalEnded(at_ns, signal_id, "trend", "BTCUSDT", Side.LONG, state, code, "because")


HEAT = (TerminalState.REJECTED_BY_HEAT, ReasonCode.HEAT)


# --- days without trades ---


def test_without_a_signal_a_day_says_so_and_that_nothing_moved() -> None:
    zero = told([mark(T0 + HOUR, "1000")])["zero_trade_day"]
    assert zero["reason"] == "No signals generated"
    assert zero["pnl_unchanged"] and zero["no_fees"] and zero["positions_unchanged"]


def test_rejected_signals_are_the_reason_where_there_were_any() -> None:
    answer = told([raised(T0 + 1), ended(T0 + 2, *HEAT)])
    assert answer["zero_trade_day"]["reason"] == "Signals rejected by risk"
    assert answer["signals"]["rejected_for"] == {"heat": 1}
    assert answer["signals"]["rejections"][0]["text"] == "because"


def test_a_pause_of_the_whole_day_comes_before_all_other_reasons() -> None:
    paused = Carried(ran=True, blocks=("operator",), first=1, closings=(1,))
    rejected: list[AnyFact] = [raised(T0 + 1), ended(T0 + 2, *HEAT)]
    assert told(rejected, paused)["zero_trade_day"]["reason"] == "System paused"
    assert told([*rejected, block(T0 + HOUR, False)], paused)["zero_trade_day"]["reason"] == "Signals rejected by risk"
    down = Carried(ran=False, first=1, closings=(1,))
    assert told([], down)["zero_trade_day"]["reason"] == "System paused"
    up_late = [phase(T0 + 23 * HOUR, "SEEDING_HISTORY", "RUNNING")]
    assert told(up_late, down)["zero_trade_day"]["reason"] == "No signals generated"


def test_a_fill_makes_it_a_day_with_trades_and_an_open_day_is_not_judged() -> None:
    assert told([fill(T0 + 1, "1", "10", "1")])["zero_trade_day"] is None
    assert told([mark(T0 + HOUR, "1000")], is_over=False)["zero_trade_day"] is None


def cash(at_ns: int, amount: str, unrealized: str = "0") -> EquityMarked:
    return EquityMarked(at_ns, d(amount), d(amount), d(unrealized), 0, 0, 0, 0, 0, 0)


def test_funding_and_prices_move_a_day_without_trades_and_are_told_apart() -> None:
    held = Carried(
        ran=True, first=1, closings=(1,), mark=cash(T0 - 1, "1000"), positions={"BTCUSDT": Held(d("2"), d("20"))}
    )
    paid = FundingPaid(T0 + HOUR, "BTCUSDT", d("2"), d("10"), d("0.0001"), d("0.002"))
    zero = told([paid, cash(T0 + 2 * HOUR, "999.998", "5")], held)["zero_trade_day"]
    assert zero["pnl_unchanged"] and zero["no_fees"] and zero["positions_unchanged"]
    assert (zero["funding"], zero["unrealized_change"], zero["unexplained"]) == ("0.002", "5", "0")


def test_a_fee_out_of_nowhere_is_not_confirmed_and_an_incident() -> None:
    before = Carried(ran=True, first=1, closings=(1,), mark=cash(T0 - 1, "1000"))
    answer = told([cash(T0 + HOUR, "999.9")], before)
    assert not answer["zero_trade_day"]["no_fees"] and answer["zero_trade_day"]["unexplained"] == "-0.1"
    assert "not confirmed" in answer["incidents"][0]["text"] and answer["incidents_count"] == 1


# --- what was seen ---


def transition(simulated: bool, previous: Regime = Regime.LOW, regime: Regime = Regime.CRISIS) -> RegimeChanged:
    return RegimeChanged(
        T0 + HOUR, previous, regime, regime, d("14"), d("31"), T0, "vix", simulated, d("0.01"), d("0.004"), 0, "x"
    )


def test_only_a_transition_of_a_real_source_was_observed() -> None:
    assert told([transition(True)])["market_regime"]["observation"] == "not observed"
    answer = told([transition(True), transition(False), transition(False, Regime.LOW, Regime.LOW)])["market_regime"]
    assert (answer["transitions_observed"], answer["transitions_simulated"]) == (1, 1)
    assert answer["observation"] == "1 observed" and len(answer["transitions"]) == 2


def test_a_breaker_that_never_tripped_was_not_observed() -> None:
    quiet = told([])["risk"]["circuit_breakers"]
    assert quiet == {"tripped_at_end": [], "trips": [], "observation": "not observed"}
    trip = BreakerChanged(T0 + 1, BreakerName.DAILY_LOSS, True, 5, 5, "50 >= 50", "halt_day")
    told_of = told([trip])["risk"]["circuit_breakers"]
    assert told_of["observation"] == "1 observed" and told_of["tripped_at_end"] == ["daily_loss"]
    released = msgspec.structs.replace(trip, at_ns=T0 + 2, tripped=False)
    assert told([trip, released])["risk"]["circuit_breakers"]["tripped_at_end"] == []


def test_regime_and_phases_are_counted_by_the_marks() -> None:
    first = msgspec.structs.replace(mark(T0, "1000"), regime="LOW", phases="UP:BTCUSDT,ETHUSDT", volatility=d("14"))
    second = msgspec.structs.replace(first, at_ns=T0 + MINUTE, regime="CRISIS", phases="UP:BTCUSDT DOWN:ETHUSDT")
    third = msgspec.structs.replace(second, at_ns=T0 + 3 * MINUTE)
    answer = told([first, second, third])
    assert answer["market_regime"]["seconds"] == {"CRISIS": 120.0, "LOW": 60.0}
    assert answer["market_regime"]["level"] == "14" and answer["market_regime"]["classification"] == "CRISIS"
    assert answer["market_phases"]["seconds"] == {"DOWN": 120.0, "UP": 240.0}
    assert answer["market_phases"]["at_end"] == {"BTCUSDT": "UP", "ETHUSDT": "DOWN"}


def test_freshness_of_the_data_is_told_by_kind() -> None:
    silence = FeedNoted(T0 + 1, "BTCUSDT", "ORDER_BOOK_STALE", "x", 42_000_000_000)
    gap = FeedNoted(T0 + 2, "BTCUSDT", "GAP_DETECTED", "3 bars missing", 3)
    answer = told([silence, gap])["system"]["data_freshness"]
    assert (answer["silences"], answer["gaps"], answer["longest_silence_seconds"]) == (1, 1, 42.0)


def test_positions_follow_the_fills_and_keep_their_cost() -> None:
    held = Carried(ran=True, first=1, closings=(1,), positions={"ETHUSDT": Held(d("-2"), d("-20"))})
    answer = told([fill(T0 + 1, "1", "10", "1"), fill(T0 + 2, "1", "12", "2")], held)["positions"]["open"]
    assert answer == [
        {"symbol": "BTCUSDT", "qty": "2", "entry_price": "11"},
        {"symbol": "ETHUSDT", "qty": "-2", "entry_price": "10"},
    ]


def test_what_contradicts_itself_is_a_problem_of_the_day() -> None:
    assert told([])["problems"] == []
    off = told([], over=roll(TODAY + 1, equity="1001", pnl="2", orders=3))["problems"]
    assert off == ["the roll says 2, equity moved by 1", "the roll says 3 orders, 0 are on record"]
    assert told([ended(T0, *HEAT, "ghost")])["problems"] == ["signal ghost ended and was not in flight"]


def test_a_day_that_ended_without_the_desk_is_late() -> None:
    assert not told([])["late"]
    late = told([], over=roll(TODAY + 3, ended_due_ns=T0 + DAY))
    assert late["late"] and late["ended_at"] == "1970-01-22T00:00:00.000000Z"
    half = told([mark(T0 + HOUR, "1000")], over=roll(TODAY + 1, ended_due_ns=T0 + 18 * HOUR))
    assert half["metrics"]["runtime_stability"] == "1" and half["ended_at"].startswith("1970-01-21T18")


# --- metrics ---


def test_the_metrics_of_a_day_are_thirteen_figures_and_reasons_for_those_that_are_missing() -> None:
    won = msgspec.structs.replace(trade("3"), at_ns=T0 + 2)
    sent: list[AnyFact] = [fill(T0 + 1, "1", "100", "1"), fill(T0 + 2, "-1", "103", "0"), won]
    answer = told([*sent, mark(T0 + 3, "1003")], over=roll(TODAY + 1, equity="1003", pnl="3"))
    metrics = answer["metrics"]
    assert list(metrics) == [*METRICS, "undefined"]
    assert (metrics["daily_return"], metrics["cumulative_return"], metrics["win_rate"]) == ("0.003", "0.003", "1")
    assert (metrics["exposure_concentration"], metrics["strategy_weights"]) == ("1", "trend 1.0000")
    assert metrics["runtime_stability"] == "1"
    assert set(metrics["undefined"]) == {name for name in METRICS if metrics[name] is None}
    assert metrics["undefined"]["rolling_sharpe"] == "1 daily returns, at least 20 are needed"
    assert metrics_row(answer)[:2] == ["1970-01-21", "0.003"] and len(metrics_row(answer)) == 14


def test_the_rolling_ratio_needs_twenty_days_before_it() -> None:
    closings = tuple(d(str(1000 + n % 3)) for n in range(20))
    before = Carried(ran=True, first=d("1000"), closings=closings)
    assert told([], before)["metrics"]["rolling_sharpe"] is not None


# --- incidents ---


def order(state: OrderState, code: str) -> OrderChanged:
    return OrderChanged(
        *(T0, "o1", "s1", "trend", "BTCUSDT", Purpose.ENTRY, OrderKind.MARKET, TimeInForce.IOC, d("1"), 0, False),
        *(OrderState.SUBMITTED, state, 0, 0, code, "no <b>funds</b>"),
    )


INCIDENTS: list[tuple[AnyFact, IncidentClass]] = [
    (Reconciled(T0, "start", "paper", False, 2, 1, 0, None), IncidentClass.RECONCILIATION),
    (DiscrepancyChanged(T0, "d", "cash", "cash", "1", "2", T0, "", "", ""), IncidentClass.RECONCILIATION),
    (order(OrderState.REJECTED, "venue_refused"), IncidentClass.REJECTION),
    (block(T0, True), IncidentClass.PAUSE),
    (KillChanged(T0, True, "file", "x", "y"), IncidentClass.PAUSE),
    (BreakerChanged(T0, BreakerName.ERRORS, True, 5, 5, "5 >= 5", "watch"), IncidentClass.ANOMALY),
    (LossExceeded(T0, "t", "s", "trend", "BTCUSDT", ExitReason.SL, d("30"), d("25")), IncidentClass.ANOMALY),
    (ErrorCounted(T0, "feed", "boom", "ab"), IncidentClass.ANOMALY),
    (FeedNoted(T0, "BTCUSDT", "GAP_DETECTED", "3 bars missing"), IncidentClass.ANOMALY),
]
NONE: list[AnyFact] = [
    Reconciled(T0, "start", "paper", True, 0, 1, 0, None),
    order(OrderState.REJECTED, "kill"),
    order(OrderState.FILLED, ""),
    block(T0, True, BlockReason.MARKET_CLOSED),
    block(T0, False),
    FeedNoted(T0, "BTCUSDT", "FEED_LIVE", "back"),
    mark(T0, "1"),
]


@pytest.mark.parametrize(("fact", "kind"), INCIDENTS, ids=lambda one: getattr(one, "value", type(one).__name__))
def test_every_incident_is_told_in_its_class(fact: AnyFact, kind: IncidentClass) -> None:
    found = Incidents()
    found.take(fact)
    assert [one["class"] for one in found.all] == [kind.value]


def test_what_is_usual_is_no_incident() -> None:
    found = Incidents()
    for fact in NONE:
        found.take(fact)
    assert found.all == []


def test_the_log_lists_every_incident_once_and_says_none_where_there_are_none() -> None:
    day = told([fact for fact, _ in INCIDENTS])
    assert day["incidents_count"] == len(INCIDENTS)
    text = markdown([day], "paper")
    assert text.count("\n- ") == len(INCIDENTS) and "none" not in text and "<b>" not in text
    assert markdown([], "paper").count("none\n") == len(TITLES)


# --- which days there are ---


def test_days_that_nobody_saw_are_told_with_those_around_them() -> None:
    rolls = [(5, roll(TODAY)), (9, roll(TODAY + 4, missed=(TODAY + 1, TODAY + 3))), (20, roll(TODAY + 5))]
    assert rows_of(rolls, 31) == [
        DayRows(TODAY, 5, 9, True),
        DayRows(TODAY + 1, 9, 9, True, True),
        DayRows(TODAY + 3, 9, 9, True, True),
        DayRows(TODAY + 4, 9, 20, True),
        DayRows(TODAY + 5, 20, 31, False),
    ]
    assert rows_of([], 3) == []


def test_a_missed_day_of_an_exchange_ends_when_its_sessions_do() -> None:
    missed = DayRows(TODAY + 1, 9, 9, is_over=True, missed=True)
    behind = roll(TODAY + 3, ended_due_ns=T0 + 21 * HOUR)
    assert due_ns(missed, behind) == T0 + DAY + 21 * HOUR
    assert due_ns(missed, roll(TODAY + 3, ended_due_ns=T0 + DAY)) == T0 + 2 * DAY
    assert due_ns(missed, roll(TODAY + 3, ended_due_ns=0)) == T0 + 2 * DAY
    assert due_ns(missed._replace(missed=False), behind) == T0 + 21 * HOUR


def test_the_seal_is_that_of_the_bytes() -> None:
    assert seal(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
