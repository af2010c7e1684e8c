"""What a headless desk takes of the machine, and how steadily it beats, idle and at a thousand messages a second.

`python -m benchmarks.steady [SECONDS]` runs it alone. Idle is a desk on a market of its own with a quote a symbol every
five seconds; the thousand messages come over a real socket, as in `benchmarks.wire`, and lead to trades. With fewer
than a thousand beats the latest of them is their p99.9.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmarks.figures import Figure
from benchmarks.rig import on_loop
from benchmarks.session import Desk, Meter
from benchmarks.wire import flooded
from engine.venues.sim.options import VenueOptions
from engine.venues.sim.process import start_venue

SECONDS: Final = 120
SETTLE_SECONDS: Final = 5
IDLE_MS: Final = 5_000  # between two quotes of a symbol: below, the desk would take the feed for stale
RATE: Final = 1_000


def _idle(seconds: int) -> tuple[float, float]:
    """The share of a core (%) of a desk with hardly anything to do, and the messages a second it took in meanwhile."""
    return on_loop(_beside_a_venue(seconds))


async def _beside_a_venue(seconds: int) -> tuple[float, float]:
    venue = await start_venue(VenueOptions(quote_interval_ms=IDLE_MS), "engine.venues.sim")
    given = {
        "NIGHTDESK_SIM_REST_URL": venue.rest_url,
        "NIGHTDESK_SIM_PUBLIC_URL": f"{venue.ws_url}/public/",
        "NIGHTDESK_SIM_PRIVATE_URL": f"{venue.ws_url}/private/",
    }
    try:
        return await asyncio.to_thread(_measured, given, seconds)
    finally:
        await venue.stop()


def _measured(given: dict[str, str], seconds: int) -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as folder:
        desk = Desk(Path(folder), variables=given)
        try:
            desk.until_running()
            time.sleep(SETTLE_SECONDS)
            meter, before = Meter(desk.process.pid), desk.status()
            time.sleep(seconds)
            used, after = meter.read(), desk.status()
            desk.end("stop")
        finally:
            desk.close()
    return used.cpu_percent, (after["market_events"] - before["market_events"]) / seconds


def run(seconds: int = SECONDS) -> list[Figure]:
    """Idle, then at a thousand messages a second, each for a while."""
    cpu, messages = _idle(seconds)
    busy = flooded(RATE, seconds, 1)
    return [
        Figure("headless cpu, idle", cpu, "% of a core", "at most", 1.5),
        Figure("messages meanwhile", messages, "messages/s"),
        Figure("headless cpu, busy", busy["cpu"], "% of a core", "at most", 10),
        Figure("messages meanwhile", busy["rate"], "messages/s", "at least", RATE * 0.95),
        Figure("heartbeat late p99 meanwhile", busy["beat p99"], "ms"),
        Figure(f"heartbeat late p99.9 meanwhile ({busy['beats']:.0f} beats)", busy["beat max"], "ms", "at most", 20),
    ]


def main(words: Sequence[str]) -> int:
    figures = run(*(int(word) for word in words[:1]))
    for figure in figures:
        print(figure.line())
    return 0 if all(figure.ok for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
