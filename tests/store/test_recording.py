"""A recorded run as it is looked at: where it begins and ends, what was told, decided and worth finding in it."""

from itertools import islice
from pathlib import Path

import msgspec
import pytest

from console.travel.journey import NEVER, Journey
from engine.core.events import RunStarted
from engine.core.times import SECOND
from engine.session.clock import WallClock
from engine.strategies import make_all
from store.database import reading
from store.desk import Store, open_store
from store.recording import Recording
from store.recovery import UnknownRun
from store.rows import FACT_KINDS
from tests.console.recorded import RUN_ID, PlainRun, events

OTHER = "20261122-070822"


def begun_again(run: PlainRun, run_id: str) -> PlainRun:
    """Another run behind `run`, of the same inputs."""
    first = run.told[0]
    assert isinstance(first, RunStarted)
    return PlainRun([msgspec.structs.replace(first, run_id=run_id), *run.told[1:]], first=run.last + 1)


@pytest.fixture(scope="module")
def run() -> PlainRun:
    return PlainRun(events(), states_every=600)


@pytest.fixture(scope="module")
def path(run: PlainRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs in one journal."""
    path = tmp_path_factory.mktemp("books") / "desk.db"
    store = opened(path)
    for batch in run.batches():
        store.journal.commit(batch).result()
    for batch in islice(begun_again(run, OTHER).batches(), 3):
        store.journal.commit(msgspec.structs.replace(batch, run_id=OTHER)).result()
    store.close()
    return path


def opened(path: Path) -> Store:
    return open_store(path, "paper", WallClock(), threaded=False)


def test_a_run_is_what_it_was_told_and_what_it_decided(path: Path, run: PlainRun) -> None:
    recording = Recording(path, RUN_ID)
    assert (recording.first, recording.last) == (run.first, run.last)
    assert (recording.first_ns, recording.last_ns) == (run.first_ns, run.last_ns)
    assert (recording.running, recording.running_ns) == (run.running, run.running_ns)
    assert recording.marks() == run.marks()
    for after in (0, 1, 99, 100, 750, run.last - 1, run.last):
        assert list(recording.inputs(after)) == list(run.inputs(after))
        assert list(recording.facts(after)) == list(run.facts(after))
        assert list(recording.facts_back(after)) == list(run.facts_back(after))


def test_the_newest_state_from_before_is_found(path: Path, run: PlainRun) -> None:
    recording = Recording(path, RUN_ID)
    for seq, expected in ((1, 1), (599, 1), (600, 600), (1_199, 600), (run.last, 1_200)):
        found = recording.start(seq)
        assert found is not None and (found.seq, found.state) == (expected, run.states[expected])
    assert recording.start(0) is None


def test_the_row_of_an_input_is_that_of_its_last_fact(path: Path, run: PlainRun) -> None:
    recording = Recording(path, RUN_ID)
    with reading(path) as connection:
        for seq in (1, 2, 123, 700, 748, run.last):
            rows = connection.execute("SELECT id, kind FROM journal WHERE seq BETWEEN 1 AND ? ORDER BY id", (seq,))
            assert recording.row_at(seq) == max(row for row, kind in rows if kind in FACT_KINDS)


def test_a_time_is_found_among_the_inputs(path: Path, run: PlainRun) -> None:
    recording = Recording(path, RUN_ID)
    for ns in (0, run.first_ns, run.first_ns + 17 * SECOND, run.first_ns + 300 * SECOND - 1, run.last_ns, NEVER):
        assert recording.seq_at(ns) == run.seq_at(ns)


def test_a_later_run_of_the_same_desk_has_its_own_bounds(path: Path, run: PlainRun) -> None:
    recording = Recording(path, OTHER)
    assert (recording.first, recording.last) == (run.last + 1, run.last + 200)
    assert next(recording.facts(0))[0] == recording.first
    assert next(recording.inputs(run.last))[1] == begun_again(run, OTHER).told[0]
    assert all(seq > run.last for seq, _ in recording.facts_back(recording.last))


def test_a_run_that_still_grows_is_what_it_was_when_it_was_opened(tmp_path: Path, run: PlainRun) -> None:
    store = opened(tmp_path / "desk.db")
    batches = run.batches()
    for batch in islice(batches, 5):
        store.journal.commit(batch).result()
    recording = Recording(tmp_path / "desk.db", RUN_ID)
    last = recording.last
    for batch in batches:
        store.journal.commit(batch).result()
    store.close()
    assert [seq for seq, _ in recording.inputs(0)][-1] == last
    assert max(seq for seq, _ in recording.facts(0)) <= last
    assert max(max(seqs, default=0) for seqs in recording.marks().values()) <= last
    assert recording.seq_at(NEVER) == last


def test_it_is_travelled_as_it_was_recorded(path: Path, run: PlainRun) -> None:
    journey = Journey(Recording(path, RUN_ID), make_all)
    assert journey.drive(run.last, NEVER, 10**6)
    assert (journey.engine.state_hash(), journey.differs) == (run.end.state_hash(), 0)
    journey.approach(700)
    assert journey.drive(700, NEVER, 10**6)
    plain = Journey(run, make_all)
    assert plain.drive(700, NEVER, 10**6)
    assert (tuple(journey.notes), journey.facts) == (tuple(plain.notes), plain.facts)


def test_what_never_ran_is_unknown(path: Path) -> None:
    with pytest.raises(UnknownRun):
        Recording(path, "no-such-run")
