"""What tests of every package share."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from engine.session import remote
from tests.steady import PATIENCE, SteadyLoop

MEMORY = Path("/dev/shm")

settings.register_profile("steady", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("mutants", settings.get_profile("steady"), derandomize=True, database=None)  # no luck
settings.load_profile("steady")  # how long an example takes says more of the machine than of the code


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], SteadyLoop]]:
    """The loop every asynchronous test runs on."""
    return {"steady": SteadyLoop}


@pytest.fixture
def patient_kill(monkeypatch: pytest.MonkeyPatch) -> None:
    """A desk that takes a kill is heard, however busy the machine, before the kill file is written."""
    monkeypatch.setattr(remote, "KILL_ANSWER_SECONDS", PATIENCE)


@pytest.fixture
def ram() -> Iterator[Path]:
    """A folder in memory, where there is such a place: thousands of small databases are quick there."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        yield Path(folder)
