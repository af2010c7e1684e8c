"""The whole venue process on its own market."""

import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from engine.core.config import MINUTE, SECOND
from engine.venues.sim.clock import wall_ns
from engine.venues.sim.main import open_market
from engine.venues.sim.options import VenueOptions
from engine.venues.sim.process import VenueFailed, VenueProcess, start_venue
from engine.venues.sim.standalone import WrongUsage


async def minutes(venue: VenueProcess, symbol: str, end_ms: int) -> list[Any]:
    query = {"symbol": symbol, "interval": "1m", "limit": "50", "endTime": str(end_ms)}
    url = venue.rest_url + "/api/v1/futures/market/kline"
    async with aiohttp.ClientSession() as session, session.get(url, params=query) as reply:
        rows: list[Any] = (await reply.json())["data"]
        return rows


async def test_a_restart_finds_the_market_where_it_would_have_been(tmp_path: Path) -> None:
    options = VenueOptions(anchor=str(tmp_path / "market.json"), symbols=("BTCUSDT",))
    end_ms = wall_ns() // MINUTE * 60_000 - 60_000
    found = []
    for _ in range(2):
        venue = await start_venue(options)
        try:
            assert abs(venue.clock.now_ns() - wall_ns()) < SECOND
            assert venue.source == "generated"
            found.append(await minutes(venue, "BTCUSDT", end_ms))
        finally:
            await venue.stop()
    assert len(found[0]) == 50 and found[0] == found[1]
    kept = json.loads((tmp_path / "market.json").read_text())
    assert set(kept) == {"seed", "anchor_ns"}


@pytest.mark.parametrize(
    "options",
    [
        VenueOptions(symbols=("NOPEUSDT",)),
        VenueOptions(speed=0),
        VenueOptions(quote_interval_ms=7),
    ],
)
def test_what_cannot_be_served_is_wrong_usage(options: VenueOptions) -> None:
    with pytest.raises(WrongUsage):
        open_market(options)


async def test_a_damaged_anchor_stops_the_start_and_is_named(tmp_path: Path) -> None:
    (tmp_path / "market.json").write_text("{")
    with pytest.raises(VenueFailed, match=r"market\.json"):
        await start_venue(VenueOptions(anchor=str(tmp_path / "market.json")))
