"""Every breaker: below and at its limit; what it does; what releases it; and what outlives a restart."""

from collections.abc import Callable

import pytest

from engine.core import money
from engine.core.config import HOUR, MINUTE, SECOND, Limits, Sizing
from engine.core.events import (
    Act,
    FeedChanged,
    FeedHealth,
    Fill,
    OrderAccepted,
    OrderRefused,
    PhaseEntered,
    Role,
    SessionPhase,
)
from engine.core.facts import (
    Alert,
    BreakerChanged,
    DayRolled,
    OrderChanged,
    StopSession,
    Submit,
    TradeClosed,
)
from engine.core.words import (
    AlertKind,
    BlockReason,
    BreakerAction,
    BreakerName,
    OrderState,
    Purpose,
    ReasonCode,
    TerminalState,
)
from tests.core.breaker_rig import (
    PATHS,
    ROOMY,
    equity_to,
    errors,
    last,
    outages,
    pass_time,
    refusals,
    restarted,
    slipped,
    trades,
    tripped,
)
from tests.rig import START_NS, SYMBOL, Rig, d, flat_bar

DAY_NS = 24 * HOUR
B = BreakerName
A = BreakerAction


@pytest.mark.parametrize("path", PATHS)
def test_a_breaker_holds_just_inside_its_limit_and_trips_at_it(path: str) -> None:
    name, make, inside, over = PATHS[path]
    rig = make()
    inside(rig)
    assert not tripped(rig)
    assert not rig.of(BreakerChanged)
    over(rig)
    assert tripped(rig) == [name]
    (changed,) = rig.of(BreakerChanged)
    breaker = rig.engine.state.breakers[name]
    assert (changed.name, changed.tripped, changed.text) == (name, True, breaker.text)
    assert breaker.value >= breaker.limit
    assert breaker.since_ns == changed.at_ns
    kind = AlertKind.ERROR_LIMIT if name in (B.ERRORS, B.ERROR_RATE) else AlertKind.BREAKER
    assert [a.kind for a in rig.of(Alert) if a.kind in (AlertKind.BREAKER, AlertKind.ERROR_LIMIT)] == [kind]
    assert BlockReason.BREAKER in rig.engine.state.blocks


def test_every_breaker_but_phase_and_heat_is_driven_to_its_limit() -> None:
    assert {name for name, *_ in PATHS.values()} == set(B) - {B.PHASE_UNKNOWN, B.HEAT}


# --- what counts ---


def test_only_a_win_ends_a_run_of_losses_also_over_a_restart() -> None:
    rig = Rig(sizing=Sizing(risk_per_trade=d(1), notional_max=d(400)))
    trades(rig, "LLLLWLLL")
    assert rig.engine.state.losses_in_row == 3
    restarted(rig)
    trades(rig, "L")
    assert not tripped(rig)
    trades(rig, "L")
    assert tripped(rig) == [B.CONSECUTIVE_LOSSES]


@pytest.mark.parametrize(("pnl", "counted"), [(1, 0), (0, 3), (-1, 4)])
def test_a_trade_that_brought_exactly_nothing_leaves_the_count(pnl: int, counted: int) -> None:
    rig = Rig()
    rig.engine.state.losses_in_row = 3
    rig.engine.breakers.traded(pnl)
    assert rig.engine.state.losses_in_row == counted


def test_a_forced_exit_is_a_loss_in_the_books_and_not_in_the_run() -> None:
    rig = Rig()
    rig.enter()
    rig.command(Act.FLATTEN)
    rig.quote("99.5", "99.6")
    assert rig.of(TradeClosed)[-1].pnl < 0
    assert rig.engine.state.losses_in_row == 0


def test_the_daily_loss_includes_open_positions_and_fees() -> None:
    rig = Rig(limits=Limits(daily_loss_max=d(5)), sizing=Sizing(risk_per_trade=d(2), notional_max=d(400)))
    rig.enter()
    rig.quote("97.4", "97.5")  # a gap through the stop: by the stops alone no day can lose so much
    assert tripped(rig) == [B.DAILY_LOSS]
    rig.propose()
    assert last(rig).reason_code is ReasonCode.DAILY_LOSS


def test_a_drawdown_says_how_far_beyond_its_limit_it_is() -> None:
    rig = Rig(limits=ROOMY)
    equity_to(rig, "10000")
    equity_to(rig, "9480")
    (changed,) = rig.of(BreakerChanged)
    assert (changed.name, changed.text) == (B.DAILY_DRAWDOWN, "5.2% >= 5%")


def test_below_a_peak_of_nothing_there_is_a_loss_and_no_drawdown() -> None:
    rig = Rig()
    state = rig.engine.state
    state.day_peak_equity = state.peak_equity = state.day_base_equity = 0
    equity_to(rig, "-49.99")
    assert not tripped(rig)
    equity_to(rig, "-50")
    assert tripped(rig) == [B.DAILY_LOSS]


def test_the_days_drawdown_falls_from_its_peak_and_the_loss_from_its_opening() -> None:
    rig = Rig()
    equity_to(rig, "10500")
    equity_to(rig, "9976")
    assert not tripped(rig)
    equity_to(rig, "9975")
    assert tripped(rig) == [B.DAILY_DRAWDOWN], "5 % below 10500, and only 25 below the opening"


@pytest.mark.parametrize(("apart", "trips"), [(6 * MINUTE, True), (7 * MINUTE, False)])
def test_errors_count_within_an_hour(apart: int, trips: bool) -> None:
    rig = Rig()
    errors(rig, 10, apart)
    assert (B.ERROR_RATE in tripped(rig)) is trips


@pytest.mark.parametrize(("apart", "trips"), [(14 * MINUTE, True), (15 * MINUTE, False)])
def test_outages_count_within_an_hour(apart: int, trips: bool) -> None:
    rig = Rig()
    outages(rig, 5, apart)
    assert (B.FEED_HEALTH in tripped(rig)) is trips


def test_one_outage_that_lasts_too_long_trips_by_itself() -> None:
    rig = Rig()
    rig.send(FeedChanged("", rig.now_ns, FeedHealth.DOWN, 0, "gone"))
    began_ns = rig.now_ns
    pass_time(rig, 10 * MINUTE - SECOND)
    assert not tripped(rig)
    assert rig.engine.breakers.next_due_ns() == began_ns + 10 * MINUTE, "the desk asks to be woken for it"
    pass_time(rig, SECOND)
    (changed,) = rig.of(BreakerChanged)
    assert (changed.name, changed.text) == (B.FEED_HEALTH, "10m00s >= 10m00s")


def test_one_silent_symbol_is_no_outage() -> None:
    rig = Rig(("BTCUSDT", "ETHUSDT"))
    for _ in range(9):
        rig.send(FeedChanged("ETHUSDT", rig.now_ns, FeedHealth.STALE, 15 * SECOND))
        rig.send(FeedChanged("ETHUSDT", rig.now_ns, FeedHealth.LIVE, 0))
    assert rig.engine.breakers.gauges.of(B.FEED_HEALTH).value == 0


@pytest.mark.parametrize(("apart", "trips"), [(2 * MINUTE, True), (150 * SECOND, False)])
def test_refusals_count_within_ten_minutes(apart: int, trips: bool) -> None:
    """FV-13."""
    rig = Rig(paper=False)
    refusals(rig, 5, apart)
    assert (B.VENUE_REFUSALS in tripped(rig)) is trips


def test_the_desks_own_closed_gate_is_no_refusal_of_the_venue() -> None:
    rig = Rig(paper=False)
    for _ in range(6):
        rig.propose()
        submit = rig.of(Submit)[-1]
        rig.send(OrderRefused(submit.order_id, rig.now_ns, ReasonCode.KILLED.value, "the gate was closed"))
    assert rig.engine.breakers.gauges.of(B.VENUE_REFUSALS).value == 0


@pytest.mark.parametrize(("by", "trips"), [("0.524", False), ("0.525", True), ("0.526", True)])
def test_slippage_trips_at_three_times_what_the_model_expects(by: str, trips: bool) -> None:
    rig = Rig(paper=False, limits=ROOMY)
    assert rig.engine.breakers.gauges.of(B.SLIPPAGE).limit == d("0.00525"), "3 x the mean of 0.05 % and 0.30 %"
    slipped(rig, 20, by)
    assert (B.SLIPPAGE in tripped(rig)) is trips


def test_a_fill_better_than_expected_speaks_for_the_desk_and_a_makers_fill_says_nothing() -> None:
    rig = Rig(paper=False, limits=ROOMY)
    slipped(rig, 4, "-1")
    assert [taker.slip < 0 for taker in rig.engine.state.recent.takers.values()] == [True] * 4
    rig.propose(entry="99.5", stop="50", target="500")
    submit = rig.of(Submit)[-1]
    rig.send(Fill("m", submit.order_id, SYMBOL, rig.now_ns, 0, submit.qty, d("99.5"), 0, Role.MAKER))
    assert len(rig.engine.state.recent.takers) == 4


def test_an_order_in_many_pieces_is_one_order_at_its_average_price() -> None:
    rig = Rig(paper=False, limits=ROOMY)
    rig.propose(stop="50", target="500")
    order = rig.engine.state.orders[rig.of(Submit)[-1].order_id]
    rig.send(OrderAccepted(order.order_id, rig.now_ns))
    piece, worse = order.qty // 40, money.mul(d("0.02"), order.expected)
    for n in range(40):
        qty = piece if n < 39 else order.open_qty
        price = order.expected + (worse if n % 2 else 0)
        rig.send(Fill(f"p{n}", order.order_id, SYMBOL, rig.now_ns, 0, qty, price, 0, Role.TAKER))
    assert rig.engine.breakers.gauges.of(B.SLIPPAGE).value == 0, "one order is no sample"
    slipped(rig, 18, "1")
    assert not tripped(rig)
    slipped(rig, 1, "1")
    assert tripped(rig) == [B.SLIPPAGE]
    assert abs(rig.engine.breakers.gauges.of(B.SLIPPAGE).value - d("0.01")) <= d("0.00001")


# --- phase and heat ---


def test_while_no_phase_is_known_entries_wait_and_the_block_lifts_itself() -> None:
    rig = Rig(("BTCUSDT", "ETHUSDT"), running=False)
    for known in rig.engine.state.symbols.values():
        known.window = type(known.window)()
    rig.send(PhaseEntered(rig.now_ns, SessionPhase.SEEDING_HISTORY, SessionPhase.RUNNING))
    assert list(rig.engine.state.blocks) == [BlockReason.PHASE_UNKNOWN]
    rig.propose()
    assert (last(rig).reason_code, last(rig).state) == (
        ReasonCode.PHASE_UNKNOWN,
        TerminalState.REJECTED_BY_CIRCUIT_BREAKER,
    )
    start_ns = rig.now_ns
    for n in range(60):
        assert bool(rig.engine.state.blocks) is (n < 50)
        rig.now_ns = start_ns + (n + 1) * MINUTE
        rig.send(flat_bar("ETHUSDT", rig.now_ns, rig.now_ns - MINUTE))
    assert not tripped(rig), "it is soft: nothing to reset, nothing lasts"


def test_heat_is_a_gauge_against_the_limit_in_force_and_trips_nothing() -> None:
    rig = Rig()
    rig.enter()
    gauge = rig.engine.breakers.gauges.of(B.HEAT)
    assert gauge.limit == rig.engine.desk.heat_limit()
    assert gauge.value == rig.engine.desk.heat() > 0
    rig.engine.state.holdings[SYMBOL].stop = d(1)
    pass_time(rig, MINUTE)
    assert rig.engine.breakers.gauges.of(B.HEAT).reached
    assert not tripped(rig)


def test_heat_trips_where_it_is_told_to() -> None:
    rig = Rig(breaker_actions={B.HEAT: A.HALT_DAY})
    rig.enter()
    rig.engine.state.holdings[SYMBOL].stop = d(1)
    pass_time(rig, MINUTE)
    assert tripped(rig) == [B.HEAT]
    rig.propose()
    assert last(rig).reason_code is ReasonCode.BREAKER


# --- what a trip does ---


@pytest.mark.parametrize("action", [A.COOLDOWN, A.HALT_DAY, A.SHUTDOWN])
def test_a_trip_cancels_working_entries_refuses_new_ones_and_leaves_positions_their_stops(action: A) -> None:
    rig = Rig(("BTCUSDT", "ETHUSDT"), breaker_action=action)
    rig.enter()
    rig.propose(entry="99.5", symbol="ETHUSDT")
    errors(rig, 10, 1)
    rig.quote("100", "100.1", symbol="ETHUSDT")
    assert {order.purpose for order in rig.engine.state.orders.values()} == {Purpose.STOP, Purpose.TARGET}
    cancelled = [fact for fact in rig.of(OrderChanged) if fact.state is OrderState.CANCELED]
    assert [fact.symbol for fact in cancelled] == ["ETHUSDT"]
    rig.propose(symbol="ETHUSDT")
    assert last(rig).state is TerminalState.REJECTED_BY_CIRCUIT_BREAKER
    assert bool(rig.of(StopSession)) is (action is A.SHUTDOWN)
    rig.quote("98", "98.1")
    rig.quote("98", "98.1")
    assert SYMBOL not in rig.engine.state.positions, "its stop still works"


@pytest.mark.parametrize(
    ("drive", "reason"),
    [(lambda r: trades(r, "L"), "circuit_breaker"), (lambda r: errors(r, 1), "max_errors")],
)
def test_under_the_shutdown_policy_a_trip_ends_the_session_with_exit_code_one(
    drive: Callable[[Rig], None], reason: str
) -> None:
    rig = Rig(limits=Limits(consecutive_losses_max=1, errors_max=1), breaker_action=A.SHUTDOWN)
    drive(rig)
    assert [(stop.reason, stop.exit_code) for stop in rig.of(StopSession)] == [(reason, 1)]


def test_several_breakers_at_once_are_all_told_and_the_first_decides_the_code() -> None:
    rig = Rig(limits=Limits(errors_max=10))
    errors(rig, 10)
    equity_to(rig, "9900")
    assert tripped(rig) == [B.DAILY_LOSS, B.ERRORS, B.ERROR_RATE]
    rig.propose()
    assert last(rig).reason_code is ReasonCode.DAILY_LOSS
    for said in ("daily loss breaker tripped: 100.00 >= 50.00", "errors breaker tripped: 10 >= 10", "errors in 1 h"):
        assert said in last(rig).text
    block = rig.engine.state.blocks[BlockReason.BREAKER]
    assert "daily loss: 100.00 >= 50.00" in block.text
    assert "errors: 10 >= 10" in block.text
    assert block.lifts == "the next trading day, or reset-breaker; reset-breaker with a reason"


def test_a_breaker_in_cooldown_refuses_with_its_own_code() -> None:
    rig = Rig(limits=Limits(consecutive_losses_max=1), breaker_action=A.COOLDOWN)
    trades(rig, "L")
    rig.propose()
    assert last(rig).reason_code is ReasonCode.COOLDOWN


# --- what releases it ---


@pytest.mark.parametrize(
    ("auto_reset", "minutes", "holds"), [(True, 59, True), (True, 61, False), (False, 59, True), (False, 61, True)]
)
def test_a_cooldown_ends_after_an_hour_by_itself_only_where_it_may(auto_reset: bool, minutes: int, holds: bool) -> None:
    rig = Rig(limits=Limits(consecutive_losses_max=1), breaker_action=A.COOLDOWN, auto_reset=auto_reset)
    trades(rig, "L")
    tripped_ns = rig.of(BreakerChanged)[0].at_ns
    pass_time(rig, tripped_ns + minutes * MINUTE - rig.now_ns)
    assert bool(tripped(rig)) is holds
    assert (BlockReason.BREAKER in rig.engine.state.blocks) is holds
    if holds:
        rig.command(Act.RESET_BREAKER, "looked into it")
        assert not tripped(rig)


def test_a_halt_lasts_until_the_next_day_and_what_was_counted_begins_anew() -> None:
    rig = Rig(limits=Limits(consecutive_losses_max=1))
    trades(rig, "L")
    pass_time(rig, START_NS + DAY_NS - 1 - rig.now_ns)
    assert tripped(rig)
    pass_time(rig, 1)
    assert not tripped(rig)
    assert not rig.engine.state.blocks
    assert rig.engine.state.losses_in_row == 0
    assert [change.tripped for change in rig.of(BreakerChanged)] == [True, False]


def test_a_halt_shortly_before_midnight_respects_the_cooldown_as_well() -> None:
    rig = Rig(limits=Limits(consecutive_losses_max=1))
    rig.now_ns = START_NS + DAY_NS - 30 * MINUTE
    trades(rig, "L")
    tripped_ns = rig.of(BreakerChanged)[0].at_ns
    pass_time(rig, tripped_ns + 59 * MINUTE - rig.now_ns)
    assert len(rig.of(DayRolled)) == 2
    assert tripped(rig)
    pass_time(rig, MINUTE)
    assert not tripped(rig)


def test_no_time_releases_a_breaker_while_the_books_are_in_doubt() -> None:
    rig = Rig(limits=Limits(consecutive_losses_max=1))
    trades(rig, "L")
    rig.engine.state.ledger_difference = "a cent"  # which no agreement with the broker explains
    rig.command(Act.BLOCK, "books differ", BlockReason.RECONCILIATION.value)
    pass_time(rig, DAY_NS)
    assert tripped(rig)
    rig.engine.state.ledger_difference = ""
    rig.command(Act.UNBLOCK, "they agree", BlockReason.RECONCILIATION.value)
    pass_time(rig, SECOND)
    assert not tripped(rig)


@pytest.mark.parametrize("path", ["total drawdown", "errors"])
def test_a_lasting_breaker_is_released_by_an_operator_only(path: str) -> None:
    name, make, inside, over = PATHS[path]
    rig = make()
    inside(rig)
    over(rig)
    assert rig.of(StopSession)
    pass_time(rig, 3 * DAY_NS)
    assert tripped(rig) == [name]
    rig.command(Act.RESET_BREAKER)
    assert tripped(rig) == [name], "not without a reason"
    rig.command(Act.RESET_BREAKER, "understood", name.value)
    assert not tripped(rig)


@pytest.mark.parametrize("path", PATHS)
def test_a_reset_counts_anew_so_that_the_breaker_does_not_trip_again_at_once(path: str) -> None:
    name, make, inside, over = PATHS[path]
    rig = make()
    inside(rig)
    over(rig)
    rig.command(Act.RESET_BREAKER, "looked into it", name.value)
    rig.engine.breakers.check(*B)
    assert not tripped(rig)
    assert rig.engine.breakers.gauges.of(name).value == 0


def test_a_reset_of_the_daily_loss_leaves_the_days_result_as_it_is() -> None:
    rig = Rig()
    equity_to(rig, "9940")
    rig.command(Act.RESET_BREAKER, "known", "daily_loss")
    assert rig.engine.state.day_opening_equity == d(10_000)
    equity_to(rig, "9890.01")
    assert not tripped(rig)
    equity_to(rig, "9890")
    assert tripped(rig) == [B.DAILY_LOSS], "fifty more"


def test_resetting_one_of_two_leaves_the_other_and_its_block() -> None:
    rig = Rig(limits=Limits(errors_max=10))
    errors(rig, 10)
    rig.command(Act.RESET_BREAKER, "known", "errors")
    assert tripped(rig) == [B.ERROR_RATE]
    assert rig.engine.state.blocks[BlockReason.BREAKER].text == "errors in 1 h: 10 >= 10"


# --- restarts ---


@pytest.mark.parametrize("path", PATHS)
def test_a_trip_and_its_count_outlive_a_restart(path: str) -> None:
    name, make, inside, over = PATHS[path]
    rig = make()
    inside(rig)
    over(rig)
    before = rig.engine.state.breakers[name]
    rig.now_ns += SECOND
    restarted(rig)
    assert rig.engine.state.breakers[name] == before
    assert BlockReason.BREAKER in rig.engine.state.blocks
    assert len([change for change in rig.of(BreakerChanged) if change.name is name]) == 1, "told once"
    rig.propose()
    assert last(rig).state is TerminalState.REJECTED_BY_CIRCUIT_BREAKER


def test_the_count_of_errors_is_one_of_a_run_or_a_day() -> None:
    rig = Rig()
    errors(rig, 5)
    restarted(rig)
    assert rig.engine.state.errors_counted == 0
    errors(rig, 3)
    pass_time(rig, DAY_NS)
    assert rig.engine.state.errors_counted == 0


def test_an_error_of_the_core_itself_counts_like_one_of_the_shell() -> None:
    rig = Rig(paper=False)
    for n in range(10):
        rig.send(Fill(f"f{n}", "nobody's", SYMBOL, rig.now_ns, 0, d(1), d(100), 0, Role.TAKER))
    assert rig.engine.state.tally.errors == rig.engine.state.errors_counted == 10
    assert tripped(rig) == [B.ERROR_RATE]
