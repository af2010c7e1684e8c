"""The summary page stands by itself, escapes what comes from outside, and says plainly how the run went."""

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from engine.core import money
from engine.core.facts import AnyFact, EquityMarked, TradeClosed
from engine.core.view import BreakerView, RefusedView
from engine.core.words import ExitReason, Side
from engine.review.bars import BARS_MAX, signed_bar, trade_chart
from engine.review.chart import POINTS_MAX, equity_chart, thin
from engine.review.essay import essay
from engine.review.page import TRADES_SHOWN_MAX, summary_page
from engine.review.performance import Performing
from engine.review.report import Percentiles, RunFigures, final_report
from engine.review.reviewed import Review, review

CANARY = "<script>alert('x')</script>\x1b[2J\"&"
VOID = {"meta", "br", "circle", "path"}
START_NS = 1_795_244_902_000_000_000
MINUTE = 60_000_000_000


def d(text: str) -> int:
    return money.parse(text)


def report(**changes: Any) -> dict[str, Any]:
    figures: dict[str, Any] = {
        **{"run_id": "20261121-070822", "env": "paper", "venue": "sim", "broker": "paper", "source": "generated"},
        **{"clock": "wall", "seed": 7, "version": "0.1.0", "config_hash": "ab", "started_ns": START_NS},
        **{"ended_ns": START_NS + MINUTE, "duration_ns": MINUTE, "reason": "duration_complete", "exit_code": 0},
        **{"error_count": 0, "autonomous": True, "starting_equity": d("10000"), "ending_equity": d("9999")},
        **{"starting_unrealized": 0, "ending_unrealized": 0, "realized": d("-0.5"), "fees": d("0.5"), "funding": 0},
        **{"trades": 1, "orders": 2, "fills": 2, "rejects": 0, "signals_total": 1, "signals_in_flight": 0},
        **{"signals": {"EXECUTED": 1}, "market_events": 9, "decision_hash": "cd", "journal_head": "ef"},
        **{"journal_rows": 5, "heartbeat_count": 60, "heartbeat_max_gap_ns": 10**9, "loop_lag_us": Percentiles()},
        **{"tick_to_decision_us": Percentiles(), "rss_bytes_peak": 1, "dropped_ticks": 0, "gap_count": 0},
        "stale_events": 0,
    }
    return final_report(RunFigures(**(figures | changes)))


def trade(n: int = 0, **changes: Any) -> TradeClosed:
    told: dict[str, Any] = {
        **{"at_ns": START_NS + n * MINUTE, "trade_id": "t", "signal_id": "s", "strategy_id": "trend"},
        **{"symbol": "BTCUSDT", "side": Side.LONG, "qty": d("1"), "entry_price": d("100"), "exit_price": d("99.5")},
        **{"entry_at_ns": START_NS, "pnl": d("-1"), "fees": d("0.5"), "funding": 0, "exit_reason": ExitReason.SL},
        **{"phase": "UP", "regime": "UNKNOWN"},
    }
    return TradeClosed(**(told | changes))


def marks(*equity: str) -> list[EquityMarked]:
    return [EquityMarked(START_NS + n * MINUTE, d(value), 0, 0, 0, 0, 0, 0, 0, 0) for n, value in enumerate(equity)]


def test_refusals_are_told_by_the_rules_own_words_the_most_frequent_first() -> None:
    counted = {"filled": 1, "heat": 1, "max_positions": 22}
    signals = {"EXECUTED": 1, "REJECTED_BY_HEAT": 23}
    shown = page(report(signals_total=24, signals=signals, signal_reasons=counted), [], [])
    assert "Refused by: max_positions 22, heat 1." in shown
    assert "Refused by" not in page(report(), [], [])


def test_a_halt_that_stands_at_the_end_is_told_at_the_top() -> None:
    halt = BreakerView(
        *("daily_loss", "daily loss", 50, 50, "money", 1, True, "halt_day", "the next trading day"),
        *("50.12 >= 50.00", START_NS),
    )
    top = page(report(halts=(halt,)), [], []).partition("Equity and drawdown</h2>")[0]
    assert "Halted by daily_loss: 50.12 &gt;= 50.00 since " in top and "lifted by the next trading day" in top
    assert "Halted" not in page(report(), [], [])


def test_the_page_says_why_a_later_head_differs() -> None:
    assert "audit verify" in page(report(), [], [])


def test_refused_data_is_told_by_cause_with_its_place() -> None:
    refused = RefusedView(CANARY, 12, "a.csv:3:7")
    shown = page(report(data_rejects=12, data_refused=(refused,)), [], [])
    assert "Refused 12: &lt;script" in shown and "first at a.csv:3:7" in shown


def test_the_band_holds_the_runs_own_result_and_names_those_of_worse_and_better_fills() -> None:
    def shown(worse: str | None, better: str | None) -> str:
        return page(report(net_pnl_pessimistic=worse and d(worse), net_pnl_optimistic=better and d(better)), [], [])

    assert report()["net_pnl"] == "-1"
    assert "−3.00 to +2.00 (pessimistic fills −3.00, optimistic +2.00)" in shown("-3", "2")
    assert "−1.00 to +4.00 (pessimistic fills +4.00, optimistic +2.00)" in shown("4", "2")
    assert "Band over execution profiles: not measured" in shown(None, None)


def page(told: dict[str, Any], trades: list[TradeClosed], curve: list[EquityMarked]) -> str:
    return summary_page(looked_back(told, trades, curve))


def looked_back(told: dict[str, Any], trades: list[TradeClosed], curve: list[EquityMarked]) -> Review:
    performing = Performing()
    facts: list[AnyFact] = [*trades, *curve]
    for fact in sorted(facts, key=lambda one: one.at_ns):
        performing.take(fact)
    return review(told, performing)


class Reader(HTMLParser):
    """Checks that tags nest, and collects tags, attributes and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.words: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def test_the_page_is_well_formed_and_asks_nothing_of_the_network() -> None:
    text = page(report(), [trade()], marks("10000", "10001", "9999"))
    reader = Reader(text)
    assert not {"script", "link", "img", "iframe", "object", "use", "image"} & set(reader.tags)
    assert not {"src", "href", "xlink:href", "srcset", "action"} & {name for name, _ in reader.attributes}
    assert not re.search(r"https?:|//|@import|url\(", text)
    assert "default-src 'none'" in text


def test_the_page_says_how_the_run_went() -> None:
    text = Reader(page(report(), [trade()], marks("10000", "10001", "9999"))).text
    assert "PAPER" in text
    assert "Ended in order : duration_complete, exit code 0, after 0:01:00." in text
    assert "Net P&L −1.00 −0.01 % of 10,000.00" in text
    assert "Max drawdown 0.02 %" in text
    assert "adds up to the last digit" in text
    assert "says nothing about profit with real money" in text
    assert "None: the figures agree" in text


@pytest.mark.parametrize(
    ("reason", "code", "words"),
    [("circuit_breaker", 1, "Stopped itself for safety"), ("error", 1, "Failed"), ("kill_switch", 0, "Ended in order")],
)
def test_the_ending_is_named(reason: str, code: int, words: str) -> None:
    assert words in page(report(reason=reason, exit_code=code), [], [])


def test_whatever_comes_from_outside_is_escaped() -> None:
    told = report(
        **{"venue": CANARY, "source": CANARY, "reason": CANARY, "config_hash": CANARY, "version": CANARY},
        problems=(CANARY,),
    )
    text = page(told, [trade(symbol=CANARY, strategy_id=CANARY)], marks("10000", "9999"))
    assert "<script" not in text
    assert "\x1b" not in text
    assert text.count("&lt;script&gt;") >= 7
    Reader(text)


def test_a_run_without_trades_or_marks_has_a_page_too() -> None:
    text = Reader(page(report(trades=0, signals_total=0, signals={}, started_ns=0), [], [])).text
    assert "Too few equity marks for a curve." in text
    assert "No trade was closed." in text


def test_what_does_not_add_up_is_shown_in_place_of_praise() -> None:
    text = Reader(page(report(fees=d("0.4")), [], [])).text
    assert "-0.1 unexplained" in text
    assert "None: the figures agree" not in text


def test_a_live_run_looks_live() -> None:
    text = page(report(env="live", venue="bitunix"), [], [])
    assert '<span class="badge live">LIVE</span>' in text
    assert "real money" in text


def test_only_the_newest_trades_are_listed_and_that_is_said() -> None:
    trades = [trade(n) for n in range(TRADES_SHOWN_MAX + 5)]
    text = page(report(), trades, [])
    assert f"newest {TRADES_SHOWN_MAX} of {TRADES_SHOWN_MAX + 5}" in text
    assert text.count('<span class="bad">−1.00</span>') == TRADES_SHOWN_MAX


def test_a_thinned_curve_keeps_its_ends_and_its_extremes() -> None:
    points = [(n, 1_000 + n % 7) for n in range(20_000)]
    points[7_001] = (7_001, 5)
    points[9_999] = (9_999, 90_000)
    kept = thin(points)
    assert len(kept) <= POINTS_MAX
    assert (kept[0], kept[-1]) == (points[0], points[-1])
    assert (7_001, 5) in kept
    assert (9_999, 90_000) in kept
    assert kept == sorted(kept)


@pytest.mark.parametrize("equity", [("10000", "10000"), ("0", "0"), ("-5", "3"), ("0.00000001", "0.00000003")])
def test_any_equity_makes_a_chart(equity: tuple[str, str]) -> None:
    chart = equity_chart(marks(*equity), d(equity[0]))
    Reader(chart)
    assert chart.startswith("<svg")
    numbers = [float(y) for y in re.findall(r' y="([\d.-]+)"', chart)]
    assert all(0 <= y <= 330 for y in numbers)


def test_results_of_trades_are_bars_above_and_below_a_line() -> None:
    assert trade_chart([]) == '<p class="quiet">No trade was closed.</p>'
    chart = trade_chart([trade(n, pnl=d(pnl), symbol=CANARY) for n, pnl in enumerate(("2", "-1", "0"))])
    assert (chart.count('class="gain"'), chart.count('class="loss"')) == (1, 2) and CANARY not in chart
    many = trade_chart([trade(n, pnl=d("1")) for n in range(2 * BARS_MAX + 1)])
    assert many.count("<rect") <= BARS_MAX and "3 trades until" in many


@pytest.mark.parametrize(("value", "x", "width"), [(10, 120, 120), (-10, 0, 120), (-5, 60, 60), (0, 120, 0)])
def test_a_bar_begins_in_the_middle_and_goes_as_far_as_its_share(value: int, x: int, width: int) -> None:
    bar = signed_bar(value, 10)
    assert f'x="{x}"' in bar and f'width="{width}"' in bar


def test_the_text_has_no_markup_from_outside() -> None:
    text = essay(looked_back(report(venue=CANARY, problems=(CANARY,)), [trade(strategy_id=CANARY)], marks("100", "99")))
    assert "<script" not in text.replace("\\<script", "")
    assert text.count("\n## ") == 7


def test_the_page_keeps_both_verdicts_apart_and_every_breakdown_sums() -> None:
    shown = page(report(), [trade(n) for n in range(3)], marks("100", "99"))
    assert "Reliability of the desk</h2>" in shown and "Economics of the strategy</h2>" in shown
    assert shown.count("sums to the whole") == 6
    assert "Advisory: nothing here is applied" in shown
