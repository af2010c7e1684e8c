"""The whole venue process on its own market."""

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from engine.core.config import MINUTE, SECOND
from engine.core.events import DataRejected
from engine.venues.sim.clock import wall_ns
from engine.venues.sim.main import MS, open_market
from engine.venues.sim.options import VenueOptions
from engine.venues.sim.process import VenueFailed, VenueProcess, start_venue
from engine.venues.sim.standalone import WrongUsage
from tests.steady import PATIENCE


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
            before_ns, now_ns, after_ns = wall_ns(), venue.clock.now_ns(), wall_ns()
            assert before_ns - SECOND < now_ns < after_ns + SECOND
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


def bars(path: Path, rows: int, *, damaged: int = -1) -> Path:
    """A file of one-minute bars; row `damaged` holds a word for a close."""
    lines = ["ts_ms,open,high,low,close,volume"]
    for row in range(rows):
        close = "lost" if row == damaged else f"{100 + row % 5}.5"
        lines.append(f"{1_746_372_780_000 + row * 60_000},100.5,106.5,99.5,{close},12.5")
    path.write_text("\n".join(lines) + "\n")
    return path


async def test_a_recorded_market_begins_after_its_warm_up_and_tells_its_end_and_its_damage(tmp_path: Path) -> None:
    found: list[DataRejected] = []
    data = bars(tmp_path / "BTCUSDT.csv", 14, damaged=12)
    options = VenueOptions(data=(str(data),), warmup_bars=10, speed=120)
    venue = await start_venue(options, on_rejected=found.append)
    try:
        assert venue.source == "recorded"
        assert 0 <= venue.clock.now_ns() - (1_746_372_780 + 600) * SECOND < 120 * PATIENCE * SECOND
        rows = await minutes(venue, "BTCUSDT", venue.clock.now_ns() // MS)
        assert len(rows) >= 10 and rows[-1]["time"] == "1746372780000"
        async with asyncio.timeout(PATIENCE):
            await venue.market_ended.wait()
    finally:
        await venue.stop()
    assert len(found) == 1 and "BTCUSDT.csv:14" in found[0].where


async def test_a_file_that_cannot_be_played_stops_the_start_and_is_named(tmp_path: Path) -> None:
    (tmp_path / "BTCUSDT.csv").write_text("a,b\n1,2\n")
    for path in (tmp_path / "BTCUSDT.csv", tmp_path / "absent.csv"):
        with pytest.raises(VenueFailed, match=path.name) as failed:
            await start_venue(VenueOptions(data=(str(path),)))
        assert failed.value.is_usage
