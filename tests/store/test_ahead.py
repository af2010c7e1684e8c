"""Inputs that another process reads ahead: the same ones, whether it lives or not."""

import io
import os
import shutil
import sys
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.events import AnyEvent
from store.ahead import INPUTS_MIN, Ahead, is_worth_it, received, send
from store.blocks import DamagedBlock
from tests.store.making import batch, desk, quotes, run_started
from tests.store.test_blocks import EVENTS
from tests.store.test_recovery import change


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A journal of 200 inputs in 20 blocks."""
    store = desk(tmp_path)
    store.journal.commit(batch(1, [run_started(), *quotes(2, 9)])).result()
    for first in range(11, 200, 10):
        store.journal.commit(batch(first, 10)).result()
    store.close()
    return store.path


INPUTS = [run_started(), *quotes(2, 199)]


@pytest.mark.parametrize("after", [0, 1, 55, 199, 200])
def test_the_inputs_behind_a_number_come_in_order_and_may_be_read_again(path: Path, after: int) -> None:
    ahead = Ahead(path, after)
    assert list(ahead) == INPUTS[after:]
    assert list(ahead) == INPUTS[after:]


def test_the_other_process_brings_all_of_them(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.ahead.Inputs", lambda *_: SimpleNamespace(runs=list))
    assert list(Ahead(path, 0)) == INPUTS


@pytest.mark.parametrize("program", ["/nowhere/python", shutil.which("true")])
def test_without_it_they_are_read_here(path: Path, program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", program)
    assert list(Ahead(path, 5)) == INPUTS[5:]


def test_what_it_does_not_bring_is_read_here(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.ahead.received", lambda pipe: islice(received(pipe), 3))
    assert list(Ahead(path, 5)) == INPUTS[5:]


def test_what_it_brings_twice_or_leaves_out_is_not_taken(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for wrong in (1, 12):
        monkeypatch.setattr("store.ahead.received", lambda _: [(1, INPUTS[:10]), (wrong, quotes(50, 3))])  # noqa: B023
        assert list(Ahead(path, 0)) == INPUTS


def test_a_damaged_block_is_told_here(path: Path) -> None:
    change(path, "UPDATE journal SET body = x'0102' WHERE kind = 'block' AND seq = 101")
    found: list[AnyEvent] = []
    with pytest.raises(DamagedBlock):
        found.extend(Ahead(path, 0))
    assert not found or found == INPUTS[:100]


def test_whoever_stops_reading_leaves_no_process_behind(path: Path) -> None:
    reading = iter(Ahead(path, 0))
    assert next(reading) == INPUTS[0]
    assert psutil.Process().children()
    del reading
    assert not psutil.Process().children()


def test_many_inputs_are_read_ahead_where_there_are_two_cores(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    assert not is_worth_it(INPUTS_MIN - 1)
    assert is_worth_it(INPUTS_MIN)
    monkeypatch.setattr("store.ahead.INPUTS_MIN", 200)
    store = desk(path.parent)
    assert isinstance(store.recovered.tail, Ahead)
    assert list(store.recovered.tail) == INPUTS
    store.close()
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    assert not is_worth_it(INPUTS_MIN)


@given(st.lists(EVENTS, max_size=20))
@settings(max_examples=200, deadline=None)
def test_any_event_arrives_as_it_was_sent(events: list[AnyEvent]) -> None:
    pipe = io.BytesIO()
    try:
        send([(7, events), (8, [])], pipe)
    except OverflowError:  # beyond 64 bits: what reads ahead ends, and they are read here
        return
    pipe.seek(0)
    assert list(received(pipe)) == [(7, events), (8, [])]


@pytest.mark.parametrize("lost", [1, 3, 40])
def test_what_is_cut_off_was_not_sent(lost: int) -> None:
    pipe = io.BytesIO()
    send([(1, quotes(1, 2)), (3, quotes(3, 2))], pipe)
    cut = io.BytesIO(pipe.getvalue()[:-lost])
    assert list(received(cut)) == [(1, quotes(1, 2))]
