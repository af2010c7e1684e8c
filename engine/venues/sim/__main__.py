"""`python -m engine.venues.sim [OPTIONS AS JSON]`: how a desk starts its venue. People use `nightdesk venue`."""

import sys

import msgspec

from engine.venues.sim.main import run
from engine.venues.sim.options import VenueOptions

if __name__ == "__main__":
    sys.exit(run(msgspec.json.decode(sys.argv[1] if len(sys.argv) > 1 else "{}", type=VenueOptions)))
