"""Every circuit breaker on the eight recorded symbols: it trips at its limit, does what it should, and lets go so.

Limits are tightened and faults come in at the edges only: errors noted, a feed that goes, a broker that refuses or
fills badly, an index that jumps, a start without history. Each seed lives on a day of its own.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec
import pytest

from engine.core.breaker_table import SPECS, action_of
from engine.core.config import DAY, HOUR, MINUTE, SECOND, Limits, PaperModel, Sizing
from engine.core.events import Act, ErrorNoted, FeedChanged, FeedHealth
from engine.core.money import SCALE, parse
from engine.core.words import (
    BlockReason,
    BreakerAction,
    BreakerName,
    ExitReason,
    ReasonCode,
    TerminalState,
)
from tests.books import assert_sound
from tests.e2e.shell import SHARED
from tests.sim.recorded_desk import CALM, CRISIS, Recorded, Trip, noon_of

A = BreakerAction
B = BreakerName
pytestmark = [
    pytest.mark.sim,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not SHARED.is_dir(), reason=f"no shared recordings in {SHARED}"),
]
SEEDS: Final = (1, 2)
FORCED: Final = frozenset({ExitReason.SHUTDOWN, ExitReason.FORCE_CLOSE, ExitReason.KILL})
Fault = Callable[[Recorded], None]


# --- ways to the limit; each goes on until the breaker has tripped or its means are used up ---


def by_the_market(desk: Recorded) -> None:
    """What the market and the costs do to a desk that never tires."""
    desk.play(next_midnight(desk) - HOUR, lambda: desk.trips)


def by_errors(desk: Recorded) -> None:
    """Errors, a second apart, from a moment on in which an entry waits and something is held."""
    busy(desk)
    while not desk.trips and desk.engine.state.tally.errors < 100:
        desk.play(desk.at_ns + SECOND)
        desk.send(ErrorNoted(desk.at_ns, "edge", "a call failed"))


def by_outages(desk: Recorded) -> None:
    """The feed goes and comes back, again and again."""
    busy(desk)
    for _ in range(20):
        desk.send(FeedChanged("", desk.at_ns, FeedHealth.STALE, 15 * SECOND))
        desk.play(desk.at_ns + 20 * SECOND, silent=True)
        assert not desk.working, "no data, no entries: the first outage takes them back, not the last"
        desk.send(FeedChanged("", desk.at_ns, FeedHealth.LIVE, 0))
        if desk.trips:
            return
        desk.play(desk.at_ns + 5 * MINUTE)


def by_one_outage(desk: Recorded) -> None:
    """The feed goes and stays away for a quarter of an hour."""
    busy(desk)
    desk.send(FeedChanged("", desk.at_ns, FeedHealth.DOWN, 0))
    desk.play(desk.at_ns + 15 * MINUTE, silent=True)
    assert not desk.working
    desk.send(FeedChanged("", desk.at_ns, FeedHealth.LIVE, 0))


def by_refusals(desk: Recorded) -> None:
    """The broker refuses whatever opens; what it had accepted before stays."""
    assert desk.venue is not None
    busy(desk)
    desk.venue.refuses = True
    desk.play(desk.at_ns + HOUR, lambda: desk.trips)
    desk.venue.refuses = False


def by_the_index(desk: Recorded) -> None:
    """With something at risk, the volatility index jumps, and less risk is allowed than there is."""
    desk.play(desk.at_ns + 6 * HOUR, lambda: len(desk.engine.state.holdings) >= 3 and desk.working)
    desk.volatility(CRISIS)
    desk.play(desk.at_ns + 10 * MINUTE, lambda: desk.trips)


def busy(desk: Recorded) -> None:
    """Go on until an entry waits and something is held, after at least an hour."""
    desk.play(desk.at_ns + HOUR)
    assert desk.play(desk.at_ns + 6 * HOUR, lambda: desk.working and len(desk.engine.state.holdings) >= 2)


def next_midnight(desk: Recorded) -> int:
    return (desk.at_ns // DAY + 1) * DAY


# --- the cases ---


class Case(msgspec.Struct, frozen=True):
    """One breaker with one setting; `limit`: the one it trips at, as the trip tells it."""

    name: BreakerName
    fault: Fault
    action: BreakerAction
    limit: str
    limits: dict[str, int] = {}
    config: dict[str, Any] = {}
    auto_reset: bool = False


ASIDE: Final = {"consecutive_losses_max": 1_000, "slippage_multiple_max": 100 * SCALE}
"""Limits out of the way of the one that is tried; a case that tries one of them says its own."""
THREE_LOSSES: Final = {"consecutive_losses_max": 3}
BAD_BROKER: Final = {
    "venue": True,
    "blind": True,
    "venue_model": PaperModel(slippage_min=parse("0.006"), slippage_max=parse("0.009")),
    "sizing": Sizing(notional_max=100 * SCALE),
}
WORSE_BROKER: Final = BAD_BROKER | {"venue_model": PaperModel(slippage_min=parse("0.015"), slippage_max=parse("0.02"))}
"""Stops lose more than planned: as long as they hold, the entries allowed cannot lose more than the day may."""
CASES: Final = {
    "losses in a row, halt": Case(B.CONSECUTIVE_LOSSES, by_the_market, A.HALT_DAY, "3", THREE_LOSSES),
    "losses in a row, cooldown": Case(B.CONSECUTIVE_LOSSES, by_the_market, A.COOLDOWN, "3", THREE_LOSSES),
    "losses in a row, cooldown that resets": Case(
        B.CONSECUTIVE_LOSSES, by_the_market, A.COOLDOWN, "3", THREE_LOSSES, auto_reset=True
    ),
    "losses in a row, shutdown": Case(B.CONSECUTIVE_LOSSES, by_the_market, A.SHUTDOWN, "3", THREE_LOSSES),
    "daily loss": Case(B.DAILY_LOSS, by_the_market, A.HALT_DAY, "5.00", {"daily_loss_max": 5 * SCALE}, WORSE_BROKER),
    "daily loss, as a share": Case(
        B.DAILY_LOSS, by_the_market, A.HALT_DAY, "5.00", {"daily_loss_fraction_max": parse("0.0005")}, WORSE_BROKER
    ),
    "day drawdown": Case(B.DAILY_DRAWDOWN, by_the_market, A.HALT_DAY, "0.04%", {"daily_drawdown_max": parse("0.0004")}),
    "total drawdown": Case(
        B.TOTAL_DRAWDOWN, by_the_market, A.SHUTDOWN, "0.04%", {"total_drawdown_max": parse("0.0004")}
    ),
    "errors": Case(B.ERRORS, by_errors, A.SHUTDOWN, "8", {"errors_max": 8}),
    "error rate": Case(B.ERROR_RATE, by_errors, A.HALT_DAY, "10"),
    "error rate, cooldown that resets": Case(B.ERROR_RATE, by_errors, A.COOLDOWN, "10", auto_reset=True),
    "outages": Case(B.FEED_HEALTH, by_outages, A.HALT_DAY, "5"),
    "one long outage": Case(B.FEED_HEALTH, by_one_outage, A.COOLDOWN, "10m00s", auto_reset=True),
    "refusals": Case(B.VENUE_REFUSALS, by_refusals, A.HALT_DAY, "5", config={"venue": True}),
    "refusals, cooldown": Case(B.VENUE_REFUSALS, by_refusals, A.COOLDOWN, "5", config={"venue": True}),
    "slippage": Case(B.SLIPPAGE, by_the_market, A.HALT_DAY, "0.525%", {"slippage_multiple_max": 3 * SCALE}, BAD_BROKER),
    "heat": Case(
        B.HEAT,
        by_the_index,
        A.HALT_DAY,
        "0.04%",
        {"heat_max": parse("0.001")},
        {"breaker_actions": {B.HEAT: A.HALT_DAY}},
    ),
}


def test_every_breaker_has_a_case() -> None:
    assert {case.name for case in CASES.values()} == set(B) - {B.PHASE_UNKNOWN}, "which is the last test's"


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("what", CASES)
def test_a_breaker_trips_at_its_limit_does_what_it_should_and_lets_go(what: str, seed: int) -> None:
    case = CASES[what]
    action = case.action if SPECS[case.name].general else A.HALT_DAY
    desk = Recorded(
        seed, limits=Limits(**ASIDE | case.limits), breaker_action=action, auto_reset=case.auto_reset, **case.config
    )
    assert action_of(case.name, desk.config) is case.action
    case.fault(desk)
    (trip,) = desk.trips
    assert_tripped(case, desk, trip)
    release = {A.SHUTDOWN: over_a_restart, A.HALT_DAY: over_midnight}.get(case.action, over_the_cooldown)
    release(case, desk, trip)
    assert_effects(desk, trip)
    assert_trades_again(desk, trip)
    sound(desk)
    say(what, desk, trip)


@pytest.mark.parametrize("seed", SEEDS)
def test_without_history_the_phase_is_unknown_until_there_are_bars_enough(seed: int) -> None:
    desk = Recorded(seed, seeded=False)
    blocks = desk.engine.state.blocks
    assert list(blocks) == [BlockReason.PHASE_UNKNOWN]
    gauge = desk.engine.breakers.gauges.of(B.PHASE_UNKNOWN)
    assert gauge.reached
    assert gauge.value == 8 * SCALE
    assert desk.play(noon_of(seed) + HOUR, lambda: not blocks)
    assert desk.at_ns == noon_of(seed) + desk.config.phases.window * MINUTE
    refused = desk.codes.copy()
    assert set(refused) == {ReasonCode.PHASE_UNKNOWN}
    assert desk.engine.state.tally.ended[TerminalState.REJECTED_BY_CIRCUIT_BREAKER] == refused.total() > 0
    assert not desk.entered
    assert not desk.trips, "it blocks, and nothing is to be reset"
    desk.play(desk.at_ns + 2 * HOUR)
    assert desk.entered
    sound(desk)
    print(f"\nphase unknown, seed {seed}: {refused.total()} refused, then {len(desk.entered)} entries")


# --- what must hold ---


def assert_tripped(case: Case, desk: Recorded, trip: Trip) -> None:
    """At its limit, with the block that says so; value, limit and action are on record."""
    fact, standing = trip.fact, desk.engine.state.breakers[case.name]
    assert fact.name is case.name
    assert fact.value >= fact.limit > 0
    assert fact.value == fact.limit or SPECS[case.name].unit != "count", "a count trips at its limit, not beyond it"
    assert fact.text.endswith(f" >= {case.limit}")
    assert fact.action == case.action
    assert (standing.value, standing.limit, standing.action) == (fact.value, fact.limit, case.action)
    assert standing.since_ns == fact.at_ns
    assert desk.engine.state.blocks[BlockReason.BREAKER].text.endswith(fact.text)
    assert [stop.exit_code for stop in desk.stops] == ([1] if case.action is A.SHUTDOWN else [])
    if case.name is not B.FEED_HEALTH:
        assert trip.working
    if case.fault in (by_errors, by_the_index):
        assert trip.held


def over_midnight(case: Case, desk: Recorded, trip: Trip) -> None:
    """Halted until the next trading day, and not a moment longer."""
    midnight_ns = next_midnight(desk)
    assert trip.fact.at_ns <= midnight_ns - desk.config.cooldown_ns
    over_a_crash(case, desk)
    desk.play(midnight_ns - SECOND)
    assert desk.tripped == [case.name]
    desk.volatility(CALM)
    desk.play(midnight_ns + SECOND)
    assert trip.released_ns == midnight_ns


def over_the_cooldown(case: Case, desk: Recorded, trip: Trip) -> None:
    """Until the cooldown is over; where it must not reset itself, until an operator did so with a reason."""
    over_ns = trip.fact.at_ns + desk.config.cooldown_ns
    over_a_crash(case, desk)
    desk.play(over_ns - SECOND)
    assert desk.tripped == [case.name]
    desk.play(over_ns + SECOND)
    if case.auto_reset:
        assert trip.released_ns == over_ns
        return
    desk.play(over_ns + HOUR)
    assert desk.tripped == [case.name]
    by_an_operator(case, desk, trip)


def over_a_restart(case: Case, desk: Recorded, trip: Trip) -> None:
    """The session ends flat; a new run enters nothing until what lasts is reset, or what does not is a day old."""
    desk.end()
    assert not desk.engine.state.holdings
    assert not desk.engine.state.orders
    sound(desk)
    desk.restart()
    desk.play(desk.at_ns + HOUR)
    assert desk.tripped == [case.name]
    if not SPECS[case.name].lasting:
        desk.play(next_midnight(desk) + SECOND)
        assert trip.released_ns % DAY == 0
        return
    desk.play(next_midnight(desk) + HOUR)
    assert desk.tripped == [case.name], "no day releases it"
    by_an_operator(case, desk, trip)


def over_a_crash(case: Case, desk: Recorded) -> None:
    """A new process finds the breaker exactly as it tripped, with what is held, and does not tell of it again."""
    desk.play(desk.at_ns + 10 * MINUTE)
    state = desk.engine.state
    desk.restart()
    assert desk.engine.state.breakers == state.breakers
    assert desk.engine.state.holdings.keys() == state.holdings.keys()
    assert BlockReason.BREAKER in desk.engine.state.blocks
    assert len(desk.trips) == 1
    assert desk.tripped == [case.name]


def by_an_operator(case: Case, desk: Recorded, trip: Trip) -> None:
    desk.act(Act.RESET_BREAKER, subject=case.name)
    assert desk.tripped == [case.name], "not without a reason"
    desk.act(Act.RESET_BREAKER, "looked into it", case.name)
    assert trip.released_ns == desk.at_ns


def assert_effects(desk: Recorded, trip: Trip) -> None:
    """While it stood: entries taken back, none sent, every signal refused with its code, positions kept their stops."""
    assert desk.tripped == []
    assert not desk.entered_tripped
    assert not set(desk.working) & trip.working
    code = SPECS[trip.fact.name].code
    if code is ReasonCode.BREAKER and trip.fact.action == A.COOLDOWN:
        code = ReasonCode.COOLDOWN
    assert trip.refused
    assert {(end.state, end.reason_code) for end in trip.refused} == {(TerminalState.REJECTED_BY_CIRCUIT_BREAKER, code)}
    assert not desk.unguarded
    ended = {trade.exit_reason for trade in trip.closed}
    if trip.fact.action == A.SHUTDOWN and trip.held:
        assert ExitReason.SHUTDOWN in ended
    else:
        assert not ended & FORCED


def assert_trades_again(desk: Recorded, trip: Trip) -> None:
    desk.play(desk.at_ns + HOUR, lambda: desk.entered[-1].at_ns >= trip.released_ns)
    assert desk.entered[-1].at_ns >= trip.released_ns
    desk.play(desk.at_ns + 10 * SECOND)


def sound(desk: Recorded) -> None:
    assert_sound(desk.engine, desk.broker_ledger)


def say(what: str, desk: Recorded, trip: Trip) -> None:
    closed = [trade.exit_reason.value for trade in trip.closed]
    minutes = (trip.fact.at_ns - noon_of(desk.seed)) // MINUTE
    hours = (trip.released_ns - trip.fact.at_ns) / HOUR
    print(
        f"\n{what}, seed {desk.seed}: {trip.fact.text} after {minutes} min; "
        f"{trip.fact.action}, {len(trip.working)} entries taken back, {len(trip.refused)} signals refused, "
        f"held {len(trip.held)}, closed {closed}; released after {hours:.2f} h: {trip.why_released}"
    )
