"""Figures of trades and equity, worked out by hand; nothing to measure gives None and never an exception."""

from hypothesis import given
from hypothesis import strategies as st

from engine.core import money
from engine.core.config import DAY, MINUTE
from engine.core.facts import EquityMarked, TradeClosed
from engine.core.words import ExitReason, Side
from engine.review.drawdown import Drawdown, drawdown, max_drawdown
from engine.review.metrics import average, exit_reasons, profit_factor, summary, undefined, win_rate
from engine.review.returns import daily_equity, daily_returns, sharpe


def d(text: str) -> int:
    return money.parse(text)


def trade(pnl: str, minutes: int = 10, reason: ExitReason = ExitReason.TP) -> TradeClosed:
    return TradeClosed(
        *(minutes * MINUTE, "t", "s", "trend", "BTCUSDT", Side.LONG, d("1"), d("100"), d("101"), 0, d(pnl)),
        *(d("0.1"), d("0.01"), reason, "UP", "UNKNOWN"),
    )


def mark(at_ns: int, equity: str) -> EquityMarked:
    return EquityMarked(at_ns, d(equity), 0, 0, 0, 0, 0, 0, 0, 0)


def test_nothing_to_measure_gives_none_and_zero() -> None:
    empty = summary([], [])
    assert (empty.trades, empty.wins, empty.net_profit, empty.exit_reasons) == (0, 0, 0, {})
    assert empty.win_rate is None
    assert empty.profit_factor is None
    assert empty.expectancy is None
    assert empty.average_duration_ns is None
    assert empty.max_drawdown is None
    assert empty.sharpe is None
    assert empty.best is None


def test_five_trades_come_to_what_the_hand_says() -> None:
    trades = [
        trade("3", 10),
        trade("-1.5", 20, ExitReason.SL),
        trade("0", 30, ExitReason.TIME),
        trade("2", 40),
        trade("-0.5", 50, ExitReason.SL),
    ]
    told = summary(trades, [])
    assert (told.trades, told.wins, told.losses) == (5, 2, 2)
    assert told.win_rate == d("0.4")
    assert told.profit_factor == d("2.5")  # 5 over 2
    assert told.expectancy == d("0.6")
    assert (told.average_win, told.average_loss) == (d("2.5"), d("1"))
    assert (told.best, told.worst) == (d("3"), d("-1.5"))
    assert told.average_duration_ns == 30 * MINUTE
    assert (told.net_profit, told.fees, told.funding) == (d("3"), d("0.5"), d("0.05"))
    assert told.exit_reasons == {"SL": 2, "TP": 2, "TIME": 1}


def test_without_a_loss_the_profit_factor_is_none_and_without_a_profit_zero() -> None:
    assert profit_factor([d("1"), 0]) is None
    assert profit_factor([d("-1")]) == 0
    assert profit_factor([0]) is None


def test_a_break_even_trade_is_not_a_win() -> None:
    assert win_rate([0, 0]) == 0


def test_a_losing_run_is_told_as_it_is() -> None:
    told = summary([trade("-2", reason=ExitReason.SL)], [mark(0, "100"), mark(1, "98")])
    assert (told.net_profit, told.win_rate, told.best) == (d("-2"), 0, d("-2"))
    assert told.max_drawdown == d("0.02")


def test_the_drawdown_is_the_deepest_fall_from_a_peak_before_it() -> None:
    assert max_drawdown([d(value) for value in ("100", "120", "90", "130", "110", "104")]) == d("0.25")
    assert max_drawdown([d("100"), d("101"), d("102")]) == 0
    assert max_drawdown([d("100"), d("-50")]) == d("1.5")
    assert max_drawdown([0, 0]) == 0


@given(st.lists(st.integers(1, 10**14), min_size=1, max_size=30))
def test_the_drawdown_equals_the_worst_of_all_pairs(equity: list[int]) -> None:
    pairs = [money.div(a - b, a) for n, a in enumerate(equity) for b in equity[n:]]
    assert max_drawdown(equity) == max(pairs)


def test_daily_equity_is_the_opening_and_each_days_last_mark() -> None:
    marks = [mark(5, "100"), mark(6, "101"), mark(DAY, "102"), mark(DAY + 1, "99"), mark(4 * DAY, "103")]
    assert daily_equity(marks) == [d("100"), d("101"), d("99"), d("103")]


def test_the_sharpe_ratio_is_the_one_of_the_textbook() -> None:
    # Returns +10 %, -10 %, +10 %, -10 %, +20 %: mean 0.04; squares 0.0036, 0.0196, 0.0036, 0.0196, 0.0256 sum to
    # 0.072, over four 0.018; deviation 0.1341641; 0.04 / 0.1341641 x sqrt(365) = 5.69600250.
    equity = [d("100"), d("110"), d("99"), d("108.9"), d("98.01"), d("117.612")]
    assert sharpe(daily_returns(equity), 365).value == d("5.69600250")


def test_no_spread_or_too_few_days_have_no_sharpe_ratio() -> None:
    for equity in (
        [d("100")] * 9,
        [d("100"), d("110"), d("121"), d("133.1"), d("146.41"), d("161.051")],
        [d("100"), d("110"), d("99"), d("108.9"), d("98.01")],
        [d("100"), 0, d("110"), d("100"), d("110"), d("100")],
    ):
        assert sharpe(daily_returns(equity), 365).value is None


def test_figures_of_no_trades_say_why_they_are_missing() -> None:
    assert set(undefined(summary([], [])).values()) == {"no trade was closed", "no trade won", "no trade lost"}
    assert "infinite" in undefined(summary([trade("1")], []))["profit_factor"]
    assert undefined(summary([trade("1"), trade("-1")], [])) == {}


def test_a_drawdown_has_its_times() -> None:
    texts = ("100", "110", "105", "99", "112", "111", "112", "90", "95")
    found = drawdown([(10 * n, d(text)) for n, text in enumerate(texts)])
    assert found == Drawdown(money.div(22, 112), peak_ns=60, trough_ns=70, recovered_ns=None, longest_ns=30)
    assert drawdown([(10 * n, d(text)) for n, text in enumerate(texts[:6])]) == Drawdown(d("0.1"), 10, 30, 40, 30)
    assert drawdown([(5, d("1")), (6, d("2"))]) == Drawdown(0, 5, 5, 5, 0)
    assert drawdown([]) is None


@given(st.lists(st.integers(1, 10**14), min_size=1, max_size=30))
def test_both_drawdowns_are_equally_deep(equity: list[int]) -> None:
    found = drawdown(list(enumerate(equity)))
    assert found is not None and found.depth == max_drawdown(equity)


def test_an_average_is_rounded_half_away_from_zero() -> None:
    assert average([1, 2]) == 2
    assert average([-1, -2]) == -2
    assert average([]) is None


def test_exit_reasons_come_most_frequent_first() -> None:
    trades = [trade("1", reason=reason) for reason in (ExitReason.KILL, ExitReason.SL, ExitReason.SL)]
    assert list(exit_reasons(trades).items()) == [("SL", 2), ("KILL", 1)]
