"""What a refusal tells people: the value measured, its limit, and a sentence that names both."""

from typing import Any

import pytest

from engine.core import checks_desk, checks_order
from engine.core.conditions import Answer
from engine.core.config import MINUTE, SECOND
from engine.core.correlation import Alike
from engine.core.limits import looser_than_hard
from engine.core.risk import RULES
from engine.core.words import BlockReason, ReasonCode, Side
from tests.core.test_risk import candidate, levels, made_of, seen_and_said, told, with_limits
from tests.rig import d

R = ReasonCode

REFUSALS: list[tuple[str, dict[str, Any], str, str, str]] = [
    ("kill", {"killed": True}, "1", "0", "the kill switch is latched; rearm lifts it"),
    (
        *("breaker", {"breaker": R.BREAKER, "breaker_text": "losses in a row breaker tripped: 5 >= 5"}),
        *("1", "0", "losses in a row breaker tripped: 5 >= 5"),
    ),
    (
        *("block", {"blocks": (BlockReason.OPERATOR, BlockReason.JOURNAL), "block_text": "paused by ann; disk full"}),
        *("2", "0", "paused by ann; disk full"),
    ),
    ("market_open", {"is_open": False}, "1", "0", "the market of BTCUSDT is closed"),
    ("price_known", {"last": 0}, "0", "0", "no price of BTCUSDT is known yet"),
    ("price_age", {"last_age_ns": 17 * SECOND}, "17", "15", "the last price is 17.0 s old, 15.0 s are allowed"),
    ("halt", {"halted": True}, "1", "0", "trading in BTCUSDT is halted"),
    (
        *("listing", {"changed": "tick is 0.5, was 0.1"}),
        *("1", "0", "the venue's rules for BTCUSDT have changed: tick is 0.5, was 0.1"),
    ),
    ("conditions", {"conditions": Answer(0, R.PHASE_FORBIDS, "no entry: VOLATILE")}, "1", "0", "no entry: VOLATILE"),
    ("positions", {"open_positions": 6}, "6", "5", "6 of 5 positions open or being entered"),
    ("whitelist", {"instrument": None}, "1", "0", "BTCUSDT is not among the symbols of this run"),
    (
        *("fees_known", {"sizes": {"fee_source": "assumed"}}, "1", "0"),
        "the fees of BTCUSDT are unknown: neither the venue nor its file names both",
    ),
    ("symbol", {"symbol_positions": 2}, "2", "1", "BTCUSDT already has a position or a working order"),
    ("symbol_qty", {"position_qty": d(1_200)}, "1200", "1000", "the position would be 1200, above 1000"),
    ("leverage", {"gross": d(210_000)}, "210000", "200000", "exposure would be 210000.00, above 200000.00"),
    (
        *("gross_exposure", {"limits": {"gross_exposure_max": d("0.5")}, "gross": d(5_500)}),
        *("5500", "5000", "gross exposure would be 5500.00, above 5000.00"),
    ),
    (
        *("net_exposure", {"limits": {"net_exposure_max": d("0.5")}, "net": d(5_500)}),
        *("5500", "5000", "net exposure would be 5500.00, above 5000.00"),
    ),
    (
        *("concentration", {"position_notional": d(90_000)}),
        *("90000", "80000", "BTCUSDT would be 90000.00 of exposure, above 80000.00"),
    ),
    (
        *("heat", {"risk": d(125)}),
        *("0.0125", "0.01", "the stops together would risk 1.25% of equity, above 1.00%"),
    ),
    (
        *("correlation_known", {"alike": Alike(0, "", 59, "ETHUSDT")}),
        *("59", "100", "the correlation with ETHUSDT is unknown: 59 of 100 returns"),
    ),
    (
        *("correlation", {"alike": Alike(d("0.93"), "ETHUSDT", 100)}),
        *("0.93", "0.8", "it moves like ETHUSDT: 0.93, above 0.80"),
    ),
    (
        *("balance", {"balance_age_ns": 77 * SECOND}),
        *("77", "60", "the account's balance is unknown or too old (77.0 s)"),
    ),
    (
        *("margin", {"free_margin": d(8), "margin": d(10)}),
        *("10", "8", "the order needs a margin of 10.00, 8.00 is free"),
    ),
    (
        *("day_risk", {"day_loss_left": d(20), "risk": d("32.5")}),
        *("32.5", "20", "all stops together would lose 32.50, 20.00 is left of the daily loss"),
    ),
    ("levels", {"proposal": ("101", "102")}, "100", "101", "stop, entry and target are not in order"),
    (
        *("reward_risk", {"proposal": ("98", "101")}),
        *("0.5", "1", "reward over risk, before costs, is 0.50, below 1.00"),
    ),
    ("lots", {"qty": 0}, "0", "0.001", "the size is below one lot of 0.001"),
    ("min_qty", {"sizes": {"min_qty": d(3)}}, "2", "3", "2 is below the smallest quantity, 3"),
    (
        *("max_qty", {"sizes": {"max_qty": d("1.5"), "max_position_qty": d(9)}}),
        *("2", "1.5", "2 is above the largest quantity, 1.5"),
    ),
    (
        *("min_notional", {"sizes": {"min_notional": d(250)}}),
        *("200", "250", "200.00 is below the smallest order value, 250.00"),
    ),
    (
        *("max_notional", {"sizes": {"max_notional": d(150)}}),
        *("200", "150", "200.00 is above the symbol's largest order value, 150.00"),
    ),
    (
        *("order_notional", {"limits": {"order_notional_max": d(150)}}),
        *("200", "150", "the order's notional is 200.00, above 150.00"),
    ),
    (
        *("position_notional", {"limits": {"position_notional_max": d(150)}}),
        *("200", "150", "the position's notional would be 200.00, above 150.00"),
    ),
    (
        *("loss", {"limits": {"loss_per_trade_max": d(2)}}),
        *("2.4", "2", "the stop with costs would lose 2.40, above 2.00"),
    ),
    (
        *("collar", {"last": d(80)}),
        *("0.25", "0.05", "the order price is 25.00% away from the market, above 5.00%"),
    ),
    (
        *("duplicate", {"since_same_ns": 7 * SECOND}),
        *("7", "10", "the same entry was sent 7.0 s ago, 10.0 s have to pass"),
    ),
    ("rate", {"orders_last_minute": 12}, "12", "10", "12 orders in the last minute, 10 are allowed"),
    (
        *("message_rate", {"messages_last_minute": 130}),
        *("130", "120", "130 order messages in the last minute, 120 are allowed"),
    ),
]


@pytest.mark.parametrize(
    ("name", "changes", "value", "limit", "sentence"), REFUSALS, ids=[refused[0] for refused in REFUSALS]
)
def test_a_refusal_says_what_was_measured_and_what_was_allowed(
    name: str, changes: dict[str, Any], value: str, limit: str, sentence: str
) -> None:
    seen, no = seen_and_said(made_of(changes))
    assert no is not None
    assert seen[-1].rule == name
    assert (no.value, no.limit, no.text) == (d(value), d(limit), sentence)
    assert (seen[-1].value, seen[-1].limit) == (no.value, no.limit)


def test_every_rule_has_its_sentence_tested() -> None:
    assert [refused[0] for refused in REFUSALS] == [rule.name for rule in RULES]


# --- the edges of single rules ---


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        (R.PRICE_COLLAR, {"last": 1}),  # the smallest price there is, is one
        (R.STALE_DATA, {"last_age_ns": 15 * SECOND + 1}),
        (R.LEVERAGE, {"equity": 0, "gross": 0, "qty": 0}),
        (R.HEAT, {"equity": 1, "gross": 0, "net": 0, "position_notional": 0}),
        (R.INVALID_LEVELS, {"proposal": levels("0", "300"), "qty": d("0.01")}),
        (None, {"proposal": levels("0.00000001", "300"), "qty": d("0.01")}),
        (R.INVALID_LEVELS, {"proposal": levels("99", "100")}),
        (R.INVALID_LEVELS, {"proposal": levels("0", "50", side=Side.SHORT), "qty": d("0.01")}),
        (R.BELOW_MIN_QTY, {"qty": 1}),
        (R.MARGIN, {"balance_age_ns": MINUTE + 1}),
    ],
)
def test_the_smallest_step_over_an_edge_decides(code: ReasonCode | None, changes: dict[str, Any]) -> None:
    assert told(candidate(**changes)) is code


@pytest.mark.parametrize(("equity", "heat"), [(-1, d(1)), (0, d(1)), (1, d(240_000_000))])
def test_without_equity_the_heat_is_all_of_it(equity: int, heat: int) -> None:
    value, limit, ok = checks_desk.heat.measure(candidate(equity=equity))
    assert (value, limit, ok) == (heat, d("0.01"), False)


def test_the_record_of_a_pass_has_seconds_and_prices_in_their_units() -> None:
    made = candidate(last_age_ns=3 * SECOND, balance_age_ns=4 * SECOND, since_same_ns=20 * SECOND)
    seen = {check.rule: (check.value, check.limit) for check in seen_and_said(made)[0]}
    assert seen["price_known"] == (d(100), 0)
    assert seen["price_age"] == (d(3), d(15))
    assert seen["balance"] == (d(4), d(60))
    assert seen["duplicate"] == (d(20), d(10))
    assert seen["kill"] == (0, 0)
    assert checks_order.duplicate.unit.text(seen["duplicate"][0]) == "20.0 s"


def test_without_an_account_the_smallest_ones_limits_hold() -> None:
    loose = with_limits(daily_loss_max=d(51))
    assert looser_than_hard(loose) == [("daily_loss_max", d(51), d(50))]
    assert looser_than_hard(loose, d(25_000)) == []
