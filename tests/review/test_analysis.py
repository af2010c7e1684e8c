"""Breakdowns sum to the whole; advice stands on a sample or says nothing; both verdicts are kept apart."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core import money
from engine.core.config import DAY, HOUR, MINUTE
from engine.core.facts import AnyFact, EquityMarked, SignalEnded, TradeClosed
from engine.core.words import ExitReason, ReasonCode, Side, TerminalState
from engine.review.advice import ADVISORY, SAMPLE_MIN, Advice, advise
from engine.review.advice import told as advice_told
from engine.review.analysis import DIMENSIONS, Slice, breakdowns, difference, told
from engine.review.performance import Performance, Performing
from engine.review.report import final_report
from engine.review.verdicts import Economics, economics, reliability, statement
from tests.review.test_metrics import d, mark
from tests.review.test_performance import fill, shadow
from tests.review.test_report import figures as report_figures


def trade(pnl: str, n: int = 0, reason: ExitReason = ExitReason.TP, **changes: Any) -> TradeClosed:
    made = TradeClosed(
        *(DAY + n * HOUR + MINUTE, f"t{n}", f"s{n}", "trend", "BTCUSDT", Side.LONG, d("1"), d("100"), d("101")),
        *(DAY + n * HOUR, d(pnl), d("0.1"), d("0.01"), reason, "UP", "LOW"),
    )
    return msgspec.structs.replace(made, **changes)


TRADES = [
    trade("3", 0),
    trade("-1", 1, ExitReason.SL, symbol="ETHUSDT", regime=""),
    trade("0", 2, ExitReason.TIME, strategy_id="mean", phase="DOWN"),
    trade("-0.5", 25, ExitReason.SL, symbol="ETHUSDT"),
]


def test_every_breakdown_slices_the_same_trades() -> None:
    found = {one.by: {part.key: part.pnl for part in one.slices} for one in breakdowns(TRADES)}
    assert list(found) == ["phase", "regime", "strategy", "exit_reason", "symbol", "hour"]
    assert found["phase"] == {"DOWN": 0, "UP": d("1.5")}
    assert found["regime"] == {"LOW": d("2.5"), "UNKNOWN": d("-1")}
    assert found["strategy"] == {"mean": 0, "trend": d("1.5")}
    assert found["exit_reason"] == {"SL": d("-1.5"), "TIME": 0, "TP": d("3")}
    assert found["symbol"] == {"BTCUSDT": d("3"), "ETHUSDT": d("-1.5")}
    assert found["hour"] == {"00": d("3"), "01": d("-1.5"), "02": 0}


@given(
    st.lists(
        st.tuples(
            st.integers(-(10**12), 10**12),
            st.integers(0, 300),
            st.sampled_from(list(ExitReason)),
            st.sampled_from("ABC"),
        ),
        max_size=40,
    )
)
def test_whatever_the_trades_the_slices_sum_to_the_whole(made: list[tuple[int, int, ExitReason, str]]) -> None:
    trades = [trade(money.text(pnl), n, reason, symbol=symbol, phase=symbol) for pnl, n, reason, symbol in made]
    for one in breakdowns(trades):
        assert one.difference == ()
        assert sum(part.pnl for part in one.slices) == sum(pnl for pnl, *_ in made)
        assert sum(part.trades for part in one.slices) == len(made)
    assert all(one["conserved"] for one in told(breakdowns(trades)).values())


def test_slices_that_lack_a_trade_are_told() -> None:
    lacking = [Slice("x", (d("3"),), d("0.1"), d("0.01"))]
    assert difference(lacking, TRADES[:1]) == ()
    texts = difference(lacking, TRADES[:2])
    assert [text.partition(":")[0] for text in texts] == ["trades", "P&L", "fees", "funding"]
    assert "P&L: the slices sum to 3, the whole is 2" in texts


def test_a_slice_is_told_with_its_figures() -> None:
    symbols = told(breakdowns(TRADES))["symbol"]["slices"]
    assert symbols[1] == {
        **{"key": "ETHUSDT", "trades": 2, "wins": 0, "pnl": "-1.5", "fees": "0.2", "funding": "0.02"},
        **{"expectancy": "-0.75", "win_rate": "0", "profit_factor": "0"},
    }
    assert set(DIMENSIONS) == set(told([]) or DIMENSIONS)


# --- advice ---


def advice_on(trades: list[TradeClosed], reasons: dict[str, int] | None = None, *more: AnyFact) -> dict[str, Advice]:
    performing = Performing()
    for fact in (*trades, *more):
        performing.take(fact)
    found, _ = advise(breakdowns(trades), performing.figures(), reasons or {})
    return {one.rule: one for one in found}


def spread(count: int, middle: str, reason: ExitReason = ExitReason.TP, **changes: Any) -> list[TradeClosed]:
    """Trades around a middle, one up and one down by 1."""
    return [trade(money.text(d(middle) + (-1) ** n * d("1")), n, reason, **changes) for n in range(count)]


def test_below_the_least_sample_nothing_is_said_and_that_is_said() -> None:
    few = spread(SAMPLE_MIN - 1, "-5", ExitReason.SL)
    performing = Performing()
    for one in few:
        performing.take(one)
    found, silent = advise(breakdowns(few), performing.figures(), {"heat": SAMPLE_MIN - 1})
    assert found == [] and len(silent) == 2 and all(f"below {SAMPLE_MIN}" in text for text in silent)
    assert advice_told((found, silent))["advisory"] == ADVISORY


def test_a_slice_that_loses_beyond_chance_is_named_with_its_interval() -> None:
    found = advice_on(spread(SAMPLE_MIN, "-5"))["losing_slice"]
    assert found.sample == SAMPLE_MIN and found.numbers["expectancy"] == "-5"
    assert d(found.numbers["low"]) < d("-5") < d(found.numbers["high"]) < 0
    assert "losing_slice" not in advice_on(spread(SAMPLE_MIN, "-0.1")), "chance explains it"
    assert "losing_slice" not in advice_on(spread(SAMPLE_MIN, "5"))


def test_costs_that_take_more_than_half_are_told() -> None:
    assert "costs" in advice_on(spread(SAMPLE_MIN, "0.1"))  # 0.11 of 0.21 before costs
    assert "costs" not in advice_on(spread(SAMPLE_MIN, "0.12"))
    assert "more than all" in advice_on(spread(SAMPLE_MIN, "-0.2"))["costs"].text


def test_stops_are_looked_at_when_most_trades_end_there() -> None:
    assert "stops" in advice_on(spread(15, "1", ExitReason.SL) + spread(5, "1"))  # 75 %, at least 53 % at 95 %
    assert "stops" not in advice_on(spread(14, "1", ExitReason.SL) + spread(6, "1"))  # 70 %, at least 48 %


def test_fills_worse_than_the_pessimistic_profile_are_told() -> None:
    facts: list[AnyFact] = []
    for n in range(SAMPLE_MIN):
        facts += [fill(n + 1, "1", "101", "1", f"o{n}"), shadow("1", "100", f"o{n}")]
    assert advice_on([], None, *facts)["fills"].numbers == {"mean": "0.01"}
    assert "fills" not in advice_on([], None, *facts[:-2])


def test_one_reason_that_refuses_most_signals_is_told() -> None:
    assert advice_on([], {"heat": 15, "filled": 5})["refused"].numbers["refused"] == "15"
    assert "refused" not in advice_on([], {"heat": 10, "filled": 10})
    assert "refused" not in advice_on([], {"filled": 30})


# --- verdicts ---


def days_of(changes: list[str], *, worse: str = "") -> Performance:
    """Daily changes of an equity of 1,000; `worse` is taken off each day's pessimistic one."""
    performing = Performing()
    equity = pessimistic = d("1000")
    performing.take(msgspec.structs.replace(mark(DAY - 1, "1000"), equity_pessimistic=pessimistic if worse else None))
    for n, change in enumerate(changes):
        equity += d(change)
        pessimistic += d(change) - d(worse or "0")
        made = msgspec.structs.replace(mark((n + 2) * DAY - 1, "0"), equity=equity)
        performing.take(msgspec.structs.replace(made, equity_pessimistic=pessimistic if worse else None))
    return performing.figures()


def test_a_few_days_show_nothing_and_the_statement_says_how_many_it_would_take() -> None:
    few = days_of(["1", "-0.5", "1", "-0.5", "1"])
    assert economics(few)[0] is Economics.NOTHING
    assert "it may be chance" in statement(few) and "days like these" in statement(few)
    assert economics(days_of(["1"]))[0] is Economics.UNKNOWN
    assert "too little to say anything" in statement(days_of(["1"]))


def test_a_long_even_record_shows_a_profit_or_a_loss() -> None:
    won = days_of(["1", "-0.5", "1.2", "-0.4"] * 15)
    assert economics(won)[0] is Economics.PROFIT and "beyond chance" in statement(won)
    lost = days_of(["-1", "0.5", "-1.2", "0.4"] * 15)
    assert economics(lost)[0] is Economics.LOSS and "a loss beyond chance" in statement(lost)
    flat = days_of(["-1", "0.9"] * 5)
    assert economics(flat)[0] is Economics.NOTHING and "did not earn" in statement(flat)


def test_economics_is_taken_on_the_pessimistic_fills() -> None:
    changes = ["1", "-0.5", "1.2", "-0.4"] * 15
    assert economics(days_of(changes, worse="0.01"))[0] is Economics.PROFIT
    assert economics(days_of(changes, worse="0.9"))[0] is Economics.LOSS


def good(**changes: Any) -> dict[str, Any]:
    told_of = final_report(report_figures(clock="wall", journal_signed={"row": 1}, error_count=0, **changes))
    return told_of | {
        "duration_seconds": 60.0,
        "heartbeat": told_of["heartbeat"] | {"count": 60, "max_gap_seconds": 1.1},
    }


def failed(report: dict[str, Any]) -> list[str]:
    return [check.name for check in reliability(report) if not check.good]


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("ended", {"exit_code": 1}),
        ("errors", {"error_count": 1}),
        ("books", {"problems": ["something"]}),
        ("result", {"identity": {"holds": False, "difference": "1"}}),
        ("signals", {"signals_in_flight": 99}),
        ("heartbeat", {"heartbeat": {"max_gap_seconds": 5.1, "count": 60}}),
        ("regular", {"heartbeat": {"max_gap_seconds": 1.0, "count": 59}}),
        ("record", {"lost_lines": 1}),
        ("record", {"journal_signed": None}),
    ],
)
def test_each_question_about_the_desk_fails_by_itself(name: str, change: dict[str, Any]) -> None:
    assert failed(good()) == []
    assert failed(good() | change) == [name]


def test_signals_end_in_the_reasons_of_a_span() -> None:
    performing = Performing()
    ended = SignalEnded(1, "s", "t", "B", Side.LONG, TerminalState.REJECTED_BY_HEAT, ReasonCode.HEAT, "x")
    performing.take(ended)
    performing.take(EquityMarked(2, 1, 0, 0, 0, 0, 0, 0, 0, 0))
    assert performing.reasons == {"heat": 1}
