"""The venue with its own market: generated from a seed, or recorded files played again."""

from pathlib import Path
from typing import Final

from engine.core.config import SECOND
from engine.venues.sim.anchor import UnusableAnchor, anchored
from engine.venues.sim.clock import VenueClock, wall_ns
from engine.venues.sim.generated import DEFAULT_SEED, QUOTE_INTERVAL_NS, GeneratedMarket
from engine.venues.sim.options import VenueOptions
from engine.venues.sim.standalone import Opened, WrongUsage, serve_process

MS: Final = SECOND // 1000


def run(options: VenueOptions) -> int:
    """Serve the market `options` ask for until told to end; the exit code (0 as asked, 1 failed, 2 wrong usage)."""
    return serve_process(options, open_market)


def open_market(options: VenueOptions) -> Opened:
    """The market, and a clock that begins where it should. Raises `WrongUsage` naming what cannot be served."""
    if options.speed < 1:
        raise WrongUsage(f"the venue runs at a whole multiple of real time, not {options.speed}")
    try:
        return _recorded(options) if options.data else _generated(options)
    except (UnusableAnchor, ValueError) as error:
        raise WrongUsage(str(error)) from error


def _generated(options: VenueOptions) -> Opened:
    """The generated market. Its time is the wall's when it starts, so a restart finds it where it would have been."""
    now_ns = wall_ns()
    path = Path(options.anchor) if options.anchor else None
    anchor = anchored(path, options.seed, now_ns, DEFAULT_SEED)
    interval_ns = round(options.quote_interval_ms * MS) or QUOTE_INTERVAL_NS
    market = GeneratedMarket(anchor.seed, anchor.anchor_ns, quote_interval_ns=interval_ns, symbols=options.symbols)
    return Opened(market, VenueClock(now_ns, options.speed), anchor.seed)


def _recorded(options: VenueOptions) -> Opened:
    """Recorded files, from their beginning and the time they were recorded at."""
    from engine.venues.sim.recorded.files import BadData  # only now: a generated market starts without the readers
    from engine.venues.sim.recorded.market import RecordedMarket

    try:
        market = RecordedMarket(options.data, symbols=options.symbols, warmup_bars=options.warmup_bars)
    except BadData as error:
        raise WrongUsage(str(error)) from error
    return Opened(market, VenueClock(market.start_ns, options.speed), options.seed or DEFAULT_SEED)
