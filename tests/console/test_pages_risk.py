"""The risk page: who would refuse what, and how near each rule is to its limit."""

from console.board import plain
from console.pages.risk import RiskPage
from console.text import Seen
from engine.core.money import parse
from engine.core.view import ProbedView, ProbeView
from engine.core.words import Side
from tests.console import sample_desk as sample

PROBES = tuple(
    ProbeView(symbol, side, rule)
    for symbol, rule in (("BTCUSDT", ""), ("ETHUSDT", "heat"), ("ADAUSDT", "positions"))
    for side in Side
)
CHECKS = (
    ("kill", 0, 0, True),
    ("heat", parse("0.0095"), parse("0.01"), True),
    ("leverage", parse("500"), parse("20000"), True),
    ("reward_risk", parse("2"), parse("1"), True),
    ("order_notional", parse("300"), parse("200"), False),
    ("a rule of tomorrow", parse("1"), parse("2"), True),
)


def seen(at_ns: int = sample.NOW) -> Seen:
    probed = ProbedView("BTCUSDT", Side.LONG, sample.NOW, CHECKS)
    return Seen(sample.changed(sample.BUSY, probes=PROBES, probed=probed, at_ns=at_ns))


def shown(page: RiskPage, width: int = 140, height: int = 30, at_ns: int = sample.NOW) -> str:
    page.see(seen(at_ns))
    return plain(page.body(seen(at_ns), width, height))


def line_with(text: str, page: str) -> str:
    (line,) = (line for line in page.splitlines() if text in line)
    return " ".join(line.split())


def test_each_entry_says_which_rule_would_refuse_it() -> None:
    page = shown(RiskPage())
    assert "4 of 6 refused" in page
    assert "> BTCUSDT LONG ok would pass" in line_with("> ", page)
    assert "ETHUSDT SHORT x heat" in line_with("ETHUSDT    SHORT", page)


def test_each_rule_is_told_with_value_limit_and_what_is_left() -> None:
    page = shown(RiskPage(), 160)
    assert "heat ! near 0.95% ≤ 1.00% 5 %" in line_with("heat              !", page)
    assert "leverage ok 500.00 ≤ 20000.00 98 %" in line_with("leverage ", page)
    assert "reward_risk ok 2.00 ≥ 1.00 reward_risk_min" in line_with("reward_risk ", page), "of a floor nothing is left"
    assert "order_notional x refuses 300.00 ≤ 200.00 0 %" in line_with("order_notional ", page)
    assert "a rule of tomorr" in page


def test_a_chosen_entry_that_was_not_measured_yet_says_so_and_an_old_measure_its_age() -> None:
    page = RiskPage()
    shown(page)
    assert page.press("down", None)
    assert "still to come" in shown(page)
    assert page.press("up", None)
    assert "as of 20s ago" in shown(page, at_ns=sample.NOW + 20 * sample.SECOND)


def test_on_a_small_screen_the_rules_stand_below_and_can_be_scrolled() -> None:
    page = RiskPage()
    first = shown(page, 80, 12)
    assert "more rules" in first and "kill" in first and "order_notional" not in first
    assert page.press("pagedown", None)
    assert "order_notional" in shown(page, 80, 12)


def test_a_desk_that_does_not_tell_is_said_to_be_silent() -> None:
    page = RiskPage()
    assert "has not said" in plain(page.body(Seen(sample.BUSY), 80, 20))
