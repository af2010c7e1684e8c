"""A desk on an exchange that closes: nothing enters or fills outside the session, and exits wait for its opening."""

import pytest
from msgspec.structs import replace

from engine.core.calendar import Calendar
from engine.core.config import HOUR, MINUTE, SECOND
from engine.core.desk import UnknownCalendar
from engine.core.engine import Engine
from engine.core.events import (
    Act,
    Bar,
    FeedChanged,
    FeedHealth,
    GapDetected,
    PhaseEntered,
    RunStarted,
    SessionPhase,
    Wake,
)
from engine.core.facts import (
    Alert,
    BlockChanged,
    DayRolled,
    FeedNoted,
    FillBooked,
    OperatorActed,
    OrderChanged,
    SignalEnded,
    TradeClosed,
)
from engine.core.strategy import Proposal
from engine.core.words import AlertKind, BlockReason, ExitReason, OrderState, Purpose, ReasonCode, Side, TerminalState
from tests.rig import START_NS, SYMBOL, Rig, Scripted, d, flat_bar, instrument

DAY = 24 * HOUR
OPEN, CLOSE = START_NS + 14 * HOUR + 30 * MINUTE, START_NS + 21 * HOUR
SESSIONS = tuple((OPEN + n * DAY, CLOSE + n * DAY) for n in (0, 1, 4, 5))  # Thursday, Friday, Monday, Tuesday
NYSE = Calendar("NYSE", SESSIONS)


def desk(at_ns: int, symbols: tuple[str, ...] = (SYMBOL,), timed: tuple[str, ...] | None = None) -> Rig:
    """A running desk at that time; `timed` symbols trade by the exchange's hours, default all."""
    timed = symbols if timed is None else timed
    instruments = tuple(replace(instrument(s), calendar="NYSE" if s in timed else "24/7") for s in symbols)
    rig = Rig(symbols, instruments=instruments, calendars=(NYSE,))
    rig.facts.clear()
    pass_to(rig, at_ns)
    return rig


def proposal(symbol: str = SYMBOL) -> Proposal:
    return Proposal(symbol, Side.LONG, 0, d(99), d(103), "because")


def pass_to(rig: Rig, at_ns: int) -> None:
    rig.now_ns = at_ns
    rig.send(Wake(at_ns))


def last_code(rig: Rig) -> ReasonCode:
    return rig.of(SignalEnded)[-1].reason_code  # type: ignore[no-any-return]


def bar_at(rig: Rig, start_ns: int) -> None:
    """A closed bar with a proposal on it."""
    rig.now_ns = start_ns + MINUTE
    rig.send(flat_bar(SYMBOL, rig.now_ns, start_ns))


def test_a_closed_market_blocks_entries_and_says_when_it_opens() -> None:
    rig = desk(OPEN - HOUR)
    block = rig.engine.state.blocks[BlockReason.MARKET_CLOSED]
    assert (block.text, block.lifts, block.release_ns) == ("the market is closed (NYSE)", "its opening", OPEN)
    rig.engine.trading.entries.propose("scripted", proposal())
    ended = [fact for fact in rig.engine.desk.out if isinstance(fact, SignalEnded)]
    assert [(one.reason_code, one.state) for one in ended] == [
        (ReasonCode.MARKET_CLOSED, TerminalState.REJECTED_BY_CIRCUIT_BREAKER)
    ]
    pass_to(rig, OPEN)
    assert not rig.engine.state.blocks
    rig.propose()
    assert rig.engine.state.live_signals
    pass_to(rig, CLOSE)
    changes = [change.active for change in rig.of(BlockChanged) if change.reason is BlockReason.MARKET_CLOSED]
    assert changes == [False, True]


def test_one_closed_market_keeps_out_its_own_symbols_only() -> None:
    rig = desk(OPEN - HOUR, ("SPY", "BTCUSDT"), timed=("SPY",))
    assert not rig.engine.state.blocks
    rig.engine.trading.entries.propose("scripted", proposal("SPY"))
    assert [f.reason_code for f in rig.engine.desk.out if isinstance(f, SignalEnded)] == [ReasonCode.MARKET_CLOSED]
    rig.propose(symbol="BTCUSDT")
    assert rig.engine.state.live_signals


def test_ticks_outside_the_session_move_nothing_and_are_counted() -> None:
    rig = desk(OPEN)
    rig.enter()
    pass_to(rig, CLOSE)
    before, seen = rig.engine.desk.equity, rig.engine.state.tally.market_events
    rig.quote("50", "50.1")
    assert rig.engine.desk.equity == before
    assert rig.engine.state.tally.market_events == seen + 1
    assert SYMBOL in rig.engine.state.positions, "its stop is not reached by a price no session saw"
    assert not rig.of(TradeClosed)
    pass_to(rig, SESSIONS[1][0])
    rig.quote("98", "98.1")
    rig.quote("98", "98.1")
    assert [trade.exit_reason for trade in rig.of(TradeClosed)] == [ExitReason.SL]


def test_a_resting_target_does_not_fill_outside_the_session() -> None:
    rig = desk(OPEN)
    rig.enter(target="102")
    pass_to(rig, CLOSE)
    fills = len(rig.of(FillBooked))
    rig.quote("103", "103.1")
    rig.quote("103", "103.1")
    assert len(rig.of(FillBooked)) == fills
    pass_to(rig, SESSIONS[1][0])
    rig.quote("103", "103.1")
    rig.quote("103", "103.1")
    assert [trade.exit_reason for trade in rig.of(TradeClosed)] == [ExitReason.TP]


def test_the_last_bar_of_a_session_arrives_after_its_close_and_still_counts() -> None:
    rig = desk(CLOSE - 2 * MINUTE)
    bar_at(rig, CLOSE - 2 * MINUTE)
    rig.now_ns = CLOSE
    rig.send(Bar(SYMBOL, CLOSE, CLOSE - MINUTE, MINUTE, d(100), d(101), d(100), d(101), d(10)))
    assert rig.engine.state.symbols[SYMBOL].last == d(101)
    rig.now_ns = CLOSE + MINUTE
    rig.send(Bar(SYMBOL, rig.now_ns, CLOSE, MINUTE, d(90), d(90), d(90), d(90), d(10)))
    assert rig.engine.state.symbols[SYMBOL].last == d(101)
    assert rig.engine.state.symbols[SYMBOL].window.closes[-1] == d(90), "indicators see it"


def test_an_entry_still_working_at_the_close_is_taken_back() -> None:
    rig = desk(CLOSE - 10 * SECOND)
    rig.propose(entry="99.5")
    pass_to(rig, CLOSE)
    pass_to(rig, CLOSE + SECOND)
    assert not rig.engine.state.orders
    assert rig.of(SignalEnded)[-1].text == "the market has closed"


@pytest.mark.parametrize("friday", [0, 1])
def test_an_exit_waits_for_the_opening_and_says_so_once(friday: int) -> None:
    rig = desk(SESSIONS[friday][0])
    rig.enter()
    pass_to(rig, SESSIONS[friday][1] + HOUR)
    rig.command(Act.FLATTEN)
    assert (
        rig.of(OperatorActed)[-1].text == "0 positions being closed, 1 waiting for their market to open; entries paused"
    )
    rig.command(Act.FLATTEN)
    waits = [alert.text for alert in rig.of(Alert) if alert.kind is AlertKind.EXIT_WAITS]
    hours = "16h29m" if friday == 0 else "2d16h"
    assert waits == [f"{SYMBOL}: its exit (FORCE_CLOSE) waits for the market to open, in {hours}"]
    assert rig.engine.state.positions
    pass_to(rig, SESSIONS[friday + 1][0])
    rig.quote("100", "100.1")
    rig.quote("100", "100.1")
    assert [trade.exit_reason for trade in rig.of(TradeClosed)] == [ExitReason.FORCE_CLOSE]


def test_an_exit_that_reaches_the_broker_after_the_close_fills_at_the_opening() -> None:
    rig = desk(CLOSE - MINUTE)
    rig.enter()
    rig.now_ns = CLOSE - SECOND
    rig.quote("100", "100.1", seconds=0.98)
    rig.command(Act.FLATTEN)  # a few milliseconds before the close, and some sixty on its way
    pass_to(rig, CLOSE)
    pass_to(rig, CLOSE + SECOND)
    assert rig.engine.state.positions  # the last quote is fresh, and nobody trades on it any more
    pass_to(rig, SESSIONS[1][0])
    rig.quote("95", "95.1")
    assert [fill.price for fill in rig.of(FillBooked)][-1] == d("95")


def test_a_time_exit_that_comes_due_over_night_waits_as_well() -> None:
    rig = desk(CLOSE - 10 * MINUTE)
    rig.enter(hold_ns=HOUR)
    pass_to(rig, CLOSE + HOUR)
    assert [alert.kind for alert in rig.of(Alert)] == [AlertKind.EXIT_WAITS]
    pass_to(rig, SESSIONS[1][0])
    rig.quote("100", "100.1")
    rig.quote("100", "100.1")
    assert [trade.exit_reason for trade in rig.of(TradeClosed)] == [ExitReason.TIME]


def test_a_desk_without_a_next_opening_does_not_ask_to_be_woken_for_it() -> None:
    rig = desk(SESSIONS[3][0])
    rig.enter()
    pass_to(rig, SESSIONS[3][1] + HOUR)
    rig.command(Act.FLATTEN)
    assert "at a time that is not known" in rig.of(Alert)[-1].text
    assert rig.engine.trading.exits.next_due_ns() == 0
    assert rig.engine.state.blocks[BlockReason.MARKET_CLOSED].lifts == "a start with a calendar that goes on"


def test_the_trading_day_rolls_at_the_close_and_not_over_the_weekend() -> None:
    rig = desk(OPEN)
    for n in range(5 * 24):
        pass_to(rig, OPEN + n * HOUR)
    assert [rolled.at_ns for rolled in rig.of(DayRolled)] == [
        OPEN + 7 * HOUR,
        OPEN + 31 * HOUR,
        OPEN + 103 * HOUR,
    ], "an hour on from each close, for the rig looks at the half hour"
    assert rig.of(DayRolled)[1].day - rig.of(DayRolled)[0].day == 3, "Friday's close begins Monday"


def test_silence_over_night_is_no_stale_data_and_silence_at_the_opening_is() -> None:
    rig = desk(OPEN)
    pass_to(rig, CLOSE + MINUTE)
    rig.send(FeedChanged("", rig.now_ns, FeedHealth.STALE, 15 * SECOND))
    assert list(rig.engine.state.blocks) == [BlockReason.MARKET_CLOSED]
    assert rig.engine.state.tally.stale == 0
    assert not rig.of(FeedNoted)
    pass_to(rig, SESSIONS[1][0])
    assert list(rig.engine.state.blocks) == [BlockReason.STALE_DATA]
    assert rig.engine.state.recent.outages == [], "no outage: the feed has not said so"
    rig.send(FeedChanged("", rig.now_ns + SECOND, FeedHealth.LIVE, 0))
    assert not rig.engine.state.blocks


def test_a_night_without_bars_is_no_gap_and_a_hole_in_a_session_is() -> None:
    rig = desk(SESSIONS[1][0])
    rig.send(GapDetected(SYMBOL, rig.now_ns, 1050, CLOSE - MINUTE, SESSIONS[1][0]))
    assert rig.engine.state.tally.gaps == 0
    rig.send(GapDetected(SYMBOL, rig.now_ns, 1051, CLOSE - 2 * MINUTE, SESSIONS[1][0]))
    rig.send(GapDetected(SYMBOL, rig.now_ns, 1051, CLOSE - MINUTE, SESSIONS[1][0] + MINUTE))
    assert rig.engine.state.tally.gaps == 2


def test_an_outage_ends_with_the_session() -> None:
    rig = desk(CLOSE - MINUTE)
    rig.send(FeedChanged("", rig.now_ns, FeedHealth.STALE, 15 * SECOND))
    assert rig.engine.state.recent.outage_since_ns
    pass_to(rig, CLOSE)
    assert not rig.engine.state.recent.outage_since_ns
    pass_to(rig, CLOSE + HOUR)
    assert not rig.engine.breakers.check_breakers()


def test_a_run_that_starts_closed_knows_it_and_a_snapshot_goes_on_with_it() -> None:
    rig = desk(CLOSE + HOUR)
    restored = Engine(lambda _: (Scripted(),), rig.engine.snapshot())
    assert list(restored.hours.closed) == [SYMBOL]
    assert restored.state_hash() == rig.engine.state_hash()
    rig.send(RunStarted(rig.now_ns, "run2", rig.config))
    rig.seed()
    rig.send(PhaseEntered(rig.now_ns, SessionPhase.SEEDING_HISTORY, SessionPhase.RUNNING))
    assert list(rig.engine.state.blocks) == [BlockReason.MARKET_CLOSED]


def test_a_desk_that_leaves_the_exchange_leaves_its_block_behind() -> None:
    rig = desk(CLOSE + HOUR)
    rig.send(RunStarted(rig.now_ns, "run2", replace(rig.config, instruments=(instrument(),))))
    assert BlockReason.MARKET_CLOSED not in rig.engine.state.blocks


def test_positions_of_the_night_get_their_bracket_at_the_opening() -> None:
    rig = desk(OPEN)
    rig.enter()
    pass_to(rig, CLOSE)
    rig.command(Act.CANCEL_ALL)
    pass_to(rig, CLOSE + SECOND)
    assert not rig.engine.state.orders
    rig.send(RunStarted(rig.now_ns, "run2", rig.config))
    rig.seed()
    rig.send(PhaseEntered(rig.now_ns, SessionPhase.SEEDING_HISTORY, SessionPhase.RUNNING))
    assert not rig.engine.state.orders, "nothing is sent to a closed market"
    pass_to(rig, SESSIONS[1][0])
    sent = [order for order in rig.of(OrderChanged) if order.previous is OrderState.NEW]
    assert [order.at_ns for order in sent[-2:]] == [SESSIONS[1][0]] * 2


def test_a_calendar_the_run_does_not_have_is_refused() -> None:
    with pytest.raises(UnknownCalendar, match="SPY trades by the calendar XETRA"):
        Rig(("SPY",), instruments=(replace(instrument("SPY"), calendar="XETRA"),))


def test_a_bracket_that_could_not_be_sent_into_a_closed_market_rests_from_its_opening_on() -> None:
    rig = desk(OPEN)
    rig.enter()
    rig.command(Act.CANCEL_ALL)
    pass_to(rig, CLOSE)
    rig.send(RunStarted(CLOSE + SECOND, "run2", rig.config))
    rig.send(PhaseEntered(CLOSE + SECOND, SessionPhase.SEEDING_HISTORY, SessionPhase.RUNNING))
    assert not rig.engine.state.orders
    pass_to(rig, SESSIONS[1][0])
    rig.quote("100", "100.1")
    assert {order.purpose for order in rig.engine.state.orders.values()} == {Purpose.STOP, Purpose.TARGET}


def test_a_closed_market_hides_nothing_from_a_desk_that_was_away() -> None:
    rig = desk(CLOSE - MINUTE)
    rig.propose()
    rig.quote("100", "100.1")
    assert rig.engine.state.positions[SYMBOL].qty
    rig.engine = Engine(lambda _: (rig.strategy,), rig.engine.snapshot())
    rig.now_ns = OPEN + DAY + MINUTE
    rig.send(RunStarted(rig.now_ns, "run2", rig.config))
    rig.send(PhaseEntered(rig.now_ns, SessionPhase.SEEDING_HISTORY, SessionPhase.RUNNING))
    assert BlockReason.OUTAGE not in rig.engine.state.blocks


def test_an_open_market_hides_what_no_bar_tells_of() -> None:
    rig = desk(CLOSE - MINUTE)
    rig.propose()
    rig.quote("100", "100.1")
    rig.engine = Engine(lambda _: (rig.strategy,), rig.engine.snapshot())
    rig.now_ns = OPEN + DAY + 10 * MINUTE
    rig.send(RunStarted(rig.now_ns, "run2", rig.config))
    rig.send(PhaseEntered(rig.now_ns, SessionPhase.SEEDING_HISTORY, SessionPhase.RUNNING))
    assert "of 10m00s no bar tells" in rig.engine.state.blocks[BlockReason.OUTAGE].text
