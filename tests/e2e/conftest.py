"""Desks of a test, each in a process of its own; whatever a failing test leaves running ends with it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.shell import RunningDesk

StartDesk = Callable[..., RunningDesk]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[StartDesk]:
    """Start a headless desk in the test's own home: `start("--duration", "5s", NIGHTDESK_X="...")`."""
    desks: list[RunningDesk] = []

    def begin(*words: str, **variables: str) -> RunningDesk:
        desks.append(RunningDesk(tmp_path, *words, **variables))
        return desks[-1]

    yield begin
    for desk in desks:
        desk.clean_up()
