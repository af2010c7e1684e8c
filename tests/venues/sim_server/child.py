"""A venue process that plays the tests' plain market: `python -m tests.venues.sim_server.child OPTIONS`."""

import sys

import msgspec

from engine.core.config import SECOND
from engine.venues.sim.clock import VenueClock
from engine.venues.sim.options import VenueOptions
from engine.venues.sim.standalone import Opened, WrongUsage, serve_process
from tests.venues.sim_server.caller import ORIGIN_NS, PlainMarket


def open_plain(options: VenueOptions) -> Opened:
    if options.anchor == "unusable":
        raise WrongUsage("unusable is no anchor")
    until_ns = ORIGIN_NS + int(options.anchor) * SECOND if options.anchor else 0
    return Opened(PlainMarket(until_ns=until_ns), VenueClock(ORIGIN_NS, options.speed), "plain", options.seed or 1)


if __name__ == "__main__":
    sys.exit(serve_process(msgspec.json.decode(sys.argv[1], type=VenueOptions), open_plain))
