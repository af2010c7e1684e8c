"""What a paper desk's orders meet while it is away: decided from the bars of that time at their worst, or marked."""

import msgspec
import pytest

from engine.core.config import MINUTE, SECOND
from engine.core.engine import Engine
from engine.core.events import Act, Bar, PhaseEntered, RunStarted, SessionPhase
from engine.core.facts import BlockChanged, FeedNoted, FillBooked, TradeClosed
from engine.core.state import Away
from engine.core.words import BlockReason, ExitReason, OutageGap
from tests.rig import SYMBOL, Rig, d

Prices = tuple[str, str, str, str]


def left(policy: OutageGap = OutageGap.DECIDE) -> Rig:
    """A desk that went with 1 LONG of about 100.1, its stop at 99 and its target at 103 resting."""
    rig = Rig(outage_gap=policy)
    rig.enter()
    for _ in range(5):
        rig.quote("100", "100.1")
    assert len(rig.engine.state.orders) == 2
    return rig


def comes_back(rig: Rig, *bars: Prices | None, from_ns: int = 0) -> None:
    """The next run begins after as many whole minutes as there are `bars` (OHLC; None: not to be had)."""
    first_ns = (rig.now_ns // MINUTE + 1) * MINUTE
    rig.now_ns = first_ns + len(bars) * MINUTE + SECOND
    first_ns += from_ns
    rig.engine = Engine(lambda _: (rig.strategy,), rig.engine.snapshot())
    rig.facts.clear()
    rig.send(RunStarted(rig.now_ns, "run2", rig.config))
    for number, prices in enumerate(bars):
        if prices is None:
            continue
        at = first_ns + number * MINUTE
        opened, high, low, close = map(d, prices)
        rig.send(Bar(SYMBOL, rig.now_ns, at, MINUTE, opened, high, low, close, d(1_000_000), backfilled=True))
    rig.send(PhaseEntered(rig.now_ns, SessionPhase.SEEDING_HISTORY, SessionPhase.RUNNING))


def told(rig: Rig) -> str:
    (note,) = [note.text for note in rig.of(FeedNoted) if note.kind == "OUTAGE_GAP"]
    return str(note)


QUIET = ("100", "100.4", "99.6", "100")


def test_a_stop_that_the_price_reached_meanwhile_has_filled_at_it_or_worse() -> None:
    rig = left()
    comes_back(rig, QUIET, ("100", "100.2", "98.9", "100"), QUIET)
    (trade,) = rig.of(TradeClosed)
    assert trade.exit_reason is ExitReason.SL
    assert d(98) < trade.exit_price <= d(99)
    assert told(rig).endswith("made 1 fills")
    assert rig.engine.state.tally.outage_fills == 1
    assert rig.engine.state.tally.outage_ns > 3 * MINUTE


def test_a_stop_that_the_price_jumped_over_fills_at_the_open() -> None:
    rig = left()
    comes_back(rig, ("97", "97.5", "96.5", "97"))
    (trade,) = rig.of(TradeClosed)
    assert d(96) < trade.exit_price <= d(97)


def test_a_bar_with_stop_and_target_is_a_loss() -> None:
    rig = left()
    comes_back(rig, ("100", "103.5", "98.5", "103"))
    assert [trade.exit_reason for trade in rig.of(TradeClosed)] == [ExitReason.SL]


def test_a_target_that_the_price_only_touched_has_not_filled() -> None:
    rig = left()
    comes_back(rig, ("100", "103", "99.5", "102"))
    assert not rig.of(FillBooked)
    comes_back(rig, ("100", "103.1", "99.5", "102"))
    assert [trade.exit_reason for trade in rig.of(TradeClosed)] == [ExitReason.TP]


def test_a_quiet_gap_is_noted_and_nothing_else() -> None:
    rig = left()
    comes_back(rig, QUIET, QUIET)
    assert told(rig).startswith("away for 2m")
    assert told(rig).endswith("2 bars of that time made 0 fills")
    assert not rig.of(FillBooked)
    assert BlockReason.OUTAGE not in rig.engine.state.blocks


@pytest.mark.parametrize(
    ("bars", "untold"),
    [
        ([None, *[QUIET] * 3], "1m"),
        ([QUIET, None, QUIET, None, QUIET], "2m"),
        ([QUIET, None, None, None], "3m"),
        ([None] * 4, "4m"),
    ],
    ids=["head", "middle", "tail", "all"],
)
def test_time_that_no_bar_tells_of_waits_for_the_operator(bars: list[Prices | None], untold: str) -> None:
    rig = left()
    comes_back(rig, *bars)
    assert f"made 0 fills, and of {untold}" in told(rig)
    assert told(rig).endswith("no bar tells")
    assert BlockReason.OUTAGE in rig.engine.state.blocks
    rig.command(Act.RESUME)
    assert BlockReason.OUTAGE not in rig.engine.state.blocks


def test_a_start_may_take_minutes_after_its_newest_bar() -> None:
    rig = left()
    comes_back(rig, QUIET, QUIET, None, None)
    assert told(rig).endswith("2 bars of that time made 0 fills")
    assert BlockReason.OUTAGE not in rig.engine.state.blocks


def test_a_bar_from_before_the_desk_went_decides_nothing() -> None:
    rig = left()
    comes_back(rig, ("100", "100.2", "90", "100"), from_ns=-2 * MINUTE)
    assert not rig.of(FillBooked)


def test_a_desk_that_held_nothing_has_no_gap() -> None:
    rig = Rig()
    rig.quote("100", "100.1")
    comes_back(rig, ("100", "100.2", "90", "100"))
    assert not [note for note in rig.of(FeedNoted) if note.kind == "OUTAGE_GAP"]
    assert rig.engine.state.tally.outage_ns == 0


def test_a_marked_gap_decides_nothing_and_entries_wait_for_the_operator() -> None:
    rig = left(OutageGap.MARK)
    comes_back(rig, ("100", "100.2", "90", "100"))
    assert not rig.of(FillBooked)
    assert told(rig).endswith("nothing was decided")
    assert [change.reason for change in rig.of(BlockChanged) if change.active][-1] is BlockReason.OUTAGE
    rig.command(Act.RESUME)
    assert BlockReason.OUTAGE not in rig.engine.state.blocks


@pytest.mark.parametrize("policy", list(OutageGap))
def test_the_gap_replays_from_a_snapshot_in_its_middle(policy: OutageGap) -> None:
    rig = left(policy)
    comes_back(rig, QUIET, ("100", "100.2", "98.9", "100"))
    again = Engine(lambda _: (rig.strategy,), rig.engine.snapshot())
    assert again.state_hash() == rig.engine.state_hash()
    assert msgspec.to_builtins(again.state.away) == msgspec.to_builtins(Away())


def test_a_desk_at_a_venue_leaves_it_to_the_venue() -> None:
    rig = Rig(paper=False)
    rig.propose(entry="99.5")
    rig.now_ns += SECOND
    comes_back(rig, ("100", "100.2", "90", "100"))
    assert not rig.of(FillBooked)
    assert not rig.engine.state.away.until
