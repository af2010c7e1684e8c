"""A venue process that plays the tests' plain market: `python -m tests.venues.sim_server.child OPTIONS`."""

import sys
from collections.abc import Iterator

import msgspec

from engine.core.config import SECOND
from engine.core.events import DataRejected, FeedEvent
from engine.venues.sim.clock import VenueClock
from engine.venues.sim.options import VenueOptions
from engine.venues.sim.standalone import Opened, WrongUsage, serve_process
from tests.venues.sim_server.caller import ORIGIN_NS, PlainMarket


class DamagedMarket(PlainMarket):
    """One row of its recording could not be read."""

    def events(self, from_ns: int, step_ns: int = SECOND) -> Iterator[list[FeedEvent]]:
        yield [DataRejected("ACMEUSDT", from_ns, "not a number: 'x'", "bars.csv:7:close")]
        yield from super().events(from_ns)


def open_plain(options: VenueOptions) -> Opened:
    if options.anchor == "unusable":
        raise WrongUsage("unusable is no anchor")
    until_ns = ORIGIN_NS + int(options.anchor) * SECOND if options.anchor else 0
    kind = DamagedMarket if "damaged" in options.symbols else PlainMarket
    return Opened(kind(until_ns=until_ns), VenueClock(ORIGIN_NS, options.speed), options.seed or 1)


if __name__ == "__main__":
    sys.exit(serve_process(msgspec.json.decode(sys.argv[1], type=VenueOptions), open_plain))
