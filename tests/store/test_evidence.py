"""The evidence of a protocol as the tables give it: what happened inside its rows, and nothing else."""

import json
import sqlite3
from pathlib import Path

import msgspec
import pytest

from engine.core.events import AnyEvent, PhaseEntered, SessionPhase
from engine.core.facts import (
    AnyFact,
    BreakerChanged,
    DayRolled,
    DiscrepancyChanged,
    ErrorCounted,
    ExposureSpiked,
    FeedNoted,
    HeatNoted,
    KillChanged,
    OperatorActed,
    PhaseChanged,
)
from engine.core.words import BreakerName, Regime
from engine.review.evidence import Evidence, Files
from engine.review.protocol import verdict
from engine.review.protocols import PROTOCOLS
from store.desk import Store
from store.evidence import gather
from store.verdicts import protocols, statement_of
from tests.review.proving import terms
from tests.store.making import SECOND, T0, batch, desk, mark, order, raised, round_trip, run_started

TERMS = terms("audit", begun_ns=T0)
RUNNING = PhaseChanged(T0 + SECOND, SessionPhase.SEEDING_HISTORY, SessionPhase.RUNNING, "")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return desk(tmp_path)


def seen(store: Store, *facts: AnyFact, before: tuple[AnyFact, ...] = ()) -> Evidence:
    """What the protocol saw: `before` happened before its terms were fixed, `facts` in its first run."""
    store.journal.commit(batch(1, [run_started("old")], [(1, fact) for fact in before], run_id="old")).result()
    store.record_protocol(TERMS).result()
    entered = PhaseEntered(T0 + SECOND, SessionPhase.SEEDING_HISTORY, SessionPhase.RUNNING)
    inputs: list[AnyEvent] = [run_started("new"), entered]
    store.journal.commit(batch(2, inputs, [(3, RUNNING), *((3, fact) for fact in facts)], run_id="new")).result()
    (begun,) = protocols(store.path)
    assert begun.terms == TERMS and begun.verdict_row == 0
    return gather(store.path, begun.terms, begun.row)


HAPPENINGS: dict[str, tuple[AnyFact, ...]] = {
    "unended": (raised("s9"),),
    "above_heat": (HeatNoted(T0, True, 2, 1),),
    "spikes": (ExposureSpiked(T0, Regime.CRISIS, T0, 1, 2, 1, 1),),
    "errors": (ErrorCounted(T0, "here", "it broke", "e at here"),),
    "breakers": (BreakerChanged(T0, BreakerName.DAILY_LOSS, True, 2, 1, "2 >= 1", "halt_day"),),
    "stale": (FeedNoted(T0, "BTCUSDT", "ORDER_BOOK_STALE", "silent"),),
    "gaps": (FeedNoted(T0, "BTCUSDT", "GAP_DETECTED", "a hole"),),
    "kills": (KillChanged(T0, True, "file", "op", "killed"),),
    "acts": (OperatorActed(T0, "pause", "cli", "op", "paused", True, "trading", "operator"),),
    "mismatches": (DiscrepancyChanged(T0, "d1", "cash", "cash", "1", "2", T0, "", "", ""),),
}


@pytest.mark.parametrize("name", HAPPENINGS)
def test_what_happens_in_a_protocol_is_seen_in_its_own_field_alone(store: Store, name: str) -> None:
    evidence = seen(store, *HAPPENINGS[name])
    assert len(getattr(evidence, name)) == 1 and getattr(evidence, name)[0].row > evidence.first_row
    assert [other for other in HAPPENINGS if other != name and getattr(evidence, other)] == []


@pytest.mark.parametrize("name", [name for name in HAPPENINGS if name != "mismatches"])
def test_what_happened_before_it_is_not(store: Store, name: str) -> None:
    assert not getattr(seen(store, before=HAPPENINGS[name]), name)


def test_an_old_mismatch_that_stands_is_seen_until_it_is_settled(store: Store) -> None:
    (open_still,) = HAPPENINGS["mismatches"]
    assert isinstance(open_still, DiscrepancyChanged)
    assert len(seen(store, before=(open_still,)).mismatches) == 1


def test_a_settled_mismatch_is_counted_and_not_open(store: Store) -> None:
    (open_still,) = HAPPENINGS["mismatches"]
    evidence = seen(store, open_still, msgspec.structs.replace(open_still, resolution="gone"))
    assert (len(evidence.mismatches), evidence.mismatches_ever) == (0, 1)


@pytest.mark.parametrize(
    ("act", "source", "counts"), [("pause", "cli", 1), ("acknowledge", "tui", 0), ("close-all", "session", 0)]
)
def test_the_desk_s_own_acts_and_reading_an_alert_are_no_override(
    store: Store, act: str, source: str, counts: int
) -> None:
    assert len(seen(store, OperatorActed(T0, act, source, "x", "", True, "", "")).acts) == counts


def test_a_round_trip_is_traced_and_intended(store: Store) -> None:
    evidence = seen(store, order("o2"), *(fact for _, fact in round_trip(2)), mark())
    assert (evidence.untraced, evidence.unintended, evidence.unended, evidence.unexplained) == ([], [], [], [])
    assert [trade.pnl for trade in evidence.trades] and len(evidence.marks) >= 1 and evidence.signals == 1


def test_a_trade_and_fills_without_their_signal_are_unintended_and_untraced(store: Store) -> None:
    facts = [fact for _, fact in round_trip(2) if fact.__struct_config__.tag in ("fill_booked", "trade_closed")]
    evidence = seen(store, *facts)
    assert evidence.untraced and evidence.unintended


@pytest.mark.parametrize(
    ("action", "released", "found"), [("halt_day", False, 1), ("halt_day", True, 0), ("watch", False, 0)]
)
def test_an_entry_under_a_tripped_breaker_disobeys_it(store: Store, action: str, released: bool, found: int) -> None:
    trip = BreakerChanged(T0, BreakerName.DAILY_LOSS, True, 2, 1, "", action)
    freed = (msgspec.structs.replace(trip, tripped=False),) if released else ()
    assert len(seen(store, raised(), trip, *freed, order()).disobeyed) == found


def test_a_breaker_that_tripped_before_the_protocol_forbids_in_it_too(store: Store) -> None:
    trip = BreakerChanged(T0, BreakerName.DAILY_LOSS, True, 2, 1, "", "halt_day")
    assert len(seen(store, raised(), order(), before=(trip,)).disobeyed) == 1


def test_days_are_counted_from_roll_to_roll(store: Store) -> None:
    evidence = seen(store, DayRolled(T0, 100, 1, 0), mark(), raised("a"), DayRolled(T0, 101, 1, 0), mark(), mark())
    assert [(day.day, day.marks, day.signals, day.fills) for day in evidence.days] == [(100, 1, 1, 0), (101, 2, 0, 0)]


def test_a_run_is_seen_from_its_running_to_its_newest_batch(store: Store) -> None:
    (run,) = seen(store).runs
    assert (run.run_id, run.running_ns, run.report) == ("new", T0 + SECOND, None)
    assert run.last_ns >= T0


def test_a_verdict_ends_the_protocol_and_is_signed_word_for_word(store: Store) -> None:
    evidence = seen(store)
    found = verdict(PROTOCOLS["audit"], evidence)
    store.record_verdict(found, Files(), T0).result()
    (begun,) = protocols(store.path)
    said = statement_of(store.path, TERMS.protocol_id)
    assert begun.verdict_row > begun.row and said is not None and said.is_genuine
    assert said.said.verdict == found
    edited = msgspec.structs.replace(said, statement=said.statement.replace('"passed":false', '"passed":true'))
    assert edited.said.verdict.passed and not edited.is_genuine


def test_both_are_in_the_chain_and_rebuilt_from_it(store: Store) -> None:
    found = verdict(PROTOCOLS["audit"], seen(store))
    store.record_verdict(found, Files(), T0).result()
    before = _tables(store.path)
    store.rebuild_projections().result()
    assert _tables(store.path) == before and all(before)
    assert store.verify().is_good


def test_the_whole_evidence_has_the_proof_of_the_journal(store: Store) -> None:
    seen(store)
    (begun,) = protocols(store.path)
    assert gather(store.path, begun.terms, begun.row, files=Files()).faults == ()
    store.close()
    with sqlite3.connect(store.path) as connection:
        connection.execute("DROP TRIGGER journal_is_never_changed")
        body = json.dumps({"changed": True})
        connection.execute("UPDATE journal SET body = ? WHERE kind = 'run_started'", (body,))
    assert gather(store.path, begun.terms, begun.row, files=Files()).faults


def _tables(path: Path) -> list[list[tuple[object, ...]]]:
    with sqlite3.connect(path) as connection:
        return [connection.execute(f"SELECT * FROM {name}").fetchall() for name in ("protocols", "verdicts")]
