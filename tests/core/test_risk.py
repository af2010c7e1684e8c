"""The safety layers: each limit from both sides, the order of the layers, and what is unknown denies."""

from typing import Any

import msgspec
import pytest

from engine.core import money
from engine.core.candidate import Candidate, loss_at_stop
from engine.core.checks_desk import BLOCK_CODES
from engine.core.conditions import Answer
from engine.core.config import MINUTE, SECOND, Limits
from engine.core.correlation import Alike
from engine.core.facts import Check
from engine.core.limits import AMOUNTS, FLOORS, HARD, TIERS, hard_limits, looser_than_hard
from engine.core.risk import RULES, checks, judge
from engine.core.rule import Refusal
from engine.core.strategy import Proposal
from engine.core.words import TERMINAL_STATE, BlockReason, ReasonCode, Side, TerminalState
from tests.rig import SYMBOL, d, instrument


def candidate(**changes: Any) -> Candidate:
    """An entry that passes every rule, with `changes`."""
    proposal = Proposal(SYMBOL, Side.LONG, d(100), d(99), d(102), "because")
    fields: dict[str, Any] = {
        "proposal": proposal,
        "instrument": instrument(),
        "limits": Limits(),
        "qty": d(2),
        "price": d(100),
        "last": d(100),
        "mid": d(100),
        "last_age_ns": SECOND,
        "halted": False,
        "is_open": True,
        "conditions": Answer(d(1)),
        "killed": False,
        "blocks": (),
        "block_text": "",
        "breaker": None,
        "breaker_text": "",
        "open_positions": 0,
        "symbol_positions": 0,
        "heat_limit": d("0.01"),
        "day_loss_left": d(50),
        "equity": d(10_000),
        "free_margin": d(10_000),
        "balance_age_ns": 0,
        "alike": Alike(0, "", 100, ""),
        "since_same_ns": 10 * SECOND,
        "orders_last_minute": 0,
        "messages_last_minute": 0,
    }
    fields |= changes
    price, qty, used = fields["price"], fields["qty"], fields["instrument"]
    notional = money.mul(price, qty)
    loss = loss_at_stop(price, fields["proposal"].stop, qty, used)
    derived = {
        "notional": notional,
        "loss": loss,
        "position_qty": qty,
        "position_notional": notional,
        "gross": notional,
        "net": notional,
        "risk": loss,
        "margin": money.div(notional, d(20)),
    }
    return Candidate(**(derived | fields))


def seen_and_said(made: Candidate) -> tuple[tuple[Check, ...], Refusal | None]:
    seen, no = judge(made)
    return checks(seen), no


def refusal(made: Candidate) -> Refusal | None:
    return judge(made)[1]


def told(made: Candidate) -> ReasonCode | None:
    no = refusal(made)
    return None if no is None else no.code


def levels(stop: str, target: str, entry: str = "100", side: Side = Side.LONG) -> Proposal:
    return Proposal(SYMBOL, side, d(entry), d(stop), d(target), "because")


def with_limits(**changes: int) -> Limits:
    return msgspec.structs.replace(Limits(), **changes)


def test_the_plain_candidate_passes() -> None:
    assert refusal(candidate()) is None


R = ReasonCode
BOUNDARIES: list[tuple[str, ReasonCode, dict[str, Any], dict[str, Any]]] = [
    ("kill", R.KILLED, {"killed": False}, {"killed": True}),
    ("breaker", R.DAILY_LOSS, {"breaker": None}, {"breaker": R.DAILY_LOSS}),
    ("block", R.PAUSED, {"blocks": ()}, {"blocks": (BlockReason.OPERATOR,)}),
    ("market_open", R.MARKET_CLOSED, {"is_open": True}, {"is_open": False}),
    ("price_known", R.NO_PRICE, {}, {"last": 0}),
    ("price_age", R.STALE_DATA, {"last_age_ns": 15 * SECOND}, {"last_age_ns": 15 * SECOND + 1}),
    ("halt", R.HALTED, {"halted": False}, {"halted": True}),
    ("listing", R.INSTRUMENT_CHANGED, {"changed": ""}, {"changed": "tick is 0.5, was 0.1"}),
    ("conditions", R.PHASE_UNKNOWN, {}, {"conditions": Answer(0, R.PHASE_UNKNOWN, "too few bars")}),
    ("positions", R.MAX_POSITIONS, {"open_positions": 4}, {"open_positions": 5}),
    ("whitelist", R.SYMBOL_NOT_ALLOWED, {}, {"instrument": None}),
    ("fees_known", R.FEES_UNKNOWN, {"sizes": {"fee_source": "venue"}}, {"sizes": {"fee_source": "assumed"}}),
    ("symbol", R.SYMBOL_POSITIONS, {"symbol_positions": 0}, {"symbol_positions": 1}),
    ("symbol_qty", R.SYMBOL_QTY, {"position_qty": d(1_000)}, {"position_qty": d("1000.001")}),
    ("leverage", R.LEVERAGE, {"gross": d(200_000)}, {"gross": d("200000.00000001")}),
    (
        *("gross_exposure", R.EXPOSURE),
        *(
            {"limits": {"gross_exposure_max": d("0.05")}},
            {"limits": {"gross_exposure_max": d("0.0199")}, "gross": d(200)},
        ),
    ),
    ("net_exposure", R.EXPOSURE, {"net": d(200_000)}, {"net": d("200000.01")}),
    ("concentration", R.CONCENTRATION, {"position_notional": d(80_000)}, {"position_notional": d("80000.01")}),
    (
        *("heat", R.HEAT, {"risk": d(100), "day_loss_left": d(200)}),
        {"risk": d("100.00000001"), "day_loss_left": d(200)},
    ),
    (
        *("correlation_known", R.CORRELATION_UNKNOWN),
        *({"alike": Alike(0, "", 100, "")}, {"alike": Alike(d(1), "ETHUSDT", 99, "SOLUSDT")}),
    ),
    (
        *("correlation", R.CORRELATION),
        *({"alike": Alike(d("0.8"), "ETHUSDT", 100)}, {"alike": Alike(d("0.80000001"), "ETHUSDT", 100)}),
    ),
    ("balance", R.MARGIN, {"balance_age_ns": MINUTE}, {"balance_age_ns": MINUTE + 1}),
    ("margin", R.MARGIN, {"free_margin": d(10)}, {"free_margin": d("9.99"), "margin": d(10)}),
    ("day_risk", R.DAY_RISK, {"day_loss_left": d("2.4")}, {"day_loss_left": d("2.39"), "risk": d("2.4")}),
    ("levels", R.INVALID_LEVELS, {"proposal": ("99", "102")}, {"proposal": ("101", "102")}),
    ("reward_risk", R.REWARD_RISK, {"proposal": ("99", "101")}, {"proposal": ("99", "100.99")}),
    ("lots", R.ZERO_SIZE, {"qty": d("0.001"), "price": d(100)}, {"qty": 0}),
    ("min_qty", R.BELOW_MIN_QTY, {"sizes": {"min_qty": d(2)}}, {"sizes": {"min_qty": d("2.001")}}),
    (
        "max_qty",
        R.ABOVE_MAX_QTY,
        {"sizes": {"max_qty": d(2)}},
        {"sizes": {"max_qty": d("1.9"), "max_position_qty": d(9)}},
    ),
    (
        *("min_notional", R.BELOW_MIN_NOTIONAL),
        *({"sizes": {"min_notional": d(200)}}, {"sizes": {"min_notional": d("200.01")}}),
    ),
    (
        *("max_notional", R.ABOVE_MAX_NOTIONAL),
        *({"sizes": {"max_notional": d(200)}}, {"sizes": {"max_notional": d("199.99")}}),
    ),
    (
        *("order_notional", R.NOTIONAL),
        *({"limits": {"order_notional_max": d(200)}}, {"limits": {"order_notional_max": d("199.99")}}),
    ),
    (
        *("position_notional", R.NOTIONAL),
        *({"limits": {"position_notional_max": d(200)}}, {"limits": {"position_notional_max": d("199.99")}}),
    ),
    (  # 2 units, 1 to the stop, and 0.1 % of 200 each way: 2.4
        *("loss", R.LOSS_PER_TRADE),
        *({"limits": {"loss_per_trade_max": d("2.4")}}, {"limits": {"loss_per_trade_max": d("2.39")}}),
    ),
    ("collar", R.PRICE_COLLAR, {"last": d("95.23809524")}, {"last": d("95.23")}),
    ("duplicate", R.DUPLICATE, {"since_same_ns": 10 * SECOND}, {"since_same_ns": 10 * SECOND - 1}),
    ("rate", R.RATE_LIMIT, {"orders_last_minute": 9}, {"orders_last_minute": 10}),
    ("message_rate", R.MESSAGE_RATE, {"messages_last_minute": 119}, {"messages_last_minute": 120}),
]


def made_of(changes: dict[str, Any]) -> Candidate:
    """A candidate with `changes`; `limits`, `sizes` and `proposal` say what is different in these."""
    fields = dict(changes)
    limits, sizes = fields.pop("limits", {}), fields.pop("sizes", None)
    if sizes is not None:
        fields.setdefault("instrument", instrument(**sizes))
    if "proposal" in fields:
        fields["proposal"] = levels(*fields["proposal"])
    return candidate(limits=with_limits(**limits), **fields)


def merged(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """All changes in one; the earlier rule's where two change the same."""
    found: dict[str, Any] = {"limits": {}, "sizes": {}}
    for changes in reversed(rows):
        for field, value in changes.items():
            found[field] = {**found[field], **value} if field in ("limits", "sizes") else value
    return found


@pytest.mark.parametrize(("name", "code", "inside", "outside"), BOUNDARIES, ids=[row[0] for row in BOUNDARIES])
def test_just_inside_passes_and_just_outside_is_refused_with_its_code(
    name: str, code: ReasonCode, inside: dict[str, Any], outside: dict[str, Any]
) -> None:
    assert refusal(made_of(inside)) is None
    seen, no = seen_and_said(made_of(outside))
    assert no is not None
    assert (seen[-1].rule, no.code) == (name, code)
    assert len(no.text) > 10 or name in ("breaker", "block"), "a sentence"


def test_every_rule_has_its_boundary_tested() -> None:
    assert [row[0] for row in BOUNDARIES] == [rule.name for rule in RULES]


@pytest.mark.parametrize("first", range(len(BOUNDARIES)), ids=[row[0] for row in BOUNDARIES])
def test_of_all_rules_broken_from_one_on_that_one_refuses(first: int) -> None:
    seen, no = seen_and_said(made_of(merged([row[3] for row in BOUNDARIES[first:]])))
    assert no is not None
    assert seen[-1].rule == BOUNDARIES[first][0]


def test_the_layers_come_in_order() -> None:
    assert [rule.layer for rule in RULES] == sorted(rule.layer for rule in RULES)
    assert {rule.layer for rule in RULES} == set(range(6))


def test_200000_may_be_sent_and_a_cent_more_is_refused_with_the_number() -> None:
    """FO-13: An account large enough for it and an order without costs, which would lose too much at its stop."""
    large: dict[str, Any] = {"equity": d(10**6), "free_margin": d(10**6), "proposal": levels("99.999", "102")}
    free = instrument(max_qty=d(10_000), taker_fee=0)
    assert told(candidate(**large, instrument=free, qty=d(2000))) is None
    for qty, notional in (("2000.0001", "200000.01"), ("2500", "250000")):
        no = refusal(candidate(**large, instrument=free, qty=d(qty)))
        assert no is not None
        assert (no.code, no.value, no.limit) == (R.NOTIONAL, d(notional), d(200_000))
        assert no.text == f"the order's notional is {money.text(d(notional), 2)}, above 200000.00"
    no = refusal(candidate(**large, instrument=free, qty=d(100), position_notional=d("200000.01")))
    assert no is not None
    assert (no.code, no.text) == (R.NOTIONAL, "the position's notional would be 200000.01, above 200000.00")


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        (R.BREAKER, {"breaker": R.BREAKER}),
        (R.ERROR_LIMIT, {"breaker": R.ERROR_LIMIT}),
        (R.STALE_DATA, {"last_age_ns": -1}),
        (R.PHASE_FORBIDS, {"conditions": Answer(0, R.PHASE_FORBIDS, "volatile")}),
        (R.STRATEGY_DISABLED, {"conditions": Answer(0, R.STRATEGY_DISABLED, "not in CRISIS")}),
        (R.LEVERAGE, {"equity": 0}),
        (R.LEVERAGE, {"equity": -1}),
        (R.MARGIN, {"balance_age_ns": -1}),
        (R.MARGIN, {"free_margin": 0}),
        (R.CORRELATION_UNKNOWN, {"alike": Alike(0, "", 0, "ETHUSDT")}),
        (R.PRICE_COLLAR, {"mid": d("95.23")}),
        (R.PRICE_COLLAR, {"mid": d("105.3")}),
        (R.INVALID_LEVELS, {"proposal": levels("99", "99.5")}),
        (R.INVALID_LEVELS, {"proposal": levels("100", "101")}),
        (R.INVALID_LEVELS, {"proposal": levels("-1", "101"), "qty": d("0.01")}),
        (R.INVALID_LEVELS, {"proposal": levels("99", "101", side=Side.SHORT)}),
    ],
)
def test_what_is_wrong_or_unknown_is_refused(code: ReasonCode, changes: dict[str, Any]) -> None:
    """FA-12."""
    assert told(candidate(**changes)) is code


def test_the_collar_does_without_a_middle_where_there_is_no_quote() -> None:
    assert told(candidate(mid=0)) is None


def test_a_symbol_without_a_quantity_of_its_own_holds_as_much_as_one_order() -> None:
    assert told(candidate(instrument=instrument(max_position_qty=d(2)), position_qty=d("2.001"))) is R.SYMBOL_QTY
    assert told(candidate(instrument=instrument(max_qty=d(2)), position_qty=d("2.001"))) is R.SYMBOL_QTY
    assert told(candidate(instrument=instrument(max_qty=d(2), max_position_qty=d(5)), position_qty=d(5))) is None


def test_every_rule_leaves_its_value_and_its_limit_up_to_the_first_refusal() -> None:
    seen, no = seen_and_said(candidate())
    assert no is None
    assert [(check.layer, check.rule) for check in seen] == [(rule.layer, rule.name) for rule in RULES]
    assert all(check.ok for check in seen)
    (heat,) = (check for check in seen if check.rule == "heat")
    assert (heat.value, heat.limit) == (d("0.00024"), d("0.01"))

    seen, no = seen_and_said(candidate(risk=d("100.01")))
    assert no is not None
    assert [check.ok for check in seen] == [True] * (len(seen) - 1) + [False]
    assert (seen[-1].rule, seen[-1].value, seen[-1].limit) == ("heat", no.value, no.limit)


def test_a_refusal_names_the_value_and_the_limit_in_their_unit() -> None:
    no = refusal(candidate(risk=d(122)))
    assert no is not None
    assert no.text == "the stops together would risk 1.22% of equity, above 1.00%"


def test_rules_are_named_once_and_each_can_refuse() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert all(rule.codes and rule.says and rule.no for rule in RULES)


def test_every_block_but_the_kill_and_the_breakers_has_a_code_of_its_own() -> None:
    assert set(BLOCK_CODES) == set(BlockReason) - {BlockReason.KILL, BlockReason.BREAKER}


def test_every_reason_has_exactly_one_terminal_state() -> None:
    assert set(TERMINAL_STATE) == set(ReasonCode)
    assert set(TERMINAL_STATE.values()) == set(TerminalState)


@pytest.mark.parametrize(
    ("state", "codes"),
    [
        (TerminalState.EXECUTED, "filled partly_filled"),
        (TerminalState.REJECTED_BY_CORRELATION, "correlation correlation_unknown"),
        (
            TerminalState.REJECTED_BY_HEAT,
            "heat exposure concentration max_positions symbol_positions symbol_qty day_risk",
        ),
        (
            TerminalState.REJECTED_BY_CIRCUIT_BREAKER,
            "kill paused reconciliation stale_data trading_halted instrument_changed breaker cooldown daily_loss "
            "error_limit phase_forbids phase_unknown strategy_disabled gate_denied journal unknown_order session_ended "
            "market_closed no_price",
        ),
        (
            TerminalState.REJECTED_BY_SIZING,
            "zero_size below_min_qty below_min_notional above_max_qty above_max_notional fees_unknown loss_per_trade "
            "reward_risk invalid_levels",
        ),
        (
            TerminalState.REJECTED_BY_BROKER,
            "rate_limit_exceeded message_rate_exceeded notional_exceeded leverage insufficient_margin "
            "symbol_not_allowed price_collar duplicate venue_refused cancelled_unfilled lost_in_crash internal_error",
        ),
    ],
)
def test_each_cause_ends_in_its_state(state: TerminalState, codes: str) -> None:
    assert {code.value for code, ends in TERMINAL_STATE.items() if ends is state} == set(codes.split())


def test_larger_accounts_have_larger_hard_amounts() -> None:
    assert hard_limits(d("24999.99")) == hard_limits(0) == hard_limits(-1) == HARD
    middle, large = hard_limits(d(25_000)), hard_limits(d(100_000))
    assert hard_limits(d("99999.99")) == middle
    for field in Limits.__struct_fields__:
        times = (2, 4) if field in AMOUNTS else (1, 1)
        assert (getattr(middle, field), getattr(large, field)) == tuple(getattr(HARD, field) * n for n in times)
    assert looser_than_hard(middle, d(25_000)) == []
    assert {field for field, _, _ in looser_than_hard(middle, d("24999.99"))} == set(AMOUNTS)
    for tier in TIERS:
        assert tier.limits.loss_per_trade_max < tier.limits.daily_loss_max


def test_the_hard_limits_are_not_looser_than_themselves_and_cannot_be_assigned() -> None:
    assert looser_than_hard(HARD) == []
    with pytest.raises(AttributeError):
        HARD.heat_max = 1  # type: ignore[misc]
    with pytest.raises(AttributeError):
        TIERS[2].limits.daily_loss_max = 1  # type: ignore[misc]
    with pytest.raises(TypeError):
        TIERS[0] = TIERS[2]  # type: ignore[index]


@pytest.mark.parametrize("field", Limits.__struct_fields__)
def test_each_limit_may_be_tightened_and_never_loosened(field: str) -> None:
    hard = getattr(HARD, field)
    step = 1 if field in FLOORS else -1
    if hard + step > 0:
        assert looser_than_hard(msgspec.structs.replace(HARD, **{field: hard + step})) == []
    assert looser_than_hard(msgspec.structs.replace(HARD, **{field: hard - step})) == [(field, hard - step, hard)]
    assert looser_than_hard(msgspec.structs.replace(HARD, **{field: 0})) == [(field, 0, hard)]
