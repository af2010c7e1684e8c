"""What tests of every package share."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.steady import SteadyLoop

MEMORY = Path("/dev/shm")

settings.register_profile("steady", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")  # how long an example takes says more of the machine than of the code


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], SteadyLoop]]:
    """The loop every asynchronous test runs on."""
    return {"steady": SteadyLoop}


@pytest.fixture
def ram() -> Iterator[Path]:
    """A folder in memory, where there is such a place: thousands of small databases are quick there."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        yield Path(folder)
