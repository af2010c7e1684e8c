"""The safety layers: each limit from both sides, the order of the layers, and what is unknown denies."""

from typing import Any

import msgspec
import pytest

from engine.core import money
from engine.core.candidate import Candidate, loss_at_stop, size
from engine.core.checks import BLOCK_CODES
from engine.core.conditions import Answer
from engine.core.config import SECOND, CoreConfig, Limits
from engine.core.limits import FLOORS, HARD, looser_than_hard
from engine.core.risk import RULES, judge
from engine.core.rule import Refusal
from engine.core.strategy import Proposal
from engine.core.words import TERMINAL_STATE, BlockReason, ReasonCode, Side, TerminalState
from tests.rig import SYMBOL, d, instrument

CONFIG = CoreConfig("paper", 1, True, d(10_000), (instrument(),), ())


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
        "last_age_ns": SECOND,
        "halted": False,
        "conditions": Answer(d(1)),
        "killed": False,
        "blocks": (),
        "block_text": "",
        "breaker": None,
        "breaker_text": "",
        "open_positions": 0,
        "symbol_positions": 0,
        "exposure": 0,
        "risk": 0,
        "equity": d(10_000),
        "free_margin": d(10_000),
        "entries_last_minute": 0,
        "heat_limit": d("0.01"),
    }
    fields |= changes
    price, qty, used = fields["price"], fields["qty"], fields["instrument"]
    derived = {
        "notional": money.mul(price, qty),
        "loss": loss_at_stop(price, fields["proposal"].stop, qty, used),
    }
    return Candidate(**(derived | fields))


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


BOUNDARIES: list[tuple[ReasonCode, dict[str, Any], dict[str, Any]]] = [
    (ReasonCode.MAX_POSITIONS, {"open_positions": 4}, {"open_positions": 5}),
    (ReasonCode.RATE_LIMIT, {"entries_last_minute": 9}, {"entries_last_minute": 10}),
    (ReasonCode.STALE_DATA, {"last_age_ns": 15 * SECOND}, {"last_age_ns": 15 * SECOND + 1}),
    (ReasonCode.MARGIN, {"free_margin": d(10)}, {"free_margin": d("9.99")}),
    (ReasonCode.LEVERAGE, {"exposure": d(199_800)}, {"exposure": d("199800.00000001")}),
    (
        ReasonCode.BELOW_MIN_QTY,
        {"instrument": instrument(min_qty=d(2))},
        {"instrument": instrument(min_qty=d("2.001"))},
    ),
    (
        ReasonCode.BELOW_MIN_NOTIONAL,
        {"instrument": instrument(min_notional=d(200))},
        {"instrument": instrument(min_notional=d("200.01"))},
    ),
    (
        ReasonCode.ABOVE_MAX_QTY,
        {"instrument": instrument(max_qty=d(2))},
        {"instrument": instrument(max_qty=d("1.999"))},
    ),
    (ReasonCode.REWARD_RISK, {"proposal": levels("99", "101")}, {"proposal": levels("99", "100.99")}),
    (ReasonCode.PRICE_COLLAR, {"last": d("95.23809524")}, {"last": d("95.23")}),
    (
        ReasonCode.NOTIONAL,
        {"limits": with_limits(order_notional_max=d(200))},
        {"limits": with_limits(order_notional_max=d("199.99"))},
    ),
    (  # 2 units, 1 to the stop, and 0.1 % of 200 each way: 2.4
        ReasonCode.LOSS_PER_TRADE,
        {"limits": with_limits(loss_per_trade_max=d("2.4"))},
        {"limits": with_limits(loss_per_trade_max=d("2.39"))},
    ),
    (ReasonCode.HEAT, {"risk": d("97.6")}, {"risk": d("97.61")}),
]


@pytest.mark.parametrize(("code", "inside", "outside"), BOUNDARIES, ids=[row[0].value for row in BOUNDARIES])
def test_just_inside_passes_and_just_outside_is_refused_with_its_code(
    code: ReasonCode, inside: dict[str, Any], outside: dict[str, Any]
) -> None:
    assert told(candidate(**inside)) is None
    assert told(candidate(**outside)) is code


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        (ReasonCode.KILLED, {"killed": True}),
        (ReasonCode.DAILY_LOSS, {"breaker": ReasonCode.DAILY_LOSS}),
        (ReasonCode.PAUSED, {"blocks": (BlockReason.OPERATOR,)}),
        (ReasonCode.NO_PRICE, {"last": 0}),
        (ReasonCode.STALE_DATA, {"last_age_ns": -1}),
        (ReasonCode.PHASE_UNKNOWN, {"conditions": Answer(0, ReasonCode.PHASE_UNKNOWN, "too few bars")}),
        (ReasonCode.PHASE_FORBIDS, {"conditions": Answer(0, ReasonCode.PHASE_FORBIDS, "volatile")}),
        (ReasonCode.STRATEGY_DISABLED, {"conditions": Answer(0, ReasonCode.STRATEGY_DISABLED, "not in CRISIS")}),
        (ReasonCode.SYMBOL_NOT_ALLOWED, {"instrument": None}),
        (ReasonCode.SYMBOL_POSITIONS, {"symbol_positions": 1}),
        (ReasonCode.LEVERAGE, {"equity": 0}),
        (ReasonCode.ZERO_SIZE, {"qty": 0}),
        (ReasonCode.INVALID_LEVELS, {"proposal": levels("101", "102")}),
        (ReasonCode.INVALID_LEVELS, {"proposal": levels("99", "99.5")}),
        (ReasonCode.INVALID_LEVELS, {"proposal": levels("100", "101")}),
        (ReasonCode.INVALID_LEVELS, {"proposal": levels("-1", "101"), "qty": d("0.01")}),
        (ReasonCode.INVALID_LEVELS, {"proposal": levels("99", "101", side=Side.SHORT)}),
    ],
)
def test_what_is_wrong_or_unknown_is_refused(code: ReasonCode, changes: dict[str, Any]) -> None:
    assert told(candidate(**changes)) is code


def test_the_layers_come_in_order_and_the_first_refusal_wins() -> None:
    assert [rule.layer for rule in RULES] == sorted(rule.layer for rule in RULES)
    everything_wrong: dict[str, Any] = {
        "killed": True,
        "breaker": ReasonCode.DAILY_LOSS,
        "blocks": (BlockReason.OPERATOR,),
        "open_positions": 9,
        "symbol_positions": 1,
        "exposure": d(10**7),
        "qty": 0,
    }
    expected = [
        ReasonCode.KILLED,
        ReasonCode.DAILY_LOSS,
        ReasonCode.PAUSED,
        ReasonCode.MAX_POSITIONS,
        ReasonCode.SYMBOL_POSITIONS,
        ReasonCode.LEVERAGE,
        ReasonCode.ZERO_SIZE,
    ]
    for field, code in zip(list(everything_wrong), expected, strict=True):
        assert told(candidate(**everything_wrong)) is code
        del everything_wrong[field]


def test_a_refusal_says_why_in_a_sentence() -> None:
    for _, _, outside in BOUNDARIES:
        no = refusal(candidate(**outside))
        assert no is not None
        assert len(no.text) > 10


def test_every_rule_leaves_its_value_and_its_limit_up_to_the_first_refusal() -> None:
    seen, no = judge(candidate())
    assert no is None
    assert [(check.layer, check.rule) for check in seen] == [(rule.layer, rule.name) for rule in RULES]
    assert all(check.ok for check in seen)
    (heat,) = (check for check in seen if check.rule == "heat")
    assert (heat.value, heat.limit) == (d("0.00024"), d("0.01"))

    seen, no = judge(candidate(risk=d("97.61")))
    assert no is not None
    assert [check.ok for check in seen] == [True] * (len(seen) - 1) + [False]
    assert (seen[-1].rule, seen[-1].value, seen[-1].limit) == ("heat", no.value, no.limit)


def test_a_refusal_names_the_value_and_the_limit_in_their_unit() -> None:
    no = refusal(candidate(risk=d(120)))
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


def test_the_size_risks_what_it_may_and_is_whole_lots() -> None:
    made = size(levels("99", "102"), instrument(), CONFIG, d(100), d(1))
    assert made == d(2), "2 USD of risk, 1 USD a unit"
    assert size(levels("99.9", "102"), instrument(), CONFIG, d(100), d(1)) == d(4), "400 USD at most"
    assert size(levels("97", "106"), instrument(lot=d(1)), CONFIG, d(100), d(1)) == 0, "two thirds of a lot is none"


def test_the_hard_limits_are_not_looser_than_themselves_and_cannot_be_assigned() -> None:
    assert looser_than_hard(HARD) == []
    with pytest.raises(AttributeError):
        HARD.heat_max = 1  # type: ignore[misc]


@pytest.mark.parametrize("field", Limits.__struct_fields__)
def test_each_limit_may_be_tightened_and_never_loosened(field: str) -> None:
    hard = getattr(HARD, field)
    step = 1 if field in FLOORS else -1
    if hard + step > 0:
        assert looser_than_hard(msgspec.structs.replace(HARD, **{field: hard + step})) == []
    assert looser_than_hard(msgspec.structs.replace(HARD, **{field: hard - step})) == [(field, hard - step, hard)]
    assert looser_than_hard(msgspec.structs.replace(HARD, **{field: 0})) == [(field, 0, hard)]
