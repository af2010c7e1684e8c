from collections.abc import AsyncIterator

import pytest

from tests.venues.sim_server.caller import Caller, running


@pytest.fixture
async def caller() -> AsyncIterator[Caller]:
    """A venue on loopback and a client of it."""
    async with running() as caller:
        yield caller
